"""What ``verify`` finds in a folder that was changed, and that it finds nothing in one that was not."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import matplotlib
import nibabel
import numpy as np
import pydicom
import pypdf
import pytest
from matplotlib.figure import Figure
from PIL import Image
from pypdf.generic import ArrayObject, ByteStringObject, DictionaryObject, NameObject, NumberObject

from headct.contracts.artefacts import UNFINISHED, sha256_of, write_json
from headct.contracts.problems import BadInput, WrongOptions
from headct.provenance import audit, crate, manifest, privacy, report, seal, verify
from headct.provenance.checks.copied_code import against_checkout
from support import audit_study
from support.audit_study import command, reseal

SCORING = "audit/runs/metrics/unet.json"


def made_in(folder: Path, close: Callable[[], object]) -> Path:
    """A study that is run in a folder and sealed by ``close``."""
    before = Path.cwd()
    os.chdir(folder)
    audit_study.run()
    close()
    os.chdir(before)
    return folder


def moved(sealed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The results of a copy of a study in another place, in which the test works from now on."""
    shutil.copytree(sealed, tmp_path / "moved", copy_function=shutil.copyfile)
    monkeypatch.chdir(tmp_path / "moved")
    return tmp_path / "moved" / "results"


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed study; it must not be written to."""
    return made_in(tmp_path_factory.mktemp("sealed"), audit_study.close)


@pytest.fixture
def study(sealed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sealed study in another place, in which the test works."""
    return moved(sealed, tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def sealed_small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sealed study whose software is three files; it must not be written to."""
    repository = tmp_path_factory.mktemp("repository")
    return made_in(tmp_path_factory.mktemp("sealed"), lambda: audit_study.close_small(repository))


@pytest.fixture
def small(sealed_small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the small study, in which the test works."""
    return moved(sealed_small, tmp_path, monkeypatch)


def found(results: Path, *checks: verify.Check, root: str = "") -> dict[str, str]:
    findings = verify.verify(verify.ResultsFolder(results, root), checks or verify.INTEGRITY)
    return {finding.path: finding.what for finding in findings}


# -- untouched ---------------------------------------------------------------------------------------


def test_an_untouched_copy_elsewhere_has_no_finding(study: Path) -> None:
    assert found(study, *verify.INTEGRITY, privacy.patterns, root=manifest.root_of(study)) == {}


def test_a_folder_that_can_only_be_read_is_verified_and_left_as_it_is(study: Path) -> None:
    before = {path: path.lstat().st_mtime_ns for path in study.rglob("*")}
    for path in [*study.rglob("*"), study]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    assert found(study) == {}
    assert {path: path.lstat().st_mtime_ns for path in study.rglob("*")} == before
    for path in [study, *study.rglob("*")]:
        path.chmod(0o755)


def test_every_file_is_listed_with_what_made_it(study: Path) -> None:
    made_by = {path: entry.made_by for path, entry in manifest.read(study).items()}
    assert made_by["metrics/unet.tsv"] == "audit/runs/metrics/unet.json"
    assert made_by["logs/metrics/unet.log"] == "audit/runs/metrics/unet.json"
    assert made_by["audit/start.json"] == made_by["config.json"] == "start of the run"
    assert made_by["audit/workflow/Snakefile"] == "seal"
    assert made_by["audit/test_set_ledger.tsv"] == "jobs that scored"
    assert "" not in made_by.values()


def test_it_can_be_checked_with_sha256sum(study: Path) -> None:
    awk = """awk -F'\\t' 'NR > 1 {print $3 "  " $1}' audit/manifest.tsv | sha256sum --check --quiet"""
    listed = "awk -F'\\t' 'NR > 1 {print $1}' audit/manifest.tsv | sort"
    outside = "audit/(manifest.tsv|root.sha256(.sig)?|signed.txt(.sig)?)"
    there = f"find . ! -type d | cut -c3- | grep -vxE '{outside}' | sort"
    compared = f"diff <({listed}) <({there})"
    for check in (awk, "cd audit && sha256sum --check --quiet root.sha256", compared):
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", check], cwd=study, capture_output=True, text=True
        )
        assert (done.returncode, done.stdout) == (0, "")


