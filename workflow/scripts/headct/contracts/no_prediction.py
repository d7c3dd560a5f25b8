"""Why a scan has no prediction: whether it was refused, or its prediction crashed.

The reason stands in words in the manifest of predictions (``reason``) and in the metrics table (``failure``).
A scan is refused where a check says in words why it can't be predicted. Everything else is a crash: an error
of the program, whose reason begins with the kind of the error (``RuntimeError: …``), too little memory, or a
scan that the manifest does not list.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

CRASHED, REFUSED = "crashed", "refused"

ERROR = re.compile(r"([A-Z]\w*|error):( |$)")
"""How the reason begins where the program met an error (``headct.inference.pipeline.Outcome.step``)."""

OTHER_CRASHES = (
    "it needs more memory than this machine has",
    "not in the manifest of predictions",
    "no reason given",
)
"""Reasons that no check of a scan gives, and that name no error."""

MISSING_SCORED = "scored with a Dice of 0, as wrong about whether the lesion is there, and with 0 mL"
"""What becomes of a missing prediction (:mod:`headct.statistics.core.scores`), for tables and reports."""


def kind_of(reason: str) -> str:
    """Whether the scan was refused or its prediction crashed, from the recorded reason (not empty)."""
    return CRASHED if ERROR.match(reason) or reason in OTHER_CRASHES else REFUSED


def missing_in_words(n_missing: int, n_crashed: int) -> str:
    """How many predictions are missing, and of which kind: ``3 (2 crashed, 1 refused)``; ``0`` for none."""
    if not n_missing:
        return "0"
    return f"{n_missing} ({n_crashed} {CRASHED}, {n_missing - n_crashed} {REFUSED})"


def reasons_in_words(reasons: Sequence[str]) -> str:
    """As :func:`missing_in_words`, from the recorded reason of each missing prediction."""
    return missing_in_words(len(reasons), sum(kind_of(reason) == CRASHED for reason in reasons))
