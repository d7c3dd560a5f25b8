"""Dice and volumes of each predicted scan and lesion: ``python -m headct.metrics --help``.

One implementation for all models, one pass per scan. Conventions (Kok et al. 2022 and DESIGN):

- Dice counts voxels; it is 1 where a lesion is in neither map, 0 where it is in one only.
- Volumes are mL of dx · dy · Σ(slice weight × voxels of the slice), with the perpendicular slice
  weights of ``scan.json``; header spacing is wrong under gantry tilt and uneven gaps.
- A scan without a prediction counts as predicted empty, with the reason in ``failure``.
- The volume error is prediction minus reference: positive means that the model measures too much.
"""

from __future__ import annotations

import argparse
import logging
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import SimpleITK as sitk

from headct import command
from headct.artefacts import read_json, read_tsv, sha256_of, write_tsv
from headct.labels import LABELS, N_CLASSES
from headct.problems import BadInput, Problem

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger("headct.metrics")

PREDICTS_NOTHING = "predicts-nothing"
"""Key of the reference row of a model that never predicts a lesion."""

COLUMNS = (
    "model",
    "seed",
    "scan_id",
    "label",
    "dice",
    "reference_ml",
    "predicted_ml",
    "intersection_ml",
    "false_positive_ml",
    "false_negative_ml",
    "volume_error_ml",
    "failure",
)

GRID_TOLERANCE_MM = 1e-3
MM3_PER_ML = 1000.0


@dataclass(frozen=True)
class Run:
    """The predictions of one network: ``rows`` maps scan to its line of the manifest."""

    seed: int | None
    manifest: Path | None
    rows: Mapping[str, Mapping[str, Any]]


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="headct.metrics", description=__doc__)
    parser.add_argument("--model", required=True, help="key of the model, first column of the table")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--predictions",
        nargs="+",
        type=Path,
        metavar="MANIFEST",
        help="manifests of the predictions, one per seed, named seed-N.tsv",
    )
    source.add_argument(
        "--predicts-nothing",
        action="store_true",
        help="measure empty predictions instead: the reference row of every table",
    )
    parser.add_argument("--split", required=True, type=Path, help="split.tsv; its test scans count")
    parser.add_argument("--data", required=True, type=Path, help="folder of the converted scans")
    parser.add_argument("--out", required=True, type=Path, help="table to write")
    return parser


def main(args: argparse.Namespace) -> None:
    import pandas as pd

    scans = test_scans(args.split)
    runs = [Run(None, None, {})] if args.predicts_nothing else read_runs(args.predictions)
    check_predictions(runs, scans)
    rows: list[dict[str, Any]] = []
    problems: list[Problem] = []
    for scan in scans:
        try:
            rows += measure_scan(args.model, scan, args.data / scan, runs)
        except BadInput as error:
            problems += error.problems
    if problems:
        raise BadInput(problems)
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"seed": "Int64"})
    # Seeds one after the other; within a seed the order of the split and of the labels is kept.
    write_tsv(table.sort_values("seed", kind="stable"), args.out)
    report(args.model, table)


def report(model: str, table: pd.DataFrame) -> None:
    """Say in one line what was measured, failures included."""
    medians = table.groupby("label")["dice"].median()
    failed = table.loc[table["failure"] != "", ["seed", "scan_id"]].drop_duplicates()
    logger.info(
        "%s  median Dice %s%s",
        model,
        "  ".join(f"{label} {medians[label]:.3f}" for label in LABELS),
        f"  {len(failed)} predictions missing, counted as empty" if len(failed) else "",
    )


def test_scans(split: Path) -> list[str]:
    """Identifiers of the test scans, in the order of the split.

    Raises:
        BadInput: there are none.
    """
    table = read_tsv(split)
    scans = [str(scan) for scan in table.loc[table["set"] == "test", "scan_id"]]
    if not scans:
        raise BadInput([Problem(str(split), "no scan is in the test set", key="set")])
    return scans


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
        rows = {
            str(row["scan_id"]): {str(name): value for name, value in row.items()}
            for row in table.to_dict("records")
        }
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