def test_sealing_again_gives_the_same_root(study: Path) -> None:
    before = manifest.root_of(study)
    assert seal.number(study) == 0
    assert audit_study.close() == before


def test_a_job_that_ran_since_asks_for_another_seal(study: Path) -> None:
    audit_study.score("scan_id\tdice\ns1\t0.82\n")
    assert seal.number(study) == 1
    audit_study.tabulate()
    audit_study.close(1)
    assert seal.number(study) == 1
    assert found(study) == {}


# -- changed since the seal --------------------------------------------------------------------------


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def swap(results: Path) -> None:
    one, other = results / "cohort/split.tsv", results / "metrics/unet.tsv"
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


CHANGES: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "altered": (lambda r: flip(r / "tables/table1.tsv"), "tables/table1.tsv", "of the same size"),
    "shorter": (lambda r: os.truncate(r / "metrics/unet.tsv", 5), "metrics/unet.tsv", "it has 5 bytes"),
    "missing": (lambda r: (r / "cohort/split.tsv").unlink(), "cohort/split.tsv", "is missing"),
    "added": (lambda r: (r / "tables/new.tsv").touch(), "tables/new.tsv", "was added"),
    "copied": (
        lambda r: shutil.copy(r / "metrics/unet.tsv", r / "metrics/other.tsv"),
        "metrics/other.tsv",
        "it has the content of metrics/unet.tsv",
    ),
    "swapped": (swap, "cohort/split.tsv", "it has the content of metrics/unet.tsv"),
    "linked to nothing": (lambda r: (r / "x").symlink_to("nowhere"), "x", "is a link"),
    "unfinished": (
        lambda r: (r / f"metrics/.a.tsv.{UNFINISHED}x.tsv").touch(),
        f"metrics/.a.tsv.{UNFINISHED}x.tsv",
        "killed while it wrote",
    ),
    "log": (lambda r: flip(r / "logs/split.log"), "logs/split.log", "was altered"),
    "record": (lambda r: flip(r / "audit/runs/split.json"), "audit/runs/split.json", "was altered"),
    "list": (lambda r: flip(r / "audit/manifest.tsv"), "audit/root.sha256", "the digest of the list"),
    "no list": (lambda r: (r / "audit/manifest.tsv").unlink(), "audit/manifest.tsv", "never sealed"),
    "empty list": (lambda r: (r / "audit/manifest.tsv").write_text(""), "audit/manifest.tsv", "no list"),
    "no root": (lambda r: (r / "audit/root.sha256").unlink(), "audit/root.sha256", "is missing"),
    "ledger": (
        lambda r: (r / "audit/test_set_ledger.tsv").unlink(),
        "audit/test_set_ledger.tsv",
        "is missing",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_found_and_named(small: Path, change: str) -> None:
    make, path, what = CHANGES[change]
    make(small)
    findings = verify.verify(verify.ResultsFolder(small), verify.INTEGRITY)
    assert any(finding.path == path and what in finding.what for finding in findings), findings


# -- changed, and sealed anew to hide it -------------------------------------------------------------


def edit_record(results: Path, rule: str, **changes: object) -> None:
    path = results / f"audit/runs/{rule}.json"
    write_json({**json.loads(path.read_text()), **changes}, path)


HIDDEN: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "table": (
        lambda r: flip(r / "tables/table1.tsv"),
        "tables/table1.tsv",
        "is not what audit/runs/tables/table1.json",
    ),
    "split": (
        lambda r: flip(r / "cohort/split.tsv"),
        "audit/runs/metrics/unet.json",
        "another cohort/split.tsv",
    ),
    "record": (
        lambda r: edit_record(r, "split", outputs={"results/cohort/split.tsv": "0" * 64}),
        "cohort/split.tsv",
        "is not what audit/runs/split.json",
    ),
    "record of what it was made from": (
        lambda r: edit_record(r, "metrics/unet", inputs={"results/cohort/split.tsv": "0" * 64}),
        "audit/runs/metrics/unet.json",
        "made from another cohort/split.tsv",
    ),
    "record taken away": (
        lambda r: (r / "audit/runs/split.json").unlink(),
        "cohort/split.tsv",
        "has no record",
    ),
    "code": (
        lambda r: (r / "audit/workflow/workflow/scripts/headct/contracts/artefacts.py").write_text("x = 1\n"),
        "audit/workflow/workflow/scripts/headct/contracts/artefacts.py",
        "is not the code that",
    ),
    "settings": (
        lambda r: write_json({"metrics": {"surface_distance_percentile": 100}}, r / "config.json"),
        "config.json",
        "other metrics settings",
    ),
    "plan": (
        lambda r: (r / "audit/workflow/config/analysis_plan.yaml").write_text("date: 2020-01-01\n"),
        "audit/evidence.json",
        "another analysis plan",
    ),
    "printed digest": (
        lambda r: (r / "tables/table1.html").write_text(f"Evidence digest: {'0' * 64}"),
        "tables/table1.html",
        "another evidence digest",
    ),
    "ledger emptied": (
        lambda r: (r / "audit/test_set_ledger.tsv").unlink(),
        "audit/test_set_ledger.tsv",
        "says that it wrote line 1",
    ),
    "ledger edited": (
        lambda r: flip(r / "audit/test_set_ledger.tsv"),
        "audit/test_set_ledger.tsv",
        "line 1 is not the one that audit/runs/metrics/unet.json wrote",
    ),
    "log": (lambda r: (r / "logs/split.log").unlink(), "logs/split.log", "the log of audit/runs/split.json"),
    "printed digest of nothing": (
        lambda r: (r / "tables/table1.html").write_text(f"SHA-256 {'0' * 63}1"),
        "tables/table1.html",
        "prints a digest that nothing in the folder has",
    ),
    "a result that no job made": (
        lambda r: (r / "tables/more.tsv").write_text("dice\n0.9\n"),
        "tables/more.tsv",
        "no record tells",
    ),
    "list of label maps": (
        lambda r: put(r / "predictions/unet/seed-1.tsv", f"path\tsha256\nseed-1/s1.nii.gz\t{'0' * 64}\n"),
        "predictions/unet/seed-1.tsv",
        "states the digest of predictions/unet/seed-1/s1.nii.gz, which is not there",
    ),
    "weights": (
        lambda r: [put(r / "m/final.pth", "x"), put(r / "m/train.json", f'{{"sha256": "{"0" * 64}"}}')],
        "m/train.json",
        "states another digest of m/final.pth than it has",
    ),
    "volume": (
        lambda r: put(r / "cohort/split.tsv", f"scan_id\tset\tct_sha256\ns1\ttest\t{'0' * 64}\n"),
        "cohort/split.tsv",
        "states the digest of data/s1/ct.nii.gz, which is not there",
    ),
    "plan of the start": (
        lambda r: write_json({"analysis_plan": "0" * 64}, r / "audit/start.json"),
        "audit/start.json",
        "states another analysis plan",
    ),
    "record of other code": (
        lambda r: edit_record(r, "split", workflow={"modules": {}, "code": "0" * 64}),
        "audit/runs/split.json",
        "another digest of its code",
    ),
    "record of another length": (
        lambda r: edit_record(r, "split", seconds=1e6),
        "audit/runs/split.json",
        "a duration that does not fit",
    ),
    "record with the log of another job": (
        lambda r: edit_record(r, "split", log="results/logs/metrics/unet.log"),
        "audit/runs/split.json",
        "names the log of another job",
    ),
    "record of another seed": (
        lambda r: edit_record(r, "split", command=["headct", "split", "--seed", "2"], seeds={"seed": 1}),
        "audit/runs/split.json",
        "another seed",
    ),
    "record of another model": (
        lambda r: edit_record(r, "split", command=["headct", "split", "--model=a"], wildcards={"model": "b"}),
        "audit/runs/split.json",
        "is of model b",
    ),
    "record that hides what it read": (
        lambda r: edit_record(
            r, "split", command=["headct", "split", "--metrics", "results/metrics/unet.tsv"]
        ),
        "audit/runs/split.json",
        "names results/metrics/unet.tsv in its command",
    ),
    "record without its plan": (
        lambda r: edit_record(r, "split", command=["headct", "split", "--plan=plan.yaml"]),
        "audit/runs/split.json",
        "says nothing of having read it",
    ),
    "ledger of another model": (
        lambda r: edit_record(r, "metrics/unet", wildcards={"model": "another"}),
        "audit/test_set_ledger.tsv",
        "line 1 has another model than audit/runs/metrics/unet.json",
    ),
}


