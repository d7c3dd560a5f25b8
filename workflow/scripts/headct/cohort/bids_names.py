"""Names of files as BIDS makes them: entities, each a key and a value, then a suffix.

As bids-specification.readthedocs.io has them: common principles (entities, inheritance), imaging derivatives.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from headct.contracts.folders import contents

EFFECT = "speed"  # what is written of a data set is read by the steps themselves

NAME = re.compile(r"((?:[A-Za-z]+-[A-Za-z0-9+]+_)*)([A-Za-z0-9]+)(\.nii\.gz|\.nii|\.tsv)")

LABEL_MAP = "dseg"
"""Suffix of masks that hold several lesions by their values, and of the tables that name these."""

OF_DERIVATIVES = ("space", "res", "den", "hemi", "atlas", "seg", "scale", "label", "desc")
"""Entities that a derivative adds to those of its image."""


@dataclass(frozen=True)
class Named:
    """A file whose name is made so.

    Attributes:
        path: of the file.
        name: all entities, as they stand.
        entities: their values by key.
        suffix: the last part, in small letters, such as ct or dseg.
    """

    path: Path
    name: str
    entities: Mapping[str, str]
    suffix: str

    @property
    def lesion(self) -> str:
        """What the mask says that it outlines; empty where it does not."""
        return "" if self.suffix == LABEL_MAP else self.entities.get("label", "")


def below(folder: Path) -> list[Named]:
    """The files anywhere below a folder; broken links are files that were not fetched."""
    found = contents(folder)
    return _named(map(Path, sorted([*found.files, *found.unreadable_files])))


def directly_in(folder: Path) -> list[Named]:
    """The files of a folder, without those of the folders in it."""
    return _named(sorted(folder.iterdir()))


def _named(paths: Iterable[Path]) -> list[Named]:
    found = []
    for path in paths:
        if match := NAME.fullmatch(path.name):
            name = match[1].rstrip("_")
            entities = dict(part.split("-", 1) for part in name.split("_") if part)
            found.append(Named(path, name, entities, match[2].lower()))
    return found


def fitting(mask: Named, images: Mapping[str, Named]) -> list[str]:
    """Names of the images that a mask may be of: with the entities of its source, else also with more."""
    source = {key: value for key, value in mask.entities.items() if key not in OF_DERIVATIVES}
    possible = [name for name, image in images.items() if source.items() <= image.entities.items()]
    return [name for name in possible if images[name].entities == source] or possible


def tables(files: Sequence[Named]) -> list[Named]:
    """Look-up tables, which name the values of label maps."""
    return [one for one in files if one.suffix == LABEL_MAP and one.path.suffix == ".tsv"]


def nearest(tables: Sequence[Named], mask: Named) -> Named | None:
    """The look-up table of a mask: of those beside or above it whose entities it has, the nearest."""
    above = [
        one
        for one in tables
        if one.path.parent in mask.path.parents and one.entities.items() <= mask.entities.items()
    ]
    return max(above, key=lambda one: (len(one.path.parts), len(one.entities)), default=None)
