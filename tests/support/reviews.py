"""Reviews of scans as files and as values, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from headct.provenance import ledger
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


def make_study(folder: Path, test_set: Sequence[str], training_set: Sequence[str] = ()) -> list[str]:
    """A study with files for reviews, cohort and split, in a folder with a sheet; options that name it."""
    config = {
        "study": {"name": "reviewed"},
        "sheet": "scans.tsv",
        "models": {
            "unet": {"title": "U-Net", "framework": "monai", "network": "basicunet"},
            "blast-ct": {"title": "BLAST-CT", "framework": "blastct"},
        },
        "training": {"seeds": [0]},
        "figures": {"agreement_model": "unet", "cases": {"select_by": "unet", "show": ["unet"]}},
        "reviews": {"quality": "reviews/quality.tsv", "results": "reviews/results.tsv"},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    cohort = folder / "results/cohort"
    cohort.mkdir(parents=True)
    scans = [*((scan, "test") for scan in test_set), *((scan, "train") for scan in training_set)]
    (cohort / "cohort.tsv").write_text("scan_id\treason\n" + "".join(f"{scan}\t\n" for scan, _ in scans))
    (cohort / "split.tsv").write_text("scan_id\tset\n" + "".join(f"{scan}\t{name}\n" for scan, name in scans))
    return ["--configfile", str(folder / "config.yaml"), "--directory", str(folder)]


def score(study: Path, predictions: str = "d1") -> None:
    """Let the ledger of a study say that its test set was scored."""
    entry = dict.fromkeys(("rule", "model", "split", "plan", "metrics"), "x")
    path = study / "results/audit/test_set_ledger.tsv"
    ledger.append(path, scored="2026-11-28T10:00:00+00:00", predictions=predictions, **entry)
