"""What a framework's training adapter is given, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class TrainingScan:
    """One scan that a model learns from; ``sha256`` digests CT and labels together."""

    scan_id: str
    ct: Path
    labels: Path
    sha256: str


@dataclass(frozen=True)
class TrainingJob:
    """One training run, complete: equal jobs give equal weights (on CPU, with equal threads).

    ``fold`` is ``"all"`` (every training scan is learnt from, none is held out) or a number.
    ``shared_folder`` is scratch space that all runs of the framework share, at the same time too.
    """

    model: str
    settings: dict[str, Any]
    training_scans: tuple[TrainingScan, ...]
    validation_scans: tuple[TrainingScan, ...]
    seed: int
    fold: str
    device: str
    threads: int
    shared_folder: Path


@dataclass(frozen=True)
class TrainedModel:
    """The end of a training run.

    ``weights`` is the network's state; ``fixed`` all else that inference needs (plain JSON types);
    ``history`` one entry per epoch; ``record`` what the model was, for Table E1 (plain JSON types).
    """

    weights: dict[str, torch.Tensor]
    fixed: dict[str, Any]
    history: list[dict[str, Any]]
    record: dict[str, Any]
