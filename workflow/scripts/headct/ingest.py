"""Ingest scans: DICOM folder and raters' masks of each to aligned NIfTI and ``scan.json``.

``python -m headct.ingest --help``: one shard of the sample sheet, scan by scan. What is as it was is not
converted again, and a scan whose conversion fails unexpectedly stops no other.

``scan.json`` is always written. Bad data of the right kind make an excluded scan, with the
reason; a fault in what the user handed over makes status "error", with all problems, which the
cohort step prints for all scans together before any training starts.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headct import command, identifiers, masks, nifti, patients, shards, sheet
from headct.artefacts import sha256_of, write_json
from headct.code import code_digest
from headct.configuration import json_object, settings_block
from headct.dicom import (
    HU_RANGE,
    Folder,
    Ineligible,
    acquisition_facts,
    has_rescale,
    read_folder,
    read_slice,
    to_int16,
)
from headct.geometry import Geometry
from headct.labels import LABELS
from headct.problems import BadInput, Problem
from headct.series import CRITERION_NAMES, Chosen, SeriesRules, choose, flags, group

logger = logging.getLogger("headct.ingest")  # __name__ is "__main__" here

IMAGE = "ct.nii.gz"
RECORD = shards.RECORD
LABEL_FILES = {
    "mask": "labels.nii.gz",
    "mask_intra": "labels_intra.nii.gz",
    "mask_inter": "labels_inter.nii.gz",
}
"""Sample-sheet column of each mask and the file that it becomes."""

AIR_HU = -1000
AIR_TOLERANCE_HU = 50
AIR_SHARE = 0.01
"""Share of the field of view that must be air before its HU bear witness."""

ENOUGH_AIR = 0.05
"""Share of air in the neighbouring slices above which its absence in a slice is suspicious."""

DISPLAY_BITS = 8
"""With so few bits, a CT holds a window for display, not its HU."""

GREY_LEVELS = 255
WINDOW_FLOOR_SHARE = 0.2
"""Share of voxels at the lowest of at most 256 values above which they were windowed for display."""

BRAIN_HU = (0, 80)
BRAIN_SHARE = 0.02
SAMPLE_STEP = 4
"""Every so many rows and columns are looked at for the witnesses of HU."""

HEAD_HU = (-200, 300)
OUTSIDE_HEAD_SHARE = 0.05
"""Share of labelled voxels in air or bone above which a mask is flagged."""

MISPLACED_SHARE = 0.5
"""Share of labelled voxels in air or bone above which a mask is not this scan's."""

HYPERDENSITY_HU = 5
"""A fresh bleed is denser than the head's soft tissue by more than this (about 30 HU)."""

ABOVE_RANGE_SHARE = 0.001


CONVERTS_NOTHING = (
    "headct.code",
    "headct.columns",
    "headct.command",
    "headct.configuration",
    "headct.sheet",
)
"""Modules whose edit is no reason to convert a scan again, though it starts the jobs."""


OF_COHORT = ("trust_sheet", "different_patients")
"""Settings of the ``ingest`` block that are the cohort step's alone, and no reason to convert again."""

OF_IDENTITY = ("patient_id_is_pseudonym", *OF_COHORT)
"""Settings of that block that say what to believe of whose scan it is, not which series to take."""


@dataclass(frozen=True)
class Scan:
    """What sheet and config say of one scan.

    Attributes:
        masks: keyed by the sheet's column.
        label_values: value in the masks of each class.
        patient_id_is_pseudonym: whether the names above may contain the DICOM's Patient ID, since it
            is the trial's own.
        sex: F, M, or None where the sheet says nothing; so for age_years.
    """

    scan_id: str
    folder: Path
    masks: Mapping[str, Path]
    label_values: Mapping[str, int]
    participant_id: str = ""
    patient_id_is_pseudonym: bool = False
    sex: str | None = None
    age_years: float | None = None


