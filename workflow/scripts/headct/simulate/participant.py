"""One simulated participant, from random streams to a scanned image and its true label map."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from headct.simulate import anatomy, lesion_placement
from headct.simulate.acquisition import AcquisitionGeometry, Floats, plan, scan
from headct.simulate.anatomy import Anatomy
from headct.simulate.head import Head, random_head
from headct.simulate.lesion_placement import Bleed, Truth
from headct.simulate.random_streams import stream
from headct.simulate.settings import LESIONS, Site, TrialSettings
from headct.simulate.volumes import Clinical, draw_clinical, draw_volumes_ml

CHUNK_SUBVOXELS = 600_000
"""Sub-voxels sampled at a time: few enough to stay in cache and memory, many enough for numpy."""


@dataclass(frozen=True)
class Participant:
    """A simulated scan. ``image`` is int16 HU, shape (z, y, x), bottom slice first.

    ``fractions`` has shape (classes, z, y, x): the share of each voxel that background and the
    lesions take.
    """

    name: str
    site: Site
    clinical: Clinical
    geometry: AcquisitionGeometry
    bleed: Bleed
    truth: Truth
    image: NDArray[np.int16]
    fractions: Floats


@dataclass(frozen=True)
class _Part:
    """The points of some slices that lesions may take, with their potentials."""

    anatomy: Anatomy
    ich: Floats
    phe: Floats
    ivh: Floats
    clot: Floats
    each_ml: Floats


def simulate(settings: TrialSettings, name: str, site: Site) -> Participant:
    """Simulate one participant; a pure function of its arguments."""
    clinical = draw_clinical(settings, name)
    requested = draw_volumes_ml(settings, name)
    geometry = plan(settings, site, name)
    bleed = lesion_placement.draw_bleed(settings.seed, name, requested)
    head = random_head(settings.seed, name, clinical.age_years, geometry.tilt_deg)
    growth = lesion_placement.ventricle_growth_mm(head, bleed.effect, requested["IVH"])
    head = replace(head, ventricle_growth_mm=head.ventricle_growth_mm + growth)
    per_slice = (geometry.matrix * geometry.in_plane) ** 2 * geometry.through_plane
    step = max(1, CHUNK_SUBVOXELS // per_slice)
    n_slices = len(geometry.table_mm)
    chunks = [slice(start, min(start + step, n_slices)) for start in range(0, n_slices, step)]
    parts = [_sample(head, bleed, geometry, chunk) for chunk in chunks]
    truth = _take_lesions(parts, requested)
    hu, fractions = _render(parts, truth, bleed, geometry)
    image = scan(hu, geometry, site, stream(settings.seed, name, "noise"))
    return Participant(name, site, clinical, geometry, bleed, truth, image, fractions)


def _sample(head: Head, bleed: Bleed, geometry: AcquisitionGeometry, chunk: slice) -> _Part:
    samples = geometry.samples(chunk)
    sampled = anatomy.sample(head, samples, bleed.effect)
    inside, points = sampled.is_cavity, sampled.points
    ich = lesion_placement.ich_potential(bleed, points, bleed.ragged.on(samples)[inside])
    phe = lesion_placement.phe_potential(
        bleed, ich, bleed.spread.on(samples)[inside], sampled.is_white, sampled.depth_mm
    )
    patient_y = np.broadcast_to(samples.y_mm[None, :, None], inside.shape)[inside]
    ivh = lesion_placement.ivh_potential(points, patient_y, bleed.pool.on(samples)[inside], bleed)
    per_plane = np.repeat(geometry.subvoxel_ml[chunk], geometry.through_plane)
    each = np.broadcast_to(per_plane.astype(np.float32)[:, None, None], inside.shape)[inside]
    return _Part(sampled, ich, phe, ivh, bleed.clot.on(samples)[inside], each)


def _take_lesions(parts: list[_Part], requested: dict[str, float]) -> Truth:
    """Rank the sub-voxels of the whole head and take the lesions, ICH first."""

    def whole(get: str) -> NDArray[Any]:
        return np.concatenate([getattr(part, get) for part in parts])

    def all_of(get: str) -> NDArray[Any]:
        return np.concatenate([getattr(part.anatomy, get) for part in parts])

    each, ich = whole("each_ml"), whole("ich")
    compartment = all_of("compartment")
    can_bleed = all_of("can_bleed")
    home = compartment[np.argmax(np.where(can_bleed, ich, -np.inf))]
    can_bleed = can_bleed & (compartment == home)
    rules = {
        "ICH": (ich, can_bleed),
        "PHE": (whole("phe"), can_bleed),
        "IVH": (whole("ivh"), all_of("ventricle_mm") < 0),
    }
    classes = np.zeros(len(each), dtype=np.uint8)
    met, truncated = {}, {}
    for label, value in LESIONS.items():
        potential, allowed = rules[label]
        taken, met[label] = lesion_placement.take(potential, allowed & (classes == 0), each, requested[label])
        classes[taken] = value
        truncated[label] = bool(requested[label] - met[label] > each.max())
    return Truth(classes, requested, met, truncated)


def _render(
    parts: list[_Part], truth: Truth, bleed: Bleed, geometry: AcquisitionGeometry
) -> tuple[Floats, Floats]:
    """Voxel averages of HU, and each class's share of the voxels."""
    hu, fractions, start = [], [], 0
    for part in parts:
        end = start + len(part.each_ml)
        classes = truth.classes[start:end]
        values = part.anatomy.hu
        points = values[part.anatomy.is_cavity]
        for label, value in LESIONS.items():
            taken = classes == value
            points[taken] = bleed.hu[label] + 2.5 * part.clot[taken]
        values[part.anatomy.is_cavity] = points
        whole = np.zeros(values.shape, dtype=np.uint8)
        whole[part.anatomy.is_cavity] = classes
        hu.append(geometry.average(values))
        lesion = [geometry.average(whole == value) for value in LESIONS.values()]
        fractions.append(np.stack([1 - sum(lesion), *lesion]))
        start = end
    return np.concatenate(hu), np.concatenate(fractions, axis=1)
