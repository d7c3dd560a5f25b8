"""Part 4: the losses, precisions and ``torch.compile``, and a small comparison of three models.

What changes results is measured here before anybody chooses it: the loss after equal steps stands beside the
speed.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from common import add_note, add_row, dice_columns, options, peak_mb, reset_peak, waiting
from ways_of_training import BATCHES_AT_REST, ROOT, train_by, training_job, write_scans

from inference import agreement

# PyTorch and what needs it is imported where it is used: processes that prepare scans read this file, too.

LOSSES, PRECISIONS, COMPARISON = (
    "Losses, forward and backward",
    "Precision and compilation",
    "Trained for some seconds each, on the same simulated heads",
)
COMPARED = ("unet", "nnunet-3d-dicece", "nnunet-3d-focal")
IN_PRECISIONS = COMPARED[:2]


@dataclass(frozen=True)
class Scale:
    """How much is measured.

    Attributes:
        config: the file in ``config/`` whose phantom and models they are.
        learnt, held_out: numbers of simulated scans.
        small_losses: whether the losses are of a small patch; ``loss_repeats`` how often each is measured.
        warm_up, timed: steps in each precision.
        seconds: of each training of the comparison.
        compiled: models that are compiled, too.
        compiler: of ``torch.compile``; "eager" leaves the compilation proper out.
        changes: of the models' settings, by framework.
    """

    config: str
    learnt: int
    held_out: int
    small_losses: bool
    loss_repeats: int
    warm_up: int
    timed: int
    seconds: float
    compiled: tuple[str, ...]
    compiler: str
    changes: dict[str, dict[str, Any]] = field(default_factory=dict)


SCALES = {
    "full": Scale(
        config="simulated_full.yaml",
        learnt=6,
        held_out=2,
        small_losses=False,
        loss_repeats=5,
        warm_up=5,
        timed=10,
        seconds=30,
        compiled=("nnunet-3d-dicece", "unet"),
        compiler="inductor",
    ),
    "small": Scale(
        config="demo.yaml",
        learnt=2,
        held_out=1,
        small_losses=True,
        loss_repeats=1,
        warm_up=1,
        timed=1,
        seconds=1,
        compiled=("nnunet-3d-dicece",),
        compiler="eager",
        changes={
            "nnunet": {
                "workers": 1,
                "plan_changes": {
                    "3d_fullres": {
                        "patch_size": [8, 32, 32],
                        "batch_size": 1,
                        "features_per_stage": [4, 4, 4],
                    }
                },
            },
            "monai": {"workers": 1, "features": [4, 4, 4, 4, 4, 4], "scans_per_batch": 1},
        },
    ),
}


@dataclass(frozen=True)
class Way:
    """In which precision a network trains, and how it is laid out.

    ``autocast`` is the type in which the network's operators compute, empty for single precision; ``tf32``
    rounds the factors of products to 10 bits of fraction; float16 has its gradients scaled.
    """

    autocast: str = ""
    tf32: bool = True
    channels_last: bool = False
    compiled: bool = False


WAYS: dict[str, Way | None] = {
    "as configured": None,
    "float32": Way(tf32=False),
    "tf32": Way(),
    "bfloat16 autocast": Way("bfloat16"),
    "float16 autocast": Way("float16"),
    "float16 autocast, channels last": Way("float16", channels_last=True),
}
COMPILED: dict[str, tuple[str, Way]] = {
    "nnunet-3d-dicece": ("float16 autocast, compiled", Way("float16", compiled=True)),
    "unet": ("tf32, compiled", Way(compiled=True)),
}
"""The precision that is configured, compiled. This comes last, since the compiler takes its time."""


def main() -> None:
    """Losses first, in seconds; the compiler last."""
    from headct.engine.determinism import choose_algorithms

    given = options(__doc__)
    scale, device, out = SCALES[given.scale], given.device, given.out
    choose_algorithms(deterministic=False)  # by speed from the first row on, as `headct train` lets them
    for row in of_losses(scale, device):
        add_row(out, LOSSES, row)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_scans(scale.config, scale.learnt + scale.held_out, folder)

        def tell(row: dict[str, Any]) -> None:
            add_row(out, PRECISIONS, row)

        for key in IN_PRECISIONS:
            in_precisions(scale, WAYS, job_of(scale, folder, key, device), tell)
        last = min(BATCHES_AT_REST, scale.warm_up + scale.timed)
        add_note(
            out,
            PRECISIONS,
            f"Steps of the optimiser on {BATCHES_AT_REST} batches that lie on the device, each time from the "
            f"same weights: {scale.timed} are timed after {scale.warm_up}, whose time is the start (choice "
            f"of algorithms, compilation); the loss is the mean of the last {last}. As "
            "configured: the step of `python -m headct train`. float32: without tf32, which PyTorch uses for "
            "convolutions by default.",
        )
        for key in COMPARED:
            add_row(out, COMPARISON, compared(scale, job_of(scale, folder, key, device)))
        add_note(
            out,
            COMPARISON,
            f"{scale.learnt} scans are learnt from; Dice is of the voxels of {scale.held_out} other(s). It "
            "says that the models learn, not which is best.",
        )
        for key in scale.compiled:
            in_precisions(scale, dict([COMPILED[key]]), job_of(scale, folder, key, device), tell)


def job_of(scale: Scale, folder: Path, key: str, device: str) -> Any:
    """The run of a model as the configuration describes it, on the scans that it learns from."""
    from headct.settings import blocks

    config = blocks.load(ROOT / "config" / scale.config)
    changes = scale.changes.get(config.models[key].framework, {})
    long = {"epochs": 1, "iterations_per_epoch": 1_000_000}  # how long it trains is decided here
    job = training_job(config, key, folder, long | changes, device)
    return replace(job, training_scans=job.training_scans[: scale.learnt])


def of_losses(scale: Scale, device: str) -> Iterator[dict[str, Any]]:
    """Each of ours against its peers."""
    import losses

    shape = losses.SMALL_SHAPE if scale.small_losses else losses.SHAPE
    if device == "cuda":
        peaks_mb = losses.gpu_peaks_mb(shape)
    else:  # in processes of their own, which have to be forked before this one computes
        peaks_mb = losses.resident_peaks_mb(shape, exact=True, repeats=1)
    times = losses.seconds(shape, device, scale.loss_repeats)
    for ours, peer in losses.PAIRS:
        yield {
            "ours": ours,
            "peer": peer,
            "ours, ms": 1000 * statistics.median(times[ours]),
            "peer, ms": 1000 * statistics.median(times[peer]),
            "time, ours / peer": losses.marked(losses.time_ratio(times, ours, peer), losses.TIME_AIM),
            "ours, MB": peaks_mb[ours],
            "peer, MB": peaks_mb[peer],
            "memory, ours / peer": losses.marked(peaks_mb[ours] / peaks_mb[peer], losses.MEMORY_AIM),
        }


def in_precisions(
    scale: Scale, ways: Mapping[str, Way | None], job: Any, tell: Callable[[dict[str, Any]], None]
) -> None:
    """Tell a row for each of the ways, None being the step as configured."""

    def measure(job: Any, learner: Any, _folder: Path) -> Any:
        import torch

        from headct.engine.batches import in_order
        from headct.engine.loop import Position

        workers = min(BATCHES_AT_REST, job.settings.workers)
        batches = list(in_order(learner.training_batches, 0, BATCHES_AT_REST, workers, job.device))
        start = deepcopy(learner.state())
        for name, way in ways.items():
            learner.restore(deepcopy(start))
            row = {"model": job.model, "way": name}
            try:
                with products_rounded(way):
                    step = step_in(way, parts_of(learner), job.device, scale) if way else learner.learn
                    tell(row | measure_steps(step, batches, scale, job.device))
            except Exception as error:  # one way that fails must not cost the others
                first_line = next(iter(str(error).splitlines()), "")
                tell(row | {"steps/s": f"failed: {type(error).__name__}: {first_line}"[:200]})
        return Position(torch.zeros(()))

    with tempfile.TemporaryDirectory(dir=job.shared_folder.parent) as folder:
        train_by(measure, job, Path(folder))


@contextmanager
def products_rounded(way: Way | None) -> Iterator[None]:
    """Let convolutions and products of matrices round as the way says, or, for None, as PyTorch does."""
    import torch

    kinds = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [kind.allow_tf32 for kind in kinds]
    try:
        if way is not None:
            for kind in kinds:
                kind.allow_tf32 = way.tf32
        yield
    finally:
        for kind, value in zip(kinds, before, strict=True):
            kind.allow_tf32 = value


@dataclass(frozen=True)
class Parts:
    """What a step is made of, whatever the framework; ``loss`` is of the network's output and the targets."""

    network: Any
    loss: Callable[[Any, list[Any]], Any]
    optimiser: Any
    gradient_norm: float | None


