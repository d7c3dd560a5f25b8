"""The end of a failed run: each failed job once, with the ends of its own log and of the scheduler's."""

from __future__ import annotations

from pathlib import Path

import pytest
from snakemake.logging import DefaultFormatter

from headct.run import failures


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def error(number: int, *logs: str) -> str:
    """What Snakemake writes to its log of a failed job, in its own words."""
    said = {"rule_name": "train", "msg": "m", "rule_msg": f"SLURM-job '{number}' failed", "jobid": number}
    files = {"input": ["split.tsv"], "output": ["final.pth"], "log": logs, "conda_env": None, "aux": {}}
    formatter = DefaultFormatter(quiet=set(), show_failed_logs=False)
    return "\n".join(["[date]", *formatter._format_job_error(said | files | {"shellcmd": "python"}), ""])


def failed(number: int, *logs: str, model: str = "unet") -> failures.Failed:
    return failures.Failed.of("train", {"model": model, "seed": "1"}, logs, number)


def test_a_block_per_job_with_the_last_lines(in_folder: Path) -> None:
    Path("a.log").write_text("\n".join(f"line {number}." for number in range(30)))
    Path("b.log").write_text("out of memory\n")
    text = failures.report([failed(7, "b.log", model="zeta"), failed(3, "a.log")], "")
    assert text.startswith("2 jobs failed")
    assert "line 19." not in text
    assert "line 20." in text
    first, second = text.split("Failed: ")[1:]
    assert first.startswith("train model=unet seed=1\n  a.log ends:\n    | line 20.\n")
    assert second.startswith("train model=zeta seed=1\n  b.log ends:\n    | out of memory\n")


def test_the_log_of_the_scheduler_at_the_last_try(in_folder: Path) -> None:
    for name in ("own.log", "slurm/1.log", "slurm/2.log", "slurm/3.log"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(f"this is {name}\n")
    said = error(5, "own.log", "slurm/1.log") + error(55, "slurm/3.log") + error(5, "own.log", "slurm/2.log")
    text = failures.report([failed(5, "own.log")], said)
    assert text.count("this is own.log") == 1
    assert "this is slurm/2.log" in text
    assert "slurm/1.log" not in text, "that was a former try"
    assert "slurm/3.log" not in text, "that is another job"


def test_a_job_without_its_log_is_told_too(in_folder: Path) -> None:
    assert "x.log was not written" in failures.report([failed(1, "x.log")], error(1, "x.log"))
    assert "it has no log" in failures.report([failed(1)], "")
