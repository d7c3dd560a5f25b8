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
from pathlib import Path
from typing import Any

from headct.contracts.artefacts import read_json, sha256_of, write_atomically, write_json
from headct.contracts.code import NO_CONTENT, code_digests
from headct.contracts.manifests import files_listed, share_folder
from headct.engine.training_job import TrainingJob
from headct.settings.models import OF_TRAINING, Training, having

logger = logging.getLogger(__name__)

HOW_IT_WAS_MADE = ("threads", "versions")
"""Parts of an identity that weights depend on and nobody asks for: other ones are no reason to train anew."""

KEY = "key.json"
SHOWN_CHANGES = 8
DIGEST_LENGTH = 64
RECORD = "train.json"
CHECKPOINTS_KEPT = 2
"""Of a training: the one before the last is gone on from where the last can't be read."""


def identity(job: TrainingJob[Training], adapter: str, versions: dict[str, str]) -> dict[str, Any]:
    """Everything that decides the weights that a run ends in (on a GPU, CPU threads do not)."""
    only_if_asked_for = {"steps": job.steps, "kept steps": list(job.kept_steps)}
    return {
        "settings": having(job.settings, *OF_TRAINING),
        "labels": dict(job.labels),
        "training scans": {scan.scan_id: scan.sha256 for scan in job.training_scans},
        "order of scans": [scan.scan_id for scan in job.training_scans],
        "validation scans": {scan.scan_id: scan.sha256 for scan in job.validation_scans},
        "seed": job.seed,
        "fold": job.fold,
        "device": job.device,
        "threads": job.threads if job.device == "cpu" else None,
        "versions": versions,
        "deterministic": job.deterministic if job.device == "cuda" else None,
        "code": code_digests([adapter], without=NO_CONTENT),
        **{part: value for part, value in only_if_asked_for.items() if value},
    }


def definition(defined_by: dict[str, Any]) -> str:
    """SHA-256 of what an identity asks for; ``train.json`` has that of its model."""
    asked_for = {part: value for part, value in defined_by.items() if part not in HOW_IT_WAS_MADE}
    return hashlib.sha256(json.dumps(asked_for, sort_keys=True).encode()).hexdigest()


def is_what_is_asked_for(out: Path, defined_by: dict[str, Any]) -> bool:
    """Whether the model asked for is where it is to be published, with weights of the recorded digest."""
    return is_finished(out) and read_json(out / RECORD).get("definition") == definition(defined_by)


def find_or_make(runs: Path, defined_by: dict[str, Any]) -> Path:
    """The folder below ``runs`` of the run that ``defined_by`` defines, made if there is none.

    Where a run of another definition was the last one here, what changed is named in the log, and
    its checkpoints stay.
    """
    text = json.dumps(defined_by, sort_keys=True)
    folder = runs / hashlib.sha256(text.encode()).hexdigest()[:16]
    if not (folder / KEY).exists():
        if last := _last_definition(runs):
            what = "; ".join(changes(last, json.loads(text)))
            logger.info("%s %s: starts afresh, changed: %s", runs.parent.name, runs.name, what)
        write_json(defined_by, folder / KEY)
    return folder


def _last_definition(runs: Path) -> dict[str, Any]:
    keys = sorted(runs.glob(f"*/{KEY}"), key=lambda path: path.stat().st_mtime)
    last: dict[str, Any] = read_json(keys[-1]) if keys else {}
    return last


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What differs between two definitions of a run, in words: one entry per part that changed."""
    found = []
    for part in sorted(before.keys() | after.keys()):
        old, new = before.get(part), after.get(part)
        if old == new or part == "order of scans":
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            found.append(f"{part} ({_changed_keys(old, new)})")
        elif isinstance(old, dict | list) or isinstance(new, dict | list):
            found.append(part)
        else:
            found.append(f"{part} {old} → {new}")
    return found or ["order of scans"]


def _changed_keys(old: dict[str, Any], new: dict[str, Any]) -> str:
    keys = [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
    words = [_changed_value(key, old, new) for key in keys[:SHOWN_CHANGES]]
    if len(keys) > SHOWN_CHANGES:
        words.append(f"and {len(keys) - SHOWN_CHANGES} more")
    return ", ".join(words)


def _changed_value(key: str, old: dict[str, Any], new: dict[str, Any]) -> str:
    if key not in old:
        return f"+{key}"
    if key not in new:
        return f"−{key}"
    if isinstance(old[key], str) and len(old[key]) >= DIGEST_LENGTH:
        return key
    return f"{key} {json.dumps(old[key])} → {json.dumps(new[key])}"


def is_finished(folder: Path) -> bool:
    """Whether ``folder`` holds a whole trained model: weights whose digests are the recorded ones."""
    record = folder / RECORD
    return record.exists() and all(
        path.exists() and sha256_of(path) == digest for path, digest in files_listed(record).items()
    )


def publish(folder: Path, out: Path, definition: str, revision: int) -> None:
    """Copy the trained model from its work folder to ``out``; the record, with its definition, last.

    Args:
        folder: the work folder of a training that has ended.
        out: ``results/models/…``, made where it is not there.
        definition: SHA-256 of all that the training was made from.
        revision: of the files that a training leaves.
    """
    files = [file.relative_to(folder) for file in files_listed(folder / RECORD)]
    for file in files:
        with write_atomically(out / file) as temporary:
            shutil.copyfile(folder / file, temporary)
    for former in set(out.glob(share_folder("*"))) - {(out / file).parent for file in files}:
        shutil.rmtree(former)
    published = read_json(folder / RECORD) | {"definition": definition, "revision": revision}
    write_json(published, out / RECORD)
