"""The command lines of what is published: a subcommand each, with the options that its declaration names."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from headct.contracts.declarations import FILES, SETTINGS, SOURCES, Published
from headct.contracts.repository import RESOURCES


def titles_by_model(text: str) -> dict[str, str]:
    """Parse a JSON object of model key to title; its order is the order in print."""
    titles = json.loads(text)
    if not isinstance(titles, dict) or not titles:
        raise argparse.ArgumentTypeError('give a JSON object: {"model key": "title", …}')
    return {str(key): str(title) for key, title in titles.items()}


READ: Mapping[str, Mapping[str, Any]] = {
    "titles of all models": {"type": titles_by_model},
    "titles of the compared models": {"type": titles_by_model},
    "titles of the shown models": {"type": titles_by_model},
    "members of ensembles": {"type": json.loads},
    "number of cases": {"type": int, "default": 3},
    "Dice that ranks cases": {"choices": ("dice", "dice_present"), "default": "dice"},
    "published numbers": {"default": RESOURCES / "published"},
    "width in mm": {"type": float, "default": 170.0},
    "note": {"default": ""},
}
"""How an option is read that is no plain text, or need not be given, by its setting or source."""


def words(name: str, values: Mapping[str, Any]) -> str:
    """The command line that :func:`parser` reads, quoted for a shell.

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
            found += [written, *value]
        else:
            found.append(f"{written}={json.dumps(value, ensure_ascii=False)}")
    return shlex.join(found)


def parser(
    published: Mapping[str, Published], noun: str, description: str, out: str
) -> argparse.ArgumentParser:
    """A subcommand for each published thing.

    Args:
        published: the things by name.
        noun: what one is called; the name of the option that tells which is asked for.
        description: of the step, in its help.
        out: what ``--out`` is, in the help.
    """
    whole = argparse.ArgumentParser(description=description)
    subcommands = whole.add_subparsers(dest=noun, required=True, metavar=noun.upper())
    for one in published.values():
        own = subcommands.add_parser(one.name, help=one.help, description=one.help)
        for option, source in one.inputs.items():
            how: dict[str, Any] = {"nargs": "+"} if SOURCES.get(source) == FILES else {}
            _add(own, option, source, {"type": Path, "help": source, **how})
        for option, setting in one.given.items():
            _add(own, option, setting, {"help": SETTINGS[setting]})
        own.add_argument("--out", type=Path, required=True, help=out)
    return whole


def _add(parser: argparse.ArgumentParser, option: str, what: str, how: dict[str, Any]) -> None:
    how |= READ.get(what, {})
    parser.add_argument(f"--{option.replace('_', '-')}", required="default" not in how, **how)
