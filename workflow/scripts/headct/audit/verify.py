"""Check a results folder from the folder alone: is everything still as it was when it was made?

Nothing is written, nothing outside the folder is read, file times don't count. What agrees with a root
digest that was printed or signed elsewhere is untouched since the seal; without such a digest, a folder
that was sealed anew after a change is found only where its records contradict one another.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

from headct.artefacts import UNFINISHED, read_json, sha256_of
from headct.audit import evidence, ledger, manifest, records, seal
from headct.audit.manifest import Entry, below_results
from headct.audit.records import Record
from headct.code import source_digest

RUNS = "audit/runs/"
SETTINGS_OF = {
    "split": "split",
    "metrics": "metrics",
    "metrics_out_of_fold": "metrics",
    "second_readings": "metrics",
    "surface_tolerance": "metrics",
    "crosscheck": "crosscheck",
}
"""Rules whose ``--settings`` are a block of the configuration as it stands, and its name."""


Told = Callable[[int, int], None]


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is not as it should be: the file (below results/), and what about it."""

    path: str
    what: str


class Folder:
    """A results folder as it is now.

    Args:
        results: the folder.
        root: the root digest that it must have, from a paper or a signature; "" if none is known.
        hashed: how a file is hashed.
        told: called after each file with the number of bytes hashed so far and in all.
    """

    def __init__(
        self,
        results: Path,
        root: str = "",
        hashed: Callable[[Path], str] = sha256_of,
        told: Told = lambda done, total: None,
    ) -> None:
        self.results, self.root = results, root
        self.sizes = manifest.files_in(results)
        self.faults: list[Finding] = []
        self.listed = self._listed()
        self.digests = dict(zip(self.sizes, self._digests(hashed, told), strict=True))
        self.records = list(self._records())

    def _listed(self) -> dict[str, Entry]:
        try:
            return manifest.read(self.results)
        except OSError:
            what = "is missing: this folder was never sealed, or the list was taken away"
        except (ValueError, TypeError) as error:
            what = f"can't be read as a list of files ({error})"
        self.faults.append(Finding(manifest.MANIFEST, what))
        return {}

    def _digests(self, hashed: Callable[[Path], str], told: Told) -> Iterator[str]:
        """In the order of the files; hashlib lets other threads run while it works."""

        def one(path: str) -> str:
            try:
                return hashed(self.results / path)
            except OSError:
                return "can't be read"

        done, total = 0, sum(size for size in self.sizes.values() if size > 0)
        with ThreadPoolExecutor() as pool:
            for path, digest in zip(self.sizes, pool.map(one, self.sizes), strict=True):
                done += max(self.sizes[path], 0)
                told(done, total)
                yield digest

    def _records(self) -> Iterator[Record]:
        for path in self.sizes:
            if path.startswith(RUNS):
                try:
                    yield records.read(self.results / path, self.results)
                except (OSError, ValueError) as error:
                    self.faults.append(Finding(path, str(error).removeprefix(f"{path}: ")))

    @cached_property
    def makers(self) -> dict[str, Record]:
        """The record of the last job that made each file."""
        return manifest.makers(self.records)

    @cached_property
    def current(self) -> list[Record]:
        """Records of the jobs that made at least one of the files last; the others were superseded."""
        return list({record.path: record for record in self.makers.values()}.values())

    @cached_property
    def where(self) -> dict[str, list[str]]:
        """Paths of the list by their digest."""
        found = defaultdict(list)
        for entry in self.listed.values():
            found[entry.sha256].append(entry.path)
        return found

    def json_of(self, path: str) -> object:
        """A JSON file of the folder; None where it is missing or damaged (which other checks tell)."""
        try:
            return read_json(self.results / path)
        except (OSError, ValueError):
            return None


Check = Callable[[Folder], Iterable[Finding]]


def verify(folder: Folder, checks: Sequence[Check]) -> list[Finding]:
    """All findings, by path; several checks can find one change."""
    found = {*folder.faults, *(finding for check in checks for finding in check(folder))}
    return sorted(found)


