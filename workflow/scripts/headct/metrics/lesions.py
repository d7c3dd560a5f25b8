"""Lesions one by one: connected components of the reference and of the prediction, matched."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from headct.metrics.overlap import Measures


def measure(reference: NDArray[np.bool_], predicted: NDArray[np.bool_], connectivity: int) -> Measures:
    """Count the lesions, those found and those invented; F1 and the mean Dice per lesion.

    A lesion of the reference is found where a predicted one shares a voxel with it; a predicted one
    that shares none with any is false. The Dice of a lesion of the reference compares it with all
    predicted ones that touch it, together; 0 for a missed one (as BraTS 2023, without its dilation
    and with false lesions left to F1).

    Args:
        reference, predicted: masks of equal shape (z, y, x).
        connectivity: 6, 18 or 26 neighbours make one lesion.
    """
    import cc3d

    components, n = zip(
        *(
            cc3d.connected_components(np.ascontiguousarray(mask), connectivity=connectivity, return_N=True)
            for mask in (reference, predicted)
        ),
        strict=True,
    )
    sizes = [
        np.bincount(map_.ravel(), minlength=count + 1) for map_, count in zip(components, n, strict=True)
    ]
    both = reference & predicted
    pairs = components[0][both].astype(np.int64) * (n[1] + 1) + components[1][both]
    touching, shared = np.unique(pairs, return_counts=True)
    of_reference, of_prediction = np.divmod(touching, n[1] + 1)
    found = len(np.unique(of_reference))
    false = n[1] - len(np.unique(of_prediction))
    intersection = np.bincount(of_reference, weights=shared, minlength=n[0] + 1)
    touched = np.bincount(of_reference, weights=sizes[1][of_prediction], minlength=n[0] + 1)
    dice = 2 * intersection[1:] / (sizes[0][1:] + touched[1:])
    return {
        "reference_lesions": n[0],
        "predicted_lesions": n[1],
        "found_lesions": found,
        "false_lesions": false,
        "lesion_f1": 2 * found / (n[0] + found + false) if n[0] + n[1] else math.nan,
        "lesion_dice": float(dice.mean()) if n[0] else math.nan,
    }
