"""Operators of a GPU that give the same result every time, and the names of those that do not."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

WARNING = re.compile(r"(\S+) does not have a deterministic implementation")


def choose_algorithms(deterministic: bool) -> None:
    """Let a GPU's libraries choose algorithms by speed, or by repeatability alone."""
    torch.backends.cudnn.benchmark = not deterministic
    if deterministic != torch.are_deterministic_algorithms_enabled():  # telling PyTorch imports its compiler
        torch.use_deterministic_algorithms(deterministic, warn_only=True)
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # asked for by cuBLAS


@contextmanager
def nondeterministic_operators() -> Iterator[set[str]]:
    """The operators that PyTorch warns of within the block: it has no deterministic form of them."""
    found: set[str] = set()
    show = warnings.showwarning

    def note(message: Warning | str, *arguments: Any, **options: Any) -> None:
        if named := WARNING.match(str(message)):
            found.add(named.group(1))
        show(message, *arguments, **options)

    warnings.showwarning = note
    try:
        yield found
    finally:
        warnings.showwarning = show
