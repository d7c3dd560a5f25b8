"""The record that a job leaves of itself: true, complete, cheap, and without paths of the trial."""

from __future__ import annotations

import itertools
import json
import os
import platform
import subprocess
import sys
import time
from datetime import datetime, timedelta, tzinfo
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest

from headct.contracts import run_records
from headct.contracts.artefacts import known_sha256, sha256_of, write_json
from headct.contracts.code import code_digests
from headct.contracts.manifests import files_listed
from headct.contracts.repository import PACKAGE, REPOSITORY
from headct.provenance import record, verify
from headct.settings import sheet
from support import audit_study

PLAN = REPOSITORY / "config/analysis_plan.yaml"
STEP = """
import json, os, subprocess, sys
from pathlib import Path
from types import SimpleNamespace
import yaml
from headct import steps
from headct.cohort import split
from headct.run import command, job

def main(
    *,
    dicom: str = "",
    mask_inter: str = "",
    seed: int = 0,
    settings: str = "{}",
    memory_mb: int = 0,
    fails: bool = False,
):
    written = Path("results/cohort/out.tsv")
    written.parent.mkdir(parents=True, exist_ok=True)
    written.write_text("a\\n")
    if memory_mb:
        block = b"x" * (memory_mb << 20)
    if fails:
        raise ZeroDivisionError("x / 0")

steps.STEPS["step"] = SimpleNamespace(load=lambda: sys.modules["__main__"])
job.main() if "--" in sys.argv else command.main()
"""
RECORDED = (
    "--log",
    "results/logs/a/b.log",
    "--rule",
    "a",
    "--wildcards",
    "model=unet,seed=3",
    "--inputs",
    "scans.tsv",
    "results/in.tsv",
    "trial/Smith_John.nii.gz",
    "--outputs",
    "results/cohort/out.tsv",
    "--",
)


def run(folder: Path, *words: str, recorded: bool = True, **environment: str) -> run_records.Record | None:
    """The record of a step that ran in ``folder``; None if it left none."""
    for name in ("scans.tsv", "results/in.tsv", "trial/Smith_John.nii.gz"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    subprocess.run(
        [sys.executable, "-c", STEP, *(RECORDED if recorded else []), "step", *words],
        cwd=folder,
        env={"PYTHONPATH": str(PACKAGE.parent), **environment},
    )
    found = run_records.load(folder / "results")
    return found[0] if found else None


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study's folder whose run has started from this repository."""
    folder = tmp_path_factory.mktemp("study")
    before = Path.cwd()
    os.chdir(folder)
    record.write_start(REPOSITORY, PLAN)
    os.chdir(before)
    return folder


def test_a_job_records_what_it_was(study: Path) -> None:
    private = ("--dicom", "trial/Smith John", "--mask-inter", "trial/Smith_John.nii.gz")
    found = run(study, *private, "--seed", "3", "--settings", '{"bootstrap_seed": 7, "folds": 5}')
    assert found is not None
    assert found.path == "audit/runs/a/b.json"
    assert (found.rule, found.wildcards) == ("a", {"model": "unet", "seed": "3"})
    assert found.inputs == {name: sha256_of(study / name) for name in ("scans.tsv", "results/in.tsv")}
    assert found.outputs == {"results/cohort/out.tsv": sha256_of(study / "results/cohort/out.tsv")}
    assert found.log == "results/logs/a/b.log"
    assert found.seeds == {"seed": 3, "bootstrap_seed": 7}
    assert found.started <= found.ended
    assert 0 < found.seconds < 60
    assert found.python == platform.python_version()
    assert found.host["cores"] >= 1
    assert found.host["memory_mb"] > 500
    assert (found.scheduler, found.resumed) == (None, None)


def test_no_path_of_the_trial_is_recorded(study: Path) -> None:
    run(study, "--dicom", "trial/Smith John", "--mask-inter", "trial/Smith_John.nii.gz")
    for path in (study / "results/audit").rglob("*.json"):
        assert "Smith" not in path.read_text()


def test_options_are_withheld_by_their_whole_names() -> None:
    """Those that are called as a column of paths, so that a new column is not forgotten; no others."""
    columns = ("image", *sheet.READINGS, *sheet.FORMER_NAMES)
    assert {f"--{name.replace('_', '-')}" for name in columns} == record.TRIALS_OWN
    words = (
        "--mask=a/Smith.nii",
        "--mask-inter",
        "b/Smith.nii",
        "c/Smith.nii",
        "--mask-values",
        "{}",
        "--seed=3",
    )
    job = record.Job("a", {}, [], [], Path("results/logs/a.log"), "step", words, once=True)
    withheld = record.WITHHELD
    assert job.command == [
        *("headct", "step", "--mask", "--mask-inter", withheld, withheld, "--mask-values", "{}", "--seed=3")
    ]


def test_the_packages_are_those_imported(study: Path) -> None:
    found = run(study)
    assert found is not None
    assert found.packages["PyYAML"] == version("PyYAML")
    assert not {"torch", "nnunetv2", "pytest"} & set(found.packages)


def test_the_packages_of_modules_are_those_that_python_names(study: Path) -> None:
    by_python = {
        module: {name: version(name) for name in names} for module, names in packages_distributions().items()
    }
    assert len(by_python) > 100
    assert record._distributions() == by_python


def test_the_code_is_that_of_the_modules_imported(study: Path, tmp_path: Path) -> None:
    """With and without what the run's start knew, and equal to what decides on reruns."""
    found, without_start = run(study), run(tmp_path)
    assert found is not None
    assert without_start is not None
    modules = found.workflow["modules"]
    assert modules == without_start.workflow["modules"]
    assert {"headct.cohort.split", "headct.contracts.artefacts"} < set(modules)
    of_the_job = ("headct.provenance", "headct.run", "headct.steps")
    assert not any(name.startswith(of_the_job) for name in modules)
    expected = code_digests(modules)
    assert modules == {name: expected[name] for name in modules}
    assert without_start.workflow["commit"] is None


def test_a_stale_start_is_not_believed(study: Path, tmp_path: Path) -> None:
    start = json.loads((study / record.START).read_text())
    start["modules"]["headct.cohort.split"] = {"source": "other", "code": "other"}
    write_json(start, tmp_path / record.START)
    found = run(tmp_path)
    assert found is not None
    assert (
        found.workflow["modules"]["headct.cohort.split"]
        == code_digests(["headct.cohort.split"])["headct.cohort.split"]
    )


def test_peak_memory_is_measured(study: Path) -> None:
    small, large = run(study), run(study, "--memory-mb", "300")
    assert small is not None
    assert large is not None
    assert 280 < large.peak_memory_mb - small.peak_memory_mb < 330


def test_slurm_is_recorded(study: Path) -> None:
    slurm = {"SLURM_JOB_ID": "77", "SLURMD_NODENAME": "n3", "SLURM_RESTART_COUNT": "2"}
    found = run(study, **slurm)
    assert found is not None
    assert found.scheduler == {"job_id": "77", "node": "n3", "partition": None, "restarts": 2}


def test_a_job_that_fails_leaves_no_record_not_even_the_former(study: Path) -> None:
    assert run(study) is not None
    assert run(study, "--fails") is None


def test_by_hand_no_record_is_left(tmp_path: Path) -> None:
    assert run(tmp_path, recorded=False) is None


def test_a_record_that_is_none_is_named(tmp_path: Path) -> None:
    write_json({"rule": "a"}, tmp_path / "audit/runs/a.json")
    with pytest.raises(ValueError, match=r"audit/runs/a\.json: is no record"):
        run_records.load(tmp_path)
    (tmp_path / "audit/runs/a.json").write_text("{")
    with pytest.raises(ValueError, match=r"audit/runs/a\.json: is no JSON"):
        run_records.load(tmp_path)


def _git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "-C", str(folder), *identity, *words], check=True, capture_output=True)


