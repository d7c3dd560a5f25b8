"""Importing large libraries in less time: nnU-Net imports thousands of modules before a training begins."""

from __future__ import annotations

import gc
import importlib
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
