"""The results of a run as the reports need them: settings, tables, records of training, versions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from headct.contracts import postprocessing, run_records, sets
from headct.contracts.artefacts import CONFIG, read_json, read_tsv
from headct.contracts.labels import LabelSet
from headct.contracts.postprocessing import Postprocessing
from headct.frameworks.registry import frameworks
from headct.metrics.measure import read_settings
from headct.publish.tables.words import title_of
from headct.settings import outside
from headct.settings.analysis_plan import OWN
from headct.settings.blocks import Configuration, Model, configured

STATISTICS = (
    "plan",
    "endpoints",
    "sensitivity",
    "precision",
    "estimates",
    "detection",
    "subgroups",
    "agreement",
    "rater_agreement",
    "cohort_tests",
    "dice_summary",
    "new_site",
)

OF_THE_PAPER = ("statistics/claims.tsv", "tables/published_vs_reproduced.html")
"""What a study of its own does not have; the first is among the facts of any other."""

OF_TRAININGS = ("figures/training_curves/", "models/preparation/")
"""What a study does not have in which no model is trained."""

BEFORE_THE_REPORTS = (
    "ingest/**/*.json",
    "prepare/*.json",
    "train/**/*.json",
    "predict/**/*.json",
    "metrics/*.json",
    "statistics.json",
    "paired_analysis.json",
    "new_site.json",
    "rater_agreement.json",
)
"""Run records of the jobs that the reports wait for. Others run beside them: which are there is chance."""

TEXT = ("sex", "status", "reason", "flags", "manufacturer")
"""Columns of the cohort that are text even if empty."""

SOFTWARE = (
    "pydicom",
    "SimpleITK",
    "connected-components-3d",
    "numpy",
    "scipy",
    "pandas",
    "statsmodels",
    "pingouin",
    "scikit-posthocs",
)
"""Packages, beside those that train, whose versions a reader of the methods wants; run records have them."""


@dataclass(frozen=True)
class Facts:
    """Everything that a report is made of.

    Attributes:
        labels: the study's lesions.
        config: the resolved configuration, its models in the order of the tables.
        cohort, flow, split, balance: tables of ``results/cohort``.
        statistics: tables of ``results/statistics`` by name.
        training: the ``train.json`` of each model that is trained here, one per seed and fold.
        postprocessing: what held-out scans decided on each model that is post-processed, one per seed.
        surface_tolerance_mm: tolerance of the surface Dice by lesion, as it was used.
        versions: versions of the software that made the results, by name; several where jobs differ.
    """

    labels: LabelSet
    config: Configuration
    cohort: pd.DataFrame
    flow: pd.DataFrame
    split: pd.DataFrame
    balance: pd.DataFrame
    statistics: Mapping[str, pd.DataFrame]
    training: Mapping[str, Sequence[Mapping[str, Any]]]
    postprocessing: Mapping[str, Sequence[Postprocessing]]
    surface_tolerance_mm: Mapping[str, float]
    versions: Mapping[str, Sequence[str]]

    @property
    def models(self) -> Mapping[str, Model]:
        """Each model of the run, by key."""
        return self.config.models

    @property
    def main_model(self) -> str:
        """The model that the configuration, not the test set, chose for the figures of agreement."""
        return self.config.figures.agreement_model

    @property
    def simulated(self) -> bool:
        """Whether the trial is the simulator's."""
        return self.config.phantom is not None

    @cached_property
    def included(self) -> pd.DataFrame:
        """Rows of the cohort that were analysed, but for external sets."""
        return sets.of_study(self.cohort[self.cohort["status"] == "included"])

    @cached_property
    def external(self) -> Mapping[str, pd.DataFrame]:
        """Rows of the cohort that were analysed in each external set, by its name."""
        usable = self.cohort[self.cohort["status"] == "included"]
        of_sets = usable.drop(index=self.included.index)
        return {str(name): rows for name, rows in of_sets.groupby("external_set")} if len(of_sets) else {}

    @property
    def left_out(self) -> Sequence[str]:
        """Files and folders below ``results/`` that this study does not have."""
        of_the_paper = OF_THE_PAPER if "claims" not in self.statistics else ()
        of_trainings = OF_TRAININGS if not self.training else ()
        return of_the_paper + of_trainings

    def n_scans(self, of_set: str) -> int:
        """Number of scans in the training or test set."""
        return int((self.split["set"] == of_set).sum())

    @property
    def is_evaluation_only(self) -> bool:
        """Whether no scan was trained on."""
        return not self.n_scans("train")

    def title(self, model: str) -> str:
        """Name of a model in print."""
        return title_of(model, {key: one.title for key, one in self.models.items()})

    def members(self, model: str) -> Sequence[str]:
        """The models trained here that a model consists of: itself, the members of an ensemble, or none."""
        own = [model] if model in self.training else []
        return self.models[model].members or own

    @cached_property
    def outside(self) -> Mapping[str, outside.About]:
        """What is known of each model that was made elsewhere."""
        return {key: outside.about(model) for key, model in self.models.items() if model.is_from_outside}


