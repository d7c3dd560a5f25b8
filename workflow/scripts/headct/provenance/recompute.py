"""Elementary numbers, computed once more in a few lines from the rows that they name.

Means, quartiles, counts, shares, differences, concordance, limits of agreement, ranks: what a reader
could do in a spreadsheet. Nothing here imports :mod:`headct.statistics`, so an error there would show. What
is resampled, adjusted or fitted is not done again here: :mod:`headct.provenance.replay` repeats the job.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from headct.contracts import amendments, sets
from headct.provenance.number_origins import (
    COHORT,
    SUBSETS,
    WHOLE_TRAINING,
    Place,
    Row,
    Rows,
    Tables,
    copied_from,
    rows_behind,
    source_of,
)

Z = 1.96
"""Half width of limits of agreement, in SD."""

TOLERANCE = 2e-8
"""Relative: tables have ten digits, and what is computed from them keeps nearly as many."""

Scans = pd.DataFrame
"""One model and lesion, a row per scan, measures averaged over seeds."""

Of = Callable[[Scans], float]


def equal(text: str, value: float) -> bool:
    """Whether a cell holds a value, to the digits that tables have."""
    return math.isclose(float(text), value, rel_tol=TOLERANCE, abs_tol=1e-7)


def recompute(tables: Tables, place: Place) -> float | str | None:
    """A number from the rows that it names; None where it is not elementary, or is no number."""
    row = tables.row(place)
    if place.column in ("title", "note", "status", "role"):
        return None
    derived = DERIVED.get((place.kind, place.name))
    if derived and (value := derived(tables, place, row)) is not None:
        return value
    source = source_of(tables, place)
    if source is not None:
        return recompute(tables, source.place) if source.same else None
    make = (
        OF_FILE.get(place.name)
        if place.name != "rater_agreement" or place.kind == "statistics"
        else _raters_drawn
    )
    return make(tables, place, row, rows_behind(tables, place)) if make else None


# -- one model ---------------------------------------------------------------------------------------


def ccc(reference: pd.Series, predicted: pd.Series) -> float:
    """Lin's concordance correlation coefficient, moments over n."""
    covariance = ((reference - reference.mean()) * (predicted - predicted.mean())).mean()
    scatter = reference.var(ddof=0) + predicted.var(ddof=0) + (reference.mean() - predicted.mean()) ** 2
    return float(2 * covariance / scatter) if scatter else math.nan


def _summaries(column: str) -> Mapping[str, Of]:
    return {
        "mean": lambda scans: scans[column].mean(),
        "median": lambda scans: scans[column].median(),
        "q1": lambda scans: scans[column].quantile(0.25),
        "q3": lambda scans: scans[column].quantile(0.75),
    }


def _agreement(reference: str, predicted: str) -> Mapping[str, Of]:
    def error(scans: Scans) -> pd.Series:
        return scans[predicted] - scans[reference]

    return {
        "n": len,
        "ccc": lambda scans: ccc(scans[reference], scans[predicted]),
        "bias_ml": lambda scans: error(scans).mean(),
        "sd_ml": lambda scans: error(scans).std(),
        "loa_lower_ml": lambda scans: error(scans).mean() - Z * error(scans).std(),
        "loa_upper_ml": lambda scans: error(scans).mean() + Z * error(scans).std(),
    }


def _spearman(scans: Scans) -> float:
    return float(scans["reference_ml"].rank().corr(scans["dice"].rank()))


WEIGHTED = _agreement("reference_ml", "predicted_ml")
HEADER = _agreement("reference_header_ml", "predicted_header_ml")

