"""Lesion volumes and clinical data with the published distribution.

The cohort table of Kok et al. (2022, Table 2) prints mean, SD, range and quartiles. A quantile
function through range and quartiles is drawn from; mean and SD then serve as a check.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import PchipInterpolator
from scipy.special import ndtr, ndtri

from headct.simulate.random_streams import stream
from headct.simulate.settings import TrialSettings

N_PUBLISHED = 1558
"""Participants behind the printed ranges (training set, Table 2)."""

AGE_YEARS = (20.0, 60.0, 70.0, 78.5, 101.0)
"""Range as printed; quartiles set so that mean 69 and SD 13-14 come out (none are printed)."""

ONSET_TO_CT_HOURS = (0.4, 1.4, 1.9, 2.9, 8.0)
"""Quartiles as printed; 8 h is the trial's limit, the minimum is an assumption."""

SHARE_OF_WOMEN = 0.44
"""As printed."""


@dataclass(frozen=True)
class Clinical:
    """The clinical columns of one row of the sheet."""

    age_years: int
    sex: str
    onset_to_ct_hours: float


def quantiles(five_numbers: Sequence[float], probability: ArrayLike) -> NDArray[np.float64]:
    """Monotone quantile function through minimum, quartiles and maximum, all above 0.

    PCHIP (Fritsch & Carlson, SIAM J Numer Anal 1980;17:238) of log value on the normal score of the
    probability, on which a lognormal variable is a straight line. Minimum and maximum stand at the
    scores that the extremes of the published sample have, and nothing goes beyond them.
    """
    curve = _log_quantiles(tuple(five_numbers))
    scores = np.clip(ndtri(np.asarray(probability)), curve.x[0], curve.x[-1])
    return np.clip(np.exp(curve(scores)), five_numbers[0], five_numbers[-1])


@cache
def _log_quantiles(five_numbers: tuple[float, ...]) -> PchipInterpolator:
    tail = 1 / (N_PUBLISHED + 1)
    return PchipInterpolator(ndtri([tail, 0.25, 0.5, 0.75, 1 - tail]), np.log(five_numbers))


def draw_volumes_ml(settings: TrialSettings, participant: str) -> dict[str, float]:
    """Volume of each class; 0 where the participant does not have the lesion.

    ICH and PHE are joined by a Gaussian copula of ``ich_phe_correlation``.
    """
    random = stream(settings.seed, participant, "volumes")
    ich, independent, ivh = random.standard_normal(3)
    has_phe, has_ivh = random.random(2) < (settings.phe_share, settings.ivh_share)
    correlation = settings.ich_phe_correlation
    phe = correlation * ich + np.sqrt(1 - correlation**2) * independent
    drawn = {
        label: float(quantiles(settings.volumes_ml[label], ndtr(score)))
        for label, score in (("ICH", ich), ("PHE", phe), ("IVH", ivh))
    }
    return drawn | ({} if has_phe else {"PHE": 0.0}) | ({} if has_ivh else {"IVH": 0.0})


def draw_clinical(settings: TrialSettings, participant: str) -> Clinical:
    """Age, sex and time from onset to CT, independent of each other and of the lesions."""
    random = stream(settings.seed, participant, "clinical")
    age, onset, sex = random.random(3)
    return Clinical(
        age_years=round(float(quantiles(AGE_YEARS, age))),
        sex="F" if sex < SHARE_OF_WOMEN else "M",
        onset_to_ct_hours=round(float(quantiles(ONSET_TO_CT_HOURS, onset)), 1),
    )
