"""How long a training is: the epochs of its own pipeline, or a budget that is the same for all models.

A budget is a number of patches or of steps of the optimiser. Epochs are as long as the pipeline's own, as
many as the budget fills; the last one ends with its last step. Schedules of learning rates run over them.
GPU-hours are turned into steps before (:mod:`headct.run.cluster.gpu_hours`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from headct.contracts.problems import BadInput, Problem
from headct.settings.blocks import Budget
from headct.settings.configuration import config_schema, json_object, schema_problems
from headct.settings.models import Training, TrainingInEpochs
from headct.settings.typed import typed

EFFECT = "speed"  # how long a training is stands in the parameters of its job

OPTION = "--budget"

Settings = TypeVar("Settings", bound=Training)


@dataclass(frozen=True)
class Length:
    """Of a training with a budget: its epochs, the last of which may be shorter, and its steps in all."""

    epochs: int
    steps_per_epoch: int
    steps: int


def length_of(
    settings: Training, budget: Budget, scans: int, preparation: Mapping[str, Any]
) -> Length | None:
    """How long a training with a budget is; None of one whose length no budget decides, or is not known yet.

    Args:
        settings: of the training.
        budget: in steps or patches.
        scans: that it learns from.
        preparation: the record of what it learns from, empty before there is one.
    """
    if not isinstance(settings, TrainingInEpochs):
        return None
    steps = steps_of(budget, settings.patches_of_step(preparation))
    per_epoch = settings.steps_of_epoch(scans)
    if steps is None or per_epoch is None:
        return None
    return Length(math.ceil(steps / per_epoch), per_epoch, steps)


def steps_of(budget: Budget, patches_of_step: int | None) -> int | None:
    """The steps of a budget; of patches the number of steps that comes nearest, and at least one.

    Args:
        budget: in steps or patches.
        patches_of_step: None if that is not known.
    """
    if budget.steps is not None:
        return budget.steps
    if budget.patches is None or patches_of_step is None:
        return None
    return max(1, round(budget.patches / patches_of_step))


def as_long_as(settings: Settings, length: Length | None) -> Settings:
    """The settings of a training of this length; as they are where there is none."""
    if length is None or not isinstance(settings, TrainingInEpochs):
        return settings
    return replace(settings, epochs=length.epochs)


def steps_at(shares: Iterable[float], steps: int) -> dict[str, int]:
    """The step after which weights are kept, by share of a training; the first at the earliest."""
    return {str(share): max(1, round(share * steps)) for share in shares}


def given(text: str) -> Budget | None:
    """A budget that a command is given as JSON, as ``{"patches": 900000}``; None for the empty object.

    Raises:
        BadInput: no JSON object, an unknown key or value, or neither steps nor patches.
    """
    words = json_object(text, OPTION)
    if not words:
        return None
    schema = config_schema()["properties"]["training"]["properties"]["budget"]
    problems = schema_problems(words, schema, OPTION)
    if not problems and not {"steps", "patches"} & set(words):
        problems = [Problem(OPTION, "must say steps or patches", value=json.dumps(words))]
    if problems:
        raise BadInput(problems)
    return typed(Budget, words)
