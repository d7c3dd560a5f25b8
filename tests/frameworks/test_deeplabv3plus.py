"""DeepLabv3+: the published variant by its outputs and its layers, the clean one, and both at small sizes."""

import csv
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.networks.nets.basic_unet import BasicUNet
from torch import nn

from headct.frameworks.monai.networks import problems as problems_of
from headct.frameworks.monai.networks.deeplabv3plus import DeepLabV3Plus
from headct.frameworks.monai.networks.xception import (
    VARIANTS,
    Block,
    SeparableConvolution,
    Xception,
    pad_same,
)
from support.changed_settings import changed
from support.monai_miniature import SETTINGS

SMALL = {"width": 1 / 32, "middle_blocks": 1}
both_variants = pytest.mark.parametrize("variant", VARIANTS)
FIXTURES = Path(__file__).parents[1] / "fixtures"


def rows_of_table(name: str) -> list[dict[str, str]]:
    with (FIXTURES / name).open(newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


PUBLISHED = rows_of_table("deeplabv3plus_layers.tsv")


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
def full_size() -> dict[str, nn.Module]:
    with torch.device("meta"):
        return {variant: DeepLabV3Plus(1, 4, variant=variant) for variant in VARIANTS}


@pytest.fixture(scope="module")
def built_rows(full_size: dict[str, nn.Module]) -> list[dict[str, str]]:
    return rows_of(full_size["published"])


@pytest.mark.parametrize("number", range(len(PUBLISHED)))
def test_each_row_of_the_published_table(number, built_rows):
    assert built_rows[number] == PUBLISHED[number]


def test_no_layer_beyond_the_published_table(built_rows):
    assert len(built_rows) == len(PUBLISHED)
    assert sum(int(row["parameters"]) for row in built_rows) == 86_332_786


def formula_weights(network: nn.Module) -> dict[str, torch.Tensor]:
    """The state by which the study's public network gave tests/fixtures/deeplabv3plus_forward.tsv.

    The i-th tensor (n values) is made of w = sin(0.7 arange(n) + i); rounded to single precision.
    """
    state = {}
    for i, (name, tensor) in enumerate(network.state_dict().items()):
        wave = np.sin(0.7 * np.arange(tensor.numel()) + i).reshape(tuple(tensor.shape))
        if tensor.dim() == 5:
            values = wave * math.sqrt(2 / math.prod(tensor.shape[1:]))
        elif name.endswith("running_var"):
            values = 1 + 0.25 * (wave + 1)
        elif name.endswith(".A.weight"):
            values = 0.25 + 0.05 * wave
        elif name.endswith(".N.weight"):
            values = 1 + 0.1 * wave
        elif name.endswith("num_batches_tracked"):
            values = np.zeros_like(wave)
        else:
            values = 0.1 * wave
        state[name] = torch.from_numpy(values.astype(np.float32)).to(tensor.dtype)
    return state


@pytest.mark.parametrize("mode", ["eval", "train"])
def test_published_gives_the_logits_of_the_network_that_the_study_ran(mode):
    """Equal weights, equal input, in double precision: in single, rounding alone moves logits by .25."""
    network = DeepLabV3Plus(1, 4).double()
    network.load_state_dict(formula_weights(network))
    k = np.arange(2 * 32 * 48 * 32)
    volume = (np.sin(0.013 * k) + 0.5 * np.sin(0.0007 * k)).astype(np.float32).astype(np.float64)
    with torch.no_grad():
        logits = network.train(mode == "train")(torch.from_numpy(volume).reshape(2, 1, 32, 48, 32)).numpy()
    rows = [row for row in rows_of_table("deeplabv3plus_forward.tsv") if row["mode"] == mode]
    axes = ("batch", "class", "z", "y", "x")
    found = [logits[tuple(int(row[axis]) for axis in axes)] for row in rows]
    expected = [float(row["logit"]) for row in rows]
    assert len(expected) == math.ceil(logits.size / 1597)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_published_is_what_is_built_unless_asked_otherwise():
    with torch.device("meta"):
        names = [name for name, _ in DeepLabV3Plus(1, 4).named_modules()]
        published = DeepLabV3Plus(1, 4, variant="published")
    assert names == [name for name, _ in published.named_modules()]


def kinds(network: nn.Module) -> Counter[str]:
    return Counter(type(module).__name__ for module in network.modules() if not list(module.children()))


def test_clean_has_norm_and_activation_only_where_the_papers_have_them(full_size):
    """Batch norm after each convolution but the logits, no instance norm, no PReLU."""
    clean = kinds(full_size["clean"])
    assert clean["BatchNorm3d"] == clean["Conv3d"] - 1
    assert not {"InstanceNorm3d", "PReLU"} & clean.keys()
    logits = full_size["clean"].last_conv[4]
    assert [type(layer) for layer in logits] == [nn.Conv3d]
    assert logits.conv.bias is not None


def test_clean_rectifies_each_depthwise_convolution(full_size):
    """Chen 2018, section 3.2: batch norm and ReLU after each 3x3 depthwise convolution; Chollet 2017,
    figure 5: none between a pointwise convolution and the sum of its block."""
    for module in full_size["clean"].modules():
        if isinstance(module, SeparableConvolution):
            assert [type(layer) for layer in module.conv1.adn] == [nn.BatchNorm3d, nn.ReLU]
            assert [type(layer) for layer in module.pointwise.adn] == [nn.BatchNorm3d]


def test_clean_differs_in_nothing_but_norms_and_activations(full_size):
    """Equal convolutions; 142 slopes of PReLUs less, scale and shift of 67 more batch norms."""
    convolutions = {
        variant: [row for row in rows_of(network) if row["type"] == "Conv3d"]
        for variant, network in full_size.items()
    }
    assert convolutions["clean"] == convolutions["published"]
    depthwise = sum(int(row["in_channels"]) for row in PUBLISHED if row["groups"] not in ("", "1"))
    closing = 128 + 256 + 728 + 1024  # channels of the blocks that end without a ReLU
    n = {variant: sum(p.numel() for p in network.parameters()) for variant, network in full_size.items()}
    assert n["clean"] == n["published"] - 142 + 2 * (depthwise + closing) == 86_425_300


def documented_layers() -> list[list[str]]:
    """Rows of the table of layers in reference/models.md: module, how often, parameters of both variants."""
    text = (Path(__file__).parents[2] / "docs" / "reference" / "models.md").read_text(encoding="utf-8")
    rows = []
    for line in text[text.index("#### Layers") :].splitlines():
        if line.startswith("| `"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            _, module, rest = cells[0].split("`", 2)
            rows.append([module, "16" if "×16" in rest else "1", *cells[4:5], *cells[-4:]])
    return rows


def test_documented_layers_are_those_of_the_network(full_size):
    """Channels, norms, activations and parameters of each row, and nothing left out."""
    names = {"batch": "BatchNorm3d", "instance": "InstanceNorm3d"}
    totals = dict.fromkeys(full_size, 0)
    for module, times, channels, *told in documented_layers():
        for variant, follows, parameters in zip(full_size, told[:2], told[2:], strict=True):
            layer = full_size[variant].get_submodule(module)
            convolutions = [part for part in layer.modules() if isinstance(part, nn.Conv3d)]
            assert channels == f"{convolutions[0].in_channels} → {convolutions[-1].out_channels}"
            found = sum(parameter.numel() for parameter in layer.parameters())
            assert f"{found:,}" == parameters, module
            totals[variant] += int(times) * found
            said = Counter(names.get(word, word) for word in follows.replace(";", ",").split(", "))
            built = Counter(type(part).__name__ for part in layer.modules())
            for kind in ("BatchNorm3d", "InstanceNorm3d", "PReLU"):
                assert built[kind] == said[kind], f"{module}, {variant}: {kind}"
    assert totals == {"published": 86_332_786, "clean": 86_425_300}


def test_unknown_variant_is_refused():
    with pytest.raises(KeyError, match="tidy"):
        DeepLabV3Plus(1, 4, variant="tidy")


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


@both_variants
def test_logits_have_the_size_of_the_input_and_gradients_are_finite(variant):
    """The same network takes patches of any size."""
    network = DeepLabV3Plus(1, 4, **SMALL, variant=variant)
    for size in [(16, 32, 32), (20, 33, 47), (7, 40, 18)]:
        logits = network(torch.randn(3, 1, *size))
        assert logits.shape == (3, 4, *size)
        network.zero_grad()
        nn.functional.cross_entropy(logits, torch.randint(4, (3, *size))).backward()
        for name, parameter in network.named_parameters():
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize(("variant", "least_dice"), [("published", 0.55), ("clean", 0.8)])
def test_a_tiny_example_is_learnt(variant, least_dice):
    """Two volumes, each a bright box in noise, are learnt in 25 steps of Adam; less well where each
    patch's logits are normalised."""
    torch.manual_seed(0)
    network = DeepLabV3Plus(1, 2, width=1 / 16, middle_blocks=1, variant=variant)
    labels = torch.zeros(2, 16, 32, 32, dtype=torch.int64)
    labels[0, 2:14, 4:28, 2:14] = 1
    labels[1, 2:14, 4:28, 18:30] = 1
    volumes = labels[:, None] + 0.1 * torch.randn(2, 1, 16, 32, 32)
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    losses = []
    for _ in range(25):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(network(volumes), labels)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.75 * losses[0]
    found = network(volumes).argmax(dim=1)
    dice = 2 * (found * labels).sum() / (found.sum() + labels.sum())
    assert dice > least_dice


@both_variants
def test_encoder_has_output_stride_16_and_low_level_stride_4(variant):
    encoder = Xception(VARIANTS[variant], 1, **SMALL)
    features, low_level = encoder(torch.randn(2, 1, 32, 48, 64))
    assert features.shape == (2, 64, 2, 3, 4)
    assert low_level.shape == (2, 4, 8, 12, 16)


@pytest.mark.parametrize(("kernel_size", "dilation"), [(3, 1), (3, 2), (3, 18), (1, 1), (2, 1)])
def test_explicit_padding_keeps_the_size(kernel_size, dilation):
    volume = torch.randn(1, 2, 5, 6, 7)
    convolution = nn.Conv3d(2, 3, kernel_size, dilation=dilation)
    assert convolution(pad_same(volume, kernel_size, dilation)).shape[2:] == volume.shape[2:]


@both_variants
def test_separable_convolution_is_a_padded_depthwise_and_a_pointwise_convolution(variant):
    """Against plain torch convolutions with their own padding."""
    layer = SeparableConvolution(VARIANTS[variant], 4, 6, stride=2, dilation=1)
    volume = torch.randn(2, 4, 8, 8, 8)
    depthwise = nn.functional.conv3d(volume, layer.conv1.conv.weight, stride=2, padding=1, groups=4)
    expected = layer.pointwise(layer.conv1.adn(depthwise))
    torch.testing.assert_close(layer(volume), expected)


@both_variants
def test_middle_flow_block_adds_its_input_which_published_rectifies(variant):
    block = Block(VARIANTS[variant], (5, 5, 5, 5))
    volume = torch.randn(2, 5, 4, 4, 4)
    added = volume.clamp(min=0) if variant == "published" else volume
    torch.testing.assert_close(block(volume) - block.rep(volume), added)
    kinds = [type(layer).__name__ for layer in block.rep]
    assert kinds == ["ReLU", "SeparableConvolution"] * 3
    torch.testing.assert_close(block.rep[0](volume), volume.clamp(min=0))


def unscaled_logits(network: nn.Module, volume: torch.Tensor) -> torch.Tensor:
    """What the last convolution and its norm give, before the PReLU, if any, and the upsampling."""
    seen = []
    last = network.last_conv[4]
    layer = last.adn.N if hasattr(last, "adn") else last.conv
    with torch.no_grad(), layer.register_forward_hook(lambda *call: seen.append(call[-1])):
        network.eval()(volume)
    return seen[0]


def test_published_logits_are_normalised_within_each_patch():
    """Whatever a patch shows, each class has mean 0 and variance 1 over it, so a bias has no effect."""
    network = DeepLabV3Plus(1, 4, **SMALL)
    network.last_conv[4].conv.weight.data *= 1000  # so that the norm's epsilon does not show
    volume = torch.randn(2, 1, 32, 32, 32) * torch.tensor([0.1, 10]).reshape(2, 1, 1, 1, 1)
    logits = unscaled_logits(network, volume)
    assert logits.shape == (2, 4, 8, 8, 8)
    torch.testing.assert_close(logits.mean(dim=(2, 3, 4)), torch.zeros(2, 4), atol=1e-4, rtol=0)
    variances = logits.var(dim=(2, 3, 4), correction=0)
    torch.testing.assert_close(variances, torch.ones(2, 4), atol=1e-3, rtol=0)
    network.last_conv[4].conv.bias.data += 3.0
    torch.testing.assert_close(unscaled_logits(network, volume), logits, atol=1e-4, rtol=0)


def test_clean_logits_are_free():
    network = DeepLabV3Plus(1, 4, **SMALL, variant="clean")
    volume = torch.randn(2, 1, 32, 32, 32)
    before = unscaled_logits(network, volume)
    network.last_conv[4].conv.bias.data += 3.0
    torch.testing.assert_close(unscaled_logits(network, volume), before + 3.0)


@both_variants
def test_batch_of_one_patch_cannot_be_trained(variant):
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        DeepLabV3Plus(1, 4, **SMALL, variant=variant)(torch.randn(1, 1, 32, 32, 32))


@both_variants
def test_only_instance_norm_needs_more_than_one_voxel_in_the_smallest_map(variant):
    """``networks.problems`` says the same."""
    network = DeepLabV3Plus(1, 4, **SMALL, variant=variant)
    settings = changed(
        SETTINGS, network="deeplabv3plus", features=None, patch_size_xyz=[16, 16, 16], variant=variant
    )
    if variant == "clean":
        assert list(problems_of(settings)) == []
        assert network(torch.randn(2, 1, 16, 16, 16)).isfinite().all()
    else:
        assert [problem.key for problem in problems_of(settings)] == ["patch_size_xyz"]
        with pytest.raises(ValueError, match="more than 1 spatial element"):
            network(torch.randn(2, 1, 16, 16, 16))
    alone = changed(settings, patch_size_xyz=[32, 32, 32], scans_per_batch=1)
    assert [problem.key for problem in problems_of(alone)] == ["patches_per_scan"]
