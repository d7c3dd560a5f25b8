"""The series of a scan: grouping of instances, eligibility, and the documented choice of one.

A folder may hold a scout view, a dose report, bone and soft-tissue reconstructions, a repeated
scan. What can't be segmented at all is rejected with its reason; among the rest, the criteria in
``ingest.series_preference`` decide one after the other; what they leave undecided is reported, not
guessed.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headct import geometry
from headct.dicom import (
    HU_RANGE,
    Ineligible,
    Instance,
    has_rescale,
    padding_hu,
    plain_fact,
    read_slice,
    to_int16,
)
from headct.problems import BadInput, Problem

SAME_POSITION_MM = 0.01
SAME_ORIENTATION = 1e-3
EVEN_GAPS = 0.01
"""Relative spread of the gaps up to which a series counts as evenly spaced."""

STRAIGHT_DEG = 0.1
"""Angle of shear up to which a series counts as untilted."""

FACE_GAP_MM = 3.0
"""Sections up to this gap let a face be rendered from the skin well enough to be recognised."""

REFORMAT_DEG = 45.0
"""Slices turned further against the others are another view, not part of the stack."""

STRAIGHT_MM = 1.0
"""How far a slice may lie beside the line through the first and the last one."""

WHOLE_ACQUISITION = 10
"""Slices from which an acquisition may be a scan of its own; some scanners count one per slice."""

LOWEST_TISSUE_HU = -900
"""Padding above this may be confused with tissue."""


@dataclass(eq=False)
class Series:
    """Instances that could form one volume: equal series, matrix, orientation and kernel."""

    instances: list[Instance]
    dropped: list[Instance] = field(default_factory=list)
    """Duplicates of kept instances."""

    repeated: bool = False
    """Whether the scanner's series holds further acquisitions of the same stretch."""

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
    kernel, object class or patient are another volume. Where two different slices share a position,
    or whole acquisitions cover the same stretch, the acquisition number (or temporal position) tells
    repeated scans apart; it is not used otherwise, since some scanners count one acquisition per slice.
    """
    exact: dict[tuple[Any, ...], list[list[Instance]]] = defaultdict(list)
    for instance in instances:
        key = (
            instance.text("PatientID"),  # compared, and never told
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
    """Drop the copies of a slice: same position, same pixels, whatever UIDs they carry.

    UIDs alone don't tell: copies are sent again under new ones, and bad anonymisers give all slices
    of a series the same.
    """
    series = Series(instances)
    kept: list[Instance] = []
    for place in _places(series):
        digests: set[str] = set()
        for instance in place:
            digest = "" if len(place) == 1 else _pixels(instance)
            if digest not in digests:
                kept.append(instance)
                digests.add(digest)
    left = {id(instance) for instance in kept}
    return Series(
        [instance for instance in instances if id(instance) in left],
        [instance for instance in instances if id(instance) not in left],
    )


def _places(series: Series) -> list[list[Instance]]:
    """The instances by position along the normal, each as a place of its own where that is unknown."""
    try:
        positions = series.positions_mm
    except ValueError:
        return [[instance] for instance in series.instances]
    order = np.argsort(positions, kind="stable")
    groups: list[list[Instance]] = []
    for rank, index in enumerate(order):
        # NaN compares false: an instance without position is no copy of anything
        if rank and positions[index] - positions[order[rank - 1]] < SAME_POSITION_MM:
            groups[-1].append(series.instances[index])
        else:
            groups.append([series.instances[index]])
    return groups


def _pixels(instance: Instance) -> str:
    """Digest of a slice's place and HU; of the file's place on disk where it can't be decoded."""
    try:
        hounsfield, _ = read_slice(instance)
    except Ineligible:
        return str(instance.path)
    origin = np.round(instance.origin or (), 2)
    return hashlib.sha256(origin.tobytes() + to_int16(hounsfield).tobytes()).hexdigest()


def _split_repeats(series: Series) -> list[Series]:
    by_acquisition: dict[tuple[str, str], list[Instance]] = defaultdict(list)
    for instance in series.instances:
        key = (instance.text("AcquisitionNumber"), instance.text("TemporalPositionIndex"))
        by_acquisition[key].append(instance)
    whole = all(len(members) >= WHOLE_ACQUISITION for members in by_acquisition.values())
    if not repeated_positions(series) and not (whole and _overlap(by_acquisition.values())):
        return [series]
    parts = [Series(members, repeated=True) for members in by_acquisition.values()]
    parts[0].dropped = series.dropped
    return [series] if any(repeated_positions(part) for part in parts) else parts


