"""The Dice that is shown while a network trains: all patches of an epoch taken as one volume."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from headct.contracts.labels import LabelSet


def lesion_counts(logits: Tensor, labels: Tensor, label_set: LabelSet) -> Tensor:
    """Voxels of each lesion class that are in both, in the reference, and in the prediction.

    Args:
        logits: shape (batch, classes, \\*spatial).
        labels: class indices, shape (batch, \\*spatial) or (batch, 1, \\*spatial).
        label_set: the lesion classes.

    Returns:
        int64, shape (lesion classes, 3), on the same device, which is not waited for.
    """
    predicted = logits.argmax(dim=1)
    reference = labels.reshape(predicted.shape)
    masks = ((reference == value, predicted == value) for value in label_set.values())
    return torch.stack([torch.stack([(r & p).sum(), r.sum(), p.sum()]) for r, p in masks])


def pseudo_dice(counts: Sequence[Sequence[float]], label_set: LabelSet) -> dict[str, float | None]:
    """Dice per lesion class from summed :func:`lesion_counts`; None where a class is in neither."""
    return {
        label: 2 * both / (reference + predicted) if reference + predicted else None
        for label, (both, reference, predicted) in zip(label_set, counts, strict=True)
    }
