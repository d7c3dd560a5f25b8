"""Tables of the study, each as TSV, HTML page and LaTeX.

A table is a module in this folder: its declaration, a :class:`headct.contracts.declarations.PublishedTable`,
and ``make(options)``, which reads its files and returns a :class:`headct.publish.tables.table_page.Table`.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from headct.contracts.artefacts import read_json, read_tsv, write_tsv
from headct.contracts.declarations import PublishedTable, declared
from headct.publish import options, pages
from headct.publish.tables import table_page
from headct.publish.tables.latex import latex

logger = logging.getLogger(__name__)


def commands() -> dict[str, Callable[..., None]]:
    """A function for each table, by its name."""
    out = "table to write, .tsv; .html and .tex beside it"
    return options.commands(declared(PublishedTable), tabulate, out)


def tabulate(name: str, given: options.Options) -> None:
    """Write a table; of all tables, its module alone is imported."""
    module = importlib.import_module(declared(PublishedTable)[name].module)
    table = module.make(given)
    notes = list(table.notes)
    if hasattr(given, "split") and hasattr(given, "cohort"):
        split = read_tsv(given.split)
        notes += [
            *table_page.repeated_participants(split),
            *table_page.lesions_not_tested(split, read_tsv(given.cohort)),
        ]
    evidence = read_json(given.evidence)["sha256"] if hasattr(given, "evidence") else ""
    write(replace(table, notes=notes), given.out, getattr(given, "title_note", ""), evidence)
    logger.info("%s", given.out.with_suffix(".html"))


def write(table: table_page.Table, out: Path, title_note: str, evidence: str = "") -> None:
    """Write ``out`` (TSV) with its siblings; ``title_note`` is printed behind the title.

    Args:
        table: that is written.
        out: path of the TSV.
        title_note: the study, behind the title.
        evidence: digest of what the numbers rest on.
    """
    write_tsv(table.numbers, out)
    texts = {
        ".html": table_page.html(table, title_note, evidence),
        ".tex": latex(table, title_note, evidence, out.stem),
    }
    for suffix, text in texts.items():
        pages.write(text, out.with_suffix(suffix))