def plan_items(plan: pd.DataFrame) -> Mapping[str, str]:
    """Items of the plan that was used, by name, from ``plan.tsv``."""
    rows = plan[plan["kind"] == "plan"]
    return dict(zip(rows["item"].astype(str), rows["value"].astype(str), strict=True))


def read(results: Path, labels: LabelSet) -> Facts:
    """Read the facts from a results folder."""
    config = configured(read_json(results / CONFIG))
    cohort = results / "cohort"
    statistics = {name: read_tsv(results / "statistics" / f"{name}.tsv", note=str) for name in STATISTICS}
    if plan_items(statistics["plan"])["comparison"] != OWN:
        statistics["claims"] = read_tsv(results / OF_THE_PAPER[0], note=str)
    order = list(statistics["dice_summary"]["model"])
    config = replace(
        config, models={key: config.models[key] for key in sorted(config.models, key=order.index)}
    )
    runs = [f"seed-{seed}/fold-{fold}" for seed in config.training.seeds for fold in config.training.folds]
    training = {}
    for model in [key for key, of_model in config.models.items() if of_model.is_trained]:
        training[model] = [read_json(results / "models" / model / run / "train.json") for run in runs]
    seeds = [f"seed-{seed}" for seed in config.training.seeds]
    decisions = {}
    for model in [key for key, of_model in config.models.items() if of_model.postprocessing]:
        files = [results / "models" / model / seed / postprocessing.FILE for seed in seeds]
        decisions[model] = [postprocessing.read(file) for file in files]
    of_raters = results / "statistics/surface_tolerance.tsv"
    by_raters = config.metrics.surface_tolerance_mm is None and of_raters.is_file()
    measures = read_settings(config.metrics, of_raters if by_raters else None)
    return Facts(
        labels=labels,
        config=config,
        cohort=read_tsv(cohort / "cohort.tsv", **dict.fromkeys(TEXT, str)),
        flow=read_tsv(cohort / "flow.tsv"),
        split=read_tsv(cohort / "split.tsv", drawn_by=str),
        balance=read_tsv(cohort / "balance.tsv"),
        statistics=statistics,
        training=training,
        postprocessing=decisions,
        surface_tolerance_mm={label: measures.tolerance_mm(label) for label in labels},
        versions=_versions(results, training),
    )


def _versions(results: Path, training: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, list[str]]:
    runs = results / "audit/runs"
    paths = sorted(path for pattern in BEFORE_THE_REPORTS for path in runs.glob(pattern))
    jobs = [run_records.read(path, results) for path in paths]
    found = [*(run["versions"] for model in training.values() for run in model)]
    for job in jobs:
        own = {"headct": job.workflow.get("version"), "Snakemake": job.workflow.get("snakemake")}
        found.append({**job.packages, **own, "python": job.python})
    named: dict[str, set[str]] = {}
    for versions in found:
        for name, version in versions.items():
            if version:
                named.setdefault(_normalised(name), set()).add(version)
    packages = [framework.package for framework in frameworks().values()]
    wanted = ("headct", "Snakemake", "Python", "torch", *packages, *SOFTWARE)
    return {name: sorted(named[_normalised(name)]) for name in wanted if _normalised(name) in named}


def _normalised(name: str) -> str:
    """Name of a package as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
