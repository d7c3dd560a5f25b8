"""Measured rates: how long a step of training or a scan took on which card, and in how much GPU memory.

They stand in ``resources/rates.tsv``, or in another file of the same columns; the schema says what each is
(``workflow/schemas/rates.schema.yaml``). ``make gpu`` measures them on a GPU, ``make rates`` adds them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from headct.contracts.artefacts import write_atomically
from headct.contracts.problems import BadInput, Problem
from headct.contracts.repository import RESOURCES, SCHEMAS
from headct.settings import tables
from headct.settings.configuration import load_schema
from headct.settings.typed import typed

RATES = RESOURCES / "rates.tsv"
SCHEMA = SCHEMAS / "rates.schema.yaml"
SLICE = re.compile(r"(?<![a-z0-9])[0-9]+g\.[0-9]+gb(?![a-z0-9])")
"""A part of a GPU as NVIDIA's MIG names it, in the names of cards and of Slurm's kinds of GPU."""

NEEDED = {"train": "s_per_step", "predict": "s_per_scan", "ingest": "s_per_scan"}
"""The column that a row must have, by its task."""


@dataclass(frozen=True, kw_only=True)
class Rate:
    """One measurement; a field for each column, as the schema describes it."""

    task: str
    kind: str
    card: str
    card_memory_mb: float | None = None
    device: str
    date: str
    commit: str | None = None
    torch: str | None = None
    precision: str | None = None
    batch_and_patch: str | None = None
    s_per_step: float | None = None
    s_per_validation_step: float | None = None
    s_per_scan: float | None = None
    peak_gpu_memory_mb: float | None = None
    source: str

    @property
    def is_of_this_workflow(self) -> bool:
        """Whether this workflow was measured; a rate without a commit was published by others."""
        return self.commit is not None


COLUMNS = tuple(column.name for column in fields(Rate))


def read(path: Path = RATES) -> tuple[Rate, ...]:
    """All rates of a file.

    Raises:
        BadInput: no such file, no text, or every fault of its columns and rows.
    """
    schema = load_schema(SCHEMA)
    unreadable = "can't be read as a file of rates ({reason}): 'make gpu' and 'make rates' make one"
    rows, problems = tables.read(path, schema, unreadable)
    for number, row in rows:
        needed = NEEDED.get(str(row["task"]))
        if needed and row[needed] is None:
            message = f"must not be empty. {schema['properties'][needed]['description']}"
            problems.append(Problem(str(path), message, str(number), needed))
    if problems:
        raise BadInput(problems)
    return tuple(typed(Rate, row) for _, row in rows)


def add(rates: Iterable[Rate], path: Path) -> int:
    """Write rates below those of a file, which is made if it is not there; how many were new.

    Raises:
        BadInput: the file can't be read as one of rates.
    """
    known = list(map(_line, read(path))) if path.exists() else []
    new = [line for line in dict.fromkeys(map(_line, rates)) if line not in known]
    with write_atomically(path) as written:
        written.write_text("\n".join(["\t".join(COLUMNS), *known, *new]) + "\n", encoding="utf-8")
    return len(new)


def _line(rate: Rate) -> str:
    return "\t".join(_cell(getattr(rate, column)) for column in COLUMNS)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return " ".join(str(value).split()) if value is not None else ""


def on_card(rates: Iterable[Rate], card: str) -> tuple[Rate, ...]:
    """The rates of a card that is named as in Slurm (``h100``) or by some words of its full name.

    A part of a card (MIG) is no card, and a card no part of one. Without a name, the rates of all.
    """
    return tuple(rate for rate in rates if _is_named(card, rate.card))


def _is_named(card: str, full_name: str) -> bool:
    if not card:
        return True
    words, known = (set(re.split(r"[^a-z0-9.]+", name.lower())) - {""} for name in (card, full_name))
    return words <= known and bool(SLICE.search(card.lower())) == bool(SLICE.search(full_name.lower()))


def memory_mb(card: str, rates: Iterable[Rate]) -> float | None:
    """Memory of a card: as it was measured, else as its name says (``a100-40gb``, ``1g.10gb``)."""
    measured_mb = [rate.card_memory_mb for rate in on_card(rates, card) if card and rate.card_memory_mb]
    named = re.findall(r"([0-9]+) ?gb(?![a-z0-9])", card.lower())
    if measured_mb:
        return min(measured_mb)
    return float(named[-1]) * 1000 if named else None
