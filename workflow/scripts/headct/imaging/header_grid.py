"""One volume in a file whose header tells the place: its grid, and whether its values are a head CT's.

NIfTI, NRRD and MetaImage have one spacing for all slices. Nothing in them tells that values are HU, so that
has to show in the values; and no series of DICOM vouches for the size of a voxel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from headct.contracts.problems import Ineligible
from headct.imaging import nifti, plausibility
from headct.imaging.fitness import TOO_FEW, SeriesRules
from headct.imaging.geometry import Geometry, InPlaneMoves, angle_deg, volume_ml
from headct.imaging.hounsfield import ABOVE_RANGE_SHARE, HU_RANGE, to_int16
from headct.imaging.nifti_geometry import Placement, refuse_size_of_no_head
from headct.imaging.scan_selection import UNTILTED_DEG, flags_of_grid
from headct.imaging.sources.image_source import HEADER_SPACING, ImageFacts

BY_HEADER = "header_spacing"
"""Flag of a scan with one gap for all slices: uneven ones, or a tilt that a tool dropped, can't be seen."""

LEANING = "leaning_slices"
"""Flag of a straight grid whose slices lean to front or back: a tilted gantry, whose shear a tool dropped?

ITK does so. Its spacing is then the way of the table, and volumes are too large by 1/cos of the angle.
"""

LEANING_DEG = 2.0

OBLONG = 2.0
"""Ratio of a pixel's sides above which a thick slice lies across the axial plane: pixels of CT are square."""


@dataclass(frozen=True)
class HeaderGrid:
    """The grid of a file's header, without the voxels: they need not be kept until a label map is written.

    Attributes:
        header: of a NIfTI file, whose transforms a label map repeats.
        placed: what is believed of it.
    """

    header: nifti.Header
    placed: Placement
    volumes_from: str = HEADER_SPACING

    @property
    def geometry(self) -> Geometry:
        """Slices at the even gap that the header tells; a sheared grid keeps its shear."""
        affine = self.placed.lps_affine
        x, y = (affine[:3, axis] / self.placed.pixel_mm[axis] for axis in (0, 1))
        normal = np.cross(x, y) / np.linalg.norm(np.cross(x, y))
        columns, rows, slices = (int(size) for size in self.placed.lps_shape)
        dx, dy = (float(size) for size in self.placed.pixel_mm)
        return Geometry(
            size_xyz=(columns, rows, slices),
            spacing_xy_mm=(dx, dy),
            directions=np.stack([x, np.cross(normal, x), normal], axis=1),
            origins=affine[:3, 3] + np.outer(np.arange(slices), affine[:3, 2]),
            moves=InPlaneMoves(False, False, False),
        )

    def image(self, values: NDArray[Any]) -> sitk.Image:
        """On the nearest orthonormal grid."""
        return self.placed.image(values)

    def volume_ml(self, mask: NDArray[Any]) -> float:
        """By the one gap that the header tells."""
        return volume_ml(mask, self.placed.pixel_mm, np.full(len(mask), self.placed.gap_mm))

    def write(self, labels: NDArray[np.uint8], path: Any) -> None:
        """With the transforms of the file's own header."""
        nifti.write_on_grid_of(self.header, self.placed.from_lps(labels), path)

    def read(self, path: Any) -> NDArray[np.uint8]:
        """A label map that :meth:`write` wrote."""
        return self.placed.to_lps(nifti.read(path).values).astype(np.uint8)


def hounsfield(
    values: NDArray[Any],
    grid: HeaderGrid,
    rules: SeriesRules,
    facts: ImageFacts,
    as_stored: Mapping[str, Any],
) -> NDArray[np.int16]:
    """Values of a file as HU, shape (slices, rows, columns), inferior to superior, in LPS order.

    Args:
        values: stored, (x, y, z), with the header's scale; NaN is NaN.
        grid: where they lie.
        rules: of ingest.
        facts: flags, geometry and header are entered, as far as they are known.
        as_stored: what the file's header says of place and values, for ``facts``.

    Raises:
        Unreadable: voxels without a value.
        Ineligible: too few slices, or none of an axial scan; values that are not those of a head CT.
    """
    placed = grid.placed
    geometry = grid.geometry
    facts.geometry = geometry.as_json()
    facts.header = {**as_stored, "affine_lps": placed.affine.tolist()}
    if (n := geometry.size_xyz[2]) < rules.minimum_slices:
        raise Ineligible(f"{TOO_FEW}: {n} of at least {rules.minimum_slices}")
    _refuse_other_planes(geometry, rules)
    refuse_size_of_no_head(placed)
    is_whole = np.issubdtype(values.dtype, np.integer)
    if lacking := 0 if is_whole else int(np.count_nonzero(~np.isfinite(values))):
        raise nifti.Unreadable(
            f"{lacking} of {values.size} voxels have no value (NaN or infinite): give them that of air, "
            "-1000 HU"
        )
    turned = placed.to_lps(values)
    image = np.ascontiguousarray(to_int16(turned))
    above = np.count_nonzero(values > HU_RANGE[1]) > ABOVE_RANGE_SHARE * image.size
    raised = {*placed.flags, *flags_of_grid(geometry, rules), BY_HEADER}
    raised |= {LEANING} if _may_lack_shear(geometry) else set()
    facts.flags = sorted(raised | ({"values_above_range"} if above else set()))
    plausibility.refuse_damaged(
        image, [f"slice {k} of {n} from below" for k in range(1, n + 1)], rules.intensity
    )
    if fault := plausibility.fault_of_values(turned, image, rules.intensity):
        raise Ineligible(fault)
    return image


def _refuse_other_planes(grid: Geometry, rules: SeriesRules) -> None:
    """Raise Ineligible where the slices are not axial, by their angle or by the thick side of a voxel."""
    angle = angle_deg(grid.directions[:, 2], np.array([0.0, 0.0, 1.0]))
    if angle > rules.maximum_angle_to_axial_deg:
        raise Ineligible(f"not axial: slices at {angle:.0f} degrees to the axial plane")
    dx, dy, gap = grid.spacing_mm_xyz
    if max(dx, dy) > max(gap, OBLONG * min(dx, dy)):
        raise Ineligible(
            f"not axial: the slices of {max(dx, dy):.4g} mm lie across the axial plane, in which pixels are "
            f"{dx:.4g} x {dy:.4g} mm"
        )


def _may_lack_shear(grid: Geometry) -> bool:
    """Whether the slices of a straight grid lean as those of a tilted gantry do: to front or back."""
    _, back, up = grid.directions[:, 2]
    return grid.tilt_deg <= UNTILTED_DEG and bool(abs(np.degrees(np.arctan2(back, up))) > LEANING_DEG)
