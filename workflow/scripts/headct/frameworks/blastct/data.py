"""What BLAST-CT's network is fed: scans at its own spacing, deformed once per epoch, cut in patches.

Resampling, intensity window, patch sampling and augmentation are the classes of the package
``blast_ct``. Ours is what it lacks: resampled scans are kept on disk and shared, the elastic noise
is made once, and every batch is a pure function of (seed, fold, batch number).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from blast_ct.nifti.augmention import RandomAugmentation, RandomElasticDeformation
from blast_ct.nifti.patch_samplers import ConditionalPatchSampler
from blast_ct.nifti.rescale import rescale
from blast_ct.read_config import get_augmentation, get_transformation

from headct.contracts.artefacts import write_atomically
from headct.contracts.problems import BadInput, Problem
from headct.engine import seeding
from headct.engine.processes import in_processes
from headct.engine.training_job import TrainingScan

ORIENTATION = "LPS"
REPRESENTATION = 1  # raise when what lies in the folder of resampled scans changes its meaning
NOISE_SEED = 843  # written into blast_ct's generator, hence all its noise maps are equal

Case = tuple[np.ndarray, np.ndarray, np.ndarray]
"""One scan as blast_ct passes it on: normalised image (1, z, y, x), labels and sampling mask (z, y, x)."""


@dataclass(frozen=True)
class DeformedScan:
    """What an epoch's patches are cut from: image float32 (1, z, y, x), labels uint8 and mask (z, y, x).

    ``counts`` are the voxels of each class within the mask, plane by plane: (classes, z).
    """

    image: np.ndarray
    labels: np.ndarray
    mask: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, image: np.ndarray, labels: np.ndarray, mask: np.ndarray, n_classes: int) -> DeformedScan:
        """Count, and keep the arrays from being written to.

        Args:
            image: deformed, shape (z, y, x).
            labels: its label map.
            mask: where patches may lie.
            n_classes: of the label set, background included.
        """
        planes = zip(labels, mask, strict=True)
        counts = [np.bincount(plane[inside], minlength=n_classes) for plane, inside in planes]
        for array in (image, labels, mask):
            array.flags.writeable = False
        return cls(image, labels, mask, np.stack(counts, axis=1))


@dataclass(frozen=True)
class ResampledScan:
    """Files of one scan at the network's spacing: CT int16 HU and labels uint8, both (z, y, x)."""

    scan_id: str
    ct: Path
    labels: Path


def resample(image: sitk.Image, spacing_mm: Sequence[float], is_discrete: bool) -> sitk.Image:
    """Resample to ``spacing_mm`` (x, y, z) with blast_ct's ``rescale``: linear, or nearest for labels.

    The axes are put into LPS order by flips alone and the direction is then the identity: blast_ct's
    own reorientation loses a row of voxels at each flipped axis. The pixel type is kept, so that HU
    are cut off to integers as they are in blast_ct.
    """
    return rescale([float(mm) for mm in spacing_mm], canonical(image), is_discrete)


def canonical(image: sitk.Image) -> sitk.Image:
    """The image with its axes in LPS order, identity direction and origin zero; no voxel changes."""
    oriented = sitk.DICOMOrient(image, ORIENTATION)
    oriented.SetDirection(np.eye(3).ravel().tolist())
    oriented.SetOrigin([0.0, 0.0, 0.0])
    return oriented


def resampled_scans(
    scans: Sequence[TrainingScan],
    spacing_mm: Sequence[float],
    hu_window: Sequence[float],
    shared_folder: Path,
    processes: int,
) -> list[ResampledScan]:
    """Resample what isn't there yet; several jobs may do so at once, into the same folder.

    The files are named by the digest of the scan's content and by that of the settings.

    Args:
        scans: of the training set.
        spacing_mm: z, y, x.
        hu_window: lowest and highest HU that are told apart.
        shared_folder: where the files go.
        processes: how many resample side by side.

    Raises:
        BadInput: a scan has no voxel within ``hu_window``, from which patches are drawn.
    """
    folder = shared_folder / "resampled"
    settings = json.dumps([REPRESENTATION, [float(mm) for mm in spacing_mm]])
    key = hashlib.sha256(settings.encode()).hexdigest()[:8]
    found, tasks = [], []
    for scan in scans:
        name = f"{scan.prepared_name}-{key}"
        files = ResampledScan(scan.scan_id, folder / f"{name}.ct.npy", folder / f"{name}.labels.npy")
        found.append(files)
        if not (files.ct.exists() and files.labels.exists()):
            tasks.append((scan, spacing_mm, files))
    in_processes(_write_resampled, tasks, processes, "blast-ct resamples")
    problems = [
        Problem(str(scan.ct), f"no voxel lies within {list(hu_window)} HU, so there is nothing to learn")
        for scan, files in zip(scans, found, strict=True)
        if not _has_voxel_within(files, hu_window)
    ]
    if problems:
        raise BadInput(problems)
    return found


def _has_voxel_within(files: ResampledScan, hu_window: Sequence[float]) -> bool:
    hu = np.load(files.ct, mmap_mode="r")
    return bool(np.logical_and(hu >= hu_window[0], hu <= hu_window[1]).any())


