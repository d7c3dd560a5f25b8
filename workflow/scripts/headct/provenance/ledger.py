"""How often the test set and each external set were opened, and by what: a line for each scoring of labels.

Two kinds of line tell of what came before: that a set was locked, and which scans it has; that the analysis
plan was recorded, by its digest (docs/decisions/locked-sets.md).

Lines are only ever appended, by the job that scored. Each holds the digest of the line before, and the
job's record holds number and digest of its line, so that neither a changed nor a missing line goes unnoticed.
Deleting results and scoring again adds lines and takes none away, as long as the ledger stays.
"""

from __future__ import annotations

import fcntl
import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from headct.contracts import untrusted
from headct.contracts.plurals import counted
from headct.contracts.untrusted import Unusable

OF_EXTERNAL_SET = "metrics_external"
"""The rule that compares models with the labels of an external set; its line names the set behind a colon."""

LOCKED, PLAN_RECORDED = "locked", "plan_recorded"
"""Rules of lines that are no scoring; behind the first stands the set's name, after a colon."""

SCORING = frozenset({"metrics", "second_readings", "surface_tolerance", OF_EXTERNAL_SET})
"""Rules that compare anything with the labels of the test set, or of an external one."""


@dataclass(frozen=True)
class Opening:
    """One scoring of test labels; digests are SHA-256.

    ``rule`` is ``metrics_external:NAME`` where they are those of an external set. ``predictions`` has the
    digest of each prediction manifest, joined by spaces: one per seed, none for second readings and for the
    model that predicts nothing. ``split`` is that of the table which names the scans, ``plan`` the analysis
    plan at the start of the run, ``previous`` the whole line before. What a line has not that is no scoring
    is empty; ``split`` is then the digest of the locked set's scans, and behind it, unless an older release
    wrote the line, that of each scan's identifier, joined by spaces.
    """

    number: int
    scored: str
    rule: str
    model: str
    predictions: str
    split: str
    plan: str
    metrics: str
    previous: str


HEADER = "\t".join(field.name for field in fields(Opening))


def append(ledger: Path, **entry: str) -> tuple[int, str]:
    """Add one opening; returns its number, counted from 1, and the SHA-256 of its line.

    Jobs that score at the same time wait for one another, on other nodes too where the file system
    has locks; where it has none, the scoring fails rather than going unrecorded.
    """
    ledger.parent.mkdir(parents=True, exist_ok=True)
    with open(ledger, "a+", encoding="utf-8", newline="") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.seek(0)
        lines = stream.read().splitlines() or [HEADER]
        opening = Opening(number=len(lines), previous=_digest(lines[-1]), **entry)
        line = "\t".join(str(getattr(opening, field.name)) for field in fields(opening))
        stream.write(f"{line}\n" if len(lines) > 1 else f"{HEADER}\n{line}\n")
    return opening.number, _digest(line)


def read(ledger: Path) -> list[Opening]:
    """All openings; none where there is no ledger.

    Raises:
        Unusable: the file can't be read, or is no such table.
    """
    return parsed(untrusted.text_of(ledger)) if ledger.is_file() else []


def parsed(text: str) -> list[Opening]:
    """All openings from the text of a ledger; none in an empty one. Raises as :func:`read`."""
    if not text:
        return []
    head, *lines = text.removesuffix("\n").split("\n")
    if head != HEADER:
        raise Unusable("is not a ledger: its first line names other columns")
    openings = []
    for line_number, line in enumerate(lines, start=1):
        number, *cells = line.split("\t")
        if len(cells) != HEADER.count("\t") or not re.fullmatch(r"\d{1,9}", number):
            raise Unusable(f"is not a ledger: line {line_number} is none of an opening")
        openings.append(Opening(int(number), *cells))
    return openings


def faults(text: str, scored: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What shows that lines were changed, added or taken away.

    Args:
        text: the ledger; "" where there is none.
        scored: number and sha256 of its line by the record of each job that scored.
    """
    try:
        openings = parsed(text)
    except Unusable as error:
        return [str(error)]
    lines = text.split("\n")[: len(openings) + 1] if openings else [HEADER]
    found = []
    for index, opening in enumerate(openings, start=1):
        if opening.number != index:
            found.append(f"line {index} has the number {opening.number}: lines are missing or were moved")
        if opening.previous != _digest(lines[index - 1]):
            found.append(f"line {index} does not follow the line before it: one of the two was changed")
    for record, line in scored.items():
        if line["number"] >= len(lines):
            found.append(f"has {len(openings)} lines, and {record} says that it wrote line {line['number']}")
        elif _digest(lines[line["number"]]) != line["sha256"]:
            found.append(f"line {line['number']} is not the one that {record} wrote")
    return found


def openings_in_words(openings: Sequence[Opening]) -> str:
    """How often the test set and each external set were opened and by what, a sentence for each."""
    of_set: dict[str, list[Opening]] = {"": []}
    for opening in filter(is_scoring, openings):
        of_set.setdefault(scored_set(opening), []).append(opening)
    of_test_set = of_set.pop("")
    sentences = [_in_words("The test set", of_test_set)]
    sentences += [_in_words(f"The external set {name}", of_set[name]) for name in sorted(of_set)]
    for opening in openings:
        rule, _, name = opening.rule.partition(":")
        if rule == LOCKED:
            sentences.append(f"The set {name} was locked on {opening.scored}.")
        elif rule == PLAN_RECORDED:
            sentences.append(f"The analysis plan {opening.plan[:12]}… was recorded on {opening.scored}.")
    return " ".join(sentences)


def is_scoring(opening: Opening) -> bool:
    """Whether a line tells of a scoring, not of what came before one."""
    return opening.rule.partition(":")[0] not in (LOCKED, PLAN_RECORDED)


def scored_set(opening: Opening) -> str:
    """Name of the external set whose labels a scoring used; empty where they are the test set's."""
    rule, _, name = opening.rule.partition(":")
    return name if rule == OF_EXTERNAL_SET else ""


def _in_words(subject: str, openings: Sequence[Opening]) -> str:
    if not openings:
        return f"No scoring of {subject[0].lower()}{subject[1:]} is recorded."
    by_model = Counter(opening.model for opening in openings)
    again = ", ".join(f"{model} ({count} times)" for model, count in by_model.items() if count > 1)
    plans = len({opening.plan for opening in openings})
    return (
        f"{subject} was opened {len(openings)} times, first {openings[0].scored}, last "
        f"{openings[-1].scored}, to score {len(by_model)} models or readings, under "
        f"{counted(plans, 'version')} of the analysis plan; "
        + (f"scored more than once: {again}." if again else "none was scored twice.")
    )


def _digest(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()
