"""Table E2: intersection of volumes and false positives."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from headct.contracts.labels import LABELS
from headct.publish.numbers import count, number, share
from headct.publish.tables.by_model import Statistics, by_model
from headct.publish.tables.page import Cell, Panel, Table
from headct.publish.tables.words import title_of


def table_e2(statistics: Statistics, titles: Mapping[str, str]) -> Table:
    """Volume intersection and false positives; our reading of a table that is not at hand."""
    numbers = statistics["volume_overlap"].fillna({"note": ""})
    numbers.insert(1, "title", [title_of(model, titles) for model in numbers["model"]])
    models, apart = by_model(numbers)
    names = ("Intersection, mL (%)", "False positive, mL", "Scans with any", "Predicted where absent")
    columns = [("", "Model"), *((label, name) for label in LABELS for name in names)]
    rows = []
    for model in models:
        cells = [Cell(next(iter(model.values()))["title"])]
        for label in LABELS:
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
        "Our reading: the paper names this table but does not define it, and its supplement is not at"
        " hand. Nothing here is compared with published numbers.",
        "Intersection: volume of the voxels that reference and prediction share, mean per scan; in"
        " brackets the sum over all scans in percent of the summed reference volume.",
        "False positive: predicted volume outside the reference lesion, mean per scan; scans with any:"
        " at least one such voxel. Predicted where absent: scans without the lesion in which it is"
        " predicted.",
        f"n = {int(numbers['n'].max())} test scans. Volumes use the perpendicular distance of slices.",
    ]
    title = "Table E2. Volume intersection and false positives"
    return Table(title, numbers, [Panel(columns, rows, apart=apart)], notes)
