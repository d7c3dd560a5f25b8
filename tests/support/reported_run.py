"""A small results folder with made-up numbers, as the reports read it: three models and an ensemble."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from headct.contracts.artefacts import write_json, write_tsv
from headct.contracts.references import SAME_RATER
from headct.engine.training_job import ModelFacts
from headct.frameworks.base import find_framework
from headct.settings import configuration
from support import finished_run
from support.label_sets import LABELS

REPOSITORY = Path(__file__).parents[2]
MODELS = ("unet", "nnunet-2d", "nnunet-3d-dicece", "nnunet-2d-3d")
TRAINED = MODELS[:3]
MAIN = "nnunet-3d-dicece"

COHORT = """
scan_id participant_id site age sex onset_to_ct_h rater status reason flags n_slices spacing_z_mm manufacturer
s1 p1 A 70 F 2 r1 included - tilted 30 5.0 Maker-A
s2 p2 A 71 M - r1 included - - 32 5.0 Maker-A
s3 p3 B 72 F 3 r2 included - - 34 4.0 Maker-B
s4 p4 B 73 M 1 r2 excluded few-slices - 5 - Maker-B
s5 p5 B 74 M 1 r2 error no-mask - - - Maker-B
"""
FLOW = """
status reason scans participants
in-sheet - 5 5
excluded few-slices 1 1
error no-mask 1 1
included - 3 3
"""
SPLIT = """
scan_id participant_id set fold drawn_by
s1 p1 train 0 as-planned
s2 p2 train 1 as-planned
s3 p3 test - as-planned
"""
BALANCE = """
characteristic smd
age_years 0.12
sex_men -0.34
"""


def make(study: Path, reporting: dict[str, str] | None = None) -> Path:
    """Write the folder below ``study`` and return ``study/results``."""
    results = study / "results"
    write_json(config(reporting or {}), results / "config.json")
    for name, text in (("cohort", COHORT), ("flow", FLOW), ("split", SPLIT), ("balance", BALANCE)):
        write_tsv(table(text), results / f"cohort/{name}.tsv")
    for name, rows in statistics().items():
        write_tsv(pd.DataFrame(rows), results / f"statistics/{name}.tsv")
    for model in TRAINED:
        path = f"results/models/{model}/seed-1/fold-all/train.json"
        finished_run.job(study, f"train/{model}", "train", [], [path], minute=1)
        write_json(training(model), study / path)
    return results


def config(reporting: dict[str, str]) -> dict[str, Any]:
    """The demo's configuration with fewer models."""
    demo = configuration.load(REPOSITORY / "config/demo.yaml")
    demo["models"] = {model: demo["models"][model] for model in MODELS}
    demo["figures"] |= {"agreement_model": MAIN}
    demo["reporting"] = dict.fromkeys(demo["reporting"], "") | reporting
    return demo


def table(text: str) -> pd.DataFrame:
    """A table from words; ``-`` within a word of ``status`` is a space, ``-`` alone is a missing value."""
    head, *lines = (line.split() for line in text.strip().splitlines())
    rows = [
        [None if word == "-" else word.replace("in-sheet", "in sheet") for word in line] for line in lines
    ]
    return pd.DataFrame(rows, columns=head)


FACTS = ModelFacts(
    network="basicunet",
    parameters=360444,
    loss="dice_ce",
    epochs=3,
    iterations=225,
    batch_size=2,
    patch_size_xyz=[32, 32, 16],
    spacing_mm_xyz=[4.0, 4.0, 6.5],
    hu_window=[-15, 100],
    optimiser="Adam",
    learning_rate=0.01,
)


def training(model: str) -> dict[str, Any]:
    """A ``train.json``."""
    framework = "monai" if model == "unet" else "nnunet"
    return {
        "model": model,
        "framework": framework,
        "seed": 1,
        "fold": "all",
        "device": "cpu",
        "n_training_scans": 2,
        "sha256": "a" * 64,
        "settings": {"foreground_fraction": 0.66} if model == "unet" else {"foreground_oversampling": 0.5},
        "versions": {"python": "3.11.7", "torch": "2.14.1", "nnunetv2": "2.8.1"},
        "record": find_framework(framework).notation.written(FACTS),
    }


