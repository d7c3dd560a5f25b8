"""Dice by the number of participants learnt from, and the curve through it; a panel of each per lesion."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import pandas as pd

from headct.contracts.artefacts import read_tsv
from headct.contracts.declarations import PublishedTable, Repeats
from headct.contracts.plurals import counted
from headct.publish.options import Options
from headct.publish.printed_numbers import DICE_DECIMALS, number, spread
from headct.publish.tables.table_page import Cell, Panel, Table
from headct.publish.tables.words import title_of

TABLE = PublishedTable(
    name="learning_curve",
    help="Dice by the number of participants learnt from",
    caption="**Learning curve.** Mean Dice of each model by the number of participants that its networks"
    " learnt from, on scans that one fold of the training set holds out; the curve of least squares through"
    " it, with 95% intervals; and how many more participants it would need for .01 more.",
    inputs={"points": "statistics/learning_curve.tsv", "fits": "statistics/learning_curve_fit.tsv"},
    given={"titles": "titles of all models", "title_note": "note"},
    columns="model label size participants scans n_seeds n n_participants n_failed dice_mean dice_lowest"
    " dice_highest curve lower upper a a_lower a_upper b b_lower b_upper c c_lower c_upper sigma gain more"
    " more_lower more_upper note",
    keys="model label size",
    repeats=(
        Repeats(source="statistics/learning_curve.tsv", rows="model label size"),
        Repeats(source="statistics/learning_curve_fit.tsv", rows="model label"),
    ),
)

POINTS = (
    "Model",
    "Participants",
    "Scans",
    "Seeds",
    "Dice, lowest to highest seed",
    "Curve",
    "Without a prediction",
)
CURVES = ("Model", "End, a", "b", "Exponent, c", "σ", "More participants for .01")

PARAMETER_DECIMALS = 3

NOTES = (
    "Dice: mean over scans and seeds; a missing prediction counts as 0, a lesion in neither mask as 1. Scans:"
    " learnt from, a mean over seeds, each of which draws participants of its own.",
    "Curve: a − b · n^(−c) of n participants, of least squares through the means over seeds, with 95%"
    " intervals (delta method, t); σ is what the means scatter about it. The intervals say how well the means"
    " fix the curve; they tell nothing of other scans or settings.",
    "More participants: what the curve, continued beyond what was measured, needs to rise by .01 from where"
    " it is at the largest number.",
)


def make(options: Options) -> Table:
    """The table from its files."""
    texts = {"model": str, "size": str, "note": str}
    fits = read_tsv(options.fits, **texts).fillna({"note": ""})
    return learning_curve(read_tsv(options.points, **texts), fits, options.titles)


def learning_curve(points: pd.DataFrame, fits: pd.DataFrame, titles: Mapping[str, str]) -> Table:
    """The whole page.

    Args:
        points: ``learning_curve.tsv``.
        fits: ``learning_curve_fit.tsv``.
        titles: name in print of each model.
    """
    both = points.merge(fits.drop(columns="curve"), on=["model", "label"])
    panels = []
    for label in points["label"].unique():
        panels.append(_points(points[points["label"] == label], titles))
        of_label = fits[fits["label"] == label]
        if of_label["a"].notna().any():
            panels.append(_curves(of_label, titles))
    return Table("Learning curve", both[TABLE.header], panels, [*NOTES, *_why(fits, titles)])


def _points(rows: pd.DataFrame, titles: Mapping[str, str]) -> Panel:
    """The points of one lesion."""
    first = rows.iloc[0]
    scans = counted(int(first["n"]), "scan")
    lead = f"Measured on {scans} of {counted(int(first['n_participants']), 'participant')}."
    cells = [
        [
            Cell(title_of(row["model"], titles)),
            Cell(f"{row['participants']:,}"),
            Cell(number(row["scans"], 0 if float(row["scans"]).is_integer() else 1)),
            Cell(str(row["n_seeds"])),
            Cell(spread(row["dice_mean"], row["dice_lowest"], row["dice_highest"], DICE_DECIMALS)),
            Cell(_interval(row, "curve", DICE_DECIMALS, "lower", "upper")),
            Cell(str(row["n_failed"])),
        ]
        for row in rows.to_dict("records")
    ]
    models = list(rows["model"])
    apart = frozenset(i for i in range(1, len(models)) if models[i] != models[i - 1])
    return Panel([("", name) for name in POINTS], cells, str(first["label"]), apart, lead)


def _curves(rows: pd.DataFrame, titles: Mapping[str, str]) -> Panel:
    """The curves of one lesion."""
    cells = []
    for row in rows.to_dict("records"):
        parameters = [Cell(_interval(row, name, PARAMETER_DECIMALS)) for name in "abc"]
        sigma, more = Cell(number(row["sigma"], PARAMETER_DECIMALS + 1)), Cell(_interval(row, "more", 0))
        cells.append([Cell(title_of(row["model"], titles)), *parameters, sigma, more])
    return Panel([("", name) for name in CURVES], cells, f"{rows['label'].iloc[0]}: curve", frozenset(), "")


def _interval(row: Mapping[Hashable, Any], name: str, decimals: int, lower: str = "", upper: str = "") -> str:
    """A number with its interval, as far as there is any."""
    value, low, high = (row[key] for key in (name, lower or f"{name}_lower", upper or f"{name}_upper"))
    if math.isnan(value) or math.isnan(low):
        return number(value, decimals)
    if math.isnan(high):
        return f"{number(value, decimals)} ({number(low, decimals)} or more)"
    return spread(value, low, high, decimals)


def _why(fits: pd.DataFrame, titles: Mapping[str, str]) -> Iterator[str]:
    """What is lacking, a sentence each."""
    for row in fits[fits["note"] != ""].to_dict("records"):
        yield f"{row['label']}, {title_of(row['model'], titles)}: {row['note']}."
