"""The finished demo, run once and reused: `make demo` again takes seconds when it is complete."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import snake


@pytest.fixture(scope="session")
def demo() -> Path:
    """The folder of the finished demo (minutes if it has not been run yet)."""
    run = subprocess.run(["make", "demo"], cwd=snake.REPOSITORY, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return snake.REPOSITORY / "demo"


@pytest.fixture
def clone(demo: Path, tmp_path: Path) -> Path:
    """Another copy of the repository with the demo's results, whose files all have new times."""
    copy = snake.copy_repository(tmp_path / "clone")
    for name in ("trial", "results", ".snakemake/metadata"):
        shutil.copytree(demo / name, copy / "demo" / name, copy_function=shutil.copyfile)
    return copy
