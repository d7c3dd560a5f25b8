"""Training BLAST-CT: its configuration, repeatability, resumption and failures."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from blast_ct.assets import get_config_path
from blast_ct.models.deepmedic import DROPOUT
from blast_ct.read_config import get_model
from blastct_cases import SMALL, STUDY, small_job

from headct.labels import N_CLASSES
from headct.problems import BadInput
from headct.training import blastct, checkpoints
from headct.training.job import TrainedModel


class KilledError(Exception):
    pass


def trained(tmp_path: Path, name: str = "run", **changes: Any) -> TrainedModel:
    folder = tmp_path / name
    folder.mkdir(exist_ok=True)
    torch.set_num_threads(1)
    return blastct.train(small_job(tmp_path / "trial", **changes), folder)


def same_weights(one: TrainedModel, other: TrainedModel) -> bool:
    assert one.weights.keys() == other.weights.keys()
    return all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)


def test_study_settings_are_those_of_the_package() -> None:
    ours = blastct.package_configuration(STUDY)
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
    assert elastic["alpha"] == STUDY["elastic_amplitude_voxels"]
    assert elastic["noise_shape"] == [STUDY["elastic_noise_size_voxels"]] * 3
    assert elastic["period"] == [STUDY["elastic_noise_periods"]] * 3
    assert stock["test"]["batch_size"] == STUDY["inference_batch_size"]
    at_1200 = blastct.package_configuration(STUDY | {"epochs": 1200})
    assert at_1200["scheduler"] == stock["scheduler"]


def test_milestones_scale_with_the_epochs() -> None:
    assert blastct.milestones(STUDY) == [660, 960, 1200, 1350, 1470, 1575]


def test_only_the_last_layer_differs_from_the_published_network() -> None:
    ours = get_model(blastct.package_configuration(STUDY))
    stock = get_model(json.loads(Path(get_config_path()).read_text()))
    shapes = [{k: tuple(v.shape) for k, v in m.state_dict().items()} for m in (ours, stock)]
    different = {name for name in shapes[1] if shapes[0][name] != shapes[1][name]}
    assert different == {"fully_connected.2.conv.weight"}
    assert shapes[0]["fully_connected.2.conv.weight"][0] == N_CLASSES
    assert blastct.output_size(ours, blastct.package_configuration(STUDY)) == (30, 30, 30)


@pytest.mark.parametrize("size", [20, 31])
def test_impossible_patch_size_is_refused(size: int) -> None:
    configuration = blastct.package_configuration(SMALL | {"patch_size_voxels": [size] * 3})
    with pytest.raises(BadInput, match="multiple of 5 and at least 25"):
        blastct.output_size(get_model(configuration), configuration)


def test_two_runs_are_equal_bit_for_bit_and_learn(tmp_path: Path) -> None:
    one = trained(tmp_path, "one", epochs=6, learning_rate=0.008)
    torch.rand(5)  # the state that a run finds must not matter
    other = trained(tmp_path, "other", epochs=6, learning_rate=0.008, workers=2)
    assert same_weights(one, other)
    assert one.history == other.history
    assert one.history[-1]["train_loss"] < 0.8 * one.history[0]["train_loss"]
    # 6 epochs: milestones after epochs 2, 3, 4, 4, 5, 5
    assert [epoch["learning_rate"] for epoch in one.history] == pytest.approx(
        [0.008, 0.008, 0.004, 0.002, 0.0005, 0.000125]
    )


@pytest.mark.parametrize("killed_after", [1, 4, 5, 8])
def test_resumed_run_ends_in_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_after: int
) -> None:
    """The checkpoint may lie at any batch, and the kill before, between or after."""
    whole = trained(tmp_path, "whole")
    with monkeypatch.context() as patch:
        step, done = blastct.Run._step, []

        def step_or_die(run: blastct.Run, *batch: Any) -> None:
            if len(done) == killed_after:
                raise KilledError
            done.append(run.done)
            step(run, *batch)

        patch.setattr(blastct.Run, "_step", step_or_die)
        # every batch but the newest is in a checkpoint when time is up at once
        with pytest.raises(KilledError):
            trained(tmp_path, "killed", checkpoint_interval_minutes=0 if killed_after % 2 else 15)
    assert whole.history  # the interval is no part of what is compared
    resumed = trained(tmp_path, "killed")
    assert same_weights(whole, resumed)
    assert whole.history == resumed.history


def test_finished_run_is_not_trained_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    once = trained(tmp_path)
    monkeypatch.setattr(blastct.Run, "_step", None)
    again = trained(tmp_path)
    assert same_weights(once, again)
    assert once.history == again.history
    assert again.record == once.record


def test_nan_stops_at_its_batch(tmp_path: Path) -> None:
    with pytest.raises(FloatingPointError, match=r"loss is (nan|inf) in batch \d+ \(epoch \d\)"):
        trained(tmp_path, learning_rate=1e38)
    found = checkpoints.load_latest(tmp_path / "run")
    assert found is None or found[0] < SMALL["epochs"] * 3


def test_record_and_fixed_are_plain_json(tmp_path: Path) -> None:
    model = trained(tmp_path, epochs=1)
    json.dumps([model.fixed, model.record, model.history], allow_nan=False)
    assert model.record["iterations"] == 3
    assert model.record["n_parameters"] == sum(
        p.numel() for p in get_model(model.fixed["configuration"]).parameters()
    )


@pytest.mark.slow
def test_run_killed_with_sigkill_publishes_the_same_bytes(tmp_path: Path) -> None:
    """Ten kills, at moments spread over start, training, checkpointing and publishing."""
    job = small_job(tmp_path / "source", epochs=8)
    rows = ["scan_id\tset\tfold\tct_sha256\tlabels_sha256"]
    for scan in job.training_scans:
        (tmp_path / "data" / scan.scan_id).mkdir(parents=True)
        scan.ct.rename(tmp_path / "data" / scan.scan_id / "ct.nii.gz")
        scan.labels.rename(tmp_path / "data" / scan.scan_id / "labels.nii.gz")
        rows.append(f"{scan.scan_id}\ttrain\t0\t{scan.sha256[:64]}\t{scan.sha256[64:]}")
    (tmp_path / "split.tsv").write_text("\n".join(rows) + "\n")

    def start(name: str) -> subprocess.Popen[bytes]:
        options = {
            "model": "blast-ct",
            "settings": json.dumps(job.settings | {"framework": "blastct"}),
            "split": tmp_path / "split.tsv",
            "data": tmp_path / "data",
            "seed": "1",
            "fold": "all",
            "device": "cpu",
            "threads": "1",
            "work": tmp_path / name / "work",
            "out": tmp_path / name / "out",
            "log": tmp_path / name / "log",
        }
        command = [sys.executable, "-m", "headct.training"]
        for key, value in options.items():
            command += [f"--{key}", str(value)]
        return subprocess.Popen(command)

    begun = time.monotonic()
    assert start("whole").wait() == 0
    seconds = time.monotonic() - begun
    for moment in range(10):
        process = start("killed")
        time.sleep(seconds * (0.5 + 0.05 * moment))
        process.kill()
        process.wait()
    assert start("killed").wait() == 0
    whole, killed = ((tmp_path / name / "out" / "final.pth").read_bytes() for name in ("whole", "killed"))
    assert whole == killed