# -- the list and the files --------------------------------------------------------------------------


def root(folder: Folder) -> Iterator[Finding]:
    """The list against its digest, here and elsewhere."""
    path = folder.results / manifest.MANIFEST
    if not path.is_file():
        return
    now, stated = sha256_of(path), manifest.root_of(folder.results)
    if stated != now:
        yield Finding(manifest.ROOT, f"states {stated[:70] or 'nothing'}, and the list's digest is {now}")
    if folder.root and folder.root != now:
        yield Finding(manifest.MANIFEST, f"is not the list with the root {folder.root}: its digest is {now}")


def files(folder: Folder) -> Iterator[Finding]:
    """Files altered, missing, added, in one another's place."""
    if not folder.listed:
        return
    for path in folder.listed.keys() - folder.sizes.keys():
        yield Finding(path, "is missing")
    for path in folder.sizes.keys() - folder.listed.keys():
        yield Finding(path, _added(folder, path))
    for path, entry in folder.listed.items():
        if path not in folder.sizes:
            continue
        now, size = folder.digests[path], folder.sizes[path]
        if now != entry.sha256:
            yield Finding(path, _altered(folder, entry, now))
        elif size != entry.size:
            yield Finding(path, f"has {size} bytes, and the list says {entry.size}")


def _added(folder: Folder, path: str) -> str:
    if UNFINISHED in path:
        return "was left by a job that was killed while it wrote this file"
    if same := folder.where.get(folder.digests[path]):
        return f"was added: it has the content of {same[0]}"
    return "was added: the list doesn't have it"


def _altered(folder: Folder, entry: Entry, now: str) -> str:
    elsewhere = [path for path in folder.where.get(now, ()) if path != entry.path]
    if elsewhere:
        return f"was replaced: it has the content of {elsewhere[0]}"
    size = folder.sizes[entry.path]
    change = f"{entry.size} bytes then, {size} now" if size != entry.size else "of the same size"
    return f"was altered ({change}); SHA-256 was {entry.sha256[:12]}…, is {now[:12]}…"


# -- the records -------------------------------------------------------------------------------------


def outputs(folder: Folder) -> Iterator[Finding]:
    """Each output against the record of the job that made it last."""
    for path, record in folder.makers.items():
        made = record.outputs[f"results/{path}"]
        if path not in folder.sizes:
            yield Finding(path, f"is missing, and {record.path} says that it was made")
        elif folder.digests[path] != made:
            yield Finding(path, f"is not what {record.path} says was made ({made[:12]}…)")
    for path, entry in folder.listed.items():
        maker = folder.makers.get(path)
        if entry.made_by.startswith(RUNS) and f"results/{path}" in getattr(maker, "outputs", {}):
            if maker and maker.path != entry.made_by:
                yield Finding(path, f"is listed as made by {entry.made_by}, and {maker.path} made it")
        elif entry.made_by.startswith(RUNS) and entry.made_by not in folder.sizes:
            yield Finding(path, f"has no record: {entry.made_by} is missing")


def inputs(folder: Folder) -> Iterator[Finding]:
    """Each input of each record against what is there now, and the job that made that."""
    for record in folder.current:
        for input_, digest in record.inputs.items():
            if not (path := below_results(input_)):
                continue
            maker = folder.makers.get(path)
            if path not in folder.sizes:
                yield Finding(record.path, f"was made from {path}, which is not there")
            elif folder.digests[path] != digest:
                yield Finding(record.path, f"was made from another {path} than the one there")
            elif maker and maker.outputs[f"results/{path}"] != digest:
                yield Finding(record.path, f"was made from another {path} than {maker.path} made")


