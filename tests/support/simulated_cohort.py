"""A cohort of scans with the columns that a split reads."""

from __future__ import annotations

import numpy as np
import pandas as pd


def scans(n: int, scans_each: int = 1, seed: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    participants = np.repeat([f"p{i:04d}" for i in range(n)], scans_each)
    total = len(participants)
    return pd.DataFrame(
        {
            "scan_id": [f"s{i:05d}" for i in range(total)],
            "participant_id": participants,
            "status": "included",
            "site": generator.choice(["a", "b", "c"], total),
            "ICH_ml": generator.lognormal(2.5, 1, total),
            "IVH_ml": np.where(generator.random(total) < 0.3, generator.lognormal(1.5, 1, total), 0),
            "ct_sha256": "c",
            "labels_sha256": "l",
        }
    )
