"""What can be known of nnU-Net's settings before any job starts, without importing it, which takes long."""

from __future__ import annotations

import difflib
import importlib.util
import math
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from headct.contracts.problems import Problem
from headct.frameworks.nnunet import trainer_names
from headct.frameworks.nnunet.network_limits import MIN_EDGE, MIN_STAGES
from headct.frameworks.nnunet.settings import NnunetTraining, PlanChange

EFFECT = "speed"  # it refuses settings, and makes nothing

DEFAULT_LOSS = "dice_ce"
"""That of nnU-Net."""


def problems(settings: NnunetTraining) -> Iterator[Problem]:
    """A planner or trainer that can't be had, or a patch that does not fit what is planned."""
    known = planners()
    if known and settings.planner not in known:
        close = difflib.get_close_matches(settings.planner, known, n=1)
        advice = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(known)}"
        message = f"nnU-Net has no planner of this name; {advice}"
        yield Problem("", message, key="planner", value=settings.planner)
    if settings.trainer is not None:
        yield from _trainer_problems(settings.trainer, settings.loss)
    for configuration, n_axes in (("2d", 2), ("3d_fullres", 3)):
        changes = settings.plan_changes.get(configuration, PlanChange())
        patch = changes.patch_size
        if patch is None:  # then it is planned, from the scans
            continue
        key = f"plan_changes.{configuration}.patch_size"
        if len(patch) != n_axes:
            yield Problem("", f"must have {n_axes} numbers", key=key, value=str(list(patch)))
        elif settings.configuration == configuration:
            spacing = _spacing(settings.target_spacing_mm_zyx)[-n_axes:]
            if fault := _unfit_patch(patch, spacing, changes.features_per_stage):
                yield Problem("", fault, key=key, value=str(list(patch)))


def _trainer_problems(trainer: str, loss: str) -> Iterator[Problem]:
    if reason := trainer_names.fault(trainer):
        yield Problem("", f"can't be had here: {reason}", key="trainer", value=trainer)
    elif loss != DEFAULT_LOSS:
        message = (
            f"a trainer of nnU-Net has a loss of its own, or nnU-Net's: say loss: {DEFAULT_LOSS} beside it"
        )
        yield Problem("", message, key="loss", value=loss)


def _spacing(target_mm_zyx: Sequence[float] | None) -> list[float]:
    """Spacing of the grid that nnU-Net trains on, the coarsest axis first, as nnU-Net turns it.

    If it is not configured it follows from the scans. Then pixels are taken for square, and the gap between
    slices is not known.
    """
    if target_mm_zyx is None:
        return [math.inf, 1, 1]
    coarsest = target_mm_zyx.index(max(target_mm_zyx))
    return [target_mm_zyx[coarsest], *(mm for axis, mm in enumerate(target_mm_zyx) if axis != coarsest)]


def _unfit_patch(patch: Sequence[int], spacing: Sequence[float], features: Sequence[int] | None) -> str:
    """What is wrong with a patch for nnU-Net, as far as it can be known; empty if nothing is.

    Of slices whose gap is not known only the sides in plane are judged.
    """
    strides = _strides(patch, spacing, len(features) - 1 if features else sum(patch))
    is_known = math.inf not in spacing
    n_stages = len(features) if features else len(strides)
    if is_known and not MIN_STAGES <= n_stages <= len(strides):
        return (
            f"allows {len(strides)} stages; at least {MIN_STAGES} are needed, and one for each of"
            " features_per_stage"
        )
    multiples = [math.prod(axis) for axis in zip(*strides[:n_stages], strict=True)]
    if any(side % multiple for side, multiple in zip(patch, multiples, strict=True)):
        which = "the sides" if is_known else "the second and third side"
        needed = multiples if is_known else multiples[1:]
        return f"the network halves the patch: {which} must be multiples of {needed}"
    return ""


def _strides(patch: Sequence[int], spacing: Sequence[float], deepest: int) -> list[list[int]]:
    """Strides of nnU-Net's stages: its ``get_pool_and_conv_props``, which can't be imported in a moment."""
    sides, gaps, pools = list(patch), list(spacing), [0] * len(patch)
    strides = [[1] * len(patch)]
    while True:
        axes = [axis for axis, side in enumerate(sides) if side >= 2 * MIN_EDGE]
        finest = min((gaps[axis] for axis in axes), default=math.inf)
        axes = [axis for axis in axes if gaps[axis] / finest < 2 and pools[axis] < deepest]
        if not axes or (len(axes) == 1 and sides[axes[0]] < 3 * MIN_EDGE):
            return strides
        for axis in axes:
            sides[axis], gaps[axis] = math.ceil(sides[axis] / 2), gaps[axis] * 2
            pools[axis] += 1
        strides.append([2 if axis in axes else 1 for axis in range(len(patch))])


@cache
def planners() -> tuple[str, ...]:
    """Names of nnU-Net's planners, read from its source; none where it is not installed."""
    found = importlib.util.find_spec("nnunetv2")
    if found is None or not found.submodule_search_locations:
        return ()
    folder = Path(found.submodule_search_locations[0]) / "experiment_planning"
    sources = (path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.py")))
    classes = [name for source in sources for name in re.findall(r"^class (\w+)\(", source, re.M)]
    return tuple(name for name in classes if "Planner" in name)
