"""The results as a Workflow Run RO-Crate: what ran, on what, and what came of it, for others' tools.

The crate is ``results/ro-crate-metadata.json``, its root the results folder. It follows RO-Crate 1.1 and the
profiles Process, Workflow and Provenance Run Crate 0.5 (https://w3id.org/ro/wfrun/): a rule is a step, a job
is an action that refers to the files that it read and made, a file carries its SHA-256. From a figure the
actions lead back to each ``scan.json``, which holds the digests of the DICOM instances.

Times are those of the run records, so equal results with equal records are equal bytes.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from operator import itemgetter
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from rocrate.model.computationalworkflow import ComputationalWorkflow
from rocrate.model.contextentity import ContextEntity
from rocrate.model.dataset import Dataset
from rocrate.model.entity import Entity
from rocrate.model.file import File
from rocrate.rocrate import ROCrate

from headct.contracts import run_records
from headct.contracts.artefacts import CONFIG, LEDGER, STUDY, read_json, sha256_of, write_json
from headct.contracts.manifests import files_listed
from headct.contracts.problems import BadInput, Problem
from headct.contracts.run_records import Record
from headct.provenance import former, manifest
from headct.provenance.seal import WORKFLOW

METADATA = manifest.CRATE
SNAKEFILE = f"{WORKFLOW}/Snakefile"
PRODUCTS = {
    "figures": "Figures, each as PDF, SVG and PNG, with a table of the numbers drawn.",
    "report": "Reporting checklists and model cards.",
    "statistics": "Statistics behind tables and figures.",
    "tables": "Tables, each as TSV, page and LaTeX.",
}
"""Folders of the results that are what a run is for; all others are on the way to them."""

RUN_CONTEXT = "https://w3id.org/ro/terms/workflow-run/context"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/provenance/0.5": ("Provenance Run Crate", "0.5"),
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": ("Workflow RO-Crate", "1.0"),
}
SHA256 = "https://w3id.org/ro/terms/workflow-run#sha256"
COMPLETED = "http://schema.org/CompletedActionStatus"
LICENCE = "Not stated here: the owner of the study says on which terms its results may be used."

SINGLE = (CONFIG, STUDY, "audit/start.json", LEDGER)
"""Files that Snakemake's own process wrote, or several jobs together."""

FORMATS = {
    ".gz": "application/gzip",
    ".html": "text/html",
    ".json": "application/json",
    ".lock": "text/plain",
    ".log": "text/plain",
    ".md": "text/markdown",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".pth": "application/octet-stream",
    ".py": "text/x-python",
    ".svg": "image/svg+xml",
    ".tex": "application/x-tex",
    ".tsv": "text/tab-separated-values",
    ".yaml": "application/yaml",
}
DESCRIPTIONS = {
    CONFIG: "Resolved configuration of the run, defaults among it.",
    STUDY: "Which study the folder belongs to.",
    "cohort/cohort.tsv": "One scan per row: included, excluded or in error, with reason and digests.",
    "cohort/split.tsv": "Training and test set, with the digests of each scan's volume and labels.",
    "data/*/scan.json": "One scan: SHA-256 of every DICOM instance of its series, geometry, eligibility.",
    "audit/start.json": "Versions, commit and digests of the code at the start of the run.",
    LEDGER: "Every time that labels of the test set were used for scoring, and by what.",
    "audit/runs/*.json": "Run record of one job: command, digests, machine, versions, seeds.",
}
"""What a file is, by pattern of its path (an asterisk matches slashes as well)."""

Entities = Mapping[str, Entity]
"""Entities of the crate by path, which is relative to the study's folder and begins with ``results/``."""


def write(results: Path, requested: Sequence[str] = ()) -> None:
    """Write ``ro-crate-metadata.json`` into a results folder, from its run records.

    The job that writes the crate is not in it, and neither are files that no record names.

    Raises:
        BadInput: there are no records, or one of them names an output or a log that is not there.
    """
    own = f"results/{METADATA}"
    jobs = [
        job for job in former.records_behind(run_records.load(results), requested) if own not in job.outputs
    ]
    if not jobs:
        raise BadInput(
            [Problem(str(results / "audit/runs"), "no run record is here: no run can be described")]
        )
    jobs.sort(key=lambda job: (job.ended, job.path))  # of two jobs that made one file the last one counts
    write_json(_described(results, jobs), results / METADATA)


