"""Several configuration files, and --config: what each says, and which of them a fault is in.

Snakemake merges them before any code of ours runs, and keeps the last of two equal keys. So they are
read again here, as strictly as everything that people write by hand, and held against what it made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headct.contracts import yaml_files
from headct.contracts.problems import BadInput, Problem

COMMAND_LINE = "--config (where all that stands in braces is text)"
"""So Snakemake reads it: numbers that belong into a block go into a second file instead."""


@dataclass(frozen=True)
class Sources:
    """What each source says, by its name, in the order in which later ones win."""

    contents: Mapping[str, Mapping[str, Any]]

    def merged(self) -> dict[str, Any]:
        """All of them as one configuration: mappings are joined, all else is replaced."""
        whole: dict[str, Any] = {}
        for content in self.contents.values():
            _update(whole, content)
        return whole

    def name_of(self, key: str) -> str:
        """The source that a key such as ``nnunet.epochs`` comes from: the last that has most of its path.

        What no source has any part of is absent from all of them.
        """
        depths = {name: _depth(content, key.split(".")) for name, content in self.contents.items()}
        deepest = max(depths.values())
        names = [name for name, depth in depths.items() if depth == deepest]
        return names[-1] if deepest else ", ".join(name for name in names if name != COMMAND_LINE)


def read(files: Sequence[Path], command_line: Mapping[str, Any]) -> Sources:
    """Read configuration files, each a YAML mapping, and add what the command line says.

    Raises:
        BadInput: a file is absent, can't be read as YAML, is no mapping, or has a key twice.
    """
    contents: dict[str, Mapping[str, Any]] = {}
    problems: list[Problem] = []
    for file in files:
        try:
            contents[str(file)] = read_one(file)
        except BadInput as error:
            problems += error.problems
    if problems:
        raise BadInput(problems)
    if command_line:
        contents[COMMAND_LINE] = command_line
    return Sources(contents)


def read_one(file: Path) -> dict[str, Any]:
    """Read one configuration file; see :func:`read`."""
    if not file.is_file():
        raise BadInput([Problem(str(file), "there is no such configuration file: mend its path")])
    content = yaml_files.read(file)
    if not isinstance(content, dict):
        raise BadInput([Problem(str(file), "a configuration is a mapping of keys to values")])
    return content


def check_merged(sources: Sources, merged: Mapping[str, Any]) -> None:
    """Hold Snakemake's configuration against the sources.

    Raises:
        BadInput: a top-level key has another value in it than the sources say.
    """
    ours = sources.merged()
    problems = [
        Problem(sources.name_of(key), "Snakemake read something else here than the file says", key=key)
        for key in sorted({*ours, *merged}, key=str)
        if ours.get(key) != merged.get(key)
    ]
    if problems:
        raise BadInput(problems)


def _update(whole: dict[str, Any], content: Mapping[str, Any]) -> None:
    for key, value in content.items():
        if isinstance(value, Mapping):
            inner = whole.get(key)
            whole[key] = dict(inner) if isinstance(inner, Mapping) else {}
            _update(whole[key], value)
        else:
            whole[key] = value


def _depth(content: Any, parts: Sequence[str]) -> int:
    """How many parts of a key's path lead to something in ``content``; keys may hold dots themselves."""
    if isinstance(content, list) and parts and parts[0].isdecimal() and int(parts[0]) < len(content):
        return 1 + _depth(content[int(parts[0])], parts[1:])
    if isinstance(content, Mapping):
        for n in range(len(parts), 0, -1):
            name = ".".join(parts[:n])
            if name in content:
                return n + _depth(content[name], parts[n:])
    return 0