@dataclass
class Record:
    """What is known of the scan so far; becomes ``scan.json``."""

    scan_id: str
    definition: str = ""
    status: str = "included"
    reason: str = ""
    problems: list[Problem] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    geometry: dict[str, Any] | None = None
    acquisition: dict[str, Any] = field(default_factory=dict)
    series: dict[str, Any] = field(default_factory=dict)
    instances: list[dict[str, Any]] = field(default_factory=list)
    other_files: list[str] = field(default_factory=list)
    """SHA-256 of the files in the DICOM folder that were not converted, sorted."""

    source: str = ""
    pixels_sha256: str = ""
    volumes_ml: dict[str, float] = field(default_factory=dict)
    second_readings: dict[str, dict[str, float]] = field(default_factory=dict)
    mask_sha256: dict[str, str] = field(default_factory=dict)
    sha256: dict[str, str] = field(default_factory=dict)


def ingest(scan: Scan, rules: SeriesRules, out: Path, definition: str = "") -> Record:
    """Convert one scan into the folder ``out`` and return its record, which repeats the ``definition``.

    Never raises for what the user handed over; files of an earlier run are removed.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name in (RECORD, IMAGE, *LABEL_FILES.values()):
        (out / name).unlink(missing_ok=True)
    record = Record(scan.scan_id, definition)
    files = shards.source_files(scan.folder)
    record.source = shards.listing_of(scan.folder, files)
    record.mask_sha256 = shards.digests_of(scan.masks)
    image: NDArray[np.int16] | None = None
    labels: dict[str, NDArray[np.uint8]] = {}
    converted: set[str] = set()
    refused: list[Problem] = []
    drawn = _read_masks(scan, record)
    try:
        folder = read_folder(scan.folder, scan.scan_id)
        refused = refusals(scan, folder)
        if not refused:
            chosen = choose(group(folder.instances), rules, scan.scan_id, _fitting(drawn))
            image = convert(chosen, rules, record)
            converted = {str(instance.path) for instance in chosen.instances}
            record.flags = sorted({*record.flags, *differences_from_sheet(scan, chosen)})
            labels = _place_masks(scan, drawn, chosen.geometry, image, record)
    except BadInput as error:
        record.problems = [*error.problems, *record.problems]
    except Ineligible as error:
        record.status, record.reason, record.problems = "excluded", str(error), []
    record.problems = refused or record.problems
    if record.problems:
        record.status = "refused" if refused else "error"
        record.reason = "; ".join(problem.message for problem in record.problems)
    if record.status == "included" and image is not None:
        record.pixels_sha256 = digest_of(image)
        _write(image, labels, chosen.geometry, out, record)
    others = shards.digests_of({file: file for file in files.keys() - converted})
    record.other_files = sorted(set(others.values()))
    write_json(asdict(record), out / RECORD)
    return record


def refusals(scan: Scan, folder: Folder) -> list[Problem]:
    """Identifiers of the DICOM files that the scan's names contain."""
    ids = {"scan_id": scan.scan_id, "participant_id": scan.participant_id}
    values = identifiers.in_headers(instance.header for instance in folder.instances)
    return identifiers.refusals(ids, values, scan.patient_id_is_pseudonym)


def differences_from_sheet(scan: Scan, chosen: Chosen) -> set[str]:
    """Flags where the headers' sex or age is not the sheet's."""
    values = identifiers.in_headers(instance.header for instance in chosen.instances)
    return patients.flags(values, scan.sex, scan.age_years)


def _fitting(drawn: Mapping[str, masks.Mask]) -> Callable[[Geometry], bool]:
    """Whether the rater's mask lies on a grid; without a mask every grid will do."""

    def fits(grid: Geometry) -> bool:
        try:
            return "mask" not in drawn or masks.on_grid(drawn["mask"], grid) is not None
        except masks.Mismatch:
            return False

    return fits


