"""Each published number beside the one of this run."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from headct.tables.models import DICE_DECIMALS, Statistics
from headct.tables.page import Cell, Panel, Table, count, number, p_value, spread

KEY = ["table", "item", "label", "quantity"]


def published_vs_reproduced(
    published: pd.DataFrame, statistics: Statistics, names: Mapping[str, str]
) -> Table:
    """Table 1, Table 2 and the agreement of the best model, as printed and as found here.

    Args:
        published: :func:`headct.published.numbers`.
        statistics: tables of ``results/statistics`` by name.
        names: published name of each model.

    Columns of the TSV: table item label quantity published reproduced difference (reproduced −
    published) n_published n_reproduced note. Models that are not part of the run stay, without a
    reproduced number and noted as not run.
    """
    ours = pd.concat(
        [
            _from_models(statistics["dice_summary"], "Table 1", ("mean", "median", "q1", "q3")),
            _from_models(
                statistics["agreement"], "Agreement", ("ccc", "bias_ml", "loa_lower_ml", "loa_upper_ml")
            ),
            _from_cohort(statistics["cohort_tests"]),
        ],
        ignore_index=True,
    )
    numbers = published.merge(ours, on=KEY, how="left", validate="one_to_one")
    run = set(statistics["dice_summary"]["model"])
    numbers["difference"] = numbers["reproduced"] - numbers["published"]
    numbers["note"] = [
        _note(row, row["table"] != "Table 2" and row["item"] not in run) for row in numbers.to_dict("records")
    ]
    columns = [*KEY, "published", "reproduced", "difference", "n_published", "n_reproduced", "note"]
    numbers = numbers[columns]
    panels = [
        _dice_panel(numbers[numbers["table"] == "Table 1"], names),
        _agreement_panel(numbers[numbers["table"] == "Agreement"], names),
        _cohort_panel(numbers[numbers["table"] == "Table 2"]),
    ]
    missing = [name for model, name in names.items() if model not in run]
    notes = [
        "Difference: this run − the paper. No interval is given: it says how far apart the numbers are,"
        " not whether chance alone explains it.",
        *([f"Not part of this run: {', '.join(missing)}."] if missing else []),
        "Kok et al., Radiology: Artificial Intelligence 2022;4(6):e220096. Numbers that do not add up in"
        " print stand as printed; the TSV beside this page notes them.",
        "The paper defines neither the sign of its volume difference (here prediction − reference) nor"
        " whether its volumes use the spacing of the header (here perpendicular slice distances).",
    ]
    return Table("Published and reproduced numbers", numbers, panels, notes)


def _note(row: Mapping[Hashable, Any], not_run: bool) -> str:
    return "; ".join(note for note in ("model not run" if not_run else "", row["note"]) if note)


def _from_models(table: pd.DataFrame, name: str, quantities: Sequence[str]) -> pd.DataFrame:
    long = table.melt(
        id_vars=["model", "label", "n"],
        value_vars=list(quantities),
        var_name="quantity",
        value_name="reproduced",
    )
    return long.rename(columns={"model": "item", "n": "n_reproduced"}).assign(table=name)


def _from_cohort(cohort_tests: pd.DataFrame) -> pd.DataFrame:
    rows = []
    quantities = ("n", "count", "percent", "mean", "sd", "min", "max", "median", "q1", "q3")
    for row in cohort_tests.to_dict("records"):
        item = f"{row['characteristic']}, {row['statistic']}"
        rows += [
            (item, group, quantity, row[f"{group}_{quantity}"], row[f"{group}_n"])
            for group in ("train", "test")
            for quantity in quantities
        ]
        # As in print, the test of a lesion's share is told with it.
        rows.append((item, "", "p", row["p"], math.nan))
    columns = ["item", "label", "quantity", "reproduced", "n_reproduced"]
    return pd.DataFrame(rows, columns=columns).assign(table="Table 2")


def _values(rows: pd.DataFrame, column: str) -> dict[str, float]:
    return dict(zip(rows["quantity"], rows[column], strict=True))


def _dice_panel(numbers: pd.DataFrame, names: Mapping[str, str]) -> Panel:
    cells: list[list[Cell]] = []
    apart = []
    for (model, label), rows in numbers.groupby(["item", "label"], sort=False):
        ours, theirs, gap = (_values(rows, name) for name in ("reproduced", "published", "difference"))
        if cells and cells[-1][0].text != names[str(model)]:
            apart.append(len(cells))
        line = [Cell(names[str(model)]), Cell(str(label), "text")]
        for quantity in ("mean", "median"):
            line += [Cell(number(values[quantity], DICE_DECIMALS)) for values in (theirs, ours, gap)]
        for values in (theirs, ours):
            quartiles = [values.get(name, math.nan) for name in ("q1", "q3")]
            text = "–".join(number(value, DICE_DECIMALS) for value in quartiles)
            line.append(Cell("–" if all(map(math.isnan, quartiles)) else text))
        cells.append(line)
    sources = ("published", "this run", "difference")
    columns = [
        *(("", "Model"), ("", "Lesion")),
        *((name, source) for name in ("Mean", "Median") for source in sources),
        *(("Q1–Q3", source) for source in sources[:2]),
    ]
    heading = (
        f"Table 1: Dice (n = {_n(numbers, 'n_published')} published, {_n(numbers, 'n_reproduced')} here)"
    )
    return Panel(columns, cells, heading, frozenset(apart))


def _n(numbers: pd.DataFrame, column: str) -> str:
    n = numbers[column].max()
    return "none" if math.isnan(n) else count(n)


def _agreement_panel(numbers: pd.DataFrame, names: Mapping[str, str]) -> Panel:
    rows = []
    for (model, label), group in numbers.groupby(["item", "label"], sort=False):
        line = [Cell(f"{names[str(model)]}, {label}")]
        for source in ("published", "reproduced"):
            values = _values(group, source)
            limits = spread(values["bias_ml"], values["loa_lower_ml"], values["loa_upper_ml"])
            line += [Cell(number(values["ccc"])), Cell(limits)]
        rows.append(line)
    pair = ("CCC", "Bias (limits of agreement), mL")
    columns = [("", "Model and lesion"), *((s, name) for s in ("Published", "This run") for name in pair)]
    return Panel(columns, rows, "Agreement of volumes")


def _cohort_panel(numbers: pd.DataFrame) -> Panel:
    rows: list[list[Cell]] = []
    apart = []
    for item, group in numbers.groupby("item", sort=False):
        if rows:
            apart.append(len(rows))
        for row in group.to_dict("records"):
            is_p = row["quantity"] == "p"
            shown = [
                p_value(row[name]) if is_p else number(row[name], 2) for name in ("published", "reproduced")
            ]
            rows.append(
                [
                    Cell(str(item)),
                    Cell(row["label"], "text"),
                    Cell(row["quantity"], "text"),
                    *(Cell(text) for text in shown),
                    Cell(number(row["difference"])),
                ]
            )
    names = ("Characteristic", "Set", "Quantity", "Published", "This run", "Difference")
    return Panel([("", name) for name in names], rows, "Table 2: cohort", frozenset(apart))
