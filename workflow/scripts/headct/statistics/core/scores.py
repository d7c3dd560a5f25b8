"""The metrics tables as the statistics need them: complete, checked, one row per scan and lesion."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from headct.contracts.artefacts import read_tsv
from headct.contracts.labels import LabelSet
from headct.contracts.no_prediction import CRASHED, kind_of
from headct.contracts.problems import BadInput, Problem
from headct.contracts.references import PREDICTS_NOTHING
from headct.metrics import COLUMNS

FAMILY, EXTRA, REFERENCE = "family", "extra", "reference"
"""Roles of a model: in the replicated comparison; beside it; a reference row that predicts nothing.

Only the family enters ranks, corrections and the marks of the best and the worst.
"""

VOLUMES = [name for name in COLUMNS if name.endswith("_ml")]

NAMES = ("model", "scan_id", "label")
"""Columns that name a row, with the seed where there is one."""

NEVER_EMPTY = ("dice", *(name for name in VOLUMES if name != "swapped_ml"))
"""Columns that hold a finite number in every row; other measures are empty where they are not defined."""

SHARES = ("dice", "dice_present", "surface_dice", "lesion_f1", "lesion_dice")
"""Columns from 0 to 1."""

NEVER_NEGATIVE = tuple(name for name in VOLUMES if not name.startswith("volume_error"))
"""Volumes; their errors have a sign."""

DISTANCES = tuple(name for name in COLUMNS if name.endswith("_mm"))
"""Columns that are empty where either map lacks the lesion, and else 0 mm or more."""

OF_REFERENCE = ("reference_ml", "reference_header_ml")
"""Columns that are the same for all models, seeds and kinds of second readings."""

ROUNDING = 1e-8
"""Share of a volume by which tables may differ: more than the rounding to ten digits, less than one voxel."""

MAKE_AGAIN = "make this table again"

ANOTHER_REFERENCE = (
    "other rows have another reference volume of this scan and lesion: measure all models again, on the same"
    " references"
)


def read(paths: Sequence[Path], models: Sequence[str], labels: LabelSet) -> pd.DataFrame:
    """Read metrics tables, in the order: ``models`` (the family), other models, reference rows.

    The rows of pooled lesions are left out: the analyses are of single ones, in the order of ``labels``.

    Returns one row per model × seed × scan × label: the columns of the metrics table and ``role``, with
    missing predictions as :func:`scored` scores them.

    Raises:
        BadInput: tables as :func:`read_table` refuses them, a reference volume that is not the same in all of
            them, a model of the family without metrics, a row that stands twice, models that were not
            measured on the same scans.
    """
    scores = _read_tables(paths, COLUMNS)
    pooled = [pool.name for pool in labels.pools]
    scores = scores[~scores["label"].isin(pooled)].reset_index(drop=True)
    problems = [*_missing_models(scores, models), *_unequal_rows(scores, labels)]
    if problems:
        raise BadInput(problems)
    scores = scored(scores)
    scores["role"] = [role(model, models) for model in scores["model"]]
    order = model_order(list(scores["model"].unique()), models)
    scores["label"] = pd.Categorical(scores["label"], categories=list(labels), ordered=True)
    scores["model"] = pd.Categorical(scores["model"], categories=order, ordered=True)
    scores = scores.sort_values(["model", "seed", "scan_id", "label"], ignore_index=True)
    return scores.astype({"model": str, "label": str})


def read_table(path: Path, needed: Collection[str] = COLUMNS) -> pd.DataFrame:
    """One metrics table, of models or of second readings, as it stands; ``failure`` is "" for none.

    Raises:
        BadInput: a needed column is not there; else every cell that lacks a value where every row has one,
            that no measure can be (a Dice above 1, a negative volume), or that gives a lesion another
            reference volume than other rows of the scan do.
    """
    return _read_tables([path], needed)


def _read_tables(paths: Sequence[Path], needed: Collection[str]) -> pd.DataFrame:
    """The rows of several tables, one after the other, as :func:`read_table` checks them."""
    tables: list[pd.DataFrame] = []
    problems: list[Problem] = []
    for path in paths:
        table = read_tsv(path, model=str, label=str, failure=str)
        absent = [column for column in needed if column not in table]
        problems += [
            Problem(str(path), f"not a metrics table: no column {column!r}", key=column) for column in absent
        ]
        tables.append(table.fillna({"failure": ""}))
    problems = problems or _unusable_cells(paths, tables, needed)
    if problems:
        raise BadInput(problems)
    return pd.concat(tables, ignore_index=True)


def _unusable_cells(
    paths: Sequence[Path], tables: Sequence[pd.DataFrame], needed: Collection[str]
) -> list[Problem]:
    """Every cell that can't be used, column by column, in the order of the rows."""
    table_of_row = np.repeat(np.arange(len(tables)), [len(table) for table in tables])
    place_in_table = np.concatenate([np.arange(len(table)) for table in tables])
    problems = []
    for column, message, refused in _refused_rows(pd.concat(tables, ignore_index=True), needed):
        for i in np.flatnonzero(refused):
            row = tables[table_of_row[i]].iloc[place_in_table[i]]
            found = "" if pd.isna(row[column]) else str(row[column])
            named = f"{_name_of(row)} (line {place_in_table[i] + 2})"  # the first line is the header
            problems.append(Problem(str(paths[table_of_row[i]]), message, named, column, found))
    return problems


