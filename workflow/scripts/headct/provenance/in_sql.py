"""Rows of tables as statements of SQL write them, with the names of their columns.

In ``INSERT INTO patients (name, mrn) VALUES ('Jane Doe', '48113377')`` no label stands beside its value.
Columns that the statement does not name are those of a ``CREATE TABLE`` of the same text, and else each
word is one of the table.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator

from headct.contracts.untrusted import Unusable

_TABLE = r"[\w.`\"\[\]]{1,128}"
_TEXT = r"[NE]?'((?:[^'\\]|''|\\.)*)'"
"""No alternatives are repeated possessively here: up to Python 3.11.4 that finds too little."""


def _statements(verb: str, rest: str) -> tuple[re.Pattern[str], ...]:
    """An expression for a verb in large letters and one in small ones: fixed characters are found fastest."""
    return tuple(re.compile(rf"{form}\s+(?i:{rest})", re.DOTALL) for form in (verb, verb.lower()))


INSERTS = _statements(
    "INSERT",
    rf"(?:(?:OR\s+\w+|IGNORE)\s+)?INTO\s+({_TABLE})\s*(?:\(([^()]{{1,4000}})\)\s*)?VALUES\s*",
)
CREATES = _statements(
    "CREATE",
    rf"(?:TEMP(?:ORARY)?\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?({_TABLE})\s*"
    r"\(((?:[^()]|\((?:[^()]|\([^()]*+\)){0,4000}\)){0,40000})\)",
)
COPIES = _statements(
    "COPY", rf"({_TABLE})\s*\(([^()]{{1,4000}})\)\s+FROM\s+stdin[^\n]*\n((?:(?!\\\.)[^\n]*\n)*)"
)
"""As PostgreSQL saves a table, its rows being lines of fields with tabs between them."""
UPDATES = _statements("UPDATE", rf"{_TABLE}\s+SET\s+([^;]{{1,4000}})")
ASSIGNED = re.compile(rf"([\w.`\"\[\]]{{1,128}})\s*=\s*{_TEXT}", re.DOTALL)
LONGEST_NAME, MOST_VALUES = 128, 500_000
"""Characters of the name of a column, and values in one text: a few bytes for each could make gigabytes."""
BETWEEN_ROWS = re.compile(r"[\s,]*\(")
VALUE = re.compile(
    rf"\s*(?:{_TEXT}|((?:[^'\"(),;]|\"[^\"]*+\"|\([^()]*+\))*))(?:::\w+)?\s*([,)])",
    re.DOTALL,
)
"""A text or something else, and what ends it."""


def labelled_lines(text: str) -> str:
    """A line ``column: value`` for each value that some statements write into a table; no empty ones.

    Raises:
        Unusable: there are too many.
    """
    lines = list(itertools.islice(_lines(text), MOST_VALUES + 1))
    if len(lines) > MOST_VALUES:
        raise Unusable(f"holds more than {MOST_VALUES} values in SQL, and was not searched to its end")
    return "".join(lines)


def _lines(text: str) -> Iterator[str]:
    inserts = _found(INSERTS, text)
    created = _found(CREATES, text) if inserts else []
    columns_of = {_bare(create[1]): _names(_without_brackets(create[2])) for create in created}
    for insert in inserts:
        table = _bare(insert[1])
        columns = _names(insert[2]) if insert[2] else columns_of.get(table, [])
        for row in _rows(text, insert.end()):
            yield from _labelled(table, columns, row)
    for copy in _found(COPIES, text):
        columns = _names(copy[2])
        for line in copy[3].splitlines():
            yield from _labelled(_bare(copy[1]), columns, line.split("\t"))
    for update in _found(UPDATES, text):
        for column, value in ASSIGNED.findall(update[1]):
            yield from _labelled("", [_bare(column)], [value.replace("''", "'")])


def _found(forms: Iterable[re.Pattern[str]], text: str) -> list[re.Match[str]]:
    return [match for form in forms for match in form.finditer(text)]


def _labelled(table: str, columns: list[str], row: list[str]) -> Iterator[str]:
    for column, value in itertools.zip_longest(columns, row[: len(columns) or None], fillvalue=""):
        is_said = column or value[:1].isalpha()  # of a number without a name nothing is said
        if is_said and value.upper() not in ("", "NULL", r"\N"):
            yield f"{(column or table)[:LONGEST_NAME]}: {' '.join(value.split())}\n"


def _rows(text: str, place: int) -> Iterator[list[str]]:
    """The values of each pair of brackets from a place on."""
    opening = BETWEEN_ROWS.match(text, place)
    while opening:
        row, place, ends = [], opening.end(), ","
        while ends == ",":
            value = VALUE.match(text, place)
            if not value:
                return
            row.append((value[1] or "").replace("''", "'") or (value[2] or "").strip())
            place, ends = value.end(), value[3]
        yield row
        opening = BETWEEN_ROWS.match(text, place)


def _names(listed: str) -> list[str]:
    """The first word of each item of a list: the names of columns, in whichever quotation marks."""
    return [_bare(words[0]) if (words := item.split()) else "" for item in listed.split(",")]


def _bare(name: str) -> str:
    """A name without its quotation marks and its schema."""
    return name.rpartition(".")[2].strip('`"[]')


def _without_brackets(body: str) -> str:
    """Definitions of columns without what stands in brackets: DECIMAL(10, 2)."""
    inner = re.sub(r"\([^()]*\)", "", body)
    return re.sub(r"\([^()]*\)", "", inner)