ONE_MODEL: Mapping[str, Mapping[str, Of]] = {
    "dice_summary": {
        **_summaries("dice"),
        "n": len,
        "n_failed": lambda scans: scans["failed"].sum(),
        "n_crashed": lambda scans: scans["crashed"].sum(),
    },
    "dice_present_summary": {
        **_summaries("dice"),
        "n_present": len,
        "true_positives": lambda scans: scans["predicts"].sum(),
        "sensitivity": lambda scans: scans["predicts"].mean(),
        "n_absent": len,
        "true_negatives": lambda scans: (1 - scans["predicts"]).sum(),
        "specificity": lambda scans: (1 - scans["predicts"]).mean(),
    },
    "volume_overlap": {
        "n": len,
        "n_present": len,
        "n_absent": len,
        "reference_ml": lambda scans: scans["reference_ml"].mean(),
        "intersection_ml": lambda scans: scans["intersection_ml"].mean(),
        "intersection_percent": lambda scans: (
            100 * scans["intersection_ml"].sum() / scans["reference_ml"].sum()
        ),
        "intersection_percent_median": lambda scans: (
            100 * scans["intersection_ml"] / scans["reference_ml"]
        ).median(),
        "false_positive_ml": lambda scans: scans["false_positive_ml"].mean(),
        "false_positive_ml_median": lambda scans: scans["false_positive_ml"].median(),
        "n_false_positive": lambda scans: (scans["false_positive_ml"] > 0).sum(),
        "n_false_lesion": lambda scans: (scans["predicts"] > 0).sum(),
    },
    "lesion_size": {"n": len, "rho": _spearman},
    "rater_agreement": {
        **WEIGHTED,
        **{f"dice_{name}": of for name, of in _summaries("dice").items()},
    },
    "volume_equivalence": {
        "n": len,
        **{key: WEIGHTED[key] for key in ("bias_ml", "loa_lower_ml", "loa_upper_ml")},
    },
    "limits": {"n": lambda scans: ((scans["reference_ml"] > 0) | (scans["predicted_ml"] > 0)).sum()},
}

ESTIMATES: Mapping[str, Of] = {
    "dice_mean": lambda scans: scans["dice"].mean(),
    "dice_median": lambda scans: scans["dice"].median(),
    "dice_pooled": lambda scans: (
        2 * scans["intersection_ml"].sum() / (scans["reference_ml"] + scans["predicted_ml"]).sum()
    ),
    "volume_error_ml_mean": lambda scans: scans["volume_error_ml"].mean(),
    "ccc": WEIGHTED["ccc"],
    "hd95_mm_median": lambda scans: scans["hd95_mm"].median(),
    "surface_dice_median": lambda scans: scans["surface_dice"].median(),
}


MEANS = ("dice_mean", "dice_median", "volume_error_ml_mean")
"""Estimates that are of the mean over seeds."""


def _one_model(tables: Tables, place: Place, row: Row, rows: Sequence[Rows]) -> float | None:
    of = ONE_MODEL[place.name].get(place.column)
    if of is None or not rows or "dice" not in rows[0].frame:
        return None
    lesions = rows[0].by_lesion
    if row["label"] == "mean":  # of the lesions
        if place.column.startswith("n_") or place.column == "n":
            return float(of(lesions[next(iter(tables.labels))].scans))
        if place.column not in ("mean", "median"):
            return None
        return float(np.mean([of(lesion.scans) for lesion in lesions.values()]))
    return float(of(rows[0].scans))


def _volume_equivalence(tables: Tables, place: Place, row: Row, rows: Sequence[Rows]) -> float | None:
    """How many scans are beyond the row's margin; or as of any model."""
    if place.column != "n_beyond" or not rows or "predicted_ml" not in rows[0].frame:
        return _one_model(tables, place, row, rows)
    scans = rows[0].scans
    errors = (scans["predicted_ml"] - scans["reference_ml"]).abs()
    return float(((errors > float(row["margin_ml"])) | (scans["failed"] > 0)).sum())


def _agreement_cell(tables: Tables, place: Place, row: Row, rows: Sequence[Rows]) -> float | None:
    of = (HEADER if row["volumes"] == "header" else WEIGHTED).get(place.column)
    return float(of(rows[0].scans)) if of else None


def _estimate(tables: Tables, place: Place, row: Row, rows: Sequence[Rows]) -> float | None:
    frame = rows[0].frame
    if "dice" not in frame:  # the training set's mean volume
        return None
    scans, surface = rows[0].scans, row["measure"].removesuffix("_median")
    if frame["seed"].nunique() > 1 and row["measure"] not in MEANS:
        return None  # how networks are combined is then no longer elementary
    if place.column == "n":
        return float(scans[surface].notna().sum() if surface in ("hd95_mm", "surface_dice") else len(scans))
    if place.column == "n_failed":
        return float(scans["failed"].sum())
    if place.column != "estimate":
        return None
    return float(ESTIMATES[row["measure"]](scans))


def _tolerance(tables: Tables, place: Place, row: Row, rows: Sequence[Rows]) -> float | None:
    """What raters' surfaces differ by; too few of them leave the configuration's."""
    distances = rows[0].frame["hd95_mm"]
    if place.column == "tolerance_mm" and row["source"] == "raters":
        return float(distances.median())
    return float(distances.count()) if place.column == "n" else None


