"""NIfTI files: what a file is by its bytes, reading without repair, writing in the same bytes everywhere.

Readers repair: ITK takes NaN for 0, a spacing of 0 for 1, and what is missing of a truncated file for zeros,
without a word. So headers are parsed here by nibabel, from bytes that were looked at before, and nothing is
mended. Where the voxels lie is the matter of :mod:`headct.imaging.nifti_geometry`.

Compression by ISA-L takes a fifth of the time of zlib's fastest level, for files 3 % larger
(docs/decisions/compression.md).
"""

from __future__ import annotations

import gzip
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import nibabel
import numpy as np
import SimpleITK as sitk
from isal import igzip, isal_zlib
from isal.igzip_lib import IsalError
from nibabel.spatialimages import HeaderDataError
from nibabel.volumeutils import apply_read_scaling
from numpy.typing import NDArray

from headct.contracts.artefacts import write_atomically
from headct.imaging.scan_files import voxels_beside

LEVEL = 2
"""The last level of ISA-L whose bytes are the same on all CPUs: 3 finds other matches with AVX2."""

GZIP_WINDOW = 31
"""32 KiB, framed as gzip; ISA-L leaves name and time out of the frame."""

GZIP = b"\x1f\x8b"
ENOUGH = 544
"""Bytes from the start that tell what a file is; the longer header, that of NIfTI-2, has 540."""

CHUNK = 1 << 24

NO_IMAGE = {
    b"version https://git-lfs": "a Git LFS pointer, not the file itself: fetch it with 'git lfs pull'",
    b"/annex/objects/": "a git-annex pointer, not the file itself: fetch it with 'git annex get'",
    b"PK\x03\x04": "a zip archive: unpack it",
    b"<!DOCTYPE": "a web page, as a download that failed leaves behind: fetch the file again",
    b"<html": "a web page, as a download that failed leaves behind: fetch the file again",
}
"""First bytes of what may lie where an image should, and what a message says of it."""

WINDOWED = "a picture, which was windowed for display: a CT is DICOM or a volume with its place"
PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*")
"""First bytes of PNG, JPEG, BMP and TIFF."""

OTHER_IMAGES = {
    b"NRRD": "NRRD",
    b"ObjectType": "MetaImage",
    b"\x89HDF": "HDF5 (or MINC)",
    **dict.fromkeys(PICTURES, WINDOWED),
}
"""First bytes of other formats of images, and their names."""

PAIR = (
    "one of a pair of files (.hdr and .img), and the other is not beside it: name the .hdr where both are, "
    "or save the image as one file, .nii or .nii.gz"
)
TRANSFORMS = (
    "pixdim",
    "xyzt_units",
    "qform_code",
    "sform_code",
    "quatern_b",
    "quatern_c",
    "quatern_d",
    "qoffset_x",
    "qoffset_y",
    "qoffset_z",
    "srow_x",
    "srow_y",
    "srow_z",
)
"""Fields of a header that say where the voxels lie; a label map has those of its CT, and no other field."""

Header = nibabel.Nifti1Header
"""Of either version: nibabel's class for NIfTI-2 is one of NIfTI-1."""


class Unreadable(Exception):
    """A file can't be used; the message says what it is, or what is wrong with it, and names no path."""


@dataclass(frozen=True)
class NiftiVolume:
    """One volume as its file has it.

    Attributes:
        values: shape (x, y, z), or (x, y, z, channel) where several were asked for and there are several;
            scaled by the header's slope and intercept; NaN stays NaN.
        header: of NIfTI-1 or NIfTI-2, exactly as stored.
    """

    values: NDArray[Any]
    header: Header


