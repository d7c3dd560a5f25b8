"""Seconds and peak memory of each loss, forward and backward, against MONAI's and nnU-Net's in one run.

    .venv/bin/python benchmarks/losses.py > benchmarks/losses.md

On a CPU each peak is that of a process of its own, forked while this one has not computed anything yet.
"""

from __future__ import annotations

import argparse
import ctypes
import datetime
import importlib.metadata
import math
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from ingest import ROOT, SCRIPTS, cpu_model, load_average
from torch import Tensor

sys.path.insert(0, str(SCRIPTS))
warnings.filterwarnings("ignore", message="size_average and reduce")

import monai.losses  # noqa: E402
from nnunetv2.training.loss.compound_losses import DC_and_topk_loss  # noqa: E402

from headct.engine import losses  # noqa: E402

Loss = Callable[[Tensor, Tensor], Tensor]
SHAPE, SMALL_SHAPE = (2, 4, 64, 192, 192), (2, 4, 16, 64, 64)
SHARES = (0.9, 0.04, 0.04, 0.02)
"""Of the voxels, per class."""
OF_LESIONS = {"include_background": False, "to_onehot_y": True, "softmax": True, "batch": True}
NNUNETS_DICE = {"batch_dice": True, "smooth": 1e-5, "do_bg": False, "ddp": False}
LOSSES: dict[str, Loss] = {
    "TverskyLoss": losses.TverskyLoss(),
    "MONAI TverskyLoss": monai.losses.TverskyLoss(alpha=0.3, beta=0.7, **OF_LESIONS),
    "FocalTverskyLoss": losses.FocalTverskyLoss(),
    "FocalLoss": losses.FocalLoss(),
    "MONAI FocalLoss": monai.losses.FocalLoss(to_onehot_y=True, use_softmax=True),
    "DiceTopKLoss": losses.DiceTopKLoss(batch_dice=True),
    "MONAI DiceCELoss": monai.losses.DiceCELoss(**OF_LESIONS),
    "nnU-Net DC_and_topk_loss": DC_and_topk_loss(NNUNETS_DICE, {"k": 10}),
}
PAIRS = (
    ("TverskyLoss", "MONAI TverskyLoss"),
    ("FocalTverskyLoss", "MONAI TverskyLoss"),
    ("FocalLoss", "MONAI FocalLoss"),
    ("DiceTopKLoss", "MONAI DiceCELoss"),
    ("DiceTopKLoss", "nnU-Net DC_and_topk_loss"),
)
TIME_AIM, MEMORY_AIM = 1.0, 0.5
"""Ratios to the peer's that we aim at, at most."""
M_MMAP_THRESHOLD = -3
"""Of glibc's mallopt(): from how many bytes on a block is mapped, and unmapped, by itself."""


def batch(shape: tuple[int, ...], device: str) -> tuple[Tensor, Tensor]:
    """Logits in single precision, and labels in the type in which nnU-Net gives them."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(shape, generator=generator).mul_(3).to(device).requires_grad_()
    drawn = torch.rand((shape[0], 1, *shape[2:]), generator=generator)
    labels = torch.bucketize(drawn, torch.tensor(SHARES).cumsum(0)[:-1]).to(device, torch.int16)
    return logits, labels


def status_mb(key: str) -> float:
    """One line of what Linux knows of this process's memory."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(key)) / 1024


def resident_peak_mb(name: str, shape: tuple[int, ...], exact: bool) -> float:
    """Peak resident set of this process in forward and backward, less that before.

    ``exact``: blocks go back to the system when they are freed, so that the peak is that of the tensors.
    """
    if exact:
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 2**16)
    LOSSES[name](*batch((1, 4, 4, 8, 8), "cpu")).backward()  # libraries and threads are there
    logits, labels = batch(shape, "cpu")
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak is forgotten
    before = status_mb("VmRSS")
    LOSSES[name](logits, labels).backward()
    return status_mb("VmHWM") - before


def resident_peaks_mb(shape: tuple[int, ...], exact: bool, repeats: int) -> dict[str, float]:
    """The median for each loss, of as many processes."""
    with multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1) as pool:
        return {
            name: statistics.median(
                pool.apply(resident_peak_mb, (name, shape, exact)) for _ in range(repeats)
            )
            for name in LOSSES
        }


def gpu_peaks_mb(shape: tuple[int, ...]) -> dict[str, float]:
    """Peak of what PyTorch's tensors take on the GPU in forward and backward, less that before."""
    logits, labels = batch(shape, "cuda")
    peaks = {}
    for name, loss in LOSSES.items():
        logits.grad = None
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        loss(logits, labels).backward()
        peaks[name] = (torch.cuda.max_memory_allocated() - before) / 2**20
    return peaks


