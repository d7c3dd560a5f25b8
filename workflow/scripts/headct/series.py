"""The series of a scan: grouping of instances, eligibility, and the documented choice of one.

A folder may hold a scout view, a dose report, bone and soft-tissue reconstructions, a repeated
scan. What can't be segmented at all is rejected with its reason; among the rest, the criteria in
``ingest.series_preference`` decide one after the other; what they leave undecided is reported, not
guessed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headct import geometry
from headct.dicom import Ineligible, Instance, plain_fact
from headct.problems import BadInput, Problem

SAME_POSITION_MM = 0.01
SAME_ORIENTATION = 1e-3
EVEN_GAPS = 0.01
"""Relative spread of the gaps up to which a series counts as evenly spaced."""

STRAIGHT_DEG = 0.1
"""Angle of shear up to which a series counts as untilted."""


@dataclass
class Series:
    """Instances that could form one volume: equal series, matrix, orientation and kernel."""

    instances: list[Instance]
    dropped: list[Instance] = field(default_factory=list)
    """Duplicates of kept instances."""

    @property
    def first(self) -> Instance:
        """The instance that speaks for the attributes which all instances share."""
        return self.instances[0]

    def describe(self) -> dict[str, Any]:
        """What ``scan.json`` and messages say of a series."""
        thickness = {instance.numeric("SliceThickness") for instance in self.instances}
        return {
            "series_number": self.first.whole("SeriesNumber"),
            "acquisition_number": self.first.whole("AcquisitionNumber"),
            "instances": len(self.instances),
            "columns": self.first.whole("Columns"),
            "rows": self.first.whole("Rows"),
            "slice_thickness_mm": sorted(value for value in thickness if value is not None),
            "kernel": plain_fact(self.first, "ConvolutionKernel"),
        }

    @cached_property
    def orientation(self) -> NDArray[np.float64]:
        """Image Orientation (Patient), which all instances share; empty where absent."""
        return np.array(self.first.orientation or (), dtype=np.float64)

    @cached_property
    def origins(self) -> NDArray[np.float64]:
        """Image Position (Patient) in the order of ``instances``, shape (instances, 3).

        Rows are NaN where it is absent.
        """
        nowhere = (np.nan, np.nan, np.nan)
        return np.array([instance.origin or nowhere for instance in self.instances])

    @cached_property
    def positions_mm(self) -> NDArray[np.float64]:
        """Perpendicular positions in the order of ``instances``.

        Raises:
            ValueError: the orientation is absent or invalid.
        """
        normal = geometry.unit_directions(self.orientation)[2]
        return geometry.perpendicular_positions(self.origins, normal)


def group(instances: Iterable[Instance]) -> list[Series]:
    """Group instances into series and drop the duplicates; in order of series number.

    Within a series, instances of another matrix, orientation (beyond rounding), pixel spacing,
    kernel or object class are another volume. Where two different slices share a position, the
    acquisition number tells repeated scans apart; it is not used otherwise, since some scanners
    count one acquisition per slice.
    """
    exact: dict[tuple[Any, ...], list[list[Instance]]] = defaultdict(list)
    for instance in instances:
        key = (
            instance.text("SeriesInstanceUID"),
            instance.text("SOPClassUID"),
            instance.text("Rows"),
            instance.text("Columns"),
            tuple(np.round(instance.pixel_spacing or (), 4)),
            instance.kernel,
            "LOCALIZER" in instance.text("ImageType").upper(),
            instance.origin is None,
        )
        for members in exact[key]:
            if _same_orientation(members[0], instance):
                members.append(instance)
                break
        else:
            exact[key].append([instance])
    found = [_without_duplicates(members) for groups in exact.values() for members in groups]
    split = [part for series in found for part in _split_repeats(series)]
    return sorted(split, key=_order_of_series)


def _order_of_series(series: Series) -> tuple[float, float, str]:
    number, acquisition = map(series.first.whole, ("SeriesNumber", "AcquisitionNumber"))
    return (
        np.inf if number is None else number,
        np.inf if acquisition is None else acquisition,
        series.first.text("SOPInstanceUID"),
    )


def _same_orientation(first: Instance, second: Instance) -> bool:
    if first.orientation is None or second.orientation is None:
        return first.orientation is second.orientation
    return bool(np.allclose(first.orientation, second.orientation, rtol=0, atol=SAME_ORIENTATION))


def _without_duplicates(instances: list[Instance]) -> Series:
    kept: dict[str, Instance] = {}
    dropped = []
    for instance in instances:
        uid = instance.text("SOPInstanceUID") or str(instance.path)
        if uid in kept:
            dropped.append(instance)
        else:
            kept[uid] = instance
    return Series(list(kept.values()), dropped)


def _split_repeats(series: Series) -> list[Series]:
    if not repeated_positions(series):
        return [series]
    by_acquisition: dict[str, list[Instance]] = defaultdict(list)
    for instance in series.instances:
        by_acquisition[instance.text("AcquisitionNumber")].append(instance)
    parts = [Series(members) for members in by_acquisition.values()]
    parts[0].dropped = series.dropped
    return [series] if any(repeated_positions(part) for part in parts) else parts


def repeated_positions(series: Series) -> bool:
    """Whether two instances of a series lie at one position."""
    try:
        positions = np.sort(series.positions_mm)
    except ValueError:
        return False
    return bool((np.diff(positions) < SAME_POSITION_MM).any())


@dataclass(frozen=True)
class SeriesRules:
    """The settings that say which series is eligible and which is chosen.

    Attributes:
        minimum_slices: fewer slices are no head scan (scouts, test shots, perfusion slabs).
        maximum_gap_ratio: a gap of this many median gaps is a missing section.
        maximum_angle_to_axial_deg: angle between slice normal and body axis; gantries tilt by 30
            degrees at most, coronal and sagittal reformats lie at 90.
        series_preference: names from ``CRITERIA``, the weightiest first.
        sharp_kernels: regular expressions of kernels for bone and lung, not for soft tissue.
    """

    minimum_slices: int = 10
    maximum_gap_ratio: float = 1.9
    maximum_angle_to_axial_deg: float = 45.0
    series_preference: tuple[str, ...] = ("soft_tissue_kernel", "complete", "original")
    sharp_kernels: tuple[str, ...] = (
        "BONE|EDGE|LUNG|DETAIL|SHARP",
        "^[A-Z][a-z]?[5-9][0-9]",
        "^FC[358][0-9]",
        "^Y[A-D]$|^[DEL]$",
    )


@dataclass(frozen=True)
class Chosen:
    """The series to convert, its slices from inferior to superior, and what was passed over."""

    series: Series
    instances: list[Instance]
    geometry: geometry.Geometry
    rejected: list[dict[str, Any]]


def choose(candidates: list[Series], rules: SeriesRules, scan_id: str) -> Chosen:
    """Choose the series to segment.

    Raises:
        Ineligible: none is eligible; the reason is that of the series with the most instances.
        BadInput: several are equally good by the rules.
    """
    reasons = {id(series): unfit(series, rules) for series in candidates}
    fit = [series for series in candidates if not reasons[id(series)]]
    rejected = [
        {**series.describe(), "reason": reasons[id(series)]} for series in candidates if reasons[id(series)]
    ]
    if not fit:
        largest = max(candidates, key=lambda series: len(series.instances))
        raise Ineligible(reasons[id(largest)])
    for name in rules.series_preference:
        scores = [CRITERIA[name](series, rules) for series in fit]
        best = max(scores)
        passed_over = [s for s, score in zip(fit, scores, strict=True) if score < best]
        reason = f"another series is better by {name}"
        rejected += [{**series.describe(), "reason": reason} for series in passed_over]
        fit = [s for s, score in zip(fit, scores, strict=True) if score == best]
    if len(fit) > 1:
        listed = "; ".join(_in_words(series) for series in fit)
        message = (
            f"{len(fit)} series are equally good by ingest.series_preference: {listed}. Add a "
            f"criterion ({', '.join(CRITERIA)}) or leave only one in the folder"
        )
        raise BadInput([Problem(scan_id, message, key="dicom")])
    series = fit[0]
    missing = missing_section(series, rules)
    if missing:
        raise Ineligible(missing)
    order = geometry.stacking_order(series.orientation, series.origins)
    instances = [series.instances[index] for index in order]
    grid = geometry.from_slices(
        series.orientation,
        series.first.pixel_spacing or (),
        series.first.whole("Rows") or 0,
        series.first.whole("Columns") or 0,
        series.origins[order],
    )
    return Chosen(series, instances, grid, rejected)


def unfit(series: Series, rules: SeriesRules) -> str:
    """Why a series can't be the one to segment; empty where it can."""
    first = series.first
    modality = first.text("Modality")
    if modality != "CT":
        return f"not CT (modality {plain_fact(first, 'Modality') or 'unknown'})"
    if not first.whole("Rows") or not first.whole("Columns"):
        return "not an image"
    if (first.whole("NumberOfFrames") or 1) > 1:
        return "multi-frame CT, which is not converted yet"
    if "LOCALIZER" in first.text("ImageType").upper():
        return "scout view"
    if first.origin is None or first.orientation is None:
        return "no image position or orientation"
    if first.pixel_spacing is None:
        return "no pixel spacing"
    try:
        normal = geometry.unit_directions(first.orientation)[2]
    except ValueError as error:
        return str(error)
    angle = geometry.angle_deg(normal, np.array([0.0, 0.0, 1.0]))
    angle = min(angle, 180 - angle)
    if angle > rules.maximum_angle_to_axial_deg:
        return f"not axial (slices at {angle:.0f} degrees to the axial plane)"
    if len(series.instances) < max(2, rules.minimum_slices):
        return f"too few slices ({len(series.instances)} of at least {rules.minimum_slices})"
    if repeated_positions(series):
        return "different slices at the same position"
    return ""


