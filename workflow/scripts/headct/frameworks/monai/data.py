"""Volumes for the networks trained with MONAI: preprocessing, its inverse, and its cache.

The steps and their order are those of MONAI's spleen CT tutorial and bundle
(https://github.com/Project-MONAI/tutorials, 3d_segmentation/spleen_segmentation_3d.ipynb;
https://huggingface.co/MONAI/spleen_ct_segmentation): scale an intensity window to 0...1, crop to
the foreground, resample to one spacing (images linearly, labels to the nearest voxel). There is no
re-orientation: ingest guarantees axial slices from bottom to top, and everything works on the
array, of which only the spacing counts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from torch.nn import functional

from headct.contracts.artefacts import write_atomically
from headct.contracts.code import NO_CONTENT, code_digest
from headct.engine.processes import in_processes
from headct.engine.training_job import TrainingScan
from headct.frameworks.monai.settings import Volumes


@dataclass(frozen=True)
class Preprocessing:
    """Target spacing (mm, z y x) and intensity window (HU, lowest and highest)."""

    spacing_mm_zyx: tuple[float, float, float]
    hu_window: tuple[float, float]

    @classmethod
    def from_settings(cls, settings: Volumes) -> Preprocessing:
        """From the config's ``spacing_mm_xyz`` and ``hu_window``."""
        x, y, z = settings.spacing_mm_xyz
        lowest, highest = settings.hu_window
        return cls((z, y, x), (lowest, highest))

    def key(self) -> str:
        """Short digest of these settings and of the code that applies them."""
        text = json.dumps([asdict(self), code_digest([__name__], without=NO_CONTENT)])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


Box = tuple[slice, slice, slice]


def array_and_spacing(image: sitk.Image) -> tuple[np.ndarray, tuple[float, ...]]:
    """Voxels (z, y, x) and spacing in mm in the same order."""
    return sitk.GetArrayFromImage(image), image.GetSpacing()[::-1]


def foreground_box(hu: np.ndarray, lowest_hu: float) -> Box:
    """Smallest box around all voxels above ``lowest_hu``; the whole volume if there are none."""
    inside = hu > lowest_hu
    if not inside.any():
        inside = np.ones_like(inside)
    z, y, x = (np.flatnonzero(inside.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1)))
    return slice(z[0], z[-1] + 1), slice(y[0], y[-1] + 1), slice(x[0], x[-1] + 1)


def resampled_size(
    size: Sequence[int], spacing_mm: Sequence[float], target_mm: Sequence[float]
) -> tuple[int, ...]:
    """Voxels along each axis after resampling: the extent in mm is kept up to half a voxel."""
    return tuple(
        max(1, round(length * old / new))
        for length, old, new in zip(size, spacing_mm, target_mm, strict=True)
    )


def resample(volume: np.ndarray, size: Sequence[int], mode: str = "trilinear") -> np.ndarray:
    """Volume of shape (z, y, x) or (channels, z, y, x) on ``size`` voxels of the same extent.

    ``mode`` is ``"trilinear"`` or ``"nearest-exact"``; the result is float32.
    """
    tensor = torch.from_numpy(np.ascontiguousarray(volume, dtype=np.float32))
    batch = tensor.reshape(1, -1, *tensor.shape[-3:])
    corners = False if mode == "trilinear" else None  # voxels have an extent: not aligned
    result = functional.interpolate(batch, size=tuple(size), mode=mode, align_corners=corners)
    return result.reshape(*tensor.shape[:-3], *size).numpy()


@dataclass(frozen=True)
class PreprocessedImage:
    """A network's view of a CT: ``image`` float32 in 0...1, from ``box`` of the native array."""

    image: np.ndarray
    box: Box
    native_shape: tuple[int, int, int]


def preprocess(
    hu: np.ndarray, spacing_mm_zyx: Sequence[float], preprocessing: Preprocessing
) -> PreprocessedImage:
    """Window, crop and resample a CT of shape (z, y, x) in HU."""
    lowest, highest = preprocessing.hu_window
    box = foreground_box(hu, lowest)
    scaled = (hu[box].astype(np.float32) - lowest) / (highest - lowest)
    size = resampled_size(scaled.shape, spacing_mm_zyx, preprocessing.spacing_mm_zyx)
    return PreprocessedImage(resample(scaled.clip(0, 1), size), box, hu.shape)


@dataclass(frozen=True)
class PreparedScan:
    """A preprocessed training scan on disk; the arrays are memory-mapped when asked for."""

    folder: Path

    @property
    def image(self) -> np.ndarray:
        """float16, shape (z, y, x), 0...1."""
        return self._map("image")

    @property
    def labels(self) -> np.ndarray:
        """uint8, shape (z, y, x)."""
        return self._map("labels")

    @property
    def foreground(self) -> np.ndarray:
        """Flat indices of all lesion voxels."""
        return self._map("foreground")

    def _map(self, name: str) -> np.ndarray:
        path = self.folder / f"{name}.npy"
        # An empty file can't be mapped: a scan without any lesion has no foreground.
        return np.load(path, mmap_mode="r" if name != "foreground" else None)

    def is_complete(self) -> bool:
        """Whether all arrays are there (each is written whole)."""
        return all((self.folder / f"{name}.npy").exists() for name in ARRAYS)


ARRAYS = ("labels", "foreground", "image")


def _prepare(task: tuple[TrainingScan, Preprocessing, PreparedScan]) -> None:
    """Preprocess one scan.

    The folder's name digests content and settings, and equal inputs give equal files, so that
    several processes may prepare the same scan at once.

    Raises:
        ValueError: CT and labels have different shapes.
    """
    scan, preprocessing, prepared = task
    hu, spacing_mm = array_and_spacing(sitk.ReadImage(str(scan.ct)))
    labels, _ = array_and_spacing(sitk.ReadImage(str(scan.labels)))
    if labels.shape != hu.shape:
        raise ValueError(f"{scan.scan_id}: CT has shape {hu.shape}, labels have {labels.shape}")
    result = preprocess(hu, spacing_mm, preprocessing)
    resampled = resample(labels[result.box], result.image.shape, "nearest-exact").astype(np.uint8)
    arrays: dict[str, np.ndarray] = {
        "labels": resampled,
        "foreground": np.flatnonzero(resampled),
        "image": result.image.astype(np.float16),  # steps of 0.03 HU at the top of the window
    }
    for name in ARRAYS:
        with write_atomically(prepared.folder / f"{name}.npy") as temporary:
            np.save(temporary, arrays[name])


def prepare_all(
    scans: Sequence[TrainingScan], preprocessing: Preprocessing, cache: Path, processes: int
) -> list[PreparedScan]:
    """Preprocess all scans that are not in the cache yet, in so many processes.

    Args:
        scans: of the training set.
        preprocessing: spacing and window.
        cache: folder of the prepared scans.
        processes: how many work side by side.
    """
    folder = cache / preprocessing.key()
    prepared = [PreparedScan(folder / scan.prepared_name) for scan in scans]
    tasks = [
        (scan, preprocessing, one) for scan, one in zip(scans, prepared, strict=True) if not one.is_complete()
    ]
    in_processes(_prepare, tasks, processes, "MONAI preprocesses")
    return prepared
