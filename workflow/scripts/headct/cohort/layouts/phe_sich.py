"""PHE-SICH-CT-IDS: oedema around spontaneous bleeds, as published, or made of its 8-bit slices."""

from __future__ import annotations

import re
from pathlib import Path

from headct.cohort.layouts.adopted import (
    Adopted,
    KnownLayout,
    folders_in,
    one_class,
    pairs_in,
    scans_of,
    values_in,
)

EFFECT = "speed"  # what is written of a data set is read by the steps themselves

PUBLISHED = (
    ("SubdatasetA_NIFIT/NIFIT/set", "SubdatasetA_NIFIT/NIFIT/label"),
    ("NIFIT/set", "NIFIT/label"),
    ("set", "label"),
)
FROM_SLICES = ("images", "labels")
FOLDERS = (*PUBLISHED, FROM_SLICES)
LOOKS_FOR = (
    "SubdatasetA_NIFIT/NIFIT/set and SubdatasetA_NIFIT/NIFIT/label with files such as 0001.nii.gz (as "
    "published), or images and labels with such files (made of its 8-bit slices)"
)

OTHER_SPACING = ("0024", "0043", "0163")
"""Patients of 40, 40 and 69 slices, which the spacing of the others can't fit."""

OF_BOTH = (
    "Only the oedema is outlined. The bleed itself and blood in the ventricles are unlabelled, not "
    "absent: that a network marks none of them says nothing.",
    "The authors' own lists of training and validation are by slice and mix patients: they are not used "
    "here.",
)
OF_SLICES = (
    "The window of the source is not documented. HU are approximate (0 to 80, clipped; 400 where the "
    "source saturates), so 'ingest.intensity: windowed' stands in the configuration and on each table "
    "and figure.",
    "The spacing (1.016 x 1.016 x 5 mm) is that of one patient, taken for all: volumes in mL are "
    f"nominal. For {', '.join(OTHER_SPACING)} it is surely wrong: judge no volume of theirs. "
    "Leave out those that fall into the test set ('left_out' in the sheet), or let no volume decide.",
)
UNCHECKED_AS_PUBLISHED = (
    "The published NIfTI files were not at hand when this was written: their layout is taken from public "
    "code that reads them, tested on simulated files of the same names.",
    "Whether their values are HU, or windowed for display, is not known: if ingest refuses them as "
    "windowed, look at the images and set 'ingest.intensity: windowed'.",
    "Which way x points, and whether left and right are those of the patient.",
)
UNCHECKED_FROM_SLICES = ("That x points to the patient's left is assumed.",)


def read(folder: Path, pattern: re.Pattern[str] | None) -> Adopted:
    """The scans of a folder: one per patient, whose number is the file's name."""
    images_in, pairs = pairs_in(folder, FOLDERS)
    from_slices = images_in == FROM_SLICES[0]
    values = values_in(pairs.masks)
    labels = one_class(values, "PHE")
    return Adopted(
        scans=scans_of(pairs, folder, pattern, "phe-", "patient-"),
        labels=labels,
        masks_with=values.masks_with(labels),
        settings={"ingest": {"intensity": "windowed"}} if from_slices else {},
        note_of_study="Approximate HU, nominal volumes" if from_slices else "",
        masks=values.in_words(),
        participants="One participant for each number: the published set has one scan of each patient.",
        traps=OF_BOTH + (OF_SLICES if from_slices else ()),
        left_out=pairs.left_out,
        unchecked=UNCHECKED_FROM_SLICES if from_slices else UNCHECKED_AS_PUBLISHED,
    )


LAYOUT = KnownLayout(
    title="PHE-SICH-CT-IDS",
    looks_for=LOOKS_FOR,
    licence=(
        "CC BY 4.0 (figshare, version 4), 'non-commercial purpose' (the paper), CC BY-SA 4.0 (a mirror), "
        "as others state it"
    ),
    citation="Ma D, et al. PHE-SICH-CT-IDS. arXiv:2308.10521; figshare 23957937",
    site="phe-sich",
    rater="published",
    recognises=lambda folder: bool(folders_in(folder, FOLDERS)),
    read=read,
)
