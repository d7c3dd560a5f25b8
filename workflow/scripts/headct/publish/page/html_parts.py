"""What sections are made of: filled templates, grids of numbers, links to files of the results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from headct.publish.page.quoted import name

UP = "../"
"""From the page's folder to the results."""

MACROS = """\
{% macro link(file, text) -%}
<a href="{{ up }}{{ file }}">{{ text }}</a>
{%- endmacro %}
{% macro links(files) -%}
<p class="files">
{%- for text, file in files %}{{ link(file, text) }}{{ " · " if not loop.last }}{% endfor -%}
</p>
{%- endmacro %}
{% macro table(grid) -%}
<div class="scroll" tabindex="0" role="region" aria-label="{{ grid.caption | striptags }}">
<table role="table">
<caption role="caption">{{ grid.caption }}</caption>
<thead role="rowgroup">
<tr role="row">
{%- for column in grid.columns -%}
<th role="columnheader" scope="col"
{%- if loop.index0 in grid.words %} class="words"{% endif %}>{{ column }}</th>
{%- endfor -%}
</tr>
</thead>
<tbody role="rowgroup">
{% for row in grid.rows %}
<tr role="row"{% if loop.index0 in grid.apart %} class="apart"{% endif %}>
{%- for cell in row -%}
{% set is_words = loop.index0 in grid.words %}
<{{ "td" if loop.index0 else "th" }} role="{{ "cell" if loop.index0 else "rowheader" }}"
{%- if not loop.index0 %} scope="row"{% endif %}{% if is_words %} class="words"{% endif %} data-heading="
{{- grid.columns[loop.index0] | striptags }}"><span>{{ cell }}</span></{{ "td" if loop.index0 else "th" }}>
{%- endfor -%}
</tr>
{% endfor %}
</tbody>
</table></div>
{%- endmacro %}
"""
"""Of the templates of sections."""


@dataclass(frozen=True)
class NumberGrid:
    """A table of the page.

    Attributes:
        caption: what it shows; also its name for those who hear the page.
        columns: their headings; the cells of the first column name the rows.
        rows: as many cells each.
        words: columns, from 0, of running text, which stand to the left.
        apart: rows, from 0, above which a rule is drawn.
    """

    caption: str | Markup
    columns: Sequence[str | Markup]
    rows: Sequence[Sequence[str | Markup]]
    words: frozenset[int] = frozenset({0})
    apart: frozenset[int] = field(default=frozenset())


def code(text: str | Markup) -> Markup:
    """What is written as a machine has it: a digest, a command."""
    return Markup("<code>{}</code>").format(text)


def filled(template: str, **values: object) -> Markup:
    """A template with the macros ``link``, ``links`` and ``table``, filled; all values are escaped.

    Raises:
        jinja2.UndefinedError: the template asks for a value that was not given.
    """
    return Markup(_environment().from_string(MACROS + template).render(up=UP, name=name, **values))


@cache
def _environment() -> Environment:
    return Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
