"""Our CT volumes against those of dcm2niix, for a sample of scans; one row of findings per scan.

Both convert the same DICOM files. They must agree on the matrix, the pixel size and the HU of every
voxel. Slice positions, the first slice's corner and the volume of the head are held against the tags.
dcm2niix's header may be off them, which is told, and is no disagreement: one z spacing can't be right
under uneven gaps, and under tilt its corner is wrong where the slices are numbered downwards. A scan
that it can't convert is a finding, too.
"""

from __future__ import annotations

import hashlib
import logging
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dcm2niix
import numpy as np
import pandas as pd
import pydicom
import SimpleITK as sitk
from numpy.typing import NDArray

from headct.cohort.conversion import IMAGE, RECORD
from headct.contracts.artefacts import read_json, read_tsv, sha256_of, write_tsv
from headct.contracts.folders import files_at
from headct.imaging import geometry
from headct.imaging.hounsfield import HU_RANGE
from headct.imaging.sources import dicom_folder
from headct.settings import blocks
from headct.settings import sheet as sample_sheet

logger = logging.getLogger(__name__)

HEAD_ABOVE_HU = -200
"""What is denser counts as head: a volume that every scan has."""

HEADER_TOLERANCE = 1e-6
"""Relative, of sizes; NIfTI headers store float32."""

CORNER_TOLERANCE_MM = 1e-3
POSITION_TOLERANCE_MM = 1e-6
VOLUME_TOLERANCE = 1e-3
ROUNDING_HU = 0.501
"""Ours are whole HU; dcm2niix's are not where the rescale slope is none."""

COLUMNS = (
    "scan_id",
    "agrees",
    "finding",
    "voxels_differ",
    "largest_difference_hu",
    "matrix",
    "matrix_dcm2niix",
    "pixel_mm",
    "pixel_dcm2niix_mm",
    "z_spacing_mm",
    "z_spacing_dcm2niix_mm",
    "positions_off_tags_mm",
    "corner_off_tags_mm",
    "corner_dcm2niix_off_tags_mm",
    "head_ml",
    "head_dcm2niix_ml",
    "head_tags_ml",
)


class NotComparable(Exception):
    """There are no two volumes on one matrix; the message says why, without a path or a name."""


@dataclass(frozen=True)
class Tags:
    """What the tags say of the slices, inferior to superior."""

    positions_mm: NDArray[np.float64]
    pixel_mm: tuple[float, float]
    corners_mm: NDArray[np.float64]
    """Centres of the four corner pixels of the first slice, shape (4, 3), LPS."""


def draw(scan_ids: Iterable[str], number: int, seed: int) -> list[str]:
    """A random sample in alphabetical order; a scan that is added later changes one place at most."""
    ranked = sorted(scan_ids, key=lambda scan: hashlib.sha256(f"{seed}/{scan}".encode()).digest())
    return sorted(ranked[:number])


def sample_of(rows: Iterable[Mapping[str, Any]], number: int, seed: int) -> list[Mapping[str, Any]]:
    """The rows of a sample (:func:`draw`) of the study's own scans, and of one of each external set.

    Each is drawn by itself: a set that is added, often of scanners that the study has not, has a sample of
    its own and changes no other.

    Args:
        rows: of the sheet, of the scans that may be drawn.
        number: of scans of each sample; all where there are fewer.
        seed: of the draw.
    """
    members: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        members[sample_sheet.external_set(row)].append(row)
    drawn = {name: draw((row["scan_id"] for row in own), number, seed) for name, own in members.items()}
    return [row for name, own in sorted(members.items()) for row in own if row["scan_id"] in drawn[name]]


def compare(scan_id: str, dicom: Path, data: Path, scratch: Path) -> dict[str, Any]:
    """One row of the table.

    Args:
        scan_id: an included scan.
        dicom: its DICOM folder.
        data: its folder of results, with ``scan.json`` and ``ct.nii.gz``.
        scratch: an empty folder for what dcm2niix writes, identifiers among it; to be removed.
    """
    record = read_json(data / RECORD)
    ours = sitk.ReadImage(str(data / IMAGE))
    row: dict[str, Any] = {"scan_id": scan_id, "agrees": "no", **_shape(ours, "")}
    try:
        files = _files_of(record["instances"], dicom)
        theirs = _conversion_by_dcm2niix(files, ours.GetSize(), scratch)
    except NotComparable as reason:
        return {**row, "finding": str(reason)}
    row |= _shape(theirs, "_dcm2niix") | _voxels(ours, theirs)
    tags = read_tags(files, record["instances"])
    row |= _against_tags(ours, theirs, tags, record["geometry"])
    disagreements = _disagreements(row, ours, theirs)
    row["agrees"] = "no" if disagreements else "yes"
    findings = disagreements or ["every voxel is the same"]
    row["finding"] = "; ".join([*findings, *_their_header(row)])
    return row


