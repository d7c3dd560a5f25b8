"""A reader of the LaTeX that the tables write, strict where TeX is, for where there is none; and TeX."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

COLUMN = re.compile(r">\{\\raggedright\\arraybackslash\}p\{[0-9.]+\\linewidth\}|[lcr]")
COMMANDS = {
    "begin",
    "end",
    "begingroup",
    "endgroup",
    "footnotesize",
    "noindent",
    "par",
    "textbf",
    "textit",
    "texttt",
    "underline",
    "multicolumn",
    "cmidrule",
    "toprule",
    "midrule",
    "bottomrule",
    "endhead",
    "endfoot",
    "raggedright",
    "arraybackslash",
    "linewidth",
    "ldots",
    "pm",
    "times",
    "cdot",
    "surd",
    "Sigma",
    "leq",
    "setlength",
    "tabcolsep",
    "caption",
    "label",
    "endfirsthead",
    "LTcapwidth",
    "addtocounter",
    "makebox",
    "parbox",
    "strut",
    "shortstack",
    "geq",
    "textbackslash",
    "textasciitilde",
    "textasciicircum",
    "approx",
    "neq",
    "rightarrow",
    "infty",
    "ll",
    "gg",
    "mu",
    "alpha",
    "kappa",
    "Omega",
    "r",
    "v",
    "c",
    "H",
    "u",
}
"""What LaTeX with booktabs, longtable and array knows, of what we write."""


def assert_latex_compiles(text: str) -> None:
    """Braces and dollars are balanced, environments nest, commands exist, each row fills its columns."""
    body = "\n".join(line for line in text.split("\n") if not line.startswith("%"))
    assert not set(re.findall(r"(?<!\\)\\([A-Za-z]+)", body)) - COMMANDS, "an unknown command"
    assert all(ord(character) < 256 for character in text), "a sign that not every engine has"
    bare = re.sub(r"\\[\\&%$#_{}]", "", body)
    assert all(line.count("$") % 2 == 0 for line in bare.split("\n")), "a formula does not end"
    assert not re.search(r"[%#_~^]", re.sub(r"\$[^$\n]*\$", "", bare)), "a special character is bare"
    depth = 0
    for character in bare:
        depth += {"{": 1, "}": -1}.get(character, 0)
        assert depth >= 0, "a brace closes nothing"
    assert depth == 0, "a brace stays open"
    still_open: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(\w+)\}", body):
        if kind == "begin":
            still_open.append(name)
        else:
            assert still_open.pop() == name
    assert not still_open, "an environment stays open"
    one_number = body.count(r"\addtocounter{table}{-1}") + body.count(r"\caption{")
    assert one_number == body.count(r"\begin{longtable}"), "a grid without a caption takes a number"
    for table in re.findall(r"\\begin\{longtable\}(.*?)\\end\{longtable\}", body, flags=re.DOTALL):
        spec, _, rows = table.removeprefix("[l]").partition("\n")
        assert COLUMN.sub("", spec[1:-1]) == "", "an unknown kind of column"
        n = len(COLUMN.findall(spec[1:-1]))
        begins = re.findall(r"(?:\\\\|\\(?:top|mid|bottom)rule)\s*([\[*(])", rows)
        assert not begins, "a row begins with what the line before it takes for its argument"
        rows = re.sub(r"^\\caption\{.*\}\\label\{tab:[\w-]*\} \\\\\n", "", rows)
        rows = re.sub(r"\\shortstack\[.\]\{[^{}]*\}", "", rows)
        for row in rows.split("\\\\\n")[:-1]:
            spans = [int(span) for span in re.findall(r"\\multicolumn\{(\d+)\}", row)]
            cells = 1 + len(re.findall(r"(?<!\\)&", row)) + sum(spans) - len(spans)
            assert cells == n, f"{cells} cells in {n} columns: {row}"


MANUSCRIPT = r"""\documentclass{article}
\usepackage[a4paper,margin=25mm]{geometry}
\usepackage{booktabs,longtable,array}
\begin{document}
%s
\end{document}
"""

needs_pdflatex = pytest.mark.skipif(
    shutil.which("pdflatex") is None,
    reason="pdflatex not found: apt-get install texlive-latex-base texlive-latex-recommended",
)


def assert_pdflatex_compiles(folder: Path, *fragments: Path) -> None:
    """In one document, without an error, nothing wider than a line of 160 mm; twice, as a longtable needs.

    Args:
        folder: in which TeX writes.
        fragments: what the document takes in.
    """
    folder.mkdir(parents=True, exist_ok=True)
    included = "\n".join(rf"\input{{{fragment.resolve()}}}" for fragment in fragments)
    (folder / "manuscript.tex").write_text(MANUSCRIPT % included, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "manuscript"]
    for _ in range(2):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull \\hbox" not in done.stdout, done.stdout
