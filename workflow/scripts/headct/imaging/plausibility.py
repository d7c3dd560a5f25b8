"""Whether values are those of a head CT in HU, and a mask lies where a bleed can be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from headct.contracts.labels import LabelSet, Role
from headct.imaging.hounsfield import HU_RANGE

AIR_HU = -1000

AIR_TOLERANCE_HU = 50

AIR_SHARE = 0.01
"""Share of the field of view that must be air before its HU bear witness."""

ENOUGH_AIR = 0.05
"""Share of air in the neighbouring slices above which its absence in a slice is suspicious."""

GREY_LEVELS = 255

WINDOW_FLOOR_SHARE = 0.2
"""Share of voxels at the lowest of at most 256 values above which they were windowed for display."""

BRAIN_HU = (0, 80)

BRAIN_SHARE = 0.02

SAMPLE_STEP = 4
"""Every so many rows and columns are looked at for the witnesses of HU."""

HEAD_HU = (-200, 300)

BONE_SHARE = 0.001
"""Share of bone in the view below which a head has no skull; with one it is 5 % and more."""

FILL_SHARE = 0.3
"""Share of the commonest value above which it fills what was cut away."""

HYPERDENSITY_HU = 5
"""A fresh bleed is denser than the head's soft tissue by more than this (about 30 HU)."""


def is_air(hounsfield: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Which voxels are air; padding outside of the field of view (clipped to -1024) is none."""
    return (hounsfield > HU_RANGE[0]) & (hounsfield < AIR_HU / 2)


def doubts_about_hu(image: NDArray[np.int16]) -> set[str]:
    """Which witnesses of HU are missing: air near -1000 HU, tissue like brain, a range beyond a window's.

    A picture windowed for display has at most 256 values, of which all air has the lowest; where the field
    of view lies within the head, nothing is that even.
    """
    sample = image[:, ::SAMPLE_STEP, ::SAMPLE_STEP]
    air = sample[is_air(sample)]
    doubts = set()
    if air.size < AIR_SHARE * sample.size:
        doubts.add("no_air_in_view")
    elif abs(float(np.median(air)) - AIR_HU) > AIR_TOLERANCE_HU:
        doubts.add("air_not_near_minus_1000_hu")
    lowest, highest = int(sample.min()), int(sample.max())
    even = np.mean(sample == lowest) > WINDOW_FLOOR_SHARE
    if even and lowest > AIR_HU / 2 and highest - lowest <= GREY_LEVELS:
        doubts.add("windowed_for_display")
    brain = np.count_nonzero((sample >= BRAIN_HU[0]) & (sample <= BRAIN_HU[1]))
    if doubts and brain < BRAIN_SHARE * sample.size:
        doubts.add("no_tissue_like_brain")
    return doubts


def is_skull_stripped(hu: NDArray[np.int16]) -> bool:
    """Whether a volume shows a brain, one value around it, and neither bone nor values cut off at a limit."""
    values, counts = np.unique(hu, return_counts=True)
    fill = values[counts.argmax()]
    brain = (hu >= BRAIN_HU[0]) & (hu <= BRAIN_HU[1]) & (hu != fill)
    few = BONE_SHARE * hu.size
    return bool(
        np.mean(brain) >= BRAIN_SHARE
        and counts.max() > FILL_SHARE * hu.size
        and counts[values > HEAD_HU[1]].sum() < few
        and counts[-1] < few
    )


def blank_slice(image: NDArray[np.int16]) -> int | None:
    """Index of a slice of one value between others; at the ends scanners do write blank air."""
    flat = [int(plane.min()) == int(plane.max()) for plane in image]
    return next((k for k in range(1, len(flat) - 1) if flat[k - 1 : k + 2] == [False, True, False]), None)


def slice_without_air(image: NDArray[np.int16]) -> int | None:
    """Index of a slice with a tenth, at most, of its neighbours' air: it was rescaled otherwise."""
    sample = image[:, ::SAMPLE_STEP, ::SAMPLE_STEP]
    share = np.mean(is_air(sample), axis=(1, 2))
    beside = np.minimum(np.append(share[1:], np.inf), np.insert(share[:-1], 0, np.inf))
    suspicious = np.flatnonzero((share < beside / 10) & (beside >= ENOUGH_AIR))
    return int(suspicious[0]) if suspicious.size else None


def share_outside_head(label_map: NDArray[np.uint8], image: NDArray[np.int16]) -> float:
    """Share of the labelled voxels whose HU are those of air or of bone; 0 where none is labelled."""
    hounsfield = image[label_map > 0]
    if not hounsfield.size:
        return 0.0
    inside = (hounsfield >= HEAD_HU[0]) & (hounsfield <= HEAD_HU[1])
    return float(1 - np.count_nonzero(inside) / hounsfield.size)


def bleed_is_dense(label_map: NDArray[np.uint8], image: NDArray[np.int16], labels: LabelSet) -> bool:
    """Whether the bleed under the mask is denser than soft tissue; true where none is labelled.

    A mask that is mirrored, or of another scan on an equal grid, shows in no header, but here.
    """
    values = [label.value for label in labels.with_role(Role.TISSUE_HAEMORRHAGE)]
    bleed = image[np.isin(label_map, values)]
    sample = image[:, ::SAMPLE_STEP, ::SAMPLE_STEP]
    tissue = sample[(sample >= BRAIN_HU[0]) & (sample <= BRAIN_HU[1])]
    if not bleed.size or not tissue.size:
        return True
    return float(np.median(bleed)) > float(np.median(tissue)) + HYPERDENSITY_HU
