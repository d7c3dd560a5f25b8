"""Draw one figure, as PDF, with the table of the numbers drawn beside it."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import matplotlib as mpl

from headct.contracts.declarations import PublishedFigure, declared
from headct.publish import options
from headct.publish.figures import style


def commands() -> dict[str, Callable[..., None]]:
    """A function for each figure, by its name."""
    return options.commands(declared(PublishedFigure), draw, "the PDF; the TSV goes beside it")


def draw(name: str, given: options.Options) -> None:
    """Draw a figure and write it; of all figures, its module alone is imported."""
    module = importlib.import_module(declared(PublishedFigure)[name].module)
    given.figure = name
    if hasattr(given, "width_mm"):
        given.width_mm -= 2 * style.MARGIN_MM
    with mpl.rc_context(style.PRINT):
        style.save(module.draw(given), given.out, f"{given.out.stem} ({given.study_title})")
