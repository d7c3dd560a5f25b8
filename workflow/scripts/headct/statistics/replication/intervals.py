"""Published numbers beside this run's: ``results/statistics/replication.tsv``.

Two studies that measure the same thing in different scans differ by chance alone. ``lower`` and ``upper`` are
the ends of a 95 % prediction interval for the published number, given this run's scans
(:mod:`headct.statistics.core.prediction`). A published number within it is what a replication looks like, and
no proof that both are equal.

Columns: table item label quantity; published reproduced; difference (reproduced − published); lower upper;
outside (yes: the published number lies outside of the interval); outside_family (the same with Bonferroni's
correction over all intervals); n_published n_reproduced, scans behind either; note, why there is no interval.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from headct.contracts.artefacts import read_tsv
from headct.contracts.declarations import MadeOf, PublishedStatistic
from headct.contracts.labels import LabelSet
from headct.contracts.sets import SETS
from headct.settings.published import VOLUME
from headct.statistics.core import prediction
from headct.statistics.core.agreement import PUBLISHED_VOLUMES, VOLUMES, as_published
from headct.statistics.core.clusters import Clusters, needed
from headct.statistics.core.order_statistics import NOTHING
from headct.statistics.core.prediction import Interval, Sample
from headct.statistics.core.resampling import QUARTILES
from headct.statistics.core.scores import first_seed, mean_over_seeds
from headct.statistics.core.summaries import MEAN, by_model_and_label, dice_by_scan
from headct.statistics.replication.cohort_tests import characteristics

REPLICATION = PublishedStatistic(
    name="replication",
    help="each published number beside this run's, and where it was to be expected",
    step="claims",
    columns="table item label quantity published reproduced difference lower upper outside outside_family"
    " n_published n_reproduced note",
    keys="item table label quantity",
    made_of=(MadeOf(rows="published numbers"),),
)

LEVEL = 0.95

KEY = ["table", "item", "label", "quantity"]
TABLE_1, AGREEMENT, TABLE_2 = "Table 1", "Agreement", "Table 2"

DICE_QUANTITIES = ("mean", "median", "q1", "q3")
AGREEMENT_QUANTITIES = ("ccc", "bias_ml", "loa_lower_ml", "loa_upper_ml")
COHORT_QUANTITIES = ("n", "count", "percent", "mean", "sd", "min", "max", "median", "q1", "q3")

DICE_BOUNDS, POSITIVE = (0.0, 1.0), (0.0, math.inf)

WHOLE = (DICE_BOUNDS, (0.0, 100.0))
"""Intervals that hold anything a Dice, or a percentage, can be."""

NOT_RUN = "model not run"
NOT_MEASURED = "not part of this study"
NOT_INDEPENDENT = "the paper and this run have the same participants and are not independent"
NO_INTERVAL = "no interval: "
TOO_FEW = f"{NO_INTERVAL}too few scans or clusters, or all values are equal"
CONSTANT_PREDICTIONS = "outside, whatever the scans: all predicted volumes are equal, of which the CCC is 0"
NEVER = {
    **dict.fromkeys(("n", "count"), "a count"),
    **dict.fromkeys(("min", "max"), "an extreme"),
    "p": "a P",
    **dict.fromkeys(("loa_lower_ml", "loa_upper_ml"), "none holds for limits of agreement of skewed errors"),
}
"""Quantities that have no interval, and why."""

Samples = Mapping[tuple[str, str, str], Sample]
"""What this run's numbers are made of, by table, item and label."""


