"""``make gpu``: no figure is lost, nothing of the workflow engine is imported, what is missing is said."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from headct.contracts.repository import REPOSITORY
from headct.engine.batches import BATCHES_AHEAD
from headct.frameworks.blastct.data import ResampledScan, TrainingBatches
from headct.frameworks.blastct.training import package_configuration
from support.label_sets import LABELS

pytestmark = pytest.mark.whole

GPU = REPOSITORY / "benchmarks" / "gpu"
MARKED = sorted(
    path
    for path in (REPOSITORY / "tests").rglob("test_*.py")
    if re.search(r"pytest\.mark\.gpu\b", path.read_text(encoding="utf-8")) and path != Path(__file__)
)
MISSING_THERE = ("snakemake", "rocrate", "imagecodecs", "dicomanonymizer")
"""The workflow engine, and packages of other steps, which nobody needs to install for ``make gpu``."""

ENDS = "add_row(out, 'Speed', {'model': 'one', 'per s': 1234.567})"
FAILS = f"{ENDS}\nraise ValueError('the reason')"
HANGS = f"""{ENDS}
child = subprocess.Popen(['sleep', '600'])
add_row(out, 'Child', {{'number': child.pid}})
time.sleep(600)"""


@pytest.fixture
def frame(tmp_path: Path) -> Path:
    """The frame, with parts that end at once."""
    folder = tmp_path / "benchmarks" / "gpu"
    folder.mkdir(parents=True)
    for name in ("__main__.py", "common.py"):
        shutil.copy(GPU / name, folder)
    for name in ("correct", "speed", "prediction", "choices"):
        write_part(folder, name, ENDS)
    return folder


def write_part(frame: Path, name: str, lines: str) -> None:
    head = "import subprocess, time\nfrom common import add_row, options\nout = options('A part.').out\n"
    (frame / f"{name}.py").write_text(head + lines, encoding="utf-8")


def run(frame: Path, *words: str) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Run the frame on a CPU; what it said, and its document."""
    command = [sys.executable, str(frame), "--device", "cpu", "--scale", "small", "--out", str(frame.parent)]
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
    return done, frame.parent / "gpu.md"


def section(document: Path, title: str) -> str:
    return document.read_text(encoding="utf-8").split(f"## {title}\n")[1].split("\n## ")[0]


def test_what_a_part_has_measured_stays_however_it_ends(frame: Path) -> None:
    write_part(frame, "correct", FAILS)
    write_part(frame, "speed", HANGS)
    done, document = run(frame, "--half", "A", "--slower", "0.005")
    assert done.returncode == 1
    assert "Not ended well: correct, speed" in done.stdout
    failed, stopped, ended = (
        section(document, title) for title in ("Correct", "Training at the study's size", "Prediction")
    )
    assert "**It failed after" in failed
    assert "ValueError: the reason" in failed
    assert re.search(r"\*\*It was stopped by its limit of \d s\*\*", stopped)
    assert "It ended after" in ended
    for text in (failed, stopped, ended):
        assert "### Speed\n\n| model | per s |\n|---|---|\n| one | 1235 |" in text
        assert f"torch {torch.__version__.split('+')[0]}" in text
    (child,) = re.findall(r"\| number \|\n\|---\|\n\| (\d+) \|", stopped)
    assert not psutil.pid_exists(int(child)) or psutil.Process(int(child)).status() == psutil.STATUS_ZOMBIE


def test_the_second_half_keeps_what_the_first_has_measured(frame: Path) -> None:
    assert run(frame, "--half", "A")[0].returncode == 0
    write_part(frame, "correct", "raise SystemExit('not called again')")
    done, document = run(frame, "--half", "B")
    assert done.returncode == 0, done.stderr
    text = document.read_text(encoding="utf-8")
    assert text.count("| one | 1235 |") == 4
    rows = (frame.parent / "gpu.measured" / "correct.jsonl").read_text(encoding="utf-8")
    assert json.loads(rows) == {"table": "Speed", "row": {"model": "one", "per s": 1234.567}}


