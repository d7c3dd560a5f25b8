"""3-D modified aligned Xception, the encoder of DeepLabv3+.

Chollet 2017 (arXiv:1610.02357) gives the entry, middle and exit flow of depthwise separable
convolutions; Chen 2018 (arXiv:1802.02611, section 3.2 and figure 4) makes it deeper, replaces
max pooling by strided separable convolutions, dilates the exit flow ("modified aligned"), and adds
batch norm and ReLU after each depthwise convolution.

Convolutions, sizes, strides, dilations and skip connections are one; what follows each
convolution is looked up in ``VARIANTS``.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from monai.networks.blocks.convolutions import Convolution
from torch import Tensor, nn
from torch.nn import functional

# Channels of the published network (Chen 2018, figure 4), before the width multiplier.
STEM_CHANNELS = (32, 64)
ENTRY_CHANNELS = (128, 256, 728)
MIDDLE_CHANNELS = 728
EXIT_CHANNELS = (1024, 1536, 1536, 2048)
EXIT_DILATIONS = (1, 2)


@dataclass(frozen=True)
class Follows:
    """What follows a convolution: MONAI's names of a norm and an activation, or None."""

    norm: str | None
    activation: str | None


@dataclass(frozen=True)
class Variant:
    """What follows the convolutions of each kind.

    Attributes:
        dense: those over all channels, pointwise ones included, unless named below.
        depthwise: the depthwise half of a separable convolution.
        closing: the pointwise half of the separable convolution that ends a block (no ReLU, but
            the block's sum, comes next).
        logits: the last convolution; the only one with a bias.
        rectified_inputs: whether the ReLU that a block begins with works on its input itself, so that
            the shortcut, and whoever else takes that input, starts from the rectified one, too.
    """

    dense: Follows
    depthwise: Follows
    closing: Follows
    logits: Follows
    rectified_inputs: bool


VARIANTS = {
    "published": Variant(
        dense=Follows("batch", "prelu"),
        depthwise=Follows("instance", "prelu"),
        closing=Follows("instance", "prelu"),
        logits=Follows("instance", "prelu"),
        rectified_inputs=True,
    ),
    "clean": Variant(
        dense=Follows("batch", None),
        depthwise=Follows("batch", "relu"),
        closing=Follows("batch", None),
        logits=Follows(None, None),
        rectified_inputs=False,
    ),
}
"""``published``: the network whose results Kok 2022 printed, by its logits
(tests/fixtures/deeplabv3plus_forward.tsv) and its layers (deeplabv3plus_layers.tsv beside it). It left
MONAI's ``Convolution`` its defaults, an instance norm and a PReLU, wherever it did not ask for batch norm,
and the PReLU everywhere; its own ReLUs come on top, and work in place. ``clean``: norm and activation
where Chen 2018 and Chollet 2017 have them.
"""


def scaled(channels: int, width: float) -> int:
    """Channels of a layer after the width multiplier; at least one."""
    return max(1, round(channels * width))


def convolution(
    follows: Follows,
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
    padding: int | None = None,
    bias: bool = False,
) -> Convolution:
    """3-D convolution with its norm and activation; ``padding=None`` keeps the size at stride 1.

    Args:
        follows: what stands behind the convolution.
        in_channels, out_channels: numbers of feature maps.
        kernel_size, stride, dilation, groups: as of PyTorch's ``Conv3d``.
        padding: voxels on each side; None keeps the size at stride 1.
        bias: whether the convolution has one.
    """
    return Convolution(
        spatial_dims=3,
        in_channels=in_channels,
        out_channels=out_channels,
        kernel_size=kernel_size,
        strides=stride,
        dilation=dilation,
        groups=groups,
        padding=padding,
        norm=follows.norm,
        act=follows.activation,
        bias=bias,
    )


def pad_same(volume: Tensor, kernel_size: int, dilation: int) -> Tensor:
    """Zeros around (N, C, z, y, x) so that an unpadded convolution keeps the size at stride 1.

    Its effective kernel is ``dilation * (kernel_size - 1) + 1`` wide.
    """
    total = dilation * (kernel_size - 1)
    before = total // 2
    return functional.pad(volume, (before, total - before) * volume[0, 0].dim())


