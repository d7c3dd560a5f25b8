"""Predict scans that are not of the trial: ``python -m headct.inference.new_scans --help``.

Each path is a NIfTI file, a folder of NIfTI files, a folder of one scan's DICOM files, or a folder
of such folders. DICOM is read as ingest reads it, with its checks. Label maps lie on the grid of what
was handed over, named after it; beside them ``predictions.tsv`` lists volumes and failures. A
scan that is listed there is not predicted again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.misc import is_dicom

from headct import command, ingest, masks, nifti, nifti_geometry
from headct.artefacts import read_tsv, sha256_of, write_tsv
from headct.configuration import SettingsByModel
from headct.dicom import Ineligible, read_folder, to_int16
from headct.geometry import volume_ml
from headct.inference.__main__ import add_common_arguments, write_labels
from headct.inference.kept import averaged, trained_records
from headct.labels import LABELS
from headct.problems import BadInput, Problem
from headct.series import SeriesRules, choose, group
from headct.training.machine import require_device

logger = logging.getLogger("headct.inference")

TABLE = "predictions.tsv"
SUFFIXES = (".nii.gz", ".nii")
BONE_SHARE = 0.001
"""Share of bone in the view below which a head has no skull; with one it is 5 % and more."""

FILL_SHARE = 0.3
"""Share of the commonest value above which it fills what was cut away."""

SLICE_POSITIONS, HEADER_SPACING = "slice positions", "header spacing"


@dataclass
class NewScan:
    """A scan as it was handed over, and what reading it tells.

    Attributes:
        weights_mm: thickness that each slice stands for, in the order of the array.
        volumes_from: where these come from.
    """

    name: str
    source: Path
    number: int
    out: Path
    rules: SeriesRules
    patient_id_is_pseudonym: bool
    flags: list[str] = field(default_factory=list)
    volumes_from: str = ""

    @property
    def path(self) -> Path:
        """The label map."""
        return self.out / f"{self.name}.nii.gz"

    def read(self) -> sitk.Image:
        """The CT with its axes in LPS order; :meth:`write` turns the label map back.

        Raises:
            BadInput: the scan can't be predicted, and why.
        """
        return self._read_dicom() if self.source.is_dir() else self._read_nifti()

    def _read_dicom(self) -> sitk.Image:
        """What ingest would have converted, with slice weights from the slices' positions."""
        scan = ingest.Scan(
            self.name, self.source, {}, {}, patient_id_is_pseudonym=self.patient_id_is_pseudonym
        )
        try:
            folder = read_folder(scan.folder, scan.scan_id)
            refused = ingest.refusals(scan, folder)
            if refused:
                self.name = f"input {self.number}"  # the name identifies the patient: nothing may repeat it
                raise BadInput(refused)
            chosen = choose(group(folder.instances), self.rules, scan.scan_id)
            record = ingest.Record(scan.scan_id)
            hu = ingest.convert(chosen, self.rules, record)
        except Ineligible as error:
            raise BadInput([Problem(self.name, str(error))]) from None
        grid = chosen.geometry
        self.flags, self.volumes_from = record.flags, SLICE_POSITIONS
        self._pixel_mm, self._weights_mm = np.array(grid.spacing_xy_mm), grid.weights_mm
        image = masks.to_image(hu, grid)
        self._write = lambda labels: write_labels(labels, image, self.path)
        return image

    def _read_nifti(self) -> sitk.Image:
        """One volume of plausible HU; that of a NIfTI tells no more than its header's even spacing."""
        try:
            volume = nifti.read(self.source)
            values = volume.values
            if min(values.shape) == 1:
                raise nifti.Unreadable("a single slice: its thickness, and so any volume, stands nowhere")
            placed = nifti_geometry.placement(volume.header, values.shape)
        except nifti.Unreadable as error:
            raise self._refused(str(error)) from None
        if lacking := int(np.count_nonzero(~np.isfinite(values))):
            raise self._refused(
                f"{lacking} of {values.size} voxels have no value (NaN or infinite): give them that of air, "
                "-1000 HU"
            )
        hu = np.ascontiguousarray(placed.to_lps(to_int16(values)))
        if len(hu) < self.rules.minimum_slices:
            raise self._refused(f"too few slices: {len(hu)}, at least {self.rules.minimum_slices} are needed")
        doubts = sorted(ingest.doubts_about_hu(hu))
        if doubts:  # as for DICOM without rescale attributes: nothing else says that these are HU
            raise self._refused(
                "skull-stripped: no air around the head and no bone; the networks know whole heads"
                if is_skull_stripped(hu)
                else f"pixel values are not HU: {', '.join(doubts).replace('_', ' ')}"
            )
        self.flags, self.volumes_from = list(placed.flags), HEADER_SPACING
        self._pixel_mm, self._weights_mm = placed.pixel_mm, np.full(len(hu), placed.gap_mm)
        self._write = lambda labels: nifti.write_on_grid_of(volume.header, placed.from_lps(labels), self.path)
        return placed.image(hu)

    def _refused(self, message: str) -> BadInput:
        return BadInput([Problem(self.name, message)])

    def write(self, labels: np.ndarray) -> dict[str, Any]:
        """Write the label map on the grid that was handed over; volumes in mL."""
        self._write(labels)
        return {
            "path": self.path.name,
            "sha256": sha256_of(self.path),
            **{
                f"{name}_ml": volume_ml(labels == value, self._pixel_mm, self._weights_mm)
                for name, value in LABELS.items()
            },
            "volumes_from": self.volumes_from,
            "flags": " ".join(self.flags),
        }


