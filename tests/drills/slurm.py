"""Many faults at random moments, on a real Slurm: `make drill` (as root; an hour at most).

Prints a log and, at its end, the table that is kept in drill-result.md. Ends with status 1 if any run
ended otherwise than the undisturbed one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from headct.contracts.artefacts import read_tsv
from support import cluster, faults, miniature
from support.cluster import Study
from support.holds import wait_for

ANY_TIME = [
    faults.cancelled,
    faults.training_killed,
    faults.step_killed,
    faults.warned,
    faults.preempted,
    faults.controller_restarted,
    faults.daemon_killed,
    faults.node_lost,
]

AHEAD = 20
"""Iterations that a training may be ahead of a fault; there it waits for the next one."""

ENOUGH = 20
"""Faults of a whole drill, at least."""


@dataclass
class Row:
    """One fault: what was done to what, and what came of it."""

    seed: int
    fault: str
    victim: str
    at: str
    lost: str
    recovered_s: float


@dataclass
class Drill:
    """All rounds, the undisturbed run that they are compared to, and what was found."""

    reference: Path
    folder: Path
    epochs: int
    rows: list[Row] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    studies: list[Study] = field(default_factory=list)

    @property
    def longer(self) -> dict[str, dict]:
        """What is changed in the miniature's configuration, so that there is time for faults."""
        return {"monai": {"epochs": self.epochs}, "blastct": {"epochs": self.epochs // 2}}

    def study(self, name: str, **changes: dict) -> Study:
        """A study of which only the models are to be made."""
        folder = self.folder / name
        study = Study(folder, miniature.ready_to_train(self.reference, folder, **self.longer | changes))
        self.studies.append(study)
        return study

    def say(self, text: str) -> None:
        print(f"{datetime.now(UTC):%H:%M:%S} {text}", flush=True)

    def expect(self, is_so: bool, what: str) -> None:
        if not is_so:
            self.wrong.append(what)
            self.say(f"WRONG: {what}")

    def check(self, study: Study, name: str) -> None:
        """The end of a round: the same weights, nothing done twice, nothing left over."""
        for model in miniature.MODELS:
            record = f"results/models/{model}/seed-1/fold-all/train.json"
            one, other = (json.loads((at / record).read_text()) for at in (self.reference, study.folder))
            self.expect(one["sha256"] == other["sha256"], f"{name}: other weights of {model}")
            starts = [session["from_iteration"] for session in other["sessions"]]
            self.expect(starts == sorted(starts), f"{name}: {model} went back, {starts}")
            self.say(f"{name}: {model} as undisturbed; sessions from iterations {starts}")
        self.expect(not study.live_jobs(), f"{name}: jobs are left")
        orphans = study.processes()
        self.expect(not orphans, f"{name}: processes are left, {orphans}")

    def check_predictions(self, study: Study, name: str) -> None:
        """The same label maps as in the undisturbed run."""
        for manifest in miniature.predictions():
            one, other = (
                read_tsv(at / manifest)[["scan_id", "sha256"]] for at in (self.reference, study.folder)
            )
            self.expect(one.equals(other), f"{name}: other label maps in {manifest}")


def training_goes_on(study: Study, model: str, beyond: int) -> bool:
    """Whether a model is past an iteration; keeps Snakemake at work until then."""
    cluster.start_waiting_jobs()
    if study.process is not None and study.process.poll() is not None:
        done = all((study.folder / record).exists() for record in miniature.models())
        if not done:
            study.resume()
    return study.iteration(model) > beyond


def inject(drill: Drill, study: Study, seed: int, moments: random.Random, fault: Callable[..., None]) -> None:
    """One fault at a random moment of the training of a random model, and the recovery from it."""
    running = [model for model in miniature.MODELS if not study.is_trained(model)]
    if not running:
        return
    model = moments.choice(running)
    held = study.iteration(model) + moments.randint(1, 10)
    study.holds.at(model, held)

    def is_waiting() -> bool:
        training_goes_on(study, model, 0)
        return study.holds.is_waiting(model, held)

    wait_for(is_waiting, f"training of {model}", 900)
    study.holds.at(model, held + AHEAD)
    time.sleep(moments.uniform(0, 1))
    before, sessions = study.iteration(model), study.sessions(model)
    drill.say(f"seed {seed}: {fault.__name__}, {model} with a checkpoint at iteration {before}")
    start = time.monotonic()
    fault(study, model)
    ended = fault not in faults.SURVIVED

    study.holds.at(model, before + AHEAD)

    def recovered() -> bool:
        goes_on = training_goes_on(study, model, before)
        return study.is_trained(model) or (goes_on and len(study.sessions(model)) >= len(sessions) + ended)

    wait_for(recovered, f"recovery from {fault.__name__}", 900)
    seconds = time.monotonic() - start
    lost = "nothing, it went on"
    if resumed := study.sessions(model)[len(sessions) :]:
        at = resumed[0]["from_iteration"]
        drill.expect(at >= before, f"{fault.__name__}: resumed from {at}, though {before} was saved")
        saved = study.sessions(model)[len(sessions) - 1].get("by", "").startswith("Stopped")
        lost = "nothing, saved at the signal" if saved else "less than an epoch"
    drill.rows.append(Row(seed, fault.__name__, model, f"iteration {before}", lost, seconds))
    drill.say(f"seed {seed}: recovered in {seconds:.0f} s; lost: {lost}")


def random_faults(drill: Drill, seed: int) -> None:
    """A round: every fault of ANY_TIME once, in random order, at random moments; then Snakemake is killed."""
    moments = random.Random(seed)
    study = drill.study(f"seed-{seed}")
    for model in miniature.MODELS:
        study.holds.at(model, 1)
    study.start(*miniature.models())
    for fault in [
        *moments.sample(ANY_TIME, len(ANY_TIME)),
        faults.snakemake_killed,
    ]:  # which waits for the jobs
        inject(drill, study, seed, moments, fault)
    study.holds.release()
    to_the_end(study)
    drill.check(study, f"seed {seed}")


def to_the_end(study: Study, tries: int = 5) -> None:
    """Let Snakemake finish, and start it again where tries were used up."""
    for _ in range(tries):
        if study.finish() == 0:
            return
        study.resume()
    raise RuntimeError(f"not finished after {tries} runs\n{study.output()[-3000:]}")


@contextlib.contextmanager
def small_disk(folder: Path, size_kb: int) -> Iterator[Path]:
    """Within the block ``folder`` is a disk of its own, in memory."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_kb}k", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder: Path) -> Path:
    """Write a file that takes all the room there is; its path."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
        while stream.write(bytes(4096)):
            pass
    return filler


def disk_full_in_training(drill: Drill, seed: int) -> None:
    """The disk of the checkpoints is full for a while: there is room again before the next try, or later."""
    moments = random.Random(seed)
    study = drill.study(f"disk-{seed}")
    with small_disk(study.folder / "work/training", 64_000) as disk:

        def full(study: Study, model: str) -> None:
            """A full disk when a checkpoint is due."""
            filler = fill(disk)
            study.holds.release()  # to its next checkpoint
            wait_for(lambda: not study.trains(model), "end of the training", 200)
            time.sleep(moments.uniform(0, 15))
            filler.unlink()

        full.__name__ = "disk_full_at_checkpoint"
        study.start(*miniature.models())
        inject(drill, study, seed, moments, full)
        study.holds.release()
        to_the_end(study)
        drill.check(study, f"full disk, seed {seed}")
        drill.expect("no room for a checkpoint" in study.logs(), "a full disk is named in the log")


def disk_full_in_prediction(drill: Drill, seed: int) -> None:
    """The disk of the predictions is too small; then it is not."""
    study = drill.study(f"predictions-{seed}")
    for model in miniature.MODELS:
        trained = f"results/models/{model}"
        shutil.copytree(drill.reference / trained, study.folder / trained)
    start = time.monotonic()
    with small_disk(study.folder / "results/predictions", 8):
        drill.say(f"seed {seed}: disk_full_at_prediction")
        study.start(*miniature.predictions())
        drill.expect(study.finish() != 0, "prediction on a full disk fails")
        told = "No space left on device" in study.logs()
        drill.expect(told, "a full disk is named in the log of the prediction")
    study.resume()
    to_the_end(study)
    seconds = time.monotonic() - start
    drill.rows.append(Row(seed, "disk_full_at_prediction", "both", "label maps", "the predictions", seconds))
    drill.check_predictions(study, "full disk")


def over_memory(drill: Drill, seed: int) -> None:
    """Jobs that ask for too little memory are killed, and tried again with twice as much."""
    train = miniature.configuration()["resources"]["train"] | {"mem_mb": 600}
    study = drill.study(f"memory-{seed}", resources={"train": train, "mem_mb_cap": 4000})
    start = time.monotonic()
    drill.say(f"seed {seed}: over_memory")
    study.start(*miniature.models())
    to_the_end(study)
    asked = [cluster.job_record(job)["MinMemoryNode"] for job in study.jobs()]
    drill.expect(len(asked) > len(miniature.MODELS), f"tried again with more: {asked}")
    lost = f"a try each; asked for {', '.join(asked)}"
    drill.rows.append(Row(seed, "over_memory", "both", "start", lost, time.monotonic() - start))
    drill.check(study, "memory")


def over_time(drill: Drill, seed: int) -> None:
    """A time limit that is shorter than the training: it requeues itself, as often as need be."""
    study = drill.study(f"time-{seed}")
    limits = ("train:runtime=2", "train:slurm_partition=gpu", "train:slurm_extra='--signal=TERM@40'")
    drill.say(f"seed {seed}: over_time")
    for model in miniature.MODELS:
        study.holds.at(model, 1)  # until the limit has come once, however fast the machine is
    study.start(*miniature.models(), "--set-resources", *limits)
    for model in miniature.MODELS:
        wait_for(lambda model=model: "ended" in dict(*study.sessions(model)[:1]), "a time limit", 600)
    study.holds.release()
    drill.expect(study.finish(1500) == 0, "trainings longer than their time limit end")
    drill.expect(len(study.jobs()) == len(miniature.MODELS), f"each is one job: {study.jobs()}")
    for model in miniature.MODELS:
        for before, after in pairwise(study.sessions(model)):
            waited = datetime.fromisoformat(after["started"]) - datetime.fromisoformat(before["ended"])
            lost = "nothing, saved at the signal; the same job, requeued"
            at = f"iteration {after['from_iteration']}"
            drill.rows.append(Row(seed, "over_time", model, at, lost, waited.total_seconds()))
    drill.check(study, "time limit")


def node_without_environment(drill: Drill, seed: int) -> None:
    """A node on which the Python of the jobs is not there: its jobs fail at once, and are named."""
    study = drill.study(f"environment-{seed}")
    start = time.monotonic()
    drill.say(f"seed {seed}: node_without_environment")
    with faults.without_environment():
        study.start(*miniature.models())
        drill.expect(study.finish() != 0, "jobs fail on a node without the environment")
    told = "".join(path.read_text() for path in study.folder.glob("logs/slurm/rule_train/*/*.log"))
    drill.expect("not found" in told, f"Slurm's log names what is missing: {told[-300:]}")
    study.resume()
    to_the_end(study)
    lost = f"{len(study.jobs()) - len(miniature.MODELS)} tries, seconds each"
    seconds = time.monotonic() - start
    drill.rows.append(Row(seed, "node_without_environment", "both", "start", lost, seconds))
    drill.check(study, "environment")


ROUNDS = (
    over_memory,
    disk_full_in_prediction,
    node_without_environment,
    over_time,
    disk_full_in_training,
    disk_full_in_training,
    random_faults,
    random_faults,
    random_faults,
)


def attempt(drill: Drill, go: Callable[[Drill, int], None], seed: int) -> None:
    """One round; what does not come to its end is wrong, and the next round goes on."""
    try:
        go(drill, seed)
    except (TimeoutError, RuntimeError, OSError, subprocess.SubprocessError) as error:
        drill.expect(False, f"{go.__name__}, seed {seed}: {error}")
    finally:
        for study in drill.studies:
            study.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first round; each next has one more")
    parser.add_argument(
        "--undisturbed", type=Path, help="folder of the undisturbed run; made if there is none"
    )
    parser.add_argument("--epochs", type=int, default=100, help="so many that a training lasts some minutes")
    parser.add_argument("--only", help="name of a round; all others are left out")
    arguments = parser.parse_args()
    if reason := cluster.obstacle():
        sys.exit(reason)
    with tempfile.TemporaryDirectory(prefix="headct-drill-") as folder:
        undisturbed = arguments.undisturbed or Path(folder) / "undisturbed"
        drill = Drill(undisturbed, Path(folder), arguments.epochs)
        if not drill.reference.exists():
            drill.say("the undisturbed run, without a cluster")
            miniature.run_locally(drill.reference, drill.longer, *miniature.predictions())
        with cluster.running():
            for seed, go in enumerate(ROUNDS, start=arguments.seed):
                if arguments.only in (None, go.__name__):
                    attempt(drill, go, seed)
    if arguments.only is None:
        injected = {row.fault for row in drill.rows}
        missing = {fault.__name__ for fault in ANY_TIME} - injected
        drill.expect(
            len(drill.rows) >= ENOUGH and not missing, f"{ENOUGH} faults and every kind, not {missing}"
        )
    print(table(drill))
    sys.exit(bool(drill.wrong))


def table(drill: Drill) -> str:
    """Every fault, and what was wrong, as Markdown."""
    head = "| seed | fault | model | at | lost | recovered after, s |\n|---|---|---|---|---|---|"
    rows = [
        f"| {row.seed} | {row.fault} | {row.victim} | {row.at} | {row.lost} | {row.recovered_s:.0f} |"
        for row in drill.rows
    ]
    verdict = (
        "\n".join(drill.wrong) or "Every round ended in the weights, or label maps, of the undisturbed run."
    )
    return "\n".join(["", head, *rows, "", f"{len(drill.rows)} faults. {verdict}"])


if __name__ == "__main__":
    main()
