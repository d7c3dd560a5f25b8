"""Changes to nnU-Net's plans that leave the preprocessed data as they are."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any, NoReturn

import numpy as np
from nnunetv2.experiment_planning.experiment_planners.network_topology import (
    get_pool_and_conv_props,
)

from headct.contracts.problems import BadInput, Problem
from headct.frameworks.nnunet.network_limits import MIN_EDGE, MIN_STAGES
from headct.frameworks.nnunet.settings import PlanChange
from headct.settings.typed import plain

BASE_FEATURES = 32
MAX_FEATURES = {2: 512, 3: 320}
"""Feature maps of nnU-Net's first stage, and of the widest, by number of spatial dimensions."""


def plans_of_configuration(
    plans: dict[str, Any], configuration: str, changes: PlanChange | None
) -> dict[str, Any]:
    """Plans with this one configuration, whose patch, batch or width is changed.

    Args:
        plans: as nnU-Net made them; not altered.
        configuration: ``2d`` or ``3d_fullres``.
        changes: of patch (voxels, slowest axis first), batch and feature maps. Where the patch or the number
            of stages is changed, pooling and kernels follow from nnU-Net's own rule.

    Raises:
        BadInput: nnU-Net plans no such configuration, or the changes do not fit each other.
    """
    if configuration not in plans["configurations"]:
        made = ", ".join(plans["configurations"])
        _refuse(f"nnU-Net plans none of this name for these scans, only {made}", configuration, "")
    plans = deepcopy(plans)
    chosen = plans["configurations"][configuration]
    changes = changes or PlanChange()
    if changes.batch_size is not None:
        chosen["batch_size"] = changes.batch_size
    if changes.patch_size is not None or changes.features_per_stage is not None:
        patch_size = list(changes.patch_size or chosen["patch_size"])
        features = None if changes.features_per_stage is None else list(changes.features_per_stage)
        if fault := _change_network(chosen, patch_size, features):
            _refuse(fault, configuration, json.dumps(plain(changes)))
    plans["configurations"] = {configuration: chosen}
    return plans


def _refuse(message: str, configuration: str, value: str) -> NoReturn:
    key = f"nnunet: plan_changes: {configuration}"
    raise BadInput([Problem("config", message, key=key, value=value)])


def _change_network(chosen: dict[str, Any], patch_size: list[int], features: list[int] | None) -> str | None:
    """Alter patch and network of a configuration in place; return what is wrong with the wish."""
    dimensions = len(chosen["spacing"])
    if len(patch_size) != dimensions:
        return f"patch_size needs {dimensions} numbers"
    deepest = 10**6 if features is None else len(features) - 1
    _, strides, kernels, _, _ = get_pool_and_conv_props(chosen["spacing"], patch_size, MIN_EDGE, deepest)
    if features is None:
        features = [min(BASE_FEATURES * 2**i, MAX_FEATURES[dimensions]) for i in range(len(strides))]
    n_stages = len(features)
    if not MIN_STAGES <= n_stages <= len(strides):
        return (
            f"features_per_stage has {n_stages} numbers; at least {MIN_STAGES} are needed, and at most "
            f"{len(strides)} can be used with a patch of {patch_size} voxels"
        )
    # axes of unlike spacing are pooled at unlike depths, so the rule may go deeper than was asked for
    strides, kernels = strides[:n_stages], [*kernels[: n_stages - 1], [3] * dimensions]
    multiple = np.prod(strides, axis=0)
    if (np.array(patch_size) % multiple).any():
        return f"to be pooled, patch_size must be a multiple of {multiple.tolist()}"
    network = chosen["architecture"]["arch_kwargs"]
    blocks = {"n_conv_per_stage": n_stages, "n_blocks_per_stage": n_stages}
    blocks["n_conv_per_stage_decoder"] = n_stages - 1
    for key, n in blocks.items():
        if key in network:
            network[key] = _of_length(network[key], n)
    network |= {
        "n_stages": n_stages,
        "features_per_stage": list(features),
        "strides": [list(step) for step in strides],
        "kernel_sizes": [list(size) for size in kernels],
    }
    chosen["patch_size"] = [int(n) for n in patch_size]
    return None


def _of_length(blocks: list[int], n: int) -> list[int]:
    """Blocks per stage cut, or continued with the last number, to ``n`` stages."""
    return [*blocks[:n], *blocks[-1:] * (n - len(blocks))]
