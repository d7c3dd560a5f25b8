"""Where the voxels of a NIfTI lie: what a header says, in whichever way, and which contradict themselves."""

from __future__ import annotations

import itertools
from typing import Any

import nibabel
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from nibabel.eulerangles import euler2mat
from nibabel.orientations import inv_ornt_aff

from headct.imaging.header_grid import HeaderGrid
from headct.imaging.nifti import Unreadable
from headct.imaging.nifti_geometry import (
    LPS,
    Placement,
    perpendicular_gap,
    placement,
    placement_of_scan,
    refuse_size_of_no_head,
    tilt_deg,
)

SHAPE = (9, 8, 7)
SPACING = np.array([0.48, 0.46, 5.0])
TURNS = [
    np.column_stack([order, flips])
    for order in itertools.permutations(range(3))
    for flips in itertools.product((-1, 1), repeat=3)
]
"""Every way in which the axes of an array may be stored."""


def header(
    spacing: Any, sform: Any = None, qform: Any = None, codes: tuple[int, int] = (1, 1), units: str = "mm"
) -> nibabel.Nifti1Header:
    """A header with just these fields, as files have them; ``codes`` are those of sform and qform."""
    found = nibabel.Nifti1Header()
    found.set_data_shape(SHAPE)
    found.set_xyzt_units(units)
    if sform is not None:
        found.set_sform(sform, codes[0])
    if qform is not None:
        found.set_qform(qform, codes[1])
    found["pixdim"][1:4] = spacing
    return found


def affine(columns: Any, origin: Any = (-70.0, -90.0, 30.0)) -> Any:
    found = np.eye(4)
    found[:3, :3], found[:3, 3] = columns, origin
    return found


def tilted(angle_deg: float, turn: Any = None) -> tuple[Any, Any]:
    """Affines (true, and as a qform keeps the slices' plane) of CT with a tilted gantry.

    The table moves along z; rows point to x, columns are turned by the tilt.
    """
    tilt = np.radians(angle_deg)
    down = np.array([0, np.cos(tilt), np.sin(tilt)])
    normal = np.cross([1, 0, 0], down)
    x, y = SPACING[0] * np.array([1, 0, 0]), SPACING[1] * down
    along_table = np.array([0, 0, SPACING[2] / np.cos(tilt)])
    turn = np.eye(3) if turn is None else turn
    return (
        affine(turn @ np.column_stack([x, y, along_table])),
        affine(turn @ np.column_stack([x, y, SPACING[2] * normal])),
    )


def volume_mm3(matrix: Any) -> float:
    return float(abs(np.linalg.det(matrix[:3, :3])))


def refusal(of: nibabel.Nifti1Header) -> str:
    with pytest.raises(Unreadable) as caught:
        placement(of, SHAPE)
    return str(caught.value)


angles = st.floats(-0.15, 0.15)
tilts = st.floats(-30, 30)


@settings(max_examples=300, deadline=None)
@given(
    tilt=tilts,
    x=angles,
    y=angles,
    z=angles,
    turn=st.sampled_from(TURNS),
    with_qform=st.booleans(),
    gap_in_pixdim=st.booleans(),
    units=st.sampled_from([("mm", 1.0), ("meter", 1000.0), ("micron", 0.001)]),
    data=st.data(),
)
def test_a_sheared_sform_is_taken_as_it_is(
    tilt: float,
    x: float,
    y: float,
    z: float,
    turn: Any,
    with_qform: bool,
    gap_in_pixdim: bool,
    units: tuple[str, float],
    data: st.DataObject,
) -> None:
    """However the head lies, the axes are stored, and pixdim is meant: volumes are the determinant's.

    The qform is what nibabel makes of such a sform, the rotation that comes nearest.
    """
    true = tilted(tilt, euler2mat(x, y, z))[0] @ inv_ornt_aff(turn, SHAPE)
    sizes = np.linalg.norm(true[:3, :3], axis=0)
    if gap_in_pixdim:
        sizes = np.array([perpendicular_gap(np.roll(true[:3, :3], 2 - axis, axis=1)) for axis in range(3)])
        assume(not with_qform)
    unit, mm = units
    scaled = np.diag([1 / mm, 1 / mm, 1 / mm, 1]) @ true
    found = placement(header(sizes / mm, scaled, scaled if with_qform else None, units=unit), SHAPE)
    np.testing.assert_allclose(found.affine, LPS @ true, rtol=1e-5, atol=1e-4)
    assert np.prod([*found.pixel_mm, found.gap_mm]) == pytest.approx(volume_mm3(true), rel=1e-6)
    assert ("tilted" in found.flags) == (abs(tilt) > 0.1) or abs(abs(tilt) - 0.1) < 0.01
    assert set(found.flags) <= {"tilted"}
    check_the_image(found, data)