def parts_of(learner: Any) -> Parts:
    """Those of one of the workflow's learners."""
    if hasattr(learner, "trainer"):
        from headct.frameworks.nnunet.training import GRADIENT_NORM, as_nnunet_expects

        trainer = learner.trainer

        def loss(found: Any, targets: list[Any]) -> Any:
            return trainer.loss(found, as_nnunet_expects(trainer, targets))

        return Parts(trainer.network, loss, trainer.optimizer, GRADIENT_NORM)
    for group in learner.optimiser.param_groups:
        group["lr"] = learner.schedule.rate(0)
    return Parts(
        learner.network, lambda found, targets: learner.loss(found, targets[0]), learner.optimiser, None
    )


def step_in(way: Way, parts: Parts, device: str, scale: Scale) -> Callable[..., Any]:
    """A step of the optimiser in this way; the detached loss."""
    import torch

    layout = torch.channels_last_3d if way.channels_last else torch.contiguous_format
    network = parts.network.to(memory_format=layout)
    if way.compiled:
        network = torch.compile(network, backend=scale.compiler)
    kind = getattr(torch, way.autocast) if way.autocast else None
    scaler = torch.amp.GradScaler(device, enabled=kind is torch.float16)

    def step(images: Any, *targets: Any) -> Any:
        parts.optimiser.zero_grad(set_to_none=True)
        with torch.autocast(device, dtype=kind, enabled=kind is not None):
            loss = parts.loss(network(images), list(targets))
        scaler.scale(loss).backward()
        if parts.gradient_norm is not None:
            scaler.unscale_(parts.optimiser)
            torch.nn.utils.clip_grad_norm_(network.parameters(), parts.gradient_norm)
        scaler.step(parts.optimiser)
        scaler.update()
        return loss.detach()

    return step