def _held_out(tables: Tables, place: Place, row: Row, rows: Sequence[Rows]) -> float | None:
    """Training scans, each predicted by the fold that held it out."""
    scans = rows[0].scans
    values = {"n": len(scans), "n_seeds": rows[0].frame["seed"].nunique(), "dice_mean": scans["dice"].mean()}
    return float(values[place.column]) if place.column in values else None


def _at_a_share(tables: Tables, place: Place, row: Row, rows: Sequence[Rows]) -> float | None:
    """Held-out scans by the weights at a share of the training; steps, patches and hours by its records."""
    if place.column not in ("steps", "patches", "hours"):
        return _held_out(tables, place, row, rows)
    records = [tables.training(of_run.path) for of_run in rows]
    reached = [
        {"steps": one["record"].get("iterations"), "seconds": one["seconds"]}
        if row["share"] == WHOLE_TRAINING
        else one["shares"][row["share"]]
        for one in records
    ]
    values = {
        "steps": [part["steps"] for part in reached],
        "hours": [part["seconds"] / 3600 for part in reached],
        "patches": [
            part["steps"] * one["record"].get("batch_size", math.nan)
            for part, one in zip(reached, records, strict=True)
        ],
    }
    return float(np.mean(values[place.column]))


def _by_site(tables: Tables, place: Place, row: Row, rows: Sequence[Rows]) -> float | None:
    """Dice by site, of which each participant counts once; over sites, by DerSimonian and Laird."""
    cohort = tables.text(COHORT).set_index("scan_id")
    scans = rows[0].scans.join(cohort[["site", "participant_id"]])
    scans = scans[scans["site"] != ""]
    people = scans.groupby(["site", "participant_id"])["dice"].mean()
    if place.column in ("n", "n_participants", "n_sites"):
        counts = {"n": len(scans), "n_participants": len(people), "n_sites": scans["site"].nunique()}
        return float(counts[place.column])
    if place.name == "site_dice":
        return float(people.mean()) if place.column == "dice_mean" else None
    means, sizes = people.groupby("site").mean(), people.groupby("site").size()
    if len(means) < 2 or len(people) == len(means):
        return None  # there is no mean over sites
    within = ((people - people.groupby("site").transform("mean")) ** 2).sum() / (len(people) - len(means))
    if within == 0:
        return None
    weight = sizes / within
    q = (weight * (means - (weight * means).sum() / weight.sum()) ** 2).sum()
    between = max(0.0, (q - len(means) + 1) / (weight.sum() - (weight**2).sum() / weight.sum()))
    weight = 1 / (within / sizes + between)
    values = {"q": q, "variance_between": between, "dice_mean": (weight * means).sum() / weight.sum()}
    return float(values[place.column]) if place.column in values else None


def _external(tables: Tables, place: Place, row: Row, rows: Sequence[Rows]) -> float | None:
    """Scans of an external set, of the internal test set in columns of that, or of both."""
    if place.column == "difference":
        of_set, of_test = rows
        return float(of_set.scans["dice"].mean() - of_test.scans["dice"].mean())
    scans = rows[0].scans
    participants = tables.numbers(COHORT).set_index("scan_id")["participant_id"].loc[scans.index]
    values = {
        **dict.fromkeys(("n", "internal_n"), len(scans)),
        **dict.fromkeys(("n_participants", "internal_participants"), participants.nunique()),
        "n_seeds": max(rows[0].frame["seed"].nunique(), 1),
        "n_failed": scans["failed"].sum(),
        **dict.fromkeys(("dice_mean", "internal_mean"), scans["dice"].mean()),
    }
    return float(values[place.column]) if place.column in values else None


def _learnt_from(tables: Tables, rows: Rows) -> Mapping[str, float]:
    """Participants and scans that the networks of one size learnt from, a mean over their subsets."""
    size = rows.path.split("/")[-1].removesuffix(".tsv")
    subsets = [path for path in tables.study.makers if path.startswith(f"{SUBSETS}/{size}/")]
    of_subset = map(tables.text, subsets)
    learnt = [scans[~scans["scan_id"].isin(rows.frame["scan_id"])] for scans in of_subset]
    return {
        "participants": float(np.mean([scans["participant_id"].nunique() for scans in learnt])),
        "scans": float(np.mean([len(scans) for scans in learnt])),
    }


