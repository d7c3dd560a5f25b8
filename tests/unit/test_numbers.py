"""Tables of a results folder that came from anybody: what can't be read is told with the file's name."""

from __future__ import annotations

from pathlib import Path

import audit_study
import pytest

from headct.audit import trace
from headct.audit.lineage import Study
from headct.audit.numbers import ALL, Place, Tables
from headct.problems import BadInput

TABLE, METRICS = "results/tables/table1.tsv", "results/metrics/unet.tsv"


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tables:
    """Of the small study, which the working directory is."""
    monkeypatch.chdir(tmp_path)
    audit_study.run()
    return Tables(Study(Path("results")))


@pytest.mark.parametrize("content", [b'dice\n"0.81\n', b"", b"dice\n\xe9\n", b"dice\n0.81\t1\n0.8\t1\t2\n"])
def test_what_is_no_table_is_told_in_one_line(tables: Tables, content: bytes) -> None:
    Path(TABLE).write_bytes(content)
    for read in (tables.text, tables.numbers):
        with pytest.raises(BadInput, match=f"{TABLE}: can't be read as a table: ") as caught:
            read(TABLE)
        assert "\n" not in str(caught.value)
    with pytest.raises(BadInput, match=TABLE):
        trace.find(tables, [TABLE, "dice"])


def test_columns_that_are_absent_are_named(tables: Tables) -> None:
    with pytest.raises(BadInput, match=f"{TABLE}, key model: the table has no such column"):
        trace.trace(tables, Place(TABLE, 0, "dice"))
    with pytest.raises(BadInput) as caught:
        tables.measured(METRICS, "unet", False, "ICH", ALL, "")
    assert {problem.file for problem in caught.value.problems} == {METRICS}
    absent = {"model", "label", "failure", "seed", "reference_ml", "predicted_ml"}
    assert {problem.key for problem in caught.value.problems} == absent


def test_columns_of_another_kind_are_named(tables: Tables) -> None:
    names = ("model", "scan_id", "label", "failure", "seed", "dice", "reference_ml", "predicted_ml")
    row = ("unet", "s1", "ICH", "", "1", "0.8", "much", "2")
    Path(METRICS).write_text("\t".join(names) + "\n" + "\t".join(row) + "\n")
    with pytest.raises(BadInput, match=f"{METRICS}, key reference_ml: the column must be numbers"):
        tables.measured(METRICS, "unet", False, "ICH", ALL, "")
