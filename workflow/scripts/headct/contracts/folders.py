"""What lies below a folder that somebody handed over: its files, and what can't be read of it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Contents:
    """Everything below a folder.

    Attributes:
        files: each regular file with its size and time.
        unreadable_folders: subfolders (or the folder itself) that can't be opened.
        unreadable_files: links that lead nowhere, and what is no regular file (a pipe, a device).
    """

    files: dict[str, os.stat_result] = field(default_factory=dict)
    unreadable_folders: list[str] = field(default_factory=list)
    unreadable_files: list[str] = field(default_factory=list)


def contents(folder: str | Path) -> Contents:
    """Walk a folder, links to files and to folders included.

    Each folder is entered once, by its own name if it has one below the folder, and else by its link.
    A link to the folder itself, or to what it lies in, is a loop and leads nowhere new.
    """
    found = Contents()
    entered: set[tuple[int, int]] = set()
    real = [os.fspath(folder)]
    links: list[str] = []  # these wait: a folder's own name comes first
    while real or links:
        by_link = not real
        path = links.pop(0) if by_link else real.pop(0)
        try:
            identity = _identity(path)
            if identity in entered or (by_link and identity in _above(folder)):
                continue
            entered.add(identity)
            with os.scandir(path) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            found.unreadable_folders.append(path)
            continue
        for entry in listed:
            if entry.is_dir(follow_symlinks=False):
                real.append(entry.path)
            else:
                _sort_in(entry, found, links)
    return found


def files_at(path: str | Path) -> dict[str, os.stat_result]:
    """A file, or all files below a folder, with size and time; nothing where nothing is, or can be read."""
    try:
        facts = os.stat(path)  # noqa: PTH116
    except OSError:
        return {}
    return contents(path).files if stat.S_ISDIR(facts.st_mode) else {os.fspath(path): facts}


def _sort_in(entry: os.DirEntry[str], found: Contents, links: list[str]) -> None:
    """Add what is no folder to the files, the unreadable ones, or the links to folders."""
    try:
        facts = entry.stat()
    except OSError:  # a broken link, or one that leads to itself
        found.unreadable_files.append(entry.path)
        return
    if stat.S_ISDIR(facts.st_mode):
        links.append(entry.path)
    elif stat.S_ISREG(facts.st_mode):
        found.files[entry.path] = facts
    else:
        found.unreadable_files.append(entry.path)


def _identity(path: str | Path) -> tuple[int, int]:
    facts = os.stat(path)  # noqa: PTH116
    return facts.st_dev, facts.st_ino


def _above(folder: str | Path) -> set[tuple[int, int]]:
    """The folders in which a folder lies, up to the root."""
    return {_identity(parent) for parent in Path(folder).resolve().parents}
