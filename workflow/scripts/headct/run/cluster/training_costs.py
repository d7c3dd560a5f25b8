"""What trainings take, before they run: steps, hours and GPU memory, from measured rates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headct.contracts.artefacts import read_json
from headct.frameworks.base import find_framework, training_settings
from headct.run.cluster import rates as rate_table
from headct.run.cluster.counts import scans_held_out, test_scans
from headct.run.cluster.gpu_hours import budgets_in_steps
from headct.run.cluster.rates import Rate
from headct.settings.blocks import ALL_PARTICIPANTS, Configuration
from headct.settings.budget import as_long_as, length_of
from headct.settings.models import OF_TRAINING, Training, having


@dataclass(frozen=True)
class Span:
    """From the least to the most that something takes."""

    low: float
    high: float

    @classmethod
    def around(cls, values: Iterable[float]) -> Span | None:
        """From the least to the greatest of some values; None if there are none."""
        found = list(values)
        return cls(min(found), max(found)) if found else None

    @classmethod
    def total(cls, spans: Iterable[Span | None]) -> Span | None:
        """The sum of those that are known; None if none is."""
        known = [span for span in spans if span is not None]
        return cls(sum(one.low for one in known), sum(one.high for one in known)) if known else None

    def times(self, factor: float) -> Span:
        """So many times as much."""
        return Span(self.low * factor, self.high * factor)

    def text(self, form: str) -> str:
        """One number where both ends are printed alike, else both."""
        low, high = format(self.low, form), format(self.high, form)
        return low if low == high else f"{low} to {high}"


@dataclass(frozen=True)
class Speeds:
    """The rates that a plan goes by.

    Attributes:
        rates: all that are known.
        card: the GPU that is planned for, as Slurm or a person names it; empty if none is named.
        device: of the study, ``cuda`` or ``cpu``.
    """

    rates: Sequence[Rate]
    card: str
    device: str

    def of(self, task: str, kind: str) -> tuple[Rate, ...]:
        """The rates of a task on the card that is planned for or, if there are none, on all others."""
        alike = tuple(r for r in self.rates if (r.task, r.kind, r.device) == (task, kind, self.device))
        return rate_table.on_card(alike, self.card) or alike

    def gpu_memory_mb(self, settings: Training) -> float | None:
        """The most that a training with these settings took on any GPU; None if that was not measured."""
        kind = find_framework(settings.framework).rated_as(settings)
        peaks = [r.peak_gpu_memory_mb for r in self.rates if (r.task, r.kind) == ("train", kind)]
        return max((peak for peak in peaks if peak is not None), default=None)


@dataclass(frozen=True)
class Cost:
    """What one training takes.

    Attributes:
        model: its key.
        steps: of the optimiser; None if its settings don't say.
        seconds: None if nothing like it was measured.
        source: where the seconds are from; empty if there are none.
        is_of_another_card: whether they were measured on another GPU than the one that is planned for.
        rates: by which the seconds were found; none of a training that is finished.
    """

    model: str
    steps: int | None
    seconds: Span | None
    source: str
    is_of_another_card: bool = False
    rates: tuple[Rate, ...] = ()


def scans_learnt_from(config: Configuration, scans: int, fold: int | str) -> int:
    """About how many of the scans a training learns from that holds out a fold, or none (``all``)."""
    return scans - test_scans(config, scans) - scans_held_out(config, scans, [fold])


def preparation_of(settings: Training, study: Path) -> Mapping[str, Any]:
    """The record of what a model learns from; empty where it is not prepared yet."""
    name = find_framework(settings.framework).representation(settings)
    path = study / "results/models/preparation" / f"{name}.json"
    found: Mapping[str, Any] = read_json(path) if path.is_file() else {}
    return found


def cost_of(training: str, config: Configuration, scans: int, study: Path, speeds: Speeds) -> Cost:
    """What a training takes: as an equal one that is finished, else by rates.

    Args:
        training: ``unet/seed-1/fold-all``, as its folder is called, or ``unet/size-50/seed-1/fold-0``, one of
            a learning curve, of which each participant is taken to have one scan.
        config: the configuration.
        scans: the number of all scans.
        study: its folder.
        speeds: what was measured.
    """
    model, *of_curve, _, fold = training.split("/")
    settings = training_settings(config.models[model])
    learnt_from = scans_learnt_from(config, scans, fold.removeprefix("fold-"))
    size = of_curve[0].removeprefix("size-") if of_curve else ALL_PARTICIPANTS
    if size != ALL_PARTICIPANTS:
        learnt_from = int(size)
    budget = budgets_in_steps(config, speeds.rates).get(model)
    length = length_of(settings, budget, learnt_from, preparation_of(settings, study)) if budget else None
    settings = as_long_as(settings, length)
    steps = length.steps if length else settings.steps(learnt_from)
    if budget and not length:
        return Cost(model, None, None, "")
    folder = "results/learning_curve/models" if of_curve else "results/models"
    finished = study / folder / training / "train.json"
    if finished.is_file():
        record = read_json(finished)
        is_as_long = record.get("budget", {}).get("steps") == (length.steps if length else None)
        if is_as_long and having(settings, *OF_TRAINING).items() <= record["settings"].items():
            took = float(record["seconds"])
            return Cost(model, steps, Span(took, took), f"this study, on {record['sessions'][-1]['device']}")
    found = speeds.of("train", find_framework(settings.framework).rated_as(settings))
    if steps is None or not found:
        return Cost(model, steps, None, "")
    validated = settings.validation_steps()
    seconds = [steps * (r.s_per_step or 0) + validated * (r.s_per_validation_step or 0) for r in found]
    is_of_another_card = not rate_table.on_card(found, speeds.card)
    cards = ", ".join(
        dict.fromkeys(rate.card if rate.is_of_this_workflow else f"{rate.card} (published)" for rate in found)
    )
    source = f"another card: {cards}" if is_of_another_card else cards
    return Cost(model, steps, Span.around(seconds), source, is_of_another_card, found)
