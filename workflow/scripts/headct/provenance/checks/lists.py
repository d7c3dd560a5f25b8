"""What files state of other files: volumes of a scan, weights, label maps, scans, code of a run."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from headct.contracts import manifests, untrusted
from headct.contracts.code import KERNEL
from headct.contracts.run_records import is_sha256
from headct.contracts.untrusted import Unusable
from headct.engine import starts
from headct.provenance import seal
from headct.provenance.checks.copied_code import copy_of, is_code_of
from headct.provenance.checks.folder import Finding, ResultsFolder, guarded
from headct.provenance.manifest import below_results

START = "audit/start.json"
TABLES_OF_SCANS = ("cohort/cohort.tsv", "cohort/split.tsv", "cohort/external/*.tsv")
VOLUMES = {
    "ct_sha256": "ct.nii.gz",
    "labels_sha256": "labels.nii.gz",
    "labels_intra_sha256": "labels_intra.nii.gz",
    "labels_inter_sha256": "labels_inter.nii.gz",
}
"""By column of these tables, the file of a scan whose SHA-256 it holds."""

OfFile = Callable[[ResultsFolder, str], Iterator[Finding]]


def listed_files(folder: ResultsFolder) -> Iterator[Finding]:
    """Each file of which another one states the digest, against that digest."""
    checks = {
        _any_of(manifests.LISTS.keys() - {starts.RECORD}): _files_of_list,
        _any_of(TABLES_OF_SCANS): _volumes_of_table,
    }
    checks |= {
        _any_of([starts.RECORD]): _training,
        _any_of([START]): _start,
        _any_of(["report/*.sha256"]): _sums,
    }
    former = set(folder.former)
    for path in folder.sizes:
        if (
            path.endswith((".json", ".tsv", ".sha256"))
            and path not in former
            and not path.startswith(seal.WORKFLOW)
        ):
            for pattern, check in checks.items():
                if pattern.fullmatch(path):
                    yield from guarded(path, check, folder, path)


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    """Ends of paths, as ``Path.match`` knows them, which takes ten times as long."""
    ends = "|".join(re.escape(pattern).replace(r"\*", "[^/]*") for pattern in patterns)
    return re.compile(f"(?:.*/)?(?:{ends})")


def _files_of_list(folder: ResultsFolder, path: str) -> Iterator[Finding]:
    if folder.sizes[path] > untrusted.LARGEST_TEXT_MB << 20:
        raise Unusable(f"is larger than {untrusted.LARGEST_TEXT_MB} MB")
    try:
        listed = manifests.listed_by(folder.results / path)
    except (ValueError, LookupError, TypeError, AttributeError, csv.Error) as error:
        raise Unusable("is no list of files with their digests") from error
    for file, digest in listed.items():
        inside = str(file).removeprefix(f"{folder.results}/")  # relative_to takes longer than all else
        yield from _stated(folder, path, inside, str(digest))


def _training(folder: ResultsFolder, path: str) -> Iterator[Finding]:
    """What a training made, and the scans that it learnt from, which are those of the split of its job."""
    yield from _files_of_list(folder, path)
    record, maker = folder.json_of(path), folder.makers.get(path)
    if not maker or starts.SCANS not in record:  # older releases did not say
        return
    for split in map(below_results, maker.option("--split")):
        learnt, others = _scans_of_split(folder, split)
        if not _may_have_learnt(record, learnt, others, folder):
            yield Finding(path, f"states other scans than those of {split} that it learnt from")


def _scans_of_split(folder: ResultsFolder, split: str) -> tuple[set[str], set[str]]:
    """SHA-256 of the CT of the training scans, and of all others."""
    rows = list(csv.DictReader(io.StringIO(folder.text_of(split)), delimiter="\t"))
    learnt = {row["ct_sha256"] for row in rows if row["set"] == "train" and row["ct_sha256"]}
    return learnt, {row["ct_sha256"] for row in rows} - learnt


def _may_have_learnt(
    record: Mapping[str, Any], learnt: set[str], others: set[str], folder: ResultsFolder
) -> bool:
    """Whether a training with these scans can state what it states.

    Where it began from other weights, it states the scans of these as well, none of them tested on; or none
    at all, where it does not know them.
    """
    stated, began_from_weights = record[starts.SCANS], "start" in record
    if stated is None:
        return began_from_weights
    if not isinstance(stated, list) or not all(map(is_sha256, stated)) or len(set(stated)) < len(stated):
        return False
    more = set(stated) - learnt - {digest for one in folder.amendments for digest in one.deleted.values()}
    allowed = not more & others if began_from_weights else not more
    return learnt <= set(stated) and allowed


def _volumes_of_table(folder: ResultsFolder, path: str) -> Iterator[Finding]:
    for row in csv.DictReader(io.StringIO(folder.text_of(path)), delimiter="\t"):
        for column, name in VOLUMES.items():
            if digest := row.get(column):
                yield from _stated(folder, path, f"data/{row.get('scan_id')}/{name}", digest)


def _sums(folder: ResultsFolder, path: str) -> Iterator[Finding]:
    """Lines as ``sha256sum`` writes them, of files beside it."""
    for line in folder.text_of(path).splitlines():
        digest, _, name = line.partition("  ")
        yield from _stated(folder, path, path.rpartition("/")[0] + f"/{name}", digest)


def _stated(folder: ResultsFolder, path: str, file: str, digest: str) -> Iterator[Finding]:
    if file not in folder.sizes:
        yield Finding(path, f"states the digest of {file}, which is not there")
    elif folder.digests[file] != digest:
        yield Finding(path, f"states another digest of {file} than it has")


def _start(folder: ResultsFolder, path: str) -> Iterator[Finding]:
    """The start of the run that sealed: its plan, and the code that can change a result, against the copies.

    What records, seals and tells may be edited while a run of days is going, and the results are the same.
    """
    start = folder.json_of(path)
    if not isinstance(start, dict) or not isinstance(start.get("modules", {}), dict):
        raise Unusable("does not tell how a run started")
    copies = {digest for name, digest in folder.digests.items() if name.startswith(seal.WORKFLOW)}
    if str(start.get("analysis_plan")) not in ({folder.plan} if folder.plan else copies):
        yield Finding(path, "states another analysis plan than the one in the copy of the workflow")
    for module, stated in start.get("modules", {}).items():
        copy = copy_of(folder, module)
        states = stated if isinstance(stated, dict) else {}
        makes_results = any(module.startswith(f"headct.{package}.") for package in KERNEL)
        if copy and makes_results and not is_code_of(folder, copy, str(states.get("code"))):
            yield Finding(path, f"states other code of {module} than {copy} has")
