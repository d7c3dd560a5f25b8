"""The choice of a scan's series.

What can't be segmented at all is rejected with its reason; series that are parts of one stack are joined;
among the rest, the criteria in ``ingest.series_preference`` decide one after the other; what they leave
undecided is reported, not guessed. Nothing decides between patients, studies, days or positions.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headct.contracts.problems import BadInput, Ineligible, Problem
from headct.imaging import geometry
from headct.imaging.dicom import Instance, has_rescale, padding_hu
from headct.imaging.fitness import (
    TOO_FEW,
    SeriesRules,
    missing_section,
    not_as_announced,
    stray_slices,
    unfit,
)
from headct.imaging.hounsfield import HU_RANGE
from headct.imaging.one_source import refuse_several_sources
from headct.imaging.series import Series, listed, not_straight, same_volume, stacked, thickness_mm
from headct.imaging.whole_head import join_parts, left_out, refuse_parts_of_others

EVEN_GAPS = 0.01
"""Relative spread of the gaps up to which a series counts as evenly spaced."""

UNTILTED_DEG = 0.1
"""Angle of shear up to which a series counts as untilted."""

FACE_GAP_MM = 3.0
"""Sections up to this gap let a face be rendered from the skin well enough to be recognised."""

LOWEST_TISSUE_HU = -900
"""Padding above this may be confused with tissue."""


@dataclass(frozen=True)
class Chosen:
    """The series to convert, its slices from inferior to superior, and what was passed over."""

    series: Series
    instances: list[Instance]
    geometry: geometry.Geometry
    rejected: list[dict[str, Any]]
    fewer_than_announced: bool = False


def choose(
    candidates: list[Series],
    rules: SeriesRules,
    scan_id: str,
    fits_mask: geometry.FitsMask = lambda grid: True,
) -> Chosen:
    """Choose the series to segment.

    Args:
        candidates: what :func:`group` found.
        rules: eligibility and preference.
        scan_id: for messages.
        fits_mask: whether the rater's mask lies on the grid of a series.

    Raises:
        Ineligible: none is eligible; the reason is that of the series with the most instances.
        BadInput: several are equally good by the rules.
    """
    candidates = join_parts(candidates, rules)
    reasons = {id(series): unfit(series, rules) for series in candidates}
    fit = [series for series in candidates if not reasons[id(series)]]
    rejected = [
        {**series.describe(), "reason": reasons[id(series)]} for series in candidates if reasons[id(series)]
    ]
    if not fit:
        largest = max(candidates, key=lambda series: len(series.instances))
        reason = reasons[id(largest)]
        if reason.startswith(TOO_FEW):
            refuse_parts_of_others(largest, candidates, rules, scan_id)
            reason = stray_slices(largest, candidates) or reason
        raise Ineligible(reason)
    cut_short = [
        series
        for series in candidates
        if reasons[id(series)].startswith(TOO_FEW) and len(series.instances) * 2 >= rules.minimum_slices
    ]
    refuse_several_sources(fit + cut_short, scan_id)
    criteria: dict[str, Criterion] = {
        **CRITERIA,
        "fits_mask": lambda series, rules: fits_mask(stacked(series)[1]),
    }
    for name in rules.series_preference:
        scores = [criteria[name](series, rules) for series in fit]
        best = max(scores)
        passed_over = [s for s, score in zip(fit, scores, strict=True) if score < best]
        reason = f"another series is better by {name}"
        rejected += [{**series.describe(), "reason": reason} for series in passed_over]
        fit = [s for s, score in zip(fit, scores, strict=True) if score == best]
    copies = [series for series in fit[1:] if same_volume(series, fit[0])]
    rejected += [{**series.describe(), "reason": "copy of the chosen series"} for series in copies]
    fit = [series for series in fit if series not in copies]
    series = fit[0]
    refuse_parts_of_others(series, candidates, rules, scan_id)
    stray = stray_slices(series, candidates)
    if stray:
        raise Ineligible(stray)
    if len(fit) > 1:
        message = (
            f"{len(fit)} series are equally good by ingest.series_preference: {listed(fit)}. Add a "
            f"criterion ({', '.join(CRITERION_NAMES)}) or leave only one in the folder"
        )
        raise BadInput([Problem(scan_id, message, key="image")])
    fewer = not_as_announced(series, candidates)
    missing = (
        left_out(series, candidates, rules)
        or missing_section(series, rules)
        or (fewer if rules.require_announced_images else "")
    )
    if missing:
        raise Ineligible(missing)
    instances, grid = stacked(series)
    crooked = not_straight(instances, grid)
    if crooked:
        raise Ineligible(crooked)
    return Chosen(series, instances, grid, rejected, bool(fewer))


def flags(chosen: Chosen, rules: SeriesRules) -> list[str]:
    """Quality flags of a chosen series that its headers tell: names, sorted."""
    instances, grid = chosen.instances, chosen.geometry
    found = {
        "duplicates_dropped": bool(chosen.series.dropped),
        "other_series_in_folder": bool(chosen.rejected),
        "moved_in_plane": grid.moves.any,
        "instance_numbers_not_consecutive": instances[0].frame is None and not _numbered_in_turn(instances),
        "no_rescale": not all(has_rescale(i) for i in instances),
        "monochrome1": any(i.text("PhotometricInterpretation") == "MONOCHROME1" for i in instances),
        "lossy_compression": any(i.text("LossyImageCompression") == "01" for i in instances),
        "multi_frame": any(i.frame is not None for i in instances),
        "repeated_acquisition": chosen.series.repeated,
        "joined_series": len({_filed_under(i) for i in instances}) > 1,
        "fewer_slices_than_announced": chosen.fewer_than_announced,
        "rescale_type_not_hu": any(i.text("RescaleType") not in ("", "HU") for i in instances),
        "burned_in_annotation": any(i.text("BurnedInAnnotation") == "YES" for i in instances),
        "padding_within_tissue_hu": any(_padding_like_tissue(i) for i in instances),
    }
    return sorted({name for name, raised in found.items() if raised} | flags_of_grid(grid, rules))


def flags_of_grid(grid: geometry.Geometry, rules: SeriesRules) -> set[str]:
    """Quality flags that the places of the slices alone tell, in whatever format they came."""
    gaps = np.diff(grid.positions_mm)
    found = {
        "tilted": grid.tilt_deg > UNTILTED_DEG,
        "uneven_gaps": bool(gaps.max() > gaps.min() * (1 + EVEN_GAPS)),
        "little_coverage": float(grid.weights_mm.sum()) < rules.minimum_coverage_mm,
        "face_may_be_recognisable": grid.spacing_mm_xyz[2] <= FACE_GAP_MM,
    }
    return {name for name, raised in found.items() if raised}


def _padding_like_tissue(instance: Instance) -> bool:
    padding = padding_hu(instance)
    return padding is not None and padding[1] > LOWEST_TISSUE_HU and padding[0] <= HU_RANGE[1]


def _numbered_in_turn(instances: list[Instance]) -> bool:
    """Whether the instance numbers of each series are whole and without a hole, whatever their order."""
    numbers: dict[str, list[int | None]] = defaultdict(list)
    for instance in instances:
        numbers[instance.text("SeriesInstanceUID")].append(instance.number)
    return all(_without_a_hole(several) for several in numbers.values())


def _without_a_hole(numbers: Sequence[int | None]) -> bool:
    known = sorted(number for number in numbers if number is not None)
    return len(known) == len(numbers) and set(np.diff(known)) <= {1}


def _filed_under(instance: Instance) -> tuple[str, str, str]:
    """What a scanner tells one series from another by."""
    return instance.text("SeriesInstanceUID"), instance.text("SeriesNumber"), instance.kernel


def _soft_tissue(series: Series, rules: SeriesRules) -> float:
    kernels = {kernel for text in series.values("ConvolutionKernel") for kernel in text.split("\\")}
    return not any(re.search(pattern, k) for pattern in rules.sharp_kernels for k in kernels)


Criterion = Callable[[Series, SeriesRules], float]


CRITERIA: dict[str, Criterion] = {
    "soft_tissue_kernel": _soft_tissue,
    "complete": lambda series, rules: not missing_section(series, rules),
    "original": lambda series, rules: all(
        text.upper().startswith("ORIGINAL") for text in series.values("ImageType")
    ),
    "thicker_slices": lambda series, rules: round(thickness_mm(series), 2),
    "thinner_slices": lambda series, rules: -round(thickness_mm(series), 2),
    "more_slices": lambda series, rules: len(series.instances),
}
"""Criteria that the headers decide; the higher value wins."""


CRITERION_NAMES = (*CRITERIA, "fits_mask")
"""What ``ingest.series_preference`` may name."""
