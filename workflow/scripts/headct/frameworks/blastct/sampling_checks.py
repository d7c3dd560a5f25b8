"""What can be known of BLAST-CT's settings before any job starts, without the package."""

from __future__ import annotations

from collections.abc import Iterator

from headct.contracts.problems import Problem
from headct.frameworks.blastct.settings import BlastctTraining

EFFECT = "speed"  # it refuses settings, and makes nothing

SCALE = 5
"""Downsampling of DeepMedic's coarsest path, along each axis."""


def problems(settings: BlastctTraining) -> Iterator[Problem]:
    """A patch that does not fit the network; the network itself would say the same."""
    layers, patch = len(settings.feature_maps), settings.patch_size_voxels
    least = (2 * layers + 1) * SCALE
    if any(side % SCALE or side < least for side in patch):
        message = f"with {layers} layers each side must be a multiple of {SCALE} and at least {least}"
        yield Problem("", message, key="patch_size_voxels", value=str(list(patch)))
