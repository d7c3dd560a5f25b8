"""A table as LaTeX, to be ``\\input`` into a paper; needs booktabs, longtable and array, nothing else.

Every character that LaTeX reads as a command is escaped, and signs beyond Latin-1 are written as
commands, so that any engine takes it. Set for lines of 160 mm (A4 with margins of 25 mm) in a document of
10 pt: what is wider is cut between its columns, the first of them repeated, or its running text is broken.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from textwrap import wrap

from headct.publish.tables.table_page import EVIDENCE, Cell, Panel, Table


def _greek() -> dict[str, str]:
    """Greek letters as commands; those that look like Latin ones have none and are these."""
    names = (
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "zeta",
        "eta",
        "theta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "o",
        "pi",
        "rho",
        "varsigma",
        "sigma",
        "tau",
        "upsilon",
        "phi",
        "chi",
        "psi",
        "omega",
    )
    with_capital = {
        "Gamma",
        "Delta",
        "Theta",
        "Lambda",
        "Xi",
        "Pi",
        "Sigma",
        "Upsilon",
        "Phi",
        "Psi",
        "Omega",
    }
    latin = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧο", "ABEZHIKMNOPTXo", strict=True))
    small = {chr(ord("α") + i): f"$\\{name}$" for i, name in enumerate(names)}
    capital = {
        letter.upper(): f"$\\{name.capitalize()}$"
        for letter, name in zip(small, names, strict=True)
        if name.capitalize() in with_capital
    }
    return small | capital | latin


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
        "—": "---",
        "“": "``",
        "”": "''",
        '"': "''",
        "„": ",{},",
        "‘": "`",
        "’": "'",
        "«": r"$\ll$",
        "»": r"$\gg$",
        "‹": "$<$",
        "›": "$>$",
        "…": r"\ldots{}",
        "→": r"$\rightarrow$",
        "≈": r"$\approx$",
        "≠": r"$\neq$",
        "∞": r"$\infty$",
        "µ": r"$\mu$",
        **_greek(),
    }
)

ACCENTS = {
    "\u0300": "`",
    "\u0301": "'",
    "\u0302": "^",
    "\u0303": "~",
    "\u0304": "=",
    "\u0306": "u",
    "\u0307": ".",
    "\u0308": '"',
    "\u030a": "r",
    "\u030b": "H",
    "\u030c": "v",
    "\u0327": "c",
}
"""Commands of the accents that letters beyond Latin-1 are put together with."""

LAST_OF_LATIN_1 = 0xFF

READ_AS_ARGUMENT = ("[", "*", "(")
"""What a row, line or rule before it would take for an argument of its own, if a text begins with it."""

LINE = 100
"""Digits that a line of 160 mm takes at \\footnotesize, with some room to spare."""
COLUMN_GAP = 1.5
"""Digits that the space between two columns takes."""
HEADING = 11
"""Digits from which on the heading of a narrow column is broken."""

MARKS = {"best": r"\textbf{%s}", "worst": r"\underline{\textit{%s}}"}


NUMBERED = re.compile(r"^Table \w+\. ")
"""How a title begins that has a number of its own: LaTeX gives another."""


def latex(table: Table, title_note: str = "", evidence: str = "", name: str = "") -> str:
    """The whole fragment: caption and label, panels, notes, and the evidence digest as on the page.

    It is one table, with one number, however many panels it has: ``\\ref{tab:name}`` leads to it.

    Args:
        table: that is written.
        title_note: the study, behind the title.
        evidence: digest of what the numbers rest on.
        name: of the table's files, in the label; an underscore becomes a hyphen.
    """
    title = NUMBERED.sub("", f"{table.title} ({title_note})" if title_note else table.title)
    caption = rf"\caption{{{escape(title)}}}\label{{tab:{name.replace('_', '-')}}} \\" + "\n"
    first, *others = (part for panel in table.panels for part in _fitting(panel))
    notes = "".join(rf"\par\noindent {escape(note)}" + "\n" for note in table.notes)
    footer = rf"\par\noindent {escape(EVIDENCE)}\\ \texttt{{{evidence}}}" + "\n"
    return (
        "% needs \\usepackage{booktabs,longtable,array}\n"
        "\\begingroup\\footnotesize\\setlength{\\tabcolsep}{3pt}\\setlength{\\LTcapwidth}{\\linewidth}\n"
        + _longtable(first, caption)
        + "".join("\\addtocounter{table}{-1}\n" + _longtable(part) for part in others)
        + notes
        + (footer if evidence else "")
        + "\\par\\endgroup\n"
    )  # fmt: skip


def escape(text: str) -> str:
    """Text as LaTeX prints it; what it has no command for stays, for engines that read Unicode."""
    text = re.sub("-(?=-)", "-\0", text)  # else two hyphens were a dash
    whole = "".join(_letter(sign) for sign in text).replace("\0", "{}")
    return "{}" + whole if text.startswith(READ_AS_ARGUMENT) else whole


def _letter(sign: str) -> str:
    """One character: a command, itself, or a letter with its accent."""
    written = sign.translate(SIGNS)
    if written != sign or ord(sign) <= LAST_OF_LATIN_1:
        return written
    letter, *accents = list(unicodedata.normalize("NFD", sign))
    if accents and letter.isascii() and all(accent in ACCENTS for accent in accents):
        for accent in accents:
            letter = rf"\{ACCENTS[accent]}{{{letter}}}"
        return letter
    return sign


def _longtable(panel: Panel, caption: str = "") -> str:
    """A grid; its head is repeated on each of its pages, the caption is not."""
    rows = "".join(
        ("\\midrule\n" if i in panel.apart else "") + " & ".join(map(_cell, row)) + " \\\\\n"
        for i, row in enumerate(panel.rows)
    )
    columns = zip(panel.columns, _widest(panel), _text_columns(panel), strict=True)
    names = (_name(name, width, "l" if of_text else "r") for (_, name), width, of_text in columns)
    heading = _above(panel, rf"\textbf{{{escape(panel.heading)}}}")
    lead = _above(panel, rf"\parbox[t]{{\linewidth}}{{\raggedright {escape(panel.lead)}\strut}}")
    head = (
        (heading if panel.heading else "")
        + (lead if panel.lead else "")
        + "\\toprule\n"
        + _groups(panel.columns)
        + " & ".join(names)
        + " \\\\\n\\midrule\n"
    )  # fmt: skip
    return (
        rf"\begin{{longtable}}[l]{{{_kinds(panel)}}}" + "\n"
        + (f"{caption}{head}\\endfirsthead\n" if caption else "")
        + head
        + "\\endhead\n\\bottomrule\n\\endfoot\n"
        + rows
        + "\\end{longtable}\n"
    )  # fmt: skip


def _above(panel: Panel, text: str) -> str:
    """A row above the grid, in a box without width: it must not make the table wider."""
    row = rf"\multicolumn{{{len(panel.columns)}}}{{@{{}}l}}{{\makebox[0pt][l]{{{text}}}}} \\"
    return row + "\n"


def _fitting(panel: Panel) -> list[Panel]:
    """The panel in parts that fit into a line: groups of columns stay together, those before them repeat.

    What is no group goes column by column; then the first column repeats.
    """
    least = _least(panel)
    groups = [i for i, (group, _) in enumerate(panel.columns) if group]
    first = groups[0] if groups else 1
    units: list[list[int]] = []
    for i, (group, _) in enumerate(panel.columns[first:], start=first):
        if group and units and panel.columns[units[-1][-1]][0] == group:
            units[-1].append(i)
        else:
            units.append([i])
    parts = [[*range(first)]]
    for unit in units:
        if len(parts[-1]) > first and _sum(least[i] for i in [*parts[-1], *unit]) > LINE:
            parts.append([*range(first)])
        parts[-1] += unit
    panels = []
    for place, part in enumerate(parts):
        columns = [panel.columns[i] for i in part]
        rows = [[row[i] for i in part] for row in panel.rows]
        continued = ", continued" if place and panel.heading else ""
        lead = "" if place else panel.lead
        panels.append(Panel(columns, rows, panel.heading + continued, panel.apart, lead))
    return panels


def _sum(widths: Iterable[float]) -> float:
    """Width of columns beside each other."""
    return sum(width + COLUMN_GAP for width in widths)


def _text_columns(panel: Panel) -> list[bool]:
    """Columns whose cells may be broken: the names of the rows, and running text."""
    return [i == 0 or any(row[i].kind == "text" for row in panel.rows) for i in range(len(panel.columns))]


def _widest(panel: Panel) -> list[int]:
    """Characters of the longest cell of each column, headings aside."""
    return [max(map(len, texts), default=0) for texts in _texts(panel)]


def _texts(panel: Panel) -> Iterator[list[str]]:
    """Texts of the cells of each column, headings aside."""
    for i in range(len(panel.columns)):
        yield [row[i].text for row in panel.rows]


def _least(panel: Panel) -> list[int]:
    """Characters that each column takes at least: its longest word, where it may be broken."""
    found = []
    for (_, name), breakable, texts in zip(panel.columns, _text_columns(panel), _texts(panel), strict=True):
        longest = max((len(word) for text in texts for word in text.split()), default=0)
        least = min(longest, LINE) if breakable else max(map(len, texts), default=0)
        heading = max(map(len, _broken(name, least)))
        found.append(max(least, heading))
    return found


def _kinds(panel: Panel) -> str:
    """The columns of a longtable; those of text share what the others leave, if they need more."""
    least, text = _least(panel), _text_columns(panel)
    natural = [max(pair) for pair in zip(_widest(panel), least, strict=True)]
    spare = LINE - _sum(least)
    wish = sum(n - m for n, m in zip(natural, least, strict=True))
    kinds = []
    for i, breakable in enumerate(text):
        if breakable and wish > spare and natural[i] > least[i]:
            width = least[i] + max(spare, 0) * (natural[i] - least[i]) / wish
            kinds.append(rf">{{\raggedright\arraybackslash}}p{{{width / LINE:.3f}\linewidth}}")
        else:
            kinds.append("l" if breakable else "r")
    return "".join(kinds)


def _broken(name: str, width: int) -> list[str]:
    """A heading in lines no longer than its column's cells, or than :data:`HEADING`, where words allow."""
    return wrap(name, max(width, HEADING), break_long_words=False, break_on_hyphens=False) or [""]


def _name(name: str, width: int, side: str) -> str:
    lines = [escape(line) for line in _broken(name, width)]
    return lines[0] if len(lines) == 1 else rf"\shortstack[{side}]{{" + r"\\".join(lines) + "}"


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
