"""What can be known before any job starts: settings that their job could only refuse, and doubts to tell.

A job finds the same faults, but hours later and in its own log. Nothing here imports a framework.
"""

from __future__ import annotations

import difflib
import importlib.util
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from headct.contracts.problems import BadInput, Problem
from headct.frameworks.monai.networks import settings_problems
from headct.settings import sheet
from headct.settings.models import of_model
from headct.settings.plan import PRIMARY, Plan

BLASTCT_SCALE = 5
"""Downsampling of DeepMedic's coarsest path, along each axis."""


NNUNET_MIN_EDGE, NNUNET_MIN_STAGES = 4, 3
"""As in :mod:`headct.frameworks.nnunet.plans`, which imports the framework."""


def check(
    config: Mapping[str, Any],
    name_of: Callable[[str], str],
    plan: Plan,
    plan_file: str,
    rows: Sequence[Mapping[str, Any]],
) -> None:
    """Refuse what no job could do; ``name_of`` names the configuration file of a key.

    Raises:
        BadInput: an unknown planner, a patch that does not fit its network, a split without test scan, a
            primary endpoint of models that are not compared, participants that are not among the sheet's
            ``rows``.
    """
    problems = [
        *(
            replace(problem, file=name_of(problem.key))
            for problem in (*_model_problems(config), *_participant_problems(config, rows))
        ),
        *_split_problems(config["split"]["file"]),
        *(
            problem
            for status, problem in _not_compared(plan, config["models"], plan_file)
            if status == PRIMARY
        ),
    ]
    if problems:
        raise BadInput(problems)


def warnings(config: Mapping[str, Any], rows: list[dict[str, Any]], plan: Plan, plan_file: str) -> list[str]:
    """What a run may go on with, but its user should know, one sentence each."""
    said = [
        f"{plan_file}, {problem.key}: {problem.value} {problem.message}. The results will list it as a"
        " deviation."
        for status, problem in _not_compared(plan, config["models"], plan_file)
        if status != PRIMARY
    ]
    scans_of = Counter(row["participant_id"] for row in sheet.baseline(rows))
    repeated = sum(n > 1 for n in scans_of.values())
    if repeated:
        who = "1 participant has" if repeated == 1 else f"{repeated} participants have"
        said.append(
            f"{config['sheet']}: {who} several baseline scans. In the test set they would count as"
            " independent: P values would be too small and intervals too narrow. The tables say so where it"
            " happens."
        )
    return said


def _not_compared(plan: Plan, models: Mapping[str, Any], file: str) -> Iterator[tuple[str, Problem]]:
    """With the status of the endpoint, each model of the plan that is not among the compared ones."""
    compared = [key for key, model in models.items() if model.get("replication", True)]
    for status, endpoint in plan.endpoints():
        for model in (endpoint.model, *endpoint.against):
            if model in compared:
                continue
            close = difflib.get_close_matches(model, compared, n=1)
            if model in models:
                message = "is not compared in this run: it has 'replication: false'"
            else:
                message = "is no model of this run" + (f"; did you mean '{close[0]}'?" if close else "")
            yield status, Problem(file, message, key=f"endpoint '{endpoint.name}'", value=model)


def _model_problems(config: Mapping[str, Any]) -> Iterator[Problem]:
    """Faults of the settings of each model: its framework's, then its own."""
    for key, model in config["models"].items():
        framework = model["framework"]
        if framework == "ensemble":
            continue

        def at(name: str, key: str = key, model: Any = model, framework: str = framework) -> str:
            return f"models.{key}.{name}" if name in model else f"{framework}.{name}"

        settings = of_model(config, key)
        if framework == "nnunet":
            yield from _nnunet_problems(settings, at)
        elif framework == "blastct":
            yield from _blastct_problems(settings, at)
        else:
            for problem in settings_problems(settings):
                yield replace(problem, key=at(problem.key), message=f"model {key}: {problem.message}")


def _participant_problems(config: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> Iterator[Problem]:
    known = {row["participant_id"] for row in rows}
    for participant in config["ingest"]["different_patients"]:
        if participant not in known:
            message = "no participant of the sheet"
            yield Problem("", message, key="ingest.different_patients", value=participant)


def _nnunet_problems(settings: Mapping[str, Any], at: Callable[[str], str]) -> Iterator[Problem]:
    known = planners()
    if known and settings["planner"] not in known:
        close = difflib.get_close_matches(settings["planner"], known, n=1)
        advice = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(known)}"
        yield Problem(
            "", f"nnU-Net has no planner of this name; {advice}", "", at("planner"), settings["planner"]
        )
    for configuration, n_axes in (("2d", 2), ("3d_fullres", 3)):
        changes = settings["plan_changes"].get(configuration, {})
        patch = changes.get("patch_size")
        if patch is None:  # then it is planned, from the scans
            continue
        key = f"{at('plan_changes')}.{configuration}.patch_size"
        if len(patch) != n_axes:
            yield Problem("", f"must have {n_axes} numbers", "", key, str(patch))
        elif settings["configuration"] == configuration:
            spacing = _spacing(settings["target_spacing_mm_zyx"])[-n_axes:]
            if fault := _unfit_patch(patch, spacing, changes.get("features_per_stage")):
                yield Problem("", fault, "", key, str(patch))


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
    if is_known and not NNUNET_MIN_STAGES <= n_stages <= len(strides):
        return (
            f"allows {len(strides)} stages; at least {NNUNET_MIN_STAGES} are needed, and one for each of"
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
        axes = [axis for axis, side in enumerate(sides) if side >= 2 * NNUNET_MIN_EDGE]
        finest = min((gaps[axis] for axis in axes), default=math.inf)
        axes = [axis for axis in axes if gaps[axis] / finest < 2 and pools[axis] < deepest]
        if not axes or (len(axes) == 1 and sides[axes[0]] < 3 * NNUNET_MIN_EDGE):
            return strides
        for axis in axes:
            sides[axis], gaps[axis] = math.ceil(sides[axis] / 2), gaps[axis] * 2
            pools[axis] += 1
        strides.append([2 if axis in axes else 1 for axis in range(len(patch))])


def _blastct_problems(settings: Mapping[str, Any], at: Callable[[str], str]) -> Iterator[Problem]:
    layers, patch = len(settings["feature_maps"]), settings["patch_size_voxels"]
    least = (2 * layers + 1) * BLASTCT_SCALE
    if any(side % BLASTCT_SCALE or side < least for side in patch):
        message = f"with {layers} layers each side must be a multiple of {BLASTCT_SCALE} and at least {least}"
        yield Problem("", message, "", at("patch_size_voxels"), str(patch))


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


def _split_problems(file: str | None) -> list[Problem]:
    """Faults of a split drawn elsewhere that need no cohort."""
    if file is None:
        return []
    from headct.cohort import split  # imports pandas, which no other start of Snakemake should pay for

    try:
        table = split.read_given(Path(file))
    except BadInput as error:
        return error.problems
    return [
        Problem(file, f"no scan has the set '{name}'", key="set")
        for name in split.SETS
        if name not in set(table["set"])
    ]
