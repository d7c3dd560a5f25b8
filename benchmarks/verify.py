"""Seconds to verify the results of a study of full size, beside the hashing alone.

    PYTHONPATH=workflow/scripts .venv/bin/python benchmarks/verify.py > benchmarks/verify.md

The tree is simulated: the files that 1732 scans and ten models leave, with records, list and root as
the workflow writes them, but smaller files (a CT of 0.25 MB, not of 10 to 20; weights of 4 MB, not of up
to 250), so that all of it stays in memory and the disk plays no part. Peers hash the same files:
``sha256sum``, and ``b3sum`` (another digest) if it is there. Compared are processor seconds of all threads
and processes, and wall time, which on a shared machine also tells who else was busy: a run of which processor
and wall seconds of ``sha256sum`` differ was none on an idle machine.
"""

from __future__ import annotations

import argparse
import datetime
import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from headct.contracts.artefacts import LEDGER, write_json
from headct.contracts.code import code_digests, digest_of
from headct.contracts.repository import REPOSITORY
from headct.contracts.run_records import KINDS
from headct.provenance import ledger, manifest, privacy, seal, verify
from headct.provenance.rules import RULES, Rule
from headct.publish import evidence
from headct.steps import STEPS

SCANS, TEST_SCANS, MODELS, SCANS_PER_JOB = 1732, 433, 10, 50
CT_BYTES, LABEL_BYTES, WEIGHT_BYTES = 1 << 18, 20 << 10, 4 << 20
REPEATS = 2
OF_JOBS = ("ingest", "split", "train", "predict", "measure", "tables")
ENDED = "2026-11-23T10:00:09+00:00"
SHA256SUM = "`sha256sum`"


