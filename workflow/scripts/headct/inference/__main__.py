"""Predict label maps of the test scans: ``python -m headct.inference --help``.

Class probabilities are averaged over the folds of a member and over the members of an ensemble, on
the scan's own grid; the label is the most probable class. A scan that fails is listed with its
reason, and the others are kept.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from headct import command
from headct.artefacts import read_json, read_tsv, sha256_of, write_atomically, write_tsv
from headct.training.__main__ import require_device

logger = logging.getLogger("headct.inference")  # __name__ is "__main__" here

Predictor = Callable[[sitk.Image], np.ndarray]
"""From the native CT to class probabilities, float32, shape (classes, z, y, x)."""


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="headct.inference", description=__doc__)
    parser.add_argument("--model", required=True, help="key of the model in the config")
    parser.add_argument(
        "--member",
        required=True,
        nargs="+",
        action="append",
        type=Path,
        metavar="FOLDER",
        help="trained-model folders, one per fold; repeat for each member of an ensemble",
    )
    parser.add_argument("--split", required=True, type=Path, help="split.tsv")
    parser.add_argument("--data", required=True, type=Path, help="folder of the converted scans")
    parser.add_argument("--device", required=True, choices=("cpu", "cuda"))
    parser.add_argument("--threads", required=True, type=int)
    parser.add_argument("--manifest", required=True, type=Path, help="list of what was predicted")
    parser.add_argument("--revision", type=int, default=0, help="how often files were lost and remade")
    return parser


def main(args: argparse.Namespace) -> None:
    import pandas as pd
    import torch

    require_device(args.device)
    torch.set_num_threads(args.threads)
    split = read_tsv(args.split)
    scans = split.loc[split["set"] == "test", "scan_id"]
    members = [[load(folder, args.device) for folder in folds] for folds in args.member]
    folder = args.manifest.with_suffix("")
    rows = []
    for number, scan in enumerate(scans, start=1):
        start = time.monotonic()
        path, reason = folder / f"{scan}.nii.gz", ""
        try:
            predict(members, args.data / scan / "ct.nii.gz", path)
        except (MemoryError, torch.OutOfMemoryError):
            raise  # the machine's fault, not the scan's
        except Exception as error:  # one scan that fails must not cost the others
            logging.getLogger("traceback").exception("%s", scan)
            reason = f"{type(error).__name__}: {error}"
            path.unlink(missing_ok=True)
        seconds = time.monotonic() - start
        rows.append(
            {
                "scan_id": scan,
                "path": "" if reason else os.path.relpath(path, args.manifest.parent),
                "sha256": "" if reason else sha256_of(path),
                "seconds": round(seconds, 2),
                "reason": reason,
                "revision": args.revision,
            }
        )
        logger.info(
            "%s  predicted %d/%d  %s  %.1f s %s", args.model, number, len(scans), scan, seconds, reason
        )
    if all(row["reason"] for row in rows):
        raise RuntimeError(f"no scan could be predicted; the first: {rows[0]['reason']}")
    for stale in set(folder.glob("*.nii.gz")) - {folder / f"{scan}.nii.gz" for scan in scans}:
        stale.unlink()
    write_tsv(pd.DataFrame(rows), args.manifest)


def load(folder: Path, device: str) -> Predictor:
    """The predictor of one trained-model folder, after checking its weights against their digest."""
    record = read_json(folder / "train.json")
    if sha256_of(folder / "final.pth") != record["sha256"]:
        raise ValueError(f"{folder / 'final.pth'} is not the file that train.json describes")
    adapter = importlib.import_module(f"headct.inference.{record['framework']}")
    predictor: Predictor = adapter.load(folder, device)
    return predictor


def predict(members: Sequence[Sequence[Predictor]], ct: Path, out: Path) -> None:
    """Write the label map of one scan, on the grid of its CT.

    Raises:
        ValueError: probabilities are not finite or not on the grid of the CT.
    """
    image = sitk.ReadImage(str(ct))
    probabilities = np.mean(
        [np.mean([predictor(image) for predictor in folds], axis=0) for folds in members], axis=0
    )
    if probabilities.shape[1:] != image.GetSize()[::-1]:
        raise ValueError(f"probabilities of shape {probabilities.shape} for a CT of {image.GetSize()}")
    if not np.isfinite(probabilities).all():
        raise ValueError("probabilities are not finite")
    labels = sitk.GetImageFromArray(probabilities.argmax(axis=0).astype(np.uint8))
    labels.CopyInformation(image)
    with write_atomically(out) as temporary:
        sitk.WriteImage(labels, str(temporary), useCompression=True)


if __name__ == "__main__":
    command.run(main, arguments())