def _overlap(acquisitions: Iterable[list[Instance]]) -> bool:
    """Whether acquisitions cover the same stretch, so that they are repeats and not parts of a scan."""
    try:
        ranges = sorted(
            (positions.min(), positions.max())
            for positions in (Series(members).positions_mm for members in acquisitions)
        )
    except ValueError:
        return False
    return any(upper[0] < lower[1] for lower, upper in pairwise(ranges))


def repeated_positions(series: Series) -> bool:
    """Whether two instances of a series lie at one position."""
    return any(len(place) > 1 for place in _places(series))


@dataclass(frozen=True)
class SeriesRules:
    """The settings that say which series is eligible and which is chosen.

    Attributes:
        minimum_slices: fewer slices are no head scan (scouts, test shots, perfusion slabs).
        minimum_coverage_mm: a shorter scan is flagged.
        maximum_gap_ratio: a gap of this many usual gaps is a missing section.
        require_announced_images: a series with fewer images than Images in Acquisition (0020,1002)
            says is not complete; else it is flagged only.
        maximum_angle_to_axial_deg: angle between slice normal and body axis; gantries tilt by 30
            degrees at most, coronal and sagittal reformats lie at 90.
        series_preference: from ``CRITERION_NAMES``, the weightiest first.
        sharp_kernels: regular expressions of kernels for bone and lung, not for soft tissue.
    """

    minimum_slices: int = 10
    minimum_coverage_mm: float = 100.0
    maximum_gap_ratio: float = 1.9
    require_announced_images: bool = True
    maximum_angle_to_axial_deg: float = 45.0
    series_preference: tuple[str, ...] = ("soft_tissue_kernel", "complete", "original", "fits_mask")
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
    fewer_than_announced: bool = False


FitsMask = Callable[[geometry.Geometry], bool]