def test_a_second_run_that_ends_early_loses_nothing_of_the_first(frame: Path) -> None:
    """Neither rows nor the card and date that they belong to, until there is a row of the second."""
    assert run(frame, "--half", "A")[0].returncode == 0
    files = [
        frame.parent / name for name in ("gpu.measured/correct.jsonl", "gpu.measured/correct.json", "gpu.md")
    ]
    before = [path.read_text(encoding="utf-8") for path in files]
    notes = "from common import add_note\nadd_note(out, 'Speed', 'of the second run')\n"
    write_part(frame, "correct", f"{notes}(out.parent / 'begun').touch()\ntime.sleep(600)")
    command = [sys.executable, str(frame), "--device", "cpu", "--scale", "small", "--out", str(frame.parent)]
    with subprocess.Popen([*command, "--parts", "correct"]) as second:
        wait_for(lambda: (frame.parent / "gpu.measured" / "begun").exists())
        time.sleep(0.5)  # twice as long as the frame waits between two looks
        second.terminate()
    assert second.returncode == 143
    assert [path.read_text(encoding="utf-8") for path in files] == before
    write_part(frame, "correct", "add_row(out, 'Speed', {'model': 'two'})\ntime.sleep(600)")
    with subprocess.Popen([*command, "--parts", "correct"]) as third:
        wait_for(lambda: "| two |" in section(frame.parent / "gpu.md", "Correct"))
        third.terminate()
    assert "| one |" not in section(frame.parent / "gpu.md", "Correct")
    assert "was under way" in section(frame.parent / "gpu.md", "Correct")


def wait_for(happened: Callable[[], bool]) -> None:
    for _ in range(1200):
        if happened():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen within a minute")


