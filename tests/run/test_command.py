"""How a step runs from the command line: one clear error, everything in the log, the right exit status."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from headct.command_line import functions_of
from headct.steps import STEPS

STEP = """
import logging, sys
from types import SimpleNamespace
from headct import steps
from headct.run import command
from headct.contracts.problems import BadInput, Problem

def one(*, fails: str = ""):
    print("chatter of a framework")
    logging.getLogger("headct.step").info("epoch 1/2")
    if fails == "name":
        raise BadInput([Problem("caf\\udce9.nii", "is wrong")])
    if fails == "input":
        raise BadInput([Problem("scans.tsv", "is wrong", row="3")])
    if fails == "code":
        raise ZeroDivisionError("x / 0")

def commands():
    return {"one": one}

steps.STEPS["step"] = SimpleNamespace(load=lambda: sys.modules["__main__"])
command.main()
"""


def run(folder: Path, *words: str) -> tuple[int, str, str]:
    log = folder / "deep" / "step.log"
    done = subprocess.run(
        [sys.executable, "-c", STEP, "step", "one", *words, "--log", str(log)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[2] / "workflow/scripts")},
    )
    return done.returncode, done.stdout + done.stderr, log.read_text()


def test_progress_is_on_the_console_and_chatter_only_in_the_log(tmp_path: Path) -> None:
    status, console, log = run(tmp_path)
    assert status == 0
    assert console == "epoch 1/2\n"
    assert "chatter of a framework" in log
    assert "epoch 1/2" in log


def test_bad_input_is_told_without_a_traceback(tmp_path: Path) -> None:
    status, console, log = run(tmp_path, "--fails", "input")
    assert status == 1
    assert "scans.tsv, row 3: is wrong" in console
    assert "Traceback" not in console + log


def test_a_file_name_that_is_no_text_does_not_hide_the_error(tmp_path: Path) -> None:
    status, console, log = run(tmp_path, "--fails", "name")
    assert status == 1
    for told in (console, log):
        assert "caf\\xe9.nii: is wrong" in told
        assert "UnicodeEncodeError" not in told


def test_a_fault_in_the_code_leaves_its_traceback_in_the_log(tmp_path: Path) -> None:
    status, console, log = run(tmp_path, "--fails", "code")
    assert status == 1
    assert "ZeroDivisionError: x / 0" in console
    assert "Traceback" not in console
    assert "Traceback" in log


def test_a_usage_error_is_told_on_the_console_and_in_the_log(tmp_path: Path) -> None:
    status, console, log = run(tmp_path, "--fails")
    assert status == 2
    assert "--fails requires an argument" in console
    assert "--fails requires an argument" in log


def headct(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {"PYTHONPATH": str(Path(__file__).parents[2] / "workflow/scripts")}
    command = [sys.executable, "-m", "headct", *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


def test_the_list_of_steps_and_a_step_that_is_none() -> None:
    listed = headct("--help")
    assert listed.returncode == 0
    assert all(f"│ {name} " in listed.stdout for name in STEPS)
    assert headct().stdout == listed.stdout
    unknown = headct("tabels")
    assert unknown.returncode == 2
    assert unknown.stderr.startswith("headct: there is no step tabels. Did you mean tables?")


@pytest.mark.parametrize("name", STEPS)
def test_each_step_has_options_with_help_and_a_line_of_its_own(name: str) -> None:
    functions = functions_of(STEPS[name].load())
    assert functions
    for function in functions.values():
        described = inspect.getdoc(function) or ""
        assert len(described.splitlines()[0]) > 20
        told = re.findall(r"^    (\w+): ", described, re.MULTILINE)
        assert told == list(inspect.signature(function).parameters)
    assert len(STEPS[name].does) < 80


def test_the_module_of_a_step_says_how_the_step_is_run(tmp_path: Path) -> None:
    package = Path(__file__).parents[2] / "workflow/scripts"
    done = subprocess.run(
        [sys.executable, "-m", "headct.cohort.split", "--cohort", "cohort.tsv"],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(package)},
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "headct.cohort.split does nothing by itself: run 'headct split'\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("split --cohort c.tsv", "headct split: must be given: --labels, --settings, --out ("),
        (
            "split --cohrt c.tsv",
            "unknown option: --cohrt; must be given: --labels, --cohort, --settings, --out (",
        ),
        ("split --labels a --cohort a --settings {} --out b --revision 1", "Unknown option: --revision"),
        ("split --labels a --cohort a --settings {} --ou b --out b", "Unknown option: --ou"),
        (
            "train --device tpu",
            "must be given: --model, --settings, --labels, --split, --data, --seed, --fold, ",
        ),
        ("audit verfy", 'Unknown command "verfy". Did you mean "verify"?'),
        ("status a b", "Unused Tokens: ['b']"),
        ("plan -- --directory x", "--directory stands behind --, where no option is read: take the -- out"),
        ("plan -- --directory=x", "--directory stands behind --"),
        ("plan --diretory x -- y", "Unknown option: --diretory. Did you mean --directory?"),
        ("status --log", "headct status: --log needs the name of a file"),
    ],
)
def test_what_is_wrong_with_options_is_told_at_once(words: str, told: str) -> None:
    done = headct(*words.split())
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
