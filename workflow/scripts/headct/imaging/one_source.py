"""Whether series are of one patient, study and day; several that compete are an error that lists them."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from headct.contracts.problems import BadInput, Problem
from headct.imaging.parts import (
    MOST,
)
from headct.imaging.series import Series, listed, on_one_grid, order_of_series, same_volume, thickness_mm

SOURCES = {"PatientID": "Patient ID", "StudyInstanceUID": "Study Instance UID"}

DAYS_OF_RESULTS = {"SeriesDate": "Series Date", "ContentDate": "Content Date"}
"""A later reconstruction is of a later day: they count only where an acquisition tells none."""

DAYS = {"StudyDate": "Study Date", "AcquisitionDate": "Acquisition Date", **DAYS_OF_RESULTS}

ONE_SOURCE = {**SOURCES, "FrameOfReferenceUID": "Frame of Reference UID"}
"""Attributes in which all parts of a stack agree, and what messages call them; no value is told."""


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
        if any(differ(one, other, keyword) for one, other in pairs)
    ]
    if any(_are_repeated_elsewhere(one, other) for one, other in pairs):
        differing.append(ONE_SOURCE["FrameOfReferenceUID"])
    if differing:
        message = (
            f"{len(several)} series are equally good: they differ in {' and '.join(differing)}, and no "
            "criterion decides between patients, studies, days or positions of the patient. In order of "
            f"date: {listed(several)}. Leave only those of one in the folder"
        )
        raise BadInput([Problem(scan_id, message, key="image")])


def _are_repeated_elsewhere(first: Series, second: Series) -> bool:
    """Whether two series scan one stretch alike, between which the patient was laid anew.

    That is two scans, also in one study and on one day. Some de-identification writes a frame of
    reference for each series: then reconstructions of one scan differ in kernel or spacing, and copies in
    nothing.
    """
    frames = [series.values("FrameOfReferenceUID") - {""} for series in (first, second)]
    if not all(frames) or frames[0] & frames[1] or not on_one_grid(first, second):
        return False
    if first.first.kernel != second.first.kernel or round(thickness_mm(first) - thickness_mm(second), 2):
        return False
    positions = [series.positions_mm for series in (first, second)]
    shared_mm = min(places.max() for places in positions) - max(places.min() for places in positions)
    return bool(shared_mm > MOST * min(np.ptp(places) for places in positions))


def _is_sent_again(series: Series, earlier: Series) -> bool:
    """Whether a series holds the pixels of one of the same patient, under another study, day or frame."""
    keywords = ("StudyInstanceUID", "FrameOfReferenceUID", *DAYS)
    elsewhere = any(differ(series, earlier, keyword) for keyword in keywords)
    return elsewhere and not differ(series, earlier, "PatientID") and same_volume(series, earlier)


def differ(first: Series, second: Series, keyword: str) -> bool:
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
    return [*dates, *times], order_of_series(series)


def of_one_source(first: Series, second: Series) -> bool:
    """Whether two series are of one patient, study and frame of reference."""
    return not any(differ(first, second, keyword) for keyword in ONE_SOURCE)
