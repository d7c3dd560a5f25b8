"""Differences of Dice between two models, scan by scan, of six sites: equally many at each, and not."""

from __future__ import annotations

BALANCED = (
    (0.05, 0.08, 0.02, 0.07),
    (0.01, -0.02, 0.03, 0.0),
    (0.10, 0.06, 0.12, 0.09),
    (0.02, 0.05, 0.01, 0.04),
    (-0.03, 0.0, 0.02, -0.01),
    (0.06, 0.03, 0.08, 0.05),
)
UNBALANCED = (
    (0.05, 0.08, 0.02, 0.07, 0.04),
    (0.01, -0.02),
    (0.10, 0.06, 0.12),
    (0.02,),
    (-0.03, 0.0, 0.02, -0.01),
    (0.06, 0.03),
)
