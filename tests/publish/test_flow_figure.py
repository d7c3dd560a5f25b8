"""Flow of scans: the counts, and a diagram in which nothing overlaps whatever the counts and texts."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from headct.command_line import run_step
from headct.contracts.artefacts import read_tsv, write_tsv
from headct.contracts.problems import BadInput
from headct.publish.figures import flow, style

LONG = "a reason that goes on and on, $ and % included, with aword" + "thatisfartoolongforanyline" * 6
REASONS = ["missing section", "not axial", LONG, *(f"reason {i} of many, in words" for i in range(17))]


def tables(
    n_excluded: int, n_errors: int, scans: int, each: int = 3, test: int = 2
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """flow.tsv and split.tsv of ``scans`` scans, each reason with ``each`` scans or one more."""
    rows = [("in sheet", "", scans, scans - 1)]
    rows += [("excluded", reason, each + i % 2, each) for i, reason in enumerate(REASONS[:n_excluded])]
    rows += [("error", reason, each + i % 2, each) for i, reason in enumerate(REASONS[:n_errors])]
    left = scans - sum(row[2] for row in rows[1:])
    rows.append(("included", "", left, left))
    split = pd.DataFrame({"scan_id": [f"S{i}" for i in range(left)], "set": "train"})
    split["participant_id"] = "P" + split["scan_id"].str[1:]
    split.loc[split.index[:test], "set"] = "test"
    return pd.DataFrame(rows, columns=["status", "reason", "scans", "participants"]), split


def shown_texts(figure: Figure) -> list[mpl.text.Text]:
    """All texts in a figure that say something."""
    return [text for text in figure.findobj(mpl.text.Text) if text.get_text()]


@pytest.mark.parametrize(("n_excluded", "explained"), [(0, False), (1, True)])
def test_brackets_are_explained_where_there_are_any(n_excluded: int, explained: bool) -> None:
    figure, _ = flow.draw_flow(*tables(n_excluded, 0, 20), "study")
    said = " ".join(text.get_text() for text in shown_texts(figure))
    assert ("In brackets" in said) == explained
    assert ("(3)" in said) == explained


def test_steps_are_counts_of_the_two_tables() -> None:
    counts, split = tables(2, 1, 40)
    split["participant_id"] = ["P0", "P1", *["P2"] * (len(split) - 2)]
    shown = flow.steps(counts.sample(frac=1, random_state=1), split)
    expected = [
        ("Scans in the sheet", "", 40, 39),
        ("Excluded", "", 7, pd.NA),
        ("Excluded", "not axial", 4, 3),
        ("Excluded", "missing section", 3, 3),
        ("In error, to be mended", "", 3, pd.NA),
        ("In error, to be mended", "missing section", 3, 3),
        ("Included", "", 30, 30),
        ("Training set", "", 28, 1),
        ("Test set", "", 2, 2),
    ]
    assert list(shown.itertuples(index=False, name=None)) == expected


def test_tables_of_two_runs_are_refused() -> None:
    counts, split = tables(2, 1, 40)
    with pytest.raises(BadInput, match="30 scans are included, but 29 have a set"):
        flow.steps(counts, split.iloc[1:])
    with pytest.raises(BadInput, match="40 scans in the sheet, but 6 put aside and 30 included"):
        flow.steps(counts[counts["reason"] != "not axial"], split)


def test_without_exclusions_it_says_none_and_has_no_box_for_errors() -> None:
    figure, shown = flow.draw_flow(*tables(0, 0, 12), "Study")
    words = [text.get_text() for text in shown_texts(figure)]
    assert "Excluded: none" in words
    assert "In error, to be mended" not in set(shown["box"])
    assert "1 scan" not in words


def test_one_is_singular() -> None:
    figure, _ = flow.draw_flow(*tables(0, 0, 12, test=1), "Study")
    words = [text.get_text() for text in shown_texts(figure)]
    assert {"1 scan", "1 participant", "11 scans"} <= set(words)


@pytest.mark.parametrize("width_mm", [85.0, 170.0])
@pytest.mark.parametrize(
    ("n_excluded", "n_errors", "scans", "each"),
    [(0, 0, 3, 1), (1, 0, 1732, 3), (1, 1, 40, 3), (20, 20, 1732, 12), (20, 3, 17320, 345)],
)
def test_no_text_leaves_its_box_or_touches_another(
    width_mm: float, n_excluded: int, n_errors: int, scans: int, each: int
) -> None:
    # Hinting makes letters wider on a screen; a PDF has none.
    with mpl.rc_context(style.PRINT | {"text.hinting": "none"}):
        figure, _ = flow.draw_flow(*tables(n_excluded, n_errors, scans, each), "Study · " + LONG, width_mm)
        canvas = FigureCanvasAgg(figure)
        figure.set_dpi(300)
        canvas.draw()
    assert figure.get_figwidth() * 25.4 == pytest.approx(width_mm)
    renderer = canvas.get_renderer()
    extents = [text.get_window_extent(renderer) for text in shown_texts(figure)]
    page = figure.bbox
    for box in extents:
        assert box.x0 >= page.x0 - 1
        assert box.x1 <= page.x1 + 1
        assert box.y0 >= page.y0 - 1
        assert box.y1 <= page.y1 + 1
    # Lines of one paragraph may touch by their descenders; half a letter's height they may not share.
    corners = np.array([box.extents for box in extents])
    for one, other in combinations(corners, 2):
        across = min(one[2], other[2]) - max(one[0], other[0])
        down = min(one[3], other[3]) - max(one[1], other[1])
        assert across <= 1 or down <= 0.25 * style.TEXT_PT / 72 * 300

    axes = next(axes for axes in figure.axes if axes.patches)
    boxes = [patch.get_window_extent(renderer) for patch in axes.patches if patch.get_width() > 0]
    for text in axes.texts:
        if text.get_text():
            own = text.get_window_extent(renderer)
            assert any(
                box.x0 < own.x0 and own.x1 < box.x1 and box.y0 < own.y0 and own.y1 < box.y1 for box in boxes
            ), text.get_text()
    for one, other in combinations(boxes, 2):
        assert not one.overlaps(other)


def test_every_reason_is_drawn_whole() -> None:
    figure, _ = flow.draw_flow(*tables(3, 0, 100), "Study", 85.0)
    words = [text.get_text() for text in shown_texts(figure) if text.get_ha() == "left"]
    drawn = "".join(words).replace(" ", "")
    for reason in REASONS[:3]:
        assert reason.replace(" ", "") in drawn


def test_command_writes_equal_bytes_twice(tmp_path: Path) -> None:
    counts, split = tables(4, 2, 60)
    write_tsv(counts, tmp_path / "flow.tsv")
    write_tsv(split, tmp_path / "split.tsv")
    given = ["--flow", str(tmp_path / "flow.tsv"), "--split", str(tmp_path / "split.tsv")]
    for name in ("one", "two"):
        out = tmp_path / name / "flow.pdf"
        words = ["flow", "--study-title", "Study", "--out", str(out), *given]
        run_step("figures", words)
    for suffix in (".pdf", ".svg", ".png", ".tsv"):
        paths = [(tmp_path / name / "flow").with_suffix(suffix) for name in ("one", "two")]
        assert paths[0].read_bytes() == paths[1].read_bytes()
    drawn = read_tsv(tmp_path / "one" / "flow.tsv")
    assert drawn.loc[drawn["box"] == "Included", "scans"].item() == 39