def measure_scan(model: str, scan: str, folder: Path, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Rows of one scan: each run × each label.

    Raises:
        BadInput: every label map that is damaged, on another grid, or holds unknown labels.
    """
    reference_path = folder / "labels.nii.gz"
    record = read_json(folder / "scan.json")
    if sha256_of(reference_path) != record["sha256"]["labels.nii.gz"]:
        message = f"its sha256 is not the one in {folder / 'scan.json'}; ingest this scan again"
        raise BadInput([Problem(str(reference_path), message)])
    reference = sitk.ReadImage(str(reference_path))
    volumes_ml = slice_voxel_volumes_ml(record["geometry"])
    problems = label_map_problems(reference, reference_path)
    if len(volumes_ml) != reference.GetSize()[2]:
        message = f"{len(volumes_ml)} slice weights for {reference.GetSize()[2]} slices"
        problems.append(Problem(str(folder / "scan.json"), message, key="slice_weights_mm"))
    reference_labels = sitk.GetArrayViewFromImage(reference)
    rows: list[dict[str, Any]] = []
    for run in runs:
        path = prediction_path(run, scan)
        predicted_labels = np.zeros_like(reference_labels)
        if path is not None:
            predicted = sitk.ReadImage(str(path))
            found = [
                *label_map_problems(predicted, path),
                *grid_problems(predicted, reference, path),
            ]
            problems += found
            predicted_labels = sitk.GetArrayFromImage(predicted)
        if problems:
            continue
        measures = measure(confusion_per_slice(reference_labels, predicted_labels), volumes_ml)
        for label, values in measures.items():
            rows.append(
                {
                    "model": model,
                    "seed": run.seed,
                    "scan_id": scan,
                    "label": label,
                    **values,
                    "failure": failure_reason(run, scan),
                }
            )
    if problems:
        raise BadInput(problems)
    return rows


def slice_voxel_volumes_ml(geometry: Mapping[str, Any]) -> np.ndarray:
    """Volume (mL) of one voxel in each slice, from the geometry block of ``scan.json``."""
    dx_mm, dy_mm = geometry["spacing_mm_xyz"][:2]
    weights_mm = np.asarray(geometry["slice_weights_mm"], dtype=float)
    volumes_ml: np.ndarray = dx_mm * dy_mm * weights_mm / MM3_PER_ML
    return volumes_ml


def label_map_problems(image: sitk.Image, path: Path) -> list[Problem]:
    """What makes an image no label map: its pixel type or its values."""
    if image.GetDimension() != 3 or image.GetPixelID() != sitk.sitkUInt8:
        found = f"{image.GetDimension()}-D {image.GetPixelIDTypeAsString()}"
        return [Problem(str(path), "a label map is a 3-D image of uint8", value=found)]
    highest = int(sitk.GetArrayViewFromImage(image).max())
    if highest >= N_CLASSES:
        known = ", ".join(f"{name} {value}" for name, value in LABELS.items())
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


def confusion_per_slice(reference: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Count voxels by slice, reference label and predicted label.

    Args:
        reference, predicted: uint8 label maps of equal shape (z, y, x), values 0–3.

    Returns:
        int64 counts of shape (z, 4, 4): [slice, reference label, predicted label].

    Raises:
        ValueError: the shapes differ.
    """
    if reference.shape != predicted.shape:
        raise ValueError(f"shapes differ: {reference.shape} and {predicted.shape}")
    counts = np.zeros((len(reference), N_CLASSES**2), dtype=np.int64)
    # Both labels of a voxel in one byte: a single count per slice serves every measure.
    codes = reference * np.uint8(N_CLASSES) + predicted
    for k, code in enumerate(codes):
        lesions = code[code > 0]
        counts[k] = np.bincount(lesions, minlength=N_CLASSES**2)
        counts[k, 0] = code.size - lesions.size
    return counts.reshape(-1, N_CLASSES, N_CLASSES)


def measure(counts: np.ndarray, voxel_volumes_ml: np.ndarray) -> dict[str, dict[str, float]]:
    """Dice and volumes of each lesion.

    Args:
        counts: result of :func:`confusion_per_slice`, shape (z, 4, 4).
        voxel_volumes_ml: volume of one voxel of each slice, shape (z,).

    Returns:
        label -> measure (the columns of the metrics table) -> value.
    """
    measures = {}
    for label, value in LABELS.items():
        reference = counts[:, value, :].sum(axis=1)
        predicted = counts[:, :, value].sum(axis=1)
        intersection = counts[:, value, value]
        reference_ml = volume_ml(reference, voxel_volumes_ml)
        predicted_ml = volume_ml(predicted, voxel_volumes_ml)
        measures[label] = {
            "dice": dice(int(reference.sum()), int(predicted.sum()), int(intersection.sum())),
            "reference_ml": reference_ml,
            "predicted_ml": predicted_ml,
            "intersection_ml": volume_ml(intersection, voxel_volumes_ml),
            "false_positive_ml": volume_ml(predicted - intersection, voxel_volumes_ml),
            "false_negative_ml": volume_ml(reference - intersection, voxel_volumes_ml),
            "volume_error_ml": predicted_ml - reference_ml,
        }
    return measures


def volume_ml(voxels_per_slice: np.ndarray, voxel_volumes_ml: np.ndarray) -> float:
    """Volume (mL) of what has so many voxels in each slice; both arguments of shape (z,)."""
    # fsum rounds once: the value does not depend on how a library groups the additions.
    return math.fsum(voxels_per_slice * voxel_volumes_ml)


def dice(reference_voxels: int, predicted_voxels: int, intersection_voxels: int) -> float:
    """Dice coefficient, 2|A∩B| / (|A| + |B|); 1 where both are empty, by the study's convention."""
    total = reference_voxels + predicted_voxels
    return 2 * intersection_voxels / total if total else 1.0


if __name__ == "__main__":
    command.run(main, arguments())
