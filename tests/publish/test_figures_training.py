"""Training curves: what a real run leaves is drawn, few epochs or many, one run or several."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headct.contracts.artefacts import write_json
from headct.contracts.problems import BadInput, Stopped
from headct.engine.progress import Progress
from headct.frameworks import train as driver
from headct.frameworks.base import find_framework
from headct.publish.figures import training_curves
from support import families
from support.figure_inputs import assert_readable, readable, texts, training_record
from support.label_sets import LABELS


def test_curves_of_a_real_run_that_was_stopped_and_went_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = families.job("monai", tmp_path / "scans", epochs=4)
    folder = tmp_path / "run"
    folder.mkdir()
    tell = Progress.tell

    def stop_after_epoch_3(self: Progress, entry: dict[str, Any], *more: Any) -> None:
        tell(self, entry, *more)
        if entry["epoch"] == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Progress, "tell", stop_after_epoch_3)
    with pytest.raises(Stopped):
        driver.train(job, find_framework("monai"), folder)
    monkeypatch.undo()
    driver.train(job, find_framework("monai"), folder)

    records = training_curves.read([folder / "train.json"])
    table = training_curves.curves(records, LABELS)
    resumed = table[table["quantity"] == training_curves.RESUMED]
    assert list(resumed["epoch"]) == [3]
    losses = table[table["quantity"] == "train_loss"]
    assert list(losses["epoch"]) == [1, 2, 3, 4]
    assert list(losses["value"]) == [entry["train_loss"] for entry in records[0]["history"]]
    for label in LABELS:
        own = table.loc[table["quantity"] == f"pseudo_dice_{label}", "value"].to_numpy(float)
        truth = [entry["pseudo_dice"][label] for entry in records[0]["history"]]
        np.testing.assert_array_equal(own, np.array(truth, float))


@pytest.mark.parametrize(
    ("epochs", "n_runs", "width_mm"), [(1, 1, 85.0), (5, 1, 170.0), (5, 4, 85.0), (1800, 4, 170.0)]
)
def test_curves_are_readable(epochs: int, n_runs: int, width_mm: float) -> None:
    sessions = [{"from_iteration": 0}, {"from_iteration": 3}]
    records = [training_record(epochs, seed, sessions=sessions) for seed in range(n_runs)]
    with readable():
        figure, table = training_curves.draw_training_curves(
            records, "FocalTversky", LABELS, "Study", width_mm
        )
        assert_readable(figure, width_mm)
    assert ("running mean" in texts(figure)) == (epochs > training_curves.MANY_EPOCHS)
    losses = table[table["quantity"] == "train_loss"]
    assert len(losses) == epochs * n_runs, "no run is hidden"
    # A session that began when all was done has trained nothing.
    assert (table["quantity"] == training_curves.RESUMED).sum() == (0 if epochs == 1 else n_runs)


@pytest.mark.parametrize(
    ("framework", "fold", "words"),
    [
        ("monai", "all", "Pseudo-Dice: an epoch's patches of the training scans"),
        ("blastct", "0", "Pseudo-Dice: an epoch's patches of the training scans"),
        ("nnunet", "all", "Validation loss and pseudo-Dice: an epoch's patches of the training scans"),
        ("nnunet", "2", "Validation loss and pseudo-Dice: an epoch's patches of scans held out of training"),
    ],
)
def test_it_is_said_of_which_patches_pseudo_dice_is(framework: str, fold: str, words: str) -> None:
    records = [training_record(framework=framework, fold=fold)]
    figure, table = training_curves.draw_training_curves(records, "M", LABELS, "Study")
    assert words in texts(figure).replace("\n", " ")
    assert ("validation_loss" in set(table["quantity"])) == (framework == "nnunet")


def test_epoch_without_a_lesion_is_a_gap_and_its_neighbour_a_dot() -> None:
    record = training_record(60)  # beyond single dots, below running means; IVH lacks in epoch 2
    figure, _ = training_curves.draw_training_curves([record], "M", LABELS, "Study")
    panel = next(axes for axes in figure.axes if axes.get_title(loc="left") == "IVH")
    line, dots = panel.lines
    assert np.isnan(line.get_ydata()[1])
    assert list(dots.get_xdata()) == [1]


def test_running_mean_is_over_an_odd_number_of_epochs_and_skips_gaps() -> None:
    assert [training_curves.window_epochs(n) for n in (5, 100, 101, 1800)] == [1, 1, 3, 37]
    record = training_record(150)
    table = training_curves.curves([record], LABELS)
    raw, smooth = (
        table.loc[table["quantity"] == f"pseudo_dice_IVH{mark}", "value"].to_numpy()
        for mark in ("", training_curves.SMOOTHED)
    )
    assert np.isnan(raw[1])
    np.testing.assert_allclose(smooth[0], raw[[0, 2]].mean())
    np.testing.assert_allclose(smooth[3], raw[2:6].mean())
    np.testing.assert_allclose(smooth[70], raw[68:73].mean())


def test_runs_stand_by_seed_and_fold(tmp_path: Path) -> None:
    paths = []
    for seed, fold in ((2, "0"), (1, "1"), (1, "0")):
        paths.append(tmp_path / f"{seed}-{fold}.json")
        write_json(training_record(seed=seed, fold=fold), paths[-1])
    records = training_curves.read(paths)
    assert [(record["seed"], record["fold"]) for record in records] == [(1, "0"), (1, "1"), (2, "0")]


def test_a_record_of_another_version_is_named(tmp_path: Path) -> None:
    record = training_record()
    for entry in record["history"]:
        entry |= {f"pseudo_dice_{label}": value for label, value in entry.pop("pseudo_dice").items()}
    write_json(record, tmp_path / "train.json")
    with pytest.raises(BadInput, match="pseudo_dice"):
        training_curves.read([tmp_path / "train.json"])