def _shape(image: sitk.Image, of: str) -> dict[str, Any]:
    dx, dy, dz = image.GetSpacing()
    return {
        f"matrix{of}": " x ".join(map(str, image.GetSize())),
        f"pixel{of}_mm": f"{dx:.6f} x {dy:.6f}",
        f"z_spacing{of}_mm": round(dz, 6),
    }


def _files_of(instances: Sequence[Mapping[str, Any]], dicom: Path) -> dict[str, Path]:
    """The files of the converted instances by their SHA-256, whatever their names."""
    wanted = {instance["sha256"] for instance in instances}
    found = {sha256_of(path): Path(path) for path in sorted(files_at(dicom))}
    if not wanted <= found.keys():
        absent = len(wanted - found.keys())
        raise NotComparable(f"{absent} of the {len(wanted)} converted DICOM files are changed or gone")
    return {digest: found[digest] for digest in wanted}


def _conversion_by_dcm2niix(files: Mapping[str, Path], size: tuple[int, ...], scratch: Path) -> sitk.Image:
    """The same files as dcm2niix converts them, axes in LPS order, HU clipped as ours.

    It writes several volumes: of a tilted or unevenly spaced series a resampled one, too, which is
    named so, and the slices of one series in two files where it thinks them different.
    """
    (scratch / "dicom").mkdir()
    for number, path in enumerate(files.values(), start=1):
        (scratch / "dicom" / f"{number}.dcm").symlink_to(path.resolve())
    # "-g i" ignores the user's own defaults. What it prints names patients and paths: to nowhere.
    options = ["-g", "i", "-b", "n", "-z", "n", "-f", "volume", "-o", str(scratch)]
    ended = subprocess.run([dcm2niix.bin, *options, str(scratch / "dicom")], capture_output=True, check=False)
    volumes = [path for path in sorted(scratch.glob("*.nii")) if not {"Tilt", "Eq"} & _marks(path)]
    if not volumes:
        raise NotComparable(f"dcm2niix could not convert it (exit status {ended.returncode})")
    images = [sitk.ReadImage(str(path)) for path in volumes]
    sizes = [" x ".join(map(str, image.GetSize())) for image in images]
    for image in images:
        if image.GetDimension() == 3:
            image = sitk.DICOMOrient(image, "LPS")
            if image.GetSize() == size:
                return sitk.Clamp(image, image.GetPixelID(), *map(float, HU_RANGE))
    raise NotComparable(f"dcm2niix makes another matrix of the same files: {' and '.join(sizes)}")


def _marks(path: Path) -> set[str]:
    return set(path.stem.split("_")[1:])


def _voxels(ours: sitk.Image, theirs: sitk.Image) -> dict[str, Any]:
    difference = np.abs(
        sitk.GetArrayViewFromImage(theirs).astype(np.float64) - sitk.GetArrayViewFromImage(ours)
    )
    return {
        "voxels_differ": int(np.count_nonzero(difference > ROUNDING_HU)),
        "largest_difference_hu": float(difference.max()),
    }


def read_tags(files: Mapping[str, Path], instances: Sequence[Mapping[str, Any]]) -> Tags:
    """Where the slices are and how large their pixels, straight from the files."""
    headers = {digest: pydicom.dcmread(path, stop_before_pixels=True) for digest, path in files.items()}
    origins, orientation, spacing = [], None, None
    for instance in instances:
        header = headers[instance["sha256"]]
        if "frame" in instance:
            shared = header.SharedFunctionalGroupsSequence[0]
            own = header.PerFrameFunctionalGroupsSequence[instance["frame"] - 1]
            groups = {**_macros(shared), **_macros(own)}
            origins.append(groups["PlanePositionSequence"].ImagePositionPatient)
            orientation = groups["PlaneOrientationSequence"].ImageOrientationPatient
            spacing = groups["PixelMeasuresSequence"].PixelSpacing
        else:
            origins.append(header.ImagePositionPatient)
            orientation, spacing = header.ImageOrientationPatient, header.PixelSpacing
    assert orientation is not None, "an included scan has slices"
    assert spacing is not None
    along_row, along_column, normal = geometry.unit_directions(orientation)
    upwards = normal if normal[2] >= 0 else -normal
    dy, dx = float(spacing[0]), float(spacing[1])
    stacked = np.array(origins, dtype=np.float64)
    width, height = (header.Columns - 1) * dx * along_row, (header.Rows - 1) * dy * along_column
    return Tags(
        geometry.perpendicular_positions(stacked, upwards),
        (dy, dx),
        stacked[0] + np.array([0 * width, width, height, width + height]),
    )


def _macros(groups: pydicom.Dataset) -> dict[str, pydicom.Dataset]:
    return {element.keyword: element.value[0] for element in groups if element.VR == "SQ" and element.value}


