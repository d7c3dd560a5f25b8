"""Draw one figure, as PDF, SVG and PNG, with the table of the numbers drawn beside them."""

from __future__ import annotations

import importlib
from collections.abc import Callable

import matplotlib as mpl

from headct.contracts.declarations import PublishedFigure, declared
from headct.publish import options
from headct.publish.figures import figure_files, style


def commands() -> dict[str, Callable[..., None]]:
    """A function for each figure, by its name."""
    return options.commands(declared(PublishedFigure), draw, "the PDF; all else goes beside it")


def draw(name: str, given: options.Options) -> None:
    """Draw a figure and write it; of all figures, its module alone is imported."""
    declaration = declared(PublishedFigure)[name]
    module = importlib.import_module(declaration.module)
    given.figure = name
    if hasattr(given, "width_mm"):
        given.width_mm -= 2 * style.MARGIN_MM
    with mpl.rc_context(style.PRINT):
        title = f"{given.out.stem} ({given.study_title})"
        figure_files.save(module.draw(given), given.out, title, declaration.pictures)
