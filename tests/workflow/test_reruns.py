"""What makes a finished study run again, and what does not: nothing is trained without cause."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from headct.contracts.artefacts import LEDGER, sha256_of
from headct.frameworks.registry import frameworks
from headct.settings import configuration
from support import snake

STEPS = (
    *(f"frameworks/{name}/training.py" for name in frameworks()),
    "cohort/ingest.py",
    "cohort/split.py",
    "metrics/surface.py",
)


def plan(clone: Path, *targets: str) -> dict[str, int]:
    return snake.planned(snake.run(*snake.DEMO, "-n", *targets, repository=clone))


def set_in_demo(clone: Path, before: str, after: str) -> None:
    """Change a setting of the demo."""
    config = clone / "config/demo.yaml"
    text = config.read_text(encoding="utf-8")
    assert before in text
    config.write_text(text.replace(before, after), encoding="utf-8")


def test_new_file_times_touched_sources_other_comments_and_settings_of_speed_start_nothing(
    clone: Path,
) -> None:
    changed = changed_in_demo(clone, "speed")
    assert {"work_dir", "resources.train.mem_mb", "nnunet.workers", "monai.workers"} <= set(changed)
    for path in [*clone.rglob("*.py"), *clone.rglob("*.smk"), *clone.rglob("*.yaml"), clone / "Snakefile"]:
        path.touch()
    for step in STEPS:
        path = clone / "workflow/scripts/headct" / step
        path.write_text(
            "# A comment.\n" + path.read_text(encoding="utf-8").replace('"""', '"""Reworded. ', 1)
        )
    assert plan(clone) == {}


def expensive(results: Path) -> dict[str, str]:
    """SHA-256 of all that costs hours in a real study, and of the ledger of the test set, by path."""
    found = [*results.glob("models/**/*"), *results.glob("predictions/**/*"), *results.glob("metrics/**/*")]
    found += [results / LEDGER, *results.glob("audit/runs/train/**/*")]
    return {str(path.relative_to(results)): sha256_of(path) for path in found if path.is_file()}


def test_a_copy_without_snakemakes_memory_trains_predicts_and_scores_nothing(clone: Path) -> None:
    """By rsync, cp -r or from an archive: no .snakemake, no scratch, and file times in any order."""
    shutil.rmtree(clone / "demo/.snakemake")
    results, order = clone / "demo/results", random.Random(12)
    for path in results.rglob("*"):
        os.utime(path, (when := order.randint(1_500_000_000, 1_700_000_000), when))
    before = expensive(results)
    assert len(before) > 150
    targets = ("results/statistics/dice_summary.tsv", "results/metrics/second-reading.tsv")
    done = snake.run(*snake.DEMO, "--cores", "2", *targets, repository=clone)
    jobs = snake.planned(done)
    assert jobs.items() >= {"train": 9, "predict": 10, "metrics": 12, "second_readings": 1}.items(), (
        "by file times, all of it would run"
    )
    assert expensive(results) == before
    assert "epoch" not in done.stdout
    assert plan(clone, *targets) == {}, "from now on Snakemake remembers"


def test_a_copy_without_snakemakes_memory_does_not_hide_a_changed_setting(clone: Path) -> None:
    shutil.rmtree(clone / "demo/.snakemake")
    set_in_demo(clone, "initial_learning_rate: 0.01", "initial_learning_rate: 0.02")
    refused = snake.run(*snake.DEMO, "-n", repository=clone)
    assert refused.returncode == 1
    assert "nnunet" in refused.stdout
    assert "--forceall" in refused.stdout
    assert plan(clone, "--forceall", "results/statistics/dice_summary.tsv")["train"] == 9


def lose(clone: Path, lost: str) -> None:
    """Remove the first of some results of the demo."""
    min((clone / "demo/results").glob(lost)).unlink()


def test_lost_label_maps_and_weights_are_noticed(clone: Path) -> None:
    lose(clone, "predictions/unet/seed-1/*.nii.gz")
    lose(clone, "models/blast-ct/seed-1/fold-all/final.pth")
    jobs = plan(clone)
    assert jobs.items() >= {"train": 1, "predict": 2, "metrics": 2}.items()
    assert jobs.keys().isdisjoint({"ingest", "split", "prepare"})


def test_a_lost_volume_is_noticed(clone: Path) -> None:
    lose(clone, "data/*/labels.nii.gz")
    assert plan(clone, "results/cohort/cohort.tsv")["ingest"] == 1


UPSTREAM = ("ingest", "cohort", "split", "prepare", "train", "predict")
FIXED = (
    "study.name",
    "figures.agreement_model",
    "figures.cases.select_by",
    "analysis_plan",
    "reviews.results",
    "blinded.ratings",
    "blinded.key",
    "models.stand-in.folder",
)
"""Settings whose other value can't be made up: the folder is refused; a model, a file, a folder."""


