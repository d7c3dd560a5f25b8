"""Whatever a folder of others holds, ``verify`` ends within seconds, by findings that name the files."""

from __future__ import annotations

import gzip
import io
import math
import os
import random
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pydicom
import pypdf
import pytest

from headct.contracts import run_records, untrusted
from headct.contracts.artefacts import LEDGER, read_json
from headct.contracts.repository import PACKAGE
from headct.contracts.untrusted import Unusable
from headct.provenance import crate, manifest, privacy, seal, verify
from headct.publish import evidence
from support import audit_study
from support.audit_study import forked_command, reseal
from support.fuzzing import bytes_changed, values_changed

LONGEST_S = 120
"""On a machine that does other things as well; each takes a second or two alone."""
RECORD = "audit/runs/split.json"
WEIGHTS = "models/unet/final.pth"
PDF = "figures/a.pdf"
MODULE = f"{seal.WORKFLOW}/{audit_study.MODULE}"

Make = Callable[[Path], object]


def empty_pdf() -> bytes:
    writer, stream = pypdf.PdfWriter(), io.BytesIO()
    writer.add_blank_page(100, 100)
    writer.write(stream)
    return stream.getvalue()


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed study of few files, one of every kind; it must not be written to."""
    files = {
        WEIGHTS: audit_study.packed_weights(),
        PDF: empty_pdf(),
        "data/s1/ct.nii.gz": gzip.compress(bytes(352) + bytes(range(256)) * 40),
    }
    folder = tmp_path_factory.mktemp("sealed")
    audit_study.sealed_with(folder, files, tmp_path_factory.mktemp("repository"))
    return folder


@pytest.fixture
def results(sealed: Path, tmp_path: Path) -> Path:
    """A copy in which the test works, of hard links: files are replaced, never written in place."""
    shutil.copytree(sealed / "results", tmp_path / "results", copy_function=os.link)
    return tmp_path / "results"


@contextmanager
def in_time() -> Iterator[None]:
    """Fail what hangs."""

    def late(signum: int, frame: FrameType | None) -> None:
        raise AssertionError(f"not done after {LONGEST_S} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(LONGEST_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def findings(results: Path) -> list[verify.Finding]:
    with in_time():
        return verify.verify(verify.ResultsFolder(results), (*verify.INTEGRITY, privacy.patterns))


def put(path: str, content: bytes) -> Make:
    """A file in place of another, whose other hard links stay as they are."""

    def make(results: Path) -> None:
        (results / path).parent.mkdir(parents=True, exist_ok=True)
        (results / path).unlink(missing_ok=True)
        (results / path).write_bytes(content)

    return make


def instead(path: str, make: Callable[[Path], object]) -> Make:
    """Something else in place of a file."""

    def made(results: Path) -> None:
        (results / path).unlink(missing_ok=True)
        make(results / path)

    return made


def text(path: str, change: Callable[[str], str]) -> Make:
    return lambda results: put(path, change((results / path).read_text()).encode())(results)


def packed(method: int = zipfile.ZIP_DEFLATED, content: bytes = b"x" * 100, times: int = 1) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for number in range(times):
            archive.writestr(f"final/{number}.pkl", content)
    return stream.getvalue()


def nested(times: int) -> bytes:
    content = b"in the middle"
    for _ in range(times):
        content = gzip.compress(content)
    return content


def flipped(content: bytes, at: int) -> bytes:
    changed = bytearray(content)
    changed[at] ^= 8
    return bytes(changed)


def listen(path: Path) -> None:
    before = Path.cwd()
    os.chdir(path.parent)  # a socket's address is short
    socket.socket(socket.AF_UNIX).bind(path.name)
    os.chdir(before)


def deep(results: Path) -> None:
    """A path that is longer than any call takes."""
    before = os.open(".", os.O_RDONLY)
    os.chdir(results)
    for _ in range(30):
        Path("d" * 200).mkdir()
        os.chdir("d" * 200)
    os.fchdir(before)
    os.close(before)


NO_JSON = {
    "empty": b"",
    "of zeros": bytes(1000),
    "not UTF-8": b'{"a": "\xff"}',
    "cut off": b'{"a": [1, 2',
    "a number": b"1",
    "a text": b'"x"',
    "null": b"null",
    "a list": b"[]",
    "a list of lists": b"[[[]]]",
    "an empty object": b"{}",
    "an object of something else": b'{"@graph": [1], "files": {"a": 1}, "sha256": 1}',
    "lists within lists": b"[" * 200_000,
    "objects within objects": b'{"a":' * 200_000,
    "a long number": b"9" * 10_000,
}
OF_JSON = (RECORD, evidence.EVIDENCE, "config.json", crate.METADATA)

NO_LIST = {
    "empty": b"",
    "of zeros": bytes(1000),
    "not UTF-8": b"path\tsize\tsha256\tmade_by\n\xff\t1\t" + b"0" * 64 + b"\t\n",
    "of other columns": b"a\tb\n",
    "with a line too short": b"path\tsize\tsha256\tmade_by\nx\n",
    "with a negative size": b"path\tsize\tsha256\tmade_by\nx\t-1\t" + b"0" * 64 + b"\t\n",
    "with a long size": b"path\tsize\tsha256\tmade_by\nx\t" + b"9" * 9999 + b"\t" + b"0" * 64 + b"\t\n",
    "with a long cell": b"path\tsize\tsha256\tmade_by\n" + b"x" * 200_000 + b"\t1\n",
    "with a file twice": b"path\tsize\tsha256\tmade_by\n" + (b"x\t1\t" + b"0" * 64 + b"\t\n") * 2,
}

HIDDEN: dict[str, tuple[Make, str]] = {
    **{
        f"{path}, {what}": (put(path, content), path) for path in OF_JSON for what, content in NO_JSON.items()
    },
    **{f"ledger {what}": (put(LEDGER, content), LEDGER) for what, content in NO_LIST.items()},
    "named pipe": (instead("x", os.mkfifo), "x"),
    "named pipe as a record": (instead(RECORD, os.mkfifo), RECORD),
    "named pipe as the ledger": (instead(LEDGER, os.mkfifo), LEDGER),
    "socket": (instead("x", listen), "x"),
    "link to nothing": (instead("x", lambda path: path.symlink_to("nowhere")), "x"),
    "link to itself": (instead("x", lambda path: path.symlink_to("x")), "x"),
    "link to a file elsewhere": (instead("x", lambda path: path.symlink_to("/etc/hosts")), "x"),
    "link to a device": (instead("x", lambda path: path.symlink_to("/dev/zero")), "x"),
    "link to the folder above": (instead("x", lambda path: path.symlink_to("..")), "x"),
    "link to another file": (instead("x", lambda path: path.symlink_to("config.json")), "x"),
    "link in place of the weights": (instead(WEIGHTS, lambda path: path.symlink_to("/dev/zero")), WEIGHTS),
    "folder in place of a file": (instead("config.json", lambda path: path.mkdir()), "config.json"),
    "folder in place of a record": (instead(RECORD, lambda path: path.mkdir()), "cohort/split.tsv"),
    "path that is too long": (deep, "d" * 200),
    "weights with a flipped bit": (put(WEIGHTS, flipped(audit_study.packed_weights(), 60)), WEIGHTS),
    "weights cut off": (put(WEIGHTS, packed()[:60]), WEIGHTS),
    "weights by another method": (put(WEIGHTS, packed(zipfile.ZIP_LZMA)), WEIGHTS),
    "weights that expand": (put(WEIGHTS, packed(content=bytes(100 << 20))), WEIGHTS),
    "weights of many parts": (put(WEIGHTS, packed(content=bytes(4 << 20), times=30)), WEIGHTS),
    "gzip that expands": (put("x.gz", gzip.compress(bytes(200 << 20))), "x.gz"),
    "gzip in gzip": (put("x.gz", nested(30)), "x.gz"),
    "PDF of streams": (put(PDF, b"%PDF" + b"stream\n" * 500_000), PDF),
    "code that is none": (put(MODULE, b"\xff\0"), MODULE),
    "code in brackets": (put(MODULE, b"x = " + b"(" * 5000), MODULE),
    "code of lists": (put(MODULE, b"x = " + b"[" * 300_000), MODULE),
    "code of signs": (put(MODULE, b"x = " + b"-" * 300_000 + b"1"), MODULE),
    "code of sums": (put(MODULE, b"x = 1" + b"+1" * 300_000), MODULE),
    "code of attributes": (put(MODULE, b"x = a" + b".a" * 300_000), MODULE),
    "table that is not UTF-8": (put("tables/table1.html", b"\xff"), "tables/table1.html"),
    "record of files elsewhere": (
        text(RECORD, lambda record: record.replace('"results/cohort/split.tsv"', '"results/../../x"')),
        RECORD,
    ),
    "record of the year 0": (
        text(RECORD, lambda record: record.replace('"started": "2', '"started": "0')),
        RECORD,
    ),
}
"""What stays a finding when the list of files is written anew; and the file that must be named."""

FILES: dict[str, tuple[Make, str]] = {
    "weights with a flipped bit in the names": (
        put(WEIGHTS, flipped(audit_study.packed_weights(), -100)),
        WEIGHTS,
    ),
    **{
        f"list {what}": (put(manifest.MANIFEST, content), manifest.MANIFEST)
        for what, content in NO_LIST.items()
    },
    "named pipe as the list": (instead(manifest.MANIFEST, os.mkfifo), manifest.MANIFEST),
    "link as the list": (
        instead(manifest.MANIFEST, lambda path: path.symlink_to("/etc/hosts")),
        manifest.MANIFEST,
    ),
    "folder as the list": (instead(manifest.MANIFEST, lambda path: path.mkdir()), manifest.MANIFEST),
    "root that is not UTF-8": (put(manifest.ROOT, b"\xff" * 90), manifest.ROOT),
    "named pipe as the root": (instead(manifest.ROOT, os.mkfifo), manifest.ROOT),
    "name that is not UTF-8": (
        lambda results: (results / os.fsdecode(b"a\xff")).touch(),
        os.fsdecode(b"a\xff"),
    ),
    "name of two lines": (lambda results: (results / "a\nb").touch(), "a\nb"),
    "name that steers": (lambda results: (results / "a\x1b[2J").touch(), "a\x1b[2J"),
    "a terabyte of nothing": (instead("x", lambda path: (path.touch(), os.truncate(path, 1 << 40))), "x"),
    "weights of a terabyte": (
        instead(WEIGHTS, lambda path: (path.touch(), os.truncate(path, 1 << 40))),
        WEIGHTS,
    ),
    "letters without end": (put("logs/split.log", b"a" * (4 << 20)), "logs/split.log"),
    "brackets without end": (put(PDF, b"%PDF" + rb"(\(" * 1_000_000), PDF),
    "volume that is none": (put("data/s1/ct.nii.gz", b"\x1f\x8b" + bytes(400)), "data/s1/ct.nii.gz"),
    "volume with its voxels nowhere": (
        put("data/s1/ct.nii.gz", gzip.compress(bytes(108) + b"\0\0\xc0\x7f" + bytes(500))),
        "data/s1/ct.nii.gz",
    ),
}
"""What the list alone can tell."""


def test_this_folder_has_no_finding(results: Path) -> None:
    assert findings(results) == []
    assert len({**HIDDEN, **FILES}) > 100


@pytest.mark.parametrize("what", [*HIDDEN, *FILES])
def test_it_is_a_finding_that_names_the_file(results: Path, what: str) -> None:
    make, path = {**HIDDEN, **FILES}[what]
    make(results)
    found = findings(results)
    assert any(finding.path.startswith(path) for finding in found), found
    assert not any(finding.path == "." for finding in found), found


@pytest.mark.parametrize("what", HIDDEN)
def test_it_is_one_in_a_folder_sealed_anew(results: Path, what: str) -> None:
    make, path = HIDDEN[what]
    listed = manifest.read(results)
    make(results)
    reseal(results, listed)
    found = findings(results)
    assert any(finding.path.startswith(path) for finding in found), found
    assert not any(finding.path == "." for finding in found), found
    assert not any("Error" in finding.what for finding in found), "a case that nobody thought of"


def test_every_wrong_value_of_a_record_is_refused(results: Path) -> None:
    content = read_json(results / RECORD)
    assert run_records.parsed(RECORD, content).rule == "split"
    for key, is_one in run_records.KINDS.items():
        for value in (
            None,
            -1,
            0.5,
            "",
            "x",
            [],
            ["x"],
            [[]],
            {},
            {"a": {}},
            {"a": 1},
            True,
            math.nan,
            math.inf,
        ):
            if not is_one(value):
                with pytest.raises(Unusable, match=key):
                    run_records.parsed(RECORD, {**content, key: value})
        with pytest.raises(Unusable, match="other keys"):
            run_records.parsed(RECORD, {name: content[name] for name in content if name != key})


@pytest.mark.parametrize("key", ["seconds", "peak_memory_mb", "resumed"])
def test_what_is_no_number_is_none_in_a_record(results: Path, key: str) -> None:
    content = read_json(results / RECORD)
    for value in (True, math.nan, math.inf, -1, 10**400):
        with pytest.raises(Unusable, match=key):
            run_records.parsed(RECORD, {**content, key: value})


def test_a_device_is_a_finding(results: Path) -> None:
    try:
        os.mknod(results / "x", stat.S_IFCHR | 0o600, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("making a device needs root")
    assert {finding.path for finding in findings(results)} == {"x"}


@pytest.mark.parametrize("seed", range(3))
def test_random_changes_of_every_kind_of_file(results: Path, sealed: Path, seed: int) -> None:
    """Bytes and values changed at random, in a folder that is then listed anew: no traceback, no hang."""
    rng = random.Random(seed)
    kinds = (
        *OF_JSON,
        LEDGER,
        WEIGHTS,
        PDF,
        "data/s1/ct.nii.gz",
        "tables/table1.html",
        MODULE,
        seal.STATE,
    )
    listed = manifest.read(results)
    for path in (*kinds, manifest.MANIFEST, manifest.ROOT):
        original = (sealed / "results" / path).read_bytes()
        for content in (bytes_changed(original, rng), values_changed(original, rng)):
            put(path, content)(results)
            found = findings(results)
            assert (
                any(finding.path == path for finding in found)
                or content == original
                or path
                in (
                    manifest.MANIFEST,
                    manifest.ROOT,
                )
            )
            assert found or content == original
            if path in kinds:
                reseal(results, listed)
                again = findings(results)
                assert not any(finding.path == "." for finding in again), again
        for each in (path, manifest.MANIFEST, manifest.ROOT):
            put(each, (sealed / "results" / each).read_bytes())(results)


# -- the command -------------------------------------------------------------------------------------


def without_rights(*words: str | Path) -> subprocess.CompletedProcess:
    """The command as one who may not read everything, which root may."""
    dropped = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    return subprocess.run(
        [*dropped, sys.executable, "-m", "headct", "audit", *map(str, words)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(PACKAGE.parent), "PATH": os.environ["PATH"]},
        timeout=LONGEST_S,
    )


def test_what_may_not_be_read_is_a_finding(results: Path) -> None:
    (results / "hidden").mkdir()
    (results / "hidden/x").touch()
    put(WEIGHTS, audit_study.packed_weights())(results)
    for path in (results / "hidden", results / WEIGHTS):
        path.chmod(0)
    done = without_rights("verify", results)
    for path in (results / "hidden", results / WEIGHTS):
        path.chmod(0o700)
    assert done.returncode == 1, done.stderr
    assert "hidden: is a folder that can't be looked into: Permission denied" in done.stdout
    assert f"{WEIGHTS}: can't be read: Permission denied" in done.stdout


def test_names_are_shown_escaped(results: Path, tmp_path: Path) -> None:
    for name in (b"a\x1b[2Jb", b"a\nAll 9 files", "a\u202egpj.exe".encode(), b"a\xff"):
        (results / os.fsdecode(name)).touch()
    done = forked_command("verify", results, "--report", tmp_path / "report.html")
    assert done.returncode == 1, done.stderr
    for shown in (
        r"a\x1b[2Jb: was added",
        r"a\nAll 9 files: was added",
        r"a\u202egpj.exe",
        r"a\xff: was added",
    ):
        assert shown in done.stdout
        assert shown.partition(":")[0] in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "\x1b" not in done.stdout


def test_the_exit_status_stays_if_nobody_reads_on(results: Path) -> None:
    other = shutil.copytree(results / "cohort", results.parent / "cohort")
    for path, status in ((results, 0), (other, 1)):
        line = f"{sys.executable} -m headct audit verify {path} | true; echo ${{PIPESTATUS[0]}}"
        done = subprocess.run(
            ["bash", "-c", line], capture_output=True, text=True, env={"PYTHONPATH": str(PACKAGE.parent)}
        )
        assert (done.stdout.strip(), done.stderr) == (str(status), "")


@pytest.mark.parametrize("digest", ["", " ", "abc", "g" * 64])
def test_a_root_that_is_none_is_refused(results: Path, digest: str) -> None:
    done = forked_command("verify", results, "--root", digest)
    assert done.returncode == 2
    assert "64 hexadecimal digits" in done.stderr
    assert forked_command("verify", results, "--root", manifest.root_of(results).upper()).returncode == 0


def test_a_report_never_comes_to_lie_in_results(results: Path, tmp_path: Path) -> None:
    (tmp_path / "link.html").symlink_to(results / "tables/table1.html")
    (tmp_path / "beside").symlink_to(results / "tables")
    before = (results / "tables/table1.html").read_bytes()
    for file in (
        results / "report.html",
        tmp_path / "link.html",
        tmp_path / "beside/table1.html",
        results / "../results/tables/table1.html",
    ):
        done = forked_command("verify", results, "--report", file)
        assert done.returncode == 1
        assert "choose a place outside" in done.stderr
    assert (results / "tables/table1.html").read_bytes() == before
    assert findings(results) == []


# -- the trial's own headers -------------------------------------------------------------------------


def write_dicom(file: Path, name: str) -> None:
    header = pydicom.Dataset()
    header.PatientName, header.StudyInstanceUID = name, "1.2.3"
    header.file_meta = pydicom.dataset.FileMetaDataset()
    header.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    file.parent.mkdir(parents=True, exist_ok=True)
    pydicom.dcmwrite(file, header)


def test_the_header_of_every_file_is_sought(results: Path, tmp_path: Path) -> None:
    for number, name in enumerate(("Zwetschge^Ottilie", "Mirabelle^Emil", "Renette^Goldie")):
        write_dicom(tmp_path / f"trial/{number % 2}/{number}", name)
    (tmp_path / "trial/back").symlink_to(tmp_path / "trial")
    (tmp_path / "trial/gone").symlink_to("nowhere")
    os.mkfifo(tmp_path / "trial/pipe")
    put("logs/split.log", b"see goldie")(results)
    with in_time():
        done = forked_command("verify", results, "--dicom", tmp_path / "trial")
    assert "logs/split.log: holds 1 values of identifying attributes" in done.stdout
    assert "2 files or folders in folder 1 of --dicom, which can't be read" in done.stdout
    write_dicom(tmp_path / "other/0", "Nobody^Else")
    done = forked_command("verify", results, "--dicom", tmp_path / "other", "--dicom", tmp_path / "trial/0")
    assert "logs/split.log: holds 1 values" in done.stdout, "the first of two options counts as well"


def test_a_path_without_dicom_is_an_error(results: Path, tmp_path: Path) -> None:
    write_dicom(tmp_path / "trial/0", "Zwetschge^Ottilie")
    (tmp_path / "empty").mkdir()
    done = forked_command(
        "verify", results, "--dicom", tmp_path / "trial", tmp_path / "empty", tmp_path / "nowhere"
    )
    assert done.returncode == 1
    assert "folder 2 of --dicom  holds no DICOM file" in done.stderr
    assert "folder 3 of --dicom  is not there" in done.stderr
    assert done.stdout == ""


def test_a_follow_up_scan_needs_no_folder(results: Path, tmp_path: Path) -> None:
    write_dicom(tmp_path / "s1/0", "Zwetschge^Ottilie")
    columns = ("scan_id", "participant_id", "timepoint", "dicom", "mask")
    others = {"site": "A", "age": "", "sex": "", "onset_to_ct_h": "", "rater": "R1"}
    rows = [("s1", "p1", "baseline", "s1", "m.nii"), ("s2", "p1", "follow-up", "", "")]
    table = [(*columns, *others), *((*row, *others.values()) for row in rows)]
    (tmp_path / "scans.tsv").write_text("".join("\t".join(row) + "\n" for row in table))
    done = forked_command("verify", results, "--sheet", tmp_path / "scans.tsv")
    assert done.returncode == 0, done.stdout + done.stderr


def test_archives_are_searched_and_files_that_are_no_dicom_are_passed_over(
    results: Path, tmp_path: Path
) -> None:
    write_dicom(tmp_path / "s1/0", "Zwetschge^Ottilie")
    shutil.make_archive(str(tmp_path / "s1"), "zip", tmp_path / "s1")
    write_dicom(tmp_path / "s3/DICOMDIR", "Pflaume^Emil")
    (tmp_path / "s2.nii.gz").write_bytes(b"no DICOM")
    columns = ("scan_id", "participant_id", "image", "mask", "site", "age", "sex", "onset_to_ct_h", "rater")
    images = {"s1": "s1.zip", "s2": "s2.nii.gz", "s3": "s3/DICOMDIR"}
    rows = [(scan, scan, image, f"{scan}-m.nii", "A", "", "", "", "R1") for scan, image in images.items()]
    (tmp_path / "scans.tsv").write_text("".join("\t".join(row) + "\n" for row in [columns, *rows]))
    before = set(Path(tempfile.gettempdir()).glob("headct-zip-*"))
    folders = privacy.dicom_folders(tmp_path / "scans.tsv")
    assert {path.name for path in folders.values()} == {"s1.zip", "s3"}
    unread: Counter[str] = Counter()
    names = {str(header.PatientName) for header in privacy.headers_in(folders, unread)}
    assert (names, unread) == ({"Zwetschge^Ottilie", "Pflaume^Emil"}, Counter())
    assert set(Path(tempfile.gettempdir()).glob("headct-zip-*")) == before


def test_what_no_list_can_hold_is_not_sealed(results: Path) -> None:
    (results / "x").symlink_to("/etc/hosts")
    for name in ("=cmd'!A0", "a\nb", "a\udcff", "a\\b"):
        (results / name).touch()
    told = [problem.message for problem in seal.unlistable(results)]
    assert len(told) == 5
    assert "is a link, and what it leads to is not looked at; only files can be sealed" in told[0]
    assert all("rename it" in message for message in told[1:])


def test_a_large_file_is_not_read_into_memory(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    os.truncate(tmp_path / "x", 1 << 40)
    with in_time(), pytest.raises(Unusable, match="larger than"):
        untrusted.text_of(tmp_path / "x")
