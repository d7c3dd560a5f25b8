"""Compressed NIfTI files: written by SimpleITK, without free text, in the same bytes on every machine.

Compression by ISA-L takes a fifth of the time of zlib's fastest level, for files 3 % larger
(docs/decisions/compression.md).
"""

from __future__ import annotations

import tempfile
import zlib
from pathlib import Path

import SimpleITK as sitk
from isal import igzip, isal_zlib

from headct.artefacts import write_atomically

LEVEL = 2
"""The last level of ISA-L whose bytes are the same on all CPUs: 3 finds other matches with AVX2."""

GZIP_WINDOW = 31
"""32 KiB, framed as gzip; ISA-L leaves name and time out of the frame."""


def write(image: sitk.Image, path: Path) -> None:
    """Write an image as ``.nii.gz``, whole or not at all; its metadata are left out."""
    bare = sitk.Image(image)  # copied on write: the voxels are shared
    for key in bare.GetMetaDataKeys():
        bare.EraseMetaData(key)
    with write_atomically(path) as temporary:
        # Beside the result, not in a general temporary folder: a killed job must leave no head there.
        with tempfile.NamedTemporaryFile(prefix=f".{path.name}.", suffix=".nii", dir=path.parent) as raw:
            sitk.WriteImage(bare, raw.name)
            uncompressed = Path(raw.name).read_bytes()
        temporary.write_bytes(isal_zlib.compress(uncompressed, LEVEL, GZIP_WINDOW))


def is_cut_off(path: Path, image: sitk.Image) -> bool:
    """Whether a NIfTI file, read as ``image``, ends before its last voxel.

    ITK reads such a file without a word, and the voxels that are missing as zeros.
    """
    data = path.read_bytes()
    if path.suffix.lower() == ".gz":
        try:
            data = igzip.decompress(data)
        except (EOFError, OSError, zlib.error):
            return True
    offset, bits = (float(image.GetMetaData(key)) for key in ("vox_offset", "bitpix"))
    return len(data) < offset + image.GetNumberOfPixels() * bits / 8
