"""Training and prediction with MONAI; what all frameworks share is in test_training_loop.py."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from headct.contracts.artefacts import read_json, write_json
from headct.contracts.problems import BadInput
from headct.engine.pseudo_dice import lesion_counts, pseudo_dice
from headct.engine.training_job import TrainedModel, TrainingJob, TrainingScan
from headct.frameworks.monai import inference, networks, training
from headct.frameworks.train import save_weights
from support import changed_settings
from support.families import changed, equal
from support.label_sets import LABELS
from support.monai_miniature import OF_INFERENCE, SETTINGS

DEEPLAB = {"network": "deeplabv3plus", "width": 1 / 32, "middle_blocks": 1, "features": None}


def ct(shape: tuple[int, int, int] = (14, 20, 22), seed: int = 0) -> sitk.Image:
    """A bright box in a grey one in air."""
    hu = np.full(shape, -1000, np.int16)
    inner = np.random.default_rng(seed).normal(30, 4, shape)
    inner[5:9, 8:14, 6:13] += 30
    hu[1:-1, 2:-2, 2:-2] = inner[1:-1, 2:-2, 2:-2]
    image = sitk.GetImageFromArray(hu)
    image.SetSpacing((4.0, 4.0, 6.0))
    return image


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainingScan, ...]:
    folder: Path = tmp_path_factory.mktemp("data")
    made = []
    for number in range(3):
        image = ct(seed=number)
        labels = image > 45
        paths = [folder / f"{number}-{name}.nii.gz" for name in ("ct", "labels")]
        for path, one in zip(paths, (image, labels), strict=True):
            sitk.WriteImage(one, str(path))
        made.append(TrainingScan(str(number), *paths, sha256=str(number) * 64))
    return tuple(made)


@pytest.fixture
def job(scans: tuple[TrainingScan, ...], tmp_path: Path) -> TrainingJob:
    return TrainingJob("unet", SETTINGS, scans, (), 0, "all", "cpu", 1, tmp_path / "shared", LABELS)


def run(job: TrainingJob, folder: Path) -> TrainedModel:
    folder.mkdir(exist_ok=True)
    torch.set_num_threads(job.threads)
    return training.train(job, folder)


@pytest.mark.parametrize("architecture", [{}, DEEPLAB], ids=["basicunet", "deeplabv3plus"])
def test_two_runs_end_in_equal_weights(job, architecture, tmp_path):
    job = changed(job, **architecture)
    assert equal(run(job, tmp_path / "a"), run(job, tmp_path / "b"))


def test_pseudo_dice_is_two_intersections_over_both_sizes():
    labels = torch.tensor([1, 1, 1, 0, 2, 2]).reshape(1, 1, 1, 1, 6)
    predicted = torch.tensor([1, 1, 0, 1, 2, 2])
    logits = torch.nn.functional.one_hot(predicted, 4).T.reshape(1, 4, 1, 1, 6).float()
    counts = lesion_counts(logits, labels, LABELS)
    assert counts.tolist() == [[2, 3, 3], [2, 2, 2], [0, 0, 0]]
    assert pseudo_dice(counts.tolist(), LABELS) == {"ICH": pytest.approx(2 / 3), "PHE": 1, "IVH": None}


def test_settings_that_cannot_be_trained_are_refused(job, tmp_path):
    job = changed(job, **DEEPLAB, patch_size_xyz=[16, 16, 16], scans_per_batch=1)
    with pytest.raises(BadInput) as refusal:
        run(job, tmp_path)
    assert [problem.key for problem in refusal.value.problems] == ["patch_size_xyz", "patches_per_scan"]


@pytest.mark.parametrize(
    ("architecture", "patch", "good"),
    [
        ({}, [32, 16, 16], True),
        ({}, [31, 16, 16], False),
        ({}, [64, 64, 15], False),
        (DEEPLAB, [17, 16, 16], True),
        (DEEPLAB, [16, 16, 8], False),
    ],
)
def test_refusal_agrees_with_what_the_network_can_do(architecture, patch, good):
    settings = changed_settings.changed(SETTINGS, **architecture, patch_size_xyz=patch)
    assert (list(networks.problems(settings)) == []) is good
    network = networks.build(settings, LABELS.n_classes).train()
    volume = torch.randn(2, 1, *patch[::-1])
    if good:
        network(volume).sum().backward()
    else:
        with pytest.raises((ValueError, RuntimeError)):
            network(volume)


def test_unknown_network_is_named(job):
    (problem,) = networks.problems(changed_settings.changed(job.settings, network="v-net", features=None))
    assert problem.value == "v-net"


def test_a_setting_that_a_network_has_not_is_not_passed_over(job):
    (problem,) = networks.problems(changed_settings.changed(job.settings, width=0.5))
    assert (problem.key, problem.value) == ("width", "0.5")
    assert problem.message == "is no setting of basicunet, which has features"


def test_an_epoch_shows_each_scan_once_unless_set():
    settings = changed_settings.changed(SETTINGS, iterations_per_epoch=None, epochs=1800, scans_per_batch=2)
    schedule = training.Schedule.from_settings(settings, n_scans=1558)
    assert (schedule.iterations_per_epoch, schedule.iterations) == (779, 1800 * 779)
    assert training.Schedule.from_settings(settings, n_scans=5).iterations_per_epoch == 3


def test_learning_rate_is_constant_or_falls_by_the_poly_policy():
    constant = training.Schedule(10, 10, 0.1, "constant")
    assert {constant.rate(step) for step in range(100)} == {0.1}
    falling = training.Schedule(10, 10, 0.1, "polynomial")
    assert falling.rate(0) == 0.1
    assert falling.rate(50) == pytest.approx(0.1 * 0.5**0.9)
    assert 0 < falling.rate(99) < 0.002


def test_facts_say_what_the_model_was(job, tmp_path):
    facts = run(job, tmp_path).facts
    assert facts.parameters == sum(p.numel() for p in networks.build(SETTINGS, LABELS.n_classes).parameters())
    assert (facts.epochs, facts.iterations, facts.batch_size) == (3, 6, 2)


@pytest.fixture(scope="module")
def model_folder(scans, tmp_path_factory) -> Path:
    """A network that has learnt these scans; ``history.json`` tells how."""
    folder: Path = tmp_path_factory.mktemp("model")
    settings = changed_settings.changed(SETTINGS, epochs=6, iterations_per_epoch=10, features=[8] * 6)
    job = TrainingJob("unet", settings, scans, (), 0, "all", "cpu", 1, folder / "shared", LABELS)
    model = run(job, folder / "work")
    save_weights(model, folder / "final.pth")
    write_json(model.history, folder / "history.json")
    return folder


def test_training_lowers_the_loss_and_its_history_tells(model_folder):
    history = read_json(model_folder / "history.json")
    assert [entry["epoch"] for entry in history] == list(range(1, 7))
    assert history[-1]["train_loss"] < 0.8 * history[0]["train_loss"]
    assert history[-1]["pseudo_dice"]["ICH"] > 0.6
    # IVH is nowhere in these scans: 0 as long as it is predicted somewhere, then undefined.
    assert history[-1]["pseudo_dice"]["IVH"] in (0, None)


@pytest.mark.parametrize("shape", [(14, 20, 22), (9, 14, 15), (40, 50, 30)])
def test_probabilities_are_on_the_native_grid(model_folder, shape):
    """Also for volumes smaller than the patch, and for another spacing than the network's."""
    image = ct(shape)
    image.SetSpacing((3.0, 4.5, 7.0))
    probabilities = inference.load(model_folder, "cpu", OF_INFERENCE, LABELS)(image)
    assert probabilities.shape == (4, *shape)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, atol=1e-5)
    assert (probabilities[0, 0] == 1).all()  # air below the head


def test_lesion_is_found_where_it_is(model_folder):
    image = ct(seed=9)
    found = inference.load(model_folder, "cpu", OF_INFERENCE, LABELS)(image).argmax(axis=0) == 1
    truth = sitk.GetArrayFromImage(image > 45) == 1
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.6


def test_direction_and_origin_do_not_change_the_prediction(model_folder):
    predict = inference.load(model_folder, "cpu", OF_INFERENCE, LABELS)
    expected = predict(ct())
    turned = ct()
    turned.SetDirection((-1, 0, 0, 0, 0.9396926, -0.3420201, 0, -0.3420201, -0.9396926))
    turned.SetOrigin((50, -20, 1000))
    np.testing.assert_array_equal(predict(turned), expected)


def test_volume_of_air_is_background(model_folder):
    air = sitk.GetImageFromArray(np.full((12, 20, 20), -1000, np.int16))
    probabilities = inference.load(model_folder, "cpu", OF_INFERENCE, LABELS)(air)
    assert np.isfinite(probabilities).all()
