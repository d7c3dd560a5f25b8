"""Converted test scans in the working directory, and what a model from outside made of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk

from headct.cohort import conversion
from headct.command_line import run_step
from headct.contracts.artefacts import read_tsv, sha256_of, write_tsv
from headct.imaging.fitness import SeriesRules
from support.ct_series import tilted, write_series
from support.label_sets import GIVEN, LABELS, MASK_RULES
from support.masked_scan import write_mask

DATA, SPLIT = Path("results/data"), Path("results/cohort/split.tsv")
MANIFEST = Path("results/predictions/rival/seed-1.tsv")
TILT_DEG = 15.0


def convert(scans: Mapping[str, np.ndarray], tilt_deg: float = TILT_DEG) -> None:
    """Write scans of a participant as DICOM with a mask of soft tissue, convert them, list them for the test.

    Args:
        scans: HU (z, y, x) by scan, of slices 5 mm apart with voxels of 4 mm.
        tilt_deg: of the gantry.
    """
    rows = [{"scan_id": "t", "participant_id": "t", "set": "train", "ct_sha256": "0" * 64}]
    for name, hu in scans.items():
        dicom = Path("dicom", name)
        write_series(dicom, hu, orientation=tilted(tilt_deg))
        mask = write_mask(dicom, Path(f"{name}.nii.gz"), ((hu > 20) & (hu < 90)).astype(np.uint8))
        scan = conversion.SheetScan(name, dicom, {"mask": mask}, MASK_RULES, LABELS)
        conversion.ingest(scan, SeriesRules(minimum_slices=1), DATA / name)
        ct_sha256 = sha256_of(DATA / name / "ct.nii.gz")
        rows.append({"scan_id": name, "participant_id": "p", "set": "test", "ct_sha256": ct_sha256})
    write_tsv(pd.DataFrame(rows), SPLIT)


def take(**settings: object) -> pd.DataFrame:
    """The list that the step writes."""
    options = ("--split", str(SPLIT), "--data", str(DATA), "--manifest", str(MANIFEST))
    run_step("outside", ["--model", "rival", "--settings", json.dumps(settings), *GIVEN, *options])
    return read_tsv(MANIFEST, path=str, sha256=str, reason=str, source_sha256=str).fillna("")


def on_disk(scan: str) -> np.ndarray:
    """The label map (z, y, x) of a scan that was taken."""
    return sitk.GetArrayFromImage(sitk.ReadImage(str(MANIFEST.with_suffix("") / f"{scan}.nii.gz")))
