"""Choose the range of HU that segments each lesion best, on the training scans.

No network: the best of all ranges of whole HU, by the mean Dice over the training scans. A model that sees
more than single voxels must do better on the test scans, or it has learnt nothing that counts.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from numpy.typing import NDArray

from headct.contracts.labels import LabelSet
from headct.engine.training_job import ModelFacts, TrainedModel, TrainingJob, TrainingScan
from headct.frameworks.threshold.settings import ThresholdPreparation, ThresholdTraining

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class ScanCounts:
    """Voxels of one scan, for one lesion.

    Attributes:
        all_voxels: by HU, shape (HU,).
        of_lesion: likewise.
        size: all of the lesion, whatever their HU.
    """

    all_voxels: Counts
    of_lesion: Counts
    size: int


@dataclass(frozen=True)
class BestRange:
    """The best range of a lesion.

    Attributes:
        lowest, highest: HU, both within the range.
        dice: mean over the scans.
    """

    lowest: int
    highest: int
    dice: float


def prepare(
    scans: Sequence[TrainingScan],
    settings: ThresholdPreparation,
    shared_folder: Path,
    threads: int,
    labels: LabelSet,
) -> dict[str, Any]:
    """Nothing is prepared.

    Args:
        scans: of the training set.
        settings: of the model.
        shared_folder: stays empty.
        threads: that may be used.
        labels: the label set.
    """
    return {}


def train(job: TrainingJob[ThresholdTraining], folder: Path) -> TrainedModel:
    """Find the best range of each lesion; it takes seconds, so nothing is left in ``folder`` on the way."""
    begun = time.monotonic()
    lowest, highest = job.settings.hu_range
    scans = [counted(scan, job.labels, lowest, highest) for scan in job.training_scans]
    ranges = [best_range([of_scan[name] for of_scan in scans], lowest) for name in job.labels]
    dice = {name: found.dice for name, found in zip(job.labels, ranges, strict=True)}
    return TrainedModel(
        weights={
            "hu": torch.tensor([[found.lowest, found.highest] for found in ranges], dtype=torch.int32),
            "dice": torch.tensor([found.dice for found in ranges], dtype=torch.float64),
        },
        fixed={},
        history=[{"epoch": 1, "train_loss": 1 - float(np.mean(list(dice.values()))), "pseudo_dice": dice}],
        facts=ModelFacts(
            network="none",
            loss="1 − mean Dice of the training scans, over all ranges of whole HU",
            parameters=2 * len(ranges),
            epochs=1,
            iterations=1,
            further={
                f"hu_of_{name}": f"{found.lowest} to {found.highest}"
                for name, found in zip(job.labels, ranges, strict=True)
            },
        ),
        seconds=time.monotonic() - begun,
        seconds_waiting=0.0,
    )


def counted(scan: TrainingScan, labels: LabelSet, lowest: int, highest: int) -> dict[str, ScanCounts]:
    """What the choice of a range needs to know of a scan, by lesion.

    Args:
        scan: of the training set.
        labels: the lesions.
        lowest, highest: HU that count, both included.
    """
    hu, drawn = (sitk.GetArrayFromImage(sitk.ReadImage(str(path))) for path in (scan.ct, scan.labels))

    def by_hu(values: NDArray[np.int16]) -> Counts:
        within = values[(values >= lowest) & (values <= highest)].astype(np.int64) - lowest
        return np.bincount(within, minlength=highest - lowest + 1)

    of_scan = by_hu(hu)
    return {
        name: ScanCounts(of_scan, by_hu(hu[drawn == value]), int(np.count_nonzero(drawn == value)))
        for name, value in labels.items()
    }


def best_range(scans: Sequence[ScanCounts], lowest: int) -> BestRange:
    """The range of HU of the highest mean Dice over scans; of several, the one with the lowest ends.

    A scan without the lesion scores 1 where no voxel is within the range, else 0, as in all tables.

    Args:
        scans: one lesion in each.
        lowest: HU of the first count.
    """
    n_hu = len(scans[0].all_voxels)
    dice = np.zeros((n_hu, n_hu))
    for scan in scans:
        total = _within_each_range(scan.all_voxels) + scan.size
        dice += np.where(total, 2 * _within_each_range(scan.of_lesion) / np.maximum(total, 1), 1)
    dice[np.tril_indices(n_hu, -1)] = -1  # a range ends where it begins, or above
    first, last = np.unravel_index(np.argmax(dice), dice.shape)
    return BestRange(int(first) + lowest, int(last) + lowest, float(dice[first, last]) / len(scans))


def _within_each_range(counts: Counts) -> Counts:
    """Voxels from each HU (rows) up to each other (columns), both included."""
    up_to = np.cumsum(counts)
    found: Counts = up_to[None, :] - (up_to - counts)[:, None]
    return found
