"""The slice of a scan that a figure of cases shows, and the predictions on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from headct.contracts.artefacts import read_json
from headct.contracts.problems import BadInput, Problem
from headct.imaging.face import HEAD_ABOVE_HU
from headct.metrics.predictions import Run, check_predictions, grid_problems, prediction_path, read_runs


@dataclass(frozen=True)
class Slice:
    """One axial slice as it is shown: rows from front to back, columns from the patient's right."""

    ct_hu: np.ndarray  # (y, x)
    truth: np.ndarray  # (y, x)
    predictions: dict[str, np.ndarray | None]  # by model; None: no prediction
    pixel_mm: tuple[float, float]  # (x, y)
    index: int  # from 0, at the bottom
    count: int
    position_mm: float


def runs_to_show(manifests: Sequence[Path], models: Sequence[str]) -> dict[str, Run]:
    """The predictions of each model's first seed, from manifests at ``{model}/seed-{seed}.tsv``.

    Raises:
        BadInput: a model to be shown has no manifest, or a manifest has faults.
    """
    by_model = {model: [path for path in manifests if path.parent.name == model] for model in models}
    missing = [model for model, own in by_model.items() if not own]
    if missing:
        message = "no predictions manifest of a model that the figure shows"
        raise BadInput([Problem("--predictions", message, value=model) for model in missing])
    return {model: min(read_runs(own), key=lambda run: run.seed or 0) for model, own in by_model.items()}


def shown_slice(masks: Sequence[np.ndarray]) -> int:
    """Index of the slice with the most lesion, all classes together, in the first mask that has any.

    Masks are (z, y, x); the first is the truth. The middle slice if all are empty.
    """
    for mask in masks:
        area = np.count_nonzero(mask, axis=(1, 2))
        if area.any():
            return int(area.argmax())
    return len(masks[0]) // 2


@dataclass(frozen=True)
class LabelledScan:
    """A whole scan with its label maps, all on its grid; of a model without a prediction, None."""

    ct: sitk.Image
    truth: sitk.Image
    predictions: dict[str, sitk.Image | None]


def load_scan(folder: Path, runs: Mapping[str, Run]) -> LabelledScan:
    """Read one scan's folder and its predictions, by model.

    Raises:
        BadInput: a prediction is gone, has changed, or is not on the grid of its scan.
    """
    scan = folder.name
    check_predictions(list(runs.values()), [scan])
    ct = sitk.ReadImage(str(folder / "ct.nii.gz"))
    truth = sitk.ReadImage(str(folder / "labels.nii.gz"))
    images: dict[str, sitk.Image | None] = {}
    for model, run in runs.items():
        path = prediction_path(run, scan)
        if path is None:
            images[model] = None
            continue
        predicted = sitk.ReadImage(str(path))
        if problems := grid_problems(predicted, truth, path):
            raise BadInput(problems)
        images[model] = predicted
    return LabelledScan(ct, truth, images)


def load_slice(folder: Path, runs: Mapping[str, Run]) -> Slice:
    """As :func:`load_scan`, of which it cuts out the slice to show."""
    scan = load_scan(folder, runs)
    masks = [scan.truth, *(image for image in scan.predictions.values() if image is not None)]
    index = shown_slice([sitk.GetArrayViewFromImage(mask) for mask in masks])

    def cut(image: sitk.Image) -> sitk.Image:
        return sitk.DICOMOrient(image[:, :, index : index + 1], "LPS")

    def pixels(image: sitk.Image) -> np.ndarray:
        return sitk.GetArrayFromImage(cut(image))[0]

    geometry = read_json(folder / "scan.json")["geometry"]
    return Slice(
        ct_hu=pixels(scan.ct),
        truth=pixels(scan.truth),
        predictions={m: None if image is None else pixels(image) for m, image in scan.predictions.items()},
        pixel_mm=cut(scan.ct).GetSpacing()[:2],
        index=index,
        count=scan.ct.GetSize()[2],
        position_mm=float(geometry["slice_positions_mm"][index]),
    )


def head_box_mm(ct_hu: np.ndarray, pixel_mm: tuple[float, float]) -> tuple[float, float, float, float]:
    """Left, right, top and bottom edge of the head in mm from the image's corner.

    The head is the largest connected region above ``HEAD_ABOVE_HU``; tables and holders are not it.
    """
    regions, n_regions = ndimage.label(ct_hu > HEAD_ABOVE_HU)
    if n_regions == 0:
        rows, columns = slice(0, ct_hu.shape[0]), slice(0, ct_hu.shape[1])
    else:
        sizes = np.bincount(regions.ravel())[1:]
        rows, columns = ndimage.find_objects(regions)[int(sizes.argmax())]
    dx, dy = pixel_mm
    return columns.start * dx, columns.stop * dx, rows.start * dy, rows.stop * dy
