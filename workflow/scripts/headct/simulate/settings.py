"""What a simulated trial is made from: the ``phantom`` block of the configuration, typed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headct.contracts.problems import BadInput, Problem

LESIONS = {"ICH": 1, "PHE": 2, "IVH": 3}
"""What the simulator can draw, whatever the lesions of a study are; each with its value in the truth.

The masks that are written have the values of the configuration instead."""


@dataclass(frozen=True)
class Site:
    """One centre and its scanner.

    ``upper_slice_thickness_mm`` is used above the posterior fossa, ``slice_thickness_mm`` below; the
    gaps of a site are even where the two are equal. ``resolution_mm`` is the full width at half
    maximum of the kernel's point spread in the plane of the slice.
    """

    name: str
    share: float
    manufacturer: str
    model: str
    kernel: str
    reconstruction_diameter_mm: float
    slice_thickness_mm: float
    upper_slice_thickness_mm: float
    tilt_deg: float
    noise_hu: float
    resolution_mm: float
    bits_stored: int

    @property
    def is_even(self) -> bool:
        """Whether all gaps between slices are equal."""
        return self.slice_thickness_mm == self.upper_slice_thickness_mm


@dataclass(frozen=True)
class Rater:
    """One reader: how far, in mm, the drawn boundary lies outside the true one, and wavers about it."""

    name: str
    bias_mm: float
    jitter_mm: float


@dataclass(frozen=True)
class TrialSettings:
    """The whole ``phantom`` block, and the mask value of each class."""

    seed: int
    participants: int
    incomplete_participants: int
    matrix: int
    subvoxels_in_plane: int
    subvoxels_through_plane: int
    volumes_ml: dict[str, tuple[float, ...]]
    phe_share: float
    ivh_share: float
    ich_phe_correlation: float
    second_reading_share: float
    raters: tuple[Rater, ...]
    sites: tuple[Site, ...]
    labels: dict[str, int]


def from_config(config: Mapping[str, Any], file: str) -> TrialSettings:
    """Read the settings from a whole, complete configuration (no defaults are known here).

    Raises:
        BadInput: no ``phantom`` block, or one that contradicts itself.
    """
    if not config.get("phantom"):
        raise BadInput([Problem(file, "this configuration describes no simulated trial", key="phantom")])
    block = dict(config["phantom"])
    settings = TrialSettings(
        **{
            **block,
            "volumes_ml": {label: tuple(block["volumes_ml"][label]) for label in LESIONS},
            "raters": tuple(Rater(**rater) for rater in block["raters"]),
            "sites": tuple(_site(site) for site in block["sites"]),
            "labels": dict(config["labels"]),
        }
    )
    problems = [Problem(file, message, key=f"phantom.{key}") for key, message in _contradictions(settings)]
    if problems:
        raise BadInput(problems)
    return settings


def _site(entry: Mapping[str, Any]) -> Site:
    upper = entry["upper_slice_thickness_mm"]
    even = entry["slice_thickness_mm"]
    return Site(**{**entry, "upper_slice_thickness_mm": even if upper is None else upper})


def _contradictions(settings: TrialSettings) -> list[tuple[str, str]]:
    found = []
    for label, volumes in settings.volumes_ml.items():
        if len(volumes) != 5 or volumes[0] <= 0 or list(volumes) != sorted(set(volumes)):
            message = "needs five increasing volumes above 0: minimum, quartiles, maximum"
            found.append((f"volumes_ml.{label}", message))
    if settings.incomplete_participants and not any(site.is_even for site in settings.sites):
        message = "a missing section shows only where gaps are even, and no site has even gaps"
        found.append(("incomplete_participants", message))
    for key, people in (("sites", settings.sites), ("raters", settings.raters)):
        names = [entry.name for entry in people]
        if len(set(names)) < len(names):
            found.append((key, "two entries have the same name"))
    if len(settings.raters) < 2:
        found.append(("raters", "inter-rater agreement needs at least two raters"))
    return found
