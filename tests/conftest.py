"""Shared by all tests: hypothesis without deadlines, since CI machines stall now and then."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile("headct", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("headct")
os.environ.setdefault("OMP_NUM_THREADS", "1")