def measure_steps(
    step: Callable[..., Any], batches: list[list[Any]], scale: Scale, device: str
) -> dict[str, Any]:
    """Speed, memory and loss of a number of steps."""
    import torch

    wait = waiting(device)
    reset_peak(device)
    losses: list[Any] = []

    def seconds_of(steps: int) -> float:
        started = time.perf_counter()
        for _ in range(steps):
            losses.append(step(*batches[len(losses) % len(batches)]))
        wait()
        return time.perf_counter() - started

    wait()
    start_s, timed_s = seconds_of(scale.warm_up), seconds_of(scale.timed)
    return {
        "start, s": start_s,
        "steps/s": scale.timed / timed_s,
        "peak GPU memory, MB": peak_mb(device),
        "loss": f"{torch.stack(losses[-len(batches) :]).mean():.5f}",  # a precision changes little of it
    }


def compared(scale: Scale, job: Any) -> dict[str, Any]:
    """Train for some seconds; Dice of each label on scans that were not learnt from."""
    import SimpleITK as sitk
    import torch

    from headct.engine import seeding
    from headct.engine.batches import in_order
    from headct.engine.determinism import choose_algorithms
    from headct.engine.loop import Position
    from headct.frameworks.base import find_framework
    from headct.frameworks.train import save_weights
    from headct.settings import models

    wait, steps = waiting(job.device), 0

    def for_some_seconds(job: Any, learner: Any, _folder: Path) -> Any:
        nonlocal steps
        batches = in_order(learner.training_batches, 0, None, job.settings.workers, job.device)
        with closing(batches):
            for steps, batch in enumerate(batches, start=1):
                seeding.seed_step(job.seed, job.fold, steps - 1)
                learner.learn(*batch)
                if steps == 1:  # which chooses algorithms
                    wait()
                    end = time.monotonic() + scale.seconds
                if time.monotonic() >= end:
                    break
            wait()
        return Position(torch.zeros(()))

    framework = find_framework(job.settings.framework)
    with tempfile.TemporaryDirectory(dir=job.shared_folder.parent) as name:
        folder = Path(name)
        save_weights(train_by(for_some_seconds, job, folder), folder / "final.pth")
        quick = {"test_time_mirroring": False} if framework.name == "nnunet" else {}
        chosen = models.merged(framework.predicts_by, framework.name, quick)
        predictor = framework.load(folder, job.device, chosen, job.labels)
        scans = sorted(job.shared_folder.parent.glob("*-ct.nii.gz"))[scale.learnt :]
        found = [predictor(sitk.ReadImage(str(scan))).argmax(0) for scan in scans]
        choose_algorithms(deterministic=False)  # a framework's own predictor may have chosen otherwise
    paths = [scan.with_name(scan.name.replace("-ct.", "-labels.")) for scan in scans]
    truth = [sitk.GetArrayFromImage(sitk.ReadImage(str(path))) for path in paths]
    return {
        "model": job.model,
        "seconds": scale.seconds,
        "steps": steps,
        **dice_columns(agreement(found, truth)),
    }


if __name__ == "__main__":
    main()
