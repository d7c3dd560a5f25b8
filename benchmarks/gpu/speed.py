"""Part 2: how fast is training on a GPU at the study's size, and how long will the study's trainings take?

Each model is trained in three ways, one after the other: ours (the loop of ``headct train``), the ceiling
(the same steps on data that lie on the device), and the peer (nnU-Net's trainer, ``blast-ct-train``, a script
after MONAI's tutorial). Those of all models are measured in the first two ways before any peer is.
``--scale small`` does so on small scans.
"""

from __future__ import annotations

import datetime
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common import (
    ROOT,
    Options,
    add_note,
    add_row,
    data_folder,
    held_against,
    in_process,
    last_line,
    options,
    peak_mb,
    prepare_processes,
    reset_peak,
)
from ways_of_training import Scale, Stopwatch, timed_job, train, window, write_scans

MODELS = ("nnunet-3d-dicece", "unet", "blast-ct", "nnunet-2d", "deeplabv3plus", "nnunet-3d-focal")
PEER_OF = {
    "nnunet": "nnU-Net's trainer, not compiled",
    "blastct": "blast-ct-train",
    "monai": "script after MONAI's tutorial",
}
AIMS = {"nnunet": 1.0, "blastct": 2.0}
"""Of ours against the peer; none is set against MONAI's script."""

CEILING_AIM = 0.95
NOISE_MAPS = 1
"""Of ``blast-ct-train``, which by default makes three before its first step, each for half a minute."""

STUDY = "config.yaml"
STUDY_SCANS = 1558
"""Training scans of the study that is reproduced (docs/reference/models.md)."""

WAYS_TABLE = "Three ways of training"
RATES_TABLE = "Rates, and hours of the study's trainings"


@dataclass(frozen=True)
class Size:
    """Scans of one size, and what is trained on them."""

    scale: Scale
    site: str | None
    phantom: dict[str, Any]


SIZES = {
    "full": Size(
        Scale(
            config="simulated_full.yaml",
            models=MODELS,
            scans=10,  # of fewer, nnU-Net would plan smaller batches: at most a twentieth of all voxels
            rounds=1,
            warm_up=32,  # twice the batches that 8 workers hold ready when the first step is done
            timed=60,
            changes={
                "nnunet": {"workers": 8, "validation_iterations_per_epoch": 12},
                "monai": {"workers": 8},
                # As many deformed scans per step as in the study, which depends on both numbers: each worker
                # deforms the scans of its own batches. The noise covers the scans.
                "blastct": {"workers": 5, "images_per_epoch": 50, "elastic_noise_size_voxels": 256},
            },
        ),
        site="Ashby",  # 31 slices of 5 mm, 512 × 512
        phantom={"subvoxels_through_plane": 1},
    ),
    "small": Size(
        Scale(
            config="demo.yaml",
            models=MODELS[:3],  # one of each framework: the others are trained by the same code
            scans=4,
            rounds=1,
            warm_up=2,
            timed=3,
            changes={
                "nnunet": {"workers": 1, "optimiser": "sgd", "validation_iterations_per_epoch": 2},
                "monai": {"workers": 1, "scans_per_batch": 2},
                "blastct": {"workers": 1, "images_per_epoch": 2, "patches_per_image": 6, "batch_size": 4},
            },
        ),
        site=None,
        phantom={},
    ),
}


def main() -> None:
    """Measure one way after the other, and write a row of each."""
    given = options(__doc__)
    size, failed = SIZES[given.scale], []
    prepare_processes()
    with data_folder() as data:
        folder = data / "speed"
        folder.mkdir()
        write_scans(size.scale.config, size.scale.scans, folder, size.site, **size.phantom)
        prepare(given, size.scale, folder)
        add_note(given.out, WAYS_TABLE, note_on_ways(size.scale, folder))
        add_note(given.out, RATES_TABLE, NOTE_ON_RATES)
        ours: dict[str, dict[str, Any]] = {}
        for key, ways in in_turn(size.scale.models):
            try:
                found = in_process(measure, size.scale, folder, key, ways, given.device)
            except RuntimeError as error:
                print(error)
                failed.append(f"{key}, {' and '.join(ways)}")
                add_row(given.out, WAYS_TABLE, failed_row(key, ways, error))
                continue
            if "ours" in found:
                ours[key] = found["ours"]
                of_study = {} if given.scale == "full" else {"s_per_epoch": None, "hours": None}
                add_row(given.out, RATES_TABLE, rates(key, found["ours"]) | of_study)
            for way in ways:
                try:
                    row = compared(key, way, found[way], ours.get(key), given.device)
                except ValueError as error:
                    failed.append(f"{key}, {way}")
                    row = failed_row(key, (way,), error)
                add_row(given.out, WAYS_TABLE, row)
    if failed:
        sys.exit(f"Failed: {'; '.join(failed)}")


