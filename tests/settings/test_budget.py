"""The length of a training within a budget, of each framework, for any numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from headct.contracts.problems import BadInput
from headct.frameworks.base import find_framework
from headct.frameworks.nnunet.settings import NnunetTraining, PlanChange
from headct.settings import budget as budgets
from headct.settings import configuration, models
from headct.settings.blocks import Budget
from headct.settings.budget import Length, as_long_as, length_of, steps_of

CONFIG = Path(__file__).parents[2] / "config/config.yaml"

counts = st.integers(1, 10**7)


def settings_of(framework: str, **changes: Any) -> models.Training:
    own = {"network": "basicunet"} if framework == "monai" else {}
    own |= {"configuration": "2d", "loss": "dice_ce"} if framework == "nnunet" else {}
    return models.merged(find_framework(framework).trains_by, framework, own, changes)


@given(patches=counts, batch=st.integers(1, 500))
def test_patches_become_the_nearest_number_of_steps(patches: int, batch: int) -> None:
    steps = steps_of(Budget(patches=patches), batch)
    assert steps is not None
    assert steps >= 1
    assert steps == 1 or abs(steps * batch - patches) <= batch / 2


@given(steps=counts, batch=st.integers(1, 500))
def test_a_budget_of_steps_has_them_whatever_the_batch(steps: int, batch: int) -> None:
    assert steps_of(Budget(steps=steps), batch) == steps_of(Budget(steps=steps), None) == steps


@given(steps=counts, scans=st.integers(1, 3000), per_batch=st.integers(1, 8))
def test_epochs_are_the_pipelines_own_and_the_last_ends_with_the_last_step(
    steps: int, scans: int, per_batch: int
) -> None:
    settings = settings_of("monai", iterations_per_epoch=None, scans_per_batch=per_batch)
    length = length_of(settings, Budget(steps=steps), scans, {})
    assert length is not None
    assert length.steps_per_epoch == -(-scans // per_batch)
    assert (length.epochs - 1) * length.steps_per_epoch < steps <= length.epochs * length.steps_per_epoch
    longer = as_long_as(settings, length)
    assert longer.epochs == length.epochs  # type: ignore[attr-defined]
    assert (longer.steps(scans) or 0) - steps < length.steps_per_epoch


def test_models_of_other_batches_see_as_many_patches() -> None:
    """900,000 patches: 10, 8 and 2 a step."""
    preparation = {"plans": {"configurations": {"2d": {"batch_size": 12}}}}
    for framework, changes, batch in (
        ("blastct", {"batch_size": 10}, 10),
        ("monai", {"scans_per_batch": 2, "patches_per_scan": 4}, 8),
        ("nnunet", {}, 12),
        ("nnunet", {"plan_changes": {"2d": {"batch_size": 20}}}, 20),
    ):
        found = length_of(settings_of(framework, **changes), Budget(patches=900_000), 100, preparation)
        assert found is not None
        assert found.steps == 900_000 // batch


def test_of_nnunet_patches_are_not_known_before_it_is_planned() -> None:
    settings = settings_of("nnunet")
    assert isinstance(settings, NnunetTraining)
    assert settings.patches_of_step({}) is None
    assert length_of(settings, Budget(patches=1000), 100, {}) is None
    assert length_of(settings, Budget(steps=1000), 100, {}) == Length(4, 250, 1000)
    changed = settings_of("nnunet", plan_changes={"2d": {"batch_size": 7}})
    assert isinstance(changed, NnunetTraining)
    assert changed.plan_changes["2d"] == PlanChange(batch_size=7)
    assert changed.patches_of_step({}) == 7


def test_what_is_not_trained_in_epochs_has_no_length_to_choose() -> None:
    settings = settings_of("threshold")
    assert length_of(settings, Budget(steps=10), 100, {}) is None
    assert as_long_as(settings, None) is settings


def completed(budget: dict[str, Any] | None, **changes: Any) -> dict[str, Any]:
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8")) | changes
    config["training"] = {**config.get("training", {}), "budget": budget}
    return configuration.complete(config, "a.yaml")


def test_without_a_budget_a_configuration_says_nothing_of_one() -> None:
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    assert "budget" not in configuration.complete(config, "a.yaml")["training"]
    assert completed(None)["training"]["budget"] is None, "which takes back that of another file"


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        ({}, "say one of patches, steps and gpu_hours"),
        ({"patches": 5, "steps": 5}, "say one of patches, steps and gpu_hours"),
        ({"gpu_hours": 5}, "gpu_hours and card go together"),
        ({"steps": 5, "card": "h100"}, "gpu_hours and card go together"),
        ({"steps": 0}, "must be at least 1"),
        ({"gpu_hours": 0, "card": "h100"}, "must be above 0"),
        ({"gpu_hours": 1, "card": " "}, "must be the name of a card"),
        ({"epochs": 3}, "unknown key"),
    ],
)
def test_a_budget_that_says_nothing_or_two_things_is_refused(budget: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=r"training\.budget") as refused:
        completed(budget)
    assert said in str(refused.value)


def test_gpu_hours_without_a_gpu_are_refused() -> None:
    with pytest.raises(BadInput, match=r"trained without a GPU .* say patches or steps"):
        completed({"gpu_hours": 2, "card": "h100"}, device="cpu")
    assert completed({"gpu_hours": 2, "card": "h100"})["training"]["budget"]["gpu_hours"] == 2


NETWORK = {"title": "U-Net", "framework": "monai", "network": "basicunet"}
THRESHOLD = {"title": "Threshold", "framework": "threshold"}


def test_a_budget_where_nothing_is_trained_in_epochs_is_refused() -> None:
    figures = {"agreement_model": "t", "cases": {"select_by": "t", "show": ["t"]}}
    with pytest.raises(BadInput, match=r"training\.budget.* no model is trained in epochs"):
        completed({"steps": 9}, models={"t": THRESHOLD}, figures=figures)
    both = {"t": THRESHOLD, "u": NETWORK}
    assert completed({"steps": 9}, models=both, figures=figures)["training"]["budget"] == {"steps": 9}


@pytest.mark.parametrize(
    ("models", "asked_for", "said"),
    [
        ({"unet": NETWORK, "threshold": THRESHOLD}, ["threshold"], "trained in epochs here; there are unet"),
        ({"threshold": THRESHOLD}, None, "there is nothing to measure: take it out"),
    ],
)
def test_a_curve_of_effort_is_of_models_that_are_trained_in_epochs(
    models: dict[str, Any], asked_for: list[str] | None, said: str
) -> None:
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8")) | {"models": models}
    config["figures"] = {
        "agreement_model": "threshold",
        "cases": {"select_by": "threshold", "show": ["threshold"]},
    }
    named = {} if asked_for is None else {"models": asked_for}
    config["training"] = {"folds": [0], "effort_curve": named}
    with pytest.raises(BadInput, match=r"training\.effort_curve") as refused:
        configuration.complete(config, "a.yaml")
    assert said in str(refused.value)


@pytest.mark.parametrize("value", [-1, "some", {"all": 1}])
@pytest.mark.parametrize(
    ("key", "change", "said"),
    [
        (
            "training.folds.0",
            lambda value: {"training": {"folds": [value]}},
            "all or an integer of at least 0",
        ),
        (
            "learning_curve.sizes.0",
            lambda value: {"learning_curve": {"sizes": [value], "models": ["unet"]}},
            "all or an integer of at least 1",
        ),
    ],
)
def test_a_value_that_is_neither_of_two_kinds_is_told_both(
    key: str, change: Callable[[Any], dict[str, Any]], said: str, value: Any
) -> None:
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8")) | change(value)
    with pytest.raises(BadInput) as refused:
        configuration.complete(config, "a.yaml")
    problem = next(one for one in refused.value.problems if one.key == key)
    assert problem.message.startswith(f"must be {said}")


def test_a_model_that_is_no_mapping_is_told() -> None:
    config = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    config["models"]["unet"] = None
    with pytest.raises(BadInput, match=r"models\.unet.* must be a mapping"):
        configuration.complete(config, "a.yaml")


def test_a_command_takes_a_budget_in_steps_or_patches() -> None:
    assert budgets.given("{}") is None
    assert budgets.given('{"patches": 12}') == Budget(patches=12)
    words = {"gpu_hours": 2, "card": "h100", "steps": 99}
    assert budgets.given(json.dumps(words)) == Budget(gpu_hours=2, card="h100", steps=99)
    for text in ('{"gpu_hours": 2, "card": "h100"}', '{"epochs": 2}', '{"steps": -1}', "7"):
        with pytest.raises(BadInput, match="--budget"):
            budgets.given(text)
