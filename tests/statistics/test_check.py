"""The checker of printed tables: the published one, what is put into it by hand, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headct.command_line import run_step
from headct.contracts.artefacts import read_tsv, write_tsv
from headct.contracts.problems import BadInput, WrongOptions
from headct.settings import published
from headct.statistics.core.summaries import describe
from headct.statistics.replication.check import Row, check, read, specificity_bounds

TABLE = published.FOLDER / "table1_dice.tsv"


def ivh(model: str) -> dict[str, float]:
    (row,) = (row for row in read(TABLE) if (row.model, row.label) == (model, "IVH"))
    return dict(row.values)


@pytest.mark.parametrize(
    ("model", "fewest", "most"),
    [
        ("nnunet-3d-focal", 110, 126),
        ("blast-ct", 39, 43),
        ("deeplabv3plus", 21, 43),
        ("nnunet-3d-tversky", 72, 87),
    ],
)
def test_specificity_that_the_papers_dice_implies(model: str, fewest: int, most: int) -> None:
    found = specificity_bounds(ivh(model), n=174, n_absent=126, half_unit=0.0005)
    assert (found.fewest, found.most) == (fewest, most)


def test_the_impossible_range_of_2d_is_found_and_what_is_left_still_bounds() -> None:
    rows = [row for row in read(TABLE) if row.model == "nnunet-2d" and row.label == "IVH"]
    faults, bounds = check(rows, 174, {"IVH": 48})
    assert faults == [("nnunet-2d, IVH", "median 0.851 is above q3 0")]
    found = bounds["nnunet-2d, IVH"]
    assert (found.fewest, found.most) == (63, 87)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 20), st.integers(0, 10_000))
def test_bounds_hold_the_truth(kept: int, random_state: int) -> None:
    present = np.random.default_rng(random_state).beta(4, 1, 10)
    dice = np.concatenate([np.zeros(20 - kept), np.ones(kept), present])
    printed = {name: round(float(value), 3) for name, value in describe(dice).items()}
    found = specificity_bounds(printed, n=30, n_absent=20, half_unit=0.0005)
    assert found.fewest is not None
    assert found.fewest <= kept <= found.most


def test_all_scans_without_the_lesion_leave_nothing_to_choose() -> None:
    found = specificity_bounds({"mean": 0.3, "median": 0.0}, n=10, n_absent=10, half_unit=0.0005)
    assert (found.fewest, found.most) == (3, 3)


def test_summaries_that_no_scans_can_have() -> None:
    # Half of the scans are at 0.9 or more, a quarter between 0.8 and that: the mean is 0.65 at least.
    row = Row("a", "ICH", {"mean": 0.6, "q1": 0.8, "median": 0.9, "q3": 0.95}, 0.0005)
    faults, bounds = check([row], 100, {"ICH": 100})
    assert [message for _, message in faults] == ["no 100 scans have this mean and these quartiles"]
    assert bounds == {}


def test_mean_of_lesions_is_checked_to_the_rounding() -> None:
    def rows(total: float) -> list[Row]:
        lesions = [Row("a", label, {"mean": 0.5}, 0.0005) for label in ("ICH", "PHE", "IVH")]
        return [*lesions, Row("a", "mean", {"mean": total}, 0.0005)]

    assert check(rows(0.501), 10, {})[0] == []
    ((name, message),) = check(rows(0.502), 10, {})[0]
    assert (name, message) == ("a, mean", "mean 0.502 is printed, the mean of the lesions is 0.5000")


def test_value_outside_dice_is_named() -> None:
    faults, _ = check([Row("a", "ICH", {"mean": 1.5}, 0.0005)], 10, {})
    assert faults[0] == ("a, ICH", "not between 0 and 1: mean 1.5")


def run(*words: str) -> None:
    run_step("check", list(words))


def test_the_command_reports_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = read_tsv(TABLE, **dict.fromkeys(("mean", "median", "q1", "q3"), str))
    few = table[table["model"].isin(["nnunet-3d-focal", "nnunet-2d"])]
    write_tsv(few, tmp_path / "few.tsv")
    with pytest.raises(BadInput, match=r"median 0\.851 is above q3 0"):
        run(str(tmp_path / "few.tsv"))
    words = capsys.readouterr().out
    assert "8 rows, 1 that do not add up" in words
    assert "nnunet-3d-focal, IVH  110 to 126 of 126 (specificity 87% to 100%)" in words
    assert "PHE" not in words, "two scans without PHE say nothing"
    write_tsv(few[few["model"] == "nnunet-3d-focal"], tmp_path / "few.tsv")
    run(str(tmp_path / "few.tsv"), "--scans", "174", "--with-lesion", "IVH=48")
    assert "0 that do not add up" in capsys.readouterr().out


def test_tables_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.tsv"
    path.write_text("model\tlabel\n")
    with pytest.raises(BadInput, match="no such column"):
        read(path)
    path.write_text("model\tlabel\tmean\tmedian\tq1\tq3\na\tICH\t0.5\tabout half\t\t\n")
    with pytest.raises(BadInput, match="not a number") as error:
        read(path)
    assert error.value.problems[0].row == "2"
    path.write_text("model\tlabel\tmean\tmedian\tq1\tq3\na\tICH\t0.5\t0.5\t\t\n")
    with pytest.raises(WrongOptions, match="'IVH' is not LABEL=N"):
        run(str(path), "--with-lesion", "IVH")
