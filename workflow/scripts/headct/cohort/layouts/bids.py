"""A data set in BIDS: CT by subject and session, masks in a derivative, one of all lesions or one of each.

As the specification has names of files, entities, segmentations and their look-up tables
(bids-specification.readthedocs.io, common principles and imaging derivatives). CT is no part of it yet: its
names are those of the extension proposal 024.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headct.cohort import bids_names, clinical_tables
from headct.cohort.bids_names import LABEL_MAP, Named
from headct.cohort.layouts.adopted import (
    NIFTI,
    Adopted,
    FoundScan,
    KnownLayout,
    ValuesInMasks,
    as_id,
    how_many,
    json_object,
    labelled,
    not_laid_out_so,
    one_class,
    only_present,
    participant_in,
    settings_for_empty,
    values_in,
)
from headct.contracts.plurals import counted
from headct.contracts.problems import BadInput, Problem, first_few

EFFECT = "speed"  # what is written of a data set is read by the steps themselves

DESCRIPTION, DERIVATIVES = "dataset_description.json", "derivatives"
LOOKS_FOR = (
    f"{DESCRIPTION}, images such as sub-01/ses-1/ct/sub-01_ses-1_ct.nii.gz (or in anat), masks such as "
    f"{DERIVATIVES}/manual/sub-01/ses-1/ct/sub-01_ses-1_dseg.nii.gz or …_label-lesion_mask.nii.gz"
)
OF_CT, DATATYPES = ("ct", "ncct"), ("ct", "anat")
"""Suffixes of images, in small letters, and folders that they lie in."""

OF_MASKS = (LABEL_MAP, "mask", "roi")
"""Suffixes of masks; the last was usual for lesions before the specification had derivatives."""

SUBJECT = re.compile(r"sub-[A-Za-z0-9+]+")

NATIVE_SPACES = ("orig", "native", "individual", "scanner", *OF_CT)
"""Values of ``space``, in small letters, of masks that lie on the image's own grid."""

TISSUES = ("bg", "gm", "wm", "csf", "b", "st", "nb", "cgm", "sgm", "bs", "cbm")
NO_LESION = (*TISSUES, "brain", "head", "skull", "bone", "face", "skullstripped")
"""Values of ``label``, or of ``desc`` without one, in small letters, of masks of anatomy."""

REPEATED = (
    "Name",
    "License",
    "Authors",
    "DatasetDOI",
    "HowToAcknowledge",
    "ReferencesAndLinks",
    "BIDSVersion",
)
"""Keys of the description that the note repeats."""

YEARS = ("year", "years", "yr", "y", "a")
UNNAMED = "lesion"


def read(folder: Path, pattern: re.Pattern[str] | None) -> Adopted:
    """The images that have a mask; of several derivatives, the one whose folder was named."""
    dataset, derivative = _places(folder)
    described = json_object(dataset / DESCRIPTION, such_as="Name")
    raw = [one for subject in sorted(dataset.glob("sub-*/")) for one in bids_names.below(subject)]
    derived = bids_names.below(derivative)
    images = _images(raw, dataset)
    candidates = derived if derivative.parent.name == DERIVATIVES else [*derived, *raw]
    chosen, left_out = _of_one_kind(candidates, dataset, folder)
    masks, strays = _by_image(chosen, images, dataset)
    tables = bids_names.tables([*bids_names.directly_in(dataset), *raw, *derived])
    lesions = _lesions(masks, tables, dataset)
    people = _people(dataset)
    scans = []
    for name, of_lesion in masks.items():
        files = {lesions.columns[lesion]: mask.path for lesion, mask in of_lesion.items()}
        participant = as_id(participant_in(name, pattern or SUBJECT, dataset))
        facts = people.facts_of(images[name])
        scans.append(
            FoundScan(
                scan_id=as_id(name),
                participant_id=participant,
                image=images[name].path,
                masks=files,
                facts=facts,
            )
        )
    return Adopted(
        scans=scans,
        labels=lesions.labels,
        masks_with=lesions.masks_with,
        settings=lesions.settings,
        self_description=[
            f"{DESCRIPTION}, {key}: {_text(described[key])}" for key in REPEATED if described.get(key)
        ],
        masks=lesions.words,
        participants="By the subject (sub-) of the names.",
        doubts=[*_doubts(images), *people.open],
        left_out={
            "image without a mask": sorted(images.keys() - masks.keys()),
            "mask without an image": strays,
            **left_out,
        },
        unchecked=[
            "No real data set in BIDS was at hand when this was written: its names are those of the "
            "specification, tested on simulated scans. CT is no part of that yet, so sets differ.",
            "Whether the values of the images are HU: nothing in this layout says so; ingest looks for air.",
            "Whether the labels of subjects are pseudonyms: no number of a hospital may stand in the sheet.",
        ],
    )


