"""Measure predicted label maps, or second readings, against the reference: docs/reference/measures.md.

One pass per scan, all models alike. A scan without a prediction counts as predicted empty, with the
reason in ``failure``.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from headct.contracts import sets
from headct.contracts.artefacts import read_json, read_tsv, sha256_of, write_tsv
from headct.contracts.labels import LABELS, LabelSet
from headct.contracts.problems import BadInput, Problem
from headct.metrics import COLUMNS, grid, lesions, overlap, predictions, surface
from headct.metrics.overlap import Measures
from headct.metrics.predictions import Run
from headct.settings import blocks

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

REFERENCE = "labels.nii.gz"

DEFAULT_TOLERANCE_MM = 1.0
"""About two pixels: the tolerance of the surface Dice where neither the configuration nor raters tell."""


@dataclass(frozen=True)
class Settings(blocks.Metrics):
    """How to measure: the configuration's block, and the tolerance (mm) of labels that raters tell."""

    tolerance_of_label: Mapping[str, float] = field(default_factory=dict)

    @property
    def default_tolerance_mm(self) -> float:
        """Distance up to which the surface of a label counts as right where raters do not tell."""
        chosen = self.surface_tolerance_mm
        return DEFAULT_TOLERANCE_MM if chosen is None else chosen

    def tolerance_mm(self, label: str) -> float:
        """Distance up to which the surface of a label counts as right."""
        return self.tolerance_of_label.get(label, self.default_tolerance_mm)


def read_settings(block: blocks.Metrics, tolerances: Path | None = None) -> Settings:
    """How to measure; ``tolerances`` is as of :mod:`headct.metrics.tolerance`."""
    of_label = {}
    if tolerances is not None:
        table = read_tsv(tolerances)
        of_label = dict(zip(table["label"], table["tolerance_mm"], strict=True))
    return Settings(**vars(block), tolerance_of_label=of_label)


@dataclass(frozen=True)
class Guess:
    """A label map to be measured; ``path`` is None where there is none, and the map counts as empty."""

    model: str
    seed: int | None
    path: Path | None
    failure: str = ""


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
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
    source.add_argument(
        "--second-readings",
        action="store_true",
        help="measure second readings of all scans, as models MODEL-intra (same rater) and MODEL-inter",
    )
    parser.add_argument("--split", required=True, type=Path, help="split.tsv; its test scans count")
    parser.add_argument(
        "--out-of-fold",
        nargs="+",
        type=int,
        metavar="FOLD",
        help="measure the training scans of these folds instead of the test set",
    )
    parser.add_argument("--data", required=True, type=Path, help="folder of the converted scans")
    parser.add_argument("--settings", required=True, help="the metrics block of the configuration, as JSON")
    parser.add_argument(
        "--surface-tolerance", type=Path, help="tolerances of the surface Dice by label, from raters"
    )
    parser.add_argument("--out", required=True, type=Path, help="table to write")
    return parser


def main(args: argparse.Namespace) -> None:
    settings = read_settings(blocks.given(blocks.Metrics, args.settings), args.surface_tolerance)
    if args.second_readings:
        guesses = second_readings(args.model, list(read_tsv(args.split)["scan_id"]), args.data)
    else:
        runs = [Run(None, None, {})] if args.predicts_nothing else predictions.read_runs(args.predictions)
        chosen = (
            sets.held_out(args.split, args.out_of_fold) if args.out_of_fold else sets.test_scans(args.split)
        )
        guesses = predicted(args.model, runs, chosen)
    table = measure_scans(guesses, args.data, settings, LABELS)
    write_tsv(table, args.out)
    report(args.model, table, LABELS)


