"""What the scripts of the page are given: the study's models, lesions and cases, each scan's measures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from headct.contracts.labels import LabelSet
from headct.contracts.references import PREDICTS_NOTHING
from headct.publish.evidence import EVIDENCE
from headct.publish.page.shown_study import ShownStudy
from headct.publish.tables.words import title_of

MEASURES = ("dice", "reference_ml", "predicted_ml", "volume_error_ml", "hd95_mm")
"""Columns of numbers, as in ``results/metrics``."""

WORDS = ("presence", "failure")
"""Columns of text."""

OF_GROUPS = "#808080"
"""Colour of lesions that are measured as one."""


def study_data(study: ShownStudy) -> dict[str, Any]:
    """Models, lesions and cases, in their orders; evidence digest (``Study`` in ``page/src/headct.ts``)."""
    models = _models_with_measures(study)
    lesions = lesions_of(study.labels)
    lesions += [
        {"key": pool.name, "title": pool.name, "colour": OF_GROUPS, "group": True}
        for pool in study.labels.pools
    ]
    hardest = [row.text("scan_id") for row in study.rows("tables/hardest_cases.tsv", "scan_id")]
    return {
        "models": [
            {"key": model, "title": title_of(model, study.titles), "trivial": model == PREDICTS_NOTHING}
            for model in models
        ],
        "lesions": lesions,
        "cases": [scan for scan in hardest if scan in study.cases],
        "order": {"hardest": hardest},
        "evidence": study.results.json(EVIDENCE)["sha256"],
    }


def lesions_of(labels: LabelSet) -> list[dict[str, Any]]:
    """The lesions in their order, without groups (``Lesion`` in ``page/src/headct.ts``)."""
    return [
        {"key": label.name, "title": label.title, "colour": label.colour, "group": False}
        for label in labels.labels
    ]


def _models_with_measures(study: ShownStudy) -> list[str]:
    """The models that have a table of measures, in the order of the tables."""
    return [model for model in study.titles if study.results.has(f"metrics/{model}.tsv")]


def rows_data(study: ShownStudy) -> dict[str, list[Any]]:
    """A row for each scan, model and lesion, of the first seed, in columns (``Rows`` in ``headct.ts``)."""
    lesions = {name: place for place, name in enumerate(study.labels.regions)}
    sites = {row.text("scan_id"): row.text("site") for row in study.rows("cohort/cohort.tsv", "scan_id")}
    columns: dict[str, list[Any]] = {
        name: [] for name in ("scan", "model", "lesion", *MEASURES, *WORDS, "site")
    }
    for place, model in enumerate(_models_with_measures(study)):
        for line in _of_first_seed(study.results.table(f"metrics/{model}.tsv").lines):
            columns["scan"].append(line["scan_id"])
            columns["model"].append(place)
            columns["lesion"].append(lesions[line["label"]])
            for name in MEASURES:
                columns[name].append(float(line[name]) if line[name] else None)
            for name in WORDS:
                columns[name].append(line[name] or None)
            columns["site"].append(sites.get(line["scan_id"]) or None)
    return columns


def _of_first_seed(lines: Sequence[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """The lines of the first seed; all, of what has none."""
    first = min((float(line["seed"]) for line in lines if line["seed"]), default=None)
    return [line for line in lines if not line["seed"] or float(line["seed"]) == first]


def as_json(value: Any) -> Markup:
    """JSON as it can stand in a script element: nothing in it ends that."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))
