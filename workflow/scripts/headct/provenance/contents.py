"""What is written in a file, wherever in it: packed, compressed, encoded."""

from __future__ import annotations

import base64
import binascii
import io
import itertools
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from headct.contracts import untrusted
from headct.contracts.untrusted import Unusable

PDF_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}

DIGEST = re.compile(rb"[0-9a-f]{40}|[0-9a-f]{64}")
"""SHA-1 or SHA-256 in hexadecimal digits, of which records are full: no text in base64."""

NIFTI_HEADER_BYTES = 348
DIMENSIONS, BITS_PER_VOXEL, VOX_OFFSET = slice(40, 56), slice(72, 74), slice(108, 112)
"""Where a NIfTI-1 header has the size of the grid (8 int16), bits per voxel, and the offset of the voxels
(float32); before it are header and extensions."""
START = 1 << 20
"""Bytes that hold header and extensions of all files that are read."""
LARGEST_GRID_MB = 8 << 10
"""Beyond what a scan can be, and what can be decompressed within a minute."""

CASE = b"headct.registerCase("
"""How the script of a case begins that the page of results opens."""
CASE_VOXELS = re.compile(rb'"(H4sI[A-Za-z0-9+/]+={0,2})"')
"""Its voxels: base64 of gzip."""
CASE_SHAPE = re.compile(rb'"shape":\[(\d{1,5}),(\d{1,5}),(\d{1,5})\]')

GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"
"""How such files begin."""
NRRD, META_IMAGE = b"NRRD", (b"ObjectType", b"NDims")
"""How a volume begins whose header is lines of text."""
TEXT_HEADER = re.compile(rb"(?ms).*?(?:\n\r?\n|^ElementDataFile[^\n]*\n|\Z)")
"""Such a header: to the blank line of NRRD, or to the last field of MetaImage."""
ZIP_ENDS = b"PK\x05\x06"
"""How the last part of a zip archive begins, which has 22 bytes and a comment."""
TENSOR = re.compile(r"/data/\d+$")
"""The names of a network's numbers in a .pth, which is a zip archive."""
USUAL_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How NumPy and PyTorch pack."""
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError, struct.error)


class Damaged(Unusable):
    """A packed file that can't be unpacked to its end."""


EXPANDED_MB = 64
"""How much may come out of a file beyond twice its own size."""
LEAST = 4096
"""Bytes that any attempt to unpack counts for, since attempts take time."""
DEEPEST = 12
"""How often something may be packed; in results it is three times at most."""
CHUNK = 1 << 12
"""Bytes that are decompressed at a time."""


def readable(path: Path) -> Iterator[bytes]:
    """As :func:`layers`, without what is no text and large: voxels of NIfTI and cases, tensors of weights."""
    if path.name.endswith(".nii.gz") and _begins(path, GZIP):
        yield from _around_voxels(path)
    elif path.suffix == ".pth" and zipfile.is_zipfile(path):
        room = _Room(0)
        for inner in itertools.chain(_unzipped(path, room, without=TENSOR), _around_tensors(path, room)):
            yield from _layers(inner, room, 1)
    elif path.suffix == ".js" and _begins(path, CASE):
        yield from _around_case(untrusted.bytes_of(path))
    else:
        yield from layers(untrusted.bytes_of(path))


def _begins(path: Path, signature: bytes) -> bool:
    with open(path, "rb") as stream:
        return stream.read(len(signature)) == signature


def _around_voxels(path: Path) -> Iterator[bytes]:
    """What a ``.nii.gz`` holds beside its voxels: before and after them, and around the compressed stream.

    Raises:
        Unusable: not all of it can be looked at: the stream is damaged, or there is too much.
    """
    room = _Room(0)
    with open(path, "rb") as stream:
        yield _said_in_header(stream.read(START))
        stream.seek(0)
        pieces = _inflated_pieces(stream)
        start = bytearray()
        while len(start) < START and (piece := next(pieces, b"")):
            start += piece
        voxels = _voxels(start)
        yield bytes(start[: voxels.start])
        after, position = start[voxels.stop :], len(start)
        for piece in pieces:
            beyond = piece[max(voxels.stop - position, 0) :]
            room.take(len(beyond))
            after += beyond
            position += len(piece)
        appended = stream.read(room.left + 1)
    room.take(len(appended))
    for rest in (bytes(after), appended):
        yield from _layers(rest, room, 1)


