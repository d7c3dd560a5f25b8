"""Training BLAST-CT: its configuration; what all frameworks share is in test_training_loop.py."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from blast_ct.assets import get_config_path
from blast_ct.models.deepmedic import DROPOUT
from blast_ct.read_config import get_model

from headct.contracts.problems import BadInput
from headct.engine.training_job import TrainedModel
from headct.frameworks.blastct import training as blastct
from support.blastct_cases import OF_INFERENCE, SMALL, STUDY, small_job
from support.changed_settings import changed
from support.label_sets import LABELS


def trained(tmp_path: Path, name: str = "run", **changes: Any) -> TrainedModel:
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    torch.set_num_threads(1)
    return blastct.train(small_job(tmp_path / "trial", **changes), folder)


def test_study_settings_are_those_of_the_package() -> None:
    ours = blastct.package_configuration(STUDY, LABELS)
    stock = json.loads(Path(get_config_path()).read_text())
    assert ours["model"]["DeepMedic"] == stock["model"]["DeepMedic"] | {"dropout": list(DROPOUT)}
    for part in ("loss", "optimizer"):
        assert ours[part] == stock[part]
    for key in ("resolution", "transformation", "input_channels"):
        assert ours["data"][key] == stock["data"][key]
    for key in ("batch_size", "patches_per_image", "images_per_epoch", "input_patch_size"):
        assert ours["training"][key] == stock["training"][key]
    assert ours["training"]["patch_augmentation"] == stock["training"]["patch_augmentation"]
    sampler = ours["training"]["sampler"]["ConditionalPatchSampler"]
    stock_sampler = stock["training"]["sampler"]["ConditionalPatchSampler"]
    assert sampler["n_tries"] == stock_sampler["n_tries"]
    assert sampler["class_probabilities"][0] == pytest.approx(stock_sampler["class_probabilities"][0])
    assert sum(sampler["class_probabilities"]) == pytest.approx(1)
    elastic = stock["training"]["augmentation"]["RandomElasticDeformationCoarsePerlinNoise"]
    assert elastic["prob"] == ours["training"]["elastic_probability"]
    assert elastic["alpha"] == STUDY.elastic_amplitude_voxels
    assert elastic["noise_shape"] == [STUDY.elastic_noise_size_voxels] * 3
    assert elastic["period"] == [STUDY.elastic_noise_periods] * 3
    assert stock["test"]["batch_size"] == OF_INFERENCE.inference_batch_size
    at_1200 = blastct.package_configuration(changed(STUDY, epochs=1200), LABELS)
    assert at_1200["scheduler"] == stock["scheduler"]


def test_milestones_scale_with_the_epochs() -> None:
    assert blastct.milestones(STUDY) == [660, 960, 1200, 1350, 1470, 1575]


def test_only_the_last_layer_differs_from_the_published_network() -> None:
    ours = get_model(blastct.package_configuration(STUDY, LABELS))
    stock = get_model(json.loads(Path(get_config_path()).read_text()))
    shapes = [{k: tuple(v.shape) for k, v in m.state_dict().items()} for m in (ours, stock)]
    different = {name for name in shapes[1] if shapes[0][name] != shapes[1][name]}
    assert different == {"fully_connected.2.conv.weight"}
    assert shapes[0]["fully_connected.2.conv.weight"][0] == LABELS.n_classes
    assert blastct.output_size(ours, blastct.package_configuration(STUDY, LABELS)) == (30, 30, 30)


@pytest.mark.parametrize("size", [20, 31])
def test_impossible_patch_size_is_refused(size: int) -> None:
    configuration = blastct.package_configuration(changed(SMALL, patch_size_voxels=[size] * 3), LABELS)
    with pytest.raises(BadInput, match="multiple of 5 and at least 25"):
        blastct.output_size(get_model(configuration), configuration)


def test_it_learns_at_rates_that_fall_at_the_milestones(tmp_path: Path) -> None:
    history = trained(tmp_path, "one", epochs=6, learning_rate=0.008).history
    assert history[-1]["train_loss"] < 0.8 * history[0]["train_loss"]
    # 6 epochs: milestones after epochs 2, 3, 4, 4, 5, 5
    assert [epoch["learning_rate"] for epoch in history] == pytest.approx(
        [0.008, 0.008, 0.004, 0.002, 0.0005, 0.000125]
    )


def test_record_and_fixed_are_plain_json(tmp_path: Path) -> None:
    model = trained(tmp_path, epochs=1)
    json.dumps([model.fixed, asdict(model.facts), model.history], allow_nan=False)
    assert model.facts.iterations == 3
    assert model.facts.parameters == sum(
        p.numel() for p in get_model(model.fixed["configuration"]).parameters()
    )