def _write_resampled(task: tuple[TrainingScan, Sequence[float], ResampledScan]) -> None:
    scan, spacing_mm, files = task
    ct = sitk.ReadImage(str(scan.ct), sitk.sitkInt16)
    labels = sitk.ReadImage(str(scan.labels), sitk.sitkUInt8)
    for image, is_discrete, path in ((ct, False, files.ct), (labels, True, files.labels)):
        array = sitk.GetArrayFromImage(resample(image, spacing_mm, is_discrete))
        with write_atomically(path) as temporary:
            np.save(temporary, array)


def elastic_noise(size_voxels: int, periods: int, amplitude_voxels: float, shared_folder: Path) -> np.ndarray:
    """The displacement map of blast_ct's elastic deformation, made once and then read from disk.

    Args:
        size_voxels: edge of the cube.
        periods: of the noise along an edge.
        amplitude_voxels: largest displacement.
        shared_folder: where the file is, or goes.

    Returns:
        Displacements in voxels, int16, shape (size, size, size), mapped into memory.
    """
    name = f"elastic-noise-{size_voxels}-periods-{periods}-amplitude-{amplitude_voxels:g}.npy"
    path = shared_folder / name
    if not path.exists():
        with write_atomically(path) as temporary:
            planes = _perlin_planes(size_voxels, periods)
            noise = np.stack([np.round(amplitude_voxels * plane).astype(np.int16) for plane in planes])
            np.save(temporary, noise)
    return np.load(path, mmap_mode="r")


