"""Dice by the number of participants that networks learnt from: ``python -m headct learning-curve --help``.

All networks are measured on the same scans, which one fold of the training set holds out; no test scan is
among them. ``results/statistics/learning_curve.tsv`` has one row per model × lesion × size:

    model, label, size          the size as the configuration says it: a number of participants, or all
    participants, scans         learnt from; scans are a mean over seeds, which draw different participants
    n_seeds, n, n_participants, n_failed    networks; scans measured; those some seed has no prediction of
    dice_mean, dice_lowest, dice_highest    mean over scans, of all seeds, and of the lowest and highest seed
    curve, lower, upper         the fitted curve there, with its 95 % interval

``results/statistics/learning_curve_fit.tsv`` has one row per model × lesion: the curve a − b · n^(−c) through
the means over seeds (:mod:`headct.statistics.core.power_law`), each parameter with its 95 % interval;
``sigma``, by which the means scatter about it; ``more``, how many participants more than the largest number
(``largest``) the curve would need to rise by ``gain``, with its 95 % interval; and in ``note`` why something
of that is lacking.

``results/statistics/learning_curve_raters.tsv`` has the mean Dice of another rater, by lesion, beside which a
curve is read; its interval leaves out one participant at a time.

A curve is fitted to one mean per size, not to each network: the networks of a seed learn from nested sets,
and that the form of the curve is not quite right shows in all seeds alike: they are no independent points.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from headct.contracts import labels as label_sets
from headct.contracts.artefacts import read_tsv, write_tsv
from headct.contracts.declarations import MadeOf, PublishedStatistic
from headct.contracts.labels import LabelSet
from headct.contracts.problems import BadInput, Problem
from headct.contracts.references import ANOTHER_RATER
from headct.statistics.comparison.paired import LEVEL, NO_VARIANCE, too_few
from headct.statistics.comparison.score_arrays import bounds_of
from headct.statistics.core import jackknife, power_law
from headct.statistics.core import scores as scores_of
from headct.statistics.core.clusters import numbered
from headct.statistics.core.power_law import NotFitted, PowerLaw

logger = logging.getLogger(__name__)

POINTS = PublishedStatistic(
    name="learning_curve",
    help="Dice by the number of participants learnt from",
    step="learning-curve",
    columns="model label size participants scans n_seeds n n_participants n_failed dice_mean dice_lowest"
    " dice_highest curve lower upper",
    keys="model label size",
    made_of=(
        MadeOf(columns="curve lower upper", rows="metrics of the learning curve", sizes="all"),
        MadeOf(rows="metrics of the learning curve"),
    ),
)
FITS = PublishedStatistic(
    name="learning_curve_fit",
    help="curves through Dice by the number of participants learnt from",
    step="learning-curve",
    columns="model label n_sizes a a_lower a_upper b b_lower b_upper c c_lower c_upper sigma largest curve"
    " gain more more_lower more_upper note",
    keys="model label",
    made_of=(MadeOf(rows="metrics of the learning curve", sizes="all"),),
)
RATERS = PublishedStatistic(
    name="learning_curve_raters",
    help="mean Dice of another rater, beside which a learning curve is read",
    step="learning-curve",
    columns="model label n n_participants dice_mean lower upper note",
    keys="model label",
)

GAIN = 0.01
"""Of Dice: how much higher a curve is to be with more participants."""

NO_GAIN = f"{GAIN:g} more is not reached with {power_law.FURTHEST:g} times as many participants"
NO_UPPER_END = "there is no upper end of how many more participants it may take"


def main(
    *,
    labels: str,
    metrics: list[Path],
    subsets: list[Path],
    readings: Path,
    split: Path,
    fold: int,
    out: Path,
) -> None:
    """Dice by the number of participants that networks learnt from, and the curve through it.

    Args:
        labels: JSON: the lesion classes, in their order, with roles and groups.
        metrics: metrics of the held-out scans, MODEL/size-N.tsv for each model and size.
        subsets: tables of the scans learnt from, size-N/seed-N.tsv for each size and seed.
        readings: metrics of second readings.
        split: split.tsv.
        fold: number of the held-out fold.
        out: folder of the tables to write.
    """
    lesions = label_sets.read(labels)
    participants = read_tsv(split).set_index("scan_id")["participant_id"]
    learnt_from = sizes_of(subsets, str(fold))
    points = pd.concat(
        [points_of(path, learnt_from, participants, lesions) for path in metrics], ignore_index=True
    )
    points, fits = with_curves(points, lesions)
    write_tsv(points[POINTS.header], out / Path(POINTS.path).name)
    write_tsv(fits, out / Path(FITS.path).name)
    of_readings = scores_of.read_table(readings, ("model", "scan_id", "label", "dice"))
    write_tsv(raters_table(of_readings, participants, lesions), out / Path(RATERS.path).name)
    logger.info("learning curve: %d sizes, %d curves fitted", len(learnt_from), fits["a"].notna().sum())


def sizes_of(subsets: Sequence[Path], fold: str) -> pd.DataFrame:
    """Participants and scans of each size, which is the index as text; means over seeds.

    Args:
        subsets: tables of :mod:`headct.cohort.learning_subset`, size-N/seed-N.tsv.
        fold: that is held out.
    """
    rows = []
    for path in subsets:
        table = read_tsv(path, fold=str)
        learnt = table[table["fold"] != fold]
        rows.append((_size_of(path.parent), learnt["participant_id"].nunique(), len(learnt)))
    found = pd.DataFrame(rows, columns=["size", "participants", "scans"])
    return found.groupby("size").mean().sort_values("participants")


def _size_of(path: Path) -> str:
    """What a file or folder says in its name: ``size-50``, ``size-all``."""
    return path.stem.removeprefix("size-")


def points_of(
    metrics: Path, learnt_from: pd.DataFrame, participants: pd.Series, labels: LabelSet
) -> pd.DataFrame:
    """Of one model and size a row per lesion: Dice, without the curve.

    Args:
        metrics: MODEL/size-N.tsv.
        learnt_from: as of :func:`sizes_of`.
        participants: of each scan.
        labels: the lesions.
    """
    size = _size_of(metrics)
    scores = scores_of.read([metrics], [metrics.parent.name], labels)
    rows = []
    for label, of_label in scores.groupby("label", sort=False):
        of_seed = of_label.groupby("seed")["dice"].mean()
        scans = of_label["scan_id"].unique()
        rows.append(
            {
                "model": metrics.parent.name,
                "label": label,
                "size": size,
                "participants": int(learnt_from["participants"][size]),
                "scans": learnt_from["scans"][size],
                "n_seeds": len(of_seed),
                "n": len(scans),
                "n_participants": participants.loc[scans].nunique(),
                "n_failed": of_label.loc[of_label["failure"] != "", "scan_id"].nunique(),
                "dice_mean": of_seed.mean(),
                "dice_lowest": of_seed.min(),
                "dice_highest": of_seed.max(),
            }
        )
    return pd.DataFrame(rows)


def with_curves(points: pd.DataFrame, labels: LabelSet) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The points by model, lesion and size with the curve there, and the table of curves.

    Args:
        points: as of :func:`points_of`, of all models and sizes.
        labels: the lesions.

    Raises:
        BadInput: two sizes of the same number of participants.
    """
    order = {name: place for place, name in enumerate([*points["model"].unique(), *labels])}
    points = points.sort_values(
        ["model", "label", "participants"],
        key=lambda of: of if of.name == "participants" else of.map(order),
        ignore_index=True,
    ).assign(curve=np.nan, lower=np.nan, upper=np.nan)
    twice = points[points.duplicated(["model", "label", "participants"])]
    if len(twice):
        message = "two sizes are of the same number of participants"
        sizes = dict.fromkeys(twice["size"])
        raise BadInput([Problem("--subsets", message, key="learning_curve.sizes", value=s) for s in sizes])
    fits = []
    for (model, label), of_model in points.groupby(["model", "label"], sort=False):
        row: dict[str, Any] = {"model": model, "label": label, "n_sizes": len(of_model), "gain": GAIN}
        try:
            curve = fitted(of_model)
        except NotFitted as why:
            fits.append(row | {"note": f"no curve is fitted: {why}"})
            continue
        n = of_model["participants"].to_numpy(float)
        points.loc[of_model.index, "curve"] = curve.at(n)
        points.loc[of_model.index, ["lower", "upper"]] = np.column_stack(curve.interval(n, LEVEL))
        fits.append(row | _cells(curve, float(n.max())))
    return points, pd.DataFrame(fits, columns=FITS.header).fillna({"note": ""})


