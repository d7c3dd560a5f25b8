"""Files of masks: each module here but ``stored`` is a format, told by the first bytes of what it takes."""

from __future__ import annotations

from pathlib import Path

from headct.imaging import nifti
from headct.imaging.mask_files import dicom_mask, itk_mask, nifti_mask
from headct.imaging.mask_files.stored import StoredMask
from headct.imaging.nifti_geometry import Trusted

FORMATS = (nifti_mask, itk_mask, dicom_mask)
SUFFIXES = (*nifti_mask.SUFFIXES, *itk_mask.SUFFIXES)
"""Of names by which a mask can be recognised in a folder; DICOM files may have any."""

KINDS = "NIfTI, NRRD (.seg.nrrd too), MetaImage (.mha) or a DICOM segmentation, that is one file"


def read(path: Path, trusted: Trusted = "none") -> StoredMask:
    """What a mask's file holds, whatever it is called.

    Args:
        path: a file, or a folder with one DICOM segmentation.
        trusted: what is believed of a NIfTI file whose transforms contradict each other.

    Raises:
        Unreadable: nothing that can be read as a mask.
    """
    file = dicom_mask.file_in(path) if path.is_dir() else path
    start = nifti.first_bytes(file)
    for one in FORMATS:
        if one.takes(start):
            return one.read(file, trusted)
    raise nifti.Unreadable(f"{nifti.what_it_is(file)}; a mask is {KINDS}")