def convert(chosen: Chosen, rules: SeriesRules, record: Record) -> NDArray[np.int16]:
    """Pixels of the chosen series as HU, shape (slices, rows, columns), inferior to superior."""
    grid = chosen.geometry
    record.geometry = grid.as_json()
    record.acquisition, withheld = acquisition_facts(chosen.instances[0])
    record.series = {"chosen": chosen.series.describe(), "rejected": chosen.rejected}
    columns, rows, slices = grid.size_xyz
    image = np.empty(0, dtype=np.int16)
    above = 0
    for index, instance in enumerate(chosen.instances):
        hounsfield, digest = read_slice(instance)
        if not image.size:  # only now: a header may claim 65535 x 65535 pixels that the file does not have
            image = np.empty((slices, rows, columns), dtype=np.int16)
        above += int(np.count_nonzero(hounsfield > HU_RANGE[1]))
        image[index] = grid.moves.apply(to_int16(hounsfield))
        entry: dict[str, Any] = {"number": instance.number, "sha256": digest}
        record.instances.append(entry if instance.frame is None else {**entry, "frame": instance.frame})
    without = [instance.name for instance in chosen.instances if not has_rescale(instance)]
    if without and len(without) < len(chosen.instances):
        raise Ineligible(
            f"pixel values are not HU: only some slices have rescale attributes, not {without[0]}"
        )
    raised = set(flags(chosen, rules))
    raised |= {"acquisition_facts_withheld"} if withheld else set()
    raised |= {"values_above_range"} if above > ABOVE_RANGE_SHARE * image.size else set()
    doubts = doubts_about_hu(image)
    if min(instance.whole("BitsStored") or 16 for instance in chosen.instances) <= DISPLAY_BITS:
        doubts.add("windowed_for_display")
    raised |= doubts
    record.flags = sorted(raised)
    names = [instance.name for instance in chosen.instances]
    if (blank := blank_slice(image)) is not None:
        raise Ineligible(f"truncated or damaged pixels: {names[blank]} is blank")
    if (odd := slice_without_air(image)) is not None:
        raise Ineligible(f"pixel values are not HU: unlike its neighbours, {names[odd]} has no air")
    suspects = raised & {"no_rescale", "monochrome1", "rescale_type_not_hu", "values_above_range"}
    if doubts and (suspects or doubts & {"no_tissue_like_brain", "windowed_for_display"}):
        raise Ineligible(f"pixel values are not HU: {', '.join(sorted(doubts | suspects)).replace('_', ' ')}")
    return image


def digest_of(image: NDArray[np.int16]) -> str:
    """SHA-256 of a volume's shape and HU: equal where two scans are, whatever their headers say."""
    return hashlib.sha256(repr(image.shape).encode() + image.astype("<i2").tobytes()).hexdigest()


