"""How many items of each reporting checklist are answered, and by whom."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from headct.contracts.declarations import PublishedReport
from headct.publish.options import Options
from headct.publish.reports import checklists
from headct.publish.reports.facts import Facts

REPORT = PublishedReport(
    name="checklist_counts",
    help="how many items of each checklist are answered",
    path="report/checklist_counts.tsv",
    inputs={"results": "the whole run", "checklists": "reporting checklists"},
    given={"labels": "lesions in print"},
)

COLUMNS = ("checklist", "items", "answered", "by_the_run", "to_be_written")


def pages(facts: Facts, options: Options) -> Iterator[tuple[Path, str]]:
    """The one table: a line for each checklist."""
    lines = ["\t".join(COLUMNS)]
    for path in options.checklists:
        checklist = checklists.read(path, facts.config.reporting)
        answers = checklists.answers(checklist, facts)
        n_missing = sum(answer.missing for answer in answers)
        by_the_run = sum(not answer.item.authors for answer in answers)
        counts = (len(answers), len(answers) - n_missing, by_the_run, n_missing)
        lines.append("\t".join([checklist.name, *map(str, counts)]))
    yield options.out, "\n".join(lines) + "\n"