def replication(
    published: pd.DataFrame, statistics: Mapping[str, pd.DataFrame], samples: Samples, independent: bool
) -> pd.DataFrame:
    """Every published number with the one of this run; the columns are listed at the top of this module.

    Args:
        published: :func:`headct.settings.published.numbers`.
        statistics: ``dice_summary``, ``agreement`` and ``cohort_tests``, which hold this run's numbers.
        samples: what these are made of, :func:`samples_of`.
        independent: whether this run has other participants than the paper; if not, nothing has an interval.
    """
    ours = pd.DataFrame(list(_numbers(statistics)), columns=[*KEY, "reproduced", "n_reproduced"])
    table = published.merge(ours, on=KEY, how="left", validate="one_to_one")
    table["difference"] = table["reproduced"] - table["published"]
    rows = table.to_dict("records")
    reasons = [_why_none(row, independent, samples) for row in rows]
    ends = _expected(rows, reasons, samples, LEVEL)
    says_nothing = [tuple(pair) in WHOLE for pair in ends]
    ends[says_nothing] = NOTHING
    table["lower"], table["upper"] = ends.T
    n_intervals = max(1, int(np.isfinite(ends).all(axis=1).sum()))
    of_family = _expected(rows, reasons, samples, 1 - (1 - LEVEL) / n_intervals)
    of_family[says_nothing] = NOTHING
    constant = np.array([_is_constant_ccc(row, why, samples) for row, why in zip(rows, reasons, strict=True)])
    for column, interval in (("outside", ends), ("outside_family", of_family)):
        inside = (interval[:, 0] <= table["published"]) & (table["published"] <= interval[:, 1])
        judged = np.where(np.isnan(interval[:, 0]), "", np.where(inside, "no", "yes"))
        table[column] = np.where(constant, "yes", judged)
    without = np.where(constant, CONSTANT_PREDICTIONS, np.where(np.isnan(ends[:, 0]), TOO_FEW, ""))
    found = np.where(np.array(reasons) != "", reasons, without)
    table["note"] = ["; ".join(filter(None, pair)) for pair in zip(found, table["note"], strict=True)]
    return table[REPLICATION.header]


def samples_of(
    scores: pd.DataFrame, cohort: pd.DataFrame, clusters: Clusters, labels: LabelSet
) -> dict[tuple[str, str, str], Sample]:
    """What the numbers of Table 1, of the agreement and of Table 2 are made of.

    Args:
        scores: what ``scores.read`` gives.
        cohort: one row per scan of the split, as ``cohort_tests`` takes it.
        clusters: of the scans of both sets.
        labels: the lesions.
    """
    found = {}
    scans = mean_over_seeds(scores)
    for name, rows in by_model_and_label(scans):
        sample = Sample(rows["dice"].to_numpy(float), clusters.of(rows["scan_id"]), DICE_BOUNDS)
        found[TABLE_1, name["model"], name["label"]] = sample
    for model, dice in dice_by_scan(scans, labels).items():
        sample = Sample(dice.mean(axis=1).to_numpy(float), clusters.of(dice.index), DICE_BOUNDS)
        found[TABLE_1, model, MEAN] = sample
    columns = VOLUMES[PUBLISHED_VOLUMES]
    for name, rows in by_model_and_label(first_seed(scores)):
        reference, predicted = (rows[column].to_numpy(float) for column in columns)
        sample = Sample(predicted - reference, clusters.of(rows["scan_id"]), reference=reference)
        found[AGREEMENT, name["model"], name["label"]] = sample
    for one in characteristics(cohort, labels):
        for set_name, rows in one.values.groupby("set"):
            sample = Sample(rows["value"].to_numpy(float), clusters.of(rows["scan_id"]), POSITIVE)
            found[TABLE_2, _item(one.name, one.statistic), str(set_name)] = sample
    return found


def read_replication(path: Path) -> pd.DataFrame:
    """A table of these columns; an empty label, verdict or note is an empty text."""
    texts = ("label", "outside", "outside_family", "note")
    return read_tsv(path, **dict.fromkeys(texts, str)).fillna(dict.fromkeys(texts, ""))


def family_words(table: pd.DataFrame) -> str:
    """How many intervals there are, how many published numbers lie outside, and how many would by chance."""
    tested = table[table["outside"] != ""]
    if tested.empty and table["note"].str.contains(NOT_INDEPENDENT, regex=False).any():
        return f"{NOT_INDEPENDENT[0].upper()}{NOT_INDEPENDENT[1:]}, so no number has an interval or a mark."
    if tested.empty:
        return "No number has a prediction interval."
    outside, corrected = ((tested[name] == "yes").sum() for name in ("outside", "outside_family"))
    return (
        f"{len(tested)} published numbers are judged; {outside} lie outside of where they are expected"
        f" (about {0.05 * len(tested):.0f} would by chance if all were replicated), {corrected} with"
        " Bonferroni's correction over all of them. The numbers are not independent: models share their"
        " scans."
    )


