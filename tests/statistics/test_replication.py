"""Published numbers: how they are read, and how this run's stand beside them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from headct.contracts.artefacts import read_tsv
from headct.publish.tables.published_vs_reproduced import VOLUMES_IN_WORDS, published_vs_reproduced
from headct.publish.tables.table_page import Table
from headct.settings import published
from headct.statistics.core.agreement import PUBLISHED_VOLUMES, VOLUMES
from headct.statistics.core.clusters import planned_clusters
from headct.statistics.replication.intervals import family_words, replication, samples_of
from support.label_sets import LABELS
from support.planned_cases import PLAN
from support.replicated import replicated
from support.simulated_scores import FAMILY, cohort, simulated, with_role


@pytest.fixture(scope="module")
def computed() -> dict[str, pd.DataFrame]:
    return replicated(with_role(simulated([*FAMILY, "extra"])), cohort(), PLAN, LABELS)


def shown(computed: dict[str, pd.DataFrame]) -> Table:
    return published_vs_reproduced(
        computed["replication"], computed, published.model_names(), published.prior_work()
    )


def test_published_cells_are_read_number_by_number() -> None:
    assert published.numbers_in("11.62 (14.43) 1.19e-4-152.10") == [11.62, 14.43, 1.19e-4, 152.10]
    assert published.numbers_in("69 (14) 20-101") == [69, 14, 20, 101]
    assert published.numbers_in("872 (56)") == [872, 56]


def test_published_numbers_have_their_n() -> None:
    table = published.numbers().set_index(["table", "item", "label", "quantity"])
    assert table.index.is_unique
    focal = table.loc[("Table 1", "nnunet-3d-focal", "mean", "mean")]
    assert (focal["published"], focal["n_published"]) == (0.800, 174)
    volume = table.loc[("Table 2", "IVH_volume_ml, median (IQR)", "test", "median")]
    assert (volume["published"], volume["n_published"]) == (5.84, 48)
    assert table.loc[("Agreement", "nnunet-3d-focal", "ICH", "bias_ml"), "published"] == 0.32
    assert len(published.model_names()) == 10


def test_published_means_of_means_add_up() -> None:
    table = read_tsv(published.FOLDER / "table1_dice.tsv")
    lesions = table[table["label"] != "mean"].groupby("model")[["mean", "median"]].mean()
    printed = table[table["label"] == "mean"].set_index("model")
    for column in ("mean", "median"):
        assert (lesions[column] - printed[column]).abs().max() < 0.0011


def test_comparison_has_every_published_number(computed: dict[str, pd.DataFrame]) -> None:
    wanted = published.numbers()
    table = shown(computed)
    assert len(table.numbers) == len(wanted)
    assert list(table.numbers["published"]) == list(wanted["published"])
    of_models = table.numbers[table.numbers["table"] != "Table 2"]
    assert of_models["reproduced"].isna().all()
    assert of_models["note"].str.startswith("model not run").all()
    of_cohort = table.numbers[table.numbers["table"] == "Table 2"].set_index(["item", "label", "quantity"])
    ages = cohort().query("set == 'test'")["age"]
    assert of_cohort.loc[("age_years, mean (SD) range", "test", "max"), "reproduced"] == ages.max()
    assert any("BLAST-CT" in note for note in table.notes)


def test_claims_and_prior_work_are_shipped_and_fit_the_numbers() -> None:
    claims, names = published.claims(), published.model_names()
    assert {label for labels in claims["labels"] for label in labels} <= set(LABELS)
    assert set(published.selection()["model"]) == set(names)
    assert published.selection()["published_mean"].notna().all()
    assert published.n_with_lesion() == {"ICH": 174, "PHE": 172, "IVH": 48}
    prior = published.prior_work()
    assert prior["value"].between(0, 1).all()
    known = prior.dropna(subset=["lower"])
    assert ((known["lower"] <= known["value"]) & (known["value"] <= known["upper"])).all()


FOCAL, OTHER = "nnunet-3d-focal", "unet"


@pytest.fixture(scope="module")
def scores() -> pd.DataFrame:
    """60 test scans, measured for two models of the paper."""
    return with_role(simulated([FOCAL, OTHER], n_scans=60), [FOCAL, OTHER])


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return cohort(n_train=100, n_test=60).assign(set=["test"] * 60 + ["train"] * 100)


def of_run(scores: pd.DataFrame, people: pd.DataFrame, **changes: str) -> pd.DataFrame:
    """``replication.tsv`` of a run by the row's key."""
    found = replicated(scores, people, replace(PLAN, **changes), LABELS)["replication"]
    return found.set_index(["table", "item", "label", "quantity"])


