"""Reviews of scans as files and as values, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headct.settings.reviews import COLUMNS, Review

EVIDENCE = "0123456789abcdef" * 4


def review(reviewer: str, scan: str, decision: str = "keep", **more: Any) -> Review:
    """One review; whatever is not to be kept has a reason."""
    reason = None if decision == "keep" else f"{decision} it"
    return Review(**{"reason": reason, "kind": "results", **more, **_named(reviewer, scan, decision)})


def _named(reviewer: str, scan: str, decision: str) -> dict[str, str]:
    return {"reviewer": reviewer, "scan_id": scan, "decision": decision}


def written(path: Path, *reviews: Review) -> Path:
    """A file as the page exports it."""
    lines = [COLUMNS, *([getattr(one, name) or "" for name in COLUMNS] for one in reviews)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join("\t".join(line) + "\n" for line in lines), encoding="utf-8")
    return path
