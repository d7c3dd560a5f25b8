"""Means over sites, which are drawn from many, in simulated studies."""

from __future__ import annotations

import numpy as np
from promises import Found, Promise, Truth
from simulated_studies import DICECE, FOCAL, LABELS, Setting, study

from headct.statistics.core.agreement import ALL_SCANS
from headct.statistics.core.sites import mean_over_sites

SITE_PROMISES = {
    "site_mean": Promise(
        "difference of mean Dice, mean over sites", "site_effects", 0.95, of_all_networks=False
    )
}


def of_sites(rng: np.random.Generator, setting: Setting, true: Truth) -> Found:
    """Of the paper's models; in the population the mean over sites is that over scans."""
    one = study(rng, setting)
    found: Found = {}
    for label in LABELS:
        dice = one.arrays[label, "dice"].mean(axis=0)
        mean = mean_over_sites(dice[:, FOCAL] - dice[:, DICECE], one.site)
        values = true["dice_mean", label, ALL_SCANS]
        difference = values[FOCAL] - values[DICECE]
        found["site_mean", label] = np.array([[mean.mean], [mean.lower], [mean.upper], [difference]])
    return found
