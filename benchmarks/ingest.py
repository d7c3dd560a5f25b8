"""Seconds and peak memory of one ingest, against dcm2niix and SimpleITK on the same series in one run.

    .venv/bin/python benchmarks/ingest.py --real-ct ../shared/data/real_ct > benchmarks/ingest.md

Every conversion is a process of its own, and the methods take turns. This parent imports nothing big:
Linux counts a parent's memory as the least peak of its children.
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import importlib.metadata
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "workflow" / "scripts"
DCM2NIIX = Path(sys.executable).parent / "dcm2niix"
REAL = ("ge_head_uneven", "philips_5mm", "philips_tilted")
MADE, MADE_FROM, MADE_SLICES = "head_40", "ge_head_uneven", 40
SCANS, CORES = 1732, 2
VALUES = {"ICH": [1], "PHE": [2], "IVH": [3]}
NIFTI_IN, OUR_CODEC = "headct ingest of NIfTI", "headct's own reading and writing"
OURS, OURS_INSIDE, DCM, ITK = (
    "headct ingest",
    "headct ingest, imported",
    "dcm2niix -z y",
    "SimpleITK",
)

CONVERSION = "headct.cohort.conversion"
DICOM_FOLDER = "headct.imaging.sources.dicom_folder"
STEPS = [
    ("headers of all files", DICOM_FOLDER, "read_folder"),
    ("grouping into series, choice of one", DICOM_FOLDER, "group"),
    ("grouping into series, choice of one", DICOM_FOLDER, "choose"),
    ("pixels to HU, SHA-256 of the files", DICOM_FOLDER, "read_slice"),
    ("mask", CONVERSION, "_read_masks"),
    ("mask on the grid", CONVERSION, "_place_masks"),
    ("NIfTI and gzip", "headct.imaging.nifti", "write"),
]
"""What the breakdown times: a function of ``headct`` as this module knows it. The rest is the rest."""


def make_series(real: Path, folder: Path) -> None:
    """40 upright slices of 512 x 512 at 5 mm, from the slices of the real head, over and over.

    Upright and evenly spaced, since dcm2niix writes a second, resampled volume of any other.
    """
    import pydicom
    from pydicom.uid import generate_uid

    headers = [pydicom.dcmread(path) for path in sorted((real / MADE_FROM).iterdir())]
    headers.sort(key=lambda header: float(header.ImagePositionPatient[2]))
    folder.mkdir()
    series = generate_uid()
    for index in range(MADE_SLICES):
        header = headers[index % len(headers)]
        header.SeriesInstanceUID = series
        header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        header.InstanceNumber = index + 1
        header.GantryDetectorTilt = 0
        header.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        header.ImagePositionPatient = [-125, -125, 5 * index]
        header.SliceLocation = 5 * index
        header.save_as(folder / f"{index:03d}.dcm")


def make_mask(dicom: Path, path: Path) -> None:
    """A ball of ICH in a shell of PHE, with the header that ITK-SNAP would write."""
    import numpy as np
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(dicom)))
    image = reader.Execute()
    z, y, x = np.indices(image.GetSize()[::-1])
    middle = [size / 2 for size in image.GetSize()]
    radius = np.sqrt((x - middle[0]) ** 2 + (y - middle[1]) ** 2 + (10 * (z - middle[2])) ** 2)
    hounsfield = sitk.GetArrayViewFromImage(image)
    tissue = (hounsfield >= -200) & (hounsfield <= 300)  # a mask in air or bone is refused
    mask = sitk.GetImageFromArray((((radius < 60) + 1 * (radius < 40)) * tissue).astype(np.uint8))
    mask.CopyInformation(image)
    sitk.WriteImage(mask, str(path), useCompression=True)


def convert_with_simpleitk(dicom: Path, out: Path) -> None:
    """What most scripts do: ITK's series reader, then a compressed NIfTI."""
    import SimpleITK as sitk

    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(dicom)))
    sitk.WriteImage(reader.Execute(), str(out / "ct.nii.gz"), useCompression=True)


