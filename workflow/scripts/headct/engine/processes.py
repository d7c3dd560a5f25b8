"""A function applied to many things in several processes, with progress."""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

EFFECT = "speed"  # where a function is applied, and what is told meanwhile

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 5.0

Input = TypeVar("Input")
Output = TypeVar("Output")


def in_processes(
    function: Callable[[Input], Output], tasks: Sequence[Input], processes: int, doing: str
) -> list[Output]:
    """``function`` of each task, in order; ``doing`` says in the log what is going on.

    With one process, or one task, it happens in this process: a fresh one costs seconds of imports.

    Args:
        function: what each process does; it must be one that can be pickled.
        tasks: its arguments, one each.
        processes: how many work side by side.
        doing: a clause for the log, as "nnU-Net takes fingerprints".
    """
    if min(processes, len(tasks)) <= 1:
        return list(_with_progress(map(function, tasks), len(tasks), doing))
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(processes, len(tasks)), mp_context=spawn) as pool:
        return list(_with_progress(pool.map(function, tasks), len(tasks), doing))


def _with_progress(results: Iterable[Output], total: int, doing: str) -> Iterator[Output]:
    last_message_s = time.monotonic()
    for done, result in enumerate(results, start=1):
        if time.monotonic() - last_message_s > SECONDS_BETWEEN_LINES:
            last_message_s = time.monotonic()
            logger.info("%s: %d/%d scans", doing, done, total)
        yield result
