"""Draw one figure: ``python -m headct.figures FIGURE --out FIGURE.pdf …`` (the TSV goes beside it)."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from headct import command
from headct.artefacts import read_tsv
from headct.figures import agreement, cases, dice, flow, ingest_qc, style
from headct.statistics import scores

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
    return [draw(scores.read([args.metrics], []), args.model_title, args.study_title)]


def draw_dice(args: argparse.Namespace) -> Pages:
    """Box-violins of all models."""
    table = scores.read(args.metrics, list(args.models))
    return [dice.draw_box_violins(table, args.models, args.study_title)]


def draw_cases(args: argparse.Namespace) -> Pages:
    """Best or worst cases."""
    page = cases.draw_cases(
        scores.read(args.metrics, [args.select_by, *args.show]),
        args.predictions,
        args.data,
        args.select_by,
        args.show,
        args.figure == "best_cases",
        args.n,
        args.study_title,
    )
    return [page]


def draw_flow(args: argparse.Namespace) -> Pages:
    """Flow of scans from the sheet to the analysis."""
    return [flow.draw_flow(read_tsv(args.flow), read_tsv(args.split), args.study_title, args.width_mm)]


def draw_ingest_qc(args: argparse.Namespace) -> Pages:
    """Contact sheet of all scans, page by page."""
    return ingest_qc.draw_pages(read_tsv(args.cohort), args.data, args.study_title)


def arguments() -> argparse.ArgumentParser:
    """The command line: one subcommand per figure."""
    parser = argparse.ArgumentParser(prog="python -m headct.figures", description=__doc__)
    figures = parser.add_subparsers(dest="figure", required=True, metavar="FIGURE")

    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--study-title", required=True, help="printed small in a corner")
    common.add_argument("--out", type=Path, required=True, help="the PDF; the TSV goes beside it")
    # command.run adds it before the subcommand; rules put it last, as for every other step.
    for name, words in (
        ("bland_altman", "volume difference against mean volume, one model"),
        ("concordance", "predicted against reference volume, one model"),
    ):
        figure = figures.add_parser(name, parents=[common], help=words)
        figure.add_argument("--metrics", type=Path, required=True, help="metrics table of the model")
        figure.add_argument("--model-title", required=True)
        figure.set_defaults(draw=draw_agreement)

    figure = figures.add_parser(
        "dice_box_violin", parents=[common], help="Dice per model and lesion, all models"
    )
    figure.add_argument("--metrics", type=Path, nargs="+", required=True, help="metrics tables")
    figure.add_argument(
        "--models", type=titles_by_model, required=True, help="JSON {key: title}, from top to bottom"
    )
    figure.set_defaults(draw=draw_dice)

    for name, words in (("best_cases", "cases with the best Dice"), ("worst_cases", "… the worst Dice")):
        figure = figures.add_parser(name, parents=[common], help=f"{words}, on CT")
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
        figure.set_defaults(draw=draw_cases)

    figure = figures.add_parser("flow", parents=[common], help="scans from the sheet to the analysis")
    figure.add_argument("--flow", type=Path, required=True, help="flow.tsv")
    figure.add_argument("--split", type=Path, required=True, help="split.tsv")
    figure.add_argument("--width-mm", type=float, default=style.WIDTH_MM, help="85 for one column of print")
    figure.set_defaults(draw=draw_flow)

    figure = figures.add_parser("ingest_qc", parents=[common], help="contact sheet of all scans")
    figure.add_argument("--cohort", type=Path, required=True, help="cohort.tsv")
    figure.add_argument("--data", type=Path, required=True, help="folder of the scans' folders")
    figure.set_defaults(draw=draw_ingest_qc)
    return parser


def main(args: argparse.Namespace) -> None:
    """Draw the figure asked for and write it."""
    with mpl.rc_context(style.PRINT):
        style.save(args.draw(args), args.out, f"{args.out.stem} ({args.study_title})")


if __name__ == "__main__":
    command.run(main, arguments())
