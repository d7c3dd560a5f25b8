"""Draw one figure: ``python -m headct figures FIGURE --out FIGURE.pdf …`` (the TSV goes beside it)."""

from __future__ import annotations

import argparse
import importlib

import matplotlib as mpl

from headct.contracts.declarations import PublishedFigure, declared
from headct.publish import options
from headct.publish.figures import style


def arguments() -> argparse.ArgumentParser:
    """The command line: one subcommand per figure."""
    return options.parser(
        declared(PublishedFigure), "figure", __doc__ or "", "the PDF; the TSV goes beside it"
    )


def main(args: argparse.Namespace) -> None:
    """Draw the figure asked for and write it; of all figures, its module alone is imported."""
    module = importlib.import_module(declared(PublishedFigure)[args.figure].module)
    if "width_mm" in args:
        args.width_mm -= 2 * style.MARGIN_MM
    with mpl.rc_context(style.PRINT):
        style.save(module.draw(args), args.out, f"{args.out.stem} ({args.study_title})")
