"""The metrics tables as the statistics need them: complete, checked, one row per scan and lesion."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from headct.contracts.artefacts import read_tsv
from headct.contracts.labels import LabelSet
from headct.contracts.problems import BadInput, Problem
from headct.contracts.references import PREDICTS_NOTHING
from headct.metrics import COLUMNS

FAMILY, EXTRA, REFERENCE = "family", "extra", "reference"
"""Roles of a model: in the replicated comparison; beside it; a reference row that predicts nothing.

Only the family enters ranks, corrections and the marks of the best and the worst.
"""

VOLUMES = [name for name in COLUMNS if name.endswith("_ml")]


def read(paths: Sequence[Path], models: Sequence[str], labels: LabelSet) -> pd.DataFrame:
    """Read metrics tables, in the order: ``models`` (the family), other models, reference rows.

    The rows of pooled lesions are left out: the analyses are of single ones, in the order of ``labels``.

    Returns one row per model × seed × scan × label: the columns of the metrics table and ``role``.

    Raises:
        BadInput: a table without a needed column, a model of the family without metrics, a row that
            stands twice, models that were not measured on the same scans.
    """
    tables = [(path, read_tsv(path, model=str, failure=str)) for path in paths]
    problems = [
        Problem(str(path), f"not a metrics table: no column {column!r}", key=column)
        for path, table in tables
        for column in COLUMNS
        if column not in table
    ]
    if problems:
        raise BadInput(problems)
    scores = pd.concat([table for _, table in tables], ignore_index=True)
    pooled = [pool.name for pool in labels.pools]
    scores = scores[~scores["label"].isin(pooled)].reset_index(drop=True)
    scores["failure"] = scores["failure"].fillna("")
    problems = [*_missing_models(scores, models), *_unequal_rows(scores, labels)]
    if problems:
        raise BadInput(problems)
    scores["role"] = [role(model, models) for model in scores["model"]]
    order = model_order(list(scores["model"].unique()), models)
    scores["label"] = pd.Categorical(scores["label"], categories=list(labels), ordered=True)
    scores["model"] = pd.Categorical(scores["model"], categories=order, ordered=True)
    scores = scores.sort_values(["model", "seed", "scan_id", "label"], ignore_index=True)
    return scores.astype({"model": str, "label": str})


def role(model: str, family: Sequence[str]) -> str:
    """Role of a model; the row that predicts nothing is never in the family, even if named in it."""
    if model == PREDICTS_NOTHING:
        return REFERENCE
    return FAMILY if model in family else EXTRA


def model_order(found: Sequence[str], family: Sequence[str]) -> list[str]:
    """The family in its own order, then other models by name, then the reference row."""
    named = [model for model in dict.fromkeys(family) if model in found]
    return sorted(
        found,
        key=lambda model: (
            model == PREDICTS_NOTHING,
            named.index(model) if model in named else len(named),
            model,
        ),
    )


def mean_over_seeds(scores: pd.DataFrame) -> pd.DataFrame:
    """Average each model's measures of a scan over its seeds; all models then count each scan once.

    Adds ``predicts_lesion``, the share of seeds whose prediction holds the lesion (0 or 1 with one
    seed), ``n_seeds``, and ``failed`` (some seed has no prediction).
    """
    marked = scores.assign(
        predicts_lesion=(scores["predicted_ml"] > 0).astype(float),
        failed=scores["failure"] != "",
    )
    groups = marked.groupby(["role", "model", "scan_id", "label"], sort=False)
    means = groups[["dice", *VOLUMES, "predicts_lesion"]].mean()
    means["failed"] = groups["failed"].any()
    means["n_seeds"] = groups.size()
    return means.reset_index()


def first_seed(scores: pd.DataFrame) -> pd.DataFrame:
    """The rows of each model's first seed.

    Agreement is that of one network: averaging volumes over seeds would be an ensemble, and would
    narrow the limits of agreement below those of any network that could be used.
    """
    seeds = scores["seed"].fillna(-1)
    return scores[seeds == seeds.groupby(scores["model"]).transform("min")]


def _missing_models(scores: pd.DataFrame, models: Sequence[str]) -> list[Problem]:
    found = set(scores["model"])
    return [
        Problem("--metrics", "no table has metrics of this model", key="model", value=model)
        for model in models
        if model not in found and model != PREDICTS_NOTHING
    ]


def _unequal_rows(scores: pd.DataFrame, labels: LabelSet) -> list[Problem]:
    key = ["model", "seed", "scan_id", "label"]
    repeated = scores.loc[scores.duplicated(key), key]
    problems = [
        Problem("--metrics", "row stands twice", key="scan_id", row=str(row.model), value=str(row.scan_id))
        for row in repeated.itertuples()
    ]
    wanted = {(scan, label) for scan in scores["scan_id"].unique() for label in labels}
    runs = scores["model"] + scores["seed"].map(lambda seed: "" if pd.isna(seed) else f", seed {seed:g}")
    for run, rows in scores.groupby(runs, sort=False):
        found = set(zip(rows["scan_id"], rows["label"], strict=True))
        for scan, label in sorted(wanted ^ found):
            message = "is not measured" if label in labels else "unknown label"
            problems.append(Problem("--metrics", message, str(run), "scan_id, label", f"{scan} {label}"))
    return problems
