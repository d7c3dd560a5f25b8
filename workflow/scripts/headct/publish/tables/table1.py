"""Table 1: Dice of each model, detection, and Dice where there is a lesion."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from headct.contracts.declarations import PublishedTable, Repeats
from headct.contracts.labels import LabelSet
from headct.contracts.no_prediction import MISSING_SCORED, missing_in_words
from headct.publish.options import Options
from headct.publish.printed_numbers import DICE_DECIMALS, number, p_value, share, spelled_out, spread
from headct.publish.tables.shown_statistics import Statistics, by_model, read
from headct.publish.tables.table_page import Cell, Panel, Table
from headct.publish.tables.words import title_of
from headct.statistics.core.group_tests import ALPHA
from headct.statistics.core.scores import FAMILY
from headct.statistics.core.summaries import MEAN

TABLE = PublishedTable(
    name="table1",
    help="Dice, detection and Dice over present lesions, per model",
    caption="**Table 1. Dice of each model on the test set.** Panel A has one row per model and, per"
    " lesion, the mean, the median and the quartiles of Dice over all test scans; the last two columns"
    " are the mean of the lesions' means and of their medians, if there are several. Dice is 1 where a"
    " lesion is absent from both masks and 0 where it is predicted but absent. Bold marks the best of"
    " the compared models, underlined italic the worst; ties share a mark. Panel B counts only the"
    ' scans that have the lesion, with the sensitivity and specificity of detecting it. "Predicts'
    ' nothing" is a reference that never predicts a lesion: a model below it does worse than an empty'
    " mask.",
    inputs={
        "statistics": "statistics of the paper",
        "evidence": "audit/evidence.json",
        "split": "cohort/split.tsv",
        "cohort": "cohort/cohort.tsv",
    },
    given={"labels": "lesions", "titles": "titles of all models", "title_note": "note"},
    columns="model title role label mean median q1 q3 n n_seeds n_failed n_crashed"
    " mark_mean mark_median n_present present_mean present_median present_q1 present_q3"
    " true_positives sensitivity n_absent true_negatives specificity note",
    keys="model title label",
    repeats=(
        Repeats(
            source="statistics/dice_summary.tsv",
            rows="model label",
            about={"mark_mean": "mean", "mark_median": "median"},
        ),
        Repeats(
            source="statistics/dice_present_summary.tsv",
            rows="model label",
            renamed={
                "present_mean": "mean",
                "present_median": "median",
                "present_q1": "q1",
                "present_q3": "q3",
            },
        ),
    ),
)


def make(options: Options) -> Table:
    """The table from its files."""
    names = ("dice_summary", "dice_present_summary", "kruskal_wallis", "dunn")
    return table_1(read(options.statistics, *names), options.titles, options.labels)


def marks(values: pd.Series, eligible: pd.Series) -> pd.Series:
    """``best``, ``worst`` or nothing for each value; ties share a mark, equal values get none.

    Only eligible values (the compared models) are marked.
    """
    competing = values[eligible & values.notna()]
    marked = pd.Series("", index=values.index)
    if competing.nunique() > 1:
        marked[competing.index[competing == competing.max()]] = "best"
        marked[competing.index[competing == competing.min()]] = "worst"
    return marked


def table_1(statistics: Statistics, titles: Mapping[str, str], labels: LabelSet) -> Table:
    """Dice per model and lesion, detection and Dice over present lesions beside it."""
    numbers = _table_1_numbers(statistics, titles)
    n, n_seeds = int(numbers["n"].max()), int(numbers["n_seeds"].max())
    failed = numbers.loc[(numbers["label"] != MEAN) & (numbers["n_failed"] > 0)]
    failures = failed.drop_duplicates("title")
    how_many = spelled_out(len(labels))
    of_lesions = f"; the mean of lesions is that of the {how_many} means, or of the {how_many} medians"
    notes = [
        f"n = {n} test scans. Dice is 1 where a lesion is absent from both masks and 0 where it is"
        f" predicted but absent{of_lesions if len(labels) > 1 else ''}.",
        "Bold: best of the compared models; underlined italic: worst; ties share a mark. Quartiles"
        " are of type 7.",
        "“Predicts nothing” is a reference that never predicts a lesion: what the convention"
        " for absent lesions gives away for free. It enters no mark, rank or test.",
        "Detected: at least one voxel predicted. Sensitivity over scans with the lesion, specificity"
        " over scans without.",
    ]
    notes += _test_notes(statistics)
    if n_seeds > 1:
        notes.append(f"Mean of {n_seeds} seeds per scan, before any summary.")
    notes += [
        f"{row['title']}: scans without a prediction:"
        f" {missing_in_words(int(row['n_failed']), int(row['n_crashed']))}, each {MISSING_SCORED}."
        for row in failures.to_dict("records")
    ]
    title = "Table 1. Dice of the models on the test set"
    panels = [_dice_panel(numbers, labels), _detection_panel(numbers, labels)]
    return Table(title, numbers, panels, notes)


def _table_1_numbers(statistics: Statistics, titles: Mapping[str, str]) -> pd.DataFrame:
    dice = statistics["dice_summary"].copy()
    for column in ("mean", "median"):
        dice[f"mark_{column}"] = ""
        for _, rows in dice.groupby("label"):
            dice.loc[rows.index, f"mark_{column}"] = marks(rows[column], rows["role"] == FAMILY)
    present = statistics["dice_present_summary"].rename(
        columns={name: f"present_{name}" for name in ("mean", "median", "q1", "q3")}
    )
    merged = dice.merge(present.drop(columns="role"), on=["model", "label"], how="left")
    merged.insert(1, "title", [title_of(model, titles) for model in merged["model"]])
    return merged.fillna({"note": ""})


def _dice_panel(numbers: pd.DataFrame, labels: LabelSet) -> Panel:
    models, apart = by_model(numbers)
    columns = [("", "Model")]
    columns += [(label, name) for label in labels for name in ("Mean", "Median (Q1–Q3)")]
    several = len(labels) > 1
    columns += [("Mean of lesions", name) for name in ("Mean", "Median") if several]
    rows = []
    for model in models:
        cells = [Cell(model[MEAN]["title"])]
        for label in labels:
            row = model[label]
            median = spread(row["median"], row["q1"], row["q3"], DICE_DECIMALS)
            cells.append(Cell(number(row["mean"], DICE_DECIMALS), row["mark_mean"]))
            cells.append(Cell(median, row["mark_median"]))
        if several:
            row = model[MEAN]
            cells.append(Cell(number(row["mean"], DICE_DECIMALS), row["mark_mean"]))
            cells.append(Cell(number(row["median"], DICE_DECIMALS), row["mark_median"]))
        rows.append(cells)
    return Panel(columns, rows, "A. All test scans", apart)


def _detection_panel(numbers: pd.DataFrame, labels: LabelSet) -> Panel:
    models, apart = by_model(numbers)
    names = ("Mean", "Median (Q1–Q3)", "Sensitivity", "Specificity")
    columns = [("", "Model"), *((label, name) for label in labels for name in names)]
    rows = []
    for model in models:
        cells = [Cell(model[MEAN]["title"])]
        for label in labels:
            row = model[label]
            quartiles = (row["present_median"], row["present_q1"], row["present_q3"])
            cells += [
                Cell(number(row["present_mean"], DICE_DECIMALS)),
                Cell(spread(*quartiles, DICE_DECIMALS)),
                Cell(share(row["true_positives"], row["n_present"])),
                Cell(share(row["true_negatives"], row["n_absent"])),
            ]
        rows.append(cells)
    return Panel(columns, rows, "B. Scans that have the lesion, and detection", apart)


def _test_notes(statistics: Statistics) -> list[str]:
    notes = []
    dunn = statistics["dunn"]
    for row in statistics["kruskal_wallis"].to_dict("records"):
        if np.isnan(row["p"]):
            notes.append(f"{row['label']}: Kruskal-Wallis and Dunn's tests undefined, {row['note']}.")
            continue
        pairs = dunn[(dunn["label"] == row["label"]) & dunn["p_adjusted"].notna()]
        different = int((pairs["p_adjusted"] < ALPHA).sum())
        p = p_value(row["p"])
        notes.append(
            f"{row['label']}: Kruskal-Wallis H = {row['h']:.2f}, df = {row['df']:.0f}, P"
            f" {p if p.startswith(('<', '>')) else f'= {p}'}; Dunn's test with false-discovery-rate"
            f" correction finds P < .05 in {different} of {len(pairs)} pairs."
        )
    if dunn["p_adjusted"].notna().any():
        notes.append(
            "Both tests take all scans as independent: those of one participant or site, and those that the"
            " models share. They speak of these networks."
        )
    return notes