def _point(tables: Tables, place: Place, row: Row, rows: Sequence[Rows]) -> float | None:
    """Dice of the networks of one size; the curve there, from those of all sizes."""
    if place.column in ("curve", "lower", "upper"):
        return _on_curve(tables, rows, float(row["participants"])) if place.column == "curve" else None
    scans, of_seed = rows[0].scans, rows[0].scored.groupby("seed")["dice"].mean()
    participants = tables.numbers(COHORT).set_index("scan_id")["participant_id"].loc[scans.index]
    values = {
        **_learnt_from(tables, rows[0]),
        "n_seeds": len(of_seed),
        "n": len(scans),
        "n_participants": participants.nunique(),
        "n_failed": scans["failed"].sum(),
        "dice_mean": scans["dice"].mean(),
        "dice_lowest": of_seed.min(),
        "dice_highest": of_seed.max(),
    }
    return float(values[place.column]) if place.column in values else None


def _points(tables: Tables, rows: Sequence[Rows]) -> tuple[np.ndarray, np.ndarray]:
    n = np.array([_learnt_from(tables, of)["participants"] for of in rows])
    return n, np.array([of.scans["dice"].mean() for of in rows])


def _power_law(n: np.ndarray, y: np.ndarray) -> np.ndarray:
    """a, b · max(n)^(−c) and c of least squares: by Gauss and Newton, from the best of some exponents."""
    x = n / n.max()
    starts = [
        (*np.linalg.lstsq(np.stack([x**0, -(x**-c)], 1), y, rcond=None)[0], c)
        for c in np.geomspace(0.05, 5, 60)
    ]
    found = np.array(min(starts, key=lambda abc: ((y - abc[0] + abc[1] * x ** -abc[2]) ** 2).sum()))
    for _ in range(100):
        a, b, c = found
        power = x**-c
        slopes = np.stack([x**0, -power, b * power * np.log(x)], 1)
        found = found + np.linalg.lstsq(slopes, y - a + b * power, rcond=None)[0]
    return found


def _on_curve(tables: Tables, rows: Sequence[Rows], at: float) -> float:
    n, y = _points(tables, rows)
    a, b, c = _power_law(n, y)
    return float(a - b * (at / n.max()) ** -c)


def _curve(tables: Tables, place: Place, row: Row, rows: Sequence[Rows]) -> float | None:
    """The curve through the means of all sizes."""
    if place.column == "n_sizes":
        return float(len(rows))
    if place.column not in ("a", "b", "c", "sigma", "largest", "curve", "more"):
        return None
    n, y = _points(tables, rows)
    a, b, c = _power_law(n, y)
    at = a - b * (n / n.max()) ** -c
    higher = a - b + float(row["gain"])
    values = {
        "a": a,
        "b": b * n.max() ** c,
        "c": c,
        "sigma": np.sqrt(((y - at) ** 2).sum() / (len(n) - 3)),
        "largest": n.max(),
        "curve": a - b,
        "more": n.max() * ((b / (a - higher)) ** (1 / c) - 1) if higher < a else np.nan,
    }
    return float(values[place.column])


def _another_rater(tables: Tables, place: Place, row: Row, rows: Sequence[Rows]) -> float | None:
    """Dice of another rater, over scans."""
    scans = rows[0].scans
    participants = tables.numbers(COHORT).set_index("scan_id")["participant_id"].loc[scans.index]
    values = {"n": len(scans), "n_participants": participants.nunique(), "dice_mean": scans["dice"].mean()}
    return float(values[place.column]) if place.column in values else None


def _seed_spread(tables: Tables, place: Place, row: Row, rows: Sequence[Rows]) -> float | None:
    means = rows[0].scored.groupby("seed", dropna=False)["dice"].mean()
    values = {
        "n_seeds": len(means),
        "mean": means.mean(),
        "sd": means.std(),
        "lowest": means.min(),
        "highest": means.max(),
    }
    return float(values[place.column]) if place.column in values else None


