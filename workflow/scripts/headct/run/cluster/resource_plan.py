"""What a run would ask of a cluster, before anything is submitted: ``python -m headct plan --help``.

Jobs by rule and what each asks for; steps, hours, GPU memory and disk of the trainings of each model and of
all; the effort of a training of each model, by its own epochs and by the budget of the study; disk by
stage; what the analysis plan's endpoints can show; warnings of what won't do. Hours are those of trainings
that this study has finished, else come from measured rates (:mod:`headct.run.cluster.rates`); what no rate
is known of is said to be unknown and left out of sums. Before there is a sheet, ``--scans`` says how many
scans there will be.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from headct.contracts import sets, yaml_files
from headct.contracts.columns import aligned
from headct.contracts.problems import BadInput, Problem
from headct.contracts.repository import REPOSITORY
from headct.contracts.terminal import say
from headct.engine.workfolder import CHECKPOINTS_KEPT
from headct.frameworks.base import find_framework, training_settings
from headct.frameworks.outside.maps_folder import OUTSIDE
from headct.run.cluster import counts
from headct.run.cluster import rates as rate_table
from headct.run.cluster import sizes as size_table
from headct.run.cluster.counts import test_scans
from headct.run.cluster.effort_plan import effort_table
from headct.run.cluster.rates import Rate
from headct.run.cluster.sizes import Sizes
from headct.run.cluster.training_costs import Cost, Span, Speeds, cost_of
from headct.run.study_precision import (
    few_of_sheet,
    few_of_split,
    precision_table,
    scans_of_sheet,
    scans_of_split,
)
from headct.settings import analysis_plan, blocks, configuration, sheet
from headct.settings.blocks import Configuration, Resources
from headct.settings.models import Training

PROFILE = REPOSITORY / "slurm" / "config.yaml"
LOGS = "results/logs/"
SPLIT = "results/cohort/split.tsv"
CUDA_MB = 500
"""About what CUDA itself takes of a GPU's memory, beside the tensors that are measured."""

CASE_OF_SCAN = 0.5
"""Size of a case's file over that of its scan's volumes: 0.4 at 512 × 512, 0.6 in the demo (mostly CT)."""

JOB = re.compile(r"^(?:local)?rule (\w+):\n(?:    .*\n)*?    log: (\S+)", re.MULTILINE)
"""Of what a dry run prints of a job: its rule and its log."""

OF_FULL_SIZE = (
    "Sizes are of scans of 512 × 512 pixels and of networks of full size: smaller ones take far less, and\n"
    "'headct pilot' measures yours."
)
"""What is said of sizes that nobody measured for the study."""

VARIANTS = ("_out_of_fold", "_effort", "_external", "_learning_curve")
"""How rules are called that do for other scans what the rule of the same name does for those of the study."""

TRAININGS = {"train": "train/", "train_learning_curve": "learning_curve/train/"}
"""Rules that train, and the folder of their logs below :data:`LOGS`."""

Job = tuple[str, str]
"""Rule and log."""


@dataclass(frozen=True)
class PlannedStudy:
    """What is planned.

    Attributes:
        config: the configuration.
        folder: where its results are, or will be.
        scans: number of baseline scans that are divided into training and test set.
        jobs: those that would run.
        external: number of baseline scans in external sets.
        split_test: number of test scans of the split; None before there is one.
    """

    config: Configuration
    folder: Path
    scans: int
    jobs: Sequence[Job]
    external: int = 0
    split_test: int | None = None

    @property
    def test(self) -> int:
        """Number of test scans: of the split, or about as many as there will be."""
        return test_scans(self.config, self.scans) if self.split_test is None else self.split_test


def pending_jobs(words: list[str]) -> list[Job]:
    """Rule and log of each job that Snakemake would run.

    Raises:
        BadInput: Snakemake refuses, with what it says.
    """
    planned = subprocess.run(
        [sys.executable, "-m", "snakemake", *words, "--dry-run", "--quiet", "host", "reason"],
        capture_output=True,
        text=True,
        check=False,
    )
    if planned.returncode:
        raise BadInput([Problem("snakemake", (planned.stdout + planned.stderr).strip())])
    return JOB.findall(planned.stdout + planned.stderr)


