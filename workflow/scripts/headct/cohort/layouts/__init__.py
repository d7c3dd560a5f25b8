"""Layouts of data sets that ``headct sheet adopt`` knows: each module here but ``adopted`` is one.

A new one is a module in this folder, and nothing else (docs/how-to/extending.md): they are found by their
files.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headct.cohort.layouts.adopted import KnownLayout

EFFECT = "speed"  # what is written of a data set is read by the steps themselves

THE_CONTRACT = "adopted"


def all_layouts() -> dict[str, KnownLayout]:
    """The layouts by the word that names them: that of the module, with hyphens."""
    return {word: import_module(f"{__name__}.{word.replace('-', '_')}").LAYOUT for word in words()}


def words() -> list[str]:
    """The words that name the layouts, none of which is imported for it."""
    names = sorted(module.name for module in iter_modules(__path__) if module.name != THE_CONTRACT)
    return [name.replace("_", "-") for name in names]
