"""Training speed: the workflow's loop against each framework's own trainer, and against data at rest.

    .venv/bin/python benchmarks/training.py --scale small > benchmarks/training.md

Every model has a process of its own, in which three ways of training take turns, on the same scans,
patches and batches and with the same network:

- ours: the adapter as ``python -m headct train`` calls it, from prepared data on the disk;
- peer: nnU-Net's trainer as ``nnUNetv2_train`` runs it, ``blast-ct-train``, or a script after MONAI's
  tutorial;
- ceiling: our optimiser's steps on a few batches that lie on the device, so that nothing is waited for.

``--scale full`` has the study's patches, networks and augmentation, and needs a GPU.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from ingest import cpu_model, load_average

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "workflow" / "scripts"
WAYS = ("ours", "peer", "ceiling")
NETWORKS = ("blast-ct", "deeplabv3plus", "unet", "nnunet-2d", "nnunet-3d-dicece")
PACKAGES = ("torch", "nnunetv2", "monai", "blast-ct", "numpy")
BATCHES_AT_REST = 4
STOCK_NOISE_MAPS = 3  # blast_ct/data/config.json


@dataclass(frozen=True)
class Scale:
    """What is trained on what, and for how long.

    ``scans`` are simulated by the phantom of ``config``, whose settings ``changes`` replaces, by framework.
    ``warm_up`` steps are not timed, the ``timed`` steps after them are. BLAST-CT's deformed scans last for an
    epoch, so there one epoch is warm-up, and one is timed.
    """

    config: str
    models: tuple[str, ...]
    scans: int
    rounds: int
    warm_up: int
    timed: int
    changes: dict[str, dict[str, Any]]


SCALES = {
    "small": Scale(
        config="demo.yaml",
        models=(*NETWORKS, "nnunet-3d-focal"),  # the losses differ in little else
        scans=8,
        rounds=3,
        warm_up=10,
        timed=30,
        changes={
            "nnunet": {"workers": 1, "optimiser": "sgd"},
            "monai": {"workers": 1},
            # as many patches per deformed scan as in the study
            "blastct": {"workers": 1, "images_per_epoch": 5, "patches_per_image": 20, "batch_size": 5},
        },
    ),
    "full": Scale(
        config="simulated_full.yaml",
        models=(
            *NETWORKS,
            *(f"nnunet-3d-{loss}" for loss in ("tversky", "dicetopk", "focaltversky", "focal")),
        ),
        scans=50,
        rounds=2,
        warm_up=30,
        timed=100,
        changes={},
    ),
}


def main() -> None:
    """Measure all models, print the report; or, with a first word, do one part of it in this process."""
    sys.path.insert(0, str(SCRIPTS))
    match sys.argv[1:2]:
        case ["scans"]:
            write_scans(SCALES[sys.argv[2]], Path(sys.argv[3]))
        case ["model"]:
            measure_model(SCALES[sys.argv[2]], Path(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
        case _:
            compare()


def compare() -> None:
    """All models at one scale."""
    from headct.settings import configuration

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", choices=SCALES, default="small")
    parser.add_argument("--models", nargs="+", help="keys in the configuration (default: by scale)")
    parser.add_argument("--rounds", type=int, help="times that each way has its turn (default: by scale)")
    options = parser.parse_args()
    scale = SCALES[options.scale]
    config = configuration.load(ROOT / "config" / scale.config)
    before, found = load_average(), {}
    with tempfile.TemporaryDirectory() as folder:
        run_part(config, Path(folder), "scans", options.scale, folder)
        for key in options.models or scale.models:
            rounds = options.rounds or scale.rounds
            run_part(config, Path(folder), "model", options.scale, folder, key, str(rounds))
            found[key] = json.loads((Path(folder) / f"{key}.json").read_text(encoding="utf-8"))
            print(f"{key}: {', '.join(cells(found[key]))}", file=sys.stderr)
    print(report(found, options.scale, config, f"{before} and {load_average()}"))


def run_part(config: dict[str, Any], folder: Path, *words: str) -> None:
    """Run one part of the benchmark in a process of its own, with the threads of a training job."""
    threads = str(config["resources"]["train"]["threads"])
    environment = os.environ | {"OMP_NUM_THREADS": threads, "OMP_WAIT_POLICY": "PASSIVE"}
    log = folder / "log.txt"
    with log.open("w") as written:
        done = subprocess.run(
            [sys.executable, str(Path(__file__)), *words],
            env=environment | {"PYTHONPATH": str(SCRIPTS)},
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    if done.returncode:
        sys.exit(f"{log.read_text(errors='replace')[-4000:]}\nfailed: {' '.join(words)}")


def write_scans(scale: Scale, folder: Path) -> None:
    """Simulate the scans, as upright volumes with their true labels."""
    from headct.engine.processes import in_processes
    from headct.settings import blocks
    from headct.simulate.settings import from_block

    config = blocks.load(ROOT / "config" / scale.config)
    settings = from_block(config.phantom, config.labels, scale.config)
    tasks = [(settings, f"P{number:04d}", folder) for number in range(1, scale.scans + 1)]
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


def measure_model(scale: Scale, folder: Path, key: str, rounds: int) -> None:
    """Prepare the data, let the ways of training take turns, write what was measured."""
    import torch

    from headct.engine.determinism import choose_algorithms
    from headct.frameworks.base import find_framework

    job = training_job(scale, folder, key)
    framework = job.settings.framework
    torch.set_num_threads(job.threads)
    choose_algorithms(deterministic=False)
    started = time.perf_counter()
    find_framework(framework).prepare(
        job.training_scans, job.settings, job.shared_folder, job.threads, job.labels
    )
    seconds = time.perf_counter() - started
    first, last = window(scale, job.settings)
    ways: dict[str, Callable[[Any, Path, Stopwatch], None]] = {
        "ours": train_as_the_workflow,
        "peer": {"nnunet": train_as_nnunet, "monai": train_as_monai, "blastct": train_as_blast_ct}[framework],
        "ceiling": train_on_data_at_rest,
    }
    timed: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for turn in range(rounds):
        for way in WAYS:
            results = folder / f"{key}-{way}-{turn}"
            results.mkdir()
            stopwatch = Stopwatch(first, last, job.device)
            ways[way](job, results, stopwatch)
            timed[way].append(stopwatch.result())
    shapes = {tuple(sorted(one["shape"])) for turns in timed.values() for one in turns}
    assert len(shapes) == 1, f"the ways of training had different batches: {timed}"
    record = {
        "framework": framework,
        "preparation_s": seconds,
        "device": torch.cuda.get_device_name() if job.device == "cuda" else None,
        "workers": job.settings.workers,
        **timed,
    }
    (folder / f"{key}.json").write_text(json.dumps(record), encoding="utf-8")


def training_job(scale: Scale, folder: Path, key: str) -> Any:
    """The model's run as the configuration describes it, but for its length and its checkpoints."""
    from headct.contracts.labels import study_labels
    from headct.engine.training_job import TrainingJob, TrainingScan
    from headct.frameworks.base import find_framework
    from headct.settings import blocks, models

    config = blocks.load(ROOT / "config" / scale.config)
    framework = find_framework(config.models[key].framework)
    changes = dict(scale.changes.get(framework.name, {}))
    changes |= {"epochs": 1, "checkpoint_interval_epochs": sys.maxsize, "checkpoint_interval_minutes": 1e6}
    if framework.name == "blastct":
        changes["epochs"] = 2
    else:
        changes |= {"iterations_per_epoch": scale.warm_up + scale.timed}
    if framework.name == "nnunet":
        changes["validation_iterations_per_epoch"] = 1
    settings = models.merged(framework.trains_by, framework.name, config.models[key].settings, changes)
    scans = tuple(
        TrainingScan(name, folder / f"{name}-ct.nii.gz", folder / f"{name}-labels.nii.gz", sha256=name)
        for name in sorted(path.name.removesuffix("-ct.nii.gz") for path in folder.glob("*-ct.nii.gz"))
    )
    threads = config.resources.train.threads
    return TrainingJob(
        key, settings, scans, (), 1, "all", config.device, threads, folder / framework.name, study_labels()
    )


