"""Amendments: what was taken out of a study's results since, because somebody withdrew consent.

One file for each withdrawal, ``audit/amendments/N.json``, and beside it ``N.tsv``, the list of all files as
it was sealed before: its SHA-256 is the root digest of that time. What job records say of files is read as it
is after all amendments, so that what was taken away on purpose is no contradiction.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from headct.contracts import untrusted
from headct.contracts.artefacts import STUDY
from headct.contracts.untrusted import Unusable

FOLDER = "audit/amendments/"
"""Where they are, below the results folder."""
BEGUN = "audit/withdrawal.json"
"""A withdrawal that is being carried out: it is gone once the amendment is written."""

CRATE = "ro-crate-metadata.json"
"""Of the results: what describes all of it, and is written anew."""

LABEL_MAP = ".nii.gz"
"""What follows a scan's name in the name of its label map."""
CASES = "report/cases/scans/"
"""Where the files of cases are that the page of results opens, each called as its scan."""
DRAWN = (".pdf", ".html", ".tex", ".png", ".svg")
"""How the names of files end that show what a table of the same name holds."""


@dataclass(frozen=True)
class Amendment:
    """One withdrawal; paths are below results/, digests are SHA-256.

    Attributes:
        number: counted from 1.
        date: when it was begun, with its zone.
        reason: in the words of who did it.
        scans: whose data were taken away.
        participants: how many persons these are of.
        root: digest of the list of files before it; empty where the results were not sealed.
        deleted: digest of each file that was deleted.
        changed: of each file without the rows or lines of these scans: digest ``before`` and ``after``, and
            ``size`` in bytes.
    """

    number: int
    date: str
    reason: str
    scans: Sequence[str]
    participants: int
    root: str
    deleted: Mapping[str, str]
    changed: Mapping[str, Mapping[str, Any]]

    @property
    def path(self) -> str:
        """Its own, below results/."""
        return f"{FOLDER}{self.number}.json"

    @property
    def list_before(self) -> str:
        """Of the list of files as it was sealed before."""
        return f"{FOLDER}{self.number}.tsv"

    def in_words(self) -> str:
        """When whose data were taken away, and why."""
        return f"{', '.join(self.scans)} withdrawn on {self.date[:10]} ({self.reason})"

    def digest_after(self, path: str, digest: str) -> str | None:
        """The digest of a file that had this one; None where it was deleted."""
        if self.deleted.get(path) == digest:
            return None
        change = self.changed.get(path)
        return change["after"] if change and change["before"] == digest else digest

    def may_delete(self, path: str) -> bool:
        """Whether a file holds nothing but data of these scans, or shows a table that lost rows of them."""
        is_drawing = path.endswith(DRAWN) and f"{path.rpartition('.')[0]}.tsv" in self.changed
        return is_of(path, self.scans) or is_drawing


def may_change(path: str) -> bool:
    """Whether a file can lose what it says of a scan: a table, a log, the list of participants, the crate."""
    is_table = path.endswith(".tsv") and not path.startswith("audit/")
    return is_table or path.startswith("logs/") or path in (STUDY, CRATE)


def is_of(path: str, scans: Collection[str]) -> bool:
    """Whether a file of the results is one of these scans' own: of its volumes, its label maps, its case."""
    folder, _, below = path.partition("/")
    if folder == "data":
        return below.partition("/")[0] in scans
    name = path.rpartition("/")[2]
    if path.startswith(CASES):
        return name.removeprefix(".").partition(".js")[0] in scans
    whose = name.removeprefix(".").partition(LABEL_MAP)[0]  # one that was begun by a killed job has a dot
    return folder == "predictions" and LABEL_MAP in name and whose in scans


def digest_now(amendments: Iterable[Amendment], path: str, digest: str) -> str | None:
    """The digest of a file after some amendments; None where one of them deleted it."""
    now: str | None = digest
    for amendment in amendments:
        if now is not None:
            now = amendment.digest_after(path, now)
    return now


