"""Table E2: intersection of volumes and false positives."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from headct.contracts.declarations import PublishedTable, Repeats
from headct.contracts.labels import LabelSet
from headct.publish.options import Options
from headct.publish.printed_numbers import count, number, share
from headct.publish.tables.shown_statistics import Statistics, by_model, read
from headct.publish.tables.table_page import Cell, Panel, Table
from headct.publish.tables.words import title_of

TABLE = PublishedTable(
    name="table_e2",
    help="volume intersection and false positives, per model",
    caption="**Table E2. Volume intersection and false positives.** Per model and lesion: the mean"
    " volume that prediction and reference share (in brackets the sum over all scans in percent of the"
    " summed reference volume), the mean volume predicted outside the reference, the scans with any"
    " such voxel, and the scans without the lesion in which it is predicted.",
    inputs={
        "statistics": "statistics of the paper",
        "evidence": "audit/evidence.json",
        "split": "cohort/split.tsv",
        "cohort": "cohort/cohort.tsv",
    },
    given={"labels": "lesions", "titles": "titles of all models", "title_note": "note"},
    columns="model title role label n n_present reference_ml intersection_ml intersection_percent"
    " intersection_percent_median false_positive_ml false_positive_ml_median n_false_positive n_absent"
    " n_false_lesion note",
    keys="model title label",
    repeats=(Repeats(source="statistics/volume_overlap.tsv", rows="model label"),),
)


def make(options: Options) -> Table:
    """The table from its files."""
    return table_e2(read(options.statistics, "volume_overlap"), options.titles, options.labels)


def table_e2(statistics: Statistics, titles: Mapping[str, str], labels: LabelSet) -> Table:
    """Volume intersection and false positives.

    The paper names such a table but does not define it, and its supplement is not at hand: this is our
    reading.
    """
    numbers = statistics["volume_overlap"].fillna({"note": ""})
    numbers.insert(1, "title", [title_of(model, titles) for model in numbers["model"]])
    models, apart = by_model(numbers)
    names = ("Intersection, mL (%)", "False positive, mL", "Scans with any", "Predicted where absent")
    columns = [("", "Model"), *((label, name) for label in labels for name in names)]
    rows = []
    for model in models:
        cells = [Cell(next(iter(model.values()))["title"])]
        for label in labels:
            row = model[label]
            percent = row["intersection_percent"]
            in_brackets = "" if np.isnan(percent) else f" ({percent:.0f}%)"
            cells += [
                Cell(number(row["intersection_ml"]) + in_brackets),
                Cell(number(row["false_positive_ml"])),
                Cell(f"{count(row['n_false_positive'])}/{count(row['n'])}"),
                Cell(share(row["n_false_lesion"], row["n_absent"])),
            ]
        rows.append(cells)
    notes = [
        "Intersection: volume of the voxels that reference and prediction share, mean per scan; in"
        " brackets the sum over all scans in percent of the summed reference volume.",
        "False positive: predicted volume outside the reference lesion, mean per scan; scans with any:"
        " at least one such voxel. Predicted where absent: scans without the lesion in which it is"
        " predicted; one whose prediction is missing counts among them, and its volumes as 0 mL.",
        f"n = {int(numbers['n'].max())} test scans. Volumes use the perpendicular distance of slices.",
    ]
    title = "Table E2. Volume intersection and false positives"
    return Table(title, numbers, [Panel(columns, rows, apart=apart)], notes)
