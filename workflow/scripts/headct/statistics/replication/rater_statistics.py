"""How well raters agree: second readings against first ones: ``python -m headct raters --help``.

A second reading is measured like a model (``headct.metrics``): the first reading is the reference. What
two humans reach is the ceiling for any model trained on their drawings.

Intervals of the intraclass and the concordance correlation are the jackknife's t on Fisher's scale, over the
clusters of the study: the usual interval of the former assumes normal volumes, and held it in 60 to 76 % of
simulated studies of 40 scans; this one in 91 to 95 % (docs/reference/statistics.md).
"""

from __future__ import annotations

import logging
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pingouin

from headct.contracts.artefacts import read_tsv, write_tsv
from headct.contracts.declarations import MadeOf, PublishedStatistic
from headct.contracts.sets import test_scans
from headct.settings import analysis_plan
from headct.statistics.core import jackknife
from headct.statistics.core.agreement import (
    ALL_SCANS,
    LEAST_CLUSTERS,
    LEVEL,
    WITH_LESION,
    agreement_row,
)
from headct.statistics.core.clusters import Clusters, planned_clusters
from headct.statistics.core.order_statistics import NOTHING
from headct.statistics.core.scores import read_table
from headct.statistics.core.summaries import describe

logger = logging.getLogger(__name__)

RATER_AGREEMENT = PublishedStatistic(
    name="rater_agreement",
    help="agreement of second with first readings",
    step="raters",
    columns="model label scans dice_mean dice_median dice_q1 dice_q3 icc_a1 icc_a1_lower icc_a1_upper n ccc"
    " ccc_lower ccc_upper bias_ml bias_lower_ml bias_upper_ml sd_ml loa_lower_ml loa_upper_ml note",
    keys="model label scans",
    made_of=(MadeOf(seeds="first"),),
)

NEEDED = ("model", "scan_id", "label", "dice", "reference_ml", "predicted_ml")


def main(
    *,
    metrics: Path,
    plan: Path,
    cohort: Path,
    split: Path,
    out: Path,
) -> None:
    """How well raters agree: second readings against first ones.

    Args:
        metrics: metrics table of the second readings.
        plan: analysis plan, for its clusters.
        cohort: cohort.tsv.
        split: split.tsv; the test set's sites decide on clusters that the plan leaves open.
        out: table to write.
    """
    readings = read_table(metrics, NEEDED)
    clusters = planned_clusters(analysis_plan.load(plan), read_tsv(cohort), test_scans(split))
    table = rater_agreement(readings, clusters)
    write_tsv(table, out)
    logger.info("agreement of raters on %d scans: %s", readings["scan_id"].nunique(), out)


def icc(ratings: np.ndarray) -> dict[str, float]:
    """Intraclass correlations of (targets, raters): ``ICC(1,1)``, ``ICC(A,1)``, ``ICC(C,1)``.

    McGraw KO, Wong SP. Psychol Methods 1996;1:30-46, by pingouin. R: ``psych::ICC(ratings, lmer = FALSE)``,
    ``irr::icc``.

    Raises:
        ValueError: fewer than two targets or raters.
    """
    if ratings.ndim != 2 or min(ratings.shape) < 2:
        raise ValueError(f"ratings of shape {ratings.shape}")
    target, rater = np.indices(ratings.shape)
    long = pd.DataFrame({"target": target.ravel(), "rater": rater.ravel(), "rating": ratings.ravel()})
    with np.errstate(divide="ignore", invalid="ignore"):  # raters without any difference
        found = pingouin.intraclass_corr(long, "target", "rater", "rating").set_index("Type")
    return {kind: float(found.loc[kind, "ICC"]) for kind in ("ICC(1,1)", "ICC(A,1)", "ICC(C,1)")}


def icc_a1_of_weights(first: np.ndarray, second: np.ndarray) -> jackknife.Statistic:
    """ICC(A,1) of two readings (n,) from the mean squares of scans, readings and error (McGraw & Wong).

    For weights that are equal but for scans that are left out: these alone have a mean square.
    """
    level = (first + second) / 2 - first.mean()  # digits are not lost to a large mean
    difference = second - first

    def statistic(weights: np.ndarray) -> np.ndarray:
        n = 1 / (weights**2).sum(axis=1)
        of_scans = 2 * (weights @ level**2 - (weights @ level) ** 2) * n / (n - 1)
        error = (weights @ difference**2 - (weights @ difference) ** 2) * n / (n - 1) / 2
        of_readings = n * (weights @ difference) ** 2 / 2
        found: np.ndarray = (of_scans - error) / (of_scans + error + 2 / n * (of_readings - error))
        return found[None, :, None]

    return statistic


def rater_agreement(readings: pd.DataFrame, clusters: Clusters) -> pd.DataFrame:
    """Per kind of reading (``model``) × label × choice of scans (all, with the lesion).

    Takes a metrics table of second readings. Columns: model label scans; dice_mean dice_median dice_q1
    dice_q3; icc_a1 icc_a1_lower icc_a1_upper; then CCC and Bland-Altman, second − first reading, with
    the columns of :mod:`headct.statistics.core.agreement`.
    """
    rows = []
    for (model, label), values in readings.groupby(["model", "label"], sort=False):
        for choice, chosen in ((ALL_SCANS, values), (WITH_LESION, values[values["reference_ml"] > 0])):
            first, second = chosen["reference_ml"].to_numpy(), chosen["predicted_ml"].to_numpy()
            dice = {f"dice_{name}": value for name, value in describe(chosen["dice"]).items()}
            of_scans = clusters.of(chosen["scan_id"])
            agreement = agreement_row(first, second, of_scans)
            value, (lower, upper), note = _icc_a1(first, second, of_scans)
            agreement["note"] = "; ".join(filter(None, [str(agreement["note"]), note]))
            rows.append(
                {
                    "model": model,
                    "label": label,
                    "scans": choice,
                    **dice,
                    "icc_a1": value,
                    "icc_a1_lower": lower,
                    "icc_a1_upper": upper,
                    **agreement,
                }
            )
    return pd.DataFrame(rows, columns=RATER_AGREEMENT.header)


def _icc_a1(
    first: np.ndarray, second: np.ndarray, clusters: np.ndarray
) -> tuple[float, tuple[float, float], str]:
    """The coefficient, its interval, and why there is none."""
    if len(first) < 3:
        return math.nan, NOTHING, f"ICC needs 3 scans, there are {len(first)}"
    if np.ptp(np.concatenate([first, second])) == 0:
        return math.nan, NOTHING, "all volumes are equal: no ICC"
    if np.array_equal(first, second):
        return 1.0, NOTHING, "both readings are equal: no interval of the ICC"
    value = icc(np.column_stack([first, second]))["ICC(A,1)"]
    if clusters.max() + 1 < LEAST_CLUSTERS:
        return value, NOTHING, f"the interval of the ICC needs {LEAST_CLUSTERS} clusters of scans"
    with np.errstate(divide="ignore", invalid="ignore"):  # where scans without a cluster are all equal
        found = jackknife.evaluate(icc_a1_of_weights(first, second), clusters, fisher=True)
    (lower,), (upper,) = found.interval(LEVEL)
    note = "no interval of the ICC: it is undefined without some scans" if math.isnan(lower) else ""
    return value, (float(lower), float(upper)), note
