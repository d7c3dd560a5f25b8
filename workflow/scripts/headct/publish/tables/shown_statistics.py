"""Statistics as tables show them: read by name, and their rows put together by model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from headct.contracts.artefacts import read_tsv

Statistics = Mapping[str, pd.DataFrame]
"""Tables of ``results/statistics`` by name."""


VERDICTS = ("verdict", "mean_verdict", "share_verdict")
"""Columns of text that may be empty in a row, or in all of them."""


def read(folder: Path, *names: str) -> Statistics:
    """Some tables of ``results/statistics``; an empty verdict is an empty text."""
    texts = dict.fromkeys(("note", *VERDICTS), str)
    tables = {name: read_tsv(folder / f"{name}.tsv", **texts) for name in names}
    return {name: table.fillna(dict.fromkeys(VERDICTS, "")) for name, table in tables.items()}


def by_model(numbers: pd.DataFrame) -> tuple[list[dict[str, dict[Any, Any]]], frozenset[int]]:
    """Rows by label for each model, and where a rule sets the compared models apart from others."""
    models, roles = [], []
    for _, rows in numbers.groupby("model", sort=False):
        models.append({row["label"]: row for row in rows.to_dict("records")})
        roles.append(rows["role"].iloc[0])
    apart = frozenset(i for i in range(1, len(roles)) if roles[i] != roles[i - 1])
    return models, apart