def asks_as(rule: str) -> str:
    """The rule whose resources a rule asks for: its own, or those of the one that it is a variant of."""
    for variant in VARIANTS:
        rule = rule.removesuffix(variant)
    return rule


def card_of_profile(path: Path = PROFILE) -> str:
    """The kind of GPU that ``slurm/config.yaml`` asks for to train; empty if it leaves it open."""
    by_rule = yaml_files.read(path).get("set-resources") or {}
    return str((by_rule.get("train") or {}).get("gpu_model", ""))


def jobs_table(jobs: Iterable[Job], resources: Resources) -> Iterator[str]:
    """How many jobs each rule has, and what one asks for; steps of seconds have the profile's defaults."""
    rows: list[tuple[str, ...]] = [("rule", "jobs", "threads", "memory MB", "limit h", "GPUs", "")]
    counts = Counter(rule for rule, _ in jobs)
    by_rule = {rule: getattr(resources, asks_as(rule), None) for rule in counts}
    for rule, needs in sorted(by_rule.items(), key=lambda item: (item[1] is None, item[0])):
        if needs:
            hours = f"{needs.runtime_min / 60:.1f}"
            cells = (str(needs.threads), str(needs.mem_mb), hours, str(getattr(needs, "gpu", 0)))
            rows.append((rule, str(counts[rule]), *cells, ""))
    small = sum(counts[rule] for rule, needs in by_rule.items() if not needs)
    rows.append(("others", str(small), "", "", "", "", "steps of seconds to minutes, without GPU"))
    yield from aligned(rows, right=range(1, 6))


def training_costs(study: PlannedStudy, speeds: Speeds) -> list[Cost]:
    """What each training takes that would run."""
    names = sorted(
        log.removeprefix(LOGS + TRAININGS[rule]).removesuffix(".log")
        for rule, log in study.jobs
        if rule in TRAININGS
    )
    return [cost_of(name, study.config, study.scans, study.folder, speeds) for name in names]


MODELS_HEAD = ("training", "jobs", "steps in all", "hours each", "hours in all", "GPU GB", "disk GB", "from")


def models_table(study: PlannedStudy, costs: Sequence[Cost], speeds: Speeds, sizes: Sizes) -> Iterator[str]:
    """Steps, hours, GPU memory and disk of the trainings of each model, and of all.

    Args:
        study: what is planned.
        costs: of its trainings.
        speeds: what was measured.
        sizes: what is known of them.
    """
    if not costs:
        return
    rows: list[tuple[str, ...]] = [MODELS_HEAD]
    memories, disks = [], []
    for model in dict.fromkeys(cost.model for cost in costs):
        own = [cost for cost in costs if cost.model == model]
        settings = training_settings(study.config.models[model])
        memories.append(speeds.gpu_memory_mb(settings))
        disks.append(sum(weights_mb(model, study.config, sizes)))
        each = Span.around(end for cost in own if (span := cost.seconds) for end in (span.low, span.high))
        numbers = (_steps(own), _hours(each), _hours(_seconds(own)))
        sources = "; ".join(dict.fromkeys(cost.source for cost in own if cost.source))
        rows.append((model, str(len(own)), *numbers, _gb(memories[-1]), _gb(disks[-1]), sources))
    highest = max((mb for mb in memories if mb is not None), default=None)
    known, unknown = known_mb(disks)
    in_all = (
        _at_least(_steps(costs), any(cost.steps is None for cost in costs)),
        "",
        _at_least(_hours(_seconds(costs)), any(cost.seconds is None for cost in costs)),
        _at_least(_gb(highest), None in memories),
        _at_least(_gb(known), unknown > 0),
    )
    rows.append(("all", str(len(costs)), *in_all, ""))
    yield from aligned(rows, right=range(1, 7))
    trained = [key for key, model in study.config.models.items() if model.is_trained]
    in_study = sum(counts.networks(study.config, model) for model in trained)
    yield f"To be run: {len(costs)} of the study's {in_study} trainings."
    yield from hours_in_words(costs, study.config, speeds)


def _seconds(costs: Iterable[Cost]) -> Span | None:
    return Span.total(cost.seconds for cost in costs)


