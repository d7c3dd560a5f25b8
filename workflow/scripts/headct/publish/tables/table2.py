"""Table 2: training against test set."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from headct.contracts.declarations import PublishedTable, Repeats
from headct.contracts.labels import LabelSet
from headct.contracts.sets import SETS
from headct.publish.options import Options
from headct.publish.printed_numbers import count, number, p_value
from headct.publish.tables.shown_statistics import read
from headct.publish.tables.table_page import Cell, Panel, Table
from headct.publish.tables.words import characteristic_of
from headct.statistics.replication.cohort_tests import COUNT, MEAN_SD, MEDIAN_IQR, SHARE

TABLE = PublishedTable(
    name="table2",
    help="training against test set",
    caption="**Table 2. Participants and lesions of the training and the test set.** One row per"
    " characteristic, one column per set. P tests whether the sets differ, by the test named beside it;"
    " SMD is the standardised mean difference (training − test; below 0.1 in size is commonly taken as"
    " balanced), which does not shrink or grow with the number of scans as P does. Volumes are those of"
    " the scans that have the lesion.",
    inputs={
        "statistics": "statistics of the paper",
        "evidence": "audit/evidence.json",
        "split": "cohort/split.tsv",
        "cohort": "cohort/cohort.tsv",
    },
    given={"labels": "lesions", "title_note": "note"},
    columns="characteristic statistic train test train_n test_n test_name p smd note",
    keys="characteristic statistic",
    repeats=(
        Repeats(
            source="statistics/cohort_tests.tsv",
            rows="characteristic statistic",
            where={"statistic": "n"},
            about={"train": "train_n", "test": "test_n"},
        ),
        Repeats(
            source="statistics/cohort_tests.tsv",
            rows="characteristic statistic",
            where={"statistic": "n (%)"},
            about={"train": "train_count", "test": "test_count"},
        ),
        Repeats(
            source="statistics/cohort_tests.tsv",
            rows="characteristic statistic",
            where={"statistic": "mean (SD) range"},
            about={"train": "train_mean", "test": "test_mean"},
        ),
        Repeats(
            source="statistics/cohort_tests.tsv",
            rows="characteristic statistic",
            where={"statistic": "median (IQR)"},
            about={"train": "train_median", "test": "test_median"},
        ),
    ),
)

DECIMALS = {"age_years": 0, "onset_to_ct_hours": 1}
"""Decimals as in the paper; two for anything else."""


def make(options: Options) -> Table:
    """The table from its files."""
    return table_2(read(options.statistics, "cohort_tests")["cohort_tests"], options.labels)


def summary(row: Mapping[Hashable, Any], group: str) -> str:
    """One cell as the paper prints it: n, n (%), mean (SD) range or median (IQR)."""

    def value(name: str) -> float:
        return float(row[f"{group}_{name}"])

    decimals = DECIMALS.get(row["characteristic"], 2)
    if row["statistic"] == COUNT:
        return count(value("n"))
    if value("n") == 0:
        return "no values"
    if row["statistic"] == SHARE:
        return f"{count(value('count'))} ({number(value('percent'), 0)})"
    names = {MEAN_SD: ("mean", "sd", "min", "max"), MEDIAN_IQR: ("median", "q1", "q3")}
    texts = [number(value(name), decimals) for name in names[row["statistic"]]]
    if row["statistic"] == MEAN_SD:
        return f"{texts[0]} ({texts[1]}) {texts[2]}–{texts[3]}"
    return f"{texts[0]} ({texts[1]}–{texts[2]})"


def table_2(cohort_tests: pd.DataFrame, labels: LabelSet) -> Table:
    """Characteristics of the two sets, the study's tests and standardised mean differences."""
    records = cohort_tests.fillna({"note": "", "test_name": ""}).to_dict("records")
    repeated = ["characteristic", "statistic", "train_n", "test_n", "test_name", "p", "smd", "note"]
    numbers = pd.DataFrame(records, columns=repeated)
    for place, group in enumerate(SETS, start=2):
        numbers.insert(place, group, [summary(row, group) for row in records])
    rows, apart = [], []
    for i, row in enumerate(records):
        name = characteristic_of(row["characteristic"])
        kind = "" if row["statistic"] == COUNT else f", {row['statistic']}"
        if i and row["characteristic"] in (*labels, "age_years"):
            apart.append(i)
        rows.append(
            [
                Cell(name + kind),
                *(Cell(summary(row, group)) for group in SETS),
                Cell(p_value(row["p"])),
                Cell(row["test_name"] + (f": {row['note']}" if row["note"] else ""), "text"),
                Cell(number(row["smd"])),
            ]
        )
    columns = [("", name) for name in ("Characteristic", "Training set", "Test set", "P", "Test", "SMD")]
    notes = [
        "Volumes are those of the scans that have the lesion. Age and sex count each participant once.",
        "Tests: chi-squared of shares, independent t test of means, Mann-Whitney of medians. All treat scans"
        " as independent.",
        "SMD: standardised mean difference, training − test.",
    ]
    title = "Table 2. Participants and lesions of the training and the test set"
    return Table(title, numbers, [Panel(columns, rows, apart=frozenset(apart))], notes)
