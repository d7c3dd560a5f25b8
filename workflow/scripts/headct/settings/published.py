"""The numbers that the reproduced study printed, from ``resources/published``.

Kok YE et al. Radiology: Artificial Intelligence 2022;4(6):e220096. What does not add up in print is
told in the column ``note`` of each file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from headct.contracts.artefacts import read_tsv
from headct.contracts.repository import RESOURCES

FOLDER = RESOURCES / "published"

N_TEST = 174
"""Test scans of the study, all of them behind each number of Table 1 and of the agreement."""

COLUMNS = ("table", "item", "label", "quantity", "published", "n_published", "note")

VOLUME = "_volume_ml"
"""End of the name of a characteristic of Table 2 that is a lesion's volume; before it stands the lesion."""

QUANTITIES = {
    "n": ("n",),
    "n (%)": ("count", "percent"),
    "mean (SD) range": ("mean", "sd", "min", "max"),
    "median (IQR)": ("median", "q1", "q3"),
}
"""What the numbers of a printed cell of Table 2 are, in order, by its kind of statistic."""


def numbers(folder: Path = FOLDER) -> pd.DataFrame:
    """Every published number as one row.

    Columns: table (Table 1, Table 2, Agreement), item (model key or cohort characteristic), label
    (lesion, ``mean``, or training/test set), quantity, published, n_published (scans behind it; NaN
    where that makes no sense), note.
    """
    rows = [*_table1(folder), *_agreement(folder), *_table2(folder)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def model_names(folder: Path = FOLDER) -> dict[str, str]:
    """Name of each published model, in the order of Table 1."""
    table = read_tsv(folder / "table1_dice.tsv")
    return dict(zip(table["model"], table["published_name"], strict=True))


def n_with_lesion(folder: Path = FOLDER) -> dict[str, int]:
    """Test scans that have each of the paper's lesions."""
    table = read_tsv(folder / "table2_cohort.tsv", test=str)
    cells = table.set_index(["characteristic", "statistic"])["test"]
    names = dict.fromkeys(name for name in table["characteristic"] if name.endswith(VOLUME))
    lesions = [name.removesuffix(VOLUME) for name in names]
    return {lesion: int(numbers_in(str(cells[lesion, "n (%)"]))[0]) for lesion in lesions}


def claims(folder: Path = FOLDER) -> pd.DataFrame:
    """What the paper says in words: claim statement source kind models against labels note.

    ``models``, ``against`` and ``labels`` are lists. The kinds are those of
    :mod:`headct.statistics.replication.claims`.
    """
    table = read_tsv(folder / "claims.tsv").fillna("")
    for column in ("models", "against", "labels"):
        table[column] = table[column].str.split()
    return table


def selection(folder: Path = FOLDER) -> pd.DataFrame:
    """The candidates of each stage of the paper's choice: stage model published_mean."""
    table1 = read_tsv(folder / "table1_dice.tsv")
    means = table1[table1["label"] == "mean"].set_index("model")["mean"]
    stages = read_tsv(folder / "selection.tsv")
    return stages.assign(published_mean=stages["model"].map(means))


def prior_work(folder: Path = FOLDER) -> pd.DataFrame:
    """Later results on the same task: study source label quantity value lower upper interval n note."""
    return read_tsv(folder / "prior_work.tsv").fillna({"interval": "", "note": ""})


def numbers_in(cell: str) -> list[float]:
    """Numbers of a printed cell; hyphens are ranges, but for exponents: ``1.19e-4-152.10``."""
    return [float(number) for number in re.findall(r"\d*\.?\d+(?:e[+-]?\d+)?", cell)]


def _rows(
    table: pd.DataFrame, name: str, item: str, label: str, quantities: list[str]
) -> list[dict[str, Any]]:
    return [
        {
            "table": name,
            "item": row[item],
            "label": row[label],
            "quantity": quantity,
            "published": row[quantity],
            "n_published": N_TEST,
            "note": row["note"],
        }
        for row in table.fillna({"note": ""}).to_dict("records")
        for quantity in quantities
        if not np.isnan(row[quantity])
    ]


def _table1(folder: Path) -> list[dict[str, Any]]:
    table = read_tsv(folder / "table1_dice.tsv")
    return _rows(table, "Table 1", "model", "label", ["mean", "median", "q1", "q3"])


def _agreement(folder: Path) -> list[dict[str, Any]]:
    table = read_tsv(folder / "agreement_focal.tsv").rename(columns={"mean_difference_ml": "bias_ml"})
    quantities = ["ccc", "bias_ml", "loa_lower_ml", "loa_upper_ml"]
    return _rows(table, "Agreement", "model", "label", quantities)


def _table2(folder: Path) -> list[dict[str, Any]]:
    table = read_tsv(folder / "table2_cohort.tsv", train=str, test=str).fillna({"note": ""})
    n_of: dict[tuple[str, str], float] = {}
    rows = []
    for row in table.to_dict("records"):
        name, kind, note = row["characteristic"], row["statistic"], row["note"]
        item = f"{name}, {kind}"
        for group in ("train", "test"):
            values = dict(zip(QUANTITIES[kind], numbers_in(row[group]), strict=True))
            n_of.setdefault((name, group), values.get("n", values.get("count", np.nan)))
            # A volume is of the scans that have the lesion; all else is of everyone.
            lesion = name.removesuffix(VOLUME)
            n = n_of[lesion if lesion != name else "participants", group]
            rows += [
                dict(zip(COLUMNS, ("Table 2", item, group, quantity, value, n, note), strict=True))
                for quantity, value in values.items()
            ]
        if not np.isnan(row["p_value"]):
            rows.append(
                dict(zip(COLUMNS, ("Table 2", item, "", "p", row["p_value"], np.nan, note), strict=True))
            )
    return rows
