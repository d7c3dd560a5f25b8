"""Pages of HTML from templates of jinja2; a template stands as text beside the function that fills it.

So it belongs to that module's code: to its digest, and to what is sealed. All values are escaped. A page
needs no other file and holds no time of day, so that equal numbers are equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jinja2 import DictLoader, Environment, StrictUndefined

from headct.contracts.artefacts import write_atomically

STYLE = """\
body { font: 14px/1.4 Helvetica, Arial, sans-serif; color: #111; background: #fff; margin: 2em; }
h1 { font-size: 1.15em; margin: 0 0 1em; }
h2 { font-size: 1em; margin: 1.6em 0 .4em; }
table { border-collapse: collapse; border-top: 2px solid #111; border-bottom: 2px solid #111; }
th, td { padding: .25em .55em; text-align: right; vertical-align: top; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
th { font-weight: normal; color: #444; }
thead tr:last-child th { border-bottom: 1px solid #111; white-space: normal; max-width: 8em;
  vertical-align: bottom; }
thead th.group { text-align: center; padding-bottom: 0; }
th.group span { display: block; border-bottom: 1px solid #999; }
th[scope=row], th.left { text-align: left; }
th[scope=row] { color: #111; position: sticky; left: 0; background: #fff; white-space: normal;
  max-width: 16em; }
td.text { text-align: left; white-space: normal; min-width: 5em; max-width: 28em; overflow-wrap: anywhere; }
tr.apart th, tr.apart td { border-top: 1px solid #999; }
td.best { font-weight: bold; }
td.worst { font-style: italic; text-decoration: underline; }
ul { padding-left: 1.2em; max-width: 70em; color: #333; font-size: .92em; }
.lead { margin: 0 0 .4em; max-width: 70em; color: #333; font-size: .92em; }
.panel { overflow-x: auto; }
footer { font-size: .8em; color: #666; margin-top: 1.6em; overflow-wrap: anywhere; }
@media (max-width: 600px) {
  /* A row is a list of cells with their headings: no column is out of sight. */
  body { margin: .8em; overflow-wrap: anywhere; }
  table, tbody, tr { display: block; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tbody tr { padding: .5em 0; border-bottom: 1px solid #999; }
  tbody tr th[scope=row], tbody tr td[data-heading] { display: block; position: static; min-width: 0;
    max-width: none; padding: .1em 0; border-top: 0; white-space: normal; text-align: left; }
  tbody tr th[scope=row] { font-weight: bold; }
  tbody tr td[data-heading] { display: grid; grid-template-columns: 2fr 3fr; gap: 1em;
    text-decoration: none; }
  td::before { content: attr(data-heading); color: #444; font-weight: normal; font-style: normal; }
}
"""
"""The look of the pages with tables; a page may add to it, or take another."""

PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>{{ title }}</title>
<style>
{% block style %}{{ shared_style }}{% endblock %}
</style>
</head>
<body>
{% block body %}
{% endblock %}
</body>
</html>
"""
"""What templates begin with: ``{% extends "page" %}``; ``title`` is the page's."""


def render(template: str, extended: Mapping[str, str] | None = None, **values: object) -> str:
    """Fill a template.

    Args:
        template: its text.
        extended: templates that it extends, by name, beside "page".
        values: what it asks for, by name.

    Raises:
        jinja2.UndefinedError: the template asks for a value that was not given.
    """
    environment = Environment(
        autoescape=True,
        loader=DictLoader({"page": PAGE, **(extended or {})}),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    return environment.from_string(template).render(shared_style=STYLE, **values)


def write(text: str, out: Path) -> None:
    """Write a page, or another text: whole or not at all, its lines ended alike on every machine."""
    with write_atomically(out) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")
