"""The run records of a results folder, read."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from headct.contracts import amendments, untrusted
from headct.contracts.amendments import Amendment
from headct.contracts.untrusted import Unusable

FOLDER = "audit/runs/"
"""Where they are, below the results folder."""
RESULTS = "results/"
"""How the paths of files in the results folder begin."""
LARGEST = 1e15
"""Beyond all that a job can take."""
YEARS = range(2000, 3000)
OLDER = ["python", "-m"]
"""How the commands of older releases begin, which name a module behind it."""


@dataclass(frozen=True)
class Record:
    """One job's record of itself, as ``headct.provenance.record`` wrote it.

    Paths are POSIX and relative to the study's folder, in which results/ is. ``path`` is the record's
    own, relative to results/. ``opening`` is the number and the SHA-256 of its line in the ledger of the
    test set, if it scored. ``amended_by`` are the amendments that took away some of what it read or made.
    """

    path: str
    rule: str
    wildcards: dict[str, str]
    command: list[str]
    inputs: dict[str, str]
    outputs: dict[str, str]
    log: str
    started: str
    ended: str
    seconds: float
    peak_memory_mb: int
    host: dict[str, Any]
    seeds: dict[str, Any]
    python: str
    packages: dict[str, str]
    workflow: dict[str, Any]
    scheduler: dict[str, Any] | None
    resumed: int | None
    opening: dict[str, Any] | None
    amended_by: tuple[Amendment, ...] = ()

    @property
    def step(self) -> str:
        """Name of the step (:mod:`headct.steps`); empty in a record of an older release: it has a module."""
        return "" if self.command[:2] == OLDER else self.command[1]

    def option(self, name: str) -> list[str]:
        """The values of an option, as ``--name=value`` or ``--name value …`` in the command."""
        found: list[str] = []
        collecting = False
        for word in self.command:
            if word.startswith("--"):
                given, equals, value = word.partition("=")
                collecting = given == name
                found += [value] if collecting and equals else []
            elif collecting:
                found.append(word)
        return found


def load(results: Path) -> list[Record]:
    """All records of a results folder, as they are after its amendments, in the order of their paths.

    Raises:
        ValueError: a record is no JSON object with just the keys of :class:`Record`, each with a value
            of its kind; it names the file. Or an amendment is none.
    """
    found = amendments.load(results)
    records = [read(path, results) for path in sorted((results / FOLDER).rglob("*.json"))]
    return [as_amended(record, found) for record in records]


def as_amended(record: Record, found: Iterable[Amendment]) -> Record:
    """A record whose inputs and outputs are as they are after amendments; without what those deleted."""
    later = amendments.since(found, record.ended)
    files = {**record.inputs, **record.outputs}
    by = tuple(one for one in later if any(_touches(one, later, *file) for file in files.items()))
    if not by:
        return record
    inputs, outputs = (_digests_now(later, files) for files in (record.inputs, record.outputs))
    return replace(record, inputs=inputs, outputs=outputs, amended_by=by)


def _touches(one: Amendment, later: list[Amendment], path: str, digest: str) -> bool:
    """Whether an amendment, after those before it, took away a file of a record or some of it."""
    before = _digest_now(later[: later.index(one)], path, digest)
    return before is not None and _digest_now([one], path, before) != before


def _digests_now(later: list[Amendment], files: Mapping[str, str]) -> dict[str, str]:
    now = {path: _digest_now(later, path, digest) for path, digest in files.items()}
    return {path: digest for path, digest in now.items() if digest is not None}


def _digest_now(later: Iterable[Amendment], path: str, digest: str) -> str | None:
    if not path.startswith(RESULTS):
        return digest
    return amendments.digest_now(later, path.removeprefix(RESULTS), digest)


def read(path: Path, results: Path) -> Record:
    """One record; raises as :func:`load`."""
    name = path.relative_to(results).as_posix()
    try:
        return parsed(name, untrusted.json_of(path))
    except Unusable as error:
        raise ValueError(f"{name}: {error}") from error


def parsed(path: str, content: object) -> Record:
    """A record from its JSON; ``path`` is its own.

    Raises:
        Unusable: it is none, or a value is not of its kind.
    """
    return Record(path=path, **untrusted.of_kinds(content, KINDS, "record of a job"))


# -- what each value must be -------------------------------------------------------------------------


def _text(value: object) -> bool:
    return isinstance(value, str)


def _number(value: object) -> bool:
    """A number of seconds, megabytes or times; NaN and infinity, which Python reads in JSON, are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < LARGEST


def _mapping(value: object) -> bool:
    return isinstance(value, dict)


def _texts(value: object) -> bool:
    return isinstance(value, dict) and all(map(_text, value.values()))


def _command(value: object) -> bool:
    """``headct STEP`` and what follows; of older releases ``python -m MODULE``."""
    if not (isinstance(value, list) and all(map(_text, value))):
        return False
    return len(value) > (2 if value[:2] == OLDER else 1)


def _digests(value: object) -> bool:
    return _texts(value) and all(map(is_sha256, value.values()))  # type: ignore[attr-defined]


def _outputs(value: object) -> bool:
    return _digests(value) and all(map(_in_the_study, value))  # type: ignore[call-overload]


def _in_the_study(path: object) -> bool:
    """Whether a path stays in the study's folder, and is written as jobs write it."""
    return (
        isinstance(path, str)
        and path == posixpath.normpath(path)
        and not path.startswith(("/", "../"))
        and path not in (".", "..")
    )


def _time(value: object) -> bool:
    """A time with its zone, in a year in which a job can have run."""
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError:
        return False
    return time.tzinfo is not None and time.year in YEARS


def _host(value: object) -> bool:
    return isinstance(value, dict) and _text(value.get("name")) and isinstance(value.get("gpus"), list)


def _workflow(value: object) -> bool:
    return (
        isinstance(value, dict)
        and _digests(value.get("modules"))
        and _text(value.get("code"))
        and all(value.get(key) is None or _text(value[key]) for key in ("version", "commit", "snakemake"))
        and value.get("dirty") in (None, True, False)
    )


def _opening(value: object) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(number := value.get("number"), int)
        and not isinstance(number, bool)
        and number > 0
        and is_sha256(value.get("sha256"))
    )


def _or_none(is_one: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or is_one(value)


KINDS: dict[str, Callable[[object], bool]] = {
    "rule": _text,
    "wildcards": _texts,
    "command": _command,
    "inputs": _digests,
    "outputs": _outputs,
    "log": _in_the_study,
    "started": _time,
    "ended": _time,
    "seconds": _number,
    "peak_memory_mb": _number,
    "host": _host,
    "seeds": _mapping,
    "python": _text,
    "packages": _texts,
    "workflow": _workflow,
    "scheduler": _or_none(_mapping),
    "resumed": _or_none(_number),
    "opening": _or_none(_opening),
}
"""What the value of each key must be."""
assert set(KINDS) == {field.name for field in fields(Record)} - {"path", "amended_by"}


def is_sha256(value: object) -> bool:
    """Whether a value is a SHA-256 in hexadecimal digits."""
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None
