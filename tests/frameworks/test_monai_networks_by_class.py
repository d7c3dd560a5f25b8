"""Networks of MONAI by the name of their class, in miniature; what is told of bad entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from headct.contracts.problems import BadInput
from headct.engine.training_job import TrainedModel, TrainingJob
from headct.frameworks.monai import inference, networks, training
from headct.frameworks.monai.settings import Architecture, MonaiTraining
from headct.frameworks.train import save_weights
from headct.run import preflight
from headct.settings import analysis_plan, blocks, configuration
from headct.settings.typed import plain, typed
from support import monai_miniature, nnunet_miniature
from support.changed_settings import changed
from support.label_sets import LABELS
from support.snake import REPOSITORY

ENTRIES: Mapping[str, Mapping[str, Any]] = {
    "SegResNet": {
        "init_filters": 8,
        "blocks_down": [1, 1, 2],
        "blocks_up": [1, 1],
        "norm": ["BATCH", {"momentum": 0.2}],
    },
    "DynUNet": {
        "kernel_size": [3, 3, 3],
        "strides": [1, 2, 2],
        "upsample_kernel_size": [2, 2],
        "filters": [4, 8, 8],
    },
}
"""Arguments as a configuration has them."""

FITTING: Mapping[str, Mapping[str, Any]] = {
    **ENTRIES,
    "SwinUNETR": {"feature_size": 12},
    "UNETR": {"img_size": [64, 64, 64], "feature_size": 4, "hidden_size": 24, "mlp_dim": 32, "num_heads": 2},
    "AttentionUnet": {"channels": [4, 8, 8], "strides": [2, 2]},
    "UNet": {"channels": [4, 8, 8], "strides": [2, 2]},
    "VNet": {},
    "MedNeXt": {"init_filters": 4},
}


def settings_of(name: str, arguments: Mapping[str, Any], **changes: Any) -> MonaiTraining:
    """Those of a network by the name of its class."""
    words = {key: value for key, value in monai_miniature.WORDS.items() if key != "features"}
    return typed(MonaiTraining, words | {"network": name, "arguments": dict(arguments), **changes})


DRILLED: Mapping[str, Mapping[str, Any]] = {
    "SwinUNETR": {
        "patch_size_xyz": [64, 64, 32],
        "scans_per_batch": 1,
        "iterations_per_epoch": 6,
        "learning_rate": 1e-3,
    },
    "UNETR": {
        "arguments": {**FITTING["UNETR"], "img_size": [32, 32, 32]},
        "patch_size_xyz": [32, 32, 32],
        "learning_rate": 1e-3,
    },
    "AttentionUnet": {
        "arguments": {"channels": [8, 16, 32], "strides": [2, 2]},
        "iterations_per_epoch": 80,
        "learning_rate": 3e-3,
    },
}
"""Networks that take minutes, and settings with which each learns: trained by ``make test-slow`` alone."""


TRAINED = [*ENTRIES, *(pytest.param(name, marks=pytest.mark.slow) for name in DRILLED)]
FINDING = [*ENTRIES, pytest.param("AttentionUnet", marks=pytest.mark.slow)]
"""Those that find lesions after so few steps; 40 of SwinUNETR and 80 of UNETR were seen to be too few."""


@pytest.fixture(scope="module")
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of such a network, which has learnt three scans."""
    folder: Path = tmp_path_factory.mktemp("trained")
    torch.set_num_threads(1)
    scans = nnunet_miniature.training_scans(folder / "scans", 3)
    changes = {"epochs": 4, "iterations_per_epoch": 20, **DRILLED.get(request.param, {})}
    settings = changed(settings_of(request.param, FITTING[request.param]), **changes)
    job = replace(monai_miniature.job(scans, folder / "shared"), settings=settings)
    model = run(job, folder / "work")
    losses = [epoch["train_loss"] for epoch in model.history]
    assert losses[-1] < 0.9 * losses[0]
    save_weights(model, folder / "final.pth")
    return folder


def run(job: TrainingJob[MonaiTraining], folder: Path) -> TrainedModel:
    folder.mkdir(exist_ok=True)
    return training.train(job, folder)


@pytest.mark.parametrize("trained", TRAINED, indirect=True)
def test_it_is_trained_and_predicts_a_new_scan(trained: Path) -> None:
    predictor = inference.load(trained, "cpu", monai_miniature.OF_INFERENCE, LABELS)
    image, _ = nnunet_miniature.scan(100)
    probabilities = predictor(image)
    assert probabilities.shape == (4, *image.GetSize()[::-1])
    np.testing.assert_allclose(probabilities.sum(0), 1, atol=1e-5)


