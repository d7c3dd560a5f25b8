"""What is written in a file, wherever in it: packed, compressed, encoded."""

from __future__ import annotations

import base64
import binascii
import bz2
import io
import itertools
import lzma
import math
import pickletools
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from headct.contracts import untrusted
from headct.contracts.untrusted import Unusable

PDF_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}

DIGEST_LENGTHS, HEXADECIMAL = (40, 64), b"0123456789abcdef"
"""Characters of SHA-1 and SHA-256, of which records are full: no text in base64."""

NIFTI_HEADER_BYTES = 348
DIMENSIONS, BITS_PER_VOXEL, VOX_OFFSET = slice(40, 56), slice(72, 74), slice(108, 112)
"""Where a NIfTI-1 header has the size of the grid (8 int16), bits per voxel, and the offset of the voxels
(float32); before it are header and extensions."""
NIFTI_TEXTS = {
    True: (((4, 14), (14, 32), (148, 228), (228, 252), (328, 344)), 352),
    False: (((240, 320), (320, 344), (508, 524)), 544),
}
"""Of NIfTI-1, and of NIfTI-2: where texts stand in the header (descrip, aux_file, intent_name …), and
where extensions begin."""
DICOM_EXTENSION = 2
"""The code of an extension that is a DICOM header (nifti1.h)."""
DICOM_BEGINS = bytes(128) + b"DICM"
START = 1 << 20
"""Bytes that hold header and extensions of all files that are read."""
READ = 1 << 16
"""Bytes that are read of a packed file at a time."""
LARGEST_GRID_MB = 8 << 10
"""Beyond what a scan can be, and what can be decompressed within a minute."""

CASE = b"headct.registerCase("
"""How the script of a case begins that the page of results opens."""
CASE_VOXELS = re.compile(rb'"(H4sI[A-Za-z0-9+/]+={0,2})"')
"""Its voxels: base64 of gzip."""
CASE_SHAPE = re.compile(rb'"shape":\[(\d{1,5}),(\d{1,5}),(\d{1,5})\]')

GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"
"""How such files begin."""
LEAST_GZIP = 10
"""Bytes of its header."""
DEFLATED = GZIP + b"\x08"
"""As gzip begins, with its only method (RFC 1952): two bytes alone are chance in one layer of 65,536."""
BZIP2 = tuple(b"BZh%d" % level for level in range(1, 10))
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


UNREAD = {
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "RAR",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"\x04\x22\x4d\x18": "LZ4",
    b"\x1f\x9d\x90": "compress (.Z)",
    b"MSCF\0\0\0\0": "cabinet",
}
"""How archives begin that can't be unpacked here, and what they are."""


PIXELS = (b"IHDR", b"IDAT", b"fdAT", b"PLTE", b"tRNS")
"""The chunks of a PNG that are numbers."""


class MemberName(bytes):
    """The name of a member of an archive."""


class Packed(bytes):
    """What holds other layers, and no text of its own that these do not hold."""


class Damaged(Unusable):
    """A packed file that can't be unpacked to its end."""


EXPANDED_MB = 64
"""How much may come out of a file beyond twice its own size."""
LEAST = 4096
"""Bytes that any attempt to unpack counts for, since attempts take time."""
LARGEST_DICTIONARY_MB = 256
"""Memory for an .xz file; more is refused."""
DEEPEST = 12
"""How often something may be packed; in results it is three times at most."""
CHUNK = 1 << 12
"""Bytes that are decompressed at a time."""


def readable(path: Path) -> Iterator[bytes]:
    """As :func:`layers`, without what is no text and large: voxels of NIfTI and cases, tensors of weights."""
    if path.name.endswith(".nii.gz") and _begins(path, GZIP):
        yield from _around_voxels(path)
    elif path.suffix == ".gz" and _begins(path, GZIP):  # which is damaged if it is no gzip
        data = untrusted.bytes_of(path)
        room = _Room(len(data))
        yield from _layers_of(_in_gzip(data, room), room)
    elif path.suffix == ".pth" and zipfile.is_zipfile(path):
        room = _Room(0)
        parts = itertools.chain(_unzipped(path, room, without=TENSOR), _around_tensors(path, room))
        yield from _layers_of(parts, room)
    elif path.suffix == ".js" and _begins(path, CASE):
        yield from _around_case(untrusted.bytes_of(path))
    else:
        yield from layers(untrusted.bytes_of(path))


