"""The lesion classes that label maps, predictions and tables know: what each is called, shown as and worth.

A study's set stands in its configuration (:mod:`headct.settings.lesions`). Each step is given it by the
option ``--labels``, as JSON, and hands it on, so that all works with any set. Who needs certain lesions asks
for their role (haemorrhage inside the tissue, oedema), which none, one or several have; who needs all of them
goes through the set, in its order. What a set does not say of a lesion is known here: title, colour, role,
and the words that mean it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any

from headct.contracts.problems import BadInput, Problem

BACKGROUND = 0
"""Voxel value of what is no lesion."""

MOST_CLASSES = 7
"""How many lesions a set may have: as many as there are colours that everybody can tell apart."""

PALETTE = ("#D55E00", "#56B4E9", "#F0E442", "#009E73", "#CC79A7", "#E69F00", "#0072B2")
"""Colours that differ for all eyes, and in lightness, so that they survive greyscale print: Okabe M, Ito K.
Color Universal Design (2008), https://jfly.uni-koeln.de/color/, without black."""


class Role(Enum):
    """What a lesion is to the analysis, whatever a study calls it; small letters in the configuration."""

    TISSUE_HAEMORRHAGE = "haemorrhage inside the brain's tissue"
    VENTRICULAR_HAEMORRHAGE = "haemorrhage inside the ventricles"
    OUTER_HAEMORRHAGE = "haemorrhage around the brain"
    OEDEMA = "oedema around a haemorrhage"
    OTHER = "another lesion"

    @property
    def key(self) -> str:
        """What the configuration calls it."""
        return self.name.lower()


ROLES = {role.key: role for role in Role}
"""Roles by what the configuration calls them."""

HAEMORRHAGES = (Role.TISSUE_HAEMORRHAGE, Role.VENTRICULAR_HAEMORRHAGE, Role.OUTER_HAEMORRHAGE)

LAYERS = {Role.TISSUE_HAEMORRHAGE: 2, Role.VENTRICULAR_HAEMORRHAGE: 1, Role.OUTER_HAEMORRHAGE: 1}
"""Places in a stack of outlines that cross each other, the highest on top; all other roles lie below."""


class Extent(IntEnum):
    """How much of a set a step is given: what its results depend on, so that no edit of more runs it anew."""

    NAMES = 1
    """What networks learn, and what columns are called: the names, in the order of the classes."""
    ROLES = 2
    """Roles as well, by which masks are judged."""
    GROUPS = 3
    """Groups as well, which are measured."""
    PRINT = 4
    """Titles and colours as well."""


@dataclass(frozen=True)
class Label:
    """One lesion class.

    Attributes:
        name: in tables, file columns and legends.
        value: of its voxels, and its index among a network's classes; background is 0.
        title: its full name, beginning with a capital letter.
        colour: on grey-scale CT, as #RRGGBB.
        role: by which code finds it.
        abbreviations: in upper case, as names of segments and files have them.
        words: regular expression of a word that means this lesion, in lower case letters without marks.
    """

    name: str
    value: int
    title: str
    colour: str
    role: Role = Role.OTHER
    abbreviations: tuple[str, ...] = ()
    words: str = r"(?!)"  # matches nothing

    @property
    def title_in_sentence(self) -> str:
        """The title as it stands within a sentence: an abbreviation or a name in it stays as it is."""
        return self.title[:1].lower() + self.title[1:] if self.title[1:2].islower() else self.title


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
        return sorted(self.labels, key=lambda label: LAYERS.get(label.role, 0))

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

    def haemorrhage_values(self) -> tuple[int, ...]:
        """Voxel values of all haemorrhages."""
        return tuple(label.value for label in self.with_role(*HAEMORRHAGES))

    def written(self, extent: Extent) -> str:
        """The set, or as much of it as a step needs, as the JSON that :func:`read` takes."""
        return json.dumps(self.content(extent), ensure_ascii=False)

    def content(self, extent: Extent) -> dict[str, Any]:
        """As :meth:`written`, before it is JSON."""
        classes = []
        for label in self.labels:
            facts = {"name": label.name}
            if extent >= Extent.ROLES:
                facts["role"] = label.role.key
            if extent >= Extent.PRINT:
                facts |= {"title": label.title, "colour": label.colour}
            classes.append(facts)
        content: dict[str, Any] = {"classes": classes}
        if extent >= Extent.GROUPS:
            content["groups"] = {pool.name: list(pool.members) for pool in self.pools}
        return content


@dataclass(frozen=True)
class Known:
    """What is known of a lesion by its name alone; as of :class:`Label`."""

    title: str
    colour: str
    role: Role
    abbreviations: tuple[str, ...]
    words: str


