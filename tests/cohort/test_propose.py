"""A sheet for images that nobody has put in order: certain rows, what is open, and a key that stays away."""

from __future__ import annotations

import datetime
import random
import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openpyxl
import pytest
import SimpleITK as sitk

from headct.cohort import clinical_tables, proposing, sheet_commands
from headct.contracts.problems import BadInput, WrongOptions
from headct.contracts.repository import REPOSITORY
from headct.settings import sheet
from support import ct_series, public_layouts

PATIENTS = {"H-4711": "19500101", "H-0815": "19600202"}


def study(folder: Path, patient: str, uid: str, date: str, kernels: tuple[str, ...] = ("H30s",)) -> None:
    """A study of a patient: a series of each kernel, each in a folder of its own."""
    for number, kernel in enumerate(kernels, start=1):

        def change(_: int, dataset, kernel: str = kernel) -> None:
            dataset.PatientID, dataset.PatientBirthDate = patient, PATIENTS.get(patient, "")
            dataset.StudyInstanceUID, dataset.StudyDate, dataset.ConvolutionKernel = uid, date, kernel
            dataset.PatientAge, dataset.PatientSex = "067Y", "F"

        ct_series.write_series(folder / f"series-{number}", series=number, change=change)


def mask_of(folder: Path, path: Path, shift_mm: float = 0.0) -> None:
    """A mask on the grid that ITK reads of a series."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    mask = sitk.GetImageFromArray(np.ones(image.GetSize()[::-1], np.uint8))
    mask.CopyInformation(image)
    mask.SetOrigin([place + shift_mm for place in image.GetOrigin()])
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(mask, str(path))


def rows_of(out: Path) -> list[dict[str, str]]:
    header, *lines = (out / "scans.tsv").read_text(encoding="utf-8").splitlines()
    return [dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines]


@pytest.fixture
def export(tmp_path: Path) -> Path:
    """Two patients as a hospital exports them: one with two studies, one with a mask that lies elsewhere."""
    root = tmp_path / "export"
    study(root / "H-4711/first", "H-4711", "1.2.1", "20240101", ("H30s", "H60s"))
    study(root / "H-4711/second", "H-4711", "1.2.2", "20240202")
    study(root / "H-0815/only", "H-0815", "1.2.3", "20240303")
    mask_of(root / "H-4711/first/series-1", tmp_path / "masks/first.nii.gz")
    mask_of(root / "H-0815/only/series-1", tmp_path / "masks/H-0815.nii.gz", shift_mm=13)
    return root


def test_dicom_becomes_rows_in_order_of_date_under_new_names(tmp_path: Path, export: Path) -> None:
    table = tmp_path / "clinical.csv"
    table.write_bytes("Fall;Alter;Geschlecht;Ort\nH-4711;61,5;männlich;Köln\n".encode("cp1252"))
    out, key = tmp_path / "study", tmp_path / "key.tsv"
    options = {"masks": [tmp_path / "masks"], "clinical": table, "key": "Fall"}
    sheet_commands.propose(export, out=out, pseudonyms=key, **options)
    rows = rows_of(out)
    told = (out / "OPEN.md").read_text(encoding="utf-8")
    patients = dict(line.split("\t") for line in key.read_text(encoding="utf-8").splitlines()[1:])
    assert sorted(patients.values()) == ["H-0815 19600202", "H-4711 19500101"]
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    by_folder = {
        name: row for row in rows for name in ("first", "second", "only") if name in Path(row["image"]).parts
    }
    assert patients[by_folder["first"]["participant_id"]].startswith("H-4711")
    assert [by_folder[name]["timepoint"] for name in ("first", "second", "only")] == [
        "baseline",
        "follow-up",
        "baseline",
    ]
    assert (by_folder["first"]["age"], by_folder["first"]["sex"]) == ("61.5", "M"), "as the table says"
    assert (by_folder["only"]["age"], by_folder["only"]["sex"]) == ("67", "F"), "as the header says"
    assert by_folder["first"]["mask"].endswith("masks/first.nii.gz")
    assert by_folder["only"]["mask"] == "", "the one of its name lies elsewhere"
    for words in (
        "the mask of its name does not fit",
        "age: the header and the clinical table differ",
        "2 series can be segmented",
        "kernel H60s",
        "no row in the clinical table",
        "not used: Ort",
        "is it a follow-up?",
    ):
        assert words in told
    assert not any(text in told for text in ("4711", "0815", "1950", "2024")), "no patient is told"
    assert "folder" not in told


def test_what_is_proposed_is_a_sheet_once_it_is_filled_in(tmp_path: Path) -> None:
    public_layouts.write_scan(tmp_path / "a_0000.nii.gz", tmp_path / "masks/a.nii.gz", 1)
    public_layouts.write_scan(tmp_path / "b_0000.nii.gz", tmp_path / "masks/b.nii.gz", 2)
    out = tmp_path / "study"
    sheet_commands.propose(tmp_path, out=out, pseudonyms=tmp_path / "key.tsv")
    with pytest.raises(BadInput) as caught:
        sheet.load(out / "scans.tsv")
    assert {problem.key for problem in caught.value.problems} == {"site", "rater"}
    text = (out / "scans.tsv").read_text(encoding="utf-8")
    filled = [
        "\t".join(["mine" if i in (2, 9) and n else c for i, c in enumerate(line.split("\t"))])
        for n, line in enumerate(text.splitlines())
    ]
    (out / "scans.tsv").write_text("\n".join(filled), encoding="utf-8")
    rows = sheet.load(out / "scans.tsv")
    assert all(Path(row["image"]).name[0] == Path(row["mask"]).name[0] for row in rows)


def test_subjects_and_sessions_of_bids(tmp_path: Path) -> None:
    for name in ("sub-01_ses-1", "sub-01_ses-2", "sub-02_ses-1"):
        public_layouts.write_scan(
            tmp_path / f"bids/{name.split('_')[0]}/{name}_ct.nii.gz",
            tmp_path / f"bids/derivatives/masks/{name}_mask.nii.gz",
            1,
        )
    found = proposing.propose([tmp_path / "bids"], [], None, "", random.Random(1))
    assert len(found.patients) == 2
    assert [row.cells["timepoint"] for row in found.rows].count("follow-up") == 1
    assert all(row.cells["mask"] for row in found.rows), "of equal grids, each has that of its name"


NAMED_ALIKE = [
    ("a.nii.gz", "masks/a.nii.gz"),
    ("a.nii.gz", "a_mask.nii.gz"),
    ("a.nii.gz", "a_seg.nii.gz"),
    ("a.nii.gz", "a-label.nii.gz"),
    ("a.nii.gz", "a_dseg.nii.gz"),
    ("a.nii.gz", "a.seg.nrrd"),
    ("a_0000.nii.gz", "labelsTr/a.nii.gz"),
    ("a_ct.nii.gz", "a_ct_segmentation.nii"),
    ("images/a-image.nii", "ground truths/a_label.mha"),
    ("sub-a_ct.nii.gz", "derivatives/raters/sub-a_label-lesion_desc-manual_mask.nii.gz"),
    ("a/ct.nii.gz", "a/mask.nii.gz"),
    ("a/images/CT.nii.gz", "a/masks/mask.nii.gz"),
]


@pytest.mark.parametrize(("image", "mask"), NAMED_ALIKE)
def test_a_mask_is_found_by_its_name(tmp_path: Path, image: str, mask: str) -> None:
    """All grids are equal, so that nothing but names tells whose a mask is."""
    data = tmp_path / "data"
    pairs = {}
    for letter in "xy":
        pair = [data / re.sub(r"(?<![a-z])a(?![a-z])", letter, path) for path in (image, mask)]
        public_layouts.write_scan(pair[0], None, ord(letter))
        pair[1].parent.mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(sitk.ReadImage(str(pair[0])) > 60, str(pair[1]))
        pairs[str(pair[0])] = str(pair[1])
    rows = proposing.propose([data], [], None, "", random.Random(1)).rows
    assert {row.cells["image"]: row.cells["mask"] for row in rows} == pairs
    assert [row.open for row in rows] == [[], []]


def test_folders_of_one_name_are_not_one_patient(tmp_path: Path) -> None:
    for patient in ("p1", "p2"):
        folder = tmp_path / patient / "day-1"
        public_layouts.write_scan(folder / "ct.nii.gz", folder / "mask.nii.gz", 1)
    found = proposing.propose([tmp_path], [], None, "", random.Random(1))
    assert len(found.patients) == 2
    assert all(Path(row.cells["mask"]).parent == Path(row.cells["image"]).parent for row in found.rows)


def test_a_mask_beside_a_folder_of_dicom(tmp_path: Path) -> None:
    for number, patient in enumerate(PATIENTS):
        folder = tmp_path / f"{number}/dicom"
        study(folder, patient, f"1.2.{number}", "20240101")
        for file in (folder / "series-1").iterdir():
            file.rename(folder / file.name)
        mask_of(folder, tmp_path / f"{number}/mask.nii.gz")
    rows = proposing.propose([tmp_path], [], None, "", random.Random(1)).rows
    assert all(Path(row.cells["mask"]).parent == Path(row.cells["image"]).parent for row in rows)


def test_masks_without_a_name_are_told_where_several_fit(tmp_path: Path) -> None:
    for number in range(2):
        public_layouts.write_scan(tmp_path / f"ct/{number}.nii", tmp_path / f"drawn/x{number}.nii", number)
    found = proposing.propose([tmp_path / "ct"], [tmp_path / "drawn"], None, "", random.Random(1))
    assert [row.open for row in found.rows] == [["2 masks fit: x0.nii, x1.nii"]] * 2


def test_an_export_without_ids_does_not_make_one_patient_of_all(tmp_path: Path) -> None:
    for name in ("a", "b"):
        study(tmp_path / f"export/{name}", "ANONYMOUS", f"1.2.{ord(name)}", "20240101")
    found = proposing.propose([tmp_path / "export"], [], None, "", random.Random(1))
    assert len(found.patients) == 2


def test_two_studies_in_one_folder_are_told(tmp_path: Path) -> None:
    study(tmp_path / "export/x", "H-4711", "1.2.1", "20240101")
    study(tmp_path / "export/x/series-1/later", "H-4711", "1.2.2", "20240202")
    found = proposing.propose([tmp_path / "export"], [], None, "", random.Random(1))
    words = [one.unfit for row in found.rows for one in row.image.series]
    assert "its folder holds another study as well: give each its own" in words


def test_a_damaged_file_leaves_out_its_own_folder_only(tmp_path: Path) -> None:
    study(tmp_path / "export/H-4711", "H-4711", "1.2.1", "20240101")
    study(tmp_path / "export/H-0815", "H-0815", "1.2.2", "20240202")
    (tmp_path / "export/list.txt").write_text("two patients")
    damaged = next((tmp_path / "export/H-0815/series-1").iterdir())
    damaged.write_bytes(damaged.read_bytes()[:400])
    sheet_commands.propose(tmp_path / "export", out=tmp_path / "study", pseudonyms=tmp_path / "key.tsv")
    assert [Path(row["image"]).parent.name for row in rows_of(tmp_path / "study")] == ["H-4711"]
    told = (tmp_path / "study/OPEN.md").read_text(encoding="utf-8")
    assert "truncated or damaged file" in told
    assert "0815" not in told
    assert f"left out\t{damaged.parent}" in (tmp_path / "key.tsv").read_text(encoding="utf-8")


def test_archives_are_looked_into(tmp_path: Path) -> None:
    study(tmp_path / "a", "H-4711", "1.2.1", "20240101")
    study(tmp_path / "two/a", "H-4711", "1.2.1", "20240101")
    study(tmp_path / "two/b", "H-0815", "1.2.2", "20240101")
    public_layouts.write_scan(tmp_path / "v/volume.nii.gz", None, 1)
    for name, folder in (("H-4711", "a"), ("both", "two"), ("x7", "v")):
        shutil.make_archive(str(tmp_path / "zips" / name), "zip", tmp_path / folder)
    (tmp_path / "zips/damaged.zip").write_bytes(b"PK\x03\x04nothing")
    found = proposing.propose([tmp_path / "zips"], [], None, "", random.Random(1))
    assert sorted(Path(row.cells["image"]).name for row in found.rows) == ["H-4711.zip", "x7.zip"]
    assert sorted(found.patients.values()) == ["H-4711 19500101", "x7"]
    assert sorted(path.name for path in found.left_out) == ["both.zip", "damaged.zip"]
    assert any("it holds 2 scans" in words for words in found.open)


def test_a_disc_with_its_index(tmp_path: Path) -> None:
    study(tmp_path / "disc/IMAGES/A", "H-4711", "1.2.1", "20240101")
    (tmp_path / "disc/DICOMDIR").write_bytes(b"index")
    found = proposing.propose([tmp_path / "disc"], [], None, "", random.Random(1))
    assert [Path(row.cells["image"]).name for row in found.rows] == ["series-1"]
    assert found.open == []


def test_pairs_and_other_formats_are_images(tmp_path: Path) -> None:
    public_layouts.write_scan(tmp_path / "in/a.nii.gz", tmp_path / "masks/a.nii.gz", 1)
    image = sitk.ReadImage(str(tmp_path / "in/a.nii.gz"))
    for name in ("b.nrrd", "c.mha", "d.mhd", "e.nhdr", "f.hdr"):
        sitk.WriteImage(image, str(tmp_path / "in" / name))
        shutil.copy(tmp_path / "masks/a.nii.gz", tmp_path / "masks" / f"{name[0]}.nii.gz")
    found = proposing.propose([tmp_path / "in"], [tmp_path / "masks"], None, "", random.Random(1))
    assert found.open == []
    assert sorted(Path(row.cells["image"]).name for row in found.rows) == [
        *("a.nii.gz", "b.nrrd", "c.mha", "d.mhd", "e.nhdr", "f.hdr")
    ]
    assert all(row.cells["mask"] for row in found.rows), [row.open for row in found.rows]


def test_the_order_of_participants_says_nothing(tmp_path: Path) -> None:
    for number in range(8):
        public_layouts.write_scan(tmp_path / f"{number}.nii.gz", None, number)
    orders = {
        tuple(proposing.propose([tmp_path], [], None, "", random.Random(seed)).patients.values())
        for seed in range(3)
    }
    assert len(orders) == 3


@pytest.mark.parametrize("place", ["study/key.tsv", "study/deep/key.tsv"])
def test_the_key_lies_in_no_study(tmp_path: Path, place: str) -> None:
    public_layouts.write_scan(tmp_path / "a.nii.gz", None, 1)
    with pytest.raises(BadInput, match="would lie in the study's folder"):
        sheet_commands.propose(tmp_path / "a.nii.gz", out=tmp_path / "study", pseudonyms=tmp_path / place)
    with pytest.raises(BadInput, match="would lie in the repository"):
        sheet_commands.propose(
            tmp_path / "a.nii.gz", out=tmp_path / "study", pseudonyms=REPOSITORY / "config/key.tsv"
        )
    assert not (tmp_path / "study").exists()


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    public_layouts.write_scan(tmp_path / "a.nii.gz", None, 1)
    (tmp_path / "key.tsv").write_text("mine")
    with pytest.raises(BadInput, match="is not overwritten"):
        sheet_commands.propose(tmp_path / "a.nii.gz", out=tmp_path / "study", pseudonyms=tmp_path / "key.tsv")
    assert (tmp_path / "key.tsv").read_text() == "mine"
    assert not (tmp_path / "study").exists()


def test_what_is_not_said_or_not_there_is_told(tmp_path: Path) -> None:
    options = {"out": tmp_path / "study", "pseudonyms": tmp_path / "key.tsv"}
    with pytest.raises(WrongOptions, match="name a folder"):
        sheet_commands.propose(**options)
    with pytest.raises(WrongOptions, match="go together"):
        sheet_commands.propose(tmp_path, clinical=tmp_path / "t.csv", **options)
    with pytest.raises(BadInput, match="no CT here"):
        sheet_commands.propose(tmp_path, **options)


TABLES: dict[str, Callable[[str], bytes]] = {
    "tabs": lambda text: text.encode(),
    "semicolons": lambda text: text.replace("\t", ";").encode(),
    "commas": lambda text: text.replace(",", ".").replace("\t", ",").encode(),
    "Windows": lambda text: text.replace("\n", "\r\n").encode("cp1252"),
    "BOM": lambda text: text.encode("utf-8-sig"),
    "UTF-16": lambda text: text.encode("utf-16"),
}
TEXT = "\n".join(
    [
        "Patient ID\tAge (years)\tGender\tonset_to_ct_h",
        "7\t67,5\tw\t2",
        "ü8\t> 89\tmale\tn/a",
        "7a\t\t\t",
        "",
    ]
)


@pytest.mark.parametrize("form", TABLES)
def test_clinical_tables_as_people_export_them(tmp_path: Path, form: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(TABLES[form](TEXT))
    found = clinical_tables.read(path, "patient_id")
    assert found.rows["7"] == {"age": "67.5", "sex": "F", "onset_to_ct_h": "2"}
    assert found.rows["ü8"] == {"sex": "M"}
    assert found.open == ["Row 3 of the clinical table: age could not be understood."]


def test_patients_with_several_rows_are_told_and_not_used(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text("id;age;age (years);sex\n1;50;51;0\n1;60;61;f\n2;70;71;1\n", encoding="utf-8")
    found = clinical_tables.read(path, "id")
    assert found.rows == {"2": {"age": "70"}}
    assert found.open == [
        "Two columns mean age; the first, 'age', was taken.",
        "Columns of the clinical table that were not used: age (years).",
        "1 patients have several rows in the clinical table: none of these was used.",
        "Row 4 of the clinical table: sex could not be understood.",
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04", "no workbook of Excel"),
        (b"\xd0\xcf\x11\xe0", "a workbook of an old Excel, or with a password"),
        (b"", "no table"),
        (b"id;age\n", "no table"),
        (b"a;b\n1;2\n", "one column must be called so; there are a, b"),
        (b"id;id\n1;2\n", "one column must be called so"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=words):
        clinical_tables.read(path, "id")


def workbook(path: Path, *sheets: list[list[object]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for rows in sheets:
        sheet = book.create_sheet()
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


ROWS: list[list[object]] = [
    ["ID", "Alter", "sex", "seen"],
    [12.0, 67.5, "w", datetime.date(2024, 1, 2)],
    ["13a", None, "M", None],
]


def test_a_workbook_is_a_table(tmp_path: Path) -> None:
    found = clinical_tables.read(workbook(tmp_path / "table.xlsx", ROWS, []), "id")
    assert found.rows == {"12": {"age": "67.5", "sex": "F"}, "13a": {"sex": "M"}}
    assert found.open == ["Columns of the clinical table that were not used: seen."]


@pytest.mark.parametrize(
    ("sheets", "words"),
    [
        ([ROWS, ROWS], "2 of its sheets have values"),
        ([[]], "0 of its sheets have values"),
        ([[["id", "age"], [1, "=2+3"]]], "formulas without a stored value"),
    ],
)
def test_a_workbook_that_is_no_table_is_refused(
    tmp_path: Path, sheets: list[list[list[object]]], words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        clinical_tables.read(workbook(tmp_path / "table.xlsx", *sheets), "id")
