"""Decide, on held-out scans, which lesions of a model keep only their largest component.

``python -m headct postprocessing --help``. The rule is that of ``determine_postprocessing`` of nnU-Net 2.8.1,
by which any model with held-out label maps can be judged: first all lesions are taken as one, which is done
where it raises the mean Dice over lesions and lowers that of none; then each lesion on its own, where that
raises its mean Dice. nnU-Net writes and reads each label map anew for each question; here each is read once.
Label maps of held-out scans stay as they are.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from headct.contracts import labels as label_sets
from headct.contracts.artefacts import read_json, write_json
from headct.contracts.labels import LabelSet
from headct.contracts.postprocessing import Postprocessing
from headct.contracts.problems import BadInput, Problem, gathered
from headct.inference.largest_component import largest_component, only_largest
from headct.metrics import grid
from headct.metrics import predictions as label_maps
from headct.metrics.measure import REFERENCE, source_problems

logger = logging.getLogger(__name__)

AS_PREDICTED, ALL_AS_ONE = 0, 1
"""Stages of a label map: as it was predicted, and with the largest component of all lesions, taken as one."""

WHOLE, LARGEST = 0, 1
"""Ways of a lesion at either stage: as it is there, and only its largest component."""


class Choice(NamedTuple):
    """What is done: with all lesions taken as one, and with each; and the mean Dice of each lesion."""

    all_as_one: bool
    on_its_own: list[bool]
    before: list[float]
    after: list[float]


def main(*, model: str, members: list[str], labels: str, predictions: Path, data: Path, out: Path) -> None:
    """Decide, on held-out scans, which lesions of a model keep only their largest component, as nnU-Net does.

    Args:
        model: key of the model in the config.
        members: keys of the trained models whose probabilities it averages; its own, if it is no ensemble.
        labels: JSON: the lesion classes, in their order.
        predictions: manifest of the held-out scans, named seed-N.tsv.
        data: folder of the converted scans.
        out: file of the decision, JSON.
    """
    lesions = label_sets.read(labels)
    (run,) = label_maps.read_runs([predictions])
    label_maps.check_predictions([run], list(run.rows))
    assert run.seed is not None  # a manifest of predictions has one in its name
    found = {scan: path for scan in run.rows if (path := label_maps.prediction_path(run, scan)) is not None}
    if not found:
        message = "no held-out scan has a label map, so that nothing can be decided on"
        raise BadInput([Problem(str(predictions), message)])
    dice: list[NDArray[np.float64]] = []
    problems: list[Problem] = []
    for scan, path in found.items():
        with gathered(problems):
            dice.append(dice_of_ways(*read_pair(data / scan, path, lesions), list(lesions.values())))
    if problems:
        raise BadInput(problems)
    choice = choose(np.array(dice))
    decision = Postprocessing(
        model=model,
        members=members,
        seed=run.seed,
        labels=dict(lesions),
        largest_component_of=groups_of(choice, list(lesions)),
        held_out_scans=len(found),
        without_prediction=len(run.rows) - len(found),
        mean_dice={"before": by_lesion(lesions, choice.before), "after": by_lesion(lesions, choice.after)},
    )
    logger.info("%s: %s", model, decision.in_words())
    write_json(asdict(decision), out)


def read_pair(folder: Path, path: Path, labels: LabelSet) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Reference and label map of a scan, uint8 (z, y, x).

    Args:
        folder: of the converted scan.
        path: of the label map.
        labels: the set that both are drawn in.

    Raises:
        BadInput: a label map is damaged, on another grid, or holds unknown labels.
    """
    reference_path = folder / REFERENCE
    if problems := source_problems(reference_path, read_json(folder / "scan.json")):
        raise BadInput(problems)
    reference, predicted = sitk.ReadImage(str(reference_path)), sitk.ReadImage(str(path))
    problems = label_maps.label_map_problems(reference, reference_path, labels)
    problems += label_maps.label_map_problems(predicted, path, labels)
    problems += label_maps.grid_problems(predicted, reference, path)
    if problems:
        raise BadInput(problems)
    return sitk.GetArrayFromImage(reference), sitk.GetArrayFromImage(predicted)


def dice_of_ways(
    reference: NDArray[np.uint8], predicted: NDArray[np.uint8], values: Sequence[int]
) -> NDArray[np.float64]:
    """Dice of each lesion of a scan at both stages in both ways, of shape (stage, way, lesion).

    NaN where neither map has the lesion, as nnU-Net has it; the study's own measures count that as 1.

    Args:
        reference, predicted: label maps of equal shape (z, y, x).
        values: of the lesions.
    """
    box = grid.bounding_box(reference, predicted)
    reference, predicted = reference[box], predicted[box]
    found = np.empty((2, 2, len(values)))
    for stage, label_map in enumerate((predicted, only_largest(predicted, [values]))):
        for lesion, value in enumerate(values):
            truth, mask = reference == value, label_map == value
            found[stage, :, lesion] = [dice(truth, mask), dice(truth, largest_component(mask))]
    return found


def dice(truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> float:
    """Dice coefficient of two masks; NaN where both are empty."""
    total = int(truth.sum()) + int(found.sum())
    return 2 * int((truth & found).sum()) / total if total else math.nan


def choose(dice: NDArray[np.float64]) -> Choice:
    """What nnU-Net's rule chooses by the Dice of some scans, of shape (scan, stage, way, lesion).

    A lesion that no scan has, in either map, has no mean; then nothing is done with all lesions taken as one.
    """
    # Scans last and side by side: NumPy then rounds as for a list, on which nnU-Net calls it.
    by_lesion = np.ascontiguousarray(np.moveaxis(dice, 0, -1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of nothing
        means = np.nanmean(by_lesion, axis=-1)
    before, as_one = means[AS_PREDICTED, WHOLE], means[ALL_AS_ONE, WHOLE]
    all_as_one = bool(np.mean(as_one) > np.mean(before)) and not (as_one < before).any()
    ways = means[ALL_AS_ONE if all_as_one else AS_PREDICTED]
    is_better = ways[LARGEST] > ways[WHOLE]
    # A single lesion is all lesions: it was asked above, and nnU-Net does not ask again.
    on_its_own = is_better if len(before) > 1 else np.zeros_like(is_better)
    after = np.where(on_its_own, ways[LARGEST], ways[WHOLE])
    return Choice(all_as_one, on_its_own.tolist(), before.tolist(), after.tolist())


def groups_of(choice: Choice, lesions: Sequence[str]) -> list[list[str]]:
    """The lesions of which only the largest component stays, taken as one or on their own, in order."""
    own = [[lesion] for lesion, is_done in zip(lesions, choice.on_its_own, strict=True) if is_done]
    return [list(lesions), *own] if choice.all_as_one else own


def by_lesion(lesions: LabelSet, values: Sequence[float]) -> Mapping[str, float | None]:
    """Values by the name of the lesion; None for NaN, which JSON has not."""
    named = zip(lesions, values, strict=True)
    return {lesion: None if math.isnan(value) else value for lesion, value in named}