def fitted(points: pd.DataFrame) -> PowerLaw:
    """The curve through the means of one model and lesion; raises as :func:`power_law.fit`."""
    return power_law.fit(points["participants"].to_numpy(float), points["dice_mean"].to_numpy(float))


def _cells(curve: PowerLaw, largest: float) -> dict[str, Any]:
    lower, upper = curve.interval_of_parameters(LEVEL)
    cells: dict[str, Any] = {"sigma": curve.sigma, "largest": int(largest), "curve": float(curve.at(largest))}
    for name, value, low, high in zip("abc", (curve.a, curve.b, curve.c), lower, upper, strict=True):
        cells |= {name: value, f"{name}_lower": low, f"{name}_upper": high}
    numbers = curve.number_for_gain(GAIN, largest, LEVEL)
    more = [number - largest if math.isfinite(number) else np.nan for number in numbers]
    cells |= dict(zip(("more", "more_lower", "more_upper"), more, strict=True))
    return cells | {"note": _why_not(numbers)}


def _why_not(numbers: tuple[float, float, float]) -> str:
    """What is lacking of the number that a gain needs, and its lower and upper end."""
    needed, _, upper = numbers
    if math.isinf(needed):
        return f"on the curve, {NO_GAIN}"
    return NO_UPPER_END if math.isinf(upper) else ""


def raters_table(readings: pd.DataFrame, participants: pd.Series, labels: LabelSet) -> pd.DataFrame:
    """Mean Dice of another rater by lesion; no row where there is none.

    Args:
        readings: metrics of second readings.
        participants: of each scan.
        labels: the lesions.
    """
    rows = [
        {"model": ANOTHER_RATER, "label": label, **cells}
        for label in labels
        for cells in _of_another_rater(readings, participants, label)
    ]
    return pd.DataFrame(rows, columns=RATERS.header)


def _of_another_rater(
    readings: pd.DataFrame, participants: pd.Series, label: str
) -> Iterator[dict[str, Any]]:
    own = readings[(readings["model"] == ANOTHER_RATER) & (readings["label"] == label)]
    if own.empty:
        return
    dice, clusters = own["dice"].to_numpy(), numbered(participants.loc[own["scan_id"]].to_numpy())
    n_participants = len(set(clusters))
    cells = {"n": len(own), "n_participants": n_participants, "dice_mean": dice.mean()}
    note = too_few(n_participants).replace("scans", "participants")
    if note:
        yield cells | {"note": note}
        return
    found = jackknife.evaluate(jackknife.mean(dice[None, :, None]), clusters, bounds=bounds_of("dice"))
    (lower,), (upper,) = found.interval(LEVEL)
    yield cells | {"lower": lower, "upper": upper, "note": NO_VARIANCE if found.constant()[0] else ""}
