"""Resampling, elastic noise and batches of BLAST-CT."""

import multiprocessing
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from blast_ct.nifti.augmention import RandomElasticDeformationCoarsePerlinNoise
from blast_ct.nifti.patch_samplers import ConditionalPatchSampler
from blast_ct.nifti.rescale import reorient_image, rescale
from blast_ct.read_config import get_augmentation
from hypothesis import given, settings
from hypothesis import strategies as st

from headct.contracts.problems import BadInput
from headct.engine.batches import in_order
from headct.frameworks.blastct import data as blastct_data
from headct.frameworks.blastct.data import (
    DeformedScan,
    PlanewiseSampler,
    ResampledScan,
    TrainingBatches,
    elastic_noise,
    require_noise_covers,
    resample,
    resampled_scans,
)
from headct.frameworks.blastct.training import package_configuration
from support.blastct_cases import SMALL, STUDY, small_job, write_scan
from support.changed_settings import changed
from support.label_sets import LABELS

WINDOW = (-15, 100)


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> list[ResampledScan]:
    job = small_job(tmp_path_factory.mktemp("trial"))
    return resampled_scans(job.training_scans, (4, 4, 4), WINDOW, job.shared_folder, 1)


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    return elastic_noise(40, 5, 4, tmp_path_factory.mktemp("noise"))


def batches_of(scans: list[ResampledScan], noise: np.ndarray, **changes: object) -> TrainingBatches:
    configuration = package_configuration(changed(SMALL, **changes), LABELS)
    return TrainingBatches(scans, configuration, noise, (10, 10, 10), seed=3, fold="all")


