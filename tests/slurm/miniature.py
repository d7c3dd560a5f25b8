"""The smallest whole comparison: two models of the demo, ten scans, a few seconds of training each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import snake
import yaml

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
    for rule, gpus in GPUS.items():
        config["resources"][rule]["gpu"] = gpus
    config["phantom"] |= {"participants": 10, "incomplete_participants": 1}
    config["split"] |= {"ich_volume_groups": 1, "folds": 2}
    return config


def write(folder: Path, changes: dict[str, Any] | None = None) -> Path:
    """Write the configuration into ``folder``, with some blocks changed; its path."""
    config = configuration()
    for block, change in (changes or {}).items():
        config[block] |= change
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "miniature.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
    return path