def measure_scans(
    guesses: Mapping[str, Sequence[Guess]], data: Path, settings: Settings, labels: LabelSet
) -> pd.DataFrame:
    """The metrics table of some scans; ``data`` is the folder of the converted scans.

    Args:
        guesses: label maps to be measured, by scan.
        data: folder of the converted scans.
        settings: how it is measured.
        labels: the set that all are drawn in.

    Raises:
        BadInput: every label map that is damaged, on another grid, or holds unknown labels.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    problems: list[Problem] = []
    for scan, own in guesses.items():
        try:
            rows += measure_scan(scan, data / scan, own, settings, labels)
        except BadInput as error:
            problems += error.problems
    if problems:
        raise BadInput(problems)
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype({"seed": "Int64"})
    # Seeds one after the other; within a seed the order of the split and of the labels is kept.
    return table.sort_values(["model", "seed"], kind="stable")


def report(model: str, table: pd.DataFrame, labels: LabelSet) -> None:
    """Say in one line what was measured, failures included."""
    medians = table.groupby("label")["dice"].median()
    failed = table.loc[table["failure"] != "", ["seed", "scan_id"]].drop_duplicates()
    logger.info(
        "%s  %s%s",
        model,
        "median Dice " + "  ".join(f"{label} {medians[label]:.3f}" for label in labels)
        if len(table)
        else "nothing to measure",
        f"  {len(failed)} predictions missing, counted as empty" if len(failed) else "",
    )


def predicted(model: str, runs: Sequence[Run], scans: Sequence[str]) -> dict[str, list[Guess]]:
    """What each run of a model predicted, by scan.

    Raises:
        BadInput: every prediction that is gone or has other bytes.
    """
    predictions.check_predictions(runs, scans)

    def guess(run: predictions.Run, scan: str) -> Guess:
        path, reason = predictions.prediction_path(run, scan), predictions.failure_reason(run, scan)
        return Guess(model, run.seed, path, reason)

    return {scan: [guess(run, scan) for run in runs] for scan in scans}


def second_readings(model: str, scans: Sequence[str], data: Path) -> dict[str, list[Guess]]:
    """The second readings that scans have, by scan; most have none.

    Raises:
        BadInput: every reading that ingest did not write so.
    """
    found: dict[str, list[Guess]] = {}
    problems = []
    for scan in scans:
        record = read_json(data / scan / "scan.json")
        for kind in sorted(record["second_readings"]):
            path = data / scan / f"labels_{kind}.nii.gz"
            problems += source_problems(path, record)
            found.setdefault(scan, []).append(Guess(f"{model}-{kind}", None, path))
    if problems:
        raise BadInput(problems)
    return found


def source_problems(path: Path, record: Mapping[str, Any]) -> list[Problem]:
    """Whether a label map of ingest has other bytes than its ``scan.json`` says."""
    if sha256_of(path) == record["sha256"][path.name]:
        return []
    message = f"its sha256 is not the one in {path.parent / 'scan.json'}; ingest this scan again"
    return [Problem(str(path), message)]


def measure_scan(
    scan: str, folder: Path, guesses: Sequence[Guess], settings: Settings, labels: LabelSet
) -> list[dict[str, Any]]:
    """Rows of one scan: each guess × each label.

    Args:
        scan: its id.
        folder: of the converted scan.
        guesses: label maps to be measured.
        settings: how it is measured.
        labels: the set that all are drawn in.

    Raises:
        BadInput: every label map that is damaged, on another grid, or holds unknown labels.
    """
    reference_path = folder / REFERENCE
    record = read_json(folder / "scan.json")
    if problems := source_problems(reference_path, record):
        raise BadInput(problems)
    reference = sitk.ReadImage(str(reference_path))
    own_grid = grid.from_record(record["geometry"])
    problems = predictions.label_map_problems(reference, reference_path, labels)
    if len(own_grid.voxel_ml) != reference.GetSize()[2]:
        message = f"{len(own_grid.voxel_ml)} slice weights for {reference.GetSize()[2]} slices"
        problems.append(Problem(str(folder / "scan.json"), message, key="slice_weights_mm"))
    reference_labels = sitk.GetArrayViewFromImage(reference)
    rows: list[dict[str, Any]] = []
    for guess in guesses:
        guessed_labels = np.zeros_like(reference_labels)
        if guess.path is not None:
            image = sitk.ReadImage(str(guess.path))
            problems += predictions.label_map_problems(image, guess.path, labels)
            problems += predictions.grid_problems(image, reference, guess.path)
            guessed_labels = sitk.GetArrayViewFromImage(image)
        if problems:
            continue
        found = measure(reference_labels, guessed_labels, own_grid, settings, labels)
        for label, measures in found.items():
            row = {"model": guess.model, "seed": guess.seed, "scan_id": scan, "label": label}
            rows.append({**row, **measures, "failure": guess.failure})
    if problems:
        raise BadInput(problems)
    return rows


def measure(
    reference: NDArray[np.uint8],
    guess: NDArray[np.uint8],
    own_grid: grid.Grid,
    settings: Settings,
    labels: LabelSet,
) -> dict[str, Measures]:
    """All measures of each label and of each pool: its name -> column of the metrics table -> value.

    Args:
        reference, guess: uint8 label maps of equal shape (z, y, x), with the values of ``labels``.
        own_grid: their grid.
        labels: the set that they are drawn in.
    """
    box = grid.bounding_box(reference, guess)
    reference, guess, own_grid = reference[box], guess[box], own_grid.crop(box[0])
    counts = overlap.confusion_per_slice(reference, guess, labels.n_classes)
    measures = {}
    haemorrhages = labels.haemorrhage_values()
    for label, values in labels.measured.items():
        truth, found = is_any(reference, values), is_any(guess, values)
        box = grid.bounding_box(truth, found)
        truth, found = truth[box], found[box]
        measures[label] = {
            **overlap.measure(counts, values, own_grid, settings.presence_minimum_ml, haemorrhages),
            **surface.measure(
                truth,
                found,
                own_grid.crop(box[0]),
                settings.tolerance_mm(label),
                settings.surface_elements,
            ),
            **lesions.measure(truth, found, settings.lesion_connectivity),
        }
    return measures


def is_any(label_map: NDArray[np.uint8], values: Sequence[int]) -> NDArray[np.bool_]:
    """Which voxels have one of the values."""
    mask: NDArray[np.bool_] = np.logical_or.reduce([label_map == value for value in values])
    return mask
