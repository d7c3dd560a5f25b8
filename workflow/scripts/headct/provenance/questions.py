"""The questions ``trace`` and ``why`` of ``python -I -m headct audit``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from headct.contracts.problems import BadInput, Problem
from headct.contracts.terminal import say
from headct.provenance.inside import no_code_from


def add_trace(tasks: Any) -> None:
    """The subcommand ``trace``."""
    parser = tasks.add_parser("trace", help="where a file, or a number in a table, comes from")
    parser.add_argument("file", nargs="?", help="a file of the results: results/figures/bland_altman.pdf")
    parser.add_argument(
        "--number",
        nargs="+",
        metavar="WORDS",
        help="a number: 'Table 1, Focal, IVH, mean', or FILE ROW COLUMN; it is computed again from its rows",
    )
    parser.add_argument("--results", type=Path, help="results folder; by default the one that FILE is in")
    parser.add_argument("--draw", type=Path, metavar="FILE", help="draw the lineage, as .svg or .html")
    parser.add_argument("--full", action="store_true", help="name every job and every row")
    parser.add_argument(
        "--repeat",
        action="store_true",
        help="repeat the jobs behind a number, by the installed code, on copies of their inputs",
    )
    parser.add_argument("--sheet", type=Path, help="sample sheet, which some jobs need and no results hold")
    parser.set_defaults(task=_trace)


def _trace(args: argparse.Namespace) -> None:
    # Imported here: sealing and verifying need no pandas.
    from headct.provenance import drawing, trace
    from headct.provenance.lineage import Study, lineage
    from headct.provenance.numbers import Tables

    if (args.file is None) == (args.number is None):
        raise BadInput([Problem("trace", "name a file, or a number with --number")])
    if args.draw and args.draw.suffix not in drawing.DRAWN:
        raise BadInput([Problem(str(args.draw), f"draws {' or '.join(drawing.DRAWN)}", key="--draw")])
    if args.sheet and not args.sheet.is_file():
        raise BadInput([Problem(str(args.sheet), "there is no such file", key="--sheet")])
    study = Study(args.results or results_of(args.file or args.number[0]))
    no_code_from(study.results)
    if args.draw and args.draw.resolve().is_relative_to(study.results.resolve()):
        raise BadInput([Problem(str(args.draw), "lies in the results, which stay as they are", key="--draw")])
    right = True
    if args.number:
        files = [args.sheet] if args.sheet else []
        place, words, right = trace.answer(Tables(study), args.number, args.repeat, args.full, files)
        path = place.path
    else:
        path = study.recorded_path(args.file)
        words = trace.words_of_file(study, path, args.full)
    say(words)
    if args.draw:
        drawing.draw(lineage(study, path), args.draw)
    if not right:
        raise SystemExit(1)


def add_why(tasks: Any) -> None:
    """The subcommand ``why``."""
    parser = tasks.add_parser("why", help="what would run again, and why: why -- SNAKEMAKE'S OPTIONS")
    parser.add_argument(
        "words",
        nargs="*",
        metavar="OPTION",
        help="after --: as for snakemake, --configfile FILE --directory FOLDER",
    )
    parser.set_defaults(task=_why)


def _why(args: argparse.Namespace) -> None:
    from headct.provenance import why  # imports all of Snakemake, which the other tasks need not have

    say(why.in_words(*why.planned(args.words)))


def results_of(named: str) -> Path:
    """The results folder that a path is in, or the one of the working directory."""
    for folder in Path(named).absolute().parents:
        if (folder / "audit" / "runs").is_dir():
            return folder
    return Path("results")
