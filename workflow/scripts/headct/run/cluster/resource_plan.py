"""What a run would ask of a cluster, before anything is submitted: ``python -m headct plan --help``.

Jobs by rule and what each asks for, GPU hours, disk by stage. Times and sizes are those of trainings that
this study has finished, else rates of ``resources/rates.tsv``, each with its source; what no rate is known
of is said to be unknown and left out of sums. Before there is a sheet, ``--scans`` says how many scans
there will be.
"""

from __future__ import annotations

import contextlib
import csv
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from headct.contracts.artefacts import read_json
from headct.contracts.columns import aligned
from headct.contracts.problems import BadInput, Problem
from headct.contracts.repository import REPOSITORY
from headct.contracts.terminal import say
from headct.frameworks.base import find_framework, training_settings
from headct.settings import blocks, configuration, sheet
from headct.settings.blocks import Configuration, Resources
from headct.settings.models import OF_TRAINING, Training, having

RATES = REPOSITORY / "resources" / "rates.tsv"
LOGS = "results/logs/"
CHECKPOINTS_KEPT = 2

JOB = re.compile(r"^(?:local)?rule (\w+):\n(?:    .*\n)*?    log: (\S+)", re.MULTILINE)
"""Of what a dry run prints of a job: its rule and its log."""

Rates = Mapping[tuple[str, str], Mapping[str, str]]


def pending_jobs(words: list[str]) -> list[tuple[str, str]]:
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


def read_rates(path: Path = RATES) -> Rates:
    """Rates by quantity and what they are of."""
    with open(path, encoding="utf-8", newline="") as stream:
        return {(row["quantity"], row["of"]): row for row in csv.DictReader(stream, delimiter="\t")}


def jobs_table(jobs: Iterable[tuple[str, str]], resources: Resources) -> Iterator[str]:
    """How many jobs each rule has, and what one asks for; steps of seconds have the profile's defaults."""
    rows: list[tuple[str, ...]] = [("rule", "jobs", "threads", "memory MB", "limit h", "GPUs", "")]
    counts = Counter(rule for rule, _ in jobs)
    asking = {rule: getattr(resources, rule.removesuffix("_out_of_fold"), None) for rule in counts}
    for rule, asked in sorted(asking.items(), key=lambda item: (item[1] is None, item[0])):
        if asked:
            hours = f"{asked.runtime_min / 60:.1f}"
            needs = (str(asked.threads), str(asked.mem_mb), hours, str(getattr(asked, "gpu", 0)))
            rows.append((rule, str(counts[rule]), *needs, ""))
    small = sum(counts[rule] for rule, asked in asking.items() if not asked)
    rows.append(("others", str(small), "", "", "", "", "steps of seconds to minutes, without GPU"))
    yield from aligned(rows, right=range(1, 6))


def seconds_of(settings: Training, finished: Path, rates: Rates) -> tuple[float | None, str]:
    """Seconds of a training, and where this is from: an equal one that is finished, or a rate."""
    if finished.is_file():
        record = read_json(finished)
        if having(settings, *OF_TRAINING).items() <= record["settings"].items():
            return float(record["seconds"]), f"measured here, on {record['sessions'][-1]['device']}"
    rate = rates.get(("train", find_framework(settings.framework).rated_as(settings)))
    per_epoch, epochs = (getattr(settings, key, None) for key in ("iterations_per_epoch", "epochs"))
    if rate is None or not per_epoch or not epochs:
        return None, "no rate is known: benchmarks/training.py measures it on your GPU"
    iterations = epochs * per_epoch
    return float(rate["value"]) * iterations, f"{rate['value']} {rate['unit']}, {rate['machine']}"


def trainings_table(
    jobs: Iterable[tuple[str, str]], config: Configuration, study: Path, rates: Rates
) -> Iterator[str]:
    """Hours of each training, their sum, and the most that the time limits allow.

    Args:
        jobs: rule and log of each job that would run.
        config: the configuration.
        study: its folder.
        rates: what is known of speeds and sizes.
    """
    logs = sorted(log.removeprefix(LOGS + "train/") for rule, log in jobs if rule == "train")
    if not logs:
        return
    rows, hours, unknown = [("training", "hours", "from")], 0.0, 0
    for name in (log.removesuffix(".log") for log in logs):
        model = name.split("/")[0]
        settings = training_settings(config.models[model])
        seconds, source = seconds_of(settings, study / "results/models" / name / "train.json", rates)
        rows.append((name.replace("/", " "), "?" if seconds is None else f"{seconds / 3600:.1f}", source))
        hours += (seconds or 0) / 3600
        unknown += seconds is None
    yield from aligned(rows, right={1})
    asked = config.resources.train
    known = f"{hours * asked.gpu:.1f} GPU hours" if asked.gpu else f"{hours:.1f} hours on CPUs"
    yield f"Sum: {known}" + (f", and {unknown} of unknown length" if unknown else "")
    yield f"A training that is longer than its limit of {asked.runtime_min / 60:.1f} h takes several turns"


