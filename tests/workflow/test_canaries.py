"""No identifier gets out: every file that a run leaves behind is searched for planted canaries.

The simulated trial carries a canary in every text attribute (``headct.simulate.dicom_writer``), so the
demo itself is the drill: its results, logs, scratch and Snakemake's own records are searched, in packed
files too. Hard folders, on which libraries print warnings and errors, go through ingest alone.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
import yaml
from matplotlib.figure import Figure
from PIL import Image, PngImagePlugin
from pydicom.dataset import Dataset

from headct.cohort import conversion
from headct.command_line import run_step
from headct.contracts.repository import BUNDLE
from headct.contracts.untrusted import Unusable
from headct.provenance import seal
from headct.provenance.contents import layers
from headct.simulate.dicom_writer import CANARY, CANARY_WITH_UMLAUT, canary, plant_canaries
from support import monai_miniature, snake
from support.ct_series import PIXEL_MM, head, table_origins, write_series
from support.label_sets import GIVEN, LABELS, MASK_RULES, MASKS_GIVEN
from support.masked_scan import write_sheet
from support.nifti_study import NiftiStudy

# -- the search --------------------------------------------------------------------------------------

MARKERS = (CANARY, CANARY_WITH_UMLAUT, "Fictitious", pydicom.uid.PYDICOM_ROOT_UID)
"""Each is part of many planted values and of nothing else: the last one of every UID of the trial."""

ENCODINGS = ("utf-8", "latin-1", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")  # NumPy has the last two


def patterns(*texts: str) -> set[bytes]:
    """What to search for in lower-case bytes: a text in each encoding, and as JSON and Python escape it."""
    cases = {case for text in texts for case in (text, text.lower(), text.upper())}
    encoded = {case.encode(encoding) for case in cases for encoding in ENCODINGS}
    escaped = {form[1:-1].encode() for case in cases for form in (json.dumps(case), ascii(case))}
    return {form.lower().strip(b"\0") for form in encoded | escaped}  # of UTF-16, one form for either order


def own(demo: Path) -> tuple[Path, ...]:
    """What holds the markers by right: the trial, and the copied code that is this code, which writes it."""
    copy = demo / "results/audit/workflow"
    same = (
        copy / path
        for path in seal.software(snake.REPOSITORY)
        if (copy / path).read_bytes() == (snake.REPOSITORY / path).read_bytes()
    )
    return demo / "trial", *same


def all_but(folder: Path, skip: tuple[Path, ...]) -> list[Path]:
    """All files and folders below a folder, without these and what is in them."""
    skipped = set(skip)
    return [path for path in sorted(folder.rglob("*")) if skipped.isdisjoint([path, *path.parents])]


def finds(folder: Path, sought: set[bytes], skip: tuple[Path, ...] = ()) -> list[str]:
    """Every file below a folder that holds something sought in its name or content."""
    found = []
    for path in all_but(folder, skip):
        name = str(path.relative_to(folder))
        contents = path.read_bytes() if path.is_file() else b""
        for layer in (name.encode(), *all_that_can_be_read(contents)):
            lower = layer.lower()
            found += [f"{name}: {text!r}" for text in sought if text in lower]
    return found


def all_that_can_be_read(contents: bytes) -> Iterator[bytes]:
    """All layers; of a file that is damaged or half written, those that can be had."""
    try:
        yield from layers(contents)
    except Unusable as error:
        if "more than" in str(error):  # not searched, though it could have been
            raise


# -- the search finds what is hidden -----------------------------------------------------------------


def _pdf(text: str, **metadata: str) -> bytes:
    figure, stream = Figure(), io.BytesIO()
    figure.text(0.1, 0.5, text)
    with matplotlib.rc_context({"pdf.fonttype": 42}):  # as the figures of the workflow have it
        figure.savefig(stream, format="pdf", metadata=metadata)
    return stream.getvalue()


def _png(text: str) -> bytes:
    information, stream = PngImagePlugin.PngInfo(), io.BytesIO()
    information.add_text("Comment", text, zip=True)
    Image.new("L", (9, 9)).save(stream, "png", pnginfo=information)
    return stream.getvalue()


def _zip(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def _npz(text: str) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, names=np.array([text]))
    return stream.getvalue()


NOISE = np.random.default_rng(0).bytes(20_000)
SECRET = "xCanary0815x"
HIDDEN = {
    "plain": SECRET.encode(),
    "upper case": SECRET.upper().encode(),
    "in noise": NOISE + SECRET.encode() + NOISE,
    "UTF-16": SECRET.encode("utf-16"),
    "UTF-16 at an odd place": b"x" + SECRET.upper().encode("utf-16-be"),
    "umlaut in UTF-8": CANARY_WITH_UMLAUT.encode(),
    "umlaut in Latin-1": CANARY_WITH_UMLAUT.upper().encode("latin-1"),
    "umlaut in JSON": json.dumps(CANARY_WITH_UMLAUT).encode(),
    "umlaut in a Python message": ascii(CANARY_WITH_UMLAUT).encode(),
    "gz": gzip.compress(NOISE + SECRET.encode()),
    "second part of gz": gzip.compress(b"first") + gzip.compress(SECRET.encode()),
    "half-written gz": gzip.compress(SECRET.encode() + NOISE)[:-5000],
    "zip": _zip("data.pkl", SECRET.encode()),
    "name in zip": _zip(SECRET, b""),
    "npz": _npz(SECRET),
    "gz in zip": _zip("x.gz", gzip.compress(SECRET.encode())),
    "PDF, drawn": _pdf(SECRET),
    "PDF, umlaut drawn": _pdf(f"a{CANARY_WITH_UMLAUT}b"),
    "PDF, metadata": _pdf("nothing", Title=SECRET),
    "PDF, metadata beyond Latin-1": _pdf("nothing", Title=f"{SECRET} →"),
    "PNG": _png(SECRET),
    "PNG in HTML": b"<img src='data:image/png;base64," + base64.b64encode(_png(SECRET)) + b"'>",
    "base64": b"path: " + base64.urlsafe_b64encode(b"results/of/" + SECRET.encode() + b"/data"),
}


@pytest.mark.parametrize("way", HIDDEN)
def test_search_finds_what_is_hidden(tmp_path: Path, way: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "file").write_bytes(HIDDEN[way])
    assert finds(tmp_path, patterns(*MARKERS))
    assert not finds(tmp_path, patterns("Budgerigar"))
    assert not finds(tmp_path, patterns(*MARKERS), skip=(tmp_path / "sub",))


def test_search_finds_names_of_files_and_nifti_headers(tmp_path: Path) -> None:
    (tmp_path / SECRET).mkdir()
    assert len(finds(tmp_path, patterns(CANARY))) == 1
    image = sitk.Image(4, 4, 4, sitk.sitkUInt8)
    image.SetMetaData("ITK_FileNotes", SECRET)
    sitk.WriteImage(image, str(tmp_path / "labels.nii.gz"), useCompression=True)
    assert len({find.split(":")[0] for find in finds(tmp_path, patterns(CANARY))}) == 2


# -- the demo ----------------------------------------------------------------------------------------

TEXT_VRS = {"PN", "LO", "SH", "LT", "ST", "UT", "UC", "UR", "AE", "UN"}
TIMES = {"DA", "TM", "DT", "AS"}

WITHOUT_CANARY = {"Manufacturer", "ManufacturerModelName", "ConvolutionKernel", "RescaleType"}
"""Three reach outputs on purpose; the unit of the pixels is part of their meaning."""


def _headers(trial: Path) -> list[Dataset]:
    folders = sorted((trial / "dicom").iterdir())
    return [pydicom.dcmread(next(iter(sorted(folder.iterdir())))) for folder in folders]


def test_every_text_attribute_of_the_demo_holds_a_planted_value(demo: Path) -> None:
    for header in _headers(demo / "trial"):
        kinds = set()
        for element in [*header.iterall(), *header.file_meta]:
            kinds.add(element.VR)
            value = element.value
            text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
            if element.VR in TEXT_VRS and element.keyword not in WITHOUT_CANARY:
                assert any(marker.lower() in text.lower() for marker in MARKERS), element.tag
        assert kinds >= {*TEXT_VRS, *TIMES, "UI", "SQ"}
        assert CANARY.encode() in header.preamble
    files = [path for path in (demo / "trial/dicom").rglob("*") if path.is_file()]
    assert all(CANARY in path.name for path in files)


def test_nothing_of_it_is_in_any_file_that_the_demo_leaves_behind(demo: Path) -> None:
    folders = {path.name for path in demo.iterdir()}
    assert folders >= {"results", "work", ".snakemake", "trial"}
    assert finds(demo, patterns(*MARKERS), skip=own(demo)) == []


def test_no_date_time_or_number_of_a_patient_is_in_any_text_of_the_demo(demo: Path) -> None:
    """Digits alone occur by chance in binary files; what text holds is searched for whole numbers."""
    numbers = set()
    for header in _headers(demo / "trial"):
        numbers |= {str(e.value) for e in header.iterall() if e.VR in TIMES}
        numbers |= {header.AccessionNumber.removeprefix(CANARY), header.PatientID.removeprefix(f"{CANARY}-")}
    numbers |= {f"{text[6:8]}.{text[4:6]}.{text[:4]}" for text in numbers if re.fullmatch(r"\d{8}", text)}
    numbers |= {f"{text[:4]}-{text[4:6]}-{text[6:8]}" for text in numbers if re.fullmatch(r"\d{8}", text)}
    assert len(numbers) > 200
    either = "|".join(map(re.escape, sorted(numbers)))
    whole = re.compile(rf"(?<![\w.])(?:{either})(?!\w)".encode(), re.IGNORECASE)
    texts, found = 0, 0
    for path in all_but(demo, own(demo)):
        if path.is_file():
            content = path.read_bytes()
            if b"\0" not in content:
                texts += 1
                found += len(whole.findall(content))
    assert texts > 100
    assert found == 0


def test_nothing_that_lies_beside_the_configuration_is_sealed(clone: Path) -> None:
    """The sheet where the README says that it is written, and what else people keep there."""
    shutil.copyfile(clone / "demo/trial/scans.tsv", clone / "config/scans.tsv")
    with open(clone / "config/scans.tsv", "a") as sheet:
        sheet.write(f"{CANARY}\n")
    dicom = next(path for path in (clone / "demo/trial/dicom").rglob("*") if path.is_file())
    shutil.copyfile(dicom, clone / "config" / dicom.name)
    shutil.copyfile(dicom, clone / "resources" / "IM1.dcm")
    for name in (".env", "patients.csv", f"{CANARY}.txt"):
        (clone / "config" / name).write_text(f"PASSWORD={CANARY}\n")
    (clone / "resources/published/patients.tsv").write_text(CANARY)
    (clone / "workflow/link_to_sheet.py").symlink_to(clone / "config/patients.csv")
    words = ("--repository", ".", "--settings", "config/demo.yaml", "--plan", "config/analysis_plan.yaml")
    command = [sys.executable, "-m", "headct", "audit", "seal", "demo/results", *words]
    environment = {"PYTHONPATH": str(snake.REPOSITORY / "workflow/scripts")}
    done = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert CANARY not in done.stdout + done.stderr
    assert finds(clone / "demo/results", patterns(*MARKERS), skip=own(clone / "demo")) == []
    sealed = {path.name for path in (clone / "demo/results").rglob("*")}
    assert not sealed & {"scans.tsv", ".env", "patients.csv", "patients.tsv", "link_to_sheet.py", "IM1.dcm"}
    table = (clone / "demo/results" / seal.NOT_COPIED).read_text()
    assert {"config\t*.env\t1", "config\t*.csv\t1", "resources\t*.dcm\t1"} <= set(table.splitlines())
    ignored = subprocess.run(["git", "check-ignore", "config/scans.tsv"], cwd=snake.REPOSITORY)
    assert ignored.returncode == 0


# -- a study whose sheet lies where the README says ----------------------------------------------------

BESIDE = (
    "clinical.csv",
    "consent.txt",
    "scans.tsv.bak",
    "patients/CANARY.txt",
    f"{CANARY} 1950-03-07.txt",
)
"""Files that people keep beside a sheet."""
PERSONAL = {"HOME": "home", "XDG_CACHE_HOME": "home/cache", "TMPDIR": "home/temporary"}
"""Where programs put files of their own. The account and its folder, which logs name, are no patient's."""


