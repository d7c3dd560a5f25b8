"""The search of a results folder for what identifies patients.

From the folder alone this can be told: DICOM files, unique identifiers (UIDs) of a hospital's DICOM, person
names as DICOM writes them, dates that are neither of the run nor of the analysis plan (a birth, an
examination), and what labels and attributes say of a patient. With the trial's DICOM at hand, the very
values of its headers are sought as well. Values are never shown. What pixels show, a face or burnt-in
letters, is not sought. The copy of the workflow is searched as all else; what stands in this software
itself, such as the names of attributes and the dates of publications, is no finding there.

The workflow writes volumes as NIfTI alone, with a header of its own, whatever the format of a scan. NRRD and
MetaImage are searched all the same, header and what is packed behind it, since a folder may hold what
somebody put there.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from zipfile import is_zipfile

import pydicom
from pydicom.errors import InvalidDicomError

from headct.contracts import untrusted
from headct.contracts.artefacts import LEDGER
from headct.contracts.problems import BadInput, Problem
from headct.contracts.repository import REPOSITORY
from headct.contracts.untrusted import Unusable
from headct.imaging import identifiers
from headct.imaging.scan_files import root_of
from headct.provenance import days, people, recognised, seal, texts
from headct.provenance.checks.each_file import found_in_each
from headct.provenance.checks.folder import Check, Finding, ResultsFolder
from headct.provenance.contents import MemberName, Packed, readable
from headct.settings import sheet

COPY, CONFIGURATION = f"{seal.WORKFLOW}/", f"{seal.WORKFLOW}/config/"

PAGE = "report/index.html"
PROBED = ("2000-01-01", "2019-01-01", "2019-07-01")
"""Days on which the page's charts try how the browser reads dates (d3-time-format, d3-dsv)."""

SHORTEST_IN_BINARY = 7
"""Characters of a value that is sought in binary files, in which shorter ones occur by chance."""


def patterns(folder: ResultsFolder) -> Iterator[Finding]:
    """What is recognised as identifying from its form."""
    of_run = {day.isoformat() for day in dates_of_run(folder)}
    _own_sizes()  # once, and not in each process
    yield from found_in_each(folder, lambda path: _recognised_in(folder, path, of_run))


def _is_of_this_software(folder: ResultsFolder, path: str) -> bool:
    """Whether a file is byte for byte one of this software, in which nobody is found."""
    sizes = _own_sizes()
    return (
        folder.sizes[path] in sizes and untrusted.bytes_of(folder.results / path) in sizes[folder.sizes[path]]
    )


@cache
def _own_sizes() -> dict[int, set[bytes]]:
    """The files of this software by size."""
    by_size: dict[int, set[bytes]] = {}
    for content in _own_layers():
        by_size.setdefault(len(content), set()).add(content)
    return by_size


def _known_in(path: str) -> set[str]:
    """What is recognised in a file, and is no finding there."""
    if path == PAGE:
        return set(PROBED)
    is_copy = path.startswith(COPY) and not path.startswith(CONFIGURATION)
    return _of_this_software() if is_copy else set()


def _recognised_in(folder: ResultsFolder, path: str, of_run: set[str]) -> Iterator[Finding]:
    if _is_of_this_software(folder, path):
        return
    found = set()
    for layer in itertools.chain([MemberName(os.fsencode(path))], readable(folder.results / path)):
        for what, value in _recognised(layer):
            if value not in of_run and what not in found and value not in _known_in(path):
                found.add(what)
                yield Finding(path, what)


@cache
def _of_this_software() -> set[str]:
    """What is recognised in the software's own files."""
    return {value for layer in _own_layers() for _, value in _recognised(layer)}


def _own_layers() -> Iterator[bytes]:
    """The files of this software, and what was bundled of others for the page, where that is built."""
    bundled = sorted((REPOSITORY / "workflow/page/bundle").glob("*.*s"))
    for file in (*(REPOSITORY / path for path in seal.software(REPOSITORY)), *bundled):
        if file.is_file():
            yield file.read_bytes()


def dates_of_run(folder: ResultsFolder) -> set[date]:
    """The days on which jobs ran, those of amendments and of the ledger, and those that the plan names."""
    times = sorted(time[:10] for record in folder.records for time in (record.started, record.ended))
    of_run = set()
    if times:
        first, last = date.fromisoformat(times[0]), date.fromisoformat(times[-1])
        of_run = {first + timedelta(n) for n in range(-1, (last - first).days + 2)}  # local time is not UTC
    of_run |= {date.fromisoformat(one.date[:10]) for one in folder.amendments}
    if LEDGER in folder.there:  # a plan is recorded between two runs
        ledger = untrusted.bytes_of(folder.results / LEDGER).decode("utf-8", errors="replace")
        of_run |= {day for _, day in days.days_in(ledger)}
    for path in folder.sizes:
        if path.startswith(CONFIGURATION) and path.endswith((".yaml", ".yml")):
            plan = untrusted.bytes_of(folder.results / path).decode("utf-8", errors="replace")
            of_run |= {day for _, day in days.days_in(plan)}
    return of_run


