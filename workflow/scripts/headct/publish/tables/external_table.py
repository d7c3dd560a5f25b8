"""Mean Dice in external sets, beside the internal test set's; a panel per set and lesion."""

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
from headct.statistics.core.scores import REFERENCE

TABLE = PublishedTable(
    name="external_sets",
    help="mean Dice in external sets, beside the internal test set's",
    caption="**External sets.** Mean Dice of each model in each of them, with 95% intervals by"
    " participant; that of the internal test set, and the difference, of independent samples; and the mean"
    " that the set would have at another mix of lesion sizes.",
    inputs={"sets": "statistics/external_sets.tsv"},
    given={"titles": "titles of all models", "title_note": "note"},
    columns="set model role label n n_participants n_failed dice_mean lower upper internal_n internal_mean"
    " internal_lower internal_upper difference difference_lower difference_upper standardised_mean"
    " standardised_lower standardised_upper mix note",
    keys="set model label",
    repeats=(Repeats(source="statistics/external_sets.tsv", rows="set model label"),),
)

COLUMNS = (
    "Model",
    "External set",
    "Internal test set",
    "Difference",
    "At the mix",
    "Without a prediction",
)

NOTES = (
    "Means over scans with 95% intervals by leaving out one participant at a time; a missing prediction"
    " counts as 0, a lesion in neither mask as 1. Difference: external set minus internal test set, of"
    " independent samples. Seeds are averaged.",
    "At the mix: the mean that the external set would have with the mix of sizes that stands above the panel"
    " (mL; share of scans, and in brackets the scans of that size that the set has).",
    "No training of this study learnt from a scan of an external set, and none of these scans enters the"
    " comparison on the internal test set.",
)


def make(options: Options) -> Table:
    """The table from its files."""
    sets = read_tsv(options.sets, set=str, model=str, mix=str, note=str).fillna({"mix": "", "note": ""})
    return external_sets(sets, options.titles)


def external_sets(sets: pd.DataFrame, titles: Mapping[str, str]) -> Table:
    """The whole page.

    Args:
        sets: ``external_sets.tsv``.
        titles: name in print of each model.
    """
    of_panels = [rows for _, rows in sets.groupby(["set", "label"], sort=False)]
    return Table(
        "External sets",
        sets[TABLE.header],
        [_panel(rows, titles) for rows in of_panels],
        [*NOTES, *_why(sets, titles)],
    )


def _panel(rows: pd.DataFrame, titles: Mapping[str, str]) -> Panel:
    """One set and lesion."""
    first = rows.iloc[0]
    scans, people = counted(int(first["n"]), "scan"), counted(int(first["n_participants"]), "participant")
    lead = f"{scans} of {people}; internal test set: {counted(int(first['internal_n']), 'scan')}."
    if first["mix"]:
        lead += f" Mix: {first['mix']}."
    cells = [
        [
            Cell(title_of(row["model"], titles)),
            Cell(_interval(row, "dice_mean", "lower", "upper")),
            Cell(_interval(row, "internal_mean", "internal_lower", "internal_upper")),
            Cell(_interval(row, "difference", "difference_lower", "difference_upper")),
            Cell(_interval(row, "standardised_mean", "standardised_lower", "standardised_upper")),
            Cell(str(row["n_failed"])),
        ]
        for row in rows.to_dict("records")
    ]
    roles = list(rows["role"])
    apart = frozenset(i for i in range(1, len(roles)) if roles[i] != roles[i - 1])
    heading = f"{first['set']}: {first['label']}"
    return Panel([("", name) for name in COLUMNS], cells, heading, apart, lead)


def _interval(row: Mapping[Hashable, Any], centre: str, low: str, high: str) -> str:
    """A mean with its interval, where it has one."""
    if math.isnan(row[low]):
        return number(row[centre], DICE_DECIMALS)
    return spread(row[centre], row[low], row[high], DICE_DECIMALS)


def _why(sets: pd.DataFrame, titles: Mapping[str, str]) -> Iterator[str]:
    """Why numbers are lacking, a sentence each; of models that mark something, who are named if not all."""
    models = sets[sets["role"] != REFERENCE]
    for (name, label), rows in models.groupby(["set", "label"], sort=False):
        reasons = rows.assign(reason=rows["note"].str.split("; ")).explode("reason")
        for reason, of_reason in reasons[reasons["reason"] != ""].groupby("reason", sort=False):
            named = [title_of(model, titles) for model in of_reason["model"]]
            who = "" if len(named) == len(rows) else f" ({', '.join(named)})"
            yield f"{name}, {label}{who}: {reason}."