def in_turn(models: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """What is measured in one process each: ours of all models, then the peers, that of BLAST-CT last.

    Hours of the study are known from ours alone; ``blast-ct-train`` takes longest to begin.
    """
    for key in models:
        yield key, ("ours", "ceiling")
    for key in sorted(models, key=lambda key: key == "blast-ct"):
        yield key, ("peer",)


def failed_row(key: str, ways: tuple[str, ...], error: Exception) -> dict[str, Any]:
    """A row that says why there is no measurement."""
    return {"model": key, "way": f"**{' and '.join(ways)} failed**: {last_line(error)}"}


def prepare(given: Options, scale: Scale, folder: Path) -> None:
    """Preprocess the scans for all models, frameworks side by side."""
    started = time.monotonic()
    of_framework: dict[str, list[str]] = {}
    for key in scale.models:
        of_framework.setdefault(timed_job(scale, folder, key).settings.framework, []).append(key)
    with ThreadPoolExecutor() as pool:
        for done in [
            pool.submit(in_process, prepare_for, scale, folder, keys) for keys in of_framework.values()
        ]:
            done.result()
    seconds = time.monotonic() - started
    add_note(given.out, WAYS_TABLE, f"Preparing {scale.scans} scans for all models took {seconds:.0f} s.")


def prepare_for(scale: Scale, folder: Path, keys: list[str]) -> None:
    """Preprocess the scans for some models, without a GPU."""
    from headct.frameworks.base import find_framework

    for key in keys:
        job = timed_job(scale, folder, key, "cpu")
        find_framework(job.settings.framework).prepare(
            job.training_scans, job.settings, job.shared_folder, job.threads, job.labels
        )


def measure(
    scale: Scale, folder: Path, key: str, ways: tuple[str, ...], device: str
) -> dict[str, dict[str, Any]]:
    """Train in some ways, in a process of its own: what the stopwatch says, peak memory, precision.

    Args:
        scale: what is trained for how long.
        folder: of the scans.
        key: of the model.
        ways: in which it is trained, one after the other.
        device: on which it is trained.
    """
    import torch

    from headct.engine.determinism import choose_algorithms
    from headct.engine.machine import device_name
    from headct.frameworks.base import find_framework

    job = timed_job(scale, folder, key, device)
    torch.set_num_threads(job.threads)
    choose_algorithms(deterministic=False)
    found = {}
    for way in ways:
        results = folder / f"{key}-{way}"
        results.mkdir()
        reset_peak(device)
        stopwatch = Stopwatch(*window(scale, job.settings, way), device)
        train(way, job, results, stopwatch, peer_compiles=False, peer_noise_maps=NOISE_MAPS)
        found[way] = stopwatch.result() | {
            "framework": job.settings.framework,
            "rated_as": find_framework(job.settings.framework).rated_as(job.settings),
            "card": device_name(device),
            "precision": precision(job.settings.framework, device),
            "peak_mb": peak_mb(device),
        }
    return found


def precision(framework: str, device: str) -> str:
    """In what the network computes."""
    from headct.engine.machine import single_precision

    return "float16, mixed" if framework == "nnunet" and device == "cuda" else single_precision(device)


def compared(
    key: str, way: str, found: dict[str, Any], ours: dict[str, Any] | None, device: str
) -> dict[str, Any]:
    """A row of one way; that of ours has no ratio.

    Args:
        key: of the model.
        way: in which it was trained.
        found: what was measured.
        ours: what was measured of ours, if it did not fail.
        device: on which it was trained: a CPU is held against no aim.

    Raises:
        ValueError: it was trained on batches of another shape than ours.
    """
    shape = (ours or found)["shape"]  # MONAI's script has the axes in another order
    if sorted(shape) != sorted(found["shape"]):
        raise ValueError(f"its batches of shape {found['shape']} differ from ours, {shape}")
    batch, *patch = shape[0], *shape[2:]
    aim = {"ours": None, "ceiling": CEILING_AIM, "peer": AIMS.get(found["framework"])}[way]
    ratio: str | None = None
    if way != "ours" and ours is not None:
        value = ours["patches_per_s"] / found["patches_per_s"]
        ratio = held_against(value, aim if aim and device == "cuda" else 0.0)
    return {
        "model": key,
        "way": PEER_OF[found["framework"]] if way == "peer" else way,
        "batch × patch": f"{batch} × {'×'.join(map(str, patch))}",
        "samples/s": found["patches_per_s"],
        "ms per step": 1000 * batch / found["patches_per_s"],
        "waiting for data": None if found["waiting"] is None else f"{100 * found['waiting']:.0f} %",
        "GPU busy": None if found["utilisation"] is None else f"{found['utilisation']:.0f} %",
        "peak GPU memory, MB": found["peak_mb"],
        "ours / this": ratio,
        "aim": f"≥ {aim:g}" if aim else None,
    }


def rates(key: str, found: dict[str, Any]) -> dict[str, Any]:
    """A row as ``resources/rates.tsv`` has need of, with the hours of the study's training of this model."""
    from headct.frameworks.base import training_settings
    from headct.settings import blocks

    settings = training_settings(blocks.load(ROOT / "config" / STUDY).models[key])
    batch = found["shape"][0]
    s_per_step = batch / found["patches_per_s"]
    steps = settings.steps(STUDY_SCANS) // settings.epochs
    validation = settings.validation_steps() // settings.epochs
    of_validation_s = found["validation_step_s"] or 0.0
    s_per_epoch = steps * s_per_step + validation * of_validation_s
    return {
        "card": found["card"],
        "date": f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}",
        "model": key,
        "rated as": found["rated_as"],
        "precision": found["precision"],
        "samples_per_s": found["patches_per_s"],
        "peak_gpu_memory_mb": found["peak_mb"],
        "s_per_step": s_per_step,
        "s_per_validation_step": found["validation_step_s"],
        "steps_per_epoch": steps,
        "validation_steps_per_epoch": validation,
        "s_per_epoch": s_per_epoch,
        "epochs": settings.epochs,
        "hours": settings.epochs * s_per_epoch / 3600,
    }


