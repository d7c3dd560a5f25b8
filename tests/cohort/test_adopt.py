"""Data sets of known layouts become a study: sheet, configuration, plan, note; nothing is overwritten."""

from __future__ import annotations

import datetime
import json
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from headct import command_line
from headct.cohort import adopting, layouts, sheet_commands
from headct.cohort.layouts import all_layouts, ct_ich
from headct.cohort.layouts.adopted import as_id, as_label
from headct.contracts.problems import BadInput, WrongOptions
from headct.contracts.repository import REPOSITORY
from headct.settings import configuration, sheet
from support import public_layouts

PUBLISHED = ("SubdatasetA_NIFIT/NIFIT/set", "SubdatasetA_NIFIT/NIFIT/label")
FROM_SLICES = ("images", "labels")
DESCRIBED: dict[str, Any] = {
    "channel_names": {"0": "CT"},
    "labels": {"background": 0, "ICH": 1, "perihematomal edema": 2},
    "name": "Bleeds",
    "licence": "CC BY 4.0",
    "numTraining": 4,
    "file_ending": ".nii.gz",
}


def adopt(layout: str, folder: Path, out: Path, **options: Any) -> dict[str, Any]:
    """Adopt, and read what was written: config, rows and note."""
    sheet_commands.adopt(layout, folder, out=out, **options)
    config = yaml.safe_load((out / "config.yaml").read_text(encoding="utf-8"))
    assert configuration.load(out / "config.yaml")
    note = (out / "NOTE.md").read_text(encoding="utf-8")
    return {"config": config, "rows": sheet.load(out / "scans.tsv"), "note": note}


def refused(layout: str, folder: Path, out: Path, **options: Any) -> str:
    with pytest.raises(BadInput) as caught:
        sheet_commands.adopt(layout, folder, out=out, **options)
    assert not out.exists()
    return str(caught.value)


@pytest.mark.parametrize(
    ("folders", "value", "intensity"),
    [
        (PUBLISHED, 1, None),
        (PUBLISHED, 255, None),
        (("set", "label"), 1, None),
        (FROM_SLICES, 1, "windowed"),
    ],
)
def test_phe_sich_as_published_and_from_its_slices(
    tmp_path: Path, folders: tuple[str, str], value: int, intensity: str | None
) -> None:
    data = public_layouts.phe_sich(tmp_path / "data", *folders, value)
    found = adopt("phe-sich", data, tmp_path / "study")
    assert found["config"]["labels"] == {"PHE": value}, "whatever value the files have"
    assert found["config"].get("ingest", {}).get("intensity") == intensity
    rows = found["rows"]
    assert [(row["scan_id"], row["participant_id"]) for row in rows][:2] == [
        ("phe-0001", "patient-0001"),
        ("phe-0002", "patient-0002"),
    ]
    assert all(Path(row["image"]).is_file() and Path(row["mask"]).is_file() for row in rows)
    for words in ("6 scans of 6 participants", "arXiv:2308.10521", "CC BY 4.0", "unlabelled, not absent"):
        assert words in found["note"]
    assert ("not at hand" in found["note"]) == (intensity is None), "what could not be checked is told"


def test_the_shipped_configuration_of_phe_sich_is_what_adopt_writes_but_for_sizes(tmp_path: Path) -> None:
    data = public_layouts.phe_sich(tmp_path / "data", *FROM_SLICES, 1)
    written = adopt("phe-sich", data, tmp_path / "phe-sich")["config"]
    shipped = yaml.safe_load((REPOSITORY / "config/phe_sich.yaml").read_text(encoding="utf-8"))
    for sizes in ("device", "resources", "nnunet", "monai"):
        del shipped[sizes]
    del shipped["models"]["unet"]["features"], shipped["models"]["nnunet-2d"]["epochs"], written["resources"]
    assert shipped == written


