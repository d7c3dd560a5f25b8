"""What is read of a folder of others is read, or refused in words; never an exception of another kind."""

from __future__ import annotations

import gzip
import io
import random
import struct
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from headct.contracts import run_records, untrusted
from headct.contracts.artefacts import LEDGER
from headct.contracts.untrusted import Unusable
from headct.provenance import contents, ledger, manifest, privacy, rows, verify
from headct.publish import evidence
from support import audit_study
from support.fuzzing import bytes_changed, values_changed

LONGEST_S = 10
"""Of processor time, for one input."""

RECORD, START, CONFIG = "audit/runs/metrics/unet.json", "audit/start.json", "config.json"
SCAN, SHARD, MAPS, WEIGHTS = (
    "data/s1/scan.json",
    "data/shards/0.tsv",
    "predictions/m/seed-1.tsv",
    "train.json",
)
IN_FOLDER = {
    SCAN: b'{"sha256": {"ct.nii.gz": "' + b"0" * 64 + b'"}, "instances": [{"number": 1, "sha256": ""}]}',
    SHARD: b"scan_id\tsha256\trevision\ns1\t" + b"0" * 64 + b"\t0\n",
    MAPS: b"scan_id\tpath\tsha256\ns1\tseed-1/s1.nii.gz\t" + b"0" * 64 + b"\n",
    WEIGHTS: b'{"sha256": "' + b"0" * 64 + b'"}',
}
"""Lists of files that the small study lacks."""


def nifti() -> bytes:
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, 3, 8, 8, 4, 1, 1, 1, 1)
    struct.pack_into("<hh", header, 70, 4, 16)
    struct.pack_into("<f", header, 108, 352.0)
    header[344:348] = b"n+1\0"
    return gzip.compress(bytes(header) + bytes(range(256)) * 2)


def dicom() -> bytes:
    header = pydicom.Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID = "1.2.3.4"
    header.StudyInstanceUID, header.SeriesInstanceUID = "1.2.3", "1.2.3.5"
    header.PatientName, header.PatientBirthDate = "Nobody^None", "19000101"
    stream = io.BytesIO()
    header.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed study of few files, with lists of each kind."""
    repository = tmp_path_factory.mktemp("repository")
    return audit_study.sealed_with(tmp_path_factory.mktemp("fuzzed"), IN_FOLDER, repository)


def in_words(folder: verify.ResultsFolder, *checks: verify.Check) -> None:
    """Run checks, which say that they could not be done where anything but a refusal was raised."""
    for finding in verify.verify(folder, checks):
        unhandled = finding.what.startswith("could not be checked") and "too deeply" not in finding.what
        assert not unhandled, finding


def readers(
    results: Path, folder: verify.ResultsFolder
) -> dict[str, tuple[bytes, Path, Callable[[Path], object]]]:
    """By what is read: a good one, where it lies, and how it is read."""
    there = {path: (results / path).read_bytes() for path in folder.there}

    def read(path: str, how: Callable[[Path], object]) -> tuple[bytes, Path, Callable[[Path], object]]:
        return there.get(path, b""), results / path, how

    def check(path: str, *checks: verify.Check) -> tuple[bytes, Path, Callable[[Path], object]]:
        return read(path, lambda _: in_words(folder, *checks))

    def own(
        name: str, content: bytes, how: Callable[[Path], object]
    ) -> tuple[bytes, Path, Callable[[Path], object]]:
        return content, results.parent / name, how

    return {
        "record": read(RECORD, lambda file: run_records.parsed(RECORD, untrusted.json_of(file))),
        "list": read(manifest.MANIFEST, lambda file: manifest.parsed(untrusted.text_of(file))),
        "root": read(manifest.ROOT, lambda _: manifest.root_of(results)),
        "ledger": read(LEDGER, lambda file: ledger.parsed(untrusted.text_of(file))),
        "ledger checked": check(LEDGER, verify.test_set_ledger),
        "evidence": read(evidence.EVIDENCE, lambda file: evidence.parsed(untrusted.json_of(file))),
        "crate": check(manifest.CRATE, verify.crate),
        "configuration": check(CONFIG, verify.settings, verify.label_sets),
        "start": check(START, verify.listed_files),
        "scan": check(SCAN, verify.listed_files),
        "shard": check(SHARD, verify.listed_files),
        "label maps": check(MAPS, verify.listed_files),
        "split": check("cohort/split.tsv", verify.listed_files),
        "weights' record": check(WEIGHTS, verify.listed_files),
        "rows": read("cohort/split.tsv", lambda file: rows.scans_in(untrusted.text_of(file))),
        "NIfTI": own("ct.nii.gz", nifti(), lambda file: list(contents.readable(file))),
        "weights": own("final.pth", audit_study.packed_weights(), lambda file: list(contents.readable(file))),
        "DICOM": own(
            "dicom/1", dicom(), lambda file: list(privacy.headers_in({"x": file.parent}, Counter()))
        ),
    }


def damaged(content: bytes, rng: random.Random) -> bytes:
    """A file with bytes or values changed, cut off, or changed within what is compressed."""
    if content.startswith(b"\x1f\x8b") and rng.random() < 0.5:
        return gzip.compress(bytes_changed(gzip.decompress(content), rng), compresslevel=1)
    how = rng.choice((bytes_changed, bytes_changed, values_changed, values_changed, cut))
    return how(content, rng)


def cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content))]


@pytest.mark.parametrize(
    "times", [56, pytest.param(1120, marks=pytest.mark.slow)], ids=["about 1000 inputs", "more than 20000"]
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # what pydicom says of damaged files
def test_what_is_read_is_read_or_refused_in_words(results: Path, times: int) -> None:
    kinds = readers(results, verify.ResultsFolder(results))
    tried = refused = 0
    for name, (content, file, read) in kinds.items():
        assert content, name
        file.parent.mkdir(exist_ok=True)
        for seed in range(times):
            rng = random.Random(f"{name} {seed}")
            file.write_bytes(damaged(content, rng))
            began = time.process_time()
            try:
                read(file)
            except (Unusable, privacy.BadInput):
                refused += 1
            except Exception as error:
                raise AssertionError(f"{name}, seed {seed}") from error
            tried += 1
            assert time.process_time() - began < LONGEST_S, (name, seed)
        file.write_bytes(content)
    assert tried == len(kinds) * times
    assert 0 < refused < tried


@pytest.mark.parametrize("n_bytes", range(1, 12))
def test_a_volume_that_is_cut_off_in_its_first_bytes_is_refused_or_holds_nothing(
    tmp_path: Path, n_bytes: int
) -> None:
    file = tmp_path / "ct.nii.gz"
    file.write_bytes(nifti()[:n_bytes])
    if n_bytes < 2:  # it does not begin as gzip does
        assert b"".join(contents.readable(file)) == file.read_bytes()
        return
    with pytest.raises(Unusable, match="cut off"):
        list(contents.readable(file))
