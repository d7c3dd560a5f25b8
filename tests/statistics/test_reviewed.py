"""What reviewers decided: counts, agreement, and the primary comparison without what they would leave out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.inter_rater import cohens_kappa

from headct.command_line import run_step
from headct.contracts.artefacts import read_tsv, write_json, write_tsv
from headct.contracts.problems import BadInput
from headct.settings import analysis_plan
from headct.settings.reviews import DECISIONS, Review
from headct.statistics.comparison import reviewed
from headct.statistics.comparison.endpoints import endpoints_table
from headct.statistics.comparison.reviewed import AS_PLANNED, POST_HOC
from headct.statistics.comparison.score_arrays import score_arrays_of
from support.declared import assert_as_declared
from support.label_sets import GIVEN, LABELS
from support.planned_cases import MODELS, PLAN, cohort
from support.reviews import EVIDENCE, review, written
from support.simulated_scores import each_scan_alone, simulated, with_role

N = 40
METRICS = simulated(MODELS, n_scans=N)
RUN = PLAN.of_run(MODELS)


def sensitivity(*decided: Review) -> pd.DataFrame:
    data = score_arrays_of(with_role(METRICS, MODELS), LABELS, each_scan_alone(METRICS))
    return reviewed.sensitivity_table(data, RUN, decided).set_index("analysis")


def primary(metrics: pd.DataFrame) -> pd.Series:
    data = score_arrays_of(with_role(metrics, MODELS), LABELS, each_scan_alone(metrics))
    return endpoints_table(data, RUN).iloc[0]


def test_the_primary_comparison_is_repeated_without_the_scans_and_is_labelled_post_hoc() -> None:
    decided = [
        review("A", "003", "exclude"),
        review("A", "004", "redraw"),
        review("A", "005", "flag"),
        review("B", "003", "exclude"),
        review("B", "004"),
        review("A", "006", "exclude", kind="quality"),
    ]
    table = sensitivity(*decided)
    expected = {
        AS_PLANNED: [],
        "without scans that any reviewer would exclude": ["003"],
        "without scans that most of their reviewers would exclude": ["003"],
        "without scans that any reviewer would exclude or redraw": ["003", "004"],
        "without scans that most of their reviewers would exclude or redraw": ["003"],
    }
    assert list(table.index) == list(expected)
    assert table["status"].tolist() == ["primary", *[POST_HOC] * 4]
    for analysis, scans in expected.items():
        of_endpoint = primary(METRICS[~METRICS["scan_id"].isin(scans)])
        found = table.loc[analysis]
        for column in ("endpoint", "measure", "label", "scans", "model", "against", "n"):
            assert found[column] == of_endpoint[column]
        for column in ("difference", "lower", "upper"):
            assert found[column] == pytest.approx(of_endpoint[column], abs=1e-12)
        assert found["left_out"] == table.loc[AS_PLANNED, "n"] - of_endpoint["n"]


def test_of_one_reviewer_there_is_no_majority_and_without_reviews_of_results_the_plan_alone() -> None:
    assert len(sensitivity(review("A", "003"))) == 3
    assert sensitivity(review("A", "003", "exclude", kind="quality")).index.tolist() == [AS_PLANNED]


def test_with_nothing_left_the_reason_is_said() -> None:
    table = sensitivity(*(review("A", f"{scan:03d}", "exclude") for scan in range(N)))
    row = table.loc["without scans that any reviewer would exclude"]
    assert (row["n"], np.isnan(row["difference"])) == (0, True)
    assert "needs 3" in row["note"]


def decided_at_random(reviewers: str, n: int, random_state: int = 0) -> list[Review]:
    rng = np.random.default_rng(random_state)
    truth = rng.choice(DECISIONS, n, p=[0.5, 0.2, 0.2, 0.1])
    return [
        review(reviewer, f"{scan:03d}", truth[scan] if rng.random() < 0.8 else rng.choice(DECISIONS))
        for reviewer in reviewers
        for scan in range(n)
    ]


def test_agreement_is_of_each_pair_and_of_all() -> None:
    decided = [*decided_at_random("ABC", N), review("A", "000", kind="quality")]
    table = reviewed.agreement_table(decided, each_scan_alone(METRICS))
    assert table["kind"].unique().tolist() == ["results"]
    assert table[["reviewers", "coefficient"]].agg(": ".join, axis=1).tolist() == [
        "A; B: Cohen's kappa",
        "A; B: Gwet's AC1",
        "A; C: Cohen's kappa",
        "A; C: Gwet's AC1",
        "B; C: Cohen's kappa",
        "B; C: Gwet's AC1",
        "A; B; C: Fleiss' kappa",
        "A; B; C: Gwet's AC1",
    ]
    first = table.iloc[0]
    ratings = reviewed.ratings_of(decided[: 2 * N], [f"{scan:03d}" for scan in range(N)], ["A", "B"])
    theirs = cohens_kappa(np.histogram2d(*ratings.T, bins=[np.arange(5) - 0.5] * 2)[0])
    assert first["estimate"] == pytest.approx(theirs.kappa)
    assert first["agreement"] == (ratings[:, 0] == ratings[:, 1]).mean()
    assert first["n"] == first["n_clusters"] == N
    assert (table["lower"] < table["estimate"]).all()
    assert (table["estimate"] < table["upper"]).all()


def test_what_has_no_interval_says_why() -> None:
    alike = [review(reviewer, f"{scan:03d}") for reviewer in "AB" for scan in range(5)]
    table = reviewed.agreement_table(alike, each_scan_alone(METRICS)).set_index("coefficient")
    assert table.loc["Cohen's kappa", "note"] == reviewed.UNDEFINED
    assert table.loc["Gwet's AC1", ["agreement", "estimate"]].tolist() == [1, 1]
    assert table.loc["Gwet's AC1", "note"] == "no variance between clusters: no interval"
    apart = reviewed.agreement_table([review("A", "000"), review("B", "001")], each_scan_alone(METRICS))
    assert apart["note"].unique().tolist() == [reviewed.TWO_SEE_NONE]
    assert apart["n"].tolist() == [0, 0]


@pytest.fixture
def study(tmp_path: Path) -> list[str]:
    """The options of the step, but for the reviews."""
    table, split = cohort(N)
    for name, part in (("cohort", table), ("split", split)):
        write_tsv(part, tmp_path / f"{name}.tsv")
    for model, rows in METRICS.groupby("model"):
        write_tsv(rows, tmp_path / "metrics" / f"{model}.tsv")
    write_json({"sha256": EVIDENCE, "files": {}}, tmp_path / "evidence.json")
    options = [*GIVEN, "--plan", str(analysis_plan.SHIPPED), "--evidence", str(tmp_path / "evidence.json")]
    options += ["--metrics", *map(str, sorted((tmp_path / "metrics").iterdir())), "--models", *MODELS]
    options += ["--cohort", str(tmp_path / "cohort.tsv"), "--split", str(tmp_path / "split.tsv")]
    return [*options, "--out", str(tmp_path / "out")]


def test_the_step_writes_what_is_declared(tmp_path: Path, study: list[str]) -> None:
    of_results = [review("A", "003", "exclude", evidence=EVIDENCE), review("A", "004"), review("B", "003")]
    of_quality = [review("A", "t1", "flag", kind="quality")]
    files = [
        str(written(tmp_path / "quality.tsv", *of_quality)),
        str(written(tmp_path / "results.tsv", *of_results)),
    ]
    run_step("review-analysis", ["--reviewed", *files, *study])
    assert_as_declared(tmp_path / "out", "review-analysis")
    assert read_tsv(tmp_path / "out/review.tsv").to_numpy().tolist() == [
        ["quality", "A", 1, 0, 1, 0, 0, 0],
        ["results", "A", 2, 1, 0, 0, 1, 1],
        ["results", "B", 1, 1, 0, 0, 0, 0],
    ]
    assert read_tsv(tmp_path / "out/review_scans.tsv").to_numpy().tolist() == [
        ["quality", "t1", 1, 0, 1, 0, 0],
        ["results", "003", 2, 1, 0, 0, 1],
        ["results", "004", 1, 1, 0, 0, 0],
    ]
    once = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    written(tmp_path / "results.tsv", *reversed(of_results))
    run_step("review-analysis", ["--reviewed", *reversed(files), *study])
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == once


def test_reviews_of_other_scans_are_refused(tmp_path: Path, study: list[str]) -> None:
    file = written(
        tmp_path / "r.tsv", review("A", "t1"), review("A", "003"), review("A", "999", kind="quality")
    )
    with pytest.raises(BadInput) as error:
        run_step("review-analysis", ["--reviewed", str(file), *study])
    assert {(one.row, one.value) for one in error.value.problems} == {("2", "t1"), ("4", "999")}
