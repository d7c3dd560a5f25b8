"""What every framework's adapter provides: a trained network that predicts one CT in three steps."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import SimpleITK as sitk
import torch

logger = logging.getLogger("headct.inference")

A = TypeVar("A")
T = TypeVar("T")


class Predictor(ABC):
    """A trained network, called with a native CT (HU, axes in LPS order).

    The steps are apart so that a scan can be prepared while the network is busy with the one before.

    Attributes:
        preparation: equal for networks that are fed the same, so that a scan is prepared once.
    """

    preparation: str

    @abstractmethod
    def prepare(self, ct: sitk.Image) -> Any:
        """What the network is fed."""

    @abstractmethod
    def infer(self, prepared: Any) -> Any:
        """What the network says, on its own grid."""

    @abstractmethod
    def restore(self, prepared: Any, inferred: Any) -> torch.Tensor:
        """Class probabilities on the grid of the CT, float32, (classes, z, y, x), on any device."""

    def __call__(self, ct: sitk.Image) -> np.ndarray:
        """Class probabilities on the grid of the CT, float32, (classes, z, y, x)."""
        prepared = self.prepare(ct)
        return self.restore(prepared, self.infer(prepared)).cpu().numpy()


def with_fallback(work: Callable[[A], T], ways: Mapping[str, A]) -> T:
    """The result of ``work`` in the first of some ways that does not run out of GPU memory.

    Args:
        work: takes the way in which to work.
        ways: each in words, for the log, and as what ``work`` takes; from fast to frugal.

    Raises:
        torch.OutOfMemoryError: from the last way.
    """
    for way, following in pairwise(ways):
        try:
            return work(ways[way])
        except torch.OutOfMemoryError:
            logger.warning("out of GPU memory with %s: goes on with %s", way, following)
        torch.cuda.empty_cache()  # after the exception, whose traceback holds on to the tensors
    return work(list(ways.values())[-1])


def on_gpu_first(work: Callable[[torch.device], T], doing: str, device: torch.device) -> T:
    """The result of ``work`` on a GPU while its memory suffices, else on the CPU.

    Args:
        work: takes the device on which to work.
        doing: words for the log that end before the device: "resampling on".
        device: the GPU; any other stands for the CPU.
    """
    ways = {f"{doing} the GPU": device} if device.type == "cuda" else {}
    return with_fallback(work, {**ways, f"{doing} the CPU": torch.device("cpu")})