def _layers_of(parts: Iterable[bytes], room: _Room) -> Iterator[bytes]:
    """The layers of what a file holds, each of its parts being one."""
    for part in parts:
        yield from _layers(part, room, 1)
    room.tell_unread()


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
        head = stream.read(LEAST_GZIP)
        if any(head[3:4]):  # flags of what else is in the header
            yield _said_in_header(head + stream.read(START))
        stream.seek(0)
        pieces = _inflated_pieces(stream)
        start = bytearray()
        while len(start) < START and (piece := next(pieces, b"")):
            start += piece
        voxels = _voxels(start)
        yield from _layers(bytes(start[: voxels.start]), room, 1)
        after, position = start[voxels.stop :], len(start)
        for piece in pieces:
            beyond = piece[max(voxels.stop - position, 0) :]
            room.take(len(beyond))
            after += beyond
            position += len(piece)
        appended = stream.read(room.left + 1)
    room.take(len(appended))
    yield from _layers_of((bytes(after), appended), room)


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
    room.tell_unread()


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
    pending = stream.read(READ)
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
            pending = decompressor.unconsumed_tail or (b"" if decompressor.eof else stream.read(READ))
        pending = decompressor.unused_data or stream.read(READ)
    stream.seek(-len(pending), io.SEEK_CUR)


def _said_in_header(data: bytes) -> bytes:
    """The further fields, the name and the comment that the header of a gzip file may have (RFC 1952)."""
    flags, end = int.from_bytes(data[3:4], "little"), LEAST_GZIP  # which a file that is cut off lacks
    if flags & 4:
        end += 2 + int.from_bytes(data[10:12], "little")
    for flag in (8, 16):
        if flags & flag:
            end = data.find(b"\0", end) + 1 or len(data)
    return data[10:end].replace(b"\0", b"\n")


def layers(data: bytes) -> Iterator[bytes]:
    """The bytes of a file and of everything packed in it.

    That is what gz, bz2, xz, zip (npz, pth), tar, PDF and PNG hold, base64 in text, texts in pickles and in
    arrays of NumPy. The headers of NIfTI, NRRD and MetaImage count as packed. Names of members are a
    :class:`MemberName`.

    Raises:
        Unusable: not all of it can be looked at, and what can be was given: too much, too deep, damaged,
            encrypted, or packed in a way that is not known here.
    """
    room = _Room(len(data))
    yield from _layers(data, room, 0)
    room.tell_unread()


class _Room:
    """How much may still come out of a file: one of a few KB can hold gigabytes, or cost hours to unpack."""

    def __init__(self, size: int) -> None:
        self.left = (EXPANDED_MB << 20) + 2 * size
        self.unread: dict[str, None] = {}

    def tell_unread(self) -> None:
        """Raise Unusable where a part could not be read."""
        if self.unread:
            raise Unusable("; ".join(self.unread))

    def take(self, n_bytes: int) -> None:
        """Count what came out."""
        self.left -= n_bytes
        if self.left < 0:
            raise Unusable(
                f"holds more than {EXPANDED_MB} MB in packed form, and was not searched to its end"
            )


def _layers(data: bytes, room: _Room, depth: int) -> Iterator[bytes]:
    if not data:
        return
    yield Packed(data) if data.startswith(CONTAINERS) else data
    if depth == DEEPEST:
        raise Unusable(f"is packed more than {DEEPEST} times, and was not searched to its end")
    for inner in _packed(data, room):
        yield from _layers(inner, room, depth + 1)


def _packed(data: bytes, room: _Room) -> Iterator[bytes]:
    """What is packed in some bytes, by what they begin with; of text, what is written in base 64."""
    if data.startswith(SIGNATURES):
        signature = next(filter(data.startswith, SIGNATURES))
        yield from BY_SIGNATURE[signature](data, room)
        return
    for signature, way in UNREAD.items():
        if data.startswith(signature):
            room.unread[f"is packed as {way}, and was not searched"] = None
    if data[257:262] == b"ustar":
        yield from _in_tar(data, room)
    elif data[344:347] in (b"n+1", b"ni1") or data[4:7] in (b"n+2", b"ni2"):
        yield from _in_nifti(data, room)
    elif b"\0" not in data:
        yield from _in_base_64(data, room)


def _in_gzip(data: bytes, room: _Room) -> Iterator[bytes]:
    yield _said_in_header(data)
    members, content = io.BytesIO(data), bytearray()
    room.take(LEAST)
    try:
        for piece in _inflated_pieces(members):
            room.take(len(piece))
            content += piece
    except Damaged as error:  # what can be had of it is searched
        room.unread[str(error)] = None
    yield bytes(content)
    yield members.read()


