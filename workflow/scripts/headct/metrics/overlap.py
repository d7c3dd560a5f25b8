"""What shared voxels tell: Dice, volumes, presence, and haemorrhages taken for each other."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from headct.metrics.grid import Grid

Measures = dict[str, float | int | str]


def confusion_per_slice(
    reference: NDArray[np.uint8], predicted: NDArray[np.uint8], n_classes: int
) -> NDArray[np.int64]:
    """Count voxels by slice, reference label and predicted label.

    Args:
        reference, predicted: uint8 label maps of equal shape (z, y, x), values below ``n_classes``.
        n_classes: of the label set, background included; 15 at most, so that two labels fit into a byte.

    Returns:
        Counts of shape (z, n_classes, n_classes): [slice, reference label, predicted label].

    Raises:
        ValueError: the shapes differ.
    """
    if reference.shape != predicted.shape:
        raise ValueError(f"shapes differ: {reference.shape} and {predicted.shape}")
    # Both labels of a voxel in one byte: a single count per slice serves every measure.
    codes = reference * np.uint8(n_classes) + predicted
    counts = [np.bincount(code.ravel(), minlength=n_classes**2) for code in codes]
    return np.array(counts, dtype=np.int64).reshape(-1, n_classes, n_classes)


def measure(
    counts: NDArray[np.int64],
    values: Sequence[int],
    grid: Grid,
    presence_minimum_ml: float,
    haemorrhages: Collection[int],
) -> Measures:
    """Dice, presence and volumes of a lesion.

    Args:
        counts: result of :func:`confusion_per_slice`.
        values: label values that make up the lesion.
        grid: the grid of the counted slices.
        presence_minimum_ml: volume above which ``presence_at_minimum`` calls a lesion present.
        haemorrhages: label values that may be taken for each other.
    """
    rows, columns = counts[:, values, :], counts[:, :, values]
    reference, predicted = rows.sum(axis=(1, 2)), columns.sum(axis=(1, 2))
    intersection = rows[:, :, values].sum(axis=(1, 2))
    voxels = {
        "reference": reference,
        "predicted": predicted,
        "intersection": intersection,
        "false_positive": predicted - intersection,
        "false_negative": reference - intersection,
    }
    true = {name: volume_ml(per_slice, grid.voxel_ml) for name, per_slice in voxels.items()}
    header = {name: int(per_slice.sum()) * grid.header_voxel_ml for name, per_slice in voxels.items()}
    value = dice(int(reference.sum()), int(predicted.sum()), int(intersection.sum()))
    volumes = {f"{name}_ml": volume for name, volume in true.items()}
    header_volumes = {f"{name}_header_ml": volume for name, volume in header.items()}
    return {
        "dice": value,
        "dice_present": value if reference.any() else math.nan,
        "presence": presence(true["reference"], true["predicted"], 0),
        "presence_at_minimum": presence(true["reference"], true["predicted"], presence_minimum_ml),
        **volumes,
        "volume_error_ml": true["predicted"] - true["reference"],
        "swapped_ml": swapped_ml(counts, values, grid, haemorrhages),
        **header_volumes,
        "volume_error_header_ml": header["predicted"] - header["reference"],
    }


def swapped_ml(
    counts: NDArray[np.int64], values: Sequence[int], grid: Grid, haemorrhages: Collection[int]
) -> float:
    """Volume (mL) of the reference's haemorrhage that is predicted as another one.

    NaN for what is no haemorrhage, and where the label set has no other one.

    Args:
        counts: of :func:`confusion_per_slice`.
        values: of the label that is measured.
        grid: of the label maps.
        haemorrhages: voxel values of all haemorrhages.
    """
    swaps = [(value, other) for value in values for other in haemorrhages if other != value]
    if not swaps or not set(values) <= set(haemorrhages):
        return math.nan
    truth, guess = zip(*swaps, strict=True)
    voxels = counts[:, truth, guess].sum(axis=1)
    return volume_ml(voxels, grid.voxel_ml)


def volume_ml(voxels_per_slice: NDArray[np.int64], voxel_ml: NDArray[np.float64]) -> float:
    """Volume (mL) of what has so many voxels in each slice; both arguments of shape (z,).

    The measures' form of :func:`headct.imaging.geometry.volume_ml`, for voxels that are counted already.
    """
    # fsum rounds once: the value does not depend on how a library groups the additions.
    return math.fsum(voxels_per_slice * voxel_ml)


def dice(reference_voxels: int, predicted_voxels: int, intersection_voxels: int) -> float:
    """Dice coefficient, 2|A∩B| / (|A| + |B|); 1 where both are empty, by the study's convention."""
    total = reference_voxels + predicted_voxels
    return 2 * intersection_voxels / total if total else 1.0


def presence(reference_ml: float, predicted_ml: float, minimum_ml: float) -> str:
    """TP, FP, FN or TN; a lesion is present, in either map, where its volume exceeds the minimum."""
    truth, guess = reference_ml > minimum_ml, predicted_ml > minimum_ml
    return ("T" if truth == guess else "F") + ("P" if guess else "N")
