"""Part 1: is what a GPU computes right? Each kind of model on simulated scans of 64 × 64 pixels.

- The tests marked ``gpu``.
- Two trainings with the same seed end in the same weights, and so does one that is killed and goes on.
- A network gives the same labels on the GPU and on the CPU.
- A prediction that runs out of GPU memory goes on in a more frugal way, to the same labels.

Everything is tried; what does not hold stands in bold in its table, and fails this program at its end.
On a CPU the labels with one thread and with two are compared, and no memory is exhausted.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from common import (
    ROOT,
    TESTS,
    Options,
    add_note,
    add_row,
    data_folder,
    in_process,
    last_line,
    options,
    prepare_processes,
    result,
    start,
)
from ways_of_training import training_job, write_scans

MODELS = ("nnunet-3d-dicece", "unet", "blast-ct", "nnunet-2d", "deeplabv3plus", "nnunet-3d-focal")
SCANS = 6
TESTED = "Tests that need a GPU"
TWICE = "Trained twice with the same seed, and killed and gone on"
LABELS = "The same labels"
MEMORY = "Out of GPU memory at prediction"
LEAST_DICE, LEAST_ML = 0.999, 1.0
"""Labels are the same if the Dice of each class of at least so many mL is at least this."""

LIMITS = {"the whole prediction": (0.8, 0.6, 0.45, 0.3, 0.2, 0.1), "the network's part": (0.9, 0.7, 0.5)}
"""Shares of the memory that each takes beside the network's weights, to which a prediction is held in turn.

