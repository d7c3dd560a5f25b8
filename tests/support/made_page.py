"""A page of results with nothing in it but what scripts need: the bundle, a study, and its rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headct.contracts.repository import REPOSITORY

BUNDLE = REPOSITORY / "workflow/page/bundle"
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' file: blob: 'self'; "
    "style-src 'unsafe-inline'; img-src data: blob: file: 'self'; connect-src data: blob:"
)
"""What the page of results allows itself."""
MEASURES = ("dice", "reference_ml", "predicted_ml", "volume_error_ml", "hd95_mm", "presence", "failure")


def study_of(models: Sequence[str], lesions: Sequence[str], cases: Sequence[str] = ()) -> dict[str, Any]:
    """A study as scripts read it; a model called ``nothing`` is the trivial one."""
    return {
        "models": [{"key": name, "title": f"Model {name}", "trivial": name == "nothing"} for name in models],
        "lesions": [
            {"key": name, "title": name, "colour": "#cc3311", "group": "+" in name} for name in lesions
        ],
        "cases": list(cases),
        "order": {},
        "evidence": "0" * 64,
    }


def columns_of(rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Rows of scan, model, lesion and measures as the columns that scripts read; what a row lacks is null."""
    names = ("scan", "model", "lesion", *MEASURES, "site")
    return {name: [row.get(name) for row in rows] for name in names}


def write(file: Path, study: dict[str, Any], rows: Sequence[dict[str, Any]], body: str = "") -> str:
    """Write the page with an element for the explorer, and ``body``; its address."""

    def data(name: str, value: Any) -> str:
        text = json.dumps(value).replace("<", "\\u003c")
        return f'<script type="application/json" id="{name}">{text}</script>'

    file.write_text(
        f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Made up</title>
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{(BUNDLE / "page.css").read_text(encoding="utf-8")}</style></head>
<body><main><h1>Made up</h1><div id="explorer"></div>{body}</main>
{data("study", study)}{data("rows", columns_of(rows))}
<script>{(BUNDLE / "index.js").read_text(encoding="utf-8")}</script></body></html>""",
        encoding="utf-8",
    )
    return file.as_uri()
