"""Models that were made elsewhere: what decides their label maps, and what is known of them.

Nothing trains them here. Their types have a field for each key of the schema (``$defs``: ``external_model``).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal

from headct.contracts.labels import LabelSet
from headct.contracts.problems import BadInput, Problem
from headct.settings import configuration, lesions
from headct.settings.blocks import Model
from headct.settings.typed import plain, typed

EFFECT = "speed"  # what decides label maps stands in the parameters of the job

Missing = Literal["error", "no_prediction"]
"""What a scan without a label map is: a fault, or one that the model could not predict."""


@dataclass(frozen=True, kw_only=True)
class Outside:
    """What decides the label maps of a model that was made elsewhere.

    Attributes:
        framework: where they come from.
        labels: the values of its label maps by lesion, as in an entry of ``label_maps``; None for 1, 2, 3, …
            in the order of the study's lesions.
        missing: what a scan without a label map is; None for an error.
    """

    framework: str
    labels: Mapping[str, tuple[int, ...] | int] | None = None
    missing: Missing | None = None

    @property
    def may_be_missing(self) -> bool:
        """Whether a scan without a label map counts as one that the model could not predict."""
        return self.missing == "no_prediction"

    @property
    def has_probabilities(self) -> bool:
        """Whether its files hold the probabilities of all classes."""
        return False

    def values(self, labels: LabelSet) -> dict[str, list[int]]:
        """The values of its label maps that mean each lesion of the study, and those that mean none.

        Args:
            labels: the study's lesions.
        """
        meant: Mapping[str, Sequence[int] | int] = dict(labels) if self.labels is None else self.labels
        return {lesions.IGNORE: [], **{name: lesions.as_list(values) for name, values in meant.items()}}


@dataclass(frozen=True, kw_only=True)
class External(Outside):
    """A model whose label maps lie in a folder, one of each scan, called by its ``scan_id``.

    Attributes:
        folder: of the files.
        content: of each file; None for a label map.
    """

    folder: str
    content: Literal["label_map", "probabilities"] | None = None

    @property
    def has_probabilities(self) -> bool:
        return self.content == "probabilities"


@dataclass(frozen=True, kw_only=True)
class Command(Outside):
    """A model whose label maps a command makes of the scans, in the job that then checks them.

    Attributes:
        command: with the places of :data:`PLACES` in braces.
        files: what its label maps depend on.
    """

    command: str
    files: tuple[str, ...] | None = None

    @property
    def is_run_for_each_scan(self) -> bool:
        """Whether it takes one image, and not a folder of all."""
        return set(EACH) <= set(self.places)

    @property
    def places(self) -> list[str]:
        """The words in braces."""
        return PLACE.findall(self.command)

    def faults(self) -> Iterator[str]:
        """What is wrong with the command, as far as can be seen without running it."""
        named, left = set(self.places), PLACE.sub("", self.command)
        try:
            shlex.split(self.command)
        except ValueError as error:
            yield f"is no command: {error}"
            return
        if set(left) & set("{}"):
            yield "has a brace that is no place, such as {images}: put what needs braces into a script"
        elif unknown := sorted(named - {*ALL_AT_ONCE, *EACH, *HOW}):
            yield f"knows {{{'}, {'.join((*ALL_AT_ONCE, *EACH, *HOW))}}}, not {{{'}, {'.join(unknown)}}}"
        elif named - set(HOW) not in (set(ALL_AT_ONCE), set(EACH)):
            yield "must say where it reads and writes: {images} and {label_maps}, or {image} and {label_map}"


PLACE = re.compile(r"\{(\w*)\}")
ALL_AT_ONCE, EACH, HOW = ("images", "label_maps"), ("image", "label_map"), ("device", "threads")
"""Words in braces of a command: what it reads and writes, of all scans or of one, and how it may compute."""

KINDS: Mapping[str, type[External | Command]] = {"external": External, "command": Command}
"""By the name of the framework, the type of the settings that decide label maps."""


@dataclass(frozen=True, kw_only=True)
class About:
    """What is known of a model that was made elsewhere; None where nobody said it."""

    made_by: str | None = None
    version: str | None = None
    licence: str | None = None
    training_data: str | None = None

    def in_print(self) -> dict[str, str]:
        """Each fact by its heading in print, and the missing ones by what is missing."""
        return {
            "Made by": self.made_by or NOT_STATED,
            "Model version": self.version or NOT_STATED,
            "Licence": self.licence or NOT_STATED,
            "Training data": self.training_data or NOT_STATED,
        }


NOT_STATED = "not stated"


def of_model(model: Model) -> External | Command:
    """What decides the label maps of a model of the configuration that was made elsewhere."""
    return typed(KINDS[model.framework], model.settings)


def about(model: Model) -> About:
    """What is known of such a model."""
    return typed(About, model.settings)


def given(text: str, option: str = "--settings") -> External | Command:
    """What decides the label maps of a model, as a command is given it: JSON, the framework among it.

    Raises:
        BadInput: no JSON object, no framework of such models, or every key that is unknown, absent, of the
            wrong type or out of range.
    """
    chosen = configuration.json_object(text, option)
    root = configuration.config_schema()
    kind = KINDS.get(str(chosen.get("framework")), External)
    wanted = {one.name for one in fields(kind)}
    schema = root["$defs"].get(f"{chosen.get('framework')}_model", {"properties": {}, "required": []})
    checked = {
        "type": "object",
        "additionalProperties": False,
        "properties": {key: part for key, part in schema["properties"].items() if key in wanted}
        | {"framework": {"enum": list(KINDS)}},
        "required": [key for key in schema["required"] if key in wanted],
        "$defs": root["$defs"],
    }
    if problems := configuration.schema_problems(chosen, checked, option):
        raise BadInput(problems)
    settings = typed(kind, chosen)
    faults = settings.faults() if isinstance(settings, Command) else ()
    if problems := [Problem(option, message, key="command") for message in faults]:
        raise BadInput(problems)
    return settings


def words(settings: Outside) -> dict[str, object]:
    """The settings as JSON has them."""
    found: dict[str, object] = plain(settings)
    return found
