"""nnU-Net's way of making a batch with one thread, in less time.

It looks for all libraries that compute in threads at each batch, which takes as long as to augment a patch;
here they are found once in a process.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from nnunetv2.training.dataloading import data_loader
from threadpoolctl import ThreadpoolController

EFFECT = "speed"  # as many threads as before


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()


def _limited(limits: int, user_api: str | None) -> Any:
    """A context in which the libraries compute with so many threads."""
    return _libraries().limit(limits=limits, user_api=user_api)


def find_libraries_once() -> None:
    """Have nnU-Net's loader use what was found at the first batch, here and in processes that are forked."""
    data_loader.threadpool_limits = _limited
