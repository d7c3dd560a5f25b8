"""nnU-Net's trainers by name: which there are, and which of them train here. Without importing nnU-Net.

Network, optimiser, learning rates and length of a training are settings here, and predictions know the
network from the plans. So of nnU-Net's trainers those can be had that change the loss, the augmentation or
how patches are drawn. What a trainer changes is told by the folder of nnU-Net that it stands in.
"""

from __future__ import annotations

import difflib
import importlib.util
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

EFFECT = "print"  # it finds a class of nnU-Net by its name, and refuses some

PACKAGE = "nnunetv2.training.nnUNetTrainer"

LOSSES, AUGMENTATIONS, SAMPLING = ("loss",), ("data_augmentation", "competitions"), ("sampling",)
"""Folders of the trainers that can be had, by what these change."""

REASONS: Mapping[str, str] = {
    "training_length": "it sets the length of the training, which is nnunet.epochs here",
    "optimizer": "it sets the optimiser, which is nnunet.optimiser here",
    "lr_schedule": "it sets the learning rates, which follow from nnunet.initial_learning_rate here",
    "network_architecture": "it makes another network than is planned, and predictions are made of the plans",
    "primus": "it makes another network than is planned, and predictions are made of the plans",
    "benchmarking": "it measures speed and trains nothing",
}
"""By the folder of a trainer, why it does not train here."""

SETS_A_NUMBER = re.compile(r"_\d+ep(ochs?)?$|_0\d\d$")
"""Names of trainers that set a length or a share beside what they change."""


@cache
def trainers() -> Mapping[str, str]:
    """The module of each of nnU-Net's trainers, below :data:`PACKAGE`, read from its source."""
    found = importlib.util.find_spec("nnunetv2")
    if found is None or not found.submodule_search_locations:
        return {}
    folder = Path(found.submodule_search_locations[0]) / "training" / "nnUNetTrainer"
    modules: dict[str, str] = {}
    for path in sorted(folder.rglob("*.py")):
        module = ".".join(path.relative_to(folder).with_suffix("").parts)
        names = re.findall(r"^class (nnUNet\w+)\(", path.read_text(encoding="utf-8"), re.M)
        modules |= dict.fromkeys(names, module)
    return modules


def folder_of(trainer: str) -> str:
    """The folder of nnU-Net that a trainer stands in, which tells what it changes."""
    return trainers()[trainer].removeprefix("variants.").partition(".")[0]


def usable() -> list[str]:
    """The trainers that train here."""
    return [name for name in trainers() if not fault(name)]


def fault(trainer: str) -> str:
    """Why a trainer can't be had here; empty where it can, or where nnU-Net is not installed."""
    if not trainers():
        return ""
    if trainer not in trainers():
        close = difflib.get_close_matches(trainer, usable(), n=1)
        advice = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(usable())}"
        return f"nnU-Net has no trainer of this name; {advice}"
    folder = folder_of(trainer)
    if folder in (*LOSSES, *AUGMENTATIONS, *SAMPLING):
        if SETS_A_NUMBER.search(trainer):
            return "it sets what nnunet.epochs or nnunet.foreground_oversampling sets here"
        return ""
    return REASONS.get(folder, "it is nnU-Net's own default, which is trained if this is left out")
