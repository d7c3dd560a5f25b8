"""Words for what settings and records name by keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from headct.contracts import references
from headct.contracts.labels import LABELS
from headct.publish.numbers import DASH

WORDS = {
    "blastct": "BLAST-CT",
    "monai": "MONAI",
    "nnunet": "nnU-Net",
    "basicunet": "BasicUNet of MONAI",
    "deeplabv3plus": "DeepLabv3+",
    "2d": "2D",
    "3d_fullres": "3D, full resolution",
    "dice_ce": "Dice + cross-entropy",
    "dice_topk": "Dice + cross-entropy of the worst voxels",
    "tversky": "Tversky",
    "focal_tversky": "focal Tversky",
    "cpu": "CPU",
    "cuda": "GPU (CUDA)",
}

CHARACTERISTICS = {
    "participants": "Participants",
    "scans": "Scans",
    "age_years": "Age, years",
    "sex_men": "Men",
    "sex_women": "Women",
    "onset_to_ct_hours": "Onset to CT, hours",
    **{label: f"Scans with {label}" for label in LABELS},
    **{f"{label}_volume_ml": f"{label} volume, mL" for label in LABELS},
}
"""Rows of ``cohort_tests``."""

PARTS_OF_LOSSES = {"dc": "Dice", "ce": "cross-entropy"}


def in_words(key: str) -> str:
    """What a key stands for; what is none stays as it is."""
    return WORDS.get(key, key)


def constant_in_words(name: str) -> str:
    """A constant of a loss: ``dc.batch_dice`` is the batch dice of its Dice part."""
    part, _, own = name.rpartition(".")
    said = own.replace("_", " ")
    return f"{PARTS_OF_LOSSES.get(part, part)}: {said}" if part else said


def title_of(model: str, titles: Mapping[str, str]) -> str:
    """Name of a model in print."""
    return titles.get(model, references.TITLES.get(model, model))


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


def joined(texts: Sequence[str]) -> str:
    """Texts without repetitions, in their order."""
    return "; ".join(dict.fromkeys(texts))
