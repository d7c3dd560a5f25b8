"""Learning curves, from the sheet to sealed results: fewer participants, measured on what a fold has."""

from __future__ import annotations

import itertools
from pathlib import Path

import pandas as pd
import pytest
import yaml

from headct.contracts.artefacts import read_json, read_tsv
from support import snake, warm_python
from support.audit_study import forked_command
from support.html_page import Page
from support.nifti_study import NiftiStudy

pytestmark = pytest.mark.slow  # a study of its own; test_folds_by_site.py has a smaller curve in its study

SIZES = [2, 3, 5, "all"]
SEEDS = [1, 2]
FOLD, N_FOLDS = 0, 2
CURVE = {"sizes": SIZES, "models": ["wide"], "seeds": SEEDS, "fold": FOLD}

STUDY = NiftiStudy(
    name="few-participants",
    labels={"ICH": 1, "PHE": 2, "IVH": 3},
    drawn=lambda truth, number: truth,
    scans=20,
    models={
        "wide": {"title": "Wide", "framework": "threshold"},
        "narrow": {"title": "Narrow", "framework": "threshold", "hu_range": [40, 90]},
    },
    read_twice=True,
    settings={
        "split": {"test_fraction": 0.2, "folds": N_FOLDS},
        "training": {"folds": [FOLD], "seeds": [1]},
        "report": {"cases": "none"},
        "learning_curve": CURVE,
    },
)
"""Of 16 participants to train on 8 are held out, and 8 can be learnt from. No network: jobs of seconds."""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the finished study."""
    folder = tmp_path_factory.mktemp("curve")
    configfile = STUDY.write(folder)
    with warm_python.started() as python:
        run = snake.run("--directory", folder, "--configfile", configfile, "--cores", "2", python=python)
    assert run.returncode == 0, run.stdout[-4000:]
    return folder


def learnt_from(table: pd.DataFrame) -> set[str]:
    """The participants of the scans of a subset that are not held out."""
    return set(table.loc[table["fold"] != FOLD, "participant_id"])


def test_smaller_subsets_lie_within_larger_ones_and_no_test_scan_is_in_any(study: Path) -> None:
    split = read_tsv(study / "results/cohort/split.tsv")
    for seed in SEEDS:
        folder = study / "results/learning_curve/subsets"
        tables = [read_tsv(folder / f"size-{size}/seed-{seed}.tsv") for size in SIZES]
        people = [learnt_from(table) for table in tables]
        assert [len(of) for of in people] == [2, 3, 5, 8]
        assert all(less < more for less, more in itertools.pairwise(people))
        for table in tables:
            assert set(table["set"]) == {"train"}
            held_out = split[(split["set"] == "train") & (split["fold"] == FOLD)]
            assert set(table.loc[table["fold"] == FOLD, "scan_id"]) == set(held_out["scan_id"])


def test_each_network_learnt_from_its_subset_and_was_measured_on_the_fold(study: Path) -> None:
    results = study / "results"
    for size, n in zip(SIZES[:3], (2, 3, 5), strict=True):
        record = read_json(results / f"learning_curve/models/wide/size-{size}/seed-2/fold-0/train.json")
        assert (record["n_training_scans"], record["n_validation_scans"], record["seed"]) == (n, 8, 2)
    split = read_tsv(results / "cohort/split.tsv")
    held_out = set(split.loc[(split["set"] == "train") & (split["fold"] == FOLD), "scan_id"])
    for size in SIZES:
        measured = read_tsv(results / f"learning_curve/metrics/wide/size-{size}.tsv")
        assert set(measured["scan_id"]) == held_out
        assert set(measured["seed"]) == set(SEEDS)


def test_the_network_of_all_participants_is_the_studys_own_where_it_has_it(study: Path) -> None:
    models = study / "results/learning_curve/models/wide"
    assert {path.parent.name for path in models.glob("size-all/*/fold-0")} == {"seed-2"}
    own = read_json(study / "results/models/wide/seed-1/fold-0/train.json")
    of_curve = read_tsv(study / "results/learning_curve/metrics/wide/size-all.tsv")
    out_of_fold = read_tsv(study / "results/metrics/out-of-fold/wide.tsv")
    assert own["n_training_scans"] == 8
    first = of_curve[of_curve["seed"] == 1].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, out_of_fold)


def test_points_are_means_over_scans_and_seeds(study: Path) -> None:
    points = read_tsv(study / "results/statistics/learning_curve.tsv", size=str)
    assert list(points.loc[points["label"] == "ICH", "participants"]) == [2, 3, 5, 8]
    point = points.set_index(["label", "size"]).loc["PHE", "5"]
    measured = read_tsv(study / "results/learning_curve/metrics/wide/size-5.tsv")
    of_seed = measured[measured["label"] == "PHE"].groupby("seed")["dice"].mean()
    assert point["dice_mean"] == pytest.approx(of_seed.mean(), rel=1e-9)
    assert (point["dice_lowest"], point["dice_highest"]) == pytest.approx((of_seed.min(), of_seed.max()))


def test_what_can_not_be_fitted_is_said_in_table_figure_and_page(study: Path) -> None:
    results = study / "results"
    fits = read_tsv(results / "statistics/learning_curve_fit.tsv", note=str).fillna({"note": ""})
    assert set(fits["label"]) == {"ICH", "PHE", "IVH"}
    lacking = fits[fits["a"].isna()]
    assert lacking["note"].str.startswith("no curve is fitted: ").all()
    page = Page((results / "report/index.html").read_text(encoding="utf-8")).text
    assert "Learning curves" in page
    for note in fits.loc[fits["more"].isna(), "note"]:
        assert note in page
    drawn = read_tsv(results / "figures/learning_curve.tsv", size=str)
    assert set(drawn.loc[drawn["element"] == "curve", "label"]) == set(fits.loc[fits["a"].notna(), "label"])
    assert set(drawn.loc[drawn["element"] == "another rater", "label"]) == {"ICH", "PHE", "IVH"}


def test_the_ledger_has_no_line_of_it(study: Path) -> None:
    ledger = read_tsv(study / "results/audit/test_set_ledger.tsv")
    assert set(ledger["rule"]) == {"metrics", "second_readings", "surface_tolerance"}
    assert not ledger["model"].str.contains("size").any()


@pytest.mark.parametrize(
    "number",
    [
        "results/statistics/learning_curve.tsv, wide, PHE, 5, dice_mean",
        "results/statistics/learning_curve.tsv, wide, ICH, all, participants",
        "results/statistics/learning_curve.tsv, wide, ICH, all, curve",
        "results/statistics/learning_curve_fit.tsv, wide, ICH, n_sizes",
        "results/statistics/learning_curve_raters.tsv, IVH, dice_mean",
        "results/tables/learning_curve.tsv, wide, IVH, 3, dice_lowest",
        "results/figures/learning_curve.tsv, mean, wide, PHE, 2, dice",
        "results/figures/learning_curve.tsv, another rater, PHE, lower",
    ],
)
def test_a_number_is_traced_and_its_jobs_repeated(study: Path, number: str) -> None:
    words = ("trace", "--results", study / "results", "--number", *number.split(", "))
    done = forked_command(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    made_of = "metrics/second-reading.tsv" if "rater" in number else "learning_curve/metrics/wide/size-"
    assert made_of in done.stdout


def test_it_is_verified_as_it_was_sealed(study: Path) -> None:
    done = forked_command("verify", study / "results")
    assert done.returncode == 0, done.stdout + done.stderr


def test_another_size_makes_its_own_networks_only_and_no_curve_leaves_the_study_as_it_was(
    study: Path,
) -> None:
    config = yaml.safe_load((study / "study.yaml").read_text(encoding="utf-8"))
    more = study / "more.yaml"
    sizes = {"learning_curve": CURVE | {"sizes": [*SIZES, 4]}}
    more.write_text(yaml.safe_dump(config | sizes, sort_keys=False), encoding="utf-8")
    jobs = snake.planned(snake.run("--directory", study, "--configfile", more, "-n"))
    assert jobs["train_learning_curve"] == jobs["predict_learning_curve"] == jobs["learning_subset"] == 2
    assert not {"train", "predict", "metrics", "statistics"} & jobs.keys()
    del config["learning_curve"]
    none = study / "none.yaml"
    none.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    jobs = snake.planned(snake.run("--directory", study, "--configfile", none, "-n"))
    assert not {rule for rule in jobs if "train" in rule or "predict" in rule or "metrics" in rule}


def test_sizes_that_no_fold_leaves_are_refused_before_any_job(study: Path) -> None:
    config = yaml.safe_load((study / "study.yaml").read_text(encoding="utf-8"))
    wrong = study / "wrong.yaml"
    curve = CURVE | {"sizes": [2, 8], "models": ["wide", "unet"], "fold": 2}
    wrong.write_text(yaml.safe_dump(config | {"learning_curve": curve}, sort_keys=False), encoding="utf-8")
    run = snake.run("--directory", study, "--configfile", wrong, "-n")
    assert run.returncode != 0
    assert "learning_curve.models" in run.stdout
    assert "learning_curve.fold" in run.stdout
    curve = CURVE | {"sizes": [2, 8]}
    wrong.write_text(yaml.safe_dump(config | {"learning_curve": curve}, sort_keys=False), encoding="utf-8")
    run = snake.run("--directory", study, "--configfile", wrong, "-n")
    assert run.returncode != 0
    assert "learning_curve.sizes" in run.stdout
    assert "of whom a fold leaves 8 at most" in run.stdout
