"""BIDS: images by subject and session, masks of a derivative, look-up tables, tables of participants."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from headct.cohort import sheet_commands
from headct.contracts.problems import BadInput
from headct.settings import configuration, sheet
from support import public_layouts

TWO = ("sub-01_ses-1", "sub-02")
LABEL_MAPS = {
    "manual/sub-01/ses-1/ct/sub-01_ses-1_dseg.nii.gz": [1, 2],
    "manual/sub-02/ct/sub-02_dseg.nii.gz": [1],
}
TABLE = "index\tname\n0\tBackground\n1\tintracerebral hemorrhage\n2\tPHE\n3\tIVH\n"


def adopt(folder: Path, out: Path, **options: Any) -> dict[str, Any]:
    """Adopt, and read what was written: config, rows and note."""
    sheet_commands.adopt("bids", folder, out=out, **options)
    config = yaml.safe_load((out / "config.yaml").read_text(encoding="utf-8"))
    assert configuration.load(out / "config.yaml")
    note = (out / "NOTE.md").read_text(encoding="utf-8")
    return {"config": config, "rows": sheet.load(out / "scans.tsv"), "note": note}


def refused(folder: Path, out: Path) -> str:
    with pytest.raises(BadInput) as caught:
        sheet_commands.adopt("bids", folder, out=out)
    assert not out.exists()
    return str(caught.value)


def label_maps(root: Path, table: str = TABLE) -> Path:
    """Two scans, whose masks hold several lesions; with a table at the root of their derivative."""
    data = public_layouts.bids(root, TWO, LABEL_MAPS)
    if table:
        (data / "derivatives/manual/dseg.tsv").write_text(table, encoding="utf-8")
    return data


def files_of_lesions(root: Path, *names: str) -> Path:
    """Two scans with a file for each of these lesions."""
    masks = {
        f"manual/sub-0{n}/ct/{scan}_label-{name}_mask.nii.gz": [place]
        for n, scan in enumerate(TWO, start=1)
        for place, name in enumerate(names, start=1)
    }
    return public_layouts.bids(root, TWO, masks)


def test_label_maps_and_their_look_up_table(tmp_path: Path) -> None:
    found = adopt(label_maps(tmp_path / "data"), tmp_path / "study")
    assert found["config"]["labels"] == {"ICH": 1, "PHE": 2}
    rows = found["rows"]
    assert [(row["scan_id"], row["participant_id"]) for row in rows] == [
        ("sub-01_ses-1", "sub-01"),
        ("sub-02", "sub-02"),
    ]
    assert all(Path(row["image"]).is_file() and Path(row["mask"]).is_file() for row in rows)
    for words in (
        "2 scans of 2 participants",
        "'intracerebral hemorrhage' of the look-up table is ICH",
        "No mask has 'IVH'",
        "License: CC0",
        "No real data set in BIDS was at hand",
    ):
        assert words in found["note"]


@pytest.mark.parametrize("place", ["manual/sub-02/ct/sub-02_dseg.tsv", "dseg.tsv", "../dseg.tsv"])
def test_the_nearest_look_up_table_counts(tmp_path: Path, place: str) -> None:
    data = label_maps(tmp_path / "data", "")
    if "sub-02" in place:
        shutil.rmtree(data / "derivatives/manual/sub-01")
        (data / "derivatives/dseg.tsv").write_text("index\tname\n1\twrong\n2\tone\n", encoding="utf-8")
    (data / "derivatives" / place).write_text(TABLE, encoding="utf-8")
    labels = adopt(data, tmp_path / "study")["config"]["labels"]
    assert labels == ({"ICH": 1} if "sub-02" in place else {"ICH": 1, "PHE": 2})


def test_several_values_of_one_name_are_one_lesion(tmp_path: Path) -> None:
    data = label_maps(tmp_path / "data", "index\tname\n1\tIVH\n2\tIVH\n")
    assert adopt(data, tmp_path / "study")["config"]["labels"] == {"IVH": [1, 2]}


def test_one_value_without_a_table_is_a_lesion_that_the_user_names(tmp_path: Path) -> None:
    data = public_layouts.bids(tmp_path / "data", TWO, {"m/sub-02/ct/sub-02_dseg.nii.gz": [1]})
    found = adopt(data, tmp_path / "study")
    assert found["config"]["labels"] == {"lesion": 1}
    assert "Nothing names the lesion" in found["note"]
    assert "1 image without a mask: sub-01_ses-1" in found["note"]


def test_a_file_for_each_lesion(tmp_path: Path) -> None:
    data = files_of_lesions(tmp_path / "data", "PHE", "ICH", "midline-shift".replace("-", ""))
    found = adopt(data, tmp_path / "study")
    assert list(found["config"]["labels"]) == ["ICH", "PHE", "midlineshift"]
    assert {column for row in found["rows"] for column in row if ":" in column} == {
        "mask:ICH",
        "mask:PHE",
        "mask:midlineshift",
    }
    assert "ICH" in Path(found["rows"][0]["mask:ICH"]).name
    assert "Dice of ICH, which the masks of 2 of 2 scans have" in found["note"]
    assert "Each lesion has a file of its own" in found["note"]


def test_a_file_of_one_lesion_that_is_not_there_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty cell is no lesion-free scan until somebody says so."""
    data = files_of_lesions(tmp_path / "data", "ICH", "PHE")
    (data / "derivatives/manual/sub-02/ct/sub-02_label-PHE_mask.nii.gz").unlink()
    with pytest.raises(BadInput, match=r"mask:PHE.*free of this lesion or nobody drew it"):
        sheet_commands.adopt("bids", data, out=tmp_path / "study")
    assert "sub-02 (PHE)" in capsys.readouterr().out
    config = (tmp_path / "study/config.yaml").read_text(encoding="utf-8")
    assert "lesion_free" not in config


