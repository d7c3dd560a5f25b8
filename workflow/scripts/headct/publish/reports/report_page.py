"""The look of the reports' pages: that of the tables, with paragraphs and links to evidence."""

from __future__ import annotations

from headct.publish import pages

TEMPLATE = """\
{% extends "page" %}
{% block style %}
{{ shared_style }}p, dl { max-width: 62em; }
td, th[scope=row] { white-space: normal; text-align: left; }
td.prose { min-width: 12em; max-width: 44em; overflow-wrap: anywhere; }
td.links { max-width: 18em; font-size: .92em; overflow-wrap: anywhere; }
tr + tr > * { border-top: 1px solid #ddd; }
.missing { color: #a00; }
.warning { border: 2px solid #a00; padding: .5em .8em; max-width: 60em; }
{% endblock %}
{% macro links(paths) -%}
{% for path in paths | unique(case_sensitive=true) -%}
<a href="{{ up }}{{ path }}">{{ path }}</a>{{ ", " if not loop.last }}
{%- endfor %}
{%- endmacro %}
{% macro stated(statements) %}
{% for statement in statements %}
<p>{{ statement.text }} <small>[{{ links(statement.evidence) }}]</small></p>
{% endfor %}
{% endmacro %}
{% macro head(columns) -%}
<thead>
<tr>{% for name in columns %}<th scope="col" class="left">{{ name }}</th>{% endfor %}</tr>
</thead>
{%- endmacro %}
{% block body %}
<h1>{{ title }}</h1>
{% block report %}
{% endblock %}
{% endblock %}
"""


def page(template: str, title: str, note: str, up: str, **values: object) -> str:
    """Fill a template of a report, which begins with ``{% extends "report" %}``.

    Args:
        template: text of the template.
        title: of the page; the ``note`` stands behind it in brackets.
        note: what kind of study it is; may be empty.
        up: leads from the page's folder to the results, for links.
        values: what else the template asks for.
    """
    titled = f"{title} ({note})" if note else title
    return pages.render(template, {"report": TEMPLATE}, title=titled, up=up, **values)
