"""The series of a scan: grouping of instances, eligibility, and the documented choice of one.

A folder may hold a scout view, a dose report, bone and soft-tissue reconstructions, a repeated
scan. What can't be segmented at all is rejected with its reason; series that are parts of one stack
are joined; among the rest, the criteria in ``ingest.series_preference`` decide one after the other;
what they leave undecided is reported, not guessed. Never is a part taken for the whole, and nothing
decides between patients, studies, days or positions of the patient.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    SecondaryCaptureImageStorage,
)

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
from headct.parts import (
    LARGEST_LOSS_MM,
    MOST,
    SAME_POSITION_MM,
    Places,
    are_neighbours,
    are_parts,
    follow_each_other,
)
from headct.problems import BadInput, Problem, first_few

SAME_ORIENTATION = 1e-3
EVEN_GAPS = 0.01
"""Relative spread of the gaps up to which a series counts as evenly spaced."""

STRAIGHT_DEG = 0.1
"""Angle of shear up to which a series counts as untilted."""

FACE_GAP_MM = 3.0
"""Sections up to this gap let a face be rendered from the skin well enough to be recognised."""

REFORMAT_DEG = 45.0
"""Slices turned further against the others are another view, not part of the stack."""

ENDS_ALIKE_SLICES = 2
"""So many slices may one reconstruction of a scan reach beyond another by how its ends were set."""

EDGE_MM = 20.0
"""By so much the ends of two scans of one head may differ, by how their ranges were set."""

TISSUE_HU, LEAST_TISSUE_MM2 = -200, 2000.0
"""A slice with more of it shows the head; hair, bolsters and the air above hold less."""

LARGEST_REPORT = 3
"""So many pictures may a report have that are stored as CT images of the scan's size, without places."""

SOURCES = {"PatientID": "Patient ID", "StudyInstanceUID": "Study Instance UID"}
DAYS_OF_RESULTS = {"SeriesDate": "Series Date", "ContentDate": "Content Date"}
"""A later reconstruction is of a later day: they count only where an acquisition tells none."""