def _around_case(data: bytes) -> Iterator[bytes]:
    """What the script of a case holds beside its voxels: around them, and with them in each gzip stream.

    Raises:
        Unusable: not all of it can be looked at.
    """
    yield from layers(CASE_VOXELS.sub(b'""', data))
    shape = CASE_SHAPE.search(data)
    n_voxels = math.prod(map(int, shape.groups())) if shape else 0
    if n_voxels > LARGEST_GRID_MB << 20:
        raise Unusable("is a case whose shape can't be true, and was not searched")
    room = _Room(len(data))
    for packed in CASE_VOXELS.finditer(data):
        content = base64.b64decode(packed[1] + b"==")
        yield _said_in_header(content)
        stream, after, position = io.BytesIO(content), bytearray(), 0
        for piece in _inflated_pieces(stream):
            beyond = piece[max(n_voxels - position, 0) :]
            room.take(len(beyond))
            after += beyond
            position += len(piece)
        for rest in (bytes(after), stream.read()):
            yield from _layers(rest, room, 1)


def _voxels(start: bytes | bytearray) -> range:
    """Where the voxels of a NIfTI-1 file lie, by its start; nowhere if it is none.

    Raises:
        Unusable: that can't be true.
    """
    if len(start) < NIFTI_HEADER_BYTES or start[:4] != struct.pack("<i", NIFTI_HEADER_BYTES):
        return range(0)
    n_axes, *sizes = struct.unpack("<8h", start[DIMENSIONS])
    (bits,) = struct.unpack("<h", start[BITS_PER_VOXEL])
    (offset,) = struct.unpack("<f", start[VOX_OFFSET])
    n_bytes = math.prod(max(size, 1) for size in sizes[: max(n_axes, 0)]) * max(bits, 0) // 8
    if not NIFTI_HEADER_BYTES <= offset <= START or n_bytes > LARGEST_GRID_MB << 20:
        raise Unusable("is a volume whose header can't be true, and was not searched")
    return range(int(offset), int(offset) + n_bytes)


def _inflated_pieces(stream: BinaryIO) -> Iterator[bytes]:
    """The content of a gzip file piece by piece; then the stream stands behind its last member."""
    pending = stream.read(START)
    while pending.startswith(GZIP):
        decompressor = zlib.decompressobj(31)
        while not decompressor.eof:
            if not pending:
                raise Damaged("is a .gz file that is cut off, and was not searched to its end")
            try:
                piece = decompressor.decompress(pending, START)
            except zlib.error as error:
                raise Damaged("is a .gz file that is damaged, and was not searched to its end") from error
            yield piece
            pending = decompressor.unconsumed_tail or (b"" if decompressor.eof else stream.read(START))
        pending = decompressor.unused_data or stream.read(START)
    stream.seek(-len(pending), io.SEEK_CUR)


def _said_in_header(data: bytes) -> bytes:
    """The further fields, the name and the comment that the header of a gzip file may have (RFC 1952)."""
    flags, end = int.from_bytes(data[3:4], "little"), 10  # which a file that is cut off lacks
    if flags & 4:
        end += 2 + int.from_bytes(data[10:12], "little")
    for flag in (8, 16):
        if flags & flag:
            end = data.find(b"\0", end) + 1 or len(data)
    return data[10:end].replace(b"\0", b"\n")


