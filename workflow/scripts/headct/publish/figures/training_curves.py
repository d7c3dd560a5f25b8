"""Training curves of one model: loss, learning rate and pseudo-Dice by epoch, every run of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, MaxNLocator

from headct.contracts.artefacts import read_json
from headct.contracts.declarations import MadeOf, PublishedFigure
from headct.contracts.labels import LabelSet
from headct.contracts.plurals import counted
from headct.contracts.problems import BadInput, Problem
from headct.publish.figures import style
from headct.publish.options import Options

FIGURE = PublishedFigure(
    name="training_curves",
    help="loss and pseudo-Dice by epoch, one model",
    category="Training",
    per_model=True,
    inputs={"train_records": "training records of the model"},
    given={
        "labels": "lesions",
        "model_title": "title of the model",
        "study_title": "study title",
        "width_mm": "width in mm",
    },
    columns="model seed fold epoch quantity value",
    keys="model quantity seed fold epoch",
    made_of=(MadeOf(rows="training records"),),
)

NEEDED = ("seed", "fold", "n_training_scans", "epochs", "history", "record", "sessions")
LOSSES = ("train_loss", "validation_loss")
RESUMED = "resumed"
SMOOTHED = ", running mean"

FEW_EPOCHS = 20
"""Up to here each epoch is a dot."""
MANY_EPOCHS = 100
"""Beyond, a running mean over ``SMOOTHED_SHARE`` of the epochs is drawn on the curves."""
SMOOTHED_SHARE = 0.02

ROW_MM = 44.0
"""Height of a row of panels; less where the page ends."""
ROUND = [1, 2, 5, 10]
DASHES = {"validation_loss": "--"}
COLOURS = {"train_loss": style.BLUE, "validation_loss": style.VERMILLION}


def draw(options: Options) -> style.Pages:
    """The figure from its files."""
    records = read(options.train_records)
    return [
        draw_training_curves(
            records, options.model_title, options.labels, options.study_title, options.width_mm
        )
    ]


def read(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Records of the training runs of one model, by seed and fold.

    Raises:
        BadInput: a file is no record that a finished training of this version left.
    """
    records = [read_json(path) for path in paths]
    problems = []
    for path, record in zip(paths, records, strict=True):
        missing = [key for key in NEEDED if key not in record]
        if not missing and not all("pseudo_dice" in entry for entry in record["history"]):
            missing = ["history: pseudo_dice"]
        message = "not a record of a finished training by this version; train again"
        problems += [Problem(str(path), message, key=key) for key in missing]
    if problems:
        raise BadInput(problems)
    return sorted(records, key=lambda record: (record["seed"], str(record["fold"])))


def curves(records: Sequence[Mapping[str, Any]], labels: LabelSet) -> pd.DataFrame:
    """What is drawn: model, seed, fold, epoch, quantity, value; no time is in it.

    An epoch's values stand at its end, so epoch e is after e times its iterations; ``resumed`` is where
    a session began that went on from a checkpoint. Empty values: no such lesion in the epoch's patches.
    """
    rows = []
    for record in records:
        run = {key: record[key] for key in ("model", "seed", "fold")}
        for entry in record["history"]:
            values = {key: entry[key] for key in (*LOSSES, "learning_rate") if key in entry}
            values |= {f"pseudo_dice_{label}": entry["pseudo_dice"][label] for label in labels}
            rows += [
                {**run, "epoch": entry["epoch"], "quantity": name, "value": value}
                for name, value in values.items()
            ]
        per_epoch = _iterations_per_epoch(record)
        starts = {session["from_iteration"] for session in record["sessions"]}
        rows += [
            {**run, "epoch": start / per_epoch, "quantity": RESUMED}
            for start in sorted(starts - {0, record["record"]["iterations"]})
        ]
    table = pd.DataFrame(rows, columns=FIGURE.header)
    table = table.astype({"value": float})
    return pd.concat([table, _smoothed(table)], ignore_index=True)


