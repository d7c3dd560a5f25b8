"""The smallest whole comparison: two models of the demo, ten scans, a few seconds of training each."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from support import snake
from support.study_files import plan_about

MODELS = ("unet", "blast-ct")
GPUS = {"train": 1, "predict": 2}  # asked for and checked; the networks themselves stay on the CPU


def configuration() -> dict[str, Any]:
    """The demo's configuration, made smaller; it stands alone."""
    config: dict[str, Any] = yaml.safe_load((snake.REPOSITORY / "config/demo.yaml").read_text())
    config["study"]["name"] = "simulated-miniature"
    config["models"] = {model: config["models"][model] for model in MODELS}
    config["figures"] = {
        "agreement_model": MODELS[0],
        "cases": {"select_by": MODELS[0], "show": list(MODELS)},
    }
    config["monai"] |= {"epochs": 4, "iterations_per_epoch": 6, "checkpoint_interval_minutes": 0}
    config["blastct"] |= {"epochs": 4, "images_per_epoch": 8, "checkpoint_interval_minutes": 0}
    config["resources"]["ingest"]["jobs"] = 2
    for rule, gpus in GPUS.items():
        config["resources"][rule]["gpu"] = gpus
    config["resources"]["mem_mb_cap"] = 3000
    config["phantom"] |= {"participants": 10, "incomplete_participants": 1}
    config["split"] |= {"ich_volume_groups": 1, "folds": 2}
    return config


def models() -> list[str]:
    """The files that stand for all trained models."""
    return [f"results/models/{model}/seed-1/fold-all/train.json" for model in MODELS]


def write(folder: Path, changes: dict[str, dict[str, Any]] | None = None) -> Path:
    """Write the configuration into ``folder``, with some keys of some blocks changed; its path."""
    config = configuration()
    for block, change in (changes or {}).items():
        config[block] |= change
    folder.mkdir(parents=True, exist_ok=True)
    config["analysis_plan"] = str(plan_about(folder, *MODELS))
    path = folder / "miniature.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
    return path


def predictions() -> list[str]:
    """The manifests of all predictions."""
    return [f"results/predictions/{model}/seed-1.tsv" for model in MODELS]


def simulate(folder: Path, changes: dict[str, dict[str, Any]] | None = None) -> Path:
    """Write the configuration and the trial that it describes into ``folder``; the former's path."""
    configfile = write(folder, changes)
    words = ["-m", "headct", "simulate", "--configfile", str(configfile), "--out", str(folder / "trial")]
    environment = os.environ | {"PYTHONPATH": str(snake.REPOSITORY / "workflow/scripts")}
    subprocess.run([sys.executable, *words], check=True, capture_output=True, env=environment)
    return configfile


def run_locally(folder: Path, changes: dict[str, dict[str, Any]] | None = None, *targets: str) -> None:
    """The comparison in ``folder``, or some files of it, undisturbed and without a cluster."""
    configfile = simulate(folder, changes)
    run = snake.run(*targets, "--directory", folder, "--configfile", configfile, "--cores", "2")
    assert run.returncode == 0, run.stdout[-4000:]


def ready_to_train(local: Path, folder: Path, **changes: Any) -> Path:
    """A study of which all but the models is made already, as in ``local``; its configuration's path."""
    for kept in ("trial", "results/data", "results/cohort", "results/models/preparation", "work"):
        shutil.copytree(local / kept, folder / kept, ignore=shutil.ignore_patterns("training"))
    return write(folder, changes)
