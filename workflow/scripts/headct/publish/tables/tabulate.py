"""Tables of the study, each as TSV, HTML page and LaTeX: ``python -m headct tables --help``."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd

from headct.contracts.artefacts import read_json, read_tsv, write_atomically, write_tsv
from headct.contracts.problems import BadInput, Problem
from headct.publish.tables import (
    page,
    planned_comparison,
    published_vs_reproduced,
    table1,
    table2,
    table_e1,
    table_e2,
    training_times,
)
from headct.publish.tables.latex import latex
from headct.settings import published

logger = logging.getLogger(__name__)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    tables = parser.add_subparsers(required=True, metavar="TABLE")

    def table(
        name: str, make: Callable[[argparse.Namespace], page.Table], text: str
    ) -> argparse.ArgumentParser:
        one = tables.add_parser(name, help=text, description=text)
        one.set_defaults(make=make)
        one.add_argument(
            "--out", required=True, type=Path, help="table to write, .tsv; .html and .tex beside it"
        )
        one.add_argument("--title-note", default="", help="printed behind the title, in brackets")
        return one

    statistics = (
        table("table1", _table1, "Dice, detection and Dice over present lesions, per model"),
        table("table2", _table2, "training against test set"),
        table("table_e2", _table_e2, "volume intersection and false positives, per model"),
        table("planned_comparison", _planned, "which differences are real, by the analysis plan"),
        table("published_vs_reproduced", _comparison, "each published number beside this run's"),
    )
    for one in statistics:
        one.add_argument("--statistics", required=True, type=Path, help="folder of headct.statistics")
        one.add_argument("--evidence", type=Path, help="of headct.publish.evidence; its digest is printed")
        one.add_argument("--split", type=Path, help="split.tsv; a note tells of repeated participants in it")
        one.add_argument(
            "--cohort", type=Path, help="cohort.tsv; a note tells of lesions that no test scan has"
        )
    statistics[-1].add_argument(
        "--published", type=Path, default=published.FOLDER, help="folder of the published numbers"
    )
    training = (
        table("table_e1", _table_e1, "what each model was, from the records of training"),
        table("training_times", _training_times, "wall time of each training run"),
    )
    for one in training:
        one.add_argument(
            "--train-records", required=True, nargs="+", type=Path, metavar="FILE", help="train.json files"
        )
        one.add_argument("--models", required=True, nargs="+", metavar="KEY", help="models, in order")
    training[0].add_argument(
        "--ensembles", type=json.loads, default={}, help='JSON: {"ensemble": ["member", …]}'
    )
    for one in (statistics[0], *statistics[2:4], *training):
        one.add_argument("--titles", type=json.loads, default={}, help='JSON: {"model key": "title"}')
    return parser


def main(args: argparse.Namespace) -> None:
    evidence, split, cohort_file = (getattr(args, name, None) for name in ("evidence", "split", "cohort"))
    table = args.make(args)
    notes = list(table.notes)
    if split:
        notes += page.repeated_participants(read_tsv(split))
        notes += page.lesions_not_tested(read_tsv(split), read_tsv(cohort_file)) if cohort_file else []
    digest = read_json(evidence)["sha256"] if evidence else ""
    write(replace(table, notes=notes), args.out, args.title_note, digest)
    logger.info("%s", args.out.with_suffix(".html"))


def write(table: page.Table, out: Path, title_note: str, evidence: str = "") -> None:
    """Write ``out`` (TSV) with its siblings; ``title_note`` is printed behind the title."""
    write_tsv(table.numbers, out)
    for suffix, form in ((".html", page.html), (".tex", latex)):
        text = form(table, title_note, evidence)
        with write_atomically(out.with_suffix(suffix)) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")


def _statistics(folder: Path, *names: str) -> dict[str, pd.DataFrame]:
    return {name: read_tsv(folder / f"{name}.tsv", note=str) for name in names}


def _table1(args: argparse.Namespace) -> page.Table:
    names = ("dice_summary", "dice_present_summary", "kruskal_wallis", "dunn")
    return table1.table_1(_statistics(args.statistics, *names), args.titles)


def _table2(args: argparse.Namespace) -> page.Table:
    return table2.table_2(_statistics(args.statistics, "cohort_tests")["cohort_tests"])


def _table_e2(args: argparse.Namespace) -> page.Table:
    return table_e2.table_e2(_statistics(args.statistics, "volume_overlap"), args.titles)


def _planned(args: argparse.Namespace) -> page.Table:
    return planned_comparison.planned_comparison(
        _statistics(args.statistics, *planned_comparison.NEEDED), args.titles
    )


def _comparison(args: argparse.Namespace) -> page.Table:
    return published_vs_reproduced.published_vs_reproduced(
        published.numbers(args.published),
        _statistics(
            args.statistics, "dice_summary", "agreement", "cohort_tests", "claims", "dice_present_summary"
        ),
        published.model_names(args.published),
        published.prior_work(args.published),
    )


def _table_e1(args: argparse.Namespace) -> page.Table:
    records = [read_json(path) for path in args.train_records]
    trained = {record["model"] for record in records}
    untrained = [
        Problem("--train-records", "no record of this model's training", key="model", value=model)
        for model in args.models
        if model not in trained and model not in args.ensembles
    ]
    if untrained:
        raise BadInput(untrained)
    return table_e1.table_e1(records, args.models, args.titles, args.ensembles)


def _training_times(args: argparse.Namespace) -> page.Table:
    records = [read_json(path) for path in args.train_records]
    return training_times.training_times(records, args.models, args.titles)