def test_commit_and_whether_the_code_differs_from_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = tmp_path / "repository"
    (repository / "workflow").mkdir(parents=True)
    (repository / "Snakefile").write_text("rule all: pass\n")
    monkeypatch.chdir(repository)

    def start() -> tuple[str | None, bool | None]:
        record.write_start(repository, PLAN)
        content = json.loads(record.START.read_text())
        return content["commit"], content["dirty"]

    assert start() == (None, None)  # no checkout, or one of a folder above
    _git(repository, "init")
    _git(repository, "add", "Snakefile")
    _git(repository, "commit", "-m", "first")
    commit, dirty = start()
    assert len(commit or "") == 40
    assert dirty is False  # what a run writes beside the code is no change of it
    (repository / "workflow/extra.smk").write_text("")
    assert start() == (commit, True)


def test_files_behind_an_artefact(tmp_path: Path) -> None:
    write_json({"sha256": {"ct.nii.gz": "1", "labels.nii.gz": "2"}}, tmp_path / "data/s1/scan.json")
    write_json({"sha256": "3"}, tmp_path / "models/unet/train.json")
    (tmp_path / "data/shards").mkdir()
    (tmp_path / "data/shards/0001.tsv").write_text("scan_id\tsha256\ns1\t4\n")
    (tmp_path / "predictions/unet").mkdir(parents=True)
    manifest = "scan_id\tpath\tsha256\ns1\tseed-1/s1.nii.gz\t5\ns2\t\t\n"
    (tmp_path / "predictions/unet/seed-1.tsv").write_text(manifest)

    def listed(path: str) -> dict[str, str]:
        found = files_listed(tmp_path / path)
        return {file.relative_to(tmp_path).as_posix(): digest for file, digest in found.items()}

    volumes = {"data/s1/ct.nii.gz": "1", "data/s1/labels.nii.gz": "2"}
    assert listed("data/s1/scan.json") == volumes
    assert listed("data/shards/0001.tsv") == {"data/s1/scan.json": "4", **volumes}
    assert listed("models/unet/train.json") == {"models/unet/final.pth": "3"}
    assert listed("predictions/unet/seed-1.tsv") == {"predictions/unet/seed-1/s1.nii.gz": "5"}
    assert listed("cohort/split.tsv") == {}


def test_a_file_is_hashed_again_only_when_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"one")
    first = sha256_of(path)
    assert known_sha256(path) == first
    path.write_bytes(b"other")
    assert known_sha256(path) == sha256_of(path) != first


@pytest.mark.parametrize(
    ("asleep_s", "set_back_s"), [(0, 0), (8 * 3600, 0), (0, 3600), (8 * 3600, -3600)], ids=str
)
def test_times_fit_together_where_the_machine_slept_or_its_clock_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asleep_s: float, set_back_s: float
) -> None:
    """Start and duration are told from how long ago the process began, by a clock that nobody sets."""
    since_boot_s, set_so_far_s = time.clock_gettime, itertools.count()

    class SetAtEachReading(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> SetAtEachReading:
            return super().now(tz) - timedelta(seconds=set_back_s * next(set_so_far_s))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(record, "datetime", SetAtEachReading)
    monkeypatch.setattr(record.time, "clock_gettime", lambda clock: since_boot_s(clock) + asleep_s)
    audit_study.run()
    found = run_records.load(tmp_path / "results")
    assert len(found) == 4
    assert all(asleep_s < one.seconds < asleep_s + 24 * 3600 for one in found)
    assert list(verify.jobs(verify.ResultsFolder(tmp_path / "results"))) == []
