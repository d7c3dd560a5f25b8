"""What a user's program says reaches the log in bounds: first and last lines, and how much lies between."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from headct.frameworks.outside.program_output import OF_A_JOB, OF_A_PROGRAM, limit_of, relay

LEFT_OUT = re.compile(rb"\n\[(\d+) bytes of what it said are left out here\]\n")


class Pieces(io.BytesIO):
    """A pipe, from which text comes in pieces of these lengths, again and again."""

    def __init__(self, text: bytes, lengths: list[int]) -> None:
        super().__init__(text)
        self.lengths = lengths

    def read1(self, size: int | None = -1, /) -> bytes:
        self.lengths = [*self.lengths[1:], self.lengths[0]]
        return super().read1(min(self.lengths[0], size or 1))


def relayed(said: bytes, limit: int, lengths: list[int] | None = None) -> bytes:
    log = io.BytesIO()
    relay(Pieces(said, lengths or [len(said) + 1]), log, limit)
    return log.getvalue()


@given(
    st.lists(st.binary(max_size=12)).map(b"\n".join),
    st.integers(1, 40),
    st.lists(st.integers(1, 50), min_size=1, max_size=5),
)
@example(b"a" * 100, 8, [50])
@example(b"\n" * 100, 8, [3])
def test_a_log_has_both_ends_and_the_count_of_what_is_between(
    said: bytes, limit: int, lengths: list[int]
) -> None:
    log = relayed(said, limit, lengths)
    if len(said) <= limit:
        assert log == said
        return
    told = LEFT_OUT.search(log)
    if told is None:
        assert log == said
        return
    first, last = log[: told.start()], log[told.end() :]
    assert len(first) <= limit
    assert 0 < len(last) <= limit
    assert said.startswith(first)
    assert said.endswith(last)
    assert len(first) + int(told[1]) + len(last) == len(said)


def test_it_is_cut_between_lines() -> None:
    lines = [b"line %d: \xe2\x9c\x93\n" % number for number in range(1000)]
    log = relayed(b"".join(lines), 200).splitlines(keepends=True)
    begin = log.index(b"\n")
    assert log[:begin] == lines[:begin]
    assert log[begin + 2 :] == lines[-len(log) + begin + 2 :]


def test_the_last_line_is_there_however_long() -> None:
    assert relayed(b"begin\n" + b"x" * 1000 + b"\n", 10).endswith(b"x" * 9 + b"\n")


def test_the_programs_of_a_job_share_the_room() -> None:
    """Of one program half a MiB from each end; of a thousand, 1 KiB, which no number makes less."""
    limits = [limit_of(programs) for programs in (1, 2, 10, 512, 1000, 100_000)]
    assert limits[0] == OF_A_JOB // 2
    assert limits[-1] == OF_A_PROGRAM // 2
    assert all(former >= later for former, later in pairwise(limits))


def test_a_program_that_says_gigabytes_needs_no_memory() -> None:
    """One that prints a quarter of one, without a line's end, in the memory of a few chunks."""
    code = (
        "import sys; [sys.stdout.write('x' * 2**20) for _ in range(256)]; print('the end', file=sys.stderr)"
    )
    relaying = (
        "import resource, subprocess, sys;"
        "from headct.frameworks.outside.program_output import relay, limit_of;"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        f"said = subprocess.Popen([sys.executable, '-c', {code!r}], stdout=-1, stderr=-2).stdout;"
        "relay(said, sys.stdout.buffer, limit_of(1));"
        "grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before;"
        "sys.exit(grown > 2**15)"
    )
    done = subprocess.run([sys.executable, "-c", relaying], capture_output=True, check=True)
    assert len(done.stdout) < OF_A_JOB + 100
    assert done.stdout.endswith(b"xthe end\n")
