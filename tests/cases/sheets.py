# ruff: noqa: E501, SIM905 -- a case is one line
"""Sample sheets as people hand them in: one line each, with where such a one was met and what is right.

What is right is the same rows as without the change (``HARMLESS``), other ones (``ACCEPTED``), or the
faults by row, column and words of the message: these and no others. "By hand" was made up by somebody who tried
to break it.
"""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from headct.settings.sheet import Lesions

COLUMNS = "scan_id participant_id site image mask age sex onset_to_ct_h rater mask_inter timepoint".split()
SHEET = "\n".join(
    [
        "\t".join(COLUMNS),
        "s-1\tp-1\tKöln\tdicom/s-1\tm/s-1.nii.gz\t70\tF\t2.5\tr1\tm/s-1b.nii.gz\t",
        "s-2\tp-2\tKöln\tdicom/s-2\tm/s-2.nii.gz\t61.5\tM\t\tr1\t\tbaseline",
        "s-3\tp-3\tUlm\tdicom/s-3\tm/s-3.nii.gz\t\t\t0\tr2\t\t",
        "s-4\tp-3\tUlm\t\t\t\t\t4000\tr2\t\tfollow-up",
        "",
    ]
)
"""Four good rows, in lines 2 to 5."""

Edit = Callable[[str], str | bytes]
Fault = tuple[str, str, str]

HARMLESS: list[Fault] = []
"""The rows are those of the good sheet."""

ACCEPTED = None
"""The sheet is read, its rows being others."""


@dataclass(frozen=True)
class SheetCase:
    """One sheet: ``edit`` makes it of the good one; ``faults`` are (row, column, words of the message).

    ``lesions`` are those of the study, where the sheet is held against any.
    """

    source: str
    edit: Edit
    faults: list[Fault] | None
    lesions: Lesions | None = None


def cell(row: int, column: str, value: str) -> Edit:
    """Another value in one cell; rows are counted as messages do, the header being 1."""

    def edit(text: str) -> str:
        lines = text.split("\n")
        cells = lines[row - 1].split("\t")
        cells[COLUMNS.index(column)] = value
        return "\n".join([*lines[: row - 1], "\t".join(cells), *lines[row:]])

    return edit


def all_cells(column: str, value: Callable[[int], str]) -> Edit:
    """Another value in a column's cells, made of the row's number; eight good rows more, so that many have it."""

    def edit(text: str) -> str:
        for row in range(2, 14):
            text = cell(row, column, value(row))(text)
        return text

    return lambda text: edit(more_rows(text))


def more_rows(text: str) -> str:
    """The sheet with the rows 6 to 13 as well."""
    return text + "".join(
        f"t-{n}\tq-{n}\tUlm\tdicom/t-{n}\tm/t-{n}.nii\t50\tF\t1\tr1\t\t\n" for n in range(6, 14)
    )


def renamed(column: str, name: str) -> Edit:
    """A column of another name."""
    names = [name if one == column else one for one in COLUMNS]
    return lambda text: "\t".join(names) + text[text.index("\n") :]


def without(column: str) -> Edit:
    """The sheet without a column."""
    place = COLUMNS.index(column)

    def edit(text: str) -> str:
        lines = [line.split("\t") for line in text.split("\n")]
        return "\n".join("\t".join(cells[:place] + cells[place + 1 :]) for cells in lines)

    return edit


def of_lesions(*names: str, empty: tuple[str, ...] = (), mask: bool = False) -> Edit:
    """The sheet with a column of files for each of these lesions, and none of all unless ``mask`` is there.

    In the rows of baseline scans each names a file, but in those of ``empty`` (such as "3 mask:PHE").
    """

    def file(row: int, name: str) -> str:
        return "" if row == 5 or f"{row} {name}" in empty else f"m/s-{row}-{names.index(name)}.nii.gz"

    def edit(text: str) -> str:
        header, *rows = text.rstrip("\n").split("\n")
        lines = ["\t".join([header, *names])]
        lines += ["\t".join([row, *(file(n, name) for name in names)]) for n, row in enumerate(rows, start=2)]
        return "\n".join([*lines, ""])

    return edit if mask else both(edit, *(cell(row, "mask", "") for row in (2, 3, 4)))


