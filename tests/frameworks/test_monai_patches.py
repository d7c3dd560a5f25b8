"""Drawing and augmenting training patches."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from monai.transforms.utils import correct_crop_centers

from headct.engine.batches import in_order
from headct.frameworks.monai.data import PreparedScan
from headct.frameworks.monai.patches import (
    PatchBatches,
    Sampling,
    augment,
    draw_patch,
    patch_start,
    read_patch,
)
from support.changed_settings import changed
from support.monai_miniature import SETTINGS

SAMPLING = Sampling(
    patch_size_zyx=(4, 6, 5),
    scans_per_batch=2,
    patches_per_scan=2,
    foreground_fraction=0.5,
    flip_probability=0.5,
    intensity_scale=0.1,
    intensity_shift=0.05,
)
sizes = st.tuples(*[st.integers(1, 9)] * 3)


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> list[PreparedScan]:
    """Five scans; the last is smaller than the patch, and without lesion."""
    rng = np.random.default_rng(4)
    prepared = []
    for number in range(5):
        folder: Path = tmp_path_factory.mktemp("scan")
        shape = (3, 8, 4) if number == 4 else (8, 9 + number, 10)
        image = rng.random(shape).astype(np.float16)
        image[0] = 0
        labels = np.zeros(shape, np.uint8)
        if number < 4:
            labels[3:5, 3:6, 3:6] = 1 + number % 3
        arrays = {"image": image, "labels": labels, "foreground": np.flatnonzero(labels)}
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)
        prepared.append(PreparedScan(folder))
    return prepared


def assert_equal_batches(first, second):
    first, second = list(first), list(second)
    assert len(first) == len(second)
    for (images, labels), (other_images, other_labels) in zip(first, second, strict=True):
        np.testing.assert_array_equal(images, other_images)
        np.testing.assert_array_equal(labels, other_labels)


def test_batches_have_the_shape_and_type_that_training_needs(scans):
    images, labels = PatchBatches(scans, SAMPLING, 0, "all")[3]
    assert images.shape == labels.shape == (4, 1, 4, 6, 5)
    assert (images.dtype, labels.dtype) == (np.float32, np.uint8)


@pytest.mark.parametrize("workers", [1, 3])
def test_number_of_workers_does_not_change_the_batches(scans, workers):
    batches = PatchBatches(scans, SAMPLING, 7, "1")
    assert_equal_batches(in_order(batches, 0, 8, 0, "cpu"), in_order(batches, 0, 8, workers, "cpu"))


def test_a_loader_that_starts_later_makes_the_same_batches(scans):
    batches = PatchBatches(scans, SAMPLING, 7, "1")
    assert_equal_batches(list(in_order(batches, 0, 8, 0, "cpu"))[5:], in_order(batches, 5, 8, 0, "cpu"))


def test_seed_fold_and_number_each_change_the_batch(scans):
    drawn = [
        PatchBatches(scans, SAMPLING, seed, fold)[batch][0]
        for seed, fold, batch in [(0, "all", 0), (1, "all", 0), (0, "0", 0), (0, "all", 1)]
    ]
    for i, first in enumerate(drawn):
        for second in drawn[:i]:
            assert not np.array_equal(first, second)


@pytest.mark.parametrize("scans_per_batch", [1, 2, 3, 7])
def test_every_scan_is_seen_before_any_is_seen_again(scans, scans_per_batch):
    sampling = replace(SAMPLING, scans_per_batch=scans_per_batch)
    batches = PatchBatches(scans, sampling, 3, "all")
    seen = [scan for batch in range(30) for scan in batches.scans_of(batch)]
    rounds = [seen[start : start + 5] for start in range(0, len(seen) - 4, 5)]
    assert all(sorted(one) == list(range(5)) for one in rounds)
    assert len({tuple(one) for one in rounds}) > 1  # in another order each time


def test_foreground_fraction_decides_where_patches_are_centred(scans):
    rng = np.random.default_rng(0)
    one_voxel = replace(SAMPLING, patch_size_zyx=(1, 1, 1))
    for _ in range(50):
        _, label = draw_patch(scans[0], replace(one_voxel, foreground_fraction=1.0), rng)
        assert label.item() == 1
        image, label = draw_patch(scans[0], replace(one_voxel, foreground_fraction=0.0), rng)
        assert label.item() == 0
        assert image.item() > 0
    labels = [draw_patch(scans[0], one_voxel, rng)[1].item() for _ in range(400)]
    assert np.mean(labels) == pytest.approx(0.5, abs=0.1)


def test_scan_without_lesion_or_head_still_gives_patches(scans, tmp_path):
    rng = np.random.default_rng(0)
    image, _ = draw_patch(scans[4], replace(SAMPLING, foreground_fraction=1.0), rng)
    assert image.shape == SAMPLING.patch_size_zyx
    for name in ("image", "labels", "foreground"):
        np.save(tmp_path / f"{name}.npy", np.zeros((3, 3, 3)) if name != "foreground" else [])
    image, _ = draw_patch(PreparedScan(tmp_path), SAMPLING, rng)
    assert not image.any()


@given(st.data())
def test_patches_are_moved_into_the_volume_as_monai_does(data):
    patch = data.draw(sizes)
    shape = tuple(length + data.draw(st.integers(0, 9)) for length in patch)
    centre = tuple(data.draw(st.integers(0, length - 1)) for length in shape)
    moved = correct_crop_centers(list(centre), patch, shape)
    expected = tuple(int(place) - extent // 2 for place, extent in zip(moved, patch, strict=True))
    assert patch_start(centre, shape, patch) == expected


@given(sizes, sizes, st.data())
def test_any_patch_has_its_voxels_and_zeros_around(shape, patch, data):
    volume = 1 + np.arange(np.prod(shape)).reshape(shape)
    start = patch_start([data.draw(st.integers(0, n - 1)) for n in shape], shape, patch)
    padded = np.pad(volume, 9)
    region = tuple(slice(9 + a, 9 + a + n) for a, n in zip(start, patch, strict=True))
    np.testing.assert_array_equal(read_patch(volume, start, patch), padded[region])


def test_small_volume_is_centred_in_the_patch():
    patch = read_patch(np.ones((2, 1, 4)), patch_start((0, 0, 0), (2, 1, 4), (6, 3, 4)), (6, 3, 4))
    np.testing.assert_array_equal(np.argwhere(patch)[0], [2, 1, 0])


def test_mirroring_is_left_to_right_and_moves_labels_along():
    image = np.random.default_rng(0).random((3, 4, 5)).astype(np.float32)
    labels = (image > 0.5).astype(np.uint8)
    plain = replace(SAMPLING, intensity_scale=0.0, intensity_shift=0.0)
    rng = np.random.default_rng(0)
    mirrored, kept = replace(plain, flip_probability=1.0), replace(plain, flip_probability=0.0)
    for sampling, expected in ((mirrored, image[:, :, ::-1]), (kept, image)):
        augmented, moved = augment(image, labels, sampling, rng)
        np.testing.assert_array_equal(augmented, expected)
        np.testing.assert_array_equal(moved, expected > 0.5)


def test_intensities_are_scaled_and_shifted_within_their_ranges():
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 1, 8, dtype=np.float32).reshape(2, 2, 2)
    drawn = []
    for _ in range(300):
        image, _ = augment(ramp, ramp, replace(SAMPLING, flip_probability=0.0), rng)
        shift = image.min()
        drawn.append((image.max() - shift, shift))
        np.testing.assert_allclose(image, ramp * drawn[-1][0] + shift, atol=1e-6)
    scale, shift = np.transpose(drawn)
    assert 0.9 <= scale.min() < 0.92
    assert 1.08 < scale.max() <= 1.1
    assert -0.05 <= shift.min() < -0.04
    assert 0.04 < shift.max() <= 0.05


def test_shift_is_set_in_hu_of_the_window():
    settings = changed(
        SETTINGS, patch_size_xyz=[5, 6, 4], scans_per_batch=2, patches_per_scan=2, intensity_shift_hu=5.75
    )
    assert Sampling.from_settings(settings) == SAMPLING