def put(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("change", HIDDEN)
def test_a_folder_sealed_anew_contradicts_itself(small: Path, change: str) -> None:
    root = manifest.root_of(small)
    make, path, what = HIDDEN[change]
    make(small)
    reseal(small)
    findings = verify.verify(verify.ResultsFolder(small, root), verify.INTEGRITY)
    assert any(finding.path == path and what in finding.what for finding in findings), findings
    assert any("is not the list with the root" in finding.what for finding in findings)


def test_results_of_an_older_input_are_found(study: Path) -> None:
    """The split was drawn again by a job, and what was made from it was not."""
    audit_study.job("split", ["scans.tsv"], {"results/cohort/split.tsv": "scan_id\tset\ns1\ttrain\n"})
    audit_study.close()
    assert found(study)[SCORING] == "was made from another cohort/split.tsv than the one there"


def test_results_of_two_sheets_are_found(study: Path) -> None:
    Path("scans.tsv").write_text("scan_id\ns2\n")
    metrics = (study / "metrics/unet.tsv").read_text()
    audit_study.job("again", ["scans.tsv"], {"results/metrics/b.tsv": metrics})
    audit_study.close()
    assert any("another scans.tsv than other results" in what for what in found(study).values())


def test_an_edited_crate_is_found(study: Path) -> None:
    path = study / crate.METADATA
    path.write_text(path.read_text().replace(sha256_of(study / "metrics/unet.tsv"), "0" * 64))
    reseal(study)
    assert found(study) == {crate.METADATA: "has another digest of metrics/unet.tsv than the file"}


def test_a_crate_that_tells_of_another_command_is_found(study: Path) -> None:
    edit_record(study, "split", command=["headct", "split", "--other"])
    reseal(study)
    assert "says otherwise than audit/runs/split.json: description" in {
        finding.what for finding in verify.verify(verify.ResultsFolder(study), [verify.crate])
    }


def test_comments_in_the_copied_code_are_no_other_code(study: Path) -> None:
    path = study / "audit/workflow/workflow/scripts/headct/contracts/code.py"
    path.write_text("# a comment\n" + path.read_text())
    reseal(study)
    assert set(found(study)) == {crate.METADATA}  # which has the digest of the file's bytes
    name = path.relative_to(study).as_posix()
    differs = found(study, against_checkout(audit_study.REPOSITORY))
    assert "in comments only" in differs[name]
    assert set(differs) == {name}


# -- identifiers -------------------------------------------------------------------------------------

PLANTED = {
    "UID": "1.3.12.2.1107.5.1.4.12345.30000012345678901234",
    "person's name": "patient: Meier^Hans",
    "attribute": '{"InstitutionName": "Klinik Nord"}',
    "date": "born 22.07.1931",
}


@pytest.mark.parametrize("what", PLANTED)
def test_identifying_text_is_found(small: Path, what: str) -> None:
    (small / "logs/split.log").write_text(PLANTED[what])
    findings = found(small, privacy.patterns)
    assert set(findings) == {"logs/split.log"}
    assert what in findings["logs/split.log"]
    assert not any(PLANTED[what] in text for text in findings.values())


@pytest.mark.parametrize(
    "text",
    [
        "1.2.840.10008.5.1.4.1.1.2",
        "version 2.14.1.0.3",
        "y = x^2",
        "10-20-2000000",
        "2.5-1.5",
        "10.12.19311",
        '{"PatientName": "", "PatientID": "scan-0012"}',
        "19500307 voxels",
    ],
)
def test_what_points_at_nobody_is_none(small: Path, text: str) -> None:
    (small / "logs/split.log").write_text(text)
    assert found(small, privacy.patterns) == {}


def test_a_dicom_file_is_found_whatever_its_name(small: Path) -> None:
    (small / "logs/x").write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 20)
    assert found(small, privacy.patterns) == {"logs/x": "is a DICOM file, or contains one"}