def since(amendments: Iterable[Amendment], time: str) -> list[Amendment]:
    """Those that came after what ended at this time."""
    ended = datetime.fromisoformat(time)
    return [one for one in amendments if datetime.fromisoformat(one.date) >= ended]


def withdrawn(amendments: Iterable[Amendment]) -> dict[str, Amendment]:
    """All scans that were withdrawn, with the amendment that says so."""
    return {scan: amendment for amendment in amendments for scan in amendment.scans}


def files(results: Path) -> list[Path]:
    """The amendments of a results folder, in their order."""
    found = [path for path in (results / FOLDER).glob("*.json") if NAME.fullmatch(path.name)]
    return sorted(found, key=lambda path: int(path.stem))


def load(results: Path) -> list[Amendment]:
    """All amendments of a results folder, in their order.

    Raises:
        ValueError: one can't be read; it names the file.
    """
    return [read(path) for path in files(results)]


def read(path: Path) -> Amendment:
    """One amendment; raises as :func:`load`."""
    try:
        return parsed(f"{FOLDER}{path.name}", untrusted.json_of(path))
    except Unusable as error:
        raise ValueError(f"{path}: {error}") from error


def parsed(path: str, content: object) -> Amendment:
    """An amendment from its JSON; ``path`` is its own, below results/.

    Raises:
        Unusable: it is none, or a value is not of its kind.
    """
    amendment = Amendment(**untrusted.of_kinds(content, KINDS, "amendment"))
    if amendment.path != path:
        raise Unusable(f"says that it is amendment {amendment.number}")
    return amendment


def planned(content: Mapping[str, Any]) -> Amendment:
    """The amendment that a plan leads to, as far as it is known before; raises as :func:`parsed`."""
    changed = {
        path: {"before": digest, "after": digest, "size": 0} for path, digest in content["changed"].items()
    }
    own = {key: content[key] for key in KINDS if key != "changed"}
    return parsed(f"{FOLDER}{content['number']}.json", own | {"changed": changed})


# -- what each value must be -------------------------------------------------------------------------

NAME = re.compile(r"[1-9][0-9]{0,5}\.json")
SCAN = re.compile(r"[A-Za-z0-9_-]{1,64}")
SHA256 = re.compile(r"[0-9a-f]{64}")
YEARS = range(2000, 3000)


def _count(value: object) -> bool:
    return type(value) is int and 0 < value < 10**6


def _line(value: object) -> bool:
    return isinstance(value, str) and value != "" and value.isprintable()


def _scans(value: object) -> bool:
    return isinstance(value, list) and value != [] and all(map(_scan, value))


def _scan(value: object) -> bool:
    return isinstance(value, str) and SCAN.fullmatch(value) is not None


def _digest(value: object) -> bool:
    return isinstance(value, str) and SHA256.fullmatch(value) is not None


def _digests(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_path, value)) and all(map(_digest, value.values()))


def _is_path(value: object) -> bool:
    parts = str(value).split("/")
    return isinstance(value, str) and value.isprintable() and not {"", ".", ".."} & set(parts)


def _changes(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_path, value)) and all(map(_change, value.values()))


def _change(value: object) -> bool:
    if not isinstance(value, dict) or set(value) != {"before", "after", "size"}:
        return False
    size = value["size"]
    return _digest(value["before"]) and _digest(value["after"]) and type(size) is int and size >= 0


def _time(value: object) -> bool:
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError:
        return False
    return isinstance(value, str) and time.tzinfo is not None and time.year in YEARS


KINDS: dict[str, Callable[[object], bool]] = {
    "number": _count,
    "date": _time,
    "reason": _line,
    "scans": _scans,
    "participants": _count,
    "root": lambda value: value == "" or _digest(value),
    "deleted": _digests,
    "changed": _changes,
}
"""What the value of each key must be."""
assert set(KINDS) == {field.name for field in fields(Amendment)}
