"""The table, the figure and the section of external sets: what they quote, and what is lacking."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from headct.command_line import run_step
from headct.contracts.artefacts import read_tsv, write_tsv
from headct.contracts.references import PREDICTS_NOTHING
from headct.publish.figures import external_forest
from headct.publish.figures.external_forest import EXTERNAL, INTERNAL
from headct.publish.tables.external_table import external_sets
from headct.statistics.comparison.endpoints import endpoints_table
from headct.statistics.comparison.external_sets import EXTERNAL_ENDPOINTS, EXTERNAL_SETS, set_table
from headct.statistics.comparison.score_arrays import ScoreArrays, score_arrays_of
from headct.statistics.core.clusters import Clusters
from support.figure_inputs import WIDTHS_MM, assert_readable, draw, readable, texts
from support.html_page import Page
from support.label_sets import LABELS
from support.planned_cases import PLAN
from support.simulated_scores import simulated, with_role

MODELS = tuple(f"model-{number}" for number in range(10))
TITLES = {model: f"Network number {number} of a long name" for number, model in enumerate(MODELS)}
CUTS = {label: [8.0, 20.0] for label in LABELS}


def arrays(n: int, seed: int) -> ScoreArrays:
    scores = with_role(simulated(MODELS, n, random_state=seed), MODELS)
    scans = np.sort(scores["scan_id"].unique())
    return score_arrays_of(scores, LABELS, Clusters("participant", pd.Series(np.arange(n), scans)))


@pytest.fixture(scope="module")
def sets() -> pd.DataFrame:
    """Two external sets, one of them too small for intervals."""
    own = arrays(60, 2)
    named = {"farnham": arrays(40, 3), "tiny": arrays(2, 4)}
    tables = [set_table(of_set, own, PLAN, CUTS).assign(set=name) for name, of_set in named.items()]
    return pd.concat(tables, ignore_index=True)[EXTERNAL_SETS.header]


@pytest.fixture
def file(sets: pd.DataFrame, tmp_path: Path) -> Path:
    path = tmp_path / "external_sets.tsv"
    write_tsv(sets, path)
    return path


def test_the_table_has_a_panel_for_each_set_and_lesion_and_says_what_is_lacking(sets: pd.DataFrame) -> None:
    table = external_sets(sets, TITLES)
    assert [panel.heading for panel in table.panels] == [
        f"{name}: {label}" for name in ("farnham", "tiny") for label in LABELS
    ]
    first = sets.iloc[0]
    cells = [cell.text for cell in table.panels[0].rows[0]]
    assert cells[0] == TITLES["model-0"]
    assert cells[1] == f"{first['dice_mean']:.3f} ({first['lower']:.3f}–{first['upper']:.3f})"
    assert cells[3].startswith(f"{first['difference']:.3f}".replace("-", "−"))
    assert table.panels[0].lead.startswith("40 scans of 40 participants; internal test set: 60 scans. Mix: ")
    assert table.panels[0].apart == {len(MODELS)}, "a rule above what predicts nothing"
    assert any(note.startswith("tiny, ICH: an interval needs 3 participants") for note in table.notes)
    assert not any(note.startswith("farnham, ICH:") for note in table.notes)


def test_the_planned_comparison_has_a_panel_for_each_set_and_endpoint(tmp_path: Path) -> None:
    models = ("nnunet-3d-focal", "nnunet-3d-dicece")
    tables = []
    for name, n in (("farnham", 40), ("tiny", 2)):
        scores = with_role(simulated(models, n, random_state=3), models)
        participants = Clusters("participant", pd.Series(np.arange(n), np.sort(scores["scan_id"].unique())))
        data = score_arrays_of(scores, LABELS, participants)
        tables.append(endpoints_table(data, PLAN.of_run(models)).assign(set=name))
    file, out = tmp_path / "external_endpoints.tsv", tmp_path / "table.tsv"
    write_tsv(pd.concat(tables, ignore_index=True)[EXTERNAL_ENDPOINTS.header], file)
    words = ["--endpoints", str(file), "--titles", '{"nnunet-3d-focal": "Focal"}', "--title-note", ""]
    run_step("tables", ["external_comparison", *words, "--out", str(out)])
    shown = read_tsv(out)
    assert list(shown["set"].unique()) == ["farnham", "tiny"]
    text = Page(out.with_suffix(".html").read_text(encoding="utf-8")).text
    for name in ("farnham", "tiny"):
        assert f"{name}: Primary endpoint: " in text
    assert "clusters: participants" in text
    assert set(shown.loc[shown["set"] == "tiny", "verdict"].dropna()) == {"too few scans to decide"}


def test_table_and_figure_are_written_by_their_commands(file: Path, tmp_path: Path) -> None:
    titles = '{"model-0": "Focal"}'
    out = tmp_path / "table.tsv"
    words = ["external_sets", "--sets", str(file), "--titles", titles, "--title-note", "Simulated data"]
    run_step("tables", [*words, "--out", str(out)])
    assert list(read_tsv(out)["model"].unique()) == [*MODELS, PREDICTS_NOTHING]
    text = Page(out.with_suffix(".html").read_text(encoding="utf-8")).text
    assert "External sets (Simulated data)" in text
    assert "Focal" in text
    numbers = draw("external_sets", tmp_path / "figure.pdf", "--sets", str(file), "--titles", titles)
    assert list(numbers.columns) == external_forest.FIGURE.header


@pytest.mark.parametrize("width_mm", WIDTHS_MM)
def test_the_figure_is_readable(sets: pd.DataFrame, width_mm: float) -> None:
    with readable():
        pages = external_forest.draw_sets(external_forest.drawn(sets), TITLES, "A study", width_mm)
        for figure, _ in pages:
            assert_readable(figure, width_mm)
    shown = pd.concat([numbers for _, numbers in pages])
    assert len(shown) == 2 * 2 * len(LABELS) * len(MODELS), "nothing of what predicts nothing"
    assert "farnham: ICH (40 scans of 40 participants)" in texts(pages[0][0])
    keys = ["set", "model", "label"]
    drawn = shown.set_index(["element", *keys])["dice_mean"]
    of_table = sets.set_index(keys)
    for element, column in ((INTERNAL, "internal_mean"), (EXTERNAL, "dice_mean")):
        assert drawn[element].to_dict() == of_table.loc[drawn[element].index, column].to_dict()
