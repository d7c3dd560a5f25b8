"""A page with the review of a made-up study on it, whose cases are words instead of pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headct.contracts.repository import REPOSITORY
from support.reviews import EVIDENCE

BUNDLE = REPOSITORY / "workflow/page/bundle"
MODELS = {"one": "Model One", "two": "Model Two"}
DICE = {"000": (0.9, 0.8), "001": (0.2, 0.4), "002": (0.9, 0.1), "003": (0.6, 0.6)}
"""Dice of the two models, by scan: 001 is the worst, 002 the most disputed."""

DIGEST = "0123456789abcdef"
"""Of each case, as far as it matters."""

VIEWER = """
headct.viewer = {
  show: async (file, { element }) => {
    element.innerHTML = `<canvas tabindex="0" aria-label="Here would be ${file.scan}."></canvas>`;
    element.firstChild.addEventListener("keydown", (event) => event.stopPropagation());
  },
};
"""

PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Review</title><style>{css}</style></head>
<body><main><h1>A study</h1><section><h2>Cases</h2><div id="viewer"></div></section>
<section><h2>Review</h2><div id="review"></div></section></main>
<script type="application/json" id="study">{study}</script>
<script type="application/json" id="rows">{rows}</script>
<script>{script}</script></body></html>
"""


def study_of(cases: Sequence[str]) -> dict[str, Any]:
    return {
        "models": [{"key": key, "title": title, "trivial": False} for key, title in MODELS.items()],
        "lesions": [{"key": "ICH", "title": "ICH", "colour": "#e41a1c", "group": False}],
        "cases": list(cases),
        "digests": dict.fromkeys(cases, DIGEST),
        "order": {},
        "evidence": EVIDENCE,
    }


def rows_of() -> dict[str, list[Any]]:
    rows = [(scan, model, dice) for scan, both in DICE.items() for model, dice in enumerate(both)]
    n = len(rows)
    return {
        "scan": [scan for scan, _, _ in rows],
        "model": [model for _, model, _ in rows],
        "lesion": [0] * n,
        "dice": [dice for _, _, dice in rows],
        "reference_ml": [10.0] * n,
        "predicted_ml": [10.0 * dice for _, _, dice in rows],
        **{name: [None] * n for name in ("volume_error_ml", "hd95_mm", "presence")},
        "failure": [""] * n,
    }


def make_page(folder: Path, cases: Sequence[str] = tuple(DICE)) -> str:
    """Write the page and its cases; its address."""
    (folder / "cases/scans").mkdir(parents=True)
    (folder / "cases/viewer.js").write_text(VIEWER)
    for scan in cases:
        case = json.dumps({"scan": scan, "digest": DIGEST})
        (folder / f"cases/scans/{scan}.js").write_text(f"headct.registerCase({case});")
    text = PAGE.format(
        css=(BUNDLE / "page.css").read_text(),
        script=(BUNDLE / "index.js").read_text().replace("</script", "<\\/script"),
        study=json.dumps(study_of(cases)),
        rows=json.dumps(rows_of()),
    )
    (folder / "index.html").write_text(text)
    return (folder / "index.html").as_uri()
