"""What held-out scans decided on a model's post-processing: which lesions keep only their largest component.

The step ``postprocessing`` writes it, prediction applies it, tables and reports say it. It holds no scan.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from headct.contracts.artefacts import read_json
from headct.contracts.labels import LabelSet
from headct.contracts.plurals import counted
from headct.contracts.problems import BadInput, Problem

FILE = "postprocessing.json"
"""Name of the file, beside the folders of the folds that it was decided on."""

ITEM = "Post-processing"
"""What tables call it."""

NONE = "none"
"""In words, and on the command line: label maps stay as the networks made them."""


@dataclass(frozen=True, kw_only=True)
class Postprocessing:
    """A decision.

    Attributes:
        model: key of the model or ensemble.
        members: keys of the trained models whose probabilities it averages; itself, if it is none.
        seed: of its trainings.
        labels: the value of each lesion in label maps.
        largest_component_of: groups of lesions, one after the other: of all voxels of a group, only those of
            the largest connected component stay; the others become background.
        held_out_scans: how many scans were decided on.
        without_prediction: how many held-out scans could not be, for want of a label map.
        mean_dice: ``before`` and ``after``: the mean Dice of each lesion over those scans that have it in the
            reference or in the label map; None where none has.
    """

    model: str
    members: Sequence[str]
    seed: int
    labels: Mapping[str, int]
    largest_component_of: Sequence[Sequence[str]]
    held_out_scans: int
    without_prediction: int
    mean_dice: Mapping[str, Mapping[str, float | None]]

    @property
    def groups(self) -> list[list[int]]:
        """The values in label maps of each group."""
        return [[self.labels[name] for name in group] for group in self.largest_component_of]

    def in_words(self) -> str:
        """What it does, and on how many scans it was decided, in a clause."""
        of = "; ".join(f"of {_together(group)}" for group in self.largest_component_of)
        done = f"only the largest component {of}" if of else NONE
        return f"{done} (decided on {counted(self.held_out_scans, 'held-out scan')})"


def _together(group: Sequence[str]) -> str:
    if len(group) == 1:
        return group[0]
    return f"{', '.join(group[:-1])} and {group[-1]} taken as one"


def of_seeds(decisions: Sequence[Postprocessing]) -> str:
    """The decisions on one model in words, each with its seed where they differ."""
    words = [decision.in_words() for decision in decisions]
    if len(set(words)) == 1:
        return words[0]
    return "; ".join(f"seed {decision.seed}: {text}" for decision, text in zip(decisions, words, strict=True))


def read(path: Path) -> Postprocessing:
    """Read a decision.

    Raises:
        BadInput: the file is none.
    """
    try:
        found = Postprocessing(**read_json(path))
        is_whole = (
            isinstance(found.model, str)
            and isinstance(found.seed, int)
            and all(isinstance(name, str) for name in found.members)
            and all(isinstance(value, int) for value in found.labels.values())
            and all(name in found.labels for group in found.largest_component_of for name in group)
            and all(found.largest_component_of)
            and bool(found.in_words())
        )
    except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
        message = f"no decision on post-processing can be read from it ({type(error).__name__})"
        raise BadInput([Problem(str(path), message)]) from error
    if not is_whole:
        raise BadInput([Problem(str(path), "is no decision on post-processing, as the workflow writes it")])
    return found


def read_for(path: Path, members: Sequence[Mapping[str, object]], labels: LabelSet) -> Postprocessing:
    """Read the decision that was made for a model, or an ensemble.

    Args:
        path: of the file.
        members: ``train.json`` of each network.
        labels: the lesions that the networks know.

    Raises:
        BadInput: the file is none, or was decided on networks of other models, seeds or lesions.
    """
    found = read(path)
    models = list(dict.fromkeys(record["model"] for record in members))
    seeds = {record.get("seed", found.seed) for record in members}
    problems = [
        Problem(
            str(path), f"was decided for {key} {decided}, and is given for another", key=key, value=str(given)
        )
        for key, decided, given in (
            ("members", list(found.members), models),
            ("seed", [found.seed], sorted(seeds, key=str)),
            ("labels", dict(found.labels), dict(labels)),
        )
        if decided != given
    ]
    if problems:
        raise BadInput(problems)
    return found
