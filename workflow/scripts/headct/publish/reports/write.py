"""Reports of a finished run: ``python -m headct report --help``."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from headct.contracts.artefacts import write_atomically
from headct.publish.reports import checklists, facts, methods, model_cards

logger = logging.getLogger(__name__)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    reports = parser.add_subparsers(required=True, dest="report", metavar="REPORT")
    for name, text, out in (
        (
            "checklists",
            "CLAIM 2024, TRIPOD+AI, STARD-AI, CONSORT-AI, filled in from the run",
            "page to write",
        ),
        ("model_cards", "what each model is for, from, and good for", "folder of the pages to write"),
        ("methods", "a methods section with this run's numbers and versions", "Markdown to write"),
    ):
        one = reports.add_parser(name, help=text, description=text)
        one.add_argument("--results", required=True, type=Path, help="folder of results")
        one.add_argument("--out", required=True, type=Path, help=out)
        if name == "checklists":
            one.add_argument("--checklists", required=True, nargs="+", type=Path, help="items, as YAML")
    return parser


def main(args: argparse.Namespace) -> None:
    run = facts.read(args.results)
    if args.report == "checklists":
        read = [checklists.read(path, run.config["reporting"]) for path in args.checklists]
        write(checklists.html(read, run), args.out)
        empty = checklists.missing_keys(read, run)
        logger.info("%s: %d keys of 'reporting' are still to be filled in", args.out, len(empty))
    elif args.report == "model_cards":
        for model in run.models:
            write(model_cards.html(model, run), args.out / f"{model}.html")
    else:
        write(methods.markdown(run), args.out)


def write(text: str, out: Path) -> None:
    """Write one page."""
    with write_atomically(out) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