def check_the_image(found: Placement, data: st.DataObject) -> None:
    """The image in LPS order has each voxel where it was, but for the shear along the slices' planes."""
    values = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    turned = found.to_lps(values)
    np.testing.assert_array_equal(found.from_lps(turned), values)
    image = found.image(turned.astype(np.int16))
    directions = np.array(image.GetDirection()).reshape(3, 3)
    np.testing.assert_allclose(directions.T @ directions, np.eye(3), atol=1e-9)
    assert (np.abs(directions).argmax(axis=0) == [0, 1, 2]).all()
    assert (directions.diagonal() > 0).all()
    index = tuple(data.draw(st.integers(0, size - 1)) for size in SHAPE)
    z, y, x = (int(where[0]) for where in np.nonzero(turned == values[index]))
    stored_at = (found.affine @ (*index, 1))[:3]
    offset = np.array(image.TransformIndexToPhysicalPoint((x, y, z))) - stored_at
    assert abs(offset @ directions[:, 2]) < 1e-3, "the slice is where it was, along its normal"
    if "tilted" not in found.flags:
        assert np.linalg.norm(offset) < 0.1


@settings(max_examples=200, deadline=None)
@given(tilt=tilts, z=angles, flips=st.sampled_from(list(itertools.product((-1, 1), repeat=3))))
def test_the_column_that_dcm2niix_shortens_is_restored(tilt: float, z: float, flips: Any) -> None:
    """It writes the gap perpendicular to the slices along the table; pixdim and qform are right."""
    flip = inv_ornt_aff(np.column_stack([range(3), flips]), SHAPE)
    true, in_plane = (matrix @ flip for matrix in tilted(tilt, euler2mat(z, 0, 0)))
    in_plane[:3, 3] = true[:3, 3]
    as_written = true.copy()
    as_written[:3, 2] *= np.cos(np.radians(tilt))
    found = placement(header(SPACING, as_written, in_plane), SHAPE)
    np.testing.assert_allclose(found.affine, LPS @ true, rtol=1e-4, atol=1e-3)
    if abs(tilt) > 0.5:
        assert found.flags == ("tilted", "slice_axis_restored")
        assert tilt_deg(found.affine) == pytest.approx(abs(tilt), abs=0.01)
    honest = placement(header(SPACING, true, in_plane), SHAPE)
    np.testing.assert_allclose(honest.affine, LPS @ true, rtol=1e-4, atol=1e-3)
    assert "slice_axis_restored" not in honest.flags


@settings(max_examples=200, deadline=None)
@given(
    axis=st.integers(0, 2),
    factor=st.floats(0.3, 3).filter(lambda factor: abs(factor - 1) > 0.003),
    angle=angles,
    where=st.sampled_from(["pixdim", "sform", "sform alone"]),
)
def test_sizes_that_contradict_each_other_are_refused(
    axis: int, factor: float, angle: float, where: str
) -> None:
    """Whatever was forgotten when the file was resampled, by whichever axis."""
    matrix = affine(euler2mat(angle, 0, 0) * SPACING)
    scaled = matrix @ np.diag([factor if k == axis else 1 for k in range(4)])
    sizes = np.linalg.norm((scaled if where == "pixdim" else matrix)[:3, :3], axis=0)
    message = refusal(
        header(sizes, matrix if where == "pixdim" else scaled, None if where == "sform alone" else matrix)
    )
    assert "contradict each other" in message
    for size in np.linalg.norm((matrix if where == "pixdim" else scaled)[:3, :3], axis=0):
        assert f"{size:.4g}" in message, "the values are named"


@pytest.mark.parametrize("spacing", [(0.5, 0.5, 0), (np.nan, 0.5, 5), (0.5, -0.5, 5), (0.5, 0.5, np.inf)])
def test_spacing_that_is_none_is_refused(spacing: tuple[float, ...]) -> None:
    good = affine(np.diag(SPACING))
    assert " x ".join(f"{size:.4g}" for size in spacing) in refusal(header(spacing, good))
    found = header(SPACING, None, good)
    found["pixdim"][1:4] = spacing
    assert "no volume follows" in refusal(found)


