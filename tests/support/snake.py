"""Run Snakemake as a user does, from the repository, and read what it says."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from filelock import FileLock

REPOSITORY = Path(__file__).parents[2]

NPM_PACKAGES = "workflow/page/node_modules/.package-lock.json"
"""What says that npm's packages are there; npm writes it."""


STARTED = multiprocessing.get_context("forkserver")
"""A process with nothing of this one, in which Snakemake is imported once; each run is a fork of it."""
STARTED.set_forkserver_preload(["snakemake.cli"])


def run(
    *arguments: str | Path,
    repository: Path = REPOSITORY,
    timeout_s: float = 900,
    python: Path = Path(sys.executable),
) -> subprocess.CompletedProcess:
    """Snakemake with these arguments, started in ``repository``; its jobs are run by ``python``.

    It is the command but for its start: Python and the import of Snakemake would take half of a plan's time.
    The commands of the documents, ``make`` and the tests on Slurm start it as users do.
    """
    words = [str(argument) for argument in arguments]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with tempfile.TemporaryDirectory() as folder:
        printed = Path(folder, "printed")
        process = STARTED.Process(target=_run_here, args=(words, repository, environment, printed, python))
        process.start()
        process.join(timeout_s)
        if process.exitcode is None:
            process.terminate()
            process.join()
            raise subprocess.TimeoutExpired(words, timeout_s, printed.read_text())
        return subprocess.CompletedProcess(words, process.exitcode, printed.read_text())


def _run_here(
    words: list[str], repository: Path, environment: dict[str, str], printed: Path, python: Path
) -> None:
    """In the fork: what ``python -m snakemake`` finds around it, and its call; ends with its status."""
    with printed.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(repository)
    os.environ.clear()
    os.environ.update(environment)
    of_tests = {str(REPOSITORY / name) for name in ("tests", "workflow/scripts")}
    sys.path[:] = [str(repository), *(place for place in sys.path if place not in of_tests)]
    sys.argv, sys.executable = ["snakemake", *words], str(python)
    importlib.import_module("snakemake.cli").main()


def copy_repository(to: Path) -> Path:
    """A copy of what a clone would hold that a run needs, without any results."""
    for name in ("workflow", "config", "slurm", "resources"):
        ignored = shutil.ignore_patterns("__pycache__", "node_modules")
        shutil.copytree(REPOSITORY / name, to / name, ignore=ignored)
    for name in ("Snakefile", "Makefile", "pyproject.toml"):
        shutil.copy2(REPOSITORY / name, to)  # newer files would set the environment up anew
    if (REPOSITORY / NPM_PACKAGES).is_file():  # else `make` has npm install them, for a bundle that is copied
        (to / NPM_PACKAGES).parent.mkdir()
        shutil.copy2(REPOSITORY / NPM_PACKAGES, to / NPM_PACKAGES)
    return to


def copy_with_demo(demo: Path, to: Path) -> Path:
    """As ``copy_repository``, with the demo's results, whose files all have new times."""
    copy_repository(to)
    for name in ("trial", "results", ".snakemake/metadata"):
        shutil.copytree(demo / name, to / "demo" / name, copy_function=shutil.copyfile)
    return to


def make_demo(repository: Path) -> subprocess.CompletedProcess:
    """`make demo` in a copy of the repository, with the environment of this one."""
    return subprocess.run(
        ["make", "demo", f"VENV={REPOSITORY / '.venv'}"], cwd=repository, capture_output=True, text=True
    )


def planned(result: subprocess.CompletedProcess) -> dict[str, int]:
    """Jobs per rule of a dry run, without the target ``all``; empty if nothing is to be done."""
    assert result.returncode == 0, result.stdout
    if "Nothing to be done" in result.stdout:
        return {}
    stats = result.stdout.rsplit("Job stats:", 1)[-1].split("\n\n")[0]
    counts = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", stats, re.MULTILINE)}
    return {rule: count for rule, count in counts.items() if rule not in ("all", "total")}


DEMO = ("--directory", "demo", "--configfile", "config/demo.yaml")
"""Arguments of a run of the demo from a repository's top folder."""


def in_demo(*arguments: str | Path) -> subprocess.CompletedProcess:
    """Snakemake in the demo's own folder, which it locks: other processes of the tests wait."""
    with demo_lock():
        return run(*DEMO, *arguments)


def demo_lock() -> FileLock:
    """Who holds it is the only one of the tests' processes that runs Snakemake in the demo's folder."""
    (REPOSITORY / "demo").mkdir(exist_ok=True)
    return FileLock(REPOSITORY / "demo/.tests")
