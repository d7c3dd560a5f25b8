"""Trainings of other processes that wait where a test wants them, so that no test races with their speed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HOOK = Path(__file__).parent / "holding"
"""Has a ``sitecustomize.py``, which Python imports at its start."""


class Holds:
    """By model, the checkpoint after which its training waits; a signal to stop ends the waiting, too."""

    def __init__(self, folder: Path):
        self.folder = folder
        for name in ("wanted", "waiting"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    @property
    def environment(self) -> dict[str, str]:
        """What trainings need in their environment."""
        return {"HEADCT_TEST_HOLDS": str(self.folder), "PYTHONPATH": str(HOOK)}

    def at(self, model: str, iteration: int) -> None:
        """Have a model wait after this iteration, which must leave a checkpoint; till then it goes on."""
        new = self.folder / f".{model}"
        new.write_text(str(iteration))
        new.replace(self.folder / "wanted" / model)

    def is_waiting(self, model: str, iteration: int) -> bool:
        """Whether a training of a model is at work and waits, after this iteration or a later one.

        What it said last outlives it; its number may be a zombie's by then, which has no words any more, or
        another process's.
        """
        try:
            process, waits_at = (self.folder / "waiting" / model).read_text().split()
            words = Path(f"/proc/{process}/cmdline").read_text().split("\0")
        except (OSError, ValueError):  # none waits yet, it is just being written, or it is over
            return False
        return {"train", model} <= set(words) and int(waits_at) >= iteration

    def release(self) -> None:
        """Let all trainings go on to their end."""
        for hold in (self.folder / "wanted").iterdir():
            hold.unlink()


def newest_checkpoint(runs: Path) -> int:
    """The iteration of the newest checkpoint of a model, in the folder of its runs; 0 if there is none."""
    return max((int(path.name.split("-")[1]) for path in runs.rglob("checkpoint-*.pth")), default=0)


def wait_for(happens: Callable[[], Any], what: str, timeout_s: float = 240) -> Any:
    """The first true value of ``happens()``, which is sure to come.

    Raises:
        TimeoutError: it did not come, within a time that says that something is wrong.
    """
    end = time.monotonic() + timeout_s
    while not (value := happens()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {timeout_s:.0f} s")
        time.sleep(0.1)
    return value
