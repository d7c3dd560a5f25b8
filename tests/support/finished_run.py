"""A results folder as a finished run leaves it, made up: two scans, one model, and their records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from headct.contracts import run_records
from headct.contracts.artefacts import sha256_of, write_json

HOST = {"name": "node-1", "cpu": "a CPU", "cores": 8, "memory_mb": 16000, "gpus": [], "driver": None}
PACKAGES = {"numpy": "2.4.6", "pandas": "3.1.1"}


def make(study: Path) -> Path:
    """Write the folder below ``study`` and return ``study/results``."""
    results = study / "results"
    write_json(
        {"study": {"name": "made-up", "note": "no patients"}, "sheet": "trial/all scans.tsv"},
        results / "config.json",
    )
    write_json({"name": "made-up"}, results / "study.json")
    for path in ("Snakefile", "workflow/scripts/headct/cohort/ingest.py", "config/analysis_plan.yaml"):
        _text(results / "audit/workflow" / path, f"# {path}\n")
    _text(study / "trial/all scans.tsv", "scan_id\n1\n2\n")
    _text(study / "config/analysis_plan.yaml", "# config/analysis_plan.yaml\n")
    for scan in ("1", "2"):
        outputs = [f"results/data/{scan}/{name}" for name in ("scan.json", "ct.nii.gz")]
        job(study, f"ingest/{scan}", "ingest", [], outputs, minute=int(scan), wildcards={"scan": scan})
    scans = [f"results/data/{scan}/scan.json" for scan in ("1", "2")]
    split, metrics = "results/cohort/split.tsv", "results/metrics/unet.tsv"
    job(study, "split", "split", ["trial/all scans.tsv", *scans], [split], minute=3)
    job(study, "metrics/unet", "metrics", [split], [metrics], minute=4, wildcards={"model": "unet"})
    plan = "config/analysis_plan.yaml"
    job(study, "tables/table1", "table1", [metrics, plan], ["results/tables/table1.tsv"], minute=5)
    return results


def job(
    study: Path,
    name: str,
    rule: str,
    inputs: list[str],
    outputs: list[str],
    minute: int,
    wildcards: dict[str, str] | None = None,
    packages: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Write the outputs, log and record of one job."""
    for path in outputs:
        _text(study / path, f"{path}, made by {name}\n")
    log = f"results/logs/{name}.log"
    _text(study / log, f"{rule}\n")
    record = dict.fromkeys(run_records.KINDS) | {
        "rule": rule,
        "wildcards": wildcards or {},
        "command": ["python", "-m", f"headct.{rule}", "--settings", json.dumps({"seed": 1})],
        "inputs": {path: sha256_of(study / path) for path in inputs},
        "outputs": {path: sha256_of(study / path) for path in outputs},
        "log": log,
        "started": f"2026-11-23T10:{minute:02}:00+00:00",
        "ended": f"2026-11-23T10:{minute:02}:30+00:00",
        "seconds": 30.0,
        "peak_memory_mb": 100,
        "host": HOST,
        "seeds": {"seed": 1},
        "python": "3.11.7",
        "packages": packages or PACKAGES,
        "workflow": {
            "version": "0.1.0",
            "snakemake": "9.27.1",
            "commit": "0" * 40,
            "dirty": False,
            "code": f"{rule:0>64}",
            "modules": {},
        },
    }
    write_json(record, study / "results/audit/runs" / f"{name}.json")
    return record


def _text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
