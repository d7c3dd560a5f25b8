"""What `make` does without its own environment, without a sheet, and in a home that can't be written."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from support import snake

ACTIVATED = f"{Path(sys.executable).parent}:/usr/bin:/bin"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A fresh clone, in which nothing was set up."""
    return snake.copy_repository(tmp_path / "clone")


def make(
    folder: Path, *words: str, path: str = ACTIVATED, home: str = "/root"
) -> subprocess.CompletedProcess:
    """`make` in a shell that has these two variables and no other."""
    environment = {"PATH": path, "HOME": home}
    return subprocess.run(["make", *words], cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("home", ["/dev/null", ""], ids=["not a folder", "none"])
def test_an_activated_environment_will_do_for_what_only_asks_in_a_home_that_cannot_be_written(
    bare: Path, home: str
) -> None:
    planned = make(bare, "plan", "SCANS=20", home=home)
    assert planned.returncode == 0, planned.stderr
    assert (bare / ".snakemake/cache/snakemake").is_dir()
    assert "20 scans" in planned.stdout
    for target, says in (("status", "no run has begun"), ("plan", "make plan SCANS=")):
        told = make(bare, target)
        assert told.returncode != 0
        assert says in told.stderr
    assert not (bare / ".venv").exists()


def test_without_any_environment_one_line_says_so(bare: Path, tmp_path: Path) -> None:
    no_python = tmp_path / "bin"
    no_python.mkdir()
    for target in ("plan", "status", "resume"):
        told = make(bare, target, path=f"{no_python}:/usr/bin:/bin")
        assert told.returncode != 0
        assert "'make environment' makes one, or activate yours" in told.stdout
        assert "Traceback" not in told.stdout + told.stderr
    assert not (bare / ".venv").exists()


def test_wheels_are_installed_without_a_network_and_not_if_one_is_not_what_was_packed(bare: Path) -> None:
    (bare / ".venv/bin").mkdir(parents=True)
    (bare / ".venv/bin/python").symlink_to(sys.executable)
    packed = bare / "build/wheels"
    packed.mkdir(parents=True)
    wheel, digest = packed / "a-1-py3-none-any.whl", hashlib.sha256(b"packed").hexdigest()
    (packed / "SHA256SUMS").write_text(f"{digest}  {wheel.name}\n")
    dry = make(bare, "--dry-run", "environment", "WHEELS=build/wheels")
    assert "-m pip install --no-index --find-links build/wheels --requirement" in dry.stdout
    wheel.write_bytes(b"changed")
    told = make(bare, "environment", "WHEELS=build/wheels")
    assert told.returncode != 0
    assert f"{wheel.name}: FAILED" in told.stdout
    assert "pip install" not in told.stdout
    assert not (bare / ".venv/.ready").exists()


def test_what_an_environment_made_by_hand_holds_is_not_installed_again(bare: Path) -> None:
    """As docs/how-to/cluster.md has it made: with the locked packages, and without the mark of `make`."""
    (bare / ".venv/bin").mkdir(parents=True)
    (bare / ".venv/bin/python").symlink_to(sys.executable)
    dry = make(bare, "--dry-run", "environment")
    assert dry.returncode == 0
    assert "-m pip install --requirement workflow/envs/requirements.lock" in dry.stdout
    assert "-m venv" not in dry.stdout
    assert "to download" not in dry.stdout
