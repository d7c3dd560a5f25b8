"""Masks in NIfTI: one map of values, or one channel for each lesion."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from headct.imaging import label_names, nifti
from headct.imaging.mask_files.stored import StoredMask, whole_numbers
from headct.imaging.nifti_geometry import Trusted, placement

SUFFIXES = (".nii", ".nii.gz")


def takes(start: bytes) -> bool:
    """Whether a file is NIfTI, by its first bytes."""
    return nifti.version_of(start) is not None


def read(path: Path, trusted: Trusted) -> StoredMask:
    """NIfTI by its bytes, whatever its name says of compression. NaN is where nothing was drawn.

    Raises:
        Unreadable: the file can't be used.
    """
    volume = nifti.read(path, several=True)
    columns, rows, slices = volume.values.shape[:3]
    placed = placement(volume.header, (columns, rows, slices), trusted)
    slope, _ = volume.header.get_slope_inter()
    drawn = whole_numbers(np.nan_to_num(volume.values), slope or 0.0)
    named = label_names.of_nifti(path, int(volume.header["vox_offset"]))
    if drawn.ndim == 3:
        return StoredMask(placed.to_lps(drawn), placed.lps_affine, named)
    channels = [placed.to_lps(drawn[..., channel]) for channel in range(drawn.shape[3])]
    return StoredMask(np.stack(channels), placed.lps_affine, named)
