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
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from headct.contracts.repository import REPOSITORY

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
    assert correct.said_equal(False, "they differ", []) == "**they differ**"
    assert correct.WRONG == ["they differ"]


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