def note_on_ways(scale: Scale, folder: Path) -> str:
    """What the first table means."""
    settings = timed_job(scale, folder, "blast-ct", "cpu").settings
    first, last = window(scale, settings)
    ceiling_first, ceiling_last = window(scale, settings, "ceiling")
    return NOTE_ON_WAYS.format(
        scans=scale.scans,
        config=scale.config,
        warm_up=scale.warm_up,
        timed=scale.timed,
        images=settings.images_per_epoch,
        workers=settings.workers,
        blast_first=first,
        blast_timed=last - first,
        ceiling_first=ceiling_first,
        ceiling_timed=ceiling_last - ceiling_first,
        noise_maps=NOISE_MAPS,
    )


NOTE_ON_WAYS = """\
{scans} simulated scans of `config/{config}`; {timed} steps are timed after {warm_up}, of the ceiling \
{ceiling_timed} after {ceiling_first}. BLAST-CT has {workers} data worker(s) and epochs of {blast_timed} \
steps, for which {images} scans are deformed, all at its start: so many steps are timed after \
{blast_first}, across the start of an epoch. All ways of a model have the same scans, patches \
(z × y × x), batches, network and number of data workers; none writes checkpoints or validates while it \
is timed, and none is compiled, as `compile: false` says (`nnUNetv2_train` compiles by default, for \
minutes at its start). `blast-ct-train` makes {noise_maps} map of elastic noise before its first step, \
not its default of 3. \
Waiting for data is the share of the time for which the loop waited for its next batch, while the GPU \
may still have been at the one before; peak memory is what PyTorch's tensors took, to which some hundred \
MB of CUDA's own come. Bold: less than aimed at."""

NOTE_ON_RATES = f"""\
Of ours. No epoch was run whole: its seconds are its number of steps times the measured seconds per step, \
with nnU-Net's validation likewise and without checkpoints, and the hours are those of all epochs. Steps, \
epochs and batches are those of `config/{STUDY}` with {STUDY_SCANS} training scans. "Rated as" is \
the name in `resources/rates.tsv`."""


if __name__ == "__main__":
    main()
