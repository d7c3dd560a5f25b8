"""One volume in a NIfTI file, or in a pair of them (.hdr and .img); by its bytes, whatever it is called."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from headct.contracts.problems import Ineligible
from headct.imaging import nifti, nifti_geometry
from headct.imaging.fitness import SeriesRules
from headct.imaging.header_grid import HeaderGrid
from headct.imaging.volume_file import Stored, VolumeFile

WIDE_STEP_HU = 4.0
"""Of stored whole numbers; the oedema around a bleed differs from brain by 10 HU."""

EVENED_OUT = "_Eq_"
"""What dcm2niix adds to the name of the copy that it resamples to even gaps, beside the volume itself."""


class Source(VolumeFile):
    """A NIfTI file of either version, compressed or not. Its header has no field for a patient."""

    kind: ClassVar[str] = "NIfTI file"
    suffixes: ClassVar[tuple[str, ...]] = (".nii.gz", ".nii", ".hdr")

    @classmethod
    def begins(cls, start: bytes) -> bool:
        """By the magic of either version, or the size of a header of Analyze 7.5."""
        return nifti.version_of(start) is not None

    def stored(self, rules: SeriesRules) -> Stored:
        """The volume, where all that the header says of its place agrees."""
        volume = nifti.read(self.path)
        if min(volume.values.shape) == 1:
            raise nifti.Unreadable("a single slice: its thickness, and so any volume, stands nowhere")
        placed = nifti_geometry.placement_of_scan(volume.header, volume.values.shape, rules.trust_transform)
        self._refuse_uneven_gaps(placed.gap_mm)
        if rules.intensity == "hounsfield":
            _refuse_wide_steps(volume.header)
        return Stored(volume.values, HeaderGrid(volume.header, placed), nifti.as_stored(volume.header))

    def _refuse_uneven_gaps(self, gap_mm: float) -> None:
        """Raise Unreadable where a copy beside the file tells that its one gap is not that of all slices."""
        stem = self.path.name.lower().removesuffix(".gz").removesuffix(".nii")
        if any(
            other.name.lower().startswith(f"{stem}_") and EVENED_OUT in other.name[len(stem) :]
            for other in self.path.parent.iterdir()
        ):
            raise nifti.Unreadable(
                "the gaps between its slices are uneven: dcm2niix wrote a copy with even ones beside it (its "
                f"name has {EVENED_OUT}). This file has one gap for all, {gap_mm:.4g} mm; the places of the "
                "slices were lost: hand in the DICOM files"
            )


def _refuse_wide_steps(header: nifti.Header) -> None:
    """Raise Ineligible where whole numbers are scaled so that HU come in steps too wide to tell tissues."""
    slope, _ = nifti.scale_of(header)
    if np.issubdtype(header.get_data_dtype(), np.integer) and abs(slope) >= WIDE_STEP_HU:
        raise Ineligible(
            f"pixel values are not HU: they come in steps of {abs(slope):g} HU, too wide to tell a bleed "
            "from brain"
        )
