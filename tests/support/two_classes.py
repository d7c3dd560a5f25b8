"""A tiny study in NIfTI of two lesions, one of them absent in half of the scans."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from support.nifti_study import OEDEMA, TISSUE, VENTRICLES, NiftiStudy

N_SCANS = 12
N_MORE = 12
"""Scans that lie beside those of the sheet, for sets that are added later."""

ALL_SCANS = "all.tsv"
"""Sheet of the former and the latter."""

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

RIVAL = {
    "title": "Rival",
    "framework": "external",
    "folder": "rival",
    "labels": {"bleed": [1, 3], "PHE": 2},
    "replication": False,
}


def write_study(folder: Path) -> Path:
    """Write the study into a folder; its configuration's path."""
    return STUDY.write(folder)


def write_with_rival(folder: Path) -> Path:
    """Write the study with a model that was made elsewhere, and with scans that its sheet lacks."""
    models = {**STUDY.configuration(folder)["models"], "rival": RIVAL}
    settings = {**STUDY.settings, "models": models}
    configfile = replace(STUDY, scans=N_SCANS + N_MORE, settings=settings).write(folder)
    (folder / "scans.tsv").rename(folder / ALL_SCANS)
    rows = (folder / ALL_SCANS).read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "scans.tsv").write_text("".join(rows[: N_SCANS + 1]), encoding="utf-8")
    _write_maps(folder)
    return configfile


def _write_maps(folder: Path) -> None:
    """Label maps of the other maker: the masks, a voxel aside."""
    (folder / "rival").mkdir()
    for mask in folder.glob("*-mask.nii.gz"):
        image = nibabel.load(mask)
        moved = np.roll(np.asarray(image.dataobj), 1, axis=0)
        scan = mask.name.removesuffix("-mask.nii.gz")
        nibabel.save(nibabel.Nifti1Image(moved, image.affine), folder / "rival" / f"{scan}.nii.gz")