def write_study_with_canaries(repository: Path) -> set[str]:
    """A simulated trial of a few scans, as DICOM, and two small models; the canaries that were planted."""
    config = yaml.safe_load((repository / "config/demo.yaml").read_text())
    config["phantom"] |= {"participants": 12, "incomplete_participants": 0, "matrix": 40}
    models = {
        "unet": {**config["models"]["unet"], "features": [4, 4, 4, 8, 8, 4]},
        "threshold": {"title": "Threshold", "framework": "threshold"},
    }
    config |= {
        "sheet": "config/scans.tsv",
        "split": {"test_fraction": 0.4, "folds": 2},
        "models": models,
        "figures": {"agreement_model": "unet", "cases": {"select_by": "unet", "show": ["unet"], "n": 1}},
        "analysis_plan": "config/plan.yaml",
    }
    config["monai"] |= {"epochs": 2, "iterations_per_epoch": 3}
    labels = dict.fromkeys(("PHE", "IVH", "ICH"))
    plan = NiftiStudy(name="", labels=labels, drawn=lambda truth, _: truth, models=models).plan()
    (repository / "config/plan.yaml").write_text(yaml.safe_dump(plan))
    (repository / "config/study.yaml").write_text(yaml.safe_dump(config))
    words = ("simulate", "--configfile", "config/study.yaml", "--out", "trial")
    environment = os.environ | {"PYTHONPATH": str(repository / "workflow/scripts")}
    subprocess.run([sys.executable, "-m", "headct", *words], cwd=repository, env=environment, check=True)
    sheet = (repository / "trial/scans.tsv").read_text()
    head, *rows = sheet.splitlines()
    moved = [head]
    for row in rows:
        fields = row.split("\t")
        is_path = [bool(field) and (repository / "trial" / field).exists() for field in fields]
        moved.append("\t".join("../trial/" * one + field for one, field in zip(is_path, fields, strict=True)))
    (repository / "config/scans.tsv").write_text("\n".join(moved) + "\n")
    planted = set()
    for number, name in enumerate(BESIDE):
        planted.add(text := canary("beside", number))
        path = repository / "config" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"name,birth_date\n{text},1950-03-07\n")
    for path in (repository / "trial").rglob("*.dcm"):
        planted |= {word.decode() for word in re.findall(rb"CANARY[0-9A-F]{8}", path.read_bytes())}
    return planted


