"""What a user writes into the configuration is printed as it is, and what may be empty may stay empty."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from support import seeded, snake

TITLE = "-U-Net {draft} [*( $5"


@pytest.fixture
def study(demo: Path, tmp_path: Path) -> Path:
    """A copy of the finished demo."""
    seeded.demo_without(demo, tmp_path / "demo")
    return tmp_path / "demo"


FIGURES = ("bland_altman", "dice_box_violin", "dunn_heatmap", "training_curves/unet")
"""One with a single title, with titles along an axis, in a matrix, and of each model."""


@pytest.mark.parametrize(
    "figures",
    [
        pytest.param([f"results/figures/{name}.pdf" for name in FIGURES], id="some"),
        pytest.param(["figures"], marks=pytest.mark.slow, id="all"),
    ],
)
def test_empty_defaults_and_odd_titles_reach_every_table_figure_and_report(
    study: Path, figures: list[str]
) -> None:
    shipped = yaml.safe_load((snake.REPOSITORY / "config/config.yaml").read_text(encoding="utf-8"))
    assert shipped["study"]["note"] == "", "the default of a real study"
    config = yaml.safe_load((snake.REPOSITORY / "config/demo.yaml").read_text(encoding="utf-8"))
    del config["study"]["note"], config["reporting"]
    config["models"]["unet"]["title"] = TITLE
    changed = study.parent / "plain.yaml"
    changed.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    targets = ("tables", "reports", *figures)
    done = snake.run(*targets, "--cores", "2", "--directory", study, "--configfile", changed)
    assert done.returncode == 0, done.stdout
    assert "rule train:" not in done.stdout
    for page in ("tables/table1.html", "tables/table_e1.html", "report/models/unet.html", "audit/methods.md"):
        text = (study / "results" / page).read_text(encoding="utf-8")
        assert TITLE in text.replace("\\", ""), page  # Markdown escapes the brackets
        assert "()" not in text, page
