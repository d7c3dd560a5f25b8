"""Training on a GPU: repeatable where PyTorch's operators are, and never waiting for the device."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from headct.engine.batches import in_order
from headct.engine.determinism import choose_algorithms, nondeterministic_operators
from headct.frameworks.blastct.training import BlastLearner
from headct.frameworks.monai.training import MonaiLearner
from headct.frameworks.nnunet.training import NnunetLearner
from support import families
from support.families import FAMILIES, equal, train

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is visible"),
    # PyTorch's: of operators without a deterministic form, of its watch over waiting, of plans cuDNN drops
    pytest.mark.filterwarnings("default::UserWarning"),
]
LEARNERS = {"nnunet": NnunetLearner, "monai": MonaiLearner, "blastct": BlastLearner}


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_two_deterministic_runs_are_equal_unless_operators_are_named(family: str, tmp_path: Path) -> None:
    job = dataclasses.replace(families.job(family, tmp_path / "data"), device="cuda", deterministic=True)
    choose_algorithms(deterministic=True)
    try:
        with nondeterministic_operators() as operators:
            one, other = (train(family, job, tmp_path / name) for name in ("one", "other"))
    finally:
        choose_algorithms(deterministic=False)
    assert operators or equal(one, other)


def test_a_step_never_waits_for_the_device(family: str, tmp_path: Path, monkeypatch) -> None:
    job = dataclasses.replace(families.job(family, tmp_path / "data"), device="cuda")
    learn, steps = LEARNERS[family].learn, []

    def watched(learner, images, *targets):
        steps.append(images.device.type)
        # the first steps allocate and choose algorithms
        torch.cuda.set_sync_debug_mode("error" if len(steps) > 3 else "default")
        try:
            return learn(learner, images, *targets)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(LEARNERS[family], "learn", watched)
    train(family, job, tmp_path / "run")
    assert set(steps) == {"cuda"}
    assert len(steps) > 3


def test_batches_arrive_on_the_device_in_order() -> None:
    class Numbers:
        def __getitem__(self, number: int):
            return (torch.full((2, 3), number).numpy(),)

    for workers in (0, 2):
        batches = in_order(Numbers(), 5, 9, workers, "cuda")
        assert [(tensor.device.type, int(tensor[0, 0])) for (tensor,) in batches] == [
            ("cuda", number) for number in range(5, 9)
        ]
