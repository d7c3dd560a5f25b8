"""Every command that README.md and docs/ show is run as it stands there, page by page, in a fresh shell."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from support import documented, snake
from support.documented import Block

COMMANDS = documented.commands()
NOT_RUN = [block for blocks in COMMANDS.values() for block in blocks if block.why_not_run]
QUICK = [
    page for page, blocks in COMMANDS.items() if any(not b.why_not_run and not b.is_slow for b in blocks)
]
SLOW = [page for page, blocks in COMMANDS.items() if any(block.is_slow for block in blocks)]
FRESH = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": os.environ.get("HOME", "/")}


def lines_of(*pages: str) -> set[str]:
    """The lines of pages that their own tests always run, without comments."""
    blocks = [b for page in pages for b in COMMANDS[page] if not b.why_not_run and not b.is_slow]
    return {line.split("#")[0].strip() for block in blocks for line in block.text.splitlines()}


@pytest.fixture(scope="module")
def repository(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with its environment, the finished demo, and a sheet of the study's own."""
    clone = snake.copy_with_demo(demo, tmp_path_factory.mktemp("documented") / "clone")
    (clone / ".venv").mkdir()
    for part in (snake.REPOSITORY / ".venv").iterdir():
        (clone / ".venv" / part.name).symlink_to(part)
    (clone / ".venv/.ready").unlink()
    (clone / ".venv/.ready").touch()  # else `make` would install the copy into the environment of this one
    heading, *rows = (demo / "trial/scans.tsv").read_text(encoding="utf-8").splitlines()
    paths = [i for i, column in enumerate(heading.split("\t")) if column.startswith(("dicom", "mask"))]
    lines = [heading]
    for row in rows:
        cells = row.split("\t")
        lines.append(
            "\t".join(
                f"../demo/trial/{cell}" if i in paths and cell else cell for i, cell in enumerate(cells)
            )
        )
    (clone / "config/scans.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return clone


def commands_of(block: Block) -> str:
    """Its text without what a page before it has word for word: that is run by that page's own test."""
    pages = list(COMMANDS)
    run_before = lines_of(*pages[: pages.index(block.page)])
    return "".join(
        line
        for line in block.text.splitlines(keepends=True)
        if not (line.startswith(("make ", "python ")) and line.split("#")[0].strip() in run_before)
    )


def run(blocks: list[Block], folder: Path) -> None:
    """Run blocks in their order, in one bash that has PATH and HOME only and stops at the first fault."""
    script = "set -eo pipefail\n"
    script += "".join(f"echo '>>> {block}' >&2\n{commands_of(block)}" for block in blocks)
    shell = subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", script],
        cwd=folder,
        env=FRESH,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=1800,
    )
    assert shell.returncode == 0, shell.stdout[-6000:]


@pytest.mark.parametrize("page", QUICK)
def test_the_commands_of_a_page_run_from_a_fresh_shell(repository: Path, page: str) -> None:
    run([block for block in COMMANDS[page] if not block.why_not_run and not block.is_slow], repository)


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", SLOW or [pytest.param("", marks=pytest.mark.skip("no page has slow commands"))]
)
def test_with_those_that_take_over_a_minute(repository: Path, page: str) -> None:
    run([block for block in COMMANDS[page] if not block.why_not_run], repository)


@pytest.mark.parametrize("block", NOT_RUN, ids=str)
def test_what_is_not_run_says_why(block: Block) -> None:
    assert len(block.why_not_run) > 10, "a reason, in words"
    pytest.skip(f"{block}: {block.why_not_run}")


def test_no_command_escapes() -> None:
    """Indented code and comments of another form would be run by no test."""
    for page in documented.pages():
        text = page.read_text(encoding="utf-8")
        outside = documented.FENCE.sub("", text)
        assert "```" not in outside, f"{page}: a fence that is not understood"
        indented = re.findall(r"(?:\A|\n)\n( {4,}\S.*)", outside)
        assert not indented, f"{page}: code that is indented instead of fenced, {indented[:3]}"
    known = (documented.NOT_RUN, documented.SLOW)
    odd = [f"{block}: {block.comment}" for block in documented.blocks() if block.comment]
    assert all(comment.split(": ", 1)[1].startswith(known) for comment in odd), odd
