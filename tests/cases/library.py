"""What all cases of the library are made of: the registry, the expected outcome, small series and masks.

A case is a folder that real exports have been known to hold, and what ingest must make of it: the
right Hounsfield units in the right places, or the reason why not. Builders stand in the modules
``case_*``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from support.ct_series import write_series

SLICES, ROWS, COLUMNS = 18, 32, 36
GAP_MM, PIXEL_MM = 7.0, 5.0
FIRST_ORIGIN = (-85.0, -75.0, -40.0)
VALUES = {"ICH": 1, "PHE": 2, "IVH": 3}
LOWEST_HU, HIGHEST_HU = -1024, 3071

Change = Callable[[int, Dataset], None]


@dataclass(frozen=True)
class Expected:
    """What ``scan.json`` and the images must say.

    Attributes:
        status: included, excluded, error or refused.
        category: the reason up to its first ": "; None where the messages in ``says`` decide.
        says: regular expressions that the reason and the problems together must match.
        hounsfield: shape (slices, rows, columns), inferior to superior, x to the left, y to posterior.
        origins: true place in mm of the first voxel of each slice of ``hounsfield``.
        directions: unit vectors of x and y of ``hounsfield``.
        spacing_xy_mm: pixel size (dx, dy).
        labels: the mask on the grid of ``hounsfield``, where the case has one.
        numbers: instance numbers, inferior to superior.
        frames: frame numbers, inferior to superior, for multi-frame files.
        image: what is handed over, below the case's folder.
        places_mm: how exactly the file can say where its slices are.
    """

    status: str = "included"
    category: str | None = ""
    says: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    hounsfield: NDArray[Any] | None = None
    origins: NDArray[np.float64] | None = None
    directions: tuple[Sequence[float], Sequence[float]] = ((1, 0, 0), (0, 1, 0))
    spacing_xy_mm: tuple[float, float] = (PIXEL_MM, PIXEL_MM)
    labels: NDArray[np.uint8] | None = None
    numbers: list[int | None] | None = None
    frames: list[int] | None = None
    scan_id: str = "scan-7"
    participant_id: str = "p-7"
    rules: dict[str, Any] = field(default_factory=dict)
    masks: tuple[str, ...] = ()
    image: str = "dicom"
    places_mm: float = 1e-6


def included(hounsfield: NDArray[Any] | None = None, *flags: str, **facts: Any) -> Expected:
    """The scan is converted; by default into ``head()``, each slice where ``level_origins`` has it."""
    hounsfield = head() if hounsfield is None else hounsfield
    facts.setdefault("origins", level_origins(len(hounsfield)))
    return Expected(flags=flags, hounsfield=hounsfield, **facts)


def excluded(category: str, *says: str, **facts: Any) -> Expected:
    """The data are not eligible."""
    return Expected("excluded", category, says, **facts)


def error(*says: str, **facts: Any) -> Expected:
    """A fault that the user can mend."""
    return Expected("error", None, says, **facts)


@dataclass(frozen=True)
class Case:
    """One hard image: ``build`` makes it below the path given, as ``dicom`` and ``<mask>.nii.gz``.

    ``source`` says where such a one was met: a tracker, a standard, a report; "by hand" was made up by
    somebody who tried to break it.
    """

    name: str
    about: str
    build: Callable[[Path], Expected]
    source: str = ""


CASES: dict[str, Case] = {}


def case(about: str, source: str = "") -> Callable[[Callable[[Path], Expected]], Callable[[Path], Expected]]:
    """Register a builder under its function's name."""

    def register(build: Callable[[Path], Expected]) -> Callable[[Path], Expected]:
        name = build.__name__
        if name in CASES:
            raise ValueError(f"two cases are called {name}")
        CASES[name] = Case(name, about, build, source)
        return build

    return register


def family(name: str, about: str, members: Iterable[Any], build: Callable[[Path, Any], Expected]) -> None:
    """Register one case per member; ``about`` may quote it as {member}."""
    for member in members:
        label = member if isinstance(member, str) else member[0]
        CASES[f"{name}[{label}]"] = Case(
            f"{name}[{label}]",
            about.format(member=label),
            lambda root, member=member: build(root, member),
        )


def made_case(full: str, source: str, about: str, expected: Expected, build: Callable[[Path], Any]) -> None:
    """Register a case whose outcome is known before it is built, under its full name."""

    def built(root: Path) -> Expected:
        build(root)
        return expected

    if full in CASES:
        raise ValueError(f"two cases are called {full}")
    CASES[full] = Case(full, about, built, source)


def head(slices: int = SLICES, rows: int = ROWS, columns: int = COLUMNS) -> NDArray[np.int16]:
    """An oval head in air, in HU: skull, brain unlike in each slice, a bleed where ``drawn`` is."""
    y, x = np.mgrid[:rows, :columns]
    radius = np.hypot((x - columns / 2 + 0.5) / (0.42 * columns), (y - rows / 2 + 0.5) / (0.44 * rows))
    image = np.where(radius < 1, 900, -1000)
    image = np.where(radius < 0.82, 30, image)
    volume = np.repeat(image[None], slices, axis=0).astype(np.int16)
    brain = volume == 30
    volume += (brain * np.arange(slices)[:, None, None] % 17).astype(np.int16)
    if slices >= 9:
        volume[drawn(slices, rows, columns) == VALUES["ICH"]] = 70
    return volume