class Tree:
    """A simulated results folder: files, and the records of the jobs that made them."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self.noise = np.random.default_rng(2022).bytes(WEIGHT_BYTES + (1 << 20))
        self.modules = code_digests([STEPS[step].path for step in OF_JOBS] + ["headct.steps"])
        self.written: dict[str, str] = {}

    def write(self, path: str, content: bytes) -> str:
        target = self.results / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        self.written[f"results/{path}"] = hashlib.sha256(content).hexdigest()
        return f"results/{path}"

    def volume(self, path: str, size: int) -> str:
        start = zlib.crc32(path.encode()) % (1 << 20)  # the same in each run, unlike hash()
        return self.write(path, gzip.compress(_nifti_header(size) + self.noise[start : start + size], 0))

    def record(self, rule: str, inputs: list[str], outputs: list[str], **more: Any) -> None:
        """Of a job of a rule; ``more`` has its wildcards, and what follows the step in its command."""
        declared = RULES.get(rule) or Rule(("tables", rule), f"tables/{rule}", ())
        log = declared.record.format(**more.get("wildcards", {}))
        self.write(f"logs/{log}.log", f"2026-11-23 10:00:00 INFO {rule}: done\n".encode() * 40)
        record: dict[str, Any] = dict.fromkeys(KINDS) | {
            "rule": rule,
            "wildcards": {},
            "command": ["headct", *declared.step, *more.pop("options", ())],
            "inputs": {path: self.written[path] for path in inputs},
            "outputs": {path: self.written[path] for path in outputs},
            "log": f"results/logs/{log}.log",
            "started": "2026-11-23T10:00:00+00:00",
            "ended": ENDED,
            "seconds": 9.0,
            "peak_memory_mb": 400,
            "host": {"name": "node-1", "gpus": []},
            "seeds": {"seed": 1} if rule == "train" else {},
            "python": "3.11.7",
            "packages": {f"package-{index}": "1.0.0" for index in range(40)},
            "workflow": {"modules": self.modules, "code": digest_of(self.modules)},
            **more,
        }
        write_json(record, self.results / f"audit/runs/{log}.json")


def build(results: Path) -> None:
    """The whole tree, sealed."""
    tree = Tree(results)
    instances = [{"sha256": hashlib.sha256(bytes([n])).hexdigest(), "number": n} for n in range(200)]
    scans = [f"scan-{number:04d}" for number in range(SCANS)]
    shards, split_rows = [], []
    for first in range(0, SCANS, SCANS_PER_JOB):
        made = []
        rows = b"scan_id\tsha256\n"
        for scan in scans[first : first + SCANS_PER_JOB]:
            sizes = {"ct.nii.gz": CT_BYTES, "labels.nii.gz": LABEL_BYTES}
            volumes = [tree.volume(f"data/{scan}/{name}", size) for name, size in sizes.items()]
            digests = dict(zip(sizes, map(tree.written.__getitem__, volumes), strict=True))
            content = json.dumps({"instances": instances, "sha256": digests}).encode()
            made += [tree.write(f"data/{scan}/scan.json", content), *volumes]
            rows += f"{scan}\t{tree.written[made[-3]]}\n".encode()
            split_rows.append("\t".join([scan, "train", *digests.values()]))
        shards.append(tree.write(f"data/shards/{first:04d}.tsv", rows))
        tree.record("ingest", [], [*made, shards[-1]], wildcards={"shard": f"{first:04d}"})
    split_text = "\n".join(["scan_id\tset\tct_sha256\tlabels_sha256", *split_rows, ""])
    split = tree.write("cohort/split.tsv", split_text.encode())
    tree.record("split", shards, [split])
    metrics = []
    for model in (f"model-{number}" for number in range(MODELS)):
        weights = tree.volume(f"models/{model}/seed-1/fold-all/final.pth", WEIGHT_BYTES)
        train = tree.write(f"models/{model}/seed-1/fold-all/train.json", _json(sha256=tree.written[weights]))
        of_model = {"model": model, "seed": "1", "fold": "all"}
        options = [word for name, value in of_model.items() for word in (f"--{name}", value)]
        tree.record("train", [split], [weights, train], wildcards=of_model, options=options)
        maps = [
            tree.volume(f"predictions/{model}/seed-1/{scan}.nii.gz", LABEL_BYTES)
            for scan in scans[:TEST_SCANS]
        ]
        rows = b"scan_id\tpath\tsha256\n"
        for scan, path in zip(scans, maps, strict=False):
            rows += f"{scan}\tseed-1/{scan}.nii.gz\t{tree.written[path]}\n".encode()
        listed = tree.write(f"predictions/{model}/seed-1.tsv", rows)
        of_seed = {"model": model, "seed": "1"}
        options = ["--model", model]
        tree.record("predict", [split, train], [listed, *maps], wildcards=of_seed, options=options)
        metrics.append(tree.write(f"metrics/{model}.tsv", f"{model}\t0.81234567\n".encode() * 4 * TEST_SCANS))
        line_of = {"predictions": listed, "split": split, "metrics": metrics[-1]}
        digests = {column: tree.written[path] for column, path in line_of.items()}
        of = {"scored": ENDED, "rule": "metrics", "model": model, "plan": ""}
        number, line = ledger.append(results / LEDGER, **of, **digests)
        more = {"opening": {"number": number, "sha256": line}, "wildcards": {"model": model}}
        tree.record("metrics", [split, listed], [metrics[-1]], options=options, **more)
    page = tree.write("tables/table1.html", b"<p>0.81</p>")
    tree.record("table1", metrics, [page])
    plan = REPOSITORY / "config/analysis_plan.yaml"
    files = {
        "cohort/split.tsv": tree.written[split],
        evidence.PLAN: hashlib.sha256(plan.read_bytes()).hexdigest(),
    }
    write_json({"sha256": evidence.digest(files), "files": files}, results / evidence.EVIDENCE)
    framework = {"framework": "simulated"}
    config = {
        "study": {"name": "", "note": ""},
        "sheet": "scans.tsv",
        "training": {"seeds": [1], "folds": ["all"]},
        "models": {f"model-{number}": framework for number in range(MODELS)},
    }
    start = {"analysis_plan": files[evidence.PLAN]}
    for path, content in {"config.json": config, "study.json": {}, "audit/start.json": start}.items():
        tree.write(path, json.dumps(content).encode())
    began = time.perf_counter()
    seal.seal(results, REPOSITORY, [REPOSITORY / "config/demo.yaml"], plan, 0, [])
    print(f"sealed in {time.perf_counter() - began:.1f} s", file=sys.stderr)


def _json(**content: str) -> bytes:
    return json.dumps(content).encode()


@cache
def _nifti_header(size: int) -> bytes:
    """Of a volume whose voxels take so many bytes, a multiple of 512."""
    with tempfile.TemporaryDirectory() as folder:
        sitk.WriteImage(sitk.Image(16, 16, size // 512, sitk.sitkInt16), f"{folder}/x.nii")
        return Path(folder, "x.nii").read_bytes()[:352]


def shell(command: str, results: Path) -> Callable[[], None]:
    """A shell command over all files of the folder."""
    line = f"find . -type f -print0 | xargs -0 {command} > /dev/null"
    return lambda: subprocess.run(["bash", "-c", line], cwd=results, check=True) and None


def verify_all(results: Path, checks: tuple[verify.Check, ...]) -> Callable[[], None]:
    """A verification that must find nothing."""

    def run() -> None:
        if findings := verify.verify(verify.ResultsFolder(results), checks):
            raise RuntimeError(f"an untouched tree has findings: {findings[:3]}")

    return run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where to build the tree (0.8 GB); a temporary folder")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        results = Path(folder) / "results"
        build(results)
        sizes = manifest.files_in(results)
        ways = {
            SHA256SUM: shell("sha256sum", results),
            "verify, integrity": verify_all(results, verify.INTEGRITY),
            "verify, integrity and identifiers": verify_all(results, (*verify.INTEGRITY, privacy.patterns)),
        }
        if shutil.which("b3sum"):
            ways["`b3sum` (BLAKE3)"] = shell("b3sum", results)
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(REPEATS):
            for name, way in ways.items():
                before = _processor_s(), time.perf_counter()
                way()
                taken[name].append((_processor_s() - before[0], time.perf_counter() - before[1]))
    report(sizes, {name: (min(p for p, _ in each), min(w for _, w in each)) for name, each in taken.items()})


def _processor_s() -> float:
    """Seconds of this process and those that it started and that have ended."""
    return sum(os.times()[:4])


def report(sizes: dict[str, int], taken: dict[str, tuple[float, float]]) -> None:
    """The result as a page."""
    alone, alone_wall = taken[SHA256SUM]
    cores = len(os.sched_getaffinity(0))
    print("# Verifying a study of full size\n")
    print(f"{datetime.date.today()}, {cores} cores, best of {REPEATS}; how: `benchmarks/verify.py`.")
    print(f"{len(sizes)} files, {sum(sizes.values()) / 1e9:.2f} GB, simulated, in memory.\n")
    print("| what | processor s | ratio | wall s | ratio | processor s beyond `sha256sum` per 1000 files |")
    print("|---|---:|---:|---:|---:|---:|")
    for name, (processor, wall) in taken.items():
        beyond = (processor - alone) / len(sizes) * 1000
        by_processor = f"{processor:.1f} | {processor / alone:.2f}"
        print(f"| {name} | {by_processor} | {wall:.1f} | {wall / alone_wall:.2f} | {beyond:.2f} |")


if __name__ == "__main__":
    main()
