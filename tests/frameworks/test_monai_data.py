"""Preprocessing for the MONAI networks, its inverse, and its cache."""

import multiprocessing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from monai.transforms.intensity.array import ScaleIntensityRange
from monai.transforms.utils import generate_spatial_bounding_box
from scipy import ndimage

from headct.engine.training_job import TrainingScan
from headct.frameworks.monai.data import (
    PreparedScan,
    PreprocessedImage,
    Preprocessing,
    foreground_box,
    prepare_all,
    preprocess,
    resample,
    resampled_size,
)
from headct.frameworks.monai.inference import to_native_grid

WINDOW = (-15.0, 100.0)
UNCHANGED = Preprocessing((6.0, 3.5, 3.5), WINDOW)
COARSER = Preprocessing((9.0, 5.0, 5.0), WINDOW)


def restored(probabilities: np.ndarray, source: PreprocessedImage) -> np.ndarray:
    return to_native_grid(torch.from_numpy(probabilities), source).numpy()


def prepare(scan: TrainingScan, preprocessing: Preprocessing, cache: Path) -> PreparedScan:
    (prepared,) = prepare_all([scan], preprocessing, cache, 1)
    return prepared


def head(seed: int = 0, shape: tuple[int, int, int] = (10, 20, 18)) -> np.ndarray:
    """Noise around 30 HU in air, int16."""
    hu = np.full(shape, -1000, np.int16)
    noise = np.random.default_rng(seed).normal(30, 20, shape)
    hu[1:-2, 3:-3, 4:-2] = noise[1:-2, 3:-3, 4:-2]
    return hu


def write_scan(folder: Path, hu: np.ndarray, labels: np.ndarray, sha256: str) -> TrainingScan:
    folder.mkdir(parents=True)
    for name, array in (("ct", hu), ("labels", labels)):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing((3.5, 3.5, 6.0))
        sitk.WriteImage(image, str(folder / f"{name}.nii.gz"))
    return TrainingScan(folder.name, folder / "ct.nii.gz", folder / "labels.nii.gz", sha256)


@pytest.fixture
def scan(tmp_path: Path) -> TrainingScan:
    hu = head()
    labels = np.zeros(hu.shape, np.uint8)
    labels[4:7, 8:12, 8:12] = 1
    labels[4:7, 8:12, 12:14] = 2
    return write_scan(tmp_path / "data" / "S1", hu, labels, "a" * 64)


def test_window_is_that_of_monai():
    hu = head()
    source = preprocess(hu, UNCHANGED.spacing_mm_zyx, UNCHANGED)
    expected = ScaleIntensityRange(*WINDOW, 0.0, 1.0, clip=True)(hu[source.box].astype(np.float32))
    np.testing.assert_allclose(source.image, np.asarray(expected), atol=1e-6)


@given(arrays.arrays(np.int16, (4, 5, 6), elements=st.sampled_from([-1000, -15, 10, 200])))
def test_foreground_box_is_that_of_monai(hu):
    box = foreground_box(hu, -15)
    start, end = generate_spatial_bounding_box(hu[None], lambda image: image > -15)
    if not (hu > -15).any():
        start, end = (0, 0, 0), hu.shape
    assert [side.start for side in box] == list(start)
    assert [side.stop for side in box] == list(end)