@pytest.mark.parametrize("trained", FINDING, indirect=True)
def test_it_finds_lesions_of_a_new_scan(trained: Path) -> None:
    predictor = inference.load(trained, "cpu", monai_miniature.OF_INFERENCE, LABELS)
    image, labels = nnunet_miniature.scan(100)
    probabilities = predictor(image)
    found, drawn = probabilities.argmax(0) > 0, sitk.GetArrayFromImage(labels) > 0
    assert 2 * (found & drawn).sum() / (found.sum() + drawn.sum()) > 0.2


@pytest.mark.parametrize("name", FITTING)
def test_a_network_that_fits_has_no_fault(name: str) -> None:
    settings = settings_of(name, FITTING[name], patch_size_xyz=[64, 64, 64])
    assert list(networks.problems(settings)) == []
    network = networks.build(settings, LABELS.n_classes)
    assert not any(parameter.is_meta for parameter in network.parameters())


@pytest.mark.parametrize(
    ("name", "arguments", "patch_xyz", "key", "message"),
    [
        (
            "SegResnext",
            {},
            [32] * 3,
            "network",
            "no such network; there are basicunet, deeplabv3plus, and the",
        ),
        ("Discriminator", {}, [32] * 3, "network", "no such network"),
        ("os", {}, [32] * 3, "network", "no such network"),
        (
            "SegResNet",
            {"init_filter": 8},
            [32] * 3,
            "arguments.init_filter",
            "no such argument; it takes init_",
        ),
        ("SegResNet", {"out_channels": 8}, [32] * 3, "arguments.out_channels", "follows from the study"),
        (
            "DynUNet",
            {"strides": [1, 2]},
            [32] * 3,
            "network",
            "needs arguments: kernel_size, upsample_kernel",
        ),
        (
            "UNet",
            {"channels": [4, 8], "strides": []},
            [32] * 3,
            "arguments",
            "can't be made of these arguments",
        ),
        ("SegResNet", {}, [32, 20, 32], "patch_size_xyz", "can't be trained on 2 patches of this size"),
        ("SwinUNETR", {"feature_size": 12}, [32] * 3, "patch_size_xyz", "more than 1 spatial element"),
        ("BasicUNetPlusPlus", {}, [32] * 3, "network", "gives a list of maps"),
        ("DenseNet121", {}, [32] * 3, "network", "gives maps of shape (2, 2)"),
    ],
)
def test_what_is_wrong_is_told_with_its_key(
    name: str, arguments: Mapping[str, Any], patch_xyz: list[int], key: str, message: str
) -> None:
    (problem,) = networks.problems(settings_of(name, arguments, patch_size_xyz=patch_xyz))
    assert problem.key == key
    assert message in problem.message


def test_all_faults_of_a_configuration_are_told_together_before_any_job() -> None:
    demo = configuration.load(REPOSITORY / "config/demo.yaml")
    entries = {
        "a": {"title": "A", "framework": "monai", "network": "SegResNet", "arguments": {"filters": 8}},
        "b": {"title": "B", "framework": "monai", "network": "VNett"},
        "c": {"title": "C", "framework": "monai", "network": "basicunet", "arguments": {"act": "relu"}},
        "d": {"title": "D", "framework": "monai", "network": "VNet", "width": 0.5},
    }
    complete = configuration.complete(demo | {"models": demo["models"] | entries}, "study.yaml")
    plan = analysis_plan.load(analysis_plan.SHIPPED)
    with pytest.raises(BadInput) as refused:
        preflight.check_settings(blocks.configured(complete), lambda _key: "study.yaml", plan, "plan.yaml")
    told = {problem.key: (problem.file, problem.value) for problem in refused.value.problems}
    assert told == {
        "models.a.arguments.filters": ("study.yaml", "8"),
        "models.b.network": ("study.yaml", "VNett"),
        "models.c.arguments": ("study.yaml", "{'act': 'relu'}"),
        "models.d.width": ("study.yaml", "0.5"),
    }


def test_arguments_come_back_from_json_as_they_were() -> None:
    settings = settings_of("SegResNet", ENTRIES["SegResNet"])
    assert plain(settings)["arguments"] == ENTRIES["SegResNet"]
    assert typed(Architecture, plain(settings)).arguments == settings.arguments
    other = changed(settings, arguments={**ENTRIES["SegResNet"], "init_filters": 16})
    assert other.arguments != settings.arguments
