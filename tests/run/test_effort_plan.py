"""The effort of each model as ``headct plan`` tells it, and GPU-hours as steps, from rates that are known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headct.contracts.artefacts import write_json
from headct.contracts.problems import BadInput
from headct.frameworks.base import find_framework, training_settings
from headct.run.cluster.effort_plan import Effort, effort_table, sum_of
from headct.run.cluster.gpu_hours import budgets_in_steps
from headct.run.cluster.rates import Rate
from headct.run.cluster.resource_plan import weights_mb
from headct.run.cluster.training_costs import Span, Speeds, cost_of
from headct.settings import blocks
from headct.settings.blocks import Budget, Configuration, EffortCurve, LearningCurve

REPOSITORY = Path(__file__).parents[2]
NNUNET = "nnunet ExperimentPlanner configuration=3d_fullres"


def rate(
    kind: str, s_per_step: float, s_per_validation_step: float | None = None, card: str = "H100"
) -> Rate:
    return Rate(
        task="train",
        kind=kind,
        card=card,
        device="cuda",
        date="2026-11-28",
        s_per_step=s_per_step,
        s_per_validation_step=s_per_validation_step,
        source="a test",
    )


RATES = (rate("monai basicunet", 0.5), rate("monai basicunet", 0.4), rate(NNUNET, 0.1, 0.05))


def study(budget: Budget | None, *models: str, gpus: int = 1) -> Configuration:
    """The shipped configuration with a budget and some of its models; every step is on one card."""
    config = blocks.load(REPOSITORY / "config/config.yaml")
    train = replace(config.resources.train, gpu=gpus)
    return replace(
        config,
        models={key: config.models[key] for key in models} if models else config.models,
        training=replace(config.training, budget=budget),
        resources=replace(config.resources, train=train),
    )


def cells(config: Configuration, folder: Path, rates: tuple[Rate, ...] = RATES) -> Mapping[str, list[str]]:
    lines = list(effort_table(config, folder, 100, Speeds(rates, "h100", "cuda")))
    assert max(map(len, lines)) <= 120
    split = (re.split("  +", line) for line in lines)
    return {row[0]: row[1:] for row in split}


def test_steps_patches_and_hours_are_told_for_own_epochs_and_for_the_budget(tmp_path: Path) -> None:
    """90 scans are learnt from: 45 batches of 2 scans, 8 patches; 1800 epochs."""
    config = study(Budget(patches=80_000), "unet")
    assert cells(config, tmp_path)["unet"] == [
        *("8", "81,000", "648,000", "9.0 to 11.2"),
        *("10,000", "80,000", "1.1 to 1.4"),
    ]
    assert cells(study(None, "unet"), tmp_path)["unet"] == ["8", "81,000", "648,000", "9.0 to 11.2"]


def test_what_is_guessed_is_marked_and_says_of_whom(tmp_path: Path) -> None:
    """180,000 steps of BLAST-CT at .1 to .5 s: any network's."""
    found = cells(study(None, "blast-ct", "unet"), tmp_path)
    assert found["blast-ct"][-1] == "~5.0 to 25.0"
    assert found["all 2 by seed and fold"][-1] == "~14.0 to 36.2"
    said = " ".join(effort_table(study(None), tmp_path, 100, Speeds(RATES, "h100", "cuda")))
    assert "~ is a guess: of blast-ct, deeplabv3plus, nnunet-2d no rate is known." in said
    unknown = cells(study(None, "unet"), tmp_path, ())
    assert unknown["unet"][-1] == unknown["all 1 by seed and fold"][-1] == "?"


def test_patches_of_nnunet_are_known_once_it_is_planned_and_an_ensemble_is_a_sum(tmp_path: Path) -> None:
    config = study(Budget(patches=1000))
    found = cells(config, tmp_path)
    assert found["nnunet-3d-dicece"][:3] == ["?", "450,000", "?"]
    assert found["nnunet-2d-3d (sum)"][:2] == ["900,000", "?"]
    for model, batch in (("nnunet-2d", 50), ("nnunet-3d-dicece", 2)):
        settings = training_settings(config.models[model])
        planned = {"plans": {"configurations": {settings.configuration: {"batch_size": batch}}}}  # type: ignore[attr-defined]
        name = find_framework("nnunet").representation(settings)
        write_json(planned, tmp_path / f"results/models/preparation/{name}.json")
    found = cells(config, tmp_path)
    assert found["nnunet-2d"][-3:-1] == ["20", "1,000"]
    assert found["nnunet-3d-dicece"][-3:-1] == ["500", "1,000"]
    assert found["nnunet-2d-3d (sum)"][-3:-1] == ["520", "2,000"]
    log = "nnunet-3d-dicece/seed-1/fold-all"
    assert cost_of(log, config, 100, tmp_path, Speeds(RATES, "h100", "cuda")).steps == 500


