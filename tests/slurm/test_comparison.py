"""A comparison by `snakemake --profile slurm`: the same bytes as without a cluster.

By the tests a part of the finished demo, with each kind of job; as a drill the whole miniature.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from headct.contracts.artefacts import read_json, read_tsv, sha256_of
from support import cluster, miniature, seeded, snake

COMPARED = (
    "tables/*",
    "figures/**/*",
    "statistics/*",
    "metrics/*",
    "cohort/*",
    "data/*/*",
    "models/*/*/*/final.pth",
    "predictions/*/*/*",
)

PART = {  # results of the demo that are made again on the cluster, and the logs of the jobs that make them
    "data/shards/[01].tsv": "ingest/[01].log",
    "cohort/cohort.tsv": "cohort.log",
    "cohort/split.tsv": "split.log",
    "models/preparation/blastct-*.json": "prepare/blastct-*.log",
    "models/blast-ct": "train/blast-ct/seed-1/fold-all.log",
    "predictions/blast-ct/seed-1*": "predict/blast-ct/seed-1.log",
    "statistics/surface_tolerance.tsv": "surface_tolerance.log",
    "metrics/blast-ct.tsv": "metrics/blast-ct.log",
    "statistics/dunn.tsv": "statistics.log",
    "figures/ingest_qc.*": "figures/ingest_qc.log",
    "figures/training_curves/blast-ct.*": "figures/training_curves/blast-ct.log",
    "figures/bland_altman.*": "figures/bland_altman.log",
    "audit/evidence.json": "evidence.log",
    "tables/table1.*": "tables/table1.log",
}
FIRST = ("results/metrics/blast-ct.tsv",)  # what depends on all models is not yet to be made again
THEN = (
    "results/statistics/dunn.tsv",
    "results/figures/ingest_qc.pdf",
    "results/figures/training_curves/blast-ct.pdf",
    "results/figures/bland_altman.pdf",
    "results/tables/table1.tsv",
)


@dataclass
class Finished:
    """What ran on the cluster, what it is compared to, and what was seen of its jobs."""

    study: cluster.Study
    reference: Path
    logs: tuple[str, ...]
    status: int
    seen: set[tuple[str, str, str]]

    @property
    def results(self) -> Path:
        return self.study.folder / "results"


TOO_LITTLE_MB = 500
"""What preparation asks for at first."""


def resources() -> dict[str, Any]:
    """GPUs for the jobs that are to have some, and too little memory for preparation, at first."""
    return seeded.resources(prepare={"mem_mb": TOO_LITTLE_MB}) | {"mem_mb_cap": 2000}


def part_of_the_demo(demo: Path, folder: Path) -> Path:
    """A copy of the demo without what is to be made again; its configuration's path."""
    shards = [path for path in PART if path.startswith("data/shards/")]
    listed = [manifest for path in shards for manifest in (demo / "results").glob(path)]
    scans = [f"data/{scan}" for manifest in listed for scan in read_tsv(manifest)["scan_id"]]
    seeded.demo_without(demo, folder, *PART, *scans, "logs", "audit/runs")
    return seeded.configuration(folder, resources=resources())


def whole_miniature(local: Path, folder: Path) -> Path:
    """The trial of the comparison ``local`` alone; its configuration's path."""
    shutil.copytree(local / "trial", folder / "trial")
    return miniature.write(folder, {"resources": resources()})


@pytest.fixture(scope="module", params=["part", pytest.param("whole", marks=pytest.mark.slow)])
def finished(
    request: pytest.FixtureRequest, slurm: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Finished]:
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "whole":
        reference: Path = request.getfixturevalue("local")
        configfile, logs, runs = whole_miniature(reference, folder), ("**/*.log",), [()]
    else:
        reference = request.getfixturevalue("demo")
        configfile, logs, runs = part_of_the_demo(reference, folder), tuple(PART.values()), [FIRST, THEN]
    study = cluster.Study(folder, configfile)
    try:
        with cluster.Watch(study) as watch:
            status = max(study.run(*targets) for targets in runs)
        yield Finished(study, reference, logs, status, watch.seen)
    finally:
        study.stop()


def test_it_ends_well_and_leaves_no_process(finished: Finished) -> None:
    assert finished.status == 0, finished.study.output()[-4000:]
    assert finished.study.left() == ([], [])


def test_the_bytes_are_those_of_a_local_run(finished: Finished) -> None:
    one, other = finished.reference / "results", finished.results
    compared = [path.relative_to(one) for pattern in COMPARED for path in one.glob(pattern) if path.is_file()]
    assert len(compared) > 100
    missing = [str(path) for path in compared if not (other / path).is_file()]
    assert missing == []
    differing = [str(path) for path in compared if sha256_of(one / path) != sha256_of(other / path)]
    assert differing == []


def test_gpu_jobs_get_the_gpus_they_ask_for_and_others_get_none(finished: Finished) -> None:
    visible: dict[str, set[tuple[str, int]]] = {}
    for step, node, devices in finished.seen:
        visible.setdefault(step, set()).add((node, len(devices.split(",")) if devices else 0))
    assert visible.pop("train") == {("gpu01", miniature.GPUS["train"])}
    assert visible.pop("predict") == {("gpu01", miniature.GPUS["predict"])}
    for step in ("prepare", "measure", "statistics"):
        nodes = {node for node, _ in visible[step]}
        assert nodes <= {"cpu01", "cpu02"}, step
    for step, places in visible.items():  # those without a node are steps that ran beside Snakemake
        assert {place for place in places if place[0]} <= {("cpu01", 0), ("cpu02", 0)}, step


def test_steps_of_seconds_are_no_jobs(finished: Finished) -> None:
    submitted = set(re.findall(r"/rule_(\w+)/", finished.study.output()))
    assert {"ingest", "train", "metrics"} <= submitted
    assert not submitted & {"split", "cohort", "table1", "bland_altman", "training_curves"}


def test_memory_over_the_limit_is_tried_again_with_more(finished: Finished) -> None:
    jobs = [cluster.job_record(job) for job in finished.study.jobs()]
    prepared = [job for job in jobs if job["Comment"].startswith("rule_prepare")]
    asked = {job["MinMemoryNode"]: job["JobState"] for job in prepared}
    assert asked[f"{TOO_LITTLE_MB}M"] == "FAILED", asked
    more = [asked.get(f"{TOO_LITTLE_MB * times}M") for times in (2, 4)]
    assert "COMPLETED" in more, asked


def test_nothing_is_left_to_do(finished: Finished) -> None:
    study = finished.study
    words = ("--directory", study.folder, "--configfile", study.configfile, "--dry-run")
    assert snake.planned(snake.run(*study.targets, *words)) == {}


def test_every_step_logs_beside_the_results_and_leaves_its_record(finished: Finished) -> None:
    logs = finished.reference / "results/logs"
    expected = {path.relative_to(logs) for pattern in finished.logs for path in logs.glob(pattern)}
    found = finished.results / "logs"
    assert {path.relative_to(found) for path in found.rglob("*.log")} == expected
    records = [read_json(path) for path in (finished.results / "audit/runs").rglob("*.json")]
    assert len(records) > 10
    by_slurm = {record["rule"] for record in records if record["scheduler"]}
    assert {"ingest", "prepare", "train", "predict", "metrics", "statistics"} <= by_slurm
    assert not by_slurm & {"split", "cohort", "table1", "bland_altman"}
