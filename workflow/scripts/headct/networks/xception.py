"""3-D modified aligned Xception, the encoder of DeepLabv3+.

Chollet 2017 (arXiv:1610.02357) gives the entry, middle and exit flow of depthwise separable
convolutions; Chen 2018 (arXiv:1802.02611, section 4.2 and figure 4) makes it deeper, replaces
max pooling by strided separable convolutions and dilates the exit flow ("modified aligned").

The layers are those of the network whose results Kok 2022 printed
(tests/fixtures/deeplabv3plus_layers.tsv): every convolution is MONAI's ``Convolution``, which adds
an instance norm and a PReLU unless told otherwise, so depthwise layers and the last separable
convolution of a strided block carry these instead of batch norm.
"""

from __future__ import annotations

from itertools import pairwise

from monai.networks.blocks.convolutions import Convolution
from torch import Tensor, nn
from torch.nn import functional

BATCH_NORM = "BATCH"
INSTANCE_NORM = "INSTANCE"

# Channels of the published network (Chen 2018, figure 4), before the width multiplier.
STEM_CHANNELS = (32, 64)
ENTRY_CHANNELS = (128, 256, 728)
MIDDLE_CHANNELS = 728
EXIT_CHANNELS = (1024, 1536, 1536, 2048)
EXIT_DILATIONS = (1, 2)


def scaled(channels: int, width: float) -> int:
    """Channels of a layer after the width multiplier; at least one."""
    return max(1, round(channels * width))


def convolution(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    padding: int | None = None,
    norm: str = BATCH_NORM,
    bias: bool = False,
) -> Convolution:
    """3-D convolution, norm, PReLU; ``padding=None`` keeps the size at stride 1."""
    return Convolution(
        spatial_dims=3,
        in_channels=in_channels,
        out_channels=out_channels,
        kernel_size=kernel_size,
        strides=stride,
        dilation=dilation,
        groups=groups,
        padding=padding,
        norm=norm,
        bias=bias,
    )


def pad_same(volume: Tensor, kernel_size: int, dilation: int) -> Tensor:
    """Zeros around (N, C, z, y, x) so that an unpadded convolution of the effective kernel
    ``dilation * (kernel_size - 1) + 1`` keeps the size at stride 1."""
    total = dilation * (kernel_size - 1)
    before = total // 2
    return functional.pad(volume, (before, total - before) * volume[0, 0].dim())


class SeparableConvolution(nn.Module):
    """Depthwise 3x3x3 convolution, then pointwise 1x1x1 (Chollet 2017, section 2)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        dilation: int = 1,
        pointwise_norm: str = BATCH_NORM,
    ) -> None:
        super().__init__()
        self.kernel_size = 3
        self.dilation = dilation
        self.conv1 = convolution(
            in_channels,
            in_channels,
            self.kernel_size,
            stride=stride,
            dilation=dilation,
            groups=in_channels,
            padding=0,
            norm=INSTANCE_NORM,
        )
        self.pointwise = convolution(in_channels, out_channels, 1, norm=pointwise_norm)

    def forward(self, volume: Tensor) -> Tensor:
        return self.pointwise(self.conv1(pad_same(volume, self.kernel_size, self.dilation)))


class Block(nn.Module):
    """Residual block of separable convolutions, each preceded by a ReLU.

    Args:
        channels: input channels, then the output channels of each separable convolution.
        stride: of the closing separable convolution, which has no ReLU before it.
        closing: append the closing one also at stride 1 (last block of the exit flow).
        start_with_relu: False where the input has just been rectified.

    The skip is the identity, or a strided 1x1x1 convolution where the shape changes.
    """

    def __init__(
        self,
        channels: tuple[int, ...],
        stride: int = 1,
        closing: bool = False,
        start_with_relu: bool = True,
    ) -> None:
        super().__init__()
        first, last = channels[0], channels[-1]
        self.skip: nn.Module | None = None
        if first != last or stride != 1:
            self.skip = convolution(first, last, 1, stride=stride)
        self.relu = nn.ReLU()
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            layers += [self.relu, SeparableConvolution(before, after)]
        if not start_with_relu:
            layers = layers[1:]
        if stride != 1 or closing:
            layers.append(SeparableConvolution(last, last, stride=stride, pointwise_norm=INSTANCE_NORM))
        self.rep = nn.Sequential(*layers)

    def forward(self, volume: Tensor) -> Tensor:
        shortcut = volume if self.skip is None else self.skip(volume)
        return self.rep(volume) + shortcut


class Xception(nn.Module):
    """Modified aligned Xception with output stride 16.

    ``forward`` takes (N, in_channels, z, y, x) and returns the features of the exit flow
    (N, 2048 * width, z/16, y/16, x/16) and those of block 1 (N, 128 * width, z/4, y/4, x/4),
    sizes rounded up.
    """

    def __init__(self, in_channels: int, width: float = 1.0, middle_blocks: int = 16) -> None:
        super().__init__()
        stem = [scaled(channels, width) for channels in STEM_CHANNELS]
        entry = [scaled(channels, width) for channels in ENTRY_CHANNELS]
        middle = scaled(MIDDLE_CHANNELS, width)
        leaving = [scaled(channels, width) for channels in EXIT_CHANNELS]
        self.low_level_channels = entry[0]
        self.out_channels = leaving[-1]

        self.conv1 = convolution(in_channels, stem[0], 3, stride=2)
        self.relu = nn.ReLU()
        self.conv2 = convolution(stem[0], stem[1], 3)
        self.block1 = Block((stem[1], entry[0], entry[0]), stride=2, start_with_relu=False)
        self.block2 = Block((entry[0], entry[1], entry[1]), stride=2)
        self.block3 = Block((entry[1], entry[2], entry[2]), stride=2)
        self.middle_names = [f"block{number}" for number in range(4, 4 + middle_blocks)]
        for name in self.middle_names:
            self.add_module(name, Block((middle,) * 4))
        self.exit_name = f"block{4 + middle_blocks}"
        self.add_module(self.exit_name, Block((middle, middle, leaving[0]), closing=True))
        dilation = EXIT_DILATIONS[1]
        self.conv3 = SeparableConvolution(leaving[0], leaving[1], dilation=dilation)
        self.conv4 = SeparableConvolution(leaving[1], leaving[2], dilation=dilation)
        self.conv5 = SeparableConvolution(leaving[2], leaving[3], dilation=dilation)

    def forward(self, volume: Tensor) -> tuple[Tensor, Tensor]:
        features = self.relu(self.conv1(volume))
        features = self.relu(self.conv2(features))
        low_level = self.relu(self.block1(features))
        features = self.block3(self.block2(low_level))
        for name in [*self.middle_names, self.exit_name]:
            features = self.get_submodule(name)(features)
        features = self.relu(features)
        for separable in (self.conv3, self.conv4, self.conv5):
            features = self.relu(separable(features))
        return features, low_level
