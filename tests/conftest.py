"""Shared by all tests: hypothesis without deadlines, since CI machines stall; what shares a process."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("headct", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("headct")
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With several processes, tests of one file share one, and with it what they are made from; so do all
    tests of the one cluster.
    """
    from xdist.scheduler import LoadFileScheduling

    class ByFileOrCluster(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "tests/slurm" if nodeid.startswith("tests/slurm/") else super()._split_scope(nodeid)

    return ByFileOrCluster(config, log)
