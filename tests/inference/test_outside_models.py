"""Label maps of models that were made elsewhere: found, read, placed, listed; what is told of others."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from headct.contracts.artefacts import read_json, read_tsv, sha256_of, write_tsv
from headct.contracts.no_prediction import REFUSED, kind_of
from headct.contracts.problems import BadInput
from headct.engine import offline
from headct.frameworks.outside import maps_folder, program_output
from headct.imaging import geometry, mask_files
from headct.settings.outside import Command, External
from support import outside_study
from support.ct_series import head
from support.label_sets import LABELS
from support.masked_scan import drawn, write_mask
from support.outside_study import MANIFEST, on_disk
from support.segmentations import sorted_by_number, write_dicom_seg

SCANS = ("s1", "s2", "s3")


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three converted test scans, tilted, and a folder of their label maps as ITK would write them."""
    monkeypatch.chdir(tmp_path)
    outside_study.convert({name: head() + np.int16(number) for number, name in enumerate(SCANS)})
    Path("rival").mkdir()
    for name in SCANS:
        write_mask(Path("dicom", name), Path("rival", f"{name}.nii.gz"), np.roll(drawn(), 1, axis=2))
    return tmp_path


def take(**settings: object) -> pd.DataFrame:
    """The list that the step writes of a folder's label maps."""
    return outside_study.take(framework="external", folder="rival", **settings)


def values_of(path: Path, change: dict[int, int]) -> None:
    """Give a label map other values."""
    image = sitk.ReadImage(str(path))
    array = sitk.GetArrayFromImage(image).astype(np.uint16)
    changed = np.vectorize(lambda value: change.get(value, value), otypes=[np.uint16])(array)
    other = sitk.GetImageFromArray(changed)
    other.CopyInformation(image)
    sitk.WriteImage(other, str(path))


def test_they_lie_on_the_grid_of_the_scan_and_are_listed_with_their_origin(study: Path) -> None:
    table = take()
    assert list(table["scan_id"]) == list(SCANS)
    assert set(table["reason"]) == {""}
    for row in table.to_dict("records"):
        scan = row["scan_id"]
        path = MANIFEST.parent / row["path"]
        np.testing.assert_array_equal(on_disk(scan), np.roll(drawn(), 1, axis=2))
        reference = sitk.ReadImage(f"results/data/{scan}/labels.nii.gz")
        ours = sitk.ReadImage(str(path))
        for read in ("GetSpacing", "GetOrigin", "GetDirection", "GetPixelID"):
            assert getattr(ours, read)() == getattr(reference, read)(), "measured without a conversion"
        assert row["sha256"] == sha256_of(path)
        assert row["source_sha256"] == sha256_of(study / "rival" / f"{scan}.nii.gz")


def test_the_grid_of_the_converted_scan_and_other_formats_will_do(study: Path) -> None:
    """What a tool writes that was given ct.nii.gz, a MetaImage, and a DICOM segmentation in a folder."""
    shifted = np.roll(drawn(), 1, axis=2)
    for path in (study / "rival").iterdir():
        path.unlink()
    like = sitk.ReadImage("results/data/s1/ct.nii.gz")
    image = sitk.GetImageFromArray(shifted)
    image.CopyInformation(like)
    sitk.WriteImage(image, str(study / "rival/s1.nii.gz"))
    write_mask(study / "dicom/s2", study / "rival/s2.mha", shifted)
    (study / "rival/s3").mkdir()
    series = sorted_by_number(study / "dicom/s3")
    names = {1: "ICH", 2: "PHE", 3: "IVH"}
    write_dicom_seg(study / "rival/s3/seg.dcm", series, shifted, names)
    take()
    for scan in SCANS:
        np.testing.assert_array_equal(on_disk(scan), shifted)


def test_values_mean_what_the_settings_say(study: Path) -> None:
    for scan in SCANS:
        values_of(study / "rival" / f"{scan}.nii.gz", {1: 7, 2: 300, 3: 9})
    take(labels={"ICH": 7, "PHE": [300, 301], "IVH": [], "ignore": 9})
    expected = np.roll(np.where(drawn() == 3, 0, drawn()), 1, axis=2)
    np.testing.assert_array_equal(on_disk("s1"), expected)


def test_a_map_without_a_lesion_says_that_there_is_none(study: Path) -> None:
    values_of(study / "rival/s1.nii.gz", {1: 0, 2: 0, 3: 0})
    assert set(take()["reason"]) == {""}
    assert not on_disk("s1").any()