def missing_section(series: Series, rules: SeriesRules) -> str:
    """What is missing between the slices of an otherwise fit series; empty where nothing is."""
    positions = series.positions_mm
    order = np.argsort(positions)
    below, widest, median = geometry.widest_gap(positions[order])
    if widest < rules.maximum_gap_ratio * median:
        return ""
    first, second = (series.instances[order[index]].name for index in (below, below + 1))
    return (
        f"missing section: {widest:.2f} mm between {first} and {second}, "
        f"{widest / median:.1f} times the median gap of {median:.2f} mm"
    )


def flags(chosen: Chosen) -> list[str]:
    """Quality flags of a chosen series that its headers tell: names, sorted."""
    instances, grid = chosen.instances, chosen.geometry
    gaps = np.diff(grid.positions_mm)
    steps = np.diff(sorted(i.number for i in instances if i.number is not None))
    found = {
        "tilted": grid.tilt_deg > STRAIGHT_DEG,
        "uneven_gaps": bool(gaps.max() > gaps.min() * (1 + EVEN_GAPS)),
        "duplicates_dropped": bool(chosen.series.dropped),
        "other_series_in_folder": bool(chosen.rejected),
        "moved_in_plane": grid.moves.any,
        "instance_numbers_not_consecutive": bool((steps != 1).any()) or len(steps) + 1 < len(instances),
        "no_rescale": any(
            i.numeric(keyword) is None for i in instances for keyword in ("RescaleSlope", "RescaleIntercept")
        ),
        "monochrome1": any(i.text("PhotometricInterpretation") == "MONOCHROME1" for i in instances),
        "lossy_compression": any(i.text("LossyImageCompression") == "01" for i in instances),
    }
    return sorted(name for name, raised in found.items() if raised)


def _in_words(series: Series) -> str:
    facts = {name: value for name, value in series.describe().items() if value not in (None, [])}
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())


def _thickness(series: Series) -> float:
    return geometry.widest_gap(np.sort(series.positions_mm))[2]


def _soft_tissue(series: Series, rules: SeriesRules) -> float:
    kernels = series.first.kernel.split("\\")
    return not any(re.search(pattern, k) for pattern in rules.sharp_kernels for k in kernels)


CRITERIA: dict[str, Callable[[Series, SeriesRules], float]] = {
    "soft_tissue_kernel": _soft_tissue,
    "complete": lambda series, rules: not missing_section(series, rules),
    "original": lambda series, rules: series.first.text("ImageType").upper().startswith("ORIGINAL"),
    "thicker_slices": lambda series, rules: round(_thickness(series), 2),
    "thinner_slices": lambda series, rules: -round(_thickness(series), 2),
    "more_slices": lambda series, rules: len(series.instances),
}
"""What ``ingest.series_preference`` may name; the higher value wins."""
