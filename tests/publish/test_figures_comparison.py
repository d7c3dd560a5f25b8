"""Figures of the comparison: pairs of Dunn's test, mean ranks, published beside reproduced numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from headct.contracts.references import ANOTHER_RATER, SAME_RATER
from headct.publish.figures import (
    critical_difference,
    dunn_heatmap,
    paired_differences,
    published_comparison,
    rater_agreement,
)
from headct.settings import published as published_numbers
from headct.statistics.comparison.equivalence import UNSEEN
from headct.statistics.core.group_tests import dunn_table
from headct.statistics.replication import rater_statistics
from support.figure_inputs import WIDTHS_MM, assert_readable, readable, replicated, texts
from support.label_sets import LABELS
from support.planned_cases import analysed
from support.simulated_scores import each_scan_alone, per_scan, simulated, with_role

TEN = published_numbers.model_names()


def pairs(models: dict[str, str], n_scans: int) -> pd.DataFrame:
    return dunn_table(per_scan(simulated(list(models), n_scans), list(models)), LABELS)


@pytest.mark.parametrize(
    ("n_models", "width_mm"), [(1, 170.0), (2, 85.0), (10, 85.0), (10, 170.0), (14, 85.0)]
)
def test_pairs_and_ranks_are_readable(n_models: int, width_mm: float) -> None:
    names = [*TEN.values(), *(f"A model with a long name {i}" for i in range(4))]
    models = {f"model-{i}": name for i, name in enumerate(names[:n_models])}
    scores = with_role(simulated(list(models), 40), list(models))
    with readable():
        figure, _ = dunn_heatmap.draw_dunn(pairs(models, 40), models, LABELS, "Study", width_mm)
        assert_readable(figure, width_mm)
        figure, _ = critical_difference.draw_critical_difference(scores, models, LABELS, "Study", width_mm)
        assert_readable(figure, width_mm)
        if n_models == 1:
            assert "Nothing to compare" in texts(figure)


def test_a_cell_tells_p_and_which_model_is_better() -> None:
    table = pairs({"a": "A", "b": "B"}, 20).iloc[:1]
    rows = []
    for label, rank_a, p in zip(LABELS, (1.0, 9.0, 5.0), (0.0004, 0.042, np.nan), strict=True):
        rows.append(table.assign(label=label, mean_rank_a=rank_a, mean_rank_b=5.0, p_adjusted=p))
    figure, drawn = dunn_heatmap.draw_dunn(pd.concat(rows), {"b": "B", "a": "A"}, LABELS, "Study")
    assert "P of the only pair of a" in texts(figure)
    assert list(drawn["higher"]) == ["b", "a", ""]
    np.testing.assert_array_equal(drawn["level"], [0.001, 0.05, np.nan])
    panels = [axes for axes in figure.axes if axes.collections]
    words = [[text.get_text() for text in axes.texts] for axes in panels]
    assert words == [[""], [".042"], ["–"]]
    # b comes first, so it has the column and a the row.
    arrows = [[line.get_marker() for line in axes.lines] for axes in panels]
    assert arrows == [["v"], ["<"], []]
    colours = [tuple(axes.collections[0].get_facecolors()[0]) for axes in panels]
    assert len(set(colours)) == 3


@pytest.mark.parametrize(
    ("p", "words"), [(0.0009, ""), (0.001, ".001"), (0.0312, ".031"), (0.0996, ".10"), (0.999, "1.00")]
)
def test_adjusted_p_takes_four_characters(p: float, words: str) -> None:
    assert dunn_heatmap.p_words(p) == words


def test_only_the_family_is_ranked() -> None:
    models = {"a": "A", "b": "B", "c": "C"}
    scores = simulated([*models, "extra"], 20)
    compared = with_role(scores, list(models))
    _, drawn = critical_difference.draw_critical_difference(compared, models, LABELS, "Study")
    assert set(drawn["model"]) == set(models)
    assert (drawn.groupby("label")["mean_rank"].sum() == 6).all()


def test_equal_scores_of_all_models_are_no_error() -> None:
    models = {"a": "A", "b": "B", "c": "C"}
    scores = with_role(simulated(list(models), 12).assign(dice=1.0), list(models))
    figure, drawn = critical_difference.draw_critical_difference(scores, models, LABELS, "Study")
    assert "Friedman: not estimable" in texts(figure)
    assert (drawn["mean_rank"] == 2).all()


def planned(models: list[str], n_scans: int = 30) -> dict[str, pd.DataFrame]:
    """Tables of the planned comparison, its models called as in the shipped plan."""
    return analysed(simulated(models, n_scans), tuple(models))


def forest(tables: dict[str, pd.DataFrame], titles: dict[str, str]) -> pd.DataFrame:
    names = ("endpoints", "paired", "equivalence")
    return paired_differences.drawn_differences(*(tables[name] for name in names), titles, LABELS)


@pytest.mark.parametrize("models", [list(TEN), ["nnunet-3d-focal", "unet"], ["unet", "blast-ct"]])
def test_forest_of_the_planned_comparison_is_readable(models: list[str]) -> None:
    drawn = forest(planned(models), TEN)
    with readable():
        for width_mm in WIDTHS_MM:
            for figure, rows in paired_differences.draw_differences(drawn, TEN, "Study", width_mm):
                assert_readable(figure, width_mm)
                for verdict in rows["verdict"]:
                    assert verdict in texts(figure)
    focal = "nnunet-3d-focal" in models
    assert list(drawn["kind"].unique()) == [
        paired_differences.ENDPOINTS,
        *([paired_differences.DICE] if focal else []),
    ]
    absent = ~drawn["against"].isin(models) | (not focal)
    assert set(drawn.loc[absent, "verdict"]) <= {"not in this run"}
    assert drawn.loc[~absent, "difference"].notna().all()


def test_forest_shows_differences_of_the_plans_model_whatever_the_order_of_the_pair() -> None:
    models = ["unet", "nnunet-3d-focal", "blast-ct"]  # one model before it, one after
    tables = planned(models)
    drawn = forest(tables, TEN).query("kind == @paired_differences.DICE").set_index(["label", "against"])
    means = tables["estimates"].query("measure == 'dice_mean' and scans == 'all'")
    means = means.set_index(["model", "label"])["estimate"]
    judged = tables["equivalence"].set_index(["label", "model_a", "model_b"])
    note = {(label, other): text for (label, *pair), text in judged["note"].items() for other in pair}
    for label in LABELS:
        for other in ("unet", "blast-ct"):
            row = drawn.loc[label, other]
            assert row["difference"] == pytest.approx(means["nnunet-3d-focal", label] - means[other, label])
            assert row["lower_90"] < row["difference"] < row["upper_90"]
            if note[label, other] != UNSEEN:
                assert row["lower"] < row["lower_90"]
                assert row["upper_90"] < row["upper"]
        turned = judged.loc[label, "unet", "nnunet-3d-focal"]
        assert tuple(drawn.loc[label, "unet"][["lower_90", "upper_90"]]) == (
            -turned["upper"],
            -turned["lower"],
        )


def test_forest_shows_the_interval_that_decides_beside_the_95_percent_one() -> None:
    tables = planned(["nnunet-3d-focal", "unet", "nnunet-3d-dicece"])
    drawn = forest(tables, TEN).query("kind == @paired_differences.ENDPOINTS").dropna(subset="lower")
    primary = drawn["panel"].str.endswith("(primary)")
    assert (drawn["lower_adjusted"] == drawn["lower"]).eq(primary).all()
    assert (drawn["lower_adjusted"] <= drawn["lower"]).all()
    assert (drawn["upper_adjusted"] >= drawn["upper"]).all()
    figure, _ = next(iter(paired_differences.draw_differences(drawn, TEN, "Study")))
    panel = next(axes for axes in figure.axes if "absolute error, mL" in axes.get_xlabel())
    lines = [(*lines.get_segments()[0][:, 0], lines.get_linewidth()[0]) for lines in panel.collections]
    thin, thick = (style["lw"] for style in (paired_differences.THIN, paired_differences.THICK))
    expected = []
    for row in drawn[drawn["measure"] == "absolute_volume_error_ml"].to_dict("records"):
        expected += [
            (row["lower_adjusted"], row["upper_adjusted"], thin),
            (row["lower"], row["upper"], thick),
        ]
    np.testing.assert_allclose(lines, expected)
    assert "Statements are about this network." in texts(figure).replace("\n", " ")


@pytest.mark.parametrize("width_mm", WIDTHS_MM)
def test_agreement_of_raters_is_readable(width_mm: float) -> None:
    readings = simulated([SAME_RATER, ANOTHER_RATER], 13).query("model != 'predicts-nothing'")
    table = rater_statistics.rater_agreement(readings, each_scan_alone(readings))
    with readable():
        pages = list(rater_agreement.draw_raters(readings, table, LABELS, "Study", width_mm))
        for figure, _ in pages:
            assert_readable(figure, width_mm)
    volumes, dice = pages[1][1], pages[2][1]
    own = readings.query("model == @ANOTHER_RATER and label == 'ICH'")
    bias = volumes.query("label == 'ICH' and element == 'bias'")["y"].item()
    assert bias == pytest.approx((own["predicted_ml"] - own["reference_ml"]).mean())
    assert set(dice["model"]) == {SAME_RATER, ANOTHER_RATER}
    one_kind = readings.query("model == @SAME_RATER")
    assert len(list(rater_agreement.draw_raters(one_kind, table, LABELS, "Study"))) == 2


@pytest.mark.parametrize("width_mm", WIDTHS_MM)
@pytest.mark.parametrize("models", [list(TEN), ["unet"], []])
def test_published_beside_reproduced_is_readable(models: list[str], width_mm: float) -> None:
    note = "Simulated data, no patients"
    with readable():
        pages = published_comparison.draw_published(replicated(models), TEN, note, "Study", width_mm)
        for figure, _ in pages:
            assert_readable(figure, width_mm)
            assert note in texts(figure).replace("\n", " ")
    drawn = pd.concat([rows for _, rows in pages])
    assert set(drawn["item"]) == set(TEN), "the paper's numbers stand, run or not"
    assert set(drawn.loc[drawn["reproduced"].notna(), "item"]) == set(models)


def test_the_prediction_interval_is_drawn_as_it_stands() -> None:
    table = replicated(TEN)
    half = np.where(table["label"] == "PHE", 0.1, 0.01)
    table = table.assign(lower=table["reproduced"] - half, upper=table["reproduced"] + half)
    drawn = published_comparison.drawn_numbers(table)
    low, high = drawn["interval_low"], drawn["interval_high"]
    holds = (low <= drawn["published"]) & (drawn["published"] <= high)
    assert (holds == (drawn["label"] == "PHE")).all()
    np.testing.assert_allclose((low + high) / 2, drawn["reproduced"])
