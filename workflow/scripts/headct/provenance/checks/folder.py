"""A results folder as it is now, and what a check of it is."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, wraps
from pathlib import Path
from typing import Any

from headct.contracts import amendments, run_records, untrusted
from headct.contracts.amendments import Amendment
from headct.contracts.artefacts import sha256_of
from headct.contracts.run_records import Record
from headct.contracts.untrusted import Unusable
from headct.provenance import amending, former, manifest, seal
from headct.provenance.manifest import Entry, below_results
from headct.publish import evidence

RUNS = run_records.FOLDER

ProgressCallback = Callable[[int, int], None]
"""Takes the number of bytes hashed so far, and in all."""


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is not as it should be: the file (below results/), and what about it."""

    path: str
    what: str


FILES_AT_ONCE, BYTES_AT_ONCE = 64, 4 << 20
"""At which a group of files is full: to hand over each file alone takes longer than to hash a small one."""


def groups_of(sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """Paths in their order, in groups that a thread or a process works through.

    Args:
        sizes: bytes of the files by path.
    """
    group: list[str] = []
    n_bytes = 0
    for path, size in sizes.items():
        group.append(path)
        n_bytes += size
        if len(group) == FILES_AT_ONCE or n_bytes >= BYTES_AT_ONCE:
            yield group
            group, n_bytes = [], 0
    if group:
        yield group


class ResultsFolder:
    """A results folder as it is now.

    ``digests`` are of the files of which any that is listed has the size; another one can't have the
    content of any, and its digest is "": so none is read that is larger than all that were sealed.
    ``records`` are read as they are after all amendments, ``as_written`` as jobs wrote them, by path.

    Args:
        results: the folder.
        root: the root digest that it must have, from a paper or a signature; "" if none is known.
        hashed: how a file is hashed, by its path.
        on_progress: called after some files each with the number of bytes hashed so far and in all.
    """

    def __init__(
        self,
        results: Path,
        root: str = "",
        hashed: Callable[[str], str] = sha256_of,
        on_progress: ProgressCallback = lambda _done, _total: None,
    ) -> None:
        self.results, self.root = results, root
        found = untrusted.everything_in(results)
        self.there = found.sizes
        self.sizes = {path: size for path, size in found.sizes.items() if path not in manifest.OUTSIDE}
        self.faults = [Finding(path, what) for path, what in found.others.items()]
        self.listed = self._listed()
        self.digests = dict(zip(self.sizes, self._digests(hashed, on_progress), strict=True))
        self.amendments = sorted(self._amendments(), key=lambda one: one.number)
        self.as_written = {record.path: record for record in self._records()}
        self.records = [run_records.as_amended(one, self.amendments) for one in self.as_written.values()]

    def text_of(self, path: str) -> str:
        """A text file of the folder.

        Raises:
            Unusable: it is not there, or can't be read as text.
        """
        if path not in self.there:
            raise Unusable("is missing")
        return untrusted.text_of(self.results / path)

    def json_of(self, path: str) -> Any:
        """As :meth:`text_of`, of JSON."""
        if path not in self.there:
            raise Unusable("is missing")
        return untrusted.json_of(self.results / path)

    def _listed(self) -> dict[str, Entry]:
        try:
            return manifest.parsed(self.text_of(manifest.MANIFEST))
        except Unusable as error:
            missing = manifest.MANIFEST not in self.there
            more = ": this folder was never sealed, or the list was taken away" if missing else ""
            self.faults.append(Finding(manifest.MANIFEST, f"{error}{more}"))
            return {}

    def _digests(self, hashed: Callable[[str], str], on_progress: ProgressCallback) -> Iterator[str]:
        """In the order of the files; hashlib lets other threads run while it works."""
        sizes = {entry.size for entry in self.listed.values()}

        def one(path: str) -> str:
            if self.listed and self.sizes[path] not in sizes:
                return ""
            try:
                return hashed(f"{self.results}/{path}")  # a Path takes half as long as to hash a small file
            except OSError as error:
                self.faults.append(Finding(path, f"can't be read: {error.strerror}"))
                return ""

        done, total = 0, sum(self.sizes.values())
        groups = list(groups_of(self.sizes))
        with ThreadPoolExecutor() as pool:
            for group, digests in zip(
                groups, pool.map(lambda some: list(map(one, some)), groups), strict=True
            ):
                done += sum(map(self.sizes.__getitem__, group))
                on_progress(done, total)
                yield from digests

    def _records(self) -> Iterator[Record]:
        for path in self.sizes:
            if path.startswith(RUNS):
                try:
                    yield run_records.parsed(path, self.json_of(path))
                except Unusable as error:
                    self.faults.append(Finding(path, str(error)))

    def _amendments(self) -> Iterator[Amendment]:
        for path in self.sizes:
            if path.startswith(amendments.FOLDER) and path.endswith(".json"):
                try:
                    yield amendments.parsed(path, self.json_of(path))
                except Unusable as error:
                    self.faults.append(Finding(path, str(error)))

    def own_file(self, path: str) -> tuple[int, str] | None:
        """Size and SHA-256 of a file of the folder; None where it is not there."""
        return (self.sizes[path], self.digests[path]) if path in self.sizes else None

    def list_before(self, one: Amendment) -> dict[str, Entry]:
        """The list of files before an amendment; raises Unusable where it is not there."""
        return manifest.parsed(self.text_of(one.list_before))

    def root_after(self, one: Amendment) -> str:
        """The root digest after an amendment, as it follows from the list before; "" where there is none."""
        try:
            after = amending.entries_after(self.list_before(one), one, self.own_file)
        except Unusable:
            return ""
        return hashlib.sha256(manifest.text_of(after).encode()).hexdigest()

    @cached_property
    def makers(self) -> dict[str, Record]:
        """The record of the last job that made each file."""
        return manifest.makers(self.records)

    @cached_property
    def current(self) -> list[Record]:
        """Records of the jobs that made at least one of the files last, and that results rest on.

        The others were superseded, or made former results, whose inputs may have been made anew since.
        """
        rested_on = {record.path for record in former.records_behind(self.records, self.requested)}
        last = {record.path: record for record in self.makers.values()}
        return [record for path, record in last.items() if path in rested_on]

    @cached_property
    def from_elsewhere(self) -> dict[str, set[str]]:
        """Digests of what jobs read that lies outside of the folder, by its path in their records."""
        found = defaultdict(set)
        for record in self.records:
            for path, digest in record.inputs.items():
                if not below_results(path):
                    found[path].add(digest)
        return found

    @cached_property
    def plan(self) -> str:
        """SHA-256 of the analysis plan by which the evidence digest was computed; "" where nothing tells."""
        try:
            return str(evidence.parsed(self.json_of(evidence.EVIDENCE))["files"].get(evidence.PLAN, ""))
        except Unusable:
            return ""

    @cached_property
    def requested(self) -> list[str]:
        """What the run was to make, as the seal has it; nothing where it does not say."""
        return self._kept_by_seal("asked")

    @cached_property
    def former_at_seal(self) -> list[str]:
        """Former results that no record names, as the seal has them."""
        return self._kept_by_seal("former")

    def _kept_by_seal(self, key: str) -> list[str]:
        try:
            paths = self.json_of(seal.STATE)[key]
        except (Unusable, LookupError, TypeError):
            return []
        are_paths = isinstance(paths, list) and all(isinstance(path, str) for path in paths)
        return paths if are_paths else []

    @cached_property
    def former(self) -> list[str]:
        """Former results: files that nothing rests on that was asked for."""
        without_record = {path for path, entry in self.listed.items() if entry.made_by == former.MADE_BY}
        return sorted((former.of_jobs(self.records, self.requested) | without_record) & self.sizes.keys())

    @cached_property
    def where(self) -> dict[str, list[str]]:
        """Paths of the list by their digest."""
        found = defaultdict(list)
        for entry in self.listed.values():
            found[entry.sha256].append(entry.path)
        return found


Check = Callable[[ResultsFolder], Iterable[Finding]]


def guarded(path: str, check: Callable[..., Iterable[Finding]], *arguments: Any) -> Iterator[Finding]:
    """What a check of a file finds. That it could not be done is a finding, too: never a good result."""
    try:
        yield from check(*arguments)
    except Unusable as error:
        yield Finding(path, str(error))
    except (RecursionError, MemoryError) as error:
        yield Finding(path, f"could not be checked: it is nested too deeply, or too large ({_name(error)})")
    except Exception as error:  # whatever a file can be made to contain: the checks that follow are done
        yield Finding(path, f"could not be checked: {_name(error)}")


def _name(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or type(error).__name__


def about(path: str) -> Callable[[Check], Check]:
    """A check of one file, which is named where the check can't be done."""

    def of_file(check: Check) -> Check:
        return wraps(check)(lambda folder: guarded(path, check, folder))

    return of_file
