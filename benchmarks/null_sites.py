"""Means over sites, which are drawn from many, and what a new one has, in simulated studies."""

from __future__ import annotations

import numpy as np
import pandas as pd
from promises import Found, Promise, Truth, of
from simulated_studies import DICECE, FOCAL, LABELS, SHOWN, Setting, study, study_and_new_site

from headct.statistics.comparison.new_site import new_site_cells, of_sites
from headct.statistics.core.agreement import ALL_SCANS, WITH_LESION
from headct.statistics.core.sites import mean_over_sites

SITE_PROMISES = {
    "site_mean": Promise(
        "difference of mean Dice, mean over sites", "site_effects", 0.95, of_all_networks=False
    ),
    "over_sites": Promise("mean Dice, mean over sites", "new_site", 0.95, of_all_networks=False),
    "new_site": Promise("mean Dice of a new site", "new_site", 0.95, of_all_networks=False),
}


def of_paired_sites(rng: np.random.Generator, setting: Setting, true: Truth) -> Found:
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


def of_new_site(rng: np.random.Generator, setting: Setting, true: Truth) -> Found:
    """Of the paper's models: the mean over sites, and that of a new site, which many of its scans tell.

    A new site's mean scatters about the population's as an oracle's interval has it; where sites do not
    differ there is nothing to predict.
    """
    one, is_new = study_and_new_site(rng, setting)
    found: Found = {}
    for label in LABELS:
        for scans in (ALL_SCANS, WITH_LESION) if label == "IVH" else (ALL_SCANS,):
            chosen = one.arrays[label, "reference_ml"][0, :, 0] > (0 if scans == WITH_LESION else -1)
            dice = one.arrays[label, "dice"].mean(axis=0)
            at_hand = chosen & ~is_new
            rows = pd.DataFrame({"site": one.site, "participant_id": one.participant})[at_hand]
            cells = pd.DataFrame(
                [
                    new_site_cells(of_sites(rows.assign(dice=dice[at_hand, model])), None, 0)
                    for model in SHOWN
                ],
                columns=["dice_mean", "lower", "upper", "new_lower", "new_upper"],
            )
            mean, lower, upper, new_lower, new_upper = cells.to_numpy(float).T
            of_new = dice[chosen & is_new][:, SHOWN].mean(axis=0)
            over_all = true["dice_mean", label, scans][SHOWN]
            found["over_sites", of(label, scans)] = np.stack([mean, lower, upper, over_all])
            if setting.site_sd:
                found["new_site", of(label, scans)] = np.stack([of_new, new_lower, new_upper, of_new])
    return found
