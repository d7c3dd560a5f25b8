"""What a configuration says of lesions: its classes, their groups, and the values of masks that mean them."""

from __future__ import annotations

import difflib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from headct.contracts.labels import MOST_CLASSES, LabelSet, label_set
from headct.contracts.problems import Problem
from headct.settings import strata

NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,19}")
NAME_IN_WORDS = "letters, digits and dashes, a letter first, 20 characters at most"
GROUP = re.compile(r"[A-Za-z][A-Za-z0-9+-]{0,39}")
GROUP_IN_WORDS = "letters, digits, dashes and plus signs, a letter first, 40 characters at most"

NO_MAP = "labels"
"""Name of the values that masks have unless the sheet names a label map for them."""

IGNORE = "ignore"
"""Key of a label map that is no lesion: values that mean none."""

RESERVED = ("all", "background", IGNORE, "mean", "none", "site")
"""Words that stand where lesions' names stand, in tables and settings."""

OLDER_CLASSES = ("ICH", "PHE", "IVH")
OLDER_GROUPS = {"ICH+IVH": ("ICH", "IVH")}
"""The set of results of releases that had no other one, and did not write it down."""


def resolved(document: Mapping[str, Any]) -> dict[str, Any]:
    """The keys of a configuration that are about lesions, with all that is known of these.

    Args:
        document: a configuration without faults; it may be resolved already.
    """
    blocks = {name: as_block(of) for name, of in document["labels"].items()}
    labels = {
        label.name: {
            "value": as_list(blocks[label.name]["value"]),
            "title": label.title,
            "colour": label.colour,
            "role": label.role.key,
        }
        for label in _set_of(blocks, document["groups"]).labels
    }
    maps = {}
    for name, of in document["label_maps"].items():
        maps[name] = {IGNORE: [], **{label: as_list(values) for label, values in of.items()}}
    return {"labels": labels, "label_maps": maps}


def label_set_of(document: Mapping[str, Any]) -> LabelSet:
    """The lesion classes of a configuration without faults, in its order, and their groups."""
    return _set_of({name: as_block(of) for name, of in document["labels"].items()}, document["groups"])


def label_set_of_results(study: Mapping[str, Any], document: Mapping[str, Any]) -> LabelSet:
    """The lesion classes of finished results.

    Args:
        study: ``study.json``, which has their order; older releases wrote none.
        document: ``config.json``, whose keys are sorted.

    Raises:
        ValueError: the two contradict each other, or say nothing that can be understood.
    """
    try:
        if "classes" not in study.keys():  # noqa: SIM118  # what is no mapping is no study
            return label_set(OLDER_CLASSES, OLDER_GROUPS)
        blocks = {name: as_block(document["labels"][name]) for name in study["classes"]}
        if blocks.keys() != document["labels"].keys():
            raise ValueError("config.json has other lesions than study.json")
        return _set_of(blocks, document["groups"])
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"study.json and config.json do not tell the lesions ({error!r})") from error


def _set_of(blocks: Mapping[str, Mapping[str, Any]], groups: Mapping[str, Iterable[str]]) -> LabelSet:
    facts = {name: {key: value for key, value in of.items() if key != "value"} for name, of in blocks.items()}
    return label_set(facts, groups)


def mask_values(document: Mapping[str, Any], named: Iterable[str | None]) -> dict[str, Any]:
    """What the values of some masks mean: to each lesion, and to :data:`IGNORE`, a list.

    Args:
        document: a configuration without faults.
        named: label maps that scans are named for; None for scans that have the values of ``labels``.

    Returns:
        Such lists by the name of the label map; :data:`NO_MAP` is that of ``labels``.
    """
    values = {name: as_list(as_block(of)["value"]) for name, of in document["labels"].items()}
    maps = {NO_MAP: {**values, IGNORE: list(document[IGNORE])}, **document["label_maps"]}
    return {name: maps[name] for name in sorted({one or NO_MAP for one in named})}


def as_block(label: Any) -> Mapping[str, Any]:
    """What is said of a lesion, as a mapping: a value or a list of them may stand for it."""
    return label if isinstance(label, Mapping) else {"value": label}


def as_list(values: Any) -> list[int]:
    """One value or several, as a list."""
    return list(values) if isinstance(values, (list, tuple)) else [values]


# -- faults ------------------------------------------------------------------------------------------


