"""Bleeds, oedema and intraventricular blood: where they lie, and exactly as much as was drawn.

Each lesion is the top of a ranking: every sub-voxel that may hold it has a potential, a smooth
function of position with a random part, and the highest are taken until the volume is met, within
one sub-voxel.

Hounsfield units: acute clot 48-65 (Bergstrom et al., Radiology 1977: linear in haematocrit, 45 %
gives about 56), oedema about 18 (Volbers et al., Eur J Neurol 2011: 5-33 HU as threshold window),
intraventricular blood mixed with CSF about 52.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headct.simulate.acquisition import Floats
from headct.simulate.anatomy import pressed_in_mm, ventricles_mm
from headct.simulate.fields import SmoothField
from headct.simulate.head import Bools, Head, MassEffect, Points
from headct.simulate.random_streams import stream

HU_ICH, HU_PHE, HU_IVH = (53.0, 64.0), (15.0, 20.0), (46.0, 57.0)
"""Range of each participant's mean."""

SITES = (
    # name, centre of one side (head coordinates, mm), share, largest bleed that it is chosen for
    ("putamen", (27.0, 0.0, 4.0), 0.36, 200.0),
    ("thalamus", (13.0, 14.0, 8.0), 0.20, 60.0),
    ("caudate", (15.0, -19.0, 12.0), 0.04, 40.0),
    ("frontal", (32.0, -46.0, 24.0), 0.10, 200.0),
    ("parietal", (34.0, 34.0, 38.0), 0.10, 200.0),
    ("temporal", (45.0, -4.0, -18.0), 0.07, 90.0),
    ("occipital", (24.0, 58.0, 8.0), 0.05, 90.0),
    ("cerebellum", (22.0, 46.0, -34.0), 0.07, 30.0),
    ("pons", (3.0, 11.0, -32.0), 0.01, 8.0),
)
"""Sites of spontaneous bleeds: about 60 % deep, a third lobar, under a tenth infratentorial, as in
TICH-2 (Sprigg et al., Lancet 2018;391:2107, Table 1)."""

BESIDE_VENTRICLE = ("thalamus", "caudate", "putamen")


@dataclass(frozen=True)
class Bleed:
    """Where and how one participant bleeds. Lengths in mm, patient coordinates turned to the head's.

    ``lobes`` are ellipsoids: centre, radii relative to that of a sphere of the drawn volume, and a
    rotation (rows are the axes).
    """

    location: str
    side: str
    radius_mm: float
    lobes: tuple[tuple[tuple[float, float, float], tuple[float, ...], NDArray[np.float32]], ...]
    effect: MassEffect
    hu: dict[str, float]
    ragged: SmoothField
    spread: SmoothField
    pool: SmoothField
    clot: SmoothField


@dataclass(frozen=True)
class Truth:
    """The lesions: a class per point of the cavity (0 where there is none) and volumes in mL."""

    classes: NDArray[np.uint8]
    requested_ml: dict[str, float]
    met_ml: dict[str, float]
    truncated: dict[str, bool]


def sphere_radius_mm(volume_ml: float) -> float:
    """Radius of the sphere of this volume."""
    return float((3 * volume_ml * 1000 / (4 * np.pi)) ** (1 / 3))


def draw_bleed(seed: int, participant: str, volumes_ml: dict[str, float]) -> Bleed:
    """Choose location, shape, density and mass effect. Bleeds with IVH lie beside a ventricle more often."""
    random = stream(seed, participant, "bleed")
    near_ventricle = volumes_ml["IVH"] > 0
    shares = np.array(
        [
            share * (largest >= volumes_ml["ICH"]) * (3 if near_ventricle and name in BESIDE_VENTRICLE else 1)
            for name, _, share, largest in SITES
        ]
    )
    name, centre, _, _ = SITES[random.choice(len(SITES), p=shares / shares.sum())]
    sign = random.choice((-1.0, 1.0))
    centre = np.array(centre) * (sign, 1, 1) + random.normal(0, 3.0, 3)
    radius = sphere_radius_mm(volumes_ml["ICH"])
    lobes = []
    for lobe in range(1 + random.integers(0, 3)):
        direction = random.standard_normal(3)
        offset = 0 if lobe == 0 else 0.75 * radius * direction / np.linalg.norm(direction)
        relative = np.exp(random.normal(0, 0.22, 3))
        relative *= (1 if lobe == 0 else random.uniform(0.45, 0.75)) / np.prod(relative) ** (1 / 3)
        axes, _ = np.linalg.qr(random.standard_normal((3, 3)))
        where = tuple(float(value) for value in centre + offset)
        lobes.append(((where[0], where[1], where[2]), tuple(map(float, relative)), axes.astype(np.float32)))
    bump = float(np.clip(0.6 * radius, 5, 14))
    effect = MassEffect(
        centre_mm=lobes[0][0],
        radius_mm=radius,
        shift_mm=float(min(0.40 * radius, 11.0) * random.uniform(0.5, 1)),
    )
    fields = [SmoothField.random(random, spacing) for spacing in (bump, max(8.0, bump), 12.0, 6.0)]
    hu = {
        label: float(random.uniform(*limits))
        for label, limits in (("ICH", HU_ICH), ("PHE", HU_PHE), ("IVH", HU_IVH))
    }
    return Bleed(name, "left" if sign > 0 else "right", radius, tuple(lobes), effect, hu, *fields)


