"""Seconds of prediction, against nnUNetv2_predict with the same weights on the same scans, in turns.

    .venv/bin/python benchmarks/inference.py > benchmarks/inference.md

Simulated head CT of 512 x 512, a network of nnU-Net's shape for such scans (narrower, so that a run
takes minutes) that has learnt a little from one of them, so that label maps have borders to disagree on.
``--small`` does all of it on tiny scans, in seconds, for the tests.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ingest import SCRIPTS, cpu_model, load_average, measure

ROOT = Path(__file__).resolve().parents[1]
HEADCT, NNUNET = "headct new-scans", "nnUNetv2_predict"
SETTINGS = "settings.json"
THEIRS = "results/Dataset001_HeadCT/nnUNetTrainer__nnUNetPlans__3d_fullres"
"""Folder of the network as nnU-Net wants it."""

STEPS = ("read", "prepare", "network", "to the scan's grid", "write")
SITE = "Ashby"
"""Site of config/simulated_full.yaml: 5 mm slices, 225 mm reconstruction diameter."""


@dataclass(frozen=True)
class Size:
    """What is measured: scans, network, how often.

    ``patch`` is what nnU-Net plans for scans of 30 x 512 x 512 voxels; ``spacing_mm`` (z, y, x) lies
    beside that of the scans, so that they are resampled there and back.
    """

    scans: int = 1
    matrix: int = 512
    slices: int | None = None
    """As the simulated head has, if None; else the highest are left out, or more of air added."""
    patch: tuple[int, ...] = (16, 320, 320)
    spacing_mm: tuple[float, ...] = (5.0, 0.46, 0.46)
    features: tuple[int, ...] = (8, 16, 32, 64, 80, 80, 80)
    training_steps: int = 60
    repeats: int = 3
    mirror: bool = True
    sequential: bool = False
    """Whether nnU-Net runs without its worker processes, which take longer to start than tiny scans."""


SMALL = Size(
    scans=1,
    matrix=64,
    patch=(8, 32, 32),
    spacing_mm=(5.0, 3.6, 3.6),
    features=(4, 8, 8),
    training_steps=20,
    repeats=1,
    mirror=False,
    sequential=True,
)


def make(size: Size, folder: Path, device: str = "cpu") -> None:
    """Scans, and one network, trained on the device, as both programs want it."""
    import torch

    from headct.frameworks.nnunet.settings import NnunetInference
    from headct.settings.typed import plain

    fixed = {
        "plans": plans(size),
        "dataset_json": {
            "channel_names": {"0": "CT"},
            "labels": {"background": 0, "ICH": 1, "PHE": 2, "IVH": 3},
            "numTraining": 1,
            "file_ending": ".nii.gz",
        },
        "configuration": "3d_fullres",
    }
    settings = NnunetInference(tile_step_size=0.5, test_time_mirroring=size.mirror)
    truth = [simulate(size, folder / "scans" / f"case{k}_0000.nii.gz", f"P{k}") for k in range(size.scans)]
    weights = learn(size, fixed, settings, folder / "scans" / "case0_0000.nii.gz", truth[0], device)
    ours = folder / "ours"
    ours.mkdir()
    torch.save({"weights": weights, "fixed": fixed}, ours / "final.pth")
    from headct.contracts.artefacts import sha256_of, write_json

    record = {"framework": "nnunet", "model": "ours", "sha256": sha256_of(ours / "final.pth")}
    write_json(record, ours / "train.json")
    write_json({"ours": plain(settings)}, folder / SETTINGS)
    theirs = folder / THEIRS
    (theirs / "fold_all").mkdir(parents=True)
    (theirs / "plans.json").write_text(json.dumps(fixed["plans"]))
    (theirs / "dataset.json").write_text(json.dumps(fixed["dataset_json"]))
    checkpoint = {
        "network_weights": weights,
        "trainer_name": "nnUNetTrainer",
        "init_args": {"configuration": "3d_fullres"},
        "inference_allowed_mirroring_axes": (0, 1, 2),
    }
    torch.save(checkpoint, theirs / "fold_all" / "checkpoint_final.pth")


def plans(size: Size) -> dict[str, Any]:
    """nnU-Net's plans, with pooling and kernels by its own rule."""
    from nnunetv2.experiment_planning.experiment_planners.network_topology import get_pool_and_conv_props

    _, strides, kernels, patch, _ = get_pool_and_conv_props(size.spacing_mm, size.patch, 4, 999999)
    stages = len(size.features)
    norm = {"eps": 1e-5, "affine": True}
    network = {
        "n_stages": stages,
        "features_per_stage": list(size.features),
        "conv_op": "torch.nn.modules.conv.Conv3d",
        "kernel_sizes": [list(map(int, kernel)) for kernel in kernels[:stages]],
        "strides": [list(map(int, stride)) for stride in strides[:stages]],
        "n_conv_per_stage": [2] * stages,
        "n_conv_per_stage_decoder": [2] * (stages - 1),
        "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
        "norm_op_kwargs": norm,
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }
    resampling: dict[str, Any] = {}
    for what, order, is_mask in (("data", 3, False), ("seg", 1, True), ("probabilities", 1, False)):
        resampling[f"resampling_fn_{what}"] = "resample_data_or_seg_to_shape"
        options = {"is_seg": is_mask, "order": order, "order_z": 0, "force_separate_z": None}
        resampling[f"resampling_fn_{what}_kwargs"] = options
    configuration = {
        "data_identifier": "nnUNetPlans_3d_fullres",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": [int(length) for length in patch],
        "spacing": list(size.spacing_mm),
        "normalization_schemes": ["CTNormalization"],
        "use_mask_for_norm": [False],
        "batch_dice": False,
        **resampling,
        "architecture": {
            "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
            "arch_kwargs": network,
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        },
    }
    intensities = {"mean": 45.0, "std": 18.0, "percentile_00_5": 5.0, "percentile_99_5": 90.0}
    return {
        "dataset_name": "Dataset001_HeadCT",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "label_manager": "LabelManager",
        "experiment_planner_used": "ExperimentPlanner",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "foreground_intensity_properties_per_channel": {"0": intensities},
        "configurations": {"3d_fullres": configuration},
    }