def ingest_inside(dicom: Path, mask: Path, out: Path, timed: bool) -> dict[str, float]:
    """One ingest in this process: CPU seconds of the imports, of the work, and of each step if timed."""
    started = time.process_time()
    from headct.cohort import conversion
    from headct.contracts.labels import label_set
    from headct.imaging import fitness
    from headct.imaging.masks import MaskRules

    seconds = {"imports": time.process_time() - started}
    if timed:
        for label, module, name in STEPS:
            home = importlib.import_module(module)
            setattr(home, name, _timed(getattr(home, name), label, seconds))
    started, wall = time.process_time(), time.perf_counter()
    scan = conversion.SheetScan("bench", dicom, {"mask": mask}, MaskRules(VALUES), label_set(list(VALUES)))
    record = conversion.ingest(scan, fitness.SeriesRules(), out)
    assert record.status == "included", record.reason
    return seconds | {"all": time.process_time() - started, "wall": time.perf_counter() - wall}


def nifti_in(path: Path, out: Path, repeats: int) -> dict[str, dict[str, float]]:
    """Median wall and CPU seconds of ingest of a NIfTI file, and of reading and writing it, by turns."""
    import nibabel
    import numpy as np
    import SimpleITK as sitk

    from headct.cohort import conversion
    from headct.contracts.labels import label_set
    from headct.imaging import fitness, nifti
    from headct.imaging.masks import MaskRules

    scan = conversion.SheetScan("bench", path, {}, MaskRules(VALUES), label_set(list(VALUES)))
    written = out / "written.nii.gz"

    def ours() -> None:
        record = conversion.ingest(scan, fitness.SeriesRules(), out / "scan")
        assert record.status == "included", record.reason

    def by_our_codec() -> None:
        values = np.ascontiguousarray(nifti.read(path).values.transpose())
        nifti.write(sitk.GetImageFromArray(values), written)

    def by_nibabel() -> None:
        image = nibabel.load(path)
        nibabel.save(nibabel.Nifti1Image(np.asanyarray(image.dataobj), image.affine, image.header), written)

    def by_simpleitk() -> None:
        sitk.WriteImage(sitk.ReadImage(str(path)), str(written), useCompression=True)

    methods = {NIFTI_IN: ours, OUR_CODEC: by_our_codec, "nibabel": by_nibabel, ITK: by_simpleitk}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in methods}
    for turn in range(repeats + 1):
        for name, method in methods.items():
            wall, cpu = time.perf_counter(), time.process_time()
            method()
            if turn:  # the first round loads and caches
                times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {
        name: {
            "wall": statistics.median(wall for wall, _ in found),
            "cpu": statistics.median(cpu for _, cpu in found),
        }
        for name, found in times.items()
    }


def nifti_report(found: dict[str, dict[str, float]]) -> str:
    """Ingest of a NIfTI file against reading and writing it, as Markdown."""
    lines = [
        "",
        f"## A NIfTI file in ({MADE})",
        "",
        "Without start and imports, without a mask. The others read the file and write it again, compressed; "
        "ingest also hashes the file, the voxels and the result, checks values and geometry, and writes "
        "scan.json.",
        "",
        "| what | wall, s | CPU, s | ingest / this, wall | ingest / this, CPU |",
        "|---|---|---|---|---|",
    ]
    ours = found[NIFTI_IN]
    lines += [
        f"| {name} | {own['wall']:.2f} | {own['cpu']:.2f} | {ours['wall'] / own['wall']:.2f} "
        f"| {ours['cpu'] / own['cpu']:.2f} |"
        for name, own in found.items()
    ]
    return "\n".join(lines)


def _timed(function: Callable[..., Any], label: str, seconds: dict[str, float]) -> Callable[..., Any]:
    def timed(*arguments: Any, **options: Any) -> Any:
        started = time.process_time()
        try:
            return function(*arguments, **options)
        finally:
            seconds[label] = seconds.get(label, 0.0) + time.process_time() - started

    return timed


def call(*words: str | Path) -> list[str]:
    """A command that runs one function of this file in a process of its own."""
    return [sys.executable, str(Path(__file__)), *map(str, words)]


