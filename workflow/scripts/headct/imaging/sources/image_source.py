"""What a source of images is asked, and what it answers: all that ingest and new scans know of a format."""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from headct.contracts.artefacts import sha256_of
from headct.contracts.problems import Problem
from headct.imaging import masks, nifti
from headct.imaging.geometry import FitsMask, Geometry
from headct.imaging.scan_files import files_of

if TYPE_CHECKING:
    from headct.imaging.fitness import SeriesRules

SLICE_POSITIONS, HEADER_SPACING = "slice positions", "header spacing"
"""Where the thickness of slices, and so every volume, can come from."""


@dataclass
class ImageFacts:
    """What is known of an image so far, as it enters ``scan.json``; no identifier ever.

    A source fills it while it reads, so that the record of a scan that turns out unfit has what was found
    until then.

    Attributes:
        geometry: as of :meth:`headct.imaging.geometry.Geometry.as_json`.
        header: of a file with one header, what it says of place and scale, as stored; no text.
        acquisition: facts of the acquisition by name; only what is plain and identifies nobody.
        series: ``chosen`` and ``rejected``, where several images were to choose from.
        instances: ``number`` and ``sha256`` of each file that was converted.
        flags: names of what was met that is no fault, sorted.
    """

    geometry: dict[str, Any] | None = None
    header: dict[str, Any] = field(default_factory=dict)
    acquisition: dict[str, Any] = field(default_factory=dict)
    series: dict[str, Any] = field(default_factory=dict)
    instances: list[dict[str, Any]] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)


class ImageGrid(Protocol):
    """Where the voxels lie; arrays are (z, y, x), inferior to superior, in LPS order."""

    @property
    def volumes_from(self) -> str:
        """``SLICE_POSITIONS`` or ``HEADER_SPACING``."""

    @property
    def geometry(self) -> Geometry:
        """Positions and weights of the slices."""

    def image(self, values: NDArray[Any]) -> sitk.Image:
        """Values as the image that networks are given."""

    def volume_ml(self, mask: NDArray[Any]) -> float:
        """Volume of a mask."""

    def write(self, labels: NDArray[np.uint8], path: Path) -> None:
        """Write a label map as NIfTI that lies on what was handed over."""

    def read(self, path: Path) -> NDArray[np.uint8]:
        """A label map that :meth:`write` wrote."""


@dataclass(frozen=True)
class SliceGrid:
    """The grid of slices whose positions are known."""

    geometry: Geometry
    volumes_from: str = SLICE_POSITIONS

    def image(self, values: NDArray[Any]) -> sitk.Image:
        """On the orthonormal grid with the mean gap, as ingest writes it."""
        return masks.to_image(values, self.geometry)

    def volume_ml(self, mask: NDArray[Any]) -> float:
        """By each slice's own weight."""
        return self.geometry.volume_ml(mask)

    def write(self, labels: NDArray[np.uint8], path: Path) -> None:
        """On the grid of :meth:`image`."""
        nifti.write(self.image(labels), path)

    def read(self, path: Path) -> NDArray[np.uint8]:
        """A label map that :meth:`write` wrote."""
        labels: NDArray[np.uint8] = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
        return labels


@dataclass(frozen=True)
class Volume:
    """One CT.

    Attributes:
        hu: shape (slices, rows, columns), inferior to superior, in LPS order; not resampled.
        grid: where these voxels lie.
        files: what was converted; other files of the scan's folder are listed as such.
        patient: what the headers say of the patient, by DICOM keyword; compared in memory, written nowhere.
        uids: SOP Instance UIDs of what was converted, where there are any; so, too.
    """

    hu: NDArray[np.int16]
    grid: ImageGrid
    files: frozenset[str]
    patient: Mapping[str, str] = field(default_factory=dict)
    uids: frozenset[str] = frozenset()


class ImageSource(Protocol):
    """One scan, as it was handed over.

    A source is made of a path and of what messages call the scan: messages of an image never name its files.
    """

    kind: ClassVar[str]
    """What messages call such a file or folder, without article."""
    suffixes: ClassVar[tuple[str, ...]]
    """Of its files' names, in lower case; none where a scan is a folder."""
    takes_any_folder: ClassVar[bool]
    """Whether it is asked last, since it takes every folder."""

    def __init__(self, path: Path, scan_id: str): ...

    @classmethod
    def takes(cls, path: Path) -> bool:
        """Whether what lies at a path is of this kind, by its bytes; it is not read whole."""

    @classmethod
    def is_named(cls, path: Path) -> bool:
        """Whether it is called as such a file is, which is asked where no source takes it."""

    @classmethod
    def is_part(cls, path: Path) -> bool:
        """Whether a file is one of several that make a scan: then its folder is the scan."""

    def fingerprint(self) -> str:
        """SHA-256 of all that the scan consists of, whatever its files are called.

        Raises:
            OSError: a file can't be read.
        """

    def refusals(self, ids: Mapping[str, str], patient_id_is_pseudonym: bool) -> list[Problem]:
        """Identifiers of the headers that the scan's names contain.

        Args:
            ids: names that outputs will show, by the sheet's column.
            patient_id_is_pseudonym: whether they may contain the Patient ID, since it is the trial's own.

        Raises:
            BadInput: there is nothing to read.
            Ineligible: what is there can't be part of a study.
        """

    def read(self, rules: SeriesRules, fits_mask: FitsMask, facts: ImageFacts) -> Volume:
        """The CT, and what is known of it, which goes to ``facts``.

        Raises:
            BadInput: a fault in what was handed over, with what to do.
            Ineligible: a scan of the right kind that can't be segmented; the message is the reason.
        """

    def patient(self, converted: Mapping[str, Any]) -> dict[str, str] | None:
        """What the headers say of the patient, read again, since nothing of it may be kept.

        Args:
            converted: ``instances`` and ``series`` as :meth:`read` left them.

        Returns:
            Values by DICOM keyword; None where the files are not those that were converted.
        """


def fingerprint_of(path: Path) -> str:
    """SHA-256 of a file, or of the digests of all files of a scan, whatever they are called."""
    files = files_of(path).items()
    if len(files) < 2 and not path.is_dir():
        return sha256_of(path)
    digests = sorted(sha256_of(file) for file, entry in files if stat.S_ISREG(entry.st_mode))
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()
