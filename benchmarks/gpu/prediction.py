"""Part 3: predicting a scan of 512 x 512 x 40 voxels, against nnU-Net's own predictor with equal weights.

nnU-Net's predictor runs as ``nnUNetv2_predict`` runs it, with its processes that prepare scans and write
label maps; ours as ``python -m headct predict`` does. Both are in this process, where libraries and network
are in memory.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from common import add_note, add_row, dice_columns, held_against, options, peak_mb, reset_peak, waiting

from inference import SMALL, THEIRS, Clock, Size, agreement, load, make, read_all, steps_of_ours

PROGRAMS, STEPS = "Seconds per scan", "Where the time of one scan goes"
AIM = 2.0
"""Times as fast as nnU-Net, at least."""
NNUNETS_PROCESSES = 3
"""That prepare scans, and as many that write label maps: the defaults of ``nnUNetv2_predict``."""


@dataclass(frozen=True)
class Scale:
    """What is predicted: so many copies of the scan with mirroring, and without; ``threads`` are ours."""

    size: Size
    mirrored: int
    plain: int
    threads: int


SCALES = {
    "full": Scale(
        Size(slices=40, features=(32, 64, 128, 256, 320, 320, 320), training_steps=40),
        mirrored=2,
        plain=4,
        threads=4,  # resources.predict.threads of config/simulated_full.yaml
    ),
    "small": Scale(replace(SMALL, slices=16, patch=(8, 48, 48)), mirrored=1, plain=2, threads=1),
}


def main() -> None:
    """Make scan and network; predict in every way; tell where the time goes."""
    given = options(__doc__)
    scale = SCALES[given.scale]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
            os.environ[name] = str(folder / "results")
        make(scale.size, folder, given.device)
        predict_a_patch(folder, given.device)
        for row in compared(scale, False, folder, given.device):
            add_row(given.out, PROGRAMS, row)
        add_note(
            given.out,
            PROGRAMS,
            f"A simulated scan of {shape_of(folder)} voxels, several times over; patch "
            f"{scale.size.patch}, features {scale.size.features}. Both networks have predicted a patch "
            "before. Seconds per scan are of the whole call, divided by its scans. nnU-Net starts its "
            "processes in each call, which its first label map waits for, so of few scans the start is a "
            "larger share than of many; seconds per further scan are from the first label map to the last, "
            f"divided by the scans between. headct has {scale.threads} CPU thread(s). Peak GPU memory is "
            f"that of PyTorch's tensors. Aim: further scans at least {AIM} times as fast. In bold: what "
            "misses it.",
        )
        for row in steps(folder, given.device):
            add_row(given.out, STEPS, row)
        for row in compared(scale, True, folder, given.device):
            add_row(given.out, PROGRAMS, row)


def predict_a_patch(folder: Path, device: str) -> None:
    """Predict a patch by both programs, since the first one waits while libraries choose algorithms."""
    import torch

    theirs, ensemble = nnunet(folder, False, device), load(folder, settings(False), device)
    ours, _ = ensemble.weighted[0]
    patch = torch.zeros((1, *theirs.configuration_manager.patch_size))
    theirs.predict_logits_from_preprocessed_data(patch)
    with torch.inference_mode():
        ours.infer((patch, {}))


def shape_of(folder: Path) -> str:
    """Of the scan, x × y × z."""
    import SimpleITK as sitk

    (scan,) = (folder / "scans").iterdir()
    return " × ".join(map(str, sitk.ReadImage(str(scan)).GetSize()))


def compared(scale: Scale, mirror: bool, folder: Path, device: str) -> Any:
    """A row of nnU-Net's, then one of ours, each as soon as it is measured."""
    (scan,) = (folder / "scans").iterdir()
    count = scale.mirrored if mirror else scale.plain
    copies = folder / f"copies-{mirror}"
    copies.mkdir()
    for number in range(count):
        (copies / f"copy{number}_0000.nii.gz").symlink_to(scan)
    maps: dict[str, list[Any]] = {}
    seconds: dict[str, tuple[float, float | None]] = {}
    programs: dict[str, Callable[[Path, Path], None]] = {
        "nnUNetv2_predict": lambda scans, out: by_nnunet(nnunet(folder, mirror, device), scale, scans, out),
        "headct": lambda scans, out: by_headct(
            load(folder, settings(mirror), device), scale.threads, scans, out, device
        ),
    }
    for name, predict in programs.items():
        out = folder / f"{name}-{mirror}"
        out.mkdir()
        reset_peak(device)
        started, clock = time.time(), time.perf_counter()
        predict(copies, out)
        whole = (time.perf_counter() - clock) / count
        written = [path.stat().st_mtime - started for path in out.glob("*.nii.gz")]
        first, last = min(written), max(written)
        further = (last - first) / (count - 1) if count > 1 else None
        seconds[name], maps[name] = (whole, further), read_all(out)
        yield {
            "program": name,
            "mirroring": "on" if mirror else "off",
            "scans": count,
            "s per scan": whole,
            "first label map, s": first,
            "s per further scan": further,
            "peak GPU memory, MB": peak_mb(device),
        } | ({} if name == "nnUNetv2_predict" else same(seconds, maps))


