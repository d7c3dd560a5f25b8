"""Whether values are those of a head CT in HU, and a mask lies where a bleed can be."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headct.contracts.labels import LabelSet, Role
from headct.contracts.problems import Ineligible
from headct.imaging.hounsfield import HU_RANGE, Intensity, to_int16

AIR_HU = -1000

AIR_TOLERANCE_HU = 50

AIR_SHARE = 0.01
"""Share of the field of view that must be air before its HU bear witness."""

ENOUGH_AIR = 0.05
"""Share of air in the neighbouring slices above which its absence in a slice is suspicious."""

GREY_LEVELS = 255

WINDOW_FLOOR_SHARE = 0.2
"""Share of voxels at the lowest of at most 256 values above which they were windowed for display."""

WINDOWED = "windowed_for_display"
"""The doubt that values are grey levels of a window for display."""

OFFSETS = (1024, 1000, -1024, -1000)
"""What tools add to HU, or take off once too often, when they forget or repeat a rescale intercept."""

WRAPS = (65536, 4096)
"""What negative values have become where 16 or 12 bits were read without their sign."""

FEWEST_GREYS = 16
"""Whole values below which an image for display shows nothing: it was scaled to 0...1, say."""

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


def doubts_about_hu(image: NDArray[np.int16], step: int = SAMPLE_STEP) -> set[str]:
    """Which witnesses of HU are missing: air near -1000 HU, tissue like brain, a range beyond a window's.

    A picture windowed for display has at most 256 values, of which all air has the lowest; where the field
    of view lies within the head, nothing is that even. Every ``step``-th row and column is looked at.
    """
    sample = np.ascontiguousarray(image[:, ::step, ::step])  # looked at often, and faster so
    air = sample[is_air(sample)]
    doubts = set()
    if air.size < AIR_SHARE * sample.size:
        doubts.add("no_air_in_view")
    elif abs(float(np.median(air)) - AIR_HU) > AIR_TOLERANCE_HU:
        doubts.add("air_not_near_minus_1000_hu")
    lowest, highest = int(sample.min()), int(sample.max())
    even = np.mean(sample == lowest) > WINDOW_FLOOR_SHARE
    if even and lowest > AIR_HU / 2 and highest - lowest <= GREY_LEVELS:
        doubts.add(WINDOWED)
    if doubts and _lacks_brain(sample):
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


def fault_of_values(values: NDArray[Any], image: NDArray[np.int16], intensity: Intensity) -> str:
    """Why values of a file are not those of a head CT; empty where they are.

    Args:
        values: shape (slices, rows, columns), none of them NaN, neither rounded nor clipped.
        image: the same, rounded and clipped.
        intensity: what the study's images hold.
    """
    if intensity == "windowed":
        return _fault_of_greys(values)
    doubts = doubts_about_hu(image) | ({WINDOWED} if values.dtype.itemsize == 1 else set())
    fault = what_was_done(sampled(values), image) if doubts or lacks_brain(image) else ""
    return fault or (not_hu(doubts) if doubts else "")


def sampled(values: NDArray[Any]) -> NDArray[Any]:
    """Every so many rows and columns, the last two axes, in which the witnesses of HU are looked for."""
    return values[..., ::SAMPLE_STEP, ::SAMPLE_STEP]


def lacks_brain(image: NDArray[np.int16]) -> bool:
    """Whether hardly a voxel has the HU of brain; shape (slices, rows, columns).

    Where an intercept was applied twice, brain reads like air, and no other witness misses anything.
    """
    return _lacks_brain(sampled(image))


def not_hu(doubts: Set[str]) -> str:
    """The doubts as a reason, with what to do about a window."""
    way_out = "; ingest.intensity: windowed takes a study of such images" if WINDOWED in doubts else ""
    return f"pixel values are not HU: {', '.join(sorted(doubts)).replace('_', ' ')}{way_out}"


def _fault_of_greys(values: NDArray[Any]) -> str:
    """Why grey levels can't be kept as whole numbers."""
    lowest, highest = float(values.min()), float(values.max())
    if lowest < HU_RANGE[0] or highest > HU_RANGE[1]:
        return f"windowed values from {lowest:g} to {highest:g}: scale them to 0 to 255"
    sample = np.unique(np.rint(sampled(values)))
    if len(sample) < FEWEST_GREYS:
        return (
            f"windowed values from {lowest:g} to {highest:g} with {len(sample)} whole ones: scale to 0 to 255"
        )
    return ""


