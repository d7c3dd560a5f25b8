"""``headct review import``: what is added to a study's reviews, and what is refused, with what to do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from headct.command_line import run_step
from headct.contracts.artefacts import write_json
from headct.contracts.problems import BadInput, Problem, WrongOptions
from headct.run import late_reviews
from headct.settings import reviews
from headct.settings.reviews import Review
from support.reviews import EVIDENCE, make_study, review, score, written
from support.study_files import make_sheet

TEST, TRAINING = "s0", "s1"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study of three scans, of which one is in the test set; nothing is predicted yet."""
    make_sheet(tmp_path, {}, {}, {})
    make_study(tmp_path, [TEST], [TRAINING])
    return tmp_path


def imported(study: Path, *given: Review, name: str = "exported.tsv") -> Path:
    """Import a file of these; where they are gathered."""
    file = written(study / name, *given)
    run_step("review", ["import", str(file), *_of(study)])
    return study / "reviews" / f"{given[0].kind}.tsv"


def _of(study: Path) -> list[str]:
    return ["--configfile", str(study / "config.yaml"), "--directory", str(study)]


def refused(study: Path, *given: Review) -> Sequence[Problem]:
    with pytest.raises(BadInput) as error:
        imported(study, *given)
    return error.value.problems


def quality(reviewer: str, scan: str, decision: str = "keep", **more: str) -> Review:
    return review(reviewer, scan, decision, kind="quality", **more)


