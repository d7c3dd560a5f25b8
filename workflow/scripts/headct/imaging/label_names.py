"""What a mask's file itself calls its values: segment names and label tables, held against ``labels:``.

Programs that know names write them into the file: 3D Slicer into the header of a ``.seg.nrrd``, Connectome
Workbench into an extension of NIfTI. A file that says IVH = 1 would else be read as ICH = 1. Names that are
no class's ("Segment_1", "lesion") say nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk
from isal import igzip

from headct.contracts.labels import Label, LabelSet, Role
from headct.imaging.identifiers import SPELT_OUT

BLEEDING = r"ha?em(orr|atom)[a-z]*"
"""Words that mean the haemorrhage inside the tissue, unless a ventricle is named beside them."""

CHANGE_OF_CASE = r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
"""Where a word ends within IntracerebralHemorrhage and IVHVolume."""

NOT_MEANT = re.compile(r"\b(not|non|no(?!\.)|without|w/o|except|excluding)\b[^,;()]*")
BETWEEN_PARTS = re.compile(r"[^a-z\s-]|\b(?:and|with|plus)\b")

SEGMENT = re.compile(r"(Segment\d+)_(Name|LabelValue|Layer)")
LABEL = re.compile(r'<Label\s[^>]*Key="(\d+)"[^>]*>(?:<!\[CDATA\[)?([^<\]]*)')


def classes_in(name: str, labels: LabelSet) -> set[str]:
    """The classes that a name speaks of: none, one, or several ("ICH and IVH")."""
    parted = _end_of_word(labels).sub(r"\g<0> ", name)
    words = unicodedata.normalize("NFC", parted).casefold().translate(SPELT_OUT)
    plain = unicodedata.normalize("NFKD", words).encode("ascii", "ignore").decode()
    meant = NOT_MEANT.sub(" ", re.sub(r"[_\d]+", " ", plain))
    if "excluded" in meant:  # it may say so of any word before
        return set()
    joined = re.sub(r"\b(intra|peri|extra|epi|sub)[\s-]+", r"\1", meant)
    return {label for part in BETWEEN_PARTS.split(joined) for label in _classes_in_part(part, labels)}


def _end_of_word(labels: LabelSet) -> re.Pattern[str]:
    """Where a word ends without a blank: after an abbreviation (IVHvolume), or where the case changes."""
    abbreviations = "|".join(re.escape(short) for label in labels.labels for short in label.abbreviations)
    return re.compile(f"({abbreviations or '(?!)'})(?=[a-z])|{CHANGE_OF_CASE}")


def _classes_in_part(text: str, labels: LabelSet) -> set[str]:
    words = re.findall(r"[a-z]+", text)
    named = [label for word in words for label in _named(word, labels)]
    found = {label.name for label in named}
    of_ventricle = "ventric" in text or any(label.role is Role.VENTRICULAR_HAEMORRHAGE for label in named)
    if not of_ventricle and any(re.fullmatch(BLEEDING, word) for word in words):
        found |= {label.name for label in labels.with_role(Role.TISSUE_HAEMORRHAGE)}
    return found


def _named(word: str, labels: LabelSet) -> list[Label]:
    """The labels that a word means: that of this very name, for a set may have both ICH and IPH; else all."""
    own = [label for label in labels.labels if label.name.casefold() == word]
    return own or [label for label in labels.labels if re.fullmatch(label.words, word)]


@dataclass(frozen=True)
class NamedSegment:
    """One segment of 3D Slicer: the value of its voxels in one of the layers, and its name."""

    layer: int
    value: int
    name: str


def segments_of(image: sitk.Image) -> list[NamedSegment]:
    """The segments that an NRRD header tells of; one without a value is left out."""
    found: dict[str, dict[str, str]] = {}
    for key in image.GetMetaDataKeys():
        if match := SEGMENT.fullmatch(key):
            found.setdefault(match[1], {})[match[2]] = image.GetMetaData(key).strip()
    return [
        NamedSegment(
            int(of["Layer"]) if of.get("Layer", "").isdecimal() else 0, int(value), of.get("Name", "")
        )
        for of in found.values()
        if (value := of.get("LabelValue", "")).isdecimal()
    ]


def of_nifti(path: Path, end: int) -> list[tuple[int, str]]:
    """Values and names of a label table between header and voxels, which start at byte ``end``."""
    with open(path, "rb") as stream:
        is_gzip = stream.read(2) == b"\x1f\x8b"
    with igzip.open(path, "rb") if is_gzip else open(path, "rb") as content:
        return _numbered(LABEL.findall(content.read(end).decode("utf-8", "replace")))


def _numbered(named: Iterable[tuple[str, str]]) -> list[tuple[int, str]]:
    return [(int(value), name.strip()) for value, name in named if value.isdecimal()]


def meant_by_names(
    named: Collection[tuple[int, str]], present: Collection[int], labels: LabelSet
) -> dict[int, str] | None:
    """The class of each value by its name; None where names do not tell all of them apart.

    Args:
        named: values of the file and their names.
        present: values that some voxel has.
        labels: the classes, with the words that mean them.

    Returns:
        A class for each value, no two of which mean the same one.
    """
    classes = {value: classes_in(name, labels) for value, name in named if value in present}
    if set(classes) != set(present) or any(len(meant) != 1 for meant in classes.values()):
        return None
    only = {value: next(iter(meant)) for value, meant in classes.items()}
    return only if len(set(only.values())) == len(only) else None


def contradictions(
    named: Collection[tuple[int, str]],
    label_of: Mapping[int, str],
    present: Collection[int],
    labels: LabelSet,
    said_by: str = "the labels setting",
) -> list[str]:
    """Sentences on values that the file gives to another class than ``label_of`` does.

    Args:
        named: values of the file and their names.
        label_of: the class that each value means.
        present: values that some voxel has; what no voxel has does no harm.
        labels: the classes, with the words that mean them.
        said_by: what says ``label_of``.
    """
    return [
        f"the file calls {value} {name!r}, {said_by} calls it {label_of[value]}"
        for value, name in named
        if value in present
        and value in label_of
        and (meant := classes_in(name, labels))
        and label_of[value] not in meant
    ]
