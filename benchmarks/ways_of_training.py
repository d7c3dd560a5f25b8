"""Three ways of training the same network on the same scans, each timed by the same stopwatch.

- ours: the adapter as ``python -m headct train`` calls it, from prepared data on the disk;
- peer: nnU-Net's trainer as ``nnUNetv2_train`` runs it, ``blast-ct-train``, or a script after MONAI's
  tutorial;
- ceiling: our optimiser's steps on a few batches that lie on the device, so that nothing is waited for.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from unittest.mock import patch

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[1]
WAYS = ("ours", "peer", "ceiling")
NETWORKS = ("blast-ct", "deeplabv3plus", "unet", "nnunet-2d", "nnunet-3d-dicece")
BATCHES_AT_REST = 4
STOCK_NOISE_MAPS = 3  # blast_ct/data/config.json
CEILING_WARM_UP, CEILING_TIMED = 10, 30
"""Steps of the ceiling, at most: its data lie on the device, so that no batch made ahead flatters it."""


@dataclass(frozen=True)
class Scale:
    """What is trained on what, and for how long.

    ``scans`` are simulated by the phantom of ``config``, whose settings ``changes`` replaces, by framework.
    ``warm_up`` steps are not timed, the ``timed`` steps after them are (BLAST-CT: see :func:`window`).
    """

    config: str
    models: tuple[str, ...]
    scans: int
    rounds: int
    warm_up: int
    timed: int
    changes: dict[str, dict[str, Any]]


def write_scans(config: str, count: int, folder: Path, only_site: str | None = None, **phantom: Any) -> None:
    """Simulate ``count`` scans, as upright volumes with their true labels.

    Args:
        config: name of a file in ``config/``, whose phantom is simulated.
        count: number of scans.
        folder: where they are written.
        only_site: the site of all of them; else they take turns.
        phantom: settings of the phantom that are changed.
    """
    from headct.engine.processes import in_processes
    from headct.settings import blocks
    from headct.simulate.settings import from_configuration

    read = blocks.load(ROOT / "config" / config)
    settings = replace(from_configuration(read, config), **phantom)
    if only_site is not None:
        sites = tuple(site for site in settings.sites if site.name == only_site)
        settings = replace(settings, sites=sites)
    tasks = [(settings, f"P{number:04d}", folder) for number in range(1, count + 1)]
    in_processes(_write_scan, tasks, len(os.sched_getaffinity(0)), "simulates")


def _write_scan(task: tuple[Any, str, Path]) -> None:
    import SimpleITK as sitk

    from headct.simulate.participant import simulate

    settings, name, folder = task
    site = settings.sites[int(name[1:]) % len(settings.sites)]
    made = simulate(settings, name, site)
    for kind, array in (("ct", made.image), ("labels", made.fractions.argmax(axis=0).astype("uint8"))):
        image = sitk.GetImageFromArray(array)
        spacing = made.geometry.pixel_mm, made.geometry.pixel_mm, float(made.geometry.weights_mm.mean())
        image.SetSpacing(spacing)
        sitk.WriteImage(image, str(folder / f"{name}-{kind}.nii.gz"), useCompression=True)


def training_job(
    config: Any, key: str, folder: Path, changes: Mapping[str, Any], device: str | None = None
) -> Any:
    """A model's run on the scans in ``folder``, as a configuration describes it but for some settings.

    It writes no checkpoints, unless ``changes`` say so.

    Args:
        config: the configuration, as ``headct.settings.blocks`` reads it.
        key: of the model.
        folder: of scans, as :func:`write_scans` writes them, below which prepared data lie.
        changes: of the model's settings.
        device: on which it trains; that of the configuration if left out.
    """
    from headct.contracts.labels import label_set
    from headct.engine.training_job import TrainingJob, TrainingScan
    from headct.frameworks.base import find_framework
    from headct.settings import models

    framework = find_framework(config.models[key].framework)
    never = {"checkpoint_interval_epochs": sys.maxsize, "checkpoint_interval_minutes": 1e6}
    settings = models.merged(framework.trains_by, framework.name, config.models[key].settings, never, changes)
    scans = tuple(
        TrainingScan(name, folder / f"{name}-ct.nii.gz", folder / f"{name}-labels.nii.gz", sha256=name)
        for name in sorted(path.name.removesuffix("-ct.nii.gz") for path in folder.glob("*-ct.nii.gz"))
    )
    return TrainingJob(
        key,
        settings,
        scans,
        (),
        1,
        "all",
        device or config.device,
        config.resources.train.threads,
        folder / framework.name,
        label_set(("ICH", "PHE", "IVH")),
    )


def timed_job(scale: Scale, folder: Path, key: str, device: str | None = None) -> Any:
    """The run of a model at one scale: long enough for its :func:`window`, in one epoch (BLAST-CT: two)."""
    from headct.settings import blocks

    config = blocks.load(ROOT / "config" / scale.config)
    framework = config.models[key].framework
    changes: dict[str, Any] = {"epochs": 2 if framework == "blastct" else 1}
    if framework != "blastct":
        changes["iterations_per_epoch"] = scale.warm_up + scale.timed
    if framework == "nnunet":
        changes["validation_iterations_per_epoch"] = 1
    return training_job(config, key, folder, changes | scale.changes.get(framework, {}), device)


def window(scale: Scale, settings: Any, way: str = "ours") -> tuple[int, int]:
    """Numbers of the steps after which the clock is started and stopped.

    BLAST-CT deforms all scans of an epoch before its first batches, and none later: as many steps as an
    epoch has are timed, across the start of the second, so that each scan is deformed once meanwhile.
    """
    if way == "ceiling":
        first = min(scale.warm_up, CEILING_WARM_UP)
        return first, first + min(scale.timed, CEILING_TIMED)
    if settings.framework != "blastct":
        return scale.warm_up, scale.warm_up + scale.timed
    per_epoch = settings.steps(scale.scans) // settings.epochs
    first = min(scale.warm_up, per_epoch)
    return first, first + per_epoch


class Moment(NamedTuple):
    """Seconds by the clock, and of CPU time, that of this process and that of its data workers."""

    wall_s: float
    trainer_cpu_s: float
    workers_cpu_s: float


class AllTimed(Exception):
    """A step was done after the last one that is timed: the training need not go on."""


class Stopwatch:
    """Times a training from its start to its first step, and the steps between two numbers.

    What lies between these steps counts: waiting for batches, moving them, bookkeeping. A GPU is waited for
    at both ends, else never. A training that goes on after the last timed step is ended by ``AllTimed``.
    """

    def __init__(self, first: int, last: int, device: str):
        self.first, self.last, self.device = first, last, device
        self.done = 0
        self.shape: tuple[int, ...] = ()
        self.at = {0: self._now()}
        self.waiting_s: float | None = None
        self.validation_step_s: float | None = None
        self.utilisation = GpuUtilisation(device)

    def _now(self) -> Moment:
        import psutil
        import torch

        if self.device == "cuda":
            torch.cuda.synchronize()
        own = psutil.Process().cpu_times()
        workers = own.children_user + own.children_system  # those that have ended
        for child in psutil.Process().children():
            times = child.cpu_times()
            workers += times.user + times.system
        return Moment(time.perf_counter(), own.user + own.system, workers)

    def step_done(self, images: Any) -> None:
        """Take note that a step on ``images`` (patches first) is done; ``AllTimed`` if it is one too many."""
        if self.done == self.last:
            raise AllTimed
        self.done += 1
        self.shape = tuple(images.shape)
        if self.done in (1, self.first, self.last):
            self.at[self.done] = self._now()
        if self.done == self.first:
            self.utilisation.start()
        if self.done == self.last:
            self.utilisation.stop()

    def after(self, step: Callable[..., Any], images_of: Callable[..., Any]) -> Callable[..., Any]:
        """``step`` with note of its end; ``images_of`` finds the images in its arguments."""

        def timed(*arguments: Any) -> Any:
            result = step(*arguments)
            self.step_done(images_of(*arguments))
            return result

        return timed

    def waits_for(self, batches: Iterable[T]) -> Iterator[T]:
        """The batches, with note of the time for which they are waited for between the two steps."""
        self.waiting_s, source = 0.0, iter(batches)
        while True:
            since_s = time.perf_counter()
            try:
                batch = next(source)
            except StopIteration:
                return
            if self.first <= self.done < self.last:
                self.waiting_s += time.perf_counter() - since_s
            yield batch

    def validates(self, end_epoch: Callable[..., Any]) -> Callable[..., Any]:
        """A learner's ``end_epoch`` with note of the seconds of a step of validation, but for its first."""

        def timed(epoch: int, validation: Iterable[Any]) -> Any:
            begun: list[float] = []

            def noted() -> Iterator[Any]:
                for batch in validation:
                    begun.append(time.perf_counter())
                    yield batch

            entry = end_epoch(epoch, noted())
            if len(begun) > 1:
                self.validation_step_s = (time.perf_counter() - begun[1]) / (len(begun) - 1)
            return entry

        return timed

    def result(self) -> dict[str, Any]:
        """What was measured between the two steps, per second or per patch, and the seconds before.

        ``waiting`` is the share of the time that was spent waiting for data, ``validation_step_s`` the
        seconds of a step of validation; None where that is not known. ``utilisation`` of the GPU is in
        percent.
        """
        patches = (self.last - self.first) * self.shape[0]
        start, end = self.at[self.first], self.at[self.last]
        return {
            "patches_per_s": patches / (end.wall_s - start.wall_s),
            "trainer_cpu_s": (end.trainer_cpu_s - start.trainer_cpu_s) / patches,
            "workers_cpu_s": (end.workers_cpu_s - start.workers_cpu_s) / patches,
            "start_up_s": self.at[1].wall_s - self.at[0].wall_s,
            "waiting": None if self.waiting_s is None else self.waiting_s / (end.wall_s - start.wall_s),
            "validation_step_s": self.validation_step_s,
            "utilisation": self.utilisation.mean(),
            "shape": self.shape,
        }


