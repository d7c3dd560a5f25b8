"""A study with predictions of two models that were never trained, and the blinded page of it."""

from __future__ import annotations

import re
from pathlib import Path

from headct.command_line import run_step
from headct.contracts.artefacts import write_json
from headct.imaging.geometry import from_slices
from support.figure_inputs import write_manifest, write_scan
from support.reviews import make_study

MODELS = ("unet", "blast-ct")
SCANS = ("S000", "S001", "S002", "S003")
LACKING = "S003"
"""The scan that one model has no map of."""
NAMES = (*MODELS, *SCANS, "U-Net", "BLAST-CT", "BLAST", "basicunet", "monai", "blastct", "DeepMedic", "truth")
"""What would tell a rater whose map a letter stands for, or which scan a case is."""


def study_with_maps(folder: Path) -> list[str]:
    """Four test scans, of which one lacks a model's prediction; options that name the study."""
    options = make_study(folder, SCANS)
    data = folder / "results/data"
    truth = {scan: write_scan(data, scan) for scan in SCANS}
    for scan, labels in truth.items():
        origins = [(0, 0, 5.0 * index) for index in range(labels.shape[0])]
        stack = from_slices((1, 0, 0, 0, 1, 0), (1.0, 1.0), labels.shape[1], labels.shape[2], origins)
        write_json({"scan_id": scan, "geometry": stack.as_json()}, data / scan / "scan.json")
    for model, lacking in zip(MODELS, ({}, {LACKING: None}), strict=True):
        write_manifest(folder / "results/predictions", model, truth | lacking, data)
    return options


def blind(folder: Path, *more: str) -> tuple[Path, Path]:
    """Make the page of both models; its folder, and its key."""
    out, key = folder / "page", folder / "key.tsv"
    options = ["--models", *MODELS, "--out", str(out), "--key", str(key), *more]
    run_step("review", ["blind", *options, *study_with_maps(folder)])
    return out, key


def leaks(text: str) -> set[str]:
    """Names that a text tells."""
    return {
        name for name in NAMES if re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text, re.IGNORECASE)
    }
