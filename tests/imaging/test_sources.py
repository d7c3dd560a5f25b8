"""Sources of images: what takes what, and that a new one is one module."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from headct.contracts.artefacts import read_json, read_tsv
from headct.contracts.code import code_digests
from headct.contracts.problems import BadInput
from headct.contracts.repository import REPOSITORY
from headct.imaging import nifti, sources
from headct.imaging.fitness import SeriesRules
from headct.imaging.header_grid import HeaderGrid
from headct.imaging.nifti_geometry import placement
from headct.imaging.sources import dicom_folder, nifti_file
from headct.imaging.sources.image_source import HEADER_SPACING, SLICE_POSITIONS, ImageFacts
from headct.inference import new_scans
from headct.settings import sheet
from support import ct_series, masked_scan, monai_miniature
from support.label_sets import GIVEN, MASKS_GIVEN

TOY = Path(__file__).parents[1] / "support/toy_source.py"


def volume_of(path: Path) -> Path:
    """A head as NIfTI, 12 slices of 16 x 16 pixels of 4 mm, 5 mm apart."""
    image = sitk.GetImageFromArray(ct_series.head())
    image.SetSpacing((4.0, 4.0, 5.0))
    sitk.WriteImage(image, str(path))
    return path


def test_a_source_is_found_by_what_is_handed_over(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert isinstance(sources.find(tmp_path / "folder", "s"), dicom_folder.Source)
    file = volume_of(tmp_path / "s.nii.gz")
    assert isinstance(sources.find(file, "s"), nifti_file.Source)
    nameless = file.rename(tmp_path / "s")
    assert isinstance(sources.find(nameless, "s"), nifti_file.Source)
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(
        sources.NoImage, match=r"neither a .*NIfTI file \(.nii, .hdr, .nii.gz\), .* nor a folder: by its "
    ):
        sources.find(tmp_path / "notes.txt", "s")


def test_a_label_map_lies_on_the_file_that_was_handed_over(tmp_path: Path) -> None:
    """Of a sheared NRRD, as NIfTI: voxel for voxel, by an affine that nibabel reads."""
    columns = np.array([[4.0, 0, 0], [0, 3.9, -0.9], [0, 0, 5]])
    fields = {
        "type": "short",
        "dimension": "3",
        "space": "RAS",
        "sizes": "16 16 12",
        "space directions": " ".join(f"({x:g},{y:g},{z:g})" for x, y, z in columns),
        "space origin": "(-30,-40,10)",
        "endian": "little",
        "encoding": "raw",
    }
    header = "".join(f"{name}: {value}\n" for name, value in fields.items())
    hu = ct_series.head()
    (tmp_path / "s.nrrd").write_bytes(f"NRRD0004\n{header}\n".encode() + hu.astype("<i2").tobytes())
    volume = sources.find(tmp_path / "s.nrrd", "s").read(SeriesRules(), lambda grid: True, ImageFacts())
    volume.grid.write((volume.hu > 100).astype(np.uint8), tmp_path / "labels.nii.gz")
    labels = nibabel.load(tmp_path / "labels.nii.gz")
    true = np.eye(4)
    true[:3, :3], true[:3, 3] = columns.T, (-30, -40, 10)
    np.testing.assert_allclose(labels.affine, true, atol=1e-5)
    np.testing.assert_array_equal(np.asanyarray(labels.dataobj), (hu > 100).transpose())
    one = np.zeros(hu.shape, bool)
    one[3, 4, 5] = True
    assert volume.grid.volume_ml(one) * 1000 == pytest.approx(np.linalg.det(columns), rel=1e-6)


def test_the_name_of_a_scan_is_without_the_suffix_of_its_source() -> None:
    names = {
        "a.nii.gz": "a",
        "a.NII": "a",
        "a.zip": "a",
        "a.nrrd": "a",
        "a.mhd": "a",
        "a.hdr": "a",
        "a.b.nii": "a.b",
        "a.gz": "a.gz",
        "a": "a",
    }
    assert {name: sources.name_without_suffix(name) for name in names} == names


def test_a_dicomdir_is_called_after_its_folder(tmp_path: Path) -> None:
    ct_series.write_series(tmp_path / "disc" / "IMAGES")
    (tmp_path / "disc/DICOMDIR").write_bytes(b"index")
    found = new_scans.find([tmp_path / "disc/DICOMDIR"])
    assert found == {"disc": tmp_path / "disc/DICOMDIR"}
    assert new_scans.digest_of(tmp_path / "disc/DICOMDIR") == new_scans.digest_of(tmp_path / "disc")


def test_an_edit_of_a_source_is_an_edit_of_ingest_and_of_new_scans() -> None:
    for step in ("headct.cohort.ingest", "headct.inference.new_scans"):
        modules = code_digests([step])
        assert {"headct.imaging.sources.dicom_folder", "headct.imaging.sources.nifti_file"} <= modules.keys()
        assert "headct.imaging.series" in modules


def test_one_head_as_dicom_and_as_nifti(tmp_path: Path) -> None:
    ct_series.write_series(tmp_path / "dicom")
    volumes = {}
    for path in (tmp_path / "dicom", volume_of(tmp_path / "s.nii.gz")):
        facts = ImageFacts()
        volumes[path.name] = sources.find(path, "s").read(SeriesRules(), lambda grid: True, facts)
        assert facts.geometry == volumes[path.name].grid.geometry.as_json()
    from_dicom, from_nifti = volumes["dicom"], volumes["s.nii.gz"]
    np.testing.assert_array_equal(from_dicom.hu, from_nifti.hu)
    assert (from_dicom.grid.volumes_from, from_nifti.grid.volumes_from) == (SLICE_POSITIONS, HEADER_SPACING)
    drawn = masked_scan.drawn() == 1
    assert from_dicom.grid.volume_ml(drawn) == pytest.approx(from_nifti.grid.volume_ml(drawn), rel=1e-9)


def test_the_geometry_of_a_nifti_file_keeps_its_shear(tmp_path: Path) -> None:
    header = nifti.read_header(volume_of(tmp_path / "s.nii"))
    shear = np.tan(np.radians(20)) * 5
    header["sform_code"], header["qform_code"] = 1, 0
    header["srow_x"], header["srow_y"], header["srow_z"] = (-4, 0, 0, 9), (0, -4, shear, 8), (0, 0, 5, 7)
    placed = placement(header, (16, 16, 12))
    geometry = HeaderGrid(header, placed).geometry
    assert geometry.tilt_deg == pytest.approx(20)
    np.testing.assert_allclose(geometry.weights_mm, np.full(12, placed.gap_mm))
    np.testing.assert_allclose(geometry.sheared_affine, placed.lps_affine, atol=1e-9)
    assert geometry.size_xyz == (16, 16, 12)


def test_what_a_sheet_may_name_is_what_a_source_of_trials_takes(tmp_path: Path) -> None:
    """Before any job starts, and without reading an image where folders are named."""
    text, volume = tmp_path / "s1.npz", volume_of(tmp_path / "s2.nii.gz")
    text.write_text("no image")
    said = {
        text: "neither a MetaImage file",
        tmp_path / "gone": "no such file or folder",
        tmp_path: "",
        volume: "",
    }
    for image, words in said.items():
        rows: list[dict[str, Any]] = [{"timepoint": None, "image": str(image), "row": 2}]
        rows[0] |= dict.fromkeys(sheet.READINGS)
        with pytest.raises(BadInput, match=words) if words else nullcontext():
            sheet.check_files(rows, tmp_path / "scans.tsv", 0, sources.why_not)
    loads = "import sys; from headct.imaging import sources; sources.why_not(sources.Path('.'))"
    ended = subprocess.run(
        [sys.executable, "-c", f"{loads}; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    assert not {"pydicom", "SimpleITK", "numpy", "nibabel"} & set(ended.stdout.split())


def files_of(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*.py")}


def test_a_new_source_is_one_module(tmp_path: Path) -> None:
    """In a copy of the package: its scan is converted, enters the cohort, and is predicted as a new one."""
    copy = tmp_path / "workflow"
    without_bytecode = shutil.ignore_patterns("__pycache__")
    shutil.copytree(REPOSITORY / "workflow", copy, ignore=without_bytecode)
    for name in ("config", "resources"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    shutil.copyfile(TOY, copy / "scripts/headct/imaging/sources/numpy_file.py")
    added = files_of(copy) - files_of(REPOSITORY / "workflow")
    assert added == {"scripts/headct/imaging/sources/numpy_file.py"}

    def headct(*words: object) -> None:
        environment = os.environ | {"PYTHONPATH": str(copy / "scripts"), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-m", "headct", *map(str, words)]
        ended = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr

    origins = ct_series.table_origins()
    np.savez(tmp_path / "s1.npz", hu=ct_series.head(), origins_mm=origins, pixel_mm=(4.0, 4.0))
    ct_series.write_series(tmp_path / "dicom")
    for scan, _ in IMAGES:
        masked_scan.write_mask(tmp_path / "dicom", tmp_path / f"{scan}.nii.gz", masked_scan.drawn())
    columns = ("scan_id", "participant_id", "site", "image", "mask", "age", "sex", "onset_to_ct_h", "rater")
    rows = [columns]
    for scan, image in IMAGES:
        rows.append((scan, f"p-{scan}", "A", image, f"{scan}.nii.gz", "70", "F", "2.5", "r"))
    for name, shown in (("scans.tsv", rows), ("toy.tsv", rows[:2])):
        (tmp_path / name).write_text("".join("\t".join(row) + "\n" for row in shown), encoding="utf-8")
    shard = (*MASKS_GIVEN, "--data", "data", "--manifest", "data/shards/0.tsv")
    headct("ingest", "--sheet", "scans.tsv", *shard)
    toy, dicom = (read_json(tmp_path / f"data/{scan}/scan.json") for scan, _ in IMAGES)
    assert (toy["status"], toy["reason"]) == ("included", "")
    assert toy["geometry"] == dicom["geometry"]
    assert toy["volumes_ml"] == dicom["volumes_ml"]
    assert toy["pixels_sha256"] == dicom["pixels_sha256"]
    for name in ("ct.nii.gz", "labels.nii.gz"):
        first, second = ((tmp_path / f"data/{scan}" / name).read_bytes() for scan, _ in IMAGES)
        assert first == second

    made = ("--cohort", "cohort.tsv", "--flow", "flow.tsv")
    limits = ("--max-excluded", "0", "--age-cap-years", "90", "--different-patients=[]")
    headct("cohort", *GIVEN, "--sheet", "toy.tsv", "--data", "data", *limits, *made)
    assert list(read_tsv(tmp_path / "cohort.tsv")["status"]) == ["included"]

    monai_miniature.write_untrained(tmp_path / "model")
    how = ("--device", "cpu", "--threads", "1", "--member", "model", "--out", "predicted")
    headct("new-scans", *how, "--scans", "s1.npz", "dicom", "--ingest", "{}", "--settings", "{}")
    table = read_tsv(tmp_path / "predicted/predictions.tsv", reason=str).set_index("scan_id")
    assert list(table.index) == ["s1", "dicom"]
    assert set(table["volumes_from"]) == {SLICE_POSITIONS}
    first, second = ((tmp_path / "predicted" / f"{name}.nii.gz").read_bytes() for name in table.index)
    assert first == second


IMAGES = (("s1", "s1.npz"), ("s2", "dicom"))
