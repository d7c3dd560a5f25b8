"""What the jobs of a pilot took: rates and sizes for the plan of the full study, and their memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from headct.contracts import run_records
from headct.contracts.artefacts import read_json, read_tsv
from headct.contracts.columns import aligned
from headct.contracts.run_records import Record
from headct.frameworks.base import find_framework, training_settings
from headct.run.cluster.rates import Rate
from headct.run.cluster.sizes import Sizes
from headct.run.cluster.status import newest_run
from headct.settings.blocks import Configuration, Resources
from headct.settings.models import TrainingInEpochs

MB_PER_MIB = 1.048576
ROUNDED_TO_S = 0.1
"""Seconds to which ``train.json`` tells how long a training took."""

RULES = ("ingest", "prepare", "train", "predict")
"""Those whose memory the study's configuration says."""


@dataclass(frozen=True)
class FinishedPilot:
    """A pilot that has run.

    Attributes:
        folder: of it.
        config: of it.
        records: of its jobs.
    """

    folder: Path
    config: Configuration
    records: Sequence[Record]

    @property
    def results(self) -> Path:
        """Its results."""
        return self.folder / "results"

    @property
    def work(self) -> Path:
        """Its scratch folder."""
        return self.folder / self.config.work_dir

    @cached_property
    def networks(self) -> list[TrainedNetwork]:
        """Its networks, in the order of its configuration; what is on disk of them is read once."""
        jobs = {record.wildcards["model"]: record for record in self.of_rule("train")}
        trained = [key for key, model in self.config.models.items() if model.is_trained]
        return [_network(self, key, jobs[key]) for key in trained]

    def of_rule(self, *rules: str) -> list[Record]:
        """The records of the jobs of some rules."""
        return [record for record in self.records if record.rule in rules]


@dataclass(frozen=True)
class TrainedNetwork:
    """A network of a pilot: its key, its ``train.json``, the record of its job, and seconds per step."""

    model: str
    trained: dict[str, Any]
    job: Record
    s_per_step: float

    @property
    def peak_gpu_memory_mb(self) -> float | None:
        """The most GPU memory that tensors took, in 10⁶ bytes; None without a GPU."""
        mib = self.trained["peak_memory_mb"].get("gpu")
        return None if mib is None else mib * MB_PER_MIB

    @property
    def card(self) -> str:
        """The GPU, or the processor."""
        return str(
            self.trained["sessions"][-1]["device"]
            if self.trained["device"] == "cuda"
            else self.job.host["cpu"]
        )

    @property
    def batch_and_patch(self) -> str | None:
        """Samples per step and voxels of each, slowest axis first; None where there are no patches."""
        facts = find_framework(self.trained["framework"]).facts_of(self.trained)
        if not facts.patch_size_xyz:
            return None
        return f"{facts.batch_size} × {'×'.join(map(str, facts.patch_size_xyz[::-1]))}"


def card(pilot: FinishedPilot) -> str:
    """The GPU that the networks of a pilot were trained on; of several kinds, the first model's."""
    return pilot.networks[0].card


def finished(folder: Path, config: Configuration) -> FinishedPilot:
    """The pilot in a folder, whose configuration is given, with the records of its jobs."""
    return FinishedPilot(folder, config, run_records.load(folder / "results"))


def _network(pilot: FinishedPilot, model: str, job: Record) -> TrainedNetwork:
    run = f"seed-{job.wildcards['seed']}", f"fold-{job.wildcards['fold']}"
    trained = read_json(pilot.results / "models" / model / run[0] / run[1] / "train.json")
    folder = newest_run(pilot.work / "training" / model / "-".join(run))
    progress = folder / "progress.json" if folder else None
    if progress and progress.is_file():
        return TrainedNetwork(model, trained, job, read_json(progress)["s_per_step"])
    seconds = max(trained["seconds"], ROUNDED_TO_S)
    return TrainedNetwork(model, trained, job, seconds / trained["record"]["iterations"])


def rates(pilot: FinishedPilot, scans_to_train_on: int) -> Iterator[Rate]:
    """A rate of each training and prediction, and one of ingest.

    Args:
        pilot: that has run.
        scans_to_train_on: of the full study; a training without epochs takes longer by them.
    """
    source = f"headct pilot: {len(scan_folders(pilot))} scans; of a training, its second half"
    for network in pilot.networks:
        settings = training_settings(pilot.config.models[network.model])
        common: dict[str, Any] = {
            "kind": find_framework(settings.framework).rated_as(settings),
            "card": network.card,
            "device": network.trained["device"],
            "torch": network.trained["versions"]["torch"],
            "batch_and_patch": network.batch_and_patch,
            "source": source,
            **_version(network.job),
        }
        longer = 1.0
        if not isinstance(settings, TrainingInEpochs):
            longer = scans_to_train_on / network.trained["n_training_scans"]
        yield Rate(
            task="train",
            s_per_step=network.s_per_step * longer,
            peak_gpu_memory_mb=network.peak_gpu_memory_mb,
            **common,
        )
        if seconds := s_per_scan(pilot, network.model):
            yield Rate(task="predict", s_per_scan=seconds, **common)
    ingest = pilot.of_rule("ingest")
    if ingest:
        yield Rate(
            task="ingest",
            kind="scan",
            card=ingest[0].host["cpu"],
            device="cpu",
            s_per_scan=sum(job.seconds for job in ingest) / len(scan_folders(pilot)),
            source=source,
            **_version(ingest[0]),
        )


