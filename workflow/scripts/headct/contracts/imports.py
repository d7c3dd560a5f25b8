"""Importing large libraries in less time: nnU-Net imports thousands of modules before a training begins."""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType

EFFECT = "speed"  # what is called is the same code


def imported(name: str) -> ModuleType:
    """Import a module without looking for garbage meanwhile: nearly all that an import makes stays.

    Raises:
        ImportError: as ``import`` does.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        return importlib.import_module(name)
    finally:
        gc.freeze()  # what is there by now is not looked through later, either
        if collecting:
            gc.enable()


@contextmanager
def sparing(unused: Sequence[str] = (), optional: Sequence[str] = ()) -> Iterator[None]:
    """What is imported meanwhile does without modules that it imports in case somebody calls for them.

    What was imported before is there as ever.

    Args:
        unused: modules that are imported as soon as one of their attributes is used, and not before.
        optional: packages that are not found, as if they were not installed.
    """
    finder = _Sparing(unused, optional)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Sparing(MetaPathFinder):
    """Finds modules before Python does, for :func:`sparing`."""

    def __init__(self, unused: Sequence[str], optional: Sequence[str]):
        self.unused, self.optional = unused, optional

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,  # noqa: ARG002 (every finder is given it)
    ) -> ModuleSpec | None:
        """How to load a module; None leaves it to Python."""
        if fullname in self.optional:
            raise ModuleNotFoundError(f"{fullname} is spared", name=fullname)
        spec = PathFinder.find_spec(fullname, path) if fullname in self.unused else None
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec
