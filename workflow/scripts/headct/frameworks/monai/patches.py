"""Batches of training patches: batch *k* is a pure function of (seed, fold, *k*).

Sampling has the semantics of MONAI's ``RandCropByPosNegLabel``: with probability
``foreground_fraction`` the centre of a patch is drawn from all lesion voxels, else from all head
voxels without lesion, and is moved so that the patch fits into the volume. Augmentation is that of
``RandFlip``, ``RandScaleIntensity`` and ``RandShiftIntensity``. Both are written out here, on
one ``numpy`` generator per batch, because the memory-mapped volumes are then read patch by patch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from headct.engine import seeding
from headct.frameworks.monai.data import PreparedScan
from headct.frameworks.monai.settings import MonaiTraining

Batch = tuple[np.ndarray, np.ndarray]
"""Images float32 and labels uint8, both (patches, 1, z, y, x)."""


@dataclass(frozen=True)
class Sampling:
    """How patches are drawn and augmented; the names are those of the config."""

    patch_size_zyx: tuple[int, int, int]
    scans_per_batch: int
    patches_per_scan: int
    foreground_fraction: float
    flip_probability: float
    intensity_scale: float
    intensity_shift: float

    @classmethod
    def from_settings(cls, settings: MonaiTraining) -> Sampling:
        """From the config, turning the shift in HU into one of the scaled window."""
        x, y, z = settings.patch_size_xyz
        lowest, highest = settings.hu_window
        return cls(
            patch_size_zyx=(z, y, x),
            scans_per_batch=settings.scans_per_batch,
            patches_per_scan=settings.patches_per_scan,
            foreground_fraction=settings.foreground_fraction,
            flip_probability=settings.flip_probability,
            intensity_scale=settings.intensity_scale,
            intensity_shift=settings.intensity_shift_hu / (highest - lowest),
        )


class PatchBatches:
    """All batches of a run; item *k* is batch *k*."""

    def __init__(self, scans: Sequence[PreparedScan], sampling: Sampling, seed: int, fold: str) -> None:
        self.scans = scans
        self.sampling = sampling
        self.seed = seed
        self.fold = fold

    def __getitem__(self, batch: int) -> Batch:
        rng = seeding.batch_rng(self.seed, self.fold, batch)
        patches = [
            augment(*draw_patch(self.scans[scan], self.sampling, rng), self.sampling, rng)
            for scan in self.scans_of(batch)
            for _ in range(self.sampling.patches_per_scan)
        ]
        images, labels = zip(*patches, strict=True)
        return np.stack(images)[:, None], np.stack(labels)[:, None]

    def scans_of(self, batch: int) -> list[int]:
        """Numbers of the scans in a batch: each scan once, in random order, before any again."""
        n_drawn = batch * self.sampling.scans_per_batch
        drawn = range(n_drawn, n_drawn + self.sampling.scans_per_batch)
        rounds = [divmod(number, len(self.scans)) for number in drawn]
        return [int(self._order(round_)[place]) for round_, place in rounds]

    def _order(self, round_: int) -> np.ndarray:
        """The random order of one round through all scans, from a stream beside that of batches."""
        (rng,) = seeding.batch_rng(self.seed, self.fold, round_).spawn(1)
        return rng.permutation(len(self.scans))


def draw_patch(
    scan: PreparedScan, sampling: Sampling, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Image (float32) and labels (uint8) of one random patch, both of ``patch_size_zyx``."""
    image, labels = scan.image, scan.labels
    foreground = scan.foreground
    if len(foreground) and rng.random() < sampling.foreground_fraction:
        centre = np.unravel_index(rng.choice(foreground), labels.shape)
    else:
        centre = draw_background(image, labels, rng)
    start = patch_start([int(place) for place in centre], labels.shape, sampling.patch_size_zyx)
    patch = read_patch(image, start, sampling.patch_size_zyx).astype(np.float32)
    return patch, read_patch(labels, start, sampling.patch_size_zyx)


DRAWS_OF_BACKGROUND = 1000


def draw_background(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> tuple[int, ...]:
    """A random voxel without lesion and above the intensity window's lower end.

    Drawn by rejection, which is uniform over these voxels without a list of them. The head fills a
    good part of its box, so that a thousand draws find one; if not, the last drawn is taken.
    """
    voxel: tuple[int, ...] = ()
    for _ in range(DRAWS_OF_BACKGROUND):
        voxel = tuple(int(place) for place in rng.integers(0, labels.shape))
        if labels[voxel] == 0 and image[voxel] > 0:
            break
    return voxel


def patch_start(centre: Sequence[int], shape: Sequence[int], patch_size: Sequence[int]) -> tuple[int, ...]:
    """First voxel of the patch around ``centre``, moved to lie inside of the volume.

    Along an axis on which the volume is smaller than the patch it is centred in the patch, as in
    MONAI's sliding-window inference, and the start is negative.
    """
    start = []
    for place, length, extent in zip(centre, shape, patch_size, strict=True):
        room = length - extent
        start.append(min(max(place - extent // 2, 0), room) if room >= 0 else -(-room // 2))
    return tuple(start)


def read_patch(volume: np.ndarray, start: Sequence[int], size: Sequence[int]) -> np.ndarray:
    """Voxels from ``start`` on, zeros where the volume has none."""
    patch = np.zeros(size, dtype=volume.dtype)
    source, target = [], []
    for first, extent, length in zip(start, size, volume.shape, strict=True):
        lowest, highest = max(first, 0), min(first + extent, length)
        source.append(slice(lowest, highest))
        target.append(slice(lowest - first, highest - first))
    patch[tuple(target)] = volume[tuple(source)]
    return patch


def augment(
    image: np.ndarray, labels: np.ndarray, sampling: Sampling, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Mirror left and right at random; scale and shift the intensities at random.

    Args:
        image: a patch in the network's units, shape (z, y, x).
        labels: its label map.
        sampling: how often and how far.
        rng: that decides it.
    """
    if rng.random() < sampling.flip_probability:
        image, labels = image[..., ::-1], labels[..., ::-1]
    scale = 1 + rng.uniform(-sampling.intensity_scale, sampling.intensity_scale)
    shift = rng.uniform(-sampling.intensity_shift, sampling.intensity_shift)
    return (image * scale + shift).astype(np.float32), labels
