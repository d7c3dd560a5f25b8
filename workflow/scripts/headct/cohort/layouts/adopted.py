"""What the layout of a data set says of a folder: scans, labels, and what to know before they are used."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from headct.contracts.labels import KNOWN
from headct.contracts.plurals import counted
from headct.contracts.problems import BadInput, Problem, first_few
from headct.imaging import nifti

EFFECT = "speed"  # what is written of a data set is read by the steps themselves

NIFTI = (".nii.gz", ".nii")
"""Suffixes of files that are looked for in folders of pairs, the longer one first."""

MOST_VALUES = 20
"""Of a label map; a file with more is taken for an image."""

LONGEST_ID = 64
"""Characters of an id, by the schema of the sheet."""

LONGEST_LABEL = 20
"""Characters of a label's name, by the configuration."""

OTHER_FILES = "file of another kind"
"""What lies beside images or masks and is none."""


def how_many(names: Sequence[str], what: str) -> str:
    """``2 images without a mask``: of these names, what begins with their noun in the singular."""
    return counted(len(names), *what.split(" ", 1))


@dataclass(frozen=True, kw_only=True)
class FoundScan:
    """One image with what was drawn on it.

    Attributes:
        scan_id, participant_id: as they will stand in the sheet.
        image: its file.
        masks: files by the sheet's column: ``mask``, or one for each lesion, such as ``mask:ICH``.
        facts: what is known beside, by the sheet's column, such as ``age``.
    """

    scan_id: str
    participant_id: str
    image: Path
    masks: Mapping[str, Path]
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Adopted:
    """A data set, as it was found.

    Attributes:
        scans: in the order of the sheet.
        labels: the configuration's ``labels``: for each name its value in the masks, several, or a block.
        ignore: values of masks that mean no lesion.
        settings: what else this data set needs of the configuration, by its keys.
        self_description: what the data set says of itself, such as its name and licence, in words.
        note_of_study: a line that is printed on every table and figure.
        masks: in words, what was found in the masks.
        masks_with: in how many masks each label has a voxel; nothing where masks were not looked at.
        participants: in words, how scans were put together where no pattern was given.
        traps: of the published set, what is known to mislead, a sentence or two each. They were not looked
            for in this folder.
        doubts: what may mislead in this folder, as it was found there.
        left_out: names of files that were not used by what they are, as :func:`how_many` takes it.
        unchecked: what nobody has looked at on the real files.
    """

    scans: Sequence[FoundScan]
    labels: Mapping[str, Any]
    masks_with: Mapping[str, int]
    ignore: Sequence[int] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    self_description: Sequence[str] = ()
    note_of_study: str = ""
    masks: Sequence[str] = ()
    participants: str = "One participant for each scan."
    traps: Sequence[str] = ()
    doubts: Sequence[str] = ()
    left_out: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unchecked: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class KnownLayout:
    """A data set that is laid out in a known way.

    Attributes:
        title: of the data set.
        looks_for: files that it is recognised by, in words.
        licence: as others state it; the user must check it.
        citation: who is to be cited.
        site: what the sheet's column ``site`` says of all scans.
        rater: what the sheet's column ``rater`` says of all scans.
        recognises: whether a folder is laid out so, by names of files and folders alone.
        read: finds the scans of a folder that is laid out so; the pattern, if one is given, is that of the
            participant in a scan's name. Raises BadInput for all that is wrong with it.
    """

    title: str
    looks_for: str
    licence: str
    citation: str
    site: str
    rater: str
    recognises: Callable[[Path], bool]
    read: Callable[[Path, re.Pattern[str] | None], Adopted]


