"""Words for what tables name by keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headct.contracts import references
from headct.settings.analysis_plan import HIERARCHICAL, SPLIT

CHARACTERISTICS = {
    "participants": "Participants",
    "scans": "Scans",
    "age_years": "Age, years",
    "sex_men": "Men",
    "sex_women": "Women",
    "onset_to_ct_hours": "Onset to CT, hours",
}
"""Rows of ``cohort_tests``, but for those of lesions."""

VOLUME = "_volume_ml"
"""End of the row of a lesion's volumes."""


RULES = {
    HIERARCHICAL: "The key secondary endpoints are judged only if the primary one is decided; else they are"
    " “not judged”, or “too few to decide” where they could not have been judged anyway.",
    SPLIT: "Primary and key secondary endpoints share the 5% error, each judged at its own part.",
}
"""What the plan's rule of multiplicity means."""


def characteristic_of(name: str) -> str:
    """A row of ``cohort_tests`` in print; what is none of :data:`CHARACTERISTICS` is of a lesion."""
    if name in CHARACTERISTICS:
        return CHARACTERISTICS[name]
    lesion = name.removesuffix(VOLUME)
    return f"Scans with {lesion}" if lesion == name else f"{lesion} volume, mL"


def title_of(model: str, titles: Mapping[str, str]) -> str:
    """Name of a model in print."""
    return titles.get(model, references.TITLES.get(model, model))


def joined(texts: Sequence[str]) -> str:
    """Texts without repetitions, in their order."""
    return "; ".join(dict.fromkeys(texts))
