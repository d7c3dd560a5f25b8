"""Numbers of a run in which predictions are missing are computed again by other code."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from headct.contracts.artefacts import write_tsv
from headct.provenance import trace
from headct.provenance.lineage import Study
from headct.provenance.number_origins import Place, Tables
from headct.provenance.recompute import equal, recompute
from support import audit_study
from support.label_sets import LABELS
from support.missing_cases import DICECE, FOCAL, without_predictions
from support.planned_cases import PLAN, analysed
from support.replicated import replicated
from support.simulated_scores import cohort, simulated, with_role

MODELS = (FOCAL, DICECE)


def as_text(table: pd.DataFrame, path: Path) -> str:
    """A table as a job writes it."""
    write_tsv(table, path)
    return path.read_text()


@pytest.fixture(params=[(1,), (1, 2)], ids=["one seed", "two seeds"])
def tables(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tables:
    """Metrics of two models, both without some predictions, and all statistics of them."""
    # Of this random state, no two means over seeds are equal but for the rounding of one of them.
    metrics = simulated(MODELS, n_scans=30, seeds=request.param, random_state=1)
    metrics = without_predictions(metrics, FOCAL, ["000", "003"])
    metrics = without_predictions(metrics, DICECE, ["002"], seed=1)
    metrics = without_predictions(metrics, DICECE, ["003", "004"], reason="the slices are 40 mm apart")
    computed = analysed(metrics, MODELS)
    computed |= replicated(with_role(metrics, MODELS), cohort(24), PLAN, LABELS)
    monkeypatch.chdir(tmp_path)
    scratch = tmp_path / "scratch.tsv"
    measured = {
        f"results/metrics/{model}.tsv": as_text(of_model, scratch)
        for model, of_model in metrics.groupby("model")
    }
    written = {f"results/statistics/{name}.tsv": as_text(table, scratch) for name, table in computed.items()}
    audit_study.job("measures", [], measured)
    audit_study.job("statistics", list(measured), written, ["--models", *MODELS])
    return Tables(Study(Path("results")), LABELS)


CELLS = {
    "dice_summary": "mean median q1 q3 n n_failed n_crashed",
    "dice_present_summary": "mean median q1 q3 true_positives sensitivity true_negatives specificity",
    "volume_overlap": "n_absent n_false_lesion intersection_ml false_positive_ml",
    "seed_spread": "mean sd lowest highest",
    "detection": "tp fn fp tn sensitivity specificity ppv npv",
    "endpoints": "n estimate_model estimate_against difference bias_model_ml bias_against_ml",
    "sensitivity": "n difference",
    "paired": "difference",
    "ranks": "mean_rank",
    "dunn": "mean_rank_a mean_rank_b",
    "selection": "mean",
    "agreement": "ccc bias_ml sd_ml loa_lower_ml loa_upper_ml",
    "replication": "difference",
}
"""Columns that change with the score of a missing prediction, or tell how many there are, by table."""


def test_what_missing_predictions_change_is_computed_again(tables: Tables) -> None:
    other, compared = [], set()
    for name, columns in CELLS.items():
        path = f"results/statistics/{name}.tsv"
        for line, row in enumerate(tables.cells(path)):
            for column in columns.split():
                place = Place(path, line, column)
                value = recompute(tables, place) if row[column] else None
                if value is not None:
                    compared.add((name, column, row.get("analysis", "")))
                    if isinstance(value, str) or not equal(row[column], value):
                        other.append((place, row[column], value))
    assert not other
    analyses = ("complete cases", "worst case", "best case", "clusters: participants")
    sensitivity = {("sensitivity", column, one) for column in ("n", "difference") for one in analyses}
    assert compared >= sensitivity
    assert {(name, column) for name, column, _ in compared} == {
        (name, column) for name, columns in CELLS.items() for column in columns.split()
    } - (
        {("seed_spread", "sd")}
        if not tables.text("results/statistics/seed_spread.tsv")["sd"].any()
        else set()
    )


def test_a_trace_tells_how_rows_without_a_prediction_are_scored(tables: Tables) -> None:
    place = tables.find("results/statistics/dice_summary.tsv", "mean", model=FOCAL, label="IVH")
    assert place is not None
    text, right = trace.words_of_number(trace.trace(tables, place))
    assert right
    n = 2 * tables.numbers(f"results/metrics/{FOCAL}.tsv")["seed"].nunique()
    assert f"{n} of these rows have no prediction: scored with a Dice of 0" in text