def is_skull_stripped(hu: NDArray[np.int16]) -> bool:
    """Whether a volume shows a brain, one value around it, and neither bone nor values cut off at a limit."""
    values, counts = np.unique(hu, return_counts=True)
    fill = values[counts.argmax()]
    brain = (hu >= ingest.BRAIN_HU[0]) & (hu <= ingest.BRAIN_HU[1]) & (hu != fill)
    few = BONE_SHARE * hu.size
    return bool(
        np.mean(brain) >= ingest.BRAIN_SHARE
        and counts.max() > FILL_SHARE * hu.size
        and counts[values > ingest.HEAD_HU[1]].sum() < few
        and counts[-1] < few
    )


COLUMNS = (
    "scan_id",
    "path",
    "sha256",
    *(f"{name}_ml" for name in LABELS),
    "volumes_from",
    "flags",
    "seconds",
    "reason",
    "networks",
)
"""Of the table; ``networks`` digests what :func:`networks_of` does."""


def find(paths: Sequence[Path]) -> dict[str, Path]:
    """The scans below what the user named: name and NIfTI file, or folder of DICOM files.

    Raises:
        BadInput: a path that does not exist or holds nothing, two scans of one name; all of them.
    """
    found: list[Path] = []
    problems = []
    for path in paths:
        if not path.exists():
            problems.append(Problem(str(path), "there is no such file or folder"))
        elif path.is_file() and not is_nifti(path):
            problems.append(Problem(str(path), "neither a NIfTI file (.nii, .nii.gz) nor a folder"))
        elif below := _scans_of(path):
            found += below
        else:
            problems.append(Problem(str(path), "an empty folder"))
    names = Counter(name_of(path) for path in found)
    for name, times in names.items():
        if times > 1:
            message = f"{times} scans have this name, after which their label maps would be called"
            problems.append(Problem("--scans", message, value=name))
    if problems:
        raise BadInput(problems)
    return {name_of(path): path for path in found}


def _scans_of(path: Path) -> list[Path]:
    """NIfTI files of a folder, else its subfolders, unless DICOM files lie in it: then it is one scan."""
    if path.is_file():
        return [path]
    entries = [entry for entry in sorted(path.iterdir()) if not entry.name.startswith(".")]
    folders = [entry for entry in entries if entry.is_dir()]
    scans = [entry for entry in entries if is_nifti(entry)]
    if not scans and not any(is_dicom(entry) for entry in entries if not entry.is_dir()):
        scans = folders
    if not scans:
        return [path] if entries else []
    if len(scans) < len(entries):
        logger.warning("%s: %d scans, and %d other entries", path, len(scans), len(entries) - len(scans))
    return scans


def is_nifti(path: Path) -> bool:
    """Whether the file's name is that of a NIfTI volume."""
    return path.name.lower().endswith(SUFFIXES) and not path.is_dir()


