"""Predicted label maps and what may be wrong with them: manifests, files, grids, values."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from headct.contracts.artefacts import read_tsv, sha256_of
from headct.contracts.labels import LabelSet
from headct.contracts.problems import BadInput, Problem

GRID_TOLERANCE_MM = 1e-3


@dataclass(frozen=True)
class Run:
    """The predictions of one network: ``rows`` maps scan to its line of the manifest."""

    seed: int | None
    manifest: Path | None
    rows: Mapping[str, Mapping[str, Any]]


def read_runs(manifests: Sequence[Path]) -> list[Run]:
    """Read one manifest per seed.

    Raises:
        BadInput: a name that tells no seed, a seed given twice, a scan listed twice.
    """
    runs: list[Run] = []
    problems: list[Problem] = []
    for manifest in manifests:
        named = re.fullmatch(r"seed-(\d+)", manifest.stem)
        if named is None:
            problems.append(Problem(str(manifest), "a manifest is named seed-N.tsv"))
            continue
        seed = int(named.group(1))
        table = read_tsv(manifest, sha256=str, reason=str).fillna({"reason": ""})
        problems += [
            Problem(str(manifest), "scan is listed twice", key="scan_id", value=str(scan))
            for scan in table.loc[table["scan_id"].duplicated(), "scan_id"]
        ]
        if any(run.seed == seed for run in runs):
            problems.append(Problem(str(manifest), f"seed {seed} is given twice"))
        rows = {}
        for row in table.to_dict("records"):
            rows[str(row["scan_id"])] = {str(name): value for name, value in row.items()}
        runs.append(Run(seed, manifest, rows))
    if problems:
        raise BadInput(problems)
    return runs


def check_predictions(runs: Sequence[Run], scans: Sequence[str]) -> None:
    """Check that each listed prediction is the file that its manifest describes.

    Raises:
        BadInput: every prediction that is gone or has other bytes.
    """
    problems = []
    for run in runs:
        for scan in scans:
            path = prediction_path(run, scan)
            if path is None:
                continue
            if not path.is_file():
                problems.append(Problem(str(path), f"is listed in {run.manifest} but not there"))
            elif sha256_of(path) != run.rows[scan]["sha256"]:
                message = f"its sha256 is not the one in {run.manifest}; predict this model again"
                problems.append(Problem(str(path), message))
    if problems:
        raise BadInput(problems)


def prediction_path(run: Run, scan: str) -> Path | None:
    """File of the predicted label map, None where there is no prediction."""
    row = run.rows.get(scan)
    if run.manifest is None or row is None or not isinstance(row["path"], str):
        return None
    return run.manifest.parent / row["path"]


def failure_reason(run: Run, scan: str) -> str:
    """Why a scan has no prediction; empty where it has one, or where none was meant to be."""
    if run.manifest is None or prediction_path(run, scan) is not None:
        return ""
    if scan not in run.rows:
        return "not in the manifest of predictions"
    return str(run.rows[scan]["reason"]) or "no reason given"


def label_map_problems(image: sitk.Image, path: Path, labels: LabelSet) -> list[Problem]:
    """What makes an image no label map: its pixel type or its values."""
    if image.GetDimension() != 3 or image.GetPixelID() != sitk.sitkUInt8:
        found = f"{image.GetDimension()}-D {image.GetPixelIDTypeAsString()}"
        return [Problem(str(path), "a label map is a 3-D image of uint8", value=found)]
    highest = int(sitk.GetArrayViewFromImage(image).max())
    if highest >= labels.n_classes:
        known = ", ".join(f"{name} {value}" for name, value in labels.items())
        message = f"holds a label that is none of these: {known}"
        return [Problem(str(path), message, value=str(highest))]
    return []


def grid_problems(predicted: sitk.Image, reference: sitk.Image, path: Path) -> list[Problem]:
    """What distinguishes the grid of a prediction from the grid of the labels of its scan."""
    if predicted.GetSize() != reference.GetSize():
        message = f"its matrix is not that of the labels, {reference.GetSize()}"
        return [Problem(str(path), message, key="size", value=str(predicted.GetSize()))]
    pairs = {
        "spacing": (predicted.GetSpacing(), reference.GetSpacing()),
        "origin": (predicted.GetOrigin(), reference.GetOrigin()),
        "direction": (predicted.GetDirection(), reference.GetDirection()),
    }
    return [
        Problem(str(path), f"is not that of the labels, {truth}", key=name, value=str(found))
        for name, (found, truth) in pairs.items()
        if not np.allclose(found, truth, rtol=0, atol=GRID_TOLERANCE_MM)
    ]
