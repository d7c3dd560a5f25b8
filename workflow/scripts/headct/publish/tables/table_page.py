"""A table as a page: title, one or more panels, notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

import pandas as pd

from headct.cohort.split import lesions_absent
from headct.publish.pages import render

EVIDENCE = "Evidence digest (SHA-256 of split, metrics and analysis plan):"

TEMPLATE = """\
{% extends "page" %}
{% block body %}
<h1>{{ title }}</h1>
{% for panel in table.panels %}
{% if panel.heading %}
<h2>{{ panel.heading }}</h2>
{% endif %}
{% if panel.lead %}
<p class="lead">{{ panel.lead }}</p>
{% endif %}
<div class="panel"><table>
<thead>
{% if panel.groups %}
<tr>
{%- for group, n_columns in panel.groups %}
{% if group %}
<th class="group" scope="colgroup" colspan="{{ n_columns }}"><span>{{ group }}</span></th>
{%- else %}
{{ ("<td></td>" * n_columns) | safe }}
{%- endif %}
{% endfor %}
</tr>
{% endif %}
<tr>
{%- for of_group, name in panel.columns -%}
<th scope="col"{% if loop.index0 in panel.left %} class="left"{% endif %}>{{ name }}</th>
{%- endfor %}
</tr>
</thead>
<tbody>
{% for row in panel.rows %}
<tr{% if loop.index0 in panel.apart %} class="apart"{% endif %}><th scope="row">{{ row[0].text }}</th>
{%- for cell in row[1:] -%}
<td data-heading="{{ panel.headings[loop.index] }}"
{%- if cell.kind %} class="{{ cell.kind }}"{% endif %}
{%- if cell.hint %} title="{{ cell.kind }}"{% endif %}>
{{- cell.text }}</td>
{%- endfor %}
</tr>
{% endfor %}
</tbody>
</table></div>
{% endfor %}
{% if table.notes %}
<ul>
{% for note in table.notes %}
<li>{{ note }}</li>
{% endfor %}
</ul>
{% endif %}
{% if evidence %}
<footer>{{ said_of_evidence }} <code>{{ evidence }}</code></footer>
{% endif %}
{% endblock %}
"""


@dataclass(frozen=True)
class Cell:
    """Text of one cell; ``kind`` is a class of the style: best, worst or text."""

    text: str
    kind: str = ""

    @property
    def hint(self) -> bool:
        """Whether the kind is told where the reader points, too, for its look alone may not say it."""
        return self.kind in ("best", "worst")


@dataclass(frozen=True)
class Panel:
    """One grid: columns as (group, name), rows of cells; the first cell of a row names it.

    A rule is drawn above the rows with an index in ``apart``; ``lead`` is a sentence below the heading.
    """

    columns: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[Cell]]
    heading: str = ""
    apart: frozenset[int] = frozenset()
    lead: str = ""

    @property
    def groups(self) -> list[tuple[str, int]]:
        """Headings over several columns with the number of these; nothing where no column has one."""
        found = [(name, len(list(of))) for name, of in groupby(self.columns, key=lambda column: column[0])]
        return found if any(name for name, _ in found) else []

    @property
    def headings(self) -> list[str]:
        """Of each column, with that above it, for where each cell stands on a line of its own."""
        return [f"{group}, {name}" if group else name for group, name in self.columns]

    @property
    def left(self) -> set[int]:
        """Columns that stand to the left: names of rows, and running text."""
        return {0, *(i for row in self.rows[:1] for i, cell in enumerate(row) if cell.kind == "text")}


@dataclass(frozen=True)
class Table:
    """A table: ``numbers`` go to the TSV as they are, the rest is the page."""

    title: str
    numbers: pd.DataFrame
    panels: Sequence[Panel]
    notes: Sequence[str] = field(default_factory=tuple)


def html(table: Table, title_note: str = "", evidence: str = "") -> str:
    """The whole page; ``evidence`` is the digest of what the numbers rest on (headct.publish.evidence)."""
    title = f"{table.title} ({title_note})" if title_note else table.title
    return render(TEMPLATE, title=title, table=table, evidence=evidence, said_of_evidence=EVIDENCE)


def repeated_participants(split: pd.DataFrame) -> list[str]:
    """A note if participants have several test scans, which some tests take for independent ones."""
    scans = split.loc[split["set"] == "test", "participant_id"]
    n_scans, n_people = len(scans), scans.nunique()
    if n_scans == n_people:
        return []
    return [
        f"Warning: the {n_scans} test scans are of {n_people} participants. Kruskal-Wallis, Dunn's and"
        " Friedman's tests and those of Table 2 take them as independent all the same, so their P may be too"
        " small (several scans of one participant), those of Kruskal-Wallis and Dunn also too large (models"
        " compared on the same scans as if on others); the planned comparison takes clusters of scans."
    ]


def lesions_not_tested(split: pd.DataFrame, cohort: pd.DataFrame) -> list[str]:
    """A note if there are lesions that no test scan has, for which the tables show numbers all the same."""
    absent = lesions_absent(split[split["set"] == "test"], cohort)
    if not absent:
        return []
    return [
        f"Warning: no test scan has {' or '.join(absent)}. Its Dice is 1 by convention for each model that"
        " marks none of it, and how models find it was not measured."
    ]
