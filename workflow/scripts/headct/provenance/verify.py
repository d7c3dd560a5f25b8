"""Check a results folder from the folder alone: is everything still as it was when it was made?

Nothing is written, nothing outside the folder is read (links are not followed), file times don't count.
What can't be checked, whatever is wrong with it, is a finding, too. What agrees with a root
digest that was printed or signed elsewhere is untouched since the seal; without such a digest, a folder
that was sealed anew after a change is found only where its records contradict one another.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, wraps
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote

from headct.contracts import amendments, run_records, untrusted
from headct.contracts.amendments import Amendment
from headct.contracts.artefacts import CONFIG, LEDGER, STUDY, UNFINISHED, sha256_of
from headct.contracts.code import older_source_digest, source_digest
from headct.contracts.labels import Extent
from headct.contracts.run_records import Record
from headct.contracts.untrusted import Unusable
from headct.provenance import amending, former, ledger, manifest, rows, seal
from headct.provenance.manifest import Entry, below_results
from headct.publish import evidence
from headct.settings import lesions

RUNS = run_records.FOLDER
DIGESTS_OF_CODE = (source_digest, older_source_digest)
"""How records may have taken the digest of a module: those of this release, and of older ones."""
BLOCKS_GIVEN = {
    "ingest": {"--settings": "ingest"},
    "split": {"--settings": "split"},
    "metrics": {"--settings": "metrics"},
    "metrics_out_of_fold": {"--settings": "metrics"},
    "metrics_external": {"--settings": "metrics"},
    "second_readings": {"--settings": "metrics"},
    "surface_tolerance": {"--settings": "metrics"},
    "crosscheck": {"--settings": "crosscheck"},
}
"""By rule and option, the block of the configuration that is given as it stands."""


LABELS, LABEL_VALUES = "--labels", "--label-values"
"""Options by which jobs are given the lesions, and ingest their values in masks."""

ProgressCallback = Callable[[int, int], None]
"""Takes the number of bytes hashed so far, and in all."""


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is not as it should be: the file (below results/), and what about it."""

    path: str
    what: str


