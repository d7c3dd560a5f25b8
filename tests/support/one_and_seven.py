"""Two tiny studies in NIfTI: one lesion, absent in half of the scans, of five sites, which are its folds; and
as many lesions as a study can have.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from support.nifti_study import OEDEMA, TISSUE, VENTRICLES, NiftiStudy

SITES = ("1", "2", "03", "4", "north")
"""Numbers among them, which are names all the same."""

FOLDS = range(3)
"""Fewer than sites, to save time: two folds have two sites."""

IGNORED = 99
VALUES = {"EDH": 11, "SDH": [12, 13], "post-operative": 14, "IPH": 15, "SAH": 16, "EAH": 17, "MASS": 18}
PARTS = {TISSUE: ("IPH", "EDH", "SDH"), OEDEMA: ("SAH", "EAH"), VENTRICLES: ("post-operative", "MASS")}
"""The lesions that each of the simulator's is cut into, from front to back."""


def one_of(truth: NDArray[Any], number: int) -> NDArray[Any]:
    """Every second scan is free of it."""
    return (truth == TISSUE) & (number % 2 == 0)


def seven_of(truth: NDArray[Any], number: int) -> NDArray[Any]:
    """Each lesion lacks in a few scans; where one does, its voxels have a value that is ignored, or none."""
    rows = np.broadcast_to(np.arange(truth.shape[1])[:, None], truth.shape)
    found = np.zeros_like(truth)
    for value, lesions in PARTS.items():
        here = truth == value
        cuts = np.quantile(rows[here], np.linspace(0, 1, len(lesions) + 1)[1:-1])
        for place, lesion in enumerate(lesions):
            values = np.atleast_1d(VALUES[lesion])
            drawn = values[number % len(values)] if (number + place + value) % 5 else IGNORED * (place == 0)
            found[here & (np.digitize(rows, cuts) == place)] = drawn
    return found


STUDIES = {
    "one": NiftiStudy(
        name="one-class",
        labels={"SDH": 1},
        drawn=one_of,
        scans=20,
        steps=2,
        models={
            "unet": {
                "title": "U-Net",
                "framework": "monai",
                "network": "basicunet",
                "features": [4, 4, 4, 8, 8, 4],
                "patch_size_xyz": [32, 32, 16],
                "spacing_mm_xyz": [4, 4, 6],
                "postprocessing": "nnunet",
            },
            "threshold": {"title": "Threshold", "framework": "threshold"},
        },
        sites=SITES,
        plan_keys={"new_site": {"least_dice": {"SDH": 0.3}}},
        settings={
            "ingest": {"empty_masks": "lesion_free"},
            "split": {"test_fraction": 0.2, "folds": len(FOLDS), "folds_by": "site"},
            "training": {"folds": list(FOLDS)},
            "learning_curve": {"sizes": [2, 3, 5, "all"], "models": ["threshold"], "seeds": [1]},
        },
    ),
    "seven": NiftiStudy(
        name="seven-classes",
        labels=VALUES,
        drawn=seven_of,
        groups={"extra-axial": ["EDH", "SDH", "EAH"], "any": ["EDH", "SDH", "IPH", "SAH", "EAH"]},
        scans=10,
        steps=3,
        read_twice=True,
        settings={"ignore": [IGNORED]},
    ),
}