def _steps(costs: Iterable[Cost]) -> str:
    known = [cost.steps for cost in costs if cost.steps is not None]
    return f"{sum(known):,}" if known else "?"


def _hours(seconds: Span | None) -> str:
    return seconds.times(1 / 3600).text(".1f" if seconds.high >= 3600 else ".2f") if seconds else "?"


def _at_least(text: str, some_unknown: bool) -> str:
    return f"≥ {text}" if some_unknown and text != "?" else text


def _gb(mb: float | None) -> str:
    return "?" if mb is None or math.isnan(mb) else f"{mb / 1000:.1f}"


def hours_in_words(costs: Sequence[Cost], config: Configuration, speeds: Speeds) -> Iterator[str]:
    """The sum, where it is from, and what it leaves out.

    Args:
        costs: of the trainings.
        config: the configuration.
        speeds: what was measured.
    """
    gpus = config.resources.train.gpu
    unknown = [cost.model for cost in costs if cost.seconds is None]
    if total := _seconds(costs):
        hours = f"{_hours(total.times(gpus))} GPU hours" if gpus else f"{_hours(total)} hours on CPUs"
        more = f", and {len(unknown)} of unknown length" if unknown else ""
        yield f"Sum, training only: {hours}{more}"
        yield "Hours are from the fastest to the slowest rate; one number where these are alike."
    rates = [rate for cost in costs for rate in cost.rates]
    if rates:
        yield "A rate is of steps alone: the start, checkpoints and logs come on top."
    for source in dict.fromkeys(rate.source for rate in rates if rate.is_of_this_workflow):
        yield f"Measured: {source}."
    for source in dict.fromkeys(rate.source for rate in rates if not rate.is_of_this_workflow):
        yield f"Published, not measured with this workflow: {source}."
    measure = "run 'make gpu' there, then 'make rates'"
    card = speeds.card or ("your card" if speeds.device == "cuda" else "a CPU")
    if speeds.device == "cuda" and not speeds.card:
        yield "No card is named (CARD=h100, or gpu_model in slurm/config.yaml): these are of any card."
    if unknown:
        advice = f": {measure}" if speeds.device == "cuda" else ", at these sizes"
        yield f"No rate is measured on {card} of {', '.join(dict.fromkeys(unknown))}{advice}."
    if any(cost.is_of_another_card for cost in costs):
        yield f"Another card than {card} may be several times as fast or slow: {measure}."


def prediction_in_words(study: PlannedStudy, speeds: Speeds) -> Iterator[str]:
    """Hours of predictions by a model of one seed, a line for each kind of scans.

    A rate is of one network; each fold has one. All of them predict each scan of the test set and of external
    sets; what a fold holds out is predicted by its own.
    """
    rules, networks = {rule for rule, _ in study.jobs}, len(study.config.training.folds)
    of_one_fold = counts.scans_held_out(study.config, study.scans, [0])
    if "predict" in rules:
        yield _prediction_of(f"{study.test} test scans", study.test, networks, study.config, speeds)
    if "predict_external" in rules:
        what = f"{study.external} scans of external sets"
        yield _prediction_of(what, study.external, networks, study.config, speeds)
    if "predict_out_of_fold" in rules:
        what = f"{of_one_fold} scans that a fold holds out"
        yield _prediction_of(what, of_one_fold, 1, study.config, speeds)
    if rules & {"predict_effort", "predict_learning_curve"}:
        yield "What is predicted for curves comes on top."


def _prediction_of(what: str, scans: int, networks: int, config: Configuration, speeds: Speeds) -> str:
    """Hours of predictions of some scans by so many networks; models of equal hours together."""
    by_hours = defaultdict[str, list[str]](list)
    for key, model in config.models.items():
        if model.is_trained:
            found = prediction_rates(training_settings(model), speeds)
            per_scan = Span.around(rate.s_per_scan or 0 for rate in found)
            by_hours[_hours(per_scan.times(scans * networks) if per_scan else None)].append(key)
    unknown = by_hours.pop("?", [])
    parts = [f"{hours} h each for {', '.join(keys)}" for hours, keys in by_hours.items()]
    parts += [f"no rate is measured of {', '.join(unknown) if parts else 'any model'}"] if unknown else []
    by = f", by {networks} networks each" if networks > 1 else ""
    return f"Prediction of {what}{by}: {'; '.join(parts)}"