def equal(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(("size", "periods"), [(20, 5), (23, 5), (16, 2), (12, 1)])
def test_noise_is_that_of_blast_ct(tmp_path: Path, size: int, periods: int) -> None:
    stock = RandomElasticDeformationCoarsePerlinNoise(
        prob=1, period=[periods] * 3, alpha=20, noise_shape=[size] * 3, num_maps=2
    ).deformation_fields
    assert np.array_equal(stock[0], stock[1])  # why one map is enough
    ours = elastic_noise(size, periods, 20, tmp_path)
    assert ours.shape == (size,) * 3
    assert np.abs(ours).max() > 0
    assert np.array_equal(ours, stock[0])


def test_noise_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = elastic_noise(10, 5, 20, tmp_path)
    monkeypatch.setattr(blastct_data, "_perlin_planes", None)
    assert np.array_equal(first, elastic_noise(10, 5, 20, tmp_path))


def test_resampling_is_that_of_blast_ct_where_no_axis_is_flipped(tmp_path: Path) -> None:
    image = sitk.ReadImage(str(write_scan(tmp_path, "a", seed=1).ct))
    ours = resample(image, (4, 3, 5), is_discrete=False)
    stock = rescale([4.0, 3.0, 5.0], reorient_image(image, False), False)
    assert np.array_equal(sitk.GetArrayFromImage(ours), sitk.GetArrayFromImage(stock))


@pytest.mark.parametrize("flips", [(True, False, False), (False, True, True), (True, True, True)])
def test_flipped_axes_lose_no_row(tmp_path: Path, flips: tuple[bool, bool, bool]) -> None:
    image = sitk.ReadImage(str(write_scan(tmp_path, "a", seed=1).ct))
    flipped = sitk.Flip(image, flips)  # the same anatomy, stored the other way round
    assert flipped.GetDirection() != image.GetDirection()
    arrays = [sitk.GetArrayFromImage(resample(i, (4, 4, 4), False)) for i in (image, flipped)]
    assert np.array_equal(*arrays)


def test_resampled_scans_are_shared_and_keyed_by_content_and_spacing(tmp_path: Path) -> None:
    job = small_job(tmp_path)
    first = resampled_scans(job.training_scans, (4, 4, 4), WINDOW, job.shared_folder, 1)
    times = [scan.ct.stat().st_mtime_ns for scan in first]
    again = resampled_scans(job.training_scans, (4, 4, 4), WINDOW, job.shared_folder, 1)
    assert again == first
    assert [scan.ct.stat().st_mtime_ns for scan in again] == times
    coarser = resampled_scans(job.training_scans, (6, 6, 6), WINDOW, job.shared_folder, 1)
    assert {scan.ct for scan in first}.isdisjoint(scan.ct for scan in coarser)
    assert len({scan.ct for scan in first}) == len(first)
    ct, labels = np.load(first[0].ct), np.load(first[0].labels)
    assert (ct.dtype, labels.dtype) == (np.int16, np.uint8)
    assert ct.shape == labels.shape == (23, 30, 30)  # round((n - 1) · spacing / 4 + 1)
    assert set(np.unique(labels)) == {0, 1, 2, 3}


def _resample_all(folder: Path) -> list[ResampledScan]:
    job = small_job(folder / str(multiprocessing.current_process().pid))
    return resampled_scans(job.training_scans, (4, 4, 4), WINDOW, folder / "shared", 1)


def test_several_processes_may_resample_at_once(tmp_path: Path) -> None:
    with multiprocessing.get_context("fork").Pool(3) as pool:
        results = pool.map(_resample_all, [tmp_path] * 3, chunksize=1)
    assert results[0] == results[1] == results[2]
    files = {path for scan in results[0] for path in (scan.ct, scan.labels)}
    assert set((tmp_path / "shared" / "resampled").iterdir()) == files  # nothing half-written is left


def test_scan_larger_than_the_noise_is_refused_by_name(scans: list[ResampledScan], tmp_path: Path) -> None:
    require_noise_covers(scans, elastic_noise(30, 5, 4, tmp_path))
    with pytest.raises(BadInput, match="set at least 30") as error:
        require_noise_covers(scans, elastic_noise(29, 5, 4, tmp_path))
    assert [problem.row for problem in error.value.problems] == [scan.scan_id for scan in scans]


def test_scan_without_a_voxel_in_the_window_is_refused(tmp_path: Path) -> None:
    job = small_job(tmp_path)
    with pytest.raises(BadInput, match="nothing to learn"):
        resampled_scans(job.training_scans, (4, 4, 4), (2000, 3000), job.shared_folder, 1)


def test_batch_shapes_and_values(scans: list[ResampledScan], noise: np.ndarray) -> None:
    batches = batches_of(scans, noise)
    assert batches.batches_per_epoch == 3
    assert [len(batches[k][0]) for k in range(6)] == [3, 3, 2, 3, 3, 2]  # the last is what is left
    images, targets = batches[0]
    assert (images.shape, images.dtype) == ((3, 1, 30, 30, 30), np.float32)
    assert (targets.shape, targets.dtype) == ((3, 10, 10, 10), np.uint8)


@settings(max_examples=10, deadline=None)
@given(order=st.permutations(range(9)))
def test_batch_depends_on_its_number_only(
    scans: list[ResampledScan], noise: np.ndarray, order: list[int]
) -> None:
    np.random.seed(order[0])
    shuffled = batches_of(scans, noise)
    seen = {k: shuffled[k] for k in order}
    in_turn = batches_of(scans, noise)
    assert all(equal(in_turn[k], seen[k]) for k in range(9))


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_change_nothing(scans: list[ResampledScan], noise: np.ndarray, workers: int) -> None:
    batches = batches_of(scans, noise)
    made = in_order(batches, 2, 8, workers, "cpu")
    assert all(equal(made_one, batches[k]) for k, made_one in zip(range(2, 8), made, strict=True))


def test_seed_and_fold_matter(scans: list[ResampledScan], noise: np.ndarray) -> None:
    configuration = package_configuration(SMALL, LABELS)
    variants = [
        TrainingBatches(scans, configuration, noise, (10, 10, 10), seed, fold)[0]
        for seed, fold in ((3, "all"), (4, "all"), (3, "0"), (3, "1"))
    ]
    assert len({images.tobytes() for images, _ in variants}) == len(variants)


def test_each_scan_once_per_epoch_where_there_are_enough(
    scans: list[ResampledScan], noise: np.ndarray
) -> None:
    batches = batches_of(scans, noise, images_per_epoch=5)
    plans = [batches._plan(epoch)[0].tolist() for epoch in range(4)]
    assert all(sorted(plan) == list(range(5)) for plan in plans)
    assert len({tuple(plan) for plan in plans}) > 1
    more = batches_of(scans, noise, images_per_epoch=40)._plan(0)[0]
    assert set(more) == set(range(5))


def test_elastic_deformation_is_new_in_each_epoch(scans: list[ResampledScan], noise: np.ndarray) -> None:
    """blast_ct without workers keeps the deformed scan for good; see its NiftiDataset.get_case."""
    batches = batches_of(scans[:1], noise, images_per_epoch=1, elastic_probability=1.0)
    deformed = [batches._deformed(epoch, 0).labels for epoch in range(3)]
    plain = np.load(scans[0].labels)
    assert not any(np.array_equal(labels, plain) for labels in deformed)
    assert len({labels.tobytes() for labels in deformed}) == 3
    assert batches._deformed(2, 0) is batches._deformed(2, 0)  # within an epoch it is kept


@pytest.mark.parametrize("classes", [(0, 1, 2, 3), (0, 2), (3,)])
def test_patches_are_those_that_blast_ct_cuts(classes: tuple[int, ...]) -> None:
    """Also where a class that is drawn is nowhere, and where none of those that may be drawn is."""
    rng = np.random.default_rng(2)
    image = rng.normal(size=(1, 14, 19, 17)).astype(np.float32)
    labels = rng.choice(np.array(classes, np.uint8), (14, 19, 17))
    mask = rng.random(labels.shape) < 0.2
    mask[3] = False
    training = package_configuration(STUDY, LABELS)["training"]
    augmentation = get_augmentation(training["patch_augmentation"])
    options = {"class_probabilities": (0.3, 0.3, 0.4, 0), "n_tries": 2, "augmentation": augmentation}
    stock = ConditionalPatchSampler((12, 12, 12), (4, 4, 4), **options)
    ours = PlanewiseSampler((12, 12, 12), (4, 4, 4), **options)
    scan = DeformedScan.of(image, labels, mask, LABELS.n_classes)
    for seed in range(30):
        np.random.seed(seed)
        expected = stock(image, labels, mask)
        np.random.seed(seed)
        assert equal(ours.cut(scan), expected[:2])


def test_patches_are_centred_on_the_class_drawn(scans: list[ResampledScan], noise: np.ndarray) -> None:
    batches = batches_of(
        scans,
        noise,
        foreground_probability=1.0,
        rotation_probability=0,
        flip_probability=0,
        patches_per_image=30,
    )
    targets = np.concatenate([batches[k][1] for k in range(batches.batches_per_epoch)])
    shares = np.bincount(targets[:, 5, 5, 5], minlength=4) / len(targets)
    assert shares[0] == 0
    # n = 120, p = 1/3: four standard deviations
    assert np.abs(shares[1:] - 1 / 3).max() < 4 * np.sqrt(1 / 3 * 2 / 3 / 120)
