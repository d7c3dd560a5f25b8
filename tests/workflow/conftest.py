"""The finished demo, run once and reused: `make demo` again takes seconds when it is complete."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import snake


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
    copy = snake.copy_repository(tmp_path / "clone")
    for name in ("trial", "results", ".snakemake/metadata"):
        shutil.copytree(demo / name, copy / "demo" / name, copy_function=shutil.copyfile)
    return copy
