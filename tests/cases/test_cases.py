"""Every hard folder of the library, through ingest: right HU in the right places, or the reason why not."""

from __future__ import annotations

import importlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from cases.library import CASES, Expected
from headct.cohort import conversion, ingest
from headct.contracts.artefacts import read_json
from headct.settings import blocks
from support.label_sets import LABELS, MASK_RULES

MODULES = "syntaxes pixels selection parts stacks multiframe masks mask_files lesion_files real nifti files"

for module in MODULES.split():
    importlib.import_module(f"cases.case_{module}")

IMAGES = {"mask": "labels.nii.gz", "mask_intra": "labels_intra.nii.gz", "mask_inter": "labels_inter.nii.gz"}


@pytest.mark.parametrize("name", CASES)
def test_case(name: str, tmp_path: Path) -> None:
    expected = CASES[name].build(tmp_path)
    out = tmp_path / "out"
    masks = {file.split(".")[0]: tmp_path / file for file in expected.masks}
    rules = blocks.given(blocks.Ingest, json.dumps(expected.rules))
    scan = conversion.SheetScan(
        scan_id=expected.scan_id,
        participant_id=expected.participant_id,
        image=tmp_path / expected.image,
        masks=masks,
        mask_rules=replace(MASK_RULES, may_be_empty=rules.lesions_may_be_absent),
        labels=LABELS,
    )
    conversion.ingest(scan, ingest.rules_from(rules), out)
    record = read_json(out / "scan.json")
    check_status(record, expected)
    check_privacy(record, expected)
    if expected.status == "included":
        check_images(record, expected, out)
    else:
        assert [path.name for path in out.iterdir()] == ["scan.json"]
        assert record["pixels_sha256"] == ""
        assert not record["volumes_ml"]


def check_status(record: dict[str, Any], expected: Expected) -> None:
    said = json.dumps([record["status"], record["reason"], record["problems"], record["flags"]], indent=1)
    assert record["status"] == expected.status, said
    if expected.category is not None:
        assert record["reason"].split(": ")[0] == expected.category, said
    texts = [record["reason"], *(f"{p['key']} {p['message']} {p['value']}" for p in record["problems"])]
    for pattern in expected.says:
        assert any(re.search(pattern, text) for text in texts), f"{pattern}: {said}"
    assert bool(record["problems"]) == (expected.status in ("error", "refused")), said
    if expected.status == "included":
        assert record["flags"] == sorted(expected.flags), said


def check_privacy(record: dict[str, Any], expected: Expected) -> None:
    """No name of the patient, and no DICOM file's name, even where something is wrong."""
    text = json.dumps({k: v for k, v in record.items() if k not in ("scan_id", "participant_id")}).lower()
    assert "canary" not in text
    assert ".dcm" not in text
    if expected.status == "refused":
        assert expected.scan_id.split("-")[-1].lower() not in json.dumps(record["problems"]).lower()


def check_images(record: dict[str, Any], expected: Expected, out: Path) -> None:
    """Voxel for voxel, and each slice where the tags have it, by formulas that are written out here."""
    ct = sitk.ReadImage(str(out / "ct.nii.gz"))
    assert ct.GetPixelID() == sitk.sitkInt16
    np.testing.assert_array_equal(sitk.GetArrayFromImage(ct), expected.hounsfield)

    x, y = (np.array(direction, float) for direction in expected.directions)
    normal = np.cross(x, y) / np.linalg.norm(np.cross(x, y))
    assert normal[2] > 0
    positions = expected.origins @ normal
    gaps = np.diff(positions)
    weights = np.convolve(np.pad(gaps, 1, mode="edge"), [0.5, 0.5], mode="valid")
    spacing = (*expected.spacing_xy_mm, gaps.mean())

    geometry = record["geometry"]
    close = {"rtol": expected.places_mm / 1000, "atol": expected.places_mm}
    np.testing.assert_allclose(geometry["slice_origins_mm_lps"], expected.origins, **close)
    np.testing.assert_allclose(geometry["slice_positions_mm"], positions, **close)
    np.testing.assert_allclose(geometry["slice_weights_mm"], weights, **close)
    np.testing.assert_allclose(geometry["spacing_mm_xyz"], spacing, **close)
    np.testing.assert_allclose(geometry["directions_lps"], np.stack([x, y, normal], axis=1), atol=1e-5)
    np.testing.assert_allclose(ct.GetSpacing(), spacing, rtol=1e-6)
    np.testing.assert_allclose(ct.GetOrigin(), expected.origins[0], rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(
        np.reshape(ct.GetDirection(), (3, 3)), np.stack([x, y, normal], axis=1), atol=1e-5
    )

    assert re.fullmatch("[0-9a-f]{64}", record["pixels_sha256"])
    numbers = [instance["number"] for instance in record["instances"]]
    assert len(numbers) == len(positions) or expected.image != "dicom"
    if expected.numbers is not None:
        assert numbers == expected.numbers
    if expected.frames is not None:
        assert [instance["frame"] for instance in record["instances"]] == expected.frames
    if "multi_frame" not in expected.flags:
        assert not any("frame" in instance for instance in record["instances"])

    written = {path.name for path in out.iterdir()}
    masks = {file.split(".")[0].partition(":")[0] for file in expected.masks}
    assert written == {"scan.json", "ct.nii.gz", *(IMAGES[key] for key in masks)}
    for key in masks:
        labels = sitk.ReadImage(str(out / IMAGES[key]))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(labels), expected.labels)
        for read in ("GetSpacing", "GetOrigin", "GetDirection"):
            assert getattr(ct, read)() == getattr(labels, read)()
    if masks:
        pixel_ml = np.prod(expected.spacing_xy_mm) / 1000
        for label, value in LABELS.items():
            true_ml = pixel_ml * (weights @ (expected.labels == value).sum(axis=(1, 2)))
            assert record["volumes_ml"][label] == pytest.approx(true_ml, rel=expected.places_mm / 1000)


def test_library_is_large_and_says_what_each_case_is() -> None:
    assert len(CASES) >= 45
    assert all(case.about for case in CASES.values())
    of_files = [case for case in CASES.values() if case.source]
    assert len(of_files) >= 60
    assert sum(case.source.startswith("by hand") for case in of_files) >= 10
