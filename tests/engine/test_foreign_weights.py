"""Weights that somebody else made are read as numbers and names; nothing that is pickled in them runs."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from headct.contracts.artefacts import sha256_of
from headct.engine import checkpoints
from headct.frameworks.base import find_framework
from headct.frameworks.registry import frameworks
from headct.settings import models
from support.label_sets import LABELS


class Hostile:
    """What writes a file as soon as it is unpickled without care."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("framework", frameworks())
def test_weights_run_nothing(tmp_path: Path, framework: str) -> None:
    mark = tmp_path / "executed"
    torch.save({"weights": {}, "fixed": Hostile(mark)}, tmp_path / "final.pth")
    adapter = find_framework(framework)
    settings = models.merged(adapter.predicts_by, framework)
    with pytest.raises(pickle.UnpicklingError):
        adapter.load(tmp_path, "cpu", settings, LABELS)
    assert not mark.exists()
    torch.load(tmp_path / "final.pth", weights_only=False)
    assert mark.exists(), "the test would prove nothing"


def test_checkpoints_run_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "executed"
    torch.save({"network": Hostile(mark)}, tmp_path / "x")
    (tmp_path / "x").rename(tmp_path / f"checkpoint-5-{sha256_of(tmp_path / 'x')}.pth")
    with pytest.raises(pickle.UnpicklingError):
        checkpoints.load_latest(tmp_path)
    assert not mark.exists()
