"""Numbers and words of the page, each with the cell that it is quoted from.

All that is counted or measured on the page stands in a table below ``results/``. A :class:`QuotedRow` is one
line of such a table, with the cells that name it; what it gives is HTML: a ``<data>`` with file, row and
column beside the number in print. So nothing can be typed, and a reader, or a test, can look each number up.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from markupsafe import Markup

from headct.contracts.artefacts import without_mark
from headct.contracts.problems import BadInput, Problem
from headct.publish.printed_numbers import DASH, DICE_DECIMALS, count, number, p_value

TEXT = "text"
"""What the column of a file is called that is no table, and is quoted as a whole."""

INTERVAL = "95% CI"
"""What intervals are called; a name, not a number of the study."""


def name(text: str) -> Markup:
    """A name in print, which may have digits that are no number: of a model, a scan, a table."""
    return Markup('<span class="name">{}</span>').format(text)


def quoted(file: str, row: Mapping[str, str], column: str, shown: str, value: str = "") -> Markup:
    """What stands in a cell, in print.

    Args:
        file: the file, below the results.
        row: the cells that name the row; empty where the file is no table.
        column: of the cell.
        shown: in print.
        value: as it stands in the file, where it is printed otherwise.
    """
    valued = Markup(' value="{}"').format(value) if value else Markup("")
    form = '<data class="from"{} data-file="{}" data-row="{}" data-column="{}">{}</data>'
    return Markup(form).format(valued, file, json.dumps(row, ensure_ascii=False), column, shown)


@dataclass(frozen=True)
class QuotedRow:
    """One line of a table below the results.

    Attributes:
        file: the table.
        keys: the cells that name the line, by column.
        cells: all of them, as they stand in the file.
    """

    file: str
    keys: Mapping[str, str]
    cells: Mapping[str, str] = field(compare=False)

    def text(self, column: str) -> str:
        """A cell as it stands in the file.

        Raises:
            BadInput: the table has no such column.
        """
        if column not in self.cells:
            raise BadInput([Problem(self.file, "the table has no such column: make it again", key=column)])
        return self.cells[column]

    def value(self, column: str) -> float:
        """A cell as a number; NaN where it is empty."""
        return float(self.text(column) or math.nan)

    def has(self, column: str) -> bool:
        """Whether a cell is not empty."""
        return bool(self.text(column))

    def shown(self, column: str, printed: str) -> Markup:
        """A number as it is printed; a dash where there is none."""
        if not self.has(column):
            return Markup(DASH)
        return quoted(self.file, self.keys, column, printed, self.text(column))

    def number(self, column: str, decimals: int = DICE_DECIMALS) -> Markup:
        """A number with fixed decimals."""
        return self.shown(column, number(self.value(column), decimals))

    def count(self, column: str) -> Markup:
        """A count; a mean of counts keeps one decimal."""
        return self.shown(column, count(self.value(column)))

    def percent(self, column: str) -> Markup:
        """A share, as per cent."""
        return self.shown(column, f"{100 * self.value(column):.0f}%")

    def p(self, column: str) -> Markup:
        """P, as journals print it."""
        return self.shown(column, p_value(self.value(column)))

    def p_is(self, column: str) -> Markup:
        """``P = .04`` or ``P <.001``, in running text."""
        printed = p_value(self.value(column))
        return Markup("P {}{}").format("" if printed.startswith(("<", ">")) else "= ", self.p(column))

    def words(self, column: str) -> Markup:
        """A text, as it stands in the cell."""
        return quoted(self.file, self.keys, column, self.text(column)) if self.has(column) else Markup("")

    def interval(self, centre: str, low: str, high: str, decimals: int = DICE_DECIMALS) -> Markup:
        """``0.757 (0.704 to 0.811)``; without limits, the number alone.

        Args:
            centre: column of the estimate.
            low, high: columns of the limits.
            decimals: of all three.
        """
        return self._between(*(self.number(column, decimals) for column in (centre, low, high)))

    def span(self, low: str, high: str, decimals: int = DICE_DECIMALS) -> Markup:
        """``0.704 to 0.811``; a dash where there are no limits.

        Args:
            low, high: columns of the limits.
            decimals: of both.
        """
        ends = [self.number(column, decimals) for column in (low, high)]
        return Markup(DASH) if DASH in ends else Markup("{} to {}").format(*ends)

    def interval_percent(self, centre: str) -> Markup:
        """As :meth:`interval`, of a share whose limits are ``{centre}_lower`` and ``{centre}_upper``."""
        return self._between(*(self.percent(f"{centre}{end}") for end in ("", "_lower", "_upper")))

    def _between(self, centre: Markup, low: Markup, high: Markup) -> Markup:
        if DASH in (centre, low, high):
            return centre
        return Markup('{} <span class="interval">({} to {})</span>').format(centre, low, high)


@dataclass(frozen=True)
class QuotedTable:
    """A table below the results: its file and its lines, with all cells as text."""

    file: str
    lines: Sequence[Mapping[str, str]]

    def rows(self, by: str, **where: str) -> list[QuotedRow]:
        """Lines with some cells, each named by these and others.

        Args:
            by: columns that, with those of ``where``, name a line, separated by blanks.
            where: cells that the lines have.

        Raises:
            BadInput: a column is not there, or they do not name one line each.
        """
        keys = list(dict.fromkeys([*where, *by.split()]))
        chosen = [QuotedRow(self.file, {}, line) for line in self.lines]
        chosen = [row for row in chosen if all(row.text(column) == cell for column, cell in where.items())]
        found = [QuotedRow(self.file, {key: row.text(key) for key in keys}, row.cells) for row in chosen]
        if len({tuple(row.keys.values()) for row in found}) < len(found):
            raise BadInput([Problem(self.file, "several rows have the same names", key=", ".join(keys))])
        return found

    def row(self, **where: str) -> QuotedRow | None:
        """The one line with some cells; None where there is none."""
        return next(iter(self.rows("", **where)), None)


@dataclass(frozen=True)
class ResultTables:
    """A results folder, each file of which is read once.

    Attributes:
        folder: the results.
        requested: the files that the study asks for, below the folder; what else lies there is former.
            All count where it is None.
    """

    folder: Path
    requested: Collection[str] | None = None
    _read: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def has(self, file: str) -> bool:
        """Whether there is such a file, of this study as it is now."""
        return (self.requested is None or file in self.requested) and (self.folder / file).is_file()

    def table(self, file: str) -> QuotedTable:
        """A table, by its path below the folder."""
        if file not in self._read:
            self._read[file] = QuotedTable(file, list(_lines(self.folder / file)))
        table: QuotedTable = self._read[file]
        return table

    def json(self, file: str) -> Any:
        """What a JSON file holds."""
        if file not in self._read:
            self._read[file] = json.loads((self.folder / file).read_text(encoding="utf-8"))
        return self._read[file]

    @cached_property
    def titles(self) -> Mapping[str, str]:
        """Names of the models in print, in the order of Table 1."""
        return {line["model"]: line["title"] for line in self.table("tables/table1.tsv").lines}


def _lines(path: Path) -> Iterator[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as stream:
        for line in csv.DictReader(stream, delimiter="\t"):
            yield {without_mark(column): without_mark(cell) for column, cell in line.items()}
