"""Anatomy of the head without lesions, as functions of head coordinates.

Structures are placed at about their atlas positions (Talairach-like; the origin is the middle of
the skull cavity, some 5 mm below the line from anterior to posterior commissure), and given the
Hounsfield units (HU) of the literature:

- grey matter 37-41, white matter 20-34 (Arimitsu et al., Neuroradiology 2011, mean 38 and 28),
  CSF 0-15 (Osborn, Diagnostic Imaging: Brain), falx and tentorium 40-60
- bone tables 1000-1900, diploe 300-800 (Lillie et al., J Anat 2015); muscle and skin 40-60, fat
  -110 to -70; vitreous 10; air -1000
- calcified pineal gland and choroid plexus: above 100
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from headct.simulate import skull
from headct.simulate.acquisition import Floats, Samples
from headct.simulate.head import (
    SULCUS_EXTENT_MM,
    SULCUS_LATTICE_MM,
    SULCUS_SPACING_MM,
    Bools,
    Head,
    MassEffect,
    Points,
    push_back,
)

HU_GREY, HU_WHITE, HU_CSF, HU_FALX, HU_BRAINSTEM = 38.0, 28.0, 6.0, 52.0, 32.0
HU_CALCIFICATION = 160.0

LATERAL_VENTRICLE_MM = (
    # from, to (x of one side), radius from, radius to: horns and body, then atrium and its horns
    ((8.5, -33.0, 6.0), (7.0, -12.0, 15.0), 3.2, 4.2),
    ((7.0, -12.0, 15.0), (13.0, 17.0, 20.0), 4.2, 4.4),
    ((13.0, 17.0, 20.0), (24.0, 33.0, 7.0), 4.4, 6.2),
    ((24.0, 33.0, 7.0), (20.0, 57.0, 2.0), 5.0, 1.4),
    ((24.0, 32.0, 4.0), (32.0, 5.0, -17.0), 3.4, 1.6),
)
"""Capsules of one lateral ventricle; the temporal horn comes last."""


@dataclass(frozen=True)
class Anatomy:
    """A sampled head.

    ``hu`` and ``is_cavity`` have shape (planes, rows, columns); the others list the points of the skull
    cavity, in the order of ``is_cavity``.

    ``ventricle_mm`` is the signed distance from the ventricles' wall, negative inside;
    ``can_bleed`` marks brain tissue (no CSF space, no dura), ``is_white`` white matter;
    ``compartment`` is 1 and 2 for the right and left cerebrum, 3 below the tentorium.
    """

    hu: Floats
    is_cavity: Bools
    points: Points
    depth_mm: Floats
    ventricle_mm: Floats
    can_bleed: Bools
    is_white: Bools
    compartment: np.ndarray


def capsule_mm(
    points: Points,
    start: tuple[float, float, float],
    end: tuple[float, float, float],
    radii: tuple[float, float],
) -> Floats:
    """Signed distance to a capsule whose radius changes linearly from its start to its end.

    Args:
        points: head coordinates (mm).
        start, end: centres of its two ends (mm).
        radii: at the start and at the end (mm).
    """
    axis = np.subtract(end, start).astype(np.float32)
    dx, dy, dz = (
        points.x - np.float32(start[0]),
        points.y - np.float32(start[1]),
        points.z - np.float32(start[2]),
    )
    t = np.clip((dx * axis[0] + dy * axis[1] + dz * axis[2]) / (axis @ axis), 0, 1)
    distance = np.sqrt((dx - t * axis[0]) ** 2 + (dy - t * axis[1]) ** 2 + (dz - t * axis[2]) ** 2)
    return distance - np.float32(radii[0]) - t * np.float32(radii[1] - radii[0])


def ellipsoid_mm(
    points: Points, centre: tuple[float, float, float], radii: tuple[float, float, float]
) -> Floats:
    """Approximate signed distance to an ellipsoid: exact on its surface and for spheres."""
    radii32 = np.asarray(radii, dtype=np.float32)
    u, v, w = (
        (coordinate - np.float32(c)) / r
        for coordinate, c, r in zip((points.x, points.y, points.z), centre, radii32, strict=True)
    )
    return (np.sqrt(u * u + v * v + w * w) - 1) * radii32.min()


def ventricles_mm(points: Points, head: Head) -> Floats:
    """Signed distance from the wall of the lateral, third and fourth ventricle, negative inside."""
    side = Points(np.abs(points.x), points.y, points.z)
    lateral = np.full(points.x.shape, np.inf, dtype=np.float32)
    for start, end, *radii in LATERAL_VENTRICLE_MM:
        np.minimum(lateral, capsule_mm(side, start, end, (radii[0], radii[1])), out=lateral)
    lateral += np.float32(head.ventricle_asymmetry_mm) * np.sign(points.x)
    # the septum pellucidum keeps the two apart
    lateral = np.maximum(lateral - np.float32(head.ventricle_growth_mm), np.float32(0.9) - side.x)
    third = ellipsoid_mm(points, (0, 4, 2), (1.8, 14, 9)) - np.float32(0.6 * head.ventricle_growth_mm)
    fourth = np.maximum(
        ellipsoid_mm(points, (0, 36, -34), (7.5, 5.0, 11)), ellipsoid_mm(points, (0, 42, -34), (9, 9, 13))
    ) - np.float32(0.4 * head.ventricle_growth_mm)
    return np.minimum(lateral, np.minimum(third, fourth))


def tentorium_z_mm(points: Points) -> Floats:
    """Height of the tentorium over each (x, y)."""
    return 3 - np.float32(0.42) * np.abs(points.x) - np.float32(0.38) * np.maximum(points.y - 32, 0)


def sample(head: Head, samples: Samples, effect: MassEffect) -> Anatomy:
    """Sample one head, with its brain pushed aside by the mass effect of its bleed."""
    everywhere = head.coordinates(samples)
    fine = head.fine.on(samples)
    hu, depth, is_cavity = skull.sample(head, samples, everywhere, fine)
    rest = everywhere[is_cavity]
    depth_mm = depth[is_cavity]
    points = push_back(rest, effect, depth_mm)
    texture = head.texture.on(samples)[is_cavity]
    fine = fine[is_cavity]

    tent = points.z - tentorium_z_mm(points)
    behind_ridge = points.y - skull.petrous_y_mm(points)
    is_below = (tent < 0) & (behind_ridge > 0)
    flat = Points(points.x * np.float32(0.8), points.y, points.z)
    stem = capsule_mm(flat, (0, 13, -8), (0, 10, -64), (11.5, 10.5))
    ventricle_mm = ventricles_mm(points, head) + pressed_in_mm(rest, effect)

    values, is_white, is_csf = _cerebrum(head, points, depth_mm, ventricle_mm, fine, effect)
    lower, lower_csf = _posterior_fossa(points, depth_mm, stem, fine, head.atrophy)
    values = np.where(is_below, lower, values)
    is_csf = np.where(is_below, lower_csf, is_csf)
    is_stem = (stem < 0) & (points.z < 0)
    values[is_stem] = HU_BRAINSTEM
    is_csf &= ~is_stem
    values += np.float32(1.2) * texture

    is_csf |= _cisterns(points, stem, fine, head.atrophy)
    values[is_csf] = HU_CSF
    is_ventricle = ventricle_mm < 0
    values[is_ventricle] = HU_CSF
    is_dura = _falx(rest, points, tent, depth_mm) & ~is_ventricle
    values[is_dura] = HU_FALX
    values += (HU_FALX - values) * _tentorium(points, tent, behind_ridge) * ~is_ventricle
    _calcify(head, points, ventricle_mm, values)
    hu[is_cavity] = values
    return Anatomy(
        hu=hu,
        is_cavity=is_cavity,
        points=rest,
        depth_mm=depth_mm,
        ventricle_mm=ventricle_mm,
        can_bleed=~is_ventricle & ~is_dura & ~(is_csf & (depth_mm < 9)),
        is_white=is_white & ~is_below,
        compartment=np.where(is_below | is_stem, 3, np.where(points.x < 0, 1, 2)).astype(np.uint8),
    )


def _sulcal_field(head: Head, points: Points) -> Floats:
    """The folding field, read along rays from the centre so that sulci stand upright on the surface."""
    radius = np.sqrt((points.x / 67) ** 2 + (points.y / 84) ** 2 + (points.z / 76) ** 2) + np.float32(0.05)
    stretch = radius ** np.float32(-0.92)
    index = [
        (coordinate * stretch + np.float32(SULCUS_EXTENT_MM)) / np.float32(SULCUS_LATTICE_MM)
        for coordinate in (points.z, points.y, points.x)
    ]
    return ndimage.map_coordinates(head.sulci, index, order=1, mode="nearest", output=np.float32)


def _cerebrum(
    head: Head, points: Points, depth: Floats, ventricle: Floats, fine: Floats, effect: MassEffect
) -> tuple[Floats, Bools, Bools]:
    """HU, white matter and CSF of the cerebrum: rim, sulci, cortex, Sylvian fissures, deep nuclei."""
    side_x = np.abs(points.x)
    rim = np.float32(0.8 + 2.2 * head.atrophy)
    below_pia = depth - rim
    # sulci close where the bleed presses the brain against the skull
    squeeze = 1 - 0.8 * np.exp(-((points.distance(effect.centre_mm) / (effect.radius_mm * 1.8 + 1)) ** 2))
    near = below_pia < 22
    fold = np.full(depth.shape, np.inf, dtype=np.float32)
    fold[near] = np.abs(_sulcal_field(head, points[near]))
    # the field changes by about 1 over its spacing: its zero surfaces are the sulci
    to_sulcus = fold * np.float32(0.9 * SULCUS_SPACING_MM)
    width = (0.4 + 0.9 * head.atrophy) * np.clip(1.3 - below_pia / 19, 0, 1) * squeeze
    medial = side_x - np.float32(0.5) - (0.5 + head.atrophy) * np.clip(1.4 - below_pia / 40, 0, 1)
    # insular cistern: a curved sheet that thins out towards its rim; Sylvian cleft: from it to the side
    y, z = (points.y + 4) / 25, (points.z - 1) / 15
    insula_mm = (1.0 + 1.3 * head.atrophy) * squeeze * (1 - y * y - z * z)
    insula = np.abs(side_x - 41 + 5 * y * y + 1.1 * fine) - np.maximum(insula_mm, -9)
    cleft_mm = (1.3 + 1.6 * head.atrophy) * squeeze * (1 - ((points.y + 8) / 28) ** 2)
    cleft = np.abs(points.z + 3 - 0.75 * (points.y + 9) + 1.5 * fine) * np.float32(0.8) - cleft_mm
    cleft = np.where(side_x > 37, cleft, np.inf)
    fissure = np.minimum(
        np.minimum(insula, cleft), np.where(points.z > -12, medial + (ventricle < 4) * 9, np.inf)
    )
    is_csf = (below_pia < 0) | (to_sulcus < width) | (fissure < 0)
    # two superposed cortical banks line each sulcus
    is_grey = (
        (below_pia < 3.2) | (to_sulcus < width + 2.4 * np.clip(1.4 - below_pia / 22, 0, 1)) | (fissure < 2.6)
    )
    side = Points(side_x, points.y, points.z)
    nuclei = np.minimum(
        np.minimum(
            capsule_mm(side, (22, -14, 2), (28, 10, 3), (7, 5.5)),
            ellipsoid_mm(side, (10.5, 14, 7), (8, 13, 9)),
        ),
        capsule_mm(side, (13.5, -24, 8), (17, 0, 20), (4.5, 2.5)),
    )
    is_grey |= nuclei < 0
    values = np.where(is_grey, np.float32(HU_GREY), np.float32(HU_WHITE))
    values -= head.leukoaraiosis_hu * np.exp(-np.maximum(ventricle, 0) / 6) * ~is_grey
    return values, ~is_grey & ~is_csf, is_csf


def _posterior_fossa(
    points: Points, depth: Floats, stem: Floats, fine: Floats, atrophy: float
) -> tuple[Floats, Bools]:
    """HU and CSF of cerebellum and of the cisterns about it."""
    side = Points(np.abs(points.x), points.y, points.z)
    core = ellipsoid_mm(side, (17, 40, -34), (11, 13, 8))
    values = np.where(core < 0, np.float32(HU_WHITE + 2), np.float32(HU_GREY - 1))
    folia = np.abs(fine + 0.35 * np.sin(points.z * np.float32(1.4) + points.y * np.float32(0.25)))
    is_csf = (depth < 0.8 + 1.5 * atrophy) | ((folia < 0.05 + 0.1 * atrophy) & (depth < 12) & (points.y > 25))
    in_front = (stem > 0) & (stem < (4.5 + 2 * atrophy) * np.clip((13 - points.y) / 12, 0, 1))
    magna = ellipsoid_mm(points, (0, 62, -52), (9, 10, 10)) < 0
    return values, is_csf | in_front | magna


def _cisterns(points: Points, stem: Floats, fine: Floats, atrophy: float) -> Bools:
    """Suprasellar star, interpeduncular, ambient and quadrigeminal cisterns."""
    angle = np.arctan2(points.x, points.y + 10)
    rays = 1 + 0.3 * np.cos(5 * angle + np.pi) + 0.12 * fine
    star = np.hypot(points.x, points.y + 10) - (8 + 2 * atrophy) * rays
    suprasellar = (star < 0) & (points.z > -25) & (points.z < -13)
    # wide behind the midbrain, narrow at its sides
    behind = np.clip((points.y - 14) / 12, 0, 1)
    width = (0.5 + 1.1 * atrophy) * (0.7 + 0.3 * fine) + 2.6 * behind
    ambient = (stem > 0) & (stem < width) & (points.z > -19) & (points.z < -5)
    notch = ellipsoid_mm(points, (0, -1, -17), (3.5, 5, 6)) < 0
    return suprasellar | notch | (ambient & (points.y > 4))


def _falx(rest: Points, points: Points, tent: Floats, depth: Floats) -> Bools:
    """Falx and sagittal sinus. The falx gives way to mass effect by a third of what the brain does."""
    x = np.float32(0.67) * rest.x + np.float32(0.33) * points.x
    over_callosum = np.hypot((points.y - 5) / 44, points.z / 30) > 1
    falx = (np.abs(x) < 0.75) & over_callosum & (tent > 0) & (points.z > -14) & (depth < 48)
    sinus = (np.hypot(rest.x, depth - 3) < 3.2) & (points.y > 30) & (points.z > -20)
    return falx | sinus


def _tentorium(points: Points, tent: Floats, behind_ridge: Floats) -> Floats:
    """Share of the tentorium in each sub-voxel: soft, as it lies nearly in the plane of the slices."""
    is_there = (np.hypot(points.x, points.y - 8) > 21) & (behind_ridge > 0)
    return np.float32(0.4) * np.exp(-((tent / 1.8) ** 2)) * is_there


def pressed_in_mm(rest: Points, effect: MassEffect) -> Floats:
    """How far the wall of a ventricle is pressed in beside a bleed: up to 4 mm by a large one."""
    beyond = np.maximum(rest.distance(effect.centre_mm) - np.float32(effect.radius_mm), 0)
    return min(4.0, 0.16 * effect.radius_mm) * np.exp(-((beyond / 14) ** 2))


def _calcify(head: Head, points: Points, ventricle: Floats, values: Floats) -> None:
    if head.calcified_pineal:
        values[points.distance((0, 27, 3)) < 2.3] = HU_CALCIFICATION
    if head.calcified_plexus:
        plexus = Points(np.abs(points.x), points.y, points.z)
        values[(plexus.distance((23, 34, 8)) < 2.6) & (ventricle < 0)] = HU_CALCIFICATION
