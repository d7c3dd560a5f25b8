"""Agreement of predicted with reference volumes: concordance correlation and Bland-Altman.

Intervals leave out whole clusters of scans (:mod:`headct.statistics.core.jackknife`).

``results/statistics/agreement.tsv`` has one row per model × label × kind of volumes × choice of scans and
these columns (volumes in mL, differences are prediction − reference, intervals are 95 %):

    model, role, label
    volumes                             which kind, :data:`VOLUMES`
    scans                               ``all`` (those without the lesion count as 0 mL), as in the
                                        paper, or ``with lesion`` (in the reference)
    n                                   scans
    ccc, ccc_lower, ccc_upper           concordance correlation coefficient, its interval by the
                                        jackknife's t on Fisher's scale
    bias_ml, bias_lower_ml, bias_upper_ml, sd_ml        mean difference, its interval by the
                                        jackknife's t, SD
    loa_lower_ml, loa_upper_ml          limits of agreement, bias ± 1.96 SD, without an interval: none
                                        that was tried holds for skewed errors
                                        (docs/decisions/jackknife.md)
    note                                why something is empty
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from headct.contracts.declarations import MadeOf, PublishedStatistic
from headct.statistics.core import jackknife
from headct.statistics.core.clusters import Clusters
from headct.statistics.core.order_statistics import NOTHING
from headct.statistics.core.summaries import by_model_and_label

AGREEMENT = PublishedStatistic(
    name="agreement",
    help="agreement of predicted with reference volumes",
    step="statistics",
    columns="model role label volumes scans n ccc ccc_lower ccc_upper bias_ml bias_lower_ml"
    " bias_upper_ml sd_ml loa_lower_ml loa_upper_ml note",
    keys="model label scans volumes",
    made_of=(MadeOf(seeds="first"),),
)

LIMITS_SD = 1.96
"""Half width of the limits of agreement in SD, as printed in the study."""

ALL_SCANS, WITH_LESION = "all", "with lesion"
"""Over which scans agreement is measured: zeros on which both agree flatter it."""

VOLUMES = {
    "weighted": ("reference_ml", "predicted_ml"),
    "header": ("reference_header_ml", "predicted_header_ml"),
}
"""Kinds of volumes and their columns: by the perpendicular distance of slices, by header spacing."""

PUBLISHED_VOLUMES = "header"
"""The kind that is compared with the paper's, which does not say what its own are, but probably these."""

LEVEL = 0.95
LEAST_CLUSTERS = 3
"""Fewer tell no standard error of a concordance: without one of two, it is that of the other alone."""


@dataclass(frozen=True)
class Concordance:
    """Concordance correlation coefficient with its 95 % interval; NaN where undefined: ``note``."""

    ccc: float
    interval: tuple[float, float]
    note: str = ""


@dataclass(frozen=True)
class BlandAltman:
    """Bias with its 95 % interval, and limits of agreement; NaN where undefined, which ``note`` says."""

    n: int
    bias: float
    bias_interval: tuple[float, float]
    sd: float
    lower_limit: float
    upper_limit: float
    note: str = ""


def concordance(reference: np.ndarray, predicted: np.ndarray, clusters: np.ndarray) -> Concordance:
    """Lin's concordance correlation coefficient of paired measurements.

    Lin LI. Biometrics 1989;45:255-268; variances are divided by n. Its interval is the jackknife's t on
    Fisher's scale: Lin's own assumes normal measurements, and held the coefficient in half of the studies of
    skewed volumes. R, for the coefficient: ``epiR::epi.ccc``.

    Args:
        reference: measurements (n,).
        predicted: measurements (n,) of the same scans.
        clusters: number (n,) of each scan's cluster, counted from 0.
    """
    x, y = _pairs(reference, predicted)
    if x.size < 2:
        return Concordance(math.nan, NOTHING, f"concordance needs 2 scans, there are {x.size}")
    if np.ptp(np.concatenate([x, y])) == 0:
        return Concordance(math.nan, NOTHING, "all volumes are equal: no concordance")
    for which, volumes in (("reference", x), ("predicted", y)):
        if np.ptp(volumes) == 0:  # rounding of their mean may hide it
            note = f"{which} volumes are all equal: no interval of the CCC"
            return Concordance(0.0, NOTHING, note)
    found = jackknife.evaluate(jackknife.ccc(x, y[None, :, None]), clusters, fisher=True)
    ccc = float(found.estimate[0])
    if math.isclose(abs(ccc), 1, rel_tol=0, abs_tol=jackknife.RELATIVE_NOISE):
        return Concordance(ccc, NOTHING, f"the interval of the CCC is undefined at a CCC of {ccc:g}")
    if len(found.left_out) < LEAST_CLUSTERS:
        note = f"the interval of the CCC needs {LEAST_CLUSTERS} clusters of scans, there are "
        return Concordance(ccc, NOTHING, f"{note}{len(found.left_out)}")
    (lower,), (upper,) = found.interval(LEVEL)
    note = "no interval of the CCC: it is undefined without some scans" if math.isnan(lower) else ""
    return Concordance(ccc, (float(lower), float(upper)), note)


