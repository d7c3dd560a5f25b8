"""The work folder of a training run: found again by what defines the run, never by its name alone.

Checkpoints live here, outside Snakemake's declared outputs, which are deleted when a job fails. The
folder's key digests settings, data, seed, fold, threads, device and code; so nothing stale is ever
resumed, and a finished run is published again in seconds.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from headct.artefacts import read_json, sha256_of, write_atomically, write_json
from headct.code import code_digest
from headct.training.job import TrainingJob

logger = logging.getLogger(__name__)

MODULES_OF_NO_WEIGHT = ("headct.artefacts", "headct.command", "headct.problems")
"""Modules whose edits leave every weight as it is: how files are written and errors are told."""

SETTINGS_OF_NO_WEIGHT = ("workers", "checkpoint_interval_epochs", "checkpoint_interval_minutes")
"""Settings of all frameworks that leave every weight as it is."""

KEY = "key.json"
PUBLISHED = ("final.pth", "train.json")


def identity(job: TrainingJob, adapter: str, versions: dict[str, str]) -> dict[str, Any]:
    """Everything that decides the weights that a run ends in (on a GPU, CPU threads do not)."""
    return {
        "settings": {key: value for key, value in job.settings.items() if key not in SETTINGS_OF_NO_WEIGHT},
        "training scans": [asdict(scan) | {"ct": "", "labels": ""} for scan in job.training_scans],
        "validation scans": [scan.sha256 for scan in job.validation_scans],
        "seed": job.seed,
        "fold": job.fold,
        "device": job.device,
        "threads": job.threads if job.device == "cpu" else None,
        "versions": versions,
        "code": code_digest([adapter], without=MODULES_OF_NO_WEIGHT),
    }


def find_or_make(runs: Path, defined_by: dict[str, Any]) -> Path:
    """The folder below ``runs`` of the run that ``defined_by`` defines, made if there is none.

    Where a run of another definition was the last one here, what changed is named in the log, and
    its checkpoints stay.
    """
    text = json.dumps(defined_by, sort_keys=True)
    folder = runs / hashlib.sha256(text.encode()).hexdigest()[:16]
    if not (folder / KEY).exists():
        for change in _changes_since_last(runs, json.loads(text)):
            logger.info("%s %s: starts afresh, changed: %s", runs.parent.name, runs.name, change)
        write_json(defined_by, folder / KEY)
    return folder


def _changes_since_last(runs: Path, defined_by: dict[str, Any]) -> list[str]:
    keys = sorted(runs.glob(f"*/{KEY}"), key=lambda path: path.stat().st_mtime)
    if not keys:
        return []
    last = read_json(keys[-1])
    return [name for name, value in defined_by.items() if last.get(name) != value]


def is_finished(folder: Path) -> bool:
    """Whether ``folder`` holds a whole trained model: weights whose digest is the recorded one."""
    weights, record = (folder / name for name in PUBLISHED)
    return record.exists() and weights.exists() and read_json(record)["sha256"] == sha256_of(weights)


def publish(folder: Path, out: Path, revision: int) -> None:
    """Copy the trained model from its work folder to ``out``, the record last."""
    weights, record = PUBLISHED
    with write_atomically(out / weights) as temporary:
        shutil.copyfile(folder / weights, temporary)
    write_json(read_json(folder / record) | {"revision": revision}, out / record)
