"""What a change of each setting makes anew is declared once, in the schema, and followed everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headct.engine import workfolder
from headct.engine.training_job import TrainingJob
from headct.frameworks.base import find_framework
from headct.settings import configuration, models
from support.label_sets import LABELS

REPOSITORY = Path(__file__).parents[2]
CONFIG = configuration.load(REPOSITORY / "config" / "config.yaml")
TRAINED = [key for key, model in CONFIG["models"].items() if model["framework"] != "ensemble"]


def test_every_setting_has_one_of_the_effects() -> None:
    rows = list(configuration.settings_of(configuration.load_schema()))
    settings = [row for row in rows if row.kind != "object"]
    assert len(settings) > 150
    assert [row.key for row in settings if row.effect not in configuration.EFFECTS] == []
    assert {row.effect for row in settings} == configuration.EFFECTS.keys(), "none is declared in vain"
    assert [row.key for row in rows if row.kind == "object" and row.effect] == []


def test_a_model_overrides_its_frameworks_block_and_this_the_defaults() -> None:
    model = {"framework": "monai", "title": "Mine", "network": "basicunet", "workers": 1}
    config = {"monai": {"workers": 2, "epochs": 3}, "models": {"mine": model}}
    settings = models.of_model(config, "mine")
    assert (settings["workers"], settings["epochs"], settings["scans_per_batch"]) == (1, 3, 2)
    assert settings["title"] == "Mine"


def test_what_is_merged_is_what_the_configuration_says_once_it_is_complete() -> None:
    for key in TRAINED:
        model = CONFIG["models"][key]
        assert models.of_model(CONFIG, key) == {**CONFIG[model["framework"]], **model}


def changed(settings: dict[str, Any], key: str) -> dict[str, Any]:
    return settings | {key: [settings[key], "another"]}


@pytest.mark.parametrize("model", ["nnunet-3d-focal", "deeplabv3plus", "blast-ct"])
def test_what_is_trained_anew_follows_from_the_effects(model: str) -> None:
    settings = models.of_model(CONFIG, model)
    by_effect = {effect: models.having(settings, effect) for effect in configuration.EFFECTS}
    assert sum(map(len, by_effect.values())) == len(settings)

    def identity(of: dict[str, Any]) -> dict[str, Any]:
        job = TrainingJob(model, of, (), (), 1, "all", "cpu", 1, Path(), LABELS)
        return workfolder.identity(job, "headct.engine.seeding", {})

    representation = find_framework(settings["framework"]).representation
    for effect, keys in by_effect.items():
        assert keys, f"each framework has settings of effect {effect}"
        for key in keys.keys() - {"framework"}:
            other = changed(settings, key)
            trains_anew = identity(other) != identity(settings)
            assert trains_anew == (effect in models.OF_TRAINING), key
            if key != "configuration":  # part of the representation's name
                prepares_anew = representation(other) != representation(settings)
                assert prepares_anew == (effect == "preparation"), key


def test_each_setting_of_a_configuration_has_its_effect() -> None:
    found = {key: (value, schema["x-effect"]) for key, value, schema in configuration.leaves(CONFIG)}
    assert found["nnunet.workers"] == (8, "speed")
    assert found["models.nnunet-2d.loss"] == ("dice_ce", "weights")
    assert found["resources.ingest.jobs"] == (64, "preparation")
    assert {effect for _, effect in found.values()} == configuration.EFFECTS.keys()
    older = {"unheard": 1, "nnunet": {"was": 2}, "models": {"a": {"framework": "keras"}}}
    unknown = [(key, value, schema["x-effect"]) for key, value, schema in configuration.leaves(older)]
    assert unknown == [("unheard", 1, ""), ("nnunet.was", 2, ""), ("models.a", {"framework": "keras"}, "")]