def bland_altman(reference: np.ndarray, predicted: np.ndarray, clusters: np.ndarray) -> BlandAltman:
    """Bias (predicted − reference) and limits of agreement of paired measurements.

    Bland JM, Altman DG. Lancet 1986;327:307-310. The interval of the bias is the jackknife's t. The limits
    have none: the authors' own assumes normal differences, and no other that was tried holds for those of
    skewed volumes.

    Args:
        reference: measurements (n,).
        predicted: measurements (n,) of the same scans.
        clusters: number (n,) of each scan's cluster, counted from 0.
    """
    x, y = _pairs(reference, predicted)
    difference = y - x
    n = difference.size
    bias = float(difference.mean()) if n else math.nan
    if n < 2:
        note = f"limits of agreement need 2 scans, there are {n}"
        return BlandAltman(n, bias, NOTHING, math.nan, math.nan, math.nan, note)
    sd = 0.0 if np.ptp(difference) == 0 else float(difference.std(ddof=1))
    (lower,), (upper,) = jackknife.evaluate(jackknife.mean(difference[None, :, None]), clusters).interval(
        LEVEL
    )
    note = ""
    if math.isnan(lower):
        why = "all differences are equal" if sd == 0 else "all scans are of one cluster"
        note = f"{why}: no interval of the bias"
    return BlandAltman(
        n=n,
        bias=bias,
        bias_interval=(float(lower), float(upper)),
        sd=sd,
        lower_limit=bias - LIMITS_SD * sd,
        upper_limit=bias + LIMITS_SD * sd,
        note=note,
    )


def agreement_row(
    reference_ml: np.ndarray, predicted_ml: np.ndarray, clusters: np.ndarray
) -> dict[str, float | str]:
    """CCC and Bland-Altman of paired volumes, with the columns listed at the top of this module.

    Args: as of :func:`concordance`.
    """
    lin = concordance(reference_ml, predicted_ml, clusters)
    limits = bland_altman(reference_ml, predicted_ml, clusters)
    return {
        "n": limits.n,
        "ccc": lin.ccc,
        "ccc_lower": lin.interval[0],
        "ccc_upper": lin.interval[1],
        "bias_ml": limits.bias,
        "bias_lower_ml": limits.bias_interval[0],
        "bias_upper_ml": limits.bias_interval[1],
        "sd_ml": limits.sd,
        "loa_lower_ml": limits.lower_limit,
        "loa_upper_ml": limits.upper_limit,
        "note": "; ".join(note for note in (lin.note, limits.note) if note),
    }


def agreement_table(scores: pd.DataFrame, clusters: Clusters) -> pd.DataFrame:
    """Agreement per model × label, over all scans and over those with the lesion.

    Args:
        scores: rows of one seed per model, :func:`headct.statistics.core.scores.first_seed`.
        clusters: what intervals leave out.

    Returns the columns listed at the top of this module.
    """
    rows = []
    for name, values in by_model_and_label(scores):
        for kind, columns in VOLUMES.items():
            for choice, chosen in ((ALL_SCANS, values), (WITH_LESION, values[values["reference_ml"] > 0])):
                reference, predicted = (chosen[column].to_numpy() for column in columns)
                row = agreement_row(reference, predicted, clusters.of(chosen["scan_id"]))
                rows.append({**name, "volumes": kind, "scans": choice, **row})
    return pd.DataFrame(rows)


def as_published(agreement: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`agreement_table` that the paper's numbers are compared with."""
    return agreement[(agreement["scans"] == ALL_SCANS) & (agreement["volumes"] == PUBLISHED_VOLUMES)]


def _pairs(reference: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(reference, dtype=float), np.asarray(predicted, dtype=float)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"paired measurements of shapes {x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("measurements are not all finite")
    return x, y
