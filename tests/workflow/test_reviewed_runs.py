"""Reviews in a study: which jobs they are an input of, and what ends a run at its start."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from headct.provenance import ledger
from support import snake
from support.reviews import review, written
from support.study_files import write_sheet


@pytest.fixture
def study(tmp_path: Path) -> tuple[Path, list[object]]:
    """A folder with a sheet and a configuration that names files of reviews; words that plan its run."""
    (tmp_path / "trial").mkdir()
    write_sheet(tmp_path / "trial" / "scans.tsv", scans=3)
    config = yaml.safe_load((snake.REPOSITORY / "config" / "demo.yaml").read_text(encoding="utf-8"))
    config["reviews"] = {"quality": "quality.tsv", "results": "results.tsv"}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return tmp_path, ["--directory", tmp_path, "--configfile", tmp_path / "config.yaml", "-n", "-p"]


def test_reviews_are_inputs_of_the_cohort_and_of_their_analysis(study: tuple[Path, list[object]]) -> None:
    folder, words = study
    before = snake.run(*words)
    assert "review_analysis" not in snake.planned(before), "files that are not there yet hold no review"
    assert "--quality-review" not in before.stdout
    written(folder / "quality.tsv", review("A", "s0", kind="quality"))
    written(folder / "results.tsv", review("A", "s0"))
    after = snake.run(*words)
    assert snake.planned(after) == snake.planned(before) | {"review_analysis": 1}
    assert "--quality-review=quality.tsv" in after.stdout
    assert "--reviewed quality.tsv results.tsv" in after.stdout
    qc = snake.run(*words, "qc")
    assert "--quality-review=quality.tsv" in qc.stdout
    assert "results.tsv" not in qc.stdout


def test_faults_of_reviews_and_late_exclusions_end_a_run_at_its_start(
    study: tuple[Path, list[object]],
) -> None:
    folder, words = study
    written(folder / "quality.tsv", review("A", "s9", kind="quality"), review("A", "s0"))
    done = snake.run(*words)
    assert done.returncode == 1
    assert "s9" in done.stdout
    assert "this file holds reviews of kind quality" in done.stdout
    written(folder / "quality.tsv", review("A", "s0", "exclude", kind="quality"))
    assert snake.run(*words).returncode == 0
    entry = dict.fromkeys(("rule", "model", "split", "plan", "metrics"), "x")
    ledger.append(folder / "results/audit/test_set_ledger.tsv", scored="2026-11-28", predictions="d", **entry)
    (folder / "results/cohort").mkdir()
    (folder / "results/cohort/split.tsv").write_text("scan_id\tset\ns0\ttest\n")
    done = snake.run(*words)
    assert done.returncode == 1
    assert "can't be excluded any more" in done.stdout
