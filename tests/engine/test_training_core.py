"""Checkpoints, work folders and randomness, which all frameworks share."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from headct.engine import checkpoints, seeding, workfolder
from headct.engine.determinism import choose_algorithms, nondeterministic_operators
from headct.engine.training_job import TrainedModel, TrainingJob
from headct.frameworks.train import save_weights
from support import monai_miniature
from support.changed_settings import changed
from support.label_sets import LABELS


def state(value: float) -> dict[str, object]:
    return {"weights": {"w": torch.full((3,), value)}, "epoch": int(value), "note": "plain"}


def test_the_newest_checkpoint_is_loaded_and_two_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 10):
        checkpoints.save(tmp_path, state(step), step)
    loaded = checkpoints.load_latest(tmp_path)
    assert loaded is not None
    assert loaded[0] == 10
    assert torch.equal(loaded[1]["weights"]["w"], torch.full((3,), 10.0))
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path: Path, damage: str) -> None:
    for step in (1, 2):
        checkpoints.save(tmp_path, state(step), step)
    newest = max(tmp_path.iterdir())
    content = bytearray(newest.read_bytes())
    if damage == "truncated":
        content = content[: len(content) // 2]
    else:
        content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    loaded = checkpoints.load_latest(tmp_path)
    assert loaded is not None
    assert loaded[0] == 1


def test_no_checkpoint_is_none(tmp_path: Path) -> None:
    assert checkpoints.load_latest(tmp_path) is None


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    checkpoints.save(tmp_path, {"evil": Evil()}, 1)
    with pytest.raises(Exception, match=r"(?i)weights_only|weights only"):
        checkpoints.load_latest(tmp_path)
    assert not (tmp_path / "ran").exists()


def draw() -> tuple[float, float, float]:
    return random.random(), float(np.random.random()), float(torch.rand(1))


@given(seed=st.integers(0, 2**31), fold=st.sampled_from(["all", "0", "4"]), batch=st.integers(0, 10**6))
def test_a_batch_depends_on_its_number_alone(seed: int, fold: str, batch: int) -> None:
    seeding.seed_batch(seed, fold, batch)
    first = draw()
    draw()
    seeding.seed_batch(seed, fold, batch)
    assert draw() == first
    assert seeding.batch_rng(seed, fold, batch).random() == seeding.batch_rng(seed, fold, batch).random()
    seeding.seed_batch(seed, fold, batch + 1)
    assert draw() != first
    seeding.initialise(seed, fold)
    assert draw() != first


def test_folds_draw_differently() -> None:
    draws = {seeding.batch_rng(1, fold, 7).random() for fold in ("all", "0", "1")}
    assert len(draws) == 3


def test_a_changed_definition_starts_afresh_and_says_why(tmp_path: Path, caplog) -> None:
    first = workfolder.find_or_make(tmp_path / "run", {"seed": 1, "code": "a"})
    assert workfolder.find_or_make(tmp_path / "run", {"code": "a", "seed": 1}) == first
    with caplog.at_level("INFO", logger="headct"):
        second = workfolder.find_or_make(tmp_path / "run", {"seed": 1, "code": "b"})
    assert second != first
    assert first.exists()
    assert "changed: code" in caplog.text


@pytest.mark.parametrize(
    ("change", "same"),
    [({"workers": 4}, True), ({"checkpoint_interval_minutes": 1}, True), ({"learning_rate": 0.1}, False)],
)
def test_settings_that_no_weight_depends_on_do_not_define_a_run(change: dict[str, float], same: bool) -> None:
    def identity(**changes: float) -> dict[str, object]:
        settings = changed(monai_miniature.SETTINGS, **changes)
        job = TrainingJob("unet", settings, (), (), 1, "all", "cpu", 1, Path(), LABELS)
        return workfolder.identity(job, "headct.engine.seeding", {})

    assert (identity() == identity(**change)) is same


def test_equal_models_are_equal_bytes_whatever_the_file_is_called(tmp_path: Path) -> None:
    def model() -> TrainedModel:
        return TrainedModel({"w": torch.arange(6.0).reshape(2, 3)}, {"spacing": [1.0, 2.0]}, [], {}, 1.0, 0.0)

    one, other = tmp_path / "one.pth", tmp_path / "folder" / "other.pth"
    assert save_weights(model(), one) == save_weights(model(), other)
    assert one.read_bytes() == other.read_bytes()
    assert torch.load(one, weights_only=True)["fixed"] == {"spacing": [1.0, 2.0]}


def test_changes_between_definitions_are_said_in_words() -> None:
    before = {
        "settings": {"epochs": 5, "loss": "focal"},
        "code": {"headct.engine.losses": "a" * 64},
        "seed": 1,
    }
    after = {
        "settings": {"epochs": 6, "loss": "focal"},
        "code": {"headct.engine.losses": "b" * 64},
        "seed": 2,
    }
    assert workfolder.changes(before, after) == [
        "code (headct.engine.losses)",
        "seed 1 → 2",
        "settings (epochs 5 → 6)",
    ]
    scans = {"training scans": {"S1": "a" * 64, "S2": "b" * 64}}
    fewer = {"training scans": {"S1": "a" * 64, "S3": "b" * 64}}
    assert workfolder.changes(scans, fewer) == ["training scans (−S2, +S3)"]


def test_operators_without_a_deterministic_form_are_named() -> None:
    choose_algorithms(deterministic=True)
    try:
        with nondeterministic_operators() as operators:
            torch.zeros(4).put_(torch.tensor([0, 1]), torch.ones(2), accumulate=False)
    finally:
        choose_algorithms(deterministic=False)
    assert operators == {"put_"}