Where the way back to the scan's grid takes most, a share of the whole leaves the network all that it needs.
"""

GIB_PER_TRAINING = 6
"""Of GPU memory: fewer trainings run side by side on a smaller GPU."""

FORWARD_OF_LOSS = re.compile(r"loss\w*_forward")
"""Operators that sum up a loss: their order of summation changes what is told of it, not its gradient."""


@dataclass(frozen=True)
class Scale:
    """What is trained for how long.

    ``config`` has the settings of the ``models`` that are trained twice, with ``changes`` by framework; they
    train for three epochs of ``steps`` steps. Networks whose labels are compared have the demo's settings,
    with which a small network learns something in ``steps_to_learn`` steps.
    """

    config: str
    models: Sequence[str]
    changes: dict[str, dict[str, Any]]
    steps: int
    steps_to_learn: int
    scans_to_compare: int
    side_by_side: int
    workers: int


EPOCHS = 3
SCALES = {
    "full": Scale(
        config="simulated_full.yaml",
        models=MODELS,
        changes={
            "nnunet": {},
            "monai": {"scans_per_batch": 1, "patches_per_scan": 2},
            "blastct": {"patches_per_image": 4, "batch_size": 2, "elastic_noise_size_voxels": 256},
        },
        steps=10,
        steps_to_learn=150,
        scans_to_compare=2,
        side_by_side=6,
        workers=2,
    ),
    "small": Scale(
        config="demo.yaml",
        models=MODELS[:3],  # one of each framework: the others are trained by the same code
        changes={
            "nnunet": {},
            "monai": {"scans_per_batch": 2},
            "blastct": {"patches_per_image": 4, "batch_size": 2},
        },
        steps=3,
        steps_to_learn=9,
        scans_to_compare=1,
        side_by_side=2,
        workers=1,
    ),
}

WRONG: list[str] = []
"""What did not hold, in words."""


def main() -> None:
    """Everything at once that does not disturb each other: nothing here is timed."""
    given = options(__doc__)
    scale = SCALES[given.scale]
    prepare_processes()
    with data_folder() as data:
        folder = data / "correct"
        folder.mkdir()
        tests, report = start_tests(folder)
        write_scans("demo.yaml", SCANS, folder)
        tasks: list[Callable[[], None]] = [
            lambda key=key: same_weights(given, scale, folder, key) for key in scale.models
        ]
        tasks += [lambda key=key: same_labels(given, scale, folder, key) for key in scale.models]
        side_by_side = at_once(scale, in_process(gpu_gib) if given.device == "cuda" else None)
        with ThreadPoolExecutor(1) as waiting, ThreadPoolExecutor(side_by_side) as pool:
            row_of_tests = waiting.submit(tell_of_tests, given, tests, report)  # as soon as the tests end
            for done in as_completed([row_of_tests, *(pool.submit(task) for task in tasks)]):
                done.result()
    add_notes(given, scale)
    if WRONG:
        sys.exit("Not as it should be: " + "; ".join(WRONG))


def gpu_gib() -> float:
    """Memory of the GPU."""
    import torch

    return torch.cuda.get_device_properties(0).total_memory / 2**30


def at_once(scale: Scale, gib: float | None) -> int:
    """How many tasks run side by side: as many as cores and the GPU's memory, if there is one, allow."""
    allowed = min(scale.side_by_side, len(os.sched_getaffinity(0)))
    return allowed if gib is None else max(1, min(allowed, int(gib // GIB_PER_TRAINING)))


def wrong(what: str) -> str:
    """Take note that something does not hold; it stands in bold in its table."""
    WRONG.append(what)
    return what


# -- tests marked gpu ------------------------------------------------------------------------------------


def start_tests(folder: Path) -> tuple[subprocess.Popen[str], Path]:
    """The tests marked ``gpu`` in a process of their own, and where their report will be."""
    report = folder / "tests.xml"
    modules = [
        str(path) for path in sorted(TESTS.rglob("test_*.py")) if "mark.gpu" in path.read_text("utf-8")
    ]
    # Other versions than the locked ones may warn of other things, which is no failure here.
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", "-W", "default"]
    command += [f"--junitxml={report}", *modules]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ), report


def tell_of_tests(given: Options, tests: subprocess.Popen[str], report: Path) -> None:
    """One row for all tests; on a GPU none may be skipped."""
    printed = tests.communicate()[0]
    if not report.exists():
        print(printed)
        add_row(given.out, TESTED, {"tests": f"**{wrong('the tests did not run')}**"})
        return
    suite = next(xml.etree.ElementTree.parse(report).iter("testsuite"))
    cases = list(suite.iter("testcase"))
    of = {
        kind: [case.get("name") for case in cases if case.find(kind) is not None]
        for kind in ("failure", "error", "skipped")
    }
    failed = of["failure"] + of["error"]
    if failed:
        print(printed)
        wrong(f"tests failed: {', '.join(map(str, failed))}")
    if given.device == "cuda" and (of["skipped"] or not cases):
        wrong("tests were skipped on a GPU")
    row = {
        "tests": len(cases),
        "passed": len(cases) - len(failed) - len(of["skipped"]),
        "failed": f"**{', '.join(map(str, failed))}**" if failed else 0,
        "skipped": len(of["skipped"]),
        "seconds": float(suite.get("time", 0)),
    }
    add_row(given.out, TESTED, row)


# -- the same weights ------------------------------------------------------------------------------------


def job_of(
    key: str, folder: Path, config: str, changes: dict[str, dict[str, Any]], device: str, **all_have: Any
) -> Any:
    """A training of three epochs; ``all_have`` are settings of every framework, or of the length."""
    from headct.settings import blocks

    read = blocks.load(ROOT / "config" / config)
    framework = read.models[key].framework
    steps, workers = all_have["steps"], all_have["workers"]
    of_framework = dict(changes.get(framework, {}))
    length: dict[str, Any] = {"epochs": EPOCHS, "workers": workers, "checkpoint_interval_epochs": 1}
    if framework == "blastct":
        settings = read.models[key].settings | of_framework
        length["images_per_epoch"] = steps * settings["batch_size"] // settings["patches_per_image"]
    else:
        length["iterations_per_epoch"] = steps
    if framework == "nnunet":
        length["validation_iterations_per_epoch"] = 1
    job = training_job(read, key, folder, of_framework | length, device)
    return replace(job, deterministic=device == "cuda", threads=1 if device == "cpu" else 4)


def same_weights(given: Options, scale: Scale, folder: Path, key: str) -> None:
    """Train twice; train, kill and go on; a row that says whether all three are equal."""
    started = time.monotonic()
    job = job_of(
        key, folder, scale.config, scale.changes, given.device, steps=scale.steps, workers=scale.workers
    )
    row: dict[str, Any] = {"model": key, "steps": EPOCHS * scale.steps}
    try:
        first, again, operators = in_process(train_twice, job, folder / f"{key}-twice")
        of_weights = [name for name in operators if not FORWARD_OF_LOSS.search(name)]
        killed_after = train_and_kill(job, folder / f"{key}-killed", EPOCHS * scale.steps)
        resumed = in_process(train_once, job, folder / f"{key}-killed")
    except RuntimeError as error:
        print(error)
        row["twice: weights"] = f"**{wrong(f'{key} did not train')}: {last_line(error)}**"
    else:
        row |= {
            "twice: weights": said_equal(
                first.weights == again.weights, f"{key}: weights of two trainings differ", of_weights
            ),
            "twice: losses": said_equal(
                first.losses == again.losses, f"{key}: losses of two trainings differ", operators
            ),
            "operators without a deterministic form": ", ".join(operators) or "none",
            "killed after step": killed_after,
            "gone on: weights": said_equal(
                first.weights == resumed.weights, f"{key}: gone on, its weights differ", of_weights
            ),
            "gone on: losses": said_equal(
                first.losses == resumed.losses, f"{key}: gone on, its losses differ", operators
            ),
            "seconds": round(time.monotonic() - started, 1),
        }
    add_row(given.out, TWICE, row)


def said_equal(equal: bool, difference: str, operators: list[str]) -> str:
    """Bold where none of the operators explains a difference."""
    if equal:
        return "equal"
    return "differs" if operators else f"**{wrong(difference)}**"


class Digests(NamedTuple):
    """Of what a training ends with: its weights, and the losses of its history."""

    weights: str
    losses: str


def train_once(job: Any, folder: Path) -> Digests:
    """Train to the end, from a checkpoint if there is one."""
    import torch

    from headct.engine.determinism import choose_algorithms
    from headct.frameworks.base import find_framework
    from headct.frameworks.train import save_weights

    folder.mkdir(exist_ok=True)
    torch.set_num_threads(job.threads)
    choose_algorithms(job.deterministic)
    trained = find_framework(job.settings.framework).train(job, folder)
    weights = save_weights(trained, folder / "final.pth")
    return Digests(weights, hashlib.sha256(json.dumps(trained.history).encode()).hexdigest())


def train_twice(job: Any, folder: Path) -> tuple[Digests, Digests, list[str]]:
    """Digests of two trainings, and the operators of them that PyTorch has in no deterministic form."""
    from headct.engine.determinism import nondeterministic_operators

    folder.mkdir()
    with nondeterministic_operators() as operators:
        digests = [train_once(job, folder / name) for name in ("one", "other")]
    return digests[0], digests[1], sorted(operators)


def train_and_wait(job: Any, folder: Path, waits_before: int) -> None:
    """Train, but never write the last checkpoint: whoever kills this process does not come too late."""
    from headct.engine import checkpoints

    really = checkpoints.save

    def save(folder: Path, state: dict[str, Any], step: int) -> None:
        while step == waits_before:
            time.sleep(1)
        really(folder, state, step)

    checkpoints.save = save
    train_once(job, folder)


def train_and_kill(job: Any, folder: Path, last_step: int) -> int:
    """Begin a training and kill it after its first checkpoint; the step of the last one that is there."""
    from headct.engine import checkpoints

    folder.mkdir()
    process, receives = start(train_and_wait, job, folder, last_step)
    while process.is_alive() and not checkpoints.latest_step(folder):
        time.sleep(0.02)
    if not process.is_alive():
        result(process, receives)
    process.kill()
    process.join()
    return checkpoints.latest_step(folder)


# -- the same labels -------------------------------------------------------------------------------------


def same_labels(given: Options, scale: Scale, folder: Path, key: str) -> None:
    """Train the demo's network, predict on both devices, exhaust the GPU's memory; a row of each."""
    job = job_of(
        key,
        folder,
        "demo.yaml",
        {},
        given.device,
        steps=-(-scale.steps_to_learn // EPOCHS),
        workers=scale.workers,
    )
    ways = {"cuda": ("GPU and CPU", "cuda", "cpu"), "cpu": ("CPU, 1 and 2 threads", "cpu", "cpu")}
    named, *devices = ways[given.device]
    row: dict[str, Any] = {"model": key, "compared": named}
    try:
        compared = in_process(
            train_and_compare, job, folder / f"{key}-labels", devices, scale.scans_to_compare
        )
        row |= {label: dice_in_print(key, label, *values) for label, values in compared.items()}
        exhausted = in_process(exhaust_memory, key, folder, given.device) if given.device == "cuda" else []
    except RuntimeError as error:
        print(error)
        row["Dice"] = f"**{wrong(f'{key} did not predict')}: {last_line(error)}**"
        exhausted = None
    add_row(given.out, LABELS, row)
    tell_of_memory(given, key, exhausted)


def dice_in_print(key: str, label: str, dice: float | None, ml: float) -> str:
    """The Dice, in bold if it is too low, and the mL that the class has."""
    if dice is None:
        return "in neither"
    if ml >= LEAST_ML and dice < LEAST_DICE:
        return f"**{wrong(f'{key}, {label}: Dice {dice:.5f}')}** ({ml:.1f} mL)"
    return f"{dice:.5f} ({ml:.1f} mL)"


def train_and_compare(
    job: Any, folder: Path, devices: list[str], n_scans: int
) -> dict[str, tuple[float | None, float]]:
    """Dice between the labels of both devices, and mL, of each class in some scans together.

    On one and the same device, the second prediction has two threads. For a GPU the scans have as many
    voxels as the study's, so that a mL is hundreds of them.
    """
    import torch

    train_once(job, folder)
    as_compared = enlarged if "cuda" in devices else read
    scans, maps = [as_compared(scan.ct) for scan in job.training_scans[:n_scans]], []
    for threads, device in enumerate(devices, start=1):
        torch.set_num_threads(threads if device == "cpu" else job.threads)
        predictor = load(job.model, folder, device)
        maps.append([labels_of(predictor, scan) for scan in scans])
    voxels_ml = [voxel_ml(scan) for scan in scans]
    return {label: dice_and_ml(value, *maps, voxels_ml) for label, value in job.labels.items()}


def dice_and_ml(
    value: int, first: list[Any], second: list[Any], voxels_ml: list[float]
) -> tuple[float | None, float]:
    """Of all scans together; the mL are those of the larger. None where neither has the class."""
    both = sum(((a == value) & (b == value)).sum() for a, b in zip(first, second, strict=True))
    sums = [sum((one == value).sum() for one in maps) for maps in (first, second)]
    ml = max(
        sum((one == value).sum() * each for one, each in zip(maps, voxels_ml, strict=True))
        for maps in (first, second)
    )
    return (float(2 * both / sum(sums)) if sum(sums) else None), float(ml)


def voxel_ml(image: Any) -> float:
    """mL of a voxel of a scan."""
    return math.prod(image.GetSpacing()) / 1000


def load(key: str, folder: Path, device: str) -> Any:
    """The predictor of a model that was trained here."""
    from headct.contracts.labels import label_set
    from headct.frameworks.base import find_framework
    from headct.settings import blocks, models

    model = blocks.load(ROOT / "config" / "demo.yaml").models[key]
    framework = find_framework(model.framework)
    settings = models.of_model(framework.predicts_by, model)
    return framework.load(folder, device, settings, label_set(("ICH", "PHE", "IVH")))


def read(ct: Path) -> Any:
    """A scan as an image."""
    import SimpleITK as sitk

    return sitk.ReadImage(str(ct))


def labels_of(predictor: Any, image: Any) -> Any:
    """The label map of a scan."""
    import torch

    from headct.inference.pipeline import Average

    average = Average()
    with torch.inference_mode():
        prepared = predictor.prepare(image)
        average.add(predictor.restore(prepared, predictor.infer(prepared)), 1)
    return average.labels(image)


# -- out of memory ---------------------------------------------------------------------------------------


def exhaust_memory(key: str, folder: Path, device: str) -> list[dict[str, Any]]:
    """Predict a scan of 512 × 512 × 40 with ever less memory; what was said, and whether labels stayed."""
    import torch

    predictor = load(key, folder / f"{key}-labels", device)
    scan = enlarged(min(folder.glob("*-ct.nii.gz")))
    expected = labels_of(predictor, scan)  # libraries take theirs
    torch.cuda.empty_cache()
    loaded, total = torch.cuda.memory_reserved(), torch.cuda.get_device_properties(0).total_memory
    needs = {
        "the whole prediction": peak_bytes(lambda: labels_of(predictor, scan)),
        "the network's part": peak_of_network(predictor, scan),
    }
    found = []
    for what, shares in LIMITS.items():
        for share in shares:
            torch.cuda.empty_cache()
            limit = loaded + share * (needs[what] - loaded)
            torch.cuda.set_per_process_memory_fraction(limit / total)
            one: dict[str, Any] = {"what": what, "needs_mb": needs[what] / 1e6, "limit_mb": limit / 1e6}
            with messages() as logged:
                try:
                    one["differ"] = int((labels_of(predictor, scan) != expected).sum())
                except RuntimeError as error:  # PyTorch's, or that of a library that had no room to work in
                    print(f"{key}, limit {limit / 1e6:.0f} MB: {error}")
                    one["differ"] = None
            found.append(one | {"said": logged})
            if one["differ"] is None:
                break
    return found


def peak_of_network(predictor: Any, image: Any) -> int:
    """Most that was reserved while the network was at a scan that had been prepared."""
    import torch

    with torch.inference_mode():
        prepared = predictor.prepare(image)
        return peak_bytes(lambda: predictor.infer(prepared))


def peak_bytes(work: Callable[[], Any]) -> int:
    """Most that PyTorch reserved of the GPU's memory meanwhile."""
    import torch

    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    work()
    return torch.cuda.max_memory_reserved()


def enlarged(ct: Path) -> Any:
    """A scan on a grid of 512 × 512 × 40 voxels over the same space."""
    import SimpleITK as sitk

    image, size = read(ct), (512, 512, 40)
    spacing = [mm * old / new for mm, old, new in zip(image.GetSpacing(), image.GetSize(), size, strict=True)]
    return sitk.Resample(
        image,
        size,
        sitk.Transform(),
        sitk.sitkLinear,
        image.GetOrigin(),
        spacing,
        image.GetDirection(),
        -1000.0,
    )


@contextmanager
def messages() -> Any:
    """What is logged within the block of the ways in which memory was saved, each once."""
    logged: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.getMessage() not in logged:
                logged.append(record.getMessage())

    handler = Collector()
    logger = logging.getLogger("headct.inference")
    logger.addHandler(handler)
    try:
        yield logged
    finally:
        logger.removeHandler(handler)


def tell_of_memory(given: Options, key: str, found: list[dict[str, Any]] | None) -> None:
    """Rows for the first limit at which a prediction had to be frugal, and for the last that sufficed.

    Of the limits by the whole prediction's need, and of those by the network's.
    """
    if given.device == "cpu":
        add_row(given.out, MEMORY, {"model": key, "went on with": "not provoked on a CPU"})
        return
    went_on = False
    for what in LIMITS:
        of_this = [one for one in found or [] if one["what"] == what]
        frugal = [one for one in of_this if one["said"] and one["differ"] is not None]
        went_on = went_on or bool(frugal)
        for one in frugal[:: max(1, len(frugal) - 1)]:
            row = {
                "model": key,
                "limit by the need of": what,
                "takes, MB": one["needs_mb"],
                "limit, MB": one["limit_mb"],
                "went on with": "; ".join(message.rpartition("goes on with ")[2] for message in one["said"]),
                "voxels with another label": one["differ"],
            }
            add_row(given.out, MEMORY, row)
    if not went_on:
        sentence = wrong(f"{key}: no frugal way was taken when memory ran out")
        add_row(given.out, MEMORY, {"model": key, "went on with": f"**{sentence}**"})


def add_notes(given: Options, scale: Scale) -> None:
    """What the tables mean."""
    add_note(
        given.out,
        TWICE,
        f"Settings of `config/{scale.config}` but for number and size of batches, `deterministic: true` on a "
        "GPU. Equal means bit for bit; the losses are those of the history. The process is killed (SIGKILL) "
        "after its first checkpoint. A difference is wrong unless PyTorch names operators without a "
        "deterministic form that explain it: one that only sums up a loss explains no other weights.",
    )
    add_note(
        given.out,
        LABELS,
        f"Dice between both label maps (scans: {scale.scans_to_compare}"
        f"{', enlarged to 512 × 512 × 40 voxels' if given.device == 'cuda' else ''}), "
        "and the class's volume, after "
        f"{scale.steps_to_learn} steps with the settings of `config/demo.yaml`. At least {LEAST_DICE} where "
        f"a class has {LEAST_ML:g} mL.",
    )


if __name__ == "__main__":
    main()
