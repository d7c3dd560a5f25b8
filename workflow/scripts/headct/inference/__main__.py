"""Predict label maps of the test scans: ``python -m headct.inference --help``.

Class probabilities are averaged over the folds of a member and over the members of an ensemble, on
the scan's own grid; the label is the most probable class. A scan that fails is listed with its
reason, and the others are kept. For scans that are not of the trial: ``headct.inference.new_scans``.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from headct import command, nifti
from headct.artefacts import read_tsv, sha256_of, write_tsv
from headct.inference.kept import Kept, definition
from headct.training.__main__ import require_device

logger = logging.getLogger("headct.inference")


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="headct.inference", description=__doc__)
    parser.add_argument("--model", required=True, help="key of the model in the config")
    add_common_arguments(parser)
    parser.add_argument("--split", required=True, type=Path, help="split.tsv")
    parser.add_argument("--data", required=True, type=Path, help="folder of the converted scans")
    parser.add_argument("--work", required=True, type=Path, help="scratch folder")
    parser.add_argument("--manifest", required=True, type=Path, help="list of what was predicted")
    parser.add_argument("--revision", type=int, default=0, help="how often files were lost and remade")
    return parser


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """What every prediction is told: the networks and the machine."""
    parser.add_argument(
        "--member",
        required=True,
        nargs="+",
        action="append",
        type=Path,
        metavar="FOLDER",
        help="trained-model folders, one per fold; repeat for each member of an ensemble",
    )
    parser.add_argument(
        "--settings",
        default={},
        type=json.loads,
        metavar="JSON",
        help='settings of inference by model, such as {"nnunet-2d": {"test_time_mirroring": false}};'
        " what is left out is as in config/README.md",
    )
    parser.add_argument("--device", required=True, choices=("cpu", "cuda"))
    parser.add_argument("--threads", required=True, type=int, help="CPU threads in all")


@dataclass
class TrialScan:
    """A scan that was converted by ingest, and the file of its label map."""

    name: str
    ct: Path
    out: Path

    def read(self) -> sitk.Image:
        """The CT as ingest wrote it."""
        self.image = sitk.ReadImage(str(self.ct))
        return self.image

    def write(self, labels: np.ndarray) -> dict[str, Any]:
        """Write the label map on the grid of the CT."""
        write_labels(labels, self.image, self.out)
        return {"sha256": sha256_of(self.out)}


def write_labels(labels: np.ndarray, ct: sitk.Image, path: Path) -> None:
    """Write a label map (z, y, x) as NIfTI on the grid of its CT."""
    image = sitk.GetImageFromArray(labels)
    image.CopyInformation(ct)
    nifti.write(image, path)


def main(args: argparse.Namespace) -> None:
    import pandas as pd

    from headct.inference import pipeline

    require_device(args.device)
    split = read_tsv(args.split)
    folder = args.manifest.with_suffix("")
    test = split[split["set"] == "test"]
    ct_sha256 = dict(zip(test["scan_id"], test["ct_sha256"], strict=True))
    scans = {
        scan: TrialScan(scan, args.data / scan / "ct.nii.gz", folder / f"{scan}.nii.gz") for scan in ct_sha256
    }
    kept = Kept(
        args.work / "predictions" / args.model / f"{args.manifest.stem}.json",
        definition(args.member, args.settings, args.device, args.threads),
    )
    rows: dict[str, dict[str, Any]] = {}

    def row(scan: TrialScan, sha256: str, seconds: float, reason: str = "") -> None:
        rows[scan.name] = {
            "scan_id": scan.name,
            "path": "" if reason else os.path.relpath(scan.out, args.manifest.parent),
            "sha256": sha256,
            "seconds": seconds,
            "reason": reason,
            "revision": args.revision,
        }

    def done(outcome: pipeline.Outcome) -> None:
        scan = scans[outcome.scan.name]
        sha256 = outcome.columns.get("sha256", "")
        if outcome.reason:
            scan.out.unlink(missing_ok=True)
        else:
            kept.add(scan.name, ct_sha256[scan.name], sha256, outcome.seconds)
        row(scan, sha256, outcome.seconds, outcome.reason)

    for scan in scans.values():
        if entry := kept.find(scan.name, ct_sha256[scan.name], scan.out):
            row(scan, entry["sha256"], entry["seconds"])
    wanted = [scan for name, scan in scans.items() if name not in rows]
    if rows:
        logger.info("%s: %d of %d scans were predicted before", args.model, len(rows), len(scans))
    if wanted:
        ensemble = pipeline.load(args.member, args.device, args.settings)
        pipeline.predict(ensemble, wanted, args.device, args.threads, args.model, done)
    if all(row["reason"] for row in rows.values()):
        raise RuntimeError(f"no scan could be predicted; the first: {next(iter(rows.values()))['reason']}")
    for stale in set(folder.glob("*.nii.gz")) - {scan.out for scan in scans.values()}:
        stale.unlink()
    write_tsv(pd.DataFrame([rows[name] for name in scans]), args.manifest)


if __name__ == "__main__":
    command.run(main, arguments())
