"""Words for what tables name by keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headct.contracts import references
from headct.contracts.labels import LABELS

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


def title_of(model: str, titles: Mapping[str, str]) -> str:
    """Name of a model in print."""
    return titles.get(model, references.TITLES.get(model, model))


def joined(texts: Sequence[str]) -> str:
    """Texts without repetitions, in their order."""
    return "; ".join(dict.fromkeys(texts))
