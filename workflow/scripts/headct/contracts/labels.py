"""The lesion classes that label maps, predictions and tables know: what each is called, shown as and worth.

The study's set is chosen here and nowhere else (:func:`study_labels`). A step reads it once and hands it on,
so that all else works with any set. Who needs a certain lesion asks for its role (the haemorrhage inside the
tissue, the oedema); who needs all of them goes through the set, in its order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

BACKGROUND = 0
"""Voxel value of what is no lesion."""


class Role(Enum):
    """What a lesion is to the analysis, whatever a study calls it."""

    TISSUE_HAEMORRHAGE = "haemorrhage inside the brain's tissue"
    VENTRICULAR_HAEMORRHAGE = "haemorrhage inside the ventricles"
    OEDEMA = "oedema around a haemorrhage"
    OTHER = "another lesion"


@dataclass(frozen=True)
class Label:
    """One lesion class.

    Attributes:
        name: in tables, file columns and legends.
        value: of its voxels, and its index among a network's classes; background is 0.
        title: its full name, beginning with a capital letter.
        colour: on grey-scale CT, as #RRGGBB.
        role: by which code finds it.
        layer: its place in a stack of outlines that cross each other; the highest lies on top.
        abbreviations: in upper case, as names of segments and files have them.
        words: regular expression of a word that means this lesion, in lower case letters without marks.
    """

    name: str
    value: int
    title: str
    colour: str
    role: Role = Role.OTHER
    layer: int = 0
    abbreviations: tuple[str, ...] = ()
    words: str = r"(?!)"  # matches nothing


@dataclass(frozen=True)
class Pool:
    """Lesions that are measured as one as well."""

    name: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class LabelSet(Mapping[str, int]):
    """Lesion classes in their order: a mapping of each name to its voxel value.

    Raises:
        ValueError: two labels of one name, values that are not 1, 2, 3, … in this order, or a pool of unknown
            labels.
    """

    labels: tuple[Label, ...]
    pools: tuple[Pool, ...] = ()

    def __post_init__(self) -> None:
        names = [label.name for label in self.labels]
        if len(set(names)) < len(names):
            raise ValueError(f"two labels of one name: {', '.join(names)}")
        if [label.value for label in self.labels] != list(range(1, len(names) + 1)):
            raise ValueError("the values of labels must be 1, 2, 3, … in the labels' order")
        for pool in self.pools:
            if unknown := set(pool.members) - set(names):
                raise ValueError(f"{pool.name} pools unknown labels: {', '.join(sorted(unknown))}")

    def __getitem__(self, name: str) -> int:
        return self.label(name).value

    def __iter__(self) -> Iterator[str]:
        return (label.name for label in self.labels)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def n_classes(self) -> int:
        """Number of classes of a network, background included."""
        return 1 + len(self.labels)

    @property
    def regions(self) -> dict[str, tuple[int, ...]]:
        """The voxel values of each region that is measured: each label, then each pool."""
        single = {label.name: (label.value,) for label in self.labels}
        return single | {pool.name: tuple(self[name] for name in pool.members) for pool in self.pools}

    @property
    def bottom_up(self) -> list[Label]:
        """The labels in the order in which their outlines are drawn."""
        return sorted(self.labels, key=lambda label: label.layer)

    def label(self, name: str) -> Label:
        """The label of a name.

        Raises:
            KeyError: there is none.
        """
        for label in self.labels:
            if label.name == name:
                return label
        raise KeyError(name)

    def with_role(self, *roles: Role) -> list[Label]:
        """All labels that have one of the roles, in the set's order."""
        return [label for label in self.labels if label.role in roles]

    def only(self, role: Role) -> Label:
        """The one label that has a role.

        Raises:
            LookupError: none has it, or several.
        """
        found = self.with_role(role)
        if len(found) != 1:
            names = ", ".join(label.name for label in found) or "none"
            raise LookupError(f"one label must be the {role.value}; of {', '.join(self)} it is: {names}")
        return found[0]

    def haemorrhage_values(self) -> tuple[int, ...]:
        """Voxel values of all haemorrhages."""
        roles = Role.TISSUE_HAEMORRHAGE, Role.VENTRICULAR_HAEMORRHAGE
        return tuple(label.value for label in self.with_role(*roles))


# Colours: Okabe M, Ito K. Color Universal Design (2008), https://jfly.uni-koeln.de/color/. They differ in
# lightness too, so that they survive greyscale print.
_ICH = Label(
    name="ICH",
    value=1,
    title="Intracerebral haemorrhage",
    colour="#D55E00",
    role=Role.TISSUE_HAEMORRHAGE,
    layer=2,
    abbreviations=("ICH", "IPH"),
    words=r"ich|iph|(intra)?parenchymal|intracerebral",
)
_PHE = Label(
    name="PHE",
    value=2,
    title="Perihaematomal oedema",
    colour="#56B4E9",
    role=Role.OEDEMA,
    layer=0,
    abbreviations=("PHE",),
    words=r"phe|o?edem[a-z]*|peri(haemorr|hemorr|haemat|hemat)[a-z]*",
)
_IVH = Label(
    name="IVH",
    value=3,
    title="Intraventricular haemorrhage",
    colour="#F0E442",
    role=Role.VENTRICULAR_HAEMORRHAGE,
    layer=1,
    abbreviations=("IVH",),
    words=r"ivh|(intra)?ventric[a-z]*",
)


def study_labels() -> LabelSet:
    """The lesions of the study: read once per job, by its step, and passed on to all that needs them."""
    both_haemorrhages = Pool("ICH+IVH", (_ICH.name, _IVH.name))
    return LabelSet((_ICH, _PHE, _IVH), (both_haemorrhages,))
