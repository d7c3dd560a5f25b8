"""What a user writes into the configuration is printed as it is, and what may be empty may stay empty."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from support import snake

TITLE = "-U-Net {draft} [*( $5"


@pytest.fixture
def study(demo: Path, tmp_path: Path) -> Path:
    """A copy of the finished demo."""
    for name in ("trial", "results", "work", ".snakemake/metadata"):
        shutil.copytree(demo / name, tmp_path / "demo" / name)
    return tmp_path / "demo"


def test_empty_defaults_and_odd_titles_reach_every_table_figure_and_report(study: Path) -> None:
    shipped = yaml.safe_load((snake.REPOSITORY / "config/config.yaml").read_text(encoding="utf-8"))
    assert shipped["study"]["note"] == "", "the default of a real study"
    config = yaml.safe_load((snake.REPOSITORY / "config/demo.yaml").read_text(encoding="utf-8"))
    del config["study"]["note"], config["reporting"]
    config["models"]["unet"]["title"] = TITLE
    changed = study.parent / "plain.yaml"
    changed.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    targets = ("tables", "figures", "reports", "results/tables/planned_comparison.html")
    done = snake.run(*targets, "--cores", "2", "--directory", study, "--configfile", changed)
    assert done.returncode == 0, done.stdout
    assert "rule train:" not in done.stdout
    for page in ("tables/table1.html", "tables/table_e1.html", "report/models/unet.html", "audit/methods.md"):
        text = (study / "results" / page).read_text(encoding="utf-8")
        assert TITLE in text.replace("\\", ""), page  # Markdown escapes the brackets
        assert "()" not in text, page
