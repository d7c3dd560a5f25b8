"""Settings with some changed, as if the configuration had said so."""

from __future__ import annotations

from typing import Any, TypeVar

from headct.settings.typed import plain, typed

T = TypeVar("T")


def changed(settings: T, /, **changes: Any) -> T:
    """The settings with ``changes``, given as JSON has them."""
    return typed(type(settings), plain(settings) | changes)
