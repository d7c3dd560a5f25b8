"""Scalp, skull and skull base: everything outside the skull cavity.

See :mod:`headct.simulate.anatomy` for the sources of the Hounsfield units.
"""

from __future__ import annotations

import numpy as np

from headct.simulate.acquisition import Floats, Samples
from headct.simulate.head import Bools, Head, Points

CAVITY_RADII_MM = (67.0, 84.0, 78.0)
"""Half-axes of the inner skull: lateral, antero-posterior, superior."""

HU_AIR, HU_FAT, HU_SOFT, HU_SKIN, HU_VITREOUS = -1000.0, -90.0, 52.0, 45.0, 12.0
HU_TABLE, HU_DIPLOE, HU_SUTURE, HU_BASE, HU_PETROUS = 1350.0, 620.0, 180.0, 850.0, 1500.0
HU_PAD = -880.0


def _sigmoid(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(x, -30, 30)))


def petrous_y_mm(points: Points) -> Floats:
    """Antero-posterior position of the petrous ridge: a V that opens to the back."""
    return np.float32(0.72) * np.abs(points.x) - 6


def _floor_mm(points: Points) -> Floats:
    """Height of the skull base over each (x, y): three fossae and the petrous ridge."""
    side = np.abs(points.x)
    orbital_roof = 9 * np.exp(-(((side - 28) / 15) ** 2) - ((points.y + 55) / 22) ** 2)
    anterior = -30 + orbital_roof
    middle = -30 - 13 * _sigmoid((side - 17) / 3)
    behind_ridge = points.y - petrous_y_mm(points)
    ridge = 17 * np.exp(-((behind_ridge / 7) ** 2)) * _sigmoid((side - 9) / 2.5)
    weight = _sigmoid((behind_ridge - 2) / 3)
    base = anterior + (middle - anterior) * _sigmoid((points.y + 32) / 3)
    return base + (-64 - base) * weight + ridge


def sample(head: Head, samples: Samples, points: Points, fine: Floats) -> tuple[Floats, Floats, Bools]:
    """HU of all that is not in the skull cavity, depth below the inner skull, and the cavity.

    ``points`` are the head coordinates of all samples, ``fine`` is the head's fine random field;
    results have their shape. The depth (mm) is
    approximate: exact at the skull, and along rays from the centre for a sphere.

    Args:
        head: that is sampled.
        samples: where, on its grid.
        points: head coordinates of all samples (mm).
        fine: the head's fine random field.
    """
    a = np.float32(CAVITY_RADII_MM[0]) * (1 + np.float32(0.05) * np.tanh(points.y / 40))
    up = points.z / np.float32(CAVITY_RADII_MM[2])
    down = points.z / np.float32(135)
    height = np.where(points.z > 0, up * up * (np.float32(0.8) + np.float32(0.2) * up * up), down * down)
    r = np.sqrt((points.x / a) ** 2 + (points.y / np.float32(CAVITY_RADII_MM[1])) ** 2 + height)
    length = np.sqrt(points.x**2 + points.y**2 + points.z**2)
    wall = (1 - r) * np.minimum(length / (r + np.float32(1e-3)), np.float32(84))
    hu = np.full(points.x.shape, HU_AIR, dtype=np.float32)
    _headrest(samples, hu)

    near = wall > -24
    there = points[near]
    outside = -wall[near]
    bumps = head.skull_field.on(samples)[near]
    fine = fine[near]
    floor = (there.z - _floor_mm(there)) * np.float32(0.85)
    skull_mm = head.skull_mm * (1 + np.float32(0.13) * bumps) + 2 * (there.y / 84) ** 2
    frontal = np.exp(-((there.x / 22) ** 2) - ((there.y + 82) / 25) ** 2 - ((there.z + 20) / 16) ** 2)
    skull_mm = skull_mm + 6 * np.float32(head.frontal_sinus_mm) * frontal
    shell = _vault(there, outside, skull_mm, fine)
    values = _scalp(head, there, outside - skull_mm, hu[near])
    values = np.where((outside >= 0) & (outside < skull_mm), shell, values)
    is_base = (outside < 0) & (floor < 0)
    values = np.where(is_base, _base(there, floor, fine), values)
    _cavities(head, there, outside, skull_mm, fine, values)
    hu[near] = values
    depth = np.minimum(wall, np.float32(1e6))
    depth[near] = np.minimum(-outside, floor)
    return hu, depth, depth > 0


def _headrest(samples: Samples, hu: Floats) -> None:
    """A thin curved shell below the occiput, fixed to the table."""
    radius = np.hypot(samples.x_mm[None, :], (samples.y_mm[:, None] - 8))
    is_shell = (np.abs(radius - 107) < 1.6) & (samples.y_mm[:, None] > 45)
    hu[:, is_shell] = HU_PAD + 900


