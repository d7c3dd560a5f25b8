"""A label map that others made, on the grid of its scan: read and placed as a rater's mask is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from headct.contracts.labels import LabelSet
from headct.contracts.problems import BadInput, Problem
from headct.imaging import masks
from headct.imaging.geometry import Geometry
from headct.imaging.masks import MaskRules
from headct.settings.lesions import IGNORE


def rules_of(values: Mapping[str, Sequence[int]]) -> MaskRules:
    """What the values of label maps mean; one without a lesion is a prediction that there is none.

    Args:
        values: by lesion, and those to be ignored.
    """
    of_lesions = {name: tuple(found) for name, found in values.items() if name != IGNORE}
    return MaskRules(of_lesions, tuple(values.get(IGNORE, ())), may_be_empty=True)


def read(
    path: Path, rules: MaskRules, labels: LabelSet, grid: Geometry, key: str, has_probabilities: bool = False
) -> NDArray[np.uint8]:
    """The label map (slices, rows, columns) on the scan's grid, with the values of the label set.

    Args:
        path: a file or folder of a format of masks.
        rules: what its values mean.
        labels: the study's lesions.
        grid: of the scan.
        key: of the setting, for messages.
        has_probabilities: whether it holds those of all classes, of which the highest counts.

    Raises:
        BadInput: it can't be read, has other values, or does not lie on the scan's grid.
    """
    read_as = masks.read_probabilities if has_probabilities else masks.read
    mask = read_as(path, rules, key, labels)
    try:
        return masks.on_grid(mask, grid)
    except masks.Mismatch as error:
        message = f"the label map does not lie on the scan's grid: {error}"
        raise BadInput([Problem(str(path), message, key=key)]) from error
