"""What amendments say was taken away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from headct.contracts import amendments
from headct.contracts.amendments import Amendment
from headct.provenance import amending, rows, seal
from headct.provenance.checks.folder import RUNS, Finding, ResultsFolder, guarded
from headct.provenance.manifest import Entry


def amended(folder: ResultsFolder) -> Iterator[Finding]:
    """What amendments say was taken away: whether it is what the list before them has, and is gone."""
    if amendments.BEGUN in folder.there:
        yield Finding(amendments.BEGUN, "a withdrawal was begun and not finished: run headct withdraw again")
    for number, one in enumerate(folder.amendments, start=1):
        if one.number != number:
            yield Finding(one.path, "does not follow the one before: amendments are missing")
        yield from guarded(one.path, _amendment, folder, one)
    gone = amendments.withdrawn(folder.amendments)
    for path in folder.sizes if gone else ():
        yield from guarded(path, _withdrawn_in, folder, path, gone)


def _amendment(folder: ResultsFolder, one: Amendment) -> Iterator[Finding]:
    for path in one.deleted:
        if not one.may_delete(path):
            yield Finding(one.path, f"deleted {path}, which is no file of {', '.join(one.scans)} alone")
    for path in one.changed:
        if not amendments.may_change(path):
            yield Finding(one.path, f"changed {path}, which holds no rows or lines of scans")
    if not one.root:
        return
    if folder.digests.get(one.list_before) != one.root:
        yield Finding(one.list_before, f"is not the list with the root {one.root}, which {one.path} names")
        return
    before = folder.list_before(one)
    for path, what in amending.contradictions(before, one):
        yield Finding(one.path, f"says that {path} {what}")
    yield from _differs_since(folder, one, before)


def _differs_since(folder: ResultsFolder, one: Amendment, before: Mapping[str, Entry]) -> Iterator[Finding]:
    """Files that are listed otherwise than after an amendment, though no job has run since."""
    after = {entry.path: entry for entry in amending.entries_after(before, one, folder.own_file)}
    now = folder.listed if one is folder.amendments[-1] else folder.list_before(folder.amendments[one.number])
    runs = ({path: e for path, e in listed.items() if path.startswith(RUNS)} for listed in (after, now))
    if len({str(each) for each in runs}) > 1:
        return  # a job has: the results were made anew, and sealed
    for path in after.keys() | now.keys():
        if after.get(path) != now.get(path) and not seal.by_itself(path):
            yield Finding(path, f"is listed otherwise than after {one.path}, and no job has run since")


def _withdrawn_in(folder: ResultsFolder, path: str, gone: Mapping[str, Amendment]) -> Iterator[Finding]:
    """Data of scans that were withdrawn, in a file that is there."""
    found = {scan for scan in gone if amendments.is_of(path, [scan])}
    if path.endswith(".tsv") and amendments.may_change(path):
        found |= rows.scans_in(folder.text_of(path)) & gone.keys()
    for scan in sorted(found):
        yield Finding(path, f"holds data of {scan}, which was withdrawn ({gone[scan].path})")
