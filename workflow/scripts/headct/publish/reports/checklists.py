"""Reporting checklists, filled in as far as a run can: what it says of an item, and where that is borne out.

The items are in ``resources/reporting``; what only people know is ``reporting:`` in the configuration.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headct.contracts import yaml_files
from headct.contracts.declarations import PublishedReport
from headct.contracts.problems import BadInput, Problem
from headct.publish.options import Options
from headct.publish.reports import report_page
from headct.publish.reports.facts import Facts
from headct.publish.reports.statements import STATEMENTS, Statement

REPORT = PublishedReport(
    name="checklists",
    help="CLAIM 2024, TRIPOD+AI, STARD-AI, CONSORT-AI, filled in from the run",
    path="report/checklists.html",
    caption="checklists",
    inputs={"results": "the whole run", "checklists": "reporting checklists"},
    given={"labels": "lesions in print"},
)
logger = logging.getLogger(__name__)

UP = "../"
"""From the page's folder to the results."""

TEMPLATE = """\
{% extends "report" %}
{% block report %}
<p>What a run knows of itself stands with a link to the file that bears it out. What only the authors know
comes from the configuration, and is marked where it is still missing. Items are named by their numbers and
our own short paraphrase: the wording is in the articles.</p>
{% set columns = ("Checklist", "Items", "Answered", "By the run alone", "Something to be written") %}
<div class="panel"><table>
{{ head(columns) }}
<tbody>
{% for checklist, answers in answered %}
{% set n_missing = answers | selectattr("missing") | list | length %}
{% set numbers = (
  answers | length,
  answers | length - n_missing,
  answers | rejectattr("item.authors") | list | length,
  n_missing,
) %}
<tr><th scope="row">{{ checklist.name }}</th>
{%- for number in numbers %}<td data-heading="{{ columns[loop.index] }}">{{ number }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table></div>
{% for checklist, answers in answered %}
<h2>{{ checklist.name }}</h2>
<p>{{ checklist.title }}. {{ checklist.source }}. doi:{{ checklist.doi }}</p>
<p>{{ checklist.note }}</p>
{% set asked = ("Item", "Asks for", "In this run", "Evidence") %}
<div class="panel"><table>
{{ head(asked) }}
<tbody>
{% for answer in answers %}
<tr><th scope="row">{{ answer.item.number }}</th><td data-heading="{{ asked[1] }}">{{ answer.item.asks }}</td>
<td class="prose" data-heading="{{ asked[2] }}">
<div>
{% for statement in answer.statements %}
{{ statement.text }}{% if not loop.last %}<br/>{% endif %}
{% endfor %}
{% if answer.text %}
{% if answer.statements %}<br/>{% endif %}<em>Authors:</em> {{ answer.text }}
{% endif %}
{% if answer.missing %}
{% if answer.statements %}<br/>{% endif %}
<span class="missing">To be written by the authors:
set <code>reporting.{{ answer.item.authors }}</code>.</span>
{% endif %}
</div>
</td><td class="links" data-heading="{{ asked[3] }}"><div>{{ links(answer.evidence) }}</div></td></tr>
{% endfor %}
</tbody>
</table></div>
{% endfor %}
{% endblock %}
"""


def pages(facts: Facts, options: Options) -> Iterator[tuple[Path, str]]:
    """The page; says how many keys of ``reporting`` are still to be filled in."""
    found = [read(path, facts.config.reporting) for path in options.checklists]
    yield options.out, html(found, facts)
    empty = missing_keys(found, facts)
    logger.info("%s: %d keys of 'reporting' are still to be filled in", options.out, len(empty))


@dataclass(frozen=True)
class Item:
    """One item of a checklist.

    Attributes:
        number: as the checklist has it.
        asks: what it asks for, in a few words of our own.
        run: names of the statements that answer it.
        authors: the key of ``reporting:`` for what only people know; "" where the run knows all.
    """

    number: str
    asks: str
    run: Sequence[str]
    authors: str


@dataclass(frozen=True)
class Checklist:
    """One checklist with its source; ``note`` says how its items were read, and how surely they are known."""

    name: str
    title: str
    source: str
    doi: str
    note: str
    items: Sequence[Item]


@dataclass(frozen=True)
class Answer:
    """What stands beside an item: statements of the run, and the authors' text ("" if they gave none)."""

    item: Item
    statements: Sequence[Statement]
    text: str

    @property
    def missing(self) -> bool:
        """Whether the authors still have to write something."""
        return bool(self.item.authors) and not self.text

    @property
    def evidence(self) -> list[str]:
        """What bears out the statements."""
        return [path for statement in self.statements for path in statement.evidence]


def read(path: Path, reporting: Mapping[str, str]) -> Checklist:
    """Read one checklist.

    Raises:
        BadInput: an item that names no statement and no key, or one that does not exist.
    """
    content = yaml_files.read(path)
    items = [
        Item(item["item"], item["asks"], item.get("run", []), item.get("authors", ""))
        for item in content["items"]
    ]
    problems = [
        Problem(str(path), "no such statement or key of reporting", row=item.number, value=name)
        for item in items
        for name in _unknown(item, reporting)
    ]
    problems += [
        Problem(str(path), "nobody answers this item", row=item.number)
        for item in items
        if not item.run and not item.authors
    ]
    if problems:
        raise BadInput(problems)
    return Checklist(
        **{name: content[name] for name in ("name", "title", "source", "doi", "note")}, items=items
    )


def _unknown(item: Item, reporting: Mapping[str, str]) -> list[str]:
    authors = [item.authors] if item.authors and item.authors not in reporting else []
    return [*(name for name in item.run if name not in STATEMENTS), *authors]


def answers(checklist: Checklist, facts: Facts) -> list[Answer]:
    """Every item with what the run and the authors say."""
    found = []
    for item in checklist.items:
        of_run = [STATEMENTS[name](facts) for name in item.run]
        of_authors = facts.config.reporting.get(item.authors, "").strip()
        found.append(Answer(item, of_run, of_authors))
    return found


def html(checklists: Sequence[Checklist], facts: Facts) -> str:
    """The page with all checklists."""
    answered = [(checklist, answers(checklist, facts)) for checklist in checklists]
    return report_page.page(TEMPLATE, "Reporting checklists", facts.config.note, UP, answered=answered)


def missing_keys(checklists: Sequence[Checklist], facts: Facts) -> list[str]:
    """Keys of ``reporting:`` that some item asks for and that are empty."""
    found: list[Any] = [answer for checklist in checklists for answer in answers(checklist, facts)]
    return sorted({answer.item.authors for answer in found if answer.missing})
