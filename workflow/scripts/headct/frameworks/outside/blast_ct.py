"""Predict with BLAST-CT's networks as their authors trained them: ``python -m headct blast-ct --help``.

Twelve networks of DeepMedic, whose probabilities are averaged at 1 mm; the most probable class of a voxel is
brought to the scan's grid by its nearest neighbour. So does the authors' own tool, whose parts are used
(``blast_ct.nifti``) and whose label maps come out voxel by voxel; it would download other weights first, and
write below /tmp. A scan whose axes run otherwise is turned into LPS order first, since the tool itself loses
a row of voxels at each flipped axis.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Literal

import numpy as np

from headct.contracts.artefacts import read_json, sha256_of
from headct.contracts.problems import BadInput, Problem
from headct.contracts.repository import RESOURCES

logger = logging.getLogger(__name__)

DIGESTS = RESOURCES / "blast_ct_v1.sha256"
"""SHA-256 and name of each of the authors' files."""

CONFIGURATION = "config.json"
"""Name of that of the files that describes network and patches."""


def digests(listed: Path = DIGESTS) -> dict[str, str]:
    """SHA-256 of each file of the authors, by its name."""
    lines = listed.read_text(encoding="utf-8").splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}


def check(weights: Path, expected: dict[str, str]) -> None:
    """Hold a folder against the digests of the authors' files.

    Raises:
        BadInput: every file that is not there or another.
    """
    problems = [
        Problem(str(weights / name), "is not there, or is not the file that BLAST-CT's authors gave away")
        for name, digest in expected.items()
        if not (weights / name).is_file() or sha256_of(weights / name) != digest
    ]
    if problems:
        raise BadInput(problems)


def main(
    *,
    weights: Path,
    images: Path,
    label_maps: Path,
    device: Literal["cpu", "cuda"] = "cpu",
    threads: int = 1,
) -> None:
    """Predict scans with BLAST-CT's networks as their authors trained them.

    Args:
        weights: folder of the authors' files.
        images: folder of NIfTI files, CT in HU.
        label_maps: folder for a label map of each: 1 intraparenchymal, 2 extra-axial, 3 oedema, 4 ventricles.
        device: what computes.
        threads: CPU threads in all.
    """
    check(weights, digests())
    predict(weights, images, label_maps, device, threads)


def predict(weights: Path, images: Path, label_maps: Path, device: str, threads: int) -> None:
    """As :func:`main`, by whatever networks lie in a folder.

    Args:
        weights: folder of networks and their configuration.
        images: folder of NIfTI files, CT in HU.
        label_maps: folder for a label map of each.
        device: ``cpu`` or ``cuda``.
        threads: CPU threads in all.
    """
    import SimpleITK as sitk
    import torch
    from blast_ct.nifti.rescale import reorient_image, rescale
    from blast_ct.nifti.savers import save_image

    from headct.frameworks.blastct.data import ORIENTATION
    from headct.frameworks.blastct.inference import orientation

    torch.set_num_threads(threads)
    configuration: dict[str, Any] = read_json(weights / CONFIGURATION)
    spacing_mm = configuration["data"]["resolution"]
    networks = read_networks(weights, configuration, device)
    for number, file in enumerate(files := sorted(images.glob("*.nii.gz")), start=1):
        ct = sitk.ReadImage(str(file))
        upright = sitk.DICOMOrient(ct, ORIENTATION)
        hu = sitk.GetArrayFromImage(rescale(spacing_mm, reorient_image(upright, is_discrete=False)))
        made = label_maps / file.name
        placed = save_image(classes(hu, networks, configuration, device), upright, str(made), spacing_mm)
        sitk.WriteImage(sitk.DICOMOrient(placed, orientation(ct)), str(made))
        logger.info("BLAST-CT predicted %d/%d", number, len(files))


def read_networks(weights: Path, configuration: dict[str, Any], device: str) -> list[Any]:
    """The networks of a folder, by their number.

    Args:
        weights: the folder.
        configuration: theirs, as it lies there.
        device: that they go to.
    """
    import torch
    from blast_ct.read_config import get_model

    networks = []
    for file in sorted(weights.glob("model_*.pt"), key=lambda file: int(file.stem.removeprefix("model_"))):
        network = get_model(configuration)
        network.load_state_dict(torch.load(file, map_location="cpu", weights_only=True))
        networks.append(network.to(device).eval())
    return networks


def classes(hu: np.ndarray, networks: list[Any], configuration: dict[str, Any], device: str) -> np.ndarray:
    """The class that the networks together find most probable, uint8, (z, y, x).

    Probabilities are added in single precision and in the order of the networks, as the authors' tool adds
    them: in double precision, voxels at which two classes are equally probable come out otherwise.

    Args:
        hu: shape (z, y, x), at the networks' spacing.
        networks: with their weights.
        configuration: of the networks.
        device: on which they are.
    """
    from headct.frameworks.blastct.inference import predict_array

    test = configuration["test"]
    fixed = {"configuration": configuration, "input_patch_size": test["input_patch_size"]}
    total = np.zeros((), np.float32)
    for network in networks:
        total = total + predict_array(hu, network, fixed, test["batch_size"], device).astype(np.float32)
    return total.argmax(axis=-1).astype(np.uint8)
