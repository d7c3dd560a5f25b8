"""Check a sample sheet, or list its columns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from headct.contracts.terminal import say
from headct.imaging import sources
from headct.settings import sheet

EFFECT = "speed"  # a sheet is written, or looked at; what it says is read by the steps themselves


def commands() -> dict[str, Callable[..., None]]:
    """Functions by the word that follows ``sheet``."""
    return {"check": check, "columns": columns}


def check(path: Path, /) -> None:
    """Tell all faults of a sheet: of its header, rows and table, and of every file that it names.

    Args:
        path: the sheet.
    """
    scans = sheet.baseline(sheet.check(path, sources.why_not))
    participants = len(set(sheet.participants(scans).values()))
    say(f"{path}: {len(scans)} baseline scans of {participants} participants, no fault")


def columns() -> None:
    """Print the columns of a sheet with an example of each, as a table in Markdown."""
    say(sheet.table_of_columns(), end="")