def is_air(hounsfield: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Which voxels are air; padding outside of the field of view (clipped to -1024) is none."""
    return (hounsfield > HU_RANGE[0]) & (hounsfield < AIR_HU / 2)


def doubts_about_hu(image: NDArray[np.int16]) -> set[str]:
    """Which witnesses of HU are missing: air near -1000 HU, tissue like brain, a range beyond a window's.

    A picture windowed for display has at most 256 values, of which all air has the lowest; where the field
    of view lies within the head, nothing is that even.
    """
    sample = image[:, ::SAMPLE_STEP, ::SAMPLE_STEP]
    air = sample[is_air(sample)]
    doubts = set()
    if air.size < AIR_SHARE * sample.size:
        doubts.add("no_air_in_view")
    elif abs(float(np.median(air)) - AIR_HU) > AIR_TOLERANCE_HU:
        doubts.add("air_not_near_minus_1000_hu")
    lowest, highest = int(sample.min()), int(sample.max())
    even = np.mean(sample == lowest) > WINDOW_FLOOR_SHARE
    if even and lowest > AIR_HU / 2 and highest - lowest <= GREY_LEVELS:
        doubts.add("windowed_for_display")
    brain = np.count_nonzero((sample >= BRAIN_HU[0]) & (sample <= BRAIN_HU[1]))
    if doubts and brain < BRAIN_SHARE * sample.size:
        doubts.add("no_tissue_like_brain")
    return doubts


def blank_slice(image: NDArray[np.int16]) -> int | None:
    """Index of a slice of one value between others; at the ends scanners do write blank air."""
    flat = [int(plane.min()) == int(plane.max()) for plane in image]
    return next((k for k in range(1, len(flat) - 1) if flat[k - 1 : k + 2] == [False, True, False]), None)


def slice_without_air(image: NDArray[np.int16]) -> int | None:
    """Index of a slice with a tenth, at most, of its neighbours' air: it was rescaled otherwise."""
    sample = image[:, ::SAMPLE_STEP, ::SAMPLE_STEP]
    share = np.mean(is_air(sample), axis=(1, 2))
    beside = np.minimum(np.append(share[1:], np.inf), np.insert(share[:-1], 0, np.inf))
    suspicious = np.flatnonzero((share < beside / 10) & (beside >= ENOUGH_AIR))
    return int(suspicious[0]) if suspicious.size else None


def _read_masks(scan: Scan, record: Record) -> dict[str, masks.Mask]:
    """All masks by sheet column; problems go to the record, of all masks at once."""
    drawn = {}
    for key, path in scan.masks.items():
        try:
            drawn[key] = masks.read(path, scan.label_values, key)
        except BadInput as error:
            record.problems += error.problems
    return drawn


def _place_masks(
    scan: Scan,
    drawn: Mapping[str, masks.Mask],
    grid: Geometry,
    image: NDArray[np.int16],
    record: Record,
) -> dict[str, NDArray[np.uint8]]:
    """The masks on the scan's grid; mismatches go to the record, doubts become flags."""
    placed, doubts = {}, set()
    for key, mask in drawn.items():
        try:
            labels = masks.on_grid(mask, grid)
            outside = share_outside_head(labels, image)
            if outside > MISPLACED_SHARE:
                raise masks.Mismatch(f"{outside:.0%} of its voxels lie in air or bone")
        except masks.Mismatch as error:
            message = f"the mask does not fit the scan: {error}"
            record.problems.append(Problem(str(scan.masks[key]), message, key=key))
            continue
        placed[key] = labels
        doubts |= {"mask_covers_part_of_slices"} if mask.size_xyz[2] < grid.size_xyz[2] else set()
        doubts |= {"mask_covers_part_of_plane"} if mask.size_xyz[:2] != grid.size_xyz[:2] else set()
        doubts |= {"mask_reaches_outside_head"} if outside > OUTSIDE_HEAD_SHARE else set()
        doubts |= set() if bleed_is_dense(labels, image) else {"bleed_not_dense"}
    record.flags = sorted({*record.flags, *doubts})
    record.problems += same_drawings(scan, placed)
    return placed


def same_drawings(scan: Scan, placed: Mapping[str, NDArray[np.uint8]]) -> list[Problem]:
    """Readings that are equal in every voxel: one drawing, handed in twice, which agrees with itself."""
    return [
        Problem(
            str(scan.masks[second]),
            f"the same drawing as {first}, voxel for voxel: a second reading is a drawing of its own",
            key=second,
        )
        for first, second in combinations(placed, 2)
        if placed[first].any() and np.array_equal(placed[first], placed[second])
    ]


def share_outside_head(labels: NDArray[np.uint8], image: NDArray[np.int16]) -> float:
    """Share of the labelled voxels whose HU are those of air or of bone."""
    hounsfield = image[labels > 0]
    inside = (hounsfield >= HEAD_HU[0]) & (hounsfield <= HEAD_HU[1])
    return float(1 - np.count_nonzero(inside) / hounsfield.size)


def bleed_is_dense(labels: NDArray[np.uint8], image: NDArray[np.int16]) -> bool:
    """Whether the bleed under the mask is denser than soft tissue; true where none is labelled.

    A mask that is mirrored, or of another scan on an equal grid, shows in no header, but here.
    """
    bleed = image[labels == LABELS["ICH"]]
    sample = image[:, ::SAMPLE_STEP, ::SAMPLE_STEP]
    tissue = sample[(sample >= BRAIN_HU[0]) & (sample <= BRAIN_HU[1])]
    if not bleed.size or not tissue.size:
        return True
    return float(np.median(bleed)) > float(np.median(tissue)) + HYPERDENSITY_HU


def _write(
    image: NDArray[np.int16],
    labels: Mapping[str, NDArray[np.uint8]],
    grid: Geometry,
    out: Path,
    record: Record,
) -> None:
    arrays: dict[str, NDArray[Any]] = {
        IMAGE: image,
        **{LABEL_FILES[key]: array for key, array in labels.items()},
    }
    for name, array in arrays.items():
        nifti.write(masks.to_image(array, grid), out / name)
        record.sha256[name] = sha256_of(out / name)
    for key, array in labels.items():
        volumes = {name: grid.volume_ml(array == value) for name, value in LABELS.items()}
        if key == "mask":
            record.volumes_ml = volumes
        else:
            record.second_readings[key.removeprefix("mask_")] = volumes


def rules_from(settings: Mapping[str, Any]) -> SeriesRules:
    """The ``ingest`` block of the config as rules; settings ``OF_IDENTITY`` are none.

    Raises:
        BadInput: an unknown key or criterion, or a pattern that is no regular expression.
    """
    settings = {key: value for key, value in settings.items() if key not in OF_IDENTITY}
    names = [setting.name for setting in fields(SeriesRules)]
    problems = [_config_problem("ingest", key, names) for key in settings if key not in names]
    for name in settings.get("series_preference", []):
        if name not in CRITERION_NAMES:
            problems.append(_config_problem("ingest.series_preference", name, CRITERION_NAMES))
    for pattern in settings.get("sharp_kernels", []):
        try:
            re.compile(pattern)
        except re.error as error:
            message = f"no regular expression: {error}"
            problems.append(Problem("config", message, "", "ingest.sharp_kernels", pattern))
    if problems:
        raise BadInput(problems)
    given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()}
    return SeriesRules(**given)


