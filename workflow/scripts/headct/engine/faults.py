"""What goes wrong in a training for the machine's sake, or the loss's, in words that help."""

from __future__ import annotations

import math
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from headct.contracts.artefacts import NO_ROOM
from headct.engine.batches import WorkerDied
from headct.engine.training_job import TrainingJob
from headct.settings.models import TrainingInEpochs

EFFECT = "speed"  # what is said when a training can't go on

LOSSES_IN_FLIGHT = 8
"""Batches that a GPU may be ahead of the check of their loss."""


class LossWatch:
    """Stops a run at the batch whose loss is no number, and keeps that batch for inspection.

    The device is never waited for: on a GPU each loss is looked at once it has arrived, a few batches
    later; until then its batch is remembered.
    """

    def __init__(self, job: TrainingJob[TrainingInEpochs], folder: Path):
        self.job, self.folder = job, folder
        self.in_flight: deque[tuple[int, list[Tensor], Tensor, torch.cuda.Event | None]] = deque()

    def add(self, number: int, batch: list[Tensor], loss: Tensor) -> None:
        """Take note of the loss of batch ``number``, and check those that have arrived.

        Raises:
            FloatingPointError: a loss is infinite or not a number; its batch is written out.
        """
        event = None
        if loss.is_cuda:
            loss = loss.to("cpu", non_blocking=True)
            event = torch.cuda.Event()
            event.record()
        self.in_flight.append((number, batch, loss, event))
        while self.in_flight and (len(self.in_flight) > LOSSES_IN_FLIGHT or self._oldest_has_arrived()):
            self._check()

    def check_all(self) -> None:
        """Wait for every loss and check it: nothing may be saved before."""
        while self.in_flight:
            self._check()

    def _oldest_has_arrived(self) -> bool:
        event = self.in_flight[0][3]
        return event is None or bool(event.query())

    def _check(self) -> None:
        number, batch, loss, event = self.in_flight.popleft()
        if event is not None:
            event.synchronize()
        if math.isfinite(value := float(loss)):
            return
        dump = self.folder / f"not-finite-batch-{number}.pth"
        torch.save({"batch": number, "loss": value, "tensors": [part.cpu() for part in batch]}, dump)
        raise FloatingPointError(
            f"{self.job.model}: the loss of batch {number} is {value}. The batch is in {dump}; the last "
            "checkpoint is from before it. A lower learning rate may help"
        )


@contextmanager
def explained(job: TrainingJob[TrainingInEpochs], at_batch: Callable[[], int]) -> Iterator[None]:
    """Turn errors of memory and of data workers within the block into advice.

    Raises:
        RuntimeError: with what happened, at which batch, and what to change.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise RuntimeError(
            f"{job.model}: the GPU ran out of memory at batch {at_batch()} ({_gpu_memory()}). The last "
            "checkpoint is kept. Use a GPU with more memory, or make the batch or the patch smaller "
            f"in the config. {_first_line(error)}"
        ) from error
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
            reason = "the memory of this machine is exhausted: raise resources.train.mem_mb"
        elif isinstance(error, WorkerDied):
            reason = (
                "a process that makes batches died, often for want of memory: raise "
                "resources.train.mem_mb, or set fewer workers"
            )
        else:
            raise
        raise RuntimeError(
            f"{job.model}: stopped at batch {at_batch()}; {reason}. The last checkpoint is kept. "
            f"{_first_line(error)}"
        ) from error


@contextmanager
def room_for_checkpoint(job: TrainingJob[TrainingInEpochs], folder: Path) -> Iterator[None]:
    """Say what a full disk means for the run.

    Raises:
        OSError: the checkpoint could not be written; those before it are still there.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        free_mb = shutil.disk_usage(folder).free / 1e6
        raise OSError(
            error.errno,
            f"{job.model}: no room for a checkpoint, {free_mb:.0f} MB are free. The checkpoint before it is "
            "kept; make room and run again",
            str(folder),
        ) from error


def _gpu_memory() -> str:
    if not torch.cuda.is_available():
        return "no GPU"
    free, total = (value / 2**30 for value in torch.cuda.mem_get_info())
    return f"{torch.cuda.get_device_name()}, {total:.1f} GiB, of which {free:.1f} GiB free"


def _first_line(error: BaseException) -> str:
    return f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''})"