def test_all_that_is_wrong_is_told_in_one_table_and_nothing_is_listed(study: Path) -> None:
    (study / "rival/s1.nii.gz").unlink()
    values_of(study / "rival/s2.nii.gz", {2: 5})
    other = sitk.ReadImage(str(study / "rival/s3.nii.gz"))
    other.SetOrigin([value + 2 for value in other.GetOrigin()])
    sitk.WriteImage(other, str(study / "rival/s3.nii.gz"))
    with pytest.raises(BadInput) as refused:
        take()
    told = {problem.row or Path(problem.file).name: problem for problem in refused.value.problems}
    assert told.keys() == {"s1", "s2.nii.gz", "s3.nii.gz"}
    assert "no label map of this test scan" in told["s1"].message
    assert "set missing to no_prediction" in told["s1"].message
    assert told["s2.nii.gz"].value.startswith("5 (")
    assert told["s2.nii.gz"].key == "models.rival.labels"
    assert "does not lie on the scan's grid" in told["s3.nii.gz"].message
    assert not MANIFEST.exists()


def test_a_missing_one_is_a_missing_prediction_only_where_the_settings_say_so(study: Path) -> None:
    (study / "rival/s2.nii.gz").unlink()
    with pytest.raises(BadInput, match="no label map of this test scan"):
        take()
    table = take(missing="no_prediction").set_index("scan_id")
    assert (table.loc["s2", "path"], table.loc["s2", "source_sha256"]) == ("", "")
    assert kind_of(table.loc["s2", "reason"]) == REFUSED
    assert set(table.loc[["s1", "s3"], "reason"]) == {""}
    assert not (MANIFEST.with_suffix("") / "s2.nii.gz").exists()


def test_a_wrong_one_is_an_error_even_so(study: Path) -> None:
    values_of(study / "rival/s2.nii.gz", {2: 5})
    with pytest.raises(BadInput, match="unknown label values"):
        take(missing="no_prediction")


def write_probabilities(
    scan: str, label_map: np.ndarray, change: Callable[[np.ndarray], None], name: str = ""
) -> None:
    """Probabilities of .7 for the class of each voxel and .1 for others, changed; in the place of its map,
    unless they have a name of their own.
    """
    image = sitk.ReadImage(str(Path("rival", f"{scan}.nii.gz")))
    path = Path("rival", f"{name or scan}.nii.gz")
    channels = np.stack([np.where(label_map == value, 0.7, 0.1) for value in range(4)]).astype(np.float32)
    change(channels)
    images = [sitk.GetImageFromArray(channel) for channel in channels]
    for one in images:
        one.CopyInformation(image)
    sitk.WriteImage(sitk.JoinSeries(images), str(path))


def unchanged(channels: np.ndarray) -> None:
    del channels


def test_the_most_probable_class_counts_and_of_equals_the_first(study: Path) -> None:
    expected = np.roll(drawn(), 1, axis=2)

    def with_a_tie(channels: np.ndarray) -> None:
        """Of the third and the second lesion in one voxel, and of the first and the background in another."""
        channels[:, 0, 0, 0] = (0.1, 0.1, 0.4, 0.4)
        channels[:, 0, 0, 1] = (0.4, 0.4, 0.1, 0.1)

    for scan in SCANS:
        write_probabilities(scan, expected, with_a_tie)
    take(content="probabilities")
    expected[0, 0, :2] = (2, 0)
    for scan in SCANS:
        np.testing.assert_array_equal(on_disk(scan), expected)
    take(content="probabilities", labels={"ICH": 3, "PHE": [1], "IVH": [], "ignore": 2})
    meant = np.array([0, LABELS["PHE"], 0, LABELS["ICH"]])
    np.testing.assert_array_equal(on_disk("s1"), meant[expected])


