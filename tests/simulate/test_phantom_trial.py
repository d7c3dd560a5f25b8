"""The simulated trial on disk: DICOM, masks, sheet, truth; resuming, refusing, repeating."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from headct.contracts.artefacts import read_tsv, sha256_of
from headct.contracts.problems import BadInput
from headct.settings.blocks import SimulatedSet, StandIn
from headct.simulate.settings import ExternalSet, TrialSettings, from_block
from headct.simulate.trial import enrolled, write_participant, write_trial
from support.phantom_settings import MASK_VALUES, PHANTOM


def _small() -> TrialSettings:
    settings = from_block(PHANTOM, MASK_VALUES, "test.yaml")
    return replace(settings, matrix=32, subvoxels_in_plane=1, labels={"ICH": 5, "PHE": 2, "IVH": 9})


@pytest.fixture(scope="module")
def settings() -> TrialSettings:
    return _small()


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory, settings: TrialSettings) -> Path:
    out = tmp_path_factory.mktemp("phantom") / "trial"
    write_trial(settings, out, jobs=2)
    return out


@pytest.fixture
def copy(trial: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trial, tmp_path / "trial"))


def _digests(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): sha256_of(p) for p in sorted(folder.rglob("*")) if p.is_file()}


def _series(trial: Path, scan: str) -> list[pydicom.Dataset]:
    return [pydicom.dcmread(path) for path in sorted((trial / "dicom" / scan).iterdir())]


def test_sheet_names_files_that_exist(trial: Path, settings: TrialSettings) -> None:
    sheet = read_tsv(trial / "scans.tsv")
    assert list(sheet["scan_id"]) == [person.scan_id for person in enrolled(settings)]
    assert sheet["participant_id"].is_unique
    assert set(sheet["sex"]) <= {"F", "M"}
    for column in ("dicom", "mask", "mask_intra", "mask_inter"):
        assert all((trial / path).exists() for path in sheet[column].dropna())
    truth = read_tsv(trial / "truth.tsv")
    assert len(truth) == 3 * len(sheet)
    complete = truth[~truth["truncated"]]
    error = (complete["met_ml"] - complete["requested_ml"]).abs()
    assert (error <= complete["largest_subvoxel_ml"]).all()


def test_masks_are_in_the_space_of_itks_reader(trial: Path, settings: TrialSettings) -> None:
    for row in read_tsv(trial / "scans.tsv").itertuples():
        reader = sitk.ImageSeriesReader()
        reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(trial / row.dicom)))
        image, mask = reader.Execute(), sitk.ReadImage(str(trial / row.mask))
        assert mask.GetSize() == image.GetSize()
        assert mask.GetPixelID() == sitk.sitkUInt8
        for got, expected in (
            (mask.GetSpacing(), image.GetSpacing()),
            (mask.GetOrigin(), image.GetOrigin()),
            (mask.GetDirection(), image.GetDirection()),
        ):
            assert got == pytest.approx(expected, abs=1e-3)
        assert set(np.unique(sitk.GetArrayViewFromImage(mask))) <= {0, *settings.labels.values()}
        # the mask is of this series: bleeds are brighter than oedema in it
        ct, labels = sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(mask)
        assert ct[labels == settings.labels["ICH"]].mean() > ct[labels == settings.labels["PHE"]].mean() + 15


def test_dicom_identity_is_fictitious_and_apart_from_the_sheet(trial: Path) -> None:
    sheet = read_tsv(trial / "scans.tsv").set_index("scan_id")
    seen = set()
    for scan, row in sheet.iterrows():
        first = _series(trial, str(scan))[0]
        assert str(first.PatientName).startswith("Fictitious^")
        assert first.PatientID not in row["participant_id"]
        assert row["participant_id"] not in first.PatientID
        seen.add((first.PatientID, first.SeriesInstanceUID, first.StudyInstanceUID))
    assert len(seen) == len(sheet)


def test_files_are_not_in_slice_order(trial: Path) -> None:
    series = _series(trial, "scan-0001")
    heights = [float(instance.ImagePositionPatient[2]) for instance in series]
    assert heights not in (sorted(heights), sorted(heights, reverse=True))
    assert len({instance.SOPInstanceUID for instance in series}) == len(series)
    assert {(i.RescaleSlope, i.RescaleIntercept) for i in series} == {(1, -1024)}


def test_an_incomplete_scan_lacks_a_section_in_its_middle(trial: Path) -> None:
    heights = np.sort([float(i.ImagePositionPatient[2]) for i in _series(trial, "scan-9001")])
    gaps = np.diff(heights)
    assert gaps.max() == pytest.approx(3 * np.median(gaps), abs=0.01)
    assert 0.25 < gaps.argmax() / len(gaps) < 0.75


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="no dciodvfy (Debian package dicom3tools)")
def test_instances_are_valid_ct_images(trial: Path) -> None:
    for row in read_tsv(trial / "scans.tsv").itertuples():
        for path in sorted((trial / row.dicom).iterdir())[:2]:
            done = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
            assert "Error" not in done.stderr + done.stdout, done.stderr
            assert "CTImage" in done.stderr + done.stdout


def test_a_complete_trial_is_left_alone(
    copy: Path, settings: TrialSettings, caplog: pytest.LogCaptureFixture
) -> None:
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    with caplog.at_level("INFO", "headct"):
        write_trial(settings, copy, jobs=1)
    assert "complete" in caplog.text
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*")} == before


def _lose_a_slice(trial: Path) -> None:
    next((trial / "dicom" / "scan-0002").iterdir()).unlink()


def _lose_a_mask(trial: Path) -> None:
    (trial / "masks" / "scan-0001.nii.gz").unlink()


def _lose_the_tables(trial: Path) -> None:
    (trial / "scans.tsv").unlink()
    (trial / "truth" / "scan-0003.json").unlink()
    (trial / "dicom" / ".scan-0003.partial").mkdir()


@pytest.mark.parametrize("lose", [_lose_a_slice, _lose_a_mask, _lose_the_tables])
def test_a_half_written_trial_is_completed_to_the_same_bytes(
    trial: Path, copy: Path, settings: TrialSettings, lose: Callable[[Path], None]
) -> None:
    lose(copy)
    write_trial(settings, copy, jobs=1)
    assert _digests(copy) == _digests(trial)


def test_more_participants_leave_the_others_as_they_are(
    trial: Path, copy: Path, settings: TrialSettings
) -> None:
    write_trial(replace(settings, participants=settings.participants + 1), copy, jobs=1)
    before, after = _digests(trial), _digests(copy)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"scans.tsv", "truth.tsv", "trial.json"}
    assert len(read_tsv(copy / "scans.tsv")) == len(read_tsv(trial / "scans.tsv")) + 1


def test_label_maps_of_a_stand_in_may_come_later_and_change_no_other_file(
    copy: Path, settings: TrialSettings
) -> None:
    before = _digests(copy)
    write_trial(replace(settings, outside_model=StandIn(bias_mm=1.0, jitter_mm=1.0)), copy, jobs=2)
    after = _digests(copy)
    maps = {path for path in after if path.startswith("outside_model/")}
    assert maps == {f"outside_model/{person.scan_id}.nii.gz" for person in enrolled(settings)}
    assert {path: after[path] for path in after.keys() - maps - {"trial.json"}} == {
        path: before[path] for path in before.keys() - {"trial.json"}
    }
    for path in maps:
        drawn, reading = (
            sitk.GetArrayFromImage(sitk.ReadImage(str(copy / folder / Path(path).name)))
            for folder in ("outside_model", "masks")
        )
        assert drawn.shape == reading.shape
        assert drawn.any()
        assert not np.array_equal(drawn, reading), "it errs otherwise than the rater"


def test_an_external_set_may_come_later_with_rows_of_its_own(copy: Path, settings: TrialSettings) -> None:
    before, sheet = _digests(copy), read_tsv(copy / "scans.tsv", onset_to_ct_h=str, age=str)
    elsewhere = replace(settings.sites[0], name="Elsewhere", slice_thickness_mm=9.0)
    elsewhere = replace(elsewhere, upper_slice_thickness_mm=9.0)
    external = ExternalSet(name="far", participants=2, sites=(elsewhere,))
    write_trial(replace(settings, external_set=external), copy, jobs=2)
    tables = {"scans.tsv", "truth.tsv", "trial.json"}
    after = _digests(copy)
    assert {path: after[path] for path in before.keys() - tables} == {
        path: before[path] for path in before.keys() - tables
    }
    grown = read_tsv(copy / "scans.tsv", onset_to_ct_h=str, age=str)
    assert grown[grown["set"].isna()].drop(columns="set").equals(sheet)
    added = grown[grown["set"] == "external:far"]
    assert list(added["participant_id"]) == ["E0001", "E0002"]
    assert set(added["site"]) == {"Elsewhere"}
    assert len(added) + len(sheet) == len(grown)
    heights = np.sort([float(one.ImagePositionPatient[2]) for one in _series(copy, added["scan_id"].iloc[0])])
    assert np.diff(heights) == pytest.approx(9.0 / np.cos(np.deg2rad(18)), rel=0.1), "its own scanner"


def test_a_site_of_the_study_and_one_of_an_external_set_have_two_names() -> None:
    block = replace(PHANTOM, external_set=SimulatedSet(name="far", participants=1, sites=PHANTOM.sites[:1]))
    with pytest.raises(BadInput, match=r"external_set\.sites.*two entries have the same name"):
        from_block(block, MASK_VALUES, "test.yaml")


def test_another_trial_is_refused(copy: Path, settings: TrialSettings) -> None:
    with pytest.raises(BadInput, match=r"other settings.*seed"):
        write_trial(replace(settings, seed=8), copy, jobs=1)
    with pytest.raises(BadInput, match="participants"):
        write_trial(replace(settings, participants=1), copy, jobs=1)
    (copy / "trial.json").write_text("{")
    with pytest.raises(BadInput, match="damaged"):
        write_trial(settings, copy, jobs=1)


def test_a_folder_with_other_files_or_a_file_is_refused(tmp_path: Path, settings: TrialSettings) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BadInput, match=r"no simulated trial"):
        write_trial(settings, tmp_path, jobs=1)
    with pytest.raises(BadInput, match="can't be written"):
        write_trial(settings, tmp_path / "notes.txt" / "trial", jobs=1)


def test_writing_one_participant_alone_gives_the_same_bytes(
    trial: Path, tmp_path: Path, settings: TrialSettings
) -> None:
    write_participant(settings, enrolled(settings)[1], tmp_path)
    whole = _digests(trial)
    alone = _digests(tmp_path)
    assert alone == {name: whole[name] for name in alone}
    assert len(alone) > 20
