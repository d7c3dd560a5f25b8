"""DICOM files in a folder: the headers choose the series, slice positions give the geometry."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pydicom
from numpy.typing import NDArray

from headct.contracts.artefacts import sha256_of
from headct.contracts.folders import files_at
from headct.contracts.problems import Ineligible, Problem
from headct.imaging import identifiers, nifti
from headct.imaging.dicom import (
    READ_ERRORS,
    DicomFiles,
    acquisition_facts,
    has_rescale,
    is_folder,
    read_folder,
    read_slice,
)
from headct.imaging.fitness import SeriesRules
from headct.imaging.geometry import FitsMask
from headct.imaging.hounsfield import ABOVE_RANGE_SHARE, HU_RANGE, to_int16
from headct.imaging.plausibility import (
    WINDOWED,
    doubts_about_hu,
    lacks_brain,
    not_hu,
    refuse_damaged,
    sampled,
    what_was_done,
)
from headct.imaging.scan_files import root_of
from headct.imaging.scan_selection import Chosen, choose, flags
from headct.imaging.series import group
from headct.imaging.sources.image_source import ImageFacts, SliceGrid, Volume, fingerprint_of

DISPLAY_BITS = 8
"""With so few bits, a CT holds a window for display, not its HU."""

PREAMBLE = 128
"""Bytes of a DICOM file before its letters DICM."""


class Source:
    """The folder of one scan, searched with its subfolders; it may hold several series."""

    kind: ClassVar[str] = "DICOM folder"
    suffixes: ClassVar[tuple[str, ...]] = ()
    takes_any_folder: ClassVar[bool] = True

    def __init__(self, path: Path, scan_id: str):
        self.path, self.scan_id = root_of(path), scan_id

    @classmethod
    def takes(cls, path: Path) -> bool:
        """Any folder, or the DICOMDIR in one: what is in it is told once it is read."""
        return is_folder(root_of(path))

    @classmethod
    def is_named(cls, path: Path) -> bool:
        """Never: a folder may have any name."""
        return False

    @classmethod
    def is_part(cls, path: Path) -> bool:
        """Whether the file says that it is DICOM."""
        try:
            return nifti.first_bytes(path)[PREAMBLE:][:4] == b"DICM"
        except nifti.Unreadable:
            return False

    def fingerprint(self) -> str:
        """Of all files below the folder."""
        return fingerprint_of(self.path)

    @cached_property
    def _folder(self) -> DicomFiles:
        return read_folder(self.path, self.scan_id)

    def refusals(self, ids: Mapping[str, str], patient_id_is_pseudonym: bool) -> list[Problem]:
        """Identifiers of the headers of all files, of whatever series, that the names contain."""
        values = identifiers.in_headers(instance.header for instance in self._folder.instances)
        return identifiers.refusals(ids, values, patient_id_is_pseudonym)

    def read(self, rules: SeriesRules, fits_mask: FitsMask, facts: ImageFacts) -> Volume:
        """The series that the rules choose."""
        chosen = choose(group(self._folder.instances), rules, self.scan_id, fits_mask)
        hu = convert(chosen, rules, facts)
        return Volume(
            hu,
            SliceGrid(chosen.geometry),
            frozenset(str(instance.path) for instance in chosen.instances),
            identifiers.in_headers(instance.header for instance in chosen.instances),
            frozenset(instance.text("SOPInstanceUID") for instance in chosen.instances),
        )

    def patient(self, converted: Mapping[str, Any]) -> dict[str, str] | None:
        """Values of one of the scan's own files; other files may be of other series, or even patients.

        Few files are hashed: those of the series number that was converted.
        """
        digests = {instance["sha256"] for instance in converted["instances"]}
        series_number = converted["series"]["chosen"]["series_number"]
        tags = ["SeriesNumber", *identifiers.IDENTIFYING_KEYWORDS]
        for path in sorted(files_at(self.path)):
            try:
                header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(tags), force=True)
                number = None if header.get("SeriesNumber") is None else int(header.SeriesNumber)
            except READ_ERRORS:  # a file beside the images, or a number that is none
                continue
            if number == series_number and sha256_of(path) in digests:
                return identifiers.in_headers([header])
        return None


def convert(chosen: Chosen, rules: SeriesRules, facts: ImageFacts) -> NDArray[np.int16]:
    """Pixels of the chosen series as HU, shape (slices, rows, columns), inferior to superior.

    Raises:
        Ineligible: pixels are damaged, or not HU.
    """
    grid = chosen.geometry
    facts.geometry = grid.as_json()
    facts.acquisition, withheld = acquisition_facts(chosen.instances[0])
    facts.series = {"chosen": chosen.series.describe(), "rejected": chosen.rejected}
    columns, rows, slices = grid.size_xyz
    image = np.empty(0, dtype=np.int16)
    above = 0
    unclipped = []
    for index, instance in enumerate(chosen.instances):
        hounsfield, digest = read_slice(instance)
        if not image.size:  # only now: a header may claim 65535 x 65535 pixels that the file does not have
            image = np.empty((slices, rows, columns), dtype=np.int16)
        above += int(np.count_nonzero(hounsfield > HU_RANGE[1]))
        image[index] = grid.moves.apply(to_int16(hounsfield))
        unclipped.append(sampled(hounsfield))
        entry: dict[str, Any] = {"number": instance.number, "sha256": digest}
        facts.instances.append(entry if instance.frame is None else {**entry, "frame": instance.frame})
    without = [instance.name for instance in chosen.instances if not has_rescale(instance)]
    if without and len(without) < len(chosen.instances):
        raise Ineligible(
            f"pixel values are not HU: only some slices have rescale attributes, not {without[0]}"
        )
    raised = set(flags(chosen, rules))
    raised |= {"acquisition_facts_withheld"} if withheld else set()
    raised |= {"values_above_range"} if above > ABOVE_RANGE_SHARE * image.size else set()
    doubts = doubts_about_hu(image)
    if min(instance.whole("BitsStored") or 16 for instance in chosen.instances) <= DISPLAY_BITS:
        doubts.add(WINDOWED)
    if rules.intensity == "windowed":
        doubts &= {WINDOWED}  # the other witnesses are of HU
    raised |= doubts
    facts.flags = sorted(raised)
    refuse_damaged(image, [instance.name for instance in chosen.instances], rules.intensity)
    is_odd = rules.intensity == "hounsfield" and lacks_brain(image)
    if is_odd and (fault := what_was_done(np.stack(unclipped), image)):
        raise Ineligible(fault)
    suspects = raised & {"no_rescale", "monochrome1", "rescale_type_not_hu", "values_above_range"}
    if (
        rules.intensity == "hounsfield"
        and doubts
        and (suspects or doubts & {"no_tissue_like_brain", WINDOWED})
    ):
        raise Ineligible(not_hu(doubts | suspects))
    return image
