"""Whether slices are parts of one stack, by their places; every number is written out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headct.imaging.parts import Places, are_neighbours, are_parts, follow_each_other

RATIO = 1.9


def places(positions: Sequence[float], thickness: float = 5.0) -> Places:
    return Places(np.array(positions, float), np.full(len(positions), thickness))


WHOLE = range(0, 150, 5)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (places(WHOLE[:12]), places(WHOLE[12:]), True),
        (places(WHOLE[12:]), places(WHOLE[:12]), True),
        (places([*WHOLE[:12], *WHOLE[16:]]), places(WHOLE[12:16]), True),
        (places(WHOLE[:12]), places(WHOLE[10:]), True),
        (places(WHOLE[::2]), places(WHOLE[1::2]), True),
        (places(WHOLE), places(WHOLE), False),
        (places(WHOLE), places(range(150), 1.0), False),
        (places(WHOLE), places(np.array(WHOLE) + 2.5), False),
        (places(WHOLE[::2], np.nan), places(WHOLE[1::2], np.nan), False),
        (places(WHOLE), places(WHOLE[5:9]), False),
        (places(WHOLE), places([-60.0]), False),
        (places(WHOLE), places([-5.0]), True),
        (places(WHOLE), places(np.array(WHOLE) - 400), False),
        (places(np.arange(0, 56, 4.0), 4.0), places(53.08 + 7 * np.arange(14), 7.0), True),
    ],
)
def test_parts(first: Places, second: Places, expected: bool) -> None:
    assert are_parts(first, second, RATIO) is expected
    assert are_parts(second, first, RATIO) is expected


def test_parts_that_overlap_or_alternate_do_not_follow_each_other() -> None:
    assert follow_each_other([places(WHOLE[:12]), places(WHOLE[12:])], RATIO)
    assert follow_each_other([places([*WHOLE[:12], *WHOLE[16:]]), places(WHOLE[12:16])], RATIO)
    assert not follow_each_other([places(WHOLE[::2]), places(WHOLE[1::2])], RATIO)
    assert not follow_each_other([places(WHOLE[:12]), places(np.array(WHOLE[10:]) + 2)], RATIO)
    assert not follow_each_other([places(WHOLE[:12]), places(WHOLE[11:])], RATIO)


def test_neighbours_leave_no_room_for_a_lost_slice() -> None:
    assert are_neighbours(places(WHOLE[:12]), places(WHOLE[12:]), RATIO)
    assert not are_neighbours(places(WHOLE[:12]), places(WHOLE[13:]), RATIO)
    assert are_neighbours(places(WHOLE[:12]), places(WHOLE[10:]), RATIO)
    assert not are_neighbours(places(WHOLE[:12]), places(WHOLE[9:]), RATIO)


@given(
    gaps=st.lists(st.floats(1.0, 1.8), min_size=3, max_size=40),
    cut=st.integers(2, 38),
)
def test_a_stack_that_is_cut_in_two_is_two_parts(gaps: list[float], cut: int) -> None:
    positions = np.concatenate([[0.0], np.cumsum(gaps)])
    cut = min(cut, len(positions) - 2)
    lower, upper = places(positions[:cut], 1.0), places(positions[cut:], 1.0)
    assert are_parts(lower, upper, RATIO)
    assert follow_each_other([upper, lower], RATIO)
    assert not are_parts(places(positions, 1.0), upper, RATIO)
