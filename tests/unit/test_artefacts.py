"""How results reach the disk: whole, and in the same bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from headct.artefacts import read_tsv, write_atomically, write_json, write_tsv


def test_a_table_comes_back_as_it_was(tmp_path: Path) -> None:
    table = pd.DataFrame({"scan_id": ["007", "NA"], "path": ["a", None], "dice": [0.1 + 0.2, np.nan]})
    write_tsv(table, tmp_path / "t.tsv")
    again = read_tsv(tmp_path / "t.tsv", path=str)
    assert again["scan_id"].tolist() == ["007", "NA"]
    assert again["path"].isna().tolist() == [False, True]
    assert again["dice"][0] == pytest.approx(0.3, abs=1e-10)


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