def test_probabilities_of_several_folds_are_averaged(study: Path) -> None:
    """The class that two of three networks are nearly sure of loses to the one that the third is sure of."""
    for scan in SCANS:
        for fold, first in enumerate(((0.1, 0.45, 0.4, 0.05), (0.1, 0.45, 0.4, 0.05), (0.0, 0.0, 1.0, 0.0))):

            def of_network(channels: np.ndarray, first: tuple[float, ...] = first) -> None:
                channels[:, 0, 0, 0] = first

            write_probabilities(scan, drawn(), of_network, f"{scan}-fold-{fold}")
        whole = Path("rival", f"{scan}.nii.gz")
        whole.unlink()
        Path("rival", scan).mkdir()
        for file in sorted(Path("rival").glob(f"{scan}-fold-*")):
            file.rename(Path("rival", scan, file.name))
    take(content="probabilities")
    expected = drawn()
    expected[0, 0, 0] = 2
    for scan in SCANS:
        np.testing.assert_array_equal(on_disk(scan), expected)
    moved = sitk.ReadImage("rival/s1/s1-fold-1.nii.gz")
    moved.SetOrigin([value + 2 for value in moved.GetOrigin()])
    sitk.WriteImage(moved, "rival/s1/s1-fold-1.nii.gz")
    Path("rival/s2/s2-fold-2.nii.gz").write_bytes(b"garbage")
    with pytest.raises(BadInput) as refused:
        take(content="probabilities")
    said = {problem.file: problem.message for problem in refused.value.problems}
    assert "another grid than the first file" in said["rival/s1/s1-fold-1.nii.gz"]
    assert "can't be read" in said["rival/s2/s2-fold-2.nii.gz"]
    assert len(said) == 2
    Path("rival/s2/s2-fold-2.nii.gz").unlink()
    with pytest.raises(BadInput, match="has 2 files of probabilities, others have 3"):
        take(content="probabilities")


def test_what_are_no_probabilities_is_told_of_each_scan(study: Path) -> None:
    def negative(channels: np.ndarray) -> None:
        channels[:2, 1, 1, 1] = (0.9, -0.1)

    def not_one(channels: np.ndarray) -> None:
        channels[0, 1, 1, 1:3] += 0.1

    def no_number(channels: np.ndarray) -> None:
        channels[:, 2, 2, 2] = np.nan

    for scan, change in zip(SCANS, (negative, not_one, no_number), strict=True):
        write_probabilities(scan, drawn(), change)
    with pytest.raises(BadInput) as refused:
        take(content="probabilities")
    said = {Path(problem.file).name[:2]: problem.message for problem in refused.value.problems}
    assert "1 value below 0 or above 1 (from -0.1 to 0.9): no probabilities" in said["s1"]
    assert "in 2 voxels the sum over its classes is not 1, but off by up to 0.1" in said["s2"]
    assert "in 1 voxel the sum over its classes is not 1, but off by up to 1" in said["s3"]
    assert not MANIFEST.exists()


def test_other_channels_than_classes_a_label_map_and_another_grid_are_refused(study: Path) -> None:
    write_probabilities("s1", drawn(), unchanged)
    write_probabilities("s3", drawn(), unchanged)
    other = sitk.ReadImage("rival/s3.nii.gz")
    other.SetOrigin([value + 2 for value in other.GetOrigin()])
    sitk.WriteImage(other, "rival/s3.nii.gz")
    with pytest.raises(BadInput) as refused:
        take(content="probabilities")
    said = {Path(problem.file).name[:2]: problem.message for problem in refused.value.problems}
    assert said.keys() == {"s2", "s3"}
    assert "it has 1 channel (the last dimension counts)" in said["s2"]
    assert "does not lie on the scan's grid" in said["s3"]
    with pytest.raises(BadInput, match="which must be 1, 2, 3, … and are 1, 2"):
        take(content="probabilities", labels={"ICH": 1, "PHE": 2, "IVH": []})
    with pytest.raises(BadInput, match="not of 0 and 1 alone"):
        take()


def of_participants(*ids: str) -> None:
    """Say whose the three test scans are."""
    split = read_tsv(outside_study.SPLIT)
    split.loc[split["set"] == "test", "participant_id"] = ids
    write_tsv(split, outside_study.SPLIT)


def block(side: int) -> np.ndarray:
    """A label map with a cube of the first lesion."""
    labels = np.zeros_like(drawn())
    labels[2 : 2 + side, 4 : 4 + side, 4 : 4 + side] = 1
    return labels


def test_one_label_map_for_two_participants_is_an_error_of_both_scans(study: Path) -> None:
    """Whatever its file: a wrong name, or a copy that was saved again, scores one head by another's."""
    write_mask(study / "dicom/s1", study / "rival/s1.nii.gz", block(6))
    write_mask(study / "dicom/s3", study / "rival/s3.nrrd", block(6))
    (study / "rival/s3.nii.gz").unlink()
    write_mask(study / "dicom/s2", study / "rival/s2.nii.gz", block(5))
    of_participants("a", "b", "c")
    with pytest.raises(BadInput, match="the same label map, voxel for voxel, as of") as refused:
        take()
    told = {problem.row: (Path(problem.file).name, problem.message) for problem in refused.value.problems}
    assert told.keys() == {"s1", "s3"}
    assert (told["s1"][0], told["s3"][0]) == ("s1.nii.gz", "s3.nrrd")
    assert "as of s3, another participant's" in told["s1"][1]
    assert "as of s1, another participant's" in told["s3"][1]
    assert not MANIFEST.exists()


