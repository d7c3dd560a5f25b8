"""Reviews: what readers decided of scans, one decision per reviewer and scan; every fault told at once.

A quality review is of images and masks alone and made before anything of the test set is predicted: what it
excludes leaves the study. A review of results changes no result; what it would exclude is left out in an
analysis beside the planned one (docs/decisions/review.md).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from headct.contracts.problems import BadInput, Problem, gathered
from headct.contracts.repository import SCHEMAS
from headct.settings import tables
from headct.settings.configuration import load_schema
from headct.settings.typed import typed

SCHEMA = SCHEMAS / "reviews.schema.yaml"

QUALITY, RESULTS = "quality", "results"
"""Kinds of reviews; each has a file of its own, which the configuration names under ``reviews``."""

KEEP, FLAG, REDRAW, EXCLUDE = DECISIONS = ("keep", "flag", "redraw", "exclude")

EXCLUDED = "quality review"
"""Reason of a scan that a quality review excluded, before the reviewers' own."""

NO_SCAN = "is no baseline scan of the sheet: take this row out, or mend it"

UNREADABLE = "can't be read as a table of reviews ({reason}): docs/how-to/review.md says how one is made"


@dataclass(frozen=True, kw_only=True)
class Review:
    """One decision; a field for each column, as the schema describes it, and where it stands."""

    reviewer: str
    scan_id: str
    decision: str
    reason: str | None = None
    model: str | None = None
    order: str | None = None
    date: str | None = None
    kind: str
    evidence: str | None = None
    file: str = field(default="", compare=False)
    row: int = field(default=0, compare=False)

    def problem(self, key: str, message: str) -> Problem:
        """A fault of one of its cells."""
        return Problem(self.file, message, str(self.row), key, str(getattr(self, key) or ""))

    @property
    def place(self) -> str:
        """Where it stands, for messages."""
        return f"row {self.row} of {self.file}"


COLUMNS = tuple(column.name for column in fields(Review) if column.compare)


def load(path: Path) -> tuple[Review, ...]:
    """All reviews of a file; a decision of a reviewer on a scan that stands there twice counts once.

    Raises:
        BadInput: no such file, no text, or every fault of its columns and rows.
    """
    reviews, problems = read(path)
    if problems := problems + contradictions(reviews):
        raise BadInput(problems)
    first: dict[tuple[str, str, str], Review] = {}
    for review in reviews:
        first.setdefault((review.kind, review.reviewer, review.scan_id), review)
    return tuple(first.values())


def read(path: Path) -> tuple[tuple[Review, ...], list[Problem]]:
    """The reviews of a file in rows without fault, and the faults of the others.

    Raises:
        BadInput: no such file, no text, or no such table.
    """
    rows, problems = tables.read(path, load_schema(SCHEMA), UNREADABLE)
    faulty = {problem.row for problem in problems}
    reviews = tuple(
        typed(
            Review,
            {**row, "reviewer": tables.one_spelling(row["reviewer"]), "file": str(path), "row": number},
        )
        for number, row in rows
        if str(number) not in faulty
    )
    return reviews, problems + [
        review.problem("reason", f"{review.decision} needs a reason, in a few words")
        for review in reviews
        if review.decision != KEEP and not review.reason
    ]


def of_study(path: Path, kind: str, scans: Collection[str]) -> tuple[Review, ...]:
    """As :func:`load`, of a file that the configuration names for one kind of reviews.

    Args:
        path: of the file.
        kind: of its reviews.
        scans: the baseline scans of the sheet, which they may be of.
    """
    found = load(path)
    message = f"this file holds reviews of kind {kind} (reviews.{kind} of the configuration)"
    problems = [review.problem("kind", message) for review in found if review.kind != kind]
    if problems := problems + unknown_scans(found, scans, NO_SCAN):
        raise BadInput(problems)
    return found


def sharing_a_file(named: Mapping[str, Path | str | None], configfile: str) -> list[Problem]:
    """Where two kinds of reviews have one file, which holds one kind alone."""
    paths = [Path(file).resolve() for file in named.values() if file]
    message = f"is named for two kinds of reviews ({', '.join(named)}): name a file for each"
    return [
        Problem(configfile, message, key=f"reviews.{kind}", value=str(file))
        for kind, file in named.items()
        if file and paths.count(Path(file).resolve()) > 1
    ]


def files_of_study(named: Mapping[str, str | None], scans: Collection[str]) -> dict[str, str]:
    """The files of reviews that are there, by their kind; each is checked.

    Args:
        named: by the configuration, for each kind.
        scans: the baseline scans of the sheet.

    Raises:
        BadInput: what is wrong in any of them.
    """
    if shared := sharing_a_file(named, "config"):
        raise BadInput(shared)
    there = {kind: file for kind, file in named.items() if file and Path(file).is_file()}
    problems: list[Problem] = []
    for kind, file in there.items():
        with gathered(problems):
            of_study(Path(file), kind, scans)
    if problems:
        raise BadInput(problems)
    return there


def contradictions(reviews: Iterable[Review]) -> list[Problem]:
    """Where one reviewer decided on one scan twice, and not alike."""
    first: dict[tuple[str, str, str], Review] = {}
    problems = []
    for review in reviews:
        before = first.setdefault((review.kind, review.reviewer, review.scan_id), review)
        if not same(before, review):
            message = (
                f"{review.reviewer} decided otherwise in {before.place} ({in_words(before)}): one decision "
                "of a reviewer on a scan; take out the one that does not hold"
            )
            problems.append(review.problem("decision", message))
    return problems


def same(one: Review, other: Review) -> bool:
    """Whether two reviews of one reviewer and scan say the same, on whatever day and in whatever order."""
    return (one.decision, one.reason, one.model) == (other.decision, other.reason, other.model)


def in_words(review: Review) -> str:
    """A decision, with its reason."""
    return f"{review.decision}: {review.reason}" if review.reason else review.decision


def unknown_scans(reviews: Iterable[Review], scans: Collection[str], what: str) -> list[Problem]:
    """Reviews of scans that are none of these; ``what`` says so, and what to do."""
    return [review.problem("scan_id", what) for review in reviews if review.scan_id not in scans]


def by_scan(reviews: Iterable[Review]) -> Mapping[str, Sequence[Review]]:
    """The reviews of each scan."""
    found = defaultdict(list)
    for review in reviews:
        found[review.scan_id].append(review)
    return found


def decided_by_any(reviews: Iterable[Review], decisions: Collection[str]) -> set[str]:
    """Scans of which some reviewer decided so."""
    return {review.scan_id for review in reviews if review.decision in decisions}


def decided_by_most(reviews: Iterable[Review], decisions: Collection[str]) -> set[str]:
    """Scans of which more than half of their reviewers decided so."""
    readers, deciding = Counter[str](), Counter[str]()
    for review in reviews:
        readers[review.scan_id] += 1
        deciding[review.scan_id] += review.decision in decisions
    return {scan for scan, number in readers.items() if 2 * deciding[scan] > number}


def reasons(reviews: Iterable[Review], decisions: Collection[str]) -> str:
    """Why reviewers decided so, each reason once."""
    found = [review.reason for review in reviews if review.decision in decisions and review.reason]
    return "; ".join(dict.fromkeys(found))