def _against_tags(
    ours: sitk.Image, theirs: sitk.Image, tags: Tags, recorded: Mapping[str, Any]
) -> dict[str, Any]:
    """Slice positions, corner of the first slice, volume of the head: by us and by dcm2niix's header."""
    head, their_head = (sitk.GetArrayFromImage(image) > HEAD_ABOVE_HU for image in (ours, theirs))
    weights = geometry.slice_weights(tags.positions_mm)
    off = np.abs(np.array(recorded["slice_positions_mm"]) - tags.positions_mm).max()
    return {
        "positions_off_tags_mm": float(off),
        "corner_off_tags_mm": _off_corner(ours, tags),
        "corner_dcm2niix_off_tags_mm": _off_corner(theirs, tags),
        "head_ml": geometry.volume_ml(head, recorded["spacing_mm_xyz"], recorded["slice_weights_mm"]),
        "head_dcm2niix_ml": float(
            np.count_nonzero(their_head) * np.prod(theirs.GetSpacing()) / geometry.MM3_PER_ML
        ),
        "head_tags_ml": geometry.volume_ml(head, tags.pixel_mm, weights),
    }


def _off_corner(image: sitk.Image, tags: Tags) -> float:
    """Distance of the header's origin from the nearest corner: which one depends on flips."""
    return float(np.linalg.norm(tags.corners_mm - np.array(image.GetOrigin()), axis=1).min())


def _disagreements(row: Mapping[str, Any], ours: sitk.Image, theirs: sitk.Image) -> list[str]:
    found = []
    if row["voxels_differ"]:
        voxels = ours.GetNumberOfPixels()
        largest = f"{row['largest_difference_hu']:g} HU"
        found.append(f"{row['voxels_differ']} of {voxels} voxels differ, by up to {largest}")
    if not np.allclose(ours.GetSpacing()[:2], theirs.GetSpacing()[:2], rtol=HEADER_TOLERANCE, atol=0):
        found.append(f"pixels of {row['pixel_mm']} mm, by dcm2niix {row['pixel_dcm2niix_mm']} mm")
    if row["corner_off_tags_mm"] > CORNER_TOLERANCE_MM:
        found.append(f"the first slice lies {row['corner_off_tags_mm']:.3f} mm off the tags")
    if row["positions_off_tags_mm"] > POSITION_TOLERANCE_MM:
        found.append(f"slice positions are up to {row['positions_off_tags_mm']:.3g} mm off the tags")
    if abs(row["head_ml"] - row["head_tags_ml"]) > VOLUME_TOLERANCE * row["head_tags_ml"]:
        found.append(f"the head has {row['head_ml']:.1f} mL, by the tags {row['head_tags_ml']:.1f} mL")
    return found


def _their_header(row: Mapping[str, Any]) -> list[str]:
    """Where dcm2niix's header is off the tags."""
    found = []
    if row["corner_dcm2niix_off_tags_mm"] > CORNER_TOLERANCE_MM:
        apart = row["corner_dcm2niix_off_tags_mm"]
        found.append(f"dcm2niix's header has the first slice {apart:.3f} mm off the tags")
    off = row["head_dcm2niix_ml"] - row["head_tags_ml"]
    if abs(off) > VOLUME_TOLERANCE * row["head_tags_ml"]:
        share, direction = abs(off) / row["head_tags_ml"], "larger" if off > 0 else "smaller"
        found.append(f"dcm2niix's z spacing makes the head {share:.1%} {direction} than it is")
    return found


def crosscheck(rows: Iterable[Mapping[str, Any]], data: Path, scratch: Path) -> pd.DataFrame:
    """The table: one row for each row of the sheet that is given."""
    found = []
    for row in rows:
        with tempfile.TemporaryDirectory(dir=scratch, prefix=".dcm2niix-") as folder:
            scan_id = row["scan_id"]
            found.append(compare(scan_id, Path(row["image"]), data / scan_id, Path(folder)))
        logger.info("%s: %s", scan_id, found[-1]["finding"])
    return pd.DataFrame(found, columns=COLUMNS)


def main(
    *,
    sheet: Path,
    cohort: Path,
    data: Path,
    settings: str,
    out: Path,
) -> None:
    """Our CT volumes against those of dcm2niix, for a sample of scans; one row of findings per scan.

    Args:
        sheet: the sample sheet.
        cohort: cohort.tsv.
        data: folder of the ingested scans.
        settings: JSON: the crosscheck block of the config.
        out: TSV to write.
    """
    sample = blocks.given(blocks.Crosscheck, settings)
    scans = read_tsv(cohort)
    included = set(scans.loc[scans["status"] == "included", "scan_id"])
    rows = [row for row in sample_sheet.load(sheet) if row["scan_id"] in included]
    kinds = {row["scan_id"]: read_json(data / row["scan_id"] / RECORD)["kind"] for row in rows}
    of_dicom = [row for row in rows if kinds[row["scan_id"]] == dicom_folder.Source.kind]
    if len(of_dicom) < len(rows):
        others = len(rows) - len(of_dicom)
        logger.info("%d scans are not of DICOM folders, which is all that dcm2niix converts", others)
    out.parent.mkdir(parents=True, exist_ok=True)
    table = crosscheck(sample_of(of_dicom, sample.scans, sample.seed), data, out.parent)
    write_tsv(table, out)
    logger.info("%d of %d scans agree with dcm2niix", (table["agrees"] == "yes").sum(), len(table))