def gigabytes(parts: Sequence[float]) -> tuple[str, str]:
    """The sum of some sizes in MB, as text in GB, and how many of them are unknown (NaN) and left out."""
    known = [mb for mb in parts if not math.isnan(mb)]
    unknown = len(parts) - len(known)
    return f"{sum(known) / 1000:.1f}" if known else "?", f"and {unknown} of unknown size" if unknown else ""


def disk_table(config: Configuration, scans: int, study: Path, rates: Rates) -> Iterator[str]:
    """GB by stage of the whole study, whether or not some of it is there already.

    Args:
        config: the configuration.
        scans: their number.
        study: its folder.
        rates: what is known of speeds and sizes.
    """
    test = round(scans * config.split.test_fraction)
    repeats = len(config.training.seeds) * len(config.training.folds)
    trained = [training_settings(model) for model in config.models.values() if model.is_trained]
    prepared = sorted({find_framework(model.framework).representation(model) for model in trained})

    def mb(quantity: str, of: str) -> float:
        return float(rates[quantity, of]["value"]) if (quantity, of) in rates else math.nan

    def weights(model: Training) -> float:
        return mb("weights", find_framework(model.framework).rated_as(model)) * repeats

    def work(model: Training) -> float:
        copies = 1 + find_framework(model.framework).optimiser_copies
        return weights(model) * (1 + CHECKPOINTS_KEPT * copies)

    label_maps = len(config.models) * len(config.training.seeds) * test
    stages = [
        ("results/data", [scans * mb("data", "scan")]),
        ("results/models", [weights(model) for model in trained]),
        ("results/predictions", [label_maps * mb("predictions", "scan")]),
        *(
            (f"{config.work_dir}: {name}", [(scans - test) * mb("preparation", name.split("-")[0])])
            for name in prepared
        ),
        (f"{config.work_dir}/training", [work(model) for model in trained]),
    ]
    rows = [("disk", "GB", ""), *((stage, *gigabytes(parts)) for stage, parts in stages)]
    yield from aligned(rows, right={1})
    sizes = [size for _, parts in stages for size in parts]
    total = sum(size for size in sizes if not math.isnan(size)) / 1000
    unknown = ", and what is unknown" if any(map(math.isnan, sizes)) else ""
    free = shutil.disk_usage(study).free / 1e9
    yield f"Sum: at most about {total:.0f} GB{unknown}; {free:.0f} GB are free here"


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
        cells = {"scan_id": name, "participant_id": name, "dicom": name, "mask": mask.name, **text}
        lines.append("\t".join(cells.get(column, "") for column in columns))
    path = folder / "scans.tsv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def main(
    *,
    configfile: Path = REPOSITORY / "config" / "config.yaml",
    directory: Path = Path(),
    scans: int | None = None,
) -> None:
    """What a run would ask of a cluster, before anything is submitted.

    Args:
        configfile: configuration of the study.
        directory: folder of the study.
        scans: plan for so many scans, whatever the sheet says.
    """
    config = blocks.load(configfile)
    rates = read_rates()
    words = ["--snakefile", str(REPOSITORY / "Snakefile"), "--configfile", str(configfile)]
    with planned_sheet((directory / config.sheet).absolute(), scans) as path:
        named = ["--config", f"sheet={path}"] if scans is not None else []
        jobs = pending_jobs([*words, "--directory", str(directory), *named])
        n_scans = len(sheet.baseline(sheet.load(path)))
    study = f"{config.study.name}: {n_scans} scans, {len(config.models)} models"
    parts = [
        [f"{study}, {len(jobs)} jobs to run"],
        jobs_table(jobs, config.resources),
        trainings_table(jobs, config, directory, rates),
        disk_table(config, n_scans, directory, rates),
        [f"Sources of all rates: {os.path.relpath(RATES)}"],
    ]
    say("\n\n".join("\n".join(part) for part in parts))
