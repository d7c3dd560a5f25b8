"""The cohort: every scan of the sheet, included or excluded with its reason.

``python -m headct.cohort --help``. Faults in what was handed over stop here, all in one table,
before anything is trained.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

import pandas as pd

from headct import command, sheet
from headct.artefacts import read_json, write_tsv
from headct.labels import LABELS
from headct.problems import BadInput, Problem

logger = logging.getLogger("headct.cohort")  # __name__ is "__main__" here

FROM_SHEET = ("scan_id", "participant_id", "site", "age", "sex", "onset_to_ct_h", "rater")


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="headct.cohort", description=__doc__)
    parser.add_argument("--sheet", required=True, type=Path, help="sample sheet")
    parser.add_argument("--data", required=True, type=Path, help="folder of the converted scans")
    parser.add_argument("--cohort", required=True, type=Path, help="cohort.tsv to write")
    parser.add_argument("--flow", required=True, type=Path, help="flow.tsv to write")
    return parser


def main(args: argparse.Namespace) -> None:
    rows = sheet.load(args.sheet)
    records = [read_json(args.data / row["scan_id"] / "scan.json") for row in rows]
    problems = [Problem(**problem) for record in records for problem in record["problems"]]
    if problems:
        raise BadInput(problems)
    cohort = pd.DataFrame([cohort_row(row, record) for row, record in zip(rows, records, strict=True)])
    flow = flow_of(cohort)
    if not (cohort["status"] == "included").any():
        reasons = "; ".join(
            f"{reason} ({scans})"
            for reason, scans in zip(flow["reason"], flow["scans"], strict=True)
            if reason
        )
        raise BadInput([Problem(str(args.sheet), f"no scan is eligible: {reasons}")])
    write_tsv(cohort, args.cohort)
    write_tsv(flow, args.flow)
    for step in flow.itertuples():
        logger.info("cohort  %-9s %4d scans  %s", step.status, step.scans, step.reason)


def cohort_row(row: dict[str, Any], record: dict[str, Any]) -> dict[str, Any]:
    """One line of ``cohort.tsv``; geometry and volumes only where the scan is included."""
    geometry, acquisition = record["geometry"] or {}, record["acquisition"]
    spacing = geometry.get("spacing_mm_xyz", [None] * 3)
    digests, volumes = record["sha256"], record["volumes_ml"]
    return {
        **{name: row[name] for name in FROM_SHEET},
        "status": record["status"],
        "reason": record["reason"],
        "n_slices": geometry.get("size_xyz", [None] * 3)[2],
        **{f"spacing_{axis}_mm": value for axis, value in zip("xyz", spacing, strict=True)},
        "tilt_deg": geometry.get("tilt_deg"),
        "manufacturer": acquisition.get("manufacturer"),
        "kernel": acquisition.get("kernel"),
        **{f"{label}_ml": volumes.get(label) for label in LABELS},
        **{
            f"{name}_sha256": digests.get(f"{name}.nii.gz")
            for name in ("ct", "labels", "labels_intra", "labels_inter")
        },
    }


def flow_of(cohort: pd.DataFrame) -> pd.DataFrame:
    """Counts of scans and participants: in the sheet, excluded per reason, included.

    What stands after a reason's colon is the measurement in that scan, and left out here.
    """

    def step(status: str, reason: str, rows: pd.DataFrame) -> dict[str, Any]:
        return {
            "status": status,
            "reason": reason,
            "scans": len(rows),
            "participants": rows["participant_id"].nunique(),
        }

    excluded = cohort[cohort["status"] == "excluded"]
    reasons = excluded["reason"].str.split(":").str[0]
    return pd.DataFrame(
        [
            step("in sheet", "", cohort),
            *(step("excluded", str(reason), rows) for reason, rows in excluded.groupby(reasons)),
            step("included", "", cohort[cohort["status"] == "included"]),
        ]
    )


if __name__ == "__main__":
    command.run(main, arguments())