class GpuUtilisation:
    """Share of the time in which a kernel ran on the first GPU, as ``nvidia-smi`` samples it."""

    COMMAND = ("nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "--loop-ms=200")

    def __init__(self, device: str):
        self.device = device
        self.process: subprocess.Popen[str] | None = None
        self.percent: list[float] = []

    def start(self) -> None:
        if self.device == "cuda" and shutil.which(self.COMMAND[0]):
            import torch

            gpu = f"--id=GPU-{torch.cuda.get_device_properties(0).uuid}"
            self.process = subprocess.Popen([*self.COMMAND, gpu], stdout=subprocess.PIPE, text=True)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            words = self.process.communicate()[0].split()  # of a slice of a GPU: [N/A]
            self.percent = [float(word) for word in words if word.isdecimal()]

    def mean(self) -> float | None:
        """In percent; None without a GPU."""
        return sum(self.percent) / len(self.percent) if self.percent else None


def train_as_the_workflow(job: Any, folder: Path, stopwatch: Stopwatch) -> None:
    """The adapter's training, with the workflow's own loop."""
    from headct.engine import loop

    make = loop.in_order

    def timed_fit(job: Any, learner: Any, folder: Path) -> Any:
        def batches(made: Any, *given: Any) -> Iterator[Any]:
            ordered = make(made, *given)
            return stopwatch.waits_for(ordered) if made is learner.training_batches else ordered

        learner.learn = stopwatch.after(learner.learn, lambda images, *_: images)
        learner.end_epoch = stopwatch.validates(learner.end_epoch)
        with patch("headct.engine.loop.in_order", batches):
            return loop.fit(job, learner, folder)

    train_by(timed_fit, job, folder)


def train_on_data_at_rest(job: Any, folder: Path, stopwatch: Stopwatch) -> None:
    """The adapter's network and step on batches that are made beforehand."""
    import torch

    from headct.engine.batches import in_order
    from headct.engine.loop import Position

    def steps(job: Any, learner: Any, folder: Path) -> Position:
        workers = min(BATCHES_AT_REST, job.settings.workers)
        batches = list(in_order(learner.training_batches, 0, BATCHES_AT_REST, workers, job.device))
        learn = stopwatch.after(learner.learn, lambda images, *_: images)
        for number in range(stopwatch.last):
            learn(*batches[number % BATCHES_AT_REST])
        return Position(torch.zeros(()))

    train_by(steps, job, folder)


def train_by(fit: Callable[..., Any], job: Any, folder: Path) -> Any:
    """What the adapter trains with ``fit`` in the place of the workflow's loop (``headct.engine.loop``)."""
    from headct.frameworks.base import find_framework

    framework = find_framework(job.settings.framework)
    with patch(f"{framework.module('training')}.fit", fit):
        return framework.train(job, folder)


def train_as_nnunet(job: Any, folder: Path, stopwatch: Stopwatch) -> None:
    """nnU-Net's trainer of the same loss, made and run as ``nnUNetv2_train`` does, on the same volumes.

    Without checkpoints, and compiled where nnU-Net would.
    """
    import torch

    from headct.frameworks.nnunet.data import dataset_json
    from headct.frameworks.nnunet.plans import plans_of_configuration
    from headct.frameworks.nnunet.training import TRAINERS, prepare

    settings, configuration = job.settings, job.settings.configuration
    planned = prepare(job.training_scans, settings, job.shared_folder, job.threads, job.labels)["plans"]
    plans = plans_of_configuration(planned, configuration, settings.plan_changes.get(configuration))
    os.environ |= {"nnUNet_results": str(folder), "nnUNet_n_proc_DA": str(settings.workers)}
    trainer = TRAINERS[settings.loss](
        plans={**plans, "continue_training": False},
        configuration=configuration,
        fold=job.fold,
        dataset_json=dataset_json(len(job.training_scans), job.labels),
        device=torch.device(job.device),
    )
    trainer.disable_checkpointing = True
    trainer.num_epochs = settings.epochs
    trainer.num_iterations_per_epoch = settings.iterations_per_epoch
    trainer.num_val_iterations_per_epoch = settings.validation_iterations_per_epoch
    trainer.oversample_foreground_percent = settings.foreground_oversampling
    trainer.train_step = stopwatch.after(trainer.train_step, lambda batch: batch["data"])
    trainer.run_training()


def train_as_blast_ct(
    job: Any, folder: Path, stopwatch: Stopwatch, noise_maps: int = STOCK_NOISE_MAPS
) -> None:
    """``blast-ct-train`` on the NIfTI files, with the same network, sampling and augmentation.

    Its validation, which can't be left out, is one patch after the last epoch.

    Args:
        job: what is trained.
        folder: into which it writes.
        stopwatch: times it.
        noise_maps: how many maps of elastic noise it makes before its first step.
    """
    import blast_ct.train
    from blast_ct.trainer.hooks import Hook

    class Timed(Hook):  # type: ignore[misc]
        def after_batch(self) -> None:
            stopwatch.step_done(self.model_trainer.current_state["image"])

    sheet, config = folder / "scans.csv", folder / "config.json"
    rows = [f"{scan.scan_id},{scan.ct},{scan.labels}" for scan in job.training_scans]
    sheet.write_text("\n".join(["id,image,target", *rows]), encoding="utf-8")
    config.write_text(json.dumps(stock_blast_ct_configuration(job.settings, noise_maps)), encoding="utf-8")
    command = [
        "blast-ct-train",
        "--job-dir",
        folder / "run",
        "--config-file",
        config,
        "--train-csv-path",
        sheet,
    ]
    command += ["--valid-csv-path", sheet, "--num-epochs", job.settings.epochs, "--random-seeds", job.seed]
    command += ["--device", "0" if job.device == "cuda" else "cpu"]
    hooks = blast_ct.train.get_training_hooks
    with (
        patch("blast_ct.train.get_training_hooks", lambda *given: [*hooks(*given), Timed()]),
        patch("sys.argv", [str(word) for word in command]),
    ):
        blast_ct.train.train()


def stock_blast_ct_configuration(settings: Any, noise_maps: int) -> dict[str, Any]:
    """The settings as ``blast-ct-train`` reads them; what we have no setting for is as blast_ct ships it."""
    from headct.contracts.labels import label_set
    from headct.frameworks.blastct.training import package_configuration

    labels = label_set(("ICH", "PHE", "IVH"))
    config = package_configuration(settings, labels)
    config["data"] |= {
        "class_names": ["background", *labels],
        "task": "segmentation",
        "channels": ["image"],
        "target": "target",
    }
    config["training"] |= {
        "augmentation": {
            "RandomElasticDeformationCoarsePerlinNoise": {
                "period": [settings.elastic_noise_periods] * 3,
                "prob": settings.elastic_probability,
                "alpha": settings.elastic_amplitude_voxels,
                "noise_shape": [settings.elastic_noise_size_voxels] * 3,
                "num_maps": noise_maps,
            }
        },
        "num_workers": settings.workers,
        "max_cases_in_memory": 50,
    }
    one_patch = {"batch_size": 1, "patches_per_image": 1, "images_per_epoch": 1, "num_workers": 0}
    patch_size = {"input_patch_size": list(settings.patch_size_voxels)}
    never = {"eval_every": settings.epochs, "keep_model_every": settings.epochs}
    return config | {"valid": one_patch | patch_size | never, "test": None}


def train_as_monai(job: Any, folder: Path, stopwatch: Stopwatch) -> None:
    """A script as in MONAI's spleen tutorial, but with the configuration's network, patches and augmentation.

    The scans are drawn with replacement, which makes one epoch of the whole training: the tutorial's loader
    starts its workers anew in each, which would weigh more in short epochs than in the study's.
    """
    import torch
    from monai.data import CacheDataset, DataLoader
    from monai.losses import DiceCELoss
    from monai.transforms import (
        Compose,
        CropForegroundd,
        EnsureChannelFirstd,
        LoadImaged,
        Orientationd,
        RandCropByPosNegLabeld,
        RandFlipd,
        RandScaleIntensityd,
        RandShiftIntensityd,
        ScaleIntensityRanged,
        Spacingd,
        SpatialPadd,
    )
    from torch.utils.data import RandomSampler

    from headct.frameworks.monai import networks

    settings, keys = job.settings, ["image", "label"]
    low, high = settings.hu_window
    patch_size, foreground = settings.patch_size_xyz, settings.foreground_fraction
    transforms = Compose(
        [
            LoadImaged(keys=keys),
            EnsureChannelFirstd(keys=keys),
            ScaleIntensityRanged(keys="image", a_min=low, a_max=high, b_min=0, b_max=1, clip=True),
            CropForegroundd(keys=keys, source_key="image", allow_smaller=True),
            Orientationd(keys=keys, axcodes="RAS"),
            Spacingd(keys=keys, pixdim=settings.spacing_mm_xyz, mode=("bilinear", "nearest")),
            SpatialPadd(keys=keys, spatial_size=patch_size),
            RandCropByPosNegLabeld(
                keys=keys,
                label_key="label",
                spatial_size=patch_size,
                pos=foreground,
                neg=1 - foreground,
                num_samples=settings.patches_per_scan,
                image_key="image",
                image_threshold=0,
            ),
            RandFlipd(keys=keys, prob=settings.flip_probability, spatial_axis=0),
            RandScaleIntensityd(keys="image", factors=settings.intensity_scale, prob=1),
            RandShiftIntensityd(keys="image", offsets=settings.intensity_shift_hu / (high - low), prob=1),
        ]
    )
    device = torch.device(job.device)
    network = networks.build(settings, job.labels.n_classes).to(device)
    loss_function = DiceCELoss(to_onehot_y=True, softmax=True)
    optimiser = torch.optim.Adam(network.parameters(), settings.learning_rate)
    files = [{"image": str(scan.ct), "label": str(scan.labels)} for scan in job.training_scans]
    dataset = CacheDataset(files, transforms, num_workers=settings.workers, progress=False)
    drawn = RandomSampler(dataset, replacement=True, num_samples=stopwatch.last * settings.scans_per_batch)
    loader = DataLoader(
        dataset, batch_size=settings.scans_per_batch, sampler=drawn, num_workers=settings.workers
    )
    network.train()
    epoch_loss = 0.0
    for batch in stopwatch.waits_for(loader):
        images, labels = batch["image"].to(device), batch["label"].to(device)
        optimiser.zero_grad()
        loss = loss_function(network(images), labels)
        loss.backward()
        optimiser.step()
        epoch_loss += loss.item()
        stopwatch.step_done(images)


PEERS: dict[str, Callable[..., None]] = {
    "nnunet": train_as_nnunet,
    "monai": train_as_monai,
    "blastct": train_as_blast_ct,
}
"""By the name of the framework."""


def train(
    way: str,
    job: Any,
    folder: Path,
    stopwatch: Stopwatch,
    peer_compiles: bool = True,
    peer_noise_maps: int = STOCK_NOISE_MAPS,
) -> None:
    """Train in one of WAYS, until all is timed.

    Args:
        way: of WAYS.
        job: what is trained.
        folder: into which the training writes.
        stopwatch: times it.
        peer_compiles: whether nnU-Net's trainer may compile its network.
        peer_noise_maps: how many maps of elastic noise ``blast-ct-train`` makes before its first step.
    """
    os.environ |= {"nnUNet_compile": str(peer_compiles)}  # ours overrules it
    framework = job.settings.framework
    of_peer = {"noise_maps": peer_noise_maps} if framework == "blastct" else {}
    ways = {
        "ours": train_as_the_workflow,
        "peer": partial(PEERS[framework], **of_peer),
        "ceiling": train_on_data_at_rest,
    }
    with suppress(AllTimed):
        ways[way](job, folder, stopwatch)
