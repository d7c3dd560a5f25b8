"""What the scripts of the page are given: the study's models, lesions and cases, each scan's measures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from headct.contracts.labels import LabelSet
from headct.contracts.references import PREDICTS_NOTHING
from headct.publish.evidence import EVIDENCE
from headct.publish.page.quoted import QuotedRow
from headct.publish.page.scan_sections import remarks_of, volume_columns
from headct.publish.page.shown_study import ShownScans, ShownStudy
from headct.publish.tables.words import title_of

MEASURES = ("dice", "reference_ml", "predicted_ml", "volume_error_ml", "hd95_mm")
"""Columns of numbers, as in ``results/metrics``."""

WORDS = ("presence", "failure")
"""Columns of text."""

OF_GROUPS = "#808080"
"""Colour of lesions that are measured as one."""


def study_data(study: ShownStudy) -> dict[str, Any]:
    """Models, lesions and cases, in their orders; evidence digest (``Study`` in ``page/src/headct.ts``)."""
    shown = [row for row in study.rows("cohort/cohort.tsv", "scan_id") if row.text("scan_id") in study.cases]
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
        **cases_of(study, hardest),
        "order": {"hardest": hardest},
        "evidence": study.results.json(EVIDENCE)["sha256"],
        "remarks": {row.text("scan_id"): remarks_of(row) for row in shown},
    }


def data_of_maps(shown: ShownScans, scans: Sequence[QuotedRow], key: str, title: str) -> dict[str, Any]:
    """As :func:`study_data`, of scans that have one kind of maps, and volumes instead of measures.

    Args:
        shown: what the page is made of.
        scans: rows of the table of volumes, one for each scan.
        key: name of the maps in the files of cases.
        title: what the page calls them.
    """
    with_case = [row for row in scans if row.text("scan_id") in shown.cases]
    return {
        "models": [{"key": key, "title": title, "trivial": False}],
        "lesions": lesions_of(shown.labels),
        **cases_of(shown, [row.text("scan_id") for row in with_case]),
        "order": {},
        "evidence": "",
        "remarks": {row.text("scan_id"): remarks_of(row) for row in with_case},
        "volumes": scans[0].file if scans else "",
    }


def rows_of_maps(shown: ShownScans, scans: Sequence[QuotedRow], measure: str) -> dict[str, list[Any]]:
    """As :func:`rows_data`, of :func:`data_of_maps`: volumes alone, under the name of a measure."""
    volumes = [
        (row.text("scan_id"), place, float(row.text(column)))
        for row in scans
        for place, column in enumerate(volume_columns(shown.labels))
        if row.has(column)
    ]
    columns: dict[str, list[Any]] = {name: [None] * len(volumes) for name in (*MEASURES, *WORDS)}
    return {
        **columns,
        "scan": [scan for scan, _, _ in volumes],
        "model": [0] * len(volumes),
        "lesion": [lesion for _, lesion, _ in volumes],
        measure: [volume_ml for _, _, volume_ml in volumes],
    }


def cases_of(shown: ShownScans, scans: Sequence[str]) -> dict[str, Any]:
    """The scans that can be opened, in their order, and the digest in the file of each."""
    cases = [scan for scan in scans if scan in shown.cases]
    return {"cases": cases, "digests": {scan: shown.cases[scan] for scan in cases}}


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