@pytest.mark.parametrize(
    ("labels", "ids"),
    [
        pytest.param(block(6), ("a", "a", "a"), id="two reconstructions of one participant"),
        pytest.param(block(0), ("a", "b", "c"), id="no lesion"),
        pytest.param(block(4), ("a", "b", "c"), id="a speck"),
    ],
)
def test_equal_label_maps_that_may_be_right_are_taken(
    study: Path, labels: np.ndarray, ids: tuple[str, ...]
) -> None:
    for scan in SCANS:
        write_mask(study / "dicom" / scan, study / "rival" / f"{scan}.nii.gz", labels)
    of_participants(*ids)
    assert set(take()["reason"]) == {""}


def test_two_maps_of_a_scan_are_an_error(study: Path) -> None:
    write_mask(study / "dicom/s1", study / "rival/s1.nrrd", drawn())
    with pytest.raises(BadInput, match="several label maps of one scan"):
        take()


def test_settings_that_can_not_be_understood_are_told_together(study: Path) -> None:
    with pytest.raises(BadInput) as refused:
        take(missing="never", labels={"ICH": 0}, folders="x")
    assert {problem.key for problem in refused.value.problems} >= {"missing", "labels.ICH"}


def test_the_names_are_those_of_all_formats_of_masks() -> None:
    assert set(mask_files.SUFFIXES) <= set(maps_folder.ENDS)


def test_a_changed_folder_brings_the_job_back(study: Path) -> None:
    take()
    folder = study / "rival"
    settings = External(framework="external", folder="rival")

    def revision() -> int:
        return maps_folder.revision(MANIFEST, settings)

    assert revision() == 0
    later = MANIFEST.stat().st_mtime + 60
    for path in folder.iterdir():
        os.utime(path, (later, later))
    assert revision() == 0, "copied files have new times and the same bytes"
    one = (folder / "s1.nii.gz").read_bytes()
    (folder / "s1.nii.gz").write_bytes((folder / "s2.nii.gz").read_bytes() + b"\0")
    os.utime(folder / "s1.nii.gz", (later, later))
    assert revision() == 1
    (folder / "s1.nii.gz").unlink()
    assert revision() == 1
    (folder / "s1.nii.gz").write_bytes(one)
    assert revision() == 0
    (MANIFEST.with_suffix("") / "s1.nii.gz").unlink()
    assert revision() == 1


# -- made by a command -------------------------------------------------------------------------------

TOOL = """
import pathlib, shutil, sys
import SimpleITK as sitk
source, out = map(pathlib.Path, sys.argv[1:3])
with open("calls.txt", "a") as calls:
    files = sorted(source.iterdir()) if source.is_dir() else [source]
    print(*(file.name for file in files), file=calls)
pairs = [(source, out)]
if source.is_dir():
    pairs = [(file, out / file.name.replace("_0000", "")) for file in sorted(source.iterdir())]
for image, to in pairs:
    ct = sitk.ReadImage(str(image))
    lowest = sitk.GetArrayFromImage(ct).max() < 201
    if (lowest and "--fails-on-first" in sys.argv):
        sys.exit(3)
    sitk.WriteImage(sitk.Cast(ct > 100, sitk.sitkUInt8), str(to))
"""
"""What segments bone, once in a folder and once in a file."""
BONE = (head() > 100).astype(np.uint8)


def run_command(words: str, **settings: object) -> pd.DataFrame:
    """The list that a command leads to; its words stand behind ``python tool.py``."""
    Path("tool.py").write_text(TOOL, encoding="utf-8")
    return outside_study.take(framework="command", command=f"{sys.executable} tool.py {words}", **settings)


