"""Numbered batches, made ahead in worker processes and handed over in order.

Batch *k* is a pure function of (seed, fold, *k*), so it does not matter which process makes it. Batches
travel between processes through pipes, as arrays: tensors would need shared memory, of which
containers and cluster nodes often have so little that training hangs.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Generator
from itertools import count
from typing import Protocol, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
"""By which schedulers and people ask for an end; a training then finishes its batch and saves."""


class NumberedBatches(Protocol):
    """All batches of a run, by number: images first, then what the network should make of them."""

    def __getitem__(self, number: int) -> tuple[np.ndarray, ...]: ...


class _Batch(tuple[np.ndarray, ...]):
    """Arrays that the loader's own thread turns into pinned tensors, where a GPU will read them."""

    def pin_memory(self) -> list[Tensor]:
        return [torch.from_numpy(array).pin_memory() for array in self]


def in_order(
    batches: NumberedBatches, first: int, last: int | None, workers: int, device: str
) -> Generator[list[Tensor], None, None]:
    """Batches ``first`` to ``last`` (without it; None: for ever) on ``device``, in order.

    ``workers`` processes make them ahead, 0 for none. Closing the iterator ends the processes.

    Raises:
        RuntimeError: a worker died, or could not make its batch.
    """
    loader = DataLoader(
        cast("Dataset[tuple[np.ndarray, ...]]", batches),
        batch_size=None,
        sampler=count(first) if last is None else range(first, last),
        num_workers=workers,
        collate_fn=_Batch,
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
