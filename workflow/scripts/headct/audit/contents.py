"""What is written in a file, wherever in it: packed, compressed, encoded."""

from __future__ import annotations

import base64
import binascii
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from headct.audit import untrusted
from headct.audit.untrusted import Unusable

PDF_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}

DIGEST = re.compile(rb"[0-9a-f]{40}|[0-9a-f]{64}")
"""SHA-1 or SHA-256 in hexadecimal digits, of which records are full: no text in base64."""

NIFTI_HEADER_BYTES = 348
VOX_OFFSET = slice(108, 112)
"""Where a NIfTI-1 header has the offset of the voxels, a float32; before it are header and extensions."""
SHORT_START, LONGEST_EXTENSIONS = 1 << 12, 1 << 20
"""Bytes that hold header and extensions of nearly all files, and of all that are read."""

GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"
"""How such files begin."""
TENSOR = re.compile(r"/data/\d+$")
"""The names of a network's numbers in a .pth, which is a zip archive."""
USUAL_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How NumPy and PyTorch pack."""
ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError, struct.error)

EXPANDED_MB = 64
"""How much may come out of a file beyond twice its own size."""
LEAST = 4096
"""Bytes that any attempt to unpack counts for, since attempts take time."""
DEEPEST = 12
"""How often something may be packed; in results it is three times at most."""
CHUNK = 1 << 12
"""Bytes that are decompressed at a time."""


def readable(path: Path) -> Iterator[bytes]:
    """As :func:`layers`, without what holds no text and is large: voxels of NIfTI, tensors of weights."""
    if path.name.endswith(".nii.gz") and _is_gzip(path):
        yield _before_voxels(path)
    elif path.suffix == ".pth" and zipfile.is_zipfile(path):
        room = _Room(0)
        for inner in _unzipped(path, room, without=TENSOR):
            yield from _layers(inner, room, 1)
    else:
        yield from layers(untrusted.bytes_of(path))


def _is_gzip(path: Path) -> bool:
    with open(path, "rb") as stream:
        return stream.read(len(GZIP)) == GZIP


def _before_voxels(path: Path) -> bytes:
    """Header and extensions of a NIfTI file; what can be read of them where it is damaged."""
    decompressor = zlib.decompressobj(31)
    try:
        with open(path, "rb") as stream:
            start = decompressor.decompress(stream.read(LONGEST_EXTENSIONS), SHORT_START)
            offset = int(struct.unpack("<f", start[VOX_OFFSET])[0]) if len(start) > NIFTI_HEADER_BYTES else 0
            if SHORT_START < offset < LONGEST_EXTENSIONS:
                start += decompressor.decompress(decompressor.unconsumed_tail, offset - SHORT_START)
    except (zlib.error, ValueError, OverflowError):
        return b""
    return start[: max(offset, NIFTI_HEADER_BYTES)]


def layers(data: bytes) -> Iterator[bytes]:
    """The bytes of a file and of everything packed in it: gz, zip, npz, pth, PDF, PNG, base64 in text.

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
    if data.startswith(GZIP):
        yield _inflated(data, 31, room)
    elif data.startswith(ZIP):
        yield from _unzipped(io.BytesIO(data), room)
    elif data.startswith(b"%PDF"):
        yield _pdf_text(data)
        for start in re.finditer(rb"(?<!end)stream\r?\n", data):
            stream = _inflated(memoryview(data)[start.end() :], 15, room)
            yield stream
            yield _pdf_text(stream)
    elif data.startswith(b"\x89PNG"):
        for chunk in re.finditer(rb"(?:zTXt|iTXt|iCCP)[^\0]{1,79}\0", data):
            for skipped in range(1, 5):  # compression flags and languages stand before the text
                yield _inflated(memoryview(data)[chunk.end() + skipped :], 15, room)
    elif b"\0" not in data:
        for run in re.findall(rb"[A-Za-z0-9+/_-]{32,}", data):
            if DIGEST.fullmatch(run):
                continue
            room.take(len(run))
            try:
                yield base64.b64decode(run.translate(bytes.maketrans(b"-_", b"+/")) + b"==")
            except binascii.Error:
                continue


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


def _inflated(data: bytes | memoryview, window_bits: int, room: _Room) -> bytes:
    """Whatever can be decompressed, of a damaged or half-written file too."""
    room.take(LEAST)
    found, position, pending = bytearray(), 0, b""
    decompressor = zlib.decompressobj(window_bits)
    while (pending or position < len(data)) and len(found) <= room.left:
        if not pending:
            pending = bytes(data[position : position + CHUNK])
            position += CHUNK
        try:
            found += decompressor.decompress(pending, room.left - len(found) + 1)
        except zlib.error:
            break
        pending = decompressor.unconsumed_tail
        if decompressor.eof:
            if window_bits != 31:
                break
            pending, decompressor = decompressor.unused_data, zlib.decompressobj(window_bits)
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
