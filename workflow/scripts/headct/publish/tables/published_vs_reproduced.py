"""Each published number beside the one of this run, each claim with a verdict, and later studies."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import pandas as pd

from headct.contracts.artefacts import read_tsv
from headct.contracts.declarations import MadeOf, PublishedTable, Repeats
from headct.publish.options import Options
from headct.publish.printed_numbers import DASH, DICE_DECIMALS, count, number, p_value
from headct.publish.tables.shown_statistics import Statistics, read
from headct.publish.tables.table_page import Cell, Panel, Table
from headct.publish.tables.words import characteristic_of
from headct.settings import published as printed
from headct.statistics.core.agreement import PUBLISHED_VOLUMES
from headct.statistics.core.scores import FAMILY
from headct.statistics.replication.intervals import family_words, read_replication

TABLE = PublishedTable(
    name="published_vs_reproduced",
    help="each published number beside this run's",
    caption="**Published and reproduced numbers.** First the claims of the paper (Kok et al. 2022,"
    " doi:10.1148/ryai.220096), and what we add to them,"
    ' each with a verdict: "holds" (it is shown), "does not hold" (the contrary is shown), "cannot tell"'
    ' (neither), "not testable" (too few scans).'
    " Then each number of the paper's Table 1, Table 2 and volume"
    " agreement beside the one of this run, and a 95% prediction interval: where this run's scans"
    " let the paper's number be expected (none if the participants are the paper's own); an asterisk marks a"
    " published number outside of it. How many would be by chance is told below. Models that are not part of"
    " the run have no number. Published numbers that do not add up in print stand as printed and are noted in"
    " the TSV. Last, later results on the same task in other scans.",
    inputs={
        "statistics": "statistics of the paper",
        "claims": "statistics/claims.tsv",
        "replication": "statistics/replication.tsv",
        "published": "published numbers",
        "evidence": "audit/evidence.json",
        "split": "cohort/split.tsv",
        "cohort": "cohort/cohort.tsv",
    },
    given={"title_note": "note"},
    columns="table item label quantity published reproduced difference lower upper outside"
    " outside_family n_published n_reproduced note",
    keys="item table label quantity",
    repeats=(Repeats(source="statistics/replication.tsv", rows="table item label quantity"),),
    made_of=(MadeOf(rows="published numbers"),),
)

FORMATS: dict[str, Callable[[float], str]] = {"n": count, "count": count, "p": p_value}
"""Quantities that are no measurement: printed otherwise, without an interval."""

QUANTITY_NAMES = {"sd": "SD", "q1": "Q1", "q3": "Q3", "p": "P"}

WHERE_THE_PAPER_IS_SILENT = (
    "Our reading, where the paper is silent: it names Table E2 but does not define it, nor is its supplement"
    " at hand; it does not name the test of its medians (here Mann-Whitney); it states no constants of its"
    " losses (here those of the public code it points to)."
)
EXPECTED_IN_PRINT = (
    "Expected in print: a 95% prediction interval of the paper's number, from this run's scans, since"
    " both studies drew theirs by chance. An asterisk marks a published number outside of it. Counts,"
    " extremes, P, limits of agreement, the SD of volumes, and the mean of the lesions' medians have no"
    " interval; the TSV says why. The rounding of print is not counted."
)
"""What intervals and asterisks mean, where any number has one."""

VOLUMES_IN_WORDS = {
    "weighted": "volumes weighted by the perpendicular distance of slices",
    "header": "volumes by the spacing that a NIfTI header would hold",
}
"""Each kind of :data:`headct.statistics.core.agreement.VOLUMES`."""


def make(options: Options) -> Table:
    """The table from its files."""
    names = ("dice_summary", "dice_present_summary")
    statistics = {**read(options.statistics, *names), "claims": read_tsv(options.claims, note=str)}
    return published_vs_reproduced(
        read_replication(options.replication),
        statistics,
        printed.model_names(options.published),
        printed.prior_work(options.published),
    )


def published_vs_reproduced(
    numbers: pd.DataFrame, statistics: Statistics, names: Mapping[str, str], prior_work: pd.DataFrame
) -> Table:
    """Table 1, Table 2 and the agreement of the best model, as printed and as found here.

    Args:
        numbers: ``replication.tsv``, which is the TSV of this table as well.
        statistics: tables of ``results/statistics`` by name.
        names: published name of each model.
        prior_work: :func:`headct.settings.published.prior_work`.

    Models that are not part of
    the run stay, without a reproduced number and noted as not run.
    """
    panels = [
        _claims_panel(statistics["claims"], names),
        _dice_panel(numbers[numbers["table"] == "Table 1"], names),
        _agreement_panel(numbers[numbers["table"] == "Agreement"], names),
        _cohort_panel(numbers[numbers["table"] == "Table 2"]),
        _prior_panel(prior_work, statistics["dice_present_summary"]),
    ]
    run = set(statistics["dice_summary"]["model"])
    missing = [name for model, name in names.items() if model not in run]
    notes = [
        "Verdicts: “holds”: what the claim says is shown; “does not hold”: the contrary is shown; “cannot"
        " tell”: neither; “not testable”: fewer scans than such a claim needs. How each claim is judged, and"
        " why: results/statistics/claims.tsv.",
        _changes_in_words(statistics["claims"]),
    ]
    if (numbers["outside"] != "").any():
        notes.append(EXPECTED_IN_PRINT)
    notes.append(family_words(numbers))
    if missing:
        notes.append(f"Not part of this run: {', '.join(missing)}.")
    notes += [
        "Kok et al., Radiology: Artificial Intelligence 2022;4(6):e220096. Numbers that do not add up in"
        " print stand as printed; the TSV beside this page notes them.",
        f"Agreement: {VOLUMES_IN_WORDS[PUBLISHED_VOLUMES]} here; differences are prediction − reference. The"
        " paper defines neither the sign of its difference nor whether its volumes use the spacing of the"
        f" header. Volumes of Table 2: {VOLUMES_IN_WORDS['weighted']} here.",
        WHERE_THE_PAPER_IS_SILENT,
    ]
    return Table("Published and reproduced numbers", numbers, panels, notes)


def _claims_panel(claims: pd.DataFrame, names: Mapping[str, str]) -> Panel:
    rows = []
    for row in claims.to_dict("records"):
        texts = [_named(row[name], names) for name in ("source", "verdict", "evidence")]
        rows.append([Cell(row["statement"]), *(Cell(text, "text") for text in texts)])
    columns = ("Claim of the paper", "Where", "Verdict here", "Evidence")
    return Panel([("", name) for name in columns], rows, "Claims")


def _named(text: str, names: Mapping[str, str]) -> str:
    """Text with the published names of models in place of their keys."""
    keys = "|".join(re.escape(key) for key in sorted(names, key=len, reverse=True))
    return re.sub(rf"(?<![\w-])(?:{keys})(?![\w-])", lambda found: names[found[0]], text)


def _prior_panel(prior: pd.DataFrame, present: pd.DataFrame) -> Panel:
    """Later studies; beside them the range over the compared models, of the same quantity if there is one."""
    ours = {"dice_median": "median", "detection_sensitivity": "sensitivity"}
    family = present[present["role"] == FAMILY]
    rows = []
    for row in prior.to_dict("records"):
        interval = "" if math.isnan(row["lower"]) else f" ({row['lower']:.2f}–{row['upper']:.2f})"
        text = DASH
        if row["quantity"] in ours:
            found = family.loc[family["label"] == row["label"], ours[row["quantity"]]].dropna()
            text = DASH if found.empty else f"{number(found.min())} to {number(found.max())}"
        words = row["quantity"].replace("_", " ").replace("icc", "ICC").replace("dice", "Dice")
        rows.append(
            [
                Cell(f"{row['study']}, n = {row['n']}"),
                Cell(row["label"], "text"),
                Cell(words, "text"),
                Cell(number(row["value"]) + interval),
                Cell(text),
            ]
        )
    names = ("Study", "Lesion", "Quantity", "Value (IQR)", "Models here, scans with the lesion")
    heading = "Later results on the same task, in other scans"
    apart = frozenset(i for i in range(1, len(rows)) if rows[i][0] != rows[i - 1][0])
    return Panel([("", name) for name in names], rows, heading, apart)


def _expected(row: Mapping[Hashable, Any], decimals: int = 2) -> str:
    """The prediction interval, and an asterisk if the published number lies outside."""
    lower, upper = (number(float(row[name]), decimals) for name in ("lower", "upper"))
    interval = DASH if lower == DASH else f"{lower} to {upper}"
    return interval + (" *" if row["outside"] == "yes" else "")


def _values(rows: pd.DataFrame, column: str) -> dict[str, float]:
    return dict(zip(rows["quantity"], rows[column], strict=True))


def _changes_in_words(claims: pd.DataFrame) -> str:
    """Which verdicts would be others, had the paper's software been R's dunn.test."""
    changed = claims.query("changes_under != ''").dropna(subset=["changes_under"])
    if changed.empty:
        return "Under the flavours of R's dunn.test no verdict changes."
    verdicts = "; ".join(f"{row.statement} ({row.changes_under})" for row in changed.itertuples())
    return f"Verdicts that change under flavours of R's dunn.test: {verdicts}"


def _dice_panel(numbers: pd.DataFrame, names: Mapping[str, str]) -> Panel:
    cells: list[list[Cell]] = []
    apart = []
    for (model, label), rows in numbers.groupby(["item", "label"], sort=False):
        theirs, ours = (_values(rows, name) for name in ("published", "reproduced"))
        expected = {row["quantity"]: _expected(row, DICE_DECIMALS) for row in rows.to_dict("records")}
        if cells and cells[-1][0].text != names[str(model)]:
            apart.append(len(cells))
        line = [Cell(names[str(model)]), Cell(str(label), "text")]
        for quantity in ("mean", "median"):
            line += [Cell(number(values[quantity], DICE_DECIMALS)) for values in (theirs, ours)]
            line.append(Cell(expected[quantity]))
        for values in (theirs, ours):
            quartiles = [values.get(name, math.nan) for name in ("q1", "q3")]
            text = "–".join(number(value, DICE_DECIMALS) for value in quartiles)
            line.append(Cell(DASH if all(map(math.isnan, quartiles)) else text))
        cells.append(line)
    sources = ("published", "this run", "expected in print")
    columns = [("", "Model"), ("", "Lesion")]
    columns += [(name, source) for name in ("Mean", "Median") for source in sources]
    columns += [("Q1–Q3", source) for source in sources[:2]]
    heading = (
        f"Table 1: Dice (n = {_n(numbers, 'n_published')} published, {_n(numbers, 'n_reproduced')} here)"
    )
    return Panel(columns, cells, heading, frozenset(apart))


def _n(numbers: pd.DataFrame, column: str) -> str:
    n = numbers[column].max()
    return "none" if math.isnan(n) else count(n)


def _agreement_panel(numbers: pd.DataFrame, names: Mapping[str, str]) -> Panel:
    rows: list[list[Cell]] = []
    words = {
        "ccc": "CCC",
        "bias_ml": "Bias, mL",
        "loa_lower_ml": "Lower limit, mL",
        "loa_upper_ml": "Upper limit, mL",
    }
    apart = []
    for (model, label), group in numbers.groupby(["item", "label"], sort=False):
        if rows:
            apart.append(len(rows))
        for row in group.to_dict("records"):
            shown = [Cell(number(row[name])) for name in ("published", "reproduced")]
            rows.append(
                [
                    Cell(f"{names[str(model)]}, {label}"),
                    Cell(words[str(row["quantity"])], "text"),
                    *shown,
                    Cell(_expected(row)),
                ]
            )
    columns = ("Model and lesion", "Quantity", "Published", "This run", "Expected in print")
    heading = "Agreement of volumes, all test scans"
    return Panel([("", name) for name in columns], rows, heading, frozenset(apart))


def _cohort_panel(numbers: pd.DataFrame) -> Panel:
    rows: list[list[Cell]] = []
    apart = []
    for item, group in numbers.groupby("item", sort=False):
        if rows:
            apart.append(len(rows))
        characteristic = str(item).partition(",")[0]
        for row in group.to_dict("records"):
            printed = FORMATS.get(row["quantity"], number)
            shown = [Cell(printed(row[name])) for name in ("published", "reproduced")]
            rows.append(
                [
                    Cell(characteristic_of(characteristic)),
                    Cell(row["label"], "text"),
                    Cell(QUANTITY_NAMES.get(row["quantity"], row["quantity"]), "text"),
                    *shown,
                    Cell(DASH if row["quantity"] in FORMATS else _expected(row)),
                ]
            )
    names = ("Characteristic", "Set", "Quantity", "Published", "This run", "Expected in print")
    return Panel([("", name) for name in names], rows, "Table 2: cohort", frozenset(apart))
