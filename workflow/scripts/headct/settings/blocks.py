"""Blocks of the configuration as values with types, made once they have been checked against the schema.

What a setting means, its default and its range: ``config/README.md``. Lists are tuples here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar

from headct.settings.configuration import settings_block

EFFECT = "speed"  # what the configuration says stands in the parameters of each job

Connectivity = Literal[6, 18, 26]
"""Neighbours of a voxel that belong to the same lesion: by faces, edges too, corners too."""


@dataclass(frozen=True)
class Ingest:
    """Conversion of DICOM and masks."""

    KEY: ClassVar[str] = "ingest"

    minimum_slices: int
    minimum_coverage_mm: float
    maximum_gap_ratio: float
    require_announced_images: bool
    patient_id_is_pseudonym: bool
    trust_sheet: bool
    different_patients: tuple[str, ...]
    maximum_angle_to_axial_deg: float
    series_preference: tuple[str, ...]
    sharp_kernels: tuple[str, ...]


@dataclass(frozen=True)
class Split:
    """Training and test set, and folds within the training set."""

    KEY: ClassVar[str] = "split"

    file: str | None
    test_fraction: float
    stratify_by: tuple[str, ...]
    ich_volume_groups: int
    minimum_site_size: int
    folds: int
    seed: int


@dataclass(frozen=True)
class Crosscheck:
    """Comparison of converted scans with dcm2niix."""

    KEY: ClassVar[str] = "crosscheck"

    scans: int
    seed: int


@dataclass(frozen=True)
class Metrics:
    """How predictions are measured."""

    KEY: ClassVar[str] = "metrics"

    presence_minimum_ml: float
    surface_tolerance_mm: float | None
    surface_elements: str
    lesion_connectivity: Connectivity


BLOCKS = (Ingest, Split, Crosscheck, Metrics)
Block = TypeVar("Block", Ingest, Split, Crosscheck, Metrics)


def typed(kind: type[Block], block: Mapping[str, Any]) -> Block:
    """A block of the configuration that is checked and complete, as a value."""
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in block.items()
    }
    return kind(**values)


def given(kind: type[Block], text: str, option: str = "--settings") -> Block:
    """A block that a command is given as JSON, checked as in a file and complete.

    Raises:
        BadInput: no JSON object, or every key of it that is unknown, of the wrong type or out of range.
    """
    return typed(kind, settings_block(text, kind.KEY, option))