def inputs_from_elsewhere(folder: Folder) -> Iterator[Finding]:
    """Sheet, plan and published numbers: the same for all jobs, and those of the copied workflow."""
    of: dict[str, Counter[str]] = defaultdict(Counter)
    for record in folder.current:
        for path, digest in record.inputs.items():
            if not below_results(path):
                of[path][digest] += 1
    copies = {path: digest for path, digest in folder.digests.items() if path.startswith(seal.WORKFLOW)}
    for path, counts in of.items():
        usual = counts.most_common(1)[0][0]
        for record in folder.current:
            if record.inputs.get(path, usual) != usual:
                yield Finding(record.path, f"was made from another {Path(path).name} than other results")
        copy = [name for name in copies if _names_the_same(path, name)]
        if copy and not any(copies[name] in counts for name in copy):
            yield Finding(copy[0], f"is not the {Path(path).name} that the results were made with")


def _names_the_same(path: str, copy: str) -> bool:
    """Whether an input from elsewhere and a file of the copied workflow have the last two parts in common."""
    return Path(path).parts[-2:] == Path(copy).parts[-2:]


def logs(folder: Folder) -> Iterator[Finding]:
    """Each record has its log."""
    for record in folder.records:
        if below_results(record.log) not in folder.sizes:
            yield Finding(below_results(record.log) or record.log, f"is missing: the log of {record.path}")


# -- code, configuration, crate, evidence, ledger ----------------------------------------------------


def code(folder: Folder) -> Iterator[Finding]:
    """The copied code against the digests that each job recorded of the modules that it ran."""
    base = f"{seal.WORKFLOW}/workflow/scripts/"
    ran: dict[tuple[str, str], list[str]] = defaultdict(list)
    for record in folder.current:
        for module, digest in record.workflow["modules"].items():
            ran[module, digest].append(record.path)
    for (module, digest), by in ran.items():
        stem = base + module.replace(".", "/")
        path = next((name for name in (f"{stem}.py", f"{stem}/__init__.py") if name in folder.sizes), "")
        if not path:
            yield Finding(f"{stem}.py", f"is missing from the copy of the code, and {by[0]} ran it")
        elif _code_digest(folder, path) != digest:
            others = f" and {len(by) - 1} others" if len(by) > 1 else ""
            yield Finding(path, f"is not the code that {by[0]}{others} ran")


