"""Measure predicted label maps, or second readings, against the reference: docs/reference/measures.md.

One pass per scan, all models alike. A missing prediction is measured as an empty map, with the reason in
``failure``; the statistics score it as wrong (:func:`headct.statistics.core.scores.scored`).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from headct.contracts import labels as label_sets
from headct.contracts import sets
from headct.contracts.artefacts import read_json, read_tsv, sha256_of, write_tsv
from headct.contracts.labels import LabelSet
from headct.contracts.problems import BadInput, Problem, WrongOptions
from headct.metrics import COLUMNS, grid, lesion_matching, overlap, surface
from headct.metrics import predictions as label_maps
from headct.metrics.overlap import Measures
from headct.metrics.predictions import Run, read_runs
from headct.settings import blocks

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

REFERENCE = "labels.nii.gz"

DEFAULT_TOLERANCE_MM = 1.0
"""About two pixels: the tolerance of the surface Dice where neither the configuration nor raters tell."""


@dataclass(frozen=True)
class MeasureSettings(blocks.Metrics):
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


def read_settings(block: blocks.Metrics, tolerances: Path | None = None) -> MeasureSettings:
    """How to measure; ``tolerances`` is as of :mod:`headct.metrics.tolerance`."""
    of_label = {}
    if tolerances is not None:
        table = read_tsv(tolerances)
        of_label = dict(zip(table["label"], table["tolerance_mm"], strict=True))
    return MeasureSettings(**vars(block), tolerance_of_label=of_label)


@dataclass(frozen=True)
class Guess:
    """A label map to be measured; ``path`` is None where there is none: an empty map is measured."""

    model: str
    seed: int | None
    path: Path | None
    failure: str = ""


def main(
    *,
    model: str,
    predictions: list[Path] | None = None,
    predicts_nothing: bool = False,
    second_readings: bool = False,
    labels: str,
    split: Path,
    in_set: str = sets.TEST,
    out_of_fold: list[int] | None = None,
    data: Path,
    settings: str,
    surface_tolerance: Path | None = None,
    out: Path,
) -> None:
    """Measure predicted label maps, or second readings, against the reference: docs/reference/measures.md.

    What is measured is given by --predictions, --predicts-nothing or --second-readings.

    Args:
        model: key of the model, first column of the table.
        predictions: manifests of the predictions, one per seed, named seed-N.tsv.
        predicts_nothing: measure empty predictions instead: the reference row of every table.
        second_readings: measure second readings of all scans, as models MODEL-intra (same rater) and
            MODEL-inter.
        labels: JSON: the lesion classes, in their order, with roles and groups.
        split: split.tsv, or the table of an external set.
        in_set: the set that is measured, as the table names it: test, external:NAME.
        out_of_fold: measure the training scans of these folds instead of the test set.
        data: folder of the converted scans.
        settings: the metrics block of the configuration, as JSON.
        surface_tolerance: tolerances of the surface Dice by label, from raters.
        out: table to write.
    """
    if bool(predictions) + predicts_nothing + second_readings != 1:
        raise WrongOptions("give one of --predictions, --predicts-nothing and --second-readings")
    lesions = label_sets.read(labels)
    how = read_settings(blocks.given(blocks.Metrics, settings), surface_tolerance)
    if second_readings:
        guesses = second_readings_of(model, list(read_tsv(split)["scan_id"]), data)
    else:
        runs = read_runs(predictions) if predictions else [Run(None, None, {})]
        scans = sets.held_out(split, out_of_fold) if out_of_fold else sets.scans_of(split, in_set)
        guesses = predicted(model, runs, scans)
    table = measure_scans(guesses, data, how, lesions)
    write_tsv(table, out)
    report(model, table, lesions)


def measure_scans(
    guesses: Mapping[str, Sequence[Guess]], data: Path, settings: MeasureSettings, labels: LabelSet
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
    label_maps.check_predictions(runs, scans)

    def guess(run: Run, scan: str) -> Guess:
        path, reason = label_maps.prediction_path(run, scan), label_maps.failure_reason(run, scan)
        return Guess(model, run.seed, path, reason)

    return {scan: [guess(run, scan) for run in runs] for scan in scans}


def second_readings_of(model: str, scans: Sequence[str], data: Path) -> dict[str, list[Guess]]:
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
    scan: str, folder: Path, guesses: Sequence[Guess], settings: MeasureSettings, labels: LabelSet
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
    problems = label_maps.label_map_problems(reference, reference_path, labels)
    if len(own_grid.voxel_ml) != reference.GetSize()[2]:
        message = f"{len(own_grid.voxel_ml)} slice weights for {reference.GetSize()[2]} slices"
        problems.append(Problem(str(folder / "scan.json"), message, key="slice_weights_mm"))
    reference_labels = sitk.GetArrayViewFromImage(reference)
    rows: list[dict[str, Any]] = []
    for guess in guesses:
        guessed_labels = np.zeros_like(reference_labels)
        if guess.path is not None:
            image = sitk.ReadImage(str(guess.path))
            problems += label_maps.label_map_problems(image, guess.path, labels)
            problems += label_maps.grid_problems(image, reference, guess.path)
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
    settings: MeasureSettings,
    labels: LabelSet,
) -> dict[str, Measures]:
    """All measures of each label and of each pool: its name -> column of the metrics table -> value.

    Args:
        reference, guess: uint8 label maps of equal shape (z, y, x), with the values of ``labels``.
        own_grid: their grid.
        settings: how it is measured.
        labels: the set that they are drawn in.
    """
    box = grid.bounding_box(reference, guess)
    reference, guess, own_grid = reference[box], guess[box], own_grid.crop(box[0])
    counts = overlap.confusion_per_slice(reference, guess, labels.n_classes)
    measures = {}
    haemorrhages = labels.haemorrhage_values()
    for label, values in labels.regions.items():
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
            **lesion_matching.measure(truth, found, settings.lesion_connectivity),
        }
    return measures


def is_any(label_map: NDArray[np.uint8], values: Sequence[int]) -> NDArray[np.bool_]:
    """Which voxels have one of the values."""
    mask: NDArray[np.bool_] = np.logical_or.reduce([label_map == value for value in values])
    return mask
