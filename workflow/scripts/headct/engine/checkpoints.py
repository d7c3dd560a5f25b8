"""Checkpoints that survive a kill at any moment: written whole, checked when read, two kept."""

from __future__ import annotations

import hashlib
import io
import logging
import os
from pathlib import Path
from typing import Any

import torch

from headct.contracts.artefacts import sha256_of, write_atomically
from headct.engine.workfolder import CHECKPOINTS_KEPT

logger = logging.getLogger(__name__)


def save(folder: Path, state: dict[str, Any], step: int) -> None:
    """Write ``state`` (tensors and plain types) as the checkpoint of ``step``; keep the last two.

    The file's name carries the digest of its bytes, so that there is no moment at which a checkpoint
    stands without the means to check it.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    digest = hashlib.sha256(buffer.getbuffer()).hexdigest()
    with write_atomically(folder / f"checkpoint-{step:09d}-{digest}.pth") as temporary:
        temporary.write_bytes(buffer.getbuffer())
    _make_durable(folder)
    for old in _checkpoints(folder)[:-CHECKPOINTS_KEPT]:
        old.unlink()


def _make_durable(folder: Path) -> None:
    """Have the file system remember the new name, too, should the machine go down now."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def load_latest(folder: Path) -> tuple[int, dict[str, Any]] | None:
    """Step and state of the newest whole checkpoint in ``folder``; None where there is none.

    A damaged one is named in the log and the one before it is used.
    """
    for path in reversed(_checkpoints(folder)):
        _, step, digest = path.stem.split("-")
        if sha256_of(path) == digest:
            return int(step), torch.load(path, map_location="cpu", weights_only=True)
        logger.warning("checkpoint of step %d is damaged; going back to the one before", int(step))
    return None


def latest_step(folder: Path) -> int:
    """Step of the newest checkpoint in ``folder``, unchecked; 0 where there is none."""
    return max((int(path.stem.split("-")[1]) for path in _checkpoints(folder)), default=0)


def remove_unfinished(folder: Path) -> None:
    """Take away what a killed process left half written; nobody else may be writing."""
    for path in folder.glob(".checkpoint-*"):
        path.unlink()


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob("checkpoint-*-*.pth"))
