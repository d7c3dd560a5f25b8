"""Where the voxels of a NIfTI file lie: its transforms, held against each other, none repaired.

A header says it up to three times: ``pixdim`` has the voxel's size, ``qform`` a rotation, ``sform`` any
affine transform. Tools that resample or crop forget one or the other, and readers follow different ones.
Where they contradict each other, no volume in mL can be trusted: the file is refused, unless
``ingest.trust_transform`` names the one to believe.

CT of a tilted gantry has a sheared sform. A qform can't hold a shear: one that differs by just that is no
contradiction. pixdim then has the length of the sform's third column or the gap perpendicular to the
slices, by the tool that wrote it; the determinant is the voxel's volume either way, with one exception:
dcm2niix (docs/decisions/nifti-transforms.md).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Any, Literal

import numpy as np
import SimpleITK as sitk
from nibabel.orientations import apply_orientation, inv_ornt_aff, io_orientation, ornt_transform
from nibabel.quaternions import quat2mat
from numpy.typing import NDArray

from headct.imaging.geometry import angle_deg
from headct.imaging.nifti import Header, Unreadable

Matrix = NDArray[np.float64]

Trusted = Literal["none", "sform", "qform", "pixdim"]
"""What ``ingest.trust_transform`` may say: a matrix, or the sides of a voxel with a matrix's directions."""

RESOLVED = "contradicting_transforms"
"""Flag of a file whose transforms contradict each other, and one of them was believed."""

MM_PER_UNIT = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
"""By the code of the header's unit of length: unknown (taken as mm), metre, mm, micrometre."""

SPACING_TOLERANCE = 2e-3
"""Relative. Some headers have three digits; a resampling that one transform missed is off by far more."""

VOLUME_TOLERANCE = 1e-3
"""Relative; how far apart two volumes of a voxel may be of which nothing says which is right."""

PLACE_TOLERANCE_PIXELS = 0.5
"""How far apart two transforms may place a voxel."""

STRAIGHT_DEG = 0.1
"""Angle of shear up to which a grid counts as straight; quaternions of 32 bits are off by up to 0.03."""

RIGHT_ANGLE_DEG = 0.5
"""How far the rows and columns of a slice may be from right angles."""

VOXEL_MM = (0.1, 25.0)
"""Sides of a voxel of CT, whose detectors resolve no less, and whose slices are no thicker."""

FIELD_MM = (60.0, 700.0)
"""Width and depth of a scan: the head of a preterm infant, and the widest field that scanners reconstruct."""

HEIGHT_MM = (50.0, 700.0)
"""Along the slices' normal: a slab of less holds no head, and CT of head and neck is far shorter than 700."""

ROUNDING = 1e-5
"""Of what float32 holds, relative."""

