"""A pilot of a study on some of its own training scans: ``python -m headct pilot --help``.

It is a study of its own, in its own folder, of the study's configuration with trainings of a few steps. It
goes from the sheet to the seal, and its rates and sizes give the plan of the full study
(:mod:`headct.run.cluster.resource_plan`). The study's test set is drawn, if it is not yet, and left alone.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from headct.contracts.artefacts import read_tsv
from headct.contracts.problems import BadInput, Problem, WrongOptions
from headct.contracts.repository import REPOSITORY
from headct.contracts.terminal import say
from headct.run.cluster import rates as rate_table
from headct.run.cluster import resource_plan
from headct.run.cluster import sizes as size_table
from headct.run.pilot import costs, study_files
from headct.run.pilot.costs import FinishedPilot
from headct.run.pilot.drawn_scans import draw
from headct.run.pilot.findings import findings
from headct.settings import blocks, config_files, configuration
from headct.settings.blocks import Configuration

COHORT = Path("results/cohort")
SEAL = Path("results/audit/root.sha256")
RATES, SIZES = "rates.tsv", "sizes.tsv"
OURS = ("--snakefile", "-s", "--configfile", "--configfiles", "--directory", "-d")
"""Options of Snakemake by which study and pilot are told apart."""


def main(
    *snakemake: str,
    configfile: Path = REPOSITORY / "config" / "config.yaml",
    directory: Path = Path(),
    scans: int = 20,
    steps: int = 50,
    seed: int = 2022,
    out: Path | None = None,
) -> None:
    """Run a small study of training scans, and say what the full one will need.

    Args:
        snakemake: Snakemake's own words, after --, as for the study: --cores 16 --resources gpu=1, or
            --profile slurm.
        configfile: configuration of the study.
        directory: folder of the study.
        scans: how many at least, of participants in the training set.
        steps: of each training.
        seed: of the draw.
        out: folder of the pilot; left out, it is 'pilot' in the folder of the study.
    """
    check_options(snakemake, scans, steps)
    config, out = blocks.load(configfile), out or directory / "pilot"
    study_files.lengths(config, steps)  # what can't be shortened is told before anything runs
    study_files.check_folder(out)
    run_snakemake([resource_plan.SPLIT], [configfile], directory, snakemake)
    cohort, flow, split = (
        read_tsv(directory / COHORT / f"{name}.tsv") for name in ("cohort", "flow", "split")
    )
    drawn = draw(
        split,
        cohort,
        config.labels,
        scans=scans,
        seed=seed,
        folds=config.split.folds,
        file=str(directory / resource_plan.SPLIT),
    )
    rows = study_files.rows_of(directory / config.sheet, (*drawn.train, *drawn.test))
    content = study_files.differences(config, directory, out, steps, [row["participant_id"] for row in rows])
    drawn_by = f"--scans {scans} --steps {steps} --seed {seed}"
    texts = {
        study_files.SHEET: study_files.sheet_text(rows, out),
        study_files.SPLIT: study_files.split_text(drawn),
        study_files.DIFFERENCES: study_files.differences_text(content, configfile, drawn_by),
    }
    study_files.write(texts, out)
    configfiles = [configfile, out / study_files.DIFFERENCES]
    run_snakemake([], configfiles, out, snakemake)
    if not (out / SEAL).is_file():
        message = "Snakemake ended, and nothing is sealed: was it a dry run, or a part?"
        raise BadInput([Problem(str(out), message)])
    pilot = costs.finished(out, configuration_of(configfiles))
    write_rates_and_sizes(pilot, scans_to_train_on=int((split["set"] == "train").sum()))
    say(in_words(pilot, findings(cohort, flow, split, config.labels)), end="\n\n")
    resource_plan.main(
        configfile=configfile,
        directory=directory,
        card=resource_plan.card_of_profile() or costs.card(pilot),
        rates=out / RATES,
        sizes=out / SIZES,
    )


def write_rates_and_sizes(pilot: FinishedPilot, scans_to_train_on: int) -> None:
    """Write what a pilot's jobs took as rates and sizes for the plan of the full study.

    Args:
        pilot: that has run.
        scans_to_train_on: of the full study.
    """
    (pilot.folder / RATES).unlink(missing_ok=True)  # of a former run of the same pilot
    rate_table.add(costs.rates(pilot, scans_to_train_on), pilot.folder / RATES)
    size_table.write(costs.sizes(pilot), "headct pilot", pilot.folder / SIZES)


def in_words(pilot: FinishedPilot, of_study: Iterable[str]) -> str:
    """What a pilot took, and what is odd.

    Args:
        pilot: that has run.
        of_study: sentences on the scans of the full study.
    """
    failed = [
        f"{model} failed to predict {n} scans of the pilot" for model, n in costs.failed_predictions(pilot)
    ]
    odd = [*of_study, *failed, *costs.memory_warnings(pilot)]
    scans = len(costs.scan_folders(pilot))
    parts = [
        [f"{pilot.config.study.name}: {scans} training scans, sealed in {pilot.results}"],
        costs.models_table(pilot),
        costs.memory_table(pilot),
        ["What the scans of the study are like, and what was odd:", *(f"- {sentence}" for sentence in odd)],
        [f"The full study, by {pilot.folder / RATES} and {pilot.folder / SIZES}:"],
    ]
    return "\n\n".join("\n".join(part) for part in parts)


def check_options(snakemake: Sequence[str], scans: int, steps: int) -> None:
    """Refuse options that don't go together.

    Raises:
        WrongOptions: it says which.
    """
    if not snakemake:
        raise WrongOptions(
            "say after -- how Snakemake is to run, as for the study: -- --profile slurm, or "
            "-- --cores 16 --resources gpu=1 mem_mb=64000"
        )
    if twice := [word for word in snakemake if word.partition("=")[0] in OURS]:
        raise WrongOptions(
            f"{', '.join(twice)}: not after --; study and pilot are named by options before it"
        )
    if scans < 1 or steps < 1:
        raise WrongOptions("--scans and --steps must be at least 1")


def run_snakemake(
    targets: Sequence[str], configfiles: Sequence[Path], directory: Path, words: Sequence[str]
) -> None:
    """Run Snakemake in a study's folder; what it prints is seen as it comes.

    Args:
        targets: files to make; all if there is none.
        configfiles: of the study, later ones winning.
        directory: of the study.
        words: further words of Snakemake's.

    Raises:
        BadInput: it failed.
    """
    own = ["--snakefile", str(REPOSITORY / "Snakefile"), "--directory", str(directory)]
    named = ["--configfile", *map(str, configfiles)]
    ended = subprocess.run([sys.executable, "-m", "snakemake", *targets, *own, *named, *words], check=False)
    if ended.returncode:
        message = "Snakemake failed; mend what it says above, and run the same again: it goes on where it was"
        raise BadInput([Problem(str(directory), message)])


def configuration_of(files: Sequence[Path]) -> Configuration:
    """The configuration of several files, later ones winning."""
    sources = config_files.read(files, {})
    return blocks.configured(configuration.complete(sources.merged(), sources.name_of))