def simulate(size: Size, path: Path, participant: str) -> Any:
    """Write a simulated CT; return its labels, (z, y, x)."""
    import numpy as np
    import SimpleITK as sitk

    from headct.settings import blocks
    from headct.simulate import participant as phantom
    from headct.simulate.settings import from_configuration

    file = ROOT / "config" / "simulated_full.yaml"
    config = blocks.load(file)
    settings = from_configuration(config, str(file))
    settings = replace(settings, matrix=size.matrix, subvoxels_through_plane=1)
    site = next(site for site in settings.sites if site.name == SITE)
    made = phantom.simulate(settings, participant, site)
    labels = made.fractions.argmax(axis=0)
    n_slices = size.slices or len(labels)
    more = [(0, max(0, n_slices - len(labels))), (0, 0), (0, 0)]
    voxels = np.pad(made.image, more, constant_values=made.image.min())[:n_slices]
    image = sitk.GetImageFromArray(voxels)
    in_plane_mm = site.reconstruction_diameter_mm / size.matrix
    image.SetSpacing((in_plane_mm, in_plane_mm, site.slice_thickness_mm))
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))
    return np.pad(labels, more)[:n_slices]


def learn(
    size: Size, fixed: dict[str, Any], settings: Any, scan: Path, labels: Any, device: str
) -> dict[str, Any]:
    """Weights after some steps of Adam on tiles around lesions: enough for label maps with borders."""
    import SimpleITK as sitk
    import torch
    from torch.nn import functional

    from headct.frameworks.nnunet.inference import NnunetPredictor, network_of

    torch.manual_seed(0)
    network = network_of(fixed).to(device)
    predictor = NnunetPredictor(network.state_dict(), fixed, settings, device)
    image, _ = predictor.prepare(sitk.ReadImage(str(scan)))
    volume = torch.as_tensor(image)[None].to(device)
    target = torch.from_numpy(labels)[None, None].float().to(device)
    target = functional.interpolate(target, volume.shape[2:], mode="nearest-exact")[0, 0].long()
    lesions = (target > 0).nonzero()
    extent = [min(*pair) for pair in zip((16, 128, 128), size.patch, strict=True)]
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(size.training_steps):
        centre = lesions[torch.randint(len(lesions), ())]
        corner = [
            int(min(max(c - length // 2, 0), max(n - length, 0)))
            for c, length, n in zip(centre, extent, target.shape, strict=True)
        ]
        tile = tuple(slice(c, c + length) for c, length in zip(corner, extent, strict=True))
        optimiser.zero_grad()
        functional.cross_entropy(network(volume[:, :, *tile]), target[tile][None]).backward()
        optimiser.step()
    return {name: value.cpu() for name, value in network.state_dict().items()}


def commands(size: Size, folder: Path, threads: int) -> dict[str, list[str]]:
    """How each program predicts the scans."""
    out, scans = folder / "out", folder / "scans"
    tool = Path(sys.executable).parent / NNUNET
    theirs = [tool, "-i", scans, "-o", out, "-d", "1", "-c", "3d_fullres", "-f", "all", "-device", "cpu"]
    theirs += ["--disable_progress_bar"]
    theirs += [] if size.mirror else ["--disable_tta"]
    theirs += ["-npp", "0", "-nps", "0"] if size.sequential else []
    ours = [sys.executable, "-m", *HEADCT.split(), "--member", folder / "ours"]
    ours += ["--scans", scans, "--out", out]
    ours += ["--device", "cpu", "--threads", threads, "--settings", (folder / SETTINGS).read_text()]
    ours += ["--report", '{"cases": "none"}']  # theirs draws no pictures
    return {name: [str(word) for word in words] for name, words in ((NNUNET, theirs), (HEADCT, ours))}


def compare(size: Size, folder: Path, threads: int) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Seconds and memory of each program, and the Dice of each label between their maps."""
    places = ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results")
    os.environ |= dict.fromkeys(places, str(folder / "results"))
    found: dict[str, list[tuple[float, float, float]]] = {}
    maps: dict[str, list[Any]] = {}
    for _ in range(size.repeats):
        for name, command in commands(size, folder, threads).items():
            for old in (folder / "out").glob("*"):
                old.unlink()
            found.setdefault(name, []).append(measure(command)[:3])
            maps[name] = read_all(folder / "out")
    return {
        name: dict(
            zip(("wall", "cpu", "memory"), map(statistics.median, zip(*runs, strict=True)), strict=True)
        )
        | {"fastest": min(run[0] for run in runs)}
        for name, runs in found.items()
    }, agreement(*maps.values())


def read_all(folder: Path) -> list[Any]:
    """All label maps of a folder, in order of their names."""
    import SimpleITK as sitk

    return [sitk.GetArrayFromImage(sitk.ReadImage(str(path))) for path in sorted(folder.glob("*.nii.gz"))]


def agreement(first: list[Any], second: list[Any]) -> dict[str, float]:
    """Dice of each label over all scans (NaN where neither has it); voxels labelled, and differing."""
    from headct.contracts.labels import label_set

    pairs = list(zip(first, second, strict=True))
    found = {}
    for label, value in label_set(("ICH", "PHE", "IVH")).items():
        both = sum(((a == value) & (b == value)).sum() for a, b in pairs)
        total = sum((a == value).sum() + (b == value).sum() for a, b in pairs)
        found[label] = float(2 * both / total) if total else math.nan
    found["labelled voxels"] = float(sum((a > 0).sum() for a, _ in pairs))
    found["voxels that differ"] = float(sum((a != b).sum() for a, b in pairs))
    return found


def breakdown(folder: Path, threads: int) -> dict[str, float]:
    """Wall seconds of each step of ours on one scan on a CPU, imports and loading apart."""
    import torch

    torch.set_num_threads(threads)
    ensemble = load(folder, (folder / SETTINGS).read_text(), "cpu")
    return steps_of_ours(ensemble, min((folder / "scans").iterdir()), folder / "steps.nii.gz")


def load(folder: Path, settings: str, device: str) -> Any:
    """Our ensemble of the one network; ``settings`` of its inference are JSON."""
    from headct.contracts.labels import label_set
    from headct.inference import pipeline
    from headct.inference.prediction_cache import given_settings, trained_records

    members = [[folder / "ours"]]
    by_model = given_settings(settings, trained_records(members))
    return pipeline.load(members, device, by_model, label_set(("ICH", "PHE", "IVH")))


def steps_of_ours(
    ensemble: Any, source: Path, out: Path, wait: Callable[[], None] = lambda: None
) -> dict[str, float]:
    """Wall seconds of each step on one scan, one after the other; ``wait`` waits for the device."""
    import torch

    from headct.inference import pipeline
    from headct.inference.trial_scan import TrialScan

    scan = TrialScan("scan", source, out)
    (predictor, _), average = ensemble.weighted[0], pipeline.Average()
    clock = Clock(wait)
    ct = clock.timed("read", scan.read)
    prepared = clock.timed("prepare", predictor.prepare, ct)
    with torch.inference_mode():
        inferred = clock.timed("network", predictor.infer, prepared)

        def to_the_grid() -> Any:
            average.add(predictor.restore(prepared, inferred), 1)
            return average.labels(ct)

        labels = clock.timed("to the scan's grid", to_the_grid)
    clock.timed("write", scan.write, labels)
    return clock.seconds


class Clock:
    """Wall seconds of steps, by name; ``wait`` waits until a device has done what it was given."""

    def __init__(self, wait: Callable[[], None]):
        self.wait = wait
        self.seconds: dict[str, float] = {}

    def timed(self, step: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """What the function returns."""
        self.wait()
        started = time.perf_counter()
        result = function(*arguments)
        self.wait()
        self.seconds[step] = time.perf_counter() - started
        return result


def report(
    size: Size,
    found: dict[str, dict[str, float]],
    same: dict[str, float],
    steps: dict[str, float],
    threads: int,
    load: str,
) -> str:
    """The measurements as Markdown."""
    names = ("torch", "nnunetv2", "numpy", "SimpleITK")
    ratio = found[NNUNET]["wall"] / found[HEADCT]["wall"]
    lines = [
        "# Prediction: seconds, against nnUNetv2_predict",
        "",
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}; {cpu_model()}, {threads} threads on "
        f"{os.cpu_count()} cores, no GPU; {', '.join(f'{name} {version(name)}' for name in names)}. "
        f"{size.scans} simulated scan(s) of {size.matrix} × {size.matrix} voxels at 5 mm; patch "
        f"{size.patch}, features {size.features}, mirroring {'on' if size.mirror else 'off'}, equal weights. "
        f"Medians of {size.repeats} runs of each whole command, in turns, OMP_WAIT_POLICY=PASSIVE for both. "
        f"Load of the machine before and after (its cores are shared): {load}.",
        "",
        "| program | wall, s | fastest, s | CPU, s | peak memory of the largest process, MB |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {value['wall']:.1f} | {value['fastest']:.1f} | {value['cpu']:.1f} "
            f"| {value['memory']:.0f} |"
            for name, value in found.items()
        ),
        "",
        f"nnU-Net takes {ratio:.2f} times as long by the clock, "
        f"{found[NNUNET]['cpu'] / found[HEADCT]['cpu']:.2f} times as much of the processor.",
        "",
        "## Same labels",
        "",
        "Dice between both programs' label maps: "
        + ", ".join(
            f"{label} {same[label]:.6f}" if not math.isnan(same[label]) else f"{label} in neither"
            for label in ("ICH", "PHE", "IVH")
        )
        + f"; {same['voxels that differ']:.0f} voxels differ, {same['labelled voxels']:.0f} are labelled.",
        "",
        "## Where the time of one scan goes",
        "",
        "| step | wall, s |",
        "|---|---|",
        *(f"| {step} | {seconds:.2f} |" for step, seconds in steps.items()),
    ]
    return "\n".join(lines)


def call(*words: Any) -> list[str]:
    """A command that runs one function of this file in a process of its own."""
    return [sys.executable, str(Path(__file__)), *map(str, words)]


def main() -> None:
    """Measure everything and print the report; or, with a first word, do one thing in this process."""
    sys.path.insert(0, str(SCRIPTS))
    os.environ["PYTHONPATH"] = str(SCRIPTS)
    match sys.argv[1:2]:
        case ["make"]:
            make(Size(**json.loads(sys.argv[3])), Path(sys.argv[2]))
            return
        case ["steps"]:
            print(json.dumps(breakdown(Path(sys.argv[2]), int(sys.argv[3]))))
            return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--small", action="store_true", help="tiny scans, one run")
    parser.add_argument("--repeats", type=int, help="runs of each program")
    parser.add_argument("--without-mirroring", action="store_true", help="an eighth of the network's work")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    size = SMALL if options.small else Size()
    mirror = size.mirror and not options.without_mirroring
    size = replace(size, repeats=options.repeats or size.repeats, mirror=mirror)
    # PASSIVE: nnU-Net starts a thread per core, whatever it is given, and they would spin beside other jobs.
    os.environ |= {"OMP_NUM_THREADS": str(options.threads), "OMP_WAIT_POLICY": "PASSIVE"}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        measure(call("make", folder, json.dumps(asdict(size))))
        before = load_average()
        found, same = compare(size, folder, options.threads)
        steps = json.loads(measure(call("steps", folder, options.threads))[3].splitlines()[-1])
        load = f"{before} and {load_average()}"
        print(report(size, found, same, steps, options.threads, load))


if __name__ == "__main__":
    main()