SHORTEST_MM, LONGEST_MM = 1e-6, 1e6
"""Beyond these the side of a voxel is none, whatever was scanned."""

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""From NIfTI's coordinates (x to the right, y to anterior) to DICOM's, and back."""


@dataclass(frozen=True)
class Placement:
    """Where the voxels of a file lie.

    Attributes:
        affine: 4 x 4, index (x, y, z, 1) in the stored array to LPS in mm.
        shape: of the stored array, (x, y, z).
        flags: what was met that is no fault.
    """

    affine: Matrix
    shape: tuple[int, int, int]
    flags: tuple[str, ...] = ()

    @cached_property
    def _orientation(self) -> NDArray[Any]:
        return io_orientation(self.affine)

    @cached_property
    def lps_affine(self) -> Matrix:
        """4 x 4, index (x, y, z, 1) in the array of :meth:`to_lps` to LPS in mm."""
        turned: Matrix = self.affine @ inv_ornt_aff(self._orientation, self.shape)
        return turned

    @property
    def pixel_mm(self) -> Matrix:
        """Size (dx, dy) of a pixel of an axial slice."""
        return np.linalg.norm(self.lps_affine[:3, :2], axis=0)

    @property
    def gap_mm(self) -> float:
        """Distance between neighbouring axial slices, perpendicular to them."""
        return perpendicular_gap(self.lps_affine)

    @property
    def lps_shape(self) -> NDArray[np.int64]:
        """Columns, rows and axial slices."""
        sizes = np.empty(3, np.int64)
        sizes[self._orientation[:, 0].astype(int)] = self.shape
        return sizes

    @property
    def extent_mm(self) -> Matrix:
        """Width, depth, and height along the normal of the axial slices, from edge to edge."""
        return self.lps_shape * np.array([*self.pixel_mm, self.gap_mm])

    def to_lps(self, values: NDArray[Any]) -> NDArray[Any]:
        """A stored array (x, y, z) as (z, y, x) in LPS order: turned and flipped, not resampled."""
        return apply_orientation(values, self._orientation).transpose()

    def from_lps(self, values: NDArray[Any]) -> NDArray[Any]:
        """The way back of :meth:`to_lps`."""
        lps = np.array([[0, 1], [1, 1], [2, 1]])
        return apply_orientation(values.transpose(), ornt_transform(lps, self._orientation))

    def image(self, values: NDArray[Any]) -> sitk.Image:
        """Values (z, y, x) in LPS order on the nearest orthonormal grid, as ingest makes it of DICOM.

        Slices of a sheared grid keep their pixels and their gap; that they are shifted against each other
        is not in the image.
        """
        x, y = (self.lps_affine[:3, axis] / self.pixel_mm[axis] for axis in (0, 1))
        normal = np.cross(x, y) / np.linalg.norm(np.cross(x, y))
        image = sitk.GetImageFromArray(np.ascontiguousarray(values))
        # Sizes of float32 are read back as they were meant: 3.5, not 3.4999999, where shapes are rounded to.
        image.SetSpacing([round(float(size), 6) for size in (*self.pixel_mm, self.gap_mm)])
        image.SetOrigin(self.lps_affine[:3, 3].tolist())
        image.SetDirection(np.stack([x, np.cross(normal, x), normal], axis=1).ravel().tolist())
        return image


class Contradiction(Unreadable):
    """What a header says in one place is not what it says in another."""


def placement(header: Header, shape: tuple[int, int, int], trusted: Trusted = "none") -> Placement:
    """Where the voxels of a file lie, where all that its header says of it agrees.

    Args:
        header: of the file.
        shape: of the stored array, (x, y, z).
        trusted: what is believed where the transforms contradict each other; else they are refused.

    Raises:
        Unreadable: with the values, a spacing or a transform that is none, no transform, several that
            contradict each other, or slices whose rows and columns are not at right angles.
    """
    return _placement(header, shape, trusted, must_be_sure=trusted != "none")


def placement_of_scan(header: Header, shape: tuple[int, int, int], trusted: Trusted = "none") -> Placement:
    """As :func:`placement`, of a CT by itself: no series of DICOM says which of two volumes a voxel has.

    Args:
        header: of the file.
        shape: of the stored array, (x, y, z).
        trusted: what is believed where the transforms contradict each other.

    Raises:
        Unreadable: as :func:`placement`; with the values, two volumes of a voxel of which nothing says which
            is right.
    """
    return _placement(header, shape, trusted, must_be_sure=True)


def _placement(
    header: Header, shape: tuple[int, int, int], trusted: Trusted, must_be_sure: bool
) -> Placement:
    if not header["sform_code"] and not header["qform_code"]:
        raise Unreadable(
            "the header has no orientation (sform_code and qform_code are 0), so left and right are unknown: "
            "convert the scan again, or set the transform and its code"
        )
    try:
        affine, flags = _agreed(header, shape)
        if must_be_sure and not header["qform_code"]:
            _refuse_ambiguous_shear(affine, _spacing(header))
    except Contradiction as error:
        if trusted == "none":
            raise Unreadable(
                f"{error}. Where it is known which one is right, ingest.trust_transform names it"
            ) from error
        affine, flags = _believed(header, trusted), (RESOLVED,)
    return placed(LPS @ affine, shape, flags)


def placed(affine: Matrix, shape: tuple[int, int, int], flags: tuple[str, ...] = ()) -> Placement:
    """Where voxels lie by one transform that nothing contradicts.

    Args:
        affine: 4 x 4, index (x, y, z, 1) in the stored array to LPS in mm.
        shape: of the stored array, (x, y, z).
        flags: what was met before.

    Raises:
        Unreadable: it is no transform of a volume, or the rows and columns of the axial slices are not at
            right angles.
    """
    if not _is_of_volume(affine[:3]):
        rows = affine[:3].round(4).tolist()
        raise Unreadable(f"the header has no transform of a volume: its rows are {rows}")
    found = Placement(affine, shape, flags)
    if tilt_deg(found.lps_affine) > STRAIGHT_DEG:
        found = replace(found, flags=("tilted", *flags))
    angle = angle_deg(*found.lps_affine[:3, :2].T)
    if abs(angle - 90) > RIGHT_ANGLE_DEG:
        raise Unreadable(f"rows and columns of its slices are at {angle:.1f} degrees, not at right angles")
    return found


def _agreed(header: Header, shape: tuple[int, int, int]) -> tuple[Matrix, tuple[str, ...]]:
    """The transform on which all that the header says agrees, and flags."""
    spacing = _spacing(header)
    sform, qform = _sform(header), _qform(header, spacing)
    if sform is not None:
        return _checked(sform, qform, spacing, header, shape)
    assert qform is not None, "a header without both was refused"
    return qform, ()


def _believed(header: Header, trusted: Trusted) -> Matrix:
    """The transform of a header that contradicts itself, by what is believed of it.

    By pixdim, a voxel has the sides that it says: the columns of the other transform are brought to these
    lengths, that along the head so that the slices lie as far apart, perpendicular to them.
    """
    if trusted == "pixdim":
        spacing = _spacing(header)
        directions = _sform(header) if header["sform_code"] else _qform(header, spacing)
        assert directions is not None, "a header without both was refused"
        affine = directions.copy()
        affine[:3, :3] *= spacing / np.linalg.norm(affine[:3, :3], axis=0)
        along = int(np.flatnonzero(io_orientation(affine)[:, 0] == 2)[0])
        affine[:3, along] *= spacing[along] / perpendicular_gap(np.roll(affine[:3, :3], 2 - along, axis=1))
        return affine
    found = _sform(header) if trusted == "sform" else _qform(header, _spacing(header))
    if found is None:
        raise Unreadable(
            f"ingest.trust_transform names the {trusted}, and {trusted}_code is 0: there is none"
        )
    return found


def perpendicular_gap(affine: Matrix) -> float:
    """Distance between neighbouring planes of the first two axes."""
    normal = np.cross(affine[:3, 0], affine[:3, 1])
    return float(abs(normal @ affine[:3, 2]) / np.linalg.norm(normal))


def tilt_deg(affine: Matrix) -> float:
    """Angle between the third axis and the normal of the planes of the first two, 0 to 90 degrees."""
    normal = np.cross(affine[:3, 0], affine[:3, 1])
    angle = angle_deg(normal, affine[:3, 2])
    return min(angle, 180 - angle)


def refuse_size_of_no_head(found: Placement) -> None:
    """Raise Unreadable, with the values, where voxels or scan are of a size that no head CT has."""
    voxel_mm, extent_mm = np.array([*found.pixel_mm, found.gap_mm]), found.extent_mm
    lowest_mm, highest_mm = np.array([FIELD_MM, FIELD_MM, HEIGHT_MM]).T
    if not ((voxel_mm >= VOXEL_MM[0]) & (voxel_mm <= VOXEL_MM[1])).all():
        fault = f"sides of a voxel are {VOXEL_MM[0]:g} to {VOXEL_MM[1]:g} mm"
    elif not ((extent_mm >= lowest_mm) & (extent_mm <= highest_mm)).all():
        fault = (
            f"a scan is {FIELD_MM[0]:g} to {FIELD_MM[1]:g} mm wide and deep and {HEIGHT_MM[0]:g} to "
            f"{HEIGHT_MM[1]:g} mm high"
        )
    else:
        return
    raise Unreadable(
        f"no head CT is of the size in its header: voxels of {_times(voxel_mm)} mm, the scan "
        f"{_times(extent_mm)} mm; {fault}. Its spacing or its unit of length is wrong: convert the scan again"
    )


def _refuse_ambiguous_shear(sform: Matrix, spacing: Matrix) -> None:
    """A sheared sform alone, whose columns are as long as pixdim says.

    Its third column may be the way of the table, or the gap perpendicular to the slices (dcm2niix).
    """
    by_sform, by_pixdim = abs(np.linalg.det(sform[:3, :3])), np.prod(spacing)
    upright = np.prod(np.linalg.norm(sform[:3, :3], axis=0))
    if min(by_pixdim, upright) > by_sform * (1 + VOLUME_TOLERANCE):
        raise Contradiction(
            f"a voxel has {by_sform:.4f} mm³ by the determinant of its sheared sform and {by_pixdim:.4f} mm³ "
            "by pixdim, and without a qform nothing says which is right (of a tilted gantry dcm2niix writes "
            "a sform that is too small): convert the scan again, or save it with its qform"
        )


def _spacing(header: Header) -> Matrix:
    """Size of a voxel by pixdim, in mm."""
    unit = int(header["xyzt_units"]) % 8
    if unit not in MM_PER_UNIT:
        raise Unreadable(f"the header's unit of length has the code {unit}, which means nothing")
    spacing = header["pixdim"][1:4].astype(float) * MM_PER_UNIT[unit]
    if not _can_be_lengths(spacing):
        raise Contradiction(
            f"the header's spacing (pixdim) is {_times(spacing)} mm: no volume follows from that"
        )
    return spacing


def _can_be_lengths(lengths_mm: Matrix) -> bool:
    """Whether a voxel's sides can be calculated with: beyond, their squares may be 0 or infinite."""
    return bool(((lengths_mm > SHORTEST_MM) & (lengths_mm < LONGEST_MM)).all())


