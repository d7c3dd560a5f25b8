"""Train one model on the training scans of the split: ``python -m headct train --help``.

Resumes by itself from the last checkpoint of the same run, and publishes a finished run again
without training. Test scans are never read.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import platform
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock

from headct.contracts import labels as label_sets
from headct.contracts.artefacts import read_json, read_tsv, sha256_of, write_atomically, write_json
from headct.contracts.manifests import share_folder
from headct.contracts.problems import BadInput, Problem
from headct.engine import starts, workfolder
from headct.engine.machine import device_name, peak_memory_mb, require_device, versions
from headct.engine.training_job import TrainedModel, TrainingJob, TrainingScan, training_scans
from headct.frameworks import apart
from headct.frameworks.base import Framework, find_framework
from headct.settings import budget as budgets
from headct.settings import models
from headct.settings.blocks import Budget
from headct.settings.models import Training, TrainingInEpochs
from headct.settings.typed import plain

logger = logging.getLogger(__name__)

SESSIONS = "sessions.json"


def main(
    *,
    model: str,
    settings: str,
    speed: str = "{}",
    labels: str,
    split: Path,
    external: list[Path] | None = None,
    data: Path,
    budget: str = "{}",
    keep_at: list[float] | None = None,
    prepared: Path | None = None,
    seed: int,
    fold: str,
    device: Literal["cpu", "cuda"],
    threads: int,
    deterministic: bool = False,
    work: Path,
    run: str,
    out: Path,
    revision: int = 0,
) -> None:
    """Train one model on the training scans of the split, or go on with it.

    Args:
        model: key of the model in the config.
        settings: JSON: the settings that decide its weights.
        speed: JSON: those that decide none, such as workers; defaults if left out.
        labels: JSON: the lesion classes, in their order.
        split: split.tsv.
        external: tables of external sets, which weights that it starts from must not know either.
        data: folder of the converted scans.
        budget: JSON: how long the training is, in patches or steps; the epochs of the settings if left out.
        keep_at: shares of its steps at which weights are kept as well, to be measured on held-out scans.
        prepared: record of what it learns from, by which patches are counted.
        seed: of all random numbers of the run.
        fold: number of the held-out fold, or 'all' for none.
        device: what trains.
        threads: CPU threads in all.
        deterministic: on a GPU, only operators that repeat, where there are.
        work: scratch folder.
        run: name of its work folder below ``training`` in the scratch folder.
        out: folder of the trained model.
        revision: how often files were lost and remade.
    """
    of_model = models.given(lambda name: find_framework(name).trains_by, settings, speed)
    framework = find_framework(of_model.framework)
    fit, held = scans_of_fold(split, data, fold)
    if start := starts.of(of_model):
        apart.check(start, split, fold, external or [])
    effort = budgets.given(budget)
    length = length_within(effort, of_model, len(fit), prepared) if effort else None
    step_of_share = steps_kept(keep_at or [], of_model, len(fit), length)
    job = TrainingJob(
        model=model,
        settings=budgets.as_long_as(of_model, length),
        training_scans=fit,
        validation_scans=held,
        seed=seed,
        fold=fold,
        device=device,
        threads=threads,
        shared_folder=work / framework.name,
        labels=label_sets.read(labels),
        deterministic=deterministic,
        steps=length.steps if length else None,
        kept_steps=tuple(sorted(set(step_of_share.values()))),
    )
    budget_record = {"budget": {**plain(effort), **plain(length)}} if length else {}
    identity = workfolder.identity(job, framework.module("training"), versions(framework.package))
    if workfolder.is_what_is_asked_for(out, identity):
        logger.info("%s: %s is what is asked for, and is taken as it is", job.model, out)
        return
    runs = work / "training" / run
    folder = workfolder.find_or_make(runs, identity)
    with FileLock(folder / "lock"):  # a run that was orphaned by a kill may still be at it
        if workfolder.is_finished(folder):
            logger.info("%s: already trained in %s; published again", job.model, folder)
        else:
            require_device(job.device)
            train(job, framework, folder, budget_record, step_of_share)
        workfolder.publish(folder, out, workfolder.definition(identity), revision)


def scans_of_fold(
    split: Path, data: Path, fold: str
) -> tuple[tuple[TrainingScan, ...], tuple[TrainingScan, ...]]:
    """What a network learns from, and what it is validated on.

    Args:
        split: split.tsv.
        data: folder of the converted scans.
        fold: number of the held-out fold, or ``all`` for none.

    Raises:
        BadInput: there is no such fold.
    """
    scans = read_tsv(split, fold=str)
    rows = scans[scans["set"] == "train"]
    held_out = rows["fold"] == fold
    if fold != "all" and not held_out.any():
        message = f"no such fold; there are {', '.join(sorted(rows['fold'].unique()))} and 'all'"
        raise BadInput([Problem(str(split), message, key="fold", value=fold)])
    return training_scans(rows[~held_out], data), training_scans(rows[held_out], data)


def length_within(
    budget: Budget, settings: Training, n_scans: int, prepared: Path | None
) -> budgets.Length | None:
    """How long a training within a budget is; None of what has no length to choose.

    Args:
        budget: in patches or steps.
        settings: of the training.
        n_scans: that it learns from.
        prepared: record of what it learns from.

    Raises:
        BadInput: nothing says how many patches a step has, or how many steps an epoch.
    """
    length = budgets.length_of(settings, budget, n_scans, read_json(prepared) if prepared else {})
    if length is None and isinstance(settings, TrainingInEpochs):
        message = (
            "nothing says how many patches a step has or how many steps an epoch: name --prepared, "
            "or have the framework's settings say it (docs/how-to/extending.md)"
        )
        raise BadInput([Problem(budgets.OPTION, message, value=settings.framework)])
    return length


def steps_kept(
    shares: Sequence[float], settings: Training, n_scans: int, length: budgets.Length | None
) -> dict[str, int]:
    """The steps after which weights are kept, by share of the training.

    Args:
        shares: of its steps.
        settings: of the training.
        n_scans: that it learns from.
        length: of a training with a budget.

    Raises:
        BadInput: nothing says how many steps the training has.
    """
    steps = length.steps if length else settings.steps(n_scans)
    if shares and (steps is None or not isinstance(settings, TrainingInEpochs)):
        message = "it is not trained step by step, or nothing says in how many (docs/how-to/extending.md)"
        raise BadInput([Problem("--keep-at", message, value=settings.framework)])
    return budgets.steps_at(shares, steps or 0)


def train(
    job: TrainingJob[Training],
    framework: Framework,
    folder: Path,
    budget_record: Mapping[str, Any] | None = None,
    step_of_share: Mapping[str, int] | None = None,
) -> None:
    """Train with a framework to the end in ``folder`` and leave the finished model there.

    Each session of the run is recorded as it begins and as it ends, unless it is killed.

    Args:
        job: the training.
        framework: that trains.
        folder: of the work.
        budget_record: what its record says of its budget, if it has one.
        step_of_share: the steps after which weights are kept, by share of the training.
    """
    import torch

    from headct.engine import checkpoints
    from headct.engine.determinism import choose_algorithms, nondeterministic_operators

    torch.set_num_threads(job.threads)
    choose_algorithms(job.deterministic)
    checkpoints.remove_unfinished(folder)
    sessions = read_json(folder / SESSIONS) if (folder / SESSIONS).exists() else []
    session = {
        "started": now(),
        "host": platform.node(),
        "device": device_name(job.device),
        "from_iteration": checkpoints.latest_step(folder),
    }
    sessions.append(session)
    write_json(sessions, folder / SESSIONS)
    if len(sessions) > 1:
        logger.info(
            "%s: goes on where session %d stopped, at iteration %d",
            job.model,
            len(sessions) - 1,
            session["from_iteration"],
        )
    try:
        with nondeterministic_operators() as operators:
            trained = framework.train(job, folder)
    except BaseException as error:
        session |= {"ended": now(), "by": f"{type(error).__name__}: {error}"}
        with contextlib.suppress(OSError):  # a full disk must not hide that it is why the training ended
            write_json(sessions, folder / SESSIONS)
        raise
    session |= {"ended": now(), "by": "end of training"}
    record = {
        "model": job.model,
        "framework": framework.name,
        "settings": plain(job.settings),
        "labels": dict(job.labels),
        "seed": job.seed,
        "fold": job.fold,
        "n_training_scans": len(job.training_scans),
        "n_validation_scans": len(job.validation_scans),
        **origin(job),
        "device": job.device,
        "threads": job.threads,
        "deterministic": job.device == "cpu" or (job.deterministic and not operators),
        "nondeterministic_operators": sorted(operators),
        "versions": versions(framework.package),
        "epochs": len(trained.history),
        "history": trained.history,
        "record": framework.notation.written(trained.facts),
        "sessions": sessions,
        "resumed": len(sessions) - 1,
        "seconds": round(trained.seconds, 1),
        "seconds_waiting_for_data": round(trained.seconds_waiting, 1),
        "peak_memory_mb": peak_memory_mb(job.device),
        "sha256": save_weights(trained, folder / "final.pth"),
        **(budget_record or {}),
    }
    parts = {
        share: write_share(folder, trained, framework, record, share, step)
        for share, step in (step_of_share or {}).items()
    }
    write_json(record | ({"shares": parts} if parts else {}), folder / "train.json")


def write_share(
    folder: Path,
    trained: TrainedModel,
    framework: Framework,
    record: Mapping[str, Any],
    share: str,
    step: int,
) -> dict[str, Any]:
    """Make a trained model of the weights at a share of a training; what its record says of it.

    Args:
        folder: of the work.
        trained: the end of the training.
        framework: that trained.
        record: of the whole training.
        share: of its steps.
        step: after which the weights were kept.
    """
    from headct.engine import kept_weights

    weights, seconds = kept_weights.load(folder, step)
    facts, out = replace(trained.facts, iterations=step), folder / share_folder(share)
    of_whole = {key: value for key, value in record.items() if key not in ("history", "epochs")}
    of_share = {
        "sha256": save_weights(replace(trained, weights=weights), out / "final.pth"),
        "record": framework.notation.written(facts),
        "seconds": round(seconds, 1),
        "share": share,
    }
    write_json(of_whole | of_share, out / "train.json")
    return {"steps": step, "seconds": round(seconds, 1), "sha256": sha256_of(out / "train.json")}


def origin(job: TrainingJob[Training]) -> dict[str, Any]:
    """For ``train.json``: the scans that weights were made from, those of their start among them.

    Null where the start does not say its own. Where there is a start, also its digest and how many scans that
    were (null where they are not recorded).
    """
    own = {scan.ct_sha256 for scan in (*job.training_scans, *job.validation_scans) if scan.ct_sha256}
    start = starts.of(job.settings)
    if start is None:
        return {starts.SCANS: sorted(own)}
    before = start.scans()
    head = "fresh" if start.head_is_fresh else "given"
    return {
        starts.SCANS: None if before is None else sorted(own | before),
        "start": {"sha256": start.sha256, "head": head, "scans": None if before is None else len(before)},
    }


def save_weights(trained: TrainedModel, path: Path) -> str:
    """Write weights and fixed settings, nothing that depends on the time; return the SHA-256.

    The archive inside a ``.pth`` file is named after the file it is saved to; saved to memory its
    name is fixed, so equal models are equal bytes.
    """
    import torch

    buffer = io.BytesIO()
    weights = {name: tensor.detach().cpu().clone() for name, tensor in trained.weights.items()}
    torch.save({"weights": weights, "fixed": trained.fixed}, buffer)
    with write_atomically(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())
    return hashlib.sha256(buffer.getbuffer()).hexdigest()


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