def json_object(path: Path, such_as: str) -> dict[str, Any]:
    """What a JSON file of a data set says of it.

    Args:
        path: of the file.
        such_as: a key that such files have, for the message.

    Raises:
        BadInput: it holds no JSON, or no object.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BadInput([Problem(str(path), f"no JSON: {error}")]) from error
    if not isinstance(content, dict):
        raise BadInput([Problem(str(path), f"no JSON object with keys such as {such_as}")])
    return content


def not_laid_out_so(folder: Path, looks_for: str, hint: str = "") -> BadInput:
    """The fault of a folder in which a layout does not find what it looks for.

    Args:
        folder: of the data set.
        looks_for: files that the layout is recognised by, in words.
        hint: what else the folder may be, a sentence without its full stop.
    """
    if not folder.is_dir():
        return BadInput([Problem(str(folder), "there is no such folder")])
    found = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir())
    sentences = [
        "not laid out as this data set is",
        f"Looked for: {looks_for}",
        f"Found: {first_few(found) or 'nothing'}",
        *filter(None, [hint]),
    ]
    return BadInput([Problem(str(folder), ". ".join(sentences))])


def what_else_it_is(folder: Path, layout: str, layouts: Mapping[str, KnownLayout]) -> str:
    """Of a folder that a layout does not recognise: where in it one is that it does, or which others do.

    Args:
        folder: of the data set.
        layout: the name of the layout.
        layouts: all that are known, by name.
    """
    folders = sorted(path for path in folder.glob("*") if path.is_dir())
    below = [path.name for path in folders if layouts[layout].recognises(path)]
    if below:
        return f"Laid out so: {first_few(below)}, in this folder: give the path of one of them"
    others = [name for name, other in layouts.items() if other.recognises(folder)]
    return f"It is laid out as {' and '.join(others)}: name that layout instead" if others else ""


@dataclass(frozen=True)
class Pairs:
    """Images and masks of a folder by the name that they share, and names of what was left out."""

    images: Mapping[str, Path]
    masks: Mapping[str, Path]
    left_out: Mapping[str, Sequence[str]]


def pairs_of(
    names: Sequence[str],
    images: Mapping[str, Path],
    masks: Mapping[str, Path],
    left_out: Mapping[str, Sequence[str]],
) -> Pairs:
    """The pairs of some names.

    Args:
        names: that have both.
        images, masks: files by name.
        left_out: names of files by what they are.
    """
    return Pairs({name: images[name] for name in names}, {name: masks[name] for name in names}, left_out)


def folders_in(folder: Path, candidates: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Those of the candidates, two folders each, that are there."""
    return [two for two in candidates if all((folder / name).is_dir() for name in two)]


def pairs_in(folder: Path, candidates: Sequence[tuple[str, str]]) -> tuple[str, Pairs]:
    """Images and masks of one name in two folders: the first two of the candidates that are there.

    Args:
        folder: of the data set, which has one of the candidates.
        candidates: names of the folder of images and of that of masks.

    Returns:
        The name of the folder of images as the candidates have it, and the pairs.

    Raises:
        BadInput: no image has a mask of its name.
    """
    (images_in, masks_in), *_ = folders_in(folder, candidates)
    images, other_images = files_by_name(folder / images_in)
    masks, other_masks = files_by_name(folder / masks_in)
    names, alone = in_pairs(images, masks, folder)
    return images_in, pairs_of(names, images, masks, {**alone, OTHER_FILES: [*other_images, *other_masks]})


def scans_of(
    pairs: Pairs, folder: Path, pattern: re.Pattern[str] | None, of_scan: str = "", of_participant: str = ""
) -> list[FoundScan]:
    """The scans of pairs, with the ids that they will have.

    Args:
        pairs: images and masks by name.
        folder: of the data set, for messages.
        pattern: that of the participant in a name; without it each name is a participant.
        of_scan: what the ids of scans begin with.
        of_participant: what the ids of participants begin with.

    Raises:
        BadInput: names in which the pattern is not.
    """
    return [
        FoundScan(
            scan_id=as_id(name, of_scan),
            participant_id=as_id(participant_in(name, pattern, folder), of_participant),
            image=pairs.images[name],
            masks={"mask": pairs.masks[name]},
        )
        for name in pairs.images
    ]