@pytest.mark.slow  # a whole run, if a small one; test_nothing_that_lies_beside… is the quick one
def test_a_run_whose_sheet_lies_in_config_leaves_no_canary_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert CANARY.lower() not in str(tmp_path).lower(), "Snakemake's log names the folder: choose another"
    repository = snake.copy_repository(tmp_path / "repository")
    planted = write_study_with_canaries(repository)
    assert len(planted) >= 120
    for name, folder in PERSONAL.items():
        (tmp_path / folder).mkdir()
        monkeypatch.setenv(name, str(tmp_path / folder))
    given = {path for path in repository.rglob("*") if path.is_file()}
    done = snake.run("--cores", "2", "--configfile", "config/study.yaml", "--quiet", repository=repository)
    assert done.returncode == 0, done.stdout[-4000:]
    assert not any(marker in done.stdout for marker in MARKERS)
    assert (repository / "results/audit/root.sha256").is_file()
    made = {path for path in repository.rglob("*") if path.is_file()} - given
    assert {path.relative_to(repository).parts[0] for path in made} >= {"results", "work", ".snakemake"}
    own_copies = {repository / "results/audit/workflow" / path for path in seal.software(repository)}
    assert finds(repository, patterns(*MARKERS), skip=(*given, *own_copies)) == []
    assert finds(tmp_path / PERSONAL["HOME"], patterns(*MARKERS)) == []