def test_nnunet_of_version_2(tmp_path: Path) -> None:
    data = public_layouts.nnunet(tmp_path / "data", ["case_1", "case_2", "case.3"], DESCRIBED, [1, 2])
    found = adopt("nnunet", data, tmp_path / "study")
    assert found["config"]["labels"] == {"ICH": 1, "PHE": 2}
    for words in ("'perihematomal edema' of dataset.json is PHE", "name: Bleeds", "licence: CC BY 4.0"):
        assert words in found["note"]
    assert [row["scan_id"] for row in found["rows"]] == ["case-3", "case_1", "case_2"]
    assert "One participant for each case" in found["note"]


def test_nnunet_of_version_1(tmp_path: Path) -> None:
    described = {"modality": {"0": "CT"}, "labels": {"0": "background", "1": "ICH"}}
    data = public_layouts.nnunet(tmp_path / "data", ["a", "b"], described)
    for path in (data / "imagesTr").iterdir():  # without the channel's number, as the Decathlon has them
        path.rename(path.with_name(path.name.replace("_0000", "")))
    found = adopt("nnunet", data, tmp_path / "study")
    assert found["config"]["labels"] == {"ICH": 1}
    assert [Path(row["image"]).name for row in found["rows"]] == ["a.nii.gz", "b.nii.gz"]


def test_regions_and_ignored_values_of_nnunet(tmp_path: Path) -> None:
    labels = {"background": 0, "bleed (any)": [1, 3], "PHE": 2, "ignore": 4}
    data = public_layouts.nnunet(tmp_path / "data", ["a", "b"], DESCRIBED | {"labels": labels}, [1, 2, 3, 4])
    config = adopt("nnunet", data, tmp_path / "study")["config"]
    assert config["labels"] == {"bleed-any": {"value": [1, 3], "title": "bleed (any)"}, "PHE": 2}
    assert config["ignore"] == [4]


def test_what_is_left_out_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = public_layouts.nnunet(tmp_path / "data", ["a", "b"], DESCRIBED, [1, 2])
    public_layouts.write_scan(data / "imagesTr/alone_0000.nii.gz", None, 8)
    public_layouts.write_scan(data / "imagesTs/t_0000.nii.gz", None, 9)
    public_layouts.write_scan(data / "imagesTr/c_0000.nii.gz", data / "labelsTr/c.nii.gz", 5, [])
    (data / "labelsTr/readme.txt").touch()
    (data / "labelsTr/unpacked.nii.gz").mkdir()
    found = adopt("nnunet", data, tmp_path / "study")
    for words in (
        "1 image without a mask: alone",
        "1 file in imagesTs (no labels, so nothing can be measured on them: predict them with "
        "'headct new-scans'): t_0000.nii.gz",
        "2 files of another kind: readme.txt, unpacked.nii.gz",
        "1 mask without any other value: c",
    ):
        assert words in found["note"]
    *_, last = capsys.readouterr().out.splitlines()
    assert last.startswith("3 scans of 3 participants. Left out: 1 image without a mask; 2 files of another")
    assert "named in NOTE.md" in last
    assert found["config"]["ingest"] == {"empty_masks": "lesion_free"}


def test_labels_of_no_mask_and_values_of_no_label_are_told(tmp_path: Path) -> None:
    labels = {"background": 0, "ICH": 1, "IVH": 3}
    data = public_layouts.nnunet(tmp_path / "data", ["a", "b"], DESCRIBED | {"labels": labels}, [1, 2])
    found = adopt("nnunet", data, tmp_path / "study")
    assert found["config"]["labels"] == {"ICH": 1}
    assert "No mask has 'IVH'" in found["note"]
    assert "Values that dataset.json does not name: 2" in found["note"]


