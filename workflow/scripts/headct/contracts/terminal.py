"""Text on a terminal: what is printed can neither steer it nor look like something else."""

from __future__ import annotations

import io
import os
import re
import sys
import unicodedata


def visible(text: str) -> str:
    """The text with everything that does not show written as an escape: ``\\x1b``, ``\\n``, ``\\u202e``.

    Names of files and values of a configuration come from others, and may hold control sequences of
    terminals or marks that turn the direction of writing. Bytes of a name that are no UTF-8 (surrogates,
    as :func:`os.fsdecode` makes of them) are written as ``\\xff``.
    """
    return text if text.isprintable() else "".join(map(_visible_character, text))


def visible_lines(text: str) -> str:
    """As :func:`visible`, of a text of several lines: line breaks and tabs stay."""
    return re.sub(r"[^\n\t]+", lambda run: visible(run[0]), text)


def _visible_character(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":  # blanks of any width
        return character
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")


def say(text: str, end: str = "\n") -> None:
    """Print an answer; where its reader has gone (``| head``), the rest of it goes nowhere.

    The exit status thus stays the answer's, however much of it was read.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal of another encoding than UTF-8
    try:
        print(visible_lines(text), end=end, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