def statistics() -> dict[str, list[dict[str, Any]]]:
    """Rows of the tables of ``results/statistics`` that the reports read, with the columns that they read."""
    everywhere = [(model, label) for model in MODELS for label in LABELS]
    measures = ("dice_mean", "dice_median", "volume_error_ml_mean", "ccc")
    interval = {"estimate": 0.75, "lower": 0.704, "upper": 0.8104}
    return {
        "dice_summary": [
            {"model": model, "label": label}
            | {"n_failed": 2 * (model == "unet"), "n_crashed": int(model == "unet")}
            for model, label in everywhere
        ],
        "estimates": [
            {"model": model, "label": label, "measure": measure, "scans": "all"}
            | (interval if model == MAIN else {"estimate": 0.25, "lower": None, "upper": None})
            for model, label in everywhere
            for measure in measures
        ],
        "detection": [
            {"model": model, "label": label, "threshold_ml": threshold, "n_present": 9, "n_absent": 3}
            | {"tp": 8, "fn": 1, "fp": 0, "tn": 3, "sensitivity": 8 / 9, "sensitivity_lower": 0.565}
            | {"sensitivity_upper": 0.98, "specificity": None}
            | {"specificity_lower": None, "specificity_upper": None}
            for model, label in everywhere
            for threshold in (0, 0.1)
        ],
        "agreement": [
            {"model": model, "label": label, "volumes": "weighted", "scans": "all"}
            | {"loa_lower_ml": -12.34, "loa_upper_ml": 5.6}
            for model, label in everywhere
        ],
        "rater_agreement": [
            {"model": SAME_RATER, "label": label, "scans": "all", "n": 7} | {"dice_mean": 0.9, "icc_a1": 0.98}
            for label in LABELS
        ],
        "cohort_tests": [
            *(
                {"characteristic": label, "statistic": "n (%)", "train_n": 2, "train_count": 1, "p": 0.5}
                | {"test_n": 1, "test_count": 1}
                for label in LABELS
            ),
            *(
                {"characteristic": f"{label}_volume_ml", "statistic": "median (IQR)"}
                | {"test_median": 12.34, "test_q1": 5.0, "test_q3": 20.0}
                for label in LABELS
            ),
        ],
        "plan": [
            {"kind": "plan", "item": item, "value": value}
            for item, value in {
                "date": "2026-11-23",
                "sha256": "f" * 64,
                "comparison": "replication",
                "clusters": "3 participants, as planned",
                "multiplicity": "hierarchical",
                "statements are about": "this network",
                "subgroups": "site; gantry tilt",
            }.items()
        ],
        "endpoints": [
            {"status": "primary", "endpoint": "IVH Dice", "model": MAIN, "against": "unet"}
            | {"difference": 0.05, "lower": -0.01, "upper": 0.11, "verdict": "no difference shown"}
            | {"definition": "all test scans; this network; clusters: participants"}
        ],
        "sensitivity": [
            {"status": "primary", "endpoint": "IVH Dice", "analysis": analysis}
            | {"difference": 0.04, "lower": -0.02, "upper": 0.1}
            for analysis in ("complete cases", "clusters: sites")
        ],
        "precision": [
            {"status": "primary", "endpoint": "IVH Dice", "measure": "dice", "n": 12}
            | {"half_width": 0.06, "detectable": 0.0843}
        ],
        "subgroups": [
            {"subgroup": "site", "level": "A", "label": "ICH", "note": "fewer than 10 scans: suppressed"},
            {"subgroup": "site", "level": "B", "label": "ICH", "note": None},
        ],
        "new_site": [
            {"model": model, "label": label, "scans": scans, "source": "test scans", "n_sites": 6}
            | {"dice_mean": 0.75, "new_lower": 0.611, "new_upper": 0.8888, "least_dice": 0.7}
            | {"p_at_least": 0.789 if label == "ICH" else None, "note": None}
            for model, label in everywhere
            for scans in ("all", "with lesion")
        ],
        "claims": [{"verdict": "holds"}, {"verdict": "cannot tell"}, {"verdict": "cannot tell"}],
    }
