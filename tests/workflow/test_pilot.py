"""A pilot of a tiny study, from its sheet to the seal and the plan of the whole; the study is left alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from headct.contracts.artefacts import LEDGER, read_json, read_tsv
from headct.run.cluster import rates, sizes
from support import snake, two_classes
from support.audit_study import forked_command

STEPS, SCANS = 4, 7


def run_pilot(study: Path, *words: str, steps: int = STEPS) -> subprocess.CompletedProcess[str]:
    """``headct pilot`` of the study, as a user calls it."""
    named = ["--configfile", str(study / "study.yaml"), "--directory", str(study), "--scans", str(SCANS)]
    command = [sys.executable, "-m", "headct", "pilot", *named, "--steps", str(steps), "--", *words]
    environment = os.environ | {"PYTHONPATH": str(snake.REPOSITORY / "workflow/scripts")}
    return subprocess.run(command, cwd=snake.REPOSITORY, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that nothing but its pilot has run of."""
    folder = tmp_path_factory.mktemp("study")
    two_classes.write_study(folder)
    return folder


@pytest.fixture(scope="module")
def ended(study: Path) -> subprocess.CompletedProcess[str]:
    """Its pilot, which has ended well."""
    ended = run_pilot(study, "--cores", "2", "--quiet", "all")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended


def test_it_is_sealed_and_verifies(study: Path, ended: subprocess.CompletedProcess[str]) -> None:
    checked = forked_command("verify", study / "pilot/results")
    assert checked.returncode == 0, checked.stdout
    assert (
        read_json(study / "pilot/results/models/unet/seed-1/fold-all/train.json")["record"]["iterations"]
        == STEPS
    )


def test_the_studys_test_set_is_neither_predicted_nor_scored_nor_in_the_pilot(
    study: Path, ended: subprocess.CompletedProcess[str]
) -> None:
    made = {path.relative_to(study / "results").parts[0] for path in (study / "results").rglob("*")}
    assert not made & {"models", "predictions", "metrics", "statistics", "tables", "figures"}
    assert not (study / "results" / LEDGER).exists()
    split, drawn = read_tsv(study / "results/cohort/split.tsv"), read_tsv(study / "pilot/scans.tsv")
    tested = set(split.loc[split["set"] == "test", "participant_id"])
    assert len(tested) == 5
    assert len(drawn) == SCANS
    assert not tested & set(drawn["participant_id"])


def test_it_ends_with_what_the_full_study_will_need(
    study: Path, ended: subprocess.CompletedProcess[str]
) -> None:
    of_pilot, of_study = ended.stdout.split("The full study, by ")
    assert f"two-classes-pilot: {SCANS} training scans, sealed in" in of_pilot
    assert "- 12 of 12 included scans: flag header_spacing" in of_pilot
    assert "- 3 of 7 training scans have PHE" in of_pilot
    rows = [line.split() for line in of_study.splitlines() if line.strip()]
    table = {name: cells for name, *cells in reversed(rows)}  # the first of each model: that of hours
    assert table["unet"][:2] == ["1", "20"], "one training of 2 × 10 steps"
    assert "?" not in table["unet"][2:4], "the hours are known"
    found = {(rate.task, rate.kind.split()[0]): rate for rate in rates.read(study / "pilot/rates.tsv")}
    assert found.keys() == {
        (task, kind) for task in ("train", "predict") for kind in ("monai", "threshold")
    } | {("ingest", "scan")}
    assert found["train", "monai"].batch_and_patch == "2 × 16×32×32"
    hours = float(found["train", "monai"].s_per_step or 0) * 20 / 3600
    assert table["unet"][3] == f"{hours:.2f}"
    of_weights = sizes.read(study / "pilot/sizes.tsv")["weights", "monai basicunet"]
    weights = study / "pilot/results/models/unet/seed-1/fold-all/final.pth"
    assert of_weights == pytest.approx(weights.stat().st_size / 1e6, rel=1e-4)


def test_what_cannot_be_ends_in_one_line(study: Path, ended: subprocess.CompletedProcess[str]) -> None:
    other = run_pilot(study, "--cores", "2", "--quiet", "all", steps=STEPS + 2)
    assert other.returncode == 1
    assert [
        line for line in other.stderr.splitlines() if "is there already, and is no pilot of just this" in line
    ]
    failed = run_pilot(study, "--cores", "none")
    assert failed.returncode == 1
    assert "run the same again: it goes on where it was" in failed.stderr.splitlines()[-1]
