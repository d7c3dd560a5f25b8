"""What a mask's file holds, whatever its format, before its values mean lesions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headct.contracts.plurals import counted
from headct.imaging.geometry import Vector
from headct.imaging.nifti import Unreadable

ROUNDING = 1e-3
"""How far stored floating-point values may be from the whole numbers that they mean."""

LARGEST_SCALED_ERROR = 0.05
"""The same where a header scales integers in steps that are wider."""


@dataclass(frozen=True)
class StoredMask:
    """A mask as its file has it, with axes in LPS order.

    Attributes:
        values: shape (z, y, x), or (channel, z, y, x) where the file has several channels.
        affine: 4 x 4, index (x, y, z, 1) to LPS in mm; its third axis may be sheared.
        named: values and the names that the file gives them.
        is_numbered_here: whether the numbers are not the file's own, which repeat, so that only names tell.
        may_be_quoted: whether messages may repeat the names, which in DICOM might be anything.
        origins: where each slice's first voxel lies, shape (z, 3), of files that say so for each.
        drawn_on: SOP Instance UIDs of the images that the file says it was drawn on.
    """

    values: NDArray[Any]
    affine: Vector
    named: list[tuple[int, str]] = field(default_factory=list)
    is_numbered_here: bool = False
    may_be_quoted: bool = True
    origins: Vector | None = None
    drawn_on: frozenset[str] = frozenset()


def whole_numbers(stored: NDArray[Any], step: float = 0.0) -> NDArray[Any]:
    """Values that all mean whole numbers as these; others as they are.

    Tools that save whole labels as floating-point numbers under an integer header scale them: 1 comes
    back as 0.996 or 1.000015, half a step off at most.

    Args:
        stored: of any shape.
        step: by which a header scales stored integers, 0 for none.
    """
    if np.issubdtype(stored.dtype, np.integer):  # np.rint makes slow half floats of bytes
        return stored
    rounded = np.rint(stored)
    tolerance = max(ROUNDING, min(1.01 * abs(step) / 2, LARGEST_SCALED_ERROR))
    with np.errstate(invalid="ignore"):
        return rounded if (np.abs(stored - rounded) <= tolerance).all() else stored


def one_map(segments: Mapping[int, NDArray[np.bool_]], titles: Mapping[int, str]) -> NDArray[np.int32]:
    """Segments that were stored one by one, as one map of their numbers.

    Args:
        segments: voxels of each segment, all of one shape, by its number.
        titles: what messages call each.

    Raises:
        Unreadable: voxels belong to two of them; each pair is told with their number.
    """
    if overlaps := overlaps_of(segments, titles):
        raise Unreadable(f"{overlaps}: a voxel can be of one lesion only; mend the drawing")
    merged = np.zeros(next(iter(segments.values())).shape, dtype=np.int32)
    for number, voxels in segments.items():
        merged[voxels] = number
    return merged


def overlaps_of(segments: Mapping[Any, NDArray[np.bool_]], titles: Mapping[Any, str]) -> str:
    """Pairs of segments that share voxels, and how many, in words; empty where none do."""
    shared = (
        (titles[one], titles[other], int(np.count_nonzero(segments[one] & segments[other])))
        for one, other in combinations(segments, 2)
    )
    return ", ".join(_pair_in_words(pairs) for pairs in shared if pairs[2])


def _pair_in_words(pair: Iterable[Any]) -> str:
    one, other, number = pair
    return f"{one} and {other} overlap in {counted(number, 'voxel')}"
