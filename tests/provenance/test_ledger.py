"""The ledger of the test set: appended by many at once, and no line changes or goes unnoticed."""

from __future__ import annotations

import hashlib
import random
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from headct.provenance import ledger

DIGESTS = {"predictions": "1" * 64, "split": "2" * 64, "plan": "3" * 64, "metrics": "4" * 64}


def score(path: Path, model: str, scored: str = "2026-01-01T10:00:00+00:00") -> tuple[int, str]:
    return ledger.append(path, scored=scored, rule="metrics", model=model, **DIGESTS)


@pytest.fixture
def five(tmp_path: Path) -> Path:
    path = tmp_path / "audit/ledger.tsv"
    assert [score(path, f"model-{index}")[0] for index in range(5)] == [1, 2, 3, 4, 5]
    return path


def faults(path: Path, scored: dict[str, dict[str, Any]]) -> list[str]:
    return ledger.faults(path.read_text() if path.is_file() else "", scored)


def in_records(path: Path) -> dict[str, dict[str, Any]]:
    """What the records of the five jobs say of their lines."""
    lines = path.read_bytes().splitlines()
    return {
        f"audit/runs/metrics/model-{index}.json": {
            "number": index,
            "sha256": hashlib.sha256(line).hexdigest(),
        }
        for index, line in enumerate(lines)
        if index
    }


def test_untouched(five: Path) -> None:
    assert faults(five, in_records(five)) == []
    assert [opening.model for opening in ledger.read(five)] == [f"model-{index}" for index in range(5)]


def test_jobs_that_score_at_the_same_time_wait_for_one_another(tmp_path: Path) -> None:
    path = tmp_path / "ledger.tsv"
    with ProcessPoolExecutor(4) as pool:
        written = list(pool.map(score, [path] * 40, [f"m{index}" for index in range(40)]))
    assert sorted(number for number, _ in written) == list(range(1, 41))
    assert faults(path, {}) == []


@pytest.mark.parametrize("line", range(1, 6))
@pytest.mark.parametrize("how", ["removed", "changed", "twice", "moved"])
def test_a_line_that_is_not_as_it_was_is_noticed(five: Path, line: int, how: str) -> None:
    before = in_records(five)
    lines = five.read_text().splitlines(keepends=True)
    if how == "removed":
        del lines[line]
    elif how == "changed":
        lines[line] = lines[line].replace("model-", "other-")
    elif how == "twice":
        lines.insert(line, lines[line])
    else:
        lines.insert(random.Random(line).choice([n for n in range(1, 6) if n != line]), lines.pop(line))
    five.write_text("".join(lines))
    assert faults(five, before)


def test_a_ledger_taken_away_is_noticed(five: Path) -> None:
    before = in_records(five)
    five.unlink()
    assert len(faults(five, before)) == 5
    five.write_text("something else\n")
    assert faults(five, before) == ["is not a ledger: its first line names other columns"]


def test_how_often_it_was_opened(five: Path) -> None:
    score(five, "model-0", "2026-02-01T10:00:00+00:00")
    told = ledger.openings_in_words(ledger.read(five))
    assert "opened 6 times" in told
    assert "5 models or readings" in told
    assert "model-0 (2 times)" in told
    assert ledger.openings_in_words([]) == "No scoring of the test set is recorded."


def test_openings_of_external_sets_are_counted_by_themselves(five: Path) -> None:
    for model, name in (("model-0", "far"), ("model-0", "far"), ("model-1", "far"), ("model-0", "near")):
        ledger.append(five, scored="2026-01-02", rule=f"metrics_external:{name}", model=model, **DIGESTS)
    told = ledger.openings_in_words(ledger.read(five))
    of_test_set, _, of_sets = told.partition(" The external set far was opened 3 times")
    assert of_test_set.startswith("The test set was opened 5 times")
    assert "none was scored twice" in of_test_set
    assert "model-0 (2 times). The external set near was opened 1 times" in of_sets