def _perlin_planes(size: int, periods: int) -> Iterator[np.ndarray]:
    """Yield Perlin noise (Perlin 1985, improved 2002) plane by plane, each float64 (size, size).

    Equal to ``RandomElasticDeformationCoarsePerlinNoise`` of blast_ct, which computes all planes at
    once and so takes more than 20 GB of memory for 400 voxels.
    """
    # Random numbers are drawn in blast_ct's order and shapes (all theta, then all phi), so the gradients are
    # blast_ct's. Only the interpolation, which takes the memory, goes plane by plane: a plane needs the two
    # layers of gradients around it. It interpolates along z, y, x in turn, as blast_ct does, since
    # floating-point sums depend on their order.
    cell = -(-size // periods) + (periods == 1)  # voxels per period, as blast_ct pads them
    random_state = np.random.RandomState(NOISE_SEED)
    corners = (periods + 1,) * 3
    theta = 2 * np.pi * random_state.rand(*corners)
    phi = 2 * np.pi * random_state.rand(*corners)
    gradients = np.stack((np.sin(phi) * np.cos(theta), np.sin(phi) * np.sin(theta), np.cos(phi)), axis=3)
    length = cell * periods
    position = np.arange(length) * (periods / length) % 1
    weight = 6 * position**5 - 15 * position**4 + 10 * position**3
    y, x = position[:size, None], position[None, :size]
    weight_y, weight_x = weight[:size, None], weight[None, :size]
    for plane in range(size):
        layer = gradients[plane // cell : plane // cell + 2]
        ramps = np.empty((2, 2, 2, size, size))
        for a, b, c in np.ndindex(2, 2, 2):
            corner = layer[a, b : b + periods, c : c + periods].repeat(cell, 0).repeat(cell, 1)
            corner = corner[:size, :size]
            ramps[a, b, c] = (
                (position[plane] - a) * corner[..., 0] + (y - b) * corner[..., 1] + (x - c) * corner[..., 2]
            )
        along_z = ramps[0] * (1 - weight[plane]) + weight[plane] * ramps[1]
        along_y = (1 - weight_y) * along_z[0] + weight_y * along_z[1]
        yield (1 - weight_x) * along_y[0] + weight_x * along_y[1]


class ElasticDeformation(RandomElasticDeformation):
    """blast_ct's elastic deformation, with a displacement map that is given instead of generated."""

    def __init__(self, prob: float, noise: np.ndarray):
        RandomAugmentation.__init__(self, prob)
        self.noise_shape = noise.shape
        self.deformation_fields = [noise]  # one stands for all: blast_ct's maps are equal
        self.patch_shape = None
        self.grid = None


class PlanewiseSampler(ConditionalPatchSampler):
    """blast_ct's sampler, which finds the voxel it draws in one plane, not in a list of all voxels.

    It draws the same numbers and so the same patches.
    """

    def cut(self, scan: DeformedScan) -> tuple[np.ndarray, np.ndarray]:
        """One augmented patch: image (1, z, y, x) and the smaller target (z, y, x)."""
        image, target, _ = self.get_patches(self._centre(scan), scan.image, scan.labels, None)
        for augmentation in self.augmentation:
            image, target, _ = augmentation(image, target)
        return image, target

    def _centre(self, scan: DeformedScan) -> tuple[int, int, int]:
        label = self._label(scan)
        counts = scan.counts.sum(axis=0) if label is None else scan.counts[label]
        ends = counts.cumsum()
        number = np.random.choice(int(ends[-1]))
        z = int(np.searchsorted(ends, number, side="right"))
        candidates = scan.mask[z] if label is None else scan.mask[z] & (scan.labels[z] == label)
        from_last = number - ends[z]  # negative
        y, x = divmod(int(np.flatnonzero(candidates)[from_last]), candidates.shape[1])
        return z, y, x

    def _label(self, scan: DeformedScan) -> int | None:
        """A class that the scan has; None, for any voxel, where as many draws as are allowed find none."""
        for _ in range(self.n_tries):
            label = int(np.random.choice(len(self.class_probabilities), p=self.class_probabilities))
            if scan.counts[label].any():
                return label
        return None


def require_noise_covers(scans: Sequence[ResampledScan], noise: np.ndarray) -> None:
    """Refuse scans larger than the elastic noise, from which a region of the scan's size is cut.

    Raises:
        BadInput: naming each such scan, its size, and the setting to raise.
    """
    shapes = {scan.scan_id: np.load(scan.ct, mmap_mode="r").shape for scan in scans}
    problems = [
        Problem(
            file="config",
            row=scan_id,
            key="blastct: elastic_noise_size_voxels",
            value=str(noise.shape[0]),
            message=f"the scan has {shape} voxels (z, y, x) after resampling; "
            f"the elastic noise must be as large: set at least {max(shape)}",
        )
        for scan_id, shape in shapes.items()
        if np.greater(shape, noise.shape).any()
    ]
    if problems:
        raise BadInput(problems)


class TrainingBatches:
    """All batches of a run, by number.

    An epoch draws ``images_per_epoch`` scans (without replacement where there are as many),
    deforms each once, and cuts ``patches_per_image`` patches from each, taking the scans in turn, as
    ``blast_ct.nifti.datasets.PatchWiseNiftiDataset`` does in one of its workers. Which scans and
    which deformations is decided by the number of the epoch's first batch, patches and their
    augmentation by the batch's own. A worker keeps the deformed scans of the epoch it is at; it
    sees few of them where the number of workers divides ``images_per_epoch / batch_size``.
    """

    def __init__(
        self,
        scans: Sequence[ResampledScan],
        configuration: dict[str, Any],
        noise: np.ndarray,
        target_patch_size: tuple[int, ...],
        seed: int,
        fold: str,
    ):
        training = configuration["training"]
        self.scans = list(scans)
        self.transformation = get_transformation(configuration["data"]["transformation"])
        self.deformation = ElasticDeformation(training["elastic_probability"], noise)
        self.sampler = PlanewiseSampler(
            tuple(training["input_patch_size"]),
            target_patch_size,
            **training["sampler"]["ConditionalPatchSampler"],
            augmentation=get_augmentation(training["patch_augmentation"]),
        )
        self.images_per_epoch = training["images_per_epoch"]
        self.patches_per_epoch = self.images_per_epoch * training["patches_per_image"]
        self.batch_size = training["batch_size"]
        self.batches_per_epoch = -(-self.patches_per_epoch // self.batch_size)
        self.n_classes = configuration["data"]["num_classes"]
        self.seed, self.fold = seed, fold
        self.epoch = -1
        self.deformed: dict[int, DeformedScan] = {}

    def __getitem__(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        """Images float32 (batch, 1, z, y, x) and targets uint8 (batch, z, y, x) of one batch."""
        epoch, within = divmod(batch, self.batches_per_epoch)
        first = within * self.batch_size
        last = min(first + self.batch_size, self.patches_per_epoch)
        scans = [self._deformed(epoch, patch % self.images_per_epoch) for patch in range(first, last)]
        images = np.empty((len(scans), 1, *self.sampler.image_patch_size), np.float32)
        targets = np.empty((len(scans), *self.sampler.target_patch_size), np.uint8)
        seeding.seed_batch(self.seed, self.fold, batch)
        for number, scan in enumerate(scans):
            images[number], targets[number] = self.sampler.cut(scan)
        return images, targets

    def _deformed(self, epoch: int, position: int) -> DeformedScan:
        """The scan at ``position`` of the epoch, deformed; kept until another epoch is asked for."""
        if epoch != self.epoch:
            self.epoch, self.deformed = epoch, {}
        if position not in self.deformed:
            chosen, seeds = self._plan(epoch)
            np.random.seed(seeds[position])
            image, labels, mask = self.deformation(*self._normalised(self.scans[chosen[position]]))
            self.deformed[position] = DeformedScan.of(image, labels, mask, self.n_classes)
        return self.deformed[position]

    def _plan(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Which scans the epoch uses, and a seed for the deformation of each."""
        rng = seeding.batch_rng(self.seed, self.fold, epoch * self.batches_per_epoch)
        n_scans = len(self.scans)
        chosen = rng.choice(n_scans, self.images_per_epoch, replace=n_scans < self.images_per_epoch)
        return chosen, rng.integers(2**32, size=self.images_per_epoch)

    def _normalised(self, scan: ResampledScan) -> Case:
        image = np.load(scan.ct).astype(np.float32)[np.newaxis]
        labels = np.load(scan.labels)
        mask = np.ones(labels.shape, dtype=bool)
        for transformation in self.transformation:
            image, labels, mask = transformation(image, labels, mask)
        return image, labels, mask
