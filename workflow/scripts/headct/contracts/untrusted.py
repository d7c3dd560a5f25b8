"""What a folder of others holds, looked at without leaving it, waiting, or filling the memory.

Links are named and not followed, nothing but regular files is opened, and text is read up to a limit.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headct.contracts.problems import BadInput, Problem

LARGEST_TEXT_MB = 256
"""Far beyond every list, record and table of a large study; a file that is larger is none of them."""

KINDS = {
    stat.S_ISLNK: "is a link, and what it leads to is not looked at",
    stat.S_ISFIFO: "is a named pipe, and no file",
    stat.S_ISSOCK: "is a socket, and no file",
    stat.S_ISCHR: "is a device, and no file",
    stat.S_ISBLK: "is a device, and no file",
}


class Unusable(ValueError):
    """A file that can't be used for what it should be; the message says why, and follows its name."""


@dataclass(frozen=True)
class Holding:
    """What a folder holds, by path below it (POSIX), sorted.

    ``sizes`` are bytes of regular files; ``others`` says of everything else why it is none: links, pipes,
    folders that can't be looked into.
    """

    sizes: dict[str, int]
    others: dict[str, str]


def everything_in(folder: Path) -> Holding:
    """Everything in a folder and in the folders in it."""
    sizes, others, folders = {}, {}, [""]
    while folders:
        parent = folders.pop()
        try:
            entries = list(os.scandir(folder / parent))
        except OSError as error:
            others[parent or "."] = f"is a folder that can't be looked into: {error.strerror}"
            continue
        for entry in entries:
            path = f"{parent}/{entry.name}" if parent else entry.name
            try:
                found = entry.stat(follow_symlinks=False)
            except OSError as error:
                others[path] = f"can't be looked at: {error.strerror}"
                continue
            if stat.S_ISDIR(found.st_mode):
                folders.append(path)
            elif stat.S_ISREG(found.st_mode):
                sizes[path] = found.st_size
            else:
                others[path] = next(words for is_one, words in KINDS.items() if is_one(found.st_mode))
    return Holding(dict(sorted(sizes.items())), dict(sorted(others.items())))


def bytes_of(file: Path) -> bytes:
    """The content of a regular file.

    Raises:
        Unusable: it is none, can't be read, or is too large.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            found = os.fstat(stream.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise Unusable("is no regular file")
            content = stream.read((LARGEST_TEXT_MB << 20) + 1)
    except OSError as error:
        raise Unusable(f"can't be read: {error.strerror}") from error
    if len(content) > LARGEST_TEXT_MB << 20:
        raise Unusable(f"is larger than {LARGEST_TEXT_MB} MB")
    return content


def text_of(file: Path) -> str:
    """As :func:`bytes_of`, of a text in UTF-8."""
    try:
        return bytes_of(file).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Unusable(f"is no text in UTF-8 (byte {error.start})") from error


def json_of(file: Path) -> Any:
    """As :func:`text_of`, of JSON."""
    text = text_of(file)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise Unusable(f"is no JSON ({error.msg}, line {error.lineno})") from error
    except (ValueError, RecursionError) as error:
        raise Unusable("is no JSON that can be read: nested too deeply, or a number too long") from error


def of_kinds(content: object, kinds: Mapping[str, Callable[[object], bool]], what: str) -> dict[str, Any]:
    """A JSON object that has certain keys, no others, and values of their kinds.

    Args:
        content: of a file.
        kinds: by each key, whether a value is one that it can have.
        what: the file should be, in words.

    Raises:
        Unusable: it is none, or a value is not of its kind.
    """
    if not isinstance(content, dict) or set(content) != set(kinds):
        raise Unusable(f"is no {what}: it has other keys")
    if wrong := [key for key, is_one in kinds.items() if not is_one(content[key])]:
        raise Unusable(f"is no {what}: {', '.join(wrong)} can't have such a value")
    return content


def refuse_in_results(file: Path, option: str) -> None:
    """End where a file that is to be written would lie in a results folder, whatever links lead there.

    Raises:
        BadInput: it names the option.
    """
    for folder in file.resolve().parents:
        if (folder / "audit" / "runs").is_dir() or (folder / "audit" / "manifest.tsv").is_file():
            message = "lies in a results folder, in which nothing is written: choose a place outside of it"
            raise BadInput([Problem(str(file), message, key=option)])
