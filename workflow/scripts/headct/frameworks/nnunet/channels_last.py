"""nnU-Net's networks on a CPU: the same layers, without copies between memory layouts.

Convolutions are fastest channels last (PyTorch 2.14, oneDNN, AVX2: up to 1.7 times). But PyTorch's
instance norm works channels first, so that data are copied before and after each, and 3-D convolutions of
few voxels or of one channel fall back to a slow path and lose the layout. Values differ by rounding.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, channels_last, channels_last_3d, nn

CHUNK_VALUES = 2**17
"""Values that are normalised together: half a megabyte, which stays in a core's cache."""


class _Convolution:
    """Convolution by oneDNN in any case, channels last."""

    def forward(self: Any, x: Tensor) -> Tensor:
        return torch.mkldnn_convolution(
            in_layout(x), self.weight, self.bias, self.padding, self.stride, self.dilation, self.groups
        )


class _InstanceNorm:
    """Instance norm of a batch of one, in place, with the variance about the mean as in two passes."""

    def forward(self: Any, x: Tensor) -> Tensor:
        x = in_layout(x)
        voxels = x.movedim(1, -1).flatten(0, -2)  # a view, (voxels, channels), since there is one sample
        chunks = voxels.split(max(1, CHUNK_VALUES // voxels.shape[1]))
        mean = voxels.mean(dim=0)
        variance = torch.zeros_like(mean)
        for chunk in chunks:
            variance += chunk.sub_(mean).square().sum(dim=0) / len(voxels)
        scale = self.weight * (variance + self.eps).rsqrt()
        for chunk in chunks:
            torch.addcmul(self.bias, chunk, scale, out=chunk)
        return x


class Convolution2d(_Convolution, nn.Conv2d):
    """For slices."""


class Convolution3d(_Convolution, nn.Conv3d):
    """For volumes."""


class InstanceNorm2d(_InstanceNorm, nn.InstanceNorm2d):
    """For slices."""


class InstanceNorm3d(_InstanceNorm, nn.InstanceNorm3d):
    """For volumes."""


FASTER: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv2d: Convolution2d,
    nn.Conv3d: Convolution3d,
    nn.InstanceNorm2d: InstanceNorm2d,
    nn.InstanceNorm3d: InstanceNorm3d,
}


def in_layout(x: Tensor) -> Tensor:
    """Features (1, channels, …) channels last, copied only where they are not."""
    return x.contiguous(memory_format=channels_last if x.ndim == 4 else channels_last_3d)


def for_single_tiles(network: nn.Module) -> nn.Module:
    """Make the network, in place, fast on a CPU for inference on batches of one, as nnU-Net predicts."""
    if not torch.backends.mkldnn.is_available():
        return network
    for module in network.modules():
        module.__class__ = FASTER.get(type(module), type(module))
    flat = any(isinstance(module, nn.Conv2d) for module in network.modules())
    return network.to(memory_format=channels_last if flat else channels_last_3d)