def choose(
    candidates: list[Series], rules: SeriesRules, scan_id: str, fits_mask: FitsMask = lambda grid: True
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
    reasons = {id(series): unfit(series, rules) for series in candidates}
    fit = [series for series in candidates if not reasons[id(series)]]
    rejected = [
        {**series.describe(), "reason": reasons[id(series)]} for series in candidates if reasons[id(series)]
    ]
    if not fit:
        largest = max(candidates, key=lambda series: len(series.instances))
        reason = reasons[id(largest)]
        if reason.startswith("too few slices"):
            reason = stray_slices(largest, candidates) or reason
        raise Ineligible(reason)
    criteria: dict[str, Criterion] = {
        **CRITERIA,
        "fits_mask": lambda series, rules: fits_mask(_stacked(series)[1]),
    }
    for name in rules.series_preference:
        scores = [criteria[name](series, rules) for series in fit]
        best = max(scores)
        passed_over = [s for s, score in zip(fit, scores, strict=True) if score < best]
        reason = f"another series is better by {name}"
        rejected += [{**series.describe(), "reason": reason} for series in passed_over]
        fit = [s for s, score in zip(fit, scores, strict=True) if score == best]
    copies = [series for series in fit[1:] if _same_volume(series, fit[0])]
    rejected += [{**series.describe(), "reason": "copy of the chosen series"} for series in copies]
    fit = [series for series in fit if series not in copies]
    series = fit[0]
    stray = stray_slices(series, candidates)
    if stray:
        raise Ineligible(stray)
    if len(fit) > 1:
        listed = "; ".join(_in_words(series) for series in fit)
        message = (
            f"{len(fit)} series are equally good by ingest.series_preference: {listed}. Add a "
            f"criterion ({', '.join(CRITERION_NAMES)}) or leave only one in the folder"
        )
        raise BadInput([Problem(scan_id, message, key="dicom")])
    fewer = not_as_announced(series, candidates)
    missing = missing_section(series, rules) or (fewer if rules.require_announced_images else "")
    if missing:
        raise Ineligible(missing)
    instances, grid = _stacked(series)
    crooked = not_straight(instances, grid)
    if crooked:
        raise Ineligible(crooked)
    return Chosen(series, instances, grid, rejected, bool(fewer))


def _stacked(series: Series) -> tuple[list[Instance], geometry.Geometry]:
    """The slices of a fit series from inferior to superior, and their geometry."""
    order = geometry.stacking_order(series.orientation, series.origins)
    instances = [series.instances[index] for index in order]
    grid = geometry.from_slices(
        series.orientation,
        series.first.pixel_spacing or (),
        series.first.whole("Rows") or 0,
        series.first.whole("Columns") or 0,
        series.origins[order],
    )
    return instances, grid


def not_straight(instances: list[Instance], grid: geometry.Geometry) -> str:
    """Where the slices leave the straight line on which a table stacks them; empty if nowhere."""
    share = (grid.positions_mm - grid.positions_mm[0]) / np.ptp(grid.positions_mm)
    beside = grid.origins - (grid.origins[0] + np.outer(share, grid.origins[-1] - grid.origins[0]))
    if np.linalg.norm(beside, axis=1).max() <= STRAIGHT_MM:
        return ""
    steps = np.linalg.norm(np.diff(beside, axis=0), axis=1)
    at = int(np.argmax(steps))
    names = f"{instances[at].name} and {instances[at + 1].name}"
    return f"slices not in one straight stack: {steps[at]:.1f} mm sideways between {names}"


def _same_volume(first: Series, second: Series) -> bool:
    """Whether two series hold the same pixels at the same places, under other UIDs."""
    if len(first.instances) != len(second.instances):
        return False
    pairs = zip(_stacked(first)[0], _stacked(second)[0], strict=True)
    return all(_pixels(one) == _pixels(other) for one, other in pairs)


def stray_slices(series: Series, candidates: list[Series]) -> str:
    """Whether the scanner's series holds slices that the volume lacks; empty if not.

    They have no position, or differ in matrix, pixel size, orientation or the absence of a kernel, at
    a place of their own. A second reconstruction of the same slices is none, nor is a reformat.
    """
    shared = ("PatientID", "SeriesInstanceUID", "SOPClassUID", "ImageType")
    normal = geometry.unit_directions(series.orientation)[2]
    for part in candidates:
        if part is series or any(part.first.text(name) != series.first.text(name) for name in shared):
            continue
        kernels = {part.first.kernel, series.first.kernel}
        if len(kernels) > 1 and "" not in kernels:
            continue
        if part.first.origin is None or part.first.orientation is None:
            return _without_position(part.first)
        try:
            turned_deg = geometry.angle_deg(geometry.unit_directions(part.orientation)[2], normal)
        except ValueError:
            continue
        if turned_deg > REFORMAT_DEG:
            continue
        places = geometry.perpendicular_positions(part.origins, normal)
        distances = np.abs(places[:, None] - series.positions_mm)
        own = (distances.min(axis=1) > SAME_POSITION_MM).any()
        sizes = [
            f"{one.first.text('Columns')} x {one.first.text('Rows')} of {_pixel_size(one)}"
            for one in (series, part)
        ]
        if own and sizes[0] != sizes[1]:
            return f"mixed image sizes in one series: {' and '.join(sizes)}"
        if own and (len(kernels) > 1 or not _same_orientation(part.first, series.first)):
            return f"slices missing: {part.first.name} differs from the others in orientation or kernel"
    return ""


def _pixel_size(series: Series) -> str:
    return " x ".join(f"{size:g}" for size in series.first.pixel_spacing or ()) + " mm"


def _without_position(instance: Instance) -> str:
    if instance.frame is not None:
        return f"multi-frame without positions of its frames: {instance.name}"
    return f"no image position or orientation: {instance.name}"


def unfit(series: Series, rules: SeriesRules) -> str:
    """Why a series can't be the one to segment; empty where it can."""
    first = series.first
    modality = first.text("Modality")
    if modality != "CT":
        return f"not CT: modality {plain_fact(first, 'Modality') or 'unknown'}"
    if not first.whole("Rows") or not first.whole("Columns"):
        return "not an image"
    if any((instance.whole("NumberOfFrames") or 1) > 1 for instance in series.instances):
        return "multi-frame without positions of its frames"
    if "LOCALIZER" in first.text("ImageType").upper():
        return "scout view"
    if first.origin is None or first.orientation is None:
        return _without_position(first)
    if first.pixel_spacing is None:
        return "no pixel spacing"
    try:
        normal = geometry.unit_directions(first.orientation)[2]
    except ValueError as error:
        return f"invalid image orientation: {error}"
    angle = geometry.angle_deg(normal, np.array([0.0, 0.0, 1.0]))
    angle = min(angle, 180 - angle)
    if angle > rules.maximum_angle_to_axial_deg:
        return f"not axial: slices at {angle:.0f} degrees to the axial plane"
    if len(series.instances) < max(2, rules.minimum_slices):
        return f"too few slices: {len(series.instances)} of at least {rules.minimum_slices}"
    twice = next((place for place in _places(series) if len(place) > 1), None)
    if twice:
        return f"different slices at the same position: {twice[0].name} and {twice[1].name}"
    return ""


def missing_section(series: Series, rules: SeriesRules) -> str:
    """What is missing between the slices of an otherwise fit series; empty where nothing is.

    A gap counts in multiples of the usual one. Where every slice tells its thickness, that is the
    usual ratio of gap to thickness: sections of 5 mm at the base and 10 mm above are complete, and
    a lost one of the thinner is found among them.
    """
    order = np.argsort(series.positions_mm)
    gaps = np.diff(series.positions_mm[order])
    thickness = np.array([series.instances[index].numeric("SliceThickness") or np.nan for index in order])
    local = (thickness[:-1] + thickness[1:]) / 2
    told = bool(np.isfinite(local).all() and (local > 0).all())
    expected = local * np.median(gaps / local) if told else np.full(len(gaps), np.median(gaps))
    below = int(np.argmax(gaps / expected))
    ratio = gaps[below] / expected[below]
    if ratio < rules.maximum_gap_ratio:
        return ""
    first, second = (series.instances[order[index]].name for index in (below, below + 1))
    return (
        f"missing section: {gaps[below]:.2f} mm between {first} and {second}, "
        f"{ratio:.1f} times the usual gap of {expected[below]:.2f} mm"
    )


def not_as_announced(series: Series, candidates: list[Series]) -> str:
    """Whether images are missing that Images in Acquisition (0020,1002) announced; empty if not.

    All images of the acquisition in the folder count, whichever series they are in.
    """
    announced = series.first.whole("ImagesInAcquisition") or 0
    number = series.first.text("AcquisitionNumber")
    present = sum(
        instance.text("AcquisitionNumber") == number
        for part in candidates
        for instance in (*part.instances, *part.dropped)
    )
    return f"slices missing: {present} of {announced} announced images" if present < announced else ""


def flags(chosen: Chosen, rules: SeriesRules) -> list[str]:
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
        "instance_numbers_not_consecutive": instances[0].frame is None
        and (bool((steps != 1).any()) or len(steps) + 1 < len(instances)),
        "no_rescale": not all(has_rescale(i) for i in instances),
        "monochrome1": any(i.text("PhotometricInterpretation") == "MONOCHROME1" for i in instances),
        "lossy_compression": any(i.text("LossyImageCompression") == "01" for i in instances),
        "multi_frame": any(i.frame is not None for i in instances),
        "repeated_acquisition": chosen.series.repeated,
        "fewer_slices_than_announced": chosen.fewer_than_announced,
        "little_coverage": float(grid.weights_mm.sum()) < rules.minimum_coverage_mm,
        "face_may_be_recognisable": grid.spacing_mm_xyz[2] <= FACE_GAP_MM,
        "rescale_type_not_hu": any(i.text("RescaleType") not in ("", "HU") for i in instances),
        "burned_in_annotation": any(i.text("BurnedInAnnotation") == "YES" for i in instances),
        "padding_within_tissue_hu": any(_padding_like_tissue(i) for i in instances),
    }
    return sorted(name for name, raised in found.items() if raised)


