"""The list of files after an amendment: it follows from the list before and from what the amendment says.

So the root digest after an amendment need not be stored, and an amendment that says something else than was
done is found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from headct.contracts.amendments import Amendment
from headct.provenance import manifest
from headct.provenance.manifest import Entry

MADE_BY = "withdrawal"
"""What the list of files says of an amendment's own files."""

OF_SEAL = {
    ".tsv": manifest.MANIFEST,
    ".txt": manifest.STATEMENT,
    ".txt.sig": manifest.SIGNATURE,
    ".sig": manifest.SIGNATURE_BY_HAND,
}
"""What an amendment keeps of the seal before it, by its suffix there: the list, and what signed its root."""


def entries_after(
    before: Mapping[str, Entry], amendment: Amendment, file: Callable[[str], tuple[int, str] | None]
) -> list[Entry]:
    """The list of files after an amendment, sorted.

    Args:
        before: the list before it.
        amendment: what was taken away.
        file: size in bytes and SHA-256 of one of the amendment's own files; None where there is none.
    """
    after = {path: entry for path, entry in before.items() if path not in amendment.deleted}
    for path, change in amendment.changed.items():
        if path in after:
            after[path] = Entry(path, change["size"], change["after"], after[path].made_by)
    own = (amendment.path.removesuffix(".json") + suffix for suffix in (".json", *OF_SEAL))
    after |= {path: Entry(path, *found, MADE_BY) for path in own if (found := file(path))}
    return [after[path] for path in sorted(after)]


def contradictions(before: Mapping[str, Entry], amendment: Amendment) -> Iterator[tuple[str, str]]:
    """By path, what an amendment says of files that are not so in the list before it."""
    for path, digest in amendment.deleted.items():
        if path not in before or before[path].sha256 != digest:
            yield path, "was deleted, and the list before has no such file"
    for path, change in amendment.changed.items():
        if path not in before or before[path].sha256 != change["before"]:
            yield path, "was changed, and the list before has no such file"
        elif path != manifest.CRATE and change["size"] >= before[path].size:
            yield path, "lost what it said of these scans, and has not become smaller"
