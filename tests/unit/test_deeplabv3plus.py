"""The published DeepLabv3+, layer for layer, and its behaviour at small sizes."""

import csv
from pathlib import Path

import pytest
import torch
from monai.networks.nets.basic_unet import BasicUNet
from torch import nn

from headct.networks.deeplabv3plus import DeepLabV3Plus
from headct.networks.xception import Block, SeparableConvolution, Xception, pad_same

TABLE = Path(__file__).parents[1] / "fixtures" / "deeplabv3plus_layers.tsv"


def published_rows() -> list[dict[str, str]]:
    with TABLE.open(newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


PUBLISHED = published_rows()


def rows_of(network: nn.Module) -> list[dict[str, str]]:
    """The leaves of a network in the layout of the table: names, types, shapes, parameters."""
    rows = []
    for name, module in network.named_modules():
        if list(module.children()):
            continue
        row = dict.fromkeys(PUBLISHED[0], "")
        row.update(module=name, type=type(module).__name__)
        row["parameters"] = str(sum(parameter.numel() for parameter in module.parameters()))
        if isinstance(module, nn.Conv3d):
            row["in_channels"] = str(module.in_channels)
            row["out_channels"] = str(module.out_channels)
            row["groups"] = str(module.groups)
            for column, values in (
                ("kernel", module.kernel_size),
                ("stride", module.stride),
                ("padding", module.padding),
                ("dilation", module.dilation),
            ):
                (value,) = set(values)  # isotropic
                row[column] = str(value)
        rows.append(row)
    return rows


@pytest.fixture(scope="module")
def built_rows() -> list[dict[str, str]]:
    with torch.device("meta"):
        return rows_of(DeepLabV3Plus(1, 4))


@pytest.mark.parametrize("number", range(len(PUBLISHED)))
def test_each_row_of_the_published_table(number, built_rows):
    assert built_rows[number] == PUBLISHED[number]


def test_no_layer_beyond_the_published_table(built_rows):
    assert len(built_rows) == len(PUBLISHED)
    assert sum(int(row["parameters"]) for row in built_rows) == 86_332_786


def test_basic_unet_of_monai_has_the_published_parameters():
    with torch.device("meta"):
        network = BasicUNet(3, 1, 4)
    assert sum(parameter.numel() for parameter in network.parameters()) == 5_749_476


def test_width_and_depth_shrink_the_network():
    network = DeepLabV3Plus(1, 4, width=1 / 8, middle_blocks=2)
    assert network.xception_features.out_channels == 256
    assert network.xception_features.low_level_channels == 16
    names = [name for name, _ in network.xception_features.named_children()]
    assert [name for name in names if name.startswith("block")] == [
        f"block{number}" for number in range(1, 7)
    ]


@pytest.mark.parametrize("size", [(16, 32, 32), (20, 33, 47), (7, 40, 18)])
def test_logits_have_the_size_of_the_input(size):
    network = DeepLabV3Plus(1, 4, width=1 / 32, middle_blocks=1)
    assert network(torch.randn(2, 1, *size)).shape == (2, 4, *size)


def test_encoder_has_output_stride_16_and_low_level_stride_4():
    encoder = Xception(1, width=1 / 32, middle_blocks=1)
    features, low_level = encoder(torch.randn(2, 1, 32, 48, 64))
    assert features.shape == (2, 64, 2, 3, 4)
    assert low_level.shape == (2, 4, 8, 12, 16)


@pytest.mark.parametrize(("kernel_size", "dilation"), [(3, 1), (3, 2), (3, 18), (1, 1), (2, 1)])
def test_explicit_padding_keeps_the_size(kernel_size, dilation):
    volume = torch.randn(1, 2, 5, 6, 7)
    convolution = nn.Conv3d(2, 3, kernel_size, dilation=dilation)
    assert convolution(pad_same(volume, kernel_size, dilation)).shape[2:] == volume.shape[2:]


def test_separable_convolution_is_a_padded_depthwise_and_a_pointwise_convolution():
    """Against plain torch convolutions with their own padding."""
    layer = SeparableConvolution(4, 6, stride=2, dilation=1)
    volume = torch.randn(2, 4, 8, 8, 8)
    depthwise = nn.functional.conv3d(volume, layer.conv1.conv.weight, stride=2, padding=1, groups=4)
    expected = layer.pointwise(layer.conv1.adn(depthwise))
    torch.testing.assert_close(layer(volume), expected)


def test_middle_flow_block_adds_its_unchanged_input():
    block = Block((5, 5, 5, 5))
    volume = torch.randn(2, 5, 4, 4, 4)
    torch.testing.assert_close(block(volume) - block.rep(volume), volume)
    kinds = [type(layer).__name__ for layer in block.rep]
    assert kinds == ["ReLU", "SeparableConvolution"] * 3
    torch.testing.assert_close(block.rep[0](volume), volume.clamp(min=0))


def test_logits_are_normalised_within_each_patch_as_published():
    """The instance norm of the last layer: a shift of the whole logit map has no effect."""
    network = DeepLabV3Plus(1, 4, width=1 / 32, middle_blocks=1).eval()
    volume = torch.randn(1, 1, 32, 32, 32)
    with torch.no_grad():
        before = network(volume)
        network.last_conv[4].conv.bias += 3.0
        after = network(volume)
    torch.testing.assert_close(before, after, atol=1e-4, rtol=0)


def test_batch_of_one_patch_cannot_be_trained():
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        DeepLabV3Plus(1, 4, width=1 / 32, middle_blocks=1)(torch.randn(1, 1, 32, 32, 32))
