"""Scans without results, and the pages of them: before a study predicts anything, and outside of a study."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import SimpleITK as sitk

from headct.command_line import run_step
from headct.contracts.artefacts import sha256_of, write_json, write_tsv
from headct.contracts.labels import Extent
from headct.contracts.repository import BUNDLE
from headct.publish.page.case_content import TRUTH, Case
from support import ct_series
from support.case_studies import TILTED, UNEVEN, simulated_case
from support.label_sets import LABELS

SCANS = {"s-tilted": replace(simulated_case(TILTED), scan_id="s-tilted")}
SCANS |= {"s-uneven": replace(simulated_case(UNEVEN), scan_id="s-uneven")}
FLAGS = {"s-tilted": "tilted", "s-uneven": "air_not_near_minus_1000_hu,tilted,uneven_gaps"}


def write_converted(case: Case, folder: Path) -> None:
    """A scan's folder as ingest leaves it, as far as a page needs it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, voxels in (("ct", case.image), ("labels", case.maps[TRUTH])):
        sitk.WriteImage(sitk.GetImageFromArray(voxels), str(folder / f"{name}.nii.gz"))
    write_json({"geometry": case.geometry}, folder / "scan.json")


def cohort_row(scan: str, data: Path, **changed: Any) -> dict[str, Any]:
    """A row of the cohort, of a scan whose folder is there."""
    case = SCANS[scan]
    volumes = {f"{label}_ml": 1.25 + value for label, value in LABELS.items()}
    return {
        "scan_id": scan,
        "participant_id": f"P-{scan}",
        "status": "included",
        "reason": "",
        "flags": FLAGS[scan],
        "n_slices": len(case.image),
        "spacing_z_mm": case.geometry["spacing_mm_xyz"][2],
        "tilt_deg": case.geometry["tilt_deg"],
        **volumes,
        "ct_sha256": sha256_of(data / scan / "ct.nii.gz"),
        "labels_sha256": sha256_of(data / scan / "labels.nii.gz"),
        **changed,
    }


def quality_page(
    folder: Path, changed: Mapping[str, Mapping[str, Any]] | None = None, *more: str, cases: str = "all"
) -> Path:
    """Write scans, their cohort and the page of them below a folder; the page.

    Args:
        folder: of the study.
        changed: cells of the cohort that are others, by scan; a scan that is not simulated has no image.
        more: options of the step.
        cases: whether there are files of cases.
    """
    data, changed = folder / "results/data", changed or {}
    rows = []
    for scan, case in SCANS.items():
        write_converted(case, data / scan)
        rows.append(cohort_row(scan, data, **changed.get(scan, {})))
    rows += [{"scan_id": scan, **row} for scan, row in changed.items() if scan not in SCANS]
    cohort = pd.DataFrame(rows)
    write_tsv(cohort, folder / "qc/cohort.tsv")
    counts = cohort.groupby("status").size()
    flow = {"status": counts.index, "reason": "", "scans": counts.values, "participants": counts.values}
    write_tsv(pd.DataFrame(flow), folder / "qc/flow.tsv")
    page = folder / "qc/report/index.html"
    options = ["--cohort", str(folder / "qc/cohort.tsv"), "--data", str(data), "--study", "study-1"]
    options += ["--labels", LABELS.written(Extent.PRINT), "--cases", cases, "--intensity", "hounsfield"]
    run_step("quality-page", [*options, "--bundle", str(BUNDLE), "--out", str(page), *more])
    return page


def write_dicom(case: Case, folder: Path) -> Path:
    """A case as the DICOM of a patient whose name and number must not get out; its folder."""
    geometry = case.geometry
    directions = np.array(geometry["directions_lps"])
    dx, dy, _ = geometry["spacing_mm_xyz"]
    ct_series.write_series(
        folder,
        case.image,
        np.array(geometry["slice_origins_mm_lps"]),
        [*directions[:, 0], *directions[:, 1]],
        spacing=(dy, dx),
    )
    return folder


def predict(out: Path, models: Sequence[Path], *scans: Path, report: str = "{}", **ingest: Any) -> Path:
    """Predict new scans by the command; the page of them."""
    words = ["--out", out, "--device", "cpu", "--threads", 1, "--scans", *scans, "--report", report]
    words += [word for model in models for word in ("--member", model)]
    run_step("new-scans", [str(word) for word in [*words, "--ingest", json.dumps(ingest)]])
    return out / "report/index.html"
