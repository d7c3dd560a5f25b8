"""Dice by effort: what each share of the trainings took, and how well its weights did; the figure of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from headct.command_line import run_step
from headct.contracts.artefacts import read_tsv, write_tsv
from headct.contracts.problems import BadInput
from headct.publish.figures import dice_by_effort
from headct.statistics.comparison.effort_curve import EFFORT_CURVE, effort_of, in_order, share_table
from support.figure_inputs import WIDTHS_MM, assert_readable, draw, labels_given, readable, texts
from support.label_sets import LABELS, SEVEN
from support.simulated_scores import each_scan_alone, simulated, with_role

SHARES = ("0.1", "0.5", "1")


def run_of(model: str, steps: int, seconds: float, batch: int | None = 4) -> dict[str, Any]:
    """A ``train.json`` of a training that kept weights at two shares; time runs evenly."""
    known = {} if batch is None else {"batch_size": batch}
    return {
        "model": model,
        "record": {"iterations": steps, **known},
        "seconds": seconds,
        "shares": {
            share: {"steps": round(float(share) * steps), "seconds": float(share) * seconds}
            for share in SHARES[:-1]
        },
    }


def test_effort_is_the_mean_over_the_trainings_of_a_model() -> None:
    """1000 and 500 steps of four patches, in 10 h and in 5 h."""
    runs = [run_of("a", 1000, 36000.0), run_of("a", 500, 18000.0)]
    assert effort_of(runs, "1") == {"steps": 750, "patches": 3000, "hours": 7.5}
    assert effort_of(runs, "0.1") == {"steps": 75, "patches": 300, "hours": 0.75}
    assert np.isnan(effort_of([run_of("a", 1000, 3600.0, batch=None)], "1")["patches"])


def curve(models: tuple[str, ...], labels: Any = LABELS) -> pd.DataFrame:
    """The table of some models that differ in length and batch."""
    parts = []
    for number, share in enumerate(SHARES):
        scores = with_role(simulated(models, 40, random_state=number, labels=labels), models)
        scores = scores[scores["role"] != "reference"]
        scans = np.sort(scores["scan_id"].unique())
        split = pd.DataFrame({"scan_id": scans, "participant_id": scans, "set": "train", "fold": "0"})
        records = [run_of(model, 200 * place, 7200.0 * place) for place, model in enumerate(models, start=1)]
        parts.append(share_table(scores, split, each_scan_alone(scores), labels, records, share))
    return in_order(pd.concat(parts))


def test_each_share_has_the_mean_of_its_own_weights_and_rows_are_in_order() -> None:
    table = curve(("a", "b"))
    assert list(table.columns) == EFFORT_CURVE.header
    assert not table.duplicated(["model", "label", "scans", "share"]).any()
    first = table.iloc[:3]
    assert list(first["share"]) == [0.1, 0.5, 1.0]
    assert list(first["steps"]) == [20, 100, 200]
    assert list(first["patches"]) == [80, 400, 800]
    assert list(first["hours"]) == [0.2, 1.0, 2.0]
    for number, mean in enumerate(first["dice_mean"]):
        scores = simulated(("a", "b"), 40, random_state=number)
        own = scores[(scores["model"] == "a") & (scores["label"] == first["label"].iloc[0])]
        assert mean == pytest.approx(own["dice"].mean())
    assert ((table["lower"] <= table["dice_mean"]) & (table["dice_mean"] <= table["upper"])).all()


def test_a_share_for_each_table_of_metrics_is_needed(tmp_path: Path) -> None:
    words = ["--labels", LABELS_JSON, "--metrics", "a.tsv", "b.tsv", "--shares", "1", "--train-records", "t"]
    words += ["--plan", "p", "--cohort", "c", "--split", "s", "--models", "a", "--out", str(tmp_path / "o")]
    with pytest.raises(BadInput, match="one is needed for each of the 2 tables"):
        run_step("effort-curve", words)


LABELS_JSON = labels_given("dice_by_effort")[1]


@pytest.mark.parametrize("width_mm", WIDTHS_MM)
@pytest.mark.parametrize(("n_models", "labels"), [(2, LABELS), (10, LABELS), (10, SEVEN)])
def test_the_figure_is_readable_with_two_models_and_with_ten(
    width_mm: float, n_models: int, labels: Any
) -> None:
    models = tuple(f"model-{number}" for number in range(n_models))
    titles = {model: f"Network number {number}, long" for number, model in enumerate(models)}
    table = dice_by_effort.drawn(curve(models, labels))
    with readable():
        pages = dice_by_effort.draw_effort(table, labels, titles, "A study", width_mm)
        for figure, _ in pages:
            assert_readable(figure, width_mm)
            assert all(title in texts(figure) for title in titles.values())
    shown = pd.concat([numbers for _, numbers in pages])
    assert len(shown) == n_models * len(labels) * len(SHARES), "all scans, once"
    said = " ".join(texts(pages[0][0]).split())
    assert ("Bars are 95% intervals" in said) == (n_models == 2)
    assert "n = 40 training scans" in said
    looks = dice_by_effort.looks_of(models).values()
    assert len({(look["color"], look["marker"], look["ls"]) for look in looks}) == n_models


def test_the_figure_is_written_by_its_command_and_says_what_is_not_known(tmp_path: Path) -> None:
    table = curve(("a", "b"))
    table.loc[table["model"] == "b", "patches"] = np.nan
    write_tsv(table, tmp_path / "effort_curve.tsv")
    titles = '{"a": "Focal", "b": "Other", "ensemble": "Both"}'
    words = ("--effort", str(tmp_path / "effort_curve.tsv"), "--titles", titles)
    numbers = draw("dice_by_effort", tmp_path / "figure.pdf", *words)
    assert list(numbers.columns) == dice_by_effort.FIGURE.header
    with readable():
        drawn = dice_by_effort.drawn(read_tsv(tmp_path / "effort_curve.tsv"))
        ((figure, _),) = dice_by_effort.draw_effort(drawn, LABELS, {"a": "Focal", "b": "Other"}, "A study")
    assert "Patches are not known of Other." in texts(figure)


@pytest.mark.parametrize(
    ("value", "text"), [(0.02, "0.02"), (50, "50"), (2e4, "20 k"), (1e6, "1 M"), (5e9, "5 G")]
)
def test_an_axis_of_many_powers_of_ten_has_short_numbers(value: float, text: str) -> None:
    assert dice_by_effort.short(value) == text
