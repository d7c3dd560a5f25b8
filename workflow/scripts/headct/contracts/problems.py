"""Faults in what a user handed over, reported together, in one table, in words that help."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields

from headct.contracts.columns import aligned
from headct.contracts.terminal import visible, visible_lines

EFFECT = "print"  # how faults are told


@dataclass(frozen=True)
class Problem:
    """One fault: the file, the row and key in it, the value found there, and what to do about it."""

    file: str
    message: str
    row: str = ""
    key: str = ""
    value: str = ""


class BadInput(Exception):
    """The user's input can't be used; carries every fault that was found, not just the first."""

    def __init__(self, problems: Sequence[Problem]):
        if not problems:
            raise ValueError("BadInput needs at least one problem")
        self.problems = list(problems)
        super().__init__(as_table(self.problems))


class WrongOptions(Exception):
    """The options of a step are unknown, lacking, or don't go together; the message says which."""


class Ineligible(Exception):
    """The scan can't be part of the study; the message is the reason in the cohort table."""


@contextmanager
def gathered(problems: list[Problem]) -> Iterator[None]:
    """Add the faults that a block raises to a list, so that several checks can be told together."""
    try:
        yield
    except BadInput as error:
        problems += error.problems


class Stopped(Exception):
    """The work was ended from outside, in good order; the message says how to go on."""


LISTED = 5
"""How many things of a kind a message names."""


def first_few(texts: Sequence[str], between: str = ", ") -> str:
    """The first :data:`LISTED` texts, and how many more there are: a message stays one that can be read."""
    more = len(texts) - LISTED
    return between.join(texts[:LISTED]) + (f"{between}and {more} more" if more > 0 else "")


def as_table(problems: Sequence[Problem]) -> str:
    """Render problems as an aligned text table, leaving out columns in which nothing is said.

    The message comes last, so that long ones do not push the other columns apart.
    """
    order = ("file", "row", "key", "value", "message")
    assert set(order) == {field.name for field in fields(Problem)}
    shown = [name for name in order if any(getattr(problem, name) for problem in problems)]
    rows = [[str(getattr(problem, name)) for name in shown] for problem in problems]
    if len(rows) == 1:
        where = ", ".join(
            f"{name} {visible(value)}" if name != "file" else visible(value)
            for name, value in zip(shown[:-1], rows[0][:-1], strict=True)
            if value
        )
        message = visible_lines(rows[0][-1])
        return f"{where}: {message}" if where else message
    return "\n".join([f"{len(rows)} problems:", *aligned([shown, *rows])])
