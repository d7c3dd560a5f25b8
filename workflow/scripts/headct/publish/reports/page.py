"""The look of the reports' pages: that of the tables, with headings, paragraphs and links."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from headct.publish.reports.statements import Statement
from headct.publish.tables.page import STYLE

REPORT_STYLE = """
p, dl { max-width: 62em; }
td, th[scope=row] { white-space: normal; text-align: left; }
td.prose { min-width: 12em; max-width: 44em; overflow-wrap: anywhere; }
td.links { max-width: 18em; font-size: .92em; overflow-wrap: anywhere; }
tr + tr > * { border-top: 1px solid #ddd; }
.missing { color: #a00; }
.warning { border: 2px solid #a00; padding: .5em .8em; max-width: 60em; }
"""


def page(title: str, note: str, parts: Iterable[str]) -> str:
    """A page that needs no other file; ``parts`` are its HTML, ``note`` in brackets after the title."""
    heading = escape(f"{title} ({note})" if note else title)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>\n'
        f"<title>{heading}</title>\n<style>{STYLE}{REPORT_STYLE}</style>\n</head>\n<body>\n<h1>{heading}</h1>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def heading(text: str) -> str:
    """Heading of a section."""
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph, ``kind`` a class of the style."""
    return f"<p{_class(kind)}>{escape(text)}</p>"


def stated(statement: Statement, up: str) -> str:
    """A paragraph with links to what bears it out; ``up`` leads from the page's folder to the results."""
    return f"<p>{escape(statement.text)} <small>[{links(statement.evidence, up)}]</small></p>"


def links(paths: Iterable[str], up: str) -> str:
    """Links to files and folders of the results, once each."""
    return ", ".join(f'<a href="{up}{escape(path)}">{escape(path)}</a>' for path in dict.fromkeys(paths))


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], kinds: Sequence[str] = ()) -> str:
    """A table; cells are HTML, the first of a row names it, ``kinds`` are the classes of the columns."""
    head = "".join(f'<th scope="col" class="left">{escape(name)}</th>' for name in columns)
    kinds = kinds or [""] * len(columns)
    body = "".join(
        "<tr>"
        + "".join(
            f"<td{_class(kind)}>{cell}</td>" if i else f'<th scope="row">{cell}</th>'
            for i, (cell, kind) in enumerate(zip(row, kinds, strict=True))
        )
        + "</tr>\n"
        for row in rows
    )
    return (
        f'<div class="panel"><table>\n<thead>\n<tr>{head}</tr>\n</thead>\n'
        f"<tbody>\n{body}</tbody>\n</table></div>"
    )


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""
