"""The study's configuration: checked against its schema, its defaults filled in from there alone."""

from __future__ import annotations

import copy
import difflib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from headct.contracts import references, yaml_files
from headct.contracts.problems import BadInput, Problem
from headct.contracts.repository import SCHEMAS
from headct.contracts.terminal import visible_lines
from headct.settings import config_files, lesions

EFFECT = "speed"  # what the configuration says stands in the parameters of each job

SCHEMA = SCHEMAS / "config.schema.yaml"

EFFECTS = {
    "preparation": "the scans as they are converted, chosen, divided and preprocessed, and all that follows",
    "weights": "the trainings, and all that follows",
    "inference": "the label maps, and all that follows; no training",
    "print": "what is measured, compared, drawn and written of the label maps; no training, no prediction",
    "speed": "nothing: where and how fast jobs run, and how often they save their state",
}
"""What a change of a setting makes anew. In the schema each setting has one of them as its ``x-effect``, or
has that of the block that it stands in."""


BESIDE_MODELS = ("external", "preparation")
"""Folders that lie beside those of models, in ``results/metrics`` and ``results/models``."""

Document = Mapping[str, Any]
"""A configuration as files say it: what is checked, completed and written down.

No other code reads settings from it: ``headct.settings.blocks.configured`` makes values with types of it."""


def load_schema(path: Path = SCHEMA) -> dict[str, Any]:
    """Read a JSON Schema that is written as YAML."""
    schema: dict[str, Any] = yaml_files.read(path)
    return schema


@cache
def config_schema() -> dict[str, Any]:
    """The schema of a configuration, each kind of model with the keys that it may override.

    Reading it takes a tenth of a second, so all share one, which nobody changes.
    """
    schema = load_schema()
    for definition in schema["$defs"].values():
        if "x-overrides" in definition:
            block = schema["properties"][definition["x-overrides"]].get("properties", {})
            definition["properties"] = _without_defaults(block) | definition["properties"]
    return schema


@cache
def training_frameworks() -> tuple[str, ...]:
    """The frameworks that train models here, in the order of the schema: each has a block of settings."""
    kinds = config_schema()["$defs"].values()
    return tuple(kind["properties"]["framework"]["const"] for kind in kinds if "x-overrides" in kind)


