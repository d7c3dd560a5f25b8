"""One volume as MetaImage: in a file (.mha), or a header (.mhd) with its voxels beside it.

The format: itk.org/Wiki/ITK/MetaIO/Documentation. Compressed by zlib or not at all.
"""

from __future__ import annotations

import re
from typing import ClassVar

import numpy as np

from headct.imaging import text_headers
from headct.imaging.fitness import SeriesRules
from headct.imaging.nifti import Unreadable
from headct.imaging.scan_files import voxels_beside
from headct.imaging.volume_file import Stored, VolumeFile

STARTS = (b"ObjectType", b"NDims")
END = re.compile(rb"(?m)^ElementDataFile *=[^\n]*\n?")
LOCAL = "LOCAL"

TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
ORIGIN = ("Offset", "Position", "Origin")
MATRIX = ("TransformMatrix", "Rotation", "Orientation")
SPACING = ("ElementSpacing", "ElementSize")
BIG_ENDIAN = ("BinaryDataByteOrderMSB", "ElementByteOrderMSB")
RESCALE = {"ElementToIntensityFunctionSlope": "1", "ElementToIntensityFunctionOffset": "0"}


class Source(VolumeFile):
    """A MetaImage file."""

    kind: ClassVar[str] = "MetaImage file"
    suffixes: ClassVar[tuple[str, ...]] = (".mha", ".mhd")

    @classmethod
    def begins(cls, start: bytes) -> bool:
        """By the first field of its header."""
        return start.startswith(STARTS)

    def stored(self, rules: SeriesRules) -> Stored:
        """The volume, whose header must have a transform."""
        lines, content = text_headers.lines_of(self.path, END)
        fields = _fields(lines)
        text_headers.refuse_uneven(fields)
        _refuse_others(fields)
        shape = text_headers.sizes_of(fields.get("DimSize", ""))
        compressed = _is_true(fields.get("CompressedData", ""))
        dtype = np.dtype(TYPES[fields["ElementType"]])
        dtype = dtype.newbyteorder(">" if _is_true(_first(fields, BIG_ENDIAN)) else "<")
        if fields["ElementDataFile"].upper() != LOCAL:
            beside = voxels_beside(self.path)
            if beside is None:
                raise Unreadable("its voxels lie in other files, or in none beside it: save it as one .mha")
            content = text_headers.content_of(beside)
        (skip,) = text_headers.numbers(fields.get("HeaderSize", "0"), "HeaderSize")[:1] or [0.0]
        values = text_headers.voxels(content, shape, dtype, compressed, int(skip))
        matrix = np.array(text_headers.numbers(_first(fields, MATRIX), "the transform"))
        origin, spacing = (
            np.array(text_headers.numbers(_first(fields, names), names[0])) for names in (ORIGIN, SPACING)
        )
        dimensions = int(fields["NDims"])
        if matrix.size != dimensions**2 or min(origin.size, spacing.size) < 3:
            raise Unreadable(
                f"the header has no orientation ({MATRIX[0]}, {ORIGIN[0]} and {SPACING[0]} are needed), so "
                "left and right are unknown: convert the scan again"
            )
        columns = matrix.reshape(dimensions, dimensions)[:3, :3] * spacing[:3, None]
        header = {
            "type": dtype.str,
            "transform": matrix.tolist(),
            "offset": origin.tolist(),
            "spacing": spacing.tolist(),
        }
        return Stored(values, text_headers.grid_of(columns, origin[:3], shape), header)

    def patient_in_header(self) -> dict[str, str]:
        """From fields that are not the format's, into which ITK copies DICOM's attributes."""
        try:
            return text_headers.patient_in(_fields(text_headers.lines_of(self.path, END)[0]))
        except Unreadable:
            return {}


def _fields(lines: list[str]) -> dict[str, str]:
    pairs = (line.partition("=") for line in lines if "=" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _first(fields: dict[str, str], names: tuple[str, ...]) -> str:
    """The value under any of several names, which mean the same."""
    return next((fields[name] for name in names if name in fields), "")


def _is_true(text: str) -> bool:
    return text.lower() in ("true", "1")


def _refuse_others(fields: dict[str, str]) -> None:
    """Raise Unreadable where the file is not one volume of real numbers in binary."""
    kind, numbers_per_voxel = fields.get("ElementType", ""), fields.get("ElementNumberOfChannels", "1")
    if kind not in TYPES or numbers_per_voxel != "1":
        raise Unreadable(
            f"voxels of the type '{kind}', {numbers_per_voxel} per voxel: a CT has one real number per voxel"
        )
    if fields.get("NDims") not in ("3", "4"):
        raise Unreadable(f"not one volume: it has {fields.get('NDims', 'no')} dimensions")
    if not _is_true(fields.get("BinaryData", "True")):
        raise Unreadable("its voxels are text: save it in binary")
    rescale = [text_headers.numbers(fields.get(name, default), name) for name, default in RESCALE.items()]
    if rescale != [[1.0], [0.0]]:
        raise Unreadable("its header rescales the values, which readers pass over: save it with HU as such")
