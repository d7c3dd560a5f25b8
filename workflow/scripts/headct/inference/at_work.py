"""Which scans a run is at work on, noted on disk: a scan that kills the process leaves no other word.

A crash of a decoder, or the machine's killer of what needs too much memory, ends the process at once. The
scan would stand in the same place at the next run, and cost all behind it every time.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from headct.contracts.artefacts import read_json, write_json
from headct.contracts.problems import Stopped

NOTE = "at_work.json"
AT_WORK, PASSED_OVER = "at_work", "passed_over"


def _stop(_signum: int, _frame: FrameType | None) -> None:
    raise Stopped("asked to end: the same command goes on with the scans that are left")


class AtWork:
    """The note of one folder of predictions; it names scans by the SHA-256 of their files alone.

    It is there while scans are being read, predicted or written, and after that only if some are passed over.

    Attributes:
        passed_over: scans with which alone at work an earlier run ended without a word.
        doubtful: scans of which one did that, and no one knows which: each is to be tried on its own.
    """

    def __init__(self, folder: Path):
        self.path = folder / NOTE
        self._lock = threading.Lock()  # scans are read and written in threads of their own
        left, passed_over = self._read()
        self.passed_over = passed_over | (left if len(left) == 1 else set())
        self.doubtful = left - self.passed_over
        self._now: set[str] = set()

    def _read(self) -> tuple[set[str], set[str]]:
        try:
            note = read_json(self.path)
            return set(note[AT_WORK]), set(note[PASSED_OVER])
        except (
            OSError,
            ValueError,
            LookupError,
            TypeError,
        ):  # none, or one that a kill or a hand has damaged
            return set(), set()

    def begin(self, scan: str) -> None:
        """Note a scan before it is read."""
        with self._lock:
            self._now.add(scan)
            self._write()

    def end(self, scan: str) -> None:
        """Strike a scan out, whatever became of it."""
        with self._lock:
            self._now.discard(scan)
            self.doubtful.discard(scan)
            self._write()

    @contextmanager
    def struck_out_at_the_end(self) -> Iterator[None]:
        """Strike out all that are at work once the block ends in good order, by whatever error.

        Raises:
            Stopped: the process was asked to end (TERM), as a cluster does; no scan is to blame for that.
        """
        before = signal.signal(signal.SIGTERM, _stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)
            with self._lock:
                self._now.clear()
                self._write()

    def _write(self) -> None:
        """Those in doubt stay noted until they are tried, or a second kill would make them free of it."""
        left = self._now or self.doubtful
        if left or self.passed_over:
            write_json({AT_WORK: sorted(left), PASSED_OVER: sorted(self.passed_over)}, self.path)
        else:
            self.path.unlink(missing_ok=True)
