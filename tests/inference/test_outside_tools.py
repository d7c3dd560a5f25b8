"""Label maps by tools of others, each by the command that docs/how-to/outside-models.md gives."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
import yaml

from headct.contracts.artefacts import write_json
from headct.contracts.problems import BadInput
from headct.frameworks.nnunet import inference, training
from headct.frameworks.nnunet.settings import NnunetInference
from support import nnunet_miniature, outside_study
from support.blastct_package import AUTHORS, needs_weights
from support.ct_series import head
from support.snake import REPOSITORY

PAGE = REPOSITORY / "docs/how-to/outside-models.md"
HERE = Path(sys.executable).parent


def entry(name: str) -> dict[str, object]:
    """What the page says of a model, but for what is only known of it."""
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    settings = [yaml.safe_load(block) for block in blocks]
    (found,) = (one["models"][name] for one in settings if name in one.get("models", {}))
    return {key: found[key] for key in ("framework", "command", "files", "labels")}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a study is; programs are those of this Python, and threads do not wait busily, as in any job."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    monkeypatch.setenv("PATH", str(HERE), prepend=os.pathsep)
    return tmp_path


def one_patch() -> np.ndarray:
    """A scan that is not larger than what BLAST-CT predicts at a time: 28 x 28 x 15 mm."""
    hu = np.full((4, 7, 7), -1000, np.int16)
    hu[:, 1:-1, 1:-1] = 40
    hu[1:3, 2:5, 2:5] = 70
    return hu


def test_blast_ct_is_refused_other_weights_than_its_authors(folder: Path) -> None:
    outside_study.convert({"s1": one_patch()})
    Path("blast_ct_v1").mkdir()
    with pytest.raises(BadInput, match="ended with exit status"):
        outside_study.take(**entry("blast-ct-authors"))


@needs_weights
def test_blast_ct_with_its_authors_weights(folder: Path) -> None:
    outside_study.convert({"s1": one_patch()})
    Path("blast_ct_v1").symlink_to(AUTHORS)
    table = outside_study.take(**entry("blast-ct-authors"))
    assert set(table["reason"]) == {""}
    (made,) = Path("work/outside/rival").rglob("*.nii.gz")
    theirs = sitk.GetArrayFromImage(sitk.ReadImage(str(made)))
    np.testing.assert_array_equal(outside_study.on_disk("s1"), np.array([0, 1, 0, 2, 3])[theirs])


def test_a_results_folder_of_nnunet(folder: Path) -> None:
    """Against our own prediction with the same weights, which is another program."""
    torch.set_num_threads(1)
    scans = nnunet_miniature.training_scans(folder / "scans", 3)
    job = nnunet_miniature.job(scans, folder / "shared", iterations_per_epoch=20)
    model = training.train(job, folder / "trained")
    entry_of = entry("other-nnunet")
    (named,) = entry_of["files"]
    trained = Path(named)
    (trained / "fold_all").mkdir(parents=True)
    write_json(model.fixed["plans"], trained / "plans.json")
    write_json(model.fixed["dataset_json"], trained / "dataset.json")
    checkpoint = {
        "network_weights": model.weights,
        "trainer_name": "nnUNetTrainer",
        "init_args": {"configuration": "3d_fullres"},
        "inference_allowed_mirroring_axes": (0, 1, 2),
    }
    torch.save(checkpoint, trained / "fold_all/checkpoint_final.pth")
    hu = sitk.GetArrayFromImage(nnunet_miniature.scan(100, (8, 36, 36))[0])
    outside_study.convert({"s1": hu}, tilt_deg=0.0)
    outside_study.take(**entry_of)
    settings = NnunetInference(test_time_mirroring=True, tile_step_size=0.5)
    ct = sitk.ReadImage("results/data/s1/ct.nii.gz")
    ours = inference.NnunetPredictor(model.weights, model.fixed, settings, "cpu")(ct).argmax(0)
    assert len(np.unique(ours)) > 1, "all background would prove nothing"
    np.testing.assert_array_equal(outside_study.on_disk("s1"), ours)


BUNDLE = {
    "imports": ["$import glob", "$import torch"],
    "bundle_root": ".",
    "output_dir": "$@bundle_root + '/eval'",
    "output_postfix": "trans",
    "separate_folder": True,
    "dataset_dir": "/workspace/data",
    "datalist": "$sorted(glob.glob(@dataset_dir + '/imagesTs/*.nii.gz'))",
    "device": "$torch.device('cuda:0' if torch.cuda.is_available() else 'cpu')",
    "network_def": {"_target_": "torch.nn.Conv3d", "in_channels": 1, "out_channels": 2, "kernel_size": 1},
    "network": "$@network_def.to(@device)",
    "preprocessing": {
        "_target_": "Compose",
        "transforms": [
            {"_target_": "LoadImaged", "keys": "image", "ensure_channel_first": True},
            {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS"},
            {
                "_target_": "ScaleIntensityRanged",
                "keys": "image",
                "a_min": -100,
                "a_max": 300,
                "b_min": 0.0,
                "b_max": 1.0,
                "clip": True,
            },
        ],
    },
    "dataset": {
        "_target_": "Dataset",
        "data": "$[{'image': image} for image in @datalist]",
        "transform": "@preprocessing",
    },
    "inferer": {"_target_": "SlidingWindowInferer", "roi_size": [16, 16, 16], "overlap": 0.25},
    "postprocessing": {
        "_target_": "Compose",
        "transforms": [
            {
                "_target_": "Invertd",
                "keys": "pred",
                "orig_keys": "image",
                "transform": "@preprocessing",
                "nearest_interp": False,
            },
            {"_target_": "AsDiscreted", "keys": "pred", "argmax": True},
            {
                "_target_": "SaveImaged",
                "keys": "pred",
                "output_dir": "@output_dir",
                "output_postfix": "@output_postfix",
                "separate_folder": "@separate_folder",
            },
        ],
    },
    "predicted": "$lambda scan: {**scan, 'pred': @inferer(scan['image'][None].to(@device), @network)[0]}",
    "initialize": ["$@network.load_state_dict(torch.load(@bundle_root + '/models/model.pt'))"],
    "run": ["$[@postprocessing(@predicted(scan)) for scan in @dataset]"],
}
"""``configs/inference.json`` with the keys of MONAI's model zoo; its evaluators need one more package."""