def _detection(tables: Tables, place: Place, row: Row, rows: Sequence[Rows]) -> float | None:
    threshold = float(row["threshold_ml"])
    there, called = rows[0].frame["reference_ml"] > threshold, rows[0].called(threshold)
    counts = {"tp": there & called, "fn": there & ~called, "fp": ~there & called, "tn": ~there & ~called}
    n = {name: float(chosen.sum()) for name, chosen in counts.items()}
    values = n | {"n": float(len(there)), "n_present": n["tp"] + n["fn"], "n_absent": n["fp"] + n["tn"]}
    parts = {
        "sensitivity": ("tp", "fn"),
        "specificity": ("tn", "fp"),
        "ppv": ("tp", "fp"),
        "npv": ("tn", "fn"),
    }
    if place.column in parts:
        part, rest = (n[name] for name in parts[place.column])
        return part / (part + rest)
    return values.get(place.column)


# -- two models, or all ------------------------------------------------------------------------------


def _values(rows: Rows, measure: str) -> pd.Series:
    if measure == "absolute_volume_error_ml":  # of each network, before their mean
        return rows.frame["volume_error_ml"].abs().groupby(rows.frame["scan_id"]).mean()
    return rows.scans["predicts" if measure == "false_positive" else measure]


def _pair(tables: Tables, place: Place, row: Row, rows: Sequence[Rows]) -> float | None:
    if len(rows) != 2:
        return None
    measure, analysis = row.get("measure", "dice"), row.get("analysis", "")
    if place.column in ("n", "n_clusters"):
        scans = rows[0].scans if measure == "ccc" else _values_of_pair(rows, measure, analysis)[0]
        return float(len(scans)) if place.column == "n" else _n_clusters(tables, row, scans.index)
    if measure == "ccc":
        if rows[0].frame["seed"].nunique() > 1:
            return None
        a, b = (WEIGHTED["ccc"](one.scans) for one in rows)
        of = {"estimate_a": a, "estimate_b": b, "difference": a - b}
        return of.get(place.column)
    biases = ("bias_model_ml", "bias_against_ml")
    if place.column in biases:
        return float(rows[biases.index(place.column)].scans["volume_error_ml"].mean())
    x, y = _values_of_pair(rows, measure, analysis)
    difference = x - y
    values = {
        **dict.fromkeys(("estimate_a", "estimate_model"), x.mean()),
        **dict.fromkeys(("estimate_b", "estimate_against"), y.mean()),
        "difference": difference.mean(),
        "sd": difference.std(),
        "median_difference": difference.median(),
    }
    found = values.get(place.column)
    return None if found is None else float(found)


def _n_clusters(tables: Tables, row: Row, scans: pd.Index) -> float | None:
    """How many sites, participants or scans these scans are of, where the row says which of them count."""
    kind = re.search(r"clusters: (\w+)s$", row.get("analysis") or row.get("definition", ""))
    if not kind:
        return None
    cohort = tables.numbers(COHORT).set_index("scan_id", drop=False).loc[scans]
    columns = {"site": "site", "participant": "participant_id", "scan": "scan_id"}
    found = cohort[columns[kind[1]]]
    return None if found.isna().any() else float(found.nunique())


EXTREMES: Mapping[str, tuple[float, float]] = {"worst case": (0.0, 1.0), "best case": (1.0, 0.0)}
"""The Dice that missing predictions of the first and of the other model then have."""


def _values_of_pair(rows: Sequence[Rows], measure: str, analysis: str) -> Sequence[pd.Series]:
    """Values of two models by scan, as a sensitivity analysis takes them."""
    if analysis in EXTREMES:
        dice = EXTREMES[analysis]
        extremes = [1 - value for value in dice] if measure == "false_positive" else dice
        return [_with_missing_at(one, measure, value) for one, value in zip(rows, extremes, strict=True)]
    small = re.fullmatch(r"predictions up to (\S+) mL count as none", analysis)
    if small:
        return [_with_small_as_none(one, measure, float(small[1])) for one in rows]
    values = [_values(one, measure) for one in rows]
    if analysis != "complete cases":
        return values
    complete = ~(rows[0].scans["failed"] + rows[1].scans["failed"]).astype(bool)
    return [one[complete] for one in values]


def _with_missing_at(rows: Rows, measure: str, value: float) -> pd.Series:
    """A measure by scan, the mean over seeds, where each missing prediction has a value."""
    of_rows = rows.called(0.0).astype(float) if measure == "false_positive" else rows.frame[measure]
    return of_rows.mask(rows.missing, value).groupby(rows.frame["scan_id"]).mean()