def problems_of(document: Mapping[str, Any]) -> list[Problem]:
    """All faults of the keys about lesions that their schema does not find.

    Args:
        document: a configuration, with all defaults, whatever else is wrong with it.
    """
    labels, groups, maps = (_mapping(document.get(key)) for key in ("labels", "groups", "label_maps"))
    blocks = {str(name): as_block(of) for name, of in labels.items()}
    values = {name: of.get("value") for name, of in blocks.items()}
    return [
        *_problems_of_number(labels),
        *_problems_of_names(blocks, "labels", NAME, NAME_IN_WORDS),
        *_problems_of_names(groups, "groups", GROUP, GROUP_IN_WORDS, taken=blocks),
        *_problems_of_groups(groups, blocks),
        *_problems_of_values(values, document.get(IGNORE), "labels"),
        *_equal_colours(blocks),
        *(problem for name, of in maps.items() for problem in _problems_of_map(str(name), of, blocks)),
        *(problem for key, of in _of_models(document) for problem in _problems_of_meaning(key, of, blocks)),
        *strata.problems_of(_mapping(document.get("split")).get("stratify_by"), blocks),
    ]


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _problems_of_number(labels: Mapping[Any, Any]) -> Iterator[Problem]:
    if not labels:
        yield Problem("", "name a lesion and its value in the masks, such as 'ICH: 1'", key="labels")
    if len(labels) > MOST_CLASSES:
        message = f"{len(labels)} lesions, {MOST_CLASSES} at most: join some, as in 'SDH: [4, 5]'"
        yield Problem("", message, key="labels", value=", ".join(map(str, labels)))


def _problems_of_names(
    names: Iterable[Any], key: str, allowed: re.Pattern[str], in_words: str, taken: Iterable[str] = ()
) -> Iterator[Problem]:
    """Names that can't be those of files, columns and rows, or that stand for two things."""
    first = {name.casefold(): f"labels.{name}" for name in taken}
    for name in map(str, names):
        where = f"{key}.{name}"
        if not allowed.fullmatch(name):
            yield Problem("", f"the name must be {in_words}", key=where)
        elif name.casefold() in RESERVED:
            message = f"tables and settings use this word themselves ({', '.join(RESERVED)}): choose another"
            yield Problem("", message, key=where)
        elif name.casefold() in first:
            message = f"is the name of {first[name.casefold()]}, too; the case of letters does not count"
            yield Problem("", message, key=where)
        first.setdefault(name.casefold(), where)


def _problems_of_groups(groups: Mapping[Any, Any], labels: Mapping[str, Any]) -> Iterator[Problem]:
    """Members that there are not, and groups of the same lesions."""
    first: dict[frozenset[str], str] = {}
    for name, members in groups.items():
        if not isinstance(members, list):
            continue
        for member in map(str, members):
            if member not in labels:
                close = difflib.get_close_matches(member, labels, n=1)
                advice = f"did you mean '{close[0]}'?" if close else f"there are {', '.join(labels)}"
                yield Problem("", f"no such lesion among the labels; {advice}", "", f"groups.{name}", member)
        same = first.setdefault(frozenset(map(str, members)), f"groups.{name}")
        if same != f"groups.{name}":
            yield Problem("", f"has the lesions of {same}", key=f"groups.{name}")


def _problems_of_values(values: Mapping[str, Any], ignored: Any, key: str) -> Iterator[Problem]:
    """Values that stand for two things."""
    places = defaultdict(list)
    for name, of in [*values.items(), (IGNORE, ignored)]:
        where = IGNORE if (name, key) == (IGNORE, "labels") else f"{key}.{name}"
        for value in [] if of is None else as_list(of):
            places[json.dumps(value)].append(where)
    for shown, meanings in places.items():
        if len(meanings) > 1 and shown.isdecimal():
            message = f"has the value of {meanings[0]}, too: each value of a mask has one meaning"
            yield Problem("", message, key=meanings[-1], value=shown)


def _equal_colours(blocks: Mapping[str, Mapping[str, Any]]) -> Iterator[Problem]:
    first: dict[str, str] = {}
    for name, of in blocks.items():
        if isinstance(colour := of.get("colour"), str):
            same = first.setdefault(colour.upper(), name)
            if same != name:
                message = f"is the colour of labels.{same}, too; leave it out, and a free one is chosen"
                yield Problem("", message, key=f"labels.{name}.colour", value=colour)


def _of_models(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What models that were made elsewhere mean by the values of their label maps, by key."""
    for name, model in _mapping(document.get("models")).items():
        if "labels" in _mapping(model):
            yield f"models.{name}.labels", model["labels"]


def _problems_of_map(name: str, of: Any, labels: Mapping[str, Any]) -> Iterator[Problem]:
    """Of an entry of ``label_maps``: its name, and what :func:`_problems_of_meaning` finds."""
    key = f"label_maps.{name}"
    if not NAME.fullmatch(name):
        yield Problem("", f"the name must be {NAME_IN_WORDS}", key=key)
    yield from _problems_of_meaning(key, of, labels)


def _problems_of_meaning(key: str, of: Any, labels: Mapping[str, Any]) -> Iterator[Problem]:
    """Lesions that there are not or that are left out, and values that stand for two things."""
    if not isinstance(of, Mapping):
        return
    for label in of.keys() - labels.keys() - {IGNORE}:
        message = f"no such lesion among the labels, which are {', '.join(labels)}"
        yield Problem("", message, key=f"{key}.{label}")
    for label in labels:
        if label not in of:
            message = "the value of this lesion is missing; [] where these masks have none of it"
            yield Problem("", message, key=f"{key}.{label}")
    yield from _problems_of_values({label: of[label] for label in of if label != IGNORE}, of.get(IGNORE), key)
