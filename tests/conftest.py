"""Shared by all tests: hypothesis without deadlines, since CI machines stall; the finished demo; which tests
share a process, and which come first.
"""

from __future__ import annotations

import gc
import os
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from support import snake

settings.register_profile("headct", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("headct")
os.environ.setdefault("OMP_NUM_THREADS", "1")

FIRST = ("slurm", "workflow")
"""Folders with the longest tests: these come first, so that no process works on alone at the end."""

OF_ONE_PROCESS = {"tests/slurm", "tests/workflow/one_and_seven", "tests/workflow/two_classes"}
"""Folders whose files share what takes long to make."""

NEEDS_A_RUN = {"demo", "clone", "slurm", "local", "browser"}
"""Fixtures of these files for which Snakemake, a Slurm or a browser runs."""

MAKES_A_WHOLE = {"support.snake", "support.audit_study", "support.families", "support.real_ct"}
"""Modules that run Snakemake, seal a study, train a network of each framework, or read whole scans."""

WHOLE_FOLDERS = {"cases"}
"""Folders of tests in which each test ingests a scan."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Of the millions of objects that the imported libraries are, none is looked through for garbage."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests, and mark those that `make test-quick` leaves out."""
    here = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        folder = item.path.relative_to(here).parts[0]
        return FIRST.index(folder) if folder in FIRST else len(FIRST)

    items.sort(key=place)
    for item in items:
        if is_whole(item):
            item.add_marker("whole")


def is_whole(item: pytest.Item) -> bool:
    """Whether a test is of something whole: by its fixtures, folder, processes, or its module's imports."""
    if not isinstance(item, pytest.Function):
        return False
    own = vars(item.module).keys()  # a fixture of the module may have the same name
    fixtures = NEEDS_A_RUN.intersection(item.fixturenames) - own
    starts_processes = "subprocess" in item.function.__code__.co_names
    in_folder = WHOLE_FOLDERS.intersection(item.path.parts)
    return bool(fixtures or in_folder or starts_processes or imports_a_maker(item.module))


@cache
def imports_a_maker(module: ModuleType) -> bool:
    """Whether a module has something of those modules that make something whole."""
    return not MAKES_A_WHOLE.isdisjoint(map(_home, vars(module).values()))


def _home(value: Any) -> str:
    return str(value.__name__ if isinstance(value, ModuleType) else getattr(value, "__module__", ""))


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With several processes, tests of one file share one, and with it what they are made from; so do all
    tests of a folder that share a cluster or a finished study.
    """
    from xdist.scheduler import LoadFileScheduling

    class ByFileOrFolder(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            folder = nodeid.partition("::")[0].rpartition("/")[0]
            return folder if folder in OF_ONE_PROCESS else super()._split_scope(nodeid)

    return ByFileOrFolder(config, log)


@pytest.fixture(scope="session")
def demo(testrun_uid: str) -> Path:
    """The folder of the finished demo (minutes if it has not been run yet)."""
    with snake.demo_lock():  # of several processes of the tests, the first makes it
        finished = snake.REPOSITORY / "demo/.finished"
        if not finished.exists() or finished.read_text() != testrun_uid:
            run = subprocess.run(["make", "demo"], cwd=snake.REPOSITORY, capture_output=True, text=True)
            assert run.returncode == 0, run.stdout + run.stderr
            finished.write_text(testrun_uid)
    return snake.REPOSITORY / "demo"


@pytest.fixture
def clone(demo: Path, tmp_path: Path) -> Path:
    """Another copy of the repository with the demo's results, whose files all have new times."""
    return snake.copy_with_demo(demo, tmp_path / "clone")