def prediction_rates(settings: Training, speeds: Speeds) -> tuple[Rate, ...]:
    """What was measured of predictions by a model with these settings."""
    return speeds.of("predict", find_framework(settings.framework).rated_as(settings))


def weights_mb(model: str, config: Configuration, sizes: Sizes) -> tuple[float, float]:
    """MB of a model's weights in ``results``, and of its trainings in ``work_dir``; NaN if not known."""
    settings = training_settings(config.models[model])
    framework = find_framework(settings.framework)
    trainings, at_shares = counts.networks(config, model), counts.kept_on_the_way(config, model)
    of_one = sizes.get(("weights", framework.sized_as(settings)), math.nan)
    checkpoints = trainings * CHECKPOINTS_KEPT * (1 + framework.optimiser_copies)
    as_kept_and_as_published = 2 * at_shares
    in_work = trainings + checkpoints + as_kept_and_as_published
    return of_one * (trainings + at_shares), of_one * in_work


def gigabytes(parts: Sequence[float]) -> tuple[str, str]:
    """The sum of some sizes in MB, as text in GB, and how many of them are unknown (NaN) and left out."""
    known, unknown = known_mb(parts)
    return _gb(known if unknown < len(parts) else None), f"and {unknown} of unknown size" if unknown else ""


def known_mb(parts: Iterable[float]) -> tuple[float, int]:
    """The sum of the sizes in MB that are known, and how many (NaN) are not."""
    sizes = list(parts)
    known = [mb for mb in sizes if not math.isnan(mb)]
    return sum(known), len(sizes) - len(known)


def disk_stages(study: PlannedStudy, sizes: Sizes) -> dict[str, list[float]]:
    """MB by stage of the whole study, whether or not some of it is there already; NaN where not known."""
    config, scans = study.config, study.scans
    test = study.test
    trained = {key: training_settings(model) for key, model in config.models.items() if model.is_trained}
    prepared = sorted({find_framework(model.framework).representation(model) for model in trained.values()})
    weights = [weights_mb(model, config, sizes) for model in trained]
    with_curve = " and results/learning_curve" if config.learning_curve else ""

    def mb(quantity: str, of: str) -> float:
        return sizes.get((quantity, of), math.nan)

    label_maps = counts.label_maps(config, scans, study.external)
    by_commands = (test + study.external) * sum(
        model.framework == "command" for model in config.models.values()
    )
    cases = config.report.number_of_cases(test)
    looked_at = scans + study.external if cases else 0
    case_mb = CASE_OF_SCAN * mb("data", "scan")
    stages = {
        "results/data": [(scans + study.external) * mb("data", "scan")],
        f"results/models{with_curve}": [in_results for in_results, _ in weights],
        "results/predictions": [label_maps * mb("predictions", "scan")],
        "results/report/cases": [cases * case_mb],
        "qc/report/cases, by 'snakemake qc'": [looked_at * case_mb],
        **{
            f"{config.work_dir}: {name}": [(scans - test) * mb("preparation", name.split("-")[0])]
            for name in prepared
        },
        f"{config.work_dir}/training": [in_work for _, in_work in weights],
    }
    if by_commands:
        stages[f"{config.work_dir}/{OUTSIDE}"] = [by_commands * mb("predictions", "scan")]
    return stages


def disk_table(study: PlannedStudy, sizes: Sizes) -> Iterator[str]:
    """GB by stage of the whole study."""
    stages = disk_stages(study, sizes)
    rows = [("disk", "GB", ""), *((stage, *gigabytes(parts)) for stage, parts in stages.items())]
    yield from aligned(rows, right={1})
    total_mb, unknown = known_mb(chain.from_iterable(stages.values()))
    free = shutil.disk_usage(study.folder).free / 1e9
    more = ", and what is unknown" if unknown else ""
    yield f"Sum: at most about {total_mb / 1000:.0f} GB{more}; {free:.0f} GB are free here"


