"""Scans that belong together: what intervals leave out, and tests flip, as a whole.

A participant may have several scans, and scans of one site share scanner, protocol and rater. Taken as
independent they promise more than they hold: with 12 sites and an intraclass correlation of .05 a 95 %
interval of a difference holds the truth in 80 % of studies (benchmarks/null_studies.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from headct.contracts.problems import BadInput, Problem
from headct.contracts.sets import SCANS_OF_A_VERDICT
from headct.settings.analysis_plan import PARTICIPANT, SCAN, SITE, Plan

MINIMUM_SITES = 5
"""Sites with :data:`SCANS_OF_A_SITE` test scans or more from which on sites are the clusters by default."""

SCANS_OF_A_SITE = 2

MINIMUM_CLUSTERS = 5
"""Clusters below which how far they lie apart is not known well enough for a verdict."""


def needed(n: int, clusters: np.ndarray) -> str:
    """Why so many scans, of these clusters, are too few for a verdict; nothing if they are not."""
    n_clusters = len(set(clusters))
    if n >= SCANS_OF_A_VERDICT and n_clusters >= MINIMUM_CLUSTERS:
        return ""
    return (
        f"a verdict needs {SCANS_OF_A_VERDICT} scans of {MINIMUM_CLUSTERS} clusters, there are {n} scans of"
        f" {n_clusters}"
    )


def worth(clusters: np.ndarray) -> float:
    """Number of clusters of equal size that would tell as much as these, numbered from 0: n² / Σ size²."""
    sizes = np.bincount(clusters).astype(float)
    return len(clusters) ** 2 / float((sizes**2).sum())


def numbered(clusters: np.ndarray) -> np.ndarray:
    """The clusters (n,) of n scans as numbers from 0 without gaps, as all functions of clusters take them."""
    numbers: np.ndarray = np.unique(clusters, return_inverse=True)[1]
    return numbers


@dataclass(frozen=True)
class Clusters:
    """What is left out and flipped as a whole: its ``kind``, and the cluster of each scan by scan id."""

    kind: str
    of_scan: pd.Series

    def of(self, scans: Iterable[str]) -> np.ndarray:
        """Number of the cluster (n,) of each of n scans, counted from 0."""
        return numbered(self.of_scan.loc[list(scans)].to_numpy())


def default_kind(sites: pd.Series) -> str:
    """Site where enough of the ``sites`` have enough of the test scans, whose they are; else participant."""
    return SITE if (sites.value_counts() >= SCANS_OF_A_SITE).sum() >= MINIMUM_SITES else PARTICIPANT


def clusters(kind: str, cohort: pd.DataFrame) -> Clusters:
    """The clusters of a kind (site, participant or scan), from ``cohort.tsv``.

    A scan whose site is not known is in one cluster with those of its participant only. Where none is known,
    the clusters are participants and are called so.
    """
    scans = cohort.set_index("scan_id")
    participants = "participant " + scans["participant_id"].astype(str)
    of_scan = {
        SCAN: pd.Series(scans.index.astype(str), scans.index),
        PARTICIPANT: participants,
        SITE: ("site " + scans["site"].astype(str)).where(scans["site"].notna(), participants),
    }
    is_by_participant = kind == SITE and scans["site"].isna().all()
    return Clusters(PARTICIPANT if is_by_participant else kind, of_scan[kind])


def planned_clusters(plan: Plan, cohort: pd.DataFrame, scans: Sequence[str] | np.ndarray) -> Clusters:
    """The clusters of the plan; where it names none, what the sites of the compared ``scans`` allow.

    Raises:
        BadInput: scans that are not in ``cohort.tsv``.
    """
    sites = cohort.set_index("scan_id")["site"]
    absent = sorted(set(scans) - set(sites.index))
    if absent:
        message = "a measured scan is not in the cohort"
        raise BadInput([Problem("--cohort", message, key="scan_id", value=scan) for scan in absent])
    return clusters(plan.cluster or default_kind(sites[list(scans)]), cohort)