def _beside_rater(tables: Tables, place: Place, row: Row, rows: Sequence[Rows]) -> float | None:
    """A model beside another rater, on the scans that this rater read."""
    if place.column == "n_test":
        return float((tables.sets["set"] == "test").sum())
    if place.column == "n":
        return float(len(tables.read_twice))
    if len(rows) != 2:
        return None
    model, rater = (one.scans for one in rows)
    first, second = rater["reference_ml"], rater["predicted_ml"]
    of_raters = (first - second) ** 2
    with_model = ((model["predicted_ml"] - first) ** 2 + (model["predicted_ml"] - second) ** 2) / 2
    values = {
        "estimate_model": model["dice"].mean(),
        "estimate_rater": rater["dice"].mean(),
        "difference": (model["dice"] - rater["dice"]).mean(),
        "interchangeability_ml2": (with_model - of_raters).mean(),
        "individual_agreement": of_raters.mean() / with_model.mean() if with_model.any() else math.nan,
    }
    found = values.get(place.column)
    return None if found is None else float(found)


def _with_small_as_none(rows: Rows, measure: str, threshold_ml: float) -> pd.Series:
    """A measure by scan, the mean over seeds, where predictions up to a volume count as empty."""
    frame, called = rows.scored, rows.called(threshold_ml)
    absent = (frame["reference_ml"] == 0).astype(float)
    of_rows = called.astype(float) if measure == "false_positive" else frame["dice"].where(called, absent)
    return of_rows.groupby(frame["scan_id"]).mean()


def _ranks(tables: Tables, place: Place, row: Row, rows: Sequence[Rows]) -> float | None:
    """Mean rank within scans, 1 the highest."""
    measure = row.get("measure", "dice")
    wide = pd.DataFrame({one.frame["model"].iloc[0]: _values(one, measure) for one in rows})
    if place.column == "n_scans":
        return float(len(wide))
    if place.column != "mean_rank":
        return None
    return float((-wide).rank(axis=1).mean()[row["model"]])


def _dunn(tables: Tables, place: Place, row: Row, rows: Sequence[Rows]) -> float | None:
    """Mean rank among all scans of all models, 1 the lowest."""
    pooled = pd.concat({one.frame["model"].iloc[0]: one.scans["dice"] for one in rows})
    side = place.column.rpartition("_")
    if side[0] == "n":
        return float(len(pooled[row[f"model_{side[2]}"]]))
    return float(pooled.rank()[row[f"model_{side[2]}"]].mean()) if side[0] == "mean_rank" else None


def _of_family(tables: Tables, place: Place, row: Row, rows: Sequence[Rows]) -> float | None:
    counts = {"n_models": len(rows), "df": len(rows) - 1, "n_scans": rows[0].frame["scan_id"].nunique()}
    found = counts.get(place.column)
    return None if found is None else float(found)


def _selection(tables: Tables, place: Place, row: Row, rows: Sequence[Rows]) -> float | None:
    if place.column != "mean":
        return None
    return float(rows[0].scored.groupby("label")["dice"].mean().mean())


# -- cohort and training -----------------------------------------------------------------------------

COHORT_VALUES: Mapping[str, Callable[[pd.Series], Any]] = {
    "n": len,
    "mean": lambda values: values.mean(),
    "sd": lambda values: values.std(),
    "min": lambda values: values.min(),
    "max": lambda values: values.max(),
    "median": lambda values: values.median(),
    "q1": lambda values: values.quantile(0.25),
    "q3": lambda values: values.quantile(0.75),
    "count": lambda values: values.sum(),
    "percent": lambda values: 100 * values.mean(),
}


def _cohort_cell(tables: Tables, place: Place, row: Row, rows: Sequence[Rows]) -> float | None:
    quantity = place.column.partition("_")[2]
    if not place.column.startswith(("train_", "test_")) or quantity not in COHORT_VALUES:
        return None
    scans, name = rows[0].frame, row["characteristic"]
    people = scans.drop_duplicates("participant_id")
    if name in ("participants", "scans"):
        return float(len(people if name == "participants" else scans))
    if name == "age_years":  # the cohort's ages are capped; the true ones are in the sheet
        return float(people["age"].notna().sum()) if quantity == "n" else None
    if name.startswith("sex_"):
        values = people["sex"].dropna() == {"sex_men": "M", "sex_women": "F"}[name]
    elif name == "onset_to_ct_hours":
        values = scans["onset_to_ct_h"].dropna()
    elif name in tables.labels:
        values = scans[f"{name}_ml"] > 0
    else:
        values = scans[name.replace("_volume", "")]
    return float(COHORT_VALUES[quantity](values))