def layers(data: bytes) -> Iterator[bytes]:
    """The bytes of a file and of everything packed in it: gz, zip, npz, pth, PDF, PNG, base64 in text.

    The header of NRRD and MetaImage counts as packed.

    Raises:
        Unusable: not all of it can be looked at: too much, too deep, or a zip archive that is damaged.
    """
    return _layers(data, _Room(len(data)), 0)


class _Room:
    """How much may still come out of a file: one of a few KB can hold gigabytes, or cost hours to unpack."""

    def __init__(self, size: int) -> None:
        self.left = (EXPANDED_MB << 20) + 2 * size

    def take(self, n_bytes: int) -> None:
        """Count what came out."""
        self.left -= n_bytes
        if self.left < 0:
            raise Unusable(
                f"holds more than {EXPANDED_MB} MB in packed form, and was not searched to its end"
            )


def _layers(data: bytes, room: _Room, depth: int) -> Iterator[bytes]:
    yield data
    if depth == DEEPEST:
        raise Unusable(f"is packed more than {DEEPEST} times, and was not searched to its end")
    for inner in _packed(data, room):
        yield from _layers(inner, room, depth + 1)


def _packed(data: bytes, room: _Room) -> Iterator[bytes]:
    """What is packed in some bytes, by what they begin with; of text, what is written in base 64."""
    for signature, unpacked in BY_SIGNATURE.items():
        if data.startswith(signature):
            yield from unpacked(data, room)
            return
    if b"\0" not in data:
        yield from _in_base_64(data, room)


def _in_gzip(data: bytes, room: _Room) -> Iterator[bytes]:
    yield _said_in_header(data)
    members, content = io.BytesIO(data), bytearray()
    room.take(LEAST)
    # Of a damaged or half-written file what can be had; bytes may look like one, too.
    with suppress(Damaged):
        for piece in _inflated_pieces(members):
            room.take(len(piece))
            content += piece
    yield bytes(content)
    yield members.read()


def _in_zip(data: bytes, room: _Room) -> Iterator[bytes]:
    yield from _unzipped(io.BytesIO(data), room)
    yield _after(data, ZIP_ENDS, 22)


def _in_pdf(data: bytes, room: _Room) -> Iterator[bytes]:
    yield _pdf_text(data)
    for start in re.finditer(rb"(?<!end)stream\r?\n", data):
        stream = _inflated(memoryview(data)[start.end() :], room)
        yield stream
        yield _pdf_text(stream)
    yield _after(data, b"%%EOF", 5)


def _in_png(data: bytes, room: _Room) -> Iterator[bytes]:
    for chunk in re.finditer(rb"(?:zTXt|iTXt|iCCP)[^\0]{1,79}\0", data):
        for skipped in range(1, 5):  # compression flags and languages stand before the text
            yield _inflated(memoryview(data)[chunk.end() + skipped :], room)
    for chunk in re.finditer(rb"(?s)(.{4})(?:tEXt|iTXt)", data):
        text = data[chunk.end() : chunk.end() + int.from_bytes(chunk[1], "big")]
        room.take(LEAST + len(text))
        yield text.replace(b"\0", b"\n")
    yield _after(data, b"IEND", 8)


def _in_text_header(data: bytes, room: _Room) -> Iterator[bytes]:
    """The header apart from the voxels, which would make it no text; then these, which may be packed."""
    header = TEXT_HEADER.match(data)
    end = header.end() if header else len(data)
    room.take(LEAST)
    yield data[1:end]  # a header that began as its file does would be taken for one again
    yield data[end:]


BY_SIGNATURE: Mapping[bytes, Callable[[bytes, _Room], Iterator[bytes]]] = {
    GZIP: _in_gzip,
    ZIP: _in_zip,
    b"%PDF": _in_pdf,
    b"\x89PNG": _in_png,
    **dict.fromkeys((NRRD, *META_IMAGE), _in_text_header),
}


