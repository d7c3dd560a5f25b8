"""Seconds to measure one scan of 512 x 512 x 40, against MONAI, SimpleITK, nnU-Net's evaluator and the
area-weighted definition written plainly, in one run and one process.

    PYTHONPATH=workflow/scripts .venv/bin/python benchmarks/metrics.py > benchmarks/metrics.md

Each method gets one thread and takes its turn. Peers get what is quickest for them: MONAI one-hot
tensors that are made beforehand, SimpleITK binary images.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from headct.contracts.labels import label_set
from headct.imaging import nifti
from headct.metrics import grid, overlap, surface
from headct.metrics.measure import MeasureSettings, measure
from support import surface_reference

SHAPE = (40, 512, 512)
SPACING = (4.0, 0.45, 0.45)
VOLUMES_ML = {"ICH": 20.95, "PHE": 11.62, "IVH": 9.47}
"""Means of the training set, Kok et al. 2022, Table 2."""

TOLERANCE_MM = 1.0
SETTINGS = {"presence_minimum_ml": 0.1, "surface_tolerance_mm": TOLERANCE_MM, "lesion_connectivity": 26}
LABELS = label_set(("ICH", "PHE", "IVH"), {"ICH+IVH": ("ICH", "IVH")})
LESIONS = tuple(LABELS.values())


def label_map(seed: int) -> np.ndarray:
    """A bleed with its oedema and blood in a ventricle, of the volumes above; each seed draws otherwise."""
    z, y, x = (np.arange(n) * step for n, step in zip(SHAPE, SPACING, strict=True))
    voxel_ml = float(np.prod(SPACING)) / 1000

    def nearest(centre: tuple[float, ...], radii: tuple[float, ...], volume_ml: float) -> np.ndarray:
        parts = [((a - c) / r) ** 2 for a, c, r in zip((z, y, x), centre, radii, strict=True)]
        depth = np.sqrt(parts[0][:, None, None] + parts[1][:, None] + parts[2]) + roughness(seed)
        voxels = round(volume_ml / voxel_ml)
        return depth <= np.partition(depth.ravel(), voxels)[voxels]

    labels = np.zeros(SHAPE, np.uint8)
    bleed, ventricle = (80, 105, 90), (84, 118, 120)
    labels[nearest(bleed, (1, 1.1, 1), VOLUMES_ML["ICH"] + VOLUMES_ML["PHE"])] = LABELS["PHE"]
    labels[nearest(bleed, (1, 1.1, 1), VOLUMES_ML["ICH"])] = LABELS["ICH"]
    labels[nearest(ventricle, (0.8, 1.6, 0.6), VOLUMES_ML["IVH"])] = LABELS["IVH"]
    return labels


def roughness(seed: int) -> np.ndarray:
    """What bends the outlines, in mm: one part that all seeds share, and one of its own."""
    image = 0
    for number, amplitude in ((0, 4.0), (seed, 1.0)):
        coarse = np.random.default_rng(number).normal(0, amplitude, (SHAPE[0], 24, 24)).astype(np.float32)
        itk = sitk.GetImageFromArray(coarse)
        size = SHAPE[::-1]
        itk.SetSpacing([s / 24 for s in size[:2]] + [1])
        image = image + sitk.GetArrayFromImage(
            sitk.Resample(itk, size, sitk.Transform(), sitk.sitkLinear, (0, 0, 0), (1, 1, 1))
        )
    return image


def regular_grid() -> grid.Grid:
    """The grid of the maps: upright, even gaps."""
    volume = float(np.prod(SPACING)) / 1000
    slices = np.zeros((SHAPE[0] + 2, 3))
    slices[:, 2] = np.arange(SHAPE[0] + 2) * SPACING[0]
    return grid.Grid((SPACING[2], SPACING[1]), slices, np.full(SHAPE[0], volume), volume)


def read(*paths: Path) -> list[sitk.Image]:
    """The label maps as this workflow reads them."""
    return [sitk.ReadImage(str(path)) for path in paths]


def ours_overlap(*paths: Path) -> dict[str, float]:
    """Dice, volumes, presence of the three lesions."""
    images = read(*paths)
    reference, predicted = (sitk.GetArrayViewFromImage(image) for image in images)
    box = grid.bounding_box(reference, predicted)
    cropped = regular_grid().crop(box[0])
    counts = overlap.confusion_per_slice(reference[box], predicted[box], LABELS.n_classes)
    bleeds = LABELS.haemorrhage_values()
    found = {
        label: overlap.measure(counts, (value,), cropped, 0.1, bleeds) for label, value in LABELS.items()
    }
    return {label: float(values["dice"]) for label, values in found.items()}


def ours_surfaces(reference: np.ndarray, predicted: np.ndarray, elements: str) -> list[list[float]]:
    """HD95, mean surface distance and surface Dice of the three lesions."""
    found = []
    for value in LESIONS:
        a, b = reference == value, predicted == value
        box = grid.bounding_box(a, b)
        cropped = regular_grid().crop(box[0])
        found.append(list(surface.measure(a[box], b[box], cropped, TOLERANCE_MM, elements).values()))
    return found


def plain_surfaces(reference: np.ndarray, predicted: np.ndarray) -> list[list[float]]:
    """The same by the area-weighted definition as the tests write it."""
    columns = ("hd95_mm", "mean_surface_distance_mm", "surface_dice")
    found = [
        surface_reference.measures(reference == value, predicted == value, SPACING, TOLERANCE_MM)
        for value in LESIONS
    ]
    return [[values[column] for column in columns] for values in found]


def monai_surfaces(truth: Any, guess: Any, subvoxels: bool) -> list[list[float]]:
    """The same by MONAI, from one-hot tensors; with ``subvoxels`` only its surface Dice is weighed."""
    from monai.metrics import compute_average_surface_distance, compute_hausdorff_distance
    from monai.metrics.surface_dice import compute_surface_dice

    tolerances = [TOLERANCE_MM] * len(LESIONS)
    shared = {"include_background": True, "spacing": SPACING}  # the tensors have no background
    dice = compute_surface_dice(guess, truth, tolerances, use_subvoxels=subvoxels, **shared)
    if subvoxels:
        return dice[0].tolist()
    hd95 = compute_hausdorff_distance(guess, truth, percentile=95, **shared)
    mean = compute_average_surface_distance(guess, truth, symmetric=True, **shared)
    return [[float(value) for value in values] for values in zip(hd95[0], mean[0], dice[0], strict=True)]


def monai_dice(truth: Any, guess: Any) -> dict[str, float]:
    from monai.metrics import compute_dice

    return dict(zip(LABELS, compute_dice(guess, truth, include_background=True)[0].tolist(), strict=True))


def one_hot(labels: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(np.stack([labels == value for value in LESIONS])[None].astype(np.float32))


def nnunet_evaluator(reference: Path, predicted: Path) -> dict[str, float]:
    """nnU-Net's evaluation of one case; it reads the files itself."""
    from nnunetv2.evaluation.evaluate_predictions import compute_metrics
    from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO

    found = compute_metrics(str(reference), str(predicted), SimpleITKIO(), list(LESIONS))["metrics"]
    return {label: float(found[value]["Dice"]) for label, value in LABELS.items()}


