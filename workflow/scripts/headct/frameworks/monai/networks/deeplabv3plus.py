"""3-D DeepLabv3+: encoder-decoder with atrous spatial pyramid pooling, in two variants.

Chen 2018, "Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation"
(arXiv:1802.02611), in three dimensions, on the Xception of ``headct.frameworks.monai.networks.xception``.
Output stride 16, pyramid dilations 1, 6, 12, 18 with 256 channels each (section 3.1), 48 low-level
channels (section 4.1). For 1 input and 4 output channels, ``published`` has 86,332,786 parameters and
``clean`` 86,425,300.

``published`` wraps also its last convolution with MONAI's default instance norm and PReLU. Before the
PReLU, the logits of a patch have zero mean and unit variance in every class, whatever the patch
shows; this is what Kok 2022 measured.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from headct.frameworks.monai.networks.xception import VARIANTS, Follows, Xception, convolution, scaled

PYRAMID_CHANNELS = 256
PYRAMID_DILATIONS = (1, 6, 12, 18)
LOW_LEVEL_CHANNELS = 48
OUTPUT_STRIDE = 16


def upsample(volume: Tensor, size: torch.Size) -> Tensor:
    """Trilinear interpolation of (N, C, z, y, x) to the spatial ``size``, corners aligned."""
    return functional.interpolate(volume, size=size, mode="trilinear", align_corners=True)


class AtrousBranch(nn.Module):
    """One branch of the pyramid: (atrous) convolution and what follows it, then ReLU."""

    def __init__(self, follows: Follows, in_channels: int, out_channels: int, dilation: int) -> None:
        super().__init__()
        kernel_size = 1 if dilation == 1 else 3
        self.atrous_convolution = convolution(
            follows, in_channels, out_channels, kernel_size, dilation=dilation
        )
        self.relu = nn.ReLU()

    def forward(self, volume: Tensor) -> Tensor:
        return self.relu(self.atrous_convolution(volume))


class DeepLabV3Plus(nn.Module):
    """Maps (N, in_channels, z, y, x) to logits (N, out_channels, z, y, x).

    Args:
        width: multiplier of all hidden channels (1: as in the papers).
        middle_blocks: blocks of the middle flow (16: as in the papers).
        variant: key of ``headct.frameworks.monai.networks.xception.VARIANTS``: what follows each convolution.

    In training the batch must hold at least two patches (batch norm of the pooled branch), and, for
    ``published``, the map behind the encoder more than one voxel (instance norm); torch raises
    ValueError otherwise. ``headct.frameworks.monai.networks.problems`` says so beforehand.

    Raises:
        KeyError: no such variant.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 4,
        width: float = 1.0,
        middle_blocks: int = 16,
        variant: str = "published",
    ) -> None:
        super().__init__()
        after = VARIANTS[variant]
        pyramid = scaled(PYRAMID_CHANNELS, width)
        low_level = scaled(LOW_LEVEL_CHANNELS, width)
        self.xception_features = Xception(after, in_channels, width, middle_blocks)
        features = self.xception_features.out_channels
        self.aspp1, self.aspp2, self.aspp3, self.aspp4 = (
            AtrousBranch(after.dense, features, pyramid, dilation) for dilation in PYRAMID_DILATIONS
        )
        self.relu = nn.ReLU()
        self.global_avg_pool = nn.Sequential(
            nn.AdaptiveAvgPool3d(1), convolution(after.dense, features, pyramid, 1), nn.ReLU()
        )
        branches = len(PYRAMID_DILATIONS) + 1
        self.conv1 = convolution(after.dense, branches * pyramid, pyramid, 1)
        self.conv2 = convolution(after.dense, self.xception_features.low_level_channels, low_level, 1)
        self.last_conv = nn.Sequential(
            convolution(after.dense, pyramid + low_level, pyramid, 3),
            nn.ReLU(),
            convolution(after.dense, pyramid, pyramid, 3),
            nn.ReLU(),
            convolution(after.logits, pyramid, out_channels, 1, bias=True),
        )

    def forward(self, volume: Tensor) -> Tensor:
        features, low_level = self.xception_features(volume)
        pooled = self.global_avg_pool(features)
        branches = [branch(features) for branch in (self.aspp1, self.aspp2, self.aspp3, self.aspp4)]
        branches.append(upsample(pooled, features.shape[2:]))
        encoded = self.relu(self.conv1(torch.cat(branches, dim=1)))
        encoded = upsample(encoded, low_level.shape[2:])
        low_level = self.relu(self.conv2(low_level))
        logits = self.last_conv(torch.cat((encoded, low_level), dim=1))
        return upsample(logits, volume.shape[2:])
