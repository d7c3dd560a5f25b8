"""The settings of one model: defaults, its framework's block, its own keys; and what each has an effect on.

The schema declares the effect of each setting beside its default (``x-effect``, one of
:data:`headct.settings.configuration.EFFECTS`). From it follows which settings belong to the representation
that a model learns from, to the key of its training, and to its predictions. Each framework has a type of
settings for each kind of job: :class:`Preparation`, :class:`Training` and :class:`Inference` here are what
they have in common.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Any, ClassVar, TypeVar

from headct.contracts.problems import BadInput, Problem
from headct.settings.blocks import Model
from headct.settings.configuration import (
    config_schema,
    json_object,
    resolve,
    schema_problems,
    training_frameworks,
)
from headct.settings.typed import plain, typed

EFFECT = "speed"  # which settings a model has stands in the parameters of each job

OF_TRAINING = ("preparation", "weights")
"""Effects of the settings that a training depends on."""

EPOCHS_OF_A_SHORT_TRAINING = 2
"""The first has the start of data workers and GPU in it; a step of the last takes as long as any."""


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """Settings of effect ``preparation``: those that decide what the models of a framework learn from."""

    framework: str


@dataclass(frozen=True, kw_only=True)
class Training(Preparation):
    """Settings of a training: of effect ``preparation``, ``weights`` and ``speed``."""

    RATED_BY: ClassVar[tuple[str, ...]] = ()
    """The settings that decide how long a step takes: a rate holds for trainings that agree in them."""

    def steps(self, _scans: int, /) -> int | None:
        """How many steps the optimiser makes in a training on so many scans; None if nothing says it."""
        return None

    def validation_steps(self) -> int:
        """How many batches are validated on, in the whole training."""
        return 0

    def lasting(self, _steps: int, /) -> Mapping[str, Any] | None:
        """The settings that end a training after so many steps or a few more; None if nothing says it.

        All others, which decide how long a step takes and how much memory, stay as they are.
        """
        return None


@dataclass(frozen=True, kw_only=True)
class TrainingInEpochs(Training):
    """Of one by the training loop (:mod:`headct.engine.loop`); these decide no weight."""

    epochs: int
    workers: int
    checkpoint_interval_epochs: int
    checkpoint_interval_minutes: float

    def steps(self, scans: int, /) -> int | None:
        of_epoch = self.steps_of_epoch(scans)
        return None if of_epoch is None else self.epochs * of_epoch

    def steps_of_epoch(self, _scans: int, /) -> int | None:
        """How many steps an epoch has in a training on so many scans; None if nothing says it."""
        return None

    def patches_of_step(self, _preparation: Mapping[str, Any], /) -> int | None:
        """How many patches the optimiser sees at each step; None if nothing says it.

        The preparation is the record of what the model learns from (``results/models/preparation/``), empty
        before there is one.
        """
        return None

    def lasting(self, steps: int, /) -> Mapping[str, Any] | None:
        epochs = EPOCHS_OF_A_SHORT_TRAINING
        of_epoch = self.epoch_of(math.ceil(steps / epochs))
        return (
            None if of_epoch is None else {"epochs": epochs, "checkpoint_interval_epochs": epochs, **of_epoch}
        )

    def epoch_of(self, _steps: int, /) -> Mapping[str, Any] | None:
        """The settings by which an epoch has so many steps or a few more; None if nothing says it."""
        return None


@dataclass(frozen=True, kw_only=True)
class TrainingFromWeights(TrainingInEpochs):
    """Of one that may start from weights which are there already (:mod:`headct.engine.starts`).

    Attributes:
        init_from: file of the weights, or folder of a trained model; it decides nothing.
        init_sha256: of the file; None for random weights.
        init_head: ``fresh`` where the layers that give the classes are drawn at random all the same.
    """

    init_from: str | None = None
    init_sha256: str | None = None
    init_head: str | None = None


@dataclass(frozen=True, kw_only=True)
class Inference:
    """Settings of effect ``inference``."""


P = TypeVar("P", bound=Preparation)
Kind = TypeVar("Kind", bound=Preparation | Inference)

InferenceByModel = Mapping[str, Inference]
"""Settings of inference by the key of the model."""


def frameworks() -> tuple[str, ...]:
    """The frameworks that train models."""
    return training_frameworks()


@cache
def schema_of(framework: str) -> Mapping[str, Any]:
    """The schema of a model of this framework, with the keys of the framework's block."""
    return _schemas()[framework]