# -- ingest of hard folders --------------------------------------------------------------------------

Change = Callable[[int, Dataset], None]


def _raw(**values: tuple[str, object]) -> Change:
    """Set attributes to values with the value representation given, right or wrong."""

    def change(_: int, dataset: Dataset) -> None:
        for keyword, (vr, value) in values.items():
            dataset[keyword] = pydicom.DataElement(pydicom.tag.Tag(keyword), vr, value, validation_mode=0)

    return change


def _meta(**values: str) -> Change:
    def change(_: int, dataset: Dataset) -> None:
        for keyword, value in values.items():
            setattr(dataset.file_meta, keyword, value)

    return change


def _broken_jpeg(_: int, dataset: Dataset) -> None:
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLossless
    dataset.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8\xff\xe0" + CANARY.encode() * 9])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True


CHANGES: dict[str, Change] = {
    "another_modality": _raw(Modality=("CS", f"{CANARY}-ID")),
    "facts_that_repeat_identifiers": _raw(
        Manufacturer=("LO", f"for {CANARY}-ID"),
        ManufacturerModelName=("LO", "Canary Name"),
        ConvolutionKernel=("SH", "CANARYID"),
        ImageType=("CS", ["ORIGINAL", "PRIMARY", "AXIAL", "CANARY-ID"]),
        AcquisitionType=("CS", "CANARYID"),
        PatientPosition=("CS", "CANARYID"),
    ),
    "letters_in_numbers": _raw(
        **dict.fromkeys(("KVP", "Exposure", "GantryDetectorTilt", "SliceThickness"), ("LO", f"{CANARY} 1")),
        SeriesNumber=("LO", CANARY),
        AcquisitionNumber=("LO", CANARY),
        InstanceNumber=("LO", CANARY),
    ),
    "letters_in_positions": _raw(ImagePositionPatient=("LO", [CANARY, "1", "2"])),
    "letters_in_orientation": _raw(ImageOrientationPatient=("LO", [CANARY] * 6)),
    "letters_in_spacing": _raw(PixelSpacing=("LO", [CANARY, "1"])),
    "letters_in_rescale": _raw(RescaleSlope=("LO", CANARY), RescaleType=("LO", CANARY)),
    "letters_in_size": _raw(Rows=("LO", CANARY), BitsStored=("LO", CANARY)),
    "letters_in_frames": _raw(NumberOfFrames=("LO", CANARY)),
    "unknown_colours": _raw(PhotometricInterpretation=("CS", CANARY)),
    "unknown_class": _raw(SOPClassUID=("UI", f"1.2.{CANARY}")),
    "unknown_transfer_syntax": _meta(TransferSyntaxUID=f"1.2.{CANARY}"),
    "unknown_character_set": _raw(
        SpecificCharacterSet=("CS", ["ISO 2022 IR 6", CANARY]), PatientName=("PN", f"{CANARY}^Kan\u00e4r")
    ),
    "values_too_long": _raw(
        PatientName=("PN", f"{CANARY}^" * 400),
        PatientID=("LO", f"{CANARY} " * 400),
        KVP=("LO", f"1{CANARY}" * 40),
        SeriesInstanceUID=("UI", f"1.2.{CANARY}" * 20),
        PatientBirthDate=("DA", f"{CANARY} in May"),
    ),
    "multi_frame": _raw(NumberOfFrames=("IS", "2"), SharedFunctionalGroupsSequence=("LO", CANARY)),
    "slope_of_0": _raw(RescaleSlope=("DS", "0")),
    "broken_jpeg": _broken_jpeg,
}

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "pixels_cut_off": lambda data: data[:-100],
    "header_cut_off": lambda data: data[: data.index(b"Fictitious") + 20],
    "no_preamble": lambda data: data[132:],
    "length_out_of_range": lambda data: data.replace(b"LO\x0e\0CANARY", b"LO\xff\xffCANARY", 1),
    "unknown_representation": lambda data: data.replace(b"LO\x0e\0CANARY", b"??\x0e\0CANARY"),
    "text_as_whole_numbers": lambda data: data.replace(b"LO\x0e\0CANARY", b"UL\x0e\0CANARY"),
    "other_bytes_for_text": lambda data: data.replace(b"CANARY", b"CANARY\xff\xfe\x1b", 1),
}