def with_column(name: str, **cells: str) -> Edit:
    """The sheet with a column more, empty but in these rows, which are counted as in messages."""

    def edit(text: str) -> str:
        lines = text.rstrip("\n").split("\n")
        added = [name, *(cells.get(f"row_{row}", "") for row in range(2, len(lines) + 1))]
        return "".join(f"{line}\t{cell}\n" for line, cell in zip(lines, added, strict=True))

    return edit


def every_line(end: str) -> Edit:
    """Something at the end of each line."""
    return lambda text: text.replace("\n", f"{end}\n")


def both(*edits: Edit) -> Edit:
    """One edit after another."""

    def edit(text: str) -> str | bytes:
        changed: str | bytes = text
        for one in edits:
            assert isinstance(changed, str)
            changed = one(changed)
        return changed

    return edit


def bad(row: str, column: str, words: str) -> list[Fault]:
    """The one fault."""
    return [(row, column, words)]


EXCEL, PANDAS = "Excel, saved as text", "pandas, to_csv"
SLICER = "3D Slicer, each segment saved as a file; ITK-SNAP, a drawing for each lesion"
TWO = Lesions(("ICH", "PHE"), may_be_absent=False)
MAY_BE_ABSENT = Lesions(("ICH", "PHE"), may_be_absent=True)
NUMBER = "must be a number or empty"
NO_TEXT = "save it as text in UTF-8, its columns separated by tabs"
HIDDEN = "does not show or breaks the line"
ALIKE = "in upper and lower case, blanks, hyphens or leading zeros only"

