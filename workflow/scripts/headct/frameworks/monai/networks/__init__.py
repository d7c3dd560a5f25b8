"""The networks that are trained with MONAI, built from a model's settings.

Those of the study are declared here, each once; any other is a class of MONAI by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from math import prod
from typing import TYPE_CHECKING, Any

from headct.contracts.problems import Problem
from headct.frameworks.monai.networks import by_class
from headct.frameworks.monai.settings import Architecture, MonaiTraining
from headct.settings.typed import plain

if TYPE_CHECKING:
    from torch import nn

DOWNSAMPLING = 16
"""Ratio of input to smallest map, along each axis, of both networks."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network, declared.

    Attributes:
        settings: those of its architecture; one that is left out has the value of the publication.
        make: the untrained network of so many classes and, by keyword, these settings.
        pooled: sides of its smallest map, from those of the patch.
        is_normed_alone: of these settings, whether a patch is normed by itself where the map is smallest.
        is_normed_over_batch: whether a map of one voxel is normed, over the patches of a batch.
    """

    settings: tuple[str, ...]
    make: Callable[..., nn.Module]
    pooled: Callable[[int], int]
    is_normed_alone: Callable[[Architecture], bool]
    is_normed_over_batch: bool = False


def _basicunet(n_classes: int, **architecture: Any) -> nn.Module:
    from monai.networks.nets.basic_unet import BasicUNet

    return BasicUNet(3, 1, n_classes, **architecture)


def _deeplabv3plus(n_classes: int, **architecture: Any) -> nn.Module:
    from headct.frameworks.monai.networks.deeplabv3plus import DeepLabV3Plus

    return DeepLabV3Plus(1, n_classes, **architecture)


NETWORKS = {
    "basicunet": Network(
        settings=("features",),
        make=_basicunet,
        pooled=lambda side: side // DOWNSAMPLING,  # MONAI's pooling rounds down
        is_normed_alone=lambda _settings: True,
    ),
    "deeplabv3plus": Network(
        settings=("width", "middle_blocks", "variant"),
        make=_deeplabv3plus,
        pooled=lambda side: -(-side // DOWNSAMPLING),
        is_normed_alone=lambda settings: settings.variant != "clean",  # that has batch norm alone
        is_normed_over_batch=True,
    ),
}
"""Networks by their key in the config."""


def build(settings: Architecture, n_classes: int) -> nn.Module:
    """The untrained network for one-channel volumes that ``settings.network`` names.

    Maps (N, 1, z, y, x) to logits (N, n_classes, z, y, x), background first. Its initial weights are
    PyTorch's, drawn from the global generator.

    Raises:
        KeyError: no such network.
        Exception: whatever a class of MONAI raises of its arguments.
    """
    if settings.network not in NETWORKS:
        return by_class.build(settings.network, settings.arguments or {}, n_classes)
    network = NETWORKS[settings.network]
    chosen = {key: getattr(settings, key) for key in network.settings}
    return network.make(n_classes, **{key: value for key, value in chosen.items() if value is not None})


def problems(settings: MonaiTraining) -> Iterator[Problem]:
    """What is wrong with network, patch size and batch size together.

    Norm layers need more than one value per channel in training. Instance norm sees one patch at a
    time, so where it norms the smallest map (BasicUNet, published DeepLabv3+) that must hold more than
    one voxel. DeepLabv3+ of either variant norms a map pooled to one voxel over the batch, so it needs
    two patches.
    """

    def problem(key: str, message: str) -> Problem:
        return Problem("config", message, key=key, value=str(plain(getattr(settings, key))))

    name = settings.network
    patches = settings.scans_per_batch * settings.patches_per_scan
    taken = NETWORKS[name].settings if name in NETWORKS else ("arguments",)
    for one in fields(Architecture):
        if one.name not in ("network", *taken) and getattr(settings, one.name) is not None:
            yield problem(one.name, f"is no setting of {name}, which has {', '.join(taken)}")
    if name not in NETWORKS:
        patch, arguments = settings.patch_size_xyz[::-1], settings.arguments or {}
        yield from by_class.problems(name, arguments, patch, patches, ", ".join(NETWORKS))
        return
    network = NETWORKS[name]
    smallest = [network.pooled(side) for side in settings.patch_size_xyz]
    if prod(smallest) < 2 and network.is_normed_alone(settings):
        yield problem(
            "patch_size_xyz",
            f"the smallest map of {name} would be {smallest}, and must hold more than one voxel; "
            f"it is the patch divided by {DOWNSAMPLING}",
        )
    if network.is_normed_over_batch and patches < 2:
        yield problem("patches_per_scan", f"{name} needs at least two patches in a batch (batch norm)")