def _config_problem(key: str, value: str, known: Sequence[str]) -> Problem:
    return Problem("config", f"unknown; known are {', '.join(known)}", "", key, value)


def label_values_from(text: str) -> dict[str, int]:
    """The ``labels`` block of the config: value in the raters' masks of each class.

    Raises:
        BadInput: classes other than those of the project, or values that are not distinct whole
            numbers from 1 on.
    """
    values: dict[str, int] = json_object(text, "--labels")
    distinct = len(set(values.values())) == len(values)
    whole = all(isinstance(value, int) and value >= 1 for value in values.values())
    if set(values) != set(LABELS) or not distinct or not whole:
        message = f"needs one distinct whole number from 1 on for each of {', '.join(LABELS)}"
        raise BadInput([Problem("config", message, key="labels", value=text)])
    return values


def scan_of(row: Mapping[str, Any], label_values: Mapping[str, int], settings: Mapping[str, Any]) -> Scan:
    """A row of the sample sheet as a scan; of the settings only ``patient_id_is_pseudonym`` counts."""
    return Scan(
        scan_id=row["scan_id"],
        folder=Path(row["dicom"]),
        masks={column: Path(path) for column, path in shards.masks_of(row).items()},
        label_values=label_values,
        participant_id=row["participant_id"],
        sex=row["sex"],
        age_years=row["age"],
        patient_id_is_pseudonym=settings.get("patient_id_is_pseudonym", False),
    )


class ScansFailed(Exception):
    """Scans whose conversion ended unexpectedly; the message names each."""


def main(arguments: argparse.Namespace) -> None:
    """Convert what is not current of a shard, then write its manifest."""
    settings, labels = settings_block(arguments.settings, "ingest"), label_values_from(arguments.labels)
    settings = {key: value for key, value in settings.items() if key not in OF_COHORT}
    rules = rules_from(settings)
    code = code_digest(["headct.ingest"], without=CONVERTS_NOTHING)
    rows = shards.divide(sheet.baseline(sheet.load(arguments.sheet)), arguments.shards)[arguments.shard]
    definitions = {row["scan_id"]: shards.definition(row, labels, settings, code) for row in rows}
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
    parser = argparse.ArgumentParser(prog="python -m headct.ingest", description=__doc__)
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


if __name__ == "__main__":
    command.run(main, arguments())
