"""Settings as values with types: made of JSON or YAML that the schema has checked, and written as JSON again.

A type is a frozen dataclass whose fields are the keys of the schema. Defaults stand in the schema alone; only
a key that may be left out, and then has no value at all, has None as the default of its field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

EFFECT = "speed"  # what the configuration says stands in the parameters of each job

T = TypeVar("T")


def typed(kind: type[T], values: Mapping[str, Any]) -> T:
    """The settings of this kind among values that are checked and complete; lists become tuples.

    Raises:
        TypeError: a setting is absent.
    """
    hints = _hints(kind)  # type: ignore[arg-type]  # a type can be hashed
    return kind(**{key: _typed(hints[key], values[key]) for key in hints if key in values})


@cache
def _hints(kind: type[Any]) -> Mapping[str, Any]:
    """The type of each field."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _typed(kind: Any, value: Any) -> Any:
    if get_origin(kind) in (Union, UnionType):
        kind = next(one for one in get_args(kind) if one is not type(None))
    within = get_args(kind) or (Any, Any)
    if isinstance(value, list):
        return tuple(_typed(within[0], part) for part in value)
    if isinstance(value, Mapping):
        if is_dataclass(kind):
            return typed(kind, value)  # type: ignore[arg-type]
        return {key: _typed(within[1], part) for key, part in value.items()}
    return value


def plain(value: Any) -> Any:
    """A value as JSON has it; what was left out, and has no default, is left out again."""
    if is_dataclass(value):
        return {
            field.name: plain(getattr(value, field.name))
            for field in fields(value)
            if not (field.default is None and getattr(value, field.name) is None)
        }
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    if isinstance(value, Mapping):
        return {key: plain(part) for key, part in value.items()}
    return value