class ResultsFolder:
    """A results folder as it is now.

    ``digests`` are of the files of which any that is listed has the size; another one can't have the
    content of any, and its digest is "": so none is read that is larger than all that were sealed.

    Args:
        results: the folder.
        root: the root digest that it must have, from a paper or a signature; "" if none is known.
        hashed: how a file is hashed.
        on_progress: called after each file with the number of bytes hashed so far and in all.
    """

    def __init__(
        self,
        results: Path,
        root: str = "",
        hashed: Callable[[Path], str] = sha256_of,
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
        self.records = [run_records.as_amended(record, self.amendments) for record in self._records()]

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

    def _digests(self, hashed: Callable[[Path], str], on_progress: ProgressCallback) -> Iterator[str]:
        """In the order of the files; hashlib lets other threads run while it works."""
        sizes = {entry.size for entry in self.listed.values()}

        def one(path: str) -> str:
            if self.listed and self.sizes[path] not in sizes:
                return ""
            try:
                return hashed(self.results / path)
            except OSError as error:
                self.faults.append(Finding(path, f"can't be read: {error.strerror}"))
                return ""

        done, total = 0, sum(self.sizes.values())
        with ThreadPoolExecutor() as pool:
            for path, digest in zip(self.sizes, pool.map(one, self.sizes), strict=True):
                done += self.sizes[path]
                on_progress(done, total)
                yield digest

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
    def requested(self) -> list[str]:
        """What the run was to make, as the seal has it; nothing where it does not say."""
        try:
            requested = self.json_of(seal.STATE)["asked"]
        except (Unusable, LookupError, TypeError):
            return []
        are_paths = isinstance(requested, list) and all(isinstance(path, str) for path in requested)
        return requested if are_paths else []

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


def verify(folder: ResultsFolder, checks: Sequence[Check]) -> list[Finding]:
    """All findings, by path; several checks can find one change."""
    found = {finding for check in checks for finding in guarded(".", check, folder)}
    return sorted(found | set(folder.faults))


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


# -- the list and the files --------------------------------------------------------------------------


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


AMENDED = "was amended after the root that is given"
NO_SUCH_ROOT = "is not the list with the root {}: its digest is {}"


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


def files(folder: ResultsFolder) -> Iterator[Finding]:
    """Files altered, missing, added, in one another's place."""
    if not folder.listed:
        return
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


# -- amendments --------------------------------------------------------------------------------------


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


# -- the records -------------------------------------------------------------------------------------


def outputs(folder: ResultsFolder) -> Iterator[Finding]:
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


def inputs(folder: ResultsFolder) -> Iterator[Finding]:
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


def inputs_from_elsewhere(folder: ResultsFolder) -> Iterator[Finding]:
    """Sheet, plan and published numbers: the same for all jobs, and those of the copied workflow."""
    of: dict[str, Counter[str]] = defaultdict(Counter)
    for record in folder.current:
        for path, digest in record.inputs.items():
            if not below_results(path):
                of[path][digest] += 1
    copies: dict[tuple[str, ...], list[str]] = defaultdict(list)  # by the last two parts of their paths
    for path in folder.digests:
        if path.startswith(seal.WORKFLOW):
            copies[Path(path).parts[-2:]].append(path)
    for path, counts in of.items():
        usual = counts.most_common(1)[0][0]
        for record in folder.current:
            if record.inputs.get(path, usual) != usual:
                yield Finding(record.path, f"was made from another {Path(path).name} than other results")
        copy = copies.get(Path(path).parts[-2:], [])
        if copy and not any(folder.digests[name] in counts for name in copy):
            yield Finding(copy[0], f"is not the {Path(path).name} that the results were made with")


def logs(folder: ResultsFolder) -> Iterator[Finding]:
    """Each record has its log."""
    for record in folder.records:
        if below_results(record.log) not in folder.sizes:
            yield Finding(below_results(record.log) or record.log, f"is missing: the log of {record.path}")


# -- code, configuration, crate, evidence, ledger ----------------------------------------------------


def code(folder: ResultsFolder) -> Iterator[Finding]:
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
        elif all(_code_digest(folder.results / path, take) != digest for take in DIGESTS_OF_CODE):
            others = f" and {len(by) - 1} others" if len(by) > 1 else ""
            yield Finding(path, f"is not the code that {by[0]}{others} ran")


def _code_digest(file: Path, take: Callable[[str], str] = source_digest) -> str:
    """Digest of a module, blind to comments; "" for what is none."""
    try:
        return take(untrusted.text_of(file))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return ""


@about(CONFIG)
def settings(folder: ResultsFolder) -> Iterator[Finding]:
    """The configuration against the settings on the command lines that were recorded."""
    config = folder.json_of(CONFIG)
    if not isinstance(config, dict):
        raise Unusable("is no configuration")
    for record in folder.current:
        for option, block in BLOCKS_GIVEN.get(record.rule, {}).items():
            given = record.option(option)
            if given and given != [json.dumps(config.get(block), sort_keys=True)]:
                yield Finding(CONFIG, f"has other {block} settings than {record.path} ran with")


@about(CONFIG)
def label_sets(folder: ResultsFolder) -> Iterator[Finding]:
    """The lesions of the configuration against those that each job was given, as far as it needs them."""
    options = (LABELS, LABEL_VALUES)
    given = [(record, option) for record in folder.current for option in options if record.option(option)]
    if not given:
        return
    config, study = folder.json_of(CONFIG), folder.json_of(STUDY)
    try:
        labels = lesions.label_set_of_results(study, config)
        older = config["labels"]  # which older releases gave ingest by this option: values of masks
        sets = [older, *(labels.content(extent) for extent in Extent)]
        maps = lesions.mask_values(config, [None, *config["label_maps"]]) if "classes" in study else {}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise Unusable(f"does not tell the lesions ({error})") from error
    for record, option in given:
        found = [_json(text) for text in record.option(option)]
        if option == LABELS:
            is_right = found in [[one] for one in sets]
        else:
            is_right = all(
                isinstance(one, dict) and all(maps.get(name) == values for name, values in one.items())
                for one in found
            )
        if not is_right:
            yield Finding(CONFIG, f"has other labels settings than {record.path} ran with")


def _json(text: str) -> Any:
    """What a JSON text says; the text where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


@about(manifest.CRATE)
def crate(folder: ResultsFolder) -> Iterator[Finding]:
    """The files and digests that the RO-Crate names, if there is one."""
    if manifest.CRATE not in folder.sizes:
        return
    content = folder.json_of(manifest.CRATE)
    entities = content.get("@graph") if isinstance(content, dict) else None
    if not isinstance(entities, list) or not all(isinstance(entity, dict) for entity in entities):
        raise Unusable("is no RO-Crate")
    for entity in entities:
        path = unquote(str(entity.get("@id", "")))
        if path in folder.sizes and entity.get("sha256", folder.digests[path]) != folder.digests[path]:
            yield Finding(manifest.CRATE, f"has another digest of {path} than the file")
        elif "sha256" in entity and path in folder.listed and path not in folder.sizes:
            yield Finding(manifest.CRATE, f"names {path}, which is not there")


@about(evidence.EVIDENCE)
def evidence_digest(folder: ResultsFolder) -> Iterator[Finding]:
    """The evidence digest computed anew, and as the pages of the tables print it."""
    stated = evidence.parsed(folder.json_of(evidence.EVIDENCE))
    copies = {digest for path, digest in folder.digests.items() if path.startswith(seal.WORKFLOW)}
    for path, digest in stated["files"].items():
        now = amendments.digest_now(folder.amendments, path, digest)
        there = digest in copies if path == evidence.PLAN else folder.digests.get(path) == now
        if not there:
            yield Finding(evidence.EVIDENCE, f"was computed from another {path} than the one there")
    if evidence.digest(stated["files"]) != stated["sha256"]:
        yield Finding(evidence.EVIDENCE, "is not the digest of the files that it names")
    for path in folder.sizes:
        if path.startswith("tables/") and path.endswith((".html", ".tex")):
            yield from guarded(path, _printed_digest, folder, path, stated["sha256"])


def _printed_digest(folder: ResultsFolder, path: str, stated: str) -> Iterator[Finding]:
    printed = re.findall(r"[Ee]vidence digest\D{0,40}?([0-9a-f]{64})", folder.text_of(path))
    if any(each != stated for each in printed):
        yield Finding(path, "prints another evidence digest than that of the results")


@about(LEDGER)
def test_set_ledger(folder: ResultsFolder) -> Iterator[Finding]:
    """The ledger of the test set: its chain of lines, and each job that scored."""
    scored = {record.path: record.opening for record in folder.records if record.opening}
    text = folder.text_of(LEDGER) if LEDGER in folder.there else ""
    for what in ledger.faults(text, scored):
        yield Finding(LEDGER, what)
    for record in folder.records:
        if record.rule in ledger.SCORING and not record.opening:
            yield Finding(record.path, "scored the test set and names no line of the ledger")


INTEGRITY: tuple[Check, ...] = (
    root,
    files,
    amended,
    outputs,
    inputs,
    inputs_from_elsewhere,
    logs,
    code,
    settings,
    label_sets,
    crate,
    evidence_digest,
    test_set_ledger,
)
"""All checks that need nothing but the folder."""


def against_checkout(workflow: Path) -> Check:
    """The copied workflow against a checkout: which files differ, and whether more than comments do."""

    def check(folder: ResultsFolder) -> Iterator[Finding]:
        base = f"{seal.WORKFLOW}/"
        for path, digest in folder.digests.items():
            if not path.startswith(base):
                continue
            other = workflow / path.removeprefix(base)
            if not other.is_file():
                yield Finding(path, f"is not in {workflow}")
            elif sha256_of(other) != digest:
                code = _code_digest(folder.results / path) if path.endswith(".py") else ""
                same = code and code == _code_digest(other)
                yield Finding(path, f"differs from {other}" + (" in comments only" if same else ""))

    return check


def unrecorded(folder: ResultsFolder) -> list[str]:
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
    former: Sequence[str]
    amendments: Sequence[str]
    findings: Sequence[Finding]
    not_checked: Sequence[str]


NO_ROOT = (
    "That the folder was not sealed anew after a change: give --root the digest that was printed, "
    "published or signed."
)
NO_DICOM = "That no value of the trial's own DICOM headers is here: give --dicom, or a --sheet of DICOM."
OTHER_ROWS = (
    "That tables lost nothing but rows of withdrawn scans: the root after an amendment stands for them as"
    " they were left, and the one before can't tell."
)
PIXELS = "What the pixels show: faces, burnt-in letters."


def summary(
    folder: ResultsFolder,
    findings: Sequence[Finding],
    with_dicom: bool,
    began: float,
    unread: Mapping[str, int] = MappingProxyType({}),
) -> Summary:
    """Everything that a report prints.

    Args:
        folder: what was looked at.
        findings: and what was found.
        with_dicom: whether the trial's own headers were sought.
        began: ``time.monotonic()`` when it began.
        unread: how much of the trial's DICOM could not be read, by what a message calls its folder.
    """
    try:
        stated = evidence.parsed(folder.json_of(evidence.EVIDENCE))["sha256"]
    except Unusable:
        stated = ""
    try:
        openings = ledger.openings_in_words(ledger.parsed(folder.text_of(LEDGER)))
    except Unusable as error:
        openings = f"The ledger of the test set {error}."
    return Summary(
        root=manifest.root_of(folder.results),
        evidence=stated,
        files=len(folder.sizes),
        bytes=sum(folder.sizes.values()),
        records=len(folder.records),
        seconds=time.monotonic() - began,
        openings=openings,
        unrecorded=unrecorded(folder),
        former=folder.former,
        amendments=[_in_words(folder, one) for one in folder.amendments],
        findings=findings,
        not_checked=_not_checked(folder, with_dicom, unread),
    )


def _in_words(folder: ResultsFolder, one: Amendment) -> str:
    """An amendment, with the root digests before and after it."""
    if not one.root:
        return f"{one.in_words()}; the results were not sealed then"
    return f"{one.in_words()}; root before {one.root}, after {folder.root_after(one) or 'unknown'}"


def _not_checked(folder: ResultsFolder, with_dicom: bool, unread: Mapping[str, int]) -> list[str]:
    """What was not looked at, a sentence each."""
    sentences = []
    if not folder.root:
        sentences.append(NO_ROOT)
    if not with_dicom:
        sentences.append(NO_DICOM)
    if folder.amendments:
        sentences.append(OTHER_ROWS)
    for name, count in unread.items():
        sentences.append(f"{count} files or folders in {name}, which can't be read.")
    return [*sentences, PIXELS]