@pytest.mark.parametrize(
    ("cases", "pattern", "participants"),
    [
        (["ID_2db7ee14_ID_0123456789", "ID_2db7ee14_ID_abcdef0123"], "", ["ID_2db7ee14"] * 2),
        (["sub-01_ses-1", "sub-01_ses-2"], "", ["sub-01"] * 2),
        (["p7a", "p7b", "p8a"], r"p\d", ["p7", "p7", "p8"]),
        (["x-7-a", "x-8-a"], r"x-(\d)", ["7", "8"]),
        (["a", "b"], "", ["a", "b"]),
    ],
)
def test_scans_of_one_patient_are_put_together(
    tmp_path: Path, cases: list[str], pattern: str, participants: list[str]
) -> None:
    data = public_layouts.nnunet(tmp_path / "data", cases, DESCRIBED, [1, 2])
    found = adopt("nnunet", data, tmp_path / "study", participant=pattern)
    assert [row["participant_id"] for row in found["rows"]] == participants
    assert ("By the pattern" in found["note"]) == bool(pattern)


def test_a_pattern_of_the_user_is_told_whatever_the_layout_says(tmp_path: Path) -> None:
    data = public_layouts.phe_sich(tmp_path / "data", *FROM_SLICES, 1)
    note = adopt("phe-sich", data, tmp_path / "study", participant=r"^\d{3}")["note"]
    assert "By the pattern ^\\d{3} in the names of scans" in note
    assert "One participant for each number" not in note
    assert "1 participant with several scans" in note
    assert "patient-000 (phe-0001, phe-0002" in note


@pytest.mark.parametrize(
    ("values", "primary", "told"),
    [
        ({"a": [1, 2], "b": [2], "c": [2, 3]}, "PHE", "Dice of PHE, which the masks of 3 of 3 scans have"),
        (
            {"a": [1], "b": [3], "c": [2]},
            "ICH",
            "Dice of ICH, which the masks of 1 of 3 scans have, the most",
        ),
        (
            {"a": [3], "b": [3, 4], "c": [2]},
            "SAH",
            "Dice of SAH, which the masks of 2 of 3 scans have, the most of all labels, or the first of "
            "those with the most (the others: PHE 1)",
        ),
        ({"a": [4], "b": [], "c": []}, "SAH", "Dice of SAH, the only label, which the masks of 1 of 3 scans"),
    ],
)
def test_the_primary_endpoint_is_of_the_label_that_most_masks_have(
    tmp_path: Path, values: dict[str, list[int]], primary: str, told: str
) -> None:
    labels = {"background": 0, "ICH": 1, "PHE": 2, "SAH": [3, 4]}
    data = public_layouts.nnunet(tmp_path / "data", list(values), DESCRIBED | {"labels": labels})
    for seed, (case, of) in enumerate(values.items()):
        image, mask = data / f"imagesTr/{case}_0000.nii.gz", data / f"labelsTr/{case}.nii.gz"
        public_layouts.write_scan(image, mask, seed, of)
    found = adopt("nnunet", data, tmp_path / "study")
    plan = yaml.safe_load((tmp_path / "study/analysis_plan.yaml").read_text(encoding="utf-8"))
    assert plan["primary"]["label"] == primary
    assert told in found["note"]


def test_commands_of_the_note_run_in_the_folder_that_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The study's path is that of another folder, relative and with a blank."""
    public_layouts.phe_sich(tmp_path / "data", *FROM_SLICES, 1)
    monkeypatch.chdir(tmp_path)
    note = adopt("phe-sich", Path("data"), Path("my study"))["note"]
    root = re.search(r"In the folder of the workflow, `(.+)`, which has", note)
    assert root is not None
    assert (Path(root[1]) / "Snakefile").is_file()
    check = re.search(r"`python -m (headct sheet check .+)`", note)
    assert check is not None
    *_, sheet_file = shlex.split(check[1])
    assert Path(sheet_file) == tmp_path / "my study/scans.tsv"
    plan = re.search(r"`(snakemake .+)`", note)
    assert plan is not None
    assert shlex.split(plan[1])[-3:] == [
        str(tmp_path / "my study/config.yaml"),
        "--directory",
        str(tmp_path / "my study"),
    ]