def _padding_like_tissue(instance: Instance) -> bool:
    padding = padding_hu(instance)
    return padding is not None and padding[1] > LOWEST_TISSUE_HU and padding[0] <= HU_RANGE[1]


def _in_words(series: Series) -> str:
    facts = {name: value for name, value in series.describe().items() if value not in (None, [])}
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())


def _thickness(series: Series) -> float:
    return geometry.widest_gap(np.sort(series.positions_mm))[2]


def _soft_tissue(series: Series, rules: SeriesRules) -> float:
    kernels = series.first.kernel.split("\\")
    return not any(re.search(pattern, k) for pattern in rules.sharp_kernels for k in kernels)


Criterion = Callable[[Series, SeriesRules], float]
CRITERIA: dict[str, Criterion] = {
    "soft_tissue_kernel": _soft_tissue,
    "complete": lambda series, rules: not missing_section(series, rules),
    "original": lambda series, rules: series.first.text("ImageType").upper().startswith("ORIGINAL"),
    "thicker_slices": lambda series, rules: round(_thickness(series), 2),
    "thinner_slices": lambda series, rules: -round(_thickness(series), 2),
    "more_slices": lambda series, rules: len(series.instances),
}
"""Criteria that the headers decide; the higher value wins."""

CRITERION_NAMES = (*CRITERIA, "fits_mask")
"""What ``ingest.series_preference`` may name."""
