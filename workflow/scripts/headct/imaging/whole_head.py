"""Never a part for the whole: series that are parts of one head are joined, or the scan is refused."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    SecondaryCaptureImageStorage,
)

from headct.contracts.problems import BadInput, Ineligible, Problem
from headct.imaging import geometry
from headct.imaging.dicom import read_slice
from headct.imaging.fitness import SeriesRules, missing_section, no_slices
from headct.imaging.one_source import ONE_SOURCE, of_one_source
from headct.imaging.parts import (
    LARGEST_LOSS_MM,
    SAME_POSITION_MM,
    are_neighbours,
    are_parts,
    follow_each_other,
)
from headct.imaging.series import (
    Series,
    grid_size,
    in_words,
    is_turned,
    listed,
    not_straight,
    on_one_grid,
    order_of_series,
    repeated_positions,
    same_orientation,
    stacked,
    without_duplicates,
)

ENDS_ALIKE_SLICES = 2
"""So many slices may one reconstruction of a scan reach beyond another by how its ends were set."""

EDGE_MM = 20.0
"""By so much the ends of two scans of one head may differ, by how their ranges were set."""


TISSUE_HU, LEAST_TISSUE_MM2 = -200, 2000.0
"""A slice with more of it shows the head; hair, bolsters and the air above hold less."""


LARGEST_REPORT = 3
"""So many pictures may a report have that are stored as CT images of the scan's size, without places."""


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
            origin = tuple(series.first.text(name) for name in (*ONE_SOURCE, *agreeing))
            _put_beside(groups[origin, grid_size(series)], series)
        for members in (members for several in groups.values() for members in several):
            whole = _joined(members, rules)
            left += members if whole is None else [whole]
        candidates = sorted(left, key=order_of_series)
    return candidates


def _put_beside(groups: list[list[Series]], series: Series) -> None:
    """Add a series to the group of its orientation."""
    for members in groups:
        if same_orientation(members[0].first, series.first):
            members.append(series)
            return
    groups.append([series])


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
    whole = without_duplicates([instance for series in members for instance in series.instances])
    distinct = {id(instance) for instance in whole.instances}
    places = []
    for series in members:
        if left := [instance for instance in series.instances if id(instance) in distinct]:
            places.append(Series(left).places(normal))
    if not follow_each_other(places, ratio):
        return None
    whole.dropped += [instance for series in members for instance in series.dropped]
    whole.repeated = any(series.repeated for series in members)
    whole.parts = [part for series in members for part in (series.parts or [series])]
    return None if not_straight(*stacked(whole)) else whole


def refuse_parts_of_others(
    series: Series, candidates: list[Series], rules: SeriesRules, scan_id: str
) -> None:
    """Raise slices that would complete the stack, were they not of another patient, study or frame.

    Args:
        series: the one that was chosen.
        candidates: others of the folder.
        rules: by which series are read and joined.
        scan_id: for messages.

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
                f"{listed([series, part])}. Leave only what belongs to this scan in the folder"
            )
            raise BadInput([Problem(scan_id, message, key="image")])


def _other_parts(series: Series, candidates: list[Series], rules: SeriesRules) -> list[Series]:
    """Images at places of their own that belong to the same stack, as far as places tell.

    Whatever else their headers say: half a head filed as a scout or as another modality is half a head.
    """
    normal = geometry.unit_directions(series.orientation)[2]
    own = series.places(normal)
    found = []
    for part in candidates:
        if part is series or _of_another_scanner(part) or not _has_places(part) or is_turned(part, normal):
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
        why = _why_not_joined(series, part, rules) if of_one_source(series, part) else ""
        if why:
            return (
                f"slices missing: those of {in_words(part)} lie at places of their own, but can't be "
                f"joined to those of {in_words(series)}: {why}"
            )
    for part in candidates:
        if (
            part is not series
            and of_one_source(series, part)
            and (more := _more_of_head(series, part, rules))
        ):
            return f"slices missing: {more}"
    for part in candidates:
        if part is not series and not _has_places(part) and _looks_alike(series, part):
            return (
                f"slices missing: {in_words(part)} may belong to those of {in_words(series)}, but its "
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
    if _shows_no_hu(part) or is_turned(part, normal) or len(part.places(normal).positions_mm) < 2:
        return ""
    if missing_section(part, rules):
        return ""
    upwards = normal if normal[2] >= 0 else -normal
    above_mm = _tissue_beyond_mm(series, part, upwards)
    if above_mm:
        return (
            f"the head goes on above those of {in_words(series)}: {in_words(part)} shows tissue "
            f"{above_mm:.0f} mm above the last of them"
        )
    covered_mm = float(geometry.slice_weights(series.places(upwards).positions_mm).sum())
    below_mm = _tissue_beyond_mm(series, part, -upwards)
    if covered_mm < rules.minimum_coverage_mm and 0 < below_mm <= LARGEST_LOSS_MM:
        return (
            f"the head may go on below those of {in_words(series)}: these cover {covered_mm:.0f} mm, less "
            f"than ingest.minimum_coverage_mm ({rules.minimum_coverage_mm:g} mm), and {in_words(part)} "
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
    of_one_kind = of_one_type or (many and grid_size(series) == grid_size(part))
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
    if not on_one_grid(series, part):
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


def _goes_on(series: Series, other: Series) -> bool:
    """Whether another reconstruction goes on beyond a series' ends, by more than how these were set."""
    return _beyond(series, other) > ENDS_ALIKE_SLICES


def _beyond(series: Series, other: Series) -> float:
    """How far another reconstruction reaches beyond a series' ends, in slices of the series.

    It is 0 where the two do not have the same slices in the stretch that both cover: then the other is
    another scan, such as an angiography. Thinner slices count for less: they begin nearer to the edge.
    """
    if not on_one_grid(series, other):
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
