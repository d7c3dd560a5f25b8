"""What two files of the results say of the same thing: of participants, scans, settings, trainings."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

from headct.contracts.artefacts import CONFIG, STUDY
from headct.contracts.run_records import Record
from headct.contracts.untrusted import Unusable
from headct.provenance.checks.folder import Finding, ResultsFolder, about, guarded
from headct.provenance.lineage import TRAININGS
from headct.provenance.manifest import below_results

COHORT, SPLIT, EXTERNAL = "cohort/cohort.tsv", "cohort/split.tsv", "cohort/external/"
OF_SCAN = ("participant_id", "ct_sha256", "labels_sha256")
"""Columns that these tables have in common."""
SETTINGS = "--settings"
"""Those of which a training depends; those of its speed may be others each time it is run."""
NAMED = ("model", "seed", "fold")
"""What the record of a training has, by the option of the same name."""


@about(COHORT)
def scans(folder: ResultsFolder) -> Iterator[Finding]:
    """Participants and scans in the study's record, the cohort, the split and the external sets."""
    if COHORT not in folder.makers:
        return
    cohort = {row["scan_id"]: row for row in _rows(folder, COHORT)}
    yield from guarded(STUDY, _participants, folder, cohort)
    for path in folder.makers:
        if path == SPLIT or path.startswith(EXTERNAL):
            yield from guarded(path, _as_in_cohort, folder, path, cohort)


def _participants(folder: ResultsFolder, cohort: Mapping[str, Mapping[str, str]]) -> Iterator[Finding]:
    participants = folder.json_of(STUDY)["participants"]
    for scan, row in cohort.items():
        if participants.get(scan) != row["participant_id"]:
            yield Finding(STUDY, f"says that {scan} is of another participant than {COHORT} does")


def _as_in_cohort(
    folder: ResultsFolder, path: str, cohort: Mapping[str, Mapping[str, str]]
) -> Iterator[Finding]:
    for row in _rows(folder, path):
        of_cohort = cohort.get(row["scan_id"], {})
        for column in OF_SCAN:
            if row[column] != of_cohort.get(column):
                yield Finding(path, f"has another {column} of {row['scan_id']} than {COHORT}")


def _rows(folder: ResultsFolder, path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(folder.text_of(path)), delimiter="\t"))


@about(CONFIG)
def trainings(folder: ResultsFolder) -> Iterator[Finding]:
    """Each training by its command, by its own record, and by the configuration."""
    jobs = [record for record in folder.current if record.rule in TRAININGS]
    if not jobs:
        return
    config = folder.json_of(CONFIG)
    if not isinstance(config, dict) or not {"models", "training"} <= config.keys():
        raise Unusable("is no configuration")
    for job in jobs:
        given = _given(job)
        for path in map(below_results, job.outputs):
            if path.endswith("/train.json"):
                yield from guarded(path, _as_told, folder, path, job, given)
        yield from guarded(CONFIG, _as_configured, config, job, given)
    of_study = [job for job in jobs if job.rule == TRAININGS[0]]
    for name, key in (("seed", "seeds"), ("fold", "folds")):
        trained, configured = {job.wildcards[name] for job in of_study}, {*map(str, config["training"][key])}
        if of_study and trained != configured:
            yield Finding(CONFIG, f"has other {key} than those of which there are trainings")


def _given(job: Record) -> dict[str, Any]:
    """The settings that a training was given on its command line.

    Raises:
        Unusable: they are no JSON objects.
    """
    try:
        return {key: value for text in job.option(SETTINGS) for key, value in json.loads(text).items()}
    except (ValueError, AttributeError, RecursionError) as error:
        raise Unusable(f"can't be held against {job.path}: its {SETTINGS} are no settings") from error


def _as_told(folder: ResultsFolder, path: str, job: Record, given: Mapping[str, Any]) -> Iterator[Finding]:
    """What a training says of itself; its epochs follow from its budget, where it has one."""
    trained = folder.json_of(path)
    settings = dict(trained.get("settings", {}))
    of_budget = {"epochs"} if "budget" in trained else set()
    for key, value in given.items():
        if key in settings and key not in of_budget and settings[key] != value:
            yield Finding(path, f"states another {key} than {job.path} ran with")
    for key in NAMED:
        if key in trained and [str(trained[key])] != job.option(f"--{key}"):
            yield Finding(path, f"states another {key} than {job.path} ran with")
    if "epochs" in trained and trained["epochs"] != settings.get("epochs", trained["epochs"]):
        yield Finding(path, "states other epochs than its settings")


def _as_configured(config: Mapping[str, Any], job: Record, given: Mapping[str, Any]) -> Iterator[Finding]:
    """Settings of a model, which come before those of its framework."""
    of_model = config["models"][job.wildcards["model"]]
    configured = {**config.get(of_model["framework"], {}), **of_model}
    for key, value in given.items():
        if key in configured and configured[key] != value:
            yield Finding(CONFIG, f"has another {key} than {job.path} ran with")
