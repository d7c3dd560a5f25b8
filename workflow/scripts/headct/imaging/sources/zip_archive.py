"""A zip archive of one scan: its DICOM files, or one file that holds the volume.

It is unpacked into a scratch folder, which is removed again, as often as something of it is read. Nothing in
an archive decides where a byte is written: entries that lead elsewhere, links and more than fits are refused.
"""

from __future__ import annotations

import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from headct.contracts.problems import BadInput, Problem
from headct.imaging import sources
from headct.imaging.dicom import MARKS_NO_SLICE
from headct.imaging.fitness import SeriesRules
from headct.imaging.geometry import FitsMask
from headct.imaging.sources import dicom_folder
from headct.imaging.sources.image_source import ImageFacts, ImageSource, Volume, fingerprint_of

BEGINS = b"PK\x03\x04"

LARGEST_MB = 4096
"""Uncompressed; a head of a thousand thin slices has 500 MB."""

MOST_FILES = 20_000
CHUNK = 1 << 20
ENCRYPTED = 1
"""Bit of an entry's flags."""


class Source:
    """A zip archive, whatever it is called."""

    kind: ClassVar[str] = "zip archive"
    suffixes: ClassVar[tuple[str, ...]] = (".zip",)
    takes_any_folder: ClassVar[bool] = False

    def __init__(self, path: Path, scan_id: str):
        self.path, self.scan_id = path, scan_id

    @classmethod
    def takes(cls, path: Path) -> bool:
        """By its first bytes."""
        try:
            if not path.is_file():
                return False
            with open(path, "rb") as stream:
                return stream.read(len(BEGINS)) == BEGINS
        except OSError:
            return False

    @classmethod
    def is_named(cls, path: Path) -> bool:
        """By its suffix."""
        return path.name.lower().endswith(cls.suffixes) and not path.is_dir()

    @classmethod
    def is_part(cls, path: Path) -> bool:
        """Never: an archive is a whole scan."""
        return False

    def fingerprint(self) -> str:
        """Of the archive."""
        return fingerprint_of(self.path)

    def refusals(self, ids: Mapping[str, str], patient_id_is_pseudonym: bool) -> list[Problem]:
        """As of the scan within."""
        with self._within() as scan:
            return scan.refusals(ids, patient_id_is_pseudonym)

    def read(self, rules: SeriesRules, fits_mask: FitsMask, facts: ImageFacts) -> Volume:
        """As of the scan within."""
        with self._within() as scan:
            return scan.read(rules, fits_mask, facts)

    def patient(self, converted: Mapping[str, Any]) -> dict[str, str] | None:
        """As of the scan within; None where it is not to be opened any more."""
        try:
            with self._within() as scan:
                return scan.patient(converted)
        except BadInput:
            return None

    @contextmanager
    def unpacked(self) -> Iterator[Path]:
        """A scratch folder with what the archive holds, for as long as it is needed.

        Raises:
            BadInput: it is damaged, or not safe to unpack.
        """
        with tempfile.TemporaryDirectory(prefix="headct-zip-") as folder:
            self._unpack(Path(folder))
            yield Path(folder)

    @contextmanager
    def _within(self) -> Iterator[ImageSource]:
        """The one scan that the archive holds."""
        with self.unpacked() as folder:
            yield self._only_scan(folder)

    def _unpack(self, folder: Path) -> None:
        try:
            with zipfile.ZipFile(self.path) as archive:
                entries = [entry for entry in archive.infolist() if not entry.is_dir()]
                self._refuse_unsafe(entries)
                room = LARGEST_MB << 20
                for entry in entries:
                    room = self._write(archive, entry, folder / PurePosixPath(entry.filename), room)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            message = "it is damaged, or compressed in a way that is not known: pack it anew"
            raise self._refused(message) from error
        except OSError as error:
            raise self._refused(f"it can't be unpacked: {error.strerror}") from error

    def _refuse_unsafe(self, entries: list[zipfile.ZipInfo]) -> None:
        """Before anything is written: whatever an honest archive of a scan has not."""
        names = [entry.filename for entry in entries]
        parts = [PurePosixPath(name.replace("\\", "/")).parts for name in names]
        if any(not one or ".." in one or one[0].startswith("/") or ":" in one[0] for one in parts):
            raise self._refused("an entry leads outside of it")
        if any(stat.S_ISLNK(entry.external_attr >> 16) for entry in entries):
            raise self._refused("an entry is a link")
        if len(set(names)) < len(names):
            raise self._refused("two entries have one name")
        if any(entry.flag_bits & ENCRYPTED for entry in entries):
            raise self._refused("it is encrypted: unpack it")
        if len(entries) > MOST_FILES:
            raise self._refused(f"{len(entries)} files are more than the {MOST_FILES} that a scan may have")

    def _write(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, room: int) -> int:
        """Write an entry; returns the bytes that may still come, whatever the archive says of its sizes."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(entry) as packed, open(path, "xb") as written:
            while chunk := packed.read(CHUNK):
                room -= len(chunk)
                if room < 0:
                    raise self._refused(f"it holds more than {LARGEST_MB} MB")
                if shutil.disk_usage(path.parent).free < len(chunk):
                    raise self._refused("the disk for temporary files (TMPDIR) is too small to unpack it")
                written.write(chunk)
        return room

    def _only_scan(self, folder: Path) -> ImageSource:
        files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
        if not files:
            raise self._refused("it is empty")
        own = [
            file
            for file in files
            if not any(MARKS_NO_SLICE.match(part) for part in file.relative_to(folder).parts)
        ]
        volumes = [file for file in own if sources.is_scan(file)]
        if not volumes:
            return dicom_folder.Source(folder, self.scan_id)
        n_dicom = sum(sources.is_part_of_scan(file) for file in own)
        if len(volumes) > 1 or n_dicom:
            beside = f" and {n_dicom} files of DICOM" if n_dicom else ""
            raise self._refused(f"it holds {len(volumes)} images{beside}: leave those of one scan in it")
        if Source.takes(volumes[0]):
            raise self._refused("it holds another archive: unpack that one")
        return sources.find(volumes[0], self.scan_id)

    def _refused(self, message: str) -> BadInput:
        return BadInput([Problem(self.scan_id, f"the zip archive is not used: {message}", key="image")])