@cache
def _schemas() -> Mapping[str, Mapping[str, Any]]:
    root = config_schema()
    kinds = [definition for definition in root["$defs"].values() if "x-overrides" in definition]
    return {
        kind["properties"]["framework"]["const"]: {**kind, "required": [], "$defs": root["$defs"]}
        for kind in kinds
    }


@cache
def effects(framework: str) -> Mapping[str, str]:
    """What each setting of this framework's models has an effect on, by its key."""
    schema = dict(schema_of(framework))
    return {key: resolve(part, schema)["x-effect"] for key, part in schema["properties"].items()}


@cache
def defaults(framework: str) -> Mapping[str, Any]:
    """The default of each setting of a framework's block."""
    block = config_schema()["properties"][framework]["properties"]
    return {key: part["default"] for key, part in block.items() if "default" in part}


def merged(kind: type[Kind], framework: str, *layers: Mapping[str, Any]) -> Kind:
    """The settings of a model of a framework: the defaults, and each layer over those before it.

    Args:
        kind: which of the settings, those of one kind of job.
        framework: the framework that trains the model.
        layers: checked settings, from the framework's block to what is particular.
    """
    settings = dict(defaults(framework)) | {"framework": framework}
    for layer in layers:
        settings |= layer
    return typed(kind, settings)


def of_model(kind: type[Kind], model: Model) -> Kind:
    """Those settings of a trained model of a configuration that are of a kind."""
    return merged(kind, model.framework, model.settings)


def having(settings: Preparation, *wanted: str) -> dict[str, Any]:
    """Those of a model's settings, its framework among them, that have one of the wanted effects, as JSON."""
    effect_of = effects(settings.framework)
    return {key: value for key, value in plain(settings).items() if effect_of[key] in wanted}


# -- as a command is given them ----------------------------------------------------------------------


def given(kind_of: Callable[[str], type[P]], text: str, speed: str = "{}", option: str = "--settings") -> P:
    """The settings of one model that a command is given as JSON; what is left out has its default.

    Args:
        kind_of: by the name of a framework, which of the settings its step needs.
        text: settings that a result depends on, the framework among them.
        speed: settings that no result depends on.
        option: what messages call the first.

    Raises:
        BadInput: no JSON object, no known framework, or every key that is unknown, of the wrong type, out
            of range, or absent without having a default.
    """
    chosen = json_object(text, option)
    framework = chosen.get("framework")
    if framework not in frameworks():
        message = f"must be one of {', '.join(frameworks())}"
        raise BadInput([Problem(option, message, key="framework", value=str(framework))])
    kind = kind_of(framework)
    needed = [one.name for one in fields(kind) if one.default is MISSING]
    required = [key for key in needed if key not in defaults(framework)]
    harmless = [key for key, effect in effects(framework).items() if effect == "speed"]
    of_speed = json_object(speed, "--speed")
    problems = [
        *schema_problems(chosen, _schema_of(framework, keys_of(kind)) | {"required": required}, option),
        *schema_problems(of_speed, _schema_of(framework, harmless), "--speed"),
    ]
    if problems:
        raise BadInput(problems)
    return merged(kind, framework, chosen, of_speed)


def inference_by_model(
    kind_of: Callable[[str], type[Inference]],
    text: str,
    trained: Iterable[Mapping[str, Any]],
    option: str = "--settings",
) -> InferenceByModel:
    """Settings of inference that a command is given as JSON, by the key of the model.

    Args:
        kind_of: by the name of a framework, its settings of inference.
        text: JSON; what is left out has its default.
        trained: ``train.json`` of each network, which names its model and framework.
        option: what messages call it.

    Raises:
        BadInput: no JSON object, or every model and key of it that is unknown, or out of range.
    """
    framework_of = {record["model"]: record["framework"] for record in trained}
    of_models = {model: _schema_of(name, keys_of(kind_of(name))) for model, name in framework_of.items()}
    by_model = json_object(text, option)
    schema = {"type": "object", "additionalProperties": False, "properties": of_models}
    if problems := schema_problems(by_model, schema, option):
        raise BadInput(problems)
    return {
        model: merged(kind_of(framework), framework, by_model.get(model, {}))
        for model, framework in framework_of.items()
    }


def keys_of(kind: type[Any]) -> tuple[str, ...]:
    """The keys of the settings of a type: its fields."""
    return tuple(one.name for one in fields(kind))


def _schema_of(framework: str, keys: Iterable[str]) -> dict[str, Any]:
    """The schema of some of the settings of a framework's models."""
    schema = schema_of(framework)
    chosen = {key: schema["properties"][key] for key in keys}
    return {"type": "object", "additionalProperties": False, "properties": chosen, "$defs": schema["$defs"]}
