"""Predict label maps of the test scans, or of held-out training scans: ``python -m headct predict --help``.

Class probabilities are averaged over the folds of a member and over the members of an ensemble, on
the scan's own grid; the label is the most probable class. A held-out training scan is predicted by the
one fold of each member that did not learn from it. A scan that fails is listed with its
reason, and the others are kept. For scans that are not of the trial: ``headct.inference.new_scans``.
"""

from __future__ import annotations

import argparse
import logging
import os
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from headct.contracts import sets
from headct.contracts.artefacts import read_tsv, sha256_of, write_tsv
from headct.contracts.problems import BadInput, Problem
from headct.engine.machine import require_device
from headct.imaging import nifti
from headct.inference.prediction_cache import PredictionCache, definition, trained_records
from headct.settings.models import settings_by_model

logger = logging.getLogger(__name__)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="key of the model in the config")
    add_common_arguments(parser)
    parser.add_argument("--split", required=True, type=Path, help="split.tsv")
    parser.add_argument("--data", required=True, type=Path, help="folder of the converted scans")
    parser.add_argument("--work", required=True, type=Path, help="scratch folder")
    parser.add_argument("--manifest", required=True, type=Path, help="list of what was predicted")
    parser.add_argument(
        "--out-of-fold",
        nargs="+",
        type=int,
        metavar="FOLD",
        help="predict the training scans of these folds instead of the test set; each member then names a"
        " trained-model folder per fold, in this order",
    )
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
        default="{}",
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
        del self.image  # a run of a thousand scans has no room for all
        return {"sha256": sha256_of(self.out)}


def write_labels(labels: np.ndarray, ct: sitk.Image, path: Path) -> None:
    """Write a label map (z, y, x) as NIfTI on the grid of its CT."""
    image = sitk.GetImageFromArray(labels)
    image.CopyInformation(ct)
    nifti.write(image, path)


def parts_of(args: argparse.Namespace) -> list[tuple[list[list[Path]], list[str]]]:
    """Trained-model folders by member, and the scans that they predict.

    Raises:
        BadInput: a folder is not that of a network which did without the fold that it is to predict.
    """
    if args.out_of_fold is None:
        return [(args.member, sets.test_scans(args.split))]
    problems = []
    for folders, records in zip(args.member, trained_records(args.member), strict=True):
        trained = [str(record.get("fold")) for record in records]
        if trained != [str(fold) for fold in args.out_of_fold]:
            message = f"trained without fold {', '.join(trained)}, not {args.out_of_fold}"
            problems.append(Problem(str(folders[0].parent), message, key="fold"))
    if problems:
        raise BadInput(problems)
    return [
        ([[folders[place]] for folders in args.member], sets.held_out(args.split, [fold]))
        for place, fold in enumerate(args.out_of_fold)
    ]


def main(args: argparse.Namespace) -> None:
    import pandas as pd

    require_device(args.device)
    args.settings = settings_by_model(args.settings, chain(*trained_records(args.member)))
    set_name = "test" if args.out_of_fold is None else "out-of-fold"
    kept = PredictionCache(args.work / "predictions" / args.model / set_name / f"{args.manifest.stem}.json")
    rows = [row for members, names in parts_of(args) for row in predicted(args, members, names, kept)]
    if all(row["reason"] for row in rows):
        raise RuntimeError(f"no scan could be predicted; the first: {rows[0]['reason']}")
    folder = args.manifest.with_suffix("")
    for stale in set(folder.glob("*.nii.gz")) - {folder / f"{row['scan_id']}.nii.gz" for row in rows}:
        stale.unlink()
    write_tsv(pd.DataFrame(rows), args.manifest)


def predicted(
    args: argparse.Namespace, members: list[list[Path]], names: list[str], kept: PredictionCache
) -> list[dict[str, Any]]:
    """Predict what ``kept`` does not have; rows of the manifest for all scans, in the order of ``names``."""
    from headct.inference import pipeline

    folder = args.manifest.with_suffix("")
    scans = {
        name: TrialScan(name, args.data / name / "ct.nii.gz", folder / f"{name}.nii.gz") for name in names
    }
    ct_sha256 = read_tsv(args.split, ct_sha256=str).set_index("scan_id")["ct_sha256"]
    defined_by = definition(members, args.settings, args.device, args.threads)
    rows: dict[str, dict[str, Any]] = {}

    def add(name: str, sha256: str, seconds: float, reason: str = "") -> None:
        rows[name] = {
            "scan_id": name,
            "path": "" if reason else os.path.relpath(scans[name].out, args.manifest.parent),
            "sha256": sha256,
            "seconds": seconds,
            "reason": reason,
            "revision": args.revision,
        }

    def done(outcome: pipeline.Outcome) -> None:
        name, sha256 = outcome.scan.name, outcome.columns.get("sha256", "")
        if outcome.reason:
            scans[name].out.unlink(missing_ok=True)
        else:
            kept.add(name, (defined_by, ct_sha256[name]), sha256, outcome.seconds)
        add(name, sha256, outcome.seconds, outcome.reason)

    for name, scan in scans.items():
        if entry := kept.find(name, (defined_by, ct_sha256[name]), scan.out):
            add(name, entry["sha256"], entry["seconds"])
    if rows:
        logger.info("%s: %d of %d scans were predicted before", args.model, len(rows), len(scans))
    if len(rows) < len(scans):
        ensemble = pipeline.load(members, args.device, args.settings)
        wanted = [scan for name, scan in scans.items() if name not in rows]
        pipeline.predict(ensemble, wanted, args.device, args.threads, args.model, done)
    return [rows[name] for name in names]
