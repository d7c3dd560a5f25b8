"""Weights that a training starts from, instead of random ones: whose they are, and how a network gets them.

They may be anybody's, so they are read as numbers and names, and nothing that is pickled with them runs.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from headct.contracts.artefacts import sha256_of
from headct.contracts.labels import LabelSet
from headct.contracts.problems import BadInput, Problem
from headct.contracts.untrusted import Unusable, json_of
from headct.contracts.weight_files import SUFFIXES
from headct.settings.models import Training, TrainingFromWeights

if TYPE_CHECKING:
    from torch import Tensor, nn

WEIGHTS, RECORD = "final.pth", "train.json"
"""In a folder of a model that was trained with this workflow."""

HELD_BY = ("weights", "network_weights")
"""Where weights are in a file of this workflow, and in a checkpoint of nnU-Net; else they are all of it."""

SCANS = "scans_sha256"
"""In ``train.json``: SHA-256 of the converted CT (``ct_sha256``) of each scan that weights were made from."""


@dataclass(frozen=True)
class Start:
    """Weights that a training starts from.

    Attributes:
        file: of the weights.
        sha256: that it must have.
        head_is_fresh: whether the layers that give the classes are drawn at random all the same.
    """

    file: Path
    sha256: str
    head_is_fresh: bool

    @property
    def files(self) -> list[Path]:
        """The file, and the record of its training beside it where there is one."""
        record = self.file.with_name(RECORD)
        return [self.file, record] if record.is_file() else [self.file]

    def faults(self) -> Iterator[Problem]:
        """Why it can't be read; nothing where it can."""
        try:
            self.weights()
        except BadInput as error:
            yield from error.problems

    def weights(self) -> dict[str, Tensor]:
        """The weights by the names of the network's layers.

        Raises:
            BadInput: there is no such file, it has another digest, or holds anything but weights.
        """
        if self.file.suffix not in SUFFIXES:
            self._refuse(f"is no file of weights by its name: it must end with {' or '.join(SUFFIXES)}")
        if not self.file.is_file():
            self._refuse("is not there, and the training is to start from it: mend the path")
        if (found := sha256_of(self.file)) != self.sha256:
            self._refuse(f"is another file than init_sha256 names, {self.sha256}: its SHA-256 is {found}")
        content = _read(self.file)
        if isinstance(content, str):
            self._refuse(content)
        return content

    def record(self) -> Mapping[str, Any]:
        """What the record of its training says, which lies beside it; nothing where none lies there."""
        with suppress(Unusable):
            record = json_of(self.file.with_name(RECORD))
            if isinstance(record, dict) and record.get("sha256") == self.sha256:
                return record
        return {}

    def scans(self) -> frozenset[str] | None:
        """SHA-256 of the CT of each scan that it was made from; None where they are not recorded."""
        scans = self.record().get(SCANS)
        return frozenset(map(str, scans)) if isinstance(scans, list) else None

    def _refuse(self, message: str) -> NoReturn:
        raise BadInput([Problem(str(self.file), message)])


def of(settings: Training) -> Start | None:
    """What a training with these settings starts from; None where from random weights.

    A folder stands for the trained model in it.
    """
    if not isinstance(settings, TrainingFromWeights) or settings.init_sha256 is None:
        return None
    path = Path(settings.init_from or "")
    file = path if path.suffix in SUFFIXES or path.is_file() else path / WEIGHTS
    return Start(file, settings.init_sha256, settings.init_head == "fresh")


def _read(file: Path) -> dict[str, Tensor] | str:
    """The weights in a file, or why there are none.

    Beside tensors and plain types, checkpoints of nnU-Net hold numbers of NumPy: these alone are let through.
    """
    import numpy as np
    import torch
    from torch.serialization import safe_globals

    scalar: Any = np.float64(0).__reduce__()[0]
    numbers = [type(np.dtype(kind)) for kind in (np.float16, np.float32, np.float64, np.int32, np.int64)]
    of_releases = [(scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")]
    try:
        with safe_globals([*of_releases, np.dtype, *numbers]):
            content = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        return (
            "holds more than numbers and names, and what is pickled with them may be a program: it is not"
            " read. Save the network's state_dict alone, from a source that you trust"
        )
    except Exception as error:  # whatever PyTorch raises of bytes that are no file of its own
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return f"can't be read by PyTorch ({reason}): is it a file that PyTorch saved, and whole?"
    held = next((content[key] for key in HELD_BY if isinstance(content, dict) and key in content), content)
    if not isinstance(held, dict) or not held or not all(map(torch.is_tensor, held.values())):
        return (
            f"holds no weights: they must be {WEIGHTS} of this workflow, a checkpoint of nnU-Net, or a"
            " state_dict alone"
        )
    return {str(name): tensor for name, tensor in held.items()}


def begin(
    settings: TrainingFromWeights, network: nn.Module, make: Callable[[int], nn.Module], labels: LabelSet
) -> None:
    """Give a network the weights that its settings name; nothing where they name none.

    Args:
        settings: of the training.
        network: as it was made, its weights random.
        make: another one for so many classes.
        labels: its classes.

    Raises:
        BadInput: each layer that does not fit, by name; classes that are not these.
    """
    start = of(settings)
    if start is None:
        return
    given, own = start.weights(), network.state_dict()
    head = head_of(make, labels.n_classes)
    fresh = head if start.head_is_fresh else frozenset[str]()
    problems = [*_other_classes(start, labels), *_misfits(start, given, own, head, fresh)]
    if problems:
        raise BadInput(problems)
    network.load_state_dict({name: own[name] if name in fresh else given[name] for name in own})


def head_of(make: Callable[[int], nn.Module], n_classes: int) -> frozenset[str]:
    """The layers of a network that give the classes: those whose sizes depend on how many there are.

    Args:
        make: the network for so many classes.
        n_classes: of the network that is asked about.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        these, more = make(n_classes).state_dict(), make(n_classes + 1).state_dict()
    return frozenset(name for name, tensor in these.items() if tensor.shape != more[name].shape)


ANEW = "init_head: fresh draws the layers that give the classes anew"


def _other_classes(start: Start, labels: LabelSet) -> Iterator[Problem]:
    theirs = start.record().get("labels")
    if theirs is not None and theirs != dict(labels) and not start.head_is_fresh:
        message = f"its network knows other lesions than this study, whose lesions are {dict(labels)}; {ANEW}"
        yield Problem(str(start.file), message, key="labels", value=str(theirs))


def _misfits(
    start: Start,
    given: Mapping[str, Tensor],
    own: Mapping[str, Tensor],
    head: frozenset[str],
    fresh: frozenset[str],
) -> Iterator[Problem]:
    """Layers that only the network or only the file has, and those of other sizes."""
    for name in [*own, *(name for name in given if name not in own)]:
        theirs, ours = (tuple(of_one[name].shape) if name in of_one else None for of_one in (given, own))
        if name in fresh or theirs == ours:
            continue
        message = "this network has no such layer" if ours is None else f"this network has it as {ours}"
        advice = f"; {ANEW}" if name in head else ""
        value = "lacking" if theirs is None else str(theirs)
        yield Problem(str(start.file), message + advice, key=name, value=value)
