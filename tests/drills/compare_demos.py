"""Whether two finished demos hold the same results: ``python tests/drills/compare_demos.py BEFORE AFTER``.

For a change that must change no number. Tables, figures, label maps, volumes, weights and the evidence digest
must be equal byte by byte; pages, LaTeX and Markdown in their text, without the identity of files; records of
runs say when, where and by which code, and are not compared. Exit status 1 if anything differs.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

BYTES = (".tsv", ".pdf", ".svg", ".png", ".nii.gz", ".pth")
TEXT = (".html", ".tex", ".md")
OF_A_RUN = (
    r"audit/(?!evidence)",
    r"logs/",
    r"models/training_times\.",  # how long it took
    r"predictions/.*/seed-\d+\.tsv$",  # seconds per scan
    r"data/shards/",  # digests of scan.json, which names the code
)
"""Paths below results/ that say when, where, how long or by which code, and may differ."""


class _Text(HTMLParser):
    """The words of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []

    def handle_data(self, data: str) -> None:
        self.words += data.split()


def text_of(path: Path) -> list[str]:
    """The words of a page or a text; digests count for nothing."""
    content = path.read_text(encoding="utf-8")
    if path.suffix == ".html":
        parser = _Text()
        parser.feed(content)
        words = parser.words
    else:
        words = content.split()
    return [word for word in words if not re.search(r"[0-9a-f]{12}", word)]


def differences(before: Path, after: Path) -> Iterator[str]:
    """Each file that is in one demo only, or differs, with how."""
    files = {path.relative_to(folder).as_posix() for folder in (before, after) for path in folder.rglob("*")}
    for name in sorted(files):
        one, other = before / name, after / name
        if any(re.match(pattern, name) for pattern in OF_A_RUN) or one.is_dir() or other.is_dir():
            continue
        if not (one.is_file() and other.is_file()):
            yield f"{name}: only {'before' if one.is_file() else 'after'}"
        elif name.endswith(BYTES) and one.read_bytes() != other.read_bytes():
            yield f"{name}: other bytes"
        elif name.endswith(TEXT) and text_of(one) != text_of(other):
            yield f"{name}: other words"
    evidence = [
        json.loads((folder / "audit/evidence.json").read_text())["sha256"] for folder in (before, after)
    ]
    if evidence[0] != evidence[1]:
        yield "audit/evidence.json: another digest"


def main() -> int:
    before, after = (Path(folder) / "results" for folder in sys.argv[1:3])
    found = list(differences(before, after))
    print("\n".join(found) or "No difference.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
