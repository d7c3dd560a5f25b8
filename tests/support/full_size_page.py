"""The page of a made-up study of full size: 174 test scans of 512 × 512 × 40, ten models, all figures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from headct.command_line import run_step
from headct.contracts.artefacts import read_tsv, write_json, write_tsv
from headct.contracts.declarations import PublishedFigure, declared
from headct.contracts.references import ANOTHER_RATER, PREDICTS_NOTHING, SAME_RATER
from headct.publish.page import case_files
from headct.publish.page import page as page_of_results
from headct.settings import analysis_plan, configuration
from headct.settings.analysis_plan import SCAN
from headct.statistics.core import clusters
from headct.statistics.replication.rater_statistics import rater_agreement
from support import figure_inputs, page_study
from support.case_studies import largest_case

CONFIG = configuration.load(page_study.REPOSITORY / "config/config.yaml")
STUDY = page_study.Study(
    models={key: model["title"] for key, model in CONFIG["models"].items()},
    n_test=174,
    n_train=1500,
    left_out=(50, 8),
    failed=3,
)
TRAINED = [key for key, model in CONFIG["models"].items() if "members" not in model]
N_READ_TWICE = 60


N_WITH_A_FILE = 2
"""So many of the cases that the page lists have a file, of full size: they are opened one by one."""


def make(folder: Path, bundle: Path) -> Path:
    """Write the page and what it opens; its path.

    Args:
        folder: for the study.
        bundle: of the page's styles and scripts.
    """
    results = page_study.make(folder, STUDY)
    for figure, stem, arguments in _figures(folder, results):
        lesions = figure_inputs.labels_given(figure, STUDY.labels)
        out = ("--study-title", "Made up", "--out", str(results / f"figures/{stem}.pdf"))
        run_step("figures", [figure, *arguments, *lesions, *out])
    cases, made = _cases(results, bundle), results / "report/index.html"
    page_of_results.main(results=results, labels=STUDY.written, bundle=bundle, cases=cases, out=made)
    return made


def files_of_cases(page: Path) -> list[Path]:
    """The files of cases that were written."""
    return sorted((page.parent / "cases/scans").iterdir())


def _cases(results: Path, bundle: Path) -> Path:
    """The list of the test scans' files, of which some are written."""
    hardest = list(read_tsv(results / "tables/hardest_cases.tsv")["scan_id"])
    folder = results / "report/cases/scans"
    case = largest_case(list(STUDY.models))
    written = [
        case_files.write(replace(case, scan_id=scan), "hounsfield", False, folder, revision=0)
        for scan in hardest[:N_WITH_A_FILE]
    ]
    listed = results / "report/cases.tsv"
    rows = [*written, *({**written[0], "scan_id": scan} for scan in hardest[N_WITH_A_FILE:])]
    write_tsv(pd.DataFrame(rows, columns=list(case_files.COLUMNS)), listed)
    shutil.copyfile(bundle / case_files.VIEWER, folder.parent / case_files.VIEWER)
    return listed


def _figures(folder: Path, results: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Name, path without suffix and arguments of each figure that the page holds."""
    titles = ["--models", json.dumps(dict(STUDY.models))]
    measured = [str(results / f"metrics/{model}.tsv") for model in STUDY.models]
    agreement = [
        *("--metrics", measured[-1], "--plan", str(analysis_plan.SHIPPED)),
        *("--cohort", str(results / "cohort/cohort.tsv"), "--model-title", list(STUDY.models.values())[-1]),
    ]
    every = ["--metrics", *measured, str(results / f"metrics/{PREDICTS_NOTHING}.tsv"), *titles]
    planned = []
    for name in ("endpoints", "paired", "equivalence"):
        planned += [f"--{name}", str(results / f"statistics/{name}.tsv")]
    _write_readings(folder)
    for name in ("dunn.tsv", "site_dice.tsv", "new_site.tsv"):
        shutil.copyfile(results / "statistics" / name, folder / name)
    arguments = figure_inputs.drawn_from_files(folder, agreement, every, planned, titles)
    arguments["critical_difference"] = ["--metrics", *measured, *titles]
    write_tsv(figure_inputs.replicated(STUDY.models), folder / "numbers.tsv")
    arguments["published_vs_reproduced"] = [
        "--numbers",
        str(folder / "numbers.tsv"),
        "--title-note",
        "Made up",
    ]
    of_cohort = [("--flow", "flow"), ("--split", "split")]
    arguments["flow"] = [
        word for option, name in of_cohort for word in (option, f"{results}/cohort/{name}.tsv")
    ]
    figures = {name: figure for name, figure in declared(PublishedFigure).items() if not figure.shows_ct}
    not_asked_for = {"external_sets", "dice_by_effort", "learning_curve"}
    assert arguments.keys() == figures.keys() - not_asked_for, "no external set, no weights but the last"
    for figure, given in arguments.items():
        if not figures[figure].per_model:
            yield figure, figure, given
    for seed, model in enumerate(TRAINED):
        write_json(_training(seed), folder / "train.json")
        yield "training_curves", f"training_curves/{model}", arguments["training_curves"]


def _write_readings(folder: Path) -> None:
    readings = pd.concat([figure_inputs.metrics(kind, N_READ_TWICE) for kind in (SAME_RATER, ANOTHER_RATER)])
    scans = pd.DataFrame({"scan_id": readings["scan_id"].unique()})
    each_alone = clusters.clusters(SCAN, scans.assign(participant_id=scans["scan_id"], site="A"))
    write_tsv(readings, folder / "second-reading.tsv")
    write_tsv(rater_agreement(readings, each_alone), folder / "rater_agreement.tsv")


def _training(seed: int) -> dict[str, Any]:
    """A record of as many epochs as the study has, with losses that go up and down as real ones do."""
    record = figure_inputs.training_record(epochs=CONFIG["nnunet"]["epochs"], seed=seed)
    noise = np.random.default_rng(seed)
    for entry in record["history"]:
        for loss in ("train_loss", "validation_loss"):
            entry[loss] += noise.normal(0, 0.03)
    return record