def test_transforms_that_are_none_are_refused() -> None:
    good = affine(np.diag(SPACING))
    assert "no orientation" in refusal(header(SPACING))
    for bad in (np.nan, np.inf):
        broken = good.copy()
        broken[1, 3] = bad
        assert "sform is no transform" in refusal(header(SPACING, broken))
    flat, tiny = good.copy(), good.copy()
    flat[:3, 1] = flat[:3, 0]
    tiny[:3, 1] *= 1e-200  # its square is 0
    for broken in (flat, tiny):
        assert "sform is no transform" in refusal(header(SPACING, broken))
    for field, value in (("quatern_b", 1.2), ("quatern_c", np.nan), ("qoffset_x", np.inf)):
        found = header(SPACING, None, good)
        found[field] = value
        assert "qform is no rotation" in refusal(found)
    found = header(SPACING, None, good)
    found["pixdim"][0] = 2
    assert "qfac 2" in refusal(found)
    found["pixdim"][0] = 0  # counts as 1
    np.testing.assert_allclose(placement(found, SHAPE).affine, LPS @ good, atol=1e-5)
    found["xyzt_units"] = 7
    assert "unit of length" in refusal(found)
    skewed = good.copy()
    skewed[:3, 1] += (0.1, 0, 0)
    assert "not at right angles" in refusal(header(np.linalg.norm(skewed[:3, :3], axis=0), skewed))


def test_a_place_said_twice_differently_is_refused_unless_it_is_of_another_space() -> None:
    matrix = affine(np.diag(SPACING))
    moved = matrix.copy()
    moved[2, 3] += 40
    assert "40.0 mm apart" in refusal(header(SPACING, moved, matrix, codes=(1, 1)))
    aligned = placement(header(SPACING, moved, matrix, codes=(2, 1)), SHAPE)
    np.testing.assert_allclose(aligned.affine, LPS @ moved, atol=1e-5)
    assert aligned.flags == ("sform_and_qform_differ",)
    mirrored = affine(np.diag(SPACING * [-1, 1, 1]))
    assert "contradict each other" in refusal(header(SPACING, mirrored, matrix, codes=(2, 1)))


def test_a_shortened_column_that_nothing_proves_is_refused_with_both_volumes() -> None:
    """What dcm2niix made of a tilted gantry, moved afterwards, so that the qform is of another place."""
    true, in_plane = tilted(20.0)
    short = true.copy()
    short[:3, 2] *= np.cos(np.radians(20))
    short[:3, 3] += 30
    message = refusal(header(SPACING, short, in_plane, codes=(2, 1)))
    assert f"{volume_mm3(short):.4f}" in message
    assert f"{volume_mm3(true):.4f}" in message


HEAD = (256, 240, 28)


def stored(turn: Any) -> tuple[int, int, int]:
    """The shape of the head's array with its axes turned."""
    x, y, z = (HEAD[axis] for axis in np.argsort(turn[:, 0]))
    return x, y, z


def refusal_of_scan(of: nibabel.Nifti1Header, shape: tuple[int, int, int] = HEAD) -> str:
    with pytest.raises(Unreadable) as caught:
        refuse_size_of_no_head(placement_of_scan(of, shape))
    return str(caught.value)


