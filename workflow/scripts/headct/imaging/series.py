"""The series of a scan: instances grouped, without copies, repeats apart; what series have in common."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headct.contracts.problems import Ineligible, first_few
from headct.imaging import geometry
from headct.imaging.dicom import Instance, plain_fact, read_slice
from headct.imaging.hounsfield import to_int16
from headct.imaging.parts import (
    SAME_POSITION_MM,
    Places,
)

SAME_ORIENTATION = 1e-3

REFORMAT_DEG = 45.0
"""Slices turned further against the others are another view, not part of the stack."""

STRAIGHT_MM = 1.0
"""How far a slice may lie beside the line through the first and the last one."""

WHOLE_ACQUISITION = 10
"""Slices from which an acquisition may be a scan of its own; some scanners count one per slice."""


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
            if same_orientation(members[0], instance):
                members.append(instance)
                break
        else:
            exact[key].append([instance])
    found = [without_duplicates(members) for groups in exact.values() for members in groups]
    split = [part for series in found for part in _split_repeats(series)]
    return sorted(split, key=order_of_series)


def order_of_series(series: Series) -> tuple[float, float, str]:
    """By series number, then acquisition number, those without last; then by the first image's UID."""
    number, acquisition = map(series.first.whole, ("SeriesNumber", "AcquisitionNumber"))
    return (
        np.inf if number is None else number,
        np.inf if acquisition is None else acquisition,
        series.first.text("SOPInstanceUID"),
    )


def same_orientation(first: Instance, second: Instance) -> bool:
    """Whether both have one orientation, but for rounding, or neither has any."""
    if first.orientation is None or second.orientation is None:
        return first.orientation is second.orientation
    return bool(np.allclose(first.orientation, second.orientation, rtol=0, atol=SAME_ORIENTATION))


def without_duplicates(instances: list[Instance]) -> Series:
    """Drop the copies of a slice: same position, same pixels, whatever UIDs they carry.

    UIDs alone don't tell: copies are sent again under new ones, and bad anonymisers give all slices
    of a series the same.
    """
    series = Series(instances)
    distinct: list[Instance] = []
    for place in by_place(series):
        digests: set[str] = set()
        for instance in place:
            digest = "" if len(place) == 1 else pixels_of(instance)
            if digest not in digests:
                distinct.append(instance)
                digests.add(digest)
    left = {id(instance) for instance in distinct}
    return Series(
        [instance for instance in instances if id(instance) in left],
        [instance for instance in instances if id(instance) not in left],
    )


def by_place(series: Series) -> list[list[Instance]]:
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


def pixels_of(instance: Instance) -> str:
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
        positions_mm = [Series(members).positions_mm for members in acquisitions]
    except ValueError:
        return False
    ranges = sorted((positions.min(), positions.max()) for positions in positions_mm)
    return any(upper[0] < lower[1] for lower, upper in pairwise(ranges))


def repeated_positions(series: Series) -> bool:
    """Whether two instances of a series lie at one position."""
    return any(len(place) > 1 for place in by_place(series))


def grid_size(series: Series) -> tuple[Any, ...]:
    """Rows, columns and, where it is told, pixel size (mm, four decimals)."""
    first = series.first
    return (first.text("Rows"), first.text("Columns"), *np.round(first.pixel_spacing or (), 4))


def on_one_grid(first: Series, second: Series) -> bool:
    """Whether matrix, orientation and pixel size are equal; a pixel size that is absent differs from none."""
    sizes = [
        grid_size(series)[: None if first.first.pixel_spacing and second.first.pixel_spacing else 2]
        for series in (first, second)
    ]
    return sizes[0] == sizes[1] and same_orientation(first.first, second.first)


def stacked(series: Series) -> tuple[list[Instance], geometry.Geometry]:
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


def same_volume(first: Series, second: Series) -> bool:
    """Whether two series hold the same pixels at the same places, under other UIDs."""
    if len(first.instances) != len(second.instances):
        return False
    pairs = zip(stacked(first)[0], stacked(second)[0], strict=True)
    return all(pixels_of(one) == pixels_of(other) for one, other in pairs)


def is_turned(series: Series, normal: NDArray[np.float64]) -> bool:
    """Whether slices are another view, from whichever side they are seen; ValueError as for directions."""
    angle_deg = geometry.angle_deg(geometry.unit_directions(series.orientation)[2], normal)
    return min(angle_deg, 180 - angle_deg) > REFORMAT_DEG


def listed(several: list[Series]) -> str:
    """The first of several series in words, and how many more there are."""
    return first_few([in_words(series) for series in several], "; ")


def in_words(series: Series) -> str:
    """What a message tells of a series, as "series number 3, slice thickness mm 5 to 10"."""
    facts = {name: value for name, value in series.describe().items() if value not in (None, [])}
    thickness = facts.get("slice_thickness_mm", [])
    if len(thickness) > 2:
        facts["slice_thickness_mm"] = f"{thickness[0]:g} to {thickness[-1]:g}"
    if "parts" in facts:
        facts["parts"] = len(series.parts)
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())


def thickness_mm(series: Series) -> float:
    """The widest distance of neighbouring slices (mm), along their normal."""
    return geometry.widest_gap(np.sort(series.positions_mm))[2]