def window(scale: Scale, settings: Any) -> tuple[int, int]:
    """Numbers of the steps after which the clock is started and stopped."""
    if settings.framework != "blastct":
        return scale.warm_up, scale.warm_up + scale.timed
    per_epoch = settings.images_per_epoch * settings.patches_per_image // settings.batch_size
    return per_epoch, 2 * per_epoch


class Moment(NamedTuple):
    """Seconds by the clock, and of CPU time, that of this process and that of its data workers."""

    wall_s: float
    trainer_cpu_s: float
    workers_cpu_s: float


class Stopwatch:
    """Times a training from its start to its first step, and the steps between two numbers.

    What lies between these steps counts: waiting for batches, moving them, bookkeeping. A GPU is waited for
    at both ends, else never.
    """

    def __init__(self, first: int, last: int, device: str):
        self.first, self.last, self.device = first, last, device
        self.done = 0
        self.shape: tuple[int, ...] = ()
        self.at = {0: self._now()}
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
        """Take note that a step on ``images`` (patches first) is done."""
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

    def result(self) -> dict[str, Any]:
        """Patches per second, CPU seconds per patch, start-up, GPU utilisation in percent, shape."""
        patches = (self.last - self.first) * self.shape[0]
        start, end = self.at[self.first], self.at[self.last]
        return {
            "patches_per_s": patches / (end.wall_s - start.wall_s),
            "trainer_cpu_s": (end.trainer_cpu_s - start.trainer_cpu_s) / patches,
            "workers_cpu_s": (end.workers_cpu_s - start.workers_cpu_s) / patches,
            "start_up_s": self.at[1].wall_s - self.at[0].wall_s,
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
        if self.device == "cuda":
            import torch

            gpu = f"--id=GPU-{torch.cuda.get_device_properties(0).uuid}"
            self.process = subprocess.Popen([*self.COMMAND, gpu], stdout=subprocess.PIPE, text=True)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.percent = [float(line) for line in self.process.communicate()[0].split()]

    def mean(self) -> float | None:
        """In percent; None without a GPU."""
        return sum(self.percent) / len(self.percent) if self.percent else None


def train_as_the_workflow(job: Any, folder: Path, stopwatch: Stopwatch) -> None:
    """The adapter's training, with the workflow's own loop."""
    from headct.engine.loop import fit

    def timed_fit(job: Any, learner: Any, folder: Path) -> Any:
        learner.learn = stopwatch.after(learner.learn, lambda images, *_: images)
        return fit(job, learner, folder)

    _train(job, folder, timed_fit)


def train_on_data_at_rest(job: Any, folder: Path, stopwatch: Stopwatch) -> None:
    """The adapter's network and step on batches that are made beforehand."""
    import torch

    from headct.engine.batches import in_order
    from headct.engine.loop import Position

    def steps(job: Any, learner: Any, folder: Path) -> Position:
        batches = list(in_order(learner.training_batches, 0, BATCHES_AT_REST, 0, job.device))
        learn = stopwatch.after(learner.learn, lambda images, *_: images)
        for number in range(stopwatch.last):
            learn(*batches[number % BATCHES_AT_REST])
        return Position(torch.zeros(()))

    _train(job, folder, steps)


def _train(job: Any, folder: Path, fit: Callable[..., Any]) -> None:
    from headct.frameworks.base import find_framework

    framework = find_framework(job.settings.framework)
    with patch(f"{framework.module('training')}.fit", fit):
        framework.train(job, folder)


def train_as_nnunet(job: Any, folder: Path, stopwatch: Stopwatch) -> None:
    """nnU-Net's trainer of the same loss, made and run as ``nnUNetv2_train`` does, on the same volumes.

    Without checkpoints, and compiled where nnU-Net would.
    """
    import torch

    from headct.frameworks.nnunet.data import dataset_json
    from headct.frameworks.nnunet.plans import plans_of_configuration
    from headct.frameworks.nnunet.training import TRAINERS, prepare

    settings, configuration = job.settings, job.settings.configuration
    planned = prepare(job.training_scans, settings, job.shared_folder, job.threads)["plans"]
    plans = plans_of_configuration(planned, configuration, settings.plan_changes.get(configuration))
    os.environ |= {"nnUNet_results": str(folder), "nnUNet_n_proc_DA": str(settings.workers)}
    os.environ.pop("nnUNet_compile", None)  # nnU-Net has its default then
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


def train_as_blast_ct(job: Any, folder: Path, stopwatch: Stopwatch) -> None:
    """``blast-ct-train`` on the NIfTI files, with the same network, sampling and augmentation.

    Its validation, which can't be left out, is one patch after the last epoch.
    """
    import blast_ct.train
    from blast_ct.trainer.hooks import Hook

    class Timed(Hook):  # type: ignore[misc]
        def after_batch(self) -> None:
            stopwatch.step_done(self.model_trainer.current_state["image"])

    sheet, config = folder / "scans.csv", folder / "config.json"
    rows = [f"{scan.scan_id},{scan.ct},{scan.labels}" for scan in job.training_scans]
    sheet.write_text("\n".join(["id,image,target", *rows]), encoding="utf-8")
    config.write_text(json.dumps(stock_blast_ct_configuration(job.settings)), encoding="utf-8")
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


def stock_blast_ct_configuration(settings: Any) -> dict[str, Any]:
    """The settings as ``blast-ct-train`` reads them; what we have no setting for is as blast_ct ships it."""
    from headct.contracts.labels import study_labels
    from headct.frameworks.blastct.training import package_configuration

    labels = study_labels()
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
                "num_maps": STOCK_NOISE_MAPS,
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
    for batch in loader:
        images, labels = batch["image"].to(device), batch["label"].to(device)
        optimiser.zero_grad()
        loss = loss_function(network(images), labels)
        loss.backward()
        optimiser.step()
        epoch_loss += loss.item()
        stopwatch.step_done(images)


def cells(record: dict[str, Any]) -> list[str]:
    """One model's row of the table."""
    shape = record["ours"][0]["shape"]
    rate = {way: max(one["patches_per_s"] for one in record[way]) for way in WAYS}
    slowest = {way: min(one["patches_per_s"] for one in record[way]) for way in WAYS}
    trainer = {way: 1000 * min(one["trainer_cpu_s"] for one in record[way]) for way in WAYS}
    workers = {way: 1000 * min(one["workers_cpu_s"] for one in record[way]) for way in WAYS}
    bound = {way: max(trainer[way], workers[way] / max(1, record["workers"])) for way in WAYS}
    start_up = {way: min(one["start_up_s"] for one in record[way]) for way in WAYS}
    return [
        f"{shape[0]} × {'×'.join(map(str, shape[2:]))}",
        *(f"{rate[way]:.1f} ({slowest[way]:.1f})" for way in WAYS),
        *(f"{rate['ours'] / rate[way]:.2f}" for way in ("peer", "ceiling")),
        *(f"{trainer[way]:.1f} + {workers[way]:.1f}" for way in ("ours", "peer")),
        f"{trainer['ceiling']:.1f}",
        *(f"{bound[way] / bound['ours']:.2f}" for way in ("peer", "ceiling")),
        *(f"{start_up[way]:.1f}" for way in ("ours", "peer")),
        *(utilisation(record[way]) for way in ("ours", "peer")),
    ]


def utilisation(rounds: list[dict[str, Any]]) -> str:
    """Of the GPU, in the fastest round; a dash without one."""
    value = max(rounds, key=lambda one: one["patches_per_s"])["utilisation"]
    return "–" if value is None else f"{value:.0f} %"


HEADER = """\
| model | batch × patch | patches/s: ours | peer | ceiling | ours / peer | ours / ceiling \
| CPU ms/patch: ours | peer | ceiling | by CPU: ours / peer | ours / ceiling \
| start-up, s: ours | peer | GPU busy: ours | peer |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|"""

NOTES = """\
Ours: the loop of `python -m headct train`, from prepared data. Peer: nnU-Net's trainer with the same \
loss, as `nnUNetv2_train` runs it; `blast-ct-train`; for deeplabv3plus and unet a script after MONAI's \
spleen tutorial (CacheDataset). Ceiling: our optimiser's steps on batches that lie on the device. All three \
have the same scans, patches (z × y × x), batches, network and number of data workers; none writes \
checkpoints or validates while it is timed.

The three took turns, {rounds} times. Rates are of the fastest turn (in brackets the slowest), CPU times of \
the cheapest: training process + data workers. "By CPU" compares the speeds that these times allow where \
each process has a core: on a machine that others use, too, rates depend on who else is at work, and these \
hardly. On a GPU rates count alone.

Start-up is from the call to the end of the first step, without imports and without preparing the data, \
which ours does once; it is in that of the MONAI script, and in that of `blast-ct-train` with its elastic \
noise."""


def report(found: dict[str, dict[str, Any]], scale: str, config: dict[str, Any], load: str) -> str:
    """The measurements as Markdown."""
    one = next(iter(found.values()))
    rows = [f"| {key} | {' | '.join(cells(record))} |" for key, record in found.items()]
    preparation = [f"{key} {record['preparation_s']:.1f}" for key, record in found.items()]
    return f"""# Training: patches per second

{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, commit {commit()}, scale `{scale}` \
(`config/{SCALES[scale].config}`); {device(one, config)}; {versions()}. \
Load of the machine before and after: {load}.

{HEADER}
{chr(10).join(rows)}

{NOTES.format(rounds=len(one["ours"]))}

Seconds of preparing {SCALES[scale].scans} scans (where several models learn from the same data, the first \
does it for all): {", ".join(preparation)}."""


def device(record: dict[str, Any], config: dict[str, Any]) -> str:
    """What the training ran on."""
    threads, workers = config["resources"]["train"]["threads"], record["workers"]
    processor = f"{cpu_model()}, {os.cpu_count()} cores, {threads} threads, {workers} data workers"
    return processor if record["device"] is None else f"{record['device']}, {processor}"


def commit() -> str:
    """The commit that is checked out; marked where files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def versions() -> str:
    """Versions of what is compared."""
    python = f"Python {platform.python_version()}"
    return ", ".join([python, *(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)])


if __name__ == "__main__":
    main()
