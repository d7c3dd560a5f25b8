"""What a mask's file itself calls its values: segment names and label tables, held against ``labels:``.

Programs that know names write them into the file: 3D Slicer into the header of a ``.seg.nrrd``, Connectome
Workbench into an extension of NIfTI. A file that says IVH = 1 would else be read as ICH = 1. Names that are
no class's ("Segment_1", "lesion") say nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

import SimpleITK as sitk
from isal import igzip

WORDS = {
    "ICH": {"ich", "iph", "intracerebral", "intraparenchymal", "parenchymal"},
    "PHE": {"phe", "edema", "oedema", "perihematomal", "perihaematomal"},
    "IVH": {"ivh", "intraventricular"},
}
"""Words in a name, by the class that they mean."""

SEGMENT = re.compile(r"(Segment\d+)_(Name|LabelValue)")
LABEL = re.compile(r'<Label\s[^>]*Key="(\d+)"[^>]*>(?:<!\[CDATA\[)?([^<\]]*)')


def classes_in(name: str) -> set[str]:
    """The classes that a name speaks of: none, one, or several ("ICH and IVH")."""
    words = set(re.findall(r"[a-z]+", name.casefold()))
    return {label for label, known in WORDS.items() if words & known}


def in_file(path: Path, image: sitk.Image) -> list[tuple[int, str]]:
    """Values and their names, as the file of a mask has them; empty where it has none."""
    segments: dict[str, dict[str, str]] = {}
    for key in image.GetMetaDataKeys():
        if match := SEGMENT.fullmatch(key):
            segments.setdefault(match[1], {})[match[2]] = image.GetMetaData(key)
    named = [(s.get("LabelValue", ""), s.get("Name", "")) for s in segments.values()]
    named += LABEL.findall(_extensions_of_nifti(path, image))
    return [(int(value), name.strip()) for value, name in named if value.isdigit()]


def has_segments(image: sitk.Image) -> bool:
    """Whether 3D Slicer, or a program like it, has written names of segments."""
    return any(SEGMENT.fullmatch(key) for key in image.GetMetaDataKeys())


def _extensions_of_nifti(path: Path, image: sitk.Image) -> str:
    """What stands between header and voxels of a NIfTI file, as text."""
    if not image.HasMetaDataKey("vox_offset"):
        return ""
    end = int(float(image.GetMetaData("vox_offset")))
    with open(path, "rb") as stream:
        is_gzip = stream.read(2) == b"\x1f\x8b"
    with igzip.open(path, "rb") if is_gzip else open(path, "rb") as content:
        return content.read(end)[348:].decode("utf-8", "replace")


def contradictions(
    named: Collection[tuple[int, str]], values: Mapping[str, int], present: Collection[int]
) -> list[str]:
    """Sentences on values that the file gives to another class than the ``labels`` setting does.

    Args:
        named: as :func:`in_file` finds them.
        values: value of each class, by the setting.
        present: values that some voxel has; what no voxel has does no harm.
    """
    label_of = {value: label for label, value in values.items()}
    return [
        f"the file calls {value} {name!r}, the labels setting calls it {label_of[value]}"
        for value, name in named
        if value in present
        and value in label_of
        and classes_in(name)
        and label_of[value] not in classes_in(name)
    ]
