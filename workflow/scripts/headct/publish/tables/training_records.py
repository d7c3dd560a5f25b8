"""Records of training, as they are printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from headct.contracts.artefacts import read_json
from headct.contracts.plurals import counted
from headct.frameworks.registry import frameworks
from headct.publish.printed_numbers import DASH

TrainingRecord = Mapping[str, Any]
"""One ``train.json``."""

SECONDS_PER_HOUR = 3600

DEVICES = {"cpu": "CPU", "cuda": "GPU (CUDA)"}

PARTS_OF_LOSSES = {"dc": "Dice", "ce": "cross-entropy"}


def read(paths: Sequence[Path]) -> list[TrainingRecord]:
    """The records in some ``train.json``."""
    return [read_json(path) for path in paths]


@cache
def vocabulary() -> Mapping[str, str]:
    """What stands in print for frameworks, values of their settings, and devices, by key."""
    words = dict(DEVICES)
    for framework in frameworks().values():
        words |= {framework.name: framework.title, **framework.words}
    return words


def in_words(key: str) -> str:
    """What a key stands for; what is none stays as it is."""
    return vocabulary().get(key, key)


def constant_in_words(name: str) -> str:
    """A constant of a loss: ``dc.batch_dice`` is the batch dice of its Dice part."""
    part, _, own = name.rpartition(".")
    own_words = own.replace("_", " ")
    return f"{PARTS_OF_LOSSES.get(part, part)}: {own_words}" if part else own_words


def in_print(value: Any, separator: str = ", ") -> str:
    """A value of a record in print: 1,234,567; 8 × 32 × 32; name = value."""
    if value is None or value != value:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return (
            ", ".join(f"{constant_in_words(name)} = {in_print(value[name])}" for name in sorted(value))
            or DASH
        )
    if isinstance(value, (list, tuple)):
        return separator.join(in_print(part) for part in value) or DASH
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    if isinstance(value, float):
        shown = f"{value:,.0f}" if value.is_integer() and abs(value) >= 1 else f"{value:.6g}"
        return f"−{shown[1:]}" if value < 0 else shown
    return in_words(str(value))


def start_in_words(record: TrainingRecord) -> Mapping[str, str]:
    """What a training started from, and which scans that had learnt; nothing where from random weights."""
    start = record.get("start")
    if start is None:
        return {}
    but = "" if start["head"] == "given" else ", but for the layers that give the classes"
    scans = NOT_RECORDED if start["scans"] is None else f"{counted(start['scans'], 'scan')}{APART}"
    return {"Started from": f"weights with SHA-256 {start['sha256']}{but}", "Learnt before": scans}


NOT_RECORDED = "scans that are not recorded; test scans may be among them"
APART = ", none of which is tested on here"
