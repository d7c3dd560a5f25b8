"""Draw one figure: ``python -m headct figures FIGURE --out FIGURE.pdf …`` (the TSV goes beside it)."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from headct.contracts.artefacts import read_tsv
from headct.publish.figures import (
    agreement,
    cases,
    dice,
    differences,
    dunn,
    flow,
    ingest_qc,
    published,
    ranks,
    raters,
    style,
    training,
)
from headct.settings import published as published_numbers
from headct.statistics.core import scores

Pages = Iterable[tuple[Figure, pd.DataFrame]]
"""Each page of a figure, with the table of what it shows."""


def titles_by_model(text: str) -> dict[str, str]:
    """Parse a JSON object of model key to title; its order is the order in the figure."""
    titles = json.loads(text)
    if not isinstance(titles, dict) or not titles:
        raise argparse.ArgumentTypeError('give a JSON object: {"model key": "title", …}')
    return {str(key): str(title) for key, title in titles.items()}


def draw_agreement(args: argparse.Namespace) -> Pages:
    """Bland–Altman plot or concordance plot of one model."""
    draw = agreement.draw_bland_altman if args.figure == "bland_altman" else agreement.draw_concordance
    return [draw(scores.read([args.metrics], []), args.model_title, args.study_title, args.width_mm)]


def draw_dice(args: argparse.Namespace) -> Pages:
    """Box-violins of all models, over all scans or over those with the lesion."""
    table = scores.read(args.metrics, list(args.models))
    present = args.figure == "dice_box_violin_present"
    return [dice.draw_box_violins(table, args.models, args.study_title, args.width_mm, present)]


def draw_dunn(args: argparse.Namespace) -> Pages:
    """Pairwise comparisons."""
    pairs = read_tsv(args.dunn, decision_changes_under=str)
    return [dunn.draw_dunn(pairs, args.models, args.study_title, args.width_mm)]


def draw_critical_difference(args: argparse.Namespace) -> Pages:
    """Mean ranks of the compared models."""
    table = scores.read(args.metrics, list(args.models))
    return [ranks.draw_critical_difference(table, args.models, args.study_title, args.width_mm)]


def draw_differences(args: argparse.Namespace) -> Pages:
    """The planned comparison."""
    endpoints, paired, equivalence = (
        read_tsv(path, verdict=str, note=str) for path in (args.endpoints, args.paired, args.equivalence)
    )
    drawn = differences.drawn_differences(endpoints, paired, equivalence, args.models)
    return differences.draw_differences(drawn, args.models, args.study_title, args.width_mm)


def draw_published(args: argparse.Namespace) -> Pages:
    """Published beside reproduced numbers."""
    numbers = read_tsv(args.numbers, outside=str, outside_family=str).fillna(
        {"outside": "", "outside_family": ""}
    )
    names = published_numbers.model_names()
    return published.draw_published(numbers, names, args.title_note, args.study_title, args.width_mm)


def draw_raters(args: argparse.Namespace) -> Pages:
    """Agreement of raters."""
    readings = read_tsv(args.metrics, model=str, failure=str).fillna({"failure": ""})
    return raters.draw_raters(readings, args.study_title, args.width_mm)


def draw_training_curves(args: argparse.Namespace) -> Pages:
    """Training curves of one model."""
    records = training.read(args.train_records)
    return [training.draw_training_curves(records, args.model_title, args.study_title, args.width_mm)]


def draw_cases(args: argparse.Namespace) -> Pages:
    """Best or worst cases."""
    return cases.draw_cases(
        scores.read(args.metrics, [args.select_by, *args.show]),
        args.predictions,
        args.data,
        args.select_by,
        args.show,
        args.figure == "best_cases",
        args.n,
        args.study_title,
        args.width_mm,
        args.rank_by,
    )


def draw_flow(args: argparse.Namespace) -> Pages:
    """Flow of scans from the sheet to the analysis."""
    return [flow.draw_flow(read_tsv(args.flow), read_tsv(args.split), args.study_title, args.width_mm)]


def draw_ingest_qc(args: argparse.Namespace) -> Pages:
    """Contact sheet of all scans, page by page."""
    return ingest_qc.draw_pages(read_tsv(args.cohort), args.data, args.study_title)


def arguments() -> argparse.ArgumentParser:
    """The command line: one subcommand per figure."""
    parser = argparse.ArgumentParser(prog="python -m headct figures", description=__doc__)
    figures = parser.add_subparsers(dest="figure", required=True, metavar="FIGURE")

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--study-title", required=True, help="printed small in a corner")
    common.add_argument("--out", type=Path, required=True, help="the PDF; the TSV goes beside it")
    printed = argparse.ArgumentParser(add_help=False, parents=[common])
    printed.add_argument(
        "--width-mm", type=float, default=style.PAGE_MM, help="width of the page: 85, one column, or 170, two"
    )
    for name, words in (
        ("bland_altman", "volume difference against mean volume, one model"),
        ("concordance", "predicted against reference volume, one model"),
    ):
        figure = figures.add_parser(name, parents=[printed], help=words)
        figure.add_argument("--metrics", type=Path, required=True, help="metrics table of the model")
        figure.add_argument("--model-title", required=True)
        figure.set_defaults(draw=draw_agreement)

    for name, words, draw in (
        ("dice_box_violin", "Dice per model and lesion", draw_dice),
        ("dice_box_violin_present", "… where the lesion is present", draw_dice),
        ("critical_difference", "mean ranks of the compared models", draw_critical_difference),
    ):
        figure = figures.add_parser(name, parents=[printed], help=words)
        figure.add_argument("--metrics", type=Path, nargs="+", required=True, help="metrics tables")
        figure.add_argument(
            "--models", type=titles_by_model, required=True, help="JSON {key: title}, from top to bottom"
        )
        figure.set_defaults(draw=draw)

    figure = figures.add_parser("dunn_heatmap", parents=[printed], help="Dunn's test, all pairs")
    figure.add_argument("--dunn", type=Path, required=True, help="dunn.tsv")
    figure.add_argument("--models", type=titles_by_model, required=True, help="JSON {key: title}, in order")
    figure.set_defaults(draw=draw_dunn)

    figure = figures.add_parser(
        "paired_differences", parents=[printed], help="the planned comparison as a forest plot"
    )
    for name in ("endpoints", "paired", "equivalence"):
        figure.add_argument(f"--{name}", type=Path, required=True, help=f"{name}.tsv")
    figure.add_argument("--models", type=titles_by_model, required=True, help="JSON {key: title}")
    figure.set_defaults(draw=draw_differences)

    figure = figures.add_parser(
        "published_vs_reproduced", parents=[printed], help="published beside reproduced numbers"
    )
    figure.add_argument("--numbers", type=Path, required=True, help="published_vs_reproduced.tsv")
    figure.add_argument("--title-note", default="", help="goes into the heading, as for the tables")
    figure.set_defaults(draw=draw_published)

    figure = figures.add_parser("rater_agreement", parents=[printed], help="second against first readings")
    figure.add_argument("--metrics", type=Path, required=True, help="metrics table of the second readings")
    figure.set_defaults(draw=draw_raters)

    figure = figures.add_parser("training_curves", parents=[printed], help="loss and pseudo-Dice by epoch")
    figure.add_argument(
        "--train-records", type=Path, nargs="+", required=True, help="train.json of each run of the model"
    )
    figure.add_argument("--model-title", required=True)
    figure.set_defaults(draw=draw_training_curves)

    for name, words in (("best_cases", "cases with the best Dice"), ("worst_cases", "… the worst Dice")):
        figure = figures.add_parser(name, parents=[printed], help=f"{words}, on CT")
        figure.add_argument("--metrics", type=Path, nargs="+", required=True, help="metrics tables")
        figure.add_argument(
            "--predictions", type=Path, nargs="+", required=True, help="manifests: {model}/seed-{seed}.tsv"
        )
        figure.add_argument("--data", type=Path, required=True, help="folder of the scans' folders")
        figure.add_argument("--select-by", required=True, help="model whose mean Dice chooses the cases")
        figure.add_argument(
            "--show", type=titles_by_model, required=True, help="JSON {key: title}, from left to right"
        )
        figure.add_argument("--n", type=int, default=3, help="number of cases")
        figure.add_argument(
            "--rank-by", choices=list(cases.RULES), default="dice", help="Dice that is averaged"
        )
        figure.set_defaults(draw=draw_cases)

    figure = figures.add_parser("flow", parents=[printed], help="scans from the sheet to the analysis")
    figure.add_argument("--flow", type=Path, required=True, help="flow.tsv")
    figure.add_argument("--split", type=Path, required=True, help="split.tsv")
    figure.set_defaults(draw=draw_flow)

    figure = figures.add_parser("ingest_qc", parents=[common], help="contact sheet of all scans")
    figure.add_argument("--cohort", type=Path, required=True, help="cohort.tsv")
    figure.add_argument("--data", type=Path, required=True, help="folder of the scans' folders")
    figure.set_defaults(draw=draw_ingest_qc)
    return parser


def main(args: argparse.Namespace) -> None:
    """Draw the figure asked for and write it."""
    if "width_mm" in args:
        args.width_mm -= 2 * style.MARGIN_MM
    with mpl.rc_context(style.PRINT):
        style.save(args.draw(args), args.out, f"{args.out.stem} ({args.study_title})")
