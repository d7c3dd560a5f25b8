"""PhysioNet CT-ICH 1.3.1: any bleed after head injury, published as 75 scans of which 39 have none."""

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
    settings_for_empty,
    values_in,
)

EFFECT = "speed"  # what is written of a data set is read by the steps themselves

LONG_NAME = "computed-tomography-images-for-intracranial-hemorrhage-detection-and-segmentation-1.3.1"
FOLDERS = ((f"{LONG_NAME}/ct_scans", f"{LONG_NAME}/masks"), ("ct_scans", "masks"))
LOOKS_FOR = "ct_scans and masks with files such as 049.nii (version 1.3.1; not the older folders of JPG)"
NUMBERS = [f"{number:03d}" for number in (*range(49, 59), *range(66, 131))]


def read(folder: Path, pattern: re.Pattern[str] | None) -> Adopted:
    """The scans of a folder: one per patient, whose number is the file's name."""
    _, pairs = pairs_in(folder, FOLDERS)
    values = values_in(pairs.masks)
    labels = one_class(values, "bleed")
    missing = [number for number in NUMBERS if number not in pairs.images]
    absent = [f"Of the {len(NUMBERS)} published scans, not here: {', '.join(missing)}."] if missing else []
    return Adopted(
        scans=scans_of(pairs, folder, pattern, "ct-ich-", "patient-"),
        labels=labels,
        masks_with=values.masks_with(labels),
        settings=settings_for_empty(values),
        masks=[*values.in_words(), *absent],
        participants="One participant for each number: the published set has one scan of each patient.",
        traps=[
            "Numbers 059 to 065 were never published: that they are absent is no loss.",
            f"39 of the {len(NUMBERS)} published scans have no bleed: 'ingest.empty_masks: lesion_free' "
            "makes such scans data, and is in the configuration if there are any here.",
            "The kind of bleed is known by slice only (hemorrhage_diagnosis_raw_ct.csv), and is not in "
            "the masks.",
            "Faces were blurred with noise: what lies in front of the skull is no anatomy.",
            "Age and sex stand in Patient_demographics.csv, whose column names hold a line break and "
            "trailing blanks: they were not read. Put them into the sheet.",
        ],
        left_out=pairs.left_out,
        unchecked=[
            "The real files were not at hand when this was written: layout and numbers are taken from "
            "public code that reads them, tested on simulated files of such names. Whether a bleed is 1 "
            "or 255 was read from the masks.",
        ],
    )


LAYOUT = KnownLayout(
    title="PhysioNet CT-ICH",
    looks_for=LOOKS_FOR,
    licence="Restricted Health Data licence 1.5.0 of PhysioNet, as others state it",
    citation=(
        "Hssayeni MD, et al. Intracranial hemorrhage segmentation using a deep convolutional model. Data "
        "2020;5:14; and PhysioNet, version 1.3.1"
    ),
    site="physionet",
    rater="published",
    recognises=lambda folder: bool(folders_in(folder, FOLDERS)),
    read=read,
)
