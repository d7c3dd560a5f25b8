"""Every figure of as few lesions as a study may have, and of as many."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from headct.contracts.artefacts import write_json, write_tsv
from headct.contracts.declarations import PublishedFigure, declared
from headct.contracts.labels import LabelSet
from headct.contracts.references import ANOTHER_RATER, PREDICTS_NOTHING, SAME_RATER
from headct.publish.figures import figure_files, style
from headct.settings import analysis_plan
from headct.settings.analysis_plan import Endpoint, Plan
from headct.statistics.comparison.new_site import OF_TEST_SET, tables_of
from headct.statistics.core import scores
from headct.statistics.core.group_tests import dunn_table
from headct.statistics.core.scores import mean_over_seeds
from headct.statistics.replication.rater_statistics import rater_agreement
from support import planned_cases
from support.figure_inputs import (
    SHOWN,
    WIDTHS_MM,
    assert_readable,
    draw,
    drawn_from_files,
    texts,
    training_record,
    write_manifest,
    write_scan,
)
from support.label_sets import ONE, SEVEN
from support.simulated_scores import each_scan_alone, simulated

OTHER = ("published_vs_reproduced", "flow", "ingest_qc", "external_sets", "dice_by_effort", "learning_curve")
"""Of the paper's lesions, of none, of grey images that only a PDF takes, of scans from elsewhere, and of what
is off unless asked for: these have tests of their own."""
FIGURES = sorted(declared(PublishedFigure).keys() - OTHER)
N_SCANS = 14


def plan_about(labels: LabelSet) -> Plan:
    """The quick plan, about these lesions: its endpoints about the first one and the last."""
    first, *_, last = [*labels, *labels]

    def about(endpoint: Endpoint, label: str) -> Endpoint:
        return replace(endpoint, label=label, name=f"{label} {endpoint.measure}")

    quick = planned_cases.PLAN
    return replace(
        quick,
        primary=about(quick.primary, first),
        key_secondary=tuple(about(endpoint, last) for endpoint in quick.key_secondary),
        dice_margin=dict.fromkeys(labels, 0.05),
        volume_margin_ml=dict.fromkeys(labels, 5.0),
        not_worse_than_a_rater=None,
    )


def arguments(folder: Path, labels: LabelSet) -> dict[str, list[str]]:
    """Files of a made-up study, and the arguments of each figure that has lesions."""
    measured = simulated(list(SHOWN), N_SCANS, labels=labels)
    tables = {}
    for model, rows in measured.groupby("model"):
        tables[str(model)] = folder / f"{model}.tsv"
        write_tsv(rows, tables[str(model)])
    models = ["--models", json.dumps(SHOWN)]
    shown = [str(tables[model]) for model in SHOWN]
    every = ["--metrics", *shown, str(tables[PREDICTS_NOTHING]), *models]
    read = scores.read([tables[model] for model in SHOWN], list(SHOWN), labels)
    write_tsv(dunn_table(mean_over_seeds(read), labels), folder / "dunn.tsv")
    cohort, _ = planned_cases.cohort(N_SCANS, labels=labels)
    write_tsv(cohort, folder / "cohort.tsv")
    agreement = [
        *("--metrics", str(tables[next(iter(SHOWN))])),
        *("--plan", str(analysis_plan.SHIPPED), "--cohort", str(folder / "cohort.tsv")),
        *("--model-title", "DiceCE"),
    ]
    compared = planned_cases.analysed(
        read.drop(columns="role"), tuple(SHOWN), plan=plan_about(labels), labels=labels
    )
    planned = []
    for name in ("endpoints", "paired", "equivalence"):
        write_tsv(compared[name], folder / f"{name}.tsv")
        planned += [f"--{name}", str(folder / f"{name}.tsv")]
    for name, table in tables_of(read, cohort, plan_about(labels), OF_TEST_SET).items():
        write_tsv(table, folder / f"{name}.tsv")
    kinds = simulated([SAME_RATER, ANOTHER_RATER], N_SCANS, labels=labels)
    readings = kinds[kinds["model"] != PREDICTS_NOTHING]
    write_tsv(readings, folder / "second-reading.tsv")
    write_tsv(rater_agreement(readings, each_scan_alone(readings)), folder / "rater_agreement.tsv")
    write_json(training_record(labels=labels), folder / "train.json")
    scans = {f"{i:03d}": write_scan(folder / "data", f"{i:03d}") for i in range(N_SCANS)}
    cut = {scan: np.minimum(drawn, len(labels)).astype(np.uint8) for scan, drawn in scans.items()}
    manifests = [str(write_manifest(folder / "predictions", model, cut, folder / "data")) for model in SHOWN]
    cases = ["--metrics", *shown, "--predictions", *manifests, "--data", str(folder / "data")]
    cases += ["--select-by", next(iter(SHOWN)), "--show", json.dumps(SHOWN), "--n", "2"]
    return {
        **drawn_from_files(folder, agreement, every, planned, models),
        "best_cases": cases,
        "worst_cases": cases,
    }


@pytest.fixture(scope="module", params=[ONE, SEVEN], ids=["one", "seven"])
def study(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[LabelSet, dict[str, list[str]]]:
    """The lesions of a study, and the arguments of its figures."""
    labels: LabelSet = request.param
    return labels, arguments(tmp_path_factory.mktemp("study"), labels)


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_readable(
    study: tuple[LabelSet, dict[str, list[str]]], name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels, given = study
    for width_mm in WIDTHS_MM:

        def look(pages: style.Pages, out: Path, *more: Any, wide: float = width_mm) -> None:
            tables = []
            for figure, drawn in pages:
                assert_readable(figure, wide)
                if name.endswith("_cases") and len(labels) == 1:
                    assert "mean dice" not in texts(figure).lower(), "of one lesion there is no mean"
                tables.append(drawn)
            write_tsv(pd.concat(tables), out.with_suffix(".tsv"))

        monkeypatch.setattr(figure_files, "save", look)
        with mpl.rc_context({"text.hinting": "none"}):
            page_mm = f"--width-mm={width_mm + 2 * style.MARGIN_MM:g}"
            drawn = draw(name, tmp_path / "figure.pdf", *given[name], page_mm, labels=labels)
        if "label" in drawn:
            assert set(labels) <= {*drawn["label"]}
