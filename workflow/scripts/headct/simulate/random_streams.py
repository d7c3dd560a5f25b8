"""Independent random streams, keyed by what they are for."""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: int, participant: str, purpose: str) -> np.random.Generator:
    """A generator that depends on its three keys only.

    Keyed by name, not by order of use: another participant, or another draw for another purpose,
    leaves every existing stream as it was.
    """
    keys = (zlib.crc32(participant.encode()), zlib.crc32(purpose.encode()))
    return np.random.default_rng([seed, *keys])