def ventricle_growth_mm(head: Head, effect: MassEffect, ivh_ml: float) -> float:
    """How far the ventricles' wall moves out for the blood: they hold at least 1.3 times its volume.

    Blood dilates ventricles (casting, hydrocephalus), by 10 mm at most here.
    """
    if ivh_ml == 0:
        return 0.0
    step = 3.0
    z, y, x = np.meshgrid(*(np.arange(-75, 78, step, dtype=np.float32),) * 3, indexing="ij")
    points = Points(x.ravel(), y.ravel(), z.ravel())
    distance = ventricles_mm(points, head) + pressed_in_mm(points, effect)
    needed = int(1.3 * ivh_ml * 1000 / step**3)
    return float(np.clip(np.partition(distance, needed)[needed], 0, 10))


def ich_potential(bleed: Bleed, points: Points, ragged: Floats) -> Floats:
    """Minus the distance, in mm, from the union of the lobes' centres, made irregular."""
    nearest = np.full(points.x.shape, np.inf, dtype=np.float32)
    for centre, relative, axes in bleed.lobes:
        delta = np.stack(
            [c - np.float32(o) for c, o in zip((points.x, points.y, points.z), centre, strict=True)]
        )
        scaled = (axes @ delta) / np.asarray(relative, dtype=np.float32)[:, None]
        np.minimum(nearest, np.sqrt(np.einsum("ij,ij->j", scaled, scaled)), out=nearest)
    return 0.22 * bleed.radius_mm * ragged - nearest


def phe_potential(bleed: Bleed, ich: Floats, spread: Floats, is_white: Bools, depth_mm: Floats) -> Floats:
    """Oedema follows the bleed's border, irregularly, and spreads in white matter first.

    Args:
        bleed: whose border it follows.
        ich: potential of the bleed itself.
        spread: a random field that makes it irregular.
        is_white: where white matter is.
        depth_mm: below the inner skull.
    """
    cortex = np.clip(1 - depth_mm / 8, 0, 1)
    return ich + (0.8 + 0.08 * bleed.radius_mm) * spread + 2.5 * is_white - 6 * cortex


def ivh_potential(points: Points, patient_y_mm: Floats, pool: Floats, bleed: Bleed) -> Floats:
    """Blood sinks to the back of the supine patient's ventricles, more on the side of the bleed.

    Args:
        points: head coordinates (mm).
        patient_y_mm: the supine patient's front to back (mm).
        pool: a random field that makes it irregular.
        bleed: on whose side there is more.
    """
    return patient_y_mm + 5 * pool - 0.25 * points.distance(bleed.effect.centre_mm)


def take(
    potential: Floats, allowed: Bools, each_ml: Floats, volume_ml: float
) -> tuple[NDArray[np.intp], float]:
    """Indices of the highest potentials that together have the volume, and the volume they have.

    The last sub-voxel is taken if that brings the sum nearer; all allowed ones are taken when they
    are too few. Ties go by index, so the result is unique.

    Args:
        potential: of each sub-voxel.
        allowed: which may be taken.
        each_ml: volume of each (mL).
        volume_ml: that is wanted (mL).
    """
    candidates = np.flatnonzero(allowed)
    if volume_ml <= 0 or not len(candidates):
        return candidates[:0], 0.0
    # only about as many as are needed have to be sorted
    enough = int(volume_ml / each_ml[candidates].min()) + 1
    if enough < len(candidates):
        values = potential[candidates]
        candidates = candidates[values >= np.partition(values, len(values) - enough)[len(values) - enough]]
    order = candidates[np.argsort(-potential[candidates], kind="stable")]
    sums = np.cumsum(each_ml[order], dtype=np.float64)
    n = int(np.searchsorted(sums, volume_ml))
    if n < len(sums):
        before = sums[n - 1] if n else 0.0
        n += bool(sums[n] - volume_ml < volume_ml - before)
    return order[:n], float(sums[n - 1]) if n else 0.0
