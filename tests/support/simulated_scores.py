"""Measures of made-up models, in the form of the metrics tables, for tests of statistics and tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from headct.contracts.labels import LabelSet
from headct.contracts.references import PREDICTS_NOTHING
from headct.metrics import COLUMNS
from headct.settings.analysis_plan import SCAN
from headct.statistics.core.clusters import Clusters
from headct.statistics.core.scores import mean_over_seeds, model_order, role, scored
from support.label_sets import LABELS

FAMILY = ("a", "b", "c")


def each_scan_alone(scores: pd.DataFrame) -> Clusters:
    """Clusters of one scan each."""
    scans = np.sort(scores["scan_id"].unique())
    return Clusters(SCAN, pd.Series(scans, scans))


def rows(
    model: str,
    reference_ml: Mapping[str, np.ndarray],
    predicted_ml: Mapping[str, np.ndarray],
    seed: int | None,
    labels: Iterable[str] = LABELS,
) -> list[dict[str, object]]:
    """Rows of one network; the smaller of two volumes lies within the larger."""
    found = []
    for label in labels:
        for i, (truth, guess) in enumerate(zip(reference_ml[label], predicted_ml[label], strict=True)):
            shared = min(truth, guess)
            volumes = {
                "reference": truth,
                "predicted": guess,
                "intersection": shared,
                "false_positive": guess - shared,
                "false_negative": truth - shared,
                "volume_error": guess - truth,
            }
            found.append(
                {
                    "model": model,
                    "seed": seed,
                    "scan_id": f"{i:03d}",
                    "label": label,
                    "dice": 2 * shared / (truth + guess) if truth + guess else 1.0,
                    **{f"{name}_ml": volume for name, volume in volumes.items()},
                    **{f"{name}_header_ml": volume for name, volume in volumes.items()},
                    "swapped_ml": 0.0,
                    "failure": "",
                }
            )
    return found


def simulated(
    models: Sequence[str] = FAMILY,
    n_scans: int = 8,
    seeds: Sequence[int] = (0,),
    random_state: int = 0,
    labels: LabelSet = LABELS,
) -> pd.DataFrame:
    """A metrics table of all models and of the row that predicts nothing; about half have the last lesion."""
    rng = np.random.default_rng(random_state)
    truth = {label: rng.gamma(2, 8, n_scans).round(2) for label in labels}
    *_, last = labels
    truth[last] = np.where(np.arange(n_scans) % 2, truth[last], 0.0)
    table = []
    for model in models:
        for seed in seeds:
            guess = {label: (truth[label] * rng.uniform(0.4, 1.6, n_scans)).round(2) for label in labels}
            table += rows(model, truth, guess, seed, labels)
    nothing = {label: np.zeros(n_scans) for label in labels}
    table += rows(PREDICTS_NOTHING, truth, nothing, None, labels)
    return pd.DataFrame(table, columns=list(COLUMNS)).astype({"seed": "Int64"})


def per_scan(metrics: pd.DataFrame, family: Sequence[str] = FAMILY) -> pd.DataFrame:
    """One row per scan, as the summaries and group tests take them."""
    return mean_over_seeds(with_role(metrics, family))


def with_role(metrics: pd.DataFrame, family: Sequence[str] = FAMILY) -> pd.DataFrame:
    """The metrics in the order of the models, scored, with the role of each."""
    order = model_order(list(metrics["model"].unique()), family)
    position = metrics["model"].map(order.index)
    marked = scored(metrics).assign(role=[role(model, family) for model in metrics["model"]])
    return marked.loc[position.sort_values(kind="stable").index]


def cohort(n_train: int = 12, n_test: int = 6, random_state: int = 0) -> pd.DataFrame:
    """Rows of a cohort with their set and imaged volume, one scan per participant."""
    rng = np.random.default_rng(random_state)
    n = n_train + n_test
    return pd.DataFrame(
        {
            "scan_id": [f"{i:03d}" for i in range(n)],
            "participant_id": [f"p{i}" for i in range(n)],
            "site": [f"site {i % 4}" for i in range(n)],
            "set": ["train"] * n_train + ["test"] * n_test,
            "age": rng.normal(68, 13, n).round(),
            "sex": rng.choice(["F", "M"], n),
            "onset_to_ct_h": rng.gamma(4, 0.5, n).round(1),
            "ICH_ml": rng.gamma(1, 20, n) + 0.5,
            "PHE_ml": rng.gamma(1, 11, n) + 0.1,
            "IVH_ml": np.where(rng.random(n) < 0.3, rng.gamma(1, 9, n), 0.0),
            "imaged_ml": 8000.0,
        }
    )
