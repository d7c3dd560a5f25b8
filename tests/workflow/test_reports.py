"""What the demo says of itself: its crate by the public validator, its reports against its own tables."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from headct.contracts.artefacts import read_tsv
from headct.publish.printed_numbers import number
from headct.publish.reports.facts import SOFTWARE
from support import crate_validator, snake
from support.html_page import Page
from support.label_sets import LABELS

MODELS = yaml.safe_load((snake.REPOSITORY / "config/demo.yaml").read_text(encoding="utf-8"))["models"]
PAGES = ("checklists", *(f"models/{model}" for model in MODELS))


def test_the_crate_is_a_workflow_run_crate(demo: Path, tmp_path: Path) -> None:
    crate_validator.fill_cache(tmp_path / "cache")
    found = crate_validator.issues(demo / "results", tmp_path / "cache", "workflow-run-crate-0.5")
    assert found == []


@pytest.mark.parametrize("name", PAGES)
def test_every_link_of_a_report_leads_somewhere(demo: Path, name: str) -> None:
    page = demo / f"results/report/{name}.html"
    links = Page(page.read_text(encoding="utf-8")).links
    assert links
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("model", MODELS)
def test_a_card_holds_the_dice_of_its_model(demo: Path, model: str) -> None:
    text = Page((demo / f"results/report/models/{model}.html").read_text(encoding="utf-8")).text
    rows = read_tsv(demo / "results/tables/table1.tsv")
    rows = rows[(rows["model"] == model) & rows["label"].isin(list(LABELS))]
    assert [value for value in rows["mean"] if number(value, 3) not in text] == []


def test_the_methods_state_counts_and_versions(demo: Path) -> None:
    text = (demo / "results/audit/methods.md").read_text(encoding="utf-8")
    assert (
        "The training set has 24 scans of 24 participants, the test set 12 scans of 12 participants." in text
    )
    assert "The data are simulated" in text
    assert [name for name in ("headct", "Snakemake", "Python", *SOFTWARE) if f"{name} " not in text] == []
