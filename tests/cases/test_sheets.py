"""Every bad sheet of the library: its faults and no others, or the same rows as without what is harmless."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from cases.sheets import ACCEPTED, CASES, SHEET, cell, of_lesions
from headct.cohort import sheet_commands
from headct.contracts.problems import BadInput
from headct.contracts.repository import REPOSITORY
from headct.settings import lesions, sheet
from headct.settings.configuration import load_schema
from support.advice import says_what_to_do


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "scans.tsv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def without_numbers(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "row": 0} for row in rows]


@pytest.mark.parametrize("name", CASES)
def test_sheet(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    path = written(tmp_path, case.edit(SHEET))
    if not case.faults:
        rows = without_numbers(sheet.load(path, case.lesions))
        as_good = rows == without_numbers(sheet.load(written(tmp_path, SHEET)))
        assert as_good == (case.faults is not ACCEPTED)
        return
    with pytest.raises(BadInput) as caught:
        sheet.load(path, case.lesions)
    found = [(problem.row, problem.key) for problem in caught.value.problems]
    assert found == [(row, column) for row, column, _ in case.faults], str(caught.value)
    for problem, (_, _, words) in zip(caught.value.problems, case.faults, strict=True):
        assert words in problem.message
        assert says_what_to_do(problem.message), problem.message
    assert len(str(caught.value)) < 4000, "it can be read"


def test_the_good_sheet_is_read(tmp_path: Path) -> None:
    rows = sheet.load(written(tmp_path, SHEET))
    assert [row["age"] for row in rows] == [70.0, 61.5, None, None]
    assert [row["row"] for row in rows] == [2, 3, 4, 5]
    assert rows[0]["mask"] == str(tmp_path / "m/s-1.nii.gz")


@pytest.mark.parametrize("what", ["folder", "broken link", "pipe"])
def test_what_is_no_file_is_told(tmp_path: Path, what: str) -> None:
    path = tmp_path / "scans.tsv"
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/nowhere/scans.tsv")
    with pytest.raises(BadInput, match="a broken link" if what == "broken link" else "a folder or a device"):
        sheet.load(path)


def test_the_library_is_large_and_says_where_each_was_met() -> None:
    assert len(CASES) >= 40
    assert all(case.source for case in CASES.values())
    assert sum("by hand" in case.source for case in CASES.values()) >= 10


def test_the_documentation_has_a_row_for_each_column() -> None:
    page = (REPOSITORY / "docs/how-to/data.md").read_text(encoding="utf-8")
    assert sheet.table_of_columns() in page, "put what 'headct sheet columns' prints there"


def test_the_examples_of_the_columns_make_a_good_sheet(tmp_path: Path) -> None:
    examples = {name: part["examples"][0] for name, part in load_schema(sheet.SCHEMA)["properties"].items()}
    examples |= {"left_out": "", "set": ""}  # what their examples say would leave out the one row
    text = "\n".join("\t".join(map(str, line)) for line in (examples, examples.values()))
    (row,) = sheet.load(written(tmp_path, text))
    assert [name for name, value in row.items() if value is None] == ["set", "left_out"]


def test_a_check_tells_what_is_missing_beside_all_other_faults(tmp_path: Path) -> None:
    text = cell(3, "age", "x")(cell(2, "image", "dicom\\s-1")(SHEET))
    for folder in ("dicom/s-2", "m"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("s-1", "s-1b", "s-2"):
        (tmp_path / f"m/{name}.nii.gz").touch()
    with pytest.raises(BadInput) as caught:
        sheet_commands.check(written(tmp_path, text))
    found = [(problem.row, problem.key) for problem in caught.value.problems]
    assert found == [("3", "age"), ("2", "image"), ("4", "image"), ("4", "mask")]
    assert all(says_what_to_do(problem.message) for problem in caught.value.problems)


@pytest.mark.parametrize("what", ["nothing", "a broken link", "a picture", "a text", "a pointer", "a header"])
def test_a_check_says_what_to_do_about_what_is_no_image(tmp_path: Path, what: str) -> None:
    path = written(tmp_path, "\n".join(SHEET.split("\n")[:2]))
    (tmp_path / "m").mkdir()
    (tmp_path / "dicom").mkdir()
    for name in ("s-1", "s-1b"):
        (tmp_path / f"m/{name}.nii.gz").touch()
    image = tmp_path / "dicom/s-1"
    if what == "a broken link":
        image.symlink_to(tmp_path / "nowhere")
    elif what != "nothing":
        begins = {"a picture": b"\x89PNG\r\n\x1a\n", "a text": b"see", "a pointer": sheet.POINTER}
        image.write_bytes(begins.get(what, (348).to_bytes(4, "little")))
    with pytest.raises(BadInput) as caught:
        sheet_commands.check(path)
    (problem,) = caught.value.problems
    assert problem.key == "image"
    assert says_what_to_do(problem.message), problem.message


@pytest.mark.parametrize("message", ["there is no such file or folder", "column 3 has no name", "is it one?"])
def test_a_message_that_says_no_more_than_what_is_wrong_is_known(message: str) -> None:
    assert not says_what_to_do(message)


def test_a_good_sheet_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, "\n".join(SHEET.split("\n")[:3]))
    for folder in ("dicom/s-1", "dicom/s-2", "m"):
        (tmp_path / folder).mkdir(parents=True)
    for name in ("s-1", "s-1b", "s-2"):
        (tmp_path / f"m/{name}.nii.gz").touch()
    sheet_commands.check(path)
    assert capsys.readouterr().out == f"{path}: 2 baseline scans of 2 participants, no fault\n"


def test_a_column_may_be_of_each_lesion_that_labels_may_name() -> None:
    (pattern,) = load_schema(sheet.SCHEMA)["patternProperties"]
    assert pattern == f"^({'|'.join(sheet.READINGS)}):{lesions.NAME.pattern}\\Z"


def test_lesions_with_files_of_their_own_are_named_and_looked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a configuration nobody knows whether its labels have them."""
    path = written(tmp_path, "\n".join(of_lesions("mask:PHE", "mask:SDH")(SHEET).split("\n")[:3]))
    for folder in ("dicom/s-1", "dicom/s-2", "m"):
        (tmp_path / folder).mkdir(parents=True)
    names = ("s-1b", "s-2-0", "s-2-1", "s-3-0", "s-3-1")
    for name in names:
        (tmp_path / f"m/{name}.nii.gz").touch()
    sheet_commands.check(path)
    assert capsys.readouterr().out.splitlines()[1].endswith("which a run holds against labels: PHE, SDH")
    (tmp_path / "m/s-3-1.nii.gz").unlink()
    with pytest.raises(BadInput) as caught:
        sheet_commands.check(path)
    assert [(problem.row, problem.key) for problem in caught.value.problems] == [("3", "mask:SDH")]
