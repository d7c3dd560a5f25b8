"""Lesions one by one: connected components of the reference and of the prediction, matched."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from headct.imaging.components import connected_components
from headct.metrics.overlap import Measures
from headct.settings.blocks import Connectivity


def measure(
    reference: NDArray[np.bool_], predicted: NDArray[np.bool_], connectivity: Connectivity
) -> Measures:
    """Count the lesions, those found and those invented; F1 and the mean Dice per lesion.

    A lesion of the reference is found where a predicted one shares a voxel with it; a predicted one
    that shares none with any is false. The Dice of a lesion of the reference compares it with all
    predicted ones that touch it, together; 0 for a missed one (as BraTS 2023, without its dilation
    and with false lesions left to F1).

    Args:
        reference, predicted: masks of equal shape (z, y, x).
        connectivity: 6, 18 or 26 neighbours make one lesion.
    """
    (first, n), (second, m) = (connected_components(mask, connectivity) for mask in (reference, predicted))
    both = reference & predicted
    pairs = first[both].astype(np.int64) * (m + 1) + second[both]
    touching, shared = np.unique(pairs, return_counts=True)
    of_reference, of_prediction = np.divmod(touching, m + 1)
    found = len(np.unique(of_reference))
    false = m - len(np.unique(of_prediction))
    intersection = np.bincount(of_reference, weights=shared, minlength=n + 1)
    own, others = (np.bincount(components.ravel()) for components in (first, second))  # 0: background
    touched = np.bincount(of_reference, weights=others[of_prediction], minlength=n + 1)
    dice = 2 * intersection[1:] / (own[1:] + touched[1:])
    return {
        "reference_lesions": n,
        "predicted_lesions": m,
        "found_lesions": found,
        "false_lesions": false,
        "lesion_f1": 2 * found / (n + found + false) if n + m else math.nan,
        "lesion_dice": float(dice.mean()) if n else math.nan,
    }