def warnings(study: PlannedStudy, costs: Sequence[Cost], speeds: Speeds, sizes: Sizes) -> Iterator[str]:
    """What won't do, a sentence each: time limits, memory, GPU memory, disk.

    Rates hold the GPU memory of tensors, to which ``CUDA_MB`` is added for CUDA itself. That of a card is in
    10⁶ bytes, from GiB that are rounded or from its name: what fits by less than 1 GB may not fit.

    Args:
        study: what is planned.
        costs: of its trainings.
        speeds: what was measured.
        sizes: what is known of them.
    """
    config, resources = study.config, study.config.resources
    yield from _time_warnings(study, costs, speeds)
    for rule in dict.fromkeys(asks_as(rule) for rule, _ in study.jobs):
        memory = getattr(getattr(resources, rule, None), "mem_mb", 0)
        if memory > resources.mem_mb_cap:
            yield (
                f"{rule} asks for {memory} MB of memory, more than resources.mem_mb_cap "
                f"({resources.mem_mb_cap} MB): if that is what your nodes have, none takes its jobs"
            )
    there = rate_table.memory_mb(speeds.card, speeds.rates) if speeds.device == "cuda" else None
    trained = {cost.model: training_settings(config.models[cost.model]) for cost in costs}
    needed = {model: speeds.gpu_memory_mb(settings) for model, settings in trained.items()}
    too_large = {
        model: mb
        for model, mb in needed.items()
        if there is not None and mb is not None and mb + CUDA_MB > there
    }
    if too_large:
        models = ", ".join(f"{model} ({_gb(mb)} GB)" for model, mb in too_large.items())
        yield (
            f"{speeds.card} has {_gb(there)} GB of memory, less than was measured of {models} with "
            f"{_gb(CUDA_MB)} GB for CUDA itself"
        )
    total = known_mb(chain.from_iterable(disk_stages(study, sizes).values()))[0] / 1000
    free = shutil.disk_usage(study.folder).free / 1e9
    if total > free:
        yield f"the study may take {total:.0f} GB of disk, and {free:.0f} GB are free here"


def _time_warnings(study: PlannedStudy, costs: Sequence[Cost], speeds: Speeds) -> Iterator[str]:
    resources, rules = study.config.resources, {rule for rule, _ in study.jobs}
    limit_s = resources.train.runtime_min * 60
    for model in dict.fromkeys(cost.model for cost in costs):
        longest = max(
            (cost.seconds.high for cost in costs if cost.model == model and cost.seconds), default=0
        )
        if longest > limit_s:
            yield (
                f"a training of {model} takes up to {longest / 3600:.1f} h, and its limit "
                f"(resources.train.runtime_min) is {limit_s / 3600:.1f} h: it takes "
                f"{math.ceil(longest / limit_s)} turns, and on Slurm is requeued by itself"
            )
    of_scans = {
        "ingest": math.ceil((study.scans + study.external) / resources.ingest.jobs),
        "predict": study.test,
    }
    for rule, scans in of_scans.items():
        limit_s = getattr(resources, rule).runtime_min * 60
        slowest = slowest_scan_s(rule, study.config, speeds)
        if rule in rules and slowest * scans > limit_s:
            yield (
                f"a job of {rule} takes up to {slowest * scans / 3600:.1f} h for {scans} scans, and its "
                f"limit (resources.{rule}.runtime_min) is {limit_s / 3600:.1f} h"
            )


def slowest_scan_s(rule: str, config: Configuration, speeds: Speeds) -> float:
    """Seconds of a scan in jobs of ``ingest`` or ``predict``, at most; 0 if they were not measured."""
    if rule == "ingest":
        found, networks = [rate for rate in speeds.rates if rate.task == "ingest"], 1
    else:
        trained = [training_settings(model) for model in config.models.values() if model.is_trained]
        found = [rate for settings in trained for rate in prediction_rates(settings, speeds)]
        networks = len(config.training.folds)
    return networks * max((rate.s_per_scan or 0 for rate in found), default=0)


