"""For tests of the planned comparison: a quick plan, facts of scans, metrics of planted predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from headct.contracts.labels import LabelSet
from headct.metrics import COLUMNS
from headct.settings import analysis_plan
from headct.statistics.comparison.paired_analysis import analysis
from headct.statistics.comparison.subgroups import THICKNESS
from support.label_sets import LABELS
from support.simulated_scores import with_role

PLAN = replace(analysis_plan.load(analysis_plan.SHIPPED), permutations=1000)
MODELS = (PLAN.primary.model, *PLAN.key_secondary[0].against)

Volumes = Mapping[str, np.ndarray]


def rows(
    model: str, truth: Volumes, predicted: Volumes, shared: Volumes, seed: int | None = 1
) -> pd.DataFrame:
    """Metrics of one network from volumes (mL) per lesion: reference, predicted, and their intersection."""
    tables = []
    for label in LABELS:
        reference, guess, both = truth[label], predicted[label], shared[label]
        with np.errstate(invalid="ignore"):
            dice = np.where(reference + guess > 0, 2 * both / (reference + guess), 1.0)
        table = pd.DataFrame(
            {
                "model": model,
                "seed": seed,
                "label": label,
                "dice": dice,
                "scan_id": [f"{i:03d}" for i in range(len(reference))],
                "reference_ml": reference,
                "predicted_ml": guess,
                "intersection_ml": both,
                "false_positive_ml": guess - both,
                "false_negative_ml": reference - both,
                "volume_error_ml": guess - reference,
                "failure": "",
            }
        )
        tables.append(table)
    return pd.concat(tables).reindex(columns=list(COLUMNS)).astype({"seed": "Int64"})


def cohort(
    n_test: int, n_train: int = 60, random_state: int = 3, labels: LabelSet = LABELS
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """``cohort.tsv`` and ``split.tsv``; test scans are called as in :func:`rows`."""
    rng = np.random.default_rng(random_state)
    n = n_test + n_train
    table = pd.DataFrame(
        {
            "scan_id": [*(f"{i:03d}" for i in range(n_test)), *(f"t{i}" for i in range(n_train))],
            "participant_id": [f"P{i}" for i in range(n)],
            "site": rng.choice([f"site {i}" for i in range(12)], n),
            "rater": rng.choice(["rater-1", "rater-2"], n),
            "manufacturer": rng.choice(["Maker A", "Maker B", None], n, p=[0.5, 0.4, 0.1]),
            "tilt_deg": rng.choice([0.0, 15.0], n),
            **{f"{label}_ml": rng.gamma(2, 8, n) for label in labels},
            "age": rng.integers(40, 90, n).astype(float),
            "sex": rng.choice(["F", "M"], n),
        }
    )
    split = table[["scan_id"]].assign(set=["test"] * n_test + ["train"] * n_train)
    return table, split


def analysed(metrics: pd.DataFrame, family: tuple[str, ...], **options: Any) -> dict[str, pd.DataFrame]:
    """Every table of the planned comparison; ``options`` are ``plan``, ``readings`` and ``labels``."""
    labels = options.get("labels", LABELS)
    scans = np.sort(metrics["scan_id"].unique())
    table, split = cohort(len(scans), labels=labels)
    thickness = np.where(np.arange(len(scans)) % 3, 5.0, 1.25)
    known = table.set_index("scan_id").loc[scans].assign(**{THICKNESS: thickness})
    plan = options.get("plan", PLAN)
    return analysis(plan, with_role(metrics, family), table, split, known, labels, options.get("readings"))