@pytest.fixture
def frame_module(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module of the frame."""
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))  # it adds to it
    monkeypatch.setattr(sys, "path", [*sys.path])
    spec = importlib.util.spec_from_file_location("gpu_frame", GPU / "__main__.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "gpu_frame", module)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("common", None)


def test_missing_packages_are_told_at_once(frame_module: ModuleType, monkeypatch) -> None:
    monkeypatch.setattr(
        frame_module, "PACKAGES", {"yaml": "pyyaml", "no_monai": "monai", "no_torch": "torch"}
    )
    with pytest.raises(SystemExit) as ended:
        frame_module.require_packages()
    assert re.search(
        r"lacks monai, torch\. Install them: \S+ -m pip install monai==\d\S+ torch$", str(ended.value)
    )


def test_pins_of_a_lock_file_may_have_conditions(frame_module: ModuleType) -> None:
    lock = "# of a==1\nmonai==1.4.0\ntorch[opt]==2.1 ; platform_machine == 'x86_64'\nnnunetv2==2.6 \\\n"
    assert frame_module.PIN.findall(lock) == [("monai", "1.4.0"), ("torch", "2.1"), ("nnunetv2", "2.6")]


@pytest.fixture
def part(frame_module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """The module of a part, by its name."""
    for folder in (GPU.parent, GPU):
        monkeypatch.syspath_prepend(folder)
    return importlib.import_module


def measured(framework: str, patches_per_s: float, shape: tuple[int, ...]) -> dict[str, Any]:
    """What was measured of a training on a GPU."""
    return {
        "framework": framework,
        "rated_as": f"{framework} as it was measured",
        "card": "NVIDIA H100",
        "precision": "float16, mixed",
        "patches_per_s": patches_per_s,
        "shape": shape,
        "waiting": 0.02,
        "utilisation": 97.0,
        "peak_mb": 9000,
        "validation_step_s": 0.1,
    }


def test_what_is_slower_than_aimed_at_is_bold(part: Callable[[str], ModuleType]) -> None:
    compared = part("speed").compared

    def told(framework: str, way: str, ours: float, other: float) -> tuple[str | None, str | None]:
        found = (measured(framework, rate, (2, 1, 20, 320, 256)) for rate in (other, ours))
        row = compared("a model", way, *found, "cuda")
        return row["ours / this"], row["aim"]

    assert told("nnunet", "ours", 10, 10) == (None, None)
    assert told("nnunet", "ceiling", 9, 10) == ("**0.90**", "≥ 0.95")
    assert told("monai", "ceiling", 9.6, 10) == ("0.96", "≥ 0.95")
    assert told("nnunet", "peer", 9, 10) == ("**0.90**", "≥ 1")
    assert told("blastct", "peer", 19, 10) == ("**1.90**", "≥ 2")
    assert told("blastct", "peer", 21, 10) == ("2.10", "≥ 2")
    assert told("monai", "peer", 9, 10) == ("0.90", None)


def test_a_way_with_batches_of_another_shape_is_a_row_that_failed(part: Callable[[str], ModuleType]) -> None:
    speed = part("speed")
    ours, other = (measured("monai", 9, (8, 1, side, 96, 96)) for side in (64, 32))
    with pytest.raises(ValueError, match=r"batches of shape \(8, 1, 32, 96, 96\) differ") as error:
        speed.compared("unet", "peer", other, ours, "cuda")
    row = speed.failed_row("unet", ("peer",), error.value)
    assert row["model"] == "unet"
    assert row["way"].startswith("**peer failed**: its batches of shape")


def test_rates_of_all_models_come_before_any_peer(part: Callable[[str], ModuleType]) -> None:
    speed = part("speed")
    turns = list(speed.in_turn(speed.MODELS))
    assert [ways for _, ways in turns] == 6 * [("ours", "ceiling")] + 6 * [("peer",)]
    assert {key for key, _ in turns[:6]} == {key for key, _ in turns[6:]} == {*speed.MODELS}
    assert turns[-1][0] == "blast-ct"


def deformations_per_step(settings: Any, folder: Path, steps: range) -> float:
    """Of BLAST-CT's batches, each made by the worker whose turn it is, as in training."""
    deformed = 0

    def deform(*case: np.ndarray) -> tuple[np.ndarray, ...]:
        nonlocal deformed
        deformed += 1
        return case

    tiny = np.zeros((2, 2, 2), np.int16)
    scans = []
    for number in range(10):
        ct, labels = folder / f"{number}-ct.npy", folder / f"{number}-labels.npy"
        np.save(ct, tiny)
        np.save(labels, tiny.astype(np.uint8))
        scans.append(ResampledScan(f"{number}", ct, labels))
    configuration = package_configuration(settings, LABELS)
    noise = np.zeros((1, 1, 1, 3), np.float32)
    workers = [
        TrainingBatches(scans, configuration, noise, (1, 1, 1), 1, "all") for _ in range(settings.workers)
    ]
    for worker in workers:
        worker.deformation = deform
        worker.sampler = SimpleNamespace(
            image_patch_size=(1, 1, 1), target_patch_size=(1, 1, 1), cut=lambda scan: (0.0, 0)
        )
    for batch in range(steps.stop):
        if batch == steps.start:
            deformed = 0
        workers[batch % settings.workers][batch]
    return deformed / len(steps)


def test_blast_ct_is_timed_at_the_studys_work_on_data(part: Callable[[str], ModuleType], tmp_path) -> None:
    speed, ways = part("speed"), part("ways_of_training")
    scale = speed.SIZES["full"].scale
    timed = ways.timed_job(scale, tmp_path, "blast-ct", "cpu").settings
    study = ways.timed_job(
        replace(scale, config="config.yaml", changes={}), tmp_path, "blast-ct", "cpu"
    ).settings
    first, last = ways.window(scale, timed)
    ready = BATCHES_AHEAD * timed.workers  # when the clock starts, these are made already
    of_study = deformations_per_step(study, tmp_path, range(study.steps(50) // study.epochs))
    assert of_study == 0.5
    assert deformations_per_step(timed, tmp_path, range(first + ready, last + ready)) == of_study
    assert last + ready <= timed.steps(scale.scans)


def test_no_batch_that_was_made_before_the_clock_starts_is_timed(part: Callable[[str], ModuleType]) -> None:
    scale = part("speed").SIZES["full"].scale
    workers = max(changes["workers"] for changes in scale.changes.values())
    assert scale.warm_up >= 2 * BATCHES_AHEAD * workers
    assert scale.timed > scale.warm_up


def test_a_training_ends_when_all_is_timed(part: Callable[[str], ModuleType]) -> None:
    ways = part("ways_of_training")
    stopwatch, images = ways.Stopwatch(2, 4, "cpu"), torch.zeros(3, 1, 2, 2)
    for _ in range(4):
        stopwatch.step_done(images)
    with pytest.raises(ways.AllTimed):
        stopwatch.step_done(images)
    assert stopwatch.done == 4
    assert stopwatch.result()["patches_per_s"] > 0


def test_hours_are_those_of_the_configured_training(part: Callable[[str], ModuleType]) -> None:
    rates = part("speed").rates
    of_nnunet = rates("nnunet-3d-dicece", measured("nnunet", 20.0, (2, 1, 20, 320, 256)))
    assert of_nnunet["rated as"] == "nnunet as it was measured"
    assert of_nnunet["s_per_epoch"] == pytest.approx(250 * 0.1 + 50 * 0.1)
    assert of_nnunet["hours"] == pytest.approx(1800 * 30 / 3600)
    without_validation = {"validation_step_s": None}
    of_unet = rates("unet", measured("monai", 40.0, (8, 1, 64, 96, 96)) | without_validation)
    assert of_unet["steps_per_epoch"] == 779, "half of 1558 scans, as two make a batch"
    of_blast = rates("blast-ct", measured("blastct", 50.0, (10, 1, 110, 110, 110)) | without_validation)
    assert of_blast["hours"] == pytest.approx(1800 * 100 * 0.2 / 3600)


def test_labels_that_differ_are_bold_and_wrong(part: Callable[[str], ModuleType], monkeypatch) -> None:
    correct = part("correct")
    monkeypatch.setattr(correct, "WRONG", [])
    one, other = np.zeros((1, 10, 200), np.uint8), np.zeros((1, 10, 200), np.uint8)
    one[0, :5] = other[0, :5] = 1
    other[0, 5, :4] = 1
    dice, ml = correct.dice_and_ml(1, [one], [other], [0.002])
    assert dice == pytest.approx(2 * 1000 / 2004)
    assert ml == pytest.approx(2.008)
    assert correct.dice_in_print("unet", "ICH", dice, ml) == f"**unet, ICH: Dice {dice:.5f}** (2.0 mL)"
    assert [f"unet, ICH: Dice {dice:.5f}"] == correct.WRONG
    assert correct.dice_in_print("unet", "ICH", dice, 0.9) == f"{dice:.5f} (0.9 mL)"
    assert correct.dice_in_print("unet", "IVH", *correct.dice_and_ml(3, [one], [other], [1])) == "in neither"
    assert len(correct.WRONG) == 1


def test_weights_that_differ_are_wrong_unless_an_operator_is_named(
    part: Callable[[str], ModuleType], monkeypatch
) -> None:
    correct = part("correct")
    monkeypatch.setattr(correct, "WRONG", [])
    assert correct.said_equal(True, "they differ", []) == "equal"
    assert correct.said_equal(False, "they differ", ["upsample_trilinear3d_backward_cuda"]) == "differs"
    assert not correct.WRONG
    of_loss = {"nll_loss2d_forward_out_cuda_template", "upsample_trilinear3d_backward_out_cuda"}
    assert [name for name in sorted(of_loss) if correct.FORWARD_OF_LOSS.search(name)] == [min(of_loss)]
    assert correct.said_equal(False, "they differ", []) == "**they differ**"
    assert correct.WRONG == ["they differ"]


def test_fewer_tasks_run_side_by_side_on_a_small_gpu(part: Callable[[str], ModuleType], monkeypatch) -> None:
    correct = part("correct")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    scale = correct.SCALES["full"]
    assert [correct.at_once(scale, gib) for gib in (None, 79.6, 24.0, 15.8, 4.0)] == [6, 6, 4, 2, 1]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_without_a_gpu_one_line_says_so(tmp_path: Path) -> None:
    out = tmp_path / "gpu.md"
    done = subprocess.run(
        ["make", "gpu", f"OUT={out}"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert line.startswith("PyTorch sees no NVIDIA GPU here.")
    assert not out.exists()


def test_every_package_that_is_imported_is_asked_for(frame_module: ModuleType) -> None:
    """By the parts and what they share; what ``headct`` imports is tried below."""
    shared = [GPU.parent / "ways_of_training.py", GPU.parent / "ingest.py"]
    imported = set()
    for path in [*GPU.glob("*.py"), *shared[:1]]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module)
    names = {name.split(".")[0] for name in imported}
    here = {path.stem for path in (*GPU.glob("*.py"), *GPU.parent.glob("*.py"))}
    assert names - sys.stdlib_module_names - here - {"headct"} <= frame_module.PACKAGES.keys()


def test_what_a_gpu_is_asked_with_imports_nothing_of_the_workflow_engine(tmp_path: Path) -> None:
    """Neither by the tests marked ``gpu``, which are collected, nor by what each process imports."""
    assert MARKED
    for name in MISSING_THERE:
        (tmp_path / f"{name}.py").write_text("raise ImportError('not on a machine for make gpu')")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, [tmp_path, GPU, REPOSITORY / "workflow/scripts"]))
    }
    collect = ["-m", "pytest", "--collect-only", "-m", "gpu", "-p", "no:cacheprovider", *map(str, MARKED)]
    imports = "import common\nfor name in common.IN_EVERY_PROCESS: __import__(name)"
    for words in (collect, ["-c", imports]):
        done = subprocess.run(
            [sys.executable, *words],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
