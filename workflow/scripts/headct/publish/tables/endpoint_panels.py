"""A grid of one endpoint of the plan, as the tables of the comparison show it."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from headct.publish.printed_numbers import DASH, DICE_DECIMALS, count, number, p_value, spread
from headct.publish.tables.table_page import Cell, Panel
from headct.publish.tables.words import title_of
from headct.settings.analysis_plan import PRIMARY

MEANS = {
    "dice": "Mean Dice",
    "false_positive": "Share with a false positive",
    "absolute_volume_error_ml": "Mean absolute error, mL",
}
"""What is compared, by the measure of an endpoint."""

Row = Mapping[Hashable, Any]


def with_texts(endpoints: pd.DataFrame) -> pd.DataFrame:
    """A table of endpoints, its absent texts as ""."""
    texts = ("note", "verdict", "scope", "definition")
    return endpoints.astype(dict.fromkeys(texts, object)).fillna(dict.fromkeys(texts, ""))


def endpoint_panel(
    begins: str, rows: pd.DataFrame, titles: Mapping[str, str], level: float | None = None
) -> Panel:
    """A grid of one endpoint, its definition above it.

    Args:
        begins: how the heading begins.
        rows: of ``endpoints.tsv``, of one endpoint; absent texts are "".
        titles: name in print of each model.
        level: at which it is decided, where the line above the grid says so.
    """
    first = rows.iloc[0]
    status, measure, model = first["status"], first["measure"], title_of(first["model"], titles)
    is_primary, is_volume = status == PRIMARY, not rows["bias_model_ml"].isna().all()
    decimals = 2 if is_volume else DICE_DECIMALS
    columns = [("", "Against"), ("", "Scans"), (MEANS[measure], model), (MEANS[measure], "Other")]
    if is_volume:
        columns += [("Bias, mL", model), ("Bias, mL", "Other")]
    is_adjusted = not is_primary or not rows["lower_adjusted"].equals(rows["lower"])
    columns.append(("", "Difference (95% CI)"))
    if is_adjusted:
        columns.append(("", "Adjusted CI"))
    columns += [("", "P" if is_primary else "P, Holm"), ("", "Verdict")]
    lines = []
    for row in rows.to_dict("records"):
        line = [Cell(title_of(row["against"], titles)), Cell(count(row["n"]))]
        line += [Cell(number(row[name], decimals)) for name in ("estimate_model", "estimate_against")]
        if is_volume:
            line += [Cell(number(row[name], decimals)) for name in ("bias_model_ml", "bias_against_ml")]
        line.append(Cell(interval_of(row, ("difference", "lower", "upper"), decimals)))
        if is_adjusted:
            line.append(Cell(between(row["lower_adjusted"], row["upper_adjusted"], decimals)))
        line.append(Cell(p_value(row["p" if is_primary else "p_holm"])))
        lines.append([*line, Cell(row["verdict"] or row["note"], "text")])
    heading = f"{begins}{status.capitalize()} endpoint: {first['endpoint']}, {model} − other"
    defined = rows[rows["definition"] != ""].head(1).to_dict("records")
    lead = "".join(f"{row['definition']} ({row['n_clusters']:.0f})." for row in defined)
    if level is not None:
        lead += f" Decided at P < {level_of(level)}."
    return Panel(columns, lines, heading, lead=f"{lead[:1].upper()}{lead[1:]}")


def interval_of(row: Row, names: tuple[str, str, str], decimals: int = DICE_DECIMALS) -> str:
    """An estimate with its interval, or alone where there is none; names of the estimate and both ends."""
    centre, low, high = (float(row[name]) for name in names)
    return number(centre, decimals) if math.isnan(low) else spread(centre, low, high, decimals)


def between(low: float, high: float, decimals: int) -> str:
    """An interval; a dash where there is none."""
    return DASH if math.isnan(low) else f"{number(low, decimals)} to {number(high, decimals)}"


def level_of(alpha: float) -> str:
    """A level of error, as .05."""
    return f"{alpha:.4g}".removeprefix("0")
