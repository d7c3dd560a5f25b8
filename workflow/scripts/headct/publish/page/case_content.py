"""What a browser is given of one scan: CT in 256 steps, label maps, and where their voxels lie."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray
from scipy import ndimage

from headct.imaging.face import HEAD_ABOVE_HU, outside_skull
from headct.imaging.hounsfield import HU_RANGE, Intensity
from headct.imaging.nifti import GZIP_WINDOW, LEVEL

Values = NDArray[np.int16]
Labels = NDArray[np.uint8]

CODES = 256
BRAIN_AND_BLOOD_HU = (-20, 180)
"""Here a code is one HU: all that is read in a brain or a blood window."""

AROUND_LESION_MM = 10.0
"""Of a lesion that the reference draws, so much is shown around, even outside the skull."""

MARGIN_MM = 5.0
"""Around the head, within the slices."""

RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""From LPS, as the project has coordinates, to RAS, as viewers of NIfTI have them; its own inverse."""


@dataclass(frozen=True)
class Case:
    """One scan that is to be shown.

    Attributes:
        scan_id: its name.
        image: HU, shape (z, y, x).
        maps: label maps by ``truth`` or key of a model, of the image's shape.
        geometry: of its ``scan.json``.
        lesions: names of the values 1, 2, 3, … of the maps.
    """

    scan_id: str
    image: Values
    maps: Mapping[str, Labels]
    geometry: Mapping[str, Any]
    lesions: Sequence[str]

    @property
    def pixel_mm(self) -> tuple[float, float]:
        """Size of a pixel (dx, dy)."""
        dx, dy, _ = self.geometry["spacing_mm_xyz"]
        return dx, dy


TRUTH = "truth"
"""The map that was drawn by a rater."""


DIGEST_DIGITS = 16
"""Of a case's digest: enough that two cases never share one."""


def content_of(case: Case, intensity: Intensity, mask_face: bool) -> dict[str, Any]:
    """What the page is told of a case (``CaseFile`` in ``page/src/headct.ts``).

    Its ``digest`` is that of all else; the page has it too, and knows by it a file that was not made with it.

    Args:
        case: that is to be shown.
        intensity: what its values are.
        mask_face: whether all that lies outside the skull becomes air.
    """
    image = without_face(case, intensity) if mask_face else case.image
    rows, columns = head_box(image, case, intensity)
    affine = RAS @ np.asarray(case.geometry["sheared_affine_lps"], dtype=float)
    affine[:3, 3] += affine[:3, :2] @ [columns.start, rows.start]
    positions = np.asarray(case.geometry["slice_positions_mm"], dtype=float)
    table = steps_of(case.image, intensity)
    cropped = image[:, rows, columns]
    content = {
        "scan": case.scan_id,
        "shape": list(cropped.shape[::-1]),
        "crop": [columns.start, rows.start],
        "affine": affine.round(6).tolist(),
        "positions_mm": (positions - positions[0]).round(6).tolist(),
        "hu": table.tolist(),
        "hounsfield": intensity == "hounsfield",
        "face_masked": mask_face,
        "lesions": list(case.lesions),
        "ct": packed(codes(cropped, table)),
        "maps": {name: packed(labels[:, rows, columns]) for name, labels in case.maps.items()},
    }
    return content | {"digest": hashlib.sha256(_as_json(content).encode()).hexdigest()[:DIGEST_DIGITS]}


def script(content: Mapping[str, Any]) -> str:
    """The script that hands a case to the page.

    Args:
        content: of :func:`content_of`.
    """
    return f"headct.registerCase({_as_json(content)});\n"


def _as_json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"))


def without_face(case: Case, intensity: Intensity) -> Values:
    """The image with air for all that lies outside the skull, but for lesions there and what is near them."""
    image = case.image
    lowest, highest = int(image.min()), int(image.max())
    if intensity == "hounsfield":
        outside = outside_skull(image, case.pixel_mm)
    else:  # air has the lowest grey level, bone the highest
        outside = outside_skull(image, case.pixel_mm, lowest + 1, highest)
    if TRUTH in case.maps and (drawn := case.maps[TRUTH] > 0).any():
        outside &= ~_near(drawn, case.pixel_mm)
    return np.where(outside, np.int16(lowest), image)


def _near(drawn: NDArray[np.bool_], pixel_mm: tuple[float, float]) -> NDArray[np.bool_]:
    """What lies within :data:`AROUND_LESION_MM` of a lesion in its slice."""
    near = np.zeros_like(drawn)
    for place in np.flatnonzero(drawn.any(axis=(1, 2))):
        distance_mm = ndimage.distance_transform_edt(~drawn[place], sampling=pixel_mm[::-1])
        near[place] = distance_mm <= AROUND_LESION_MM
    return near


def head_box(image: Values, case: Case, intensity: Intensity) -> tuple[slice, slice]:
    """Rows and columns that hold the head in any slice, all label maps, and a margin."""
    above = HEAD_ABOVE_HU if intensity == "hounsfield" else int(image.min())
    regions, n_regions = ndimage.label((image > above).any(axis=0))
    if n_regions:
        head = regions == np.bincount(regions.ravel())[1:].argmax() + 1
    else:
        head = np.ones(image.shape[1:], bool)
    for labels in case.maps.values():
        head |= labels.any(axis=0)
    dx, dy = case.pixel_mm
    found = ndimage.find_objects(head.astype(np.uint8))[0]
    margins = (round(MARGIN_MM / dy), round(MARGIN_MM / dx))
    rows, columns = (
        slice(max(0, used.start - margin), min(size, used.stop + margin))
        for used, margin, size in zip(found, margins, head.shape, strict=True)
    )
    return rows, columns


def _hounsfield_steps() -> Values:
    """HU by code, increasing: one by one where brain and blood are read, coarse beyond."""
    low, high = BRAIN_AND_BLOOD_HU
    steps = [
        *range(-1000, -200, 100),
        *range(-200, low, 10),
        *range(low, high),
        *range(high, 400, 20),
        *range(400, 1000, 50),
        *range(1000, 3000, 400),
    ]
    return np.array([*steps, HU_RANGE[1]], np.int16)


HOUNSFIELD_STEPS = _hounsfield_steps()


def steps_of(image: Values, intensity: Intensity) -> Values:
    """The values that codes stand for: all that a windowed image has, where these are few enough.

    Args:
        image: all of the scan.
        intensity: what its values are.
    """
    if intensity == "hounsfield":
        return HOUNSFIELD_STEPS
    values = np.unique(image)
    if len(values) > CODES:
        return np.linspace(values[0], values[-1], CODES).round().astype(np.int16)
    return values


def codes(image: Values, steps: Values) -> NDArray[np.uint8]:
    """For each value the index of the nearest step, the lower one halfway."""
    lowest, highest = HU_RANGE
    nearest = np.searchsorted((steps[1:] + steps[:-1].astype(float)) / 2, np.arange(lowest, highest + 1))
    found: NDArray[np.uint8] = nearest.astype(np.uint8)[np.clip(image, lowest, highest) - lowest]
    return found


def packed(voxels: NDArray[np.uint8]) -> str:
    """Voxels of shape (z, y, x) as base64 of gzip, x fastest."""
    in_order = np.ascontiguousarray(voxels).tobytes()
    return base64.b64encode(isal_zlib.compress(in_order, LEVEL, GZIP_WINDOW)).decode("ascii")