def name_of(path: Path) -> str:
    """What the scan at a path is called: the file's name without suffix, or the folder's."""
    name = path.resolve().name
    suffix = next((end for end in SUFFIXES if name.lower().endswith(end)), "")
    return name[: len(name) - len(suffix)] if path.is_file() else name


def networks_of(members: Sequence[Sequence[Path]], settings: SettingsByModel) -> str:
    """Short digest of the weights that are averaged, and of the settings they predict by."""
    defined_by = averaged(trained_records(members), settings)
    return hashlib.sha256(json.dumps(defined_by, sort_keys=True).encode()).hexdigest()[:16]


def finished(scans: Iterable[str], out: Path, networks: str) -> list[dict[Any, Any]]:
    """Rows of ``predictions.tsv`` that stay: those of predicted scans, as far as their files are there.

    Raises:
        BadInput: something lies in the folder that would be overwritten or mixed with what it is not:
            predictions of other networks or settings, label maps that were changed, or that no table lists.
    """
    rows: list[dict[Any, Any]] = []
    if (out / TABLE).exists():
        texts = ("networks", "flags", "reason", "volumes_from", "path")
        table = read_tsv(out / TABLE, **dict.fromkeys(texts, str))
        rows = table.fillna(dict.fromkeys(texts, "")).to_dict("records")
    problems = []
    if any(row["networks"] != networks for row in rows):
        problems.append(
            Problem(str(out / TABLE), "predictions of other networks or settings; choose another folder")
        )
    rows = [row for row in rows if row["path"] and (out / row["path"]).exists()]
    for row in rows:
        if sha256_of(out / row["path"]) != row["sha256"]:
            message = f"was changed since {TABLE} was written: move it away"
            problems.append(Problem(str(out / row["path"]), message))
    listed = {row["path"] for row in rows}
    for name in scans:
        path = out / f"{name}.nii.gz"
        if path.exists() and path.name not in listed:
            problems.append(Problem(str(path), f"is there, and {TABLE} does not list it: move it away"))
    if problems:
        raise BadInput(problems)
    return rows


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="headct.inference.new_scans", description=__doc__)
    add_common_arguments(parser)
    parser.add_argument(
        "--scans", required=True, nargs="+", type=Path, metavar="PATH", help="what to predict"
    )
    parser.add_argument("--out", required=True, type=Path, help="folder of label maps and table")
    parser.add_argument(
        "--ingest", default="{}", type=json.loads, help="JSON: the ingest block of the config"
    )
    return parser


def main(args: argparse.Namespace) -> None:
    import pandas as pd

    from headct.inference import pipeline

    require_device(args.device)
    pseudonym = args.ingest.pop("patient_id_is_pseudonym", False)
    rules = ingest.rules_from(args.ingest)
    found = find(args.scans)
    networks = networks_of(args.member, args.settings)
    rows = finished(found, args.out, networks)
    listed = {row["scan_id"] for row in rows}
    scans = [
        NewScan(name, source, number, args.out, rules, pseudonym)
        for number, (name, source) in enumerate(found.items(), start=1)
        if name not in listed
    ]
    if len(scans) < len(found):
        logger.info("%d of %d scans were predicted before: skipped", len(found) - len(scans), len(found))
    ensemble = pipeline.load(args.member, args.device, args.settings)
    reasons: list[str] = []

    def done(outcome: pipeline.Outcome) -> None:
        row = {"scan_id": outcome.scan.name, "seconds": outcome.seconds, "reason": outcome.reason}
        rows.append({**row, **outcome.columns, "networks": networks})
        write_tsv(pd.DataFrame(rows, columns=list(COLUMNS)), args.out / TABLE)  # now: a kill loses one scan
        reasons.extend([outcome.reason] if outcome.reason else [])

    pipeline.predict(ensemble, scans, args.device, args.threads, "new scans", done)
    if reasons:
        logger.warning("%d of %d scans were not predicted: %s", len(reasons), len(scans), args.out / TABLE)
    if scans and len(reasons) == len(scans):
        raise RuntimeError(f"no scan could be predicted; the first: {reasons[0]}")


if __name__ == "__main__":
    command.run(main, arguments())
