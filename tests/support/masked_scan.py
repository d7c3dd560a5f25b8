"""One scan's mask as raters save it, and its sample sheet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from headct.cohort import conversion


def drawn(slices: int = 12) -> np.ndarray:
    labels = np.zeros((slices, 16, 16), dtype=np.uint8)
    labels[3:7, 5:9, 5:9] = 1
    labels[3:7, 9:11, 5:9] = 2
    labels[5, 11, 11] = 3
    return labels


def write_mask(dicom: Path, path: Path, labels: np.ndarray) -> Path:
    """A mask as ITK-SNAP saves it, that is with the header of ITK's own series reader."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(dicom)))
    mask = sitk.GetImageFromArray(labels)
    mask.CopyInformation(reader.Execute())
    sitk.WriteImage(mask, str(path))
    return path


def write_sheet(path: Path, *scans: conversion.SheetScan) -> Path:
    """A sample sheet of these scans, one of a participant."""
    columns = ("scan_id", "participant_id", "site", "dicom", "mask", "age", "sex", "onset_to_ct_h", "rater")
    rows = [
        (scan.scan_id, f"p{number}", "A", scan.image, scan.masks["mask"], 70, "F", 2.5, "r1")
        for number, scan in enumerate(scans, 1)
    ]
    lines = ["\t".join(map(str, line)) for line in (columns, *rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