def _described(results: Path, jobs: Sequence[Record]) -> dict[str, Any]:
    """The JSON-LD of the crate."""
    crate = ROCrate(version="1.1")
    crate.metadata.extra_contexts.append(RUN_CONTEXT)
    config = read_json(results / CONFIG)
    workflow = _add_workflow(crate, results, jobs)
    files = _add_files(crate, results, jobs)
    elsewhere = _add_elsewhere(crate, files, jobs)
    run = _add_run(crate, workflow, files[f"results/{CONFIG}"], elsewhere.get(config["sheet"]), jobs)
    actions = {job.path: _add_action(crate, job, {**elsewhere, **files}) for job in jobs}
    _add_steps(crate, workflow, run, actions, jobs)
    root = crate.root_dataset
    root["name"] = f"Results of the study {config['study']['name']}"
    root["description"] = " ".join(
        filter(None, ["Segmentation models compared on head CT of a stroke trial.", config["study"]["note"]])
    )
    root["datePublished"] = jobs[-1].ended
    root["license"] = LICENCE
    root["mentions"] = [run, *actions.values()]
    root["conformsTo"] = [
        crate.add(ContextEntity(crate, url, {"@type": "CreativeWork", "name": name, "version": version}))
        for url, (name, version) in PROFILES.items()
    ]
    document: dict[str, Any] = crate.metadata.generate()
    document["@graph"] = [_compact(entity) for entity in sorted(document["@graph"], key=itemgetter("@id"))]
    return document


def _compact(entity: Mapping[str, Any]) -> dict[str, Any]:
    """Without empty lists, and without a list around a single value, as RO-Crate 1.1 recommends."""
    return {
        key: value[0] if isinstance(value, list) and len(value) == 1 else value
        for key, value in entity.items()
        if value != []
    }


def _add_workflow(crate: ROCrate, results: Path, jobs: Sequence[Record]) -> Entity:
    """The workflow's copy in the results, as what the crate is mainly about."""
    properties = {
        "@type": [*ComputationalWorkflow.TYPES, "HowTo"],
        **_properties(results / SNAKEFILE, SNAKEFILE, sha256_of(results / SNAKEFILE)),
        "name": "headct",
        "encodingFormat": "text/plain",
        **_version(jobs[-1]),
    }
    language = {"lang": "snakemake", "lang_version": jobs[-1].workflow.get("snakemake")}
    return crate.add_workflow(dest_path=SNAKEFILE, properties=properties, main=True, **language)


def _version(job: Record) -> dict[str, str]:
    """Version and commit of the code that a job ran, as far as they are known."""
    version, commit, dirty = (job.workflow.get(key) for key in ("version", "commit", "dirty"))
    parts = [version, commit and f"commit {commit}", "with uncommitted changes" if dirty else ""]
    text = ", ".join(filter(None, parts))
    return {"version": text} if text else {}


def _add_files(crate: ROCrate, results: Path, jobs: Sequence[Record]) -> dict[str, Entity]:
    """All outputs with the digests recorded; and the records, logs, configuration and code behind them."""
    made = {path: digest for job in jobs for path, digest in job.outputs.items()}
    if missing := [problem for job in jobs for problem in _missing(results, job)]:
        raise BadInput(missing)
    beside = [path for path in SINGLE if (results / path).is_file()]
    beside += [
        path.relative_to(results).as_posix() for path in (results / WORKFLOW).rglob("*") if path.is_file()
    ]
    beside += [job.path for job in jobs]
    paths = [f"results/{path}" for path in beside if path != SNAKEFILE]
    paths += [job.log for job in jobs]
    digests = {path: sha256_of(results.parent / path) for path in paths} | made
    return {
        path: crate.add(
            File(
                crate,
                dest_path=(inside := path.removeprefix("results/")),
                properties=_properties(results.parent / path, inside, digest),
            )
        )
        for path, digest in sorted(digests.items())
    }


def _missing(results: Path, job: Record) -> list[Problem]:
    """What a job made and is gone, with what brings it back."""
    gone = [path for path in (*job.outputs, job.log) if not (results.parent / path).is_file()]
    listed = {
        file.relative_to(results.parent).as_posix(): path
        for path in (job.outputs if gone else ())
        for file in files_listed(results.parent / path)
    }
    return [
        Problem(
            path,
            f"was made by {job.rule}, and is gone. Put it back from a copy"
            + (f" (its SHA-256 is {job.outputs[path]})" if path in job.outputs else "")
            + ", or have it made again: "
            + (
                f"delete {listed[path]}, which lists it, and start the run again"
                if path in listed
                else f"run once with --forcerun {job.rule}"
            ),
        )
        for path in gone
    ]


def _properties(file: Path, path: str, digest: str) -> dict[str, str]:
    """What the crate says of a file; ``path`` is relative to the results."""
    properties = {"name": file.name, "contentSize": str(file.stat().st_size), "sha256": digest}
    if file.suffix in FORMATS:
        properties["encodingFormat"] = FORMATS[file.suffix]
    for pattern, text in DESCRIPTIONS.items():
        if fnmatchcase(path, pattern):
            properties["description"] = text
    return properties


def _add_elsewhere(crate: ROCrate, files: Entities, jobs: Sequence[Record]) -> dict[str, Entity]:
    """Inputs outside the results, by path: the sheet, of which the crate has the digest only, and the like.

    One of which the results hold a copy (the analysis plan, published numbers) is that copy.
    """
    copies = {file["sha256"]: file for path, file in files.items() if path.startswith(f"results/{WORKFLOW}/")}
    read = {path: digest for job in jobs for path, digest in job.inputs.items() if path not in files}
    return {
        path: copies.get(digest)
        or crate.add(
            ContextEntity(
                crate,
                f"#{quote(path)}",
                {"@type": "PropertyValue", "name": path, "propertyID": SHA256, "value": digest},
            )
        )
        for path, digest in sorted(read.items())
    }