def test_one_lesion_in_files_that_name_it_is_one_mask(tmp_path: Path) -> None:
    found = adopt(files_of_lesions(tmp_path / "data", "IPH"), tmp_path / "study")
    assert found["config"]["labels"] == {"IPH": 1}
    assert all(row["mask"] for row in found["rows"])


def test_masks_of_anatomy_and_of_another_space_are_left_out(tmp_path: Path) -> None:
    masks = {
        "m/sub-02/ct/sub-02_desc-brain_mask.nii.gz": [1],
        "m/sub-02/ct/sub-02_label-CSF_mask.nii.gz": [1],
        "m/sub-02/ct/sub-02_space-MNI152_desc-lesion_mask.nii.gz": [1],
        "m/sub-02/ct/sub-02_space-orig_desc-lesion_mask.nii.gz": [1],
    }
    found = adopt(public_layouts.bids(tmp_path / "data", TWO, masks), tmp_path / "study")
    assert found["config"]["labels"] == {"lesion": 1}
    assert [Path(row["mask"]).name for row in found["rows"]] == ["sub-02_space-orig_desc-lesion_mask.nii.gz"]
    assert "2 masks of anatomy, by its name: sub-02_desc-brain" in found["note"]
    assert "1 mask in the space MNI152" in found["note"]


def test_of_several_derivatives_one_is_named(tmp_path: Path) -> None:
    data = label_maps(tmp_path / "data")
    shutil.copytree(data / "derivatives/manual", data / "derivatives/network")
    message = refused(data, tmp_path / "study")
    assert "derivatives/manual: *_dseg (2 files), derivatives/network: *_dseg (2 files)" in message
    found = adopt(data / "derivatives/manual", tmp_path / "study")
    assert all("/manual/" in row["mask"] for row in found["rows"])


def test_two_raters_are_told_and_none_is_chosen(tmp_path: Path) -> None:
    masks = {f"m/sub-02/ct/sub-02_label-ICH_desc-{rater}_mask.nii.gz": [1] for rater in ("anna", "ben")}
    message = refused(public_layouts.bids(tmp_path / "data", TWO, masks), tmp_path / "study")
    assert "derivatives/m: *_desc-anna_mask (1 files), derivatives/m: *_desc-ben_mask (1 files)" in message


def test_a_mask_that_leaves_out_what_tells_its_image(tmp_path: Path) -> None:
    images = ("sub-01_acq-thin", "sub-01_acq-thick", "sub-02_run-1")
    masks = {f"m/{name}_dseg.nii.gz": [1] for name in ("sub-01_acq-thin", "sub-02")}
    data = public_layouts.bids(tmp_path / "data", images, masks)
    rows = adopt(data, tmp_path / "study")["rows"]
    assert [row["scan_id"] for row in rows] == ["sub-01_acq-thin", "sub-02_run-1"]
    public_layouts.save(public_layouts.head(1), data / "derivatives/m/sub-01_dseg.nii.gz")
    assert "fits several images: sub-01_acq-thick, sub-01_acq-thin" in refused(data, tmp_path / "other")


