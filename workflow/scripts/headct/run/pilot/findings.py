"""What is odd in a study's scans, by the tables that ingest, cohort and split have left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import pandas as pd

from headct.contracts.problems import first_few


def findings(
    cohort: pd.DataFrame, flow: pd.DataFrame, split: pd.DataFrame, labels: Iterable[str]
) -> Iterator[str]:
    """What was lost, flags, geometry, lesions of the training scans, and participants of several scans.

    Of the test set nothing is told but what cohort.tsv says of all scans alike; no lesion of it.

    Args:
        cohort: ``cohort.tsv``.
        flow: ``flow.tsv``.
        split: ``split.tsv``.
        labels: the lesions.
    """
    in_sheet = flow.loc[flow["status"] == "in sheet", "scans"].sum()
    for step in flow[~flow["status"].isin(["in sheet", "included"])].itertuples():
        yield f"{step.scans} of {in_sheet} scans: {step.status}, {step.reason}"
    included = cohort[cohort["status"] == "included"]
    flags = Counter(flag for cell in included["flags"].dropna() for flag in cell.split(","))
    for flag, scans in sorted(flags.items()):
        yield f"{scans} of {len(included)} included scans: flag {flag}"
    yield from _geometry(included)
    yield from _lesions(
        included[included["scan_id"].isin(split.loc[split["set"] == "train", "scan_id"])], labels
    )
    scans_of = included["participant_id"].value_counts()
    if several := int((scans_of > 1).sum()):
        yield f"{several} of {len(scans_of)} participants have several scans, up to {scans_of.max()}"


def _geometry(included: pd.DataFrame) -> Iterator[str]:
    """Smallest, median and largest value of what scans differ in by their acquisition."""
    columns = {
        "n_slices": "slices",
        "spacing_z_mm": "mm between slices",
        "spacing_x_mm": "mm between pixels",
        "tilt_deg": "° of gantry tilt",
    }
    for column, words in columns.items():
        values = included[column].dropna()
        if len(values):
            low, median, high = values.min(), values.median(), values.max()
            alike = "in each scan" if low == high else f"to {high:.3g}, median {median:.3g}"
            yield f"{low:.3g} {alike}: {words}"


def _lesions(train: pd.DataFrame, labels: Iterable[str]) -> Iterator[str]:
    columns = [f"{label}_ml" for label in labels]
    for column in columns:
        name, having = column.removesuffix("_ml"), int((train[column] > 0).sum())
        yield f"{having} of {len(train)} training scans have {name}"
    if empty := list(train.loc[~(train[columns] > 0).any(axis=1), "scan_id"]):
        yield f"{len(empty)} of {len(train)} training scans have an empty mask: {first_few(empty)}"