CASES: dict[str, SheetCase] = {
    # What spreadsheets leave behind is no fault.
    "rows of tabs": SheetCase("mzTab issue 181", lambda t: t + ("\t" * 10 + "\n") * 2, HARMLESS),
    "a row of blanks": SheetCase("LibreOffice, a cell cleared by the space bar", lambda t: t + " \t \t\n", HARMLESS),
    "blank lines": SheetCase("rnaseq issue 759", lambda t: "\n" + t + "\n\n", HARMLESS),
    "empty columns": SheetCase("mzTab issue 181", every_line("\t\t"), HARMLESS),
    "a blank behind a column's name": SheetCase("PhysioNet CT-ICH, Patient_demographics.csv", renamed("scan_id", "scan_id "), HARMLESS),
    "blanks around a value": SheetCase(EXCEL, cell(2, "site", " Köln  "), HARMLESS),
    "CR": SheetCase("Excel for Mac", lambda t: t.replace("\n", "\r"), HARMLESS),
    "CRLF and BOM": SheetCase(EXCEL, lambda t: codecs.BOM_UTF8 + t.replace("\n", "\r\n").encode(), HARMLESS),
    "quoted cells": SheetCase(EXCEL, cell(2, "site", '"Köln"'), HARMLESS),
    "decomposed accents": SheetCase("macOS; keyman issue 1996", lambda t: unicodedata.normalize("NFD", t), HARMLESS),
    "no line end": SheetCase("written by hand", lambda t: t.rstrip("\n"), HARMLESS),
    "cells left out at the end of a row": SheetCase("rnaseq issue 759", lambda t: t.replace("r2\t\t\n", "r2\n"), HARMLESS),
    "the former name of a column": SheetCase("sheets of the first release", renamed("image", "dicom"), HARMLESS),
    # What is no table.
    "UTF-16": SheetCase("Excel, Unicode text", lambda t: t.encode("utf-16"), bad("", "", f"is UTF-16 text: {NO_TEXT}")),
    "UTF-16 without BOM": SheetCase("PowerShell", lambda t: t.encode("utf-16-le"), bad("", "", f"or text in UTF-16: {NO_TEXT}")),
    "a workbook": SheetCase("Excel, renamed to .tsv", lambda t: b"PK\x03\x04" + t.encode(), bad("", "", f"a workbook or an archive: {NO_TEXT}")),
    "an old workbook": SheetCase("Excel 97", lambda t: b"\xd0\xcf\x11\xe0" + t.encode(), bad("", "", "a workbook of an old Excel")),
    "a formatted document": SheetCase("TextEdit, by hand", lambda t: b"{\\rtf1 " + t.encode(), bad("", "", "a formatted document")),
    "Latin-1": SheetCase("Excel, saved as text (Windows)", lambda t: t.encode("latin-1"), bad("2", "", f"not UTF-8: {NO_TEXT}")),
    "commas": SheetCase("saved as CSV", lambda t: t.replace("\t", ","), bad("1", "", "one column only, which commas divide")),
    "semicolons": SheetCase("saved as CSV where the comma is decimal", lambda t: t.replace("\t", ";"), bad("1", "", "one column only, which semicolons divide")),
    "a pointer of Git LFS": SheetCase("specification of Git LFS", lambda t: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n", bad("", "", "git lfs pull")),
    "nothing": SheetCase("an export that failed, by hand", lambda t: "", bad("", "", "the sheet is empty")),
    "a header alone": SheetCase("a filter that let nothing through, by hand", lambda t: t.split("\n")[0] + "\n", bad("", "", "a header but no scan")),
    "no header": SheetCase("appended to without one, by hand", lambda t: t.split("\n", 1)[1], bad("1", "", "names no column of a sample sheet")),
    "a title above the header": SheetCase("Excel, a heading in the first row", lambda t: "Trial 7" + "\t" * 10 + "\n" + t, bad("1", "", "names no column of a sample sheet")),
    "a lone quotation mark": SheetCase("mailmerge issue 156", cell(3, "rater", '"r1'), bad("3", "", "a quotation mark too many or too few")),
    "a cell without end": SheetCase("by hand", cell(2, "rater", "x" * 140_000), bad("2", "", "longer than 131072 characters")),
    # Columns.
    "a column is missing": SheetCase("by hand", without("participant_id"), bad("1", "participant_id", "column is missing: add it. Whose scan")),
    "a column that nobody knows": SheetCase("by hand", renamed("mask_inter", "hospital_number"), [("1", "hospital_number", "take it out, or call it as one of scan_id")]),
    "a column written otherwise": SheetCase("hand-written header", renamed("participant_id", "Participant ID"), bad("1", "Participant ID", "must be called participant_id")),
    "a column of no width": SheetCase("copied from a web page, by hand", renamed("scan_id", "scan_id\u200b"), bad("1", "scan_id\u200b", "must be called scan_id")),
    "a column twice": SheetCase("two exports side by side", renamed("mask_inter", "age"), bad("1", "age", "column stands twice")),
    "the row numbers of pandas": SheetCase(PANDAS, lambda t: "".join(f"{n}\t{line}\n" if n else f"\t{line}\n" for n, line in enumerate(t.strip("\n").split("\n"))), [(f"{n}", "", "column 1 has a value here, but no name") for n in (2, 3, 4, 5)]),
    "a value beyond the last column": SheetCase("a remark, by hand", lambda t: t.replace("follow-up\n", "follow-up\tlost\n"), bad("5", "", "column 12 has a value here, but no name")),
    "the header again": SheetCase("two sheets, one below the other", lambda t: t + t.split("\n")[0] + "\n", bad("6", "", "the names of the columns stand here again")),
    "a wrong column hides no row": SheetCase("by hand", both(renamed("age", "Age"), cell(3, "sex", "f")), [("1", "Age", "must be called age"), ("3", "sex", "must be one of F, M or empty")]),
    # Scans that are not taken.
    "a scan that is left out needs no files": SheetCase("a scan of unknown spacing, by hand", both(cell(3, "image", ""), cell(3, "mask", ""), with_column("left_out", row_3="spacing unknown")), ACCEPTED),
    "a mask of a scan that is left out, too": SheetCase("by hand", both(cell(3, "mask", "m/s-1.nii.gz"), with_column("left_out", row_3="the same scan")), ACCEPTED),
    "no scan is left": SheetCase("by hand", with_column("left_out", row_2="motion", row_3="motion", row_4="motion"), bad("", "timepoint", "no baseline scan that is not left out")),
    "a reason as long as a letter": SheetCase("by hand", with_column("left_out", row_2="motion " * 20), bad("2", "left_out", "at most 100 characters")),
    # Ids and words.
    "an id twice": SheetCase("copied row", cell(3, "scan_id", "s-1"), bad("3", "scan_id", "stands in row 2 already")),
    "ids that differ in case": SheetCase("macOS and Windows have one file for both", cell(3, "scan_id", "S-1"), bad("3", "scan_id", f"differs from row 2 (s-1) {ALIKE}")),
    "participants that differ in leading zeros": SheetCase("Excel takes 007 for 7", both(cell(2, "participant_id", "007"), cell(3, "participant_id", "7")), bad("3", "participant_id", f"differs from row 2 (007) {ALIKE}")),
    "participants that differ in a hyphen": SheetCase("typed by two people, by hand", cell(3, "participant_id", "p_1"), bad("3", "participant_id", f"differs from row 2 (p-1) {ALIKE}")),
    "numbers that are but parts alike": SheetCase("by hand", both(cell(2, "participant_id", "1-10"), cell(3, "participant_id", "10-1"), cell(4, "participant_id", "100-1"), cell(5, "participant_id", "100-1")), ACCEPTED),
    "a site with two blanks": SheetCase("typed, by hand", both(cell(2, "site", "St  Ann"), cell(3, "site", "St Ann")), bad("3", "site", f"differs from row 2 (St  Ann) {ALIKE}")),
    "a site in other letters": SheetCase("typed", cell(3, "site", "köln"), bad("3", "site", f"differs from row 2 (Köln) {ALIKE}")),
    "an id with a slash": SheetCase("by hand", cell(2, "scan_id", "a/b"), bad("2", "scan_id", "must be letters, digits")),
    "an id that was a number": SheetCase(PANDAS + ", a column with a gap", cell(2, "participant_id", "12.0"), bad("2", "participant_id", "must be letters, digits")),
    "a dash of a word processor": SheetCase("Word's autocorrection", cell(2, "scan_id", "s–1"), bad("2", "scan_id", "must be letters, digits")),
    "an id of 65 characters": SheetCase("by hand", cell(2, "scan_id", "s" * 65), bad("2", "scan_id", "at most 64 characters")),
    "an id that is a device": SheetCase("learn.microsoft.com, Naming Files", cell(2, "scan_id", "COM1"), bad("2", "scan_id", "device")),
    "an id that is a folder of ours": SheetCase("by hand", cell(2, "scan_id", "Shards"), bad("2", "scan_id", "a folder beside those of the scans")),
    "merged cells": SheetCase("Excel: all but the first are empty", cell(3, "participant_id", ""), bad("3", "participant_id", "must not be empty")),
    "no rater": SheetCase("by hand", cell(2, "rater", ""), bad("2", "rater", "must not be empty")),
    "a line break in a cell": SheetCase("Excel, Alt+Enter; CT-ICH has one in a column's name", cell(2, "site", '"A\nB"'), bad("3", "site", HIDDEN)),
    "a formula without a value": SheetCase("Excel, VLOOKUP that found nothing", cell(3, "site", "#N/A"), bad("3", "site", "formula that has no value")),
    "the same in another language": SheetCase("Excel, SVERWEIS", cell(3, "rater", "#BEZUG!"), bad("3", "rater", "formula that has no value")),
    "a site with a number sign": SheetCase("by hand", cell(4, "site", "#1"), ACCEPTED),
    "letters read in another encoding": SheetCase("UTF-8 opened by Excel and saved again", cell(2, "site", "KÃ¶ln"), bad("2", "site", "it was probably Köln")),
    "letters that were lost": SheetCase("U+FFFD of a conversion", cell(2, "site", "K\ufffdln"), bad("2", "site", "a letter that was lost")),
    "text that turns its direction": SheetCase("CVE-2021-42574", cell(2, "site", "A\u202eB"), bad("2", "site", HIDDEN)),
    "the end of a DOS file": SheetCase("Ctrl-Z, by hand", cell(5, "rater", "r2\x1a"), bad("5", "rater", HIDDEN)),
    # Numbers and choices.
    "a decimal comma": SheetCase("LibreOffice in German", cell(2, "onset_to_ct_h", "2,5"), bad("2", "onset_to_ct_h", NUMBER)),
    "n/a": SheetCase("bids-validator issue 179", both(cell(2, "sex", "n/a"), cell(2, "age", "n/a")), [("2", "age", NUMBER), ("2", "sex", "must be one of F, M or empty")]),
    "an age with its unit": SheetCase("DICOM writes 070Y", cell(2, "age", "070Y"), bad("2", "age", NUMBER)),
    "an age above 89": SheetCase("HIPAA's rule, as exports write it", cell(2, "age", ">89"), bad("2", "age", NUMBER)),
    "an age of -1": SheetCase("codes for a missing value", cell(2, "age", "-1"), bad("2", "age", "must be at least 0")),
    "an age of 999": SheetCase("codes for a missing value", cell(2, "age", "999"), bad("2", "age", "must be at most 120")),
    "hours of 99999": SheetCase("codes for a missing value", cell(2, "onset_to_ct_h", "99999"), bad("2", "onset_to_ct_h", "must be at most 87600")),
    "hours beyond all numbers": SheetCase("by hand: it is read as infinite", cell(2, "onset_to_ct_h", "9" * 400), bad("2", "onset_to_ct_h", "must be at most 87600")),
    "NaN": SheetCase(PANDAS, cell(2, "age", "nan"), bad("2", "age", NUMBER)),
    "digits of another script": SheetCase("a Japanese keyboard, by hand", cell(2, "age", "６０"), bad("2", "age", NUMBER)),
    "an underscore in a number": SheetCase("by hand: Python reads 7_0 as 70", cell(2, "age", "7_0"), bad("2", "age", NUMBER)),
    "a word for the sex": SheetCase("exports", cell(2, "sex", "female"), bad("2", "sex", "must be one of F, M or empty")),
    "another time point": SheetCase("by hand", cell(2, "timepoint", "day 1"), bad("2", "timepoint", "baseline, follow-up or empty")),
    "two sexes": SheetCase("by hand", both(cell(2, "participant_id", "p-2"), cell(2, "age", "61")), bad("3", "sex", "the same participant has another sex in row 2")),
    "two ages": SheetCase("by hand", both(cell(2, "participant_id", "p-2"), cell(2, "sex", "M")), bad("2", "age", "the same participant has another age in row 3")),
    # External sets.
    "an external set": SheetCase("by hand", with_column("set", row_2="external:Ashby-2", row_3="external:Ashby-2"), ACCEPTED),
    "a set without its kind": SheetCase("by hand", with_column("set", row_2="ashby"), bad("2", "set", "external: or locked: and a name of at most 40 letters")),
    "a set that no folder can be called": SheetCase("by hand", with_column("set", row_2="external:a/b"), bad("2", "set", "external: or locked: and a name of at most 40 letters")),
    "a locked set": SheetCase("a later test set", with_column("set", row_2="locked:later"), ACCEPTED),
    "a locked set without a name": SheetCase("by hand", with_column("set", row_2="locked"), bad("2", "set", "external: or locked: and a name of at most 40 letters")),
    "a locked set with a device's name": SheetCase("Windows", with_column("set", row_2="locked:nul"), bad("2", "set", "a device; choose another one")),
    "a set that is locked in one row and opened in another": SheetCase("by hand", with_column("set", row_2="locked:later", row_3="external:later"), bad("3", "set", "the set later is locked in row 2: a set is locked, or opened, as a whole")),
    "a participant of a locked set and of the study": SheetCase("by hand", both(with_column("set", row_2="locked:later"), cell(2, "participant_id", "p-3"), cell(2, "age", ""), cell(2, "sex", "")), bad("4", "set", "participant p-3 is in several sets: s-3 in none of them, s-1 (row 2) in locked:later")),
    "a set with a device's name": SheetCase("Windows", with_column("set", row_2="external:con"), bad("2", "set", "a device; choose another one")),
    "an external set that is called as the study's own": SheetCase("by hand", with_column("set", row_2="external:internal"), bad("2", "set", "tables call the study's own sets, or several of them, so; choose another one")),
    "a set that is called as a set of the split": SheetCase("by hand", with_column("set", row_2="external:Test"), bad("2", "set", "tables call the study's own sets")),
    "a locked set that is called as all": SheetCase("by hand", with_column("set", row_2="locked:ALL"), bad("2", "set", "tables call the study's own sets")),
    "a set that is called as a training": SheetCase("by hand", with_column("set", row_2="external:seed-1"), bad("2", "set", "the files of a training are called so; choose another one")),
    "a set that leads out of its folder": SheetCase("by hand", with_column("set", row_2="external:.."), bad("2", "set", "external: or locked: and a name of at most 40 letters")),
    "a set with a blank in its name": SheetCase("by hand", with_column("set", row_2="external:a b"), bad("2", "set", "external: or locked: and a name of at most 40 letters")),
    "a set that is called as a folder of the scans": SheetCase("by hand: sets lie elsewhere", with_column("set", row_2="external:shards"), ACCEPTED),
    "sets in other letters": SheetCase("typed", with_column("set", row_2="external:ashby", row_3="external:Ashby"), bad("3", "set", f"differs from row 2 (external:ashby) {ALIKE}")),
    "a participant in two sets": SheetCase("by hand", both(with_column("set", row_2="external:ashby"), cell(2, "participant_id", "p-3"), cell(2, "age", ""), cell(2, "sex", "")), bad("4", "set", "participant p-3 is in several sets: s-3 in none of them, s-1 (row 2) in external:ashby")),
    "a participant whose follow-up names no set": SheetCase("by hand: it is not ingested", with_column("set", row_4="external:ashby"), ACCEPTED),
    "no scan but in external sets": SheetCase("a column filled down", with_column("set", **{f"row_{row}": "external:a" for row in (2, 3, 4)}), bad("", "set", "the study itself has none")),
    "the same fault in many rows": SheetCase("a column in another unit: one line, not one for each row", all_cells("age", lambda row: f"{row},5"), bad("2-13", "age", "(12 rows)")),
    "a column of pandas' row numbers, in many rows": SheetCase(PANDAS, lambda t: more_rows(t).replace("\t\n", "\t\t7\n"), bad("2, 4, 6-13", "", "column 12 has a value here")),
    # Paths.
    "backslashes": SheetCase("Windows", cell(2, "image", "dicom\\a"), bad("2", "image", "separated by / here")),
    "a drive": SheetCase("Windows", cell(2, "mask", "D:/m/s-1.nii.gz"), bad("2", "mask", "a drive of Windows")),
    "a home": SheetCase("shells, by hand", cell(2, "image", "~/dicom/a"), bad("2", "image", "~ is not replaced")),
    "a variable": SheetCase("shells, by hand", cell(2, "image", "$DATA/a"), bad("2", "image", "variables of the shell")),
    "an address": SheetCase("a file manager's copied address, by hand", cell(2, "image", "file:///data/a"), bad("2", "image", "an address is no path")),
    "a path without end": SheetCase("by hand", cell(2, "image", "d" * 5000), bad("2", "image", "File name too long")),
    "capital suffix": SheetCase("Windows", cell(2, "mask", "m/S-1.NII.GZ"), ACCEPTED),
    "a mask that is a picture": SheetCase("by hand", cell(2, "mask", "mask.png"), bad("2", "mask", "NIfTI, NRRD, MHA or a DICOM segmentation")),
    "a mask's header alone": SheetCase("ITK writes .mhd and .raw", cell(2, "mask", "m.mhd"), bad("2", "mask", "NIfTI, NRRD, MHA or a DICOM segmentation")),
    "no mask": SheetCase("by hand", cell(2, "mask", ""), bad("2", "mask", "needs its mask")),
    "one file for two readings": SheetCase("a column filled to the right", cell(2, "mask_inter", "./m/s-1.nii.gz"), bad("2", "mask_inter", "the same file as mask")),
    "one mask for two scans": SheetCase("a column filled down", cell(3, "mask", "m/s-1.nii.gz"), bad("3", "mask", "a mask of row 2, too")),
    "one mask for two scans, as another reading": SheetCase("by hand", cell(3, "mask_inter", "m/../m/s-1.nii.gz"), bad("3", "mask_inter", "a mask of row 2, too")),
    # A column for each lesion.
    "a column for each lesion": SheetCase(SLICER, of_lesions("mask:ICH", "mask:PHE"), ACCEPTED, TWO),
    "a column for each lesion, and none of all": SheetCase(SLICER, both(of_lesions("mask:PHE", "mask:ICH"), without("mask")), ACCEPTED, TWO),
    "a second reading of two files": SheetCase("by hand", of_lesions("mask_intra:ICH", "mask_intra:PHE", mask=True), ACCEPTED, TWO),
    "columns of lesions, and no configuration": SheetCase("headct sheet check", of_lesions("mask:SDH"), ACCEPTED),
    "a column of two lesions": SheetCase("by hand", of_lesions("mask:ICH+PHE", mask=True), [("1", "mask:ICH+PHE", "mask_inter, mask:LESION")]),
    "a lesion that the labels have not": SheetCase("a data set of more lesions than the study's", of_lesions("mask:ICH", "mask:PHE", "mask:SDH"), bad("1", "mask:SDH", "no such lesion among the labels, which are ICH, PHE"), TWO),
    "a lesion in other letters": SheetCase("names of folders", of_lesions("mask_ich", "mask:PHE"), bad("1", "mask_ich", "must be called mask:ICH"), TWO),
    "a lesion without a column": SheetCase("by hand", of_lesions("mask:ICH"), bad("1", "mask:PHE", "column is missing: add it. Where one lesion"), TWO),
    "a lesion's column twice": SheetCase("by hand", of_lesions("mask:ICH", "mask:PHE", "mask:ICH"), bad("1", "mask:ICH", "stands twice"), TWO),
    "one file of all beside files of one each": SheetCase("an export of all and of each", of_lesions("mask:ICH", "mask:PHE", mask=True), [(row, "mask", "beside those of mask:ICH, mask:PHE") for row in "234"], TWO),
    "a second reading in one file and in two": SheetCase("by hand", of_lesions("mask_inter:ICH", "mask_inter:PHE", mask=True, empty=("3 mask_inter:ICH", "3 mask_inter:PHE")), bad("2", "mask_inter", "beside those of mask_inter:ICH, mask_inter:PHE"), TWO),
    "no file of one lesion": SheetCase("a lesion that is absent, or was not drawn", of_lesions("mask:ICH", "mask:PHE", empty=("3 mask:PHE",)), bad("3", "mask:PHE", "free of this lesion or nobody drew it"), TWO),
    "no file of one lesion, and scans may be free": SheetCase("by hand", of_lesions("mask:ICH", "mask:PHE", empty=("3 mask:PHE",)), ACCEPTED, MAY_BE_ABSENT),
    "no file of any lesion": SheetCase("by hand", both(of_lesions("mask:ICH", "mask:PHE", empty=("3 mask:ICH", "3 mask:PHE")), without("mask")), bad("3", "mask", "in one file or one for each lesion"), MAY_BE_ABSENT),
    "one file for two lesions": SheetCase("a column filled to the right", lambda t: of_lesions("mask:ICH", "mask:PHE")(t).replace("m/s-3-1", "m/s-3-0"), bad("3", "mask:PHE", "the same file as mask:ICH: a column of one lesion"), TWO),
    "one file of a lesion for two scans": SheetCase("a column filled down", lambda t: of_lesions("mask:ICH", "mask:PHE")(t).replace("m/s-3-1", "m/s-2-1"), bad("3", "mask:PHE", "a mask of row 2, too"), TWO),
    "a lesion's file that is a picture": SheetCase("by hand", lambda t: of_lesions("mask:ICH", "mask:PHE")(t).replace("s-2-0.nii.gz", "s-2-0.png"), bad("2", "mask:ICH", "NIfTI, NRRD, MHA or a DICOM segmentation"), TWO),
    "a lesion's file with backslashes": SheetCase("Windows", lambda t: of_lesions("mask:ICH", "mask:PHE")(t).replace("m/s-2-0", "m\\s-2-0"), bad("2", "mask:ICH", "separated by / here"), TWO),
    "a label map for files of one lesion": SheetCase("by hand; row 2 has a second reading of all lesions", lambda t: every_line("\tsite-b")(of_lesions("mask:ICH", "mask:PHE")(t)).replace("PHE\tsite-b", "PHE\tlabels").replace("\t\tsite-b", "\t\t"), [(row, "labels", "leave it empty") for row in "34"], TWO),
    "the image as its own mask": SheetCase("a column filled to the right, by hand", cell(2, "image", "m/s-1.nii.gz"), bad("2", "mask", "a mask is another file than the image")),
}  # fmt: skip
