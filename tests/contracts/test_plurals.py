"""Numbers of things in running text, and nobody who writes them by hand."""

from __future__ import annotations

import re

import pytest

from headct.contracts.plurals import counted
from headct.contracts.repository import PACKAGE

BY_HAND = re.compile(r"""\{(''|"") if [^}]* else ('s'|"s")\}|\{('s'|"s") if [^}]*\}""")
"""An s that a condition adds to a noun."""


@pytest.mark.parametrize(
    ("n", "words", "text"),
    [
        (0, ("scan",), "0 scans"),
        (1, ("scan",), "1 scan"),
        (2, ("test scan",), "2 test scans"),
        (1732, ("image", "without a mask"), "1,732 images without a mask"),
        (1, ("image", "without a mask"), "1 image without a mask"),
    ],
)
def test_a_number_of_things(n: int, words: tuple[str, ...], text: str) -> None:
    assert counted(n, *words) == text


@pytest.mark.parametrize("text", ["{n} scan{'' if n == 1 else 's'}", "{n} scan{'s' if n > 1 else ''}"])
def test_a_plural_by_hand_is_known(text: str) -> None:
    assert BY_HAND.search(text)


def test_nobody_forms_a_plural_by_hand() -> None:
    found = {
        path.name: lines
        for path in PACKAGE.rglob("*.py")
        if (lines := [line for line in path.read_text().splitlines() if BY_HAND.search(line)])
        and path.name != "plurals.py"
    }
    assert found == {}
