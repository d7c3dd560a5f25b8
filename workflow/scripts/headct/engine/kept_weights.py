"""Weights in the course of a training, kept beside its checkpoints; keeping them changes nothing of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from headct.contracts.artefacts import write_atomically


def save(folder: Path, step: int, weights: Mapping[str, Tensor], seconds: float) -> None:
    """Keep the weights after so many steps.

    Args:
        folder: of the work.
        step: after which they are kept.
        weights: the network's state.
        seconds: of all sessions up to there.
    """
    on_cpu = {name: tensor.detach().cpu() for name, tensor in weights.items()}
    with write_atomically(_file(folder, step)) as temporary:
        torch.save({"weights": on_cpu, "seconds": seconds}, temporary)


def load(folder: Path, step: int) -> tuple[dict[str, Tensor], float]:
    """The weights after so many steps, and the seconds that they took."""
    found = torch.load(_file(folder, step), map_location="cpu", weights_only=True)
    return found["weights"], float(found["seconds"])


def _file(folder: Path, step: int) -> Path:
    return folder / "kept" / f"step-{step:09d}.pth"
