"""Whether a job was done before: its record says that it did just this, and all that it made is as it was.

What costs hours is guarded so by content: not by file times, nor by what Snakemake remembers in a hidden
folder, which a copy of a study lacks. Whoever wants it done again deletes it, or moves it away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from headct.contracts.artefacts import read_json, sha256_of

NOT_ASKED_FOR = ("--threads", "--work", "--speed")
"""Options that say how a job is to be done, and not what: another machine may have other ones."""


def is_done(
    record: Path,
    command: Sequence[str],
    inputs: Mapping[str, str],
    outputs: Iterable[str],
    code_of: Callable[[str], str],
) -> bool:
    """Whether a job need not be done, by the record of the former one.

    Args:
        record: the former record; it may be missing or damaged, and then says nothing.
        command: of the job.
        inputs: SHA-256 of its inputs by path.
        outputs: what it has to make.
        code_of: digest of a module's code as it is now.
    """
    try:
        former = read_json(record)
        made = former["outputs"]
        return bool(
            former["inputs"] == inputs
            and list(_asked_for(former["command"])) == list(_asked_for(command))
            and set(outputs) <= made.keys()
            and all(code_of(name) == code for name, code in former["workflow"]["modules"].items())
            and all(sha256_of(path) == digest for path, digest in made.items())
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, ImportError):
        return False


def _asked_for(command: Iterable[str]) -> Iterator[str]:
    """The words of a command without the options that do not count, and their values."""
    skipped = False
    for word in command:
        if word.startswith("--"):
            skipped = word.split("=")[0] in NOT_ASKED_FOR
        if not skipped:
            yield word
