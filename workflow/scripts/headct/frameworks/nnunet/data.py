"""Training scans as nnU-Net wants them: fingerprint, plans and preprocessed volumes.

All of it is made once per set of training scans and shared by every run, 2-D and 3-D; several
training processes may ask for it at once. Images are not copied: nnU-Net is told where they are.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nnunetv2
import numpy as np
from filelock import FileLock
from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import (
    DatasetFingerprintExtractor,
)
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO
from nnunetv2.utilities.find_class_by_name import recursive_find_python_class
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

from headct.contracts.artefacts import read_json, write_json
from headct.contracts.code import NO_CONTENT, code_digest
from headct.contracts.labels import BACKGROUND, LabelSet
from headct.contracts.problems import BadInput, Problem
from headct.engine.processes import in_processes
from headct.engine.training_job import PREPARED_FROM, TrainingScan
from headct.frameworks.nnunet.settings import NnunetPreparation

logger = logging.getLogger(__name__)

DATASET = "Dataset001_HeadCT"
PLANS = "nnUNetPlans"


def set_environment(raw: Path, preprocessed: Path) -> None:
    """Tell nnU-Net, which reads these at every use, its folders and habits for this process.

    One compression thread keeps preprocessed files the same bytes; the number of augmentation
    processes is only used in planning here, where nnU-Net divides by it.
    """
    os.environ |= {
        "nnUNet_raw": str(raw),
        "nnUNet_preprocessed": str(preprocessed),
        "nnUNet_extTrainer": str(Path(__file__).parent / "trainers"),
        "nnUNet_n_proc_DA": "1",
        "BLOSC_NTHREADS": "1",
    }


def case_name(scan_id: str) -> str:
    """nnU-Net's name of a scan.

    The suffix keeps its ``…_seg`` files of one scan off those of another whose identifier ends in ``_seg``.
    """
    return f"{scan_id}.ct"


def dataset_json(n_training: int, labels: LabelSet) -> dict[str, Any]:
    """nnU-Net's description of the task, without any path."""
    return {
        "channel_names": {"0": "CT"},
        "labels": {"background": BACKGROUND, **labels},
        "numTraining": n_training,
        "file_ending": ".nii.gz",
        "overwrite_image_reader_writer": "SimpleITKIO",
    }


PREPROCESSED_BY = (
    "preprocessor_name",
    "spacing",
    "normalization_schemes",
    "use_mask_for_norm",
    "resampling_fn_data",
    "resampling_fn_data_kwargs",
    "resampling_fn_seg",
    "resampling_fn_seg_kwargs",
)
"""What of a planned configuration decides its preprocessed volumes."""


class PreparedData:
    """The folder of everything that nnU-Net derives from one set of scans and their ``labels``.

    Plans are kept per planner and its wishes; volumes once for all plans that want the same.
    """

    def __init__(
        self, shared: Path, scans: Iterable[TrainingScan], settings: NnunetPreparation, labels: LabelSet
    ):
        self.scans = sorted(scans, key=lambda scan: scan.scan_id)
        self.labels = labels
        self.planner = settings.planner
        self.fingerprint_voxels = settings.fingerprint_voxels
        self.wishes: dict[str, Any] = {}
        if settings.gpu_memory_target_gb is not None:
            self.wishes["gpu_memory_target_in_gb"] = settings.gpu_memory_target_gb
        if settings.target_spacing_mm_zyx is not None:
            spacing_mm = [float(mm) for mm in settings.target_spacing_mm_zyx]
            self.wishes["overwrite_target_spacing"] = spacing_mm
        versions = [version("nnunetv2"), code_digest([__name__], without=NO_CONTENT)]
        digests = [[scan.scan_id, scan.sha256] for scan in self.scans]
        self.folder = shared / _key([versions, digests, dict(labels), self.fingerprint_voxels])
        self.raw = self.folder / "raw"
        self.preprocessed = self.folder / "preprocessed"

    @property
    def _lock(self) -> FileLock:
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileLock(self.folder / "lock")

    def plans(self, threads: int) -> dict[str, Any]:
        """nnU-Net's plans for these scans, in ``threads`` processes where they are not made yet.

        A configuration's ``data_identifier`` tells its preprocessed volumes from others.

        Raises:
            BadInput: no such planner, or no scan has a lesion.
        """
        done = self.folder / f"plans-{_key([self.planner, self.wishes])}.json"
        with self._lock:
            if not done.exists():
                logger.info("nnU-Net plans for %d scans", len(self.scans))
                self._describe(threads)
                write_json(self._plan(), done)
        plans: dict[str, Any] = read_json(done)
        shared = [plans["transpose_forward"], plans["foreground_intensity_properties_per_channel"]]
        for name, chosen in plans["configurations"].items():
            if "inherits_from" not in chosen:
                chosen["data_identifier"] = (
                    f"{name}-{_key([shared, [chosen.get(k) for k in PREPROCESSED_BY]])}"
                )
        return plans

    def _describe(self, threads: int) -> None:
        """Write what nnU-Net plans from: the list of the scans and their fingerprint."""
        write_json({scan.scan_id: scan.sha256 for scan in self.scans}, self.folder / PREPARED_FROM)
        files = {
            case_name(scan.scan_id): {"images": [str(scan.ct)], "label": str(scan.labels)}
            for scan in self.scans
        }
        described = self.preprocessed / DATASET / "dataset_fingerprint.json"
        if not described.exists():
            found = fingerprint(self.scans, self.fingerprint_voxels, threads)
            write_json(found, described)
        task = dataset_json(len(self.scans), self.labels)
        write_json({**task, "dataset": files}, self.raw / DATASET / "dataset.json")

    def _plan(self) -> dict[str, Any]:
        planner = recursive_find_python_class(
            str(Path(nnunetv2.__path__[0]) / "experiment_planning"),
            self.planner,
            "nnunetv2.experiment_planning",
        )
        if planner is None:
            message = "nnU-Net has no planner of this name"
            raise BadInput([Problem("config", message, key="nnunet: planner", value=self.planner)])
        # nnU-Net adds to plans that it finds, even to half of a file that a killed process left
        (self.preprocessed / DATASET / f"{PLANS}.json").unlink(missing_ok=True)
        plans: dict[str, Any] = planner(DATASET, plans_name=PLANS, **self.wishes).plan_experiment()
        return plans

    def preprocess(self, plans: dict[str, Any], configuration: str, threads: int) -> Path:
        """Folder of the volumes for ``configuration``, made in ``threads`` processes unless it is there."""
        done = self.preprocessed / DATASET / str(plans["configurations"][configuration]["data_identifier"])
        with self._lock:
            if not done.exists():
                partial = done.with_name(f"{done.name}.partial")
                partial.mkdir(parents=True, exist_ok=True)
                tasks = [(plans, configuration, scan, self.labels, partial) for scan in self.scans]
                in_processes(_preprocess_scan, tasks, threads, f"nnU-Net preprocesses for {configuration}")
                partial.replace(done)
        return done


