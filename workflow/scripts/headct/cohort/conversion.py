"""One scan, from its DICOM folder and masks to CT, label maps and scan.json, whatever becomes of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headct.cohort import patients, shards
from headct.contracts.artefacts import sha256_of, write_json
from headct.contracts.labels import LabelSet
from headct.contracts.problems import BadInput, Ineligible, Problem
from headct.imaging import masks, nifti, sources
from headct.imaging.fitness import SeriesRules
from headct.imaging.geometry import FitsMask, Geometry
from headct.imaging.mask_files.stored import one_map
from headct.imaging.masks import MaskRules
from headct.imaging.plausibility import bleed_is_dense, share_outside_head
from headct.imaging.scan_files import files_of
from headct.imaging.sources.image_source import ImageFacts, ImageSource
from headct.settings.sheet import DRAWN_ANEW, NO_FILE_OF_LESION, ONE_LESION_EACH, READINGS, of_column

IMAGE = "ct.nii.gz"

RECORD = shards.RECORD

LABEL_FILES = {
    "mask": "labels.nii.gz",
    "mask_intra": "labels_intra.nii.gz",
    "mask_inter": "labels_inter.nii.gz",
}
"""Column of each reading, in one mask or in one for each lesion, and the file that it becomes."""


OUTSIDE_HEAD_SHARE = 0.05
"""Share of labelled voxels in air or bone above which a mask is flagged."""

MISPLACED_SHARE = 0.5
"""Share of labelled voxels in air or bone above which a mask is not this scan's."""


@dataclass(frozen=True)
class SheetScan:
    """What sheet and config say of one scan.

    Attributes:
        image: a file or a folder that a source of images takes.
        masks: keyed by the sheet's column, which is that of a reading, or of one lesion of it (mask:ICH).
        mask_rules: what the values of the masks mean.
        labels: the lesions that the masks are drawn of.
        patient_id_is_pseudonym: whether the names above may contain the DICOM's Patient ID, since it
            is the trial's own.
        sex: F, M, or None where the sheet says nothing; so for age_years.
    """

    scan_id: str
    image: Path
    masks: Mapping[str, Path]
    mask_rules: MaskRules
    labels: LabelSet
    participant_id: str = ""
    patient_id_is_pseudonym: bool = False
    sex: str | None = None
    age_years: float | None = None

    def columns_of(self, reading: str) -> list[str]:
        """Columns of its masks, of one reading."""
        return [column for column in self.masks if of_column(column)[0] == reading]

    @property
    def lesions_without_file(self) -> list[str]:
        """Columns that readings of which other lesions have a file do not have."""
        apart = [reading for reading in READINGS if self.columns_of(reading) not in ([], [reading])]
        columns = [f"{reading}:{lesion}" for reading in apart for lesion in self.labels]
        return [column for column in columns if column not in self.masks]


@dataclass(kw_only=True)
class ScanRecord(ImageFacts):
    """What is known of the scan so far; becomes ``scan.json``."""

    scan_id: str
    definition: str = ""
    status: str = "included"
    reason: str = ""
    problems: list[Problem] = field(default_factory=list)
    other_files: list[str] = field(default_factory=list)
    """SHA-256 of the files in the scan's folder that were not converted, sorted."""

    kind: str = ""
    """Of the source that the image was read by."""

    source: str = ""
    pixels_sha256: str = ""
    drawings_sha256: dict[str, str] = field(default_factory=dict)
    """By reading, digests as of :func:`digest_of`; none of a reading without a lesion, which many share."""

    volumes_ml: dict[str, float] = field(default_factory=dict)
    second_readings: dict[str, dict[str, float]] = field(default_factory=dict)
    mask_sha256: dict[str, str] = field(default_factory=dict)
    ignored_voxels: dict[str, dict[str, int]] = field(default_factory=dict)
    """By mask and value, voxels of values that the configuration ignores."""

    sha256: dict[str, str] = field(default_factory=dict)


