"""Limits of agreement that vary with size: ``results/statistics/limits.tsv``.

Errors grow with the lesion, so limits of one width are too wide for small lesions and too narrow for
large ones. Two ways, over scans in which either volume is above 0 mL; never a logarithm, since volumes
can be 0:

regression      bias and SD are straight lines in the mean of both volumes. Bland JM, Altman DG. Stat
                Methods Med Res 1999;8:135-160, section 3.2. R: ``lm(difference ~ mean)``, then
                ``lm(abs(residuals) ~ mean)``.
cube root       bias and SD are constant in the difference of the cube roots, about a diameter.

The quartiles stand for the mean of both volumes in the regression, and for the reference in cube roots. They
are the same where errors are small, and not for a model that predicts next to nothing.

Columns: model role status label method n intercept slope sd_intercept sd_slope (mL for the
regression; ∛mL, and no slopes, for cube roots); then at a lesion of size_ml (the quartiles of the
reference over scans that have the lesion) bias_ml lower_ml upper_ml; note. Of the first seed's network.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import scipy

from headct.contracts.declarations import MadeOf, PublishedStatistic
from headct.statistics.comparison.score_arrays import ScoreArrays, status_of
from headct.statistics.core.agreement import LIMITS_SD
from headct.statistics.core.jackknife import RELATIVE_NOISE
from headct.statistics.core.resampling import QUARTILES

REGRESSION, CUBE_ROOT = "regression", "cube root"
MINIMUM_SCANS = 10
"""Two straight lines through fewer scans say nothing."""

LIMITS = PublishedStatistic(
    name="limits",
    help="limits of agreement that vary with the lesion's size",
    step="paired-analysis",
    columns="model role status label method n intercept slope sd_intercept sd_slope size_ml bias_ml"
    " lower_ml upper_ml note",
    keys="model label method size_ml status",
    made_of=(MadeOf(seeds="first"),),
)


def limits_table(parts: list[ScoreArrays]) -> pd.DataFrame:
    """All models and references."""
    rows = []
    for data in (part.first_seed() for part in parts):
        for i, (model, role) in enumerate(zip(data.models, data.roles, strict=True)):
            for label in data.labels:
                reference = data.reference_ml(label)
                predicted = data.arrays[label, "predicted_ml"][0, :, i]
                name = {"model": model, "role": role, "status": status_of(role), "label": label}
                present = reference[reference > 0]
                sizes = np.quantile(present, list(QUARTILES.values())) if len(present) else []
                rows += [{**name, **row} for row in varying_limits(reference, predicted, np.asarray(sizes))]
    return pd.DataFrame(rows, columns=LIMITS.header)


def varying_limits(
    reference_ml: np.ndarray, predicted_ml: np.ndarray, sizes_ml: np.ndarray
) -> list[dict[str, Any]]:
    """Rows of both methods, one per size; one without numbers where there are too few scans."""
    some = (reference_ml > 0) | (predicted_ml > 0)
    x, y = reference_ml[some], predicted_ml[some]
    rows: list[dict[str, Any]] = []
    for method, fit in ((REGRESSION, _regression), (CUBE_ROOT, _cube_root)):
        row: dict[str, Any] = {"method": method, "n": len(x)}
        if not len(sizes_ml):
            rows.append({**row, "note": "no scan has the lesion"})
            continue
        if len(x) < MINIMUM_SCANS:
            rows.append({**row, "note": f"needs {MINIMUM_SCANS} scans with any volume, there are {len(x)}"})
            continue
        rows += [{**row, **cells} for cells in fit(x, y, sizes_ml)]
    return rows


def _regression(x: np.ndarray, y: np.ndarray, sizes_ml: np.ndarray) -> list[dict[str, Any]]:
    average, difference = (x + y) / 2, y - x
    if np.ptp(average) == 0:
        return [{"note": "all volumes are equal"}]
    line = scipy.stats.linregress(average, difference)
    residual = np.abs(difference - line.intercept - line.slope * average)
    residual[residual <= RELATIVE_NOISE * max(x.max(), y.max())] = 0  # rounding noise is no spread
    spread = scipy.stats.linregress(average, residual)
    to_sd = math.sqrt(math.pi / 2)  # the mean of |e| is SD · √(2/π) where e is normal
    fitted = {
        "intercept": line.intercept,
        "slope": line.slope,
        "sd_intercept": to_sd * spread.intercept,
        "sd_slope": to_sd * spread.slope,
    }
    rows = []
    for size in sizes_ml:
        bias = line.intercept + line.slope * size
        sd = to_sd * (spread.intercept + spread.slope * size)
        ends = {"lower_ml": bias - LIMITS_SD * sd, "upper_ml": bias + LIMITS_SD * sd}
        note = ""
        if sd < 0:  # the line of the spread falls below 0 at this size
            ends, note = {}, "the fitted spread is negative at this size"
        rows.append({**fitted, "size_ml": size, "bias_ml": bias, **ends, "note": note})
    return rows


def _cube_root(x: np.ndarray, y: np.ndarray, sizes_ml: np.ndarray) -> list[dict[str, Any]]:
    difference = np.cbrt(y) - np.cbrt(x)
    mean, sd = float(difference.mean()), float(difference.std(ddof=1))

    def error_ml(size: float, root: float) -> float:
        return max(0.0, float(np.cbrt(size)) + root) ** 3 - size

    return [
        {
            "intercept": mean,
            "sd_intercept": sd,
            "size_ml": size,
            "bias_ml": error_ml(size, mean),
            "lower_ml": error_ml(size, mean - LIMITS_SD * sd),
            "upper_ml": error_ml(size, mean + LIMITS_SD * sd),
            "note": "",
        }
        for size in sizes_ml
    ]