def _in_streams(
    made: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor],
) -> Callable[[bytes, _Room], Iterator[bytes]]:
    """How the streams of bz2 or xz are unpacked that stand one behind the other, and what follows them."""

    def unpacked(data: bytes, room: _Room) -> Iterator[bytes]:
        signature, content = data[:3], bytearray()
        room.take(LEAST)
        while data.startswith(signature):
            stream = made()
            try:
                while not stream.eof:
                    piece = stream.decompress(data, START)
                    room.take(len(piece))
                    content += piece
                    data = b""
                    if stream.needs_input:
                        raise EOFError
            except (OSError, EOFError, lzma.LZMAError):
                if not stream.eof:
                    room.unread["is a .bz2 or .xz file that is damaged, and was not searched to its end"] = (
                        None
                    )
                    break
            data = stream.unused_data
        yield bytes(content)
        yield data

    return unpacked


def _in_tar(data: bytes, room: _Room) -> Iterator[bytes]:
    """Names, owners and contents of the members of a tar archive."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for member in archive:
                room.take(LEAST + member.size)
                yield MemberName(member.name.encode(errors="surrogateescape"))
                words = [member.linkname, member.uname, member.gname, *map(str, member.pax_headers.values())]
                yield "\n".join(words).encode(errors="surrogateescape")
                if content := archive.extractfile(member) if member.isreg() else None:
                    yield content.read()
    except (tarfile.TarError, OSError, EOFError, ValueError):
        room.unread["holds a tar archive that is damaged, and was not searched to its end"] = None


def _in_nifti(data: bytes, room: _Room) -> Iterator[bytes]:
    """The texts in the header of a NIfTI file, of either version and byte order, and its extensions."""
    order = "<" if data[0] else ">"
    fields, start = NIFTI_TEXTS[data[344:347] in (b"n+1", b"ni1")]
    yield b"\n".join(data[first:last].replace(b"\0", b" ").strip() for first, last in fields)
    has_more = data[start - 4 : start - 3] not in (b"", b"\0")
    while has_more and start + 16 <= len(data):
        size, code = struct.unpack(f"{order}2i", data[start : start + 8])
        if not 16 <= size <= len(data) - start:
            return
        room.take(LEAST + size)
        content = data[start + 8 : start + size].rstrip(b"\0")
        yield DICOM_BEGINS + content if code == DICOM_EXTENSION else content
        start += size


def _in_pickle(data: bytes, room: _Room) -> Iterator[bytes]:
    """The texts of a pickle, which is not executed."""
    room.take(LEAST)
    found = []
    try:
        for _, value, _ in pickletools.genops(data):
            if isinstance(value, str):
                found.append(value)
            elif isinstance(value, bytes) and len(value) > 3:
                yield value
    except (ValueError, IndexError, OverflowError, struct.error):
        pass  # any bytes can begin like one
    yield "\n".join(found).encode(errors="surrogatepass")


def _in_array(data: bytes, room: _Room) -> Iterator[bytes]:
    """The header of an array of NumPy, and its texts or objects."""
    length = int.from_bytes(data[8:10] if data[6:7] == b"\1" else data[8:12], "little")
    start = (10 if data[6:7] == b"\1" else 12) + length
    header, content = data[10:start], data[start:]
    room.take(LEAST)
    yield header
    if wide := re.search(rb"'([<>])U\d+'", header):
        room.take(len(content))
        order = "utf-32-le" if wide[1] == b"<" else "utf-32-be"
        yield content.decode(order, errors="replace").replace("\0", "\n").encode(errors="replace")
    elif re.search(rb"'\|[SO]", header):
        room.take(len(content))
        yield content if b"O" in header else content.replace(b"\0", b"\n")


def _in_zip(data: bytes, room: _Room) -> Iterator[bytes]:
    yield from _unzipped(io.BytesIO(data), room)
    yield _after(data, ZIP_ENDS, 22)


def _in_pdf(data: bytes, room: _Room) -> Iterator[bytes]:
    """The texts, attached files and descriptions; of what can't be read, the strings that can be had."""
    from headct.provenance import pdf  # most files are none

    room.take(LEAST)
    try:
        for part in pdf.parts_of(data):
            room.take(len(part))
            yield part
    except Unusable as error:
        room.unread[str(error)] = None
        yield _pdf_text(data)
        for start in re.finditer(rb"(?<!end)stream\r?\n", data):
            stream = _inflated(memoryview(data)[start.end() :], room)
            yield stream
            yield _pdf_text(stream)
    yield _after(data, b"%%EOF", 5)