def test_the_values_of_the_trials_own_headers_are_found(small: Path) -> None:
    header = pydicom.Dataset()
    header.PatientName, header.PatientID, header.PatientBirthDate = "Zwetschge^Ottilie", "A-77123", "19310722"
    assert found(small, privacy.values([header])) == {}
    for index, text in enumerate(("see ottilie", "a-77123", "22.07.1931", "Zwetschgenkuchen, A77", "1931")):
        (small / f"logs/{index}.log").write_text(text)
    findings = found(small, privacy.values([header]))
    assert set(findings) == {f"logs/{index}.log" for index in range(3)}
    assert not any("ttilie" in what or "77123" in what for what in findings.values())


IDENTIFYING = b"\nZwetschge^Ottilie, A-77123, born 22.07.1931\n"


def volume(after: bytes = b"", name: str = "") -> bytes:
    """A scan as it is written here, of noise; something may follow its voxels, or name the packed file."""
    voxels = np.random.default_rng(1).integers(-1000, 3000, (32, 32, 9)).astype(np.int16)
    stream = io.BytesIO()
    with gzip.GzipFile(name, "wb", fileobj=stream, mtime=0) as packed:
        packed.write(nibabel.Nifti1Image(voxels, np.eye(4)).to_bytes() + after)
    return stream.getvalue()


