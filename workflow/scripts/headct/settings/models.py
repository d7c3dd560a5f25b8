"""The settings of one model: defaults, its framework's block, its own keys; and what each has an effect on.

The schema declares the effect of each setting beside its default (``x-effect``, one of
:data:`headct.settings.configuration.EFFECTS`). From it follows which settings belong to the representation
that a model learns from, to the key of its training, and to its predictions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from headct.contracts.problems import BadInput, Problem
from headct.settings.configuration import (
    config_schema,
    json_object,
    resolve,
    schema_problems,
)

EFFECT = "speed"  # which settings a model has stands in the parameters of each job

OF_TRAINING = ("preparation", "weights")
"""Effects of the settings that a training depends on."""

SettingsByModel = Mapping[str, Mapping[str, Any]]
"""Settings of inference by the key of the model; what is absent has its default."""


def frameworks() -> tuple[str, ...]:
    """The frameworks that train models."""
    return tuple(_schemas())


@cache
def schema_of(framework: str) -> Mapping[str, Any]:
    """The schema of a model of this framework, with the keys of the framework's block."""
    return _schemas()[framework]


@cache
def _root() -> dict[str, Any]:
    """The schema, which takes a tenth of a second to read."""
    return config_schema()


@cache
def _schemas() -> Mapping[str, Mapping[str, Any]]:
    root = _root()
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
    block = _root()["properties"][framework]["properties"]
    return {key: part["default"] for key, part in block.items() if "default" in part}


def merged(framework: str, *layers: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a model of a framework: the defaults, and each layer over those before it."""
    settings = dict(defaults(framework))
    for layer in layers:
        settings |= layer
    return settings


def of_model(config: Mapping[str, Any], model: str) -> dict[str, Any]:
    """All settings of a trained model of a configuration: defaults, its framework's block, its own keys."""
    own = config["models"][model]
    return merged(own["framework"], config[own["framework"]], own)


def having(settings: Mapping[str, Any], *wanted: str) -> dict[str, Any]:
    """Those of a model's settings, its framework among them, that have one of the wanted effects."""
    effect_of = effects(settings["framework"])
    return {key: value for key, value in settings.items() if effect_of[key] in wanted}


def inference_settings(trained: Mapping[str, Any], chosen: SettingsByModel) -> dict[str, Any]:
    """All settings that the model of a ``train.json`` predicts by."""
    framework = trained["framework"]
    settings = merged(framework, chosen.get(trained["model"], {}), {"framework": framework})
    return having(settings, "inference")


# -- as a command is given them ----------------------------------------------------------------------


def model_settings(text: str, speed: str = "{}", option: str = "--settings") -> dict[str, Any]:
    """The settings of one model, or those of them that a step needs, that a command is given as JSON.

    Args:
        text: settings that a result depends on, the framework among them.
        speed: settings that no result depends on; what is left out has its default.
        option: what messages call the first.

    Raises:
        BadInput: no JSON object, no known framework, or every key that is unknown, of the wrong type or out
            of range.
    """
    given = json_object(text, option)
    framework = given.get("framework")
    if framework not in frameworks():
        message = f"must be one of {', '.join(frameworks())}"
        raise BadInput([Problem(option, message, key="framework", value=str(framework))])
    of_speed = json_object(speed, "--speed")
    problems = [
        *schema_problems(given, dict(schema_of(framework)), option),
        *schema_problems(of_speed, _schema_of(framework, "speed"), "--speed"),
    ]
    if problems:
        raise BadInput(problems)
    return given | of_speed


def settings_by_model(
    text: str, trained: Iterable[Mapping[str, Any]], option: str = "--settings"
) -> SettingsByModel:
    """Settings of inference that a command is given as JSON, by the key of the model.

    Args:
        text: JSON; what is left out has its default.
        trained: ``train.json`` of each network, which names its model and framework.
        option: what messages call it.

    Raises:
        BadInput: no JSON object, or every model and key of it that is unknown, or out of range.
    """
    of_models = {record["model"]: _schema_of(record["framework"], "inference") for record in trained}
    given = json_object(text, option)
    schema = {"type": "object", "additionalProperties": False, "properties": of_models}
    if problems := schema_problems(given, schema, option):
        raise BadInput(problems)
    return given


def _schema_of(framework: str, effect: str) -> dict[str, Any]:
    """The schema of those settings of a framework's models that have one effect."""
    properties = schema_of(framework)["properties"]
    chosen = {key: properties[key] for key, has in effects(framework).items() if has == effect}
    return {"type": "object", "additionalProperties": False, "properties": chosen}
