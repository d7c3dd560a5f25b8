"""Records of training, as tables read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Record = Mapping[str, Any]
"""One ``train.json``."""

SECONDS_PER_HOUR = 3600