KNOWN: Mapping[str, Known] = {
    "ICH": Known(
        title="Intracerebral haemorrhage",
        colour="#D55E00",
        role=Role.TISSUE_HAEMORRHAGE,
        abbreviations=("ICH", "IPH"),
        words=r"ich|iph|(intra)?parenchymal|intracerebral",
    ),
    "IPH": Known(
        title="Intraparenchymal haemorrhage",
        colour="#D55E00",
        role=Role.TISSUE_HAEMORRHAGE,
        abbreviations=("IPH", "ICH"),
        words=r"ich|iph|(intra)?parenchymal|intracerebral",
    ),
    "PHE": Known(
        title="Perihaematomal oedema",
        colour="#56B4E9",
        role=Role.OEDEMA,
        abbreviations=("PHE",),
        words=r"phe|o?edem[a-z]*|peri(haemorr|hemorr|haemat|hemat)[a-z]*",
    ),
    "IVH": Known(
        title="Intraventricular haemorrhage",
        colour="#F0E442",
        role=Role.VENTRICULAR_HAEMORRHAGE,
        abbreviations=("IVH",),
        words=r"ivh|(intra)?ventric[a-z]*",
    ),
    "SAH": Known(
        title="Subarachnoid haemorrhage",
        colour="#009E73",
        role=Role.OUTER_HAEMORRHAGE,
        abbreviations=("SAH",),
        words=r"sah|subarach[a-z]*",
    ),
    "SDH": Known(
        title="Subdural haemorrhage",
        colour="#CC79A7",
        role=Role.OUTER_HAEMORRHAGE,
        abbreviations=("SDH",),
        words=r"sdh|subdural",
    ),
    "EDH": Known(
        title="Epidural haemorrhage",
        colour="#E69F00",
        role=Role.OUTER_HAEMORRHAGE,
        abbreviations=("EDH",),
        words=r"edh|epidural|extradural",
    ),
    "EAH": Known(
        title="Extra-axial haemorrhage",
        colour="#CC79A7",
        role=Role.OUTER_HAEMORRHAGE,
        abbreviations=("EAH",),
        words=r"eah|extraaxial",
    ),
}
"""Lesions that need no more than their name, in any case of letters."""


def label_set(
    classes: Mapping[str, Mapping[str, str]] | Sequence[str],
    groups: Mapping[str, Iterable[str]] | None = None,
) -> LabelSet:
    """The set of some lesions, in their order; what is not said of one is what is known of it.

    A lesion that is unknown here has its name for a title, no role and the first colour that is free.

    Args:
        classes: names, perhaps each with a ``title``, a ``colour`` and a ``role`` (as the configuration
            calls it).
        groups: names of lesions by the name of the group that is measured as one.

    Raises:
        ValueError: as of :class:`LabelSet`; no lesion, or more than :data:`MOST_CLASSES`; no such role.
    """
    facts = classes if isinstance(classes, Mapping) else {name: {} for name in classes}
    if not 1 <= len(facts) <= MOST_CLASSES:
        raise ValueError(f"one to {MOST_CLASSES} lesions make a set, not {len(facts)}")
    known = {name: KNOWN.get(name.upper()) for name in facts}
    colours = {name: of["colour"].upper() for name, of in facts.items() if "colour" in of}
    for name, of_name in known.items():
        if of_name and of_name.colour not in colours.values():
            colours.setdefault(name, of_name.colour)
    free = [colour for colour in PALETTE if colour not in colours.values()]
    labels = []
    for value, (name, of) in enumerate(facts.items(), start=1):
        by_name = known[name] or Known(name, "", Role.OTHER, (name.upper(),), re.escape(name.lower()))
        role = of.get("role", by_name.role.key)
        if role not in ROLES:
            raise ValueError(f"no such role: {role}; there are {', '.join(ROLES)}")
        labels.append(
            Label(
                name=name,
                value=value,
                title=of.get("title", by_name.title),
                colour=colours.get(name) or free.pop(0),
                role=ROLES[role],
                abbreviations=by_name.abbreviations,
                words=by_name.words,
            )
        )
    pools = tuple(Pool(name, tuple(members)) for name, members in (groups or {}).items())
    return LabelSet(tuple(labels), pools)


def read(text: str, option: str = "--labels") -> LabelSet:
    """A set from the JSON that :meth:`LabelSet.written` makes; ``option`` is what messages call it.

    Raises:
        BadInput: it is none.
    """
    try:
        content = json.loads(text)
        classes = {of["name"]: of for of in content["classes"]}
        if len(classes) < len(content["classes"]):
            raise ValueError("two classes of one name")
        return label_set(classes, content.get("groups"))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        message = 'no set of lesions, such as {"classes": [{"name": "SDH"}, {"name": "SAH"}]}: ' + str(error)
        raise BadInput([Problem(option, message, value=text)]) from error
