"""Where every training of a study stands: ``python -m headct status --help``.

Read from the work folders and, where there is one, from Slurm's queue; nothing is changed, and no
running job is wanted.
"""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

from headct.contracts.artefacts import CONFIG, read_json
from headct.contracts.columns import aligned
from headct.contracts.problems import BadInput, Problem, Stopped
from headct.contracts.terminal import say
from headct.run.cluster.queue import NoAnswer, QueuedJob, jobs_of
from headct.settings.blocks import LearningCurve, Runs
from headct.settings.models import frameworks

logger = logging.getLogger(__name__)

REASON_LENGTH = 60


@dataclass
class Standing:
    """A training as its row of the table; text is what a person reads, ``–`` what is not known."""

    training: str
    state: str
    epoch: str = "–"
    loss: str = "–"
    eta: str = "–"
    last_checkpoint: str = "–"
    node: str = "–"


@dataclass(frozen=True)
class AskedTraining:
    """A training that the configuration asks for.

    Attributes:
        name: for people.
        published: its folder below the results, once it is trained.
        run: name of its work folder, as ``headct train --run`` is given it.
        job: its name in Slurm's queue.
    """

    name: str
    published: str
    run: str
    job: str


def standings(study: Path, queue: list[QueuedJob] | None) -> list[Standing]:
    """All trainings that the configuration of the last run asks for.

    Raises:
        BadInput: no run has begun in this folder.
    """
    if not (study / "results" / CONFIG).is_file():
        raise BadInput(
            [Problem(str(study / "results" / CONFIG), "no run has begun in this folder; start one first")]
        )
    config = read_json(study / "results" / CONFIG)
    return [standing(study, config["work_dir"], wanted, queue) for wanted in asked_for(config)]


def asked_for(config: Mapping[str, Any]) -> Iterator[AskedTraining]:
    """The trainings of the study, then those of its learning curve."""
    seeds, folds = config["training"]["seeds"], config["training"]["folds"]
    for model, settings in config["models"].items():
        if settings["framework"] in frameworks():
            for seed, fold in product(seeds, folds):
                yield AskedTraining(
                    f"{model} seed {seed} fold {fold}",
                    f"models/{model}/seed-{seed}/fold-{fold}",
                    f"{model}/seed-{seed}-fold-{fold}",
                    f"rule_train_wildcards_{model}_{seed}_{fold}",
                )
    if "learning_curve" in config:
        curve, runs = LearningCurve(**config["learning_curve"]), Runs(seeds, folds, deterministic=False)
        for model, size, seed in product(curve.models, curve.sizes, curve.seeds):
            published = curve.network(model, size, seed, runs)
            if not published.startswith("models/"):
                yield AskedTraining(
                    f"{model} size {size} seed {seed} fold {curve.fold}",
                    published,
                    f"{model}/size-{size}-seed-{seed}-fold-{curve.fold}",
                    f"rule_train_learning_curve_wildcards_{model}_{size}_{seed}_{curve.fold}",
                )


def standing(study: Path, work: str, wanted: AskedTraining, queue: list[QueuedJob] | None) -> Standing:
    """Where one training stands; what the queue says of it comes before what its files say.

    Args:
        study: its folder.
        work: folder of the trainings' work, as the configuration names it.
        wanted: the training.
        queue: jobs that Slurm knows; None where there is no Slurm.
    """
    queued = next((job for job in queue or [] if job.name == wanted.job), None)
    published = study / "results" / wanted.published / "train.json"
    if published.is_file() and queued is None:
        return finished(wanted.name, read_json(published))
    folder = newest_run(study / work / "training" / wanted.run)
    if queued and queued.state == "PENDING":
        state = f"queued ({queued.reason})"
    elif queued:
        state = queued.state.lower()
    else:
        state = state_of(folder, queue is not None)
    row = Standing(wanted.name, state, node=queued.node or "–" if queued else "–")
    if folder is not None:
        tell_progress(row, folder, running=state in ("running", "training"))
    return row


def finished(name: str, record: dict[str, Any]) -> Standing:
    """The row of a training that is published."""
    took = timedelta(seconds=round(record["seconds"]))
    return Standing(
        name,
        f"trained in {took}",
        epoch=f"{record['epochs']}/{record['epochs']}",
        loss=f"{record['history'][-1]['train_loss']:.3f}" if record["history"] else "–",
        node=record["sessions"][-1]["host"],
    )


def newest_run(runs: Path) -> Path | None:
    """The work folder that was last trained in; those of former definitions stay beside it."""
    sessions = sorted(runs.glob("*/sessions.json"), key=lambda path: path.stat().st_mtime)
    return sessions[-1].parent if sessions else None


def state_of(folder: Path | None, not_queued: bool) -> str:
    """What the files of a run tell of it; ``not_queued``: there is a queue, and it holds no such job."""
    if folder is None:
        return "not begun"
    session = read_json(folder / "sessions.json")[-1]
    if session.get("by", "").startswith(f"{Stopped.__name__}:"):
        return "stopped; run again to go on"
    if "ended" in session:
        reason = session["by"].splitlines()[0]
        return "ended: " + (reason if len(reason) <= REASON_LENGTH else reason[: REASON_LENGTH - 1] + "…")
    if session["host"] == platform.node() and is_locked(folder / "lock"):
        return "training"
    if session["host"] == platform.node() or not_queued:
        return "killed; run again to go on"
    return f"training, or lost, on {session['host']}"


def is_locked(lock: Path) -> bool:
    """Whether a process of this machine holds the lock of a run."""
    inode = f":{lock.stat().st_ino} " if lock.exists() else None
    return inode is not None and any(inode in line for line in Path("/proc/locks").read_text().splitlines())


def tell_progress(row: Standing, folder: Path, running: bool) -> None:
    """Fill in epoch, loss, time left and checkpoint from the work folder."""
    progress_file = folder / "progress.json"
    if progress_file.is_file():
        progress = read_json(progress_file)
        row.epoch = f"{progress['epoch']}/{progress['epochs']}"
        row.loss = f"{progress['train_loss']:.3f}"
        if running:
            since = time.time() - progress_file.stat().st_mtime
            row.eta = str(timedelta(seconds=max(0, round(progress["seconds_left"] - since))))
    newest = max((path.stat().st_mtime for path in folder.glob("checkpoint-*.pth")), default=None)
    if newest is not None:
        row.last_checkpoint = f"{timedelta(seconds=round(time.time() - newest))} ago"


def table(rows: list[Standing]) -> Iterator[str]:
    """Aligned lines, headed by the names of the columns."""
    head = [field.name.replace("_", " ") for field in fields(Standing)]
    return aligned([head, *(list(vars(row).values()) for row in rows)])


def main(
    study: Path = Path(),
    /,
) -> None:
    """Where every training of a study stands.

    Args:
        study: folder of the study.
    """
    try:
        queue = jobs_of(study)
    except NoAnswer as error:
        logger.warning("Slurm does not answer (%s); this is what the files tell", error)
        queue = None
    rows = standings(study, queue)
    say("\n".join(table(rows)))