@contextlib.contextmanager
def planned_sheet(path: Path, scans: int | None) -> Iterator[Path]:
    """The study's sheet or, for as many scans as are planned, one of empty files for the time being.

    Args:
        path: the study's sheet, which need not be there.
        scans: how many are planned; None for those of the sheet.

    Raises:
        BadInput: there is no sheet, and no number of scans.
    """
    if scans is None:
        if not path.is_file():
            message = "there is no sheet yet. Say how many scans there will be: make plan SCANS=1732"
            raise BadInput([Problem(str(path), message, key="sheet")])
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="headct-plan-") as folder:
        yield sheet_of_empty_files(Path(folder), scans)


def sheet_of_empty_files(folder: Path, scans: int) -> Path:
    """A sheet of so many scans in ``folder``, one per participant, whose images and masks are empty files."""
    text = {"site": "planned", "rater": "planned"}
    columns = list(configuration.load_schema(sheet.SCHEMA)["properties"])
    lines = ["\t".join(columns)]
    for number in range(scans):
        name = f"planned-{number:05d}"
        image, mask = folder / name / "1.dcm", folder / f"{name}.nii.gz"
        image.parent.mkdir()
        image.touch()
        mask.touch()
        cells = {"scan_id": name, "participant_id": name, "image": name, "mask": mask.name, **text}
        lines.append("\t".join(cells.get(column, "") for column in columns))
    path = folder / "scans.tsv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def main(
    *,
    configfile: Path = REPOSITORY / "config" / "config.yaml",
    directory: Path = Path(),
    scans: int | None = None,
    card: str | None = None,
    rates: Path = rate_table.RATES,
    sizes: Path = size_table.SIZES,
) -> None:
    """What a run would ask of a cluster, before anything is submitted.

    Args:
        configfile: configuration of the study.
        directory: folder of the study.
        scans: plan for so many scans, whatever the sheet says.
        card: GPU that is planned for, by its name in Slurm or words of its own: h100, "rtx 3090",
            a100_1g.5gb; left out, it is gpu_model of train in slurm/config.yaml.
        rates: measured rates, a file with the columns of resources/rates.tsv.
        sizes: sizes on disk, a file with the columns of resources/sizes.tsv.
    """
    config = blocks.load(configfile)
    card = card_of_profile() if card is None else card
    speeds = Speeds(rate_table.read(rates), card if config.device == "cuda" else "", config.device)
    known_sizes = size_table.read(sizes)
    words = ["--snakefile", str(REPOSITORY / "Snakefile"), "--configfile", str(configfile)]
    with planned_sheet((directory / config.sheet).absolute(), scans) as path:
        named = ["--config", f"sheet={path}"] if scans is not None else []
        jobs = pending_jobs([*words, "--directory", str(directory), *named])
        external = [bool(sheet.external_set(row)) for row in sheet.baseline(sheet.load(path))]
    n_scans = external.count(False)
    plan = analysis_plan.load(analysis_plan.path_of(config.analysis_plan, directory))
    compared = [key for key, model in config.models.items() if model.replication]
    is_split = scans is None and (directory / SPLIT).is_file()
    results = directory / "results"
    scans_of = scans_of_split(results) if is_split else scans_of_sheet(config, n_scans)
    few = few_of_split(plan, results) if is_split else few_of_sheet(plan, config, n_scans)
    split_test = len(sets.test_scans(directory / SPLIT)) if is_split else None
    study = PlannedStudy(config, directory, n_scans, jobs, external.count(True), split_test)
    costs = training_costs(study, speeds)
    more = f" and {study.external} in external sets" if study.external else ""
    title = (
        f"{config.study.name}: {n_scans} scans{more}, {len(config.models)} models, {len(jobs)} jobs to run"
    )
    parts = [
        [title],
        jobs_table(jobs, config.resources),
        models_table(study, costs, speeds, known_sizes),
        effort_table(config, directory, n_scans, speeds) if costs else [],
        prediction_in_words(study, speeds),
        chain(disk_table(study, known_sizes), [OF_FULL_SIZE] if sizes == size_table.SIZES else []),
        precision_table(plan, compared, scans_of),
        [f"Warning: {text}" for text in few],
        [f"Warning: {text}." for text in warnings(study, costs, speeds, known_sizes)],
        [f"Sources: {os.path.relpath(rates)}, {os.path.relpath(sizes)}"],
    ]
    say("\n\n".join(text for part in parts if (text := "\n".join(part))))