def recognises(folder: Path) -> bool:
    """Whether a folder, or the data set that it is a derivative of, is described and has subjects."""
    dataset, _ = _places(folder)
    return (dataset / DESCRIPTION).is_file() and any(dataset.glob("sub-*/"))


def _places(folder: Path) -> tuple[Path, Path]:
    """The data set and the folder in which its masks are looked for, which may be that of one derivative."""
    place = folder.absolute()
    of_one = place.parent.name == DERIVATIVES and (place.parent.parent / DESCRIPTION).is_file()
    dataset = place.parent.parent if of_one else place
    return dataset, place if of_one else dataset / DERIVATIVES


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _images(raw: Sequence[Named], dataset: Path) -> dict[str, Named]:
    """CT by its name, without the suffix.

    Raises:
        BadInput: none, or two of one name.
    """
    found: dict[str, Named] = {}
    problems = []
    for one in raw:
        is_ct = one.suffix in OF_CT and one.path.name.endswith(NIFTI) and one.path.parent.name in DATATYPES
        if not is_ct or "sub" not in one.entities:
            continue
        if one.name in found:
            both = f"{found[one.name].path.relative_to(dataset)} and {one.path.relative_to(dataset)}"
            problems.append(Problem(str(dataset), f"two images of one name: {both}: keep one"))
        found.setdefault(one.name, one)
    if problems:
        raise BadInput(problems)
    if not found:
        raise not_laid_out_so(dataset, LOOKS_FOR)
    return found


def _of_one_kind(
    candidates: Sequence[Named], dataset: Path, folder: Path
) -> tuple[list[Named], dict[str, list[str]]]:
    """The masks of lesions, which are all made in one way, and names of those left out, by what they are.

    Raises:
        BadInput: none, or masks of several kinds, as of several raters.
    """
    kinds, others = defaultdict[str, list[Named]](list), defaultdict[str, list[str]](list)
    for one in candidates:
        if one.suffix in OF_MASKS and one.path.name.endswith(NIFTI) and "sub" in one.entities:
            if other := _no_lesion(one):
                others[other].append(one.path.name)
            else:
                kinds[_kind(one, dataset)].append(one)
    if not kinds:
        left_out = [f"{how_many(names, what)}: {first_few(names)}" for what, names in others.items()]
        message = "; ".join([f"no masks of lesions. Looked for: {LOOKS_FOR}", *left_out])
        raise BadInput([Problem(str(folder), message)])
    if len(kinds) > 1:
        shown = ", ".join(f"{kind} ({len(masks)} files)" for kind, masks in sorted(kinds.items()))
        message = (
            f"masks of several kinds, and nothing tells which are meant: {shown}. Hand over the folder of one"
            f" derivative ({DERIVATIVES}/…) instead of the data set's; within one, move the others elsewhere"
        )
        raise BadInput([Problem(str(folder), message)])
    return next(iter(kinds.values())), others


def _by_image(
    masks: Sequence[Named], images: Mapping[str, Named], dataset: Path
) -> tuple[dict[str, dict[str, Named]], list[str]]:
    """The masks of each image by the lesion that they name, and names of those of no image.

    Raises:
        BadInput: a mask that several images fit, two for one lesion, or none that has an image.
    """
    found = defaultdict[str, dict[str, Named]](dict)
    alone, problems = [], []
    for mask in masks:
        names = bids_names.fitting(mask, images)
        file = str(mask.path.relative_to(dataset))
        if not names:
            alone.append(mask.path.name)
        elif len(names) > 1:
            message = f"fits several images: {first_few(names)}. Name it as one of them is named"
            problems.append(Problem(file, message))
        elif other := found[names[0]].get(mask.lesion):
            message = f"a second mask of {names[0]}, beside {other.path.relative_to(dataset)}: keep one"
            problems.append(Problem(file, message))
        else:
            found[names[0]][mask.lesion] = mask
    if not found and not problems:
        problems = [Problem(str(dataset), f"no mask has the name of an image: {first_few(alone)}")]
    if problems:
        raise BadInput(problems)
    return {name: found[name] for name in sorted(found)}, alone


def _no_lesion(mask: Named) -> str:
    """What a mask is that is none of lesions on the image's grid; empty where it may be one."""
    space = mask.entities.get("space", "")
    if space and space.lower() not in NATIVE_SPACES:
        return f"mask in the space {space}, not on the image's grid"
    structure = mask.lesion or ("" if mask.suffix == LABEL_MAP else mask.entities.get("desc", ""))
    return "mask of anatomy, by its name" if structure.lower() in NO_LESION else ""