def _code_digest(folder: Folder, path: str) -> str:
    try:
        return source_digest((folder.results / path).read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return ""


def settings(folder: Folder) -> Iterator[Finding]:
    """The configuration against the settings on the command lines that were recorded."""
    config = folder.json_of("config.json")
    for record in folder.current:
        block = SETTINGS_OF.get(record.rule)
        if block and "--settings" in record.command and isinstance(config, dict):
            used = record.command[record.command.index("--settings") + 1]
            if json.dumps(config.get(block), sort_keys=True) != used:
                yield Finding("config.json", f"has other {block} settings than {record.path} ran with")


def crate(folder: Folder) -> Iterator[Finding]:
    """The files and digests that the RO-Crate names, if there is one."""
    if manifest.CRATE not in folder.sizes:
        return
    content = folder.json_of(manifest.CRATE)
    if not isinstance(content, dict) or not isinstance(content.get("@graph"), list):
        yield Finding(manifest.CRATE, "is no RO-Crate")
        return
    for entity in content["@graph"]:
        path = unquote(str(entity.get("@id", "")))
        if path in folder.sizes and entity.get("sha256", folder.digests[path]) != folder.digests[path]:
            yield Finding(manifest.CRATE, f"has another digest of {path} than the file")
        elif "sha256" in entity and path in folder.listed and path not in folder.sizes:
            yield Finding(manifest.CRATE, f"names {path}, which is not there")


def evidence_digest(folder: Folder) -> Iterator[Finding]:
    """The evidence digest computed anew, and as the pages of the tables print it."""
    stated = folder.json_of(evidence.EVIDENCE)
    if not isinstance(stated, dict):
        return
    copies = {digest for path, digest in folder.digests.items() if path.startswith(seal.WORKFLOW)}
    for path, digest in stated["files"].items():
        there = digest in copies if path == evidence.PLAN else folder.digests.get(path) == digest
        if not there:
            yield Finding(evidence.EVIDENCE, f"was computed from another {path} than the one there")
    if evidence.digest(stated["files"]) != stated["sha256"]:
        yield Finding(evidence.EVIDENCE, "is not the digest of the files that it names")
    for path in folder.sizes:
        if path.startswith("tables/") and path.endswith((".html", ".tex")):
            text = (folder.results / path).read_text(encoding="utf-8", errors="replace")
            printed = re.findall(r"[Ee]vidence digest\D{0,40}?([0-9a-f]{64})", text)
            if any(each != stated["sha256"] for each in printed):
                yield Finding(path, "prints another evidence digest than that of the results")


def test_set_ledger(folder: Folder) -> Iterator[Finding]:
    """The ledger of the test set: its chain of lines, and each job that scored."""
    scored = {record.path: record.opening for record in folder.records if record.opening}
    for what in ledger.faults(folder.results / ledger.LEDGER, scored):
        yield Finding(ledger.LEDGER, what)
    for record in folder.records:
        if record.rule in ledger.SCORING and not record.opening:
            yield Finding(record.path, "scored the test set and names no line of the ledger")


INTEGRITY: tuple[Check, ...] = (
    *(root, files, outputs, inputs, inputs_from_elsewhere, logs),
    *(code, settings, crate, evidence_digest, test_set_ledger),
)
"""All checks that need nothing but the folder."""


def against_checkout(workflow: Path) -> Check:
    """The copied workflow against a checkout: which files differ, and whether more than comments do."""

    def check(folder: Folder) -> Iterator[Finding]:
        base = f"{seal.WORKFLOW}/"
        for path, digest in folder.digests.items():
            if not path.startswith(base):
                continue
            other = workflow / path.removeprefix(base)
            if not other.is_file():
                yield Finding(path, f"is not in {workflow}")
            elif sha256_of(other) != digest:
                same = path.endswith(".py") and _code_digest(folder, path) == _digest_of_code(other)
                yield Finding(path, f"differs from {other}" + (" in comments only" if same else ""))

    return check


def _digest_of_code(path: Path) -> str | None:
    try:
        return source_digest(path.read_text(encoding="utf-8"))
    except (ValueError, SyntaxError):
        return None


def unrecorded(folder: Folder) -> list[str]:
    """Files that were sealed, and of which no record tells what made them."""
    return [entry.path for entry in folder.listed.values() if not entry.made_by]


@dataclass(frozen=True)
class Summary:
    """What a verification looked at, and what it found."""

    root: str
    evidence: str
    files: int
    bytes: int
    records: int
    seconds: float
    openings: str
    unrecorded: Sequence[str]
    findings: Sequence[Finding]
    not_checked: Sequence[str]


NO_ROOT = (
    "That the folder was not sealed anew after a change: give --root the digest that was printed, "
    "published or signed."
)
NO_DICOM = "That no value of the trial's own DICOM headers is here: give --dicom or --sheet."
PIXELS = "What the pixels show: faces, burnt-in letters."


def summary(folder: Folder, findings: Sequence[Finding], with_dicom: bool, began: float) -> Summary:
    """Everything that a report prints; ``began`` is of ``time.monotonic``."""
    stated = folder.json_of(evidence.EVIDENCE)
    try:
        openings = ledger.told(ledger.read(folder.results / ledger.LEDGER))
    except ValueError:
        openings = "The ledger of the test set can't be read."
    return Summary(
        root=manifest.root_of(folder.results),
        evidence=str(stated.get("sha256", "")) if isinstance(stated, dict) else "",
        files=len(folder.sizes),
        bytes=sum(size for size in folder.sizes.values() if size > 0),
        records=len(folder.records),
        seconds=time.monotonic() - began,
        openings=openings,
        unrecorded=unrecorded(folder),
        findings=findings,
        not_checked=[*([] if folder.root else [NO_ROOT]), *([] if with_dicom else [NO_DICOM]), PIXELS],
    )