def _version(job: Record) -> dict[str, Any]:
    """When a job ran, and by which version of the workflow."""
    commit = job.workflow.get("commit")
    return {
        "date": job.ended[:10],
        "commit": commit[:7] if commit else f"version {job.workflow.get('version')}",
    }


def s_per_scan(pilot: FinishedPilot, model: str) -> float | None:
    """Mean seconds of the scans that a model predicted; None if it predicted none."""
    predicted = read_tsv(pilot.results / "predictions" / model / f"seed-{pilot.config.training.seeds[0]}.tsv")
    seconds = predicted.loc[predicted["reason"].isna(), "seconds"]
    return float(seconds.mean()) if len(seconds) else None


def failed_predictions(pilot: FinishedPilot) -> Iterator[tuple[str, int]]:
    """The models that failed to predict some scans, and how many."""
    for model in pilot.config.models:
        predicted = read_tsv(
            pilot.results / "predictions" / model / f"seed-{pilot.config.training.seeds[0]}.tsv"
        )
        if failed := int(predicted["reason"].notna().sum()):
            yield model, failed


def scan_folders(pilot: FinishedPilot) -> list[Path]:
    """The folders of the converted scans."""
    return [record.parent for record in sorted((pilot.results / "data").glob("*/scan.json"))]


def sizes(pilot: FinishedPilot) -> Sizes:
    """MB of a scan, of what is prepared of it, of the weights of each network, of a label map.

    What is prepared once, whatever the number of scans, counts as theirs: of many scans it is less.
    """
    converted = scan_folders(pilot)
    found = {("data", "scan"): sum(map(megabytes, converted)) / len(converted)}
    representations = defaultdict[str, set[str]](set)
    for network in pilot.networks:
        settings = training_settings(pilot.config.models[network.model])
        framework = find_framework(settings.framework)
        representations[framework.name].add(framework.representation(settings))
        key = "weights", framework.sized_as(settings)
        run = (f"seed-{network.job.wildcards['seed']}", f"fold-{network.job.wildcards['fold']}")
        weights = pilot.results.joinpath("models", network.model, *run, "final.pth")
        found[key] = max(megabytes(weights), found.get(key, 0))
        prepared = network.trained["n_training_scans"] + network.trained["n_validation_scans"]
        prepared *= len(representations[framework.name])
        found["preparation", framework.name] = megabytes(pilot.work / framework.name) / prepared
    label_maps = list((pilot.results / "predictions").glob("*/*/*.nii.gz"))
    if label_maps:
        found["predictions", "scan"] = sum(map(megabytes, label_maps)) / len(label_maps)
    return found


def megabytes(path: Path) -> float:
    """Size of a file, or of all files in a folder; 0 if it is not there."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


HEAD = (
    "model",
    "steps",
    "s per step",
    "waiting for data",
    "GPU GB",
    "s per scan predicted",
    "weights MB",
    "batch × patch",
)


def models_table(pilot: FinishedPilot) -> Iterator[str]:
    """What each network of a pilot took."""
    of_weights, rows = sizes(pilot), [HEAD]
    for network in pilot.networks:
        settings = training_settings(pilot.config.models[network.model])
        trained, gpu, seconds = network.trained, network.peak_gpu_memory_mb, s_per_scan(pilot, network.model)
        weights = of_weights["weights", find_framework(settings.framework).sized_as(settings)]
        rows.append(
            (
                network.model,
                str(trained["record"]["iterations"]),
                f"{network.s_per_step:.3g}",
                f"{trained['seconds_waiting_for_data'] / max(trained['seconds'], ROUNDED_TO_S):.0%}",
                "–" if gpu is None else f"{gpu / 1000:.1f}",
                "?" if seconds is None else f"{seconds:.2g}",
                f"{weights:.3g}",
                network.batch_and_patch or "–",
            )
        )
    yield from aligned(rows, right=range(1, 7))


def memory_table(pilot: FinishedPilot) -> Iterator[str]:
    """Of the jobs of the heavy rules: how many, how long, and their memory beside what they ask for."""
    rows: list[tuple[str, ...]] = [("rule", "jobs", "longest min", "memory MB at most", "of MB asked for")]
    for rule in RULES:
        if jobs := jobs_of(pilot, rule):
            longest_min = max(job.seconds for job in jobs) / 60
            needs = asked_mb(pilot.config.resources, rule)
            rows.append((rule, str(len(jobs)), f"{longest_min:.1f}", str(peak_mb(jobs)), str(needs)))
    yield from aligned(rows, right=range(1, 5))


def memory_warnings(pilot: FinishedPilot) -> Iterator[str]:
    """The rules whose jobs took more memory than they ask for."""
    for rule in RULES:
        taken, needs = peak_mb(jobs_of(pilot, rule)), asked_mb(pilot.config.resources, rule)
        if taken > needs:
            yield f"a job of {rule} took {taken} MB of memory, and resources.{rule}.mem_mb is {needs}"


def jobs_of(pilot: FinishedPilot, rule: str) -> list[Record]:
    """The jobs for which a rule's resources are asked for."""
    return pilot.of_rule(rule, f"{rule}_out_of_fold")


def asked_mb(resources: Resources, rule: str) -> int:
    """Memory that a job of a rule asks for at first, in MB."""
    return int(getattr(resources, rule).mem_mb)


def peak_mb(jobs: Iterable[Record]) -> int:
    """The most resident memory of the largest process of any of some jobs, in MB."""
    return max((job.peak_memory_mb for job in jobs), default=0)
