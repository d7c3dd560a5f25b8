"""Types of settings: keys, defaults and types as in the schema, words as in the file."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest

from headct.frameworks.nnunet.settings import PlanChange
from headct.frameworks.registry import frameworks
from headct.settings import blocks, configuration, models
from headct.settings.typed import plain, typed

REPOSITORY = Path(__file__).parents[2]
SHIPPED = ("config.yaml", "demo.yaml", "simulated_full.yaml")
ROOT = configuration.config_schema()
Schema = dict[str, Any]

JSON_TYPES = {
    int: "integer",
    float: "number",
    str: "string",
    bool: "boolean",
    tuple: "array",
    Mapping: "object",
    type(None): "null",
}


def types_of(schema: Schema) -> set[str]:
    """JSON's names of the types that a schema allows."""
    if "oneOf" in schema:
        return set().union(*(types_of(branch) for branch in schema["oneOf"]))
    if "type" in schema:
        return set(schema["type"]) if isinstance(schema["type"], list) else {schema["type"]}
    chosen = schema["enum"] if "enum" in schema else [schema["const"]]
    return {JSON_TYPES[type(value)] for value in chosen}


def faults(kind: Any, schema: Schema, key: str, required: bool = True) -> Iterator[str]:
    """Where a type is not what the schema says of a key.

    Args:
        kind: the type of the field.
        schema: of the key.
        key: what faults are called.
        required: whether it has a value whatever the configuration says.
    """
    schema = configuration.resolve(schema, ROOT)
    kinds = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    if get_origin(kind) is Literal:
        if list(get_args(kind)) != schema["enum"]:
            yield f"{key}: {kind}, but {schema['enum']}"
        return
    expected = types_of(schema) | (set() if required else {"null"})
    is_block = [one for one in kinds if dataclasses.is_dataclass(one)]
    plainly = [get_origin(one) or one for one in kinds if one not in is_block]
    if {JSON_TYPES[one] for one in plainly} | ({"object"} if is_block else set()) != expected:
        yield f"{key}: {kind}, but {sorted(expected)}"
    for one in is_block:
        yield from faults_of_block(one, schema, key)
    for one in kinds:
        if get_origin(one) is tuple:
            yield from faults(get_args(one)[0], schema["items"], f"{key}[]")
        if get_origin(one) is Mapping:
            for name, part in schema.get("properties", {}).items():
                yield from faults(get_args(one)[1], part, f"{key}.{name}")


def faults_of_block(kind: type[Any], schema: Schema, above: str) -> Iterator[str]:
    """Where the fields of a type are not the keys of a block."""
    hints = get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    if fields.keys() != schema["properties"].keys():
        yield f"{above}: {sorted(fields.keys() ^ schema['properties'].keys())}"
    for name in fields.keys() & schema["properties"].keys():
        part = configuration.resolve(schema["properties"][name], ROOT)
        always = "default" in part or name in schema.get("required", ())
        key = f"{above}.{name}".lstrip(".")
        if fields[name].default is not (dataclasses.MISSING if always else None):
            yield f"{key}: has a default here, not in the schema, or lacks the None of what is left out"
        yield from faults(hints[name], part, key, always)


OF_ANY_FRAMEWORK = {"postprocessing"}
"""Keys of a model that its framework knows nothing of: fields of ``blocks.Model``."""


def block_of(framework: str, effects: set[str]) -> Schema:
    """The keys that a job of a framework is given, as one block, by their effects."""
    schema = dict(models.schema_of(framework))
    (kind,) = (one for one in ROOT["$defs"].values() if one.get("x-overrides") == framework)
    chosen = {
        key: part
        | ({"default": models.defaults(framework)[key]} if key in models.defaults(framework) else {})
        for key, part in schema["properties"].items()
        if models.effects(framework)[key] in effects and key not in OF_ANY_FRAMEWORK
    }
    return {"properties": chosen, "required": kind["required"]}


def test_the_configuration_has_the_keys_and_types_of_the_schema() -> None:
    """But for the frameworks' blocks, which are merged into the models."""
    keys = {key: part for key, part in ROOT["properties"].items() if key not in models.frameworks()}
    kinds_of_model = {"type": "object", "properties": {}}  # each of which has its own keys: see below
    whole = {"properties": keys | {"models": kinds_of_model}, "required": ROOT["required"]}
    assert list(faults_of_block(blocks.Configuration, whole, "")) == []