def changed_in_demo(clone: Path, effect: str) -> list[str]:
    """Change every setting of one effect in the demo's configuration; their keys."""
    config = configuration.load(clone / "config/demo.yaml")
    changed = [
        (key, value, schema)
        for key, value, schema in configuration.leaves(config)
        if schema["x-effect"] == effect and "const" not in schema and key not in FIXED
    ]
    for key, value, schema in changed:
        block: dict[str, Any] = config
        *above, last = key.split(".")
        for name in above:
            block = block[name]
        block[last] = another(value, schema)
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
    (clone / "config/demo.yaml").write_text(text, encoding="utf-8")
    return [key for key, _, _ in changed]


def another(value: Any, setting: Mapping[str, Any]) -> Any:
    """Another value that the schema of a setting allows."""
    if "enum" in setting:
        return next(choice for choice in setting["enum"] if choice != value)
    if isinstance(value, bool) or "boolean" in setting.get("type", ""):
        return not value
    if isinstance(value, list):
        return value[::-1]
    if isinstance(value, str) and value.startswith("#"):
        return f"#{int(value[1:], 16) ^ 1:06X}"
    if value == "all":  # cases of the page
        return "none"
    if isinstance(value, str):
        return f"{value} changed".strip()
    most = setting.get("maximum", setting.get("exclusiveMaximum", math.inf))
    return 2 if value is None else value + 1 if value + 1 < most else value / 2


def test_settings_of_print_train_and_predict_nothing_again(clone: Path) -> None:
    changed = changed_in_demo(clone, "print")
    assert {"study.note", "metrics.lesion_connectivity", "models.unet.title"} <= set(changed)
    jobs = plan(clone)
    assert {"metrics", "table1", "bland_altman", "model_cards"} <= jobs.keys()
    assert jobs.keys().isdisjoint(UPSTREAM)


def test_settings_of_inference_train_nothing_again(clone: Path) -> None:
    changed = changed_in_demo(clone, "inference")
    assert {"nnunet.test_time_mirroring", "monai.tile_overlap", "models.nnunet-2d-3d.members"} <= set(changed)
    jobs = plan(clone)
    assert jobs["predict"] == 10, "every model"
    assert jobs.keys().isdisjoint({"ingest", "cohort", "split", "prepare", "train"})


def test_a_setting_of_training_prepares_nothing_again(clone: Path) -> None:
    set_in_demo(clone, "initial_learning_rate: 0.01", "initial_learning_rate: 0.02")
    jobs = plan(clone)
    assert jobs["train"] == 6, "the networks of nnU-Net"
    assert "prepare" not in jobs


def test_a_budget_trains_every_network_again(clone: Path) -> None:
    set_in_demo(clone, "\nmonai:\n", "\ntraining: {budget: {steps: 100}}\n\nmonai:\n")
    jobs = plan(clone)
    assert (jobs["train"], jobs["predict"]) == (9, 10)
    assert jobs.keys().isdisjoint({"ingest", "cohort", "split", "prepare"})


def test_a_lost_prediction_is_made_again_once(clone: Path) -> None:
    results = clone / "demo/results"
    manifest = (results / "predictions/unet/seed-1.tsv").read_text()
    lost = min((results / "predictions/unet/seed-1").glob("*.nii.gz"))
    before = lost.read_bytes()
    lost.unlink()
    target = "results/metrics/unet.tsv"
    done = snake.run(*snake.DEMO, "--cores", "1", target, repository=clone)
    assert done.returncode == 0, done.stdout
    assert lost.read_bytes() == before
    assert "-- train " not in done.stdout
    assert plan(clone, target) == {}, "noticed once, not for ever"
    columns = manifest.splitlines()[0]
    assert (results / "predictions/unet/seed-1.tsv").read_text().splitlines()[0] == columns


def test_a_run_that_was_killed_whole_goes_on(clone: Path) -> None:
    table = clone / "demo/results/tables/table1.tsv"
    before = table.read_bytes()
    table.unlink()
    lock = clone / "demo/.snakemake/locks/0.output.lock"  # what a kill -9 of Snakemake leaves behind
    lock.parent.mkdir()
    lock.write_text("results/tables/table1.tsv\n")
    assert "locked" in snake.run(*snake.DEMO, "--cores", "1", repository=clone).stdout
    run = snake.make_demo(clone)
    assert run.returncode == 0, run.stdout + run.stderr
    assert table.read_bytes() == before


def test_an_ingest_edit_that_leaves_the_bytes_equal_trains_nothing(clone: Path, demo: Path) -> None:
    shutil.copytree(demo / "work/training/unet", clone / "demo/work/training/unet")
    source = clone / "workflow/scripts/headct/cohort/ingest.py"
    source.write_text(source.read_text(encoding="utf-8") + "\nUNUSED = 1\n")
    target = "results/models/unet/seed-1/fold-all/train.json"
    record = clone / "demo" / target
    before = json.loads(record.read_text())
    done = snake.run(*snake.DEMO, "--cores", "2", target, repository=clone)
    assert snake.planned(done)["ingest"] > 1
    assert "train.json: done before" in done.stdout
    assert json.loads(record.read_text()) == before
