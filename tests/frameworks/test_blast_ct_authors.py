"""BLAST-CT's networks as their authors trained them, against the inference of their own package."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from blast_ct.read_config import get_model

from headct.contracts.artefacts import sha256_of, write_json
from headct.contracts.problems import BadInput
from headct.frameworks.outside import blast_ct
from support import blastct_package
from support.blastct_package import AUTHORS, needs_weights

CONFIGURATION = {
    "model": {"DeepMedic": {"fully_connected": [8, 8], "feature_maps": [4, 4]}},
    "data": {
        "task": "segmentation",
        "channels": ["image"],
        "target": "target",
        "resolution": [4.0, 4.0, 4.0],
        "transformation": {"IntensityWindowNormalization": {"lower_bound": -15.0, "upper_bound": 100.0}},
        "input_channels": 1,
        "num_classes": 5,
    },
    "test": {"batch_size": 4, "input_patch_size": [40, 40, 40], "num_workers": 0},
}


NUMBERS = (1, 2, 10)
"""Of the networks; sorted by name, the last would be added before the second."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small networks with weights at random, as far apart as to disagree."""
    folder = tmp_path_factory.mktemp("weights")
    write_json(CONFIGURATION, folder / "config.json")
    for number in NUMBERS:
        torch.manual_seed(number)
        network = get_model(CONFIGURATION)
        torch.save(network.state_dict(), folder / f"model_{number}.pt")
    return folder


def ct(spacing_mm: list[float], origin_mm: list[float]) -> sitk.Image:
    """A scan of noise with smooth parts."""
    hu = np.random.default_rng(1).normal(40, 30, (25, 48, 40)).astype(np.int16)
    image = sitk.Cast(sitk.DiscreteGaussian(sitk.GetImageFromArray(hu), 2.0), sitk.sitkInt16)
    image.SetSpacing(spacing_mm)
    image.SetOrigin(origin_mm)
    return image


def ours(weights: Path, image: sitk.Image, folder: Path) -> sitk.Image:
    """The label map that our step makes."""
    (folder / "images").mkdir()
    (folder / "maps").mkdir()
    sitk.WriteImage(image, str(folder / "images/case_0001_0000.nii.gz"))
    blast_ct.predict(weights, folder / "images", folder / "maps", "cpu", 1)
    return sitk.ReadImage(str(folder / "maps/case_0001_0000.nii.gz"))


@pytest.mark.parametrize(
    ("spacing_mm", "origin_mm"),
    [
        ([4.2, 4.2, 8.0], [0.0, 0.0, 0.0]),
        ([4.2, 4.2, 8.0], [-90.0, -80.0, 12.0]),
        ([3.90625, 3.90625, 5.0], [-121.7, -93.13, -540.25]),
    ],
)
def test_label_maps_are_those_of_the_package(
    weights: Path, spacing_mm: list[float], origin_mm: list[float], tmp_path: Path
) -> None:
    """Voxel by voxel, wherever the origin lies: the package cuts HU off, so that it moves them by up to 2."""
    image = ct(spacing_mm, origin_mm)
    made = ours(weights, image, tmp_path)
    networks = [weights / f"model_{number}.pt" for number in NUMBERS]
    written = tmp_path / "images/case_0001_0000.nii.gz"
    expected = blastct_package.label_map(networks, weights / "config.json", written, tmp_path)
    assert len(np.unique(expected)) > 1, "a map of one class would prove nothing"
    assert np.array_equal(sitk.GetArrayFromImage(made), expected)
    assert made.GetSpacing() == pytest.approx(image.GetSpacing())
    assert made.GetOrigin() == pytest.approx(image.GetOrigin())


@pytest.mark.parametrize("axes", ["RPS", "LAI", "PIR"])
def test_a_scan_whose_axes_run_otherwise_has_the_same_label_map(
    weights: Path, axes: str, tmp_path: Path
) -> None:
    """Each voxel that is there: the package's own turning loses the first row of a flipped axis."""
    image = ct([4.2, 4.2, 8.0], [-90.0, -80.0, 12.0])
    for name in ("upright", "turned"):
        (tmp_path / name).mkdir()
    upright = ours(weights, image, tmp_path / "upright")
    turned = ours(weights, sitk.DICOMOrient(image, axes), tmp_path / "turned")
    assert turned.GetSize() == sitk.DICOMOrient(image, axes).GetSize()
    back = sitk.GetArrayFromImage(sitk.DICOMOrient(turned, "LPS"))
    assert np.array_equal(back, sitk.GetArrayFromImage(upright))


def test_other_files_are_refused_together(weights: Path) -> None:
    with pytest.raises(BadInput) as refused:
        blast_ct.check(weights, blast_ct.digests())
    assert len(refused.value.problems) == 13
    own = {file.name: sha256_of(file) for file in weights.iterdir()}
    blast_ct.check(weights, own)


@needs_weights
def test_the_authors_files_have_the_recorded_digests() -> None:
    blast_ct.check(AUTHORS, blast_ct.digests())