def _sform(header: Header) -> Matrix | None:
    """The sform in mm, None where its code is 0."""
    if header["sform_code"] == 0:
        return None
    rows = np.array([header[f"srow_{axis}"] for axis in "xyz"], dtype=float)
    with np.errstate(over="ignore", invalid="ignore"):
        rows *= MM_PER_UNIT[int(header["xyzt_units"]) % 8]
    if not _is_of_volume(rows):
        raise Contradiction(f"sform is no transform of a volume: its rows are {rows.round(4).tolist()}")
    return np.vstack([rows, [0, 0, 0, 1]])


def _is_of_volume(rows: Matrix) -> bool:
    """Whether three rows of a transform give a voxel three sides of lengths, and a volume."""
    with np.errstate(over="ignore", invalid="ignore"):  # numbers whose squares are none are no lengths either
        lengths = np.linalg.norm(rows[:, :3], axis=0)
    can_be = np.isfinite(rows).all() and _can_be_lengths(lengths)
    return bool(can_be) and bool(abs(np.linalg.det(rows[:, :3])) > ROUNDING * np.prod(lengths))


def _qform(header: Header, spacing: Matrix) -> Matrix | None:
    """The qform in mm, None where its code is 0."""
    if header["qform_code"] == 0:
        return None
    vector = np.array([header[f"quatern_{part}"] for part in "bcd"], dtype=float)
    offset = np.array([header[f"qoffset_{axis}"] for axis in "xyz"], dtype=float)
    handedness = float(header["pixdim"][0])
    real = 1 - vector @ vector
    if not (np.isfinite([*vector, *offset]).all() and real > -ROUNDING and handedness in (-1, 0, 1)):
        raise Contradiction(
            f"qform is no rotation: quaternion {vector.tolist()}, offset {offset.tolist()}, "
            f"qfac {handedness:g}"
        )
    signs = [1, 1, handedness or 1]  # nifti1.h: 0 counts as 1
    matrix = np.eye(4)
    matrix[:3, :3] = quat2mat([max(real, 0) ** 0.5, *vector]) * (spacing * signs)
    matrix[:3, 3] = offset * MM_PER_UNIT[int(header["xyzt_units"]) % 8]
    return matrix


