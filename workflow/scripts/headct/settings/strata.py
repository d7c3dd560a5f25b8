"""What training and test set are balanced by: the presence of lesions, their volumes, the site."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from headct.contracts.labels import LabelSet, Role
from headct.contracts.problems import Problem


@dataclass(frozen=True)
class Stratum:
    """One thing to balance by; ``label`` is empty where it is the site."""

    by: Literal["presence", "volume", "site"]
    label: str = ""


def choices(labels: Iterable[str]) -> dict[str, Stratum]:
    """What the sets can be balanced by, by the words of the configuration in small letters."""
    found = {"site": Stratum("site")}
    for name in labels:
        found[name.casefold()] = Stratum("presence", name)
        found[f"{name.casefold()}_volume"] = Stratum("volume", name)
    return found


def chosen(stratify_by: Iterable[str] | None, labels: LabelSet) -> list[Stratum]:
    """What the sets are balanced by.

    Args:
        stratify_by: of the configuration; None for what the labels suggest: the presence of the one
            ventricular haemorrhage, and the volume of the one in the tissue, else of the first label.
        labels: the label set.

    Raises:
        KeyError: there is no such thing.
    """
    if stratify_by is not None:
        known = choices(labels)
        return [known[name.casefold()] for name in stratify_by]
    ventricular, in_tissue = map(labels.with_role, (Role.VENTRICULAR_HAEMORRHAGE, Role.TISSUE_HAEMORRHAGE))
    present = [Stratum("presence", label.name) for label in ventricular if len(ventricular) == 1]
    large = in_tissue[0] if len(in_tissue) == 1 else labels.labels[0]
    return [*present, Stratum("volume", large.name)]


def problems_of(stratify_by: Any, labels: Iterable[str]) -> Iterator[Problem]:
    """Things that a configuration names and the study does not have."""
    known = choices(labels)
    for name in stratify_by if isinstance(stratify_by, list) else []:
        if str(name).casefold() not in known:
            message = f"nothing that the sets can be balanced by: there are {', '.join(known)}"
            yield Problem("", message, key="split.stratify_by", value=str(name))
