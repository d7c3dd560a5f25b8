"""How many scans, networks and label maps a study has by its settings, before there is a split."""

from __future__ import annotations

from collections.abc import Iterable

from headct.run.cluster.gpu_hours import networks_by_effort
from headct.settings.blocks import Configuration


def test_scans(config: Configuration, scans: int) -> int:
    """About how many of the scans are in the test set."""
    return round(scans * config.split.test_fraction)


def scans_held_out(config: Configuration, scans: int, folds: Iterable[int | str]) -> int:
    """About how many of the training scans some folds hold out; ``all`` holds out none.

    Args:
        config: the configuration.
        scans: the number of scans that are divided into training and test set.
        folds: by their numbers.
    """
    training = scans - test_scans(config, scans)
    return round(training * sum(fold != "all" for fold in folds) / config.split.folds)


def networks(config: Configuration, model: str) -> int:
    """How many networks of a model are trained: by seed and fold, and for the learning curve those beside."""
    runs, curve = config.training, config.learning_curve
    found = {f"models/{model}/seed-{seed}/fold-{fold}" for seed in runs.seeds for fold in runs.folds}
    if curve and model in curve.models:
        found |= {curve.network(model, size, seed, runs) for size in curve.sizes for seed in curve.seeds}
    return len(found)


def kept_on_the_way(config: Configuration, model: str) -> int:
    """How many weights are kept in the course of a model's trainings, of those that hold out a fold."""
    runs = config.training
    if not runs.effort_curve or model not in networks_by_effort(config):
        return 0
    return len(runs.seeds) * sum(fold != "all" for fold in runs.folds) * len(runs.effort_curve.shares)


def label_maps(config: Configuration, scans: int, external: int) -> int:
    """About how many label maps there are: of test scans, of external sets, of what folds hold out.

    Args:
        config: the configuration.
        scans: the number of scans that are divided into training and test set.
        external: the number of scans in external sets.
    """
    runs, curve, effort = config.training, config.learning_curve, config.training.effort_curve
    of_each_model = test_scans(config, scans) + external
    # By the networks that did not learn from them: at the end of the trainings, and on the way.
    held_out = scans_held_out(config, scans, runs.folds)
    folded = sum(not model.is_from_outside for model in config.models.values())
    at_shares = len(networks_by_effort(config)) * len(effort.shares) if effort else 0
    found = len(runs.seeds) * (len(config.models) * of_each_model + (folded + at_shares) * held_out)
    if curve:
        of_curve = len(curve.models) * len(curve.sizes) * len(curve.seeds)
        found += of_curve * scans_held_out(config, scans, [curve.fold])
    return found