def zipped(name: str, between: bytes = b"", method: int = zipfile.ZIP_STORED, comment: bytes = b"") -> bytes:
    """An archive as PyTorch or NumPy write it, of numbers; something may lie between its entries."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.comment = comment
        archive.writestr("final/data.pkl", b"weights of nobody" * 20)
        archive.writestr(f"final/{name}", np.random.default_rng(1).bytes(5000))
        archive.fp.seek(0, io.SEEK_END)
        archive.fp.write(between)
        archive.start_dir = archive.fp.tell()
        archive.writestr("final/data/1", np.random.default_rng(2).bytes(5000))
    return stream.getvalue()


def png(chunk: bytes = b"") -> bytes:
    """A picture of noise."""
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (30, 30), dtype=np.uint8)).save(stream, "PNG")
    end = stream.getvalue().rfind(b"IEND") - 4
    part = len(chunk).to_bytes(4, "big") + b"tEXt" + chunk + bytes(4) if chunk else b""
    return stream.getvalue()[:end] + part + stream.getvalue()[end:]


def pdf(text: str = "Dice per model", **metadata: str) -> bytes:
    """A figure as the workflow draws it."""
    figure, stream = Figure(), io.BytesIO()
    figure.text(0.1, 0.5, text)
    with matplotlib.rc_context({"pdf.fonttype": 42}):
        figure.savefig(stream, format="pdf", metadata={"CreationDate": None, **metadata})
    return stream.getvalue()


def with_palette(colours: bytes) -> bytes:
    """A PDF with a picture of listed colours."""
    writer, stream = pypdf.PdfWriter(io.BytesIO(pdf())), io.BytesIO()
    space = (NameObject("/Indexed"), NameObject("/DeviceRGB"), NumberObject(1), ByteStringObject(colours))
    writer._add_object(DictionaryObject({NameObject("/ColorSpace"): ArrayObject(space)}))
    writer.write(stream)
    return stream.getvalue()


def test_colours_are_no_names_unless_they_are_a_text(small: Path) -> None:
    by_chance = bytes((0xEF, 0xD7, 0x7F)) + b"QYbIW`GU_GT^ES]ERZAOX"
    (small / "figures").mkdir(exist_ok=True)
    (small / "figures/x.pdf").write_bytes(with_palette(by_chance))
    assert found(small, privacy.patterns) == {}
    (small / "figures/x.pdf").write_bytes(with_palette(b"Zwetschge^Ottilie"))
    assert set(found(small, privacy.patterns)) == {"figures/x.pdf"}


def nrrd(text: bytes = b"") -> bytes:
    """A scan as ITK writes it, compressed, of noise; a line of text may stand in its header."""
    fields = b"NRRD0004\ntype: short\ndimension: 3\nsizes: 32 32 9\nencoding: gzip\n"
    return fields + text + b"\n" + gzip.compress(np.random.default_rng(1).bytes(32 * 32 * 9 * 2))


def metaimage(text: bytes = b"") -> bytes:
    """The same, not compressed."""
    fields = b"ObjectType = Image\nNDims = 3\nDimSize = 32 32 9\n" + text + b"ElementType = MET_SHORT\n"
    voxels = np.random.default_rng(1).integers(-1000, 3000, 32 * 32 * 9).astype("<i2").tobytes()
    return fields + b"ElementDataFile = LOCAL\n" + voxels


def tar(name: str = "weights.bin", owner: str = "", content: bytes = b"nothing") -> bytes:
    """An archive of one file."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size, member.uname = len(content), owner
        archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def with_extension(text: bytes, code: int = 6) -> bytes:
    """A NIfTI file, not compressed, with a text behind its header."""
    image = nibabel.Nifti1Image(
        np.random.default_rng(1).integers(0, 99, (8, 8, 8)).astype(np.int16), np.eye(4)
    )
    if text:
        image.header.extensions.append(nibabel.nifti1.Nifti1Extension(code, text))
    return image.to_bytes()


