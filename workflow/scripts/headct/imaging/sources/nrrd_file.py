"""One volume as NRRD: in a file, or a header (.nhdr) with its voxels beside it.

The format: teem.sourceforge.net/nrrd/format.html. Compressed by gzip or not at all.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from headct.imaging import text_headers
from headct.imaging.fitness import SeriesRules
from headct.imaging.nifti import Unreadable
from headct.imaging.scan_files import voxels_beside
from headct.imaging.volume_file import Stored, VolumeFile

MAGIC = b"NRRD"
END = re.compile(rb"\r?\n\r?\n|(?<=\n)\r?\n|\Z")
"""The blank line after a header, or the end of one whose voxels are in another file."""

TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "f4": ("float",),
    "f8": ("double",),
}
DTYPE = {name: dtype for dtype, names in TYPES.items() for name in names}
TO_LPS = {
    "left-posterior-superior": (1, 1, 1),
    "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1),
    "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1),
    "las": (1, -1, 1),
}
"""Signs of the axes of a space, by its names."""

COMPRESSED = {"raw": False, "gzip": True, "gz": True}


class Source(VolumeFile):
    """A NRRD file."""

    kind: ClassVar[str] = "NRRD file"
    suffixes: ClassVar[tuple[str, ...]] = (".nrrd", ".nhdr")

    @classmethod
    def begins(cls, start: bytes) -> bool:
        """By its magic."""
        return start.startswith(MAGIC)

    def stored(self, rules: SeriesRules) -> Stored:
        """The volume, whose header must say in which space it lies."""
        lines, content = text_headers.lines_of(self.path, END)
        fields = _fields(lines)
        text_headers.refuse_uneven(_texts(lines))
        dtype, shape, skip = _layout(fields)
        if (detached := fields.get("data file", fields.get("datafile"))) is not None:
            beside = voxels_beside(self.path)
            if beside is None:
                raise Unreadable(
                    f"its voxels lie in other files ({_kind_of(detached)}): save it as one .nrrd"
                )
            content = text_headers.content_of(beside)
        is_compressed = COMPRESSED.get(fields.get("encoding", "").lower())
        if is_compressed is None:
            raise Unreadable(f"its encoding is '{fields.get('encoding', '')}': save it as raw or gzip")
        values = text_headers.voxels(content, shape, dtype, is_compressed, skip)
        signs = _signs(fields)
        columns, origin = _columns(fields), _origin(fields)
        header = {
            "type": dtype.str,
            "space_to_lps": list(signs),
            "space_directions": columns.tolist(),
            "space_origin": origin.tolist(),
        }
        return Stored(values, text_headers.grid_of(columns * signs, origin * signs, shape), header)

    def patient_in_header(self) -> dict[str, str]:
        """From key and value pairs, into which ITK copies DICOM's attributes."""
        try:
            return text_headers.patient_in(_texts(text_headers.lines_of(self.path, END)[0]))
        except Unreadable:
            return {}


def _fields(lines: list[str]) -> dict[str, str]:
    """Fields of the header, names in lower case."""
    pairs = (line.partition(": ") for line in lines[1:] if ": " in line and not line.startswith("#"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs if ":=" not in name}


def _texts(lines: list[str]) -> dict[str, str]:
    """Key and value pairs, which mean nothing to the format."""
    pairs = (line.partition(":=") for line in lines[1:] if ":=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _layout(fields: dict[str, str]) -> tuple[np.dtype[Any], tuple[int, int, int], int]:
    """Type of a voxel, size of the volume, and bytes to skip."""
    name = fields.get("type", "").lower()
    if name not in DTYPE:
        raise Unreadable(f"voxels of the type '{name}': a CT has one real number per voxel")
    dtype = np.dtype(DTYPE[name])
    if dtype.itemsize > 1:
        endian = fields.get("endian", "").lower()
        if endian not in ("little", "big"):
            raise Unreadable(f"the header is damaged: endian is '{endian}'")
        dtype = dtype.newbyteorder("<" if endian == "little" else ">")
    if text_headers.numbers(fields.get("line skip", "0"), "line skip") != [0]:
        raise Unreadable("lines are to be skipped before its voxels: save it again without")
    (skip,) = text_headers.numbers(fields.get("byte skip", "0"), "byte skip")[:1] or [0.0]
    return dtype, text_headers.sizes_of(fields.get("sizes", "")), int(skip)


def _signs(fields: dict[str, str]) -> tuple[int, int, int]:
    """From the header's space to LPS."""
    space = fields.get("space", "").lower()
    if space not in TO_LPS or "space directions" not in fields or "space origin" not in fields:
        named = f"its space is '{space}'" if space else "it has no space"
        raise Unreadable(
            f"the header has no orientation ({named}, or lacks space directions or origin), so left and "
            "right are unknown: convert the scan again"
        )
    units = set(re.findall(r'"([^"]*)"', fields.get("space units", ""))) - {"", "mm"}
    if units:
        raise Unreadable(f"its space units are {', '.join(sorted(units))}: save it in mm")
    return TO_LPS[space]


def _columns(fields: dict[str, str]) -> NDArray[np.float64]:
    """The step along each of three axes; axes beyond have none."""
    text = fields["space directions"]
    vectors = [text_headers.numbers(part, "space directions") for part in re.findall(r"\(([^)]*)\)", text)]
    if len(vectors) != 3 or any(len(vector) != 3 for vector in vectors):
        raise Unreadable(f"the header is damaged: space directions is '{text[:60]}'")
    return np.array(vectors)


def _origin(fields: dict[str, str]) -> NDArray[np.float64]:
    origin = np.array(text_headers.numbers(fields["space origin"], "space origin"))
    if origin.shape != (3,):
        raise Unreadable(f"the header is damaged: space origin is '{fields['space origin'][:60]}'")
    return origin


def _kind_of(detached: str) -> str:
    """What a data file field says, without a name, which may be a patient's."""
    return "a list of them" if detached.upper().startswith("LIST") or "%" in detached else "not beside it"
