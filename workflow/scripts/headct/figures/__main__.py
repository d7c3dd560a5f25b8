"""Draw one figure: ``python -m headct.figures FIGURE --out FIGURE.pdf …`` (the TSV goes beside it)."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from headct import command
from headct.figures import agreement, cases, dice, style
from headct.statistics import scores


def titles_by_model(text: str) -> dict[str, str]:
    """Parse a JSON object of model key to title; its order is the order in the figure."""
    titles = json.loads(text)
    if not isinstance(titles, dict) or not titles:
        raise argparse.ArgumentTypeError('give a JSON object: {"model key": "title", …}')
    return {str(key): str(title) for key, title in titles.items()}


def draw_agreement(args: argparse.Namespace) -> tuple[Figure, pd.DataFrame]:
    """Bland–Altman plot or concordance plot of one model."""
    draw = agreement.draw_bland_altman if args.figure == "bland_altman" else agreement.draw_concordance
    return draw(scores.read([args.metrics], []), args.model_title, args.study_title)


def draw_dice(args: argparse.Namespace) -> tuple[Figure, pd.DataFrame]:
    """Box-violins of all models."""
    return dice.draw_box_violins(scores.read(args.metrics, list(args.models)), args.models, args.study_title)


def draw_cases(args: argparse.Namespace) -> tuple[Figure, pd.DataFrame]:
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
    )


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
    return parser


def main(args: argparse.Namespace) -> None:
    """Draw the figure asked for and write it."""
    with mpl.rc_context(style.PRINT):
        figure, drawn = args.draw(args)
        style.save(figure, drawn, args.out, f"{args.out.stem} ({args.study_title})")


if __name__ == "__main__":
    command.run(main, arguments())
