"""What crate, evidence digest and ledger state of the files."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, unquote

from headct.contracts import amendments
from headct.contracts.artefacts import CONFIG, LEDGER
from headct.contracts.run_records import Record
from headct.contracts.untrusted import Unusable
from headct.provenance import former, ledger, manifest, seal
from headct.provenance.checks.folder import RUNS, Finding, ResultsFolder, about, guarded
from headct.provenance.manifest import below_results
from headct.publish import evidence

DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
PRINTED_PLAN = re.compile(
    r"(?:analysis plan of [\d-]+ \(SHA-256\s+|sha256(?:</td><td[^>]*>|\t|\s*&\s*))([0-9a-f]{64})"
)
PRINTED_FILE = re.compile(r'data-column="([^"\s]+/[^"\s]+)">([0-9a-f]{64})<')
PRINTED_WEIGHTS = re.compile(r"seed (\d+), fold (\w+): <code>([0-9a-f]{64})")
"""How pages print the digests of plan, files and weights."""
PRINTED = ("tables/", "report/", "models/", "statistics/plan.tsv", "audit/methods.md")
"""Where pages and texts are that jobs wrote."""


@about(manifest.CRATE)
def crate(folder: ResultsFolder) -> Iterator[Finding]:
    """The files, jobs and digests that the RO-Crate names; it names all jobs that results rest on."""
    content = folder.json_of(manifest.CRATE)
    entities = content.get("@graph") if isinstance(content, dict) else None
    if not isinstance(entities, list) or not all(isinstance(entity, dict) for entity in entities):
        raise Unusable("is no RO-Crate")
    jobs = {f"#job/{r.path.removeprefix(RUNS).removesuffix('.json')}": r for r in folder.records}
    read = {f"#{quote(path)}": digests for path, digests in folder.from_elsewhere.items()}
    ran = {record.workflow["code"] for record in folder.records}
    described = {str(entity.get("@id", "")): entity for entity in entities}
    rested_on = {record.path for record in former.records_behind(folder.records, folder.requested)}
    for name, record in jobs.items():
        if record.path in rested_on and name not in described:
            yield Finding(manifest.CRATE, f"does not tell of the job of {record.path}")
    yield from guarded(CONFIG, _study_in_crate, folder, described.get("./", {}))
    for name, entity in described.items():
        yield from _file_in_crate(entity, unquote(name), folder)
        if name in jobs:
            yield from _job_in_crate(entity, jobs[name], described)
        elif name.startswith("#job/"):
            yield Finding(manifest.CRATE, f"tells of a job that has no record: {name}")
        if name in read and str(entity.get("value")) not in read[name]:
            yield Finding(
                manifest.CRATE, f"has another digest of {unquote(name[1:])} than the jobs that read it"
            )
        if name.startswith("#tool/") and str(entity.get("identifier")) not in ran:
            yield Finding(manifest.CRATE, f"has a digest of the code of {unquote(name[1:])} that no job has")


def _study_in_crate(folder: ResultsFolder, root: Mapping[str, Any]) -> Iterator[Finding]:
    config = folder.json_of(CONFIG)
    study = config.get("study") if isinstance(config, dict) else None
    if not isinstance(study, dict):
        raise Unusable("is no configuration")
    if root.get("name") != f"Results of the study {study.get('name')}":
        yield Finding(manifest.CRATE, f"is of another study than {CONFIG}")


def _file_in_crate(entity: Mapping[str, Any], path: str, folder: ResultsFolder) -> Iterator[Finding]:
    if path in folder.sizes:
        if entity.get("sha256", folder.digests[path]) != folder.digests[path]:
            yield Finding(manifest.CRATE, f"has another digest of {path} than the file")
        if entity.get("contentSize", str(folder.sizes[path])) != str(folder.sizes[path]):
            yield Finding(manifest.CRATE, f"has another size of {path} than the file")
    elif "sha256" in entity:
        yield Finding(manifest.CRATE, f"names {path}, which is not there")


def _job_in_crate(
    entity: Mapping[str, Any], record: Record, described: Mapping[str, Mapping[str, Any]]
) -> Iterator[Finding]:
    """What the crate says of a job, against its record."""
    wildcards = ", ".join(f"{name} {value}" for name, value in sorted(record.wildcards.items()))
    tool = record.step or record.command[2]
    says = {
        "name": f"{record.rule}: {wildcards}" if wildcards else record.rule,
        "description": shlex.join(record.command),
        "startTime": record.started,
        "endTime": record.ended,
    }
    refers = {
        "object": _as_referred_to(record.inputs),
        "result": _as_referred_to(record.outputs),
        "subjectOf": sorted([record.path, below_results(record.log)]),
        "instrument": [f"#tool/{tool}/{record.workflow['code'][:12]}"],
    }
    for key, value in says.items():
        if entity.get(key) != value:
            yield Finding(manifest.CRATE, f"says otherwise than {record.path}: {key}")
    for key, names in refers.items():
        if _referred_to(entity.get(key, []), described) != names:
            yield Finding(manifest.CRATE, f"says otherwise than {record.path}: {key}")


def _as_referred_to(files: Mapping[str, str]) -> list[str]:
    """Files of a record: by path, or by digest what lies outside of the results."""
    return sorted(below_results(path) or digest for path, digest in files.items())


def _referred_to(value: Any, described: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """What an entity refers to, one thing or several, as :func:`_as_referred_to` has it."""
    found = []
    for one in value if isinstance(value, list) else [value]:
        name = str(one["@id"])
        entity = described.get(name, {})
        outside = str(entity.get("value", entity.get("sha256", "")))
        is_copy = name.startswith((f"{seal.WORKFLOW}/", "#")) and not name.startswith("#tool/")
        found.append(outside if is_copy else unquote(name))
    return sorted(found)


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
    printed = re.findall(r"[Ee]vidence digest\b.{0,120}?([0-9a-f]{64})", folder.text_of(path), re.DOTALL)
    if any(each != stated for each in printed):
        yield Finding(path, "prints another evidence digest than that of the results")


def printed_digests(folder: ResultsFolder) -> Iterator[Finding]:
    """Digests that pages and texts print: those of plan, files and weights, and of nothing unknown."""
    known = set(folder.digests.values())
    for record in folder.records:
        known |= {*record.inputs.values(), *record.outputs.values(), record.workflow["code"]}
    for one in folder.amendments:
        known |= {one.root, *one.deleted.values(), *(of["before"] for of in one.changed.values())}
    with contextlib.suppress(Unusable):
        known.add(evidence.parsed(folder.json_of(evidence.EVIDENCE))["sha256"])
    for path in folder.sizes:
        if path.startswith(PRINTED) and path.endswith((".html", ".tex", ".md", "plan.tsv", "statements.tsv")):
            yield from guarded(path, _printed, folder, path, known)


def _printed(folder: ResultsFolder, path: str, known: set[str]) -> Iterator[Finding]:
    text = folder.text_of(path)
    for digest in sorted(set(DIGEST.findall(text)) - known):
        yield Finding(path, f"prints a digest that nothing in the folder has: {digest[:12]}…")
    if folder.plan and any(digest != folder.plan for digest in PRINTED_PLAN.findall(text)):
        yield Finding(path, "prints another digest of the analysis plan than that of the results")
    printed = PRINTED_FILE.findall(text)
    model = PurePosixPath(path).stem
    printed += [
        (f"models/{model}/seed-{seed}/fold-{fold}/final.pth", digest)
        for seed, fold, digest in PRINTED_WEIGHTS.findall(text)
    ]
    for file, digest in printed:
        if file in folder.sizes and folder.digests[file] != digest:
            yield Finding(path, f"prints another digest of {file} than it has")


@about(LEDGER)
def test_set_ledger(folder: ResultsFolder) -> Iterator[Finding]:
    """The ledger of the test set: its chain of lines, and each job that scored."""
    scored = {record.path: record.opening for record in folder.records if record.opening}
    text = folder.text_of(LEDGER) if LEDGER in folder.there else ""
    for what in ledger.faults(text, scored):
        yield Finding(LEDGER, what)
    openings = {opening.number: opening for opening in ledger.parsed(text)}
    for record in folder.records:
        if record.opening and record.opening["number"] in openings:
            yield from _opening(record, openings[record.opening["number"]])
        if record.rule in ledger.SCORING and not record.opening:
            yield Finding(record.path, "scored the test set and names no line of the ledger")


def _opening(record: Record, line: ledger.Opening) -> Iterator[Finding]:
    """A line of the ledger against the record of the job that wrote it."""
    if record.amended_by:
        return  # its files are not the ones that it scored, since scans were withdrawn
    predictions = [path for path in sorted(record.inputs) if path.startswith("results/predictions/")]
    name = record.wildcards.get("set", "")
    is_external = record.rule == ledger.OF_EXTERNAL_SET
    split = f"results/cohort/external/{name}.tsv" if is_external else "results/cohort/split.tsv"
    says = {
        "scored": record.ended,
        "rule": f"{record.rule}:{name}" if is_external else record.rule,
        "model": record.wildcards.get("model", record.rule),
        "predictions": " ".join(record.inputs[path] for path in predictions),
        "split": record.inputs.get(split, ""),
        "metrics": " ".join(record.outputs.values()),
    }
    for column, value in says.items():
        if getattr(line, column) != value:
            yield Finding(LEDGER, f"line {line.number} has another {column} than {record.path}")