def same(seconds: dict[str, tuple[float, float | None]], maps: dict[str, list[Any]]) -> dict[str, Any]:
    """How much faster ours is, and whether it says the same.

    Args:
        seconds: by program, nnU-Net's first: per scan of the whole call, and per further scan.
        maps: label maps, by program.
    """
    (their_whole, their_further), (our_whole, our_further) = seconds.values()
    found = agreement(*maps.values())
    return {
        "further scans, times as fast": (
            held_against(their_further / our_further, AIM) if their_further and our_further else None
        ),
        "whole call, times as fast": f"{their_whole / our_whole:.2f}",
        **dice_columns(found),
        "voxels that differ": int(found["voxels that differ"]),
    }


def settings(mirror: bool) -> str:
    """Ours of inference, as JSON."""
    return json.dumps({"ours": {"tile_step_size": 0.5, "test_time_mirroring": mirror}})


def by_headct(ensemble: Any, threads: int, scans: Path, out: Path, device: str) -> None:
    """As ``python -m headct predict`` does it: the next scan is prepared while the network is at one."""
    import torch

    from headct.inference import pipeline
    from headct.inference.trial_scan import TrialScan

    def done(outcome: pipeline.Outcome) -> None:
        if outcome.reason:
            raise RuntimeError(outcome.reason)

    wanted = [TrialScan(path.name, path, out / path.name) for path in sorted(scans.iterdir())]
    had = torch.get_num_threads()
    pipeline.predict(ensemble, wanted, device, threads, "benchmark", done)
    torch.set_num_threads(had)


def nnunet(folder: Path, mirror: bool, device: str) -> Any:
    """nnU-Net's predictor, with its options as ``nnUNetv2_predict`` sets them."""
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    predictor = nnUNetPredictor(
        tile_step_size=0.5,
        use_gaussian=True,
        use_mirroring=mirror,
        perform_everything_on_device=True,
        device=torch.device(device),
        allow_tqdm=False,
    )
    predictor.initialize_from_trained_model_folder(str(folder / THEIRS), ("all",))
    return predictor


def by_nnunet(predictor: Any, scale: Scale, scans: Path, out: Path) -> None:
    """As its command does it, or, on tiny scans, as it does with ``-npp 0 -nps 0``."""
    with contextlib.redirect_stdout(None):
        if scale.size.sequential:
            predictor.predict_from_files_sequential(str(scans), str(out), overwrite=True)
        else:
            predictor.predict_from_files(
                str(scans),
                str(out),
                overwrite=True,
                num_processes_preprocessing=NNUNETS_PROCESSES,
                num_processes_segmentation_export=NNUNETS_PROCESSES,
            )


def steps(folder: Path, device: str) -> list[dict[str, Any]]:
    """A row for each step, without mirroring, of both programs; one after the other, none overlaps.

    Libraries have chosen their algorithms before, when the whole programs ran.
    """
    wait = waiting(device)
    (scan,) = (folder / "scans").iterdir()
    found = {
        "headct, s": steps_of_ours(load(folder, settings(False), device), scan, folder / "a.nii.gz", wait),
        "nnU-Net, s": steps_of_nnunet(nnunet(folder, False, device), scan, folder / "b.nii.gz", wait),
    }
    names = list(found["headct, s"])
    rows = [{"step": name, **{column: found[column][name] for column in found}} for name in names]
    total = {column: sum(by_step.values()) for column, by_step in found.items()}
    return [*rows, {"step": "all, one after the other", **total}]


def steps_of_nnunet(predictor: Any, scan: Path, out: Path, wait: Callable[[], None]) -> dict[str, float]:
    """Wall seconds of the steps that nnU-Net does in its processes, in this one."""
    import torch
    from nnunetv2.inference.export_prediction import (
        convert_predicted_logits_to_segmentation_with_correct_shape,
    )

    plans, chosen, clock = predictor.plans_manager, predictor.configuration_manager, Clock(wait)
    files = plans.image_reader_writer_class()
    image, properties = clock.timed("read", files.read_images, [str(scan)])
    preprocessor = chosen.preprocessor_class(verbose=False)
    prepared = (image, None, properties, plans, chosen, predictor.dataset_json)
    voxels, _, properties = clock.timed("prepare", preprocessor.run_case_npy, *prepared)
    logits = clock.timed("network", predictor.predict_logits_from_preprocessed_data, torch.from_numpy(voxels))
    labels = clock.timed(
        "to the scan's grid",
        convert_predicted_logits_to_segmentation_with_correct_shape,
        *(logits.numpy(), plans, chosen, predictor.label_manager, properties),
    )
    clock.timed("write", files.write_seg, labels, str(out), properties)
    return clock.seconds


if __name__ == "__main__":
    main()
