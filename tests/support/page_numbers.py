"""The text of a page of results as its readers see it, and the cells that its numbers are quoted from."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from headct.contracts.artefacts import without_mark
from headct.contracts.repository import REPOSITORY

SEALED = "audit/workflow/"
"""Where the copy of the software is, below the results, once they are sealed."""

UNSEEN = {"script", "style", "title", "noscript"}
FILLED_BY_SCRIPTS = {"explorer", "viewer", "review"}
"""Elements whose text scripts make, in a browser."""

VOID = {"meta", "link", "br", "img", "input", "hr", "col", "wbr"}


@dataclass(frozen=True)
class Quoted:
    """A number or words of the page, and the cell that they say they are from."""

    text: str
    value: str | None
    file: str
    row: dict[str, str]
    column: str


class Walked(HTMLParser):
    """Every text of a page: what is quoted, what is a name, and the digits that are neither.

    Fails on tags that don't close.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[tuple[str, dict[str, str]]] = []
        self.quoted: list[Quoted] = []
        self.unquoted: list[str] = []
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in VOID:
            return
        named = {name: value or "" for name, value in attrs}
        if tag == "data":
            assert not self._inside_quoted(), "a number within a number"
            self.text_of_quoted = ""
        self.open.append((tag, named))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID, tag

    def handle_endtag(self, tag: str) -> None:
        opened, named = self.open.pop()
        assert opened == tag, f"<{opened}> ends with </{tag}>"
        if tag == "data":
            row = json.loads(named["data-row"])
            found = Quoted(
                self.text_of_quoted, named.get("value"), named["data-file"], row, named["data-column"]
            )
            self.quoted.append(found)

    def handle_data(self, data: str) -> None:
        if any(tag in UNSEEN or named.get("id") in FILLED_BY_SCRIPTS for tag, named in self.open):
            return
        self.text += data
        if self._inside_quoted():
            self.text_of_quoted += data
        elif re.search(r"\d", data) and not self._inside_name():
            self.unquoted.append(" ".join(data.split()))

    def _inside_quoted(self) -> bool:
        return any(tag == "data" for tag, _ in self.open)

    def _inside_name(self) -> bool:
        return any("name" in named.get("class", "").split() for _, named in self.open)


def faults(page: Path, results: Path) -> list[str]:
    """What is wrong with the numbers of a page: those that name no cell, or are not what it holds."""
    walked = Walked(page.read_text(encoding="utf-8"))
    assert walked.quoted, "a page without numbers"
    cells = Cells(results)
    found = [f"no cell is named for: {text}" for text in walked.unquoted]
    for quoted in walked.quoted:
        try:
            held = cells.of(quoted)
        except (LookupError, OSError, ValueError) as error:
            found.append(f"{quoted}: {error!r}")
            continue
        if not agrees(quoted, held):
            found.append(f"{quoted}: the file holds {held!r}")
    return found


def agrees(quoted: Quoted, held: str) -> bool:
    """Whether a text is what a cell holds: word for word, or the number as it is printed."""
    if quoted.value is None:
        return quoted.text == held
    return quoted.value == held and is_printed_as(float(held), quoted.text)


def is_printed_as(value: float, text: str) -> bool:
    """Whether a number rounds to what is printed: 0.364, −1.2, 76%, .04, <.001, >.99."""
    printed = text.replace("−", "-")
    if printed.endswith("%"):
        value, printed = 100 * value, printed.removesuffix("%")
    if printed.startswith("<"):
        return value < float(printed[1:])
    if printed.startswith(">"):
        return value > float(printed[1:]) - 0.005
    decimals = len(printed.partition(".")[2])
    return math.isclose(float(printed), value, rel_tol=0, abs_tol=0.5 * 10**-decimals + 1e-9)


class Cells:
    """Cells of the files of a results folder, read without the code that made the page."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self.read: dict[str, Any] = {}

    def of(self, quoted: Quoted) -> str:
        """What stands in a cell.

        Raises:
            LookupError: there is none, or several.
        """
        path = self._path(quoted.file)
        if path.suffix == ".json":
            content = self._once(quoted.file, lambda: json.loads(path.read_text(encoding="utf-8")))
            for key in quoted.row.values():
                content = content[key]
            return str(content[quoted.column])
        if path.suffix == ".rst":
            return _paragraph(path.read_text(encoding="utf-8"), quoted.text)
        lines = self._once(quoted.file, lambda: list(_lines(path)))
        found = [line for line in lines if all(line[key] == cell for key, cell in quoted.row.items())]
        if len(found) != 1:
            raise LookupError(f"{len(found)} rows")
        return found[0][quoted.column]

    def _path(self, file: str) -> Path:
        """Of a file of the results, or of the software, which is copied once they are sealed."""
        sealed = self.results / file
        if file.startswith(SEALED) and not sealed.is_file():
            return REPOSITORY / file.removeprefix(SEALED)
        return sealed

    def _once(self, file: str, read: Any) -> Any:
        if file not in self.read:
            self.read[file] = read()
        return self.read[file]


def _lines(path: Path) -> Iterator[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as stream:
        for line in csv.DictReader(stream, delimiter="\t"):
            yield {without_mark(column): without_mark(cell) for column, cell in line.items()}


def _paragraph(text: str, sought: str) -> str:
    """The paragraph of a plain caption that has these words, without its marks."""
    paragraphs = [" ".join(re.sub(r"\*\*|``", "", one).split()) for one in text.split("\n\n")]
    if sought not in paragraphs:
        raise LookupError(f"no such paragraph among {len(paragraphs)}")
    return sought