def _checked(
    sform: Matrix, qform: Matrix | None, spacing: Matrix, header: Header, shape: tuple[int, int, int]
) -> tuple[Matrix, tuple[str, ...]]:
    """The sform, and flags; held against pixdim and qform."""
    lengths = np.linalg.norm(sform[:3, :3], axis=0)
    gaps = np.array([perpendicular_gap(np.roll(sform[:3, :3], 2 - axis, axis=1)) for axis in range(3)])
    if not (_close(lengths, spacing) | _close(gaps, spacing)).all():
        raise Contradiction(
            f"sform and pixdim contradict each other: voxels of {_times(lengths)} mm by sform, of "
            f"{_times(spacing)} mm by pixdim"
        )
    if qform is None:
        return sform, ()
    in_plane, nearest = _without_shear(sform, spacing)
    tolerance = PLACE_TOLERANCE_PIXELS * spacing.min()
    has_short_column = tilt_deg(sform) > STRAIGHT_DEG and abs(lengths[2] - spacing[2]) < abs(
        gaps[2] - spacing[2]
    )
    in_plane_mm, nearest_mm = _apart(in_plane, qform, shape), _apart(nearest, qform, shape)
    if min(in_plane_mm, nearest_mm) <= tolerance:
        if not has_short_column or nearest_mm < in_plane_mm:  # under a small tilt, both may be near
            return sform, ()
        restored = sform.copy()
        restored[:3, 2] *= spacing[2] / gaps[2]
        return restored, ("slice_axis_restored",)
    if header["sform_code"] == header["qform_code"] or (
        io_orientation(sform).tolist() != io_orientation(qform).tolist()
    ):
        raise Contradiction(
            f"sform and qform contradict each other: they place the same voxel up to "
            f"{nearest_mm:.1f} mm apart (sform {sform[:3].round(3).tolist()}, qform "
            f"{qform[:3].round(3).tolist()})"
        )
    if has_short_column:
        raise Contradiction(
            f"a voxel has {abs(np.linalg.det(sform[:3, :3])):.4f} mm³ by the determinant of its sheared "
            f"sform and {np.prod(spacing):.4f} mm³ by pixdim, and its qform does not say which is right"
        )
    return sform, ("sform_and_qform_differ",)