def _folder(
    folder: Path, change: Change | None = None, damage: Callable[[bytes], bytes] | None = None
) -> None:
    """A series, a scout view and foreign files, with planted values in contents and names."""

    def plant(index: int, dataset: Dataset) -> None:
        plant_canaries(dataset, index)
        dataset.PatientBirthDate = "19310722"
        dataset.BurnedInAnnotation = "YES"
        dataset.SpecificCharacterSet = "ISO_IR 100"
        dataset.preamble = CANARY.encode().ljust(128, b"\0")
        dataset.add_new("DataSetTrailingPadding", "OB", CANARY.encode())
        if change is not None:
            change(index, dataset)

    def scout(index: int, dataset: Dataset) -> None:
        plant(index, dataset)
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
        dataset.PatientName = "Other^Canary"

    write_series(folder / f"{CANARY} a", change=plant)
    write_series(folder / f"{CANARY} b", head(2), orientation=(1, 0, 0, 0, 0, -1), series=2, change=scout)
    (folder / f"{CANARY}.txt").write_text(f"notes on {CANARY}")
    for path in folder.rglob("*.dcm"):
        data = path.read_bytes()
        path.write_bytes(data if damage is None else damage(data))
        path.rename(path.with_stem(CANARY + path.stem))


@pytest.fixture(scope="module")
def mask(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mask that fits the series, with planted values in its free text."""
    labels = np.zeros((12, 16, 16), dtype=np.uint8)
    labels[3:9, 5:9, 5:9] = 1
    image = sitk.GetImageFromArray(labels)
    image.SetOrigin(table_origins()[0].tolist())
    image.SetSpacing((PIXEL_MM, PIXEL_MM, 5.0))
    for key in ("ITK_FileNotes", "aux_file"):
        image.SetMetaData(key, canary("mask", key))
    path = tmp_path_factory.mktemp("reading") / "mask.nii.gz"
    sitk.WriteImage(image, str(path), useCompression=True)
    return path


HARD = ("well", *CHANGES, *DAMAGES)


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory, mask: Path) -> Path:
    """The step was run on all hard folders, as Snakemake does; stdout and stderr are beside what it wrote."""
    folder = tmp_path_factory.mktemp("hard")
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setattr(pydicom.config.settings, "writing_validation_mode", pydicom.config.IGNORE)
        warnings.simplefilter("ignore")
        for how in HARD:
            _folder(folder / how / "dicom", CHANGES.get(how), DAMAGES.get(how))
            shutil.copy(mask, folder / how / "mask.nii.gz")
    scans = [
        conversion.SheetScan(
            how, folder / how / "dicom", {"mask": folder / how / "mask.nii.gz"}, MASK_RULES, LABELS
        )
        for how in HARD
    ]
    path, run = write_sheet(folder / "scans.tsv", *scans), folder / "run"
    command = [sys.executable, "-m", "headct", "ingest", "--sheet", path, *MASKS_GIVEN]
    command += ["--data", run / "data", "--manifest", run / "0.tsv", "--log", run / "ingest.log"]
    environment = {"PYTHONPATH": str(snake.REPOSITORY / "workflow/scripts"), "PYTHONWARNINGS": "always"}
    run.mkdir()
    with open(run / "stdout", "wb") as stdout, open(run / "stderr", "wb") as stderr:
        subprocess.run(command, env=environment, stdout=stdout, stderr=stderr, cwd=run, check=True)
    return run


@pytest.mark.parametrize("how", HARD)
def test_hard_folders_tell_nothing(ingested: Path, how: str) -> None:
    said = (ingested / "stderr").read_text(encoding="utf-8")
    assert re.search(f"^{how}: ", said, re.MULTILINE)
    assert finds(ingested / "data" / how, patterns(*MARKERS, "19310722")) == []
    record = json.loads((ingested / "data" / how / "scan.json").read_text(encoding="utf-8"))
    if how == "well":
        assert record["status"] == "included", record["reason"]


def test_what_is_said_of_hard_folders_tells_nothing(ingested: Path) -> None:
    assert {"stdout", "stderr", "ingest.log", "0.tsv"} <= {path.name for path in ingested.iterdir()}
    assert finds(ingested, patterns(*MARKERS, "19310722")) == []


# -- pages of scans ----------------------------------------------------------------------------------


@pytest.mark.skipif(not (BUNDLE / "scans.js").is_file(), reason="no bundle: make environment")
def test_pages_of_scans_tell_nothing(
    tmp_path: Path, mask: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of images and masks before anything is predicted, and of new scans, with all files beside them."""
    monkeypatch.setattr(pydicom.config.settings, "writing_validation_mode", pydicom.config.IGNORE)
    dicom, run = tmp_path / "well" / "dicom", tmp_path / "run"
    _folder(dicom)
    scan = conversion.SheetScan("well", dicom, {"mask": mask}, MASK_RULES, LABELS)
    sheet = str(write_sheet(tmp_path / "scans.tsv", scan))
    data, qc = ["--data", str(run / "data")], run / "qc"
    run_step("ingest", ["--sheet", sheet, *MASKS_GIVEN, *data, "--manifest", str(run / "0.tsv")])
    tables = ["--cohort", str(qc / "cohort.tsv")]
    look = ["--sheet", sheet, *GIVEN, *data, "--max-excluded", "1", "--age-cap-years", "90", "--only-look"]
    run_step("cohort", [*look, *tables, "--flow", str(qc / "flow.tsv")])
    how = ["--study", "s", "--cases", "all", "--intensity", "hounsfield", "--bundle", str(BUNDLE)]
    run_step("quality-page", [*tables, *data, *GIVEN, *how, "--out", str(qc / "report/index.html")])
    model = str(monai_miniature.write_untrained(tmp_path / "model"))
    how = ["--device", "cpu", "--threads", "1", "--out", str(run / "predictions"), "--names", "numbers"]
    run_step("new-scans", ["--member", model, "--scans", str(dicom), *how])
    written = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    new = {"index.html", "cases/scans/input-1.js", "cases/pictures/input-1.png"}
    assert written >= {"qc/report/index.html", "qc/report/cases/scans/well.js"}
    assert written >= {f"predictions/report/{name}" for name in new}
    assert finds(run, patterns(*MARKERS, "19310722")) == []
    assert CANARY not in caplog.text
