"""Whether a series can be segmented at all, by the rules of the ``ingest`` block, and if not, why not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from headct.imaging import geometry
from headct.imaging.dicom import Instance, plain_fact
from headct.imaging.hounsfield import Intensity
from headct.imaging.nifti_geometry import Trusted
from headct.imaging.parts import (
    SAME_POSITION_MM,
)
from headct.imaging.series import Series, by_place, is_turned, same_orientation


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
        intensity: what the values of all images are: HU, or windowed for display.
        trust_transform: what is believed of a file whose transforms contradict each other.
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
    intensity: Intensity = "hounsfield"
    trust_transform: Trusted = "none"


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
            return without_position(part.first)
        try:
            if is_turned(part, normal):
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
        if own and (len(kernels) > 1 or not same_orientation(part.first, series.first)):
            return f"slices missing: {part.first.name} differs from the others in orientation or kernel"
    return ""


def _pixel_size(series: Series) -> str:
    return " x ".join(f"{size:g}" for size in series.first.pixel_spacing or ()) + " mm"


def without_position(instance: Instance) -> str:
    """What is said of a slice that has no place in space."""
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
    twice = next((place for place in by_place(series) if len(place) > 1), None)
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
        return without_position(first)
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

    A gap counts in multiples of the one to be expected (:meth:`headct.imaging.parts.Places.gaps`): a lost one
    of the thinner sections is found among the thicker.
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
