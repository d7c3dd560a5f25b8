"""The run records of a results folder, read."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from headct.artefacts import read_json


@dataclass(frozen=True)
class Record:
    """One job's record of itself, as ``headct.audit.record`` wrote it.

    Paths are POSIX and relative to the study's folder, in which results/ is. ``path`` is the record's
    own, relative to results/. ``opening`` is the number and the
    SHA-256 of its line in the ledger of the test set, if it scored.
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


CONTENT = tuple(field.name for field in fields(Record) if field.name != "path")


def load(results: Path) -> list[Record]:
    """All records of a results folder, in the order of their paths.

    Raises:
        ValueError: a record is no JSON object with just the keys of :class:`Record`; it names the file.
    """
    return [read(path, results) for path in sorted((results / "audit" / "runs").rglob("*.json"))]


def read(path: Path, results: Path) -> Record:
    """One record; raises as :func:`load`."""
    name = path.relative_to(results).as_posix()
    try:
        content = read_json(path)
    except ValueError as error:
        raise ValueError(f"{name}: is no JSON ({error})") from error
    if not isinstance(content, dict) or set(content) != set(CONTENT):
        raise ValueError(f"{name}: is no record of a job")
    return Record(path=name, **content)
