"""Surface distances against MONAI, SimpleITK, published numbers, geometry and a second implementation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist
from skimage.measure import marching_cubes, mesh_surface_area

from headct.metrics import surface
from support import metric_cases as cases
from support import surface_reference

SHAPE = (4, 6, 7)
masks = arrays(bool, SHAPE, elements=st.booleans()).filter(np.any)
spacings = st.tuples(*(st.floats(0.3, 6) for _ in range(3)))
few = settings(max_examples=40)


def measured(a: np.ndarray, b: np.ndarray, spacing: Any, elements: str, tolerance: float = 1.0) -> dict:
    return surface.measure(a, b, cases.regular(a.shape, spacing), tolerance, elements)


def monai_measured(a: np.ndarray, b: np.ndarray, spacing: Any, tolerance: float = 1.0) -> list[float]:
    import torch
    from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance
    from monai.metrics.surface_dice import compute_surface_dice

    truth, guess = (torch.from_numpy(mask[None, None].astype(np.float32)) for mask in (a, b))
    shared = {"include_background": True, "spacing": list(spacing)}
    return [
        compute_hausdorff_distance(guess, truth, percentile=95, **shared).item(),
        compute_average_surface_distance(guess, truth, symmetric=True, **shared).item(),
        compute_surface_dice(guess, truth, [tolerance], **shared).item(),
        compute_surface_dice(guess, truth, [tolerance], use_subvoxels=True, **shared).item(),
    ]


@pytest.mark.parametrize(
    ("elements", "hd95", "dice"), [("voxels", 2.0, 0.834398), ("area", 2.06155, 0.793031)]
)
def test_vector_of_two_balls(elements: str, hd95: float, dice: float) -> None:
    # Fixed before this code was written: MONAI's definition, and DeepMind's area-weighted one.
    assert tuple(mask.sum() for mask in cases.BALLS) == (1775, 1199)
    found = measured(*cases.BALLS, cases.BALL_SPACING, elements)
    assert found["hd95_mm"] == pytest.approx(hd95, abs=5e-6)
    # The area-weighted number was given to six digits from areas in single precision.
    assert found["surface_dice"] == pytest.approx(dice, abs=6e-6)


def test_largest_distance_of_two_balls() -> None:
    place = cases.regular((12, 40, 40), cases.BALL_SPACING)
    a, b = (surface.border_voxels(mask, place) for mask in cases.BALLS)
    assert max(surface.distances_mm(a, b).max(), surface.distances_mm(b, a).max()) == pytest.approx(
        2.54951, abs=5e-6
    )


def test_published_numbers_two_voxels() -> None:
    # surface-distance, surface_distance_test.py: voxels 2 mm apart, spacing (3, 2, 1).
    a, b = np.zeros((2, 8, 9, 10), bool)
    a[4, 4, 4] = b[4, 4, 6] = True
    found = measured(a, b, (3, 2, 1), "area")
    assert [*found.values()] == pytest.approx([2, 1.5, 0.5])


def test_published_numbers_two_cubes() -> None:
    # surface-distance, surface_distance_test.py: cubes that fill the image to its border, spacing (2, 1, 1).
    a, b = np.zeros((2, 100, 100, 100), bool)
    a[:50], b[:51] = True, True
    found = measured(a, b, (2, 1, 1), "area")
    assert found["hd95_mm"] == pytest.approx(2)
    assert found["surface_dice"] == pytest.approx(0.836, abs=5e-4)
    directed = surface_reference.measures(a, b, (2.0, 1.0, 1.0), 1.0)["directed_means_mm"]
    assert directed == pytest.approx([0.322, 0.339], abs=5e-4)
    assert directed[0] < found["mean_surface_distance_mm"] < directed[1]


@settings(max_examples=15)
@given(masks, masks, spacings)
def test_border_voxels_as_monai(a: np.ndarray, b: np.ndarray, spacing: tuple[float, ...]) -> None:
    found = measured(a, b, spacing, "voxels", 2.0)
    expected = monai_measured(a, b, spacing, 2.0)[:3]
    assert [*found.values()] == pytest.approx(expected, rel=1e-5)


@few
@given(masks, masks, spacings)
def test_area_as_the_definition_written_otherwise(
    a: np.ndarray, b: np.ndarray, spacing: tuple[float, float, float]
) -> None:
    found = measured(a, b, spacing, "area", 2.0)
    expected = surface_reference.measures(a, b, spacing, 2.0)
    for column, value in found.items():
        assert value == pytest.approx(expected[column], rel=1e-5), column


def test_surface_dice_by_area_as_monai() -> None:
    generator = np.random.default_rng(0)
    for spacing in ((5.0, 0.5, 0.5), (1.0, 2.0, 3.0)):
        a, b = generator.random((2, *SHAPE)) < 0.4
        expected = monai_measured(a, b, spacing)[3]
        assert measured(a, b, spacing, "area")["surface_dice"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (5.0, 0.7, 0.4)])
def test_area_of_each_corner_code_as_scikit_image(spacing: tuple[float, float, float]) -> None:
    areas = surface.areas_mm2(cases.regular((2, 2, 2), spacing))
    assert areas.shape == (3, 256)
    np.testing.assert_allclose(areas[1], surface_reference.area_table(spacing), rtol=1e-6)


def test_border_voxels_as_simpleitk() -> None:
    # The usual recipe: contours, and Maurer's distance maps.
    contours = []
    for mask in cases.BALLS:
        image = sitk.GetImageFromArray(mask.astype(np.uint8))
        image.SetSpacing(cases.BALL_SPACING[::-1])
        contours.append(sitk.LabelContour(image, fullyConnected=False))
    maps = [
        sitk.GetArrayFromImage(
            sitk.Abs(sitk.SignedMaurerDistanceMap(c, squaredDistance=False, useImageSpacing=True))
        )
        for c in contours
    ]
    on = [sitk.GetArrayFromImage(contour) > 0 for contour in contours]
    distances = [maps[1][on[0]], maps[0][on[1]]]
    found = measured(*cases.BALLS, cases.BALL_SPACING, "voxels")
    assert found["hd95_mm"] == pytest.approx(max(np.percentile(d, 95) for d in distances), rel=1e-5)
    assert found["mean_surface_distance_mm"] == pytest.approx(np.concatenate(distances).mean(), rel=1e-5)


# Tilted and unevenly spaced scans


def positions_mm(record: dict[str, Any], voxels: np.ndarray) -> np.ndarray:
    """Patient coordinates of voxels (z, y, x), from nothing but where each slice begins."""
    (dx, dy, _), axes = record["spacing_mm_xyz"], np.array(record["directions_lps"])
    begin = np.array(record["slice_origins_mm_lps"])[voxels[:, 0]]
    return begin + voxels[:, 2:] * dx * axes[:, 0] + voxels[:, 1:2] * dy * axes[:, 1]


@few
@given(masks, masks, st.floats(-30, 30), st.lists(st.floats(0.5, 9), min_size=3, max_size=3))
def test_distances_are_those_between_true_positions(
    a: np.ndarray, b: np.ndarray, tilt_deg: float, gaps_mm: list[float]
) -> None:
    record = cases.record(SHAPE, (0.6, 0.8), gaps_mm, tilt_deg)
    place = cases.grid_of(SHAPE, (0.6, 0.8), gaps_mm, tilt_deg)
    borders = []
    for mask in (a, b):
        padded = np.pad(mask, 1)
        edge = [
            (z, y, x)
            for z, y, x in np.argwhere(mask)
            if not all(
                padded[z + 1 + i, y + 1 + j, x + 1 + k]
                for i, j, k in ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1))
            )
        ]
        borders.append(positions_mm(record, np.array(edge)))
    between = cdist(*borders)
    one, other = between.min(axis=1), between.min(axis=0)
    found = surface.measure(a, b, place, 2.0, "voxels")
    assert found["hd95_mm"] == pytest.approx(max(np.percentile(one, 95), np.percentile(other, 95)), abs=1e-9)
    assert found["mean_surface_distance_mm"] == pytest.approx(np.concatenate([one, other]).mean(), abs=1e-9)


@pytest.mark.parametrize(
    ("tilt_deg", "gaps_mm"), [(0, 5.0), (20, 5.0), (-15, [2, 3, 4, 5, 6, 7, 6, 5, 4, 3, 2])]
)
def test_area_is_that_of_the_mesh_at_true_positions(tilt_deg: float, gaps_mm: Any) -> None:
    mask = cases.BALLS[0]
    place = cases.grid_of(mask.shape, (0.5, 0.5), gaps_mm, tilt_deg)
    vertices, faces, _, _ = marching_cubes(np.pad(mask, 1).astype(float), 0.5, method="lorensen")
    slices = np.arange(len(place.slices_mm))
    true = np.stack([np.interp(vertices[:, 0], slices, axis) for axis in place.slices_mm.T], axis=1)
    true[:, :2] += vertices[:, :0:-1] * place.pixel_mm
    assert surface.area_elements(mask, place).weights.sum() == pytest.approx(
        mesh_surface_area(true, faces), rel=1e-5
    )


def test_a_shift_along_the_stack_is_as_long_as_the_slices_origins_are_apart() -> None:
    # Under tilt, the same pixel one slice up is 1/cos(tilt) gaps away, not one gap.
    a, b = np.zeros((2, 4, 9, 9), bool)
    a[1, 4, 4] = b[2, 4, 4] = True
    for tilt_deg in (0, 20):
        place = cases.grid_of(a.shape, (3.0, 3.0), 5.0, tilt_deg)
        expected = 5 / math.cos(math.radians(tilt_deg))
        assert surface.measure(a, b, place, 1.0, "voxels")["hd95_mm"] == pytest.approx(expected)


# Planted truths


def test_erosion_by_one_voxel() -> None:
    n = 9
    cube = np.zeros((n + 4,) * 3, bool)
    cube[2:-2, 2:-2, 2:-2] = True
    eroded = np.zeros_like(cube)
    eroded[3:-3, 3:-3, 3:-3] = True
    m = n - 2
    inner = m**3 - (m - 2) ** 3  # border voxels of the eroded cube, each 1 mm from the larger one
    faces, edges, corners = 6 * m**2, 12 * m, 8
    total = inner + faces + edges + corners
    found = measured(cube, eroded, (1, 1, 1), "voxels")
    mean = (inner + faces + edges * math.sqrt(2) + corners * math.sqrt(3)) / total
    assert found["mean_surface_distance_mm"] == pytest.approx(mean)
    assert found["surface_dice"] == pytest.approx((inner + faces) / total)
    assert found["hd95_mm"] == pytest.approx(math.sqrt(2))  # edges are 21 % of the larger surface


@pytest.mark.parametrize("elements", ["area", "voxels"])
@pytest.mark.parametrize("steps", [1, 3])
def test_shift_of_a_rod(elements: str, steps: int) -> None:
    # A rod of one voxel along y, shifted along x: border voxels are all `steps` pixels off. Elements of
    # the facing halves are one pixel nearer, those of the far halves as far as the shift.
    a, b = np.zeros((2, 5, 40, 20), bool)
    a[2, :, 5], b[2, :, 5 + steps] = True, True
    found = measured(a, b, (5, 0.5, 0.5), elements, tolerance=0.5 * steps)
    far, near = 0.5 * steps, 0.5 * (steps - 1)
    assert found["hd95_mm"] == pytest.approx(far)
    assert found["mean_surface_distance_mm"] == pytest.approx((far + near) / 2 if elements == "area" else far)
    assert found["surface_dice"] == 1


@pytest.mark.parametrize("elements", ["area", "voxels"])
def test_empty_masks(elements: str) -> None:
    nothing, something = np.zeros(SHAPE, bool), np.ones(SHAPE, bool)
    for a, b, dice in ((nothing, something, 0), (something, nothing, 0), (nothing, nothing, math.nan)):
        found = measured(a, b, (5, 0.5, 0.5), elements)
        assert math.isnan(found["hd95_mm"])
        assert math.isnan(found["mean_surface_distance_mm"])
        assert found["surface_dice"] == pytest.approx(dice, nan_ok=True)


# Properties


@few
@given(masks, masks, spacings, st.floats(0.1, 10), st.sampled_from(["area", "voxels"]))
def test_scaling_and_swapping(
    a: np.ndarray, b: np.ndarray, spacing: tuple[float, ...], factor: float, elements: str
) -> None:
    plain = measured(a, b, spacing, elements, 1.0)
    scaled = measured(a, b, [factor * step for step in spacing], elements, 1.0 * factor * (1 + 1e-12))
    for column in ("hd95_mm", "mean_surface_distance_mm"):
        assert scaled[column] == pytest.approx(factor * plain[column], rel=1e-9)
    assert measured(b, a, spacing, elements) == pytest.approx(plain)
    assert measured(a, a, spacing, elements) == {
        "hd95_mm": 0,
        "mean_surface_distance_mm": 0,
        "surface_dice": 1,
    }


@few
@given(masks, masks, st.tuples(*(st.integers(0, 3) for _ in range(3))), st.sampled_from(["area", "voxels"]))
def test_moving_both_masks_changes_nothing(
    a: np.ndarray, b: np.ndarray, shift: tuple[int, ...], elements: str
) -> None:
    after = [(s, 3 - s) for s in shift]
    moved = [np.pad(mask, after) for mask in (a, b)]
    place = cases.grid_of(moved[0].shape, (0.6, 0.8), 5.0, 15.0)
    small = cases.grid_of(SHAPE, (0.6, 0.8), 5.0, 15.0)
    assert surface.measure(*moved, place, 1.0, elements) == pytest.approx(
        surface.measure(a, b, small, 1.0, elements)
    )