def test_the_help_lists_all_layouts(capsys: pytest.CaptureFixture[str]) -> None:
    command_line.run_step("sheet", ["adopt", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert f"How the folder is laid out: {', '.join(all_layouts())}." in shown


@pytest.mark.parametrize("asked", ["bids", "bhsd", "ct-ich", "phe-sich"])
def test_another_known_layout_is_named(tmp_path: Path, asked: str) -> None:
    data = public_layouts.nnunet(tmp_path / "data", ["a"], DESCRIBED)
    assert "It is laid out as nnunet: name that layout" in refused(asked, data, tmp_path / "study")


def test_a_set_that_lies_one_folder_below_is_named_before_others(tmp_path: Path) -> None:
    public_layouts.phe_sich(tmp_path / "all/PHE", "images", "labels", 1)
    public_layouts.nnunet(tmp_path / "all", ["a"], DESCRIBED)
    message = refused("phe-sich", tmp_path / "all", tmp_path / "study")
    assert "Laid out so: PHE, in this folder: give the path of one of them" in message
    assert "name that layout" not in message


def test_a_pattern_that_is_not_in_a_name_is_refused(tmp_path: Path) -> None:
    data = public_layouts.nnunet(tmp_path / "data", ["p1", "q"], DESCRIBED, [1, 2])
    assert "value q: the name of this scan does not" in refused(
        "nnunet", data, tmp_path / "study", participant=r"p\d"
    )
    with pytest.raises(WrongOptions, match="no regular expression"):
        sheet_commands.adopt("nnunet", data, out=tmp_path / "study", participant="(")


Change = Callable[[Path], object]


def described(**changes: Any) -> Change:
    return lambda data: (data / "dataset.json").write_text(json.dumps(DESCRIBED | changes), encoding="utf-8")


BROKEN: dict[str, tuple[Change, str]] = {
    "no dataset.json": (
        lambda data: (data / "dataset.json").unlink(),
        "Looked for: dataset.json, imagesTr with",
    ),
    "no JSON": (lambda data: (data / "dataset.json").write_text("{"), "dataset.json: no JSON"),
    "a list": (lambda data: (data / "dataset.json").write_text("[]"), "no JSON object"),
    "no labels": (described(labels={}), "key labels: required"),
    "two channels": (described(channel_names={"0": "CT", "1": "PET"}), "several channels"),
    "a second channel's file": (
        lambda data: public_layouts.write_scan(data / "imagesTr/a_0001.nii.gz", None, 3),
        "a second channel",
    ),
    "pictures": (described(file_ending=".png"), "no format of volumes"),
    "overlapping regions": (
        described(labels={"background": 0, "whole": [1, 2], "core": 2}),
        "value 2 is that of 'whole', too",
    ),
    "a label that is no number": (described(labels={"ICH": "one"}), "must be a whole number"),
    "two labels of one name": (described(labels={"ICH 1": 1, "ICH-1": 2}), "reads like another label's name"),
    "names that do not fit": (
        lambda data: [path.rename(path.with_name(f"x{path.name}")) for path in (data / "labelsTr").iterdir()],
        "no image has a mask of its name",
    ),
    "one name twice": (
        lambda data: public_layouts.write_scan(data / "labelsTr/a.nii", None, 3),
        "both a.nii and a.nii.gz: keep one",
    ),
    "nothing drawn": (
        lambda data: [
            public_layouts.write_scan(
                data / f"imagesTr/{case}_0000.nii.gz", data / f"labelsTr/{case}.nii.gz", 3, []
            )
            for case in "ab"
        ],
        "no label has a voxel in any mask",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_folder_that_is_laid_out_otherwise_is_refused(tmp_path: Path, fault: str) -> None:
    data = public_layouts.nnunet(tmp_path / "data", ["a", "b"], DESCRIBED, [1, 2])
    change, words = BROKEN[fault]
    change(data)
    assert words in refused("nnunet", data, tmp_path / "study")


def test_what_was_looked_for_and_found_is_told(tmp_path: Path) -> None:
    (tmp_path / "data/pictures").mkdir(parents=True)
    message = refused("phe-sich", tmp_path / "data", tmp_path / "study")
    assert "Looked for: SubdatasetA_NIFIT/NIFIT/set and" in message
    assert "Found: pictures/" in message
    assert "It is laid out as" not in message
    assert "there is no such folder" in refused("phe-sich", tmp_path / "nowhere", tmp_path / "study")
    with pytest.raises(WrongOptions, match=r"no such layout: bidz; there are .*nnunet, phe-sich"):
        sheet_commands.adopt("bidz", tmp_path, out=tmp_path / "study")


def test_what_a_configuration_can_not_have_is_told_once_it_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = {f"L{n}": n for n in range(1, 9)}
    data = public_layouts.nnunet(tmp_path / "data", ["a", "b"], DESCRIBED | {"labels": labels}, range(1, 9))
    with pytest.raises(BadInput, match="labels"):
        sheet_commands.adopt("nnunet", data, out=tmp_path / "study")
    assert "Written: " in capsys.readouterr().out, "so that it can be mended by hand"


@pytest.mark.parametrize("name", adopting.WRITTEN)
def test_nothing_is_overwritten(tmp_path: Path, name: str) -> None:
    data = public_layouts.phe_sich(tmp_path / "data", *FROM_SLICES, 1)
    study = tmp_path / "study"
    study.mkdir()
    (study / name).write_text("mine")
    with pytest.raises(BadInput, match="is not overwritten"):
        sheet_commands.adopt("phe-sich", data, out=study)
    assert {path.name: path.read_text() for path in study.iterdir()} == {name: "mine"}


def test_paths_lead_from_the_sheet_through_links(tmp_path: Path) -> None:
    data = public_layouts.phe_sich(tmp_path / "disc/one/data", *PUBLISHED, 1)
    (tmp_path / "far/away/study").mkdir(parents=True)
    (tmp_path / "study").symlink_to(tmp_path / "far/away/study")
    (tmp_path / "data").symlink_to(data)
    rows = adopt("phe-sich", tmp_path / "data", tmp_path / "study")["rows"]
    assert all(Path(row["image"]).is_file() for row in rows)
    text = (tmp_path / "study/scans.tsv").read_text(encoding="utf-8")
    assert str(tmp_path) not in text, "paths are relative to the sheet"


def test_a_mask_that_cannot_be_read_is_told_and_stays_in_the_sheet(tmp_path: Path) -> None:
    data = public_layouts.phe_sich(tmp_path / "data", *PUBLISHED, 1)
    (data / PUBLISHED[1] / "0003.nii.gz").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    public_layouts.save(public_layouts.head(4), data / PUBLISHED[1] / "0004.nii.gz")
    found = adopt("phe-sich", data, tmp_path / "study")
    assert "0003 could not be used: a Git LFS pointer" in found["note"]
    assert "0004 could not be used: 22 values, as an image has" in found["note"]
    assert len(found["rows"]) == 6


def test_the_plan_is_of_a_study_of_its_own() -> None:
    plan = adopting.plan_of(["PHE", "ICH"], "ICH", datetime.date(2026, 11, 29))
    assert plan["comparison"] == "own"
    assert plan["primary"]["label"] == plan["key_secondary"][0]["label"] == "ICH"
    assert plan["equivalence"]["dice_margin"].keys() == {"PHE", "ICH"}


@pytest.mark.parametrize(
    ("name", "made"), [("a b", "a-b"), ("_x.y_", "x-y"), ("ü", "scan"), ("9" * 70, "9" * 64), ("a--b", "a-b")]
)
def test_ids_hold_what_ids_may_hold(name: str, made: str) -> None:
    assert as_id(name) == made


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("IVH", "IVH"),
        ("3", "label-3"),
        ("a" * 30, "a" * 20),
        ("subdural (acute)", "subdural-acute"),
        ("Subdural Hemorrhage", "SDH"),
    ],
)
def test_labels_hold_what_labels_may_hold(name: str, made: str) -> None:
    assert as_label(name) == made


def test_each_layout_says_whom_to_cite_and_how_it_may_be_used() -> None:
    known = all_layouts()
    assert known.keys() >= {"bhsd", "bids", "ct-ich", "nnunet", "phe-sich"}
    for layout in known.values():
        assert layout.licence
        assert layout.citation
        assert re.fullmatch(r"[a-z0-9-]+", layout.site)


def test_the_layout_that_the_documents_show_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (REPOSITORY / "docs/how-to/extending.md").read_text(encoding="utf-8")
    section = page.partition("## A new layout of a data set")[2]
    module = section.partition("```python\n")[2].partition("```")[0]
    (tmp_path / "layouts").mkdir()
    (tmp_path / "layouts/instance.py").write_text(module, encoding="utf-8")
    monkeypatch.setattr(layouts, "__path__", [*layouts.__path__, str(tmp_path / "layouts")])
    for number in (1, 2):
        name, folder = f"{number:03d}.nii.gz", tmp_path / "data/train_2"
        public_layouts.write_scan(folder / "data" / name, folder / "label" / name, number)
    try:
        found = adopt("instance", tmp_path / "data", tmp_path / "study")
    finally:  # by monkeypatch it would be put back, and later tests would look for its file
        sys.modules.pop(f"{layouts.__name__}.instance", None)
    assert found["config"]["labels"] == {"bleed": 1}
    assert [row["scan_id"] for row in found["rows"]] == ["instance-001", "instance-002"]


def test_bhsd_groups_by_patient(tmp_path: Path) -> None:
    names = ("ID_2db7ee14_ID_0123456789", "ID_2db7ee14_ID_abcdef0123", "ID_0000000a_ID_0123456789")
    for seed, name in enumerate(names):
        folder = tmp_path / "data/label_192"
        public_layouts.write_scan(
            folder / f"images/{name}.nii.gz", folder / f"ground truths/{name}.nii.gz", seed, [2, 4]
        )
    found = adopt("bhsd", tmp_path / "data", tmp_path / "study")
    assert found["config"]["labels"] == {"IPH": 2, "SAH": 4}
    assert len({row["participant_id"] for row in found["rows"]}) == 2
    assert "No mask has 'EDH'" in found["note"]
    assert (
        "1 participant with several scans, all of which the sheet has as baseline scans: ID_2db7ee14 "
        "(ID_2db7ee14_ID_0123456789, ID_2db7ee14_ID_abcdef0123)."
    ) in found["note"]


def test_what_is_known_of_the_published_set_is_not_told_as_found(tmp_path: Path) -> None:
    name = "ID_00000001_ID_0123456789.nii.gz"
    folder = tmp_path / "data/label_192"
    public_layouts.write_scan(folder / "images" / name, folder / "ground truths" / name, 1, [2])
    note = adopt("bhsd", tmp_path / "data", tmp_path / "study")["note"]
    found, _, published = note.partition("## Known traps of the published set, which were not looked for")
    assert "ID_2db7ee14" not in found
    assert "ID_2db7ee14, has two of the 192 published scans" in published
    assert "No participant has several scans" in found
    assert "1 scan of 1 participant in" in found


@pytest.mark.parametrize("above", ["", f"{ct_ich.LONG_NAME}/"])
def test_ct_ich_with_scans_that_have_no_bleed(tmp_path: Path, above: str) -> None:
    for number, values in ((49, [255]), (50, []), (66, [255])):
        folder, name = tmp_path / "data" / above, f"{number:03d}.nii"
        public_layouts.write_scan(folder / "ct_scans" / name, folder / "masks" / name, number, values)
    found = adopt("ct-ich", tmp_path / "data", tmp_path / "study")
    assert found["config"]["labels"] == {"bleed": 255}
    assert found["config"]["ingest"] == {"empty_masks": "lesion_free"}
    assert "Of the 75 published scans, not here: 051, 052" in found["note"]
    assert "059 to 065 were never published" in found["note"]
    assert "39 of the 75 published scans have no bleed" in found["note"]
    assert "1 mask without any other value: 050" in found["note"]
