"""YAML as people write it by hand: configurations, the analysis plan, schemas, checklists.

What PyYAML takes without a word is refused here: a key that stands twice in a mapping, of which it
keeps the last, and a key that it takes for a number, a date or a truth value. Faults name the file, and
the lines.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from headct.contracts.problems import BadInput, Problem

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The schemas are read at the start of every job: in C a tenth of the time, where PyYAML has it."""

KEYS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")
"""Kinds of key: text, and the merge of another mapping."""

DEEPEST = 50
"""Levels of nesting; what people write by hand has ten, and more exhausts what handles it level by level."""

LARGEST = 1_000_000
"""Values of a file with every alias written out: a few lines of aliases of aliases stand for billions."""

TAB_FIRST = re.compile(r" *\t")


def read(path: Path) -> Any:
    """The content of a YAML file.

    Raises:
        BadInput: the file is not plain UTF-8, no valid YAML, nested too deeply, has an alias of what it
            stands in, or a key that is no text or stands twice in one mapping.
    """
    file, text = str(path), _text(path)
    loader = LOADER(text)
    try:
        _refuse_deep(text, file)
        root = loader.get_single_node()
        _refuse_endless(root, file, {})
        problems = list(_faults(root, file, "", set()))
        if problems:
            raise BadInput(problems)
        return None if root is None else loader.construct_document(root)
    except yaml.YAMLError as error:
        raise BadInput([Problem(file, _not_valid(error, text))]) from error
    finally:
        loader.dispose()


def _refuse_deep(text: str, file: str) -> None:
    """Before anything goes down level by level: libyaml would end the process where its stack ends."""
    depth = 0
    for event in yaml.parse(text, LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            assert event.start_mark is not None  # none is for events that are made, not read
            message = f"line {event.start_mark.line + 1} is nested more than {DEEPEST} levels deep"
            raise BadInput([Problem(file, message)])


def _refuse_endless(node: yaml.Node | None, file: str, sizes: dict[int, int]) -> int:
    """Number of nodes with every alias written out; ``sizes`` are known ones, 0 for those being counted.

    Raises:
        BadInput: an alias stands within what it stands for, or aliases of aliases would fill the memory.
    """
    if node is None:
        return 0
    if id(node) not in sizes:
        sizes[id(node)] = 0
        parts = node.value if isinstance(node, yaml.CollectionNode) else []
        flat = [part for pair in parts for part in (pair if isinstance(pair, tuple) else (pair,))]
        sizes[id(node)] = 1 + sum(_refuse_endless(part, file, sizes) for part in flat)
        if sizes[id(node)] > LARGEST:
            message = (
                f"line {node.start_mark.line + 1} has more than {LARGEST} values, with aliases written out"
            )
            raise BadInput([Problem(file, message)])
    elif sizes[id(node)] == 0:
        message = (
            f"what begins in line {node.start_mark.line + 1} holds an alias of itself, and would never end"
        )
        raise BadInput([Problem(file, message)])
    return sizes[id(node)]


def _text(path: Path) -> str:
    content = path.read_bytes()
    if content.startswith(codecs.BOM_UTF8):
        raise BadInput([Problem(str(path), "begins with a byte-order mark; save it as UTF-8 without one")])
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content:
        raise BadInput([Problem(str(path), "is saved as UTF-16, or is no text; save it as UTF-8")])
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"has a character in line {line} that is not UTF-8 (Latin-1?); save it as UTF-8"
        raise BadInput([Problem(str(path), message)]) from error


def _faults(node: yaml.Node | None, file: str, at: str, seen: set[int]) -> Iterator[Problem]:
    """Keys that stand twice or are no text; ``at`` is the key of the node, ``seen`` the nodes looked at."""
    if node is None or id(node) in seen:  # an alias leads to a node that was looked at
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for place, part in enumerate(node.value):
            yield from _faults(part, file, f"{at}{place}.", seen)
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if isinstance(key, yaml.ScalarNode):
                if key.value in lines:
                    message = f"stands twice, in line {lines[key.value]} and in line {line}; keep one of them"
                    yield Problem(file, message, key=f"{at}{key.value}")
                if key.tag not in KEYS:
                    kind = key.tag.rpartition(":")[2]
                    message = f"a key must be text, and in line {line} YAML reads one of the kind '{kind}'"
                    yield Problem(file, f"{message}; quote it", key=f"{at}{key.value}")
                lines.setdefault(key.value, line)
                yield from _faults(value, file, f"{at}{key.value}.", seen)


def _not_valid(error: yaml.YAMLError, text: str) -> str:
    mark = getattr(error, "problem_mark", None)
    parts = [getattr(error, "context", None), getattr(error, "problem", None)]
    description = " ".join(" ".join(filter(None, parts)).split()) or str(error)
    if mark is None:
        return f"not valid YAML: {description}"
    if TAB_FIRST.match("".join(text.splitlines()[mark.line : mark.line + 1])):
        return f"line {mark.line + 1} is indented with a tab, which YAML does not allow; use blanks"
    return f"not valid YAML, line {mark.line + 1}: {description}"