DAYS = {"StudyDate": "Study Date", "AcquisitionDate": "Acquisition Date", **DAYS_OF_RESULTS}
ONE_SOURCE = {**SOURCES, "FrameOfReferenceUID": "Frame of Reference UID"}
"""Attributes in which all parts of a stack agree, and what messages call them; no value is told."""

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

    parts: list[Series] = field(default_factory=list)
    """The series that were joined to this one, from inferior to superior; none where it is one series."""

    @property
    def first(self) -> Instance:
        """The instance that speaks for the attributes which all instances share."""
        return self.instances[0]

    def describe(self) -> dict[str, Any]:
        """What ``scan.json`` and messages say of a series."""
        thickness = {instance.numeric("SliceThickness") for instance in self.instances}
        parts = {"parts": [part.describe() for part in self.parts]} if self.parts else {}
        return {
            "series_number": self.first.whole("SeriesNumber"),
            "acquisition_number": self.first.whole("AcquisitionNumber"),
            "instances": len(self.instances),
            "columns": self.first.whole("Columns"),
            "rows": self.first.whole("Rows"),
            "slice_thickness_mm": sorted(value for value in thickness if value is not None),
            "kernel": plain_fact(self.first, "ConvolutionKernel"),
            **parts,
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

    def centres_mm(self, normal: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where the slices' centres lie along a normal, in the order of ``instances``."""
        row, column, _ = geometry.unit_directions(self.orientation)
        between_rows, between_columns = self.first.pixel_spacing or (0.0, 0.0)
        along = row * between_columns * ((self.first.whole("Columns") or 1) - 1)
        down = column * between_rows * ((self.first.whole("Rows") or 1) - 1)
        return geometry.perpendicular_positions(self.origins + (along + down) / 2, normal)

    def places(self, normal: NDArray[np.float64]) -> Places:
        """Where the slices' centres lie along a normal, which may be another series'; each place once."""
        positions = self.centres_mm(normal)
        order = np.argsort(positions, kind="stable")
        order = order[np.diff(positions[order], prepend=-np.inf) > SAME_POSITION_MM]
        thickness = [self.instances[index].numeric("SliceThickness") or np.nan for index in order]
        return Places(positions[order], np.array(thickness))

    def values(self, keyword: str) -> set[str]:
        """All values of an attribute, as text, empty where absent."""
        if keyword not in self._values:  # perfusion has thousands of instances, and is compared often
            self._values[keyword] = {instance.text(keyword) for instance in self.instances}
        return self._values[keyword]

    @cached_property
    def acquisition_days(self) -> set[str]:
        """The days of Acquisition Date, or of Acquisition DateTime where that is absent."""
        days = {i.text("AcquisitionDate") or i.text("AcquisitionDateTime")[:8] for i in self.instances}
        return days - {""}

    @cached_property
    def _values(self) -> dict[str, set[str]]:
        return {}


def group(instances: Iterable[Instance]) -> list[Series]:
    """Group instances into series and drop the duplicates; in order of series number.

    Within a series, instances of another matrix, orientation (beyond rounding), pixel spacing,
    kernel, object class, study or patient are another volume. Where two different slices share a position,
    or whole acquisitions cover the same stretch, the acquisition number (or temporal position) tells
    repeated scans apart; it is not used otherwise, since some scanners count one acquisition per slice.
    """
    exact: dict[tuple[Any, ...], list[list[Instance]]] = defaultdict(list)
    for instance in instances:
        key = (
            instance.text("PatientID"),  # compared, and never told
            instance.text("StudyInstanceUID"),
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
        minimum_coverage_mm: a shorter scan is flagged, or ineligible where another series goes on below it.
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
    refuse_parts_of_others(series, candidates, rules, scan_id)
    stray = stray_slices(series, candidates)
    if stray:
        raise Ineligible(stray)
    if len(fit) > 1:
        message = (
            f"{len(fit)} series are equally good by ingest.series_preference: {_listed(fit)}. Add a "
            f"criterion ({', '.join(CRITERION_NAMES)}) or leave only one in the folder"
        )
        raise BadInput([Problem(scan_id, message, key="dicom")])
    fewer = not_as_announced(series, candidates)
    missing = (
        left_out(series, candidates, rules)
        or missing_section(series, rules)
        or (fewer if rules.require_announced_images else "")
    )
    if missing:
        raise Ineligible(missing)
    instances, grid = _stacked(series)
    crooked = not_straight(instances, grid)
    if crooked:
        raise Ineligible(crooked)
    return Chosen(series, instances, grid, rejected, bool(fewer))


def refuse_several_sources(fit: list[Series], scan_id: str) -> None:
    """Raise series of several patients, studies, days or positions of the patient.

    No criterion decides between them. Eligible ones count, and those cut short that are too many slices for
    a test shot. A copy of another study's series, as after two de-identifications, competes with none.

    Raises:
        BadInput: names the attribute, and lists the series by date.
    """
    by_date = sorted(fit, key=_date_of)
    several = [
        series
        for index, series in enumerate(by_date)
        if not any(_is_sent_again(series, earlier) for earlier in by_date[:index])
    ]
    pairs = list(combinations(several, 2))
    differing = [
        name
        for keyword, name in (SOURCES | DAYS).items()
        if any(_differ(one, other, keyword) for one, other in pairs)
    ]
    if any(_are_repeated_elsewhere(one, other) for one, other in pairs):
        differing.append(ONE_SOURCE["FrameOfReferenceUID"])
    if differing:
        message = (
            f"{len(several)} series are equally good: they differ in {' and '.join(differing)}, and no "
            "criterion decides between patients, studies, days or positions of the patient. In order of "
            f"date: {_listed(several)}. Leave only those of one in the folder"
        )
        raise BadInput([Problem(scan_id, message, key="dicom")])


def _are_repeated_elsewhere(first: Series, second: Series) -> bool:
    """Whether two series scan one stretch alike, between which the patient was laid anew.

    That is two scans, also in one study and on one day. Some de-identification writes a frame of
    reference for each series: then reconstructions of one scan differ in kernel or spacing, and copies in
    nothing.
    """
    frames = [series.values("FrameOfReferenceUID") - {""} for series in (first, second)]
    if not all(frames) or frames[0] & frames[1] or not _on_one_grid(first, second):
        return False
    if first.first.kernel != second.first.kernel or round(_thickness(first) - _thickness(second), 2):
        return False
    positions = [series.positions_mm for series in (first, second)]
    shared_mm = min(places.max() for places in positions) - max(places.min() for places in positions)
    return bool(shared_mm > MOST * min(np.ptp(places) for places in positions))


def _is_sent_again(series: Series, earlier: Series) -> bool:
    """Whether a series holds the pixels of one of the same patient, under another study, day or frame."""
    keywords = ("StudyInstanceUID", "FrameOfReferenceUID", *DAYS)
    elsewhere = any(_differ(series, earlier, keyword) for keyword in keywords)
    return elsewhere and not _differ(series, earlier, "PatientID") and _same_volume(series, earlier)


def _differ(first: Series, second: Series, keyword: str) -> bool:
    """Whether two series have no value of an attribute in common; a day that is absent differs from none."""
    if keyword in DAYS_OF_RESULTS and all(series.acquisition_days for series in (first, second)):
        return False
    values = [
        series.acquisition_days
        if keyword == "AcquisitionDate"
        else series.values(keyword) - ({""} if keyword in DAYS else set())
        for series in (first, second)
    ]
    return all(values) and not values[0] & values[1]


def _date_of(series: Series) -> tuple[list[str], tuple[float, float, str]]:
    """What orders series by time; compared, and never told."""
    first = series.first
    acquired = first.text("AcquisitionDateTime")
    results = [first.text(keyword) for keyword in DAYS_OF_RESULTS]
    dates = [first.text("StudyDate"), min(series.acquisition_days, default=""), *results]
    times = [first.text("StudyTime"), first.text("AcquisitionTime"), acquired[8:]]
    return [*dates, *times], _order_of_series(series)


def join_parts(candidates: list[Series], rules: SeriesRules) -> list[Series]:
    """Join the series that are parts of one straight stack; the others stay as they are.

    Parts agree in patient, study, frame of reference and grid, and each lies at places of its own. Those of
    one series number are joined before those of one kernel, and these before the others, so that
    base and vertex find each other where both were reconstructed twice. A single slice is never joined:
    nothing but its place would tell that it belongs there.
    """
    for agreeing in (["SeriesInstanceUID"], ["ConvolutionKernel"], []):
        groups: dict[tuple[Any, ...], list[list[Series]]] = defaultdict(list)
        left = []
        for series in candidates:
            if no_slices(series, rules) or len(series.instances) < 2 or repeated_positions(series):
                left.append(series)
                continue
            key = (*(series.first.text(name) for name in (*ONE_SOURCE, *agreeing)), *_size(series))
            _put_beside(groups[key], series)
        for members in (members for several in groups.values() for members in several):
            whole = _joined(members, rules)
            left += members if whole is None else [whole]
        candidates = sorted(left, key=_order_of_series)
    return candidates


def _put_beside(groups: list[list[Series]], series: Series) -> None:
    """Add a series to the group of its orientation."""
    for members in groups:
        if _same_orientation(members[0].first, series.first):
            members.append(series)
            return
    groups.append([series])


def _size(series: Series) -> tuple[Any, ...]:
    first = series.first
    return (first.text("Rows"), first.text("Columns"), *np.round(first.pixel_spacing or (), 4))


def _joined(members: list[Series], rules: SeriesRules) -> Series | None:
    """The one stack that all of them make together, None where they don't."""
    if len(members) == 1:
        return None
    normal = geometry.unit_directions(members[0].orientation)[2]
    upwards = normal if normal[2] >= 0 else -normal
    members = sorted(members, key=lambda series: float((series.origins @ upwards).min()))
    ratio = rules.maximum_gap_ratio
    if not all(
        are_parts(one.places(normal), other.places(normal), ratio) for one, other in pairwise(members)
    ):
        return None
    whole = _without_duplicates([instance for series in members for instance in series.instances])
    kept = {id(instance) for instance in whole.instances}
    left = [Series([instance for instance in series.instances if id(instance) in kept]) for series in members]
    if not follow_each_other([part.places(normal) for part in left if part.instances], ratio):
        return None
    whole.dropped += [instance for series in members for instance in series.dropped]
    whole.repeated = any(series.repeated for series in members)
    whole.parts = [part for series in members for part in (series.parts or [series])]
    return None if not_straight(*_stacked(whole)) else whole


def refuse_parts_of_others(
    series: Series, candidates: list[Series], rules: SeriesRules, scan_id: str
) -> None:
    """Raise slices that would complete the stack, were they not of another patient, study or frame.

    Raises:
        BadInput: names the attribute.
    """
    for part in _other_parts(series, candidates, rules):
        names = [
            name for keyword, name in ONE_SOURCE.items() if not part.values(keyword) & series.values(keyword)
        ]
        if names and _why_not_joined(series, part, rules):
            message = (
                f"slices of one stack differ in {' and '.join(names)}, and are not joined: "
                f"{_listed([series, part])}. Leave only what belongs to this scan in the folder"
            )
            raise BadInput([Problem(scan_id, message, key="dicom")])


def _other_parts(series: Series, candidates: list[Series], rules: SeriesRules) -> list[Series]:
    """Images at places of their own that belong to the same stack, as far as places tell.

    Whatever else their headers say: half a head filed as a scout or as another modality is half a head.
    """
    normal = geometry.unit_directions(series.orientation)[2]
    own = series.places(normal)
    found = []
    for part in candidates:
        if part is series or _of_another_scanner(part) or not _has_places(part) or _turned(part, normal):
            continue
        if are_parts(own, part.places(normal), rules.maximum_gap_ratio) or _goes_on(series, part):
            found.append(part)
    return found


def left_out(series: Series, candidates: list[Series], rules: SeriesRules) -> str:
    """Whether the study holds more of the stack than the series; empty if not.

    It does where slices at places of their own could not be joined, where another reconstruction of the
    same slices goes on beyond its ends, where any series shows more of the head, and where images like
    its slices do not tell their places.
    """
    for part in _other_parts(series, candidates, rules):
        why = _why_not_joined(series, part, rules) if _of_one_source(series, part) else ""
        if why:
            return (
                f"slices missing: those of {_in_words(part)} lie at places of their own, but can't be "
                f"joined to those of {_in_words(series)}: {why}"
            )
    for part in candidates:
        if (
            part is not series
            and _of_one_source(series, part)
            and (more := _more_of_head(series, part, rules))
        ):
            return f"slices missing: {more}"
    for part in candidates:
        if part is not series and not _has_places(part) and _looks_alike(series, part):
            return (
                f"slices missing: {_in_words(part)} may belong to those of {_in_words(series)}, but its "
                f"places are unknown: {no_slices(part, rules)}"
            )
    return ""


def _more_of_head(series: Series, part: Series, rules: SeriesRules) -> str:
    """What another series shows of the head beyond the chosen one, whatever its grid; empty if nothing.

    Above a head is nothing but air, so tissue there is always a loss. Below it are the neck and the chest:
    only a series that is too short for a head is taken for its upper part. A scan that was broken off tells
    nothing: it was repeated, perhaps as the patient had moved.
    """
    normal = geometry.unit_directions(series.orientation)[2]
    if _shows_no_hu(part) or _turned(part, normal) or len(part.places(normal).positions_mm) < 2:
        return ""
    if missing_section(part, rules):
        return ""
    upwards = normal if normal[2] >= 0 else -normal
    above_mm = _tissue_beyond_mm(series, part, upwards)
    if above_mm:
        return (
            f"the head goes on above those of {_in_words(series)}: {_in_words(part)} shows tissue "
            f"{above_mm:.0f} mm above the last of them"
        )
    covered_mm = float(geometry.slice_weights(series.places(upwards).positions_mm).sum())
    below_mm = _tissue_beyond_mm(series, part, -upwards)
    if covered_mm < rules.minimum_coverage_mm and 0 < below_mm <= LARGEST_LOSS_MM:
        return (
            f"the head may go on below those of {_in_words(series)}: these cover {covered_mm:.0f} mm, less "
            f"than ingest.minimum_coverage_mm ({rules.minimum_coverage_mm:g} mm), and {_in_words(part)} "
            f"shows tissue {below_mm:.0f} mm below the first of them"
        )
    return ""


def _tissue_beyond_mm(series: Series, part: Series, direction: NDArray[np.float64]) -> float:
    """How far beyond a series' end another one shows tissue, in mm along a direction; 0 where it shows none.

    Its nearest slice counts that is further than two reconstructions of one scan differ. Tissue that a slice
    under another tilt has on this side of the end counts for nothing.
    """
    own = series.places(direction).positions_mm
    margin = max(EDGE_MM, ENDS_ALIKE_SLICES * float(np.median(np.diff(own))))
    centres = part.centres_mm(direction)
    beyond = np.flatnonzero(centres > own[-1] + margin + SAME_POSITION_MM)
    if not len(beyond):
        return 0
    nearest = beyond[np.argmin(centres[beyond])]
    try:
        hounsfield, _ = read_slice(part.instances[nearest])
    except Ineligible:  # what can't be seen may be the head
        return float(centres[nearest] - own[-1])
    row, column, _ = geometry.unit_directions(part.orientation)
    between_rows, between_columns = part.first.pixel_spacing or (0.0, 0.0)
    down, along = np.indices(hounsfield.shape)
    heights = part.origins[nearest] @ direction + (
        along * between_columns * (row @ direction) + down * between_rows * (column @ direction)
    )
    tissue = np.count_nonzero((hounsfield > TISSUE_HU) & (heights > own[-1] + margin))
    area_mm2 = tissue * between_rows * between_columns
    return float(centres[nearest] - own[-1]) if area_mm2 > LEAST_TISSUE_MM2 else 0


def _shows_no_hu(series: Series) -> bool:
    """Whether images are no grey CT with places, in which tissue could be told."""
    first = series.first
    grey = first.whole("SamplesPerPixel") in (None, 1)
    return _of_another_scanner(series) or not grey or not first.pixel_spacing or not _has_places(series)


def _of_another_scanner(series: Series) -> bool:
    """Whether images are of another modality in both their modality and their object class, as PET is."""
    ct_alike = (
        CTImageStorage,
        EnhancedCTImageStorage,
        LegacyConvertedEnhancedCTImageStorage,
        SecondaryCaptureImageStorage,
    )
    return series.first.text("Modality") != "CT" and series.first.text("SOPClassUID") not in ct_alike


def _has_places(series: Series) -> bool:
    """Whether position and orientation of all images are told, and valid."""
    try:
        return bool(np.isfinite(series.positions_mm).all())
    except ValueError:
        return False


def _looks_alike(series: Series, part: Series) -> bool:
    """Whether images without places could be slices of a series: a dose report or a scout could not.

    The object class says nothing, since some archives re-wrap slices as secondary capture.
    """
    first, second = series.first, part.first
    if _of_another_scanner(part) or second.whole("SamplesPerPixel") not in (None, 1):
        return False
    same = {
        name: first.text(name) == second.text(name)
        for name in ("SOPClassUID", "Rows", "Columns", "ImageType")
    }
    of_one_type = same["ImageType"] and (same["SOPClassUID"] or first.text("ImageType") != "")
    many = len(part.instances) > LARGEST_REPORT
    of_one_kind = of_one_type or (many and _size(series) == _size(part))
    of_one_size = same["Rows"] and same["Columns"]
    return of_one_size and of_one_kind and "LOCALIZER" not in second.text("ImageType").upper()


def _why_not_joined(series: Series, part: Series, rules: SeriesRules) -> str:
    """Why slices that belong to the stack are not joined to it; empty where they don't belong to it.

    Slices of another matrix, pixel size or orientation are of another scan (of the neck, say), unless they
    begin where the series ends.
    """
    normal = geometry.unit_directions(series.orientation)[2]
    own, others = series.places(normal), part.places(normal)
    single = len(others.positions_mm) == 1
    if not _on_one_grid(series, part):
        near = not single and are_neighbours(own, others, rules.maximum_gap_ratio)
        return "they differ in image size, pixel size or orientation" if near else ""
    unlike = no_slices(part, rules)
    if unlike:
        return unlike
    if single:
        return "a single slice"
    if not are_parts(own, others, rules.maximum_gap_ratio):
        return f"it has the same slices and {_beyond(series, part):.0f} more beyond the ends"
    if not follow_each_other([own, others], rules.maximum_gap_ratio):
        return "they overlap or alternate"
    return "they do not lie in line, or further series cover the same stretch"


def _of_one_source(first: Series, second: Series) -> bool:
    """Whether two series are of one patient, study and frame of reference."""
    return not any(_differ(first, second, keyword) for keyword in ONE_SOURCE)


def _on_one_grid(first: Series, second: Series) -> bool:
    """Whether matrix, orientation and pixel size are equal; a pixel size that is absent differs from none."""
    sizes = [
        _size(series)[: None if first.first.pixel_spacing and second.first.pixel_spacing else 2]
        for series in (first, second)
    ]
    return sizes[0] == sizes[1] and _same_orientation(first.first, second.first)


def _goes_on(series: Series, other: Series) -> bool:
    """Whether another reconstruction goes on beyond a series' ends, by more than how these were set."""
    return _beyond(series, other) > ENDS_ALIKE_SLICES


def _beyond(series: Series, other: Series) -> float:
    """How far another reconstruction reaches beyond a series' ends, in slices of the series.

    It is 0 where the two do not have the same slices in the stretch that both cover: then the other is
    another scan, such as an angiography. Thinner slices count for less: they begin nearer to the edge.
    """
    if not _on_one_grid(series, other):
        return 0
    normal = geometry.unit_directions(series.orientation)[2]
    own, others = series.places(normal).positions_mm, other.places(normal).positions_mm
    lowest, highest = others[0] - SAME_POSITION_MM, others[-1] + SAME_POSITION_MM
    shared = own[(own >= lowest) & (own <= highest)]
    if len(shared) == 0 or (np.abs(others[:, None] - shared).min(axis=0) > SAME_POSITION_MM).any():
        return 0
    beyond = np.count_nonzero((others < own[0] - SAME_POSITION_MM) | (others > own[-1] + SAME_POSITION_MM))
    if min(len(own), len(others)) < 2:
        return float(beyond)
    return float(beyond * min(1, np.median(np.diff(others)) / np.median(np.diff(own))))


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
            if _turned(part, normal):
                continue
        except ValueError:
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


def _turned(series: Series, normal: NDArray[np.float64]) -> bool:
    """Whether slices are another view, from whichever side they are seen; ValueError as for directions."""
    angle_deg = geometry.angle_deg(geometry.unit_directions(series.orientation)[2], normal)
    return min(angle_deg, 180 - angle_deg) > REFORMAT_DEG


def _pixel_size(series: Series) -> str:
    return " x ".join(f"{size:g}" for size in series.first.pixel_spacing or ()) + " mm"


def _without_position(instance: Instance) -> str:
    if instance.frame is not None:
        return f"multi-frame without positions of its frames: {instance.name}"
    return f"no image position or orientation: {instance.name}"


TOO_FEW = "too few slices"


def unfit(series: Series, rules: SeriesRules) -> str:
    """Why a series can't be the one to segment; empty where it can."""
    reason = no_slices(series, rules)
    if reason:
        return reason
    number = len(series.instances)
    if number < max(2, rules.minimum_slices):
        single = "a single slice, " if number == 1 else ""
        return f"{TOO_FEW}: {single}{number} of at least {rules.minimum_slices}"
    twice = next((place for place in _places(series) if len(place) > 1), None)
    if twice:
        return f"different slices at the same position: {twice[0].name} and {twice[1].name}"
    return ""


def no_slices(series: Series, rules: SeriesRules) -> str:
    """Why the instances of a series are no slices of an axial CT; empty where they are."""
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
    return ""


def missing_section(series: Series, rules: SeriesRules) -> str:
    """What is missing between the slices of an otherwise fit series; empty where nothing is.

    A gap counts in multiples of the one to be expected (:meth:`headct.parts.Places.gaps`): a lost one of
    the thinner sections is found among the thicker.
    """
    order = np.argsort(series.positions_mm, kind="stable")
    gaps, expected = series.places(geometry.unit_directions(series.orientation)[2]).gaps()
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
    found = {
        "tilted": grid.tilt_deg > STRAIGHT_DEG,
        "uneven_gaps": bool(gaps.max() > gaps.min() * (1 + EVEN_GAPS)),
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


def _numbered_in_turn(instances: list[Instance]) -> bool:
    """Whether the instance numbers of each series are whole and without a hole, whatever their order."""
    numbers: dict[str, list[int | None]] = defaultdict(list)
    for instance in instances:
        numbers[instance.text("SeriesInstanceUID")].append(instance.number)
    return all(
        None not in several and set(np.diff(sorted(n for n in several if n is not None))) <= {1}
        for several in numbers.values()
    )


def _filed_under(instance: Instance) -> tuple[str, str, str]:
    """What a scanner tells one series from another by."""
    return instance.text("SeriesInstanceUID"), instance.text("SeriesNumber"), instance.kernel


def _listed(several: list[Series]) -> str:
    return first_few([_in_words(series) for series in several], "; ")


def _in_words(series: Series) -> str:
    facts = {name: value for name, value in series.describe().items() if value not in (None, [])}
    thickness = facts.get("slice_thickness_mm", [])
    if len(thickness) > 2:
        facts["slice_thickness_mm"] = f"{thickness[0]:g} to {thickness[-1]:g}"
    if "parts" in facts:
        facts["parts"] = len(series.parts)
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())


def _thickness(series: Series) -> float:
    return geometry.widest_gap(np.sort(series.positions_mm))[2]


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
    "thicker_slices": lambda series, rules: round(_thickness(series), 2),
    "thinner_slices": lambda series, rules: -round(_thickness(series), 2),
    "more_slices": lambda series, rules: len(series.instances),
}
"""Criteria that the headers decide; the higher value wins."""

CRITERION_NAMES = (*CRITERIA, "fits_mask")
"""What ``ingest.series_preference`` may name."""
