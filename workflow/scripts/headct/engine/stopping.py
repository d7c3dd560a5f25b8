"""Ending a training in good order when a scheduler, a time limit or a person asks for it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from headct.engine.batches import STOP_SIGNALS

EFFECT = "speed"  # when a training stops; it goes on where it was


class StopRequest:
    """Which signal has asked for an end; empty as long as none has."""

    signal_name = ""


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Within the block the first stop signal is noted instead of obeyed; a second one is obeyed."""
    request = StopRequest()
    before: dict[signal.Signals, Any] = {}

    def note(number: int, _frame: FrameType | None) -> None:
        request.signal_name = signal.Signals(number).name
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in STOP_SIGNALS:
        before[number] = signal.signal(number, note)
    try:
        yield request
    finally:
        restore()
