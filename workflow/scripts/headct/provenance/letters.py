"""Letters and their marks, as expressions: Python's ``re`` counts marks as no part of words."""

from __future__ import annotations

import itertools
import unicodedata


def _marks() -> str:
    """The inside of a class of all combining marks of the basic plane (Bengali, Tamil, Hebrew, …)."""
    places = [code for code in range(0x300, 0xFFFF) if unicodedata.category(chr(code)) in ("Mn", "Mc")]
    runs = itertools.groupby(enumerate(places), key=lambda pair: pair[1] - pair[0])
    spans = [[code for _, code in run] for _, run in runs]
    return "".join(f"\\u{span[0]:04x}-\\u{span[-1]:04x}" for span in spans)


MARKS = _marks() + r"\u200c\u200d"
"""With the joiners that stand within words of Persian and of Indic scripts; inside of a class."""
LETTER = r"[^\W\d_]"
"""One that is no mark; each word begins with one."""
WORD = rf"[^\W_](?:[^\W_]|[{MARKS}])*"
"""Letters, marks and digits."""
WITHOUT_PARTS = str.maketrans("øđıłæœßðəØĐŁ", "odilaosdeodl")
"""Small letters of Latin for those that are no letter with a mark, one for one."""