def measure(command: list[str]) -> tuple[float, float, float, str]:
    """Wall and CPU seconds, peak memory in MB, and standard output of one process."""
    with tempfile.TemporaryFile("w+") as printed, tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=printed, stderr=errors)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        printed.seek(0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            sys.exit(f"exit status {process.returncode}: {' '.join(command)}\n{errors.read()}")
        return wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, printed.read()


def commands(dicom: Path, mask: Path, out: Path) -> dict[str, list[str]]:
    """How each method converts one series; ours reads the mask, too."""
    sheet = mask.with_suffix(".tsv")
    columns = ("scan_id", "participant_id", "site", "dicom", "mask", "age", "sex", "onset_to_ct_h", "rater")
    cells = ("bench", "p1", "A", dicom.absolute(), mask.absolute(), 70, "F", 2.5, "r1")
    sheet.write_text("\n".join("\t".join(map(str, line)) for line in (columns, cells)) + "\n")
    ours = [sys.executable, "-m", "headct", "ingest", "--sheet", sheet, "--manifest", out / "shard.tsv"]
    ours += ["--labels", json.dumps({"classes": [{"name": name} for name in VALUES]})]
    ours += ["--label-values", json.dumps({"labels": {**VALUES, "ignore": []}}), "--data", out]
    return {
        OURS: [str(word) for word in ours],
        OURS_INSIDE: call("inside", dicom, mask, out),
        DCM: [str(word) for word in [DCM2NIIX, "-g", "i", "-z", "y", "-f", "ct", "-o", out, dicom]],
        ITK: call("simpleitk", dicom, out),
    }


def measure_all(folders: dict[str, Path], scratch: Path, repeats: int) -> dict[tuple[str, str], dict]:
    """Medians per series and method; methods take turns, the first round is for the disk's cache."""
    found: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    sizes: dict[tuple[str, str], float] = {}
    for turn in range(repeats + 1):
        for series, dicom in folders.items():
            mask, out = scratch / f"{series}.nii.gz", scratch / "out"
            for method, command in commands(dicom, mask, out).items():
                shutil.rmtree(out, ignore_errors=True)
                out.mkdir()
                wall, cpu, memory, printed = measure(command)
                if method == OURS_INSIDE:
                    times = json.loads(printed)
                    wall, cpu = times["wall"], times["all"]
                sizes[series, method] = sum(f.stat().st_size for f in out.rglob("*.nii.gz")) / 1e6
                if turn:
                    found.setdefault((series, method), []).append((wall, cpu, memory))
    return {
        key: dict(
            zip(("wall", "cpu", "memory"), map(statistics.median, zip(*runs, strict=True)), strict=True)
        )
        | {"fastest": min(run[0] for run in runs), "size": sizes[key]}
        for key, runs in found.items()
    }


def breakdown(dicom: Path, mask: Path, scratch: Path, repeats: int) -> dict[str, float]:
    """Median CPU seconds of each step of ours."""
    (scratch / "steps").mkdir()
    runs = [json.loads(measure(call("steps", dicom, mask, scratch / "steps"))[3]) for _ in range(repeats)]
    return {label: statistics.median(run[label] for run in runs) for label in runs[0]}


def report(found: dict[tuple[str, str], dict], steps: dict[str, float], repeats: int, load: str) -> str:
    """The measurements as Markdown."""
    lines = [
        "# Ingest: seconds and memory per scan",
        "",
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}; {cpu_model()}, {os.cpu_count()} cores, "
        f"{platform.system()} {platform.release()}; {versions()}; pigz "
        f"{'found' if shutil.which('pigz') else 'not found, so dcm2niix compresses by itself'}. "
        f"Medians of {repeats} runs, each a process of its own, the methods in turn, files in the disk's "
        f"cache. Load of the machine before and after (its cores are shared): {load}.",
        "",
        "| series | method | wall, s | fastest, s | CPU, s | peak memory, MB | files, MB | wall / dcm2niix |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for (series, method), value in found.items():
        ratio = value["wall"] / found[series, DCM]["wall"]
        lines.append(
            f"| {series} | {method} | {value['wall']:.2f} | {value['fastest']:.2f} | {value['cpu']:.2f} "
            f"| {value['memory']:.0f} | {value['size']:.1f} | {ratio:.2f} |"
        )
    lines += [
        "",
        f"`{OURS}` is the command as the workflow runs it, with a mask, which the others have not; "
        f"`{OURS_INSIDE}` is the same work without start and imports. `{MADE}`: {MADE_SLICES} upright "
        f"slices of 512 × 512 made from {MADE_FROM}. Of the tilted and the uneven series dcm2niix writes "
        "a second, resampled volume, too, and there is no option against it.",
        "",
        f"## Where the time goes ({MADE})",
        "",
        "| step | CPU, s |",
        "|---|---|",
    ]
    parts = {label: value for label, value in steps.items() if label not in {"all", "wall", "imports"}}
    rest = steps["all"] - sum(parts.values())
    shown = {"imports": steps["imports"], **parts, "rest": rest}
    lines += [f"| {label} | {value:.3f} |" for label, value in shown.items()]
    hours = found[MADE, OURS_INSIDE]["wall"] * SCANS / CORES / 3600
    lines += [
        "",
        f"## {SCANS} scans",
        "",
        f"One {MADE} takes {found[MADE, OURS_INSIDE]['wall']:.2f} s within a job, which converts many, so "
        f"{SCANS} scans on {CORES} cores take {hours:.1f} h, and "
        f"{SCANS * found[MADE, OURS]['size'] / 1000:.0f} GB on the disk; reading from a slow disk or network "
        "comes on top.",
    ]
    return "\n".join(lines)


def cpu_model() -> str:
    """The processor's name."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def versions() -> str:
    """Versions of what is compared."""
    names = ("dcm2niix", "SimpleITK", "pydicom", "numpy", "isal")
    python = f"Python {platform.python_version()}"
    return ", ".join([python, *(f"{name} {importlib.metadata.version(name)}" for name in names)])


def load_average() -> str:
    """Runnable processes over the last minute."""
    return f"{os.getloadavg()[0]:.1f}"


def main() -> None:
    """Measure everything, print the report; or, with a first word, do one thing in this process."""
    sys.path.insert(0, str(SCRIPTS))
    os.environ["PYTHONPATH"] = str(SCRIPTS)
    match sys.argv[1:2]:
        case ["series"]:
            make_series(Path(sys.argv[2]), Path(sys.argv[3]))
        case ["mask"]:
            make_mask(Path(sys.argv[2]), Path(sys.argv[3]))
        case ["simpleitk"]:
            convert_with_simpleitk(Path(sys.argv[2]), Path(sys.argv[3]))
        case ["nifti"]:
            print(json.dumps(nifti_in(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))))
        case ["inside" | "steps"]:
            dicom, mask, out = map(Path, sys.argv[2:5])
            print(json.dumps(ingest_inside(dicom, mask, out, sys.argv[1] == "steps")))
        case _:
            compare()


def compare() -> None:
    """All series by all methods."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    real_ct = os.environ.get("HEADCT_REAL_CT", ROOT.parent / "shared" / "data" / "real_ct")
    parser.add_argument("--real-ct", type=Path, default=real_ct)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        measure(call("series", options.real_ct, scratch / MADE))
        folders = {name: options.real_ct / name for name in REAL} | {MADE: scratch / MADE}
        for series, dicom in folders.items():
            measure(call("mask", dicom, scratch / f"{series}.nii.gz"))
        before = load_average()
        found = measure_all(folders, scratch, options.repeats)
        steps = breakdown(folders[MADE], scratch / f"{MADE}.nii.gz", scratch, options.repeats)
        measure(call("simpleitk", folders[MADE], scratch))
        of_nifti = measure(call("nifti", scratch / "ct.nii.gz", scratch, str(options.repeats)))[3]
        print(report(found, steps, options.repeats, f"{before} and {load_average()}"))
        print(nifti_report(json.loads(of_nifti)))


if __name__ == "__main__":
    main()
