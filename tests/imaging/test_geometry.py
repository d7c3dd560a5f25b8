"""Slice geometry: known values, and the volume of a ball under any tilt, gaps and storage order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headct.imaging import geometry
from support.ct_series import AXIAL, table_origins, tilted

TURNS = [(swap, flip_x, flip_y) for swap in (0, 1) for flip_x in (1, -1) for flip_y in (1, -1)]


def turned(orientation: tuple[float, ...], swap: int, flip_x: int, flip_y: int) -> tuple[float, ...]:
    """The same plane, stored with its axes exchanged and reversed."""
    x, y = np.array(orientation[:3]), np.array(orientation[3:])
    if swap:
        x, y = y, x
    return (*(flip_x * x), *(flip_y * y))


def test_weights_of_even_slices_are_the_gap() -> None:
    assert geometry.slice_weights([3, 5, 7, 9]).tolist() == [2, 2, 2, 2]


def test_weights_are_half_gaps_and_ends_mirror_theirs() -> None:
    assert geometry.slice_weights([0, 4, 8, 15]).tolist() == [4, 4, 5.5, 7]


@pytest.mark.parametrize("positions", [[1.0], [], [0, 1, 1, 2], [0, 2, 1]])
def test_weights_need_increasing_positions(positions: list[float]) -> None:
    with pytest.raises(ValueError, match="slice"):
        geometry.slice_weights(positions)


@given(st.lists(st.floats(0.5, 20), min_size=1, max_size=60), st.floats(-1e3, 1e3))
def test_weights_sum_to_the_covered_length(gaps: list[float], start: float) -> None:
    positions = start + np.concatenate([[0], np.cumsum(gaps)])
    covered = sum(gaps) + gaps[0] / 2 + gaps[-1] / 2
    assert geometry.slice_weights(positions).sum() == pytest.approx(covered)
    mirrored = geometry.slice_weights(-positions[::-1])[::-1]
    np.testing.assert_allclose(mirrored, geometry.slice_weights(positions), rtol=1e-9)


def test_tilted_stack_has_the_spacing_of_its_perpendicular_gap() -> None:
    grid = geometry.from_slices(tilted(18.5), (0.5, 0.4), 10, 20, table_origins(30, 2.5))
    assert grid.tilt_deg == pytest.approx(18.5)
    assert grid.spacing_mm_xyz == pytest.approx((0.4, 0.5, 2.5 * np.cos(np.radians(18.5))))
    assert grid.header_spacing_z_mm == pytest.approx(2.5)
    assert grid.size_xyz == (20, 10, 30)
    assert not grid.moves.any


def test_oblique_reformat_is_not_tilted() -> None:
    """Slices stacked along their own normal are oblique, but nothing is sheared."""
    orientation = tilted(20)
    normal = np.cross(orientation[:3], orientation[3:])
    grid = geometry.from_slices(orientation, (1, 1), 8, 8, np.outer(np.arange(12) * 3.0, normal))
    assert grid.tilt_deg == pytest.approx(0, abs=1e-6)
    assert grid.spacing_mm_xyz[2] == pytest.approx(3)
    assert grid.header_spacing_z_mm == pytest.approx(3)


def test_sheared_affine_maps_the_first_voxel_of_each_even_slice_to_its_origin() -> None:
    origins = table_origins(9, 4.0)
    grid = geometry.from_slices(tilted(-12), (1, 1), 8, 8, origins)
    mapped = np.array([grid.sheared_affine @ [0, 0, k, 1] for k in range(9)])[:, :3]
    np.testing.assert_allclose(mapped, origins, atol=1e-9)


@pytest.mark.parametrize(
    "orientation",
    [(1, 0, 0, 0, 1), (1, 0, 0, 1, 0, 0), (2, 0, 0, 0, 1, 0), (np.nan, 0, 0, 0, 1, 0), (0,) * 6],
)
def test_invalid_orientations_are_refused(orientation: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="orientation"):
        geometry.unit_directions(orientation)


def test_stacking_order_is_upwards_even_where_the_normal_points_down() -> None:
    origins = table_origins(5)[[3, 0, 4, 1, 2]]
    for orientation in (AXIAL, turned(AXIAL, 0, 1, -1), turned(AXIAL, 1, 1, 1)):
        order = geometry.stacking_order(orientation, origins)
        assert np.all(np.diff(origins[order, 2]) > 0)


@given(
    st.floats(-30, 30),
    st.lists(st.floats(0.4, 1.2), min_size=70, max_size=70),
    st.sampled_from(TURNS),
    st.floats(0.4, 0.6),
)
@settings(max_examples=25)
def test_volume_of_a_ball_comes_back_within_one_percent(
    tilt: float, gaps: list[float], turn: tuple[int, int, int], dx: float
) -> None:
    """A ball, sampled where the slices really are, whatever tilt, gaps and storage order."""
    radius, dy, matrix = 10.0, 0.5, 90
    plane = tilted(tilt)
    steps = np.concatenate([[0], np.cumsum(gaps)]) / np.cos(np.radians(tilt))
    stored = turned(plane, *turn)
    x, y = np.array(stored[:3]), np.array(stored[3:])
    middle = (matrix - 1) / 2 * (dx * x + dy * y)
    origins = np.outer(steps - steps[-1] / 2, [0.0, 0.0, 1.0]) - middle
    grid = geometry.from_slices(stored, (dy, dx), matrix, matrix, origins)

    rows, columns = np.mgrid[:matrix, :matrix]
    points = origins[:, None, None] + columns[..., None] * dx * x + rows[..., None] * dy * y
    ball = np.linalg.norm(points, axis=-1) < radius
    canonical = np.stack([grid.moves.apply(image) for image in ball])
    assert grid.volume_ml(canonical) == pytest.approx(4 / 3 * np.pi * radius**3 / 1000, rel=0.01)


@given(st.floats(-30, 30), st.sampled_from(TURNS))
def test_moves_keep_every_voxel_in_its_place(tilt: float, turn: tuple[int, int, int]) -> None:
    """The grid's axes run to the left, posterior and upwards, and name the same points as before."""
    stored, (dy, dx), (rows, columns) = turned(tilted(tilt), *turn), (0.5, 0.7), (3, 4)
    origins = table_origins(2)
    grid = geometry.from_slices(stored, (dy, dx), rows, columns, origins)
    row, column = np.mgrid[:rows, :columns]
    x, y = np.array(stored[:3]), np.array(stored[3:])
    before = origins[0] + column[..., None] * dx * x + row[..., None] * dy * y
    after = np.stack([grid.moves.apply(before[..., axis]) for axis in range(3)], axis=-1)
    j, i = np.mgrid[: grid.size_xyz[1], : grid.size_xyz[0]]
    expected = (
        grid.origins[0]
        + i[..., None] * grid.spacing_xy_mm[0] * grid.directions[:, 0]
        + j[..., None] * grid.spacing_xy_mm[1] * grid.directions[:, 1]
    )
    np.testing.assert_allclose(after, expected, atol=1e-9)
    assert np.all(np.diag(grid.directions) > 0.5)
    np.testing.assert_allclose(grid.directions.T @ grid.directions, np.eye(3), atol=1e-12)
    assert np.linalg.det(grid.directions) == pytest.approx(1)


def test_volume_refuses_weights_of_another_stack() -> None:
    with pytest.raises(ValueError, match="weights"):
        geometry.volume_ml(np.ones((3, 2, 2)), (1, 1), [1, 1])


def test_widest_gap() -> None:
    assert geometry.widest_gap([0, 4, 8, 18, 22]) == (2, 10.0, 4.0)
