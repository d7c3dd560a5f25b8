"""A scan of the trial, as ingest converted it, on its way through the prediction."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from headct.contracts.artefacts import sha256_of
from headct.imaging import nifti


@dataclass
class TrialScan:
    """A scan that was converted by ingest, and the file of its label map."""

    name: str
    ct: Path
    out: Path

    def read(self) -> sitk.Image:
        """The CT as ingest wrote it."""
        self.image = sitk.ReadImage(str(self.ct))
        return self.image

    def write(self, labels: np.ndarray) -> dict[str, Any]:
        """Write the label map on the grid of the CT."""
        image = sitk.GetImageFromArray(labels)
        image.CopyInformation(self.image)
        nifti.write(image, self.out)
        del self.image  # a run of a thousand scans has no room for all
        return {"sha256": sha256_of(self.out)}
