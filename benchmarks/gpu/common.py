"""What the parts of ``make gpu`` share: their options, and how they hand over what they have measured.

A part is a program of its own, ``python benchmarks/gpu/PART.py --device cuda --scale full --out FILE``. It
appends a line of JSON to FILE as soon as a row is measured, so that no row is lost at a time limit:
``{"table": title, "row": {column: number or text}}`` (:func:`add_row`), or ``{"table": title, "note": text}``
for a sentence below the table (:func:`add_note`).

To import this module first is enough to have ``headct``, the other benchmarks and ``tests/support`` at hand;
it imports no package itself.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import math
import multiprocessing
import os
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

BENCHMARKS = Path(__file__).resolve().parents[1]
ROOT = BENCHMARKS.parent
SCRIPTS = ROOT / "workflow" / "scripts"
TESTS = ROOT / "tests"
DEVICES = ("cuda", "cpu")
SCALES = ("full", "small")
SHARED_DATA = "HEADCT_GPU_DATA"
"""Environment variable: a folder that all parts of one run share, for simulated scans and prepared data."""

IN_EVERY_PROCESS = (
    "headct.frameworks.nnunet.inference",
    "headct.frameworks.nnunet.training",
    "headct.frameworks.monai.inference",
    "headct.frameworks.monai.training",
    "headct.frameworks.blastct.inference",
    "headct.frameworks.blastct.training",
    "headct.frameworks.train",
    "headct.inference.pipeline",
)
"""Imported once, by the server from which processes are forked (:func:`prepare_processes`)."""

for folder in (TESTS, BENCHMARKS, SCRIPTS):
    if str(folder) not in sys.path:
        sys.path.insert(1, str(folder))
# For the processes that a part starts.
os.environ["PYTHONPATH"] = os.pathsep.join(
    dict.fromkeys([str(SCRIPTS), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))])
)
# To ask whether there is a GPU must not begin to use it, since a process that does can't be forked any more.
os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
# Threads that wait don't spin, which on shared cores takes the time of others.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@dataclass(frozen=True)
class Options:
    """How a part is run: ``device`` and ``scale`` are of DEVICES and SCALES, rows are appended to ``out``."""

    device: str
    scale: str
    out: Path


def options(description: str | None) -> Options:
    """What the command line of a part says."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", choices=DEVICES, required=True)
    parser.add_argument("--scale", choices=SCALES, required=True, help="full: the study's sizes")
    parser.add_argument("--out", type=Path, required=True, help="file to which rows are appended, as JSON")
    return Options(**vars(parser.parse_args()))


def add_row(out: Path, table: str, row: dict[str, Any]) -> None:
    """Append a row of a table: numbers, text, or None where there is nothing to say."""
    _append(out, {"table": table, "row": row})


def add_note(out: Path, table: str, text: str) -> None:
    """Append a sentence that stands below a table."""
    _append(out, {"table": table, "note": text})


def _append(out: Path, record: dict[str, Any]) -> None:
    with out.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(record, ensure_ascii=False) + "\n")


def held_against(value: float, at_least: float) -> str:
    """The number, in bold if it misses its aim."""
    return f"{value:.2f}" if value >= at_least else f"**{value:.2f}**"


def dice_columns(dice: Mapping[str, float]) -> dict[str, float | None]:
    """Dice of each label as columns of a row; None where a label is in neither of the label maps."""
    found = {f"Dice {label}": dice[label] for label in ("ICH", "PHE", "IVH")}
    return {name: None if math.isnan(value) else round(value, 6) for name, value in found.items()}


def waiting(device: str) -> Callable[[], None]:
    """What waits until the device has done all that it was given."""
    import torch

    return torch.cuda.synchronize if device == "cuda" else lambda: None


def reset_peak(device: str) -> None:
    """Forget what was allocated before, and let go of it."""
    import torch

    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_mb(device: str) -> float | None:
    """Most that tensors took on the GPU, in units of 10**6 bytes; None without one."""
    import torch

    return torch.cuda.max_memory_allocated() / 1e6 if device == "cuda" else None


@contextlib.contextmanager
def data_folder() -> Iterator[Path]:
    """The folder that the parts of one run share, or one of our own."""
    if SHARED_DATA in os.environ:
        yield Path(os.environ[SHARED_DATA])
        return
    with tempfile.TemporaryDirectory(prefix="headct-gpu-") as folder:
        yield Path(folder)


# -- processes that begin with everything imported ----------------------------------------------------


def prepare_processes() -> None:
    """Have the server start that :func:`in_process` forks from, and import what takes seconds to import.

    It never uses the GPU, so each process can begin to; what one does to the GPU's memory, or to its
    settings, ends with it.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*IN_EVERY_PROCESS])
    context.Process(target=int).start()


def start(function: Callable[..., Any], *arguments: Any) -> tuple[Any, Connection]:
    """A process that calls the function, and the end of a pipe at which :func:`result` finds its result."""
    context = multiprocessing.get_context("forkserver")
    receives, sends = context.Pipe(duplex=False)
    process = context.Process(target=_call, args=(sends, function, arguments))
    process.start()
    sends.close()
    return process, receives


def result(process: Any, receives: Connection) -> Any:
    """What the function returned.

    Raises:
        RuntimeError: what it raised, with its traceback, or that the process died.
    """
    try:
        failed, value = receives.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"the process died with exit status {process.exitcode}") from None
    process.join()
    if failed:
        raise RuntimeError(value)
    return value


def in_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """The result of a function, called in a process of its own; raises what :func:`result` does."""
    return result(*start(function, *arguments))


def _call(sends: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        sends.send((False, function(*arguments)))
    except BaseException:
        sends.send((True, traceback.format_exc()))


def last_line(error: BaseException) -> str:
    """What an error of :func:`result` says in the end, for a cell of a table."""
    return str(error).strip().splitlines()[-1][:200]
