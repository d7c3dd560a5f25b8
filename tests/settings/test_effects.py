"""What a change of each setting makes anew is declared once, in the schema, and followed everywhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from headct.engine import workfolder
from headct.engine.training_job import TrainingJob
from headct.frameworks.base import find_framework
from headct.frameworks.monai.settings import MonaiTraining
from headct.settings import blocks, configuration, models
from headct.settings.models import Training
from headct.settings.typed import plain
from support.label_sets import LABELS

REPOSITORY = Path(__file__).parents[2]
DOCUMENT = configuration.load(REPOSITORY / "config" / "config.yaml")
CONFIG = blocks.configured(DOCUMENT)


def test_every_setting_has_one_of_the_effects() -> None:
    rows = list(configuration.settings_of(configuration.load_schema()))
    settings = [row for row in rows if row.kind != "object"]
    assert len(settings) > 150
    assert [row.key for row in settings if row.effect not in configuration.EFFECTS] == []
    assert {row.effect for row in settings} == configuration.EFFECTS.keys(), "none is declared in vain"
    of_blocks = [row.key for row in rows if row.kind == "object" and row.effect]
    assert of_blocks == ["`models.<name>.arguments`"], "which is one setting, whatever stands in it"


def test_a_model_overrides_its_frameworks_block_and_this_the_defaults() -> None:
    own = {"framework": "monai", "title": "Mine", "network": "basicunet", "workers": 1}
    config = blocks.configured({**DOCUMENT, "monai": {"workers": 2, "epochs": 3}, "models": {"mine": own}})
    settings = models.of_model(MonaiTraining, config.models["mine"])
    assert (settings.workers, settings.epochs, settings.scans_per_batch) == (1, 3, 2)


@pytest.mark.parametrize("model", ["nnunet-3d-focal", "deeplabv3plus", "blast-ct"])
def test_what_is_trained_anew_follows_from_the_effects(model: str) -> None:
    framework = find_framework(CONFIG.models[model].framework)
    settings = framework.settings_of(CONFIG.models[model])
    by_effect = {effect: models.having(settings, effect) for effect in configuration.EFFECTS}
    assert sum(map(len, by_effect.values())) == len(plain(settings))
    assert not by_effect.pop("inference")
    assert not by_effect.pop("print")

    def identity(of: Training) -> dict[str, Any]:
        job = TrainingJob(model, of, (), (), 1, "all", "cpu", 1, Path(), LABELS)
        return workfolder.identity(job, "headct.engine.seeding", {})

    for effect, keys in by_effect.items():
        assert keys, f"each framework has settings of effect {effect}"
        for key in keys.keys() - {"framework"}:
            other = replace(settings, **{key: (getattr(settings, key), "another")})
            trains_anew = identity(other) != identity(settings)
            assert trains_anew == (effect in models.OF_TRAINING), key
            if key != "configuration":  # part of the representation's name
                prepares_anew = framework.representation(other) != framework.representation(settings)
                assert prepares_anew == (effect == "preparation"), key


@pytest.mark.parametrize("model", ["nnunet-3d-focal", "deeplabv3plus", "blast-ct"])
def test_a_representation_is_named_alike_by_whoever_knows_what_decides_it(model: str) -> None:
    framework = find_framework(CONFIG.models[model].framework)
    preparation = models.of_model(framework.prepares_by, CONFIG.models[model])
    whole = framework.settings_of(CONFIG.models[model])
    assert framework.representation(preparation) == framework.representation(whole)


def test_each_setting_of_a_configuration_has_its_effect() -> None:
    found = {key: (value, schema["x-effect"]) for key, value, schema in configuration.leaves(DOCUMENT)}
    assert found["nnunet.workers"] == (8, "speed")
    assert found["models.nnunet-2d.loss"] == ("dice_ce", "weights")
    assert found["resources.ingest.jobs"] == (64, "preparation")
    assert {effect for _, effect in found.values()} == configuration.EFFECTS.keys()
    older = {"unheard": 1, "nnunet": {"was": 2}, "models": {"a": {"framework": "keras"}}}
    unknown = [(key, value, schema["x-effect"]) for key, value, schema in configuration.leaves(older)]
    assert unknown == [("unheard", 1, ""), ("nnunet.was", 2, ""), ("models.a", {"framework": "keras"}, "")]