def _key(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]


def fingerprint(scans: Sequence[TrainingScan], n_voxels: int, threads: int) -> dict[str, Any]:
    """nnU-Net's dataset fingerprint: spacings, shapes and the HU distribution inside lesions.

    Equal to that of nnU-Net's ``DatasetFingerprintExtractor``, whose analysis of one scan it uses;
    that class itself would start fresh processes for a handful of scans.

    Args:
        scans: training scans, in the order of their identifiers.
        n_voxels: lesion voxels drawn for the distribution, all scans together (nnU-Net: 10e7).
        threads: processes to use.

    Raises:
        BadInput: no scan has any lesion.
    """
    tasks = [(scan, n_voxels // len(scans)) for scan in scans]
    cases = in_processes(_analyse_scan, tasks, threads, "nnU-Net takes fingerprints")
    intensities = np.concatenate([case[2][0] for case in cases])
    if intensities.size == 0:
        raise BadInput([Problem("split.tsv", "no training scan has any lesion to learn from")])
    low, median, high = np.percentile(intensities, (0.5, 50.0, 99.5))
    return {
        "spacings": [[float(mm) for mm in case[1]] for case in cases],
        "shapes_after_crop": [[int(n) for n in case[0]] for case in cases],
        "foreground_intensity_properties_per_channel": {
            "0": {
                "mean": float(np.mean(intensities)),
                "median": float(median),
                "std": float(np.std(intensities)),
                "min": float(np.min(intensities)),
                "max": float(np.max(intensities)),
                "percentile_99_5": float(high),
                "percentile_00_5": float(low),
            }
        },
        "median_relative_size_after_cropping": float(np.median([case[4] for case in cases])),
    }


def _analyse_scan(task: tuple[TrainingScan, int]) -> Any:
    scan, n_voxels = task
    return DatasetFingerprintExtractor.analyze_case([str(scan.ct)], str(scan.labels), SimpleITKIO, n_voxels)


def _preprocess_scan(task: tuple[dict[str, Any], str, TrainingScan, LabelSet, Path]) -> None:
    """Preprocess one scan; what a killed process left of it is made anew, finished scans are kept."""
    plans, configuration, scan, labels, folder = task
    name = case_name(scan.scan_id)
    if (folder / f"{name}.pkl").exists():
        return
    manager = PlansManager(plans)
    settings = manager.get_configuration(configuration)
    suffixes = (".b2nd", "_seg.b2nd", ".pkl")  # in the order in which they get their final names
    pending = folder / f"pending-{name}"
    for suffix in suffixes:
        Path(f"{pending}{suffix}").unlink(missing_ok=True)
    settings.preprocessor_class(verbose=False).run_case_save(
        str(pending), [str(scan.ct)], str(scan.labels), manager, settings, dataset_json(0, labels)
    )
    for suffix in suffixes:
        Path(f"{pending}{suffix}").replace(folder / f"{name}{suffix}")