def test_tables_of_participants_and_sessions(tmp_path: Path) -> None:
    data = label_maps(tmp_path / "data")
    people = "participant_id\tage\tsex\tsite\nsub-01\t71\tfemale\tnorth\nsub-02\tn/a\tO\tn/a\n"
    (data / "participants.tsv").write_text(people, encoding="utf-8")
    (data / "sub-01/sub-01_sessions.tsv").write_text(
        "session_id\tacq_time\tage\nses-1\t1900-01-01T00:00:00\t72.5\n", encoding="utf-8"
    )
    found = adopt(data, tmp_path / "study")
    assert [(row["age"], row["sex"], row["site"]) for row in found["rows"]] == [
        (72.5, "F", "north"),
        (None, None, "unknown"),
    ]
    assert "participants.tsv: Row 3 of the clinical table: sex could not be understood" in found["note"]
    (data / "participants.json").write_text(json.dumps({"age": {"Units": "months"}}), encoding="utf-8")
    found = adopt(data, tmp_path / "in-months")
    assert "ages are in months, not in years" in found["note"]
    (data / "participants.tsv").write_text("participant_id\nsub-01\n", encoding="utf-8")
    assert "participants.tsv was not used" in adopt(data, tmp_path / "without")["note"]


def test_several_sessions_are_one_participant_and_told(tmp_path: Path) -> None:
    images = ("sub-01_ses-1", "sub-01_ses-2_ce-iodine")
    masks = {f"m/{name}_dseg.nii.gz": [1] for name in images}
    found = adopt(public_layouts.bids(tmp_path / "data", images, masks), tmp_path / "study")
    assert {row["participant_id"] for row in found["rows"]} == {"sub-01"}
    assert "1 participant with several scans" in found["note"]
    assert "1 image with a contrast agent" in found["note"]


def remove(path: str) -> Callable[[Path], object]:
    return lambda data: (data / path).unlink()


def write(path: str, text: str) -> Callable[[Path], object]:
    return lambda data: (data / path).write_text(text, encoding="utf-8")


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "no description": (remove("dataset_description.json"), "Looked for: dataset_description.json, images"),
    "no JSON": (write("dataset_description.json", "{"), "no JSON"),
    "a list": (write("dataset_description.json", "[]"), "no JSON object"),
    "no CT": (
        lambda data: [
            path.rename(path.with_name(path.name.replace("_ct", "_T1w")))
            for path in data.rglob("*_ct.nii.gz")
        ],
        "not laid out as this data set is",
    ),
    "no masks": (lambda data: shutil.rmtree(data / "derivatives"), "no masks of lesions. Looked for"),
    "one image twice": (
        lambda data: shutil.copytree(data / "sub-02/ct", data / "sub-02/anat"),
        "two images of one name: sub-02/anat/sub-02_ct.nii.gz and sub-02/ct/sub-02_ct.nii.gz",
    ),
    "one mask twice": (
        lambda data: shutil.copytree(
            data / "derivatives/manual/sub-02/ct", data / "derivatives/manual/sub-02/anat"
        ),
        "a second mask of sub-02",
    ),
    "no table": (remove("derivatives/manual/dseg.tsv"), "value 1, 2: no look-up table"),
    "a table of one mask alone": (
        lambda data: (data / "derivatives/manual/dseg.tsv").rename(
            data / "derivatives/manual/sub-02/ct/sub-02_dseg.tsv"
        ),
        "no look-up table beside or above 1 mask, though others have one",
    ),
    "two tables that differ": (
        write("derivatives/manual/sub-02/ct/sub-02_dseg.tsv", "index\tname\n1\tSDH\n"),
        "is 'intracerebral hemorrhage' in derivatives/manual/dseg.tsv: mend one",
    ),
    "a table without numbers": (
        write("derivatives/manual/dseg.tsv", "index\tname\nx\tICH\n"),
        "needs a whole number",
    ),
    "a table of other values": (
        write("derivatives/manual/dseg.tsv", "index\tname\n7\tICH\n"),
        "no label of the look-up",
    ),
    "masks of other subjects": (
        lambda data: [
            path.rename(path.with_name(path.name.replace("sub-0", "sub-1")))
            for path in (data / "derivatives").rglob("*.nii.gz")
        ],
        "no mask has the name of an image",
    ),
    "masks that were not fetched": (
        lambda data: [
            (path.unlink(), path.symlink_to("../../.git/annex/objects/x"))
            for path in (data / "derivatives").rglob("*.nii.gz")
        ],
        "no label of the look-up table has a voxel in any mask; sub-01_ses-1: a broken link",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_what_is_laid_out_otherwise_or_in_doubt_is_refused(tmp_path: Path, fault: str) -> None:
    data = label_maps(tmp_path / "data")
    change, words = BROKEN[fault]
    change(data)
    assert words in refused(data, tmp_path / "study")


def test_files_of_lesions_beside_one_that_names_none(tmp_path: Path) -> None:
    data = files_of_lesions(tmp_path / "data", "ICH")
    file = data / "derivatives/manual/sub-02/ct/sub-02_label-ICH_mask.nii.gz"
    file.rename(file.with_name("sub-02_mask.nii.gz"))
    assert "name all, or none" in refused(data, tmp_path / "study")
