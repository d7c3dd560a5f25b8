"""A framework is added to a copy of the repository by one folder and its schema entry alone."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
import yaml

from headct.contracts.artefacts import read_json, read_tsv, sha256_of, write_json, write_tsv
from headct.engine.training_job import TrainingScan
from headct.settings import configuration
from support import metric_cases, nnunet_miniature, snake
from support.label_sets import GIVEN
from support.study_files import make_sheet

pytestmark = pytest.mark.whole

TOY = Path(__file__).parents[1] / "support/toy_framework"
MODULES = ("framework.py", "settings.py", "training.py", "inference.py")
STEPS = """
import shlex, sys
from headct.run.command import run
words = map(shlex.split, sys.argv[1:])
sys.exit(any(run(step, options) for step, *options in words))
"""
"""Steps one after the other in one process, which imports PyTorch once."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with the toy, and no edit but in the schema."""
    repository = snake.copy_repository(tmp_path_factory.mktemp("toy") / "repository")
    folder = repository / "workflow/scripts/headct/frameworks/toy"
    folder.mkdir()
    for name in MODULES:
        shutil.copy(TOY / name, folder)
    schema = repository / "workflow/schemas/config.schema.yaml"
    with_toy = yaml.safe_load(schema.read_text(encoding="utf-8"))
    added = yaml.safe_load((TOY / "schema.yaml").read_text(encoding="utf-8"))
    with_toy["properties"] |= added["properties"]
    with_toy["$defs"] |= added["$defs"]
    with_toy["properties"]["models"]["additionalProperties"]["oneOf"].append({"$ref": "#/$defs/toy_model"})
    schema.write_text(yaml.safe_dump(with_toy, sort_keys=False), encoding="utf-8")
    return repository


def write_study(folder: Path) -> list[TrainingScan]:
    """Converted scans, two to learn from and one to test on, and their split."""
    scans = nnunet_miniature.training_scans(folder / "results/data", 3)
    for scan in scans:
        shape = sitk.GetArrayFromImage(sitk.ReadImage(str(scan.labels))).shape
        geometry = metric_cases.record(shape, (3.5, 3.5), (6.0,) * (shape[0] - 1))
        digests = {"labels.nii.gz": sha256_of(scan.labels)}
        record = {"geometry": geometry, "sha256": digests, "second_readings": {}}
        write_json(record, scan.ct.parent / "scan.json")
    rows = [
        {
            "scan_id": scan.scan_id,
            "participant_id": f"P{scan.scan_id}",
            "set": "test" if scan is scans[-1] else "train",
            "fold": "" if scan is scans[-1] else "0",
            "ct_sha256": sha256_of(scan.ct),
            "labels_sha256": sha256_of(scan.labels),
        }
        for scan in scans
    ]
    write_tsv(pd.DataFrame(rows), folder / "results/cohort/split.tsv")
    return list(scans)


def test_the_guide_shows_its_declaration_and_the_count_of_its_files() -> None:
    guide = (snake.REPOSITORY / "docs/how-to/extending.md").read_text(encoding="utf-8")
    _, declaration = (TOY / "framework.py").read_text(encoding="utf-8").split("\n\nFRAMEWORK = ")
    assert f"FRAMEWORK = {declaration}" in guide
    assert sorted(path.name for path in TOY.glob("*.py")) == sorted(MODULES)
    assert "five files in all, the schema among them" in guide, "four modules and the schema"


def quoted(settings: dict[str, Any]) -> str:
    return shlex.quote(json.dumps(settings))


def test_it_is_prepared_trained_predicts_is_measured_and_stands_in_table_e1(
    copy: Path, tmp_path: Path
) -> None:
    scans = write_study(tmp_path)
    scans_of = "--split results/cohort/split.tsv --data results/data"
    labels = shlex.join(GIVEN)
    one_core = "--device cpu --threads 1"
    model, manifest = "results/models/toy/seed-1/fold-all", "results/predictions/toy/seed-1.tsv"
    preparation = {"framework": "toy", "grid_xyz": [32, 32, 16], "hu_window": [-15, 100]}
    weights = {"framework": "toy", "width": 2}
    measures = configuration.load(copy / "config/demo.yaml")["metrics"]
    titles = {"toy": "The toy"}
    steps = [
        f"prepare --settings {quoted(preparation)} {labels} {scans_of} --threads 1 --work work --out p.json",
        f"train --model toy --settings {quoted(weights)} {labels} {scans_of} --seed 1 --fold all {one_core}"
        f" --work work --run toy/1 --out {model}",
        f"predict --model toy --member {model} {scans_of} {one_core} --work work --manifest {manifest}",
        f"measure --model toy --predictions {manifest} {labels} {scans_of} --settings {quoted(measures)}"
        " --out metrics.tsv",
        f"tables table_e1 --train-records {model}/train.json --titles {quoted(titles)}"
        " --ensembles '{}' --out e1.tsv",
    ]
    done = subprocess.run(
        [sys.executable, "-c", STEPS, *steps],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(copy / "workflow/scripts"), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert read_json(tmp_path / "p.json")["n_scans"] == 2
    trained = read_json(tmp_path / model / "train.json")
    assert trained["record"]["iterations"] == 6
    assert "monai" in trained["versions"]
    (predicted,) = read_tsv(tmp_path / manifest, reason=str).to_dict("records")
    label_map = sitk.ReadImage(str((tmp_path / manifest).parent / predicted["path"]))
    assert label_map.GetSize() == sitk.ReadImage(str(scans[-1].ct)).GetSize()
    measured = read_tsv(tmp_path / "metrics.tsv")
    assert set(measured["scan_id"]) == {scans[-1].scan_id}
    assert np.isfinite(measured["dice"]).any()
    table = read_tsv(tmp_path / "e1.tsv").set_index("item")["toy"]
    assert table["Framework"] == "Toy"
    assert table["Patch, voxels"] == "32 × 32 × 16 (x, y, z)"
    assert table["Whole scans"] == "yes"


def test_the_workflow_plans_it(copy: Path, tmp_path: Path) -> None:
    config = yaml.safe_load((copy / "config/config.yaml").read_text(encoding="utf-8"))
    config["models"]["toy"] = {"title": "The toy", "framework": "toy", "width": 2, "replication": False}
    config["sheet"] = str(make_sheet(tmp_path, {"scan_id": "a"}, {"scan_id": "b", "participant_id": "b"}))
    (copy / "config/toy.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    words = ("--configfile", "config/toy.yaml", "--directory", tmp_path, "-n", "results/metrics/toy.tsv")
    jobs = snake.planned(snake.run(*words, repository=copy))
    assert {"prepare", "train", "predict", "metrics"} <= jobs.keys()