def ingest(scan: SheetScan, rules: SeriesRules, out: Path, definition: str = "") -> ScanRecord:
    """Convert one scan into the folder ``out`` and return its record, which repeats the ``definition``.

    Never raises for what the user handed over; files of an earlier run are removed.

    Args:
        scan: what the sheet says of it.
        rules: by which a series is chosen.
        out: folder of the scan.
        definition: digest of what it is made from.
    """
    out.mkdir(parents=True, exist_ok=True)
    for name in (RECORD, IMAGE, *LABEL_FILES.values()):
        (out / name).unlink(missing_ok=True)
    record = ScanRecord(scan_id=scan.scan_id, definition=definition)
    files = files_of(scan.image)
    record.source = shards.listing_of(scan.image, files)
    record.mask_sha256 = shards.digests_of(scan.masks)
    image: NDArray[np.int16] | None = None
    labels: dict[str, NDArray[np.uint8]] = {}
    converted: frozenset[str] = frozenset()
    refused: list[Problem] = []
    drawn = _read_masks(scan, record, rules)
    try:
        source = _source_of(scan)
        record.kind = source.kind
        ids = {"scan_id": scan.scan_id, "participant_id": scan.participant_id}
        refused = source.refusals(ids, scan.patient_id_is_pseudonym)
        if not refused:
            volume = source.read(rules, _fitting(drawn), record)
            image, grid, converted = volume.hu, volume.grid.geometry, volume.files
            differing = patients.flags(volume.patient, scan.sex, scan.age_years)
            record.flags = sorted({*record.flags, *differing})
            record.problems += drawn_elsewhere(scan, drawn, volume.uids)
            labels = _place_masks(scan, drawn, grid, image, record, rules)
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
        record.drawings_sha256 = {key: digest_of(array) for key, array in labels.items() if array.any()}
        _write(scan, image, labels, grid, out, record)
    others = shards.digests_of({file: file for file in files.keys() - converted})
    record.other_files = sorted(set(others.values()))
    write_json(asdict(record), out / RECORD)
    return record


def _source_of(scan: SheetScan) -> ImageSource:
    """The source of a scan's image.

    Raises:
        BadInput: none takes what lies at the sheet's path.
    """
    try:
        return sources.find(scan.image, scan.scan_id)
    except sources.NoImage as error:
        raise BadInput([Problem(scan.scan_id, f"no image: {error}", key="image")]) from error


def _fitting(drawn: Mapping[str, masks.Mask]) -> FitsMask:
    """Whether the rater's masks lie on a grid; without a mask every grid will do."""
    own = [mask for column, mask in drawn.items() if of_column(column)[0] == "mask"]

    def fits(grid: Geometry) -> bool:
        try:
            return all(masks.on_grid(mask, grid) is not None for mask in own)
        except masks.Mismatch:
            return False

    return fits


def digest_of(volume: NDArray[np.int16] | NDArray[np.uint8]) -> str:
    """SHA-256 of a volume's shape and HU or labels: equal where two are, whatever their headers say."""
    digest = hashlib.sha256(repr(volume.shape).encode())
    digest.update(np.ascontiguousarray(volume, "<i2"))  # type: ignore[arg-type]  # hashed where it lies
    return digest.hexdigest()


def _read_masks(scan: SheetScan, record: ScanRecord, rules: SeriesRules) -> dict[str, masks.Mask]:
    """All masks by sheet column; problems go to the record, of all masks at once."""
    drawn = {}
    for key, path in scan.masks.items():
        lesion = of_column(key)[1]
        of_all = (scan.mask_rules, key, scan.labels, rules.trust_transform)
        try:
            drawn[key] = masks.read_one_lesion(path, lesion, *of_all) if lesion else masks.read(path, *of_all)
        except BadInput as error:
            record.problems += error.problems
    if not scan.mask_rules.may_be_empty:
        record.problems += [
            Problem(scan.scan_id, NO_FILE_OF_LESION, key=column) for column in scan.lesions_without_file
        ]
    return drawn


