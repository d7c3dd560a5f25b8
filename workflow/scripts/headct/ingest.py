"""Ingest one scan: DICOM folder and raters' masks to aligned NIfTI and ``scan.json``.

``scan.json`` is always written. Bad data of the right kind make an excluded scan, with the
reason; a fault in what the user handed over makes status "error", with all problems, which the
cohort step prints for all scans together before any training starts.
"""

from __future__ import annotations

import argparse
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from headct import command, masks
from headct.artefacts import sha256_of, write_atomically, write_json
from headct.dicom import Ineligible, acquisition_facts, read_folder, read_slice, to_int16
from headct.geometry import Geometry
from headct.labels import LABELS
from headct.problems import BadInput, Problem
from headct.series import CRITERIA, Chosen, SeriesRules, choose, flags, group

logger = logging.getLogger("headct.ingest")  # __name__ is "__main__" here

IMAGE = "ct.nii.gz"
RECORD = "scan.json"
LABEL_FILES = {
    "mask": "labels.nii.gz",
    "mask_intra": "labels_intra.nii.gz",
    "mask_inter": "labels_inter.nii.gz",
}
"""Sample-sheet column of each mask and the file that it becomes."""

AIR_HU = -1000
AIR_TOLERANCE_HU = 50
AIR_SAMPLE_STEP = 4


@dataclass(frozen=True)
class Scan:
    """What the sample sheet says of one scan. ``masks`` is keyed by the sheet's column."""

    scan_id: str
    folder: Path
    masks: Mapping[str, Path]
    label_values: Mapping[str, int]


@dataclass
class Record:
    """What is known of the scan so far; becomes ``scan.json``."""

    scan_id: str
    revision: int = 0
    status: str = "included"
    reason: str = ""
    problems: list[Problem] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    geometry: dict[str, Any] | None = None
    acquisition: dict[str, Any] = field(default_factory=dict)
    series: dict[str, Any] = field(default_factory=dict)
    instances: list[dict[str, Any]] = field(default_factory=list)
    volumes_ml: dict[str, float] = field(default_factory=dict)
    second_readings: dict[str, dict[str, float]] = field(default_factory=dict)
    mask_sha256: dict[str, str] = field(default_factory=dict)
    sha256: dict[str, str] = field(default_factory=dict)


def ingest(scan: Scan, rules: SeriesRules, out: Path, revision: int = 0) -> Record:
    """Convert one scan into the folder ``out`` and return its record.

    Never raises for what the user handed over; files of an earlier run are removed.
    """
    for name in (RECORD, IMAGE, *LABEL_FILES.values()):
        (out / name).unlink(missing_ok=True)
    record = Record(scan.scan_id, revision)
    image: NDArray[np.int16] | None = None
    grid: Geometry | None = None
    labels: dict[str, NDArray[np.uint8]] = {}
    try:
        folder = read_folder(scan.folder, scan.scan_id)
        chosen = choose(group(folder.instances), rules, scan.scan_id)
        grid = chosen.geometry
        image = _convert(chosen, record)
    except BadInput as error:
        record.problems += error.problems
    except Ineligible as error:
        record.status, record.reason = "excluded", str(error)
    if record.status != "excluded":
        labels = _read_masks(scan, grid, record)
    if record.problems:
        record.status = "error"
        record.reason = "; ".join(problem.message for problem in record.problems)
    if record.status == "included" and image is not None and grid is not None:
        _write(image, labels, grid, out, record)
    write_json(asdict(record), out / RECORD)
    return record


def _convert(chosen: Chosen, record: Record) -> NDArray[np.int16]:
    """Pixels of the chosen series as HU, shape (slices, rows, columns), inferior to superior."""
    grid = chosen.geometry
    record.geometry = grid.as_json()
    record.acquisition, withheld = acquisition_facts(chosen.instances[0])
    record.series = {"chosen": chosen.series.describe(), "rejected": chosen.rejected}
    columns, rows, slices = grid.size_xyz
    image = np.empty((slices, rows, columns), dtype=np.int16)
    for index, instance in enumerate(chosen.instances):
        hounsfield, digest = read_slice(instance)
        image[index] = grid.moves.apply(to_int16(hounsfield))
        record.instances.append({"number": instance.number, "sha256": digest})
    record.flags = flags(chosen)
    if withheld:
        record.flags.append("acquisition_facts_withheld")
    if not air_is_near_minus_1000(image):
        record.flags.append("air_not_near_minus_1000_hu")
        if "no_rescale" in record.flags:
            raise Ineligible("no rescale attributes, and the air shows that the values are not HU")
    return image