def _iterations_per_epoch(record: Mapping[str, Any]) -> float:
    """Of an epoch that is whole: the last one of a training with a budget may be shorter."""
    found: float = record.get("budget", {}).get("steps_per_epoch") or (
        record["record"]["iterations"] / record["epochs"]
    )
    return found


def window_epochs(n_epochs: int) -> int:
    """Epochs of the running mean, an odd number; 1 where there is none."""
    return 1 if n_epochs <= MANY_EPOCHS else 2 * round(n_epochs * SMOOTHED_SHARE / 2) + 1


def _smoothed(table: pd.DataFrame) -> pd.DataFrame:
    """Centred running means of losses and pseudo-Dice, over the values that there are."""
    noisy = table[~table["quantity"].isin([RESUMED, "learning_rate"])]
    window = window_epochs(noisy["epoch"].nunique())
    if window == 1:
        return noisy.iloc[:0]
    by_curve = noisy.groupby(["seed", "fold", "quantity"])["value"]
    means = by_curve.transform(lambda curve: curve.rolling(window, center=True, min_periods=1).mean())
    return noisy.assign(quantity=noisy["quantity"] + SMOOTHED, value=means)


def _draw_curve(axes: Axes, curve: pd.DataFrame, how: Mapping[str, Any], smoothed: pd.DataFrame) -> None:
    """One quantity of one run; an epoch without neighbours is a dot, since no line goes through it."""
    epoch, value = curve["epoch"].to_numpy(float), curve["value"].to_numpy(float)
    if smoothed.empty:
        axes.plot(epoch, value, lw=0.8, clip_on=False, **how)
        missing = np.isnan(np.r_[np.nan, value, np.nan])
        dots = np.full(len(value), True) if len(value) <= FEW_EPOCHS else missing[:-2] & missing[2:]
        marks: dict[str, Any] = {"ls": "", "marker": "o", "ms": 2, "mec": "none", "c": how["c"]}
        axes.plot(epoch[dots], value[dots], clip_on=not dots.any(), **marks)
    else:
        axes.plot(epoch, value, lw=0.4, alpha=0.2, **how)
        axes.plot(smoothed["epoch"], smoothed["value"], lw=0.9, **how)


def _draw_panel(axes: Axes, table: pd.DataFrame, quantities: Sequence[str], n_epochs: int) -> None:
    """Curves of all runs for some quantities, and a tick on the axis where a run went on."""
    for quantity in quantities:
        how = {"c": COLOURS.get(quantity, style.BLUE), "ls": DASHES.get(quantity, "-")}
        for _, run in table.groupby(["seed", "fold"]):
            curve, smoothed = (run[run["quantity"] == quantity + mark] for mark in ("", SMOOTHED))
            _draw_curve(axes, curve, how, smoothed)
    resumed = table.loc[table["quantity"] == RESUMED, "epoch"]
    if len(resumed):  # an empty line that is not clipped would drag the layout to the corner
        foot: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "clip_on": False}
        axes.plot(resumed, np.zeros(len(resumed)), **foot, **_tick())
    axes.set_xlim(0, n_epochs)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=ROUND))
    axes.set_xlabel("Epoch")


def _tick() -> dict[str, Any]:
    """Marks of a session that went on."""
    return {"ls": "", "marker": "^", "ms": 4, "mfc": style.BLACK, "mec": "none", "zorder": 5}


def patches_words(records: Sequence[Mapping[str, Any]]) -> str:
    """Of which scans the patches are: those held out by a numbered fold, where the framework validates."""
    validates = "validation_loss" in records[0]["history"][0]
    held_out = validates and "all" not in {str(record["fold"]) for record in records}
    where = "scans held out of training" if held_out else "the training scans"
    what = "Validation loss and pseudo-Dice" if validates else "Pseudo-Dice"
    return f"{what}: an epoch's patches of {where}, taken as one volume; not the Dice of whole scans."


