"""One of each quick fault, in one run: the weights are those of the demo, which had none.

Many faults, at random moments: tests/drills/slurm.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from support import cluster, faults, miniature, seeded
from support.cluster import Study
from support.holds import wait_for

PLAN: list[tuple[str, int, Callable[[Study, str], None]]] = [  # after which iteration of a model what happens
    ("unet", 3, faults.cancelled),
    ("blast-ct", 3, faults.training_killed),
    ("unet", 9, faults.controller_restarted),
    ("blast-ct", 10, faults.preempted),
    ("unet", 14, faults.warned),
    ("blast-ct", 18, faults.daemon_killed),
]
LAST = 20
"""The iteration after which both models wait while Snakemake is killed."""


@dataclass
class Disturbed:
    """A study that faults happened to; of each model, the checkpoint it had and its number of sessions."""

    study: Study
    marks: list[tuple[str, int, int]] = field(default_factory=list)


@pytest.fixture(scope="module")
def disturbed(slurm: None, demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disturbed]:
    """Two trainings of the demo, done in spite of everything; each waits for what is planned for it."""
    folder = tmp_path_factory.mktemp("faults")
    study = Study(folder, seeded.ready_to_train(demo, folder, *miniature.MODELS))
    found = Disturbed(study)
    for model in miniature.MODELS:
        study.holds.at(model, next_hold(model, 0))
    study.start(*miniature.models())
    try:
        for model, iteration, fault in PLAN:
            wait_until_held(study, model, iteration)
            found.marks.append((model, study.iteration(model), len(study.sessions(model))))
            fault(study, model)
            study.holds.at(model, next_hold(model, iteration))
        for model in miniature.MODELS:
            wait_until_held(study, model, LAST)
        faults.snakemake_killed(study, "")
        study.holds.release()
        assert study.finish() == 0, study.output()[-4000:]
        yield found
    finally:
        study.stop()


def next_hold(model: str, iteration: int) -> int:
    """The iteration after this one at which a model waits next."""
    return next((at for of, at, _ in PLAN if of == model and at > iteration), LAST)


def wait_until_held(study: Study, model: str, iteration: int) -> None:
    """Wait until a model has come to its hold; jobs that were requeued start at once."""

    def is_held() -> bool:
        cluster.start_waiting_jobs()
        return study.holds.is_waiting(model, iteration)

    wait_for(is_held, f"iteration {iteration} of {model}", timeout_s=900)


def record(folder: Path, model: str) -> dict:
    content: dict = json.loads((folder / f"results/models/{model}/seed-1/fold-all/train.json").read_text())
    return content


@pytest.mark.parametrize("model", miniature.MODELS)
def test_the_weights_are_those_of_an_undisturbed_run(disturbed: Disturbed, demo: Path, model: str) -> None:
    assert record(disturbed.study.folder, model)["sha256"] == record(demo, model)["sha256"]


def test_no_iteration_before_the_last_checkpoint_is_done_twice(disturbed: Disturbed) -> None:
    for model, checkpoint, number in disturbed.marks:
        after = record(disturbed.study.folder, model)["sessions"][number:]
        assert all(session["from_iteration"] >= checkpoint for session in after), (model, after)


def test_a_warned_training_is_requeued_and_no_try_is_spent(disturbed: Disturbed) -> None:
    ends = [session.get("by", "killed") for session in record(disturbed.study.folder, "unet")["sessions"]]
    assert any("SIGTERM" in end for end in ends), ends
    restarts = {int(cluster.job_record(job)["Restarts"]) for job in disturbed.study.jobs()}
    assert max(restarts) >= 1


def test_no_process_is_left(disturbed: Disturbed) -> None:
    assert disturbed.study.left() == ([], [])