def _prevalence(tables: Tables, place: Place, row: Row, rows: Sequence[Rows]) -> float | None:
    scans, label = rows[0].frame, row["label"]
    if place.column == "n_scans":
        return float(len(scans))
    if label not in tables.labels:
        return None
    volumes = scans[f"{label}_ml"]
    labelled_ml = scans[[f"{name}_ml" for name in tables.labels]].sum().sum()
    values = {
        "n_with": (volumes > 0).sum(),
        "percent_of_scans": 100 * (volumes > 0).mean(),
        "volume_ml": volumes.sum(),
        "percent_of_labelled": 100 * volumes.sum() / labelled_ml,
    }
    return float(values[place.column]) if place.column in values else None


def _flow(tables: Tables, place: Place, row: Row, rows: Sequence[Rows]) -> float | None:
    name = row.get("box", row.get("status", ""))
    scans = rows[0].frame
    if name in ("Training set", "Test set"):
        scans = tables.sets[tables.sets["set"] == ("train" if name == "Training set" else "test")]
    elif name in ("external", "In external sets"):
        scans = scans[(scans["status"] == "included") & ~scans.index.isin(sets.of_study(scans).index)]
        if row["reason"]:
            scans = scans[scans["external_set"] == row["reason"]]
    elif name.casefold() in ("included", "excluded", "error"):
        scans = scans[scans["status"] == name.casefold()]
        if name.casefold() == "included":
            scans = sets.of_study(scans)
        if row["reason"]:
            scans = scans[scans["reason"].fillna("").str.startswith(row["reason"])]
    elif name not in ("in sheet", "Scans in the sheet"):
        return None
    counts = {"scans": len(scans), "participants": scans["participant_id"].nunique()}
    if name in ("in sheet", "Scans in the sheet"):  # where the withdrawn scans were, too
        for one in amendments.load(tables.study.results):
            counts["scans"] += len(one.scans)
            counts["participants"] += one.participants
    return float(counts[place.column]) if place.column in counts else None


def _training(tables: Tables, place: Place, row: Row, rows: Sequence[Rows]) -> float | None:
    """What a curve shows, or a table of times: a value of train.json."""
    if place.name == "training_curves":
        name = row["quantity"].replace("pseudo_dice_", "pseudo_dice.")
        found = rows[0].frame.get(name)
        return float(found.iloc[0]) if place.column == "value" and found is not None else None
    record = tables.training(rows[0].path)
    values = {
        "seconds": record["seconds"],
        "hours": record["seconds"] / 3600,
        "iterations": record["record"].get("iterations"),
        **{name: record[name] for name in ("epochs", "threads", "resumed", "seed")},
    }
    found = values.get(place.column)
    return None if found is None else float(found)


# -- figures -----------------------------------------------------------------------------------------


def _volumes_drawn(tables: Tables, place: Place, row: Row, rows: Sequence[Rows]) -> float | None:
    """Bland-Altman and concordance plots."""
    scans = rows[0].scans
    reference, predicted = scans["reference_ml"], scans["predicted_ml"]
    lines = {"bias": "bias_ml", "lower limit": "loa_lower_ml", "upper limit": "loa_upper_ml"}
    if row["element"] in lines and place.column == "y":
        return float(WEIGHTED[lines[row["element"]]](scans))
    if row["element"] == "CCC" and place.column == "value":
        return ccc(reference, predicted)
    if not row["scan_id"] or place.column not in ("x", "y"):
        return None
    if place.name == "concordance":
        return float((reference if place.column == "x" else predicted).iloc[0])
    of = (reference + predicted) / 2 if place.column == "x" else predicted - reference
    return float(of.iloc[0])


def _whisker(dice: pd.Series, side: int) -> float:
    """The furthest value within 1.5 interquartile ranges of the lower (-1) or the upper (1) quartile."""
    q1, q3 = dice.quantile(0.25), dice.quantile(0.75)
    if side < 0:
        return float(dice[dice >= q1 - 1.5 * (q3 - q1)].min())
    return float(dice[dice <= q3 + 1.5 * (q3 - q1)].max())


BOX: Mapping[str, Of] = {
    **_summaries("dice"),
    "whisker_low": lambda scans: _whisker(scans["dice"], -1),
    "whisker_high": lambda scans: _whisker(scans["dice"], 1),
    "share_at_0": lambda scans: (scans["dice"] == 0).mean(),
    "share_at_1": lambda scans: (scans["dice"] == 1).mean(),
}