class SeparableConvolution(nn.Module):
    """Depthwise 3x3x3 convolution, then pointwise 1x1x1 (Chollet 2017, section 2).

    ``closing`` tells that it is the last of a block and not followed by a ReLU.
    """

    def __init__(
        self,
        variant: Variant,
        in_channels: int,
        out_channels: int,
        stride: int = 1,
        dilation: int = 1,
        closing: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = 3
        self.dilation = dilation
        self.conv1 = convolution(
            variant.depthwise,
            in_channels,
            in_channels,
            self.kernel_size,
            stride=stride,
            dilation=dilation,
            groups=in_channels,
            padding=0,
        )
        after = variant.closing if closing else variant.dense
        self.pointwise = convolution(after, in_channels, out_channels, 1)

    def forward(self, volume: Tensor) -> Tensor:
        return self.pointwise(self.conv1(pad_same(volume, self.kernel_size, self.dilation)))


class Block(nn.Module):
    """Residual block of separable convolutions, each preceded by a ReLU.

    Args:
        variant: what follows the convolutions.
        channels: input channels, then the output channels of each separable convolution.
        stride: of the closing separable convolution, which has no ReLU before it.
        closing: append the closing one also at stride 1 (last block of the exit flow).
        start_with_relu: False where the input has just been rectified.

    The shortcut is the identity, or a strided 1x1x1 convolution where the shape changes.
    """

    def __init__(
        self,
        variant: Variant,
        channels: tuple[int, ...],
        stride: int = 1,
        closing: bool = False,
        start_with_relu: bool = True,
    ) -> None:
        super().__init__()
        first, last = channels[0], channels[-1]
        self.skip: nn.Module | None = None
        if first != last or stride != 1:
            self.skip = convolution(variant.dense, first, last, 1, stride=stride)
        self.relu = nn.ReLU()
        self.rectified_input = variant.rectified_inputs
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            layers += [self.relu, SeparableConvolution(variant, before, after)]
        if not start_with_relu:
            layers = layers[1:]
        if stride != 1 or closing:
            layers.append(SeparableConvolution(variant, last, last, stride=stride, closing=True))
        self.rep = nn.Sequential(*layers)

    def forward(self, volume: Tensor) -> Tensor:
        if self.rectified_input:
            volume = self.relu(volume)
        shortcut = volume if self.skip is None else self.skip(volume)
        return self.rep(volume) + shortcut


class Xception(nn.Module):
    """Modified aligned Xception with output stride 16.

    ``forward`` takes (N, in_channels, z, y, x) and returns the features of the exit flow
    (N, 2048 * width, z/16, y/16, x/16) and those of block 1 (N, 128 * width, z/4, y/4, x/4),
    sizes rounded up.
    """

    def __init__(
        self, variant: Variant, in_channels: int, width: float = 1.0, middle_blocks: int = 16
    ) -> None:
        super().__init__()
        stem = [scaled(channels, width) for channels in STEM_CHANNELS]
        entry = [scaled(channels, width) for channels in ENTRY_CHANNELS]
        middle = scaled(MIDDLE_CHANNELS, width)
        leaving = [scaled(channels, width) for channels in EXIT_CHANNELS]
        self.low_level_channels = entry[0]
        self.out_channels = leaving[-1]

        self.conv1 = convolution(variant.dense, in_channels, stem[0], 3, stride=2)
        self.relu = nn.ReLU()
        self.conv2 = convolution(variant.dense, stem[0], stem[1], 3)
        self.block1 = Block(variant, (stem[1], entry[0], entry[0]), stride=2, start_with_relu=False)
        self.block2 = Block(variant, (entry[0], entry[1], entry[1]), stride=2)
        self.block3 = Block(variant, (entry[1], entry[2], entry[2]), stride=2)
        self.middle_names = [f"block{number}" for number in range(4, 4 + middle_blocks)]
        for name in self.middle_names:
            self.add_module(name, Block(variant, (middle,) * 4))
        self.exit_name = f"block{4 + middle_blocks}"
        self.add_module(self.exit_name, Block(variant, (middle, middle, leaving[0]), closing=True))
        dilation = EXIT_DILATIONS[1]
        self.conv3 = SeparableConvolution(variant, leaving[0], leaving[1], dilation=dilation)
        self.conv4 = SeparableConvolution(variant, leaving[1], leaving[2], dilation=dilation)
        self.conv5 = SeparableConvolution(variant, leaving[2], leaving[3], dilation=dilation)
        self.rectified_low_level = variant.rectified_inputs  # the sum of block 1 is the input of block 2

    def forward(self, volume: Tensor) -> tuple[Tensor, Tensor]:
        features = self.relu(self.conv1(volume))
        features = self.relu(self.conv2(features))
        low_level = self.block1(features)
        if self.rectified_low_level:
            low_level = self.relu(low_level)
        features = self.block3(self.block2(low_level))
        for name in [*self.middle_names, self.exit_name]:
            features = self.get_submodule(name)(features)
        for separable in (self.conv3, self.conv4, self.conv5):
            features = self.relu(separable(features))
        return features, low_level