def array(words: object) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array(words), allow_pickle=True)
    return stream.getvalue()


IN_NO_PLACE = {
    "ct.nii.gz": volume(),
    "final.pth": zipped("data/0"),
    "x.npz": zipped("x.npy"),
    "x.png": png(),
    "x.pdf": pdf(),
    "x.gz": gzip.compress(b"nobody"),
    "x.nrrd": nrrd(),
    "x.mha": metaimage(),
    "x.tar": tar(),
    "x.tar.xz": lzma.compress(tar()),
    "x.tar.bz2": bz2.compress(tar()),
    "x.nii": with_extension(b""),
    "x.npy": array(["dice", "volume"]),
    "x.pkl": pickle.dumps({"dice": [0.81] * 40}),
    "x.txt": "Anführer: 分散 σ^2 = 0.04".encode("utf-16"),
}
IN_SOME_PLACE = {
    **{f"appended to {name}": (name, content + IDENTIFYING) for name, content in IN_NO_PLACE.items()},
    "after the voxels": ("ct.nii.gz", volume(after=IDENTIFYING)),
    "in a further member": ("ct.nii.gz", volume() + gzip.compress(IDENTIFYING)),
    "packed, after zeros": ("ct.nii.gz", volume() + bytes(9) + IDENTIFYING),
    "name of the packed volume": ("ct.nii.gz", volume(name=IDENTIFYING.decode().strip())),
    "name of a packed file": (
        "x.gz",
        volume(name=IDENTIFYING.decode().strip()),
    ),
    "before an archive": ("final.pth", IDENTIFYING + zipped("data/0")),
    "between tensors": ("final.pth", zipped("data/0", between=IDENTIFYING)),
    "comment of an archive": ("final.pth", zipped("data/0", comment=IDENTIFYING)),
    "comment of arrays": ("x.npz", zipped("x.npy", comment=IDENTIFYING)),
    "text of a picture": ("x.png", png(b"Comment\0" + IDENTIFYING)),
    "header of NRRD": ("x.nrrd", nrrd(b"0010|0010:=" + IDENTIFYING.strip() + b"\n")),
    "member of a tar archive": ("x.tar.xz", lzma.compress(tar(content=IDENTIFYING))),
    "owner in a tar archive": ("x.tar.bz2", bz2.compress(tar(owner=IDENTIFYING[1:28].decode()))),
    "name in a tar archive": ("x.tar", tar(name=f"{IDENTIFYING.decode().strip()}.bin")),
    "extension of NIfTI": ("x.nii", with_extension(IDENTIFYING)),
    "extension of packed NIfTI": ("x.nii.gz", gzip.compress(with_extension(IDENTIFYING))),
    "array of texts": ("x.npy", array([IDENTIFYING.decode(), "x"])),
    "array of objects": ("x.npy", array([IDENTIFYING.decode(), None])),
    "pickle": ("x.pkl", pickle.dumps({"source": IDENTIFYING.decode()})),
    "wide characters": ("x.txt", IDENTIFYING.decode().encode("utf-16")),
    "wide characters without a mark": ("x.txt", IDENTIFYING.decode().encode("utf-16-be")),
    "drawn in a PDF": ("x.pdf", pdf(IDENTIFYING.decode())),
    "title of a PDF": ("x.pdf", pdf(Title=f"{IDENTIFYING.decode()} →")),
    "header of NRRD alone": ("x.nhdr", b"NRRD0004\n0010|0010:=" + IDENTIFYING.strip()),
    "header of MetaImage": ("x.mha", metaimage(b"0010|0010 = " + IDENTIFYING.strip() + b"\n")),
}


