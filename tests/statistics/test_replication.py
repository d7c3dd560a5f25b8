"""Published numbers: how they are read, and how this run's stand beside them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from headct.contracts.artefacts import read_tsv
from headct.publish.tables.published_vs_reproduced import VOLUMES_IN_WORDS, published_vs_reproduced
from headct.publish.tables.table_page import Table
from headct.settings import published
from headct.statistics.core.agreement import PUBLISHED_VOLUMES, VOLUMES
from headct.statistics.replication.intervals import family_words, replication
from support.label_sets import LABELS
from support.planned_cases import PLAN
from support.replicated import replicated
from support.simulated_scores import FAMILY, cohort, simulated, with_role


@pytest.fixture(scope="module")
def computed() -> dict[str, pd.DataFrame]:
    return replicated(with_role(simulated([*FAMILY, "extra"])), cohort(), PLAN, LABELS)


def shown(computed: dict[str, pd.DataFrame]) -> Table:
    return published_vs_reproduced(
        published.numbers(), computed, published.model_names(), published.prior_work()
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


def itself() -> dict[str, pd.DataFrame]:
    """The study as if it had been run here, over 174 scans; standard errors are made up."""
    printed = read_tsv(published.FOLDER / "table1_dice.tsv").assign(n=174, mean_se=0.01, median_se=0.02)
    focal = read_tsv(published.FOLDER / "agreement_focal.tsv").assign(
        n=174, ccc_se=0.005, sd_ml=4.0, scans="all", volumes=PUBLISHED_VOLUMES
    )
    return {
        "dice_summary": printed,
        "agreement": focal.rename(columns={"mean_difference_ml": "bias_ml"}),
    }


def test_replication_of_the_study_by_itself_finds_no_difference(computed: dict[str, pd.DataFrame]) -> None:
    table = replication(published.numbers(), {**computed, **itself()})
    of_models = table[table["table"] != "Table 2"]
    assert (of_models["difference"] == 0).all()
    assert not of_models["note"].str.contains("not run").any()
    assert set(of_models["outside"]) == {"no", ""}


def test_interval_scales_the_papers_standard_error_by_the_scans(computed: dict[str, pd.DataFrame]) -> None:
    ours = itself()
    summary = ours["dice_summary"]
    ours["dice_summary"] = summary.assign(n=696, mean=summary["mean"] + 0.05)
    table = replication(published.numbers(), {**computed, **ours})
    focal = table[table["item"] == "nnunet-3d-focal"].set_index(["table", "label", "quantity"])
    row = focal.loc[("Table 1", "IVH", "mean")]
    assert row["se_published"] == pytest.approx(0.01 * math.sqrt(696 / 174))
    half = 1.96 * math.hypot(0.01, 0.02)
    assert (row["lower"], row["upper"]) == pytest.approx((0.05 - half, 0.05 + half))
    assert (row["outside"], row["outside_family"]) == ("yes", "no")
    assert focal.loc[("Agreement", "PHE", "bias_ml"), "se_reproduced"] == pytest.approx(4 / math.sqrt(174))
    tied = focal.loc[("Table 1", "IVH", "q3")]
    assert (tied["outside"], tied["note"]) == ("", "no interval")


def test_replication_interval_covers_what_chance_makes(computed: dict[str, pd.DataFrame]) -> None:
    """2000 pairs of studies of one truth, 90 and 174 scans: 95 % of the intervals hold 0."""
    rng = np.random.default_rng(0)
    models = [f"m{i}" for i in range(2000)]
    first, second = (rng.beta(5, 2, (2000, n)) for n in (174, 90))
    paper = pd.DataFrame({"item": models, "published": first.mean(axis=1), "n_published": 174, "note": ""})
    summary = pd.DataFrame(
        {
            "model": models,
            "label": "ICH",
            "mean": second.mean(axis=1),
            "n": 90,
            "mean_se": second.std(axis=1, ddof=1) / math.sqrt(90),
            "median": 0,
            "q1": 0,
            "q3": 0,
        }
    )
    key = {"label": "ICH", "quantity": "mean", "table": "Table 1"}
    table = replication(paper.assign(**key), {**computed, "dice_summary": summary})
    # Binomial: 2000 · 0.05 = 100, SD 9.7
    assert 70 <= (table["outside"] == "yes").sum() <= 130
    assert (table["outside_family"] == "yes").sum() <= 3


def test_family_of_intervals_is_counted_in_words() -> None:
    flags = ["yes"] * 6 + ["no"] * 94 + [""] * 50
    family = ["yes"] + ["no"] * 99 + [""] * 50
    words = family_words(pd.DataFrame({"outside": flags, "outside_family": family}))
    assert words.startswith(
        "100 numbers have a replication interval; 6 of these do not hold 0 (about 5 would"
    )
    assert ", 1 with Bonferroni's" in words
    assert family_words(pd.DataFrame({"outside": [""], "outside_family": [""]})).startswith("No number")


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
