"""Ingest scans: DICOM folder and raters' masks of each to aligned NIfTI and ``scan.json``.

``python -m headct ingest --help``: one shard of the sample sheet, scan by scan. What is as it was is not
converted again, and a scan whose conversion fails unexpectedly stops no other.

``scan.json`` is always written. Bad data of the right kind make an excluded scan, with the
reason; a fault in what the user handed over makes status "error", with all problems, which the
cohort step prints for all scans together before any training starts.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from headct.cohort import shards as sharding
from headct.cohort.conversion import RECORD, SheetScan, ingest
from headct.contracts import labels as label_sets
from headct.contracts.code import NO_CONTENT, code_digest
from headct.contracts.labels import Extent, LabelSet
from headct.contracts.problems import BadInput, Problem
from headct.imaging.fitness import SeriesRules
from headct.imaging.masks import MaskRules
from headct.settings import blocks, lesions
from headct.settings import sheet as sample_sheet
from headct.settings.blocks import Ingest
from headct.settings.configuration import json_object

logger = logging.getLogger(__name__)


def rules_from(settings: Ingest) -> SeriesRules:
    """What the ``ingest`` block says of which series is eligible and which is chosen."""
    return SeriesRules(**{rule.name: getattr(settings, rule.name) for rule in fields(SeriesRules)})


def mask_rules_from(text: str, labels: LabelSet, may_be_empty: bool = False) -> dict[str, MaskRules]:
    """What the values of masks mean, by the name of the label map, as of :func:`lesions.mask_values`.

    Args:
        text: JSON: for each label map a list for each lesion, and for :data:`lesions.IGNORE`.
        labels: the label set.
        may_be_empty: whether a mask may have no lesion.

    Raises:
        BadInput: other lesions than those of the label set, or values that are not distinct whole numbers
            from 1 on.
    """
    maps = json_object(text, "--label-values")
    names = [*labels, lesions.IGNORE]
    problems = []
    for name, values in maps.items():
        lists = list(values.values()) if isinstance(values, dict) else []
        listed = [value for of in lists for value in (of if isinstance(of, list) else [None])]
        whole = all(isinstance(value, int) and value >= 1 for value in listed)
        if not lists or set(values) != set(names) or len(set(listed)) < len(listed) or not whole:
            message = "needs a list of whole numbers from 1 on, none of them twice, for each of "
            problems.append(Problem("--label-values", message + ", ".join(names), "", name, str(values)))
    if problems:
        raise BadInput(problems)
    found = {}
    for name, values in maps.items():
        means = {label: tuple(values[label]) for label in labels}
        found[name] = MaskRules(means, tuple(values[lesions.IGNORE]), may_be_empty)
    return found


def rules_of_row(row: Mapping[str, Any], rules: Mapping[str, MaskRules], sheet: Path) -> MaskRules:
    """What the values of the masks of a row of the sample sheet mean.

    Raises:
        BadInput: the row names a label map that there is not.
    """
    name = row["labels"] or lesions.NO_MAP
    if name not in rules:
        message = (
            f"no such name under label_maps in the configuration, which has {', '.join(rules)}: add it there,"
            " or mend the cell"
        )
        raise BadInput([Problem(str(sheet), message, str(row["row"]), "labels", name)])
    return rules[name]


def scan_of(row: Mapping[str, Any], mask_rules: MaskRules, labels: LabelSet, settings: Ingest) -> SheetScan:
    """A row of the sample sheet as a scan; of the settings only ``patient_id_is_pseudonym`` counts.

    Args:
        row: of the sample sheet.
        mask_rules: what the values of its masks mean.
        labels: the label set.
        settings: of ingest.
    """
    return SheetScan(
        scan_id=row["scan_id"],
        image=Path(row["image"]),
        masks={column: Path(path) for column, path in sharding.masks_of(row).items()},
        mask_rules=mask_rules,
        labels=labels,
        participant_id=row["participant_id"],
        sex=row["sex"],
        age_years=row["age"],
        patient_id_is_pseudonym=settings.patient_id_is_pseudonym,
    )


class ScansFailed(Exception):
    """Scans whose conversion ended unexpectedly; the message names each."""


def main(
    *,
    sheet: Path,
    shards: int = 1,
    shard: str = "0",
    labels: str,
    label_values: str,
    settings: str = "{}",
    data: Path,
    revision: int = 0,
    manifest: Path,
) -> None:
    """Ingest scans: DICOM folder and raters' masks of each to aligned NIfTI and ``scan.json``.

    Args:
        sheet: the sample sheet.
        shards: number of shards that the scans are divided into.
        shard: which one to convert.
        labels: JSON: the lesion classes, in their order, with roles.
        label_values: JSON: by the name of each label map that the scans need (labels, where the sheet names
            none), values of masks by the lesion that they mean, and those to be ignored.
        settings: JSON: the ingest block of the config.
        data: folder for one folder per scan.
        revision: how often scans did not hold any more.
        manifest: TSV to write.
    """
    given = blocks.given(Ingest, settings)
    classes = label_sets.read(labels)
    mask_rules = mask_rules_from(label_values, classes, given.lesions_may_be_absent)
    rules = rules_from(given)
    lesions_of_columns = sample_sheet.Lesions(classes, given.lesions_may_be_absent)
    converted_by = {**vars(rules), "patient_id_is_pseudonym": given.patient_id_is_pseudonym}
    code = code_digest(["headct.cohort.conversion"], without=NO_CONTENT)
    rows = sharding.divide(sample_sheet.baseline(sample_sheet.load(sheet, lesions_of_columns)), shards)[shard]
    rules_of = {row["scan_id"]: rules_of_row(row, mask_rules, sheet) for row in rows}
    roles = classes.content(Extent.ROLES)
    definitions = {
        row["scan_id"]: sharding.definition(row, roles, asdict(rules_of[row["scan_id"]]), converted_by, code)
        for row in rows
    }
    folders = {scan_id: data / scan_id for scan_id in definitions}
    # One that ended a former job, with the whole process, comes last: from now on it stops no other.
    begun = {scan for scan, folder in folders.items() if folder.is_dir() and not (folder / RECORD).exists()}
    n_unchanged, failed = 0, []
    for row in sorted(rows, key=lambda row: row["scan_id"] in begun):
        scan_id = row["scan_id"]
        if scan_id in begun:
            logger.warning("%s: begun before and not finished; comes last", scan_id)
        try:
            if sharding.is_current(folders[scan_id] / RECORD, row, definitions[scan_id]):
                n_unchanged += 1
                continue
            scan = scan_of(row, rules_of[scan_id], classes, given)
            record = ingest(scan, rules, folders[scan_id], definitions[scan_id])
        except Exception as error:
            logging.getLogger("traceback").exception("%s", scan_id)
            failed.append(f"{scan_id}: {type(error).__name__}: {error}")
        else:
            logger.info("%s: %s%s", scan_id, record.status, record.reason and f": {record.reason}")
    if n_unchanged:
        logger.info("%d of %d scans of shard %s are as they were", n_unchanged, len(rows), shard)
    if failed:
        message = f"{len(failed)} of {len(rows)} scans could not be converted, the others are kept:"
        raise ScansFailed("\n".join([message, *failed]))
    sharding.write_manifest(manifest, data, definitions, revision)
