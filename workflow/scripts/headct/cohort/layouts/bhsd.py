"""BHSD (MBH-Seg): five kinds of bleeding, on scans of the RSNA 2019 challenge."""

from __future__ import annotations

import re
from pathlib import Path

from headct.cohort.layouts.adopted import (
    Adopted,
    KnownLayout,
    folders_in,
    only_present,
    pairs_in,
    scans_of,
    settings_for_empty,
    values_in,
)

EFFECT = "speed"  # what is written of a data set is read by the steps themselves

FOLDERS = (("label_192/images", "label_192/ground truths"), ("images", "ground truths"))
LOOKS_FOR = (
    "label_192/images and 'label_192/ground truths' (with a blank) with files such as "
    "ID_2db7ee14_ID_0123456789.nii.gz"
)
CLASSES = {"EDH": [1], "IPH": [2], "IVH": [3], "SAH": [4], "SDH": [5]}
PATIENT = re.compile(r"(ID_[0-9a-f]{8})_ID_[0-9a-f]{10}")


def read(folder: Path, pattern: re.Pattern[str] | None) -> Adopted:
    """The scans of a folder; the first ID of a name is the patient, whom two scans may share."""
    _, pairs = pairs_in(folder, FOLDERS)
    values = values_in(pairs.masks)
    present, absent = only_present(CLASSES, values)
    labels = {name: value for name, (value,) in present.items()}
    return Adopted(
        scans=scans_of(pairs, folder, pattern or PATIENT),
        labels=labels,
        masks_with=values.masks_with(labels),
        settings=settings_for_empty(values),
        masks=[*values.in_words(), *absent],
        participants="By the first ID of a name, which is the patient.",
        traps=[
            "One patient, ID_2db7ee14, has two of the 192 published scans.",
            "The scans are those of the RSNA 2019 challenge, as are those of other public sets (HemSeg): "
            "whoever trains on one and tests on the other must look for the same patients.",
        ],
        left_out=pairs.left_out,
        unchecked=[
            "The real files were not at hand when this was written: layout and values are taken from "
            "public code that reads them, tested on simulated files of such names.",
            "Whether the images are in HU.",
        ],
    )


LAYOUT = KnownLayout(
    title="BHSD",
    looks_for=LOOKS_FOR,
    licence="contradictory, as others state it: ask the authors",
    citation="Wu B, et al. BHSD: a 3D multi-class brain hemorrhage segmentation dataset. arXiv:2308.11298",
    site="rsna",
    rater="published",
    recognises=lambda folder: bool(folders_in(folder, FOLDERS)),
    read=read,
)