def _refused_rows(
    rows: pd.DataFrame, needed: Collection[str]
) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Columns, why some of their cells can't be used, and which of the rows (n,) have these."""
    for name in NAMES:
        yield name, f"every row must have it: {MAKE_AGAIN}", rows[name].isna().to_numpy()
    checked = (*SHARES, *VOLUMES, *DISTANCES)
    for name in (name for name in dict.fromkeys([*needed, *DISTANCES]) if name in rows and name in checked):
        values = pd.to_numeric(rows[name], errors="coerce").astype(float)
        if name in NEVER_EMPTY:
            yield name, f"every row must have a finite number: {MAKE_AGAIN}", ~np.isfinite(values.to_numpy())
        if name in SHARES:
            yield name, f"must be from 0 to 1: {MAKE_AGAIN}", ((values < 0) | (values > 1)).to_numpy()
        if name in DISTANCES:
            message = f"must be 0 mm or more, and finite: {MAKE_AGAIN}"
            yield name, message, ((values < 0) | np.isinf(values)).to_numpy()
        if name in NEVER_NEGATIVE:
            yield name, f"a volume can't be negative: {MAKE_AGAIN}", (values < 0).to_numpy()
        if name in OF_REFERENCE:
            finite = values.where(np.isfinite(values))
            usual = finite.groupby([rows["scan_id"], rows["label"]]).transform("median")
            yield name, ANOTHER_REFERENCE, ((finite - usual).abs() > ROUNDING * usual.abs()).to_numpy()


def _name_of(row: pd.Series) -> str:
    """What names a row, as far as it is there."""
    names = [str(row[name]) for name in NAMES if pd.notna(row[name])]
    seed = row.get("seed")
    if pd.notna(seed):
        names.insert(1, f"seed {seed:g}" if isinstance(seed, (int, float)) else f"seed {seed}")
    return ", ".join(names)


def scored(scores: pd.DataFrame) -> pd.DataFrame:
    """The rows of metrics tables, with the Dice of missing predictions (those with a ``failure``) at 0.

    A metrics table measures a missing prediction as an empty map, which agrees with a reference without the
    lesion: Dice 1 for a model that failed. Here it is wrong in every scan: Dice 0, and it is wrong about
    whether the lesion is there (:func:`calls_lesion`). Its volumes stay those of an empty map, 0 mL: the
    whole reference volume is missed. An error of a volume has no worst value that could be taken instead.
    """
    return scores.assign(dice=scores["dice"].mask(scores["failure"] != "", 0.0))


def calls_lesion(
    reference_ml: ArrayLike, predicted_ml: ArrayLike, missing: ArrayLike, threshold_ml: float = 0.0
) -> NDArray[np.bool_]:
    """Whether predictions say that the lesion is there: that its volume is above a threshold.

    A missing prediction is wrong: it misses a lesion that is there, and sees one where there is none.

    Args:
        reference_ml: volume of the lesion in the reference, of any shape.
        predicted_ml: volume in the prediction, of the same shape.
        missing: which of the predictions are missing, of the same shape.
        threshold_ml: what a volume must be above; of 0, one voxel is enough.
    """
    absent = np.asarray(reference_ml) <= threshold_ml
    return np.where(np.asarray(missing, dtype=bool), absent, np.asarray(predicted_ml) > threshold_ml)


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

    Adds ``predicts_lesion``, the share of seeds that say that the lesion is there (0 or 1 with one
    seed; :func:`calls_lesion`), ``n_seeds``, ``failed`` (some seed has no prediction), and ``crashed``
    (that of some seed crashed; the other ones that failed were refused).
    """
    failed = scores["failure"] != ""
    calls = calls_lesion(scores["reference_ml"], scores["predicted_ml"], failed)
    crashed = [reason != "" and kind_of(reason) == CRASHED for reason in scores["failure"]]
    marked = scores.assign(predicts_lesion=calls.astype(float), failed=failed, crashed=crashed)
    groups = marked.groupby(["role", "model", "scan_id", "label"], sort=False)
    means = groups[["dice", *VOLUMES, "predicts_lesion"]].mean()
    means[["failed", "crashed"]] = groups[["failed", "crashed"]].any()
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
