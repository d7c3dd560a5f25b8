"""The tolerance of the surface Dice, as raters differ: ``python -m headct tolerance --help``.

``results/statistics/surface_tolerance.tsv`` has a row per label of the metrics tables:

    label
    tolerance_mm    median over scans of the 95th percentile of surface distance between the second reading by
                    another rater and the first one; the default where fewer than ten scans have both surfaces
    n               scans
    source          raters, or default

Nikolov et al. 2021 (doi:10.2196/26151) take the 95th percentile of the distances of all scans together, per
organ; the median over scans keeps one odd reading from setting the tolerance of a trial.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from headct.contracts import labels as label_sets
from headct.contracts.artefacts import read_tsv, write_tsv
from headct.contracts.declarations import MadeOf, PublishedStatistic
from headct.contracts.labels import LabelSet
from headct.contracts.references import ANOTHER_RATER, SECOND_READING
from headct.metrics import measure as metrics
from headct.settings import blocks

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

SURFACE_TOLERANCE = PublishedStatistic(
    name="surface_tolerance",
    help="tolerance of the surface Dice, as raters differ",
    step="tolerance",
    columns="label tolerance_mm n source",
    keys="label",
    made_of=(MadeOf(models="another rater"),),
)

MINIMUM_SCANS = 10
RATERS, DEFAULT = "raters", "default"


def main(
    *,
    labels: str,
    split: Path,
    data: Path,
    settings: str,
    out: Path,
) -> None:
    """The tolerance of the surface Dice, as raters differ.

    Args:
        labels: JSON: the lesion classes, in their order, with roles and groups.
        split: split.tsv.
        data: folder of the converted scans.
        settings: the metrics block of the configuration, as JSON.
        out: table to write.
    """
    lesions = label_sets.read(labels)
    how = metrics.read_settings(blocks.given(blocks.Metrics, settings))
    scans = [str(scan) for scan in read_tsv(split)["scan_id"]]
    readings = metrics.second_readings_of(SECOND_READING, scans, data)
    measurements = metrics.measure_scans(readings, data, how, lesions)
    table = tolerance_table(measurements, how.default_tolerance_mm, lesions)
    write_tsv(table, out)
    logger.info(
        "tolerance of the surface Dice: %s",
        "  ".join(f"{row.label} {row.tolerance_mm:.3g} mm ({row.source})" for row in table.itertuples()),
    )


def tolerance_table(readings: pd.DataFrame, default_mm: float, labels: LabelSet) -> pd.DataFrame:
    """The columns are listed at the top of this module; takes the metrics of second readings."""
    import pandas as pd

    between = readings[readings["model"] == ANOTHER_RATER].dropna(subset=["hd95_mm"])
    rows = []
    for label in labels.regions:
        distances = between.loc[between["label"] == label, "hd95_mm"]
        enough = len(distances) >= MINIMUM_SCANS
        tolerance = float(distances.median()) if enough else default_mm
        source = RATERS if enough else DEFAULT
        rows.append({"label": label, "tolerance_mm": tolerance, "n": len(distances), "source": source})
    return pd.DataFrame(rows)
