"""Locked sets: what the ledger keeps of them, and that nobody opens one before the plan is recorded."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from headct.command_line import run_step
from headct.contracts.amendments import Amendment
from headct.contracts.artefacts import LEDGER
from headct.contracts.problems import BadInput
from headct.provenance import ledger
from headct.run import locked_sets
from headct.settings import analysis_plan, sheet


def rows(kind: str, scans: Sequence[str] = ("s-3", "s-4"), name: str = "later") -> list[dict[str, Any]]:
    """Two scans of the study, and some of a set."""
    sets = {"s-1": None, "s-2": None} | dict.fromkeys(scans, f"{kind}:{name}")
    return in_sheet(sets)


def in_sheet(sets: Mapping[str, str | None]) -> list[dict[str, Any]]:
    """Rows of the sheet, by what each scan has in the column ``set``."""
    return [
        {"row": number, "scan_id": scan, "timepoint": None, "set": of_set}
        for number, (scan, of_set) in enumerate(sets.items(), start=2)
    ]


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    return Path(shutil.copy(analysis_plan.SHIPPED, tmp_path / "plan.yaml"))


@pytest.fixture
def results(tmp_path: Path, plan: Path) -> Path:
    """Of a study that has run with a locked set."""
    folder = tmp_path / "results"
    locked_sets.lock(rows("locked"), folder, plan)
    return folder


def refused(found: list[dict[str, Any]], results: Path, plan: Path) -> str:
    with pytest.raises(BadInput) as raised:
        locked_sets.check(found, "scans.tsv", results, plan)
    return str(raised.value)


def test_scans_of_a_locked_set_are_not_ingested_and_in_no_external_set() -> None:
    found = rows("locked")
    assert [row["scan_id"] for row in sheet.baseline(found)] == ["s-1", "s-2"]
    assert sheet.why_not_ingested(found[2]) == "locked set later"
    assert sheet.external_sets(found) == []
    assert sheet.locked(found) == {"later": ["s-3", "s-4"]}
    followed_up = [row | {"timepoint": "follow-up"} for row in found]
    assert sheet.locked(followed_up) == {}


def test_the_ledger_keeps_a_set_once_and_again_when_its_scans_change(results: Path, plan: Path) -> None:
    locked_sets.lock(rows("locked"), results, plan)
    assert [one.rule for one in ledger.read(results / LEDGER)] == ["locked:later"]
    locked_sets.lock(rows("locked", ["s-3", "s-5"]), results, plan)
    openings = ledger.read(results / LEDGER)
    assert [one.rule for one in openings] == ["locked:later"] * 2
    assert openings[0].split != openings[1].split
    assert ledger.faults((results / LEDGER).read_text(), {}) == []


def test_a_study_without_such_sets_has_no_line(tmp_path: Path, plan: Path) -> None:
    locked_sets.lock(rows("external"), tmp_path / "results", plan)
    locked_sets.check(rows("external"), "scans.tsv", tmp_path / "results", plan)
    assert not (tmp_path / "results").exists()


def test_a_set_is_opened_only_once_the_present_plan_is_recorded(results: Path, plan: Path) -> None:
    locked_sets.check(rows("locked"), "scans.tsv", results, plan)
    assert "no plan was recorded since; record it: python -m headct record-plan" in refused(
        rows("external"), results, plan
    )
    run_step("record-plan", ["--plan", str(plan), "--results", str(results)])
    locked_sets.check(rows("external"), "scans.tsv", results, plan)
    assert ledger.read(results / LEDGER)[-1].rule == "plan_recorded"
    plan.write_text(plan.read_text() + "# changed\n")
    assert "this analysis plan is another than the one that was recorded" in refused(
        rows("external"), results, plan
    )


def test_a_plan_that_was_recorded_before_the_lock_opens_nothing(tmp_path: Path, plan: Path) -> None:
    (tmp_path / "results").mkdir()
    run_step("record-plan", ["--plan", str(plan), "--results", str(tmp_path / "results")])
    locked_sets.lock(rows("locked"), tmp_path / "results", plan)
    assert "no plan was recorded since" in refused(rows("external"), tmp_path / "results", plan)


def test_an_opened_set_has_the_scans_that_were_locked(results: Path, plan: Path) -> None:
    run_step("record-plan", ["--plan", str(plan), "--results", str(results)])
    assert "was locked on" in refused(rows("external", ["s-3"]), results, plan)
    for other in (rows("external", name="other"), rows("locked")[:2]):
        assert "the set later was locked on" in refused(other, results, plan)


@pytest.mark.parametrize("kind", ["external:early", "locked:early", None])
@pytest.mark.parametrize("rest", ["locked:later", "external:later"])
def test_a_scan_that_was_locked_is_in_no_other_set_whatever_the_rest_is(
    results: Path, plan: Path, kind: str | None, rest: str
) -> None:
    found = in_sheet({"s-1": None, "s-2": None, "s-3": kind, "s-4": rest})
    with pytest.raises(BadInput, match="this scan was locked in the set later on") as raised:
        locked_sets.check(found, "scans.tsv", results, plan)
    assert {problem.row for problem in raised.value.problems} - {""} == {"4"}


def test_many_scans_that_were_moved_stand_in_one_line(tmp_path: Path, plan: Path) -> None:
    scans = [f"s-{number}" for number in range(3, 40)]
    locked_sets.lock(rows("locked", scans), tmp_path, plan)
    with pytest.raises(BadInput, match="belongs to no other") as raised:
        locked_sets.check(in_sheet(dict.fromkeys(scans, None)), "scans.tsv", tmp_path, plan)
    assert [problem.row for problem in raised.value.problems] == ["", "2-38"]


def test_a_scan_that_a_later_lock_lacks_is_still_in_no_other_set(results: Path, plan: Path) -> None:
    """It is left out for a run, for which the set is locked without it, and comes back into the study."""
    without = in_sheet({"s-1": None, "s-2": None, "s-3": None, "s-4": "locked:later"})
    without[2]["left_out"] = "artefacts"
    locked_sets.check(without, "scans.tsv", results, plan)
    locked_sets.lock(without, results, plan)
    without[2]["left_out"] = None
    assert "this scan was locked in the set later on" in refused(without, results, plan)


def test_a_ledger_that_notes_no_scans_is_read_as_before(tmp_path: Path, plan: Path) -> None:
    """Its sets are told by the digest of all of their scans; a further run with the set locked notes each."""
    (tmp_path / LEDGER).parent.mkdir()
    locked = rows("locked")
    ledger.append(
        tmp_path / LEDGER,
        scored="2026-11-01T10:00:00+00:00",
        rule="locked:later",
        split=locked_sets.digest_of(["s-3", "s-4"]),
        plan="",
        **dict.fromkeys(["model", "predictions", "metrics"], ""),
    )
    locked_sets.check(locked, "scans.tsv", tmp_path, plan)
    run_step("record-plan", ["--plan", str(plan), "--results", str(tmp_path)])
    locked_sets.check(rows("external"), "scans.tsv", tmp_path, plan)
    assert "with other scans" in refused(rows("external", ["s-3"]), tmp_path, plan)
    locked_sets.lock(locked, tmp_path, plan)
    assert "belongs to no other" in refused(in_sheet({"s-3": None, "s-4": "locked:later"}), tmp_path, plan)


def scored(results: Path, name: str, scans: Sequence[str]) -> None:
    """Note a scoring of an external set, or with "" of the test set, and write the table of its scans."""
    table = results / "cohort" / (f"external/{name}.tsv" if name else "split.tsv")
    table.parent.mkdir(parents=True, exist_ok=True)
    table.write_text("\n".join(["scan_id", *scans, ""]))
    ledger.append(
        results / LEDGER,
        scored="2026-11-01T10:00:00+00:00",
        rule=f"metrics_external:{name}" if name else "metrics",
        **dict.fromkeys(["model", "predictions", "split", "plan", "metrics"], "a"),
    )


def test_what_was_scored_is_locked_no_more(tmp_path: Path, plan: Path) -> None:
    scored(tmp_path, "early", ["s-3"])
    scored(tmp_path, "", ["s-1", "s-2"])
    for sets, whose in (
        ({"s-1": None, "s-3": "locked:early"}, "the external set early"),
        ({"s-1": None, "s-3": "locked:other"}, "the external set early"),
        ({"s-1": "locked:other", "s-2": None}, "the study"),
    ):
        told = refused(in_sheet(sets), tmp_path, plan)
        assert f"{whose} was scored on 2026-11-01T10:00:00+00:00" in told
    locked_sets.check(in_sheet({"s-1": None, "s-9": "locked:other"}), "scans.tsv", tmp_path, plan)
    shutil.rmtree(tmp_path / "cohort")
    assert "was scored on" in refused(in_sheet({"s-1": None, "s-3": "locked:early"}), tmp_path, plan)


def test_an_opened_set_may_lack_what_was_withdrawn(results: Path, plan: Path) -> None:
    run_step("record-plan", ["--plan", str(plan), "--results", str(results)])
    scored(results, "later", ["s-3", "s-4"])
    told = refused(rows("external", ["s-3"]), results, plan)
    assert "give it the scans of then" in told
    assert "call it locked" not in told
    amendment = Amendment(1, "2026-11-30T08:00:00+00:00", "consent", ["s-4"], 1, "", {}, {})
    (results / amendment.path).parent.mkdir(parents=True)
    (results / amendment.path).write_text(json.dumps(asdict(amendment)))
    locked_sets.check(rows("external", ["s-3"]), "scans.tsv", results, plan)


def test_a_plan_that_is_none_is_not_recorded(results: Path, tmp_path: Path) -> None:
    before = (results / LEDGER).read_text()
    (tmp_path / "none.yaml").write_text("primary: no\n")
    with pytest.raises(BadInput):
        locked_sets.main(plan=tmp_path / "none.yaml", results=results)
    with pytest.raises(BadInput, match="no such folder"):
        locked_sets.main(plan=analysis_plan.SHIPPED, results=tmp_path / "nowhere")
    assert (results / LEDGER).read_text() == before


def test_what_is_no_scoring_counts_as_no_opening(results: Path, plan: Path) -> None:
    run_step("record-plan", ["--plan", str(plan), "--results", str(results)])
    told = ledger.openings_in_words(ledger.read(results / LEDGER))
    assert told.startswith("No scoring of the test set is recorded. The set later was locked on ")
    assert "was recorded on " in told
