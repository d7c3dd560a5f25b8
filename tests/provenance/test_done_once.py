"""A job that costs hours is not done again where its record says that just this was done; else it is."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from headct.contracts.artefacts import LEDGER
from headct.contracts.repository import REPOSITORY
from headct.provenance import ledger, record
from headct.run import failures

pytestmark = pytest.mark.whole

OUTPUT = Path("results/metrics/unet.tsv")
INPUT = Path("results/cohort/split.tsv")
RECORD = Path("results/audit/runs/metrics/unet.json")
LOG = Path("results/logs/metrics/unet.log")
WORDS = ("--model", "unet", "--threads", "2", "--work=work")


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory with what the job is made from."""
    monkeypatch.chdir(tmp_path)
    for path in (INPUT, OUTPUT):
        path.parent.mkdir(parents=True)
    INPUT.write_text("scan_id\tset\ns1\ttest\n")


def score(*words: str) -> bool:
    """Run the job that scores, as Snakemake would; whether it did anything."""
    job = record.Job(
        rule="metrics",
        wildcards={"model": "unet"},
        inputs=[INPUT],
        outputs=[OUTPUT],
        log=LOG,
        step="measure",
        words=words or WORDS,
        once=True,
    )
    LOG.parent.mkdir(parents=True, exist_ok=True)
    LOG.write_text("said\n")
    inputs = job.input_digests()
    to_do = not record.was_done(job, inputs)
    if to_do:
        OUTPUT.write_text("scan_id\tdice\ns1\t0.81\n")
        record.write(job, inputs)
    return to_do


def test_what_was_done_is_not_done_again_and_opens_the_test_set_once(study: None) -> None:
    assert score()
    before = RECORD.read_bytes()
    assert not score()
    assert RECORD.read_bytes() == before
    assert len(ledger.read(Path("results") / LEDGER)) == 1


def test_another_machine_with_other_threads_and_scratch_is_no_reason(study: None) -> None:
    assert score()
    assert not score("--model", "unet", "--threads=8", "--work", "/scratch")


def other_code() -> None:
    content = json.loads(RECORD.read_text())
    module = next(iter(content["workflow"]["modules"]))
    content["workflow"]["modules"][module] = "0" * 64
    RECORD.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "change",
    [
        lambda: INPUT.write_text("scan_id\tset\ns2\ttest\n"),
        lambda: OUTPUT.write_text("scan_id\tdice\ns1\t0.99\n"),
        OUTPUT.unlink,
        RECORD.unlink,
        lambda: RECORD.write_text("{"),
        lambda: RECORD.write_text("[1]"),
        lambda: RECORD.write_text('{"outputs": 3}'),
        other_code,
    ],
    ids=["input", "output", "output lost", "no record", "no JSON", "no object", "wrong types", "code"],
)
def test_whatever_is_not_as_recorded_is_done_again(study: None, change: Callable[[], object]) -> None:
    assert score()
    change()
    assert score()
    assert not score()


def test_other_settings_are_another_job(study: None) -> None:
    assert score()
    assert score("--model", "unet", "--settings", "{}")


def test_failures_are_remembered_and_a_damaged_memory_is_none(study: None) -> None:
    """Without it Snakemake, which puts the former output back, takes a failed job for a finished one."""
    assert failures.remembered() == {}
    failures.remember([failures.Failed("split", (), (), 1)])
    first = failures.remembered()["split"]
    failures.remember([failures.Failed("metrics", (("model", "unet"),), (), 2)])
    assert failures.remembered().keys() == {"split", "metrics model=unet"}
    assert failures.remembered()["split"] == first, "the same from now on, so that the job is not run again"
    for damaged in ("{", "[1]", ""):
        failures.MEMORY.write_text(damaged)
        assert failures.remembered() == {}


def test_what_reads_bundled_scripts_is_done_whenever_it_is_asked_for() -> None:
    """No record has their digest, so none can say that they are as they were."""
    rules = "".join(
        path.read_text(encoding="utf-8") for path in (REPOSITORY / "workflow/rules").glob("*.smk")
    )
    reading = [rule for rule in re.split(r"^ *rule ", rules, flags=re.M) if "bundle=bundled" in rule]
    recorded = [rule for rule in reading if "recorded(" in rule]
    assert sorted(rule.split(":")[0] for rule in recorded) == ["cases", "page"]
    assert [rule.split(":")[0] for rule in recorded if "once=False" not in rule] == []
