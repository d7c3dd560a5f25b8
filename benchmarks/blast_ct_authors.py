"""BLAST-CT with its authors' weights: label maps of our step against those of the package's own inference.

    .venv/bin/python benchmarks/blast_ct_authors.py --weights FOLDER --images FOLDER --work FOLDER SCAN …

Each network is applied to each batch of patches once: what it makes of it is kept in the folder ``--work``
by the digest of weights and patches, and both inferences take it from there, as long as they feed the network
with just the same. All else (reading, resampling, patches, averaging, the scan's grid) each does by itself.
A line per scan and class: mL of both, Dice between both, and with ``--labels`` that to the outlined oedema.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from blast_ct.models.deepmedic import DeepMedic

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "workflow/scripts"), str(ROOT / "tests")]

from headct.frameworks.outside import blast_ct  # noqa: E402
from support import blastct_package  # noqa: E402

CLASSES = {1: "ICH", 2: "extra-axial", 3: "PHE", 4: "IVH"}
OUTLINED = 1
"""Value of oedema in the reference label maps."""


@contextmanager
def remembered(folder: Path) -> Iterator[dict[str, float]]:
    """Have DeepMedic keep in a folder what it made of a batch; seconds of networks, and how often each came.

    Args:
        folder: where outputs are kept.
    """
    forward, spent = DeepMedic.forward, {"seconds": 0.0, "applied": 0, "taken": 0}

    def once(self: Any, image: torch.Tensor, **others: Any) -> tuple[torch.Tensor, dict[str, Any]]:
        digest = hashlib.sha256(image.contiguous().numpy())
        for tensor in self.state_dict().values():
            digest.update(tensor.numpy())
        path = folder / f"{digest.hexdigest()}.npy"
        if path.is_file():
            spent["taken"] += 1
            return torch.from_numpy(np.load(path)), {}
        start = time.monotonic()
        logits, state = forward(self, image, **others)
        spent["seconds"] += time.monotonic() - start
        spent["applied"] += 1
        temporary = path.with_suffix(f".{os.getpid()}")
        with open(temporary, "wb") as stream:
            np.save(stream, logits.numpy())
        temporary.replace(path)
        return logits, state

    DeepMedic.forward = once  # type: ignore[method-assign]
    try:
        yield spent
    finally:
        DeepMedic.forward = forward  # type: ignore[method-assign]


def dice(one: np.ndarray, other: np.ndarray) -> float:
    """Dice of two masks; not a number where both are empty."""
    total = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / total if total else float("nan")


def compared(
    scan: str, image: Path, weights: Path, job: Path, truth: Path | None
) -> Iterator[Mapping[str, Any]]:
    """What both inferences make of a scan, class by class.

    Args:
        scan: its name.
        image: its CT.
        weights: folder of the networks.
        job: folder for what is written.
        truth: outlined oedema; None where there is none.
    """
    for name in ("images", "maps", "package"):
        (job / name).mkdir()
    shutil.copyfile(image, job / "images/case_0001_0000.nii.gz")
    numbers = sorted(int(file.stem.removeprefix("model_")) for file in weights.glob("model_*.pt"))
    networks = [weights / f"model_{number}.pt" for number in numbers]
    theirs = blastct_package.label_map(networks, weights / "config.json", image, job / "package")
    blast_ct.predict(weights, job / "images", job / "maps", "cpu", 1)
    made = sitk.ReadImage(str(job / "maps/case_0001_0000.nii.gz"))
    ours = sitk.GetArrayFromImage(made)
    ml = float(np.prod(made.GetSpacing())) / 1000
    outlined = None if truth is None else sitk.GetArrayFromImage(sitk.ReadImage(str(truth))) == OUTLINED
    for value, name in CLASSES.items():
        yield {
            "scan": scan,
            "networks": len(networks),
            "class": name,
            "package_ml": round(float((theirs == value).sum()) * ml, 3),
            "ours_ml": round(float((ours == value).sum()) * ml, 3),
            "dice": round(dice(theirs == value, ours == value), 6),
            "differing_voxels": int((theirs != ours).sum()),
            "outlined_ml": "" if outlined is None else round(float(outlined.sum()) * ml, 3),
            "dice_to_outlined": "" if outlined is None else round(dice(ours == value, outlined), 4),
        }


def main() -> None:
    """Print a line for each scan and class."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scans", nargs="+", metavar="SCAN")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--labels", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    for number, scan in enumerate(options.scans):
        image = options.images / f"{scan}.nii.gz"
        truth = options.labels / f"{scan}.nii.gz" if options.labels else None
        with remembered(options.work) as spent, tempfile.TemporaryDirectory(dir=options.work) as job:
            rows = list(compared(scan, image, options.weights, Path(job), truth))
        if not number:
            print(*rows[0], sep="\t")
        for row in rows:
            print(*row.values(), sep="\t", flush=True)
        print(f"{scan}: {spent}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
