"""Randomness of a training run: batch *k* is a pure function of (seed, fold, *k*).

Who makes the batch, in which process and after which others, does not matter; so a run is the same
whatever the number of data workers, and a run that was killed and resumed is the one that was not.
"""

from __future__ import annotations

import random

import numpy as np

_WEIGHTS, _BATCH, _STEP = 0, 1, 2
_EVERY_SCAN = 2**32 - 1  # stands for fold "all", which is no number


def _sequence(seed: int, fold: str, *stream: int) -> np.random.SeedSequence:
    return np.random.SeedSequence([seed, _EVERY_SCAN if fold == "all" else int(fold), *stream])


def _seed_everything(sequence: np.random.SeedSequence) -> None:
    import torch

    for_python, for_numpy, for_torch = (int(word) for word in sequence.generate_state(3))
    random.seed(for_python)
    np.random.seed(for_numpy)
    # torch.manual_seed does these two, and where no GPU is in use it also keeps, for when one will be, each
    # seed with the stack of its caller: milliseconds and kilobytes a call, twice for each batch.
    torch.default_generator.manual_seed(for_torch)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(for_torch)


def initialise(seed: int, fold: str) -> None:
    """Seed Python, NumPy and PyTorch for what comes before the first batch: the initial weights."""
    import torch

    _seed_everything(_sequence(seed, fold, _WEIGHTS))
    torch.manual_seed(torch.initial_seed())  # a GPU too that is not in use yet


def seed_batch(seed: int, fold: str, batch: int) -> None:
    """Seed Python, NumPy and PyTorch for drawing and augmenting batch number ``batch``."""
    _seed_everything(_sequence(seed, fold, _BATCH, batch))


def seed_step(seed: int, fold: str, batch: int) -> None:
    """Seed Python, NumPy and PyTorch for learning from batch number ``batch`` (dropout)."""
    _seed_everything(_sequence(seed, fold, _STEP, batch))


def batch_rng(seed: int, fold: str, batch: int) -> np.random.Generator:
    """A generator of its own for batch number ``batch``."""
    return np.random.default_rng(_sequence(seed, fold, _BATCH, batch))