def level_origins(
    slices: int = SLICES, gap_mm: float = GAP_MM, start: Sequence[float] = FIRST_ORIGIN
) -> NDArray[np.float64]:
    """Origins of slices that a moving table stacks along z, tilt or no tilt."""
    return np.asarray(start) + np.outer(np.arange(slices) * gap_mm, [0.0, 0.0, 1.0])


def at_heights(heights_mm: Sequence[float]) -> NDArray[np.float64]:
    """Origins of slices at these heights above the first origin."""
    return np.asarray(FIRST_ORIGIN) + np.outer(heights_mm, [0.0, 0.0, 1.0])


def write(root: Path, hounsfield: NDArray[Any] | None = None, **options: Any) -> list[Path]:
    """``write_series`` of ``head()`` into ``root/dicom``, or into a folder below it (``into``)."""
    hounsfield = head() if hounsfield is None else hounsfield
    options.setdefault("origins", level_origins(len(hounsfield)))
    options.setdefault("spacing", (PIXEL_MM, PIXEL_MM))
    return write_series(root / "dicom" / options.pop("into", ""), hounsfield, **options)


def setting(**values: object) -> Change:
    """Set attributes of every slice; None deletes."""

    def change(_: int, dataset: Dataset) -> None:
        for keyword, value in values.items():
            if value is not None:
                setattr(dataset, keyword, value)
            elif keyword in dataset:
                delattr(dataset, keyword)

    return change


def on(slices: Iterable[int], change: Change) -> Change:
    """Change only some slices, counted from 0."""
    chosen = set(slices)

    def some(index: int, dataset: Dataset) -> None:
        if index in chosen:
            change(index, dataset)

    return some


def both(*changes: Change) -> Change:
    """One change after the other."""

    def all_of(index: int, dataset: Dataset) -> None:
        for change in changes:
            change(index, dataset)

    return all_of


def stored(dataset: Dataset) -> NDArray[Any]:
    """The pixels that ``write_series`` put into a data set, before anything was changed."""
    return np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns)


def as_signed(dataset: Dataset, pixels: NDArray[Any], bits: int = 16) -> None:
    """Store signed pixels with intercept 0, so that stored values are HU."""
    dataset.PixelRepresentation, dataset.RescaleIntercept = 1, 0
    dataset.BitsStored, dataset.HighBit = bits, bits - 1
    dataset.PixelData = pixels.astype("<i2").tobytes()


def hounsfield_of(dataset: Dataset) -> NDArray[np.int32]:
    """The HU that ``write_series`` stored, before anything was changed."""
    return stored(dataset).astype(np.int32) - 1024


def signed(index: int, dataset: Dataset) -> None:
    """Signed 16-bit pixels, intercept 0."""
    as_signed(dataset, hounsfield_of(dataset))


def misspell(paths: Iterable[Path], keyword: str, text: str) -> None:
    """Give a decimal string a text that pydicom would refuse to write; the old value must be as long or
    longer, and the new one is padded with spaces.
    """
    tag = pydicom.tag.Tag(keyword)
    start = tag.group.to_bytes(2, "little") + tag.element.to_bytes(2, "little") + b"DS"
    for path in paths:
        content = path.read_bytes()
        if content.count(start) != 1:
            raise ValueError(f"{keyword} does not stand in the file once, as explicit DS")
        at = content.index(start) + len(start)
        length = int.from_bytes(content[at : at + 2], "little")
        padded = text.encode().ljust(length)
        if len(padded) != length:
            raise ValueError(f"{text} is longer than the value that it replaces")
        path.write_bytes(content[: at + 2] + padded + content[at + 2 + length :])


def drawn(slices: int = SLICES, rows: int = ROWS, columns: int = COLUMNS) -> NDArray[np.uint8]:
    """A rater's labels within the brain of ``head``, without symmetry, different in each slice."""
    labels = np.zeros((slices, rows, columns), dtype=np.uint8)
    first = slices // 3
    labels[first : first + 6, rows // 3 : rows // 3 + 3, columns // 3 : columns // 3 + 4] = 1
    labels[first : first + 6, rows // 3 + 3, columns // 3 : columns // 3 + 4] = 2
    labels[first + 2, rows // 2 + 2, columns // 2 + 1] = 3
    for index in range(6):
        labels[first + index, rows // 3, columns // 3 + 4 - index % 3] = 1
    return labels


def itk_header(root: Path, labels: NDArray[Any], into: str = "") -> sitk.Image:
    """Labels with the header that ITK's series reader, hence ITK-SNAP, gives to ``root/dicom/<into>``."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(root / "dicom" / into)))
    mask = sitk.GetImageFromArray(labels)
    mask.CopyInformation(reader.Execute())
    return mask


def save(root: Path, mask: sitk.Image, key: str = "mask", suffix: str = ".nii.gz") -> str:
    """Write a mask beside the DICOM folder; its file name, for ``Expected.masks``."""
    name = f"{key}{suffix}"
    sitk.WriteImage(mask, str(root / name))
    return name


def clipped(hounsfield: NDArray[Any]) -> NDArray[np.int16]:
    """HU as the image may hold them."""
    return np.clip(hounsfield, LOWEST_HU, HIGHEST_HU).astype(np.int16)
