"""A tiny study in NIfTI of two lesions, one of them absent in half of the scans."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from support.nifti_study import OEDEMA, TISSUE, VENTRICLES, NiftiStudy

N_SCANS = 12
VALUES = {"bleed": (TISSUE, VENTRICLES), "PHE": (OEDEMA,)}
"""The first lesion has two values in the masks: blood in the tissue, and in the ventricles."""


def has_oedema(number: int) -> bool:
    """Whether the oedema of a scan is drawn."""
    return number % 2 == 0


def drawn(truth: NDArray[Any], number: int) -> NDArray[Any]:
    """What is drawn of a scan."""
    return truth if has_oedema(number) else np.where(truth == OEDEMA, 0, truth)


STUDY = NiftiStudy(
    name="two-classes",
    labels={
        "bleed": {"value": list(VALUES["bleed"]), "title": "Any haemorrhage", "role": "tissue_haemorrhage"},
        "PHE": OEDEMA,
    },
    groups={"bleed+PHE": ["bleed", "PHE"]},
    drawn=drawn,
    scans=N_SCANS,
    settings={"split": {"test_fraction": 0.4, "stratify_by": ["phe"], "folds": 2}},
)


def write_study(folder: Path) -> Path:
    """Write the study into a folder; its configuration's path."""
    return STUDY.write(folder)
