"""What makes a results folder belong to one study, and what must hold before any job starts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from headct.contracts import amendments
from headct.contracts.artefacts import CONFIG, STUDY, read_json, read_tsv, write_json
from headct.contracts.manifests import files_listed
from headct.contracts.problems import Problem, first_few
from headct.settings.configuration import Document, leaves

RECORD = Path("results") / STUDY
STAGES = ("data", "cohort", "models", "predictions", "metrics", "statistics", "tables", "figures", "logs")


def write_record(document: Document, participant_of: dict[str, str]) -> None:
    """Record what the results folder belongs to, and the resolved configuration, at a run's start.

    Args:
        document: the configuration as it is written down.
        participant_of: participant of each scan.
    """
    known = read_json(RECORD)["participants"] if RECORD.is_file() else {}
    record = {
        "name": document["study"]["name"],
        "classes": list(document["labels"]),  # in their order; the keys of JSON files are sorted
        "labels": values_of(document["labels"]),
        "participants": known | participant_of,  # a scan that left the sheet is not forgotten
    }
    write_json(record, RECORD)
    write_json(document, RECORD.with_name(CONFIG))


def values_of(labels: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Of the ``labels`` of a configuration, the value of each in the masks, or the list of its values."""
    values = {name: list(of["value"]) for name, of in labels.items()}
    return {name: of[0] if len(of) == 1 else of for name, of in values.items()}


def other_study(
    name: str, labels: Mapping[str, Mapping[str, Any]], participant_of: dict[str, str]
) -> list[Problem]:
    """Why results that are already here can't be those of this study; added scans are no reason.

    Args:
        name: of the study.
        labels: of the configuration.
        participant_of: participant of each scan.
    """
    if not RECORD.is_file():
        return []
    before = read_json(RECORD)
    advice = "keep one folder per study: run in another one with --directory, or move results/ away"
    problems = [
        Problem(str(RECORD), f"results here were made with {was}; {advice}", key=key, value=json.dumps(now))
        for key, was, now in (
            ("study.name", before["name"], name),
            ("labels", before["labels"], values_of(labels)),
            ("labels", before.get("classes", list(labels)), list(labels)),
        )
        if was != now
    ]
    problems += [
        Problem(
            str(RECORD),
            f"results here were made with participant {before['participants'][scan]}; {advice}",
            key=f"participant_id of {scan}",
            value=participant,
        )
        for scan, participant in participant_of.items()
        if before["participants"].get(scan, participant) != participant
    ]
    return problems


def withdrawn(rows: Iterable[Mapping[str, Any]], sheet: str) -> list[Problem]:
    """Scans of the sheet that were withdrawn, and must not be converted again; a withdrawal not finished.

    Args:
        rows: of the sample sheet.
        sheet: its path, for messages.
    """
    results = RECORD.parent
    problems = []
    if (results / amendments.BEGUN).is_file():
        message = "a withdrawal was begun and not finished: run 'python -m headct withdraw' again, as before"
        problems.append(Problem(str(results / amendments.BEGUN), message))
    try:
        gone = amendments.withdrawn(amendments.load(results))
    except ValueError as error:  # which scans are withdrawn is not known then
        return [*problems, Problem(str(results / amendments.FOLDER), str(error))]
    problems += [
        Problem(
            sheet,
            f"{gone[row['scan_id']].in_words()}: take this row out of the sheet",
            str(row["row"]),
            "scan_id",
            row["scan_id"],
        )
        for row in rows
        if row["scan_id"] in gone
    ]
    return problems


def unnoticed_changes(document: Document) -> list[Problem]:
    """What has changed since the last run where Snakemake, without its memory, would not notice it.

    Settings and code are compared in ``.snakemake``, which a copy of a study may lack; Snakemake then goes by
    file times alone, and would leave results of other settings as they are.
    """
    last = RECORD.with_name(CONFIG)
    if not last.is_file() or _remembers():
        return []
    before, now = _that_count(read_json(last)), _that_count(document)
    changed = [key for key in sorted(before.keys() | now.keys()) if before.get(key) != now.get(key)]
    advice = (
        "results here were made with another value, and this copy lacks .snakemake, by which Snakemake would "
        "notice. Run once with --forceall: what costs hours is kept where it is what is asked for now"
    )
    return [Problem(str(last), advice, key=key) for key in changed]


def _that_count(document: Document) -> dict[str, Any]:
    """The settings of a configuration as it is written down, by key, that a result depends on."""
    return {key: value for key, value, schema in leaves(document) if schema["x-effect"] != "speed"}


def lost_files(records: Iterable[str]) -> list[Problem]:
    """Volumes, weights and label maps that are gone where Snakemake, without its memory, would not notice it.

    They are no declared outputs, but listed by one that is; :func:`revision` makes them again, as a parameter
    that is compared with the one in ``.snakemake``.

    Args:
        records: paths of the outputs that list files.
    """
    if _remembers():
        return []
    advice = (
        "and this copy lacks .snakemake, by which Snakemake would notice. Copy them, too, or run once with "
        "--forceall: what costs hours and is there is kept, and the rest is made again"
    )
    problems = []
    for record in records:
        absent = [str(file) for file in files_listed(Path(record)) if not file.is_file()]
        if absent:
            message = f"lists {len(absent)} files that are not here ({first_few(absent)}), {advice}"
            problems.append(Problem(record, message))
    return problems


def _remembers() -> bool:
    """Whether Snakemake knows here by which settings anything was made."""
    memory = Path(".snakemake/metadata")
    return memory.is_dir() and any(memory.iterdir())


def unwritable(work: str) -> list[Problem]:
    """Output folders that can't be made or written, found before hours are spent on their contents."""
    folders = [Path(work), *(Path("results") / stage for stage in STAGES)]
    problems = {}
    for folder in folders:
        nearest = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
        if not nearest.is_dir():
            problems[nearest] = f"is a file, so {folder} can't be made; move it away"
        elif not os.access(nearest, os.W_OK | os.X_OK):
            problems[nearest] = f"is not writable for this user, so {folder} can't be made"
    return [Problem(str(path), message) for path, message in problems.items()]


def revision(record: str | Path) -> int:
    """How often ``record`` was made again because a file that it lists had been lost.

    Snakemake sees only declared outputs, and the volumes and weights behind a record are none. As
    a parameter of the rule that makes the record, this number brings it back: it is the recorded one
    while all files are there, and one more once a file is missing.
    """
    path = Path(record)
    if not path.is_file():
        return 0
    made = read_tsv(path)["revision"].max() if path.suffix == ".tsv" else read_json(path)["revision"]
    return int(made) + (not all(file.is_file() for file in files_listed(path)))
