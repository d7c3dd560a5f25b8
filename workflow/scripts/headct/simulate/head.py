"""One participant's head: its size, pose, warp and mass effect, and coordinates within it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headct.simulate.acquisition import Floats, Samples
from headct.simulate.fields import SmoothField
from headct.simulate.random_streams import stream

Bools = NDArray[np.bool_]

WARP_SPACING_MM, WARP_MM = 55.0, 2.2
"""Bumps of the random warp that makes each head's shape its own: distance and SD."""

SULCUS_SPACING_MM = 5.5
"""Bumps of the field whose zero surfaces are the sulci."""

SULCUS_EXTENT_MM, SULCUS_LATTICE_MM = 94.0, 2.0
"""The lattice on which that field is looked up: it covers the brain."""


@dataclass(frozen=True)
class MassEffect:
    """Brain pushed away from a bleed: centre (head coordinates), bleed radius and largest shift, mm."""

    centre_mm: tuple[float, float, float]
    radius_mm: float
    shift_mm: float


@dataclass(frozen=True)
class Points:
    """Coordinates (x to the left, y to posterior, z to superior) of a list of points, mm."""

    x: Floats
    y: Floats
    z: Floats

    def __getitem__(self, selected: Bools) -> Points:
        return Points(self.x[selected], self.y[selected], self.z[selected])

    def distance(self, centre: tuple[float, float, float]) -> Floats:
        """Distance to a point."""
        cx, cy, cz = (np.float32(c) for c in centre)
        return np.sqrt((self.x - cx) ** 2 + (self.y - cy) ** 2 + (self.z - cz) ** 2)


@dataclass(frozen=True)
class Head:
    """Everything random about a head without its lesions. Lengths in mm, sizes relative to the mean.

    ``atrophy`` runs from 0 (young, full) to 1 (old, wide spaces); ``to_head`` is the rotation from
    patient to head coordinates.
    """

    size: tuple[float, float, float]
    to_head: NDArray[np.float32]
    atrophy: float
    scalp_mm: float
    skull_mm: float
    frontal_sinus_mm: float
    ventricle_growth_mm: float
    ventricle_asymmetry_mm: float
    calcified_pineal: bool
    calcified_plexus: bool
    leukoaraiosis_hu: float
    warp: tuple[SmoothField, SmoothField, SmoothField]
    skull_field: SmoothField
    texture: SmoothField
    fine: SmoothField
    sulci: Floats

    def coordinates(self, samples: Samples) -> Points:
        """Head coordinates of all samples, each of shape (planes, rows, columns)."""
        wx, wy, wz = (field.on(samples) for field in self.warp)
        x = samples.x_mm + np.float32(WARP_MM) * wx
        y = samples.y_mm[:, None] + np.float32(WARP_MM) * wy
        z = samples.z_mm[..., None] + np.float32(WARP_MM) * wz
        m = self.to_head / np.asarray(self.size, dtype=np.float32)[:, None]
        turned = [m[i, 0] * x + m[i, 1] * y + m[i, 2] * z for i in range(3)]
        return Points(*turned)


def random_head(seed: int, participant: str, age_years: float, tilt_deg: float) -> Head:
    """Draw a head. CSF spaces widen from middle age on, at a pace that varies between people.

    Where a technologist tilts the gantry, the head is also inclined, though less: the slices stay
    oblique to the skull base by part of the tilt.

    Args:
        seed: of the trial.
        participant: whose head it is; with the seed it decides everything else.
        age_years: by which CSF spaces widen.
        tilt_deg: of the gantry.
    """
    random = stream(seed, participant, "head")
    atrophy = float(np.clip((age_years - 45) / 45 + random.normal(0, 0.15), 0, 1))
    pitch, roll, yaw = np.radians(
        [0.4 * tilt_deg + random.normal(0, 3), random.normal(0, 2), random.normal(0, 3)]
    )
    overall = random.normal(1, 0.025)

    def draw_size() -> float:
        return float(overall * random.normal(1, 0.018))

    def draw_warp() -> SmoothField:
        return SmoothField.random(random, WARP_SPACING_MM)

    return Head(
        size=(draw_size(), draw_size(), draw_size()),
        to_head=_rotation(pitch, roll, yaw),
        atrophy=atrophy,
        scalp_mm=float(random.uniform(4.5, 7)),
        skull_mm=float(random.uniform(5, 7)),
        frontal_sinus_mm=float(random.uniform(0.4, 1.3)),
        ventricle_growth_mm=float(-0.6 + 3.2 * atrophy + random.normal(0, 0.6)),
        ventricle_asymmetry_mm=float(random.normal(0, 0.5)),
        calcified_pineal=bool(random.random() < 0.6),
        calcified_plexus=bool(random.random() < 0.5),
        leukoaraiosis_hu=float(8 * atrophy * random.random()),
        warp=(draw_warp(), draw_warp(), draw_warp()),
        skull_field=SmoothField.random(random, 30.0),
        texture=SmoothField.random(random, 12.0),
        fine=SmoothField.random(random, 4.5),
        sulci=SmoothField.random(random, SULCUS_SPACING_MM).lattice(SULCUS_EXTENT_MM, SULCUS_LATTICE_MM),
    )


def _rotation(pitch: float, roll: float, yaw: float) -> NDArray[np.float32]:
    """Rotation from patient to head coordinates; pitch turns the head's axis to posterior."""

    def about(axis: int, angle: float) -> NDArray[np.float64]:
        matrix = np.eye(3)
        i, j = [k for k in range(3) if k != axis]
        cos, sin = np.cos(angle), np.sin(angle)
        matrix[[i, i, j, j], [i, j, i, j]] = cos, -sin, sin, cos
        return matrix

    return (about(0, pitch) @ about(1, roll) @ about(2, yaw)).astype(np.float32)


def push_back(points: Points, effect: MassEffect, depth_mm: Floats) -> Points:
    """Where displaced tissue was before the bleed pushed it away.

    The shift is radial, full at the bleed's surface, falls off beyond it with 30 mm, and vanishes
    towards the skull, which does not give way.
    """
    dx, dy, dz = (
        coordinate - np.float32(centre)
        for coordinate, centre in zip((points.x, points.y, points.z), effect.centre_mm, strict=True)
    )
    distance = np.sqrt(dx**2 + dy**2 + dz**2) + np.float32(1e-3)
    beyond = np.maximum(distance - np.float32(effect.radius_mm), 0) / np.float32(30)
    shift = effect.shift_mm * np.exp(-(beyond**2)) * np.clip(depth_mm / 22, 0, 1)
    factor = shift * np.minimum(1, distance / np.float32(effect.radius_mm)) / distance
    return Points(points.x - dx * factor, points.y - dy * factor, points.z - dz * factor)
