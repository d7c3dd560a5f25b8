"""The command lines of what is published: a command each, with the options that its declaration names."""

from __future__ import annotations

import inspect
import json
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

from headct.contracts import labels
from headct.contracts.declarations import FILES, SETTINGS, SOURCES, Published
from headct.contracts.problems import WrongOptions
from headct.contracts.repository import RESOURCES


def titles_by_model(text: str) -> dict[str, str]:
    """Parse a JSON object of model key to title; its order is the order in print.

    Raises:
        WrongOptions: it is none, or empty.
    """
    titles = _json(text)
    if not isinstance(titles, dict) or not titles:
        raise WrongOptions('give a JSON object: {"model key": "title", …}')
    return {str(key): str(title) for key, title in titles.items()}


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise WrongOptions(f"{text!r} is not JSON") from error


class Options(SimpleNamespace):
    """What a published thing is made with: the options that its declaration names, by name, and ``out``."""


READ: Mapping[str, Callable[[str], Any]] = {
    "titles of all models": titles_by_model,
    "titles of the compared models": titles_by_model,
    "titles of the shown models": titles_by_model,
    "members of ensembles": _json,
    "models made elsewhere": _json,
    "lesions": labels.read,
    "lesions in print": labels.read,
}
"""How the text of an option is read, by its setting."""

TYPES: Mapping[str, Any] = {
    "number of cases": int,
    "Dice that ranks cases": Literal["dice", "dice_present"],
    "width in mm": float,
}
"""Types of the options that are no text, by their setting."""

DEFAULTS: Mapping[str, Any] = {
    "number of cases": 3,
    "Dice that ranks cases": "dice",
    "published numbers": RESOURCES / "published",
    "width in mm": 170.0,
    "note": "",
    "models made elsewhere": "{}",
    "training records": (),
    "decisions on post-processing": (),
}
"""Values of the options that need not be given, by their setting or source."""


def words(name: str, values: Mapping[str, Any]) -> str:
    """The command line that a function of :func:`commands` reads, quoted for a shell.

    Args:
        name: of what is published.
        values: by option: a list of files, text, or a setting that is given as JSON.
    """
    found = [name]
    for option, value in values.items():
        written = f"--{option.replace('_', '-')}"
        if isinstance(value, str):
            found.append(f"{written}={value}")
        elif isinstance(value, Sequence):
            found += [written, *value] if value else []
        else:
            found.append(f"{written}={json.dumps(value, ensure_ascii=False)}")
    return shlex.join(found)


def commands(
    published: Mapping[str, Published], make: Callable[[str, Options], None], out: str
) -> dict[str, Callable[..., None]]:
    """A function for each published thing, whose parameters are the options that its declaration names.

    Args:
        published: the things by name.
        make: what is called with the name and the options.
        out: what ``--out`` is, in the help.
    """
    return {name: _command(one, make, out) for name, one in published.items()}


def _command(one: Published, make: Callable[[str, Options], None], out: str) -> Callable[..., None]:
    def command(**values: Any) -> None:
        read = {option: READ[setting] for option, setting in one.given.items() if setting in READ}
        make(one.name, Options(**{name: read.get(name, _same)(value) for name, value in values.items()}))

    descriptions = {
        **one.inputs,
        **{option: SETTINGS[setting] for option, setting in one.given.items()},
        "out": out,
    }
    lines = [f"    {option}: {text}." for option, text in descriptions.items()]
    command.__doc__ = "\n".join([f"{one.help[:1].upper()}{one.help[1:]}.", "", "Args:", *lines])
    command.__name__ = one.name
    command.__signature__ = inspect.Signature(list(_parameters(one)))  # type: ignore[attr-defined]
    return command


def _same(value: Any) -> Any:
    return value


def _parameters(one: Published) -> Iterator[inspect.Parameter]:
    for option, source in one.inputs.items():
        yield _parameter(option, source, list[Path] if SOURCES.get(source) == FILES else Path)
    for option, setting in one.given.items():
        yield _parameter(option, setting, TYPES.get(setting, str))
    yield _parameter("out", "", Path)


def _parameter(option: str, what: str, kind: Any) -> inspect.Parameter:
    default = DEFAULTS.get(what, inspect.Parameter.empty)
    return inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
