"""The texts in some bytes: in UTF-8, in another encoding that shows, or among bytes that are no text."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""How texts of wide characters may begin, that of UTF-16 being a part of the other's."""
WIDE = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
JAPANESE, OTHER_ESCAPES = b"\x1b$", re.compile(rb"\x1b[$(][)]?[A-Z@]")
"""How DICOM changes between sets of characters (PS3.5, annex H and following)."""
CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
ESCAPES, COLOUR = (b"\x1b[", b"\x1b]"), re.compile(rb"\[\d{1,3}(?:;\d{1,3}){0,8}m")
"""What is in texts with the escapes of a terminal, of which the first character may be lost."""
_STYLE = rb"\[[\d;:]{0,32}[mK]"
MAKES_STYLE = re.compile(
    rb"\x1b%b|\\(?:u001[bB]|x1[bB]|033|e)%b|\^\[%b|\[\d{1,3}(?:;\d{1,3}){0,8}m" % (_STYLE, _STYLE, _STYLE)
)
"""Escapes that change how characters look and take no place, also as JSON, C and ``cat -v`` write them."""
MOVES = re.compile(rb"\x1b(?:\[[0-?]{0,32}[ -/]?[@-~]|\]8;[\w=:.-]{0,80};|\]\d{0,4};|\\)|\x07")
"""Those that move, and around titles and links (ECMA-48); what stands on both sides are two words."""
DAMAGED_SHARE = 0.05
"""Of bytes that no encoding explains and more than this are controls, the whole is no text."""
SHORTEST_RUN = 10
"""Characters in a row that are read as a text among bytes that are none."""
LONG_RUN = 20
"""Characters in a row that are no chance, whatever they are."""
WORDY = re.compile(rb"[A-Za-z0-9][A-Za-z0-9 .,^=_:;/|()\[\]'@+-]*")
CHUNK = 1 << 20
PRINTABLE, ZERO = 1, 2
CLASSES = bytes(PRINTABLE * (32 <= byte < 127) + ZERO * (byte == 0) for byte in range(256))
"""By byte, whether it is printable ASCII, zero, or something else."""


Codes = NDArray[np.uint8]


class Fragment(str):
    """A text that stands among bytes that are none, and can be chance."""


def texts_in(data: bytes) -> Iterator[str]:
    """All of it, if it is a text, else each :class:`Fragment` of characters in it, of ASCII and of UTF-16.

    They are as a terminal shows them, without the escapes for colours.
    """
    data = _as_shown(data)
    if b"\0" not in data and not data.startswith(tuple(MARKS)):  # a text of Han alone has no zeros
        try:
            yield data.decode("utf-8")
        except UnicodeDecodeError:
            if len(CONTROLS.findall(data[:CHUNK])) > DAMAGED_SHARE * min(len(data), CHUNK):
                yield from _runs(data)
            else:
                yield from _in_8_bits(data)
        else:
            if JAPANESE in data:
                yield from _in_8_bits(data)
        return
    wide = _wide(data)
    if wide:
        yield _as_shown(wide.encode()).decode()
    yield from _runs(data, in_pairs="\ufffd" in wide or not wide)


def _as_shown(data: bytes) -> bytes:
    """Without the escapes of terminals."""
    if not any(escape in data for escape in ESCAPES) and not COLOUR.search(data):
        return data
    return MOVES.sub(b" ", MAKES_STYLE.sub(b"", data))


def _in_8_bits(data: bytes) -> Iterator[str]:
    """An encoding that is not told: as Latin-1, and where names may be with some letter for each byte."""
    if JAPANESE in data:
        yield data.decode("iso2022_jp_ext", errors="replace")
    plain = OTHER_ESCAPES.sub(b"", data)
    yield plain.decode("utf-8", errors="as_latin_1")
    if b"^" in plain:
        yield plain.decode("utf-8", errors="as_some_letter")


def _as_latin_1(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", errors="replace"), error.end


def _as_some_letter(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return SOME_LETTER * (error.end - error.start), error.end


SOME_LETTER = "\u4e00"
"""Of a script without capitals, for a byte of which nothing is known but that it is no ASCII."""
codecs.register_error("as_latin_1", _as_latin_1)
codecs.register_error("as_some_letter", _as_some_letter)


def _wide(data: bytes) -> str:
    """A text that is UTF-16 or UTF-32 as a whole, by its mark or since it makes sense; "" if it is none."""
    for mark, encoding in MARKS.items():
        if data.startswith(mark):
            return data.decode(encoding, errors="replace")
    start = data[:4096]
    for encoding in WIDE:
        width = 2 if "16" in encoding else 4
        try:
            text = start[: len(start) // width * width].decode(encoding)
        except UnicodeDecodeError:
            continue
        if (
            len(text) > 1
            and all(c.isprintable() or c.isspace() or c == "\x1b" for c in text)
            and _of_one_kind(text)
        ):
            return data.decode(encoding, errors="replace")
    return ""


def _of_one_kind(text: str) -> bool:
    """Whether most characters are of one block: pairs of ASCII read as one are of all kinds."""
    blocks = [min(ord(c) >> 12, 3) for c in text]
    return max(blocks.count(block) for block in set(blocks)) > 0.5 * len(blocks) and any(
        c.isascii() for c in text
    )


def _runs(data: bytes, in_pairs: bool = True) -> Iterator[str]:
    """Runs of printable ASCII, and of it as UTF-16, that are long enough not to be chance.

    Args:
        in_pairs: seek those of UTF-16, too, which a text that is all of it has read already.
    """
    classes = data.translate(CLASSES)
    for start, end in _long(classes, _all_printable):
        run = data[start:end]
        if len(run) >= LONG_RUN or WORDY.fullmatch(run.strip()):
            yield Fragment(run.decode("ascii"))
    for start, end in _long(classes, _all_in_pairs) if in_pairs else ():
        yield Fragment(data[start:end].replace(b"\0", b"").decode("ascii", errors="replace"))


def _all_printable(codes: Codes) -> tuple[NDArray[np.bool_], int]:
    here, width = codes == PRINTABLE, 1
    for step in (1, 2, 4, 2):
        here, width = here[:-step] & here[step:], width + step
    return here, width


def _all_in_pairs(codes: Codes) -> tuple[NDArray[np.bool_], int]:
    here, width = (codes[:-1] == PRINTABLE) & (codes[1:] == ZERO), 2
    for step in (2, 4, 8):
        here, width = here[:-step] & here[step:], width + step
    return here, width


def _long(
    classes: bytes, alike: Callable[[Codes], tuple[NDArray[np.bool_], int]]
) -> Iterator[tuple[int, int]]:
    """Where runs begin and end of bytes that are alike, joined over chunks."""
    last = (0, 0)
    codes = np.frombuffer(classes, np.uint8)
    for offset in range(0, len(codes), CHUNK):
        here, width = alike(codes[offset : offset + CHUNK + 32])
        places = np.flatnonzero(here) + offset
        if not len(places):
            continue
        breaks = np.flatnonzero(np.diff(places) > 2)
        starts = places[np.r_[0, breaks + 1]]
        ends = places[np.r_[breaks, len(places) - 1]] + width
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            if start <= last[1]:
                last = (last[0], max(end, last[1]))
            else:
                if last[1]:
                    yield last
                last = (start, end)
    if last[1]:
        yield last
