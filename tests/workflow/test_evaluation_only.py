"""Nothing is trained: label maps and a command of others, from the sheet to sealed results."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
import yaml

from headct.contracts.artefacts import read_tsv
from support import snake, two_classes, warm_python
from support.audit_study import forked_command
from support.html_page import Page

COMMAND = """\
import sys
from pathlib import Path

import nibabel
import numpy as np

images, label_maps = map(Path, sys.argv[1:])
for image in images.glob("*.nii.gz"):
    scan = nibabel.load(image)
    hounsfield = np.asarray(scan.dataobj)
    label_map = ((hounsfield > 50) & (hounsfield < 90)).astype(np.uint8)
    nibabel.save(nibabel.Nifti1Image(label_map, scan.affine), label_maps / image.name)
"""
"""A model that marks what is as bright as blood."""

STUDY = replace(
    two_classes.STUDY,
    name="evaluation-only",
    models={
        "neighbour": {
            "title": "Neighbour",
            "framework": "external",
            "folder": "neighbour",
            "labels": {name: list(values) for name, values in two_classes.VALUES.items()},
            "made_by": "the test",
            "version": "7.1",
        },
        "bright": {
            "title": "Bright",
            "framework": "command",
            "command": f"{sys.executable} bright.py {{images}} {{label_maps}}",
            "files": ["bright.py"],
            "labels": {"bleed": 1, "PHE": []},
        },
    },
    settings={"split": {"test_fraction": 1, "stratify_by": []}},
)
"""The first model has drawn each lesion a voxel beside its place."""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished study; its results lie below it."""
    folder = tmp_path_factory.mktemp("evaluation-only")
    configfile = STUDY.write(folder)
    (folder / "bright.py").write_text(COMMAND, encoding="utf-8")
    (folder / "neighbour").mkdir()
    for mask in folder.glob("scan-*-mask.nii.gz"):
        drawn = nibabel.load(mask)
        beside = np.roll(np.asarray(drawn.dataobj), 1, axis=0)
        path = folder / "neighbour" / mask.name.replace("-mask", "")
        nibabel.save(nibabel.Nifti1Image(beside, drawn.affine), path)
    with warm_python.started() as python:
        run = snake.run("--directory", folder, "--configfile", configfile, "--cores", "2", python=python)
    assert run.returncode == 0, run.stdout[-4000:]
    return folder


def test_all_scans_are_tested_and_nothing_is_trained(study: Path) -> None:
    results = study / "results"
    assert set(read_tsv(results / "cohort/split.tsv")["set"]) == {"test"}
    measured = read_tsv(results / "metrics/neighbour.tsv")
    assert measured["scan_id"].nunique() == two_classes.N_SCANS
    assert [path.name for path in (results / "models").glob("*.tsv")] == ["training_times.tsv"]
    assert read_tsv(results / "models/training_times.tsv").empty
    assert not list(results.rglob("*.pth"))
    assert "training-mean" not in set(read_tsv(results / "statistics/limits.tsv")["model"])
    assert "lesion size" not in set(read_tsv(results / "statistics/subgroups.tsv")["subgroup"])


def test_the_overlap_is_that_of_its_label_maps(study: Path) -> None:
    """A mask and itself a voxel beside: Dice from their voxels, which all are of one size."""
    measured = read_tsv(study / "results/metrics/neighbour.tsv").set_index(["scan_id", "label"])["dice"]
    for mask in study.glob("scan-*-mask.nii.gz"):
        drawn = np.isin(np.asarray(nibabel.load(mask).dataobj), two_classes.VALUES["bleed"])
        dice = 2 * (drawn & np.roll(drawn, 1, axis=0)).sum() / (2 * drawn.sum())
        assert measured[mask.name.replace("-mask.nii.gz", ""), "bleed"] == pytest.approx(dice, abs=1e-6)


def test_folds_that_are_named_hold_nothing_out_where_nothing_is_trained(study: Path) -> None:
    config = yaml.safe_load((study / "study.yaml").read_text(encoding="utf-8"))
    folded = study / "folded.yaml"
    text = yaml.safe_dump(config | {"training": {"folds": [0]}}, sort_keys=False)
    folded.write_text(text, encoding="utf-8")
    jobs = snake.planned(snake.run("--directory", study, "--configfile", folded, "-n", "--forceall"))
    assert jobs["metrics"] == 3
    assert not {"out_of_fold", "metrics_out_of_fold"} & jobs.keys()


def test_it_is_verified_as_it_was_sealed(study: Path) -> None:
    done = forked_command("verify", study / "results")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "number",
    [
        "Table 1, Neighbour, bleed, mean",
        "Table 1, Bright, bleed, median",
        "Table E1, Model version, Neighbour",
        "results/statistics/prevalence.tsv, test, bleed, percent_of_labelled",
    ],
)
def test_a_number_is_traced(study: Path, number: str) -> None:
    done = forked_command("trace", "--results", study / "results", "--number", *number.split(", "))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("model", ["Neighbour", "Bright"])
def test_a_trace_names_the_label_maps_and_no_training(study: Path, model: str) -> None:
    """Of what was handed over, and of what a command made."""
    done = forked_command(
        "trace", "--results", study / "results", "--number", f"Table 1, {model}, bleed, mean"
    )
    listed = f"results/predictions/{model.lower()}/seed-1.tsv"
    assert f"label maps listed with sha256 in {listed}, by outside {model.lower()}/1, " in done.stdout
    assert (
        "and 12 scans from ingest, 12 of them in these rows; no network was trained here for these rows:"
        in done.stdout
    )
    assert "training and test" not in done.stdout


def test_what_reports_say_of_trainings(study: Path) -> None:
    results = study / "results"
    methods = (results / "audit/methods.md").read_text(encoding="utf-8")
    assert "All analysed scans were tested: no model was trained here" in methods
    assert "The test set has 12 scans of 12 participants." in methods
    page = Page((results / "report/index.html").read_text(encoding="utf-8")).text
    for words in ("was trained here on", "highest probability", "trained weights", "last epoch"):
        assert words not in methods, words
        assert words not in page, words


def test_a_model_that_would_be_trained_is_refused(study: Path) -> None:
    config = study / "trained.yaml"
    text = (study / "study.yaml").read_text(encoding="utf-8")
    config.write_text(
        text.replace("models:\n", "models:\n  rules: {title: Rules, framework: threshold}\n"),
        encoding="utf-8",
    )
    run = snake.run("--directory", study, "--configfile", config, "-n")
    assert run.returncode != 0
    assert "split.test_fraction" in run.stdout
    assert "leaves no scan to train model rules on" in run.stdout
