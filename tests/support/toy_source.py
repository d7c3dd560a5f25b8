"""A source of images that the project has not: NumPy's ``.npz``, with HU, origins of slices and pixel size.

It is what docs/how-to/extending.md asks of a new source: one module. tests/imaging/test_sources.py puts it
into a copy of the package.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from headct.contracts.artefacts import sha256_of
from headct.contracts.problems import BadInput, Ineligible, Problem
from headct.imaging.fitness import SeriesRules
from headct.imaging.geometry import FitsMask, from_slices
from headct.imaging.hounsfield import to_int16
from headct.imaging.sources.image_source import ImageFacts, SliceGrid, Volume, fingerprint_of

AXIAL = (1, 0, 0, 0, 1, 0)


class Source:
    """One file per scan: ``hu`` (slices, rows, columns), ``origins_mm`` (slices, 3) and ``pixel_mm``."""

    kind: ClassVar[str] = "NumPy file"
    suffixes: ClassVar[tuple[str, ...]] = (".npz",)
    takes_any_folder: ClassVar[bool] = False

    def __init__(self, path: Path, scan_id: str):
        self.path, self.scan_id = path, scan_id

    @classmethod
    def takes(cls, path: Path) -> bool:
        return path.suffix == ".npz"

    @classmethod
    def is_part(cls, path: Path) -> bool:
        return False

    @classmethod
    def is_named(cls, path: Path) -> bool:
        return cls.takes(path)

    def fingerprint(self) -> str:
        return fingerprint_of(self.path)

    def refusals(self, ids: Mapping[str, str], patient_id_is_pseudonym: bool) -> list[Problem]:
        return []

    def read(self, rules: SeriesRules, fits_mask: FitsMask, facts: ImageFacts) -> Volume:
        try:
            stored = np.load(self.path)
            hu, origins, pixel_mm = stored["hu"], stored["origins_mm"], stored["pixel_mm"]
        except (OSError, ValueError, KeyError) as error:
            raise BadInput([Problem(self.scan_id, "not three arrays hu, origins_mm, pixel_mm")]) from error
        if len(hu) < rules.minimum_slices:
            raise Ineligible(f"too few slices: {len(hu)} of at least {rules.minimum_slices}")
        geometry = from_slices(AXIAL, pixel_mm, *hu.shape[1:], origins)
        facts.geometry = geometry.as_json()
        facts.instances = [{"number": 1, "sha256": sha256_of(self.path)}]
        return Volume(to_int16(hu), SliceGrid(geometry), frozenset([str(self.path)]))

    def patient(self, converted: Mapping[str, Any]) -> dict[str, str] | None:
        return {} if [sha256_of(self.path)] == [one["sha256"] for one in converted["instances"]] else None
