"""Any network of ``monai.networks.nets`` by the name of its class, with the arguments of an entry."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from headct.contracts.problems import Problem

if TYPE_CHECKING:
    from torch import nn

CHANNELS = ("in_channels", "out_channels")
"""What a class must take to be a network from a volume to logits; the study says how many."""

OURS = ("spatial_dims", *CHANNELS)
"""Arguments that are not the configuration's."""

EXAMPLES = "SegResNet, DynUNet or SwinUNETR"


def find(name: str) -> type[nn.Module] | None:
    """The class of that name; None where there is none, or none that maps channels to channels."""
    from monai.networks import nets
    from torch import nn

    found = getattr(nets, name, None)
    if not (isinstance(found, type) and issubclass(found, nn.Module)):
        return None
    return found if set(CHANNELS) <= inspect.signature(found).parameters.keys() else None


def build(name: str, arguments: Mapping[str, Any], n_classes: int) -> nn.Module:
    """The untrained network for one-channel volumes.

    Args:
        name: of the class.
        arguments: of the class, without :data:`OURS`.
        n_classes: background included.

    Raises:
        KeyError: no such network.
        Exception: whatever the class raises of its arguments.
    """
    network = find(name)
    if network is None:
        raise KeyError(name)
    ours = dict(zip(OURS, (3, 1, n_classes), strict=True))
    taken = inspect.signature(network).parameters
    return network(**{key: value for key, value in ours.items() if key in taken}, **arguments)


def problems(
    name: str, arguments: Mapping[str, Any], patch: tuple[int, ...], patches: int, others: str
) -> Iterator[Problem]:
    """What is wrong with a class, its arguments and the patch together.

    The network is made, and applied to a batch without memory or computation (PyTorch's meta device), which
    tells all that is told by sizes: a patch that can't be halved so often, a map of one voxel that can't be
    normed, an output that is no map of logits.

    Args:
        name: of the class.
        arguments: of the class, as the configuration has them.
        patch: z, y, x, in voxels.
        patches: of a batch.
        others: names of the networks that are not of ``monai.networks.nets``.
    """
    network = find(name)
    if network is None:
        message = (
            f"no such network; there are {others}, and the classes of monai.networks.nets that take"
            f" {' and '.join(CHANNELS)}, such as {EXAMPLES}"
        )
        yield Problem("config", message, key="network", value=name)
        return
    wrong = list(_wrong_names(network, arguments))
    yield from wrong
    if not wrong:
        yield from _misfits(name, arguments, patch, patches)


def _wrong_names(network: type[nn.Module], arguments: Mapping[str, Any]) -> Iterator[Problem]:
    """Arguments that the class does not take, or that are lacking."""
    taken = {
        key: one for key, one in inspect.signature(network).parameters.items() if one.kind != one.VAR_KEYWORD
    }
    for key, value in arguments.items():
        if key in OURS:
            message = "follows from the study: leave it out"
        elif key not in taken:
            known = ", ".join(name for name in taken if name not in OURS)
            message = f"{network.__name__} takes no such argument; it takes {known}"
        else:
            continue
        yield Problem("config", message, key=f"arguments.{key}", value=json.dumps(value))
    needed = [key for key, one in taken.items() if one.default is one.empty and key not in OURS]
    if lacking := [key for key in needed if key not in arguments]:
        message = f"{network.__name__} needs arguments: {', '.join(lacking)}"
        yield Problem("config", message, key="network", value=network.__name__)


def _misfits(
    name: str, arguments: Mapping[str, Any], patch: tuple[int, ...], patches: int
) -> Iterator[Problem]:
    """Why the network can't be made, or can't be applied to a batch, or does not give logits."""
    import torch

    classes = 2
    key, value = ("arguments", json.dumps(arguments)) if arguments else ("network", name)
    try:
        network = build(name, arguments, classes)
    except Exception as error:  # whatever a class raises of what it is given
        message = f"{name} can't be made of these arguments: {_in_one_line(error)}"
        yield Problem("config", message, key=key, value=value)
        return
    size = list(patch[::-1])
    try:
        with torch.device("meta"), torch.no_grad():
            logits = network.to("meta").train()(torch.empty(patches, 1, *patch))
    except Exception as error:  # as above, of the size of the patch
        message = f"{name} can't be trained on {patches} patches of this size: {_in_one_line(error)}"
        yield Problem("config", message, key="patch_size_xyz", value=str(size))
        return
    expected = (patches, classes, *patch)
    if not isinstance(logits, torch.Tensor):
        message = (
            f"{name} gives a {type(logits).__name__} of maps in training, where one map of logits is learnt"
        )
        yield Problem("config", message, key=key, value=value)
    elif tuple(logits.shape) != expected:
        message = f"{name} gives maps of shape {tuple(logits.shape)} in training, where {expected} is learnt"
        yield Problem("config", message, key=key, value=value)


def _in_one_line(error: Exception) -> str:
    """What an error says, in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
