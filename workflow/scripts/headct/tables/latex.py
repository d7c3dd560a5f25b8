"""A table as LaTeX, to be ``\\input`` into a paper; needs booktabs, longtable and array, nothing else.

Every character that LaTeX reads as a command is escaped, and signs beyond Latin-1 are written as
commands, so that any engine takes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from headct.tables.page import Cell, Panel, Table

SIGNS = str.maketrans(
    {
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": "$<$",
        ">": "$>$",
        "|": "$|$",
        "−": "$-$",
        "±": r"$\pm$",
        "×": r"$\times$",
        "·": r"$\cdot$",
        "√": r"$\surd$",
        "Σ": r"$\Sigma$",
        "≤": r"$\leq$",
        "≥": r"$\geq$",
        "²": "$^2$",
        "–": "--",
        "“": "``",
        "”": "''",
        "’": "'",
        "…": r"\ldots{}",
    }
)

TEXT_SHARE = 0.8
"""Share of the line that columns of running text divide among themselves."""

MARKS = {"best": r"\textbf{%s}", "worst": r"\underline{\textit{%s}}"}


def latex(table: Table, title_note: str = "") -> str:
    """The whole fragment: title, panels, notes."""
    title = f"{table.title} ({title_note})" if title_note else table.title
    notes = "".join(rf"\par\noindent {escape(note)}" + "\n" for note in table.notes)
    return (
        "% needs \\usepackage{booktabs,longtable,array}\n"
        "\\begingroup\\footnotesize\n"
        rf"\noindent\textbf{{{escape(title)}}}\par" + "\n"
        + "".join(map(_panel, table.panels))
        + notes
        + "\\par\\endgroup\n"
    )  # fmt: skip


def escape(text: str) -> str:
    """Text as LaTeX prints it."""
    return text.translate(SIGNS)


def _panel(panel: Panel) -> str:
    n = len(panel.columns)
    of_text = {i for row in panel.rows for i, cell in enumerate(row) if cell.kind == "text"}
    width = f"{TEXT_SHARE / max(len(of_text), 1):.3f}".rstrip("0")
    kinds = [
        rf">{{\raggedright\arraybackslash}}p{{{width}\linewidth}}" if i in of_text else "r" if i else "l"
        for i in range(n)
    ]
    heading = rf"\multicolumn{{{n}}}{{l}}{{\textbf{{{escape(panel.heading)}}}}} \\" + "\n"
    rows = "".join(
        ("\\midrule\n" if i in panel.apart else "") + " & ".join(map(_cell, row)) + " \\\\\n"
        for i, row in enumerate(panel.rows)
    )
    return (
        rf"\begin{{longtable}}{{{''.join(kinds)}}}" + "\n"
        + (heading if panel.heading else "")
        + "\\toprule\n"
        + _groups(panel.columns)
        + " & ".join(escape(name) for _, name in panel.columns)
        + " \\\\\n\\midrule\n\\endhead\n\\bottomrule\n\\endfoot\n"
        + rows
        + "\\end{longtable}\n"
    )  # fmt: skip


def _groups(columns: Sequence[tuple[str, str]]) -> str:
    """The line of headings that stand over several columns; nothing if there are none."""
    if not any(group for group, _ in columns):
        return ""
    cells, rules, start = [], [], 1
    for group, members in groupby(columns, key=lambda column: column[0]):
        span = len(list(members))
        if group:
            cells.append(rf"\multicolumn{{{span}}}{{c}}{{{escape(group)}}}")
            rules.append(rf"\cmidrule(lr){{{start}-{start + span - 1}}}")
        else:
            cells += [""] * span
        start += span
    return " & ".join(cells) + " \\\\\n" + "".join(rules) + "\n"


def _cell(cell: Cell) -> str:
    return MARKS.get(cell.kind, "%s") % escape(cell.text)