@pytest.mark.parametrize("name", frameworks())
@pytest.mark.parametrize(
    ("attribute", "effects"),
    [
        ("prepares_by", {"preparation"}),
        ("trains_by", {"preparation", "weights", "speed"}),
        ("predicts_by", {"inference"}),
    ],
)
def test_what_a_job_is_given_has_the_keys_of_its_effects(
    name: str, attribute: str, effects: set[str]
) -> None:
    kind = getattr(frameworks()[name], attribute)
    assert list(faults_of_block(kind, block_of(name, effects), name)) == []


def test_a_change_of_the_plans_has_the_keys_of_the_schema() -> None:
    assert list(faults_of_block(PlanChange, ROOT["$defs"]["plan_change"], "plan_changes")) == []


@dataclasses.dataclass
class Drifted:
    """One field less, one more, one of another type, one with a default of its own."""

    minimum_ml: int
    unheard: str
    note: str = "x"


def test_the_comparison_finds_what_has_drifted() -> None:
    schema = {
        "properties": {
            "minimum_ml": {"type": "number", "default": 1},
            "note": {"type": "string", "default": ""},
            "new": {"type": "integer", "default": 1},
        }
    }
    found = list(faults_of_block(Drifted, schema, "toy"))
    assert len(found) == 3
    assert found[0] == "toy: ['new', 'unheard']"
    assert any("minimum_ml" in fault and "number" in fault for fault in found)
    assert any("note: has a default here" in fault for fault in found)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_words_of_a_configuration_come_back_as_they_were(name: str) -> None:
    document = configuration.load(REPOSITORY / "config" / name)
    config = blocks.configured(document)
    rest = {key: said for key, said in document.items() if key not in (*models.frameworks(), "models")}
    back = {key: said for key, said in plain(config).items() if key != "models"}
    assert json.dumps(back, sort_keys=True) == json.dumps(rest, sort_keys=True)
    assert list(config.models) == list(document["models"])
    for key, own in document["models"].items():
        model = config.models[key]
        assert (model.title, model.framework, model.own) == (own["title"], own["framework"], own.keys())
        assert model.replication is own.get("replication", True)
        assert list(model.members) == own.get("members", [])
        if model.is_trained:
            said = {**document[model.framework], **own}
            framework = frameworks()[model.framework]
            words = plain(framework.settings_of(model))
            words |= plain(models.of_model(framework.predicts_by, model))
            others = {"title", "replication", *OF_ANY_FRAMEWORK}
            assert json.dumps(words, sort_keys=True) == json.dumps(
                {key: value for key, value in said.items() if key not in others}, sort_keys=True
            )


@pytest.mark.parametrize("kind", blocks.BLOCKS)
def test_nothing_in_a_block_can_change(kind: type[blocks.Block]) -> None:
    config = configuration.load(REPOSITORY / "config" / "demo.yaml")[kind.KEY]
    assert hash(typed(kind, config)) == hash(typed(kind, config))
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(typed(kind, config), "seed", 1)  # noqa: B010  # a type checker would refuse it


def test_what_is_printed_behind_headings_says_that_images_are_no_hu() -> None:
    """One place says so, and nothing prints the study's own words without it."""
    config = blocks.configured(configuration.load(REPOSITORY / "config" / "demo.yaml"))
    assert config.note == config.study.note
    windowed = dataclasses.replace(config, ingest=dataclasses.replace(config.ingest, intensity="windowed"))
    assert windowed.note == f"{config.study.note}; images windowed for display, not HU"
    unnamed = dataclasses.replace(windowed, study=dataclasses.replace(config.study, note=""))
    assert unnamed.note == "images windowed for display, not HU"
    printing = [*(REPOSITORY / "workflow/scripts/headct/publish").rglob("*.py")]
    printing += [*(REPOSITORY / "workflow/rules").glob("*.smk"), REPOSITORY / "Snakefile"]
    bare = [path for path in printing if re.search(r'study\.note|\["study"\]\["note"\]', path.read_text())]
    assert bare == []
