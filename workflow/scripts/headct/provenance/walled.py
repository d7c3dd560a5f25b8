"""Run one step of the workflow on files that somebody else made.

It reads these and what it needs to run, writes in one folder, and has no network.

``python -m headct.provenance.walled FOLDER STEP OPTION …``, with a working directory in ``FOLDER/study``:
what the step would write there it writes into ``FOLDER/out``. A line of JSON on standard output says what
became of it.

The walls are those of the Linux kernel and need no rights: Landlock for files (Linux 5.13 and later) and
a user namespace with an empty network namespace. Where the kernel, or who administers it, does not offer
one of them, the step runs without it, and says so.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import struct
import sys
from pathlib import Path
from typing import Any

from headct import command_line
from headct.command_line import Call
from headct.contracts.problems import BadInput, WrongOptions
from headct.contracts.repository import PACKAGE, RESOURCES
from headct.engine import offline
from headct.provenance.inside import is_plain

STUDY, OUT, TEMPORARY = "study", "out", "tmp"
"""Folders: what a step reads, what it makes, what its libraries leave for a while."""

SOFTWARE = (PACKAGE.parents[1], RESOURCES)
"""Of this project: the code, and the numbers and lists that go with it."""

SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc", "/opt", "/proc", "/sys", "/dev")
"""What Python and its libraries read of the machine: programs and settings, no user's files."""

MEMORY_BYTES, FILE_BYTES = 16 * 2**30, 4 * 2**30
"""Limits of the address space, and of one file that is written."""


class OptionsRefused(Exception):
    """The options are not those of a step of the workflow that reads and writes within its study."""


# -- options -----------------------------------------------------------------------------------------


def parsed(step: str, words: list[str], folder: Path) -> Call:
    """The call of a step with options that are its own, and paths inside the study only.

    Args:
        step: its name, as ``tables``.
        words: its options.
        folder: with ``study/``, in which the working directory is. What is to be written is led to ``out/``.

    Raises:
        OptionsRefused: says which option it is.
    """
    try:
        call = command_line.parsed(command_line.app_of_step(step), words)
    except (WrongOptions, RecursionError) as error:
        raise OptionsRefused(f"the options are not those of {step}: {error}") from error
    options = call.arguments
    if "out" not in options:
        raise OptionsRefused(f"{step} is asked for its help")
    for name, value in options.items():
        for path in value if isinstance(value, list) else [value]:
            if isinstance(path, Path) and not _within(path, folder / STUDY):
                raise OptionsRefused(f"--{name.replace('_', '-')} leads out of the study")
    if not is_plain(str(options["out"])) or options["out"].parts[0] != "results":
        raise OptionsRefused("--out is no path below results/")
    options["out"] = folder / OUT / options["out"]
    return call


def _within(path: Path, study: Path) -> bool:
    place = Path(os.path.normpath(Path.cwd() / path))
    return any(place.is_relative_to(allowed) for allowed in (study, *SOFTWARE))


# -- walls -------------------------------------------------------------------------------------------


def walls(folder: Path) -> list[str]:
    """Put them up around this process, which has one thread only; returns what could not be walled off."""
    lacking = []
    for name, wall in (
        ("the network", offline.without_network),
        ("other files", lambda: _only_files_of(folder)),
    ):
        try:
            wall()
        except OSError as error:
            lacking.append(f"{name} ({error.strerror})")
    return lacking


_LIBC = ctypes.CDLL(None, use_errno=True)


CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
NO_NEW_PRIVILEGES = 38
FILE_EXECUTE, FILE_WRITE, FILE_READ, FOLDER_READ = 1 << 0, 1 << 1, 1 << 2, 1 << 3
RIGHTS_BY_VERSION = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1}
"""All rights that a version of Landlock knows; later ones add what no step needs to be kept from."""


def _only_files_of(folder: Path) -> None:
    """landlock(7): reading what Python needs and ``folder``, writing below its ``out`` and ``tmp`` only."""
    version = offline.checked(_LIBC.syscall, CREATE_RULESET, None, 0, 1)
    every = RIGHTS_BY_VERSION[min(version, max(RIGHTS_BY_VERSION))]
    rules = offline.checked(_LIBC.syscall, CREATE_RULESET, struct.pack("Q", every), 8, 0)
    for place in (*SYSTEM, sys.prefix, sys.base_prefix, *SOFTWARE, _fonts(), folder):
        _allow(rules, Path(place), FILE_READ | FILE_EXECUTE | FOLDER_READ)
    for name in (OUT, TEMPORARY):
        _allow(rules, folder / name, every)
    _allow(rules, Path(os.devnull), FILE_READ | FILE_WRITE)
    offline.checked(_LIBC.prctl, NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    offline.checked(_LIBC.syscall, RESTRICT_SELF, rules, 0)
    os.close(rules)


def _allow(rules: int, place: Path, rights: int) -> None:
    if not place.exists():
        return
    descriptor = os.open(place, os.O_PATH)
    offline.checked(_LIBC.syscall, ADD_RULE, rules, 1, struct.pack("=Qi", rights, descriptor), 0)
    os.close(descriptor)


def _fonts() -> Path:
    """Matplotlib's list of fonts, which would take seconds to make anew."""
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "matplotlib"


# -- the step ----------------------------------------------------------------------------------------


def run(folder: Path, step: str, words: list[str]) -> dict[str, Any]:
    """Put up the walls and run the step; what became of it, each key only where there is something to say.

    ``lacking``: walls that this machine does not offer. ``refused``: which option is not allowed.
    ``failed``: what the step itself said.
    """
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    outcome: dict[str, Any] = {"lacking": walls(folder)}
    try:
        parsed(step, words, folder).run()
    except OptionsRefused as error:
        outcome["refused"] = str(error)
    except BadInput as error:
        outcome["failed"] = str(error)
    except Exception as error:  # of whatever kind: the files are somebody else's
        outcome["failed"] = f"{type(error).__name__}: {error}"
    return outcome


def main() -> None:
    """``python -m headct.provenance.walled FOLDER STEP OPTION …``; the answer goes to standard output."""
    folder, step, *words = sys.argv[1:]
    answer = os.dup(1)
    os.dup2(2, 1)  # whatever the step and its libraries print is not the answer
    outcome = run(Path(folder), step, words)
    with open(answer, "w", encoding="utf-8") as stream:
        json.dump(outcome, stream)


if __name__ == "__main__":
    main()
