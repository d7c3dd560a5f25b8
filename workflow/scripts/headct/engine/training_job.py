"""What a framework's training adapter is given, and what it gives back."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from headct.contracts.artefacts import read_json
from headct.contracts.labels import LabelSet
from headct.settings.models import Training

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class TrainingScan:
    """One scan that a model learns from.

    ``sha256`` digests CT and labels together; ``ct_sha256`` is that of the CT alone, by which the scan is
    known again in other studies, empty where nothing is recorded.
    """

    scan_id: str
    ct: Path
    labels: Path
    sha256: str
    ct_sha256: str = ""

    @property
    def prepared_name(self) -> str:
        """How the name of a file or folder begins that is made of this scan alone."""
        return self.sha256[:NAME_DIGITS]


NAME_DIGITS = 32
PREPARED_FROM = "scans.json"
"""In a folder of what is made of several scans: the digest of each, by its identifier."""


def prepared_from(made: Path) -> list[str] | None:
    """The scans that something in the work folder is made of: the beginnings of their digests.

    Its name tells, or the list in it; None where neither does, as what an older release left.
    """
    if (made / PREPARED_FROM).is_file():
        digests: dict[str, str] = read_json(made / PREPARED_FROM)
        return [digest[:NAME_DIGITS] for digest in digests.values()]
    named = re.match(rf"[0-9a-f]{{{NAME_DIGITS}}}(?![0-9a-f])", made.name)
    return [named[0]] if named else None


def training_scans(rows: Any, data: Path) -> tuple[TrainingScan, ...]:
    """Scans of some rows of ``split.tsv`` (a data frame); ``data`` is the folder of converted scans."""
    return tuple(
        TrainingScan(
            scan_id=row.scan_id,
            ct=(data / row.scan_id / "ct.nii.gz").absolute(),
            labels=(data / row.scan_id / "labels.nii.gz").absolute(),
            sha256=hashlib.sha256(f"{row.ct_sha256}{row.labels_sha256}".encode()).hexdigest(),
            ct_sha256=row.ct_sha256,
        )
        for row in rows.itertuples()
    )


Settings = TypeVar("Settings", bound=Training, covariant=True)


@dataclass(frozen=True)
class TrainingJob(Generic[Settings]):
    """One training run, complete: equal jobs give equal weights (on CPU, with equal threads).

    ``fold`` is ``"all"`` (every training scan is learnt from, none is held out) or a number.
    ``shared_folder`` is scratch space that all runs of the framework share, at the same time too.
    ``deterministic`` keeps a GPU to operators that repeat, where PyTorch has them.
    ``labels`` are the lesions that are learnt, a class of the network each.
    ``steps`` ends a training that has a budget, within its last epoch; None: all epochs are whole.
    ``kept_steps`` are those after which the weights are kept as well; the training is the same without.
    """

    model: str
    settings: Settings
    training_scans: tuple[TrainingScan, ...]
    validation_scans: tuple[TrainingScan, ...]
    seed: int
    fold: str
    device: str
    threads: int
    shared_folder: Path
    labels: LabelSet
    deterministic: bool = False
    steps: int | None = None
    kept_steps: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """What a trained model is, by the same names for every framework; None is what a framework does not have.

    Attributes:
        network: its architecture.
        loss: its loss.
        parameters: number of its weights.
        spacing_mm_xyz: of the voxels that it sees, mm, along x, y, z; a network of slices has no z.
        patch_size_xyz: voxels of what it sees at once, along the same axes.
        hu_window: lowest and highest intensity that it sees, HU.
        batch_size: patches of one iteration.
        epochs: how long it was trained; what an epoch is differs between frameworks.
        iterations: batches that it was trained on, all epochs together.
        optimiser: name of the optimiser.
        learning_rate: at the start.
        further: what else there is to say, by names of the framework's own (plain JSON types).
    """

    network: str | None = None
    loss: str | None = None
    parameters: int | None = None
    spacing_mm_xyz: Sequence[float] | None = None
    patch_size_xyz: Sequence[int] | None = None
    hu_window: Sequence[float] | None = None
    batch_size: int | None = None
    epochs: int | None = None
    iterations: int | None = None
    optimiser: str | None = None
    learning_rate: float | None = None
    further: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainedModel:
    """The end of a training run.

    ``weights`` is the network's state; ``fixed`` all else that inference needs (plain JSON types);
    ``history`` one entry per epoch; ``facts`` what the model is.
    ``seconds`` is the time of all sessions, ``seconds_waiting`` what of it was spent waiting for data.
    """

    weights: dict[str, torch.Tensor]
    fixed: dict[str, Any]
    history: list[dict[str, Any]]
    facts: ModelFacts
    seconds: float
    seconds_waiting: float