def test_a_replication_that_prints_the_same_numbers_has_no_mark(
    scores: pd.DataFrame, people: pd.DataFrame
) -> None:
    tables = replicated(scores, people, PLAN, LABELS)
    mine = tables["replication"]
    same = published.numbers().assign(published=mine["reproduced"], n_published=mine["n_reproduced"])
    samples = samples_of(scores, people, planned_clusters(PLAN, people, scores["scan_id"].unique()), LABELS)
    table = replication(same, tables, samples, independent=True)
    assert set(table["outside"]) == {"no", ""}
    assert set(table["outside_family"]) == {"no", ""}
    judged = table[table["outside"] == "no"]
    assert {"mean", "median", "q1", "q3", "ccc", "bias_ml", "percent", "sd"} == set(judged["quantity"])
    assert (judged["lower"] <= judged["published"]).all()
    assert (judged["published"] <= judged["upper"]).all()
    dice = judged[judged["table"] == "Table 1"]
    assert dice["lower"].min() >= 0
    assert dice["upper"].max() <= 1
    assert not table["note"].str.contains("not run").loc[table["item"].isin([FOCAL, OTHER])].any()


def test_intervals_are_those_of_the_samples(scores: pd.DataFrame, people: pd.DataFrame) -> None:
    """By hand: each scan alone, n 60 here and 174 in print."""
    table = of_run(scores, people, cluster="scan")
    dice = scores.query("model == @FOCAL and label == 'PHE'")["dice"].to_numpy(float)
    row = table.loc["Table 1", FOCAL, "PHE", "mean"]
    centred = dice - dice.mean()
    kurtosis = 60 * (centred**4).sum() / (centred**2).sum() ** 2
    half = stats.t.ppf(0.975, min(59, 120 / (kurtosis - 1))) * dice.std(ddof=1)
    half *= math.sqrt(1 / 60 + 1 / 174)
    assert (row["lower"], row["upper"]) == pytest.approx((dice.mean() - half, dice.mean() + half))
    assert row["difference"] == pytest.approx(dice.mean() - row["published"])
    assert (row["outside"] == "yes") == (abs(row["difference"]) > half)
    men = table.loc["Table 2", "sex_men, n (%)", "test", "percent"]
    hits = (people.query("set == 'test'")["sex"] == "M").sum()
    found = stats.betabinom(174, hits + 0.5, 60.5 - hits).ppf([0.025, 0.975]) / 1.74
    assert (men["lower"], men["upper"]) == pytest.approx(tuple(found))
    assert table.loc["Table 2", "IVH_volume_ml, median (IQR)", "train", "q1"]["lower"] > 0


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (("Agreement", FOCAL, "ICH", "loa_upper_ml"), "no interval: none holds for limits of agreement"),
        (("Table 1", FOCAL, "mean", "median"), "no interval: the mean of the lesions' medians"),
        (("Table 2", "IVH_volume_ml, mean (SD) range", "test", "sd"), "no interval: of the SD of skewed"),
        (("Table 2", "age_years, mean (SD) range", "test", "max"), "no interval: an extreme"),
        (("Table 2", "participants, n", "train", "n"), "no interval: a count"),
        (("Table 2", "age_years, mean (SD) range", "", "p"), "no interval: a P"),
        (("Table 1", "blast-ct", "ICH", "mean"), "model not run"),
    ],
)
def test_what_has_no_interval_says_why(
    scores: pd.DataFrame, people: pd.DataFrame, key: tuple[str, ...], why: str
) -> None:
    table = of_run(scores, people)
    row = table.loc[key]
    assert np.isnan(row["lower"])
    assert row["outside"] == row["outside_family"] == ""
    assert row["note"].startswith(why)


def test_a_total_failure_is_marked(scores: pd.DataFrame, people: pd.DataFrame) -> None:
    """Dice .605 → 0 and CCC .98 → 0 do not vary at all, and are no replication."""
    of_focal = scores["model"] == FOCAL
    nothing = dict.fromkeys(("dice", "predicted_ml", "predicted_header_ml"), 0.0)
    failed = scores.copy()
    failed.loc[of_focal, list(nothing)] = list(nothing.values())
    table = of_run(failed, people)
    for label in LABELS:
        mean, ccc = (
            table.loc[key] for key in (("Table 1", FOCAL, label, "mean"), ("Agreement", FOCAL, label, "ccc"))
        )
        assert (mean["reproduced"], mean["lower"], mean["outside"], mean["outside_family"]) == (
            0,
            0,
            "yes",
            "yes",
        )
        assert (ccc["reproduced"], ccc["outside"], ccc["outside_family"]) == (0, "yes", "yes")
        assert ccc["note"].startswith("outside, whatever the scans: all predicted volumes are equal")


