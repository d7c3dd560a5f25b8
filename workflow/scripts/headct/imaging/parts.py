"""Whether two series are parts of one stack of slices, by where their slices lie.

Scanners and archives file one head under several series: base and vertex with other kernels, the upper
half sent under a new UID. Two reconstructions of one scan, or two scans of one head, cover the same
stretch instead. Here are only places along the slices' normal, in mm; what else must agree is for
:mod:`headct.imaging.series`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAME_POSITION_MM = 0.01

MOST = 0.5

LARGEST_LOSS_MM = 100.0
"""A wider gap between two series is no lost section of a head: they are of different parts of the body."""


@dataclass(frozen=True)
class Places:
    """Where the slices of a series lie: positions in mm, increasing, and Slice Thickness, NaN if unknown."""

    positions_mm: NDArray[np.float64]
    thickness_mm: NDArray[np.float64]

    def gaps(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The gaps between neighbouring slices and those to be expected there, in mm.

        A gap is expected to be as wide as most; where the thickness of every slice is known, the ratio of gap
        to thickness is, so that sections of 5 mm at the base and 10 mm above are complete.
        """
        gaps = np.diff(self.positions_mm)
        local = (self.thickness_mm[:-1] + self.thickness_mm[1:]) / 2
        thickness_known = bool(np.isfinite(local).all() and (local > 0).all())
        expected = local * np.median(gaps / local) if thickness_known else np.full(len(gaps), np.median(gaps))
        return gaps, expected

    def stretches(self, maximum_gap_ratio: float) -> list[tuple[float, float]]:
        """First and last position of each run of slices in which no section is missing."""
        if len(self.positions_mm) < 2:
            return [(position, position) for position in self.positions_mm.tolist()]
        gaps, expected = self.gaps()
        runs = np.split(self.positions_mm, np.flatnonzero(gaps >= maximum_gap_ratio * expected) + 1)
        return [(float(run[0]), float(run[-1])) for run in runs]

    def own_share(self, other: Places, maximum_gap_ratio: float) -> float:
        """Share of the slices that lie where ``other`` has none.

        That is outside of its stretches, or (where thicknesses are known) between its slices with room for a
        whole one: every second slice of a head is no other reconstruction.
        """
        positions = self.positions_mm
        outside = np.ones(len(positions), dtype=bool)
        for lowest, highest in other.stretches(maximum_gap_ratio):
            outside &= (positions < lowest - SAME_POSITION_MM) | (positions > highest + SAME_POSITION_MM)
        distance = np.abs(positions[:, None] - other.positions_mm)
        room = (self.thickness_mm[:, None] + other.thickness_mm) / 2
        between = (distance >= room - SAME_POSITION_MM).all(axis=1)  # NaN compares false
        return float(np.mean(outside | between))


def are_parts(first: Places, second: Places, maximum_gap_ratio: float) -> bool:
    """Whether most slices of either lie where the other has none, less than the largest loss apart.

    A single slice is a part only where it lies next to the others; elsewhere it is a test shot.
    """
    own = min(first.own_share(second, maximum_gap_ratio), second.own_share(first, maximum_gap_ratio))
    return own > MOST and distance_mm(first, second) <= _reach_mm(first, second, maximum_gap_ratio)


def are_neighbours(first: Places, second: Places, maximum_gap_ratio: float) -> bool:
    """Whether one begins where the other ends: by a slice before it, or with no room for a lost one."""
    lower, upper = sorted((first, second), key=lambda places: float(places.positions_mm[0]))
    step = upper.positions_mm[0] - lower.positions_mm[-1]
    usual = max(_usual_gap_mm(first), _usual_gap_mm(second))
    return bool(-usual - SAME_POSITION_MM <= step < maximum_gap_ratio * usual)


def distance_mm(first: Places, second: Places) -> float:
    """Distance between the two nearest slices."""
    return float(np.abs(first.positions_mm[:, None] - second.positions_mm).min())


def follow_each_other(parts: Sequence[Places], maximum_gap_ratio: float) -> bool:
    """Whether parts neither overlap nor alternate: one run of slices for each of their stretches at most."""
    positions = np.concatenate([part.positions_mm for part in parts])
    owners = np.concatenate([np.full(len(part.positions_mm), index) for index, part in enumerate(parts)])
    order = np.argsort(positions, kind="stable")
    runs = 1 + np.count_nonzero(np.diff(owners[order]))
    apart = (np.diff(positions[order]) > SAME_POSITION_MM).all()
    return bool(apart and runs <= sum(len(part.stretches(maximum_gap_ratio)) for part in parts))


def _usual_gap_mm(places: Places) -> float:
    """Median gap; of a single slice the thickness, 0 where that is unknown."""
    if len(places.positions_mm) > 1:
        return float(np.median(np.diff(places.positions_mm)))
    return float(np.nan_to_num(places.thickness_mm[0]))


def _reach_mm(first: Places, second: Places, maximum_gap_ratio: float) -> float:
    if min(len(first.positions_mm), len(second.positions_mm)) > 1:
        return LARGEST_LOSS_MM
    return maximum_gap_ratio * max(_usual_gap_mm(first), _usual_gap_mm(second))
