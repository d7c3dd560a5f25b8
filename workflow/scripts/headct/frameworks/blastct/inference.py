"""Predicts with a trained DeepMedic of BLAST-CT, patch by patch, in memory.

The patches are cut, and put together again, by the parts of the package ``blast_ct``; its own program
would write into fixed paths below /tmp, and download models first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from blast_ct.nifti.datasets import FullImageToOverlappingPatchesNiftiDataset
from blast_ct.nifti.patch_samplers import PatchSampler
from blast_ct.nifti.savers import reconstruct_image
from blast_ct.read_config import get_model, get_transformation

from headct.contracts.labels import LabelSet
from headct.frameworks.blastct.data import ORIENTATION, canonical, resample
from headct.frameworks.blastct.settings import BlastctInference
from headct.frameworks.predictor import Predictor, on_gpu_first, with_fallback


def load(folder: Path, device: str, settings: BlastctInference, labels: LabelSet) -> BlastctPredictor:
    """The predictor of the trained model in ``folder``, with the config's settings for inference.

    Args:
        folder: of the trained model.
        device: on which it predicts.
        settings: all by which it predicts.
        labels: the label set that its network knows.
    """
    trained = torch.load(folder / "final.pth", map_location="cpu", weights_only=True)
    return BlastctPredictor(trained["weights"], trained["fixed"], settings, device)


class BlastctPredictor(Predictor):
    """DeepMedic with its preprocessing.

    Args:
        weights: of the network.
        fixed: configuration and input_patch_size.
        settings: of inference.
        device: ``cpu`` or ``cuda``.
    """

    def __init__(
        self, weights: dict[str, torch.Tensor], fixed: dict[str, Any], settings: BlastctInference, device: str
    ):
        self.fixed, self.settings = fixed, settings
        self.model = get_model(self.fixed["configuration"])
        self.model.load_state_dict(weights)
        self.model.to(device).eval()
        self.spacing_mm = self.fixed["configuration"]["data"]["resolution"]
        self.preparation = repr(self.spacing_mm)
        self.device = device

    def prepare(self, ct: sitk.Image) -> tuple[np.ndarray, sitk.Image]:
        """HU (z, y, x) at the network's spacing, and the CT, whose grid is that of the result."""
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(torch.get_num_threads())
        image = resample(sitk.Cast(ct, sitk.sitkInt16), self.spacing_mm, is_discrete=False)
        return sitk.GetArrayFromImage(image), ct

    def infer(self, prepared: tuple[np.ndarray, sitk.Image]) -> np.ndarray:
        """Probabilities on the network's grid, (z, y, x, 4)."""
        return with_fallback(
            lambda size: predict_array(prepared[0], self.model, self.fixed, size, self.device),
            {"batches of patches": self.settings.inference_batch_size, "one patch at a time": 1},
        )

    def restore(self, prepared: tuple[np.ndarray, sitk.Image], inferred: np.ndarray) -> torch.Tensor:
        """Probabilities on the grid of the CT, by SimpleITK on the CPU, unless a GPU can do it."""

        def restored(device: torch.device) -> torch.Tensor:
            if device.type == "cpu":
                return torch.from_numpy(to_native_grid(inferred, self.spacing_mm, prepared[1]))
            return interpolated(inferred, self.spacing_mm, prepared[1], device)

        is_upright = orientation(prepared[1]) == ORIENTATION
        return on_gpu_first(restored, "resampling on", torch.device(self.device if is_upright else "cpu"))


def predict_array(
    hu: np.ndarray, model: Any, fixed: dict[str, Any], batch_size: int, device: str
) -> np.ndarray:
    """Class probabilities (z, y, x, class) of an image in HU (z, y, x) at the network's spacing.

    Args:
        hu: shape (z, y, x), at the network's spacing.
        model: blast_ct's own, with its weights.
        fixed: configuration and input_patch_size.
        batch_size: patches predicted at a time.
        device: on which the network runs.
    """
    image = hu.astype(np.float32)[np.newaxis]
    mask = np.ones(hu.shape, dtype=bool)
    for transformation in get_transformation(fixed["configuration"]["data"]["transformation"]):
        image, _, mask = transformation(image, None, mask)
    input_size = tuple(fixed["input_patch_size"])
    output_size = model.get_output_size(input_size)
    sampler = PatchSampler(input_size, output_size)
    centres = FullImageToOverlappingPatchesNiftiDataset.get_center_points(hu.shape, output_size)
    patches: list[np.ndarray] = []
    for first in range(0, len(centres), batch_size):
        group = centres[first : first + batch_size]
        stacked = np.stack([sampler.get_image_patch(image, centre) for centre in group])
        with torch.inference_mode():
            logits, _ = model(torch.from_numpy(stacked).to(device))
            patches.extend(logits.softmax(dim=1).cpu().numpy())
    return reconstruct_image(patches, hu.shape, centres, output_size)


def to_native_grid(probabilities: np.ndarray, spacing_mm: list[float], native: sitk.Image) -> np.ndarray:
    """Interpolate probabilities (z, y, x, class) linearly on the grid of ``native``.

    Returns:
        float32, shape (class, z, y, x). Voxels beyond the last sample take the nearest one's values.
    """
    image = sitk.GetImageFromArray(probabilities.astype(np.float32), isVector=True)
    image.SetSpacing(spacing_mm)
    filter_ = sitk.ResampleImageFilter()
    filter_.SetReferenceImage(canonical(native))
    filter_.SetInterpolator(sitk.sitkLinear)
    filter_.SetOutputPixelType(sitk.sitkVectorFloat32)
    filter_.UseNearestNeighborExtrapolatorOn()
    resampled = filter_.Execute(image)
    oriented = sitk.DICOMOrient(native, ORIENTATION)
    resampled.CopyInformation(oriented)
    array = sitk.GetArrayFromImage(sitk.DICOMOrient(resampled, orientation(native)))
    return np.ascontiguousarray(np.moveaxis(array, -1, 0))


def orientation(image: sitk.Image) -> str:
    """The directions of its axes x, y, z, in three letters."""
    code: str = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(image.GetDirection())
    return code


def interpolated(
    probabilities: np.ndarray, spacing_mm: list[float], native: sitk.Image, device: torch.device | str
) -> torch.Tensor:
    """The same in PyTorch, one axis after the other, for a CT whose axes are in LPS order.

    The CT was resampled to that spacing, so that no voxel lies further outside of the samples than half the
    gap between two.

    Args:
        probabilities: (z, y, x, class), at the network's spacing.
        spacing_mm: that spacing, x, y, z.
        native: the CT.
        device: on which it is done, and the result lies.

    Returns:
        float32, shape (class, z, y, x).
    """
    volume = torch.from_numpy(probabilities.astype(np.float32)).to(device).movedim(-1, 0)
    axes = zip((1, 2, 3), native.GetSize()[::-1], native.GetSpacing()[::-1], spacing_mm[::-1], strict=True)
    for axis, length, to_mm, from_mm in axes:
        last = volume.shape[axis] - 1
        places = (torch.arange(length, dtype=torch.float64) * (to_mm / from_mm)).clamp(max=last)
        below = places.long()
        share = (places - below).float().to(device).reshape([-1 if each == axis else 1 for each in range(4)])
        low = volume.index_select(axis, below.to(device))
        high = volume.index_select(axis, (below + 1).clamp(max=last).to(device))
        volume = torch.lerp(low, high, share)
    return volume.contiguous()
