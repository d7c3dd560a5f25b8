"""How results reach the disk: whole, and in the same bytes."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies

from headct.contracts.artefacts import (
    ABANDONED_S,
    UNFINISHED,
    as_text,
    read_tsv,
    without_mark,
    write_atomically,
    write_json,
    write_tsv,
)
from headct.contracts.repository import PACKAGE
from headct.settings import sheet


def test_a_table_comes_back_as_it_was(tmp_path: Path) -> None:
    table = pd.DataFrame({"scan_id": ["007", "NA"], "path": ["a", None], "dice": [0.1 + 0.2, np.nan]})
    write_tsv(table, tmp_path / "t.tsv")
    again = read_tsv(tmp_path / "t.tsv", path=str)
    assert again["scan_id"].tolist() == ["007", "NA"]
    assert again["path"].isna().tolist() == [False, True]
    assert again["dice"][0] == pytest.approx(0.3, abs=1e-10)


def test_codes_of_a_sheet_stay_text(tmp_path: Path) -> None:
    """As numbers they would lose zeros, and be 1.0 where another cell of the column is empty."""
    codes = pd.DataFrame({name: ["01", "2", None] for name in sheet.CODES})
    write_tsv(codes, tmp_path / "t.tsv")
    again = read_tsv(tmp_path / "t.tsv")
    for name in sheet.CODES:
        assert again[name].fillna("").tolist() == ["01", "2", ""], name


RUN = ("=1+1", "=cmd|' /C calc'!A0", "+49 30", "-15, 100", "@SUM(A1)", "-", "'=1", "\t=1", " @a", "''+a")
LEFT = ("-1.5", "+2", "1e-5", "'quoted'", "a=b", "", "'", "−1.5", "–", "a-b")


def test_no_cell_is_run_by_a_spreadsheet_and_all_come_back(tmp_path: Path) -> None:
    """Numbers stay numbers, also those that stand as text beside other text."""
    texts = [*RUN, *LEFT]
    table = pd.DataFrame(
        {"=title": texts, "dice": np.linspace(-1, 1, len(texts)), "mixed": [-1.5, *texts[1:]]}
    )
    write_tsv(table, tmp_path / "t.tsv")
    with open(tmp_path / "t.tsv", encoding="utf-8", newline="") as stream:
        head, *rows = csv.reader(stream, delimiter="\t")
    assert head == ["'=title", "dice", "mixed"]
    assert [row[0] for row in rows] == [*(f"'{text}" for text in RUN), *LEFT]
    assert [row[2] for row in rows] == ["-1.5", *(row[0] for row in rows[1:])]
    again = read_tsv(tmp_path / "t.tsv", **{"'=title": str}).fillna("")
    assert list(again.columns) == ["=title", "dice", "mixed"]
    assert again["=title"].tolist() == texts
    assert again["dice"].tolist() == pytest.approx(table["dice"].tolist(), abs=1e-9)


@given(strategies.lists(strategies.text(alphabet="'=+-@ \ta1.\n", max_size=6), min_size=1))
def test_any_text_comes_back(texts: list[str]) -> None:
    assert [without_mark(as_text(text)) for text in texts] == texts


def test_a_block_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "x.json"
    write_json({"b": 1, "a": 2}, target)
    before = target.read_bytes()

    def fails() -> None:
        with write_atomically(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert target.read_bytes() == before
    assert [path.name for path in target.parent.iterdir()] == ["x.json"]


def test_nan_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json({"x": float("nan")}, tmp_path / "x.json")


def test_several_may_write_the_same_file(tmp_path: Path) -> None:
    with write_atomically(tmp_path / "x.json") as first, write_atomically(tmp_path / "x.json") as second:
        first.write_text("1")
        second.write_text("2")
    assert (tmp_path / "x.json").read_text() == "1", "the one that ended last"
    assert len(list(tmp_path.iterdir())) == 1


def test_what_a_killed_job_left_is_taken_away_by_a_later_one(tmp_path: Path) -> None:
    write = f"""
import os, signal
from headct.contracts.artefacts import UNFINISHED, read_tsv, write_atomically, write_json, write_tsv
from headct.contracts.repository import PACKAGE
with write_atomically({str(tmp_path / "x.nii.gz")!r}) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    environment = {"PYTHONPATH": str(PACKAGE.parent)}
    subprocess.run([sys.executable, "-c", write], env=environment)
    (left,) = tmp_path.iterdir()
    assert UNFINISHED in left.name
    (tmp_path / f".y.nii.gz.{UNFINISHED}1.nii.gz").touch()  # of another file
    for path in tmp_path.iterdir():
        os.utime(path, (time.time() - ABANDONED_S - 1,) * 2)
    with write_atomically(tmp_path / "x.nii.gz") as temporary:
        temporary.write_text("whole")
    assert {path.name for path in tmp_path.iterdir()} == {"x.nii.gz", f".y.nii.gz.{UNFINISHED}1.nii.gz"}
