"""Numbered batches, made ahead in worker processes and handed over in order.

Batch *k* is a pure function of (seed, fold, *k*), so it does not matter which process makes it: worker
*w* of *n* makes every *n*-th. Batches are handed over in anonymous memory, which pipes are several times
slower than; ``/dev/shm`` is often so small in containers and on cluster nodes that training hangs.

PyTorch's ``DataLoader`` is not used: its workers share locks with the training, and one that is killed
while it holds one (one kill in 200, measured) stops the training for ever. Here a worker shares nothing but
two pipes, each of which ends with the process at its other side.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections.abc import Generator, Iterable
from contextlib import suppress
from itertools import count, cycle
from multiprocessing.connection import Connection
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
"""By which schedulers and people ask for an end; a training then finishes its batch and saves."""

BATCHES_AHEAD = 2
"""Batches that each process makes before they are asked for."""


class NumberedBatches(Protocol):
    """All batches of a run, by number: images first, then what the network should make of them."""

    def __getitem__(self, number: int) -> tuple[np.ndarray, ...]: ...


class WorkerDied(RuntimeError):
    """A process that makes batches is gone."""


def in_order(
    batches: NumberedBatches, first: int, last: int | None, workers: int, device: str
) -> Generator[list[Tensor], None, None]:
    """Batches ``first`` to ``last`` (without it; None: for ever) on ``device``, in order.

    ``workers`` processes make them ahead, 0 for none. Closing the iterator ends the processes.

    Args:
        batches: made by number, each the same whoever makes it.
        first, last: numbers; ``last`` is left out, None goes on for ever.
        workers: processes that make batches ahead, 0 for none.
        device: to which the tensors go.

    Raises:
        WorkerDied: a worker was killed.
        MemoryError: a worker ran out of memory.
        RuntimeError: a worker could not make its batch.
    """
    team: list[_Worker] = []
    try:
        for number in range(workers):
            team.append(_Worker(batches, _numbers(first + number, last, workers), team))
        for number, worker in zip(_numbers(first, last, 1), cycle(team or [None])):
            arrays = batches[number] if worker is None else worker.next()
            yield [_on(device, array) for array in arrays]
    finally:
        for worker in team:
            worker.end()


def _numbers(first: int, last: int | None, step: int) -> Iterable[int]:
    return count(first, step) if last is None else range(first, last, step)


def _on(device: str, array: np.ndarray) -> Tensor:
    tensor = torch.as_tensor(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device == "cuda" else tensor


class _Worker:
    """A process that makes its batches in turn, as far ahead as there are slots of memory for them."""

    def __init__(self, batches: NumberedBatches, numbers: Iterable[int], others: Iterable[_Worker]):
        self.slots = [os.memfd_create("batch") for _ in range(BATCHES_AHEAD)]
        self.made, made = multiprocessing.Pipe(duplex=False)
        read, self.read = multiprocessing.Pipe(duplex=False)
        ends_of_parent = [end for worker in (*others, self) for end in (worker.made, worker.read)]
        self.process = multiprocessing.get_context("fork").Process(
            target=_work, args=(batches, numbers, self.slots, made, read, ends_of_parent), daemon=True
        )
        self.process.start()
        made.close()
        read.close()
        self.turns = cycle(self.slots)

    def next(self) -> list[np.ndarray]:
        """The worker's next batch."""
        try:
            n_arrays = self.made.recv()
        except EOFError:
            self.process.join()
            raise WorkerDied(f"exit status {self.process.exitcode}") from None
        if isinstance(n_arrays, Exception):
            raise n_arrays
        with open(next(self.turns), "rb", closefd=False) as memory:
            memory.seek(0)
            arrays = [np.load(memory) for _ in range(n_arrays)]
        with suppress(BrokenPipeError):  # it has made its last batch, or else is missed at the next
            self.read.send(None)
        return arrays

    def end(self) -> None:
        """End the process, whatever it is doing, and free the memory."""
        self.process.kill()
        self.process.join()
        for descriptor in self.slots:
            os.close(descriptor)
        self.made.close()
        self.read.close()


def _work(
    batches: NumberedBatches,
    numbers: Iterable[int],
    slots: list[int],
    made: Connection,
    read: Connection,
    ends_of_parent: list[Connection],
) -> None:
    """Make batches until all are made or nobody reads them; schedulers' signals are for the parent."""
    for stop in STOP_SIGNALS:
        signal.signal(stop, signal.SIG_IGN)
    for end in ends_of_parent:  # held open here, they would outlive the parent
        end.close()
    torch.set_num_threads(1)
    with suppress(EOFError, BrokenPipeError):
        for turn, number in enumerate(numbers):
            if turn >= len(slots):
                read.recv()  # the batch that was in this slot
            made.send(_into(slots[turn % len(slots)], batches, number))


def _into(slot: int, batches: NumberedBatches, number: int) -> int | Exception:
    """Make a batch; how many arrays it has, or why there is none."""
    try:
        batch = batches[number]
        with open(slot, "wb", closefd=False) as memory:
            memory.seek(0)
            for array in batch:
                np.save(memory, array)
    except MemoryError as error:
        return MemoryError(str(error))
    except Exception:
        return RuntimeError(f"batch {number} could not be made:\n{traceback.format_exc()}")
    return len(batch)
