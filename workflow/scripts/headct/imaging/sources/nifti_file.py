"""One volume in a NIfTI file: its header tells the place, and nothing tells that its values are HU."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from headct.contracts.artefacts import sha256_of
from headct.contracts.problems import BadInput, Problem
from headct.imaging import nifti, nifti_geometry, plausibility
from headct.imaging.fitness import SeriesRules
from headct.imaging.geometry import FitsMask, Geometry, InPlaneMoves, volume_ml
from headct.imaging.hounsfield import to_int16
from headct.imaging.sources.image_source import HEADER_SPACING, ImageFacts, Volume, fingerprint_of


@dataclass(frozen=True)
class HeaderGrid:
    """The grid of a file's header, without the voxels: they need not be kept until a label map is written."""

    header: nifti.Header
    placed: nifti_geometry.Placement
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

    def write(self, labels: NDArray[np.uint8], path: Path) -> None:
        """With the transforms of the file's own header."""
        nifti.write_on_grid_of(self.header, self.placed.from_lps(labels), path)


class Source:
    """A NIfTI file, compressed or not; by its name, or by its bytes whatever it is called."""

    kind: ClassVar[str] = "NIfTI file"
    suffixes: ClassVar[tuple[str, ...]] = (".nii.gz", ".nii")
    takes_any_folder: ClassVar[bool] = False

    def __init__(self, path: Path, scan_id: str):
        self.path, self.scan_id = path, scan_id

    @classmethod
    def takes(cls, path: Path) -> bool:
        """By its name, or its first bytes."""
        return cls.is_named(path) or nifti.is_nifti(path)

    @classmethod
    def is_named(cls, path: Path) -> bool:
        """Whether the file's name is that of a NIfTI volume; a link that is broken has one, too."""
        return path.name.lower().endswith(cls.suffixes) and not path.is_dir()

    @classmethod
    def is_part(cls, path: Path) -> bool:
        """Never: a file is a whole scan."""
        return False

    @classmethod
    def why_not(cls, path: Path) -> str:
        """What the file is instead; one that has the name is looked at once it is read."""
        if os.path.lexists(path) and cls.is_named(path):
            return ""
        try:
            nifti.read_header(path)
        except nifti.Unreadable as error:
            return str(error)
        return ""

    def fingerprint(self) -> str:
        """Of the file."""
        return fingerprint_of(self.path)

    def refusals(self, ids: Mapping[str, str], patient_id_is_pseudonym: bool) -> list[Problem]:
        """None: a NIfTI header has no field for a patient."""
        return []

    def read(self, rules: SeriesRules, fits_mask: FitsMask, facts: ImageFacts) -> Volume:
        """One volume of plausible HU; of its slices, a NIfTI tells no more than its header's even spacing."""
        try:
            volume = nifti.read(self.path)
            values = volume.values
            if min(values.shape) == 1:
                raise nifti.Unreadable("a single slice: its thickness, and so any volume, stands nowhere")
            placed = nifti_geometry.placement(volume.header, values.shape)
            if (n := int(placed.lps_shape[2])) < rules.minimum_slices:
                raise nifti.Unreadable(f"too few slices: {n}, at least {rules.minimum_slices} are needed")
            nifti_geometry.check_scan(placed, volume.header)
        except nifti.Unreadable as error:
            raise self._refused(str(error)) from None
        if lacking := int(np.count_nonzero(~np.isfinite(values))):
            raise self._refused(
                f"{lacking} of {values.size} voxels have no value (NaN or infinite): give them that of air, "
                "-1000 HU"
            )
        hu = np.ascontiguousarray(placed.to_lps(to_int16(values)))
        doubts = sorted(plausibility.doubts_about_hu(hu))
        if doubts:  # as for DICOM without rescale attributes: nothing else says that these are HU
            raise self._refused(
                "skull-stripped: no air around the head and no bone; the networks know whole heads"
                if plausibility.is_skull_stripped(hu)
                else f"pixel values are not HU: {', '.join(doubts).replace('_', ' ')}"
            )
        facts.flags = list(placed.flags)
        facts.instances = [{"number": 1, "sha256": sha256_of(self.path)}]
        grid = HeaderGrid(volume.header, placed)
        facts.geometry = grid.geometry.as_json()
        return Volume(hu, grid, frozenset([str(self.path)]))

    def patient(self, converted: Mapping[str, Any]) -> dict[str, str] | None:
        """A NIfTI tells nobody's name; it is but asked whether it is still the file that was converted."""
        digests = [instance["sha256"] for instance in converted["instances"]]
        return {} if [sha256_of(self.path)] == digests else None

    def _refused(self, message: str) -> BadInput:
        return BadInput([Problem(self.scan_id, message)])
