"""The whole miniature comparison by `snakemake --profile slurm`: the same bytes as without a cluster."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from headct.contracts.artefacts import sha256_of
from support import cluster, miniature, snake

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


@dataclass
class Finished:
    """A comparison that ran on the cluster, and what was seen of its jobs."""

    study: cluster.Study
    status: int
    seen: set[tuple[str, str, str]]


@pytest.fixture(scope="module")
def finished(slurm: None, local: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    """The comparison of ``local``, on the cluster; preparation first asks for too little memory."""
    folder = tmp_path_factory.mktemp("cluster")
    shutil.copytree(local / "trial", folder / "trial")
    asked = miniature.configuration()["resources"]["prepare"]
    too_little = {"prepare": asked | {"mem_mb": 700}, "mem_mb_cap": 2000}
    study = cluster.Study(folder, miniature.write(folder, {"resources": too_little}))
    try:
        with cluster.Watch(study) as watch:
            status = study.run()
        yield Finished(study, status, watch.seen)
    finally:
        study.stop()


def test_it_ends_well_and_leaves_no_process(finished: Finished) -> None:
    assert finished.status == 0, finished.study.output()[-4000:]
    assert finished.study.left() == ([], [])


def test_the_bytes_are_those_of_a_local_run(finished: Finished, local: Path) -> None:
    one, other = local / "results", finished.study.folder / "results"
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
    assert asked["700M"] == "FAILED", asked
    assert "COMPLETED" in (asked.get("1400M"), asked.get("2000M")), asked


def test_nothing_is_left_to_do(finished: Finished) -> None:
    study = finished.study
    dry = snake.run("--directory", study.folder, "--configfile", study.configfile, "--dry-run")
    assert snake.planned(dry) == {}


def test_every_step_logs_beside_the_results(finished: Finished, local: Path) -> None:
    logs = finished.study.folder / "results/logs"
    expected = {path.relative_to(local / "results/logs") for path in (local / "results/logs").rglob("*.log")}
    assert {path.relative_to(logs) for path in logs.rglob("*.log")} == expected
