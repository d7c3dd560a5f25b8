"""The volume of a ball comes back from DICOM and mask within 1 %, however it was scanned and stored."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from headct.cohort import conversion
from headct.contracts.artefacts import read_json
from headct.imaging.fitness import SeriesRules
from support.ct_series import tilted, write_series
from support.label_sets import LABELS, MASK_RULES

pytestmark = pytest.mark.whole

SLICES, MATRIX = 52, 64
SMALLEST_RADIUS_MM, LARGEST_RADIUS_MM = 10.61, 14.0
"""The small ball has 5.00 mL."""

GAPS_MM = st.floats(0.75, 1.35)
"""Small against the radius: half-gap weights are the trapezoid rule, whose error for a ball of radius r and
gaps h is below 0.4 (h/r)² of the volume, here 0.65 %. The ratio of two gaps stays below that of a missing
section.
"""

AIR_HU, BRAIN_HU, BLOOD_HU = -1000, 30, 70
BLOOD_FROM_HU = 50
TURNS = [(swap, flip_x, flip_y) for swap in (False, True) for flip_x in (1, -1) for flip_y in (1, -1)]


@dataclass(frozen=True)
class Acquisition:
    """How a ball is scanned and stored."""

    tilt_deg: float
    turn: tuple[bool, int, int]
    pixel_mm: tuple[float, float]
    """Between rows, between columns."""
    steps_mm: list[float]
    """Table feed before each slice but the first."""
    radius_mm: float
    place: tuple[float, float, float]
    """Centre of the ball, as fractions of the room that it has along row, column and table."""
    slope: float
    intercept: float
    numbers: list[int]
    """Instance number of each slice, inferior to superior."""

    @property
    def axes(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Directions along a stored row and down a stored column."""
        plane = np.array(tilted(self.tilt_deg))
        swap, flip_x, flip_y = self.turn
        row, column = (plane[3:], plane[:3]) if swap else (plane[:3], plane[3:])
        return flip_x * row, flip_y * column

    @property
    def origins(self) -> NDArray[np.float64]:
        heights = np.concatenate([[0], np.cumsum(self.steps_mm)])
        return np.array([-31.5, 12.25, -207.0]) + np.outer(heights, [0.0, 0.0, 1.0])

    @property
    def centre(self) -> NDArray[np.float64]:
        """Centre of the ball, which lies within the stack with a millimetre to spare on all sides.

        Under tilt, slices slide along their plane: in plane the ball needs more room.
        """
        row, column = self.axes
        between_rows, between_columns = self.pixel_mm
        margin = self.radius_mm / np.cos(np.radians(self.tilt_deg)) + 1
        x, y = (
            room(fraction, (MATRIX - 1) * pitch, margin)
            for fraction, pitch in zip(self.place, (between_columns, between_rows), strict=False)
        )
        normal = np.cross(row, column)
        first, last = sorted(self.origins[[0, -1]] @ normal)
        along_normal = first + room(self.place[2], last - first, self.radius_mm + 1)
        in_plane = self.origins[0] + x * row + y * column
        along_table = (along_normal - in_plane @ normal) / normal[2]
        return in_plane + along_table * np.array([0.0, 0.0, 1.0])

    @property
    def ball(self) -> NDArray[np.bool_]:
        """Stored voxels in the ball, shape (slices, rows, columns), inferior to superior.

        In each slice as many as the disc of the cross-section has room for, the nearest ones: its area
        is right to half a pixel.
        """
        row, column = self.axes
        between_rows, between_columns = self.pixel_mm
        rows, columns = np.mgrid[:MATRIX, :MATRIX]
        in_plane = columns[..., None] * between_columns * row + rows[..., None] * between_rows * column
        labels = np.zeros((SLICES, MATRIX, MATRIX), dtype=bool)
        for index, origin in enumerate(self.origins):
            distance = np.linalg.norm(origin + in_plane - self.centre, axis=-1).ravel()
            off_plane = (self.centre - origin) @ np.cross(row, column)
            area = np.pi * max(0.0, self.radius_mm**2 - off_plane**2)
            nearest = np.argsort(distance)[: round(area / (between_rows * between_columns))]
            labels[index].ravel()[nearest] = True
        return labels

    @property
    def volume_ml(self) -> float:
        return 4 / 3 * np.pi * self.radius_mm**3 / 1000


def room(fraction: float, length: float, margin: float) -> float:
    """A place between two margins."""
    assert length > 2 * margin
    return margin + fraction * (length - 2 * margin)