def files_by_name(folder: Path, suffixes: Sequence[str] = NIFTI) -> tuple[dict[str, Path], list[str]]:
    """The files of a folder by their names without suffix, and names of what else lies in it.

    Raises:
        BadInput: two files of one name, as ``a.nii`` and ``a.nii.gz``.
    """
    found: dict[str, Path] = {}
    others, problems = [], []
    for path in sorted(folder.iterdir()):
        suffix = next((end for end in suffixes if path.name.lower().endswith(end)), "")
        name = path.name[: len(path.name) - len(suffix)]
        if not suffix or path.name.startswith(".") or path.is_dir():
            others.append(path.name)
        elif name in found:
            problems.append(Problem(str(folder), f"both {found[name].name} and {path.name}: keep one"))
        else:
            found[name] = path
    if problems:
        raise BadInput(problems)
    return found, others


def in_pairs(
    images: Mapping[str, Path], masks: Mapping[str, Path], folder: Path
) -> tuple[list[str], dict[str, Sequence[str]]]:
    """Names that have an image and a mask, and those that lack one of the two, by what they are.

    Raises:
        BadInput: no name has both.
    """
    both = sorted(images.keys() & masks.keys())
    if not both:
        message = (
            f"no image has a mask of its name: images {first_few(sorted(images)) or 'none'}; masks "
            f"{first_few(sorted(masks)) or 'none'}"
        )
        raise BadInput([Problem(str(folder), message)])
    return both, {
        "image without a mask": sorted(images.keys() - masks.keys()),
        "mask without an image": sorted(masks.keys() - images.keys()),
    }


def as_id(name: str, before: str = "") -> str:
    """A file's name as an id of the sheet: what ids may not hold becomes a hyphen."""
    plain = re.sub(r"[^A-Za-z0-9_]+", "-", f"{before}{name}").strip("-_")
    return plain[:LONGEST_ID].rstrip("-_") or "scan"


def participant_in(name: str, pattern: re.Pattern[str] | None, folder: Path) -> str:
    """The participant that a scan's name tells: what the pattern finds, or the group in it.

    Raises:
        BadInput: the pattern is not in the name.
    """
    if pattern is None:
        return name
    found = pattern.search(name)
    if found is None or not (found[pattern.groups and 1] or ""):
        message = "the name of this scan does not hold the pattern, so its participant is unknown"
        raise BadInput([Problem(str(folder), message, key="--participant", value=name)])
    return found[1] if pattern.groups else found[0]


@dataclass(frozen=True)
class ValuesInMasks:
    """Which values other than 0 the masks of a data set hold, by their names.

    ``unreadable`` are those that could not be read, and why.
    """

    of_mask: Mapping[str, frozenset[int]]
    unreadable: Mapping[str, str]

    @property
    def counts(self) -> Mapping[int, int]:
        """How many masks have each value."""
        return Counter(value for values in self.of_mask.values() for value in values)

    @property
    def empty(self) -> list[str]:
        """Names of masks without any."""
        return [name for name, values in self.of_mask.items() if not values]

    def masks_with(self, labels: Mapping[str, Any]) -> dict[str, int]:
        """In how many masks each of the configuration's labels has a voxel."""
        return {label: self._masks_with_any(values_of(of)) for label, of in labels.items()}

    def _masks_with_any(self, values: Sequence[int]) -> int:
        return sum(not found.isdisjoint(values) for found in self.of_mask.values())

    @property
    def first_fault(self) -> str:
        """The first mask that could not be read, and why, behind a semicolon; empty where all could."""
        return next((f"; {name}: {why}" for name, why in self.unreadable.items()), "")

    def in_words(self) -> list[str]:
        """A sentence for each."""
        counts = sorted(self.counts.items())
        values = ", ".join(f"{value} ({counted(n, 'mask')})" for value, n in counts) or "none"
        words = [f"Values other than 0: {values}."]
        if self.empty:
            words.append(
                f"{counted(len(self.empty), 'mask')} without any other value: {', '.join(self.empty)}."
            )
        words += [f"{name} could not be used: {why}." for name, why in self.unreadable.items()]
        return words


