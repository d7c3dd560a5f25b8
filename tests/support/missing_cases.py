"""Metrics tables of models that gave no prediction of some scans."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd

from support.planned_cases import PLAN

FOCAL, DICECE = PLAN.primary.model, PLAN.primary.against[0]
"""The model of the shipped plan's primary endpoint, and the other one."""


def without_predictions(
    metrics: pd.DataFrame,
    model: str,
    scans: Collection[str] | None = None,
    reason: str = "RuntimeError: killed",
    seed: int | None = None,
) -> pd.DataFrame:
    """The metrics where a model has no prediction of some scans, or of all: empty maps are measured there.

    Args:
        metrics: tables of all models.
        model: the one that fails.
        scans: on which; None for all.
        reason: what is recorded.
        seed: of the network that fails; None for all.
    """
    lost = metrics["model"] == model
    if scans is not None:
        lost &= metrics["scan_id"].isin(scans)
    if seed is not None:
        lost &= (metrics["seed"] == seed).fillna(False)
    table = metrics.copy()
    table.loc[lost, "dice"] = (table.loc[lost, "reference_ml"] == 0).astype(float)
    for kind in ("", "header_"):
        reference = table.loc[lost, f"reference_{kind}ml"]
        for name in ("predicted", "intersection", "false_positive"):
            table.loc[lost, f"{name}_{kind}ml"] = 0.0
        table.loc[lost, f"false_negative_{kind}ml"] = reference
        table.loc[lost, f"volume_error_{kind}ml"] = -reference
    table.loc[lost, "failure"] = reason
    return table
