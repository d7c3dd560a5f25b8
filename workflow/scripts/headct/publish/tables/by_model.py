"""Rows of statistics, put together by model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

Statistics = Mapping[str, pd.DataFrame]
"""Tables of ``results/statistics`` by name."""


def by_model(numbers: pd.DataFrame) -> tuple[list[dict[str, dict[Any, Any]]], frozenset[int]]:
    """Rows by label for each model, and where a rule sets the compared models apart from others."""
    models, roles = [], []
    for _, rows in numbers.groupby("model", sort=False):
        models.append({row["label"]: row for row in rows.to_dict("records")})
        roles.append(rows["role"].iloc[0])
    apart = frozenset(i for i in range(1, len(roles)) if roles[i] != roles[i - 1])
    return models, apart
