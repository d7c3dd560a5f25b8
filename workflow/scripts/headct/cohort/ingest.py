"""Ingest scans: DICOM folder and raters' masks of each to aligned NIfTI and ``scan.json``.

``python -m headct ingest --help``: one shard of the sample sheet, scan by scan. What is as it was is not
converted again, and a scan whose conversion fails unexpectedly stops no other.

``scan.json`` is always written. Bad data of the right kind make an excluded scan, with the
reason; a fault in what the user handed over makes status "error", with all problems, which the
cohort step prints for all scans together before any training starts.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from headct.cohort import shards
from headct.cohort.conversion import RECORD, Scan, ingest
from headct.contracts.code import NO_CONTENT, code_digest
from headct.contracts.labels import LABELS, LabelSet
from headct.contracts.problems import BadInput, Problem
from headct.imaging.fitness import SeriesRules
from headct.settings import blocks, sheet
from headct.settings.blocks import Ingest
from headct.settings.configuration import json_object

logger = logging.getLogger(__name__)


def rules_from(settings: Ingest) -> SeriesRules:
    """What the ``ingest`` block says of which series is eligible and which is chosen."""
    return SeriesRules(**{rule.name: getattr(settings, rule.name) for rule in fields(SeriesRules)})


def label_values_from(text: str, labels: LabelSet) -> dict[str, int]:
    """The ``labels`` block of the config: value in the raters' masks of each class.

    Raises:
        BadInput: classes other than those of the label set, or values that are not distinct whole
            numbers from 1 on.
    """
    values: dict[str, int] = json_object(text, "--labels")
    distinct = len(set(values.values())) == len(values)
    whole = all(isinstance(value, int) and value >= 1 for value in values.values())
    if set(values) != set(labels) or not distinct or not whole:
        message = f"needs one distinct whole number from 1 on for each of {', '.join(labels)}"
        raise BadInput([Problem("config", message, key="labels", value=text)])
    return values


def scan_of(row: Mapping[str, Any], label_values: Mapping[str, int], settings: Ingest) -> Scan:
    """A row of the sample sheet as a scan; of the settings only ``patient_id_is_pseudonym`` counts."""
    return Scan(
        scan_id=row["scan_id"],
        folder=Path(row["dicom"]),
        masks={column: Path(path) for column, path in shards.masks_of(row).items()},
        label_values=label_values,
        participant_id=row["participant_id"],
        sex=row["sex"],
        age_years=row["age"],
        patient_id_is_pseudonym=settings.patient_id_is_pseudonym,
    )


class ScansFailed(Exception):
    """Scans whose conversion ended unexpectedly; the message names each."""


def main(arguments: argparse.Namespace) -> None:
    """Convert what is not current of a shard, then write its manifest."""
    settings = blocks.given(Ingest, arguments.settings)
    labels = label_values_from(arguments.labels, LABELS)
    rules = rules_from(settings)
    converted_by = {**vars(rules), "patient_id_is_pseudonym": settings.patient_id_is_pseudonym}
    code = code_digest(["headct.cohort.conversion"], without=NO_CONTENT)
    rows = shards.divide(sheet.baseline(sheet.load(arguments.sheet)), arguments.shards)[arguments.shard]
    definitions = {row["scan_id"]: shards.definition(row, labels, converted_by, code) for row in rows}
    folders = {scan_id: arguments.data / scan_id for scan_id in definitions}
    # One that ended a former job, with the whole process, comes last: from now on it stops no other.
    begun = {scan for scan, folder in folders.items() if folder.is_dir() and not (folder / RECORD).exists()}
    kept, failed = 0, []
    for row in sorted(rows, key=lambda row: row["scan_id"] in begun):
        scan_id = row["scan_id"]
        if scan_id in begun:
            logger.warning("%s: begun before and not finished; comes last", scan_id)
        try:
            if shards.is_current(folders[scan_id] / RECORD, row, definitions[scan_id]):
                kept += 1
                continue
            scan = scan_of(row, labels, settings)
            record = ingest(scan, rules, folders[scan_id], definitions[scan_id])
        except Exception as error:
            logging.getLogger("traceback").exception("%s", scan_id)
            failed.append(f"{scan_id}: {type(error).__name__}: {error}")
        else:
            logger.info("%s: %s%s", scan_id, record.status, record.reason and f": {record.reason}")
    if kept:
        logger.info("%d of %d scans of shard %s are as they were", kept, len(rows), arguments.shard)
    if failed:
        message = f"{len(failed)} of {len(rows)} scans could not be converted, the others are kept:"
        raise ScansFailed("\n".join([message, *failed]))
    shards.write_manifest(arguments.manifest, arguments.data, definitions, arguments.revision)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m headct ingest", description=__doc__)
    parser.add_argument("--sheet", required=True, type=Path, help="the sample sheet")
    parser.add_argument(
        "--shards", type=int, default=1, help="number of shards that the scans are divided into"
    )
    parser.add_argument("--shard", default="0", help="which one to convert")
    parser.add_argument("--labels", required=True, help="JSON: value of each class in the masks")
    parser.add_argument("--settings", default="{}", help="JSON: the ingest block of the config")
    parser.add_argument("--data", required=True, type=Path, help="folder for one folder per scan")
    parser.add_argument("--revision", type=int, default=0, help="how often scans did not hold any more")
    parser.add_argument("--manifest", required=True, type=Path, help="TSV to write")
    return parser
