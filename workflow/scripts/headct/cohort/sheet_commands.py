"""Check a sample sheet, list its columns, or write one: of a known data set, or of what is found."""

from __future__ import annotations

import datetime
import random
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from headct.cohort import adopting, proposing
from headct.cohort.layouts import all_layouts, words
from headct.cohort.layouts.adopted import not_laid_out_so, what_else_it_is
from headct.contracts.problems import WrongOptions
from headct.contracts.terminal import say
from headct.imaging import sources
from headct.settings import sheet

EFFECT = "speed"  # a sheet is written, or looked at; what it says is read by the steps themselves


def commands() -> dict[str, Callable[..., None]]:
    """Functions by the word that follows ``sheet``."""
    return {"check": check, "columns": columns, "adopt": adopt, "propose": propose}


def check(path: Path, /) -> None:
    """Tell all faults of a sheet: of its header, rows and table, and of every file that it names.

    Args:
        path: the sheet.
    """
    scans = sheet.baseline(sheet.check(path, sources.why_not))
    participants = len(set(sheet.participants(scans).values()))
    lesions = sorted({lesion for row in scans for column in row if (lesion := sheet.of_column(column)[1])})
    say(f"{path}: {len(scans)} baseline scans of {participants} participants, no fault")
    if lesions:
        say(f"Lesions with files of their own, which a run holds against labels: {', '.join(lesions)}")


def columns() -> None:
    """Print the columns of a sheet with an example of each, as a table in Markdown."""
    say(sheet.table_of_columns(), end="")


def adopt(
    layout: Annotated[str, Parameter(help=f"How the folder is laid out: {', '.join(words())}.")],
    folder: Path,
    /,
    *,
    out: Path,
    participant: str = "",
) -> None:
    """Write sheet, configuration, analysis plan and a note for a data set of a known layout.

    Args:
        layout: how the folder is laid out, by the name of its module with hyphens.
        folder: of the data set; it is only read.
        out: folder of the study, in which nothing is overwritten.
        participant: regular expression that finds the participant in the name of a scan, by its first group
            if it has one; without it, as the layout says.
    """
    layouts = all_layouts()
    if layout not in layouts:
        raise WrongOptions(f"no such layout: {layout}; there are {', '.join(layouts)}")
    try:
        pattern = re.compile(participant) if participant else None
    except re.error as error:
        raise WrongOptions(f"--participant: no regular expression: {error}") from error
    if not layouts[layout].recognises(folder):
        hint = what_else_it_is(folder, layout, layouts)
        raise not_laid_out_so(folder, layouts[layout].looks_for, hint)
    adopted = layouts[layout].read(folder, pattern)
    if pattern is not None:
        by_pattern = f"By the pattern {pattern.pattern} in the names of scans."
        adopted = replace(adopted, participants=by_pattern)
    adopting.write_study(layouts[layout], adopted, folder, out, datetime.date.today())
    say(adopting.note_of(layouts[layout], adopted, folder, out))
    say(f"Written: {', '.join(str(out / name) for name in adopting.WRITTEN)}")
    say(adopting.in_short(adopted))
    adopting.check_study(out)


def propose(
    *paths: Path,
    out: Path,
    pseudonyms: Path,
    masks: list[Path] | None = None,
    clinical: Path | None = None,
    key: str = "",
) -> None:
    """Propose a sheet for images that nobody has put in order, and list what is open.

    Args:
        paths: folders and files with DICOM or NIfTI.
        out: folder of the study, in which nothing is overwritten.
        pseudonyms: file to write, which leads from participants back to patients; outside the study.
        masks: folders and files with masks, where their names or folders do not say so.
        clinical: table of patients, as text.
        key: its column that tells the patient, by Patient ID or by the name of a folder or file.
    """
    if not paths:
        raise WrongOptions("name a folder or file with images")
    if (clinical is None) != (key == ""):
        raise WrongOptions("--clinical and --key go together")
    found = proposing.propose(paths, masks or [], clinical, key, random.SystemRandom())
    proposing.write(found, out, pseudonyms)
    say(proposing.in_words(found))
    say(f"Written: {out / proposing.SHEET}, {out / proposing.OPEN}, {pseudonyms}")