@pytest.mark.parametrize("where", IN_SOME_PLACE)
def test_identifiers_beside_voxels_tensors_and_packed_parts_are_found(small: Path, where: str) -> None:
    name, content = IN_SOME_PLACE[where]
    (small / "logs" / name).write_bytes(content)
    header = pydicom.Dataset()
    header.PatientName, header.PatientID, header.PatientBirthDate = "Zwetschge^Ottilie", "A-77123", "19310722"
    assert set(found(small, privacy.values([header]))) == {f"logs/{name}"}
    assert set(found(small, privacy.patterns)) == {f"logs/{name}"}


TAGGED = [nrrd(b"0010|0030:=x\n"), metaimage(b"0008|0080 = x\n"), b"(0010,0020) LO [XQ77] # PatientID"]


@pytest.mark.parametrize("content", TAGGED)
def test_an_attribute_is_known_by_its_tag_as_itk_writes_it(small: Path, content: bytes) -> None:
    (small / "logs/x").write_bytes(content)
    assert set(found(small, privacy.patterns).values()) == {
        "gives a DICOM attribute that identifies patients"
    }


@pytest.mark.parametrize("name", IN_NO_PLACE)
def test_voxels_tensors_and_packed_parts_by_themselves_are_no_finding(small: Path, name: str) -> None:
    (small / "logs" / name).write_bytes(IN_NO_PLACE[name])
    header = pydicom.Dataset()
    header.PatientName, header.PatientID, header.PatientBirthDate = "Zwetschge^Ottilie", "A-77123", "19310722"
    assert found(small, privacy.patterns, privacy.values([header])) == {}


def other_method(packed: bytes) -> bytes:
    """What says that it is packed by another method than DEFLATE, of which gzip has none."""
    return packed[:2] + b"\7" + packed[3:]


BY_CHANCE = {
    "ct.nii.gz": volume(after=other_method(gzip.compress(b"")) + np.random.default_rng(1).bytes(5000)),
    "x.txt": b"BZhang_2019: the metric of the second table\n",
}
"""What begins with two or three of the bytes with which archives begin."""


@pytest.mark.parametrize("name", BY_CHANCE)
def test_what_begins_like_an_archive_by_chance_is_no_damaged_one(small: Path, name: str) -> None:
    (small / "logs" / name).write_bytes(BY_CHANCE[name])
    assert found(small, privacy.patterns) == {}
    (small / "logs" / name).write_bytes(BY_CHANCE[name] + IDENTIFYING)
    assert set(found(small, privacy.patterns)) == {f"logs/{name}"}


def test_a_dicom_header_in_a_volume_is_dicom(small: Path) -> None:
    (small / "logs/x.nii").write_bytes(with_extension(b"\x08\0\x60\0CS\2\0CT", code=2))
    assert found(small, privacy.patterns) == {"logs/x.nii": "is a DICOM file, or contains one"}


@pytest.mark.parametrize(
    "name", ["Zwetschge^Ottilie.log", "s-19310722.log", "MRN55410937.log", "Zwetschge, Ottilie.log"]
)
def test_names_of_files_are_searched(small: Path, name: str) -> None:
    (small / "logs" / name).write_text("done")
    assert set(found(small, privacy.patterns)) == {f"logs/{name}"}
    (small / "logs" / name).unlink()
    (small / "logs/x.zip").write_bytes(zipped(name))
    assert set(found(small, privacy.patterns)) == {"logs/x.zip"}


def encrypted_zip() -> bytes:
    """An archive of which the flag says that its entry is encrypted, which is all that can be known of it."""
    content = bytearray(zipped("data/0"))
    for mark, flags in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        content[content.find(mark) + flags] |= 1
    return bytes(content)


def encrypted_pdf() -> bytes:
    writer, stream = pypdf.PdfWriter(io.BytesIO(pdf())), io.BytesIO()
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(stream)
    return stream.getvalue()