def itk_overlap(reference: Path, predicted: Path) -> dict[str, float]:
    """SimpleITK's overlap measures; volumes are part of them."""
    images = [sitk.ReadImage(str(path)) for path in (reference, predicted)]
    measures = sitk.LabelOverlapMeasuresImageFilter()
    measures.Execute(*images)
    return {label: measures.GetDiceCoefficient(value) for label, value in LABELS.items()}


def itk_hausdorff(reference: sitk.Image, predicted: sitk.Image) -> list[float]:
    """SimpleITK's Hausdorff distance: largest and mean only, without crop."""
    found = []
    for value in LESIONS:
        measures = sitk.HausdorffDistanceImageFilter()
        measures.Execute(reference == value, predicted == value)
        found.append(measures.GetHausdorffDistance())
    return found


def turns(methods: dict[str, Callable[[], Any]], repeats: int) -> tuple[dict[str, float], dict[str, Any]]:
    """Median seconds of each method, taking turns, and what it found; the first turn warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in methods}
    found = {}
    for turn in range(repeats + 1):
        for name, method in methods.items():
            started = time.perf_counter()
            found[name] = method()
            if turn:
                seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(times) for name, times in seconds.items()}, found


def report(groups: list[tuple[str, dict[str, float], str]], repeats: int, load: str) -> str:
    packages = ("numpy", "scipy", "SimpleITK", "connected-components-3d", "monai", "torch", "nnunetv2")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    lines = [
        "# Measures: seconds per scan",
        "",
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}; {cpu_model()}, {os.cpu_count()} cores, one thread "
        f"each; {versions}. Medians of {repeats} runs in one process, the methods in turn. Load of the "
        f"machine before and after (its cores are shared): {load}.",
        "",
        f"Two label maps of {' × '.join(map(str, SHAPE[::-1]))} voxels of {SPACING[2]} × {SPACING[1]} × "
        f"{SPACING[0]} mm with "
        + ", ".join(f"{volume} mL {label}" for label, volume in VOLUMES_ML.items())
        + " (means of the trial's training set).",
    ]
    for title, seconds, note in groups:
        first = next(iter(seconds.values()))
        lines += ["", f"## {title}", "", "| method | s | ratio to the first |", "|---|---|---|"]
        lines += [f"| {name} | {value:.4f} | {value / first:.2f} |" for name, value in seconds.items()]
        lines += ["", note] if note else []
    return "\n".join(lines)


def cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), "unknown processor")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    warnings.simplefilter("ignore")
    import torch

    torch.set_num_threads(1)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    load_before = os.getloadavg()[0]
    reference, predicted = label_map(1), label_map(2)
    truth, guess = one_hot(reference), one_hot(predicted)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("reference.nii.gz", "predicted.nii.gz")]
        images = [sitk.GetImageFromArray(labels) for labels in (reference, predicted)]
        for image, path in zip(images, paths, strict=True):
            image.SetSpacing(SPACING[::-1])
            nifti.write(image, path)
        plain = "area-weighted definition, SciPy's distance transform"
        by_monai = "MONAI: the same from border voxels"
        by_overlap = {
            "reading both compressed files": lambda: read(*paths),
            "headct: read, Dice, volumes, presence": lambda: ours_overlap(*paths),
            "SimpleITK: read, LabelOverlapMeasures": lambda: itk_overlap(*paths),
            "nnU-Net's evaluator (reads, too)": lambda: nnunet_evaluator(*paths),
            "MONAI: Dice (no reading)": lambda: monai_dice(truth, guess),
        }
        by_surface = {
            "headct, border voxels": lambda: ours_surfaces(reference, predicted, "voxels"),
            "headct, area (the default)": lambda: ours_surfaces(reference, predicted, "area"),
            by_monai: lambda: monai_surfaces(truth, guess, False),
            "MONAI: surface Dice by area": lambda: monai_surfaces(truth, guess, True),
            plain: lambda: plain_surfaces(reference, predicted),
            "SimpleITK: Hausdorff distance (maximum, mean)": lambda: itk_hausdorff(*images),
        }
        by_everything = {
            f"headct, every measure, {elements}": lambda elements=elements: measure(
                reference,
                predicted,
                regular_grid(),
                MeasureSettings(**SETTINGS, surface_elements=elements),
                LABELS,
            )
            for elements in ("area", "voxels")
        }
        seconds, found = turns({**by_overlap, **by_surface, **by_everything}, repeats)
    overlaps, surfaces, everything = (
        {name: seconds[name] for name in group} for group in (by_overlap, by_surface, by_everything)
    )
    dices = [found[name] for name in by_overlap][1:]
    for other in dices[1:]:
        assert all(abs(other[label] - dices[0][label]) < 1e-6 for label in LABELS), dices
    results = [found[name] for name in by_surface]
    np.testing.assert_allclose(results[0], results[2], rtol=1e-4)
    np.testing.assert_allclose(results[1], results[4], rtol=1e-6)
    np.testing.assert_allclose([row[2] for row in results[1]], results[3], rtol=1e-4)
    reading, whole, *others = overlaps.values()
    ours = whole - reading + sum([*surfaces.values()][:2])
    same = sum(others) - 2 * reading + sum([*surfaces.values()][2:5])
    maximum = [*surfaces.values()][5]
    peers = everything | {
        "headct, the peers' numbers: Dice, surfaces by both definitions": ours,
        "peers, sum of those that give the same numbers": same,
        "peers, sum of all (with SimpleITK's Hausdorff distance)": same + maximum,
    }
    groups = [
        (
            "Dice and volumes of three lesions, from files",
            overlaps,
            f"Dice and volumes take {(whole - reading) / reading:.2f} times as long as the reading. All Dice "
            "agree to 1e-6.",
        ),
        (
            "HD95, mean surface distance and surface Dice of three lesions",
            surfaces,
            "Each pair by one definition agrees to 1e-4 (MONAI computes in single precision) or 1e-6.",
        ),
        (
            "Everything: four labels, overlap, presence, swap, surfaces, lesion by lesion",
            peers,
            f"For the same numbers of three labels the peers take {same / ours:.0f} times as long; reading "
            "is left out on both sides.",
        ),
    ]
    print(report(groups, repeats, f"{load_before:.1f}, {os.getloadavg()[0]:.1f}"))


if __name__ == "__main__":
    main()