def _why_none(row: Mapping[Hashable, Any], independent: bool, samples: Samples) -> str:
    """Why a number has no interval, whatever its values; empty if it has one."""
    table, item, label, quantity = (row[key] for key in KEY)
    if math.isnan(row["reproduced"]):
        return NOT_RUN if table != TABLE_2 else NOT_MEASURED
    if not independent:
        return NO_INTERVAL + NOT_INDEPENDENT
    if quantity in NEVER:
        return NO_INTERVAL + NEVER[quantity]
    if label == MEAN and quantity in QUARTILES:
        return f"{NO_INTERVAL}the mean of the lesions' medians"
    if quantity == "sd" and item.partition(",")[0].endswith(VOLUME):
        return f"{NO_INTERVAL}of the SD of skewed volumes none is narrow enough"
    sample = samples[_key(row)]
    too_few = needed(len(sample.values), sample.clusters)
    return NO_INTERVAL + too_few if too_few else ""


def _expected(
    rows: Sequence[Mapping[Hashable, Any]], reasons: Sequence[str], samples: Samples, level: float
) -> np.ndarray:
    """Ends of the intervals (rows, 2); NaN for numbers that have a reason to have none."""
    ends = [
        NOTHING if why else _interval(samples[_key(row)], row["quantity"], row["n_published"], level)
        for row, why in zip(rows, reasons, strict=True)
    ]
    return np.array([NOTHING if not np.isfinite(pair).all() else pair for pair in ends])


def _interval(sample: Sample, quantity: str, m: float, level: float) -> Interval:
    if quantity in QUARTILES:
        return prediction.of_quantile(sample, QUARTILES[quantity], m, level)
    if quantity == "percent":
        lower, upper = prediction.of_share(sample, m, level)
        return 100 * lower, 100 * upper
    return INTERVALS[quantity](sample, m, level)


INTERVALS: Mapping[str, Callable[[Sample, float, float], Interval]] = {
    "mean": prediction.of_mean,
    "bias_ml": prediction.of_mean,
    "sd": prediction.of_sd,
    "ccc": prediction.of_ccc,
}


def _is_constant_ccc(row: Mapping[Hashable, Any], why: str, samples: Samples) -> bool:
    """Whether a CCC is 0 since all predicted volumes are equal, and those of the reference are not."""
    if why or row["quantity"] != "ccc":
        return False
    sample = samples[_key(row)]
    return np.ptp(sample.of_reference) > 0 and np.ptp(sample.of_reference + sample.values) == 0


def _key(row: Mapping[Hashable, Any]) -> tuple[str, str, str]:
    return row["table"], row["item"], row["label"]


def _item(characteristic: str, statistic: str) -> str:
    """Name of a row of Table 2, as the published numbers have it."""
    return f"{characteristic}, {statistic}"


def _numbers(statistics: Mapping[str, pd.DataFrame]) -> Iterator[tuple[Any, ...]]:
    """This run's numbers: table item label quantity, value, scans behind it."""
    for row in statistics["dice_summary"].to_dict("records"):
        for name in DICE_QUANTITIES:
            yield TABLE_1, row["model"], row["label"], name, row[name], row["n"]
    for row in as_published(statistics["agreement"]).to_dict("records"):
        for name in AGREEMENT_QUANTITIES:
            yield AGREEMENT, row["model"], row["label"], name, row[name], row["n"]
    for row in statistics["cohort_tests"].to_dict("records"):
        item = _item(row["characteristic"], row["statistic"])
        for group in SETS:
            for name in COHORT_QUANTITIES:
                yield TABLE_2, item, group, name, row[f"{group}_{name}"], row[f"{group}_n"]
        # As in print, the test of a lesion's share is told with it.
        yield TABLE_2, item, "", "p", row["p"], math.nan
