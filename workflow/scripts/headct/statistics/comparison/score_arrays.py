"""Measures of models on the same scans as arrays, so that all are compared scan by scan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from headct.contracts.labels import LabelSet
from headct.contracts.problems import BadInput, Problem
from headct.contracts.references import TRAINING_MEAN
from headct.settings.analysis_plan import EXPLORATORY, PLANNED, WITHOUT_LESION
from headct.statistics.core.agreement import ALL_SCANS, WITH_LESION
from headct.statistics.core.clusters import Clusters, numbered
from headct.statistics.core.jackknife import SEEDS_COUNT_FROM, UNBOUNDED
from headct.statistics.core.scores import EXTRA, FAMILY, REFERENCE, calls_lesion

NEEDED = ("dice", "reference_ml", "predicted_ml", "intersection_ml", "volume_error_ml")
OPTIONAL = ("hd95_mm", "surface_dice")
"""Measures that are shown if the metrics tables have them."""


@dataclass(frozen=True)
class ScoreArrays:
    """``arrays`` maps (label, column) to (seeds, scans, models), for each of the ``labels``.

    ``failed`` is (scans, models): whether some seed has no prediction. ``clusters`` (scans,) numbers what
    each scan is left out and flipped with, of the kind ``cluster``.
    """

    labels: LabelSet
    scans: np.ndarray
    models: tuple[str, ...]
    roles: tuple[str, ...]
    n_seeds: int
    arrays: Mapping[tuple[str, str], np.ndarray]
    failed: np.ndarray
    clusters: np.ndarray
    cluster: str

    def reference_ml(self, label: str) -> np.ndarray:
        """Volume (mL) of the reference lesion in each scan."""
        return self.arrays[label, "reference_ml"][0, :, 0]

    def chosen(self, label: str, scans: str) -> np.ndarray:
        """Which scans a choice (all, with or without the lesion) takes."""
        present = self.reference_ml(label) > 0
        return {ALL_SCANS: np.ones_like(present), WITH_LESION: present, WITHOUT_LESION: ~present}[scans]

    def values(self, measure: str, label: str) -> np.ndarray:
        """A measure as (seeds, scans, models).

        ``false_positive`` is whether the lesion is predicted (:meth:`calls`); ``absolute_volume_error_ml`` is
        the volume error without its sign.
        """
        if measure == "false_positive":
            return self.calls(label, 0.0).astype(float)
        if measure == "absolute_volume_error_ml":
            return np.abs(self.arrays[label, "volume_error_ml"])
        return self.arrays[label, measure]

    def calls(self, label: str, threshold_ml: float) -> np.ndarray:
        """Whether the lesion is called there, by :func:`.calls_lesion`: (seeds, scans, models)."""
        names = ("reference_ml", "predicted_ml", "failed")
        reference_ml, predicted_ml, failed = (self.arrays[label, name] for name in names)
        return calls_lesion(reference_ml, predicted_ml, failed, threshold_ml)

    def clusters_of(self, chosen: np.ndarray) -> np.ndarray:
        """Number of the cluster of each of the ``chosen`` scans, counted from 0 without gaps."""
        return numbered(self.clusters[chosen])

    def indices(self, role: str) -> list[int]:
        """Columns of the models of a role."""
        return [i for i, found in enumerate(self.roles) if found == role]

    def of_role(self, role: str) -> list[str]:
        """The models of a role."""
        return [self.models[i] for i in self.indices(role)]

    def first_seed(self) -> ScoreArrays:
        """One network of each model: agreement and detection are not averaged over networks."""
        return replace(self, n_seeds=1, arrays={key: values[:1] for key, values in self.arrays.items()})


def score_arrays_of(scores: pd.DataFrame, labels: LabelSet, clusters: Clusters) -> ScoreArrays:
    """Arrays of the rows that :func:`headct.statistics.core.scores.read` gives.

    Args:
        scores: the rows.
        labels: the lesions.
        clusters: what the scans are left out and flipped with.

    Raises:
        BadInput: models with different seeds. Rows without a seed (references) count for each seed.
    """
    models = tuple(dict.fromkeys(scores["model"]))
    scans = np.sort(scores["scan_id"].unique())
    rows = scores.assign(seed=scores["seed"].astype("Int64").fillna(-1), failed=scores["failure"].ne(""))
    seeds = {str(model): tuple(np.sort(of["seed"].unique())) for model, of in rows.groupby("model")}
    networks = {found for found in seeds.values() if found != (-1,)}
    if len(networks) > 1:
        raise BadInput(
            [
                Problem("--metrics", "its seeds are not those of the other models", row=model, key="seed")
                for model, found in seeds.items()
                if found not in (max(networks, key=list(seeds.values()).count), (-1,))
            ]
        )
    n_seeds = len(next(iter(networks), (-1,)))

    columns = [*NEEDED, *(column for column in OPTIONAL if column in scores), "failed"]
    wide = {
        key: of.pivot(index="seed", columns="scan_id", values=columns).astype(float)
        for key, of in rows.groupby(["model", "label"])
    }

    def array(column: str, label: str) -> np.ndarray:
        tables = [wide[model, label][column][scans].to_numpy() for model in models]
        return np.stack([np.broadcast_to(table, (n_seeds, len(scans))) for table in tables], axis=-1)

    roles = scores.drop_duplicates("model").set_index("model")["role"]
    return ScoreArrays(
        labels=labels,
        scans=scans,
        models=models,
        roles=tuple(roles[list(models)]),
        n_seeds=n_seeds,
        arrays={(label, column): array(column, label) for label in labels for column in columns},
        failed=array("failed", next(iter(labels))).max(axis=0) > 0,
        clusters=clusters.of(scans),
        cluster=clusters.kind,
    )


def with_training_mean(
    scores: pd.DataFrame, cohort: pd.DataFrame, split: pd.DataFrame, labels: LabelSet
) -> pd.DataFrame:
    """Add the reference row of volume tables: what the mean of the training set would score.

    It has no Dice, and there is none where nothing is trained on. Takes ``cohort.tsv`` and ``split.tsv``.

    Args:
        scores: what ``scores.read`` gives.
        cohort, split: the tables of those names.
        labels: the label set.
    """
    training = cohort[cohort["scan_id"].isin(split.loc[split["set"] == "train", "scan_id"])]
    if training.empty:
        return scores
    first = scores["model"].iloc[0]
    rows = scores[scores["model"].eq(first)].drop_duplicates(["scan_id", "label"])
    means = {label: training[f"{label}_ml"].mean() for label in labels}
    predicted = rows["label"].map(means)
    added = rows[["scan_id", "label", "reference_ml"]].assign(
        model=TRAINING_MEAN,
        role=REFERENCE,
        predicted_ml=predicted,
        volume_error_ml=predicted - rows["reference_ml"],
        failure="",
    )
    return pd.concat([scores, added], ignore_index=True)


def second_readings(readings: pd.DataFrame, labels: LabelSet, clusters: Clusters) -> list[ScoreArrays]:
    """Each kind of second reading, over the scans that have one: what humans reach."""
    lesions = readings[readings["label"].isin(list(labels))]
    lesions = lesions.assign(role=REFERENCE, failure=lesions["failure"].fillna(""))
    return [score_arrays_of(rows, labels, clusters) for _, rows in lesions.groupby("model", sort=False)]


def bounds_of(measure: str) -> tuple[float, float]:
    """Least and greatest value of a measure."""
    return (0, 1) if measure in ("dice", "false_positive", "surface_dice") else UNBOUNDED


def status_of(role: str) -> str:
    """Whether rows of a model are part of the plan."""
    return {FAMILY: PLANNED, EXTRA: EXPLORATORY}.get(role, role)


def scope(n_seeds: int) -> str:
    """What a statement is about: the networks at hand, or any that are trained like them."""
    return f"networks trained so ({n_seeds} seeds)" if n_seeds >= SEEDS_COUNT_FROM else at_hand(n_seeds)


def at_hand(n_seeds: int) -> str:
    """What a statement is about that has no variance between seeds in it."""
    return "this network" if n_seeds == 1 else f"the mean of these {n_seeds} networks"
