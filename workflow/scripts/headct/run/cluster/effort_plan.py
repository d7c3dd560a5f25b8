"""Steps, patches and hours of a training of each model: by its own epochs and, if there is one, the budget.

Hours are from rates of the network. Where none is known they are a guess, marked as one: from the fastest to
the slowest step of any network on that device, which can be far off.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headct.contracts.columns import aligned
from headct.frameworks.base import find_framework
from headct.run.cluster import rates as rate_table
from headct.run.cluster.gpu_hours import (
    SECONDS_PER_HOUR,
    budgets_in_steps,
    networks_in_epochs,
    step_s,
    validation_share,
)
from headct.run.cluster.rates import Rate
from headct.run.cluster.training_costs import Span, Speeds, preparation_of, scans_learnt_from
from headct.settings.blocks import Budget, Configuration
from headct.settings.budget import steps_of
from headct.settings.models import Training

GUESSED = "~"
UNKNOWN = "?"
WIDTH = 118


@dataclass(frozen=True)
class Effort:
    """What a training takes; None is what nothing says.

    Attributes:
        steps: of the optimiser.
        patches: that the network sees.
        seconds: on the device of the study.
        is_guessed: whether the seconds are those of any network.
    """

    steps: int | None
    patches: int | None
    seconds: Span | None
    is_guessed: bool = False

    def cells(self) -> tuple[str, str, str]:
        """Steps, patches and hours, as they are printed."""
        return _count(self.steps), _count(self.patches), self._hours()

    def _hours(self) -> str:
        if self.seconds is None:
            return UNKNOWN
        hours = self.seconds.times(1 / SECONDS_PER_HOUR)
        return GUESSED * self.is_guessed + hours.text(".1f" if hours.high >= 1 else ".2f")


def sum_of(efforts: Iterable[Effort], times: int = 1) -> Effort:
    """All of some trainings, each so many times; what is unknown of one of them is unknown of the sum."""
    parts = list(efforts)
    unknown = any(one.seconds is None for one in parts)
    seconds = None if unknown else Span.total(one.seconds for one in parts)
    return Effort(
        _sum([one.steps for one in parts], times),
        _sum([one.patches for one in parts], times),
        seconds and seconds.times(times),
        any(one.is_guessed for one in parts),
    )


def _sum(numbers: Sequence[int | None], times: int) -> int | None:
    known = [number for number in numbers if number is not None]
    return times * sum(known) if len(known) == len(numbers) else None


def _count(number: int | None) -> str:
    return UNKNOWN if number is None else f"{number:,}"


def effort_of(
    settings: Training, steps: int | None, patches_of_step: int | None, rates: Sequence[Rate], guess: bool
) -> Effort:
    """The effort of a training of so many steps.

    Args:
        settings: of the training.
        steps: of the optimiser.
        patches_of_step: None if that is not known.
        rates: by which a step takes seconds.
        guess: whether they are those of any network.
    """
    if steps is None:
        return Effort(None, None, None)
    patches = None if patches_of_step is None else steps * patches_of_step
    share = validation_share(settings)
    seconds = Span.around(steps * step_s(rate, share) for rate in rates)
    return Effort(steps, patches, seconds, guess and seconds is not None)


def rates_of(settings: Training, speeds: Speeds) -> tuple[tuple[Rate, ...], bool]:
    """The rates of a network or, if there are none, of any network on the device; and whether it is these.

    Args:
        settings: of the training.
        speeds: what was measured.
    """
    own = speeds.of("train", find_framework(settings.framework).rated_as(settings))
    if own:
        return own, False
    others = [rate for rate in speeds.rates if (rate.task, rate.device) == ("train", speeds.device)]
    return rate_table.on_card(others, speeds.card) or tuple(others), True


def effort_table(config: Configuration, folder: Path, scans: int, speeds: Speeds) -> Iterator[str]:
    """A row for each network that is trained in epochs, for each ensemble of such, and for all trainings.

    Args:
        config: the configuration.
        folder: of the study; what is prepared there says how many patches a step has.
        scans: that are divided into training and test set.
        speeds: what was measured.
    """
    networks = networks_in_epochs(config)
    if not networks:
        return
    budgets = budgets_in_steps(config, speeds.rates)
    learnt_from = scans_learnt_from(config, scans, config.training.folds[0])
    own, within, batches, guessed = dict[str, Effort](), dict[str, Effort](), dict[str, int | None](), []
    for key, settings in networks.items():
        batches[key] = settings.patches_of_step(preparation_of(settings, folder))
        rates, guess = rates_of(settings, speeds)
        guessed += [key] if guess and rates else []
        own[key] = effort_of(settings, settings.steps(learnt_from), batches[key], rates, guess)
        if key in budgets:
            steps = steps_of(budgets[key], batches[key])
            within[key] = effort_of(settings, steps, batches[key], rates, guess)
    kinds = [own, within] if within else [own]
    yield from aligned(_rows(config, batches, kinds), right=range(1, 8))
    for sentence in _in_words(config, speeds, batches, guessed, within):
        yield from textwrap.wrap(sentence, WIDTH)


def _rows(
    config: Configuration, batches: Mapping[str, int | None], kinds: Sequence[Mapping[str, Effort]]
) -> list[tuple[str, ...]]:
    heads = (("own steps", "patches", "hours"), ("budget steps", "patches", "hours"))
    rows = [("one training", "batch", *(word for head in heads[: len(kinds)] for word in head))]
    for key, batch in batches.items():
        rows.append((key, _count(batch), *(cell for kind in kinds for cell in kind[key].cells())))
    for key, model in config.models.items():
        members = [member for member in model.members if member in batches]
        if members:
            sums = [sum_of(kind[member] for member in members) for kind in kinds]
            rows.append((f"{key} (sum)", "", *(cell for one in sums for cell in one.cells())))
    times = len(config.training.seeds) * len(config.training.folds)
    sums = [sum_of(kind.values(), times) for kind in kinds]
    name = f"all {times * len(batches)} by seed and fold"
    return [*rows, (name, "", *(cell for one in sums for cell in one.cells()))]


def _in_words(
    config: Configuration,
    speeds: Speeds,
    batches: Mapping[str, int | None],
    guessed: Sequence[str],
    within: Mapping[str, Any],
) -> Iterator[str]:
    yield "A training learns from its patches: steps times the batch. An ensemble is the sum of its members."
    if config.training.budget:
        yield f"Each training runs for the budget: {budget_in_words(config.training.budget)}."
    elif len(batches) > 1:
        yield "Each training runs for its own epochs; training.budget would give all the same."
    unplanned = [key for key, batch in batches.items() if batch is None]
    if unplanned:
        what = "Patches (and the steps of a budget of patches)" if within else "Patches"
        known = "are known once the scans are prepared: nnU-Net plans its batch."
        yield f"{what} of {', '.join(unplanned)} {known}"
    if guessed:
        where = speeds.card or ("a GPU" if speeds.device == "cuda" else "a CPU")
        yield (
            f"{GUESSED} is a guess: of {', '.join(guessed)} no rate is known. It goes from the fastest to "
            f"the slowest step of any network with a rate on {where}, or on another card if there is none."
        )


def budget_in_words(budget: Budget) -> str:
    """A budget as a person would say it: 900,000 patches."""
    if budget.gpu_hours is not None:
        return f"{budget.gpu_hours:g} GPU-hours on {budget.card}"
    return f"{budget.patches:,} patches" if budget.patches is not None else f"{budget.steps:,} steps"
