"""An SVG of Matplotlib in two thirds of its bytes, which looks the same: a page holds dozens of them.

Places are rounded to hundredths of a point, paths tell each from the one before it, names are numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

PARTS = 100
"""Places are counted in parts of a unit: a point, or a unit of a glyph, which is far smaller."""

PATH = re.compile(r'\bd="([^"]*)"')
SEGMENT = re.compile(r"([MLQCz])([^MLQCz]*)")
PLACE = re.compile(r'( [xy]="|translate\()(-?[\d.]+)(?: (-?[\d.]+))?')
GLYPH = re.compile(r'(<use xlink:href="[^"]*") transform="translate\((-?[\d.]+) 0\)"')
NAME = re.compile(r'(\bid="|xlink:href="#|url\(#)([^")]+)')
"""What a name stands behind, where it is given and where it is used."""


def shorter(svg: str, names: str) -> str:
    """An SVG, or a part of one, as Matplotlib writes it, in fewer bytes.

    Args:
        svg: the text.
        names: what its names are to begin with.
    """
    numbers: dict[str, str] = {}
    named = NAME.sub(lambda found: f"{found[1]}{names}{numbers.setdefault(found[2], str(len(numbers)))}", svg)
    glyphs = GLYPH.sub(r'\1 x="\2"', named)
    return PATH.sub(lambda found: f'd="{short_path(found[1])}"', PLACE.sub(_rounded, glyphs))


def short_path(path: str) -> str:
    """The data of a path, whose places are absolute (M, L, Q, C, z), with places from the one before.

    Args:
        path: the attribute ``d``.
    """
    words: list[str] = []
    implied = ""
    at = begin = (0, 0)
    for letter, numbers in SEGMENT.findall(path):
        if letter == "z":
            words.append("z")
            at, implied = begin, ""
            continue
        steps = []
        places = list(_pairs(numbers))
        for x, y in places:
            steps += [_written(x - at[0]), _written(y - at[1])]
        at = places[-1]
        if letter == "M":
            begin = at
        words.append(("" if letter == implied else letter.lower()) + _joined(steps))
        implied = "L" if letter == "M" else letter
    return _joined(words)


def _pairs(numbers: str) -> Iterator[tuple[int, int]]:
    values = [round(float(number) * PARTS) for number in numbers.split()]
    return zip(values[::2], values[1::2], strict=True)


def _rounded(found: re.Match[str]) -> str:
    numbers = [_written(round(float(number) * PARTS)) for number in found.groups()[1:] if number]
    return found[1] + " ".join(numbers)


def _written(parts: int) -> str:
    """A number of parts as a decimal, without zeros that say nothing."""
    text = f"{abs(parts) / PARTS:.2f}".rstrip("0").rstrip(".").removeprefix("0") or "0"
    return f"-{text}" if parts < 0 else text


def _joined(words: list[str]) -> str:
    """Words of a path, with a space where two numbers would run together."""
    return re.sub(r" (?=[-a-z])|(?<=[a-z]) ", "", " ".join(words))