def test_reviews_are_added_and_none_is_changed_or_taken_away(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    score(study)
    first = review("A", TEST, "exclude", model="unet", order="worst", date="2026-11-29", evidence=EVIDENCE)
    file = imported(study, first)
    before = file.read_bytes()
    again = imported(study, first, review("B", TEST, "flag", reason="=5 slices?"))
    assert again.read_bytes().startswith(before)
    assert "\t'=5 slices?\t" in again.read_text()
    assert reviews.load(file) == (first, review("B", TEST, "flag", reason="=5 slices?"))
    printed = capsys.readouterr().out
    assert "1 results reviews added, 2 in all; 1 were there already" in printed
    unchanged = again.read_bytes()
    imported(study, first)
    assert again.read_bytes() == unchanged


def test_several_files_are_taken_as_one(study: Path) -> None:
    score(study)
    files = [written(study / f"{name}.tsv", review(name, TEST)) for name in "AB"]
    run_step("review", ["import", *map(str, files), *_of(study)])
    assert [one.reviewer for one in reviews.load(study / "reviews/results.tsv")] == ["A", "B"]
    with pytest.raises(WrongOptions):
        run_step("review", ["import", *_of(study)])


def test_every_fault_of_all_files_stands_in_one_table_and_nothing_is_written(study: Path) -> None:
    score(study)
    good = written(study / "good.tsv", review("C", TEST))
    wrong = written(
        study / "wrong.tsv",
        review("A", "s9"),
        review("A", TRAINING),
        review("A", TEST, "flag", model="vnet", reason="SMITH^ANN of 1950-01-02"),
        review("B", TEST, "flag"),
        review("B", TEST, "exclude"),
    )
    bad = study / "bad.tsv"
    bad.write_text("who\twhat\n")
    with pytest.raises(BadInput) as error:
        run_step("review", ["import", str(good), str(wrong), str(bad), *_of(study)])
    found = {(Path(one.file).name, one.row, one.key) for one in error.value.problems}
    assert found == {
        ("wrong.tsv", "2", "scan_id"),
        ("wrong.tsv", "3", "scan_id"),
        ("wrong.tsv", "4", "model"),
        ("wrong.tsv", "4", "reason"),
        ("wrong.tsv", "6", "decision"),
        *(
            ("bad.tsv", "1", key)
            for key in ("reviewer", "scan_id", "decision", "reason", "kind", "who", "what")
        ),
    }
    assert sum(one.key == "reason" and one.file == str(wrong) for one in error.value.problems) == 2
    assert not (study / "reviews").exists()


def test_another_decision_than_was_imported_is_refused(study: Path) -> None:
    score(study)
    imported(study, review("A", TEST))
    (problem,) = refused(study, review("A", TEST, "exclude"))
    assert "row 2 of" in problem.message
    assert "reviews/results.tsv (keep)" in problem.message


def test_a_file_that_was_not_imported_is_not_added_to(study: Path) -> None:
    score(study)
    by_hand = study / "reviews/results.tsv"
    by_hand.parent.mkdir()
    by_hand.write_text("reviewer\tscan_id\tdecision\treason\tkind\nA\ts0\tkeep\t\tresults\n")
    (problem,) = refused(study, review("B", TEST))
    assert (problem.file, problem.row) == (str(by_hand), "1")


def test_a_file_that_is_not_utf_8_is_not_added_to(study: Path) -> None:
    score(study)
    file = imported(study, review("Zo\u00eb", TEST))
    file.write_bytes(file.read_text(encoding="utf-8").encode("latin-1"))
    (problem,) = refused(study, review("B", TEST))
    assert problem.file == str(file)
    assert "not UTF-8" in problem.message


def test_two_kinds_with_one_file_are_refused(study: Path) -> None:
    config = yaml.safe_load((study / "config.yaml").read_text())
    named = dict.fromkeys(("quality", "results"), "reviews.tsv")
    (study / "config.yaml").write_text(yaml.safe_dump({**config, "reviews": named}))
    found = refused(study, quality("A", TEST))
    assert [one.key for one in found] == ["reviews.quality", "reviews.results"]


def test_a_review_of_other_results_is_told(study: Path, caplog: pytest.LogCaptureFixture) -> None:
    score(study)
    here = "f" * 64
    write_json({"sha256": here}, study / "results/audit/evidence.json")
    imported(study, review("A", TEST, evidence=here))
    assert not caplog.records
    imported(study, review("B", TEST, evidence=EVIDENCE))
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert here in record.getMessage()
    assert EVIDENCE in record.getMessage()


def test_without_a_place_for_them_reviews_are_refused(study: Path) -> None:
    config = yaml.safe_load((study / "config.yaml").read_text())
    (study / "config.yaml").write_text(yaml.safe_dump({**config, "reviews": {"quality": None}}))
    keys = [problem.key for problem in refused(study, quality("A", TEST), review("A", TEST))]
    assert keys[:2] == ["reviews.quality", "reviews.results"]


def test_results_can_be_reviewed_only_once_there_are_some(study: Path) -> None:
    (problem,) = refused(study, review("A", TEST))
    assert "nothing of the test set was predicted" in problem.message
    score(study, predictions="")  # second readings, or what predicts nothing
    assert refused(study, review("A", TEST))
    (study / "results/predictions/unet/seed-1").mkdir(parents=True)
    imported(study, review("A", TEST))


def test_a_quality_review_comes_before_any_prediction_of_the_test_set(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (study / "results/predictions/unet/out-of-fold/seed-1").mkdir(parents=True)
    imported(study, quality("A", TEST, "exclude"), quality("B", TEST), quality("A", TRAINING))
    assert f"reviewers disagree whether to exclude {TEST}" in capsys.readouterr().out
    score(study)
    (problem,) = refused(study, quality("C", TEST, "exclude"))
    assert problem.message.startswith(
        "a quality review of this scan comes too late: the test set was scored on"
    )
    assert "post hoc" in problem.message
    imported(study, quality("C", "s2", "exclude"))  # which came into the sheet since


def test_what_was_predicted_is_neither_moved_out_nor_in_by_a_changed_file(study: Path) -> None:
    results, scans = study / "results", {"s0", "s1", "s2"}
    file = written(study / "q.tsv", quality("A", "s0", "exclude"), quality("A", "s2", "exclude"))
    assert late_reviews.changes(str(file), scans, results) == []
    score(study)
    (problem,) = late_reviews.changes(str(file), scans, results)
    assert (problem.row, problem.value) == ("2", "s0")
    external = results / "cohort/external/far.tsv"
    external.parent.mkdir()
    external.write_text("scan_id\tset\ns2\texternal:far\n")
    assert [one.value for one in late_reviews.changes(str(file), scans, results)] == ["s0", "s2"]
    external.unlink()
    cohort = "scan_id\treason\ns0\tquality review: motion\ns1\t\ns2\tmissing section: 12 mm\n"
    (results / "cohort/cohort.tsv").write_text(cohort)
    (results / "cohort/split.tsv").write_text("scan_id\tset\ns1\ttrain\n")
    assert late_reviews.changes(str(file), scans, results) == []
    for without in (None, str(written(study / "q.tsv", quality("A", "s2", "exclude")))):
        (problem,) = late_reviews.changes(without, scans, results)
        assert (problem.key, problem.value) == ("scan_id", "s0")
        assert "must stay so" in problem.message
        assert late_reviews.changes(without, scans - {"s0"}, results) == []  # it left the sheet
