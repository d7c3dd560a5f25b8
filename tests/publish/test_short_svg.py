"""Shorter SVG: the same places, within a hundredth of a point, and the same names, by numbers."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headct.publish.figures.short_svg import shorter

OWN = "p12-"
NUMBERS = {"M": 2, "L": 2, "Q": 4, "C": 6}
WORD = re.compile(r"[a-z]|-?(?:\d+\.?\d*|\.\d+)")
HUNDREDTH = 0.01

place = st.floats(-2000, 2000, allow_nan=False).map(lambda value: round(value, 6))


@st.composite
def paths(draw: st.DrawFn) -> list[tuple[str, list[float]]]:
    """Segments of a path: each part begins with M, and may end with z."""
    segments: list[tuple[str, list[float]]] = []
    for _ in range(draw(st.integers(1, 3))):
        letters = ["M", *draw(st.lists(st.sampled_from("LLLQC"), max_size=6))]
        segments += [
            (letter, draw(st.lists(place, min_size=NUMBERS[letter], max_size=NUMBERS[letter])))
            for letter in letters
        ]
        if draw(st.booleans()):
            segments.append(("z", []))
    return segments


def written(segments: list[tuple[str, list[float]]]) -> str:
    """As Matplotlib writes a path."""
    lines = [" ".join([letter, *(f"{number:f}" for number in numbers)]) for letter, numbers in segments]
    return "\n".join(lines) + "\n"


def read(path: str) -> list[tuple[str, list[float]]]:
    """A path of relative places, by the rules of SVG (https://www.w3.org/TR/SVG11/paths.html)."""
    words = WORD.findall(path)
    assert "".join(words) == path.replace(" ", ""), "nothing else is in it"
    segments: list[tuple[str, list[float]]] = []
    at = begin = (0.0, 0.0)
    letter = ""
    while words:
        if words[0].isalpha():
            letter = words.pop(0).upper()
        if letter == "Z":
            segments.append(("z", []))
            at = begin
            continue
        count = NUMBERS[letter]
        steps, words = [float(word) for word in words[:count]], words[count:]
        numbers = [step + at[n % 2] for n, step in enumerate(steps)]
        at = (numbers[-2], numbers[-1])
        if letter == "M":
            begin = at
        segments.append((letter, numbers))
        letter = "L" if letter == "M" else letter
    return segments


@given(paths())
def test_a_path_leads_over_the_same_places(segments: list[tuple[str, list[float]]]) -> None:
    text = shorter(f'<path d="{written(segments)}"/>', OWN)
    found = re.fullmatch(r'<path d="([^"]*)"/>', text)
    assert found
    shown = read(found[1])
    assert [letter for letter, _ in shown] == [letter for letter, _ in segments]
    for (_, there), (_, wanted) in zip(shown, segments, strict=True):
        assert there == pytest.approx(wanted, abs=HUNDREDTH / 2 + 1e-6), "errors do not add up"


def test_long_lines_take_less_than_half() -> None:
    path = written([("M", [0.0, 100.0]), *(("L", [n / 7, 100.123456 + n % 5]) for n in range(1000))])
    assert len(shorter(f'<path d="{path}"/>', OWN)) < 0.45 * len(path)


@pytest.mark.parametrize(
    ("long", "short"),
    [
        (
            '<path id="DejaVuSans-44" d="M 1 2\nz\n"/><use xlink:href="#DejaVuSans-44"/>',
            '<path id="p12-0" d="m1 2z"/><use xlink:href="#p12-0"/>',
        ),
        (
            '<use xlink:href="#a" transform="translate(64.265625 0)"/>',
            '<use xlink:href="#p12-0" x="64.27"/>',
        ),
        ('<use xlink:href="#a" x="-0.001" y="7.1234"/>', '<use xlink:href="#p12-0" x="0" y="7.12"/>'),
        (
            '<g clip-path="url(#c)" transform="translate(1.0049 -2.5)">',
            '<g clip-path="url(#p12-0)" transform="translate(1 -2.5)">',
        ),
        ('<path d="M 0 0" transform="scale(0.015625)"/>', '<path d="m0 0" transform="scale(0.015625)"/>'),
        ('<image xlink:href="data:image/png;base64,aa"/>', '<image xlink:href="data:image/png;base64,aa"/>'),
    ],
)
def test_names_are_numbers_and_places_are_rounded(long: str, short: str) -> None:
    assert shorter(long, OWN) == short
