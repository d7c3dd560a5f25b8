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

PDF_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}

DIGEST = re.compile(rb"[0-9a-f]{40}|[0-9a-f]{64}")
"""SHA-1 or SHA-256 in hexadecimal digits, of which records are full: no text in base64."""

NIFTI_HEADER_BYTES = 348
VOX_OFFSET = slice(108, 112)
"""Where a NIfTI-1 header has the offset of the voxels, a float32; before it are header and extensions."""
SHORT_START, LONGEST_EXTENSIONS = 1 << 12, 1 << 20
"""Bytes that hold header and extensions of nearly all files, and of all that are read."""


def readable(path: Path) -> Iterator[bytes]:
    """As :func:`layers`, without what holds no text and is large: voxels of NIfTI, tensors of weights."""
    if path.name.endswith(".nii.gz"):
        yield _before_voxels(path)
    elif path.suffix == ".pth" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                yield entry.filename.encode() + entry.comment + entry.extra
                if not re.search(r"/data/\d+$", entry.filename):
                    yield from layers(archive.read(entry))
    else:
        yield from layers(path.read_bytes())


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
    """The bytes of a file and of everything packed in it: gz, zip, npz, pth, PDF, PNG, base64 in text."""
    yield data
    for inner in _packed(data):
        yield from layers(inner)


def _packed(data: bytes) -> Iterator[bytes]:
    if data.startswith(b"\x1f\x8b"):
        yield from _inflated(data, 31)
    elif data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                yield entry.comment + entry.extra
                yield archive.read(entry)
    elif data.startswith(b"%PDF"):
        yield _pdf_text(data)
        for start in re.finditer(rb"(?<!end)stream\r?\n", data):
            for stream in _inflated(data[start.end() :], 15):
                yield stream
                yield _pdf_text(stream)
    elif data.startswith(b"\x89PNG"):
        for chunk in re.finditer(rb"(?:zTXt|iTXt|iCCP)[^\0]{1,79}\0", data):
            for skipped in range(1, 5):  # compression flags and languages stand before the text
                yield from _inflated(data[chunk.end() + skipped :], 15)
    elif b"\0" not in data:
        for run in re.findall(rb"[A-Za-z0-9+/_-]{32,}", data):
            if DIGEST.fullmatch(run):
                continue
            try:
                yield base64.b64decode(run.translate(bytes.maketrans(b"-_", b"+/")) + b"==")
            except binascii.Error:
                continue


def _inflated(data: bytes, window_bits: int) -> Iterator[bytes]:
    """Whatever can be decompressed, of a damaged or half-written file too."""
    while data:
        decompressor = zlib.decompressobj(window_bits)
        try:
            yield decompressor.decompress(data)
        except zlib.error:
            return
        data = decompressor.unused_data if window_bits == 31 else b""


def _pdf_text(stream: bytes) -> bytes:
    """The strings of a PDF, joined: kerning cuts words into letters."""
    strings = re.findall(rb"\(((?:[^()\\]|\\.)*)\)", stream, re.DOTALL)
    return re.sub(rb"\\([0-7]{1,3}|.)", _pdf_character, b"".join(strings), flags=re.DOTALL)


def _pdf_character(match: re.Match[bytes]) -> bytes:
    escaped = match.group(1)
    octal = not escaped.strip(b"01234567")
    return bytes([int(escaped, 8) & 255]) if octal else PDF_ESCAPES.get(escaped, escaped)
