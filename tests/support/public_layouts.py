"""Data sets laid out as public ones are, made of small simulated heads in NIfTI."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

SHAPE = (40, 40, 24)
AFFINE = np.diag([-5.0, -5.0, 6.0, 1.0])


def head(seed: int) -> NDArray[np.int16]:
    """An oval head in air, in HU: skull, brain that differs from seed to seed, axes (x, y, z)."""
    x, y, _ = np.indices(SHAPE)
    radius = np.hypot((x - 19.5) / 17, (y - 19.5) / 18)
    image = np.where(radius < 1, 900, -1000)
    noise = np.random.default_rng(seed).integers(25, 45, SHAPE)
    return np.where(radius < 0.85, noise, image).astype(np.int16)


def write_scan(image: Path, mask: Path | None, seed: int, values: Sequence[int] = (1,)) -> None:
    """A head and, unless there is none, its mask: a block of each value, beside one another along x."""
    labels = np.zeros(SHAPE, np.uint8)
    for place, value in enumerate(values):
        labels[block(2 + place, seed)] = value
    hounsfield = head(seed)
    hounsfield[labels > 0] = 65
    save(hounsfield, image)
    if mask is not None:
        save(labels, mask)


def block(place: int, seed: int) -> tuple[slice, slice, slice]:
    """Where a lesion is drawn: at a place along x, and at a height that differs from seed to seed."""
    x, z = 2 + 3 * place, 8 + seed % 8
    return slice(x, x + 3), slice(15, 23), slice(z, z + 6)


def save(array: NDArray[Any], path: Path) -> None:
    """As NIfTI on the grid of all heads here."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array, AFFINE), path)


def phe_sich(root: Path, images: str, masks: str, value: int, scans: int = 6) -> Path:
    """PHE-SICH-CT-IDS in folders of these names; one value in all masks."""
    for number in range(1, scans + 1):
        name = f"{number:04d}.nii.gz"
        write_scan(root / images / name, root / masks / name, number, [value])
    return root


def nnunet(root: Path, cases: Sequence[str], described: dict[str, Any], values: Sequence[int] = (1,)) -> Path:
    """A data set of nnU-Net with these cases, and this content of dataset.json."""
    for seed, case in enumerate(cases):
        write_scan(root / f"imagesTr/{case}_0000.nii.gz", root / f"labelsTr/{case}.nii.gz", seed, values)
    (root / "dataset.json").write_text(json.dumps(described), encoding="utf-8")
    return root


def bids(
    root: Path,
    images: Sequence[str],
    masks: dict[str, Sequence[int]] | None = None,
    described: dict[str, Any] | None = None,
) -> Path:
    """A data set in BIDS.

    Args:
        root: its folder.
        images: names of CT without suffix, such as sub-01_ses-1.
        masks: by path below ``derivatives``, the blocks that are drawn, by their place along x, each with the
            value 1 in a mask of one lesion and else with its own.
        described: content of the description.
    """
    for seed, name in enumerate(images):
        write_scan(folder_in_bids(root, name) / f"{name}_ct.nii.gz", None, seed)
    for path, blocks in (masks or {}).items():
        seed = next((seed for seed, name in enumerate(images) if Path(path).name.startswith(name)), 0)
        labels = np.zeros(SHAPE, np.uint8)
        for value in blocks:
            labels[block(1 + value, seed)] = value if "dseg" in path else 1
        save(labels, root / "derivatives" / path)
    (root / "dataset_description.json").write_text(
        json.dumps({"Name": "Heads", "BIDSVersion": "1.10.0", "License": "CC0"} | (described or {})),
        encoding="utf-8",
    )
    return root


def folder_in_bids(root: Path, name: str) -> Path:
    """Where an image lies."""
    parts = [part for part in name.split("_") if part.startswith(("sub-", "ses-"))]
    return root.joinpath(*parts, "ct")
