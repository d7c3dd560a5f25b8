"""Tables of the study, each as TSV, HTML page and LaTeX: ``python -m headct tables --help``.

A table is a module in this folder: its declaration, a :class:`headct.contracts.declarations.PublishedTable`,
and ``make(options)``, which reads its files and returns a :class:`headct.publish.tables.page.Table`.
"""

from __future__ import annotations

import argparse
import importlib
import logging
from dataclasses import replace
from pathlib import Path

from headct.contracts.artefacts import read_json, read_tsv, write_atomically, write_tsv
from headct.contracts.declarations import PublishedTable, declared
from headct.publish import options
from headct.publish.tables import page
from headct.publish.tables.latex import latex

logger = logging.getLogger(__name__)


def arguments() -> argparse.ArgumentParser:
    """The command line: one subcommand per table."""
    return options.parser(
        declared(PublishedTable), "table", __doc__ or "", "table to write, .tsv; .html and .tex beside it"
    )


def main(args: argparse.Namespace) -> None:
    """Write the table asked for; of all tables, its module alone is imported."""
    module = importlib.import_module(declared(PublishedTable)[args.table].module)
    table = module.make(args)
    notes = list(table.notes)
    if {"split", "cohort"} <= vars(args).keys():
        split = read_tsv(args.split)
        notes += [*page.repeated_participants(split), *page.lesions_not_tested(split, read_tsv(args.cohort))]
    evidence = read_json(args.evidence)["sha256"] if "evidence" in args else ""
    write(replace(table, notes=notes), args.out, vars(args).get("title_note", ""), evidence)
    logger.info("%s", args.out.with_suffix(".html"))


def write(table: page.Table, out: Path, title_note: str, evidence: str = "") -> None:
    """Write ``out`` (TSV) with its siblings; ``title_note`` is printed behind the title."""
    write_tsv(table.numbers, out)
    for suffix, form in ((".html", page.html), (".tex", latex)):
        text = form(table, title_note, evidence)
        with write_atomically(out.with_suffix(suffix)) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")