def _kind(mask: Named, dataset: Path) -> str:
    """In words, which masks are made as this one: their derivative, and what names say beside the lesion."""
    parts = mask.path.relative_to(dataset).parts
    place = "/".join(parts[: next(n for n, part in enumerate(parts) if part.startswith("sub-"))])
    beside = [
        f"_{key}-{value}"
        for key, value in mask.entities.items()
        if key in bids_names.OF_DERIVATIVES and key != "label"
    ]
    return f"{place or 'beside the images'}: *{''.join(beside)}_{mask.suffix}"


@dataclass(frozen=True)
class OutlinedLesions:
    """What the masks outline.

    Attributes:
        columns: of the sheet, by what names of masks say of the lesion.
        labels, settings: of the configuration.
        masks_with: in how many masks each label has a voxel.
        words: what was found.
    """

    columns: Mapping[str, str]
    labels: Mapping[str, Any]
    settings: Mapping[str, Any]
    masks_with: Mapping[str, int]
    words: Sequence[str]


def _lesions(
    masks: Mapping[str, Mapping[str, Named]], tables: Sequence[Named], dataset: Path
) -> OutlinedLesions:
    """What the masks outline, by their names and look-up tables.

    Raises:
        BadInput: no name tells values or files apart.
    """
    every = {f"{image} {lesion}".strip(): one for image, of in masks.items() for lesion, one in of.items()}
    named = sorted({one.lesion for one in every.values()})
    values = values_in({name: one.path for name, one in every.items()})
    if named == [""]:
        labels, words = _of_label_map(_tables_of(list(every.values()), tables, dataset), values, dataset)
        found = [*values.in_words(), *words]
        return OutlinedLesions(
            {"": "mask"}, labels, settings_for_empty(values), values.masks_with(labels), found
        )
    if "" in named:
        message = f"some masks name their lesion (label-{named[1]}), others none: name all, or none"
        raise BadInput([Problem(str(dataset), message)])
    labels, renamed, problems = labelled(
        {name: [n] for n, name in enumerate(named, 1)}, str(dataset), "label-"
    )
    if problems:
        raise BadInput(problems)
    words = [*values.in_words(), *(f"label-{name} is {label}." for label, name in renamed.items())]
    if len(named) == 1:
        labels = one_class(values, *labels)
        columns = {named[0]: "mask"}
        return OutlinedLesions(columns, labels, settings_for_empty(values), values.masks_with(labels), words)
    columns = dict(zip(named, [f"mask:{label}" for label in labels], strict=True))
    words.append(
        f"Each lesion has a file of its own, any value of which means it: {', '.join(columns.values())}."
    )
    drawn = Counter(one.lesion for name, one in every.items() if values.of_mask.get(name))
    masks_with = {label: drawn[one] for one, label in zip(named, labels, strict=True)}
    lacking = [f"{image} ({one})" for image, of in masks.items() for one in named if one not in of]
    if not lacking:
        return OutlinedLesions(columns, labels, settings_for_empty(values), masks_with, words)
    words.append(
        f"Lacking: {counted(len(lacking), 'file', 'of one lesion')}: {', '.join(lacking)}. Are these scans "
        "free of it, or did nobody draw it? If they are, set 'ingest: {empty_masks: lesion_free}'; else take "
        "them out."
    )
    return OutlinedLesions(columns, labels, {}, masks_with, words)


def _tables_of(masks: Sequence[Named], tables: Sequence[Named], dataset: Path) -> set[Path]:
    """The look-up tables of label maps: none, or each of them has one.

    Raises:
        BadInput: some have one, and others none.
    """
    applying = [bids_names.nearest(tables, one) for one in masks]
    without = [mask.path.name for mask, table in zip(masks, applying, strict=True) if table is None]
    if without and len(without) < len(masks):
        message = f"no look-up table beside or above {counted(len(without), 'mask')}, though others have one"
        raise BadInput([Problem(str(dataset), message, value=first_few(without))])
    return {table.path for table in applying if table}