def what_was_done(values: NDArray[Any], image: NDArray[np.int16]) -> str:
    """What was done to HU so that these values came out; empty where nothing known explains them.

    Args:
        values: as of :func:`sampled`, neither rounded nor clipped.
        image: all of them, rounded and clipped.
    """
    if is_skull_stripped(image):
        return "skull-stripped: no air around the head and no bone; the networks know whole heads"
    sample = values.astype(np.float64)
    off_air = {
        offset: abs(_air_of(shifted) - AIR_HU)
        for offset in OFFSETS
        if _is_head_ct(shifted := to_int16(sample - offset))
    }
    if off_air:
        offset = min(off_air, key=off_air.__getitem__)
        direction = "above" if offset > 0 else "below"
        undo = "subtract" if offset > 0 else "add"
        return (
            f"pixel values are not HU: all of them are {abs(offset)} {direction} (air lies near "
            f"{AIR_HU + offset}): {undo} {abs(offset)}"
        )
    for span in WRAPS:
        if sample.max() < span and _is_head_ct(to_int16(np.where(sample >= span / 2, sample - span, sample))):
            return (
                f"pixel values are not HU: negative values lost their sign ({span + AIR_HU} stands for "
                f"{AIR_HU}): subtract {span} from those of {span // 2} and more"
            )
    if not np.issubdtype(values.dtype, np.integer) and np.ptp(sample) <= FEWEST_GREYS:
        return f"pixel values are not HU: they were scaled to {sample.min():.3g} ... {sample.max():.3g}"
    return ""


def _is_head_ct(sample: NDArray[np.int16]) -> bool:
    """Whether values bear all witnesses of HU, brain and bone among them."""
    bone = np.count_nonzero(sample > HEAD_HU[1])
    enough = bone >= BONE_SHARE * sample.size and not _lacks_brain(sample)
    return bool(enough) and not doubts_about_hu(sample, step=1)


def _lacks_brain(sample: NDArray[np.int16]) -> bool:
    brain = np.count_nonzero((sample >= BRAIN_HU[0]) & (sample <= BRAIN_HU[1]))
    return bool(brain < BRAIN_SHARE * sample.size)


def _air_of(sample: NDArray[np.int16]) -> float:
    return float(np.median(sample[is_air(sample)]))


def refuse_damaged(image: NDArray[np.int16], names: Sequence[str], intensity: Intensity) -> None:
    """Raise Ineligible for a slice that is blank, or (of HU) lacks the air of its neighbours.

    Args:
        image: shape (slices, rows, columns).
        names: what messages call each slice.
        intensity: what the values are.
    """
    if (blank := blank_slice(image)) is not None:
        raise Ineligible(f"truncated or damaged pixels: {names[blank]} is blank")
    if intensity == "hounsfield" and (odd := slice_without_air(image)) is not None:
        raise Ineligible(f"pixel values are not HU: unlike its neighbours, {names[odd]} has no air")


def blank_slice(image: NDArray[np.int16]) -> int | None:
    """Index of a slice of one value between others; at the ends scanners do write blank air."""
    flat = [int(plane.min()) == int(plane.max()) for plane in image]
    return next((k for k in range(1, len(flat) - 1) if flat[k - 1 : k + 2] == [False, True, False]), None)


def slice_without_air(image: NDArray[np.int16]) -> int | None:
    """Index of a slice with a tenth, at most, of its neighbours' air: it was rescaled otherwise."""
    sample = sampled(image)
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
    sample = sampled(image)
    tissue = sample[(sample >= BRAIN_HU[0]) & (sample <= BRAIN_HU[1])]
    if not bleed.size or not tissue.size:
        return True
    return float(np.median(bleed)) > float(np.median(tissue)) + HYPERDENSITY_HU