def _place_masks(
    scan: SheetScan,
    drawn: Mapping[str, masks.Mask],
    grid: Geometry,
    image: NDArray[np.int16],
    record: ScanRecord,
    rules: SeriesRules,
) -> dict[str, NDArray[np.uint8]]:
    """The readings on the scan's grid; mismatches go to the record, doubts become flags."""
    placed, doubts = {}, set()
    is_windowed = rules.intensity == "windowed"
    for key, mask in drawn.items():
        try:
            labels = masks.on_grid(mask, grid)
            outside = 0.0 if is_windowed else share_outside_head(labels, image)
            if outside > MISPLACED_SHARE:
                raise masks.Mismatch(f"{outside:.0%} of its voxels lie in air or bone")
        except masks.Mismatch as error:
            message = f"the mask does not fit the scan: {error}"
            record.problems.append(Problem(str(scan.masks[key]), message, key=key))
            continue
        placed[key] = labels
        if mask.ignored:
            record.ignored_voxels[key] = {str(value): number for value, number in mask.ignored.items()}
            doubts.add("mask_has_ignored_values")
        by_slices, in_plane = masks.covers_part(mask, grid)
        doubts |= {"mask_covers_part_of_slices"} if by_slices else set()
        doubts |= {"mask_covers_part_of_plane"} if in_plane else set()
        doubts |= {"mask_read_by_names"} if mask.by_names else set()
        doubts |= {"mask_reaches_outside_head"} if outside > OUTSIDE_HEAD_SHARE else set()
    readings = _readings(scan, placed, record)
    for reading, labels in readings.items():
        doubts |= {"free_of_lesions"} if reading == "mask" and not labels.any() else set()
        is_dense = is_windowed or bleed_is_dense(labels, image, scan.labels)
        doubts |= set() if is_dense else {"bleed_not_dense"}
    doubts |= {"lesion_without_file"} if scan.lesions_without_file else set()
    record.flags = sorted({*record.flags, *doubts})
    record.problems += same_drawings(scan, readings, DRAWN_ANEW)
    return readings


def _readings(
    scan: SheetScan, placed: Mapping[str, NDArray[np.uint8]], record: ScanRecord
) -> dict[str, NDArray[np.uint8]]:
    """Label maps by reading, files of one lesion each put together; what can't be goes to the record."""
    readings = {}
    for reading in READINGS:
        columns = scan.columns_of(reading)
        if not columns or not placed.keys() >= set(columns):
            continue  # there is none, or why it has no place was told
        if columns == [reading]:
            readings[reading] = placed[reading]
            continue
        outlines = {column: placed[column] > 0 for column in columns}
        value_of = {column: scan.labels[of_column(column)[1]] for column in columns}
        problems = same_drawings(scan, outlines, ONE_LESION_EACH)
        try:
            if not problems:
                segments = {value_of[column]: outline for column, outline in outlines.items()}
                merged = one_map(segments, {value: column for column, value in value_of.items()})
                readings[reading] = merged.astype(np.uint8)
        except nifti.Unreadable as error:
            problems = [Problem(scan.scan_id, str(error), key=reading)]
        record.problems += problems
    return readings


def drawn_elsewhere(scan: SheetScan, drawn: Mapping[str, masks.Mask], uids: frozenset[str]) -> list[Problem]:
    """Masks that name images by their UIDs, none of which was converted.

    Args:
        scan: as of :func:`ingest`.
        drawn: its masks, by column of the sheet.
        uids: SOP Instance UIDs of what was converted; none of images that have no such.
    """
    return [
        Problem(
            str(scan.masks[key]),
            "the mask names other DICOM images as those that it was drawn on, none of which is in the chosen "
            "series: hand in the mask of this series, or the series of this mask",
            key=key,
        )
        for key, mask in drawn.items()
        if uids and mask.drawn_on and not mask.drawn_on & uids
    ]


def same_drawings(scan: SheetScan, placed: Mapping[str, NDArray[Any]], why: str) -> list[Problem]:
    """What is equal in every voxel: one drawing, handed in twice.

    Args:
        scan: as of :func:`ingest`.
        placed: readings, or outlines by column of the sheet.
        why: none may be equal.
    """

    def file(key: str) -> str:
        return str(next(path for column, path in scan.masks.items() if key in (column, of_column(column)[0])))

    return [
        Problem(file(second), f"the same drawing as {first}, voxel for voxel: {why}", key=second)
        for first, second in combinations(placed, 2)
        if placed[first].any() and np.array_equal(placed[first], placed[second])
    ]


def _write(
    scan: SheetScan,
    image: NDArray[np.int16],
    labels: Mapping[str, NDArray[np.uint8]],
    grid: Geometry,
    out: Path,
    record: ScanRecord,
) -> None:
    arrays: dict[str, NDArray[Any]] = {
        IMAGE: image,
        **{LABEL_FILES[key]: array for key, array in labels.items()},
    }
    for name, array in arrays.items():
        nifti.write(masks.to_image(array, grid), out / name)
        record.sha256[name] = sha256_of(out / name)
    for key, array in labels.items():
        volumes = {name: grid.volume_ml(array == value) for name, value in scan.labels.items()}
        if key == "mask":
            record.volumes_ml = volumes
        else:
            record.second_readings[key.removeprefix("mask_")] = volumes
