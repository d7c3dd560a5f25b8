"""A tiny study in NIfTI of two lesions, one of them absent in half of the scans."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import yaml

from headct.simulate.participant import simulate
from headct.simulate.settings import from_block
from support import snake
from support.phantom_settings import PHANTOM

N_SCANS = 12
LABELS: dict[str, Any] = {
    "bleed": {"value": [1, 3], "title": "Any haemorrhage", "role": "tissue_haemorrhage"},
    "PHE": 2,
}
VALUES = {"bleed": (1, 3), "PHE": (2,)}
"""The first lesion has two values in the masks: blood in the tissue, and in the ventricles."""

COLUMNS = ("scan_id", "participant_id", "site", "image", "mask", "age", "sex", "onset_to_ct_h", "rater")


def has_oedema(number: int) -> bool:
    """Whether the oedema of a scan is drawn."""
    return number % 2 == 0


def write_trial(folder: Path) -> None:
    """Write scans and masks as NIfTI, upright, and their sheet."""
    sites = tuple(replace(site, tilt_deg=0.0, upper_slice_thickness_mm=None) for site in PHANTOM.sites)
    settings = from_block(replace(PHANTOM, sites=sites, matrix=40), {}, "two_classes")
    rows = [COLUMNS]
    for number in range(N_SCANS):
        name, site = f"scan-{number:02}", settings.sites[number % 2]
        made = simulate(settings, f"P{number:04}", site)
        spacing = (made.geometry.pixel_mm, made.geometry.pixel_mm, float(made.geometry.weights_mm.mean()))
        drawn = made.fractions.argmax(axis=0)
        if not has_oedema(number):
            drawn[drawn == VALUES["PHE"][0]] = 0
        for kind, array in (("ct", made.image.astype(np.int16)), ("mask", drawn.astype(np.uint8))):
            affine = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])  # LPS, as the simulator has it
            image = nibabel.Nifti1Image(array.transpose(2, 1, 0), affine)
            nibabel.save(image, folder / f"{name}-{kind}.nii.gz")
        age, sex = str(60 + number), "FM"[number % 2]
        paths = (f"{name}-ct.nii.gz", f"{name}-mask.nii.gz")
        rows.append((name, f"p-{number:02}", site.name, *paths, age, sex, "2.5", f"r{number % 3}"))
    (folder / "scans.tsv").write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")


def write_study(folder: Path) -> Path:
    """Write the trial, a plan of the study's own and the configuration into a folder; the last one's path."""
    folder.mkdir(parents=True, exist_ok=True)
    write_trial(folder)
    plan = yaml.safe_load((snake.REPOSITORY / "config/analysis_plan.yaml").read_text(encoding="utf-8"))
    plan["comparison"] = "own"
    models = {"model": "unet", "against": ["threshold"]}
    plan["primary"] |= {"label": "PHE", "name": "PHE Dice", **models}
    plan["key_secondary"] = [
        {**endpoint, "label": label, "name": f"{label} {endpoint['measure']}", **models}
        for endpoint, label in zip(plan["key_secondary"], ("bleed", "PHE", "PHE"), strict=True)
    ]
    plan["equivalence"] |= {"dice_margin": {"bleed": 0.05, "PHE": 0.05}}
    plan["equivalence"] |= {"volume_margin_ml": {"bleed": 5, "PHE": 5}}
    plan["not_worse_than_a_rater"] |= {"dice_margin": {"bleed": 0.05, "PHE": 0.05}}
    (folder / "plan.yaml").write_text(yaml.safe_dump(plan), encoding="utf-8")
    config = yaml.safe_load((snake.REPOSITORY / "config/demo.yaml").read_text(encoding="utf-8"))
    del config["phantom"]
    config |= {
        "study": {"name": "two-classes", "note": "Simulated data, no patients"},
        "sheet": "scans.tsv",
        "labels": LABELS,
        "groups": {"bleed+PHE": ["bleed", "PHE"]},
        "split": {"test_fraction": 0.4, "stratify_by": ["phe"], "folds": 2},
        "models": {
            "unet": {**config["models"]["unet"], "features": [4, 4, 4, 8, 8, 4]},
            "threshold": {"title": "Threshold", "framework": "threshold"},
        },
        "figures": {"agreement_model": "unet", "cases": {"select_by": "unet", "show": ["unet"], "n": 1}},
        "analysis_plan": str(folder / "plan.yaml"),
    }
    config["monai"] |= {"epochs": 2, "iterations_per_epoch": 10}
    config["resources"]["ingest"]["jobs"] = 1
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path
