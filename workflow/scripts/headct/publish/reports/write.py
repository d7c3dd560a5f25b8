"""Write one report of a finished run: ``python -m headct report --help``."""

from __future__ import annotations

import argparse
import importlib

from headct.contracts.artefacts import write_atomically
from headct.contracts.declarations import PublishedReport, declared
from headct.publish import options
from headct.publish.reports import facts


def arguments() -> argparse.ArgumentParser:
    """The command line: one subcommand per report."""
    out = "the page to write; the folder of its pages, where there is one for each model"
    return options.parser(declared(PublishedReport), "report", __doc__ or "", out)


def main(args: argparse.Namespace) -> None:
    """Write the pages of the report asked for."""
    module = importlib.import_module(declared(PublishedReport)[args.report].module)
    for path, text in module.pages(facts.read(args.results), args):
        with write_atomically(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")