def _notes(records: Sequence[Mapping[str, Any]], window: int) -> list[str]:
    n = sorted({record["n_training_scans"] for record in records})
    scans = f"{n[0]}" if len(n) == 1 else f"{n[0]} to {n[-1]}"
    runs = ", ".join(f"seed {record['seed']} fold {record['fold']}" for record in records)
    iterations = _iterations_per_epoch(records[0])
    return [
        f"n = {scans} training scans, {counted(len(records), 'run')} ({runs}).",
        f"An epoch: {iterations:g} iterations.",
        patches_words(records),
        f"Strong lines: running mean over {window} epochs." if window > 1 else "",
    ]


def mosaic_of(labels: LabelSet, narrow: bool) -> list[Any]:
    """Which panel stands where, by row; a panel that stands in several places fills them all."""
    lesions = list(labels)
    if narrow:
        panels = [*lesions, "learning_rate"]
        panels += panels[-1:] * (len(panels) % 2)
        return [["loss", "loss"], *([*pair] for pair in zip(panels[::2], panels[1::2], strict=True))]
    rows = style.in_pages(lesions)
    across = max(2, *map(len, rows))
    filled = [[*row, *row[-1:] * (across - len(row))] for row in rows]
    return [["loss"] * (across - 1) + ["learning_rate"], *filled]


def draw_training_curves(
    records: Sequence[Mapping[str, Any]],
    model_title: str,
    labels: LabelSet,
    study_title: str,
    width_mm: float = style.WIDTH_MM,
) -> tuple[Figure, pd.DataFrame]:
    """Loss, learning rate and, per lesion, pseudo-Dice by epoch; one line per run.

    Args:
        records: ``train.json`` of each run of one model, as of :func:`read`.
        model_title: printed in the heading.
        labels: the lesions that the runs have learnt.
        study_title: printed in the corner.
        width_mm: of the figure in print.

    Returns:
        The figure, and the numbers in it (:func:`curves`).
    """
    table = curves(records, labels)
    n_epochs = max(record["epochs"] for record in records)
    found = set(table["quantity"])
    legend = [Line2D([], [], color=style.BLUE, lw=0.9, label="Training")]
    if "validation_loss" in found:
        dashed: dict[str, Any] = {"color": style.VERMILLION, "lw": 0.9, "ls": "--"}
        legend.append(Line2D([], [], label="Validation patches (loss)", **dashed))
    if RESUMED in found:
        legend.append(Line2D([], [], label="Went on from a checkpoint", **_tick()))
    mosaic = mosaic_of(labels, style.is_narrow(width_mm))
    notes = _notes(records, window_epochs(n_epochs))
    heading = f"{model_title}: training"
    body_mm = min(len(mosaic) * ROW_MM, style.TALLEST_BODY_MM)
    page = style.sheet(heading, study_title, body_mm, legend, notes, width_mm)
    panels = page.body.subplot_mosaic(mosaic)
    _draw_panel(panels["loss"], table, [name for name in LOSSES if name in found], n_epochs)
    panels["loss"].set_title("Loss", loc="left", weight="bold")
    panels["loss"].set_ylabel("Mean over the epoch")
    _draw_panel(panels["learning_rate"], table, ["learning_rate"], n_epochs)
    panels["learning_rate"].set_title("Learning rate", loc="left", weight="bold")
    panels["learning_rate"].set_ylim(bottom=0)
    panels["learning_rate"].yaxis.set_major_locator(MaxNLocator(5, steps=ROUND))
    panels["learning_rate"].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    for label in labels:
        _draw_panel(panels[label], table, [f"pseudo_dice_{label}"], n_epochs)
        panels[label].set_title(label, loc="left", weight="bold")
        panels[label].set_ylim(0, 1)
    for first in (row[0] for row in mosaic if row[0] in labels):
        panels[first].set_ylabel("Pseudo-Dice")
    return page.figure, table
