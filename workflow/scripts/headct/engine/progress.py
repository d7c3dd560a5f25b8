"""What a person sees of a training: a line in the log per epoch, and curves in TensorBoard."""

from __future__ import annotations

import logging
import os
import platform
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from torch.utils.tensorboard.writer import SummaryWriter

from headct.contracts.artefacts import write_json
from headct.engine.processes import SECONDS_BETWEEN_LINES

EFFECT = "speed"  # what a person sees of a training meanwhile

logger = logging.getLogger(__name__)

TENSORBOARD = "tensorboard"
PROGRESS = "progress.json"
"""The last epoch that was told, for ``headct.run.cluster.status`` and ``headct.run.pilot``."""


class Progress:
    """Tells of each epoch; where epochs are short, of the last one every few seconds.

    Args:
        model: its key.
        folder: work folder of the run; TensorBoard's files are in ``tensorboard`` below it.
        first, total: iterations done before this session, and in the whole run.
        epochs_done: epochs already in the history; what TensorBoard has of later ones is void.
    """

    def __init__(self, model: str, folder: Path, first: int, total: int, epochs_done: int):
        self.model, self.folder, self.first, self.total = model, folder, first, total
        self.start = self.last_message_s = self.last_epoch_s = time.monotonic()
        self.last_epoch_done = first
        self.board = SummaryWriter(str(folder / TENSORBOARD), purge_step=epochs_done + 1)

    def tell(self, entry: dict[str, Any], n_epochs: int, done: int, waiting: float) -> None:
        """Report the epoch of ``entry``, after ``done`` iterations.

        ``waiting`` is the share of this session's time that was spent waiting for data.

        Args:
            entry: what the history says of the epoch.
            n_epochs: of the whole training.
            done: iterations so far.
            waiting: share of this session's time that was spent waiting for data, 0 to 1.
        """
        for name, value in _scalars(entry).items():
            self.board.add_scalar(name, value, entry["epoch"])
        now = time.monotonic()
        s_per_step = (now - self.last_epoch_s) / (done - self.last_epoch_done)
        self.last_epoch_s, self.last_epoch_done = now, done
        if now - self.last_message_s < SECONDS_BETWEEN_LINES and done < self.total:
            return
        self.last_message_s = now
        seconds_left = round((now - self.start) / (done - self.first) * (self.total - done))
        dice = "  ".join(
            f"{label} {'–' if value is None else f'{value:.2f}'}"
            for label, value in entry["pseudo_dice"].items()
        )
        logger.info(
            "%s  epoch %d/%d  loss %.3f  pseudo-Dice %s  waited for data %.0f %%  ETA %s",
            self.model,
            entry["epoch"],
            n_epochs,
            entry["train_loss"],
            dice,
            100 * waiting,
            timedelta(seconds=seconds_left),
        )
        at = {
            "epochs": n_epochs,
            "seconds_left": seconds_left,
            "s_per_step": s_per_step,  # of this epoch, with its validation and the checkpoint before it
            "host": platform.node(),
            "pid": os.getpid(),
        }
        with suppress(OSError):  # a full disk ends a training by its checkpoint, which says what to do
            write_json({**entry, **at}, self.folder / PROGRESS)

    def close(self) -> None:
        """Write what TensorBoard has not got yet."""
        self.board.close()


def _scalars(entry: dict[str, Any]) -> dict[str, float]:
    """The numbers of an epoch by their name in TensorBoard."""
    flat = {name: value for name, value in entry.items() if name not in ("epoch", "pseudo_dice")}
    flat |= {f"pseudo_dice/{label}": value for label, value in entry["pseudo_dice"].items()}
    return {name: value for name, value in flat.items() if value is not None}