def test_a_bundle_of_monai(folder: Path) -> None:
    """Its network is a threshold at 100 HU, so that what it must find is known."""
    for name in ("configs", "models"):
        (folder / "bundle" / name).mkdir(parents=True)
    write_json(BUNDLE, folder / "bundle/configs/inference.json")
    write_json({"version": "0.1.0"}, folder / "bundle/configs/metadata.json")
    weights = {"weight": torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1, 1), "bias": torch.tensor([0.5, 0.0])}
    torch.save(weights, folder / "bundle/models/model.pt")
    (script,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (folder / "run_bundle.py").write_text(script, encoding="utf-8")
    scans = {"s1": head(), "s2": np.roll(head(), 1, axis=2)}
    outside_study.convert(scans)
    outside_study.take(**entry("bundle"))
    for scan, hu in scans.items():
        np.testing.assert_array_equal(outside_study.on_disk(scan), hu > 100)


STAND_IN = """\
#!{python}
import argparse, pathlib
import SimpleITK as sitk
options = argparse.ArgumentParser()
options.add_argument("-i", type=pathlib.Path, required=True)
options.add_argument("-o", type=pathlib.Path, required=True)
options.add_argument("-ml", "--ml", action="store_true")
options.add_argument("-ta", "--task", choices=["total", "cerebral_bleed"], default="total")
options.add_argument("-d", "--device", choices=["gpu", "cpu", "mps"], default="gpu")
options.add_argument("-q", "--quiet", action="store_true")
given = options.parse_args()
assert given.ml and given.task == "cerebral_bleed" and given.device == "cpu"
sitk.WriteImage(sitk.ReadImage(str(given.i)) > 60, str(given.o))
"""
"""Takes those options of TotalSegmentator 2 that the entry gives, as its parser declares them."""


def test_the_entry_of_totalsegmentator_with_a_stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not TotalSegmentator, whose weights are not here: the entry, and how its label maps are taken."""
    (folder / "programs").mkdir()
    program = folder / "programs/TotalSegmentator"
    program.write_text(STAND_IN.format(python=sys.executable), encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    (folder / "totalsegmentator_weights").mkdir()
    outside_study.convert({"s1": head()})
    outside_study.take(**entry("totalsegmentator"))
    expected = head() > 60
    assert expected.any()
    np.testing.assert_array_equal(outside_study.on_disk("s1"), expected)