def _in_base_64(data: bytes, room: _Room) -> Iterator[bytes]:
    for run in re.findall(rb"[A-Za-z0-9+/_-]{32,}", data):
        if DIGEST.fullmatch(run):
            continue
        room.take(len(run))
        try:
            yield base64.b64decode(run.translate(bytes.maketrans(b"-_", b"+/")) + b"==")
        except binascii.Error:
            continue


def _after(data: bytes, mark: bytes, length: int) -> bytes:
    """What follows the last part of a file, which begins by a mark and has so many bytes."""
    at = data.rfind(mark)
    return data[at + length :] if at >= 0 else b""


def _around_tensors(path: Path, room: _Room) -> Iterator[bytes]:
    """What a .pth file holds beside the content of its tensors, and, on its own, what was appended."""
    around = bytearray(1)  # no archive by its first bytes, for its tensors are not here
    try:
        with zipfile.ZipFile(path) as archive, open(path, "rb") as stream:
            position = 0
            for entry in sorted(archive.infolist(), key=lambda entry: entry.header_offset):
                if TENSOR.search(entry.filename):
                    stream.seek(entry.header_offset + 26)  # where the header has the lengths of its end
                    start = entry.header_offset + 30 + sum(struct.unpack("<2H", stream.read(4)))
                    around += _between(stream, position, start, room)
                    position = start + entry.compress_size
            around += _between(stream, position, path.stat().st_size, room)
    except Unusable:
        raise
    except ZIP_ERRORS as error:
        raise Unusable("holds a zip archive that is damaged, and was not searched to its end") from error
    yield bytes(around)
    yield _after(bytes(around), ZIP_ENDS, 22)


def _between(stream: BinaryIO, start: int, end: int, room: _Room) -> bytes:
    room.take(max(end - start, 0))
    stream.seek(start)
    return stream.read(max(end - start, 0))


def _unzipped(
    file: Path | io.BytesIO, room: _Room, without: re.Pattern[str] | None = None
) -> Iterator[bytes]:
    """Names and contents of a zip archive's entries; of those of a name like ``without`` the name only."""
    try:
        with zipfile.ZipFile(file) as archive:
            for entry in archive.infolist():
                room.take(LEAST)
                yield entry.filename.encode(errors="surrogateescape") + entry.comment + entry.extra
                if without and without.search(entry.filename):
                    continue
                if entry.compress_type not in USUAL_METHODS:  # of others a few bytes can't be had alone
                    raise Unusable("holds a zip archive packed by an unusual method, and was not searched")
                with archive.open(entry) as stream:
                    content = stream.read(room.left + 1)
                room.take(len(content))
                yield content
    except Unusable:
        raise
    except ZIP_ERRORS as error:
        raise Unusable("holds a zip archive that is damaged, and was not searched to its end") from error


def _inflated(data: memoryview, room: _Room) -> bytes:
    """Whatever can be decompressed, of a damaged or half-written stream too."""
    room.take(LEAST)
    found, position, pending = bytearray(), 0, b""
    decompressor = zlib.decompressobj()
    while (pending or position < len(data)) and len(found) <= room.left and not decompressor.eof:
        if not pending:
            pending = bytes(data[position : position + CHUNK])
            position += CHUNK
        try:
            found += decompressor.decompress(pending, room.left - len(found) + 1)
        except zlib.error:
            break
        pending = decompressor.unconsumed_tail
    room.take(len(found))
    return bytes(found)


def _pdf_text(stream: bytes) -> bytes:
    """The strings of a PDF, joined: kerning cuts words into letters."""
    strings = re.findall(rb"\\.|\(((?:[^()\\]|\\.)*+)\)", stream, re.DOTALL)
    return re.sub(rb"\\([0-7]{1,3}|.)", _pdf_character, b"".join(strings), flags=re.DOTALL)


def _pdf_character(match: re.Match[bytes]) -> bytes:
    escaped = match.group(1)
    octal = not escaped.strip(b"01234567")
    return bytes([int(escaped, 8) & 255]) if octal else PDF_ESCAPES.get(escaped, escaped)
