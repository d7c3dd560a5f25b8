"""What a page is made of: scans, their files and lesions; of a study its models and configuration, too."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from markupsafe import Markup

from headct.contracts.labels import LabelSet
from headct.publish.page.quoted import QuotedRow, ResultTables, name
from headct.publish.tables.words import title_of
from headct.settings.blocks import Configuration


@dataclass(frozen=True)
class ShownScans:
    """What sections on scans are made of.

    Attributes:
        results: the folder in whose folder ``report`` the page lies.
        labels: the lesions, with titles and colours.
        cases: the scans that can be opened, since a file of each lies beside the page; the digest in that.
    """

    results: ResultTables
    labels: LabelSet
    cases: Mapping[str, str]

    def rows(self, file: str, by: str, **where: str) -> Sequence[QuotedRow]:
        """Lines of a table (:meth:`.QuotedTable.rows`); none where there is no such file."""
        return self.results.table(file).rows(by, **where) if self.results.has(file) else []

    def row(self, file: str, **where: str) -> QuotedRow | None:
        """The one line of a table with some cells; None where there is none, or no such file."""
        return next(iter(self.rows(file, "", **where)), None)


@dataclass(frozen=True)
class ShownStudy(ShownScans):
    """What sections on a study are made of.

    Attributes:
        config: the resolved configuration.
        titles: names of the models in print, in the order of the tables.
    """

    config: Configuration
    titles: Mapping[str, str]

    def title(self, model: str) -> Markup:
        """Name of a model in print."""
        return name(title_of(model, self.titles))

    def statement(self, statement: str) -> Markup:
        """What the reports state under a name (:mod:`headct.publish.reports.statements`), quoted."""
        row = self.row("report/statements.tsv", statement=statement)
        return row.words("text") if row else Markup("")


@dataclass(frozen=True)
class Absent:
    """What a section is where a study has nothing for it: a sentence that says why, or "" to leave it out."""

    why: str = ""


Shown = TypeVar("Shown", bound=ShownScans)


@dataclass(frozen=True)
class Section(Generic[Shown]):
    """A part of a page.

    Attributes:
        id: of the element, to which links lead.
        title: its heading.
        make: its content, or why there is none.
    """

    id: str
    title: str
    make: Callable[[Shown], Markup | Absent]
