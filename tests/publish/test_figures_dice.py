"""Box-violins of Dice: densities, shares, and the data that could break the drawing."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headct.contracts.references import PREDICTS_NOTHING
from headct.publish.figures import dice_box_violin, style
from support.figure_inputs import LONG, WIDTHS_MM, assert_readable, metrics, readable, texts
from support.label_sets import LABELS


@given(st.lists(st.floats(0.001, 0.999), min_size=10, max_size=60))
def test_no_density_outside_0_and_1(values: list[float]) -> None:
    density = dice_box_violin.between_0_and_1(np.array(values))
    if density is None:
        assert np.ptp(values) == 0
        return
    outside = (min(values) > dice_box_violin.GRID) | (max(values) < dice_box_violin.GRID)
    assert np.isnan(density[outside]).all()
    assert not np.isnan(density[~outside]).any()
    assert dice_box_violin.GRID.min() == 0
    assert dice_box_violin.GRID.max() == 1


def test_density_within_0_and_1_has_area_1() -> None:
    values = np.r_[0.0005, np.random.default_rng(0).uniform(0, 1, 500), 0.9999]
    density = dice_box_violin.between_0_and_1(values)
    assert density is not None
    inside = ~np.isnan(density)
    assert np.trapezoid(density[inside], dice_box_violin.GRID[inside]) == pytest.approx(1, abs=0.03)


def test_shares_and_quartiles_of_a_distribution() -> None:
    values = pd.Series([0.0] * 5 + [1.0] * 3 + [0.4, 0.6], index=[f"S{i}" for i in range(10)])
    drawn = dice_box_violin.distribution(values)
    assert (drawn.share_at_0, drawn.share_at_1) == (0.5, 0.3)
    assert drawn.box["median"] == pytest.approx(0.2)
    assert drawn.box["q3"] == pytest.approx(np.percentile(values, 75))
    assert drawn.density is None
    assert list(drawn.dots().index) == ["S8", "S9"]


def test_dice_figure_prints_shares_and_the_trivial_row_last() -> None:
    trivial = metrics(PREDICTS_NOTHING, 12).assign(seed=np.nan)
    trivial["dice"] = (trivial["reference_ml"] == 0).astype(float)
    scores = pd.concat([trivial, metrics("b", 12), metrics("a", 12)])
    figure, drawn = dice_box_violin.draw_box_violins(
        scores, {"b": "Model B", "a": "Model A"}, LABELS, "Study"
    )
    assert list(drawn["model"].unique()) == ["b", "a", PREDICTS_NOTHING]
    ivh = drawn[(drawn["model"] == PREDICTS_NOTHING) & (drawn["label"] == "IVH")].set_index("element")
    share = float(trivial.loc[trivial["label"] == "IVH", "dice"].mean())
    assert ivh.loc["share_at_1", "value"] == pytest.approx(share)
    assert f"{100 * share:.0f}" in texts(figure).split("\n")
    positions = figure.axes[0].get_yticks()
    assert positions[2] - positions[1] > positions[1] - positions[0]


@pytest.mark.parametrize(
    ("n_models", "n", "change"),
    [(1, 3, {}), (12, 12, {}), (2, 12, {"dice": 0.0}), (2, 12, {"dice": 1.0}), (2, 3, {"dice": np.nan})],
)
def test_dice_figure_at_the_edges(n_models: int, n: int, change: dict[str, float]) -> None:
    models = {f"model-{i}": f"{LONG if i % 2 else 'M' * 90} {i}" for i in range(n_models)}
    scores = pd.concat([metrics(model, n).assign(**change) for model in models])
    with mpl.rc_context(style.PRINT):
        figure, drawn = dice_box_violin.draw_box_violins(scores, models, LABELS, LONG)
        figure.draw_without_rendering()
    assert set(drawn["model"]) == set(models)


@pytest.mark.parametrize("width_mm", WIDTHS_MM)
@pytest.mark.parametrize("present", [False, True])
def test_ten_models_are_readable(width_mm: float, present: bool) -> None:
    models = {f"model-{i}": f"FocalTversky {i}" for i in range(10)}
    scores = pd.concat([metrics(model, 174) for model in [*models, PREDICTS_NOTHING]])
    with readable():
        figure, _ = dice_box_violin.draw_box_violins(
            scores, models, LABELS, "Study · Simulated data", width_mm, present
        )
        assert_readable(figure, width_mm)


def test_over_present_lesions_only_scans_that_have_them_count() -> None:
    scores = metrics("a", 60)
    figure, drawn = dice_box_violin.draw_box_violins(scores, {"a": "A"}, LABELS, "Study", present=True)
    with_ivh = scores[(scores["label"] == "IVH") & (scores["reference_ml"] > 0)]
    assert 0 < len(with_ivh) < 60
    assert f"IVH  (n = {len(with_ivh)})" in texts(figure)
    mean = drawn[(drawn["label"] == "IVH") & (drawn["element"] == "mean")]["value"]
    assert mean.item() == pytest.approx(with_ivh["dice"].mean())


def test_missing_predictions_are_told_with_their_kind() -> None:
    scores = metrics("a", 20)
    scores.loc[scores["scan_id"] == "S003", ["dice", "failure"]] = 0.0, "RuntimeError: killed"
    scores.loc[scores["scan_id"] == "S004", ["dice", "failure"]] = 0.0, "the slices are 40 mm apart"
    figure, _ = dice_box_violin.draw_box_violins(scores, {"a": "A"}, LABELS, "Study")
    assert "Predictions missing: 2 (1 crashed, 1 refused); the Dice of each is 0." in texts(figure)


def test_a_lesion_that_no_scan_has_leaves_an_empty_panel() -> None:
    scores = metrics("a", 12, ivh=0.0)
    figure, _ = dice_box_violin.draw_box_violins(scores, {"a": "A"}, LABELS, "Study", present=True)
    assert "IVH  (n = 0)" in texts(figure)