def test_a_training_that_would_run_is_planned_with_its_budget(tmp_path: Path) -> None:
    speeds = Speeds(RATES, "h100", "cuda")
    config = study(Budget(steps=7200), "unet")
    cost = cost_of("unet/seed-1/fold-all", config, 100, tmp_path, speeds)
    assert cost.steps == 7200
    assert cost.seconds == Span(7200 * 0.4, 7200 * 0.5)


@given(hours=st.floats(0.01, 1000), gpus=st.integers(1, 8))
def test_gpu_hours_are_the_steps_that_fit_in_by_the_slowest_rate(hours: float, gpus: int) -> None:
    """Of nnU-Net a step has a fifth of a step of validation with it."""
    config = study(Budget(gpu_hours=hours, card="h100"), "unet", "nnunet-3d-focal", gpus=gpus)
    found = budgets_in_steps(config, RATES)
    for model, seconds in (("unet", 0.5), ("nnunet-3d-focal", 0.11)):
        steps = found[model].steps
        assert steps is not None
        assert steps * seconds <= hours * 3600 / gpus * (1 + 1e-9)
        assert (steps + 1) * seconds > hours * 3600 / gpus * (1 - 1e-9)
        assert (found[model].gpu_hours, found[model].card) == (hours, "h100"), "which is recorded"


def test_gpu_hours_of_networks_without_a_rate_are_refused_all_at_once() -> None:
    with pytest.raises(BadInput) as refused:
        budgets_in_steps(study(Budget(gpu_hours=3, card="h100")), RATES)
    assert [problem.value for problem in refused.value.problems] == ["blast-ct", "deeplabv3plus", "nnunet-2d"]
    assert "no rate of this network is known on h100" in str(refused.value)
    with pytest.raises(BadInput, match="no rate of this network is known on a100"):
        budgets_in_steps(study(Budget(gpu_hours=3, card="a100"), "unet"), RATES)
    with pytest.raises(BadInput, match=r"a step takes 0\.5 s, more than 0\.0001 GPU-hours"):
        budgets_in_steps(study(Budget(gpu_hours=0.0001, card="h100"), "unet"), RATES)


def test_a_budget_is_of_networks_alone_and_the_same_for_all() -> None:
    config = study(Budget(patches=500))
    found = budgets_in_steps(config, ())
    assert set(found) == {key for key, model in config.models.items() if model.is_trained}
    assert set(found.values()) == {Budget(patches=500)}
    assert budgets_in_steps(study(None), RATES) == {}


def test_weights_at_shares_of_the_trainings_take_room() -> None:
    """Two folds, of which one holds out scans, and three shares: 2 networks, then 5; of 100 MB each."""
    config = study(None, "unet")
    folds = replace(config.training, folds=(0, "all"))
    curve = replace(folds, effort_curve=EffortCurve(shares=(0.1, 0.25, 0.5)))
    known = {("weights", "monai basicunet"): 100.0}
    in_results, in_work = weights_mb("unet", replace(config, training=folds), known)
    assert in_results == 200
    with_curve = weights_mb("unet", replace(config, training=curve), known)
    assert with_curve == (500, in_work + 600)
    of_others = replace(curve, effort_curve=EffortCurve(shares=(0.5,), models=("nnunet-2d",)))
    assert weights_mb("unet", replace(config, training=of_others), known) == (200, in_work)


def test_networks_of_the_learning_curve_take_room_but_for_those_that_the_study_has() -> None:
    """Sizes 2 and all, seeds 1 and 2; of seed 1, all and the held-out fold 0 there is a network already."""
    config = study(None, "unet")
    folds = replace(config.training, seeds=(1,), folds=(0,))
    curve = LearningCurve(sizes=(2, "all"), models=("unet",), seeds=(1, 2), fold=0)
    known = {("weights", "monai basicunet"): 100.0}
    in_results, in_work = weights_mb("unet", replace(config, training=folds), known)
    with_curve = weights_mb("unet", replace(config, training=folds, learning_curve=curve), known)
    assert with_curve == (4 * in_results, 4 * in_work)


def test_what_is_unknown_of_a_part_is_unknown_of_the_sum() -> None:
    known, unknown = Effort(5, 50, Span(1, 2)), Effort(5, None, None)
    assert sum_of([known, known], 3) == Effort(30, 300, Span(6, 12))
    assert sum_of([known, unknown]) == Effort(10, None, None)