def seconds(shape: tuple[int, ...], device: str, repeats: int) -> dict[str, list[float]]:
    """Of forward and backward; losses take turns, the first round is not counted."""
    logits, labels = batch(shape, device)
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    found: dict[str, list[float]] = {name: [] for name in LOSSES}
    for _ in range(repeats + 1):
        for name, loss in LOSSES.items():
            logits.grad = None
            wait()
            started = time.perf_counter()
            loss(logits, labels).backward()
            wait()
            found[name].append(time.perf_counter() - started)
    return {name: times[1:] for name, times in found.items()}


def rows(device: str, times: dict[str, list[float]], *memory_mb: dict[str, float]) -> list[str]:
    """Each pair of losses on one device; time is the median, its ratio that of the ratios per round."""
    lines = []
    for ours, theirs in PAIRS:
        ratio = time_ratio(times, ours, theirs)
        cells = [f"{1000 * statistics.median(times[name]):.0f}" for name in (ours, theirs)]
        cells.append(marked(ratio, TIME_AIM))
        for peaks in memory_mb:
            cells += [f"{peaks[name]:.0f}" for name in (ours, theirs)]
            cells.append(marked(peaks[ours] / peaks[theirs], MEMORY_AIM))
        lines.append(f"| {device} | {ours} | {theirs} | {' | '.join(cells)} |")
    return lines


def time_ratio(times: dict[str, list[float]], ours: str, theirs: str) -> float:
    """The median of the ratios per round."""
    return statistics.median(a / b for a, b in zip(times[ours], times[theirs], strict=True))


def marked(ratio: float, aim: float) -> str:
    """In bold if the aim is missed."""
    return f"**{ratio:.2f}**" if ratio > aim else f"{ratio:.2f}"


def report(table: list[str], devices: str, shape: tuple[int, ...], repeats: int, load: str) -> str:
    """The measurements as Markdown."""
    lines = [
        "# Losses: time and peak memory of forward and backward",
        "",
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, commit {commit()}; {devices}; {versions()}. "
        f"Logits of {' × '.join(map(str, shape))}, single precision, {4 * math.prod(shape) / 2**20:.0f} MB; "
        f"labels of 16 bits. Medians of {repeats} runs, the losses in turn. Load of the machine before and "
        f"after (its cores are shared): {load}.",
        "",
        "| | | | time, ms | | | resident, MB | | | tensors, MB | | |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
        "| device | ours | peer | ours | peer | ratio | ours | peer | ratio | ours | peer | ratio |",
        *table,
        "",
        f"Aims: at most {TIME_AIM} of the time and {MEMORY_AIM} of the memory; what misses its aim is bold. "
        "Ours are many short steps, one slab after the other, and with several threads each step ends when "
        "the slowest thread does: where the load exceeds the cores, rows of several threads say little else.",
        "",
        "Memory is the peak above that of logits and labels. The gradient is in it, as large as the logits. "
        "*Resident*: peak resident set of a process of its own. *Tensors*: the "
        "same when glibc gives back each block of 64 KB or more that is freed, which by default it does not "
        "always; on a GPU both are what PyTorch allocated. MONAI has neither a focal Tversky loss nor one of "
        "the worst voxels: `TverskyLoss` and `DiceCELoss` stand in, though `DiceCELoss` need not find the "
        "worst tenth.",
    ]
    return "\n".join(lines)


def versions() -> str:
    """Of what is compared."""
    names = ("torch", "monai", "nnunetv2")
    python = f"Python {platform.python_version()}"
    return ", ".join([python, *(f"{name} {importlib.metadata.version(name)}" for name in names)])


def commit() -> str:
    """That of this checkout."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def main() -> None:
    """Measure everything, print the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--small", action="store_true", help="a patch that takes seconds, measured once")
    options = parser.parse_args()
    shape, repeats = (SMALL_SHAPE, 1) if options.small else (SHAPE, options.repeats)
    before = load_average()
    resident, of_tensors = (resident_peaks_mb(shape, exact, repeats) for exact in (False, True))
    table = []
    for threads in sorted({1, torch.get_num_threads()}):
        torch.set_num_threads(threads)
        device = f"CPU, {threads} thread{'s' if threads > 1 else ''}"
        table += rows(device, seconds(shape, "cpu", repeats), resident, of_tensors)
    devices = f"{cpu_model()}, {os.cpu_count()} cores"
    if torch.cuda.is_available():
        peaks = gpu_peaks_mb(shape)
        table += rows("GPU", seconds(shape, "cuda", repeats), peaks, peaks)
        devices += f"; {torch.cuda.get_device_name()}"
    else:
        devices += "; no GPU, so nothing is measured on one"
    print(report(table, devices, shape, repeats, f"{before} and {load_average()}"))


if __name__ == "__main__":
    main()