def _of_label_map(
    tables: set[Path], values: ValuesInMasks, dataset: Path
) -> tuple[dict[str, Any], list[str]]:
    """Labels of masks that hold all lesions, by their look-up tables; without any, of one value alone."""
    classes, problems = _classes(tables, dataset)
    if problems:
        raise BadInput(problems)
    if not classes:
        if len(values.counts) > 1:
            message = (
                "no look-up table (*_dseg.tsv with the columns index and name) beside the masks, or at the"
                " root of their derivative, tells which lesion each value is: write one"
            )
            raise BadInput([Problem(str(dataset), message, value=", ".join(map(str, sorted(values.counts))))])
        return one_class(values, UNNAMED), ["Nothing names the lesion: call it in 'labels:' what it is."]
    indices = defaultdict[str, list[int]](list)
    for index, name in sorted(classes.items()):
        indices[name].append(index)
    present, words = only_present(indices, values)
    labels, renamed, problems = labelled(present, str(dataset), "name")
    if problems or not labels:
        message = f"no label of the look-up table has a voxel in any mask{values.first_fault}"
        raise BadInput(problems or [Problem(str(dataset), message, key="index")])
    words += [f"'{name}' of the look-up table is {label}." for label, name in renamed.items()]
    if strangers := sorted(values.counts.keys() - classes.keys()):
        words.append(
            f"Values that the look-up table does not name: {', '.join(map(str, strangers))}. Their scans will"
            " be in error until each is a label's, or stands under 'ignore:'."
        )
    return labels, words


def _classes(paths: set[Path], dataset: Path) -> tuple[dict[int, str], list[Problem]]:
    """Names by value, without the background; and faults: of a table, or of two that differ."""
    classes: dict[int, str] = {}
    first: dict[int, Path] = {}
    problems = []
    for path in sorted(paths):
        file = str(path.relative_to(dataset))
        for number, row in enumerate(_rows(path), start=2):
            index, name = (row.get("index") or "").strip(), (row.get("name") or "").strip()
            if not re.fullmatch(r"\d+", index) or not name:
                problems.append(Problem(file, "needs a whole number under index, and a name", str(number)))
            elif int(index) and classes.setdefault(int(index), name) != name:
                message = f"is '{classes[int(index)]}' in {first[int(index)].relative_to(dataset)}: mend one"
                problems.append(Problem(file, message, str(number), "name", name))
            else:
                first.setdefault(int(index), path)
    classes.pop(0, None)
    return classes, problems


def _rows(path: Path) -> Iterator[dict[str, str | None]]:
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:
        yield from csv.DictReader(file, delimiter="\t")


@dataclass(frozen=True)
class People:
    """What the tables of participants and of their sessions say, by the sheet's column; and what is open."""

    of_subject: Mapping[str, Mapping[str, str]]
    of_session: Mapping[tuple[str, str], Mapping[str, str]]
    open: Sequence[str]

    def facts_of(self, image: Named) -> dict[str, str]:
        """Those of an image; what its session says counts before what its participant says."""
        subject, session = f"sub-{image.entities['sub']}", f"ses-{image.entities.get('ses', '')}"
        return {**self.of_subject.get(subject, {}), **self.of_session.get((subject, session), {})}


def _people(dataset: Path) -> People:
    doubts: list[str] = []
    subjects = _table(dataset / "participants.tsv", "participant_id", doubts)
    sessions = {
        (path.parent.name, session): facts
        for path in sorted(dataset.glob("sub-*/sub-*_sessions.tsv"))
        for session, facts in _table(path, "session_id", doubts).items()
    }
    return People(subjects, sessions, doubts)


def _table(path: Path, key: str, doubts: list[str]) -> dict[str, dict[str, str]]:
    """Rows by their key; what could not be understood is added to ``doubts``."""
    if not path.is_file():
        return {}
    try:
        table = clinical_tables.read(path, key)
    except BadInput as error:
        doubts += [f"{path.name} was not used: {problem.message}." for problem in error.problems]
        return {}
    doubts += [f"{path.name}: {words}" for words in table.open]
    units = _units_of_age(path.with_suffix(".json"))
    if units.lower() not in YEARS:
        doubts.append(f"{path.name}: ages are in {units}, not in years, and were left out.")
        for facts in table.rows.values():
            facts.pop("age", None)
    return table.rows


def _units_of_age(path: Path) -> str:
    """What the file beside a table says of its ages; years, where it says nothing."""
    try:
        return str(json.loads(path.read_text(encoding="utf-8-sig"))["age"]["Units"])
    except (OSError, ValueError, LookupError, TypeError):
        return YEARS[0]


def _doubts(images: Mapping[str, Named]) -> list[str]:
    contrast = [name for name, image in images.items() if "ce" in image.entities]
    if not contrast:
        return []
    how_many = counted(len(contrast), "image")
    return [
        f"{how_many} with a contrast agent, by the name (ce-): {first_few(contrast)}. Contrast in vessels "
        "reads like blood."
    ]


LAYOUT = KnownLayout(
    title="A data set in BIDS",
    looks_for=LOOKS_FOR,
    licence=f"see {DESCRIPTION} (License) and where you have it from",
    citation=f"see {DESCRIPTION} (HowToAcknowledge, DatasetDOI) and where you have it from",
    site="unknown",
    rater="published",
    recognises=recognises,
    read=read,
)
