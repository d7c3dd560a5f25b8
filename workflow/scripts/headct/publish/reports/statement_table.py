"""Every statement of a run as a table, so that a page can quote one and name the row it is from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from headct.contracts.artefacts import as_text
from headct.contracts.declarations import PublishedReport
from headct.publish.options import Options
from headct.publish.reports.facts import Facts
from headct.publish.reports.statements import STATEMENTS

REPORT = PublishedReport(
    name="statements",
    help="every statement of the reports, with the files that bear it out",
    path="report/statements.tsv",
    inputs={"results": "the whole run"},
    given={"labels": "lesions in print"},
)

COLUMNS = ("statement", "text", "evidence")


def pages(facts: Facts, options: Options) -> Iterator[tuple[Path, str]]:
    """The one table."""
    yield options.out, table(facts)


def table(facts: Facts) -> str:
    """A line for each statement: its name, what it says, paths below the results that bear it out."""
    lines = ["\t".join(COLUMNS)]
    for name, statement in STATEMENTS.items():
        stated = statement(facts)
        cells = (name, " ".join(stated.text.split()), " ".join(stated.evidence))
        lines.append("\t".join(map(as_text, cells)))
    return "\n".join(lines) + "\n"
