"""Words for what settings and records name by keys."""

from __future__ import annotations

WORDS = {
    "blastct": "BLAST-CT",
    "monai": "MONAI",
    "nnunet": "nnU-Net",
    "basicunet": "BasicUNet of MONAI",
    "deeplabv3plus": "DeepLabv3+",
    "2d": "2D",
    "3d_fullres": "3D, full resolution",
    "dice_ce": "Dice + cross-entropy",
    "dice_topk": "Dice + cross-entropy of the worst voxels",
    "tversky": "Tversky",
    "focal_tversky": "focal Tversky",
    "cpu": "CPU",
    "cuda": "GPU (CUDA)",
}

PARTS_OF_LOSSES = {"dc": "Dice", "ce": "cross-entropy"}


def in_words(key: str) -> str:
    """What a key stands for; what is none stays as it is."""
    return WORDS.get(key, key)


def constant_in_words(name: str) -> str:
    """A constant of a loss: ``dc.batch_dice`` is the batch dice of its Dice part."""
    part, _, own = name.rpartition(".")
    said = own.replace("_", " ")
    return f"{PARTS_OF_LOSSES.get(part, part)}: {said}" if part else said