@pytest.mark.parametrize("turn", TURNS[::5], ids=str)
@pytest.mark.parametrize(
    ("spacing", "units", "words"),
    [
        ((0.9, 0.8, 5000), "mm", ("voxels of 0.9 x 0.8 x 5000 mm", "0.1 to 25 mm")),
        ((0.9, 0.8, 0.005), "mm", ("voxels of 0.9 x 0.8 x 0.005 mm", "0.1 to 25 mm")),
        ((1, 1, 1), "mm", ("the scan 256 x 240 x 28 mm", "50 to 700 mm high")),
        ((0.2, 0.2, 5), "mm", ("the scan 51.2 x 48 x 140 mm", "60 to 700 mm wide")),
        ((4, 4, 5), "mm", ("the scan 1024 x 960 x 140 mm", "60 to 700 mm wide")),
        ((0.9, 0.8, 25), "mm", ()),
        ((0.9, 0.8, 25.4), "mm", ("voxels of 0.9 x 0.8 x 25.4 mm",)),
        ((0.9, 0.8, 5), "micron", ("voxels of 0.0009 x 0.0008 x 0.005 mm", "unit of length")),
        ((0.9, 0.8, 5), "meter", ("voxels of 900 x 800 x 5000 mm", "unit of length")),
        ((0.0009, 0.0008, 0.005), "meter", ()),
        ((900, 800, 5000), "micron", ()),
    ],
)
def test_a_size_that_no_head_has_is_refused_though_the_header_agrees_with_itself(
    spacing: Any, units: str, words: tuple[str, ...], turn: Any
) -> None:
    """However the axes are stored; the values are those of axial slices."""
    shape = stored(turn)
    matrix = np.diag([*spacing, 1.0]) @ inv_ornt_aff(turn, HEAD)
    of = header(np.linalg.norm(matrix[:3, :3], axis=0), matrix, units=units)
    of.set_data_shape(shape)
    if words:
        message = refusal_of_scan(of, shape)
        assert [word for word in words if word not in message] == [], message
    else:
        mm = {"mm": 1, "meter": 1000, "micron": 0.001}[units]
        np.testing.assert_allclose(
            placement_of_scan(of, shape).extent_mm, np.array(HEAD) * spacing * mm, rtol=1e-5
        )


@settings(max_examples=100, deadline=None)
@given(tilt=st.floats(5, 30), z=angles, turn=st.sampled_from(TURNS), short=st.booleans())
def test_a_sheared_sform_alone_is_refused_with_both_volumes(
    tilt: float, z: float, turn: Any, short: bool
) -> None:
    """dcm2niix's file saved again without its qform looks like an honest one, whatever the order of axes."""
    shape = stored(turn)
    true = tilted(tilt, euler2mat(z, 0, 0))[0]
    if short:
        true[:3, 2] *= np.cos(np.radians(tilt))
    true = true @ inv_ornt_aff(turn, HEAD)
    sizes = np.linalg.norm(true[:3, :3], axis=0)
    message = refusal_of_scan(header(sizes, true), shape)
    assert f"{volume_mm3(true):.4f} mm³ by the determinant" in message
    assert f"{np.prod(sizes):.4f} mm³ by pixdim" in message
    with_qform = placement_of_scan(header(sizes, true, true), shape)
    assert "tilted" in with_qform.flags, "nibabel's qform says which is right"
    sizes[int(turn[2, 0])] = volume_mm3(true) / (SPACING[0] * SPACING[1])
    assert "tilted" in placement_of_scan(header(sizes, true), shape).flags, "pixdim has the gap"


@settings(max_examples=100, deadline=None)
@given(tilt=st.floats(0, 30), rounded=st.integers(3, 6))
def test_no_volume_is_off_by_more_than_a_thousandth(tilt: float, rounded: int) -> None:
    """A sheared sform alone, short or true, is taken within 0.1 % or refused; an upright one is taken."""
    true = tilted(tilt)[0]
    short = true.copy()
    short[:3, 2] *= np.cos(np.radians(tilt))
    for matrix in (true, short):
        sizes = np.linalg.norm(matrix[:3, :3], axis=0).round(rounded)
        try:
            found = placement_of_scan(header(sizes, matrix), SHAPE)
        except Unreadable:
            assert tilt > 2.5
            continue
        assert volume_mm3(found.affine) == pytest.approx(volume_mm3(true), rel=1.05e-3)


@settings(max_examples=60, deadline=None)
@given(turn=st.sampled_from(TURNS), tilt=tilts, values=st.integers(0, 2**32 - 1))
def test_a_label_map_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, turn: Any, tilt: float, values: int
) -> None:
    """Whatever the order of the stored axes: what was drawn in LPS order is read in LPS order."""
    true, _ = tilted(tilt)
    stored = true @ inv_ornt_aff(turn, SHAPE)
    grid = HeaderGrid(header(SPACING, sform=stored), Placement(stored, SHAPE))
    labels = np.random.default_rng(values).integers(0, 4, grid.placed.lps_shape[::-1]).astype(np.uint8)
    path = tmp_path_factory.mktemp("map") / "labels.nii.gz"
    grid.write(labels, path)
    found = grid.read(path)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, labels)
