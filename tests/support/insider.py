"""One who may write to a results folder, changes something, and makes anew what states a digest of it.

Nothing here knows what ``verify`` looks at: wherever in any text of the folder a digest stands that is no
longer true, the true one is put in its place, and so on for the files that this changes, up to list and root.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path

from headct.contracts.artefacts import LEDGER
from headct.contracts.code import digest_of, source_digest
from headct.provenance import seal
from headct.publish import evidence

DIGEST = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
TEXT = (".json", ".tsv", ".html", ".tex", ".md", ".sha256", ".js", ".yaml", ".log", ".py")
RECORDS = "audit/runs/"

Occurrence = tuple[str, int]
"""A file, and the place of a digest in it, in bytes."""


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Folder:
    """All files of a sealed folder by path; ``holders`` are the texts in which each digest stands."""

    files: Mapping[str, bytes]
    holders: Mapping[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    @classmethod
    def read(cls, results: Path) -> Folder:
        found = cls(
            {p.relative_to(results).as_posix(): p.read_bytes() for p in results.rglob("*") if p.is_file()}
        )
        for path, content in found.files.items():
            for match in digests_in(path, content):
                found.holders[match[0].decode()].add(path)
        return found


def digests_in(path: str, content: bytes) -> Iterator[re.Match[bytes]]:
    return DIGEST.finditer(content) if path.endswith(TEXT) else iter(())


def stated(path: str, content: bytes) -> list[str]:
    """Digests that others may state of a file: of its bytes, its lines, its code, what it sums up."""
    own = [sha256(content)]
    if path == LEDGER:
        own += [sha256(line) for line in content.split(b"\n")]
    if path == evidence.EVIDENCE:
        own += _evidence(content)
    if path.startswith(seal.WORKFLOW) and path.endswith(".py"):
        own += _code(content)
    if path.startswith(RECORDS):
        own += _code_of_record(content)
    return own


def _code(content: bytes) -> list[str]:
    try:
        return [source_digest(content.decode())]
    except (SyntaxError, ValueError):
        return []


def _evidence(content: bytes) -> list[str]:
    try:
        return [evidence.digest(json.loads(content)["files"])]
    except (ValueError, LookupError, TypeError, AttributeError):
        return []


def _code_of_record(content: bytes) -> list[str]:
    try:
        return [digest_of(json.loads(content)["workflow"]["modules"])]
    except (ValueError, LookupError, TypeError, AttributeError):
        return []


@dataclass
class Forgery:
    """What came of it: all files that are other than before, and each digest that was made anew."""

    files: dict[str, bytes]
    remade: list[Occurrence]


def remake(before: Folder, changed: Mapping[str, bytes], left: Collection[Occurrence] = ()) -> Forgery:
    """Make anew what follows from changed files, but for some digests, which stay as they were.

    Args:
        before: the folder.
        changed: new contents by path.
        left: the digests that the insider forgets, of those that are ``remade`` where none is left.
    """
    done = Forgery(dict(changed), [])
    renamed: dict[str, str] = {}
    for path in _in_order(before, changed):
        old = before.files[path]
        new = _rewritten(path, changed.get(path, old), old, renamed, left, done.remade)
        if new != old:
            done.files[path] = new
    return done


def _in_order(before: Folder, changed: Iterable[str]) -> Iterator[str]:
    """The changed files and all that state anything of them, directly or not, each after what it states."""
    waits: dict[str, set[str]] = {}
    pending = list(changed)
    while pending:
        path = pending.pop()
        if path in waits:
            continue
        waits[path] = set()
        pending += _states(before, path)
    for path in waits:
        for holder in _states(before, path) & waits.keys():
            waits[holder].add(path)
    return TopologicalSorter(waits).static_order()


def _states(before: Folder, path: str) -> set[str]:
    """The other files that state anything of one; records of jobs that ran the same code state their own."""
    whole, *parts = stated(path, before.files[path])
    holders = set(before.holders.get(whole, ()))
    of_parts = {holder for one in parts for holder in before.holders.get(one, ())}
    if path.startswith(RECORDS):
        of_parts = {holder for holder in of_parts if not holder.startswith(RECORDS)}
    return (holders | of_parts) - {path}


def _rewritten(
    path: str,
    content: bytes,
    old: bytes,
    renamed: dict[str, str],
    left: Collection[Occurrence],
    remade: list[Occurrence],
) -> bytes:
    """A file with true digests in it; what others state of it from now on is added to ``renamed``."""

    def anew(start: int, part: bytes) -> bytes:
        def one(match: re.Match[bytes]) -> bytes:
            place, was = (path, start + match.start()), match[0].decode()
            if was not in renamed or place in left:
                return match[0]
            remade.append(place)
            return renamed[was].encode()

        return DIGEST.sub(one, part)

    if path == LEDGER:  # each line states the one before
        lines, place = [], 0
        for line, was in zip(content.split(b"\n"), old.split(b"\n"), strict=False):
            lines.append(anew(place, line))
            renamed |= _renamed([sha256(was)], [sha256(lines[-1])])
            place += len(line) + 1
        content = b"\n".join(lines)
    elif path.endswith(TEXT):
        content = anew(0, content)
        mine = _renamed(stated(path, old)[1:], stated(path, content)[1:])
        renamed |= mine
        if mine:  # it may state itself what others state of it: its code, its evidence digest
            content = anew(0, content)
    renamed |= _renamed([sha256(old)], [sha256(content)])
    return content


def _renamed(old: list[str], new: list[str]) -> dict[str, str]:
    return {was: now for was, now in zip(old, new, strict=False) if was != now}


# -- what is changed at first ------------------------------------------------------------------------


def edited(path: str, content: bytes, rng: random.Random) -> bytes:
    """Another digit somewhere, in no digest; another bit where there is none, or where it is no text."""
    taken = {i for match in digests_in(path, content) for i in range(*match.span())}
    digits = [i for i, byte in enumerate(content) if 48 <= byte < 58 and i not in taken]
    data = bytearray(content)
    if path.endswith((*TEXT, ".svg", ".smk", ".css")) and digits:
        index = rng.choice(digits)
        data[index] = 49 + (data[index] - 48 + rng.randint(0, 7)) % 9 if data[index] != 49 else 50
        if bytes(data) == content:
            data[index] = 49 if data[index] != 49 else 50
    else:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def restated(path: str, content: bytes, rng: random.Random, others: list[str]) -> bytes:
    """The digest of something else in the place of one."""
    match = rng.choice(list(digests_in(path, content)))
    other = rng.choice([one for one in others if one.encode() != match[0]])
    return content[: match.start()] + other.encode() + content[match.end() :]
