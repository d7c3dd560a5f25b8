"""What of a head CT lies outside the skull: a face, by which a patient could be recognised."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]

HEAD_ABOVE_HU = -300
"""Between air (−1000) and skin, fat (−100): the outline of the head."""

BONE_FROM_HU = 150
"""Thin bone of which a voxel has a part, and no soft tissue without contrast medium."""

STEP_MM = 2.0
"""Side of the pixels in which the outside is looked for: finer than the skull, coarse enough to be quick."""

GAP_MM = 8.0
"""Gaps in the skull that are closed: sutures, foramina, bone too thin to be told, burr holes."""

DEPTH_MM = 25.0
"""So deep is taken away what no skull covers: more than an eye, nose or lips, and no great part of the brain
where a part of the skull was removed."""


IN_SLICE = tuple(
    np.pad(ndimage.generate_binary_structure(2, reach)[None], [(1, 1), (0, 0), (0, 0)]) for reach in (1, 2)
)
"""Neighbours within a slice, without and with those over corners: by turns they grow an octagon."""


def outside_skull(
    image: NDArray[Any],
    pixel_mm: tuple[float, float],
    air_below: float = HEAD_ABOVE_HU,
    bone_from: float = BONE_FROM_HU,
) -> Mask:
    """Where a scan shows neither the skull nor what it covers, slice by slice.

    That is the air around the head, and what can be reached from it through anything but the skull,
    within :data:`DEPTH_MM`. So the scalp goes, nose, lips, eyes and ears; the skull stays, and where a
    part of it is missing, all that lies deeper.

    Args:
        image: shape (slices, rows, columns).
        pixel_mm: size of a pixel (dx, dy).
        air_below: values of air.
        bone_from: values of bone.

    Returns:
        True for what lies outside; of the image's shape.
    """
    dx, dy = pixel_mm
    block = (1, max(1, round(STEP_MM / dy)), max(1, round(STEP_MM / dx)))
    coarse = _largest_in_blocks(image, block)
    step_mm = math.sqrt(block[1] * dy * block[2] * dx)
    outside = _around(coarse < air_below)
    skull = _closed(coarse >= bone_from, math.ceil(GAP_MM / 2 / step_mm))
    for turn in range(round(DEPTH_MM / step_mm)):
        outside |= ndimage.binary_dilation(outside, IN_SLICE[turn % 2], mask=~skull)
    full = outside.repeat(block[1], axis=1).repeat(block[2], axis=2)
    rows, columns = image.shape[1:]
    return full[:, :rows, :columns]


def _largest_in_blocks(image: NDArray[Any], block: tuple[int, int, int]) -> NDArray[Any]:
    """The largest value in each block of pixels; the last ones are filled up with what they end in."""
    over = [(0, -size % step) for size, step in zip(image.shape, block, strict=True)]
    padded = np.pad(image, over, mode="edge")
    slices, rows, columns = padded.shape
    in_blocks = padded.reshape(slices, rows // block[1], block[1], columns // block[2], block[2])
    largest: NDArray[Any] = in_blocks.max(axis=(2, 4))
    return largest


def _around(air: Mask) -> Mask:
    """The air of each slice that reaches its edge."""
    regions, _ = ndimage.label(air, IN_SLICE[0])
    edges = (regions[:, 0], regions[:, -1], regions[:, :, 0], regions[:, :, -1])
    at_edge = np.unique(np.concatenate([edge.ravel() for edge in edges]))
    around: Mask = np.isin(regions, at_edge[at_edge > 0])
    return around


def _closed(bone: Mask, steps: int) -> Mask:
    """The largest piece of bone, its gaps within slices closed; all bone counts where there is none."""
    square = ndimage.iterate_structure(IN_SLICE[1][1], steps)[None]
    padded = np.pad(bone, [(0, 0), (steps, steps), (steps, steps)])
    closed: Mask = ndimage.binary_closing(padded, square)[:, steps:-steps, steps:-steps]
    pieces, n_pieces = ndimage.label(closed)
    if n_pieces == 0:
        return closed
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    skull: Mask = pieces == sizes.argmax()
    return skull
