"""The audit is started inside a folder that somebody prepared: nothing that lies there is executed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from headct.contracts.repository import PACKAGE, REPOSITORY
from support import audit_study

PLANTED = (
    "secrets",
    "pydicom",
    "numpy",
    "yaml",
    "sitecustomize",
    "usercustomize",
    "snakemake",
    "rocrate",
    "pandas",
    "json",
    "logging",
    "contextlib",
)
"""Names of modules, of which the audit imports most; Python itself imports others on its way."""

QUESTIONS = {
    "verify": ("verify", "results"),
    "verify from within": ("verify", "."),
    "trace": ("trace", "results/tables/table1.tsv"),
    "trace a number": ("trace", "--number", "table1, line 1, dice"),
    "why": ("why", "--", "--configfile", "none.yaml"),
}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed study in whose folder, and in whose results, modules lie that leave a mark when executed."""
    folder = tmp_path_factory.mktemp("hostile")
    before = Path.cwd()
    os.chdir(folder)
    audit_study.run()
    audit_study.close_small(tmp_path_factory.mktemp("repository"))
    os.chdir(before)
    plant(folder)
    return folder


@pytest.fixture
def with_software(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Such a study in whose results the whole software lies, as in those of a real one."""
    folder = tmp_path / "study"
    folder.mkdir()
    monkeypatch.chdir(folder)
    audit_study.run()
    audit_study.close()
    plant(folder)
    return folder


def plant(folder: Path) -> None:
    """Have modules lie in a study's folder, and in its results, that leave a mark when executed."""
    for place in (folder, folder / "results"):
        mark = f"open({str(folder / 'executed')!r}, 'a').write(__file__ + '\\n')\n"
        for name in PLANTED:
            (place / f"{name}.py").write_text(mark)
        (place / "headct").mkdir()
        (place / "headct" / "__init__.py").write_text(mark)
        (place / "Snakefile").write_text(mark.replace("__file__", "'Snakefile'"))
        (place / "profiles" / "default").mkdir(parents=True)
        (place / "profiles" / "default" / "config.yaml").write_text(f"?{mark}: 1\n")


def ask(folder: Path, python: tuple[str, ...], words: tuple[str, ...], **environment: str) -> str:
    """The audit as a user starts it in that folder; what it says."""
    done = subprocess.run(
        [sys.executable, *python, "-m", "headct", "audit", *words],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], **environment},
        capture_output=True,
        text=True,
    )
    return done.stdout + done.stderr


def executed(folder: Path) -> list[str]:
    """What was executed of what lies there, and forget it."""
    mark = folder / "executed"
    lines = mark.read_text().splitlines() if mark.is_file() else []
    mark.unlink(missing_ok=True)
    return lines


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_documented_command_executes_nothing_that_lies_there(hostile: Path, question: str) -> None:
    folder = hostile / "results" if question == "verify from within" else hostile
    said = ask(folder, ("-I",), QUESTIONS[question], PYTHONPATH=f":{folder}")
    assert executed(hostile) == []
    assert "No module named" not in said


@pytest.mark.parametrize("question", QUESTIONS)
def test_without_i_no_library_of_the_folder_is_executed(hostile: Path, tmp_path: Path, question: str) -> None:
    """What Python imports before it reaches this package, and the package itself, only ``-I`` protects."""
    folder = tmp_path / "handed over"
    shutil.copytree(hostile, folder)
    for place in (folder, folder / "results"):
        shutil.rmtree(place / "headct")
        for name in ("json", "logging", "contextlib"):
            (place / f"{name}.py").unlink()
    stand = folder / "results" if question == "verify from within" else folder
    ask(stand, (), QUESTIONS[question], PYTHONPATH=str(PACKAGE.parent))
    assert executed(hostile) == []


def test_code_of_the_folder_stops_the_audit(with_software: Path, tmp_path: Path) -> None:
    results = with_software / "results"
    copy = results / "audit" / "workflow" / "workflow" / "scripts"
    for words in (("verify", str(results)), ("trace", str(results / "tables" / "table1.tsv"))):
        said = ask(copy, (), words, PYTHONPATH=str(copy))
        assert "takes code from the folder that is to be checked" in said
        said = ask(tmp_path, (), words, PYTHONPATH=f"{PACKAGE.parent}:{copy}")
        assert "takes code from the folder that is to be checked" in said


def test_the_documentation_has_no_other_command() -> None:
    pages = [REPOSITORY / "README.md", *(REPOSITORY / "docs").rglob("*.md")]
    assert [page.name for page in pages if "python -m headct audit" in page.read_text(encoding="utf-8")] == []
