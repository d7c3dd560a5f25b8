"""A table as LaTeX, to be ``\\input`` into a paper; needs booktabs, longtable and array, nothing else.

Every character that LaTeX reads as a command is escaped, and signs beyond Latin-1 are written as
commands, so that any engine takes it. Set for lines of 160 mm (A4 with margins of 25 mm) in a document of
10 pt: what is wider is cut between its columns, the first of them repeated, or its running text is broken.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
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

LINE = 105
"""Digits that a line of 160 mm takes at \\footnotesize, with some room to spare."""
COLUMN_GAP = 1.5
"""Digits that the space between two columns takes."""
HEADING = 11
"""Digits from which on the heading of a narrow column is broken."""

WIDE = re.compile("[−±×<>=+%mwA-Z]")
"""What takes up to 1.6 times as much as a digit."""
NARROW = re.compile("[ .,:;'()|ijlt]")
"""What takes .6 to .8 times as much."""

BOLD = 1.15
"""How much wider bold digits are."""
WORD = re.compile(r"[^\s-]+-*|-+")
"""What TeX does not break; it does behind a hyphen."""

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
        + _groups(panel)
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

    What is no group, or has no room in a line, goes column by column; without groups the first one repeats.
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
    for unit in _cut(units, least, LINE - _sum(least[:first])):
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


def _cut(units: list[list[int]], least: Sequence[int], room: float) -> list[list[int]]:
    """Columns that stay together where there is room for them, and else each alone."""
    cut = []
    for unit in units:
        cut += [unit] if _sum(least[i] for i in unit) <= room else [[i] for i in unit]
    return cut


def _sum(widths: Iterable[float]) -> float:
    """Width of columns beside each other."""
    return sum(width + COLUMN_GAP for width in widths)


def _text_columns(panel: Panel) -> list[bool]:
    """Columns whose cells may be broken: the names of the rows, and running text."""
    return [i == 0 or any(row[i].kind == "text" for row in panel.rows) for i in range(len(panel.columns))]


def _length(text: str) -> int:
    """Digits that a text takes."""
    return math.ceil(len(text) + 0.6 * len(WIDE.findall(text)) - 0.3 * len(NARROW.findall(text)))


def _length_of(cell: Cell) -> int:
    """Digits that a cell takes; bold ones are wider."""
    return math.ceil(_length(cell.text) * (BOLD if cell.kind == "best" else 1))


def _cells(panel: Panel) -> list[list[Cell]]:
    """The cells of each column, headings aside."""
    return [[row[i] for row in panel.rows] for i in range(len(panel.columns))]


def _widest(panel: Panel) -> list[int]:
    """Digits that the longest cell of each column takes."""
    return [max(map(_length_of, cells), default=0) for cells in _cells(panel)]


def _least(panel: Panel) -> list[int]:
    """Digits that each column takes at least: its longest word, where it may be broken.

    What the heading of a group takes beyond its columns, TeX adds to the last of them.
    """
    found = _least_alone(panel)
    for group, columns in _spans(panel):
        width = _width(found, columns)
        found[columns[-1]] += max(0, max(map(_length, _broken(group, width))) - width)
    return found


def _spans(panel: Panel) -> list[tuple[str, list[int]]]:
    """Headings that stand over one column or several that follow each other, and these columns."""
    groups = groupby(range(len(panel.columns)), key=lambda i: panel.columns[i][0])
    return [(group, list(columns)) for group, columns in groups]


def _width(least: Sequence[int], columns: Sequence[int]) -> int:
    """Digits that a heading over several columns may take without making them wider."""
    return int(_sum(least[i] for i in columns) - COLUMN_GAP)


def _least_alone(panel: Panel) -> list[int]:
    """Digits that each column takes at least, but for headings over several."""
    found = []
    for (_, name), breakable, cells in zip(panel.columns, _text_columns(panel), _cells(panel), strict=True):
        longest = max((_length(word) for cell in cells for word in WORD.findall(cell.text)), default=0)
        least = min(longest, LINE) if breakable else max(map(_length_of, cells), default=0)
        heading = max(map(_length, _broken(name, least)))
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


def _groups(panel: Panel) -> str:
    """The line of headings that stand over several columns; nothing if there are none."""
    if not any(group for group, _ in panel.columns):
        return ""
    least, cells, rules = _least_alone(panel), [], []
    for group, columns in _spans(panel):
        if group:
            words = _name(group, _width(least, columns), "c")
            cells.append(rf"\multicolumn{{{len(columns)}}}{{c}}{{{words}}}")
            rules.append(rf"\cmidrule(lr){{{columns[0] + 1}-{columns[-1] + 1}}}")
        else:
            cells += [""] * len(columns)
    return " & ".join(cells) + " \\\\\n" + "".join(rules) + "\n"


def _cell(cell: Cell) -> str:
    return MARKS.get(cell.kind, "%s") % escape(cell.text)
