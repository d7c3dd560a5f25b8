"""A budget of GPU-hours as steps, by the rates that were measured on the card that it names."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from headct.contracts.problems import BadInput, Problem
from headct.frameworks.base import find_framework, training_settings
from headct.run.cluster import rates as rate_table
from headct.run.cluster.rates import Rate
from headct.settings.blocks import Budget, Configuration
from headct.settings.models import Training, TrainingInEpochs

EFFECT = "speed"  # the steps stand in the parameters of each training

SECONDS_PER_HOUR = 3600


def networks_in_epochs(config: Configuration) -> dict[str, TrainingInEpochs]:
    """The training settings of each model that the training loop trains, by key."""
    trained = {key: training_settings(model) for key, model in config.models.items() if model.is_trained}
    return {key: own for key, own in trained.items() if isinstance(own, TrainingInEpochs)}


def networks_by_effort(config: Configuration) -> list[str]:
    """Keys of the networks that are measured in the course of their trainings; none without effort curve."""
    effort, in_epochs = config.training.effort_curve, list(networks_in_epochs(config))
    return [key for key in in_epochs if effort and key in (effort.models or in_epochs)]


def budgets_in_steps(config: Configuration, rates: Iterable[Rate]) -> dict[str, Budget]:
    """The budget of each network that is trained in epochs, by model; none where the study has no budget.

    One of patches or steps is the study's. Of GPU-hours the steps are those that fit in, by the slowest rate
    of the network on the card; a training on several GPUs uses up as many hours at once.

    Args:
        config: the configuration.
        rates: all that are known.

    Raises:
        BadInput: every network of which no rate is known on the card, or whose hours hold no step.
    """
    budget = config.training.budget
    if budget is None:
        return {}
    networks = networks_in_epochs(config)
    if budget.gpu_hours is None:
        return dict.fromkeys(networks, budget)
    seconds = budget.gpu_hours * SECONDS_PER_HOUR / max(1, config.resources.train.gpu)
    known, found, problems = tuple(rates), dict[str, Budget](), list[Problem]()
    for key, settings in networks.items():
        slowest = slowest_step_s(settings, known, budget.card or "")
        steps = math.floor(seconds / slowest) if slowest else 0
        if steps:
            found[key] = replace(budget, steps=steps)
        else:
            problems.append(Problem("config", _why_not(budget, slowest), key="training.budget", value=key))
    if problems:
        raise BadInput(problems)
    return found


def _why_not(budget: Budget, slowest: float | None) -> str:
    if slowest:
        return f"a step takes {slowest:.3g} s, more than {budget.gpu_hours:g} GPU-hours"
    return (
        f"no rate of this network is known on {budget.card}, so GPU-hours can't be turned into steps: "
        "run 'make gpu' there, then 'make rates', or say patches or steps"
    )


def slowest_step_s(settings: TrainingInEpochs, rates: Iterable[Rate], card: str) -> float | None:
    """Seconds of a step, with its share of validation, by the slowest rate on a card; None if none is known.

    Args:
        settings: of the training.
        rates: all that are known.
        card: as Slurm or a person names it.
    """
    kind = find_framework(settings.framework).rated_as(settings)
    alike = [rate for rate in rates if (rate.task, rate.kind, rate.device) == ("train", kind, "cuda")]
    share = validation_share(settings)
    return max(
        (step_s(rate, share) for rate in rate_table.on_card(alike, card)),
        default=None,
    )


def validation_share(settings: Training) -> float:
    """Steps of validation to each step of the optimiser."""
    steps = settings.steps(1)
    return settings.validation_steps() / steps if steps else 0.0


def step_s(rate: Rate, share: float) -> float:
    """Seconds of a step by a rate, with so many steps of validation to each."""
    return (rate.s_per_step or 0) + share * (rate.s_per_validation_step or 0)
