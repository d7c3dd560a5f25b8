"""Ratings of maps whose makers the raters did not know, and the key that tells them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from headct.contracts.artefacts import sha256_of
from headct.contracts.problems import BadInput, Problem, gathered
from headct.contracts.repository import SCHEMAS
from headct.settings import tables
from headct.settings.blocks import Blinded
from headct.settings.configuration import load_schema
from headct.settings.typed import typed

SCHEMA = SCHEMAS / "ratings.schema.yaml"

REFERENCE = "reference"
"""In the key, the map that the raters of the trial drew."""

KEY_COLUMNS = ("case", "letter", "model", "scan_id", "seed")
"""The seed is drawn at random, so that who has the digest of the key can't find the key by trial."""

KEY_SCHEMA = {
    "properties": {
        **{name: {"type": "string", "description": ""} for name in KEY_COLUMNS[:-1]},
        KEY_COLUMNS[-1]: {"type": ["string", "null"], "description": ""},
    },
    "required": list(KEY_COLUMNS[:-1]),
}

UNREADABLE = "can't be read as ratings or their key ({reason}): 'headct review blind' makes page and key"


@dataclass(frozen=True, kw_only=True)
class Rating:
    """One rater's judgement of a case, as the schema describes it, and where it stands."""

    rater: str
    case: str
    accepted: str | None
    best: str | None
    key: str
    file: str = field(default="", compare=False)
    row: int = field(default=0, compare=False)

    @property
    def accepted_letters(self) -> Sequence[str]:
        """Letters of the maps that are accepted."""
        return (self.accepted or "").split()

    def problem(self, key: str, message: str) -> Problem:
        """A fault of one of its cells."""
        return Problem(self.file, message, str(self.row), key, str(getattr(self, key) or ""))


@dataclass(frozen=True)
class Key:
    """What the letters of each case stand for.

    Attributes:
        sha256: of the key's file.
        model_of: by case and letter, the key of the model, or :data:`REFERENCE`.
        scan_of: by case.
    """

    sha256: str
    model_of: Mapping[tuple[str, str], str]
    scan_of: Mapping[str, str]

    @property
    def models(self) -> Sequence[str]:
        """All that letters stand for, the reference first."""
        return sorted(set(self.model_of.values()), key=lambda model: (model != REFERENCE, model))


def read_key(path: Path) -> Key:
    """The key of a blinded page.

    Raises:
        BadInput: it is none, or has a letter twice.
    """
    rows, problems = tables.read(path, KEY_SCHEMA, UNREADABLE)
    model_of: dict[tuple[str, str], str] = {}
    for number, row in rows:
        if (row["case"], row["letter"]) in model_of:
            problems.append(
                Problem(str(path), "the letter stands twice", str(number), "letter", row["letter"])
            )
        model_of[row["case"], row["letter"]] = row["model"]
    if problems:
        raise BadInput(problems)
    return Key(sha256_of(path), model_of, {row["case"]: row["scan_id"] for _, row in rows})


def load(paths: Iterable[Path], key: Key) -> list[Rating]:
    """All ratings of some files, each of a case and of letters that the key has.

    Raises:
        BadInput: every fault of all files.
    """
    problems: list[Problem] = []
    ratings: list[Rating] = []
    schema = load_schema(SCHEMA)
    for path in paths:
        with gathered(problems):
            rows, of_rows = tables.read(path, schema, UNREADABLE)
            problems += of_rows
            faulty = {problem.row for problem in of_rows}
            ratings += [
                typed(
                    Rating,
                    {**row, "rater": tables.one_spelling(row["rater"]), "file": str(path), "row": number},
                )
                for number, row in rows
                if str(number) not in faulty
            ]
    problems += [problem for rating in ratings for problem in _faults(rating, key)]
    problems += _twice(ratings)
    if problems:
        raise BadInput(problems)
    return ratings


def check(named: Blinded) -> None:
    """Refuse ratings without a key, and what is wrong in either.

    Raises:
        BadInput: it says what.
    """
    if named.ratings and not named.key:
        message = "ratings are named, and no key that says what their letters stand for"
        raise BadInput([Problem("config", message, key="blinded.key")])
    if named.key and named.ratings:
        load([Path(file) for file in named.ratings], read_key(Path(named.key)))


def _faults(rating: Rating, key: Key) -> list[Problem]:
    if rating.key != key.sha256:
        return [rating.problem("key", "was made on a page of another key")]
    if rating.case not in key.scan_of:
        return [rating.problem("case", "is no case of the key")]
    unknown = [
        name
        for name, letters in (("accepted", rating.accepted_letters), ("best", [rating.best or "A"]))
        if any((rating.case, letter) not in key.model_of for letter in letters)
    ]
    return [rating.problem(name, "is no map of this case") for name in unknown]


def _twice(ratings: Iterable[Rating]) -> list[Problem]:
    first: dict[tuple[str, str], Rating] = {}
    problems = []
    for rating in ratings:
        before = first.setdefault((rating.rater, rating.case), rating)
        if before is not rating:
            message = f"{rating.rater} judged this case in row {before.row} of {before.file}: keep one"
            problems.append(rating.problem("case", message))
    return problems