def _without_defaults(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Parts of a schema by key, none with a default: what a model leaves out, it has from its framework."""

    def without_default(part: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in part.items() if name != "default"}

    return {key: without_default(part) for key, part in properties.items()}


def load(path: Path) -> dict[str, Any]:
    """Read one configuration file, checked and complete.

    Raises:
        BadInput: the file is absent or no YAML mapping, or breaks the schema.
    """
    return complete(config_files.read_one(path), str(path))


def complete(config: Document, file: str | Callable[[str], str]) -> dict[str, Any]:
    """Fill defaults from the schema, and what is known of lesions, into a copy of ``config``; check it whole.

    ``file`` is the file that faults are in, or a function that names it for a key.

    Raises:
        BadInput: every key that is unknown, missing, of the wrong type or out of range, and every
            reference to a model, label or fold that does not exist.
    """
    schema = config_schema()
    filled: dict[str, Any] = fill_defaults(copy.deepcopy(dict(config)), schema, schema)
    problems = [*schema_problems(filled, schema, ""), *hidden_characters(filled)]
    problems += lesions.problems_of(filled)
    problems = problems or reference_problems(filled, "")
    if problems:
        name_of = file if callable(file) else lambda _key: file
        raise BadInput([replace(problem, file=name_of(problem.key)) for problem in problems])
    return filled | lesions.resolved(filled)


def settings_block(text: str, block: str, option: str = "--settings") -> dict[str, Any]:
    """A block of the configuration that a command is given as JSON, checked as in a file and complete.

    Raises:
        BadInput: no JSON object, or every key of it that is unknown, of the wrong type or out of range.
    """
    root = config_schema()
    schema = {**root["properties"][block], "$defs": root["$defs"]}
    filled: dict[str, Any] = fill_defaults(json_object(text, option), schema, root)
    if problems := schema_problems(filled, schema, option):
        raise BadInput(problems)
    return filled


def json_object(text: str, option: str) -> dict[str, Any]:
    """An object that a command is given as JSON; ``option`` is what messages call it.

    Raises:
        BadInput: no JSON, no object, or a key that stands twice.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        counts = Counter(key for key, _ in pairs)
        if twice := [key for key, times in counts.items() if times > 1]:
            raise ValueError(f"'{twice[0]}' stands twice")
        return dict(pairs)

    try:
        value = json.loads(text, object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise BadInput([Problem(option, f"not valid JSON: {error}", value=text)]) from error
    if not isinstance(value, dict):
        message = 'must be a JSON object, such as {"key": "value"}'
        raise BadInput([Problem(option, message, value=text)])
    return value


def resolve(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    """Follow a ``$ref`` within the same schema; what stands beside it (a default, say) is kept."""
    if "$ref" not in schema:
        return schema
    beside = {key: value for key, value in schema.items() if key != "$ref"}
    return {**root["$defs"][schema["$ref"].removeprefix("#/$defs/")], **beside}


def fill_defaults(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> Any:
    """Add each absent key that has a default; keys are added in place, objects created as needed."""
    schema = resolve(schema, root)
    if isinstance(value, dict):
        for key, part in schema.get("properties", {}).items():
            part = resolve(part, root)
            if key not in value and "default" in part:
                value[key] = copy.deepcopy(part["default"])
            if key in value:
                value[key] = fill_defaults(value[key], part, root)
        others = schema.get("additionalProperties")
        if isinstance(others, dict):
            for key in value.keys() - schema.get("properties", {}).keys():
                value[key] = fill_defaults(value[key], others, root)
    return value


def schema_problems(
    value: Any, schema: dict[str, Any], file: str, row: str = "", prefix: str = ""
) -> list[Problem]:
    """Everything in ``value`` that breaks ``schema``, in words for people.

    Args:
        value: that is checked.
        schema: a JSON schema.
        file: for messages.
        row: for messages.
        prefix: of the keys in messages.
    """
    formats = jsonschema.FormatChecker(["regex", "date"])
    errors = jsonschema.Draft202012Validator(schema, format_checker=formats).iter_errors(value)
    problems = {problem for error in errors for problem in _explain(error, file, row, prefix)}
    return sorted(problems, key=lambda problem: (problem.key, problem.message))


def _explain(error: jsonschema.ValidationError, file: str, row: str, prefix: str) -> Iterator[Problem]:
    key = prefix + ".".join(str(part) for part in error.absolute_path)
    hint = error.schema.get("description", "") if isinstance(error.schema, dict) else ""

    def problem(key: str, value: Any, message: str) -> Problem:
        return Problem(file, " ".join(message.split()), row, key, value)

    if error.validator == "oneOf" and isinstance(error.instance, dict) and _are_models(error.validator_value):
        yield from _explain_model(error, file, row, prefix)
    elif error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        for unknown in sorted(set(error.instance) - set(known)):
            close = difflib.get_close_matches(unknown, known, n=1)
            advice = f"did you mean '{close[0]}'? " if close else ""
            listed = ", ".join(known)
            yield problem(f"{key}.{unknown}".lstrip("."), "", f"unknown key; {advice}known: {listed}")
    elif error.validator == "required":
        for missing in [name for name in error.validator_value if name not in error.instance]:
            described = error.schema.get("properties", {}).get(missing, {}).get("description", "")
            yield problem(f"{key}.{missing}".lstrip("."), "", f"required but absent. {described}")
    else:
        expected = {
            "enum": lambda: f"must be {_choices_in_words(error.validator_value)}",
            "type": lambda: f"must be {_type_in_words(error.validator_value)}",
            "format": lambda: (
                f"must be {error.schema['x-means']}"
                if error.validator_value == "date"
                else f"no regular expression: {error.cause}"
            ),
            "pattern": lambda: f"must be {error.schema['x-means']}",
            "minimum": lambda: f"must be at least {error.validator_value}",
            "maximum": lambda: f"must be at most {error.validator_value}",
            "exclusiveMinimum": lambda: f"must be above {error.validator_value}",
            "exclusiveMaximum": lambda: f"must be below {error.validator_value}",
            "maxLength": lambda: f"must have at most {error.validator_value} characters",
            "minItems": lambda: f"must have at least {error.validator_value} entries",
            "uniqueItems": lambda: "must not have an entry twice",
            "oneOf": lambda: f"must be {_alternatives_in_words(error.validator_value)}",
        }.get(str(error.validator), lambda: error.message)()
        value = error.instance if isinstance(error.instance, str) else json.dumps(error.instance)
        yield problem(key, value, f"{expected}. {hint}")


def _explain_model(error: jsonschema.ValidationError, file: str, row: str, prefix: str) -> Iterator[Problem]:
    """A model's faults, against the schema of its own framework instead of all of them."""
    schema = load_schema()
    frameworks = [
        resolve(branch, schema)["properties"]["framework"]["const"] for branch in error.validator_value
    ]
    assert isinstance(error.instance, dict)
    framework = error.instance.get("framework")
    if framework in frameworks:
        for inner in error.context or []:
            if inner.schema_path[0] == frameworks.index(framework):
                yield from _explain(inner, file, row, prefix)
    else:
        key = ".".join([*map(str, error.absolute_path), "framework"])
        yield Problem(file, f"must be one of {', '.join(frameworks)}", row, key, str(framework))


def _are_models(alternatives: list[Any]) -> bool:
    """Whether they are the kinds of models; other alternatives are plain values."""
    return all("$ref" in one for one in alternatives)


def _alternatives_in_words(alternatives: list[Any]) -> str:
    """The values, and kinds of values, that one key may have."""
    if _are_models(alternatives):
        return "a mapping"
    return " or ".join(
        str(one["const"]) if "const" in one else f"{_type_in_words(one['type'])} of at least {one['minimum']}"
        for one in alternatives
    )


def _choices_in_words(choices: list[Any]) -> str:
    """The values that one key may have; null is an empty cell or no value."""
    listed = ", ".join(str(choice) for choice in choices if choice is not None)
    return f"one of {listed}" + (" or empty" if None in choices else "")


def _type_in_words(kinds: str | list[str]) -> str:
    """What JSON Schema calls a type, as a person would say it; null is an empty cell or no value."""
    words = {"null": "empty", "array": "a list", "object": "a mapping", "integer": "an integer"}
    return " or ".join(
        words.get(kind, f"a {kind}") for kind in ([kinds] if isinstance(kinds, str) else kinds)
    )


def hidden_characters(value: Any, key: str = "") -> list[Problem]:
    """Text with control characters or marks that turn the direction of writing; line breaks stay."""
    if isinstance(value, str) and visible_lines(value) != value:
        message = "has a character that does not show, here written as an escape: take it out"
        return [Problem("", message, key=key, value=value)]
    within: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        within = value.items()
    elif isinstance(value, list):
        within = enumerate(value)
    return [fault for name, part in within for fault in hidden_characters(part, f"{key}.{name}".lstrip("."))]


def reference_problems(config: Document, file: str) -> list[Problem]:
    """References within the configuration that lead nowhere."""
    problems = [*_problems_of_models(config["models"]), *_problems_of_figures(config)]
    n_folds = config["split"]["folds"]
    message = f"split.folds is {n_folds}, so folds are 0 to {n_folds - 1}, or 'all'"
    problems += [
        Problem("", message, key="training.folds", value=str(fold))
        for fold in config["training"]["folds"]
        if fold != "all" and fold >= n_folds
    ]
    problems += _problems_of_budget(config)
    problems += _problems_of_effort_curve(config)
    problems += _problems_of_postprocessing(config)
    if "learning_curve" in config:
        problems += _problems_of_learning_curve(config["learning_curve"], config["models"], n_folds)
    return [replace(problem, file=file) for problem in problems]


def _problems_of_budget(config: Document) -> Iterator[Problem]:
    """A budget that says nothing, two things, or hours of no card; or that no training keeps."""
    budget = config["training"].get("budget")
    if budget is None:
        return
    key, value = "training.budget", json.dumps(budget)
    if not _trained_in_epochs(config["models"]):
        message = "no model is trained in epochs, so there is nothing to make as long as another: take it out"
        yield Problem("", message, key=key, value=value)
    elif len(set(budget) - {"card"}) != 1:
        yield Problem("", "say one of patches, steps and gpu_hours", key=key, value=value)
    elif ("card" in budget) != ("gpu_hours" in budget):
        yield Problem("", "gpu_hours and card go together: hours on which GPU?", key=key, value=value)
    elif "gpu_hours" in budget and config["device"] != "cuda":
        yield Problem("", "networks are trained without a GPU (device): say patches or steps", key=key)


def _problems_of_effort_curve(config: Document) -> Iterator[Problem]:
    """A curve without held-out scans to measure on, or of models that are not trained."""
    curve = config["training"].get("effort_curve")
    if curve is None:
        return
    key, folds = "training.effort_curve", config["training"]["folds"]
    if set(folds) == {"all"}:
        message = "training.folds holds out no fold to measure on: name one there, such as 0"
        yield Problem("", message, key=key, value=json.dumps(curve))
    trained = _trained_in_epochs(config["models"])
    if not trained:
        yield Problem(
            "", "no model is trained in epochs, so there is nothing to measure: take it out", key=key
        )
    else:
        message = "no such model is trained in epochs here"
        yield from _unknown(f"{key}.models", curve.get("models", ()), trained, message)


def _problems_of_postprocessing(config: Document) -> Iterator[Problem]:
    """Models whose post-processing no held-out scan can decide."""
    folds = config["training"]["folds"]
    if set(folds) != {"all"}:
        return
    message = (
        "training.folds holds out no fold to decide on: name folds there, such as 0, or leave the key out"
    )
    for key, model in config["models"].items():
        if model.get("postprocessing"):
            yield Problem("", message, key=f"models.{key}.postprocessing", value=model["postprocessing"])


def _trained(models: Mapping[str, Any]) -> set[str]:
    return {key for key, model in models.items() if model["framework"] in training_frameworks()}


def _trained_in_epochs(models: Mapping[str, Any]) -> set[str]:
    """Those whose framework has a setting of epochs: a fixed threshold is trained, and has none."""
    kinds = [kind["properties"] for kind in config_schema()["$defs"].values() if "x-overrides" in kind]
    in_epochs = {kind["framework"]["const"] for kind in kinds if "epochs" in kind}
    return {key for key, model in models.items() if model["framework"] in in_epochs}


def _problems_of_models(models: Mapping[str, Any]) -> Iterator[Problem]:
    """Names and titles that stand for two things, ensembles of what is not trained, nothing to compare."""
    for key in models:
        if key in references.RESERVED:
            message = "rows that no model makes are named so; choose another name"
            yield Problem("", message, key="models", value=key)
        elif key in BESIDE_MODELS:
            message = "a folder beside those of the models has this name; choose another one"
            yield Problem("", message, key="models", value=key)
    first = {title: key for key, title in references.TITLES.items()}
    for key, model in models.items():
        if model["title"] in first:
            message = f"is the title of {first[model['title']]}, too; each needs its own"
            yield Problem("", message, key=f"models.{key}.title", value=model["title"])
        first.setdefault(model["title"], key)
    trained = _trained(models)
    for key, model in models.items():
        members = model.get("members", [])
        yield from _unknown(f"models.{key}.members", members, trained, "an ensemble needs trained models")
    if not any(model.get("replication", True) for model in models.values()):
        yield Problem("", "no model is left to compare: all have 'replication: false'", key="models")


def _problems_of_figures(config: Document) -> Iterator[Problem]:
    """Figures of models that there are not."""
    figures, models = config["figures"], set(config["models"])
    for key, shown in (
        ("agreement_model", [figures["agreement_model"]]),
        ("cases.select_by", [figures["cases"]["select_by"]]),
        ("cases.show", figures["cases"]["show"]),
    ):
        yield from _unknown(f"figures.{key}", shown, models, "no such model")


def _problems_of_learning_curve(
    curve: Mapping[str, Any], models: Mapping[str, Any], n_folds: int
) -> Iterator[Problem]:
    """Models that are not trained, and a fold that there is not."""
    trained = _trained(models)
    message = "a learning curve is of models that are trained here"
    yield from _unknown("learning_curve.models", curve["models"], trained, message)
    if curve["fold"] >= n_folds:
        message = f"split.folds is {n_folds}, so folds are 0 to {n_folds - 1}"
        yield Problem("", message, key="learning_curve.fold", value=str(curve["fold"]))


def _unknown(key: str, named: Iterable[str], known: set[str], message: str) -> Iterator[Problem]:
    """Names that nothing has, each with the name that is nearest, or all."""
    for name in named:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            advice = f"; did you mean '{close[0]}'?" if close else f"; there are {', '.join(sorted(known))}"
            yield Problem("", f"{message}{advice}", key=key, value=name)


@dataclass(frozen=True)
class Setting:
    """One row of ``config/README.md``: a setting, or a block of settings, which has no effect of its own."""

    key: str
    kind: str
    default: str
    effect: str
    meaning: str
    source: str


def leaves(config: Document) -> Iterator[tuple[str, Any, Mapping[str, Any]]]:
    """Each setting of a configuration: its key, such as ``nnunet.epochs``, its value, and its schema.

    The schema always names the effect, which is empty for a key that it does not know, as of another version.
    """
    root = config_schema()
    yield from _leaves(config, root, root, "", "")


def _leaves(
    block: Mapping[str, Any], schema: dict[str, Any], root: dict[str, Any], above: str, effect: str
) -> Iterator[tuple[str, Any, Mapping[str, Any]]]:
    for key, value in block.items():
        part = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
        part = resolve(part, root) if isinstance(part, dict) else {}
        if "oneOf" in part and isinstance(value, Mapping):
            part = _kind_of_model(value, part["oneOf"], root)
        name, own = f"{above}{key}", part.get("x-effect", effect)
        if isinstance(value, Mapping) and ("properties" in part or "additionalProperties" in part):
            yield from _leaves(value, part, root, f"{name}.", own)
        else:
            yield name, value, {**part, "x-effect": own}


def _kind_of_model(
    model: Mapping[str, Any], branches: list[dict[str, Any]], root: dict[str, Any]
) -> dict[str, Any]:
    """The schema of the models of this one's framework; empty where there is none."""
    kinds = [resolve(branch, root) for branch in branches]
    named = {kind["properties"]["framework"]["const"]: kind for kind in kinds}
    return named.get(str(model.get("framework")), {})


def table_of_keys(schema: dict[str, Any]) -> str:
    """``config/README.md``: each key with its type, default, effect, meaning and source."""
    lines = [
        "# Configuration keys",
        "",
        "Written by `make config/README.md` from `workflow/schemas/config.schema.yaml`; edit that file.",
        "A key without a default must be given. Unknown keys are refused.",
        "",
        "The effect says what a change of the setting makes anew:",
        "",
        *(f"- `{effect}`: {words}." for effect, words in EFFECTS.items()),
        "",
        "| key | type | default | effect | meaning | source of the default |",
        "|---|---|---|---|---|---|",
    ]
    lines += [f"| {' | '.join(astuple(setting))} |" for setting in settings_of(schema)]
    return "\n".join(lines) + "\n"


def settings_of(schema: dict[str, Any]) -> Iterator[Setting]:
    """Every setting and block of the schema of a configuration, as text for a table, in its order."""
    yield from _settings_within(schema, schema, "", "")


def _settings_within(
    schema: dict[str, Any], root: dict[str, Any], prefix: str, effect: str
) -> Iterator[Setting]:
    for key, part in schema.get("properties", {}).items():
        yield from _setting(f"{prefix}{key}", resolve(part, root), root, effect)
    others = schema.get("additionalProperties")
    if isinstance(others, dict):
        yield from _setting(f"{prefix}<name>", resolve(others, root), root, effect)


def _setting(key: str, part: dict[str, Any], root: dict[str, Any], effect: str) -> Iterator[Setting]:
    kind = part.get("type", "")
    shown = " or ".join(kind) if isinstance(kind, list) else kind
    if "enum" in part:
        shown = " / ".join(map(str, part["enum"]))
    is_block = "properties" in part or isinstance(part.get("additionalProperties"), dict)
    default = "" if is_block or "default" not in part else f"`{json.dumps(part['default'])}`"
    effect = part.get("x-effect", effect)
    setting = Setting(
        key=f"`{key}`",
        kind=shown,
        default=default.replace("|", "\\|"),
        effect="" if is_block and kind == "object" else effect,
        meaning=" ".join(part.get("description", "").split()).replace("|", "\\|"),
        source=" ".join(part.get("x-source", "").split()).replace("|", "\\|"),
    )
    yield setting
    yield from _settings_within(part, root, f"{key}.", effect)
    for branch in part.get("oneOf", []):
        branch = resolve(branch, root)
        framework = branch["properties"]["framework"]["const"]
        for of_model in _settings_within(branch, root, f"{key}.", effect):
            yield replace(of_model, meaning=f"({framework}) {of_model.meaning}")
