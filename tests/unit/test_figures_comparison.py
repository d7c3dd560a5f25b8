"""Figures of the comparison: pairs of Dunn's test, mean ranks, published beside reproduced numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from figure_inputs import WIDTHS_MM, assert_readable, readable, replicated, texts
from simulated_scores import per_scan, simulated, with_role

from headct import published as published_numbers
from headct.figures import dunn, published, ranks
from headct.labels import LABELS
from headct.statistics.group_tests import dunn_table

TEN = published_numbers.model_names()


def pairs(models: dict[str, str], n_scans: int) -> pd.DataFrame:
    return dunn_table(per_scan(simulated(list(models), n_scans), list(models)))


@pytest.mark.parametrize(
    ("n_models", "width_mm"), [(1, 170.0), (2, 85.0), (10, 85.0), (10, 170.0), (14, 85.0)]
)
def test_pairs_and_ranks_are_readable(n_models: int, width_mm: float) -> None:
    names = [*TEN.values(), *(f"A model with a long name {i}" for i in range(4))]
    models = {f"model-{i}": name for i, name in enumerate(names[:n_models])}
    scores = with_role(simulated(list(models), 40), list(models))
    with readable():
        figure, _ = dunn.draw_dunn(pairs(models, 40), models, "Study", width_mm)
        assert_readable(figure, width_mm)
        figure, _ = ranks.draw_critical_difference(scores, models, "Study", width_mm)
        assert_readable(figure, width_mm)
        if n_models == 1:
            assert "Nothing to compare" in texts(figure)


def test_a_cell_tells_p_and_which_model_is_better() -> None:
    table = pairs({"a": "A", "b": "B"}, 20).iloc[:1]
    rows = []
    for label, rank_a, p in zip(LABELS, (1.0, 9.0, 5.0), (0.0004, 0.042, np.nan), strict=True):
        rows.append(table.assign(label=label, mean_rank_a=rank_a, mean_rank_b=5.0, p_adjusted=p))
    figure, drawn = dunn.draw_dunn(pd.concat(rows), {"b": "B", "a": "A"}, "Study")
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
    assert dunn.p_words(p) == words


def test_only_the_family_is_ranked() -> None:
    models = {"a": "A", "b": "B", "c": "C"}
    scores = simulated([*models, "extra"], 20)
    _, drawn = ranks.draw_critical_difference(with_role(scores, list(models)), models, "Study")
    assert set(drawn["model"]) == set(models)
    assert (drawn.groupby("label")["mean_rank"].sum() == 6).all()


def test_equal_scores_of_all_models_are_no_error() -> None:
    models = {"a": "A", "b": "B", "c": "C"}
    scores = with_role(simulated(list(models), 12).assign(dice=1.0), list(models))
    figure, drawn = ranks.draw_critical_difference(scores, models, "Study")
    assert "Friedman: not estimable" in texts(figure)
    assert (drawn["mean_rank"] == 2).all()


@pytest.mark.parametrize("width_mm", WIDTHS_MM)
@pytest.mark.parametrize("models", [list(TEN), ["unet"], []])
def test_published_beside_reproduced_is_readable(models: list[str], width_mm: float) -> None:
    note = "Simulated data, no patients"
    with readable():
        pages = published.draw_published(replicated(models), TEN, note, "Study", width_mm)
        for figure, _ in pages:
            assert_readable(figure, width_mm)
            assert note in texts(figure).replace("\n", " ")
    drawn = pd.concat([rows for _, rows in pages])
    assert set(drawn["item"]) == set(TEN), "the paper's numbers stand, run or not"
    assert set(drawn.loc[drawn["reproduced"].notna(), "item"]) == set(models)


def test_interval_holds_the_published_number_where_the_difference_holds_0() -> None:
    table = replicated(TEN).assign(lower=np.nan)
    table["lower"] = table["difference"] - np.where(table["label"] == "PHE", 0.1, 0.01)
    table["upper"] = table["difference"] + np.where(table["label"] == "PHE", 0.1, 0.01)
    drawn = published.drawn_numbers(table)
    low, high = drawn["interval_low"], drawn["interval_high"]
    holds = (low <= drawn["published"]) & (drawn["published"] <= high)
    assert (holds == (drawn["label"] == "PHE")).all()
    np.testing.assert_allclose((low + high) / 2, drawn["reproduced"])
