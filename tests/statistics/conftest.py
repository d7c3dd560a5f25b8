"""Reference data that several test files share; sources: tests/fixtures/statistics_sources.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from headct.contracts.artefacts import read_tsv

FIXTURES = Path(__file__).parents[1] / "fixtures"


@pytest.fixture(scope="session")
def ozone() -> dict[str, np.ndarray]:
    """Mean ozone (ppb) by month."""
    table = read_tsv(FIXTURES / "airquality_ozone.tsv").dropna()
    return {str(month): values.to_numpy() for month, values in table.groupby("month")["ozone"]}
