"""A table as a page: title, one or more panels, notes; and the formats of its numbers.

The page needs no other file and holds no time of day, so that equal numbers are equal bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import groupby

import pandas as pd

from headct.cohort.split import lesions_absent

DASH = "–"

DICE_DECIMALS = 3

STYLE = """
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
.panel { overflow-x: auto; }
footer { font-size: .8em; color: #666; margin-top: 1.6em; overflow-wrap: anywhere; }
@media (max-width: 600px) {
  body { font-size: 12px; margin: .8em; }
  th, td { padding: .2em .35em; }
  th[scope=row] { max-width: 7em; }
}
"""

EVIDENCE = "Evidence digest (SHA-256 of split, metrics and analysis plan):"


@dataclass(frozen=True)
class Cell:
    """Text of one cell; ``kind`` is a class of the style: best, worst or text."""

    text: str
    kind: str = ""


@dataclass(frozen=True)
class Panel:
    """One grid: columns as (group, name), rows of cells; the first cell of a row names it.

    A rule is drawn above the rows with an index in ``apart``.
    """

    columns: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[Cell]]
    heading: str = ""
    apart: frozenset[int] = frozenset()


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
    notes = "".join(f"<li>{escape(note)}</li>\n" for note in table.notes)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8"/>\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n"
        + "".join(_panel(panel) for panel in table.panels)
        + (f"<ul>\n{notes}</ul>\n" if notes else "")
        + (f"<footer>{EVIDENCE} <code>{escape(evidence)}</code></footer>\n" if evidence else "")
        + "</body>\n</html>\n"
    )


def _panel(panel: Panel) -> str:
    heading = f"<h2>{escape(panel.heading)}</h2>\n" if panel.heading else ""
    of_text = {0, *(i for row in panel.rows[:1] for i, cell in enumerate(row) if cell.kind == "text")}
    left = ' class="left"'
    names = "".join(
        f'<th scope="col"{left if i in of_text else ""}>{escape(name)}</th>'
        for i, (_, name) in enumerate(panel.columns)
    )
    groups = "".join(
        f'<th class="group" scope="colgroup" colspan="{len(list(members))}"><span>{escape(group)}</span></th>'
        if group
        else "<td></td>" * len(list(members))
        for group, members in groupby(panel.columns, key=lambda column: column[0])
    )
    head = (f"<tr>{groups}</tr>\n" if any(group for group, _ in panel.columns) else "") + (
        f"<tr>{names}</tr>\n"
    )
    body = "".join(_row(row, i in panel.apart) for i, row in enumerate(panel.rows))
    return (
        f'{heading}<div class="panel"><table>\n<thead>\n{head}</thead>\n<tbody>\n{body}</tbody>\n'
        "</table></div>\n"
    )


def _row(row: Sequence[Cell], apart: bool) -> str:
    cells = "".join(
        f"<td{_kind(cell)}>{escape(cell.text)}</td>" if i else f'<th scope="row">{escape(cell.text)}</th>'
        for i, cell in enumerate(row)
    )
    rule = ' class="apart"' if apart else ""
    return f"<tr{rule}>{cells}</tr>\n"


def _kind(cell: Cell) -> str:
    hint = f' title="{cell.kind}"' if cell.kind in ("best", "worst") else ""
    return f' class="{cell.kind}"{hint}' if cell.kind else ""


def repeated_participants(split: pd.DataFrame) -> list[str]:
    """A note if participants have several test scans, which the statistics take for independent ones."""
    scans = split.loc[split["set"] == "test", "participant_id"]
    n_scans, n_people = len(scans), scans.nunique()
    if n_scans == n_people:
        return []
    return [
        f"Warning: the {n_scans} test scans are of {n_people} participants, and scans of one participant"
        " count here as independent. P values are too small and intervals too narrow."
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


def number(value: float, decimals: int = 2) -> str:
    """Fixed decimals with a true minus sign, never a negative zero; a dash where there is none."""
    if value is None or math.isnan(value):
        return DASH
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def spread(centre: float, low: float, high: float, decimals: int = 2) -> str:
    """``centre (low–high)``, a median with its quartiles for instance; ``to`` beside minus signs."""
    if math.isnan(centre):
        return DASH
    low_text, high_text = number(low, decimals), number(high, decimals)
    between = " to " if "−" in low_text + high_text else "–"
    return f"{number(centre, decimals)} ({low_text}{between}{high_text})"


def count(value: float) -> str:
    """A count; a mean of counts over seeds keeps one decimal."""
    if math.isnan(value):
        return DASH
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.1f}"


def share(part: float, whole: float) -> str:
    """``part/whole (percent)``; a dash of nothing."""
    if not whole:
        return DASH
    return f"{count(part)}/{count(whole)} ({100 * part / whole:.0f}%)"


def p_value(p: float) -> str:
    """P as radiology journals print it: no leading zero, three digits below .01, "<.001"."""
    if math.isnan(p):
        return DASH
    if p < 0.001:
        return "<.001"
    # .01 and .05 must not appear by rounding: one digit more decides.
    text = f"{p:.3f}" if p < 0.01 or 0.045 <= p < 0.055 else f"{p:.2f}"
    return ">.99" if float(text) >= 1 else text.removeprefix("0")