FRACTIONS = st.floats(0, 1)
ACQUISITIONS = st.builds(
    Acquisition,
    tilt_deg=st.floats(-30, 30),
    turn=st.sampled_from(TURNS),
    pixel_mm=st.tuples(st.floats(0.6, 0.9), st.floats(0.6, 0.9)),
    steps_mm=st.lists(GAPS_MM, min_size=SLICES - 1, max_size=SLICES - 1),
    radius_mm=st.floats(SMALLEST_RADIUS_MM, LARGEST_RADIUS_MM),
    place=st.tuples(FRACTIONS, FRACTIONS, FRACTIONS),
    slope=st.sampled_from([0.1, 0.25, 1.0, 1.5, 2.0]),
    intercept=st.sampled_from([-1024.0, -1000.5, -3000.0]),
    numbers=st.permutations(range(1, SLICES + 1)),
)


def write_dicom(folder: Path, acquisition: Acquisition, ball: NDArray[np.bool_]) -> list[Path]:
    """Brain with a bleed in it, air around it; the paths of the slices, inferior to superior."""
    hounsfield = np.full(ball.shape, AIR_HU, dtype=np.int16)
    hounsfield[:, 2:-2, 2:-2] = BRAIN_HU
    hounsfield[ball] = BLOOD_HU

    def change(index: int, dataset: Dataset) -> None:
        dataset.InstanceNumber, dataset.SliceThickness = acquisition.numbers[index], 1

    row, column = acquisition.axes
    return write_series(
        folder,
        hounsfield,
        acquisition.origins,
        (*row, *column),
        spacing=acquisition.pixel_mm,
        slope=acquisition.slope,
        intercept=acquisition.intercept,
        change=change,
    )


def write_mask(path: Path, paths: list[Path], ball: NDArray[np.bool_]) -> sitk.Image:
    """The ball as ITK-SNAP would save it: slices in the order, and header, of ITK's series reader."""
    reader = sitk.ImageSeriesReader()
    names = reader.GetGDCMSeriesFileNames(str(paths[0].parent))
    reader.SetFileNames(names)
    image = reader.Execute()
    order = [paths.index(Path(name)) for name in names]
    mask = sitk.GetImageFromArray(ball[order].astype(np.uint8))
    mask.CopyInformation(image)
    sitk.WriteImage(mask, str(path))
    return mask


def ingested(acquisition: Acquisition, root: Path) -> tuple[dict, float]:
    """``scan.json``, and the volume in mL by the mask's own header."""
    ball = acquisition.ball
    paths = write_dicom(root / "dicom", acquisition, ball)
    mask = write_mask(root / "mask.nii.gz", paths, ball)
    scan = conversion.SheetScan(
        scan_id="scan-7",
        participant_id="p-7",
        image=root / "dicom",
        masks={"mask": root / "mask.nii.gz"},
        mask_rules=MASK_RULES,
        labels=LABELS,
    )
    conversion.ingest(scan, SeriesRules(), root)
    by_header_ml = float(ball.sum() * np.prod(mask.GetSpacing()) / 1000)
    return read_json(root / "scan.json"), by_header_ml


@given(ACQUISITIONS)
@settings(max_examples=30)
def test_volume_of_a_ball_comes_back_within_one_percent(acquisition: Acquisition) -> None:
    with tempfile.TemporaryDirectory() as folder:
        record, _ = ingested(acquisition, Path(folder))
        assert record["status"] == "included", record["reason"]
        assert record["volumes_ml"]["ICH"] == pytest.approx(acquisition.volume_ml, rel=0.01)
        assert record["geometry"]["tilt_deg"] == pytest.approx(abs(acquisition.tilt_deg), abs=1e-4)
        ct, labels = (
            sitk.GetArrayFromImage(sitk.ReadImage(f"{folder}/{name}.nii.gz")) for name in ("ct", "labels")
        )
        np.testing.assert_array_equal(labels == 1, ct > BLOOD_FROM_HU)
        assert np.abs(ct[labels == 1] - BLOOD_HU).max() <= acquisition.slope / 2 + 0.5


@pytest.mark.parametrize("tilt_deg", [-30.0, 30.0])
def test_where_the_header_is_wrong_the_volume_is_not(tmp_path: Path, tilt_deg: float) -> None:
    """Half of the slices close together, half far apart, the ball in the close ones, under tilt."""
    acquisition = Acquisition(
        tilt_deg=tilt_deg,
        turn=(False, 1, 1),
        pixel_mm=(0.7, 0.6),
        steps_mm=[0.75] * 37 + [1.35] * 14,
        radius_mm=SMALLEST_RADIUS_MM,
        place=(0.5, 0.5, 0.0),
        slope=1.0,
        intercept=-1024.0,
        numbers=list(range(1, SLICES + 1)),
    )
    record, by_header_ml = ingested(acquisition, tmp_path)
    assert record["volumes_ml"]["ICH"] == pytest.approx(acquisition.volume_ml, rel=0.01)
    assert by_header_ml > 1.3 * acquisition.volume_ml


def test_the_smallest_ball_has_five_millilitres() -> None:
    assert 4 / 3 * np.pi * SMALLEST_RADIUS_MM**3 / 1000 == pytest.approx(5.0, rel=1e-3)
