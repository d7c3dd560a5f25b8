"""Files of a folder that somebody else handed over: only what lies in it, only files, no link followed."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import sys
from pathlib import Path, PurePosixPath

from headct.contracts.problems import BadInput, Problem


def is_plain(path: str) -> bool:
    """Whether a path is relative, in its shortest form, and names something below the folder it starts in."""
    parts = PurePosixPath(path).parts
    return (
        path == PurePosixPath(path).as_posix()
        and path not in ("", ".")
        and not path.startswith("/")
        and ".." not in parts
        and "\0" not in path
    )


def located(folder: Path, path: str) -> Path:
    """Where a file of a folder is, which need not be there.

    Raises:
        BadInput: the path leads out of the folder or through a link, or names something that is no file.
    """
    if not is_plain(path):
        raise BadInput([Problem(str(folder), "no path below this folder: nothing is read there", value=path)])
    place = folder
    for part in PurePosixPath(path).parts:
        place = place / part
        try:
            mode = place.lstat().st_mode
        except FileNotFoundError:
            return folder / path
        except OSError as error:  # a part that is no folder, a name that is too long
            raise BadInput([Problem(str(place), f"can't be read ({error.strerror})")]) from error
        if stat.S_ISLNK(mode):
            raise BadInput([Problem(str(place), "is a link, and links are not followed here")])
    if not stat.S_ISREG(mode):
        raise BadInput([Problem(str(place), "is no regular file, and is not opened")])
    return place


def copied(source: Path, to: Path) -> str:
    """Copy one regular file, following no link at its end; returns the SHA-256 of what was copied.

    Raises:
        OSError: it can't be read, is a link or no regular file, or something is there already.
    """
    descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{source} is no regular file")
        to.parent.mkdir(parents=True, exist_ok=True)
        with open(to, "xb") as copy:
            shutil.copyfileobj(stream, copy)
    with open(to, "rb") as copy:
        return hashlib.file_digest(copy, "sha256").hexdigest()


def no_code_from(folder: Path) -> None:
    """Stop where this very program is, or may become, one that the folder brought along.

    Raises:
        BadInput: a module was imported from the folder, or Python looks for modules in it.
    """
    inside = folder.resolve()
    files = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
    found = {name: Path(file) for name, file in files.items() if file}
    found |= {f"path {path or '.'}": Path(path) for path in sys.path}
    problems = [
        Problem(
            str(place),
            "Python takes code from the folder that is to be checked, which could say anything: start again"
            " from another folder, without PYTHONPATH: python -I -m headct audit",
            key=name,
        )
        for name, place in found.items()
        if place.resolve().is_relative_to(inside)
    ]
    if problems:
        raise BadInput(problems[:10])
