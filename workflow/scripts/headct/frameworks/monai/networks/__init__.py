"""The networks that are trained with MONAI, built from a model's settings."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any

from headct.contracts.problems import Problem

if TYPE_CHECKING:
    from torch import nn

NETWORKS = {"basicunet": ("features",), "deeplabv3plus": ("width", "middle_blocks", "variant")}
"""Networks by their key in the config, with the settings of the architecture that each takes.

A setting that is left out has the value of the publication.
"""

DOWNSAMPLING = 16
"""Ratio of input to smallest map, along each axis, of both networks."""


def build(settings: Mapping[str, Any], n_classes: int) -> nn.Module:
    """The untrained network for one-channel volumes that ``settings["network"]`` names.

    Maps (N, 1, z, y, x) to logits (N, n_classes, z, y, x), background first. Its initial weights are
    PyTorch's, drawn from the global generator.

    Raises:
        KeyError: no such network.
    """
    name = settings["network"]
    architecture = {key: settings[key] for key in NETWORKS[name] if key in settings}
    if name == "deeplabv3plus":
        from headct.frameworks.monai.networks.deeplabv3plus import DeepLabV3Plus

        return DeepLabV3Plus(1, n_classes, **architecture)
    from monai.networks.nets.basic_unet import BasicUNet

    return BasicUNet(3, 1, n_classes, **architecture)


def settings_problems(settings: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with network, patch size and batch size together; empty if nothing is.

    Norm layers need more than one value per channel in training. Instance norm sees one patch at a
    time, so where it norms the smallest map (BasicUNet, published DeepLabv3+) that must hold more than
    one voxel. DeepLabv3+ of either variant norms a map pooled to one voxel over the batch, so it needs
    two patches.
    """
    problems = []

    def report(key: str, message: str) -> None:
        problems.append(Problem("config", message, key=key, value=str(settings[key])))

    name, patch = settings["network"], settings["patch_size_xyz"]
    if name not in NETWORKS:
        report("network", f"no such network; there are {', '.join(NETWORKS)}")
    if name == "basicunet":  # MONAI's pooling rounds down
        smallest = [length // DOWNSAMPLING for length in patch]
    else:
        smallest = [-(-length // DOWNSAMPLING) for length in patch]
    is_clean = name == "deeplabv3plus" and settings.get("variant") == "clean"  # batch norm alone
    if prod(smallest) < 2 and not is_clean:
        report(
            "patch_size_xyz",
            f"the smallest map of {name} would be {smallest}, and must hold more than one voxel; "
            f"it is the patch divided by {DOWNSAMPLING}",
        )
    if name == "deeplabv3plus" and settings["scans_per_batch"] * settings["patches_per_scan"] < 2:
        report("patches_per_scan", "DeepLabv3+ needs at least two patches in a batch (batch norm)")
    return problems