def air_is_near_minus_1000(image: NDArray[np.int16]) -> bool:
    """Whether the air around the head has the HU of air: the witness of a right rescale.

    Padding outside of the field of view (clipped to -1024) is no air.
    """
    sample = image[:, ::AIR_SAMPLE_STEP, ::AIR_SAMPLE_STEP]
    air = sample[(sample > -1024) & (sample < AIR_HU / 2)]
    return air.size > 0 and abs(float(np.median(air)) - AIR_HU) <= AIR_TOLERANCE_HU


def _read_masks(scan: Scan, grid: Geometry | None, record: Record) -> dict[str, NDArray[np.uint8]]:
    """All masks on the grid, by sheet column; problems go to the record, of all masks at once."""
    on_grid = {}
    for key, path in scan.masks.items():
        try:
            mask = masks.read(path, scan.label_values, key)
            record.mask_sha256[key] = sha256_of(path)
            if grid is not None:
                on_grid[key] = masks.on_grid(mask, grid)
        except BadInput as error:
            record.problems += error.problems
        except masks.Mismatch as error:
            message = f"the mask does not fit the scan: {error}"
            record.problems.append(Problem(str(path), message, key=key))
    return on_grid


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
        with write_atomically(out / name) as temporary:
            sitk.WriteImage(masks.to_image(array, grid), str(temporary), useCompression=True)
        record.sha256[name] = sha256_of(out / name)
    for key, array in labels.items():
        volumes = {name: grid.volume_ml(array == value) for name, value in LABELS.items()}
        if key == "mask":
            record.volumes_ml = volumes
        else:
            record.second_readings[key.removeprefix("mask_")] = volumes


def rules_from(settings: Mapping[str, Any]) -> SeriesRules:
    """The ``ingest`` block of the config as rules.

    Raises:
        BadInput: an unknown key or criterion, or a pattern that is no regular expression.
    """
    names = [setting.name for setting in fields(SeriesRules)]
    problems = [_config_problem("ingest", key, names) for key in settings if key not in names]
    for name in settings.get("series_preference", []):
        if name not in CRITERIA:
            problems.append(_config_problem("ingest.series_preference", name, list(CRITERIA)))
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


def _config_problem(key: str, value: str, known: list[str]) -> Problem:
    return Problem("config", f"unknown; known are {', '.join(known)}", "", key, value)


def label_values_from(text: str) -> dict[str, int]:
    """The ``labels`` block of the config: value in the raters' masks of each class.

    Raises:
        BadInput: classes other than those of the project, or values that are not distinct whole
            numbers from 1 on.
    """
    values: dict[str, int] = json.loads(text)
    distinct = len(set(values.values())) == len(values)
    whole = all(isinstance(value, int) and value >= 1 for value in values.values())
    if set(values) != set(LABELS) or not distinct or not whole:
        message = f"needs one distinct whole number from 1 on for each of {', '.join(LABELS)}"
        raise BadInput([Problem("config", message, key="labels", value=text)])
    return values


def main(arguments: argparse.Namespace) -> None:
    """Ingest the scan that the command line names."""
    given = {key: getattr(arguments, key) for key in LABEL_FILES}
    scan = Scan(
        arguments.scan,
        arguments.dicom,
        {key: path for key, path in given.items() if path is not None},
        label_values_from(arguments.labels),
    )
    record = ingest(scan, rules_from(json.loads(arguments.settings)), arguments.out, arguments.revision)
    logger.info("%s: %s%s", scan.scan_id, record.status, record.reason and f": {record.reason}")


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m headct.ingest", description=__doc__)
    parser.add_argument("--scan", required=True, help="scan_id")
    parser.add_argument("--dicom", required=True, type=Path, help="folder of the scan's DICOM files")
    parser.add_argument("--mask", required=True, type=Path, help="the rater's mask")
    parser.add_argument("--mask-intra", type=Path, help="second reading by the same rater")
    parser.add_argument("--mask-inter", type=Path, help="reading by another rater")
    parser.add_argument("--labels", required=True, help="JSON: value of each class in the masks")
    parser.add_argument("--settings", default="{}", help="JSON: the ingest block of the config")
    parser.add_argument("--out", required=True, type=Path, help="folder for scan.json and images")
    parser.add_argument("--revision", type=int, default=0, help="how often files were lost and remade")
    return parser


if __name__ == "__main__":
    command.run(main, arguments())
