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
from pathlib import Path
from typing import Any

from ingest import cpu_model, load_average
from ways_of_training import NETWORKS, WAYS, Scale, Stopwatch, timed_job, train, window, write_scans

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "workflow" / "scripts"
PACKAGES = ("torch", "nnunetv2", "monai", "blast-ct", "numpy")

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
            scale = SCALES[sys.argv[2]]
            write_scans(scale.config, scale.scans, Path(sys.argv[3]))
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


def measure_model(scale: Scale, folder: Path, key: str, rounds: int) -> None:
    """Prepare the data, let the ways of training take turns, write what was measured."""
    import torch

    from headct.engine.determinism import choose_algorithms
    from headct.frameworks.base import find_framework

    job = timed_job(scale, folder, key)
    framework = job.settings.framework
    torch.set_num_threads(job.threads)
    choose_algorithms(deterministic=False)
    started = time.perf_counter()
    find_framework(framework).prepare(
        job.training_scans, job.settings, job.shared_folder, job.threads, job.labels
    )
    seconds = time.perf_counter() - started
    first, last = window(scale, job.settings)
    timed: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    for turn in range(rounds):
        for way in WAYS:
            results = folder / f"{key}-{way}-{turn}"
            results.mkdir()
            stopwatch = Stopwatch(first, last, job.device)
            train(way, job, results, stopwatch)
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
