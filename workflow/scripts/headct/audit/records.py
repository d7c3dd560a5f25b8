"""The run records of a study, read: one per job, as :mod:`headct.audit.record` writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headct.artefacts import read_json


@dataclass(frozen=True)
class Record:
    """What one job was; paths are relative to the study's folder."""

    rule: str
    wildcards: Mapping[str, str]
    command: Sequence[str]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    log: str
    started: str
    ended: str
    seconds: float
    peak_memory_mb: float
    host: Mapping[str, Any]
    seeds: Mapping[str, Any]
    python: str
    packages: Mapping[str, str]
    workflow: Mapping[str, Any]
    scheduler: Mapping[str, Any] | None
    resumed: int | None


def load(results: Path) -> list[Record]:
    """All run records below ``results/audit/runs``, by path."""
    return [Record(**read_json(path)) for path in sorted((results / "audit" / "runs").rglob("*.json"))]
