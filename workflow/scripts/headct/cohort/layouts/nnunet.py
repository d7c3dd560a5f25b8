"""A data set in the layout of nnU-Net: imagesTr, labelsTr and dataset.json, of version 1 or 2."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from headct.cohort.layouts.adopted import (
    NIFTI,
    OTHER_FILES,
    Adopted,
    KnownLayout,
    ValuesInMasks,
    files_by_name,
    in_pairs,
    json_object,
    labelled,
    only_present,
    pairs_of,
    scans_of,
    settings_for_empty,
    values_in,
)
from headct.contracts.problems import BadInput, Problem

EFFECT = "speed"  # what is written of a data set is read by the steps themselves

LOOKS_FOR = (
    "dataset.json, imagesTr with files such as case_0000.nii.gz, labelsTr with files such as case.nii.gz "
    "(github.com/MIC-DKFZ/nnUNet, documentation/dataset_format.md)"
)
DESCRIPTION = "dataset.json"
CHANNEL = re.compile(r"(.+)_(\d{4})")
OF_ONE_PATIENT = {
    r"(ID_[0-9a-f]{8})_ID_[0-9a-f]{10}": "the first ID of RSNA's names, which is the patient",
    r"(sub-[A-Za-z0-9]+)_.+": "the subject of BIDS's names",
}
"""Names in which a standard says who the patient is, where all cases have such a name."""


def recognises(folder: Path) -> bool:
    """Whether the two folders of training cases are there, and what describes them."""
    is_described = (folder / DESCRIPTION).is_file()
    return is_described and all((folder / name).is_dir() for name in ("imagesTr", "labelsTr"))


def read(folder: Path, pattern: re.Pattern[str] | None) -> Adopted:
    """The training cases, each an image of one channel and a mask."""
    described = folder / DESCRIPTION
    content = _described(described)
    ending = content.get("file_ending", ".nii.gz")
    suffixes = NIFTI if ending in NIFTI else (ending,)
    masks, other_masks = files_by_name(folder / "labelsTr", suffixes)
    files, other_images = files_by_name(folder / "imagesTr", suffixes)
    images = _of_one_channel(files, masks)
    names, alone = in_pairs(images, masks, folder)
    left_out = {**alone, OTHER_FILES: [*other_images, *other_masks], **_without_labels(folder)}
    pairs = pairs_of(names, images, masks, left_out)
    found = values_in(pairs.masks) if ending in NIFTI else None
    labels, ignore, notes = _labels(content, described, found)
    by_standard, grouping = _standard_grouping(names)
    of_masks = found.in_words() if found else ["Masks that are no NIfTI were not looked at."]
    return Adopted(
        scans=scans_of(pairs, folder, pattern or by_standard),
        labels=labels,
        masks_with=found.masks_with(labels) if found else {},
        ignore=ignore,
        self_description=_self_description(content),
        settings=settings_for_empty(found) if found else {},
        masks=[*of_masks, *notes],
        participants=grouping,
        doubts=_doubts(content),
        left_out=pairs.left_out,
        unchecked=[
            "Whether the values of the images are HU: nothing in this layout says so; ingest looks for air."
        ],
    )


def _described(path: Path) -> dict[str, Any]:
    content = json_object(path, such_as="labels")
    problems = []
    channels = content.get("channel_names", content.get("modality", {}))
    if isinstance(channels, dict) and len(channels) > 1:
        message = (
            "several channels, where a scan here is one CT: keep the files of the CT, and its channel as 0"
        )
        shown = ", ".join(map(str, channels.values()))
        problems.append(Problem(str(path), message, key="channel_names", value=shown))
    if not (isinstance(content.get("labels"), dict) and content["labels"]):
        problems.append(Problem(str(path), "required: a name and a value for each class", key="labels"))
    ending = content.get("file_ending", ".nii.gz")
    if ending not in (*NIFTI, ".nrrd", ".mha"):
        message = "no format of volumes that is read here: .nii.gz, .nii, .nrrd or .mha"
        problems.append(Problem(str(path), message, key="file_ending", value=str(ending)))
    if problems:
        raise BadInput(problems)
    return content


def _of_one_channel(files: Mapping[str, Path], masks: Mapping[str, Path]) -> dict[str, Path]:
    """The images by case: names end in the number of their channel, or are those of the masks."""
    images: dict[str, Path] = {}
    problems = []
    for name, path in files.items():
        channel = None if name in masks else CHANNEL.fullmatch(name)
        if channel and channel[2] != "0000":
            message = "a second channel, where a scan here is one CT: keep the files of the CT, called _0000"
            problems.append(Problem(str(path), message))
        else:
            images[channel[1] if channel else name] = path
    if problems:
        raise BadInput(problems)
    return images


def _labels(
    content: Mapping[str, Any], described: Path, found: ValuesInMasks | None
) -> tuple[dict[str, Any], list[int], list[str]]:
    """The configuration's labels and ignored values, and in words how they came about.

    Raises:
        BadInput: values that are no whole numbers, or one that two labels share.
    """
    classes, ignore, problems = _classes(content["labels"], str(described))
    named = {value for values in classes.values() for value in values} | set(ignore)
    notes = []
    if found is not None:
        if strangers := sorted(found.counts.keys() - named):
            notes.append(
                f"Values that dataset.json does not name: {', '.join(map(str, strangers))}. Their scans "
                "will be in error until each is a label's, or stands under 'ignore:'."
            )
        classes, absent = only_present(classes, found)
        notes += absent
    if not classes:
        problems.append(Problem(str(described), "no label has a voxel in any mask", key="labels"))
    labels, words, faults = labelled(classes, str(described), "labels")
    if problems or faults:
        raise BadInput([*problems, *faults])
    notes += [f"'{name}' of dataset.json is {label}." for label, name in words.items()]
    return labels, ignore, notes


def _classes(labels: Mapping[str, Any], file: str) -> tuple[dict[str, list[int]], list[int], list[Problem]]:
    """Values by class: version 1 has names by value, version 2 values, or lists of them, by name."""
    older = all(str(key).isdecimal() for key in labels)
    pairs = [(str(name), key) for key, name in labels.items()] if older else list(labels.items())
    classes: dict[str, list[int]] = {}
    ignore: list[int] = []
    problems = []
    taken: dict[int, str] = {}
    for name, value in pairs:
        values = value if isinstance(value, list) else [value]
        if not values or not all(re.fullmatch(r"\d+", str(one)) for one in values):
            problems.append(Problem(file, "must be a whole number, or a list of them", key=f"labels.{name}"))
            continue
        whole = [int(one) for one in values]
        if whole == [0]:
            continue
        if name == "ignore":
            ignore += whole
            continue
        for one in whole:
            if one in taken:
                message = (
                    f"value {one} is that of '{taken[one]}', too: regions that overlap are no classes; "
                    "name each value once"
                )
                problems.append(Problem(file, message, key=f"labels.{name}"))
            taken.setdefault(one, name)
        classes[name] = whole
    return classes, ignore, problems


def _standard_grouping(names: Sequence[str]) -> tuple[re.Pattern[str] | None, str]:
    for pattern, who in OF_ONE_PATIENT.items():
        if all(re.fullmatch(pattern, name) for name in names):
            return re.compile(pattern), f"By the cases' names: {who}."
    return None, (
        "One participant for each case, since this layout does not say whose scan a case is. Where a "
        "patient has several, give them one participant_id in the sheet, or name the patient's part of "
        "the names with --participant: else one patient stands in training and test set."
    )


def _self_description(content: Mapping[str, Any]) -> list[str]:
    """What dataset.json says of name, licence and origin, each in its words."""
    keys = ("name", "description", "reference", "citation", "licence", "license", "release")
    return [
        f"dataset.json, {key}: {content[key]}"
        for key in keys
        if isinstance(content.get(key), (str, int, float))
    ]


def _doubts(content: Mapping[str, Any]) -> list[str]:
    channels = content.get("channel_names", content.get("modality", {}))
    name = str(next(iter(channels.values()), "")) if isinstance(channels, dict) else ""
    if name.upper() == "CT":
        return []
    return [f"dataset.json calls the channel '{name}', not CT: are the values HU, and not normalised?"]


def _without_labels(folder: Path) -> dict[str, list[str]]:
    """Images of the test set, whose labels nnU-Net does not look for, by what to do with them."""
    if not (folder / "imagesTs").is_dir():
        return {}
    images = sorted(path.name for path in (folder / "imagesTs").iterdir() if not path.name.startswith("."))
    labelled = (folder / "labelsTs").is_dir()
    what = (
        "labelsTs was not looked at: add the pairs to the sheet, and name the test set in 'split.file'"
        if labelled
        else "no labels, so nothing can be measured on them: predict them with 'headct new-scans'"
    )
    return {f"file in imagesTs ({what})": images}


LAYOUT = KnownLayout(
    title="A data set in nnU-Net's layout",
    looks_for=LOOKS_FOR,
    licence="see dataset.json ('licence' or 'license') and where you have it from",
    citation="see dataset.json ('reference' or 'description') and where you have it from",
    site="unknown",
    rater="published",
    recognises=recognises,
    read=read,
)
