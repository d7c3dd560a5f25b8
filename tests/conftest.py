"""Shared by all tests: hypothesis without deadlines, since CI machines stall; what shares a process."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("headct", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("headct")
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist, which reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several processes, tests of one file share one, and with it what they are made from; so do
    all tests of the one cluster.
    """
    for item in items:
        group = "slurm" if item.path.parent.name == "slurm" else item.path.stem
        item.add_marker(pytest.mark.xdist_group(group))
