"""What a simulated trial is made from: the ``phantom`` block of the configuration, typed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from headct.contracts.problems import BadInput, Problem
from headct.settings.blocks import Configuration, Phantom, SimulatedSet, SimulatedSite

LESIONS = {"ICH": 1, "PHE": 2, "IVH": 3}
"""What the simulator can draw, whatever the lesions of a study are; each with its value in the truth.

The masks that are written have the values of the configuration instead."""


@dataclass(frozen=True)
class Site(SimulatedSite):
    """One centre and its scanner.

    ``upper_slice_thickness_mm`` is used above the posterior fossa, ``slice_thickness_mm`` below; the
    gaps of a site are even where the two are equal. ``resolution_mm`` is the full width at half
    maximum of the kernel's point spread in the plane of the slice.
    """

    upper_slice_thickness_mm: float

    @property
    def is_even(self) -> bool:
        """Whether all gaps between slices are equal."""
        return self.slice_thickness_mm == self.upper_slice_thickness_mm


@dataclass(frozen=True)
class ExternalSet(SimulatedSet):
    """An external set of the trial, and its sites."""

    sites: tuple[Site, ...]


@dataclass(frozen=True)
class TrialSettings(Phantom):
    """The whole ``phantom`` block, and the mask value of each class."""

    external_set: ExternalSet | None
    sites: tuple[Site, ...]
    labels: Mapping[str, int]


def from_configuration(config: Configuration, file: str) -> TrialSettings:
    """As :func:`from_block`, of a whole configuration; a lesion of several values has the first in masks."""
    values = {name: lesion.value[0] for name, lesion in config.labels.items()}
    return from_block(config.phantom, values, file)


def from_block(block: Phantom | None, labels: Mapping[str, int], file: str) -> TrialSettings:
    """The settings of a simulated trial, from blocks of the configuration ``file``.

    ``labels`` are values of masks by label; a lesion that is no label has that of :data:`LESIONS`.

    Raises:
        BadInput: no ``phantom`` block, or one that contradicts itself.
    """
    if block is None:
        raise BadInput([Problem(file, "this configuration describes no simulated trial", key="phantom")])
    volumes_ml = {label: block.volumes_ml[label] for label in LESIONS}
    typed = {"sites": _sites(block.sites), "external_set": _external_set(block.external_set)}
    settings = TrialSettings(
        **vars(block) | typed | {"volumes_ml": volumes_ml, "labels": {**LESIONS, **_own(labels)}}
    )
    problems = [Problem(file, message, key=f"phantom.{key}") for key, message in _contradictions(settings)]
    if problems:
        raise BadInput(problems)
    return settings


def _own(labels: Mapping[str, int]) -> dict[str, int]:
    """The values of lesions that the simulator can draw."""
    return {label: value for label, value in labels.items() if label in LESIONS}


def _external_set(block: SimulatedSet | None) -> ExternalSet | None:
    return None if block is None else ExternalSet(**vars(block) | {"sites": _sites(block.sites)})


def _sites(blocks: Iterable[SimulatedSite]) -> tuple[Site, ...]:
    return tuple(map(_site, blocks))


def _site(site: SimulatedSite) -> Site:
    upper = site.upper_slice_thickness_mm
    return Site(
        **vars(site) | {"upper_slice_thickness_mm": site.slice_thickness_mm if upper is None else upper}
    )


def _contradictions(settings: TrialSettings) -> list[tuple[str, str]]:
    found = []
    for label, volumes in settings.volumes_ml.items():
        if len(volumes) != 5 or volumes[0] <= 0 or list(volumes) != sorted(set(volumes)):
            message = "needs five increasing volumes above 0: minimum, quartiles, maximum"
            found.append((f"volumes_ml.{label}", message))
    if len(set(settings.labels.values())) < len(LESIONS):
        message = f"two lesions would have one value in the masks: {dict(settings.labels)}"
        found.append(("volumes_ml", message))
    if settings.incomplete_participants and not any(site.is_even for site in settings.sites):
        message = "a missing section shows only where gaps are even, and no site has even gaps"
        found.append(("incomplete_participants", message))
    elsewhere = settings.external_set.sites if settings.external_set else ()
    for key, entries in (
        ("sites", settings.sites),
        ("external_set.sites", (*settings.sites, *elsewhere)),
        ("raters", settings.raters),
    ):
        names = [entry.name for entry in entries]
        if len(set(names)) < len(names):
            found.append((key, "two entries have the same name"))
    if len(settings.raters) < 2:
        found.append(("raters", "inter-rater agreement needs at least two raters"))
    return found
