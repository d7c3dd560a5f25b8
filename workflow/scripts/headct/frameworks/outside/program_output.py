"""What a user's program says, in bounds: its first and last lines, so that it fills neither log nor disk."""

from __future__ import annotations

from typing import IO

EFFECT = "speed"  # what a log has of a program's words, not what the program makes

OF_A_JOB = 1 << 20
"""Bytes of a log that the programs of one job may fill, as many with first as with last lines."""

OF_A_PROGRAM = 2048
"""Bytes that each may fill nevertheless, where a job runs a program for each of many scans."""


def limit_of(programs: int) -> int:
    """Bytes of first lines, and as many of last ones, that each of several programs of one job may fill."""
    return max(OF_A_JOB // programs, OF_A_PROGRAM) // 2


def relay(output: IO[bytes], log: IO[bytes], limit: int) -> None:
    """Hand on what a program says, until it ends: the first lines at once, the last ones at its end.

    Cut at the ends of lines, where there are any. What lies between is left out, and a line says how much.

    Args:
        output: of the program.
        log: what is written to.
        limit: bytes of first lines, and as many of last ones.
    """
    room, last, left_out = limit, b"", 0
    while chunk := output.read1(limit):  # type: ignore[attr-defined]  # BufferedReader has it
        end = len(chunk) if len(chunk) < room else chunk.rfind(b"\n", 0, room) + 1
        log.write(chunk[:end])
        log.flush()
        room = room - end if end == len(chunk) else 0
        last += chunk[end:]
        left_out += max(len(last) - limit, 0)
        last = last[-limit:]
    if left_out:
        begin = last.find(b"\n", 0, -1) + 1
        log.write(b"\n[%d bytes of what it said are left out here]\n" % (left_out + begin))
        last = last[begin:]
    log.write(last)
    log.flush()
