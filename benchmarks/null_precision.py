"""Whether a study finds what it is said to be able to find, in simulated studies.

What one study says (``precision.tsv``), or what is said before it from the true SD (``headct plan``), is held
against another one: its models, which are equally good, are moved apart by what is said to be found.
"""

from __future__ import annotations

import numpy as np
from null_missing import PLAN
from promises import Found, Promise, Truth, errors, of_endpoint
from scipy import optimize
from simulated_studies import DICECE, FOCAL, N_SCANS, Setting, population, study

from headct.statistics.comparison.endpoint_precision import precision_table
from headct.statistics.comparison.endpoints import columns_of, compared
from headct.statistics.comparison.equivalence import EQUIVALENT, dice_differences, interval_of_differences
from headct.statistics.comparison.equivalence import LEVEL as EQUIVALENCE_LEVEL
from headct.statistics.comparison.equivalence import verdict as verdict_of
from headct.statistics.core.precision import ALPHA, WANTED_POWER, of_independent

POWER = f"{100 * WANTED_POWER:g} % of studies"

PRECISION_PROMISES = {
    "not_found": Promise(
        f"a difference that {POWER} find is not found", "precision", 1 - WANTED_POWER, is_interval=False
    ),
    "not_found_as_planned": Promise(
        f"a difference that {POWER} find, by the true SD, is not found",
        "headct plan",
        1 - WANTED_POWER,
        is_interval=False,
    ),
    "not_equivalent_as_planned": Promise(
        f"equality that {POWER} show, by the true SD, is not shown",
        "headct plan",
        1 - WANTED_POWER,
        is_interval=False,
    ),
}

PRIMARY = of_endpoint(PLAN.primary)


def true_of_precision(setting: Setting, n_scans: int) -> Truth:
    """Of the primary endpoint and equally good models: what independent scans of the true SD can show."""
    many = population(setting, n_scans, seed=5, equal=True)
    dice = many.arrays[PLAN.primary.label, "dice"][0]
    expected = of_independent(float(np.std(dice[:, FOCAL] - dice[:, DICECE])), N_SCANS)

    def lacking(margin: float) -> float:
        return expected.equivalence_power(margin) - WANTED_POWER

    return {
        ("detectable", PRIMARY): np.array(expected.detectable(ALPHA)),
        ("margin", PRIMARY): np.array(optimize.brentq(lacking, 0, 20 * expected.error)),
    }


def of_precision(rng: np.random.Generator, setting: Setting, true: Truth) -> Found:
    """Two studies: of the first what it says, of the second whether that is so."""
    stated, tried = (study(rng, setting, equal=True).scores(setting.cluster) for _ in range(2))
    detectable = precision_table(stated, PLAN)["detectable"]
    found: Found = {}
    for one, least in zip(compared(tried, PLAN), detectable, strict=True):
        if one.means is None or np.isnan(least):
            continue
        own, other = columns_of(tried, one.endpoint, one.against)
        difference, name = one.means.differences([own], [other]), of_endpoint(one.endpoint)
        # With all differences larger by so much, P would be that of its opposite here.
        found["not_found", name] = errors(difference.p_value(-least) >= one.alpha)
        if one.endpoint == PLAN.primary:
            p = difference.p_value(-float(true["detectable", PRIMARY]))
            found["not_found_as_planned", name] = errors(p >= one.alpha)
    means, differences = dice_differences(tried, PLAN.primary.label, [FOCAL], [DICECE])
    (low,), (high,) = interval_of_differences(means, differences, tried.clusters, EQUIVALENCE_LEVEL)
    is_shown = verdict_of(low, high, float(true["margin", PRIMARY])) == EQUIVALENT
    found["not_equivalent_as_planned", PRIMARY] = errors([not is_shown])
    return found