def _add_run(
    crate: ROCrate, workflow: Entity, config: Entity, sheet: Entity | None, jobs: Sequence[Record]
) -> Entity:
    """The run as a whole, from configuration and sheet to the products."""
    made = {PurePosixPath(path).parts[1] for job in jobs for path in job.outputs}
    products = [
        crate.add(Dataset(crate, dest_path=f"{folder}/", properties={"name": folder, "description": text}))
        for folder, text in PRODUCTS.items()
        if folder in made
    ]
    given = [config]
    if sheet:
        given.append(sheet)
    workflow["input"] = [_add_parameter(crate, entity) for entity in given]
    workflow["output"] = [_add_parameter(crate, entity) for entity in products]
    amended = dict.fromkeys(f" {one.in_words()}." for job in jobs for one in job.amended_by)
    properties = {
        "@type": "CreateAction",
        "name": "Run of the workflow",
        "description": f"{len(jobs)} jobs, as last run each; the run may have been resumed in between."
        + "".join(amended),
        "startTime": min(job.started for job in jobs),
        "endTime": jobs[-1].ended,
        "actionStatus": COMPLETED,
    }
    run = crate.add(ContextEntity(crate, "#run", properties))
    run["instrument"], run["object"], run["result"] = workflow, given, products
    return run


def _add_parameter(crate: ROCrate, example: Entity) -> Entity:
    """The formal parameter of the workflow that a file or folder is an instance of."""
    kind = example.type if isinstance(example.type, str) else example.type[0]
    name = example["name"]
    parameter = crate.add(
        ContextEntity(
            crate,
            f"#parameter/{quote(name)}",
            {"@type": "FormalParameter", "additionalType": kind, "name": name},
        )
    )
    parameter["workExample"], example["exampleOfWork"] = example, parameter
    return parameter


def _add_action(crate: ROCrate, job: Record, entities: Entities) -> Entity:
    """One job."""
    wildcards = ", ".join(f"{name} {value}" for name, value in sorted(job.wildcards.items()))
    properties = {
        "@type": "CreateAction",
        "name": f"{job.rule}: {wildcards}" if wildcards else job.rule,
        "description": shlex.join(job.command),
        "startTime": job.started,
        "endTime": job.ended,
        "actionStatus": COMPLETED,
    }
    action = crate.add(ContextEntity(crate, _action_id(job), properties))
    action["instrument"] = _add_tool(crate, job)
    action["object"] = [entities[path] for path in sorted(job.inputs)]
    action["result"] = [entities[path] for path in sorted(job.outputs)]
    action["subjectOf"] = [entities[f"results/{job.path}"], entities[job.log]]
    return action


def _action_id(job: Record) -> str:
    return f"#job/{job.path.removeprefix('audit/runs/').removesuffix('.json')}"


def _add_tool(crate: ROCrate, job: Record) -> Entity:
    """The step that a job ran (a module, in older releases), in the state in which it ran it."""
    name, digest = job.step or job.command[2], job.workflow["code"]
    properties = {
        "@type": "SoftwareApplication",
        "name": name,
        "description": "Its identifier is the digest of its code and of what it imports of the project.",
        "identifier": digest,
        **_version(job),
    }
    return crate.add(ContextEntity(crate, f"#tool/{name}/{digest[:12]}", properties))


def _add_steps(
    crate: ROCrate, workflow: Entity, run: Entity, actions: Entities, jobs: Sequence[Record]
) -> None:
    """The rules as steps of the workflow, and the workflow engine as who had the jobs done."""
    controls = []
    for rule in sorted({job.rule for job in jobs}):
        done = [actions[job.path] for job in jobs if job.rule == rule]
        step = crate.add(ContextEntity(crate, f"#rule/{rule}", {"@type": "HowToStep", "name": rule}))
        step["workExample"] = _distinct(action["instrument"] for action in done)
        control = crate.add(
            ContextEntity(
                crate, f"#control/{rule}", {"@type": "ControlAction", "name": f"Jobs of rule {rule}"}
            )
        )
        control["instrument"], control["object"] = step, done
        controls.append(control)
    workflow["step"] = [control["instrument"] for control in controls]
    workflow["hasPart"] = _distinct(action["instrument"] for action in actions.values())
    versions = sorted({job.workflow["snakemake"] for job in jobs if job.workflow.get("snakemake")})
    described = {"@type": "SoftwareApplication", "name": "Snakemake", "softwareVersion": ", ".join(versions)}
    engine = crate.add(ContextEntity(crate, "#snakemake", described))
    properties = {"@type": "OrganizeAction", "name": "Snakemake runs the workflow"}
    organize = crate.add(ContextEntity(crate, "#organize", properties))
    organize["instrument"], organize["object"], organize["result"] = engine, controls, run


def _distinct(entities: Any) -> list[Entity]:
    return list({entity.id: entity for entity in entities}.values())
