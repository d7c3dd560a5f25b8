"""Table and figure of learning curves: what they quote, that they can be read, and what is lacking."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.lines import Line2D

from headct.command_line import run_step
from headct.contracts.artefacts import read_tsv, write_tsv
from headct.contracts.references import ANOTHER_RATER
from headct.publish.figures import learning_curve_figure, style
from headct.publish.figures.learning_curve_figure import BEYOND, CURVE, POINT
from headct.publish.tables.learning_curve_table import learning_curve
from headct.statistics.comparison.learning_curve import RATERS, with_curves
from support.figure_inputs import WIDTHS_MM, assert_readable, draw, readable, texts
from support.html_page import Page
from support.label_sets import LABELS

TITLES = {"unet": "U-Net", **{f"model-{number}": f"Network {number} of a long name" for number in range(3)}}
SIZES = {"50": 50, "100": 100, "200": 200, "400": 400, "800": 800, "all": 1558}
FEW = "no curve is fitted: a curve needs 4 sizes or more, and there are 3"


def tables_of(models: list[str], sizes: dict[str, int]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Points and curves of models that differ in how fast they learn."""
    rows = []
    for place, model in enumerate(models):
        for number, label in enumerate(LABELS):
            rng = np.random.default_rng([place, number])
            for size, n in sizes.items():
                dice = 0.92 - 0.04 * number - (1.7 + 0.3 * place) * n**-0.52 + rng.normal(0, 0.003)
                of_size = {"size": size, "participants": n, "scans": 1.1 * n, "n_seeds": 3}
                measured = {"n": 390, "n_participants": 380, "n_failed": 0, "dice_mean": dice}
                seeds = {"dice_lowest": dice - 0.01, "dice_highest": dice + 0.008}
                rows.append({"model": model, "label": label, **of_size, **measured, **seeds})
    return with_curves(pd.DataFrame(rows), LABELS)


RATERS_TABLE = pd.DataFrame(
    [(ANOTHER_RATER, label, 60, 60, 0.86, 0.84, 0.88, "") for label in LABELS], columns=RATERS.header
)


@pytest.fixture(params=[1, 4])
def models(request: pytest.FixtureRequest) -> list[str]:
    return list(TITLES)[: request.param]


def test_points_are_in_order_and_the_curve_is_near_them() -> None:
    points, fits = tables_of(["unet"], SIZES)
    assert list(points["size"]) == list(SIZES) * len(LABELS)
    assert (points["lower"] <= points["curve"]).all()
    assert points["curve"].to_numpy() == pytest.approx(points["dice_mean"].to_numpy(), abs=0.01)
    assert list(fits["label"]) == list(LABELS)
    assert set(fits["largest"]) == {1558}
    assert (fits["more_lower"] < fits["more"]).all()


def test_the_table_has_points_and_curves_of_each_lesion() -> None:
    points, fits = tables_of(list(TITLES), SIZES)
    table = learning_curve(points, fits, TITLES)
    assert [panel.heading for panel in table.panels] == [
        heading for label in LABELS for heading in (label, f"{label}: curve")
    ]
    cells = [cell.text for cell in table.panels[0].rows[5]]
    last = points[(points["model"] == "unet") & (points["label"] == "ICH")].iloc[-1]
    ends = f"{last['dice_lowest']:.3f}–{last['dice_highest']:.3f}"
    assert cells[:5] == ["U-Net", "1,558", "1713.8", "3", f"{last['dice_mean']:.3f} ({ends})"]
    assert table.panels[0].apart == {6, 12, 18}, "a rule above each model"


def test_three_sizes_are_points_and_a_sentence() -> None:
    points, fits = tables_of(["unet"], dict(list(SIZES.items())[:3]))
    assert points["curve"].isna().all()
    assert list(fits["note"]) == [FEW] * len(LABELS)
    table = learning_curve(points, fits, TITLES)
    assert [panel.heading for panel in table.panels] == list(LABELS)
    assert f"ICH, U-Net: {FEW}." in table.notes


