"""How well raters agree: second readings against first ones: ``python -m headct raters --help``.

A second reading is measured like a model (``headct.metrics``): the first reading is the reference. What
two humans reach is the ceiling for any model trained on their drawings.
"""

from __future__ import annotations

import logging
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pingouin

from headct.contracts.artefacts import write_tsv
from headct.contracts.declarations import MadeOf, PublishedStatistic
from headct.statistics.core.agreement import ALL_SCANS, WITH_LESION, agreement_row
from headct.statistics.core.scores import read_table
from headct.statistics.core.summaries import describe

pingouin.options["round.column.CI95"] = None  # it rounds intervals to two digits otherwise

logger = logging.getLogger(__name__)

RATER_AGREEMENT = PublishedStatistic(
    name="rater_agreement",
    help="agreement of second with first readings",
    step="raters",
    columns="model label scans dice_mean dice_median dice_q1 dice_q3 icc_a1 icc_a1_lower icc_a1_upper n ccc"
    " ccc_lower ccc_upper ccc_se bias_ml bias_lower_ml bias_upper_ml sd_ml loa_lower_ml loa_upper_ml"
    " loa_lower_ci_low_ml loa_lower_ci_high_ml loa_upper_ci_low_ml loa_upper_ci_high_ml note",
    keys="model label scans",
    made_of=(MadeOf(seeds="first"),),
)

NEEDED = ("model", "scan_id", "label", "dice", "reference_ml", "predicted_ml")


def main(
    *,
    metrics: Path,
    out: Path,
) -> None:
    """How well raters agree: second readings against first ones.

    Args:
        metrics: metrics table of the second readings.
        out: table to write.
    """
    readings = read_table(metrics, NEEDED)
    table = rater_agreement(readings)
    write_tsv(table, out)
    logger.info("agreement of raters on %d scans: %s", readings["scan_id"].nunique(), out)


def icc(ratings: np.ndarray) -> dict[str, tuple[float, float, float]]:
    """Intraclass correlations of (targets, raters): ``ICC(1,1)``, ``ICC(A,1)``, ``ICC(C,1)``.

    Each as value, lower and upper end of the 95 % interval. McGraw KO, Wong SP. Psychol Methods
    1996;1:30-46, by pingouin. R: ``psych::ICC(ratings, lmer = FALSE)``, ``irr::icc``.

    Raises:
        ValueError: fewer than two targets or raters.
    """
    if ratings.ndim != 2 or min(ratings.shape) < 2:
        raise ValueError(f"ratings of shape {ratings.shape}")
    target, rater = np.indices(ratings.shape)
    long = pd.DataFrame({"target": target.ravel(), "rater": rater.ravel(), "rating": ratings.ravel()})
    with np.errstate(divide="ignore", invalid="ignore"):  # raters without any difference
        found = pingouin.intraclass_corr(long, "target", "rater", "rating").set_index("Type")
    kinds = ("ICC(1,1)", "ICC(A,1)", "ICC(C,1)")
    ends = {kind: found.loc[kind, "CI95"] for kind in kinds}
    return {
        kind: (float(found.loc[kind, "ICC"]), float(low), float(high)) for kind, (low, high) in ends.items()
    }


def rater_agreement(readings: pd.DataFrame) -> pd.DataFrame:
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
            agreement = agreement_row(first, second)
            value, lower, upper, note = _icc_a1(first, second)
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


def _icc_a1(first: np.ndarray, second: np.ndarray) -> tuple[float, float, float, str]:
    if len(first) < 3:
        return math.nan, math.nan, math.nan, f"ICC needs 3 scans, there are {len(first)}"
    if np.ptp(np.concatenate([first, second])) == 0:
        return math.nan, math.nan, math.nan, "all volumes are equal: no ICC"
    if np.array_equal(first, second):
        return 1.0, math.nan, math.nan, "both readings are equal: no interval of the ICC"
    return *icc(np.column_stack([first, second]))["ICC(A,1)"], ""
