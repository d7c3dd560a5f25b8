"""Changes to nnU-Net's plans that leave the preprocessed data as they are."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from nnunetv2.experiment_planning.experiment_planners.network_topology import (
    get_pool_and_conv_props,
)

MIN_EDGE = 4
"""Smallest edge of a feature map, in voxels, below which nnU-Net pools no further."""

MIN_STAGES = 3
"""nnU-Net's deep supervision leaves out the lowest resolution of the decoder; one must remain."""

BASE_FEATURES = 32
MAX_FEATURES = {2: 512, 3: 320}
"""Feature maps of nnU-Net's first stage, and of the widest, by number of spatial dimensions."""


def plans_of_configuration(
    plans: dict[str, Any], configuration: str, changes: dict[str, Any] | None
) -> dict[str, Any]:
    """Plans with this one configuration, whose patch, batch or width is changed.

    Args:
        plans: as nnU-Net made them; not altered.
        configuration: ``2d`` or ``3d_fullres``.
        changes: any of ``patch_size`` (voxels, slowest axis first), ``batch_size`` and
            ``features_per_stage``. Where the patch or the number of stages is changed, pooling and
            kernels follow from nnU-Net's own rule. What is absent or None stays as planned.

    Raises:
        ValueError: nnU-Net plans no such configuration, or the changes do not fit each other.
    """
    if configuration not in plans["configurations"]:
        made = ", ".join(plans["configurations"])
        raise ValueError(f"nnU-Net plans no configuration {configuration} for these scans; only {made}")
    plans = deepcopy(plans)
    chosen = plans["configurations"][configuration]
    changes = {key: value for key, value in (changes or {}).items() if value is not None}
    if "batch_size" in changes:
        chosen["batch_size"] = changes["batch_size"]
    if "patch_size" in changes or "features_per_stage" in changes:
        _change_network(
            chosen, changes.get("patch_size", chosen["patch_size"]), changes.get("features_per_stage")
        )
    plans["configurations"] = {configuration: chosen}
    return plans


def _change_network(chosen: dict[str, Any], patch_size: list[int], features: list[int] | None) -> None:
    dimensions = len(chosen["spacing"])
    if len(patch_size) != dimensions:
        raise ValueError(f"patch_size {patch_size} needs {dimensions} numbers")
    deepest = 10**6 if features is None else len(features) - 1
    _, strides, kernels, padded, _ = get_pool_and_conv_props(
        chosen["spacing"], patch_size, MIN_EDGE, deepest
    )
    n_stages = len(strides)
    if features is None:
        features = [min(BASE_FEATURES * 2**i, MAX_FEATURES[dimensions]) for i in range(n_stages)]
    if len(features) != n_stages or n_stages < MIN_STAGES:
        raise ValueError(
            f"a patch of {list(patch_size)} voxels has {n_stages} stages; features_per_stage {features} "
            f"must have as many numbers, and at least {MIN_STAGES}"
        )
    if [int(n) for n in padded] != [int(n) for n in patch_size]:
        raise ValueError(f"patch_size {list(patch_size)} must be {[int(n) for n in padded]} to be pooled")
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


def _of_length(blocks: list[int], n: int) -> list[int]:
    """Blocks per stage cut, or continued with the last number, to ``n`` stages."""
    return [*blocks[:n], *blocks[-1:] * (n - len(blocks))]
