"""Seconds and peak memory of Snakemake's dry run of the full-size study, on empty files.

    .venv/bin/python benchmarks/dag.py > benchmarks/dag.md

Two states: nothing done yet, and all done. The second is made by files that are consistent where the
workflow looks into them (records of scans with the listing of their DICOM folder, shard manifests, records
of trainings and predictions) and empty elsewhere, then `snakemake --touch --forceall`, which leaves the
metadata of a real run.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from ingest import ROOT, SCRIPTS, cpu_model, load_average, measure

sys.path.insert(0, str(SCRIPTS))

from headct.cohort import shards
from headct.contracts import folders
from headct.contracts.artefacts import write_json
from headct.settings import configuration, sheet

CONFIG = ROOT / "config/config.yaml"
SHEET = Path("config/scans.tsv")
COLUMNS = ("scan_id", "participant_id", "site", "dicom", "mask", "age", "sex", "onset_to_ct_h", "rater")
SCANS = (5, 1732, 17320)
SLICES = 40
SECONDS_ALLOWED = {5: None, 1732: 10, 17320: 60}
NOTHING = "Nothing to be done"


def write_study(folder: Path, scans: int) -> None:
    """A sample sheet, and the empty files that it names."""
    (folder / SHEET).parent.mkdir(parents=True)
    (folder / "masks").mkdir()
    lines = ["\t".join(COLUMNS)]
    for number in range(scans):
        scan = f"scan-{number:05d}"
        (folder / "dicom" / scan).mkdir(parents=True)
        for index in range(SLICES):
            os.mknod(folder / "dicom" / scan / f"{index:03d}.dcm")
        os.mknod(folder / f"masks/{scan}.nii.gz")
        of_scan = scan, f"p{number}", f"site-{number % 30}", f"../dicom/{scan}", f"../masks/{scan}.nii.gz"
        lines.append("\t".join([*of_scan, "70", "F", "2.5", "r1"]))
    (folder / SHEET).write_text("\n".join(lines) + "\n", encoding="utf-8")


def snakemake(folder: Path, *arguments: str) -> list[str]:
    """The command line of a run in ``folder`` by the configuration of the real study."""
    run = ["-m", "snakemake", "--directory", str(folder), "--snakefile", str(ROOT / "Snakefile")]
    return [sys.executable, *run, "--configfile", str(CONFIG), *arguments]


def complete(folder: Path) -> None:
    """Make all outputs, as far as the workflow reads them, and have Snakemake record that it made them."""
    run = [*snakemake(folder), "--summary"]
    listed = subprocess.run(run, capture_output=True, text=True, check=True).stdout.splitlines()[1:]
    outputs = [Path(line.split("\t")[0]) for line in listed]
    with contextlib.chdir(folder):
        data, rows = Path("results/data"), sheet.load(SHEET)
        for row in rows:
            write_scan(data / row["scan_id"], row["dicom"])
        manifests = [output for output in outputs if output.parent == data / "shards"]
        members = shards.divide(rows, configuration.load(CONFIG)["resources"]["ingest"]["jobs"])
        for path in manifests:
            shards.write_manifest(path, data, [row["scan_id"] for row in members[path.stem]], 0)
        for path in outputs:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.name == "train.json":
                write_json({"revision": 0, "sha256": "0" * 64}, path)
            elif path.is_relative_to("results/predictions"):
                path.write_text("scan_id\tpath\tsha256\trevision\n1\t\t\t0\n", encoding="utf-8")
            elif path not in manifests:
                path.touch()
        for model in {path.parent for path in outputs if path.name == "train.json"}:
            (model / "final.pth").touch()
    run = snakemake(folder, "--touch", "--forceall", "--cores", "1")
    subprocess.run(run, capture_output=True, check=True)


def write_scan(folder: Path, dicom: str) -> None:
    """A converted scan: empty volumes, and a record of the size of a real one."""
    folder.mkdir(parents=True)
    volumes = ("ct.nii.gz", "labels.nii.gz")
    for name in volumes:
        os.mknod(folder / name)
    record = {
        "source": shards.listing_of(dicom, folders.files_at(dicom)),
        "instances": [{"number": index, "sha256": f"{index:064x}"} for index in range(SLICES)],
        "geometry": {"slice_origins_mm_lps": [[-125.0, -125.0, 5.0 * index] for index in range(SLICES)]},
        "other_files": [],
        "sha256": dict.fromkeys(volumes, "0" * 64),
    }
    (folder / shards.RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")


def dry_run(folder: Path, repeats: int) -> tuple[float, float, float, str]:
    """Least wall and CPU seconds of several dry runs, peak memory in MB, and what the last one printed."""
    runs = [measure(snakemake(folder, "--dry-run", "--quiet", "host", "rules")) for _ in range(repeats)]
    return min(run[0] for run in runs), min(run[1] for run in runs), max(run[2] for run in runs), runs[-1][3]


def report(rows: list[str], load: str) -> str:
    """The measurements as Markdown."""
    version = importlib.metadata.version("snakemake")
    lines = [
        "# Dry run of the full-size study: seconds and memory",
        "",
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}; {cpu_model()}, {os.cpu_count()} cores, "
        f"{platform.system()} {platform.release()}; Python {platform.python_version()}, Snakemake {version}. "
        f"`snakemake -n` with `config/config.yaml`, {SLICES} empty DICOM files per scan, files in the "
        "disk's cache, the least of the repeats. Load of the machine before and after (its cores are "
        f"shared, so look at the CPU seconds): {load}.",
        "",
        "| scans | state | jobs | wall, s | CPU, s | peak memory, MB | allowed, s |",
        "|---|---|---|---|---|---|---|",
        *rows,
        "",
        "*Done* is a tree of files that are consistent where the workflow looks into them, empty elsewhere, "
        "with Snakemake's metadata by `snakemake --touch --forceall`. Every DICOM folder is listed there, so "
        "that a file that was added, removed or resized is noticed; on the same trees one was added, and "
        "its shard was planned.",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure, print the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scans", type=int, nargs="+", default=list(SCANS))
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = str(SCRIPTS)
    before, rows = load_average(), []
    for scans in options.scans:
        with tempfile.TemporaryDirectory(prefix="headct-dag-") as scratch:
            folder = Path(scratch) / "study"
            write_study(folder, scans)
            for state in ("nothing done", "done"):
                if state == "done":
                    complete(folder)
                wall, cpu, memory, output = dry_run(folder, options.repeats)
                total = re.search(r"^total +(\d+)", output, re.MULTILINE)
                jobs = total[1] if total else "0"
                if (jobs == "0") != (state == "done") or (jobs == "0") != (NOTHING in output):
                    sys.exit(f"{scans} scans, {state}: not the jobs that were expected\n{output}")
                allowed = SECONDS_ALLOWED.get(scans) or ""
                rows.append(
                    f"| {scans} | {state} | {jobs} | {wall:.1f} | {cpu:.1f} | {memory:.0f} | {allowed} |"
                )
            (folder / "dicom/scan-00003/added.dcm").touch()
            if "ingest " not in (output := dry_run(folder, 1)[3]):
                sys.exit(f"an added DICOM file went unnoticed\n{output}")
    print(report(rows, f"{before}, {load_average()}"))


if __name__ == "__main__":
    main()
