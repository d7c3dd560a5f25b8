"""Parts of the finished demo made again: what is taken from a copy is what a run has to do."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

from support import miniature, snake

DEMO = snake.REPOSITORY / "config/demo.yaml"


def demo_without(demo: Path, folder: Path, *taken: str) -> None:
    """Copy the trial, the results and Snakemake's memory into ``folder``, but for some results.

    ``taken`` are patterns of paths below results/.
    """
    for name in ("trial", "results", ".snakemake/metadata"):
        shutil.copytree(demo / name, folder / name)
    for pattern in taken:
        found = list((folder / "results").glob(pattern))
        assert found, f"the demo has no results/{pattern}"
        for path in found:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def resources(**changes: dict[str, Any]) -> dict[str, Any]:
    """What the demo asks for on behalf of some rules, with these changes, and GPUs as in the miniature.

    The networks stay on the CPU.
    """
    asked = yaml.safe_load(DEMO.read_text(encoding="utf-8"))["resources"]
    gpus = {rule: {"gpu": number} for rule, number in miniature.GPUS.items()}
    return {rule: asked[rule] | change for rule, change in (gpus | changes).items()}


def configuration(folder: Path, **changes: dict[str, Any]) -> Path:
    """The demo's configuration with some keys of some blocks changed, written into ``folder``; its path."""
    config = yaml.safe_load(DEMO.read_text(encoding="utf-8"))
    for block, change in changes.items():
        config[block] |= change
    path = folder / "changed.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def ready_to_train(demo: Path, folder: Path, *models: str) -> Path:
    """A copy of the demo in which some models are to be trained anew, with a checkpoint after each iteration;
    its configuration's path.
    """
    demo_without(demo, folder, *(f"models/{model}" for model in models))
    for work in ("monai", "blastct"):
        shutil.copytree(demo / "work" / work, folder / "work" / work)
    at_once = {"checkpoint_interval_minutes": 0}
    return configuration(folder, resources=resources(), monai=at_once, blastct=at_once)
