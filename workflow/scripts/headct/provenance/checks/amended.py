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
    if one.root or any(one in record.amended_by for record in folder.records):
        yield from _of_no_scan(folder, one)
    if not one.root:
        return
    if folder.digests.get(one.list_before) != one.root:
        yield Finding(one.list_before, f"is not the list with the root {one.root}, which {one.path} names")
        return
    before = folder.list_before(one)
    for path, what in amending.contradictions(before, one):
        yield Finding(one.path, f"says that {path} {what}")
    yield from _otherwise_than_records(folder, one, before)
    yield from _differs_since(folder, one, before)


def _of_no_scan(folder: ResultsFolder, one: Amendment) -> Iterator[Finding]:
    """Scans of which nothing was deleted; where no list from before tells, what no job had made."""
    made = {file for record in folder.as_written.values() for file in record.outputs.items()}
    for scan in one.scans:
        own = [path for path in one.deleted if path.startswith(f"data/{scan}/")]
        if not own:
            yield Finding(one.path, f"is of {scan}, and deleted nothing of this scan")
        for path in () if one.root else own:
            if (f"results/{path}", one.deleted[path]) not in made:
                yield Finding(one.path, f"deleted {path}, which no job made")


def _otherwise_than_records(
    folder: ResultsFolder, one: Amendment, before: Mapping[str, Entry]
) -> Iterator[Finding]:
    """Files of scans in the list before that their jobs did not make so, by records that did not change."""
    earlier = folder.amendments[: one.number - 1]
    for path, entry in before.items():
        record = folder.as_written.get(entry.made_by)
        if not path.startswith("data/") or not record or record.path not in before:
            continue
        is_as_it_was = folder.digests[record.path] == before[record.path].sha256
        made = record.outputs.get(f"results/{path}", "")
        since_made = amendments.since(earlier, record.ended)
        if is_as_it_was and amendments.digest_now(since_made, path, made) != entry.sha256:
            yield Finding(one.list_before, f"says that {record.path} made {path}, which does not say so")


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
