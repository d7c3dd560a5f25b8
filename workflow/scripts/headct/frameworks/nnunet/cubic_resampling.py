"""nnU-Net's cubic resampling of a scan, in PyTorch, so that a GPU can do it.

nnU-Net calls scikit-image's ``resize``, in double precision, on one core: most of what it takes to prepare a
scan, and longer than a fast GPU needs to predict it. A cubic spline through the voxels along each axis is a
linear map, hence a matrix for each axis; values differ by rounding. A CPU has no use for it: there
nnU-Net's own function stays, bit for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from nnunetv2.preprocessing.resampling.default_resampling import determine_do_sep_z_and_axis
from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager
from scipy import ndimage
from torch import Tensor

from headct.frameworks.predictor import with_fallback

BY_SHAPE = "resample_data_or_seg_to_shape"
"""nnU-Net's default function of resampling, by its name in the plans."""

CUBIC = {"is_seg": False, "order": 3, "order_z": 0}
"""nnU-Net's default way of resampling images, the one that is done here."""


class ResampledOnGpu(ConfigurationManager):
    """A planned configuration whose images are resampled on a device, where they stay.

    Args:
        configuration: nnU-Net's, as planned.
        device: usually a GPU; where its memory does not suffice, nnU-Net resamples on the CPU.
    """

    def __init__(self, configuration: dict[str, object], device: torch.device):
        super().__init__(configuration)
        self.device = device

    def resampling_fn_data(
        self, data: np.ndarray, new_shape: Sequence[int], from_mm: Sequence[float], to_mm: Sequence[float]
    ) -> Tensor | np.ndarray:
        """``data`` (channels, z, y, x) resampled to ``new_shape`` (z, y, x).

        Args:
            data: float32.
            new_shape: of each channel of the result.
            from_mm, to_mm: spacing before and after, which decide whether each slice is resampled alone.
        """
        by_nnunet = super().resampling_fn_data
        settings = dict(self.configuration["resampling_fn_data_kwargs"])
        by_slice, axis = determine_do_sep_z_and_axis(settings.pop("force_separate_z"), from_mm, to_mm)
        name = self.configuration["resampling_fn_data"]
        if (name, settings) != (BY_SHAPE, CUBIC) or (by_slice and axis != 0):
            return by_nnunet(data, new_shape, from_mm, to_mm)

        def resampled(device: torch.device | None) -> Tensor | np.ndarray:
            if device is None:
                return by_nnunet(data, new_shape, from_mm, to_mm)
            volume = torch.from_numpy(np.ascontiguousarray(data))
            if device.type == "cuda":
                volume = volume.pin_memory().to(device, non_blocking=True)
            return cubic_resampled(volume, [int(length) for length in new_shape], bool(by_slice))

        return with_fallback(resampled, {"resampling on the GPU": self.device, "resampling on the CPU": None})


def cubic_resampled(volume: Tensor, shape: Sequence[int], by_slice: bool) -> Tensor:
    """A volume interpolated to ``shape`` by cubic splines, as nnU-Net does it; where it lies, float32.

    Voxels have an extent, edges are repeated, and no value lies outside of the range of those given.

    Args:
        volume: (channels, z, y, x), float32.
        shape: (z, y, x) of the result.
        by_slice: whether each slice is interpolated alone; along z, the nearest one is taken then.
    """
    if tuple(volume.shape[1:]) == tuple(shape):
        return volume
    sides = (2, 3) if by_slice else (1, 2, 3)
    low, high = volume.amin(sides, keepdim=True), volume.amax(sides, keepdim=True)
    depth, *in_plane = volume.shape[1:]
    along_y, along_x = (
        torch.from_numpy(spline_matrix(old, new)).to(volume.device)
        for old, new in zip(in_plane, shape[1:], strict=True)
    )
    found = along_y @ volume @ along_x.T
    if not by_slice and depth != shape[0]:
        along_z = torch.from_numpy(spline_matrix(depth, shape[0])).to(volume.device)
        found = torch.tensordot(along_z, found, dims=([1], [1])).movedim(0, 1)
    found = found.clamp(low, high)
    if by_slice and depth != shape[0]:
        places = (np.arange(shape[0]) + 0.5) * (depth / shape[0]) - 0.5
        nearest = np.floor(places + 0.5).clip(0, depth - 1).astype(np.int64)
        found = found[:, torch.from_numpy(nearest).to(volume.device)]
    return found.contiguous()


@lru_cache(maxsize=32)
def spline_matrix(old: int, new: int) -> np.ndarray:
    """The matrix, (new, old), that turns values along an axis into those of its cubic spline; float32.

    Its columns are what SciPy makes of the unit vectors, by the call that scikit-image's ``resize`` makes.
    """
    matrix = ndimage.zoom(np.eye(old), (new / old, 1), order=3, mode="nearest", grid_mode=True)
    found: np.ndarray = matrix.astype(np.float32)
    return found
