"""What NRRD and MetaImage share: a header of text lines, then voxels, in the same file or in one beside it.

Both are read here, not by ITK: it takes a file without orientation for an upright one, without a word, and
refuses a sheared one.
"""

from __future__ import annotations

import re
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import dictionary_VR, keyword_for_tag, tag_for_keyword
from pydicom.dataset import Dataset

from headct.imaging import identifiers, nifti_geometry
from headct.imaging.header_grid import HeaderGrid
from headct.imaging.nifti import Unreadable, made_header, opened

LARGEST_HEADER = 1 << 20
"""Bytes; a header with an end of its lines beyond is none."""

GZIP_OR_ZLIB = 47
"""zlib's word for: whichever of the two frames it is."""

BREAKS_OFF = "the file is truncated or damaged: its compression breaks off"

TAG = re.compile(r"(?i)(?<![0-9a-f])\(?([0-9a-f]{4})[|,_]([0-9a-f]{4})\)?(?![0-9a-f])")
"""DICOM's attributes as ITK names them in other formats: 0010|0010."""

UNEVEN = "ITK_non_uniform_sampling_deviation"
"""What ITK writes where it put slices of uneven gaps, or of a tilted gantry, on a straight grid: mm."""


def lines_of(path: Path, ends: re.Pattern[bytes]) -> tuple[list[str], bytes]:
    """The lines of a header, and what follows it.

    Args:
        path: of the file.
        ends: the last line with the line break after it, from its beginning.

    Raises:
        Unreadable: the file can't be opened, or its header does not end.
    """
    with opened(path) as stream:
        content = stream.read()
    end = ends.search(content[:LARGEST_HEADER])
    if end is None:
        raise Unreadable("the header is truncated or damaged: it does not end")
    return content[: end.end()].decode("latin-1").splitlines(), content[end.end() :]


def content_of(path: Path) -> bytes:
    """All bytes of a file, as they are; Unreadable where it can't be opened."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise Unreadable(f"the file can't be opened: {error.strerror}") from error


def numbers(text: str, what: str) -> list[float]:
    """Finite numbers between blanks, commas and brackets.

    Raises:
        Unreadable: it is something else.
    """
    try:
        found = [float(part) for part in re.sub(r"[(),]", " ", text).split()]
    except ValueError:
        found = [np.nan]
    if not np.isfinite(found).all():
        raise Unreadable(f"the header is damaged: {what} is '{text[:60]}'")
    return found


def sizes_of(text: str) -> tuple[int, int, int]:
    """The size of a volume: three dimensions, the first ones; further ones of length 1 are left out.

    Raises:
        Unreadable: it is not one volume.
    """
    sizes = numbers(text, "the size")
    if not sizes or min(sizes) < 1 or any(size % 1 for size in sizes):
        raise Unreadable(f"the header is damaged: the size is '{text[:60]}'")
    if len(sizes) < 3 or max(sizes[3:], default=1) > 1:
        raise Unreadable(f"not one volume: its size is {' x '.join(f'{size:g}' for size in sizes)}")
    if min(sizes[:3]) == 1:
        raise Unreadable("a single slice: its thickness, and so any volume, stands nowhere")
    columns, rows, slices = (int(size) for size in sizes[:3])
    return columns, rows, slices


def voxels(
    content: bytes, shape: tuple[int, ...], dtype: np.dtype[Any], compressed: bool, skip: int = 0
) -> NDArray[Any]:
    """Stored values, shape (x, y, z).

    No memory is asked for that the file does not fill, whatever its header says.

    Args:
        content: what follows the header, or the file beside it.
        shape: columns, rows and slices.
        dtype: of a voxel.
        compressed: by zlib or gzip.
        skip: bytes before the voxels, within what is compressed; −1 if the voxels are the last bytes.

    Raises:
        Unreadable: there are fewer than the header says, or they are damaged.
    """
    wanted = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if compressed:
        stream = zlib.decompressobj(GZIP_OR_ZLIB)
        try:
            content = stream.decompress(content, min(max(skip, 0) + wanted + 1, sys.maxsize))
        except zlib.error as error:
            raise Unreadable(BREAKS_OFF) from error
        if not stream.eof and len(content) <= max(skip, 0) + wanted:
            raise Unreadable(BREAKS_OFF)
    start = len(content) - wanted if skip < 0 else skip
    if start < 0 or len(content) < start + wanted:
        raise Unreadable(f"the file is truncated: {len(content)} of the {wanted} bytes that its header says")
    return np.ndarray(shape, dtype, content, start, order="F")


def grid_of(lps_columns: NDArray[Any], lps_origin: NDArray[Any], shape: tuple[int, int, int]) -> HeaderGrid:
    """The grid of a volume whose header has one transform, to LPS in mm.

    Args:
        lps_columns: 3 x 3, its rows the step along each of the three axes, in mm.
        lps_origin: the centre of the first voxel.
        shape: columns, rows and slices.

    Raises:
        Unreadable: it is no transform of a volume.
    """
    affine = np.eye(4)
    affine[:3, :3] = lps_columns.T
    affine[:3, 3] = lps_origin
    placed = nifti_geometry.placed(affine, shape)
    return HeaderGrid(made_header(nifti_geometry.LPS @ affine, shape), placed)


def refuse_uneven(texts: Mapping[str, str]) -> None:
    """Raise Unreadable where ITK noted that it put slices where they are not."""
    if UNEVEN in texts:
        raise Unreadable(
            f"ITK noted when it read the DICOM files that slices lie up to {texts[UNEVEN]} mm off the even "
            "grid of this file (uneven gaps, or a tilted gantry): their places were lost; hand in the DICOM "
            "files"
        )


def patient_in(texts: Mapping[str, str]) -> dict[str, str]:
    """What a header's texts say of the patient, by DICOM keyword; named by tag (0010|0010) or keyword."""
    header = Dataset()
    for name, text in texts.items():
        match = TAG.search(name)
        tag = int(match[1] + match[2], 16) if match else tag_for_keyword(re.sub(r"\W|_", "", name))
        if tag is not None and keyword_for_tag(tag) in identifiers.IDENTIFYING_KEYWORDS:
            header.add_new(tag, dictionary_VR(tag), text)
    return identifiers.in_headers([header])
