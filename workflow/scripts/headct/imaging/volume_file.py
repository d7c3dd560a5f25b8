"""What sources of one file have in common: a header tells the place of one volume of numbers.

A format is a class that says its name, its suffixes, how its bytes begin and how it is read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray

from headct.contracts.artefacts import sha256_of
from headct.contracts.problems import BadInput, Problem
from headct.imaging import identifiers, nifti
from headct.imaging.fitness import SeriesRules
from headct.imaging.geometry import FitsMask
from headct.imaging.header_grid import HeaderGrid, hounsfield
from headct.imaging.scan_files import files_of
from headct.imaging.sources.image_source import ImageFacts, Volume, fingerprint_of


@dataclass(frozen=True)
class Stored:
    """What a file holds.

    Attributes:
        values: (x, y, z) as they are stored, with the header's scale; NaN is NaN.
        grid: where they lie.
        header: what it says of place and scale, numbers alone, for ``scan.json``.
        patient: what it says of the patient, by DICOM keyword.
    """

    values: NDArray[Any]
    grid: HeaderGrid
    header: dict[str, Any]
    patient: dict[str, str] = field(default_factory=dict)


class VolumeFile(ABC):
    """A source that is one file, or a header and one: see ``ImageSource`` of ``image_source``."""

    kind: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    takes_any_folder: ClassVar[bool] = False

    def __init__(self, path: Path, scan_id: str):
        self.path, self.scan_id = path, scan_id

    @classmethod
    def takes(cls, path: Path) -> bool:
        """Whether its bytes are those of the format."""
        try:
            return cls.begins(nifti.first_bytes(path))
        except nifti.Unreadable:
            return False

    @classmethod
    def is_named(cls, path: Path) -> bool:
        """Whether the file's name is that of a volume; a link that is broken has one, too."""
        return path.name.lower().endswith(cls.suffixes) and not path.is_dir()

    @classmethod
    def is_part(cls, path: Path) -> bool:
        """Never: a file is a whole scan."""
        return False

    @classmethod
    @abstractmethod
    def begins(cls, start: bytes) -> bool:
        """Whether the first bytes of a file, uncompressed, are those of the format."""

    @abstractmethod
    def stored(self, rules: SeriesRules) -> Stored:
        """What the file holds.

        Raises:
            nifti.Unreadable: it can't be used, and why.
        """

    def fingerprint(self) -> str:
        """Of the file, or of header and voxels together."""
        return fingerprint_of(self.path)

    def _stored(self, rules: SeriesRules) -> Stored:
        try:
            return self.stored(rules)
        except nifti.Unreadable as error:
            raise self._refused(error) from None

    def _refused(self, error: nifti.Unreadable) -> BadInput:
        return BadInput([Problem(self.scan_id, str(error), key="image")])

    def refusals(self, ids: Mapping[str, str], patient_id_is_pseudonym: bool) -> list[Problem]:
        """What the header says of a patient, as tools write DICOM's attributes into it."""
        return identifiers.refusals(ids, self.patient_in_header(), patient_id_is_pseudonym)

    def patient_in_header(self) -> dict[str, str]:
        """Values by DICOM keyword; a format that has no place for them says nothing."""
        return {}

    def read(self, rules: SeriesRules, fits_mask: FitsMask, facts: ImageFacts) -> Volume:
        """One volume of plausible HU; of its slices, the header tells no more than one even spacing."""
        found = self._stored(rules)
        files = [Path(file) for file in files_of(self.path)]  # only now: to hash a pipe would wait for ever
        facts.instances = [{"number": n, "sha256": sha256_of(file)} for n, file in enumerate(files, start=1)]
        try:
            hu = hounsfield(found.values, found.grid, rules, facts, found.header)
        except nifti.Unreadable as error:
            raise self._refused(error) from None
        return Volume(hu, found.grid, frozenset(map(str, files)), self.patient_in_header())

    def patient(self, converted: Mapping[str, Any]) -> dict[str, str] | None:
        """What the header says, where the files are still those that were converted."""
        digests = [instance["sha256"] for instance in converted["instances"]]
        return self.patient_in_header() if [sha256_of(f) for f in files_of(self.path)] == digests else None
