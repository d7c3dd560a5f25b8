"""Numbered batches, made ahead in worker processes and handed over in order.

Batch *k* is a pure function of (seed, fold, *k*), so it does not matter which process makes it. Batches
are handed over in anonymous memory, which pipes are several times slower than. PyTorch's tensors would be
in ``/dev/shm``, which in containers and on cluster nodes is often so small that training hangs.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Generator
from itertools import count
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
"""By which schedulers and people ask for an end; a training then finishes its batch and saves."""


class NumberedBatches(Protocol):
    """All batches of a run, by number: images first, then what the network should make of them."""

    def __getitem__(self, number: int) -> tuple[np.ndarray, ...]: ...


BATCHES_AHEAD = 2
"""Batches that each process makes before they are asked for."""


class _Batch(tuple[np.ndarray, ...]):
    """Arrays that the loader's own thread turns into pinned tensors, where a GPU will read them."""

    def pin_memory(self) -> list[Tensor]:
        return [torch.from_numpy(array).pin_memory() for array in self]


class _InSlot:
    """A batch that is copied to a slot of memory; it gets to another process as a :class:`_Batch`."""

    def __init__(self, batch: tuple[np.ndarray, ...], slot: int):
        self.slot, self.n_arrays = slot, len(batch)
        with open(slot, "wb", closefd=False) as memory:
            memory.seek(0)
            for array in batch:
                np.save(memory, array)

    def __reduce__(self) -> tuple[Any, ...]:
        return _read, (self.slot, self.n_arrays)


def _read(slot: int, n_arrays: int) -> _Batch:
    with open(slot, "rb", closefd=False) as memory:
        memory.seek(0)
        return _Batch(np.load(memory) for _ in range(n_arrays))


class _Slots(Dataset["_Batch | _InSlot"]):
    """The batches, in a slot of memory each, by its descriptor; as they are without any slot.

    There are as many slots as batches that may be under way: the loader has batch *k* + *slots* made
    once it has read batch *k*.
    """

    def __init__(self, batches: NumberedBatches, slots: int):
        self.batches = batches
        self.slots = [os.memfd_create("batch") for _ in range(slots)]

    def __getitem__(self, number: int) -> _Batch | _InSlot:
        batch = self.batches[number]
        if not self.slots:
            return _Batch(batch)
        return _InSlot(batch, self.slots[number % len(self.slots)])

    def close(self) -> None:
        for slot in self.slots:
            os.close(slot)


def in_order(
    batches: NumberedBatches, first: int, last: int | None, workers: int, device: str
) -> Generator[list[Tensor], None, None]:
    """Batches ``first`` to ``last`` (without it; None: for ever) on ``device``, in order.

    ``workers`` processes make them ahead, 0 for none. Closing the iterator ends the processes.

    Raises:
        RuntimeError: a worker died, or could not make its batch.
    """
    slots = _Slots(batches, BATCHES_AHEAD * workers)
    loader = DataLoader(
        slots,
        batch_size=None,
        sampler=count(first) if last is None else range(first, last),
        num_workers=workers,
        prefetch_factor=BATCHES_AHEAD if workers else None,
        multiprocessing_context="fork" if workers else None,  # which hands on the slots
        collate_fn=lambda batch: batch,
        worker_init_fn=_leave_stopping_to_the_parent,
        pin_memory=device == "cuda",
    )
    others = set(multiprocessing.active_children())
    made = iter(loader)
    processes = set(multiprocessing.active_children()) - others
    try:
        for arrays in made:
            yield [torch.as_tensor(array).to(device, non_blocking=True) for array in arrays]
    finally:
        del made  # asks the workers to end
        for process in processes:
            process.kill()  # one that waits for a lock that another died with can't
        slots.close()


def _leave_stopping_to_the_parent(_worker: int) -> None:
    """Schedulers signal every process of a job, but the batch in progress is to be finished.

    A worker ends when its parent says so, or is gone. PyTorch's own watch for that is not enough: a
    worker that still has a batch in its pipe, which nobody will read, would wait for ever.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