def _vault(points: Points, outside: Floats, skull_mm: Floats, fine: Floats) -> Floats:
    """Two tables with diploe between them, and the coronal, sagittal and lambdoid sutures."""
    inner, outer = outside, skull_mm - outside
    table = np.maximum(_sigmoid((1.5 - inner) / 0.35), _sigmoid((1.9 - outer) / 0.35))
    values = HU_DIPLOE + 90 * fine + (HU_TABLE - HU_DIPLOE) * table
    zigzag = 1.6 * fine
    coronal = np.where(points.z > 5, points.y + 22 - 0.15 * points.z + zigzag, 99)
    sagittal = np.where((points.y > -22) & (points.y < 62) & (points.z > 20), points.x + zigzag, 99)
    lambdoid = np.where(
        (points.y > 30) & (points.z < 48),
        points.y - 64 + 0.55 * np.abs(points.x) - 0.25 * (points.z - 20) + zigzag,
        99,
    )
    suture = np.minimum(np.minimum(np.abs(coronal), np.abs(sagittal)), np.abs(lambdoid))
    return np.where(suture < 0.7, np.float32(HU_SUTURE), values)


def _scalp(head: Head, points: Points, outside_skull: Floats, background: Floats) -> Floats:
    """Skin over fat over muscle: the temporal muscles at the sides, neck muscles at the back."""
    side = np.abs(points.x)
    temporal = np.exp(-(((points.y + 22) / 26) ** 2) - ((points.z + 25) / 32) ** 2) * np.clip(
        (side - 40) / 15, 0, 1
    )
    neck = np.clip((-30 - points.z) / 25, 0, 1) * np.clip((points.y - 30) / 25, 0, 1)
    muscle_mm = 1.2 + 7 * temporal + 10 * neck
    scalp_mm = head.scalp_mm + 0.7 * (muscle_mm - 1.2)
    values = np.where(outside_skull < muscle_mm, np.float32(HU_SOFT), np.float32(HU_FAT))
    values = np.where(outside_skull > scalp_mm - 1.7, np.float32(HU_SKIN), values)
    return np.where(outside_skull < scalp_mm, values, background)


def _base(points: Points, floor: Floats, fine: Floats) -> Floats:
    """Below the floor of the fossae: a bone plate, petrous bone, and soft tissue below."""
    plate_mm = 2.4 + 5 * np.exp(-(((points.y - petrous_y_mm(points)) / 10) ** 2))
    clivus = (np.abs(points.x) < 13) & (np.abs(points.y + 8) < 9)
    is_bone = (-floor < plate_mm) | clivus
    petrous = np.exp(-(((points.y - petrous_y_mm(points)) / 9) ** 2))
    bone = HU_BASE + (HU_PETROUS - HU_BASE) * petrous + 110 * fine
    return np.where(is_bone, bone, np.where(fine > 1.3, np.float32(HU_FAT), np.float32(HU_SOFT)))


def _cavities(
    head: Head, points: Points, outside: Floats, skull_mm: Floats, fine: Floats, values: Floats
) -> None:
    """Orbits, and the air of frontal, ethmoid and sphenoid sinuses, mastoid cells and ear canals."""
    side = np.abs(points.x)
    is_base = values > -900

    def within(centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Floats:
        return (
            ((side - centre[0]) / radii[0]) ** 2
            + ((points.y - centre[1]) / radii[1]) ** 2
            + ((points.z - centre[2]) / radii[2]) ** 2
        )

    orbit = within((31, -64, -43), (18, 27, 15))
    is_orbit = is_base & (orbit < 1) & (outside < skull_mm + 2)
    values[is_orbit] = HU_FAT
    values[is_base & (orbit >= 1) & (orbit < 1.22) & (outside < skull_mm)] = HU_BASE
    globe = within((31, -71, -43), (11.5, 11.5, 11.5))
    values[is_orbit & (globe < 1)] = HU_VITREOUS
    values[is_orbit & (globe < 1) & (globe > 0.8)] = HU_SKIN
    values[is_orbit & (np.abs(side - 31 + 0.35 * (points.y + 60)) < 1.8) & (points.y > -60)] = HU_SOFT
    frontal = within((9, -89, -18), (13, 6, 13 * head.frontal_sinus_mm))
    in_bone = (outside > 1.8) & (skull_mm - outside > 1.8)
    air = (frontal < 1) & in_bone & (side > 0.8)
    air |= (within((0, -19, -44), (15, 11, 9)) < 1) & (side > 0.7)
    cells = np.abs(fine) < 0.75
    air |= (within((0, -52, -46), (10, 20, 14)) < 1) & cells
    air |= (within((54, 40, -48), (13, 15, 16)) < 1) & cells & (outside < skull_mm - 1.5)
    air |= np.hypot(points.y - 18, points.z + 50) + 100 * (side < 48) < 3.2
    values[air & is_base & ~is_orbit] = HU_AIR