NOISE = np.random.default_rng(1).bytes(5000)
UNREAD = {
    "7z": (b"7z\xbc\xaf\x27\x1c" + bytes(40), "is packed as 7z"),
    "zst": (b"\x28\xb5\x2f\xfd" + bytes(40), "is packed as Zstandard"),
    "zip": (encrypted_zip(), "encrypted zip archive"),
    "pdf": (encrypted_pdf(), "encrypted PDF"),
    "damaged.pdf": (pdf()[:-2000], "PDF that can't be read to its end"),
    "gz": (gzip.compress(np.random.default_rng(1).bytes(5000))[:-900], "is a .gz file that is cut off"),
    "csv.gz": (other_method(gzip.compress(b"0.81")), "is a .gz file that is damaged"),
    "nii.gz": (other_method(volume()), "is a .gz file that is damaged"),
    "xz": (
        lzma.compress(np.random.default_rng(1).bytes(5000))[:-900],
        "is a .bz2 or .xz file that is damaged",
    ),
    "tar": (tar(content=bytes(5000))[:2000], "holds a tar archive that is damaged"),
}


@pytest.mark.parametrize("kind", UNREAD)
def test_what_can_t_be_read_is_told(small: Path, kind: str) -> None:
    content, told = UNREAD[kind]
    (small / f"logs/x.{kind}").write_bytes(content)
    findings = found(small, privacy.patterns)
    assert set(findings) == {f"logs/x.{kind}"}
    assert told in findings[f"logs/x.{kind}"]


# -- the command -------------------------------------------------------------------------------------


def test_the_command_says_yes(study: Path, tmp_path: Path) -> None:
    done = command("verify", study, "--root", manifest.root_of(study), "--report", tmp_path / "report.html")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "files are as they were when they were sealed" in done.stdout
    assert "opened 1 times" in done.stdout
    assert manifest.root_of(study) in (tmp_path / "report.html").read_text()


def test_the_command_says_no(study: Path) -> None:
    flip(study / "tables/table1.tsv")
    done = command("verify", study)
    assert done.returncode == 1
    assert "tables/table1.tsv: was altered" in done.stdout
    assert command("verify", study / "nowhere").returncode == 1


def test_a_report_of_a_thousand_findings_is_one_page(small: Path) -> None:
    for index in range(1000):
        (small / f"logs/{index}.log").touch()
    folder = verify.ResultsFolder(small)
    summary = verify.summary(folder, verify.verify(folder, verify.INTEGRITY), False, 0)
    assert len(report.text(summary).splitlines()) < 60
    assert "and 960 more" in report.text(summary)
    assert report.html(summary).count("<code>logs/") == 1000


def test_all_findings_are_on_the_page_and_rare_ones_are_printed(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for index in range(report.SHOWN + 5):
        (small / f"a-{index:02}.txt").write_text("")
    flip(small / "tables/table1.tsv")
    page = tmp_path / "verification.html"
    with pytest.raises(SystemExit):
        audit.verify_results(small, report=page)
    printed, written = capsys.readouterr().out, page.read_text()
    assert "tables/table1.tsv: was altered" in printed
    assert "more, those last of which many say the same; --report FILE.html has all" in printed
    assert "a-44.txt" not in printed
    assert all(f"a-{index:02}.txt" in written for index in range(report.SHOWN + 5))


@pytest.mark.parametrize("below", ["..", "tables"])
def test_another_folder_than_the_results_says_which_is_meant(small: Path, below: str) -> None:
    with pytest.raises(BadInput, match=rf"is no results folder, .*{small.name} is one"):
        audit.verify_results(small / below)


def test_inputs_are_for_jobs_that_are_repeated(small: Path) -> None:
    with pytest.raises(WrongOptions, match=r"--inputs: these files .*: add --repeat"):
        audit.verify_results(small, inputs=[Path("scans.tsv")])


def test_a_sheet_that_is_not_there_is_named_with_its_option(small: Path) -> None:
    with pytest.raises(BadInput) as error:
        audit.verify_results(small, sheet=Path("nosuch"))
    assert [(one.file, one.key) for one in error.value.problems] == [("nosuch", "--sheet")]