def test_table_and_figure_are_written_by_their_commands(models: list[str], tmp_path: Path) -> None:
    points, fits = tables_of(models, SIZES)
    files = {"points": points, "fits": fits, "raters": RATERS_TABLE}
    for name, table in files.items():
        write_tsv(table, tmp_path / f"{name}.tsv")
    given = [word for name in ("points", "fits") for word in (f"--{name}", str(tmp_path / f"{name}.tsv"))]
    titles = ["--titles", '{"unet": "U-Net"}']
    out = tmp_path / "table.tsv"
    run_step("tables", ["learning_curve", *given, *titles, "--title-note", "", "--out", str(out)])
    assert list(read_tsv(out, size=str)["size"].unique()) == list(SIZES)
    assert "U-Net" in Page(out.with_suffix(".html").read_text(encoding="utf-8")).text
    more = ["--raters", str(tmp_path / "raters.tsv"), *titles]
    numbers = draw("learning_curve", tmp_path / "figure.pdf", *given, *more)
    assert list(numbers.columns) == learning_curve_figure.FIGURE.header


@pytest.mark.parametrize("width_mm", WIDTHS_MM)
def test_the_figure_is_readable(models: list[str], width_mm: float) -> None:
    points, _ = tables_of(models, SIZES)
    with readable():
        found = learning_curve_figure.drawn(points, RATERS_TABLE)
        pages = learning_curve_figure.draw_curves(found, [], TITLES, "A study", width_mm)
        for figure, _ in pages:
            assert_readable(figure, width_mm)
    shown = pd.concat([numbers for _, numbers in pages])
    count = shown["element"].value_counts()
    assert count[POINT] == len(models) * len(LABELS) * len(SIZES)
    assert count[CURVE] == count[BEYOND]
    assert shown.loc[shown["element"] == BEYOND, "participants"].min() == 1558
    words = texts(pages[0][0])
    assert "1,558" in words
    assert "Another rater" in words


def test_no_two_models_look_alike() -> None:
    looks = learning_curve_figure.LOOKS
    assert len(set(looks)) == len(looks) == 30


def test_points_of_models_that_do_equally_well_do_not_hide_each_other() -> None:
    points, _ = tables_of(["unet"], SIZES)
    equal = pd.concat([points.assign(model=model) for model in ("unet", "wide", "narrow")])
    found = learning_curve_figure.drawn(equal, pd.DataFrame(columns=RATERS.header))
    ((figure, _),) = learning_curve_figure.draw_curves(found, [], TITLES, "A study")
    figure.canvas.draw()
    marks = [line for line in figure.findobj(Line2D) if line.get_marker() in ("o", "s", "D") and line.axes]
    of_panel = [line for line in marks if line.axes is marks[0].axes]
    places = np.stack([line.get_transform().transform(line.get_xydata())[:, 0] for line in of_panel])
    assert len(places) == 3
    apart_mm = np.diff(places, axis=0) / figure.dpi * style.MM_PER_INCH
    np.testing.assert_allclose(apart_mm, learning_curve_figure.MARKS_APART_MM, atol=1e-6)


def test_without_a_curve_or_a_rater_points_are_drawn_and_it_is_said() -> None:
    points, _ = tables_of(["unet"], dict(list(SIZES.items())[:3]))
    with readable():
        found = learning_curve_figure.drawn(points, pd.DataFrame(columns=RATERS.header))
        ((figure, numbers),) = learning_curve_figure.draw_curves(found, [f"{FEW}."], TITLES, "A study")
        assert_readable(figure, WIDTHS_MM[1])
    assert set(numbers["element"]) == {POINT}
    words = " ".join(texts(figure).split())
    assert FEW in words
    assert "Another rater" not in words
    assert "a − b" not in words