def _dice_drawn(tables: Tables, place: Place, row: Row, rows: Sequence[Rows]) -> float | None:
    scans = rows[0].scans
    if row["element"] == "scan" and place.column == "dice":
        return float(scans["dice"].iloc[0])
    if row["element"] in BOX and place.column == "value":
        return float(BOX[row["element"]](scans))
    return None


def _raters_drawn(tables: Tables, place: Place, row: Row, rows: Sequence[Rows]) -> float | None:
    """The pages of volumes, and of Dice, of second readings."""
    drawn = _volumes_drawn if place.column in ("x", "y") else _dice_drawn
    return drawn(tables, place, row, rows)


def _case(tables: Tables, place: Place, row: Row, rows: Sequence[Rows]) -> float | None:
    frame = rows[0].frame
    if place.column in ("dice", "reference_ml", "predicted_ml"):
        return float(rows[0].scans[place.column].iloc[0])
    if place.column != "mean_dice":
        return None
    of_all_lesions = tables.study.maker(place.path).option("--rank-by") == ["dice"]
    return float(frame["dice"].mean()) if of_all_lesions else None


# -- what is derived from cells of the same row ------------------------------------------------------


def _difference(tables: Tables, place: Place, row: Row) -> float | str | None:
    """Published against reproduced."""
    published, reproduced, lower, upper = (
        float(row[name] or "nan") for name in ("published", "reproduced", "lower", "upper")
    )
    if place.column == "difference":
        return reproduced - published
    if place.column == "outside" and lower <= upper:
        return "no" if lower <= published <= upper else "yes"
    return None


def _forest(tables: Tables, place: Place, row: Row) -> float | None:
    """The difference of two models, which stands in its source perhaps the other way round."""
    source = copied_from(tables, place)
    if source is None or place.column not in ("n", "difference"):
        return None
    found = recompute(tables, source)
    if not isinstance(found, float):
        return None
    other_way = tables.row(source).get("model_a", row["model"]) != row["model"]
    return -found if other_way and place.column == "difference" else found


def _higher(tables: Tables, place: Place, row: Row) -> str | None:
    if place.column != "higher":
        return None
    a, b = float(row["mean_rank_a"]), float(row["mean_rank_b"])
    return row["model_a"] if a > b else row["model_b"]


DERIVED: Mapping[tuple[str, str], Callable[[Tables, Place, Row], Any]] = {
    ("statistics", "replication"): _difference,
    ("figures", "dunn_heatmap"): _higher,
    ("figures", "paired_differences"): _forest,
}

OF_FILE: Mapping[str, Callable[[Tables, Place, Row, Sequence[Rows]], float | None]] = {
    **dict.fromkeys(ONE_MODEL, _one_model),
    "volume_equivalence": _volume_equivalence,
    "agreement": _agreement_cell,
    "estimates": _estimate,
    "seed_spread": _seed_spread,
    "out_of_fold": _held_out,
    "effort_curve": _at_a_share,
    **dict.fromkeys(("site_dice", "new_site"), _by_site),
    "external_sets": _external,
    "learning_curve": _point,
    "learning_curve_fit": _curve,
    "learning_curve_raters": _another_rater,
    "surface_tolerance": _tolerance,
    **dict.fromkeys(("detection", "external_detection"), _detection),
    **dict.fromkeys(("paired", "endpoints", "sensitivity", "equivalence"), _pair),
    **dict.fromkeys(("external_paired", "external_endpoints"), _pair),
    **dict.fromkeys(("precision", "site_effects"), _pair),
    "rater_noninferiority": _beside_rater,
    **dict.fromkeys(("ranks", "critical_difference"), _ranks),
    "dunn": _dunn,
    **dict.fromkeys(("kruskal_wallis", "friedman"), _of_family),
    "selection": _selection,
    "cohort_tests": _cohort_cell,
    "prevalence": _prevalence,
    "flow": _flow,
    **dict.fromkeys(("training_curves", "training_times"), _training),
    **dict.fromkeys(("bland_altman", "concordance"), _volumes_drawn),
    **dict.fromkeys(("dice_box_violin", "dice_box_violin_present"), _dice_drawn),
    **dict.fromkeys(("best_cases", "worst_cases"), _case),
}