def values(headers: Iterable[pydicom.Dataset]) -> Check:
    """What stands in the identifying attributes of the trial's own headers."""
    sought = identifiers.texts_to_look_for(identifiers.in_headers(headers))

    def check(folder: ResultsFolder) -> Iterator[Finding]:
        telling = sought - _words_of_this_software()
        _own_sizes()
        yield from found_in_each(folder, lambda path: _values_in(folder, path, telling))

    return check


def _values_in(folder: ResultsFolder, path: str, sought: set[str]) -> Iterator[Finding]:
    if _is_of_this_software(folder, path):
        return
    found = _words(os.fsencode(path)) & sought
    try:
        for layer in readable(folder.results / path):
            found |= _words(layer) & sought
    except Unusable as error:
        yield Finding(path, str(error))
    if found:
        yield Finding(path, f"holds {len(found)} values of identifying attributes of the DICOM")


def headers_in(folders: Mapping[str, Path], unread: Counter[str]) -> Iterator[pydicom.Dataset]:
    """The identifying attributes of every DICOM file in some folders: each may be another patient's.

    Args:
        folders: by what a message calls them, which is not their path: paths can name patients.
        unread: counts by the same name what could not be read, a file or a folder.

    Raises:
        BadInput: folders that are not there or hold no DICOM file, once all have been read.
    """
    problems = []
    for name, folder in folders.items():
        found = 0
        for header in _headers_below(folder):
            if header is None:
                unread[name] += 1
            else:
                found += 1
                yield header
        if not found:
            problems.append(Problem(name, "holds no DICOM file" if folder.exists() else "is not there"))
    if problems:
        raise BadInput(problems)


def _headers_below(folder: Path) -> Iterator[pydicom.Dataset | None]:
    """The header of each DICOM file, in folders that links lead to as well; None for what can't be read.

    An archive is unpacked for as long as it is searched.
    """
    if folder.is_file() and is_zipfile(folder):
        from headct.imaging.sources import zip_archive  # loads readers of images, which folders do without

        try:
            with zip_archive.Source(folder, "").unpacked() as unpacked:
                yield from _headers_below(unpacked)
        except BadInput:
            yield None
        return
    lost: list[OSError] = []
    seen = set()
    walked = os.walk(folder, followlinks=True, onerror=lost.append)
    for parent, folders, names in [("", [], [str(folder)])] if folder.is_file() else walked:
        here = Path(parent).stat()
        if (here.st_dev, here.st_ino) in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add((here.st_dev, here.st_ino))
        for name in sorted(names):
            try:
                header = _header(Path(parent, name))
            except Exception:  # damaged DICOM can raise anything
                yield None
            else:
                yield from [] if header is None else [header]
    yield from [None] * len(lost)


def _header(file: Path) -> pydicom.Dataset | None:
    """The identifying attributes of a DICOM file; None for a file that is none."""
    if not file.is_file():
        raise OSError("is no file, or a link that leads nowhere")
    tags = [*identifiers.IDENTIFYING_KEYWORDS, "StudyInstanceUID"]
    try:
        return pydicom.dcmread(file, stop_before_pixels=True, specific_tags=tags)
    except InvalidDicomError:  # no preamble: still DICOM if a study is named in it
        with suppress(Exception):
            header = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=tags, force=True)
            return header if "StudyInstanceUID" in header else None
        return None


@cache
def _words_of_this_software() -> set[str]:
    """Words that point at nobody in a result, since the software has them; its list of names is left out."""
    names = Path(people.__file__).read_bytes()
    return {word for layer in _own_layers() if layer != names for word in _words(layer)}


def dicom_folders(table: Path) -> dict[str, Path]:
    """The DICOM folders and archives that a sample sheet names, by row; follow-up scans need not have one.

    Files of other formats are left out: what texts their headers have is never read into a result.
    """
    images = {
        f"row {row['row']} of the sheet": root_of(Path(row["image"]))
        for row in sheet.load(table)
        if row["image"]
    }
    return {name: path for name, path in images.items() if not path.is_file() or is_zipfile(path)}


def recognised_in(text: str) -> list[str]:
    """What is recognised in a text as identifying from its form, in words; a date of any day among them."""
    return list(dict.fromkeys(what for what, _ in recognised.in_text(text)))


def _recognised(layer: bytes) -> Iterator[tuple[str, str]]:
    """What is recognised from its form, in words, and the value, which is never shown."""
    if isinstance(layer, MemberName):
        yield from recognised.in_name(layer.decode("utf-8", errors="replace"))
        return
    if layer.startswith(b"DICM", 128):
        yield "is a DICOM file, or contains one", ""
    if isinstance(layer, Packed):
        return
    for text in texts.texts_in(layer):
        yield from recognised.in_text(text)


def _words(layer: bytes) -> set[str]:
    words = identifiers.words_of(layer.decode("utf-8", errors="replace"))
    if b"\0" in layer:
        words = {word for word in words if len(word) >= SHORTEST_IN_BINARY}
    return words.union(*(identifiers.words_of(text) for text in texts.texts_in(layer)))