def _in_png(data: bytes, room: _Room) -> Iterator[bytes]:
    """What is in a picture beside its pixels, chunk by chunk, and behind it."""
    position = 8
    while position + 8 <= len(data):
        kind, start = data[position + 4 : position + 8], position + 8
        end = start + int.from_bytes(data[position : position + 4], "big")
        position = end + 4
        if kind in PIXELS:
            continue
        content = data[start:end]
        room.take(LEAST + len(content))
        yield content.replace(b"\0", b"\n") if kind in (b"tEXt", b"iTXt") else content
        if kind in (b"zTXt", b"iTXt", b"iCCP"):
            beyond = content.find(b"\0") + 1
            for skipped in range(1, 5):  # compression flags and languages stand before the text
                yield _inflated(memoryview(content)[beyond + skipped :], room)
        if kind == b"IEND":
            break
    yield data[position:]


def _in_text_header(data: bytes, room: _Room) -> Iterator[bytes]:
    """The header apart from the voxels, which would make it no text; then these, which may be packed."""
    header = TEXT_HEADER.match(data)
    end = header.end() if header else len(data)
    room.take(LEAST)
    yield data[1:end]  # a header that began as its file does would be taken for one again
    yield data[end:]


BY_SIGNATURE: Mapping[bytes, Callable[[bytes, _Room], Iterator[bytes]]] = {
    DEFLATED: _in_gzip,
    ZIP: _in_zip,
    b"%PDF": _in_pdf,
    b"\x89PNG": _in_png,
    **dict.fromkeys(BZIP2, _in_streams(bz2.BZ2Decompressor)),
    b"\xfd7zXZ\0": _in_streams(lambda: lzma.LZMADecompressor(memlimit=LARGEST_DICTIONARY_MB << 20)),
    b"\x93NUMPY": _in_array,
    **dict.fromkeys((b"\x80\2", b"\x80\3", b"\x80\4", b"\x80\5"), _in_pickle),
    **dict.fromkeys((NRRD, *META_IMAGE), _in_text_header),
}
SIGNATURES = tuple(BY_SIGNATURE)


CONTAINERS = (DEFLATED, ZIP, b"%PDF", b"\x89PNG", *BZIP2, b"\xfd7zXZ\0")
"""What is compressed, so that all its texts are in its layers."""


def _in_base_64(data: bytes, room: _Room) -> Iterator[bytes]:
    for run in re.findall(rb"[A-Za-z0-9+/_-]{32,}", data):
        if len(run) in DIGEST_LENGTHS and not run.strip(HEXADECIMAL):
            continue
        room.take(len(run))
        try:
            content = base64.b64decode(run.translate(bytes.maketrans(b"-_", b"+/")) + b"==")
        except binascii.Error:
            continue
        if _means_something(content):
            yield content


def _means_something(content: bytes) -> bool:
    """Whether it can be more than a word that could be base64: a text, or bytes of any kind."""
    if content.startswith(GZIP):
        return content.startswith(DEFLATED)
    if b"\0" in content:
        return True
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return content.startswith(SIGNATURES)
    return True


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
                yield MemberName(_name_in_zip(entry))
                yield entry.comment + b"\n" + entry.extra
                if without and without.search(entry.filename):
                    continue
                if entry.compress_type not in USUAL_METHODS:  # of others a few bytes can't be had alone
                    room.unread["holds a zip archive packed by an unusual method, and was not searched"] = (
                        None
                    )
                    continue
                if entry.flag_bits & 1:
                    room.unread["holds an encrypted zip archive, and was not searched"] = None
                    continue
                with archive.open(entry) as stream:
                    content = stream.read(room.left + 1)
                room.take(len(content))
                yield content
    except Unusable:
        raise
    except ZIP_ERRORS as error:
        raise Unusable("holds a zip archive that is damaged, and was not searched to its end") from error


def _name_in_zip(entry: zipfile.ZipInfo) -> bytes:
    """As it is written: many write UTF-8 and do not say so."""
    said_to_be_utf_8 = entry.flag_bits & 0x800
    return entry.filename.encode("utf-8" if said_to_be_utf_8 else "cp437", errors="replace")


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