def test_the_papers_own_participants_have_no_interval_and_no_mark(
    scores: pd.DataFrame, people: pd.DataFrame
) -> None:
    tables = replicated(scores, people, replace(PLAN, comparison="reanalysis"), LABELS)
    table = tables["replication"]
    assert table["lower"].isna().all()
    assert set(table["outside"]) == set(table["outside_family"]) == {""}
    page = published_vs_reproduced(table, tables, published.model_names(), published.prior_work())
    said = [note for note in page.notes if "same participants" in note]
    assert len(said) == 1
    assert "not independent" in said[0]
    assert not [note for note in page.notes if "asterisk" in note or "drew theirs by chance" in note]
    assert "*" not in "".join(cell.text for panel in page.panels[1:4] for row in panel.rows for cell in row)


def test_clusters_of_the_plan_widen_intervals(scores: pd.DataFrame, people: pd.DataFrame) -> None:
    """A participant with many scans is one."""
    people = people.assign(participant_id=[f"p{i // 6}" for i in range(len(people))])
    by_scan, by_participant = (of_run(scores, people, cluster=kind) for kind in ("scan", "participant"))
    widths = [table["upper"] - table["lower"] for table in (by_scan, by_participant)]
    both = pd.concat(widths, axis=1).dropna()
    assert (both[0] != both[1]).mean() > 0.5


@pytest.mark.parametrize(("n", "n_sites"), [(9, 9), (60, 4)])
def test_few_scans_or_clusters_mark_nothing(n: int, n_sites: int) -> None:
    scores = with_role(simulated([FOCAL, OTHER], n_scans=n), [FOCAL, OTHER])
    people = cohort(n_train=100, n_test=n).assign(set=["test"] * n + ["train"] * 100)
    people["site"] = [f"site {i % n_sites}" for i in range(len(people))]
    table = of_run(scores, people, cluster="site")
    of_test = table[table["n_reproduced"] == n]
    assert set(of_test["outside"]) == {""}
    said = f"no interval: a verdict needs 10 scans of 5 clusters, there are {n} scans of {n_sites}"
    assert table.loc["Table 1", FOCAL, "ICH", "mean"]["note"].startswith(said)


def test_an_interval_of_all_that_is_possible_is_none() -> None:
    """Five sites of which one has 8 of 12 scans: they are worth 2.1."""
    scores = with_role(simulated([FOCAL, OTHER], n_scans=12), [FOCAL, OTHER])
    people = cohort(n_train=100, n_test=12).assign(set=["test"] * 12 + ["train"] * 100)
    people["site"] = ["A"] * 8 + [f"S{i}" for i in range(4)] + ["A"] * 100
    table = of_run(scores, people, cluster="site")
    of_dice = table.loc["Table 1"].dropna(subset="lower")
    assert len(of_dice)
    assert not ((of_dice["lower"] == 0) & (of_dice["upper"] == 1)).any()
    none = table[table["note"].str.startswith("no interval: too few scans or clusters, or all values")]
    assert len(none)
    assert set(none["outside"]) == set(none["outside_family"]) == {""}


def test_family_of_intervals_is_counted_in_words() -> None:
    flags = ["yes"] * 6 + ["no"] * 94 + [""] * 50
    family = ["yes"] + ["no"] * 99 + [""] * 50
    words = family_words(pd.DataFrame({"outside": flags, "outside_family": family}))
    assert words.startswith(
        "100 published numbers are judged; 6 lie outside of where they are expected (about 5 would"
    )
    assert ", 1 with Bonferroni's" in words
    nothing = pd.DataFrame({"outside": [""], "outside_family": [""], "note": [""]})
    assert family_words(nothing).startswith("No number")


def test_page_has_claims_with_verdicts_prior_work_and_says_which_volumes(
    computed: dict[str, pd.DataFrame],
) -> None:
    table = shown(computed)
    claims, prior = table.panels[0], table.panels[-1]
    assert [row[0].text for row in claims.rows] == list(published.claims()["statement"])
    assert {row[2].text for row in claims.rows} <= {"holds", "does not hold", "cannot tell", "not testable"}
    assert len(prior.rows) == len(published.prior_work())
    ich = computed["dice_present_summary"].query("role == 'family' and label == 'ICH'")["median"]
    assert prior.rows[0][4].text == f"{ich.min():.2f} to {ich.max():.2f}"
    words = "\n".join(table.notes)
    assert f"Agreement: {VOLUMES_IN_WORDS[PUBLISHED_VOLUMES]} here" in words
    assert set(VOLUMES_IN_WORDS) == set(VOLUMES)
