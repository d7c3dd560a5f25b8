"""The finished demo: ten models that learnt, a model and scans from elsewhere, each table and figure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import SimpleITK as sitk
import yaml

from headct.contracts.artefacts import read_tsv, sha256_of
from headct.contracts.declarations import PublishedStatistic, PublishedTable, declared, published_numbers
from headct.frameworks.base import training_settings
from headct.settings import blocks
from headct.settings.models import frameworks
from support import snake
from support.latex_reader import assert_pdflatex_compiles, needs_pdflatex

CONFIG = yaml.safe_load((snake.REPOSITORY / "config/demo.yaml").read_text(encoding="utf-8"))
MODELS = CONFIG["models"]
TRAINED = [key for key, model in MODELS.items() if model["framework"] in frameworks()]


def test_again_there_is_nothing_to_do(demo: Path) -> None:
    assert snake.planned(snake.in_demo("-n")) == {}


def test_the_split_is_the_one_that_was_asked_for(demo: Path) -> None:
    split = read_tsv(demo / "results/cohort/split.tsv")
    assert split["set"].value_counts().to_dict() == {"train": 24, "test": 12}
    assert split.groupby("participant_id")["set"].nunique().max() == 1
    cohort = read_tsv(demo / "results/cohort/cohort.tsv")
    excluded = cohort[cohort["status"] == "excluded"]
    assert len(excluded) == CONFIG["phantom"]["incomplete_participants"]
    assert excluded["reason"].str.startswith("missing section").all()


@pytest.mark.parametrize("model", TRAINED)
def test_each_model_was_trained_by_its_own_framework(demo: Path, model: str) -> None:
    folder = demo / f"results/models/{model}/seed-1/fold-all"
    record = json.loads((folder / "train.json").read_text())
    assert record["framework"] == MODELS[model]["framework"]
    assert record["n_training_scans"] == 24
    settings = training_settings(blocks.load(snake.REPOSITORY / "config/demo.yaml").models[model])
    assert settings.steps(24) == record["record"]["iterations"], "as make plan counts them"
    assert record["sha256"] == sha256_of(folder / "final.pth")
    losses = [epoch["train_loss"] for epoch in record["history"]]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("model", MODELS)
def test_each_model_predicts_every_test_scan_on_its_own_grid(demo: Path, model: str) -> None:
    manifest = read_tsv(demo / f"results/predictions/{model}/seed-1.tsv", path=str)
    split = read_tsv(demo / "results/cohort/split.tsv")
    assert set(manifest["scan_id"]) == set(split.loc[split["set"] == "test", "scan_id"])
    for row in manifest.itertuples():
        path = demo / "results/predictions" / model / row.path
        assert row.sha256 == sha256_of(path)
        predicted, truth = (
            sitk.ReadImage(str(path)),
            sitk.ReadImage(str(demo / f"results/data/{row.scan_id}/labels.nii.gz")),
        )
        assert predicted.GetSize() == truth.GetSize()
        assert predicted.GetSpacing() == pytest.approx(truth.GetSpacing())


@pytest.mark.parametrize("model", MODELS)
def test_each_model_learns(demo: Path, model: str) -> None:
    metrics = read_tsv(demo / f"results/metrics/{model}.tsv", failure=str)
    assert metrics["failure"].isna().all()
    median = metrics.loc[metrics["label"] == "ICH", "dice"].median()
    assert median > (0.6 if model.startswith("nnunet-3d") else 0.3)


def test_the_model_that_others_made_is_measured_and_stands_beside_the_compared(demo: Path) -> None:
    """It is in the tables, with what is known of it, and in no rank or comparison."""
    rows = read_tsv(demo / "results/tables/table1.tsv")
    assert set(rows.loc[rows["model"] == "stand-in", "role"]) == {"extra"}
    assert (
        read_tsv(demo / "results/tables/table_e1.tsv").set_index("item").loc["Licence", "stand-in"] == "MIT"
    )
    ranked, paired = (read_tsv(demo / f"results/statistics/{name}.tsv") for name in ("dunn", "paired"))
    assert "stand-in" not in {*ranked["model_a"], *ranked["model_b"]}
    beside = paired[(paired["model_a"] == "stand-in") | (paired["model_b"] == "stand-in")]
    assert len(beside)
    assert beside["p_adjusted"].isna().all(), "it is in no family"
    manifest = read_tsv(demo / "results/predictions/stand-in/seed-1.tsv")
    for row in manifest.itertuples():
        assert row.source_sha256 == sha256_of(demo / f"trial/outside_model/{row.scan_id}.nii.gz")
    ledger = read_tsv(demo / "results/audit/test_set_ledger.tsv")
    assert "stand-in" in set(ledger["model"])


def test_the_scans_from_elsewhere_are_measured_and_unknown_to_the_split(demo: Path) -> None:
    external = CONFIG["phantom"]["external_set"]
    cohort = read_tsv(demo / "results/cohort/cohort.tsv")
    of_set = cohort[cohort["external_set"] == external["name"]]
    assert list(of_set["status"]) == ["included"] * external["participants"]
    assert set(of_set["site"]) == {site["name"] for site in external["sites"]}
    assert set(cohort.loc[cohort["external_set"].isna(), "site"]).isdisjoint(of_set["site"])
    split = read_tsv(demo / "results/cohort/split.tsv")
    assert set(split["scan_id"]).isdisjoint(of_set["scan_id"])
    table = read_tsv(demo / "results/tables/external_sets.tsv")
    assert {*MODELS} < set(table["model"])
    assert set(table["n"]) == {external["participants"]}


def test_the_trivial_row_scores_by_absence_alone(demo: Path) -> None:
    metrics = read_tsv(demo / "results/metrics/predicts-nothing.tsv", failure=str)
    assert metrics["predicted_ml"].eq(0).all()
    assert metrics["dice"].eq(metrics["reference_ml"].eq(0)).all()


@pytest.fixture(scope="module")
def asked_for(demo: Path) -> list[Path]:
    """Every file that the workflow makes, by its own list."""
    said = snake.in_demo("--summary")
    assert said.returncode == 0, said.stdout
    files = [line.split("\t")[0] for line in said.stdout.splitlines()]
    return [demo / file for file in files if file.startswith("results/")]


def test_each_figure_comes_with_its_numbers(asked_for: list[Path]) -> None:
    figures = [file for file in asked_for if file.suffix == ".pdf"]
    curves = {figure.stem for figure in figures if figure.parent.name == "training_curves"}
    assert curves == set(TRAINED)
    assert len(figures) > len(curves) + 10
    begins = {".pdf": b"%PDF", ".svg": b"<svg ", ".png": b"\x89PNG", ".tsv": b""}
    for pdf in figures:
        kinds = {file.suffix for file in asked_for if file.with_suffix(".pdf") == pdf}
        assert kinds == ({".pdf", ".tsv"} if pdf.stem == "ingest_qc" else begins.keys()), pdf
        for kind in kinds:
            assert pdf.with_suffix(kind).read_bytes().startswith(begins[kind]), pdf
        assert len(read_tsv(pdf.with_suffix(".tsv"))) > 0, pdf


def test_each_table_comes_as_tsv_and_page(asked_for: list[Path]) -> None:
    tables = [file for file in asked_for if file.suffix == ".tex"]
    assert {table.stem for table in tables} >= {"table1", "planned_comparison", "training_times"}
    for table in tables:
        assert len(read_tsv(table.with_suffix(".tsv"))) > 0, table
        page = table.with_suffix(".html").read_text(encoding="utf-8")
        assert CONFIG["study"]["note"] in page, "a simulated result can't be taken for the study's"


@needs_pdflatex
def test_all_tables_are_set_by_latex_in_one_document(asked_for: list[Path], tmp_path: Path) -> None:
    assert_pdflatex_compiles(tmp_path, *(file for file in asked_for if file.suffix == ".tex"))


def test_every_column_of_what_is_published_is_declared(demo: Path) -> None:
    published = published_numbers()
    files = [
        *(
            file
            for folder in ("tables", "statistics", "figures")
            for file in demo.glob(f"results/{folder}/**/*.tsv")
        ),
        *(
            demo / f"results/{path}"
            for path in ("models/training_times.tsv", "cohort/flow.tsv", "cohort/balance.tsv")
        ),
    ]
    for file in files:
        path = file.relative_to(demo / "results")
        one = published.get(path.as_posix()) or published[(path.parent / "{model}.tsv").as_posix()]
        declared_columns = [
            column for name in one.header for column in (MODELS if name == "{model}" else [name])
        ]
        assert list(read_tsv(file).columns) == declared_columns, path
        assert set(one.keys.split()) <= set(one.header), path
    made = {file.relative_to(demo / "results").as_posix() for file in files}
    absent = {path for path in published if path not in made and "{model}" not in path}
    of_reviews = {
        one.path
        for one in declared(PublishedStatistic).values()
        if one.step in ("review-analysis", "blinded-analysis")
    }
    of_folds = {"statistics/out_of_fold.tsv", "statistics/effort_curve.tsv", "figures/dice_by_effort.tsv"}
    of_curve = {path for path in published if "/learning_curve" in path}
    assert absent == {*of_folds, *of_curve, *of_reviews}, "the demo has no folds, and nobody reviews it"


def test_the_report_is_made_and_describes_every_table(demo: Path, tmp_path: Path) -> None:
    done = snake.in_demo("--report", tmp_path / "report.html")
    assert done.returncode == 0, done.stdout
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert len(page) > 100_000
    for name, table in declared(PublishedTable).items():
        first = table.caption.split("**")[1]
        assert (first in page) == (name != "learning_curve"), name
    assert "The page of the results." in page
