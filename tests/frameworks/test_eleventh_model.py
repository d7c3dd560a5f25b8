"""A model that goes beyond the paper: nnU-Net's residual encoder L, by a config entry alone."""

from __future__ import annotations

import inspect
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from nnunetv2.experiment_planning.experiment_planners.residual_unets import residual_encoder_unet_planners

from headct.contracts.problems import BadInput
from headct.engine import checkpoints
from headct.frameworks.nnunet import inference, training
from headct.frameworks.nnunet.data import PreparedData, set_environment
from headct.frameworks.nnunet.network_checks import planners
from headct.frameworks.nnunet.plans import plans_of_configuration
from headct.frameworks.nnunet.settings import NnunetTraining, PlanChange
from headct.frameworks.train import save_weights
from headct.settings import blocks, configuration, models
from support import nnunet_miniature as miniature
from support.changed_settings import changed
from support.label_sets import LABELS

REPOSITORY = Path(__file__).parents[2]
KEY = "nnunet-3d-resenc-l"
PLANNER = "nnUNetPlannerResEncL"
SMALLER = "nnUNetPlannerResEncM"


def block_in_config() -> str:
    """The commented-out lines of config/config.yaml that add the model, with their comment signs."""
    lines = (REPOSITORY / "config" / "config.yaml").read_text(encoding="utf-8").splitlines()
    start = lines.index(f"  # {KEY}:")
    stop = next(i for i in range(start, len(lines)) if not lines[i].startswith("  # "))
    return "\n".join(lines[start:stop])


def uncommented() -> str:
    return block_in_config().replace("  # ", "  ")


def with_eleventh() -> dict[str, Any]:
    text = (REPOSITORY / "config" / "config.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text.replace(block_in_config(), uncommented()))


def test_the_commented_out_entry_is_valid_and_outside_the_replication() -> None:
    config = configuration.complete(with_eleventh(), "config.yaml")
    entry = config["models"][KEY]
    settings = models.of_model(NnunetTraining, blocks.configured(config).models[KEY])
    assert list(config["models"])[-1] == KEY
    assert len(config["models"]) == 11
    assert (settings.planner, settings.loss) == (PLANNER, "dice_ce")
    assert entry["replication"] is False
    assert not any("replication" in model for key, model in config["models"].items() if key != KEY)


def test_the_guide_shows_that_very_entry() -> None:
    guide = (REPOSITORY / "docs" / "how-to" / "extending.md").read_text(encoding="utf-8")
    assert textwrap.indent(uncommented(), "+") in guide


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"replication": "no"}, f"models.{KEY}.replication"),
        ({"replicate": False}, "did you mean 'replication'"),
        ({"planner": 7}, f"models.{KEY}.planner"),
    ],
)
def test_faults_of_the_entry_are_named(change: dict[str, Any], said: str) -> None:
    config = with_eleventh()
    config["models"][KEY] |= change
    with pytest.raises(BadInput, match=said):
        configuration.complete(config, "config.yaml")


def test_a_study_without_any_compared_model_is_refused() -> None:
    config = with_eleventh()
    for model in config["models"].values():
        model["replication"] = False
    with pytest.raises(BadInput, match="no model is left to compare"):
        configuration.complete(config, "config.yaml")


def test_residual_encoder_trains_checkpoints_and_predicts(tmp_path: Path) -> None:
    """Through the real adapters, beside nnU-Net's default planner on the same scans."""
    torch.set_num_threads(1)
    scans = miniature.training_scans(tmp_path / "scans", 3)
    models = {}
    for planner in ("ExperimentPlanner", SMALLER, PLANNER):
        folder = tmp_path / planner
        folder.mkdir()
        models[planner] = training.train(miniature.job(scans, tmp_path / "shared", planner=planner), folder)
    model = models[PLANNER]
    assert models["ExperimentPlanner"].facts.network == "PlainConvUNet"
    smaller = models[SMALLER].facts
    assert (smaller.network, smaller.further["planner"]) == ("ResidualEncoderUNet", SMALLER)
    assert all(np.isfinite(entry["train_loss"]) for entry in models[SMALLER].history)
    assert (model.facts.network, model.facts.further["planner"]) == ("ResidualEncoderUNet", PLANNER)
    assert all(np.isfinite(entry["train_loss"]) for entry in model.history)

    found = checkpoints.load_latest(tmp_path / PLANNER)
    assert found is not None
    assert found[0] == model.facts.iterations
    again = training.train(miniature.job(scans, tmp_path / "shared", planner=PLANNER), tmp_path / PLANNER)
    assert all(torch.equal(again.weights[name], tensor) for name, tensor in model.weights.items())

    save_weights(model, tmp_path / "final.pth")
    image = miniature.scan(100)[0]
    values = inference.load(tmp_path, "cpu", miniature.OF_INFERENCE, LABELS)(image)
    assert values.shape == (4, *image.GetSize()[::-1])
    np.testing.assert_allclose(values.sum(0), 1, atol=1e-5)


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Plans of the residual encoder's planner for three miniature scans."""
    folder = tmp_path_factory.mktemp("resenc")
    scans = miniature.training_scans(folder / "scans", 3)
    data = PreparedData(folder / "shared", scans, changed(miniature.SETTINGS, planner=PLANNER), LABELS)
    set_environment(data.raw, data.preprocessed)
    return data.plans(threads=1)


def test_the_three_presets_differ_in_the_memory_that_they_plan_for() -> None:
    presets = [
        getattr(residual_encoder_unet_planners, f"nnUNetPlannerResEnc{size}") for size in ("M", "L", "XL")
    ]
    aims = [inspect.signature(preset).parameters["gpu_memory_target_in_gb"].default for preset in presets]
    assert aims == [8, 24, 40]
    assert {preset.__name__ for preset in presets} < set(planners()), "so that a configuration may name them"


def test_plan_changes_keep_the_blocks_of_a_residual_encoder(planned: dict[str, Any]) -> None:
    network = planned["configurations"]["3d_fullres"]["architecture"]["arch_kwargs"]
    assert network["n_blocks_per_stage"] == [1, 3, 4, 6]
    changes = PlanChange(patch_size=(8, 32, 32), batch_size=2, features_per_stage=(4, 8, 8))
    plans = plans_of_configuration(planned, "3d_fullres", changes)
    changed = plans["configurations"]["3d_fullres"]["architecture"]["arch_kwargs"]
    assert changed["n_blocks_per_stage"] == [1, 3, 4]
    assert changed["n_conv_per_stage_decoder"] == [1, 1]


def test_repeating_the_planned_patch_gives_the_planned_residual_encoder(planned: dict[str, Any]) -> None:
    for name, configuration_planned in planned["configurations"].items():
        changes = PlanChange(patch_size=tuple(configuration_planned["patch_size"]))
        plans = plans_of_configuration(planned, name, changes)
        assert plans["configurations"][name] == configuration_planned
