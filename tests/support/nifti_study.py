"""A tiny study in NIfTI, of any lesions: simulated heads whose masks are drawn anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import cycle
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import yaml
from numpy.typing import NDArray

from headct.simulate.participant import simulate
from headct.simulate.settings import from_block
from support import snake
from support.phantom_settings import PHANTOM

TISSUE, OEDEMA, VENTRICLES = 1, 2, 3
"""Blood in the tissue, the oedema around it and blood in the ventricles, as the simulator has them."""

COLUMNS = ("scan_id", "participant_id", "site", "image", "mask", "age", "sex", "onset_to_ct_h", "rater")
SECOND = "mask_inter"


@dataclass(frozen=True, kw_only=True)
class NiftiStudy:
    """What a study consists of.

    Attributes:
        name: of the study.
        labels: of its configuration.
        drawn: the mask (slices, rows, columns) of a scan, of the simulator's own and the scan's number.
        groups: of its configuration.
        scans: their number.
        steps: of its U-Net in each of two epochs.
        models: of its configuration, a U-Net and thresholds where there are none; the plan compares the
            first with the others.
        sites: names of the sites that the scans are of, in turn; if there are none, the simulator's.
        read_twice: whether another rater drew each scan as well: the same, beside its place.
        plan_keys: further keys of the plan.
        settings: further keys of the configuration.
    """

    name: str
    labels: Mapping[str, Any]
    drawn: Callable[[NDArray[Any], int], NDArray[Any]]
    groups: Mapping[str, Any] = field(default_factory=dict)
    scans: int = 12
    steps: int = 10
    models: Mapping[str, Any] = field(default_factory=dict)
    sites: tuple[str, ...] = ()
    read_twice: bool = False
    plan_keys: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        """Write scans, sheet, a plan of the study's own and the configuration; the last one's path."""
        folder.mkdir(parents=True, exist_ok=True)
        self.write_trial(folder)
        (folder / "plan.yaml").write_text(yaml.safe_dump(self.plan()), encoding="utf-8")
        path = folder / "study.yaml"
        path.write_text(yaml.safe_dump(self.configuration(folder), sort_keys=False), encoding="utf-8")
        return path

    def write_trial(self, folder: Path) -> None:
        """Write scans and masks as NIfTI, upright, and their sheet."""
        sites = tuple(replace(site, tilt_deg=0.0, upper_slice_thickness_mm=None) for site in PHANTOM.sites)
        settings = from_block(replace(PHANTOM, sites=sites, matrix=40), {}, self.name)
        second = (SECOND,) if self.read_twice else ()
        rows = [(*COLUMNS, *second)]
        for number in range(self.scans):
            name, site = f"scan-{number:02}", settings.sites[number % 2]
            made = simulate(settings, f"P{number:04}", site)
            mask = self.drawn(made.fractions.argmax(axis=0), number).astype(np.uint8)
            files = {"ct": made.image.astype(np.int16), "mask": mask}
            if self.read_twice:
                files[SECOND] = np.roll(mask, 1, axis=2)
            pixel_mm = made.geometry.pixel_mm
            # LPS, as the simulator has it
            affine = np.diag([-pixel_mm, -pixel_mm, float(made.geometry.weights_mm.mean()), 1.0])
            for kind, array in files.items():
                image = nibabel.Nifti1Image(array.transpose(2, 1, 0), affine)
                nibabel.save(image, folder / f"{name}-{kind}.nii.gz")
            age, sex = str(60 + number), "FM"[number % 2]
            paths = (f"{name}-ct.nii.gz", f"{name}-mask.nii.gz")
            site_name = self.sites[number % len(self.sites)] if self.sites else site.name
            facts = (name, f"p-{number:02}", site_name, *paths, age, sex, "2.5", f"r{number % 3}")
            rows.append((*facts, *(f"{name}-{column}.nii.gz" for column in second)))
        (folder / "scans.tsv").write_text("".join("\t".join(row) + "\n" for row in rows), encoding="utf-8")

    def plan(self) -> dict[str, Any]:
        """The shipped analysis plan about these lesions: the last one first, then one after the other."""
        plan: dict[str, Any] = yaml.safe_load(
            (snake.REPOSITORY / "config/analysis_plan.yaml").read_text(encoding="utf-8")
        )
        names = list(self.labels)
        first, *others = self.models or ("unet", "threshold")
        models = {"model": first, "against": others}
        plan["comparison"] = "own"
        plan["primary"] |= {"label": names[-1], "name": f"{names[-1]} Dice", **models}
        plan["key_secondary"] = [
            {**endpoint, "label": label, "name": f"{label} {endpoint['measure']}", **models}
            for endpoint, label in zip(plan["key_secondary"], cycle(names), strict=False)
        ]
        plan["equivalence"] |= {"dice_margin": dict.fromkeys(names, 0.05)}
        plan["equivalence"] |= {"volume_margin_ml": dict.fromkeys(names, 5)}
        plan["not_worse_than_a_rater"] |= {"dice_margin": dict.fromkeys(names, 0.05)}
        return plan | self.plan_keys

    def configuration(self, folder: Path) -> dict[str, Any]:
        """The demo's, with two models of these lesions."""
        config: dict[str, Any] = yaml.safe_load(
            (snake.REPOSITORY / "config/demo.yaml").read_text(encoding="utf-8")
        )
        del config["phantom"]
        first = next(iter(self.models), "unet")
        config |= {
            "study": {"name": self.name, "note": "Simulated data, no patients"},
            "sheet": "scans.tsv",
            "labels": dict(self.labels),
            "groups": dict(self.groups),
            "split": {"test_fraction": 0.4, "folds": 2},
            "models": dict(self.models)
            or {
                "unet": {**config["models"]["unet"], "features": [4, 4, 4, 8, 8, 4]},
                "threshold": {"title": "Threshold", "framework": "threshold"},
            },
            "figures": {"agreement_model": first, "cases": {"select_by": first, "show": [first], "n": 1}},
            "analysis_plan": str(folder / "plan.yaml"),
        }
        config["monai"] |= {"epochs": 2, "iterations_per_epoch": self.steps}
        config["resources"]["ingest"]["jobs"] = 1
        return config | self.settings
