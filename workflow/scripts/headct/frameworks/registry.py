"""All frameworks, in the order of the schema, for what tells of them all."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from headct.frameworks.base import Framework, find_framework
from headct.settings import models

EFFECT = "print"  # it is asked for what tables and reports say


@cache
def frameworks() -> Mapping[str, Framework]:
    """The frameworks that a configuration may name, by name."""
    return {name: find_framework(name) for name in models.frameworks()}
