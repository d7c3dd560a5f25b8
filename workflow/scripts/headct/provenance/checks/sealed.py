"""The list of files against the files, and against its digest, here and elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headct.contracts.amendments import Amendment
from headct.contracts.artefacts import UNFINISHED, sha256_of
from headct.provenance import manifest, seal
from headct.provenance.checks.folder import Finding, ResultsFolder, about
from headct.provenance.manifest import Entry

AMENDED = "was amended after the root that is given"
NO_SUCH_ROOT = "is not the list with the root {}: its digest is {}"


@about(manifest.ROOT)
def root(folder: ResultsFolder) -> Iterator[Finding]:
    """The list against its digest, here and elsewhere."""
    if manifest.MANIFEST not in folder.there:
        return
    now = sha256_of(folder.results / manifest.MANIFEST)
    if folder.text_of(manifest.ROOT) != manifest.line_of(now):
        yield Finding(manifest.ROOT, f"does not state the digest of the list, which is {now}")
    if folder.root and folder.root != now:
        yield Finding(manifest.MANIFEST, former_root(folder) or NO_SUCH_ROOT.format(folder.root, now))


def former_root(folder: ResultsFolder) -> str:
    """What was done since the root that is given, where it is one that an amendment knows; else nothing."""
    for position, one in enumerate(folder.amendments):
        if folder.root == one.root:
            return _since(folder, folder.amendments[position:])
        if folder.root == folder.root_after(one):
            return _since(folder, folder.amendments[position + 1 :])
    return ""


def _since(folder: ResultsFolder, later: Sequence[Amendment]) -> str:
    now = f"the root is now {manifest.root_of(folder.results)}"
    roots = [*(one.root for one in later[1:]), manifest.root_of(folder.results)]
    words = "; ".join(one.in_words() for one in later)
    if not later or [folder.root_after(one) for one in later] != roots:
        return f"is of results that were made anew after the root that is given; {now}. {words}".rstrip()
    deleted, changed = (len(set().union(*paths)) for paths in _taken_by(later))
    return (
        f"{AMENDED}: {words}. {deleted} files were deleted, {changed} lost what they said of these scans, all"
        f" others are listed as they were; {now}"
    )


def _taken_by(some: Sequence[Amendment]) -> tuple[list[set[str]], list[set[str]]]:
    """Paths of the files that amendments deleted, and of those that they changed."""
    return [set(one.deleted) for one in some], [set(one.changed) for one in some]


OF_EVERY_SEAL = (*seal.STARTED, seal.STATE, seal.NOT_COPIED, manifest.CRATE, f"{seal.WORKFLOW}/Snakefile")
"""What no sealed folder is without."""


def files(folder: ResultsFolder) -> Iterator[Finding]:
    """Files altered, missing, added, in one another's place."""
    if not folder.listed:
        return
    for path in OF_EVERY_SEAL:
        if path not in folder.sizes and path not in folder.listed:
            yield Finding(path, "is missing: every seal has it")
    for path in folder.listed.keys() - folder.sizes.keys():
        yield Finding(path, "is missing, or is no file any more")
    for path in folder.sizes.keys() - folder.listed.keys():
        yield Finding(path, _added(folder, path))
    for path, entry in folder.listed.items():
        if path not in folder.sizes:
            continue
        now, size = folder.digests[path], folder.sizes[path]
        if now != entry.sha256 or size != entry.size:
            yield Finding(path, _altered(folder, entry, now))


def _added(folder: ResultsFolder, path: str) -> str:
    if UNFINISHED in path:
        return "was left by a job that was killed while it wrote this file"
    if same := folder.where.get(folder.digests[path]):
        return f"was added: it has the content of {same[0]}"
    return "was added: the list doesn't have it"


def _altered(folder: ResultsFolder, entry: Entry, now: str) -> str:
    elsewhere = [path for path in folder.where.get(now, ()) if path != entry.path]
    if elsewhere:
        return f"was replaced: it has the content of {elsewhere[0]}"
    size = folder.sizes[entry.path]
    if size != entry.size:
        return f"was altered: it has {size} bytes, and the list says {entry.size}"
    return f"was altered (of the same size); SHA-256 was {entry.sha256[:12]}…, is {now[:12] or 'unknown'}…"
