"""Compressed NIfTI files: written by SimpleITK, without free text, in the same bytes on every machine.

Compression by ISA-L takes a fifth of the time of zlib's fastest level, for files 3 % larger
(docs/decisions/compression.md).
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import SimpleITK as sitk
from isal import isal_zlib

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