def _without_shear(sform: Matrix, spacing: Matrix) -> tuple[Matrix, Matrix]:
    """What a qform makes of a sheared sform: with its plane (dcm2niix), or the nearest rotation (nibabel)."""
    in_plane, nearest = sform.copy(), sform.copy()
    normal = np.cross(sform[:3, 0], sform[:3, 1])
    in_plane[:3, 2] = normal / np.linalg.norm(normal) * np.sign(normal @ sform[:3, 2]) * spacing[2]
    left, _, right = np.linalg.svd(sform[:3, :3] / np.linalg.norm(sform[:3, :3], axis=0))
    nearest[:3, :3] = left @ right * spacing
    return in_plane, nearest


def _apart(first: Matrix, second: Matrix, shape: tuple[int, int, int]) -> float:
    """How far two transforms place the same corner of a volume apart, at most, in mm."""
    corners = np.array([(*corner, 1) for corner in product(*((0, size - 1) for size in shape))])
    return float(np.linalg.norm(((first - second) @ corners.T)[:3], axis=0).max())


def _close(first: Matrix, second: Matrix) -> NDArray[np.bool_]:
    return np.abs(first - second) <= SPACING_TOLERANCE * second


def _times(sizes: Matrix) -> str:
    return " x ".join(f"{size:.4g}" for size in sizes)
