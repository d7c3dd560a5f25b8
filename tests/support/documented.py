"""The commands of README.md and docs/, as they stand there: fenced blocks of sh, and what is said of each.

An HTML comment right above a block, which no reader sees, says that it is not run by the tests, and why
(``<!-- not run: it needs a cluster -->``), or that it takes over a minute (``<!-- slow -->``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from support import snake

FENCE = re.compile(
    r"(?:^ *<!-- (?P<comment>[^\n]*) -->\n)?^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
NOT_RUN = "not run: "
SLOW = "slow"
SHELLS = ("sh", "bash", "console", "shell", "")


@dataclass(frozen=True)
class Block:
    """A fenced block: where it stands, in which language, its text, and the comment above it."""

    page: str
    line: int
    language: str
    text: str
    comment: str

    @property
    def is_command(self) -> bool:
        return self.language in SHELLS

    @property
    def why_not_run(self) -> str:
        """Empty if it is run."""
        return self.comment.removeprefix(NOT_RUN) if self.comment.startswith(NOT_RUN) else ""

    @property
    def is_slow(self) -> bool:
        return self.comment == SLOW

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """README.md and all that is in docs/."""
    return [snake.REPOSITORY / "README.md", *sorted((snake.REPOSITORY / "docs").rglob("*.md"))]


def blocks() -> list[Block]:
    """All fenced blocks, in their order."""
    found = []
    for page in pages():
        content = page.read_text(encoding="utf-8")
        for match in FENCE.finditer(content):
            line = content[: match.start("language")].count("\n") + 1
            text = re.sub(f"^{match['indent']}", "", match["text"], flags=re.MULTILINE)
            name = str(page.relative_to(snake.REPOSITORY))
            found.append(Block(name, line, match["language"], text, match["comment"] or ""))
    return found


def commands() -> dict[str, list[Block]]:
    """By page, its blocks of commands."""
    by_page: dict[str, list[Block]] = {}
    for block in blocks():
        if block.is_command:
            by_page.setdefault(block.page, []).append(block)
    return by_page
