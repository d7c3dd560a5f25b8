"""Checkpoints that survive a kill at any moment: written whole, checked when read, two kept."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any

import torch

from headct.artefacts import sha256_of, write_atomically

logger = logging.getLogger(__name__)
KEPT = 2


def save(folder: Path, state: dict[str, Any], step: int) -> None:
    """Write ``state`` (tensors and plain types) as the checkpoint of ``step``; keep the last two.

    The file's name carries the digest of its bytes, so that there is no moment at which a checkpoint
    stands without the means to check it.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    pending = folder / f"checkpoint-{step:09d}.pth"
    with write_atomically(pending) as temporary:
        temporary.write_bytes(buffer.getbuffer())
    pending.replace(folder / f"checkpoint-{step:09d}-{sha256_of(pending)}.pth")
    for old in _checkpoints(folder)[:-KEPT]:
        old.unlink()


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


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob("checkpoint-*-*.pth"))