@settings(max_examples=30, deadline=None)
@given(st.tuples(*[st.integers(2, 12)] * 3), st.tuples(*[st.integers(2, 12)] * 3))
def test_resampling_is_linear_interpolation_between_voxel_centres(old, new):
    """Against scipy's zoom on the same voxel grids."""
    volume = np.random.default_rng(0).normal(size=old).astype(np.float32)
    factors = [b / a for a, b in zip(old, new, strict=True)]
    expected = ndimage.zoom(volume, factors, order=1, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(resample(volume, new), expected, atol=1e-4)


def test_channels_are_resampled_one_by_one():
    volume = np.random.default_rng(1).normal(size=(3, 4, 5, 6))
    together = resample(volume, (7, 5, 4))
    for channel, expected in enumerate(together):
        np.testing.assert_array_equal(resample(volume[channel], (7, 5, 4)), expected)


@given(st.integers(1, 600), st.floats(0.3, 10), st.floats(0.5, 10))
def test_extent_is_kept_up_to_half_a_voxel(length, old_mm, new_mm):
    (resampled,) = resampled_size([length], [old_mm], [new_mm])
    assert resampled >= 1
    if resampled > 1:
        assert abs(resampled * new_mm - length * old_mm) <= new_mm / 2 + 1e-6


def test_probabilities_return_to_the_native_grid():
    hu = head()
    source = preprocess(hu, UNCHANGED.spacing_mm_zyx, UNCHANGED)
    classes = np.random.default_rng(2).integers(0, 4, source.image.shape)
    probabilities = np.eye(4, dtype=np.float32)[classes].transpose(3, 0, 1, 2)
    native = restored(probabilities, source)
    assert native.shape == (4, *hu.shape)
    assert native.dtype == np.float32
    expected = np.zeros(hu.shape, int)
    expected[source.box] = classes
    np.testing.assert_array_equal(native.argmax(axis=0), expected)


def test_restored_probabilities_add_up_to_one():
    source = preprocess(head(), UNCHANGED.spacing_mm_zyx, COARSER)
    random = np.random.default_rng(3).random((4, *source.image.shape), dtype=np.float32)
    native = restored(random / random.sum(axis=0), source)
    np.testing.assert_allclose(native.sum(axis=0), 1, atol=1e-5)


def test_a_blob_returns_where_it_was():
    """Resampling there and back moves nothing: the centre of mass stays within 0.1 voxels."""
    hu = head(shape=(16, 32, 32))
    blob = np.zeros(hu.shape, np.float32)
    blob[6:12, 10:22, 12:26] = 1
    source = preprocess(hu, UNCHANGED.spacing_mm_zyx, COARSER)
    coarse = resample(blob[source.box], source.image.shape)
    native = restored(np.stack([1 - coarse, coarse, coarse * 0, coarse * 0]), source)[1]
    np.testing.assert_allclose(ndimage.center_of_mass(native), ndimage.center_of_mass(blob), atol=0.1)
    assert native.sum() == pytest.approx(blob.sum(), rel=0.1)


def test_prepared_scan_holds_image_labels_and_lesion_voxels(scan, tmp_path):
    prepared = prepare(scan, UNCHANGED, tmp_path / "cache")
    hu = sitk.GetArrayFromImage(sitk.ReadImage(str(scan.ct)))
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(scan.labels)))
    source = preprocess(hu, UNCHANGED.spacing_mm_zyx, UNCHANGED)
    np.testing.assert_allclose(prepared.image, source.image, atol=5e-4)
    np.testing.assert_array_equal(prepared.labels, labels[source.box])
    np.testing.assert_array_equal(prepared.foreground, np.flatnonzero(labels[source.box]))


def test_resampled_labels_keep_their_values(scan, tmp_path):
    prepared = prepare(scan, COARSER, tmp_path / "cache")
    assert prepared.labels.shape == prepared.image.shape
    assert set(np.unique(prepared.labels)) == {0, 1, 2}


def test_scan_without_lesion_has_no_foreground(tmp_path):
    hu = head()
    scan = write_scan(tmp_path / "S2", hu, np.zeros(hu.shape, np.uint8), "b" * 64)
    assert len(prepare(scan, UNCHANGED, tmp_path / "cache").foreground) == 0


def test_scan_is_prepared_once_and_again_if_a_file_is_lost(scan, tmp_path):
    prepared = prepare(scan, UNCHANGED, tmp_path / "cache")
    image = prepared.folder / "image.npy"
    before = image.read_bytes()
    image.write_bytes(b"kept")
    prepare(scan, UNCHANGED, tmp_path / "cache")
    assert image.read_bytes() == b"kept"
    (prepared.folder / "labels.npy").unlink()
    prepare(scan, UNCHANGED, tmp_path / "cache")
    assert image.read_bytes() == before


def test_other_content_or_settings_are_prepared_apart(scan, tmp_path):
    folders = {
        prepare(one, preprocessing, tmp_path / "cache").folder
        for one in (scan, replace(scan, sha256="c" * 64))
        for preprocessing in (UNCHANGED, COARSER)
    }
    assert len(folders) == 4


def test_several_processes_may_prepare_the_same_scan(scan, tmp_path):
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=prepare, args=(scan, COARSER, tmp_path / "cache")) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    together = prepare(scan, COARSER, tmp_path / "cache")
    alone = prepare(scan, COARSER, tmp_path / "other")
    for path in alone.folder.iterdir():
        assert (together.folder / path.name).read_bytes() == path.read_bytes()
    assert len(list(together.folder.iterdir())) == 3  # no temporary files are left


def test_labels_of_another_shape_are_refused(tmp_path):
    hu = head()
    scan = write_scan(tmp_path / "S3", hu, np.zeros((3, 4, 5), np.uint8), "d" * 64)
    with pytest.raises(ValueError, match="S3: CT has shape"):
        prepare(scan, UNCHANGED, tmp_path / "cache")
