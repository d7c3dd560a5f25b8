"""Predict label maps of the test scans: ``python -m headct.inference --help``.

Class probabilities are averaged over the folds of a member and over the members of an ensemble, on
the scan's own grid; the label is the most probable class. A scan that fails is listed with its
reason, and the others are kept. For scans that are not of the trial: ``headct.inference.new_scans``.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from headct import command, nifti
from headct.artefacts import read_tsv, sha256_of, write_tsv
from headct.training.__main__ import require_device


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="headct.inference", description=__doc__)
    parser.add_argument("--model", required=True, help="key of the model in the config")
    add_common_arguments(parser)
    parser.add_argument("--split", required=True, type=Path, help="split.tsv")
    parser.add_argument("--data", required=True, type=Path, help="folder of the converted scans")
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
    scans = [
        TrialScan(scan, args.data / scan / "ct.nii.gz", folder / f"{scan}.nii.gz")
        for scan in split.loc[split["set"] == "test", "scan_id"]
    ]
    ensemble = pipeline.load(args.member, args.device, args.settings)
    rows: list[dict[str, Any]] = []

    def done(outcome: pipeline.Outcome) -> None:
        scan = outcome.scan
        path = folder / f"{scan.name}.nii.gz"
        if outcome.reason:
            path.unlink(missing_ok=True)
        rows.append(
            {
                "scan_id": scan.name,
                "path": "" if outcome.reason else os.path.relpath(path, args.manifest.parent),
                "sha256": outcome.columns.get("sha256", ""),
                "seconds": outcome.seconds,
                "reason": outcome.reason,
                "revision": args.revision,
            }
        )

    pipeline.predict(ensemble, scans, args.device, args.threads, args.model, done)
    if all(row["reason"] for row in rows):
        raise RuntimeError(f"no scan could be predicted; the first: {rows[0]['reason']}")
    for stale in set(folder.glob("*.nii.gz")) - {scan.out for scan in scans}:
        stale.unlink()
    write_tsv(pd.DataFrame(rows), args.manifest)


if __name__ == "__main__":
    command.run(main, arguments())