def first_bytes(path: Path) -> bytes:
    """The first bytes of a file's content, uncompressed if its bytes are gzip's, whatever its name.

    Raises:
        Unreadable: no file, a broken link, not a regular file, one that can't be opened, is empty or
            damaged, or a pointer to a file that was not fetched.
    """
    with opened(path) as stream:
        start = stream.read(ENOUGH)
    if not start:
        raise Unreadable("an empty file")
    for signature, what in NO_IMAGE.items():
        if start.startswith(signature):
            raise Unreadable(what)
    return start


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """A file's content, uncompressed; what goes wrong while it is read is told in words."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # looked at first: to open a pipe waits for ever
            raise Unreadable("a folder" if path.is_dir() else "not a regular file")
        with open(path, "rb") as raw:
            is_gzip = raw.read(len(GZIP)) == GZIP
            raw.seek(0)
            if is_gzip:
                with igzip.GzipFile(fileobj=raw) as content:
                    yield cast(IO[bytes], content)
            else:
                yield raw
    except (EOFError, IsalError, gzip.BadGzipFile) as error:  # type: ignore[misc]  # isal declares an instance
        raise Unreadable("the file is truncated or damaged: its compression breaks off") from error
    except FileNotFoundError as error:
        is_link = path.is_symlink()
        raise Unreadable(
            "a broken link: what it points to is not there" if is_link else "no such file"
        ) from error
    except OSError as error:
        raise Unreadable(f"the file can't be opened: {error.strerror}") from error


def what_it_is(path: Path) -> str:
    """What a file is that is no image, in words."""
    try:
        return f"by its first bytes it is none{_other_format(first_bytes(path))}"
    except Unreadable as error:
        return str(error)


def _other_format(start: bytes) -> str:
    """The format whose first bytes these are, as the end of a sentence; empty if none is known."""
    if start[128:132] == b"DICM":
        return ", but DICOM: name the folder of the scan's files"
    return next((f", but {name}" for begin, name in OTHER_IMAGES.items() if start.startswith(begin)), "")


def version_of(start: bytes) -> tuple[type[Header], bool] | None:
    """Class of the header and whether the voxels are in the same file; None if it is none."""
    magic_1, magic_2 = start[344:348], start[4:8]
    if magic_1 in (b"n+1\0", b"ni1\0"):
        return nibabel.Nifti1Header, magic_1 == b"n+1\0"
    if magic_2 in (b"n+2\0", b"ni2\0"):
        return nibabel.Nifti2Header, magic_2 == b"n+2\0"
    is_analyze = len(start) >= 348 and start[:4] in ((348).to_bytes(4, "little"), (348).to_bytes(4, "big"))
    return (nibabel.Nifti1Header, False) if is_analyze else None


def read(path: Path, several: bool = False) -> NiftiVolume:
    """Read one volume, compressed or not, of NIfTI-1 or NIfTI-2, whatever the file is called.

    Args:
        path: of the file.
        several: whether there may be several volumes, as channels.

    Raises:
        Unreadable: what :func:`first_bytes` raises; no NIfTI, or in two files; a damaged header, fewer voxels
            than it says; not one volume of numbers.
    """
    header = read_header(path, several)
    shape, dtype = _shape(header, several), header.get_data_dtype()
    voxels = voxels_beside(path) if header["magic"].item().startswith(b"ni") else None
    offset = int(header["vox_offset"]) or (0 if voxels else header.single_vox_offset)
    content = _content(voxels or path, offset + int(np.prod(shape, dtype=object)) * dtype.itemsize)
    stored = np.ndarray(shape, dtype, content, offset, order="F")
    return NiftiVolume(apply_read_scaling(stored, *scale_of(header)), header)


def scale_of(header: Header) -> tuple[float, float]:
    """Slope and intercept by which stored values are scaled; 1 and 0 where the header has none.

    Raises:
        Unreadable: they are no numbers.
    """
    try:
        slope, intercept = header.get_slope_inter()
    except HeaderDataError as error:
        raise Unreadable(f"the header is damaged: {error}") from error
    return (1.0 if slope is None else slope), (0.0 if intercept is None else intercept)


def read_header(path: Path, several: bool = False) -> Header:
    """The header of one volume of numbers in one file; ``several`` as of :func:`read`.

    Raises:
        Unreadable: as :func:`read`, but for the voxels.
    """
    start = first_bytes(path)
    version = version_of(start)
    if version is None:
        raise Unreadable(f"it can't be read as NIfTI: by its first bytes it is none{_other_format(start)}")
    kind, in_one_file = version
    if start[344:347] not in (b"n+1", b"ni1") and kind is nibabel.Nifti1Header:
        raise Unreadable(
            "a header of Analyze 7.5, which has no orientation, so left and right are unknown: convert the "
            "scan again"
        )
    if not in_one_file and voxels_beside(path) is None:
        raise Unreadable(PAIR)
    try:
        header = kind(start[: kind.sizeof_hdr], check=False)
        dtype = header.get_data_dtype()
    except (HeaderDataError, EOFError, ValueError, KeyError) as error:
        raise Unreadable("the header is truncated or damaged") from error
    if dtype.fields is not None:
        raise Unreadable("a colour image (RGB): a CT or a mask has one number per voxel")
    if dtype.kind not in "iuf":
        raise Unreadable(f"voxels of the kind {dtype.name}: a CT or a mask has one real number per voxel")
    _shape(header, several)
    least = kind.sizeof_hdr if in_one_file else 0
    if not np.isfinite(offset := float(header["vox_offset"])) or (offset and not offset >= least):
        raise Unreadable(f"the header is damaged: voxels from byte {offset:g} on")
    return header


def made_header(affine: NDArray[np.float64], shape: tuple[int, int, int]) -> Header:
    """A header with a transform that came in another format: index to RAS in mm, shear included."""
    header = nibabel.Nifti1Header()
    header.set_data_shape(shape)
    header.set_xyzt_units("mm")
    header.set_qform(affine, 1)  # the nearest rotation, where there is a shear; it sets pixdim, too
    header.set_sform(affine, 1)
    return header


def as_stored(header: Header) -> dict[str, Any]:
    """What a header says of place and scale, as ``scan.json`` may have it: numbers, and no text."""
    fields = ("datatype", "scl_slope", "scl_inter", *TRANSFORMS)
    return {name: _plain(header[name].tolist()) for name in fields} | {"dim": header["dim"].tolist()}


def _plain(stored: Any) -> Any:
    """A number or a list of them; JSON has none that is not finite."""
    if isinstance(stored, list):
        return [_plain(number) for number in stored]
    return stored if np.isfinite(stored) else str(stored)


def _shape(header: Header, several: bool = False) -> tuple[int, ...]:
    """Columns, rows and slices, and channels; a single slice may do without its third dimension."""
    dimensions, *sizes = (int(size) for size in header["dim"])
    sizes = sizes[: max(dimensions, 0)]
    if not 1 <= dimensions <= 7 or min(sizes) < 1:
        raise Unreadable(f"the header is damaged: dim is {', '.join(map(str, header['dim']))}")
    channels = [size for size in sizes[3:] if size > 1]
    if dimensions < 2 or len(channels) > several:
        raise Unreadable(f"not one volume: its size is {' x '.join(map(str, sizes))}")
    return (*[*sizes, 1][:3], *channels)


def _content(path: Path, wanted: int) -> bytearray:
    """The first ``wanted`` bytes of a file's content, read to its end: only there is damage told.

    No memory is asked for that the file does not fill, whatever its header says.
    """
    content = bytearray()
    with opened(path) as stream:
        while chunk := stream.read(CHUNK):
            content += chunk[: wanted - len(content)]
    if len(content) < wanted:
        raise Unreadable(f"the file is truncated: {len(content)} of the {wanted} bytes that its header says")
    return content


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
        temporary.write_bytes(_compressed(uncompressed))


def write_on_grid_of(header: Header, labels: NDArray[np.uint8], path: Path) -> None:
    """Write a label map (x, y, z) as ``.nii.gz`` with the transforms of another file's header, to the bit.

    Whoever lays it over that file finds it in place, whichever transform the viewer reads. Text fields and
    extensions, which may name a patient, are left out.
    """
    bare = type(header)(endianness=header.endianness)
    bare.set_data_dtype(np.uint8)
    bare.set_data_shape(labels.shape)
    for name in TRANSFORMS:
        bare[name] = header[name]
    bare["vox_offset"] = bare.single_vox_offset
    padding = bytes(int(bare["vox_offset"]) - bare.sizeof_hdr)
    with write_atomically(path) as temporary:
        temporary.write_bytes(_compressed(bare.binaryblock + padding + labels.tobytes(order="F")))


def _compressed(content: bytes) -> bytes:
    return isal_zlib.compress(content, LEVEL, GZIP_WINDOW)
