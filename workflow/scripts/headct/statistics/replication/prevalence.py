"""How rare each class is: by scan, and by voxel as the share of the volume that was imaged.

The imbalance by voxel is what the losses of the study are about; the one by scan (30 % of the
paper's scans have IVH) is what its Dice of 1 for absent lesions turns into a score.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from headct.contracts.artefacts import read_json
from headct.contracts.declarations import MadeOf, PublishedStatistic
from headct.contracts.labels import LabelSet
from headct.contracts.sets import SETS

PREVALENCE = PublishedStatistic(
    name="prevalence",
    help="how many scans have each lesion, and its share of the volume",
    step="statistics",
    columns="set label n_scans n_with percent_of_scans volume_ml percent_of_volume percent_of_labelled",
    keys="label set",
    made_of=(MadeOf(rows="cohort"),),
)

BACKGROUND = "background"
MM3_PER_ML = 1000.0


def imaged_ml(geometry: Mapping[str, Any]) -> float:
    """Volume of the whole image in mL, air included, from the geometry of a ``scan.json``."""
    columns, rows, _ = geometry["size_xyz"]
    dx, dy, _ = geometry["spacing_mm_xyz"]
    return float(columns * rows * dx * dy * np.sum(geometry["slice_weights_mm"]) / MM3_PER_ML)


def with_imaged_volume(scans: pd.DataFrame, data: Path) -> pd.DataFrame:
    """Add ``imaged_ml`` to scans, read from ``data/{scan}/scan.json``."""
    volumes = [imaged_ml(read_json(data / scan / "scan.json")["geometry"]) for scan in scans["scan_id"]]
    return scans.assign(imaged_ml=volumes)


def prevalence_table(scans: pd.DataFrame, labels: LabelSet) -> pd.DataFrame:
    """Per set (train, test, both) and class.

    Takes one row per scan: set, each lesion's ``…_ml``, ``imaged_ml``. Columns: set label n_scans
    n_with percent_of_scans volume_ml (sum) percent_of_volume (of the imaged volume)
    percent_of_labelled (of the volume of all lesions).
    """
    rows = []
    for name in (*SETS, "both"):
        chosen = scans if name == "both" else scans[scans["set"] == name]
        imaged = chosen["imaged_ml"].sum()
        labelled = chosen[[f"{label}_ml" for label in labels]].sum().sum()
        for label in (BACKGROUND, *labels):
            lesion = label != BACKGROUND
            volume = chosen[f"{label}_ml"].sum() if lesion else imaged - labelled
            n_with = int((chosen[f"{label}_ml"] > 0).sum()) if lesion else len(chosen)
            rows.append(
                {
                    "set": name,
                    "label": label,
                    "n_scans": len(chosen),
                    "n_with": n_with,
                    "percent_of_scans": _percent(n_with, len(chosen)),
                    "volume_ml": volume,
                    "percent_of_volume": _percent(volume, imaged),
                    "percent_of_labelled": _percent(volume, labelled) if lesion else np.nan,
                }
            )
    return pd.DataFrame(rows)


def _percent(part: float, whole: float) -> float:
    return 100 * part / whole if whole else np.nan
