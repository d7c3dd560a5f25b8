"""Agreement of predicted with reference volumes: concordance correlation and Bland-Altman.

``results/statistics/agreement.tsv`` has one row per model × label × kind of volumes × choice of scans and
these columns (volumes in mL, differences are prediction − reference, intervals are 95 %):

    model, role, label
    volumes                             which kind, :data:`VOLUMES`
    scans                               ``all`` (those without the lesion count as 0 mL), as in the
                                        paper, or ``with lesion`` (in the reference)
    n                                   scans
    ccc, ccc_lower, ccc_upper, ccc_se   concordance correlation coefficient, z-transformed CI,
                                        standard error on the untransformed scale
    bias_ml, bias_lower_ml, bias_upper_ml, sd_ml        mean difference, its CI (t), SD
    loa_lower_ml, loa_upper_ml          limits of agreement, bias ± 1.96 SD
    loa_lower_ci_low_ml, loa_lower_ci_high_ml           CI of the lower limit
    loa_upper_ci_low_ml, loa_upper_ci_high_ml           CI of the upper limit
    note                                why something is empty
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy

from headct.contracts.declarations import MadeOf, PublishedStatistic
from headct.statistics.core.summaries import by_model_and_label

AGREEMENT = PublishedStatistic(
    name="agreement",
    help="agreement of predicted with reference volumes",
    step="statistics",
    columns="model role label volumes scans n ccc ccc_lower ccc_upper ccc_se bias_ml bias_lower_ml"
    " bias_upper_ml sd_ml loa_lower_ml loa_upper_ml loa_lower_ci_low_ml loa_lower_ci_high_ml"
    " loa_upper_ci_low_ml loa_upper_ci_high_ml note",
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

NAN_PAIR = (math.nan, math.nan)


@dataclass(frozen=True)
class Concordance:
    """Concordance correlation coefficient with its 95 % interval; NaN where undefined."""

    ccc: float
    lower: float
    upper: float
    note: str = ""
    se: float = math.nan


@dataclass(frozen=True)
class BlandAltman:
    """Bias and limits of agreement with their 95 % intervals (lower, upper); NaN where undefined."""

    n: int
    bias: float
    bias_ci: tuple[float, float]
    sd: float
    lower_limit: float
    upper_limit: float
    lower_limit_ci: tuple[float, float]
    upper_limit_ci: tuple[float, float]
    note: str = ""


def concordance(reference: np.ndarray, predicted: np.ndarray) -> Concordance:
    """Lin's concordance correlation coefficient of paired measurements.

    Lin LI. Biometrics 1989;45:255-268, with the variance as corrected in Biometrics 2000;56:324-325;
    variances are divided by n, the interval comes from the inverse hyperbolic tangent.
    """
    x, y = _pairs(reference, predicted)
    n = x.size
    if n < 2:
        return Concordance(math.nan, *NAN_PAIR, f"concordance needs 2 scans, there are {n}")
    var_x, var_y = _variance(x), _variance(y)
    shift = float(y.mean() - x.mean())
    scatter = var_x + var_y + shift**2
    if scatter == 0:
        return Concordance(math.nan, *NAN_PAIR, "all volumes are equal: no concordance")
    covariance = float(np.mean((x - x.mean()) * (y - y.mean())))
    ccc = 2 * covariance / scatter
    if var_x == 0 or var_y == 0:
        which = "reference" if var_x == 0 else "predicted"
        return Concordance(ccc, *NAN_PAIR, f"{which} volumes are all equal: no interval of the CCC")
    if n < 3 or ccc == 0 or math.isclose(abs(ccc), 1, rel_tol=0, abs_tol=1e-12):
        why = "needs 3 scans" if n < 3 else f"is undefined at a CCC of {ccc:g}"
        return Concordance(ccc, *NAN_PAIR, f"the interval of the CCC {why}")
    r = covariance / math.sqrt(var_x * var_y)
    u2 = shift**2 / math.sqrt(var_x * var_y)
    variance = (
        (1 - r**2) * ccc**2 * (1 - ccc**2) / r**2
        + 2 * ccc**3 * (1 - ccc) * u2 / r
        - ccc**4 * u2**2 / (2 * r**2)
    ) / (n - 2)
    se = math.sqrt(max(variance, 0.0))
    half = scipy.stats.norm.ppf(0.975) * se / (1 - ccc**2)
    z = math.atanh(ccc)
    return Concordance(ccc, math.tanh(z - half), math.tanh(z + half), se=se)


def bland_altman(reference: np.ndarray, predicted: np.ndarray) -> BlandAltman:
    """Bias (predicted − reference) and limits of agreement of paired measurements.

    Bland JM, Altman DG. Lancet 1986;327:307-310; the standard error of a limit is that of their
    1999 review (Stat Methods Med Res 8:135-160), SD · √(1/n + 1.96²/(2(n − 1))), with t quantiles.
    """
    x, y = _pairs(reference, predicted)
    difference = y - x
    n = difference.size
    bias = float(difference.mean()) if n else math.nan
    if n < 2:
        note = f"limits of agreement need 2 scans, there are {n}"
        nothing = math.nan
        return BlandAltman(n, bias, NAN_PAIR, nothing, nothing, nothing, NAN_PAIR, NAN_PAIR, note)
    sd = math.sqrt(_variance(difference) * n / (n - 1))
    t = float(scipy.stats.t.ppf(0.975, n - 1))
    bias_half = t * sd / math.sqrt(n)
    limit_half = t * sd * math.sqrt(1 / n + LIMITS_SD**2 / (2 * (n - 1)))
    lower, upper = bias - LIMITS_SD * sd, bias + LIMITS_SD * sd
    return BlandAltman(
        n=n,
        bias=bias,
        bias_ci=(bias - bias_half, bias + bias_half),
        sd=sd,
        lower_limit=lower,
        upper_limit=upper,
        lower_limit_ci=(lower - limit_half, lower + limit_half),
        upper_limit_ci=(upper - limit_half, upper + limit_half),
        note="" if sd > 0 else "all differences are equal: intervals have no width",
    )


def agreement_row(reference_ml: np.ndarray, predicted_ml: np.ndarray) -> dict[str, float | str]:
    """CCC and Bland-Altman of paired volumes, with the columns listed at the top of this module."""
    lin = concordance(reference_ml, predicted_ml)
    limits = bland_altman(reference_ml, predicted_ml)
    return {
        "n": limits.n,
        "ccc": lin.ccc,
        "ccc_lower": lin.lower,
        "ccc_upper": lin.upper,
        "ccc_se": lin.se,
        "bias_ml": limits.bias,
        "bias_lower_ml": limits.bias_ci[0],
        "bias_upper_ml": limits.bias_ci[1],
        "sd_ml": limits.sd,
        "loa_lower_ml": limits.lower_limit,
        "loa_upper_ml": limits.upper_limit,
        "loa_lower_ci_low_ml": limits.lower_limit_ci[0],
        "loa_lower_ci_high_ml": limits.lower_limit_ci[1],
        "loa_upper_ci_low_ml": limits.upper_limit_ci[0],
        "loa_upper_ci_high_ml": limits.upper_limit_ci[1],
        "note": "; ".join(note for note in (lin.note, limits.note) if note),
    }


def agreement_table(scores: pd.DataFrame) -> pd.DataFrame:
    """Agreement per model × label, over all scans and over those with the lesion.

    Takes rows of one seed per model, :func:`headct.statistics.core.scores.first_seed`; the columns are
    listed at the top of this module.
    """
    rows = []
    for name, values in by_model_and_label(scores):
        for kind, columns in VOLUMES.items():
            for choice, chosen in ((ALL_SCANS, values), (WITH_LESION, values[values["reference_ml"] > 0])):
                reference, predicted = (chosen[column].to_numpy() for column in columns)
                rows.append({**name, "volumes": kind, "scans": choice, **agreement_row(reference, predicted)})
    return pd.DataFrame(rows)


def as_published(agreement: pd.DataFrame) -> pd.DataFrame:
    """The rows of :func:`agreement_table` that the paper's numbers are compared with."""
    return agreement[(agreement["scans"] == ALL_SCANS) & (agreement["volumes"] == PUBLISHED_VOLUMES)]


def _variance(values: np.ndarray) -> float:
    """Variance over n; exactly 0 for equal values, which rounding of their mean may hide."""
    return 0.0 if values.size and np.ptp(values) == 0 else float(values.var())


def _pairs(reference: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.asarray(reference, dtype=float), np.asarray(predicted, dtype=float)
    if x.shape != y.shape or x.ndim != 1:
        raise ValueError(f"paired measurements of shapes {x.shape} and {y.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("measurements are not all finite")
    return x, y