def calls() -> list[str]:
    return Path("calls.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("words", ["{images} {label_maps}", "{image} {label_map}"])
def test_a_command_sees_neutral_names_and_its_maps_are_placed(study: Path, words: str) -> None:
    table = run_command(words, files=["tool.py"])
    assert set(table["reason"]) == {""}
    np.testing.assert_array_equal(on_disk("s1"), BONE)
    neutral = [f"case_000{number}_0000.nii.gz" for number in (1, 2, 3)]
    of_each = [neutral[0]] * 3
    assert calls() == ([" ".join(neutral)] if "images" in words else of_each)
    assert len(set(table["source_sha256"])) == 1
    assert not list(Path("work/outside").rglob("run-*"))


def test_a_command_is_run_again_for_what_is_not_there_alone(study: Path) -> None:
    run_command("{image} {label_map}", files=["tool.py"])
    run_command("{image} {label_map}", files=["tool.py"])
    assert len(calls()) == 3
    next(Path("work/outside/rival").rglob("*.nii.gz")).unlink()
    run_command("{image} {label_map}", files=["tool.py"])
    assert len(calls()) == 4
    run_command("{image} {label_map} --other", files=["tool.py"])
    assert len(calls()) == 7, "another command has made nothing yet"


def test_a_scan_that_the_command_fails_on_is_told_or_counts_as_wrong(study: Path) -> None:
    words = "{image} {label_map} --fails-on-first"
    with pytest.raises(BadInput, match="the command made no label map of this test scan") as refused:
        run_command(words)
    assert [problem.row for problem in refused.value.problems] == ["s1"]
    table = run_command(words, missing="no_prediction").set_index("scan_id")
    assert table.loc["s1", "reason"] == "its command made no label map of it"
    assert (table.loc["s1", "path"], table.loc["s2", "reason"]) == ("", "")


def test_one_for_all_scans_that_fails_is_an_error(study: Path) -> None:
    with pytest.raises(BadInput, match="ended with exit status 3"):
        run_command("{images} {label_maps} --fails-on-first", missing="no_prediction")


def test_what_a_command_says_is_bounded_in_the_log_and_ends_as_it_ended(
    study: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """A program that repeats itself for ever fills no log, and why it failed stands there."""
    Path("loud.py").write_text(
        "import sys\nprint('begin', *range(10**6))\nsys.exit('out of luck')", encoding="utf-8"
    )
    command = f"{sys.executable} loud.py {{images}} {{label_maps}}"
    with pytest.raises(BadInput, match="ended with exit status 1"):
        outside_study.take(framework="command", command=command)
    log = capfdbinary.readouterr().err
    assert len(log) < program_output.OF_A_JOB + 500
    assert b"bytes of what it said are left out here]" in log
    assert b"out of luck\n" in log


def test_what_a_command_made_is_checked_as_what_is_handed_over(study: Path) -> None:
    with pytest.raises(BadInput, match="unknown label values"):
        run_command("{images} {label_maps}", labels={"ICH": 2, "PHE": [], "IVH": []})


def test_a_program_that_is_not_there_is_told(study: Path) -> None:
    with pytest.raises(BadInput, match="there is no such program"):
        outside_study.take(framework="command", command="no-such-program {images} {label_maps}")


def test_a_program_imports_what_lies_beside_it(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does where its user starts it; a job itself imports nothing of the study's folder."""
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    Path("rival/segmenting.py").write_text(TOOL, encoding="utf-8")
    Path("rival/main.py").write_text("import segmenting", encoding="utf-8")
    command = f"{sys.executable} rival/main.py {{images}} {{label_maps}}"
    assert set(outside_study.take(framework="command", command=command)["reason"]) == {""}


def test_a_command_has_no_network(tmp_path: Path) -> None:
    """Where the kernel keeps it away; else it is said."""
    code = "import socket; print(sorted(name for _, name in socket.if_nameindex()))"
    launcher = [sys.executable, "-I", offline.__file__, sys.executable, "-c", code]
    done = subprocess.run(launcher, capture_output=True, text=True, check=True)
    assert done.stdout == "['lo']\n" or "can't keep the network away" in done.stderr


def test_changed_files_of_a_command_bring_the_job_back(study: Path) -> None:
    run_command("{images} {label_maps}", files=["tool.py"])
    settings = Command(
        framework="command",
        command=f"{sys.executable} tool.py {{images}} {{label_maps}}",
        files=("tool.py",),
    )
    later = MANIFEST.stat().st_mtime + 60
    assert maps_folder.revision(MANIFEST, settings) == 0
    os.utime("tool.py", (later, later))
    assert maps_folder.revision(MANIFEST, settings) == 0, "the same bytes"
    Path("tool.py").write_text("pass", encoding="utf-8")
    os.utime("tool.py", (later, later))
    assert maps_folder.revision(MANIFEST, settings) == 1
    Path("tool.py").unlink()
    assert maps_folder.revision(MANIFEST, settings) == 1


def test_a_geometry_comes_back_from_its_record(study: Path) -> None:
    entry = read_json("results/data/s1/scan.json")["geometry"]
    grid = geometry.from_json(entry)
    assert {**grid.as_json(), "moved_in_plane": entry["moved_in_plane"]} == entry
    assert grid.tilt_deg == pytest.approx(15.0)