def values_in(masks: Mapping[str, Path]) -> ValuesInMasks:
    """Read all masks, by the names of their scans."""
    of_mask, unreadable = {}, {}
    for name, path in masks.items():
        try:
            values = np.unique(np.round(np.nan_to_num(nifti.read(path).values)))
        except nifti.Unreadable as error:
            unreadable[name] = str(error)
            continue
        lesions = frozenset(int(value) for value in values if value)
        if len(lesions) > MOST_VALUES:
            unreadable[name] = f"{len(lesions)} values, as an image has, where labels should be"
            continue
        of_mask[name] = lesions
    return ValuesInMasks(of_mask, unreadable)


def values_of(label: Any) -> list[int]:
    """The values in the masks of one of the configuration's labels: a value, several, or a block."""
    value = label["value"] if isinstance(label, Mapping) else label
    return value if isinstance(value, list) else [value]


def only_present(
    classes: Mapping[str, Sequence[int]], values: ValuesInMasks
) -> tuple[dict[str, list[int]], list[str]]:
    """The classes that a mask has, with their values, and a sentence for each of the others."""
    present = {name: list(of) for name, of in classes.items() if set(of) & values.counts.keys()}
    words = [
        f"No mask has '{name}': it can be neither learnt nor measured, and was left out."
        for name in classes
        if name not in present
    ]
    return present, words


def one_class(values: ValuesInMasks, name: str) -> dict[str, Any]:
    """The labels of masks in which any value but 0 means the one lesion.

    Raises:
        BadInput: no mask has any, or a value is no label's.
    """
    found = sorted(values.counts)
    if not found or found[0] < 1:
        none = f"no mask could be read that has a voxel of the lesion{values.first_fault}"
        message = "a negative value" if found else none
        raise BadInput([Problem("masks", message, key=name, value=", ".join(map(str, found)))])
    return {name: found[0] if len(found) == 1 else found}


def known_lesion(name: str) -> str:
    """The lesion that is known by this name or title, in British or American spelling; else empty."""

    def plain(text: str) -> str:
        letters = re.sub(r"[^a-z]", "", text.casefold())
        return letters.replace("haem", "hem").replace("oedema", "edema")

    names = {plain(words): key for key, known in KNOWN.items() for words in (key, known.title)}
    return names.get(plain(name), "")


def as_label(name: str) -> str:
    """A label's name as the configuration may have it: letters, digits and dashes, a letter first."""
    if known := known_lesion(name):
        return known
    plain = re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-")[:LONGEST_LABEL].rstrip("-")
    return plain if plain[:1].isalpha() else f"label-{plain}"[:LONGEST_LABEL].rstrip("-")


def labelled(
    classes: Mapping[str, Sequence[int]], file: str, key: str
) -> tuple[dict[str, Any], dict[str, str], list[Problem]]:
    """The configuration's labels for classes as a data set calls them.

    Args:
        classes: values by name.
        file, key: where the names stand, for messages.

    Returns:
        Labels by the name that they have in the configuration; for those that are known here by another name,
        the data set's; and names that read alike.
    """
    labels: dict[str, Any] = {}
    renamed: dict[str, str] = {}
    problems = []
    for name, values in classes.items():
        label = as_label(name)
        if label in labels:
            message = f"reads like another label's name ({label}): rename one"
            problems.append(Problem(file, message, key=key, value=name))
        value = values[0] if len(values) == 1 else list(values)
        labels[label] = {"value": value, "title": name}
        if label == name or known_lesion(name):
            labels[label] = value
            renamed |= {label: name} if label != name else {}
    return labels, renamed, problems


def settings_for_empty(values: ValuesInMasks) -> dict[str, Any]:
    """What the configuration needs where scans without any lesion are data."""
    return {"ingest": {"empty_masks": "lesion_free"}} if values.empty else {}
