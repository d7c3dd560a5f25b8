"""The loop in which every framework's network is trained.

A framework brings a :class:`Learner`: its network, one optimiser step, and its batches by number. All
that must be the same for every framework is here: batches in order, checkpoints by time and by epoch,
the end in good order when a scheduler asks for it, the stop at a loss that is no number, and progress.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from headct.contracts.problems import Stopped
from headct.engine import checkpoints, kept_weights, seeding
from headct.engine.batches import NumberedBatches, in_order
from headct.engine.faults import LossWatch, explained, room_for_checkpoint
from headct.engine.progress import Progress
from headct.engine.stopping import StopRequest, stop_requests
from headct.engine.training_job import TrainingJob
from headct.settings.models import TrainingInEpochs

logger = logging.getLogger(__name__)


class Learner(Protocol):
    """One network on its way, as its framework trains it; it holds all that changes but the position."""

    epochs: int
    iterations_per_epoch: int
    training_batches: NumberedBatches
    validation_batches: NumberedBatches
    validation_iterations_per_epoch: int

    def learn(self, images: Tensor, *targets: Tensor) -> Tensor:
        """One step of the optimiser; the loss, a detached scalar that is not waited for."""
        ...

    def end_epoch(self, epoch: int, validation: Iterable[list[Tensor]]) -> dict[str, Any]:
        """What the history says of epoch number ``epoch``, from 0, as ``learning_rate`` and ``pseudo_dice``.

        ``validation`` yields the epoch's ``validation_iterations_per_epoch`` batches.
        """
        ...

    def state(self) -> dict[str, Any]:
        """Everything that a resumed run needs: tensors and plain types; ``network`` are the weights."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Take up what :meth:`state` gave."""
        ...


@dataclass
class Position:
    """Where a run stands: iterations done, the loss summed over the epoch begun, and the epochs so far.

    ``seconds`` and ``seconds_waiting`` (for data) count all sessions up to here.
    """

    loss_sum: Tensor
    iteration: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    seconds_waiting: float = 0.0


def fit(job: TrainingJob[TrainingInEpochs], learner: Learner, folder: Path) -> Position:
    """Train to the last epoch, from the newest checkpoint in ``folder`` where there is one.

    Raises:
        FloatingPointError: a loss is no number.
        RuntimeError: memory is exhausted, or a data worker died.
        OSError: the disk is full.
        Stopped: a scheduler, a time limit or a person asked for an end; the state is saved.
    """
    run = _Run(job, learner, folder)
    if run.at.iteration < run.total:
        with stop_requests() as stop, explained(job, lambda: run.at.iteration):
            run.to_the_end(stop)
    return run.at


class _Run:
    """A session of a training run, from where it stood to its end."""

    def __init__(self, job: TrainingJob[TrainingInEpochs], learner: Learner, folder: Path):
        self.job, self.learner, self.folder = job, learner, folder
        self.total = job.steps or learner.epochs * learner.iterations_per_epoch
        self.at = self._resumed()
        self.session_start = (self.at.seconds, self.at.seconds_waiting)
        self.clock = self.saved = time.monotonic()
        self.watch = LossWatch(job, folder)

    def _resumed(self) -> Position:
        found = checkpoints.load_latest(self.folder)
        if found is None:
            return Position(torch.zeros((), dtype=torch.float64, device=self.job.device))
        iteration, state = found
        self.learner.restore(state["learner"])
        position = {**state["position"], "loss_sum": state["position"]["loss_sum"].to(self.job.device)}
        return Position(iteration=iteration, **position)

    def to_the_end(self, stop: StopRequest) -> None:
        """Do all iterations that are left."""
        n_validation = self.learner.validation_iterations_per_epoch
        workers = self.job.settings.workers
        epoch = self.at.iteration // self.learner.iterations_per_epoch
        training = in_order(
            self.learner.training_batches, self.at.iteration, self.total, workers, self.job.device
        )
        validation = in_order(
            self.learner.validation_batches, epoch * n_validation, None, (workers + 1) // 2, self.job.device
        )
        progress = Progress(self.job.model, self.folder, self.at.iteration, self.total, len(self.at.history))
        with closing(training), closing(validation), closing(progress):
            while self.at.iteration < self.total:
                self._learn_from(self._next(training))
                if self.at.iteration in self.job.kept_steps:
                    self._keep()
                epoch, batch_of_epoch = divmod(self.at.iteration, self.learner.iterations_per_epoch)
                if batch_of_epoch == 0 or self.at.iteration == self.total:
                    self._end_epoch(islice(validation, n_validation), progress)
                if self._checkpoint_is_due(epoch, batch_of_epoch) or stop.signal_name:
                    self._save()
                if stop.signal_name and self.at.iteration < self.total:
                    raise Stopped(
                        f"{self.job.model}: stopped by {stop.signal_name} after {self.at.iteration} of "
                        f"{self.total} iterations, all saved; run again to go on"
                    )

    def _next(self, training: Iterator[list[Tensor]]) -> list[Tensor]:
        start = time.monotonic()
        try:
            return next(training)
        except Exception:
            self._save()  # the network is as the last batch left it
            raise
        finally:
            self.at.seconds_waiting += time.monotonic() - start

    def _learn_from(self, batch: list[Tensor]) -> None:
        seeding.seed_step(self.job.seed, self.job.fold, self.at.iteration)
        loss = self.learner.learn(*batch)
        self.watch.add(self.at.iteration, batch, loss)
        self.at.loss_sum += loss
        self.at.iteration += 1

    def _end_epoch(self, validation: Iterator[list[Tensor]], progress: Progress) -> None:
        """End an epoch, of which the last of a training with a budget may be shorter than the others."""
        self.watch.check_all()
        self._count_seconds()
        before = len(self.at.history)
        batches = self.at.iteration - before * self.learner.iterations_per_epoch
        self.at.history.append(
            {
                "epoch": before + 1,
                "train_loss": self.at.loss_sum.item() / batches,
                **self.learner.end_epoch(before, validation),
            }
        )
        self.at.loss_sum.zero_()
        seconds, waiting = self.session_start
        share = (self.at.seconds_waiting - waiting) / (self.at.seconds - seconds)
        progress.tell(self.at.history[-1], self.learner.epochs, self.at.iteration, share)

    def _checkpoint_is_due(self, epoch: int, batch_of_epoch: int) -> bool:
        settings = self.job.settings
        by_epoch = batch_of_epoch == 0 and epoch % settings.checkpoint_interval_epochs == 0
        by_time = time.monotonic() - self.saved >= 60 * settings.checkpoint_interval_minutes
        return by_epoch or by_time or self.at.iteration == self.total

    def _save(self) -> None:
        self.watch.check_all()
        self._count_seconds()
        position = {name: value for name, value in vars(self.at).items() if name != "iteration"}
        with room_for_checkpoint(self.job, self.folder):
            checkpoints.save(
                self.folder, {"learner": self.learner.state(), "position": position}, self.at.iteration
            )
        self.saved = time.monotonic()

    def _keep(self) -> None:
        """Keep the weights, before a checkpoint of the same step: what goes on from that has them."""
        self._count_seconds()
        with room_for_checkpoint(self.job, self.folder):
            kept_weights.save(
                self.folder, self.at.iteration, self.learner.state()["network"], self.at.seconds
            )

    def _count_seconds(self) -> None:
        now = time.monotonic()
        self.at.seconds += now - self.clock
        self.clock = now
