"""The demo's page of results for all who use it, in each of its states; and the blinded page of the demo."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from headct.command_line import run_step
from headct.contracts.repository import REPOSITORY
from support import accessibility, snake
from support.browser import VIEWS
from support.viewer_page import LONGEST_MS

INDEX = "results/report/index.html"
SHOWN = "document.addEventListener('case-shown', ({detail}) => { window.shown = detail.scan; })"


def opened(page: Page, file: Path, width: int, scheme: Any) -> Page:
    page.set_default_timeout(LONGEST_MS)
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.add_init_script(SHOWN)
    page.goto(file.as_uri())
    return page


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_everybody_can_use_the_page_whatever_is_open(demo: Path, page: Page, width: int, scheme: Any) -> None:
    opened(page, demo / INDEX, width, scheme)
    page.wait_for_selector("#explorer canvas")
    page.locator("#leader-board data.from").first.click()
    page.get_by_label("Dice, from").first.fill("0.7")
    assert accessibility.grave_faults(page) == []
    page.locator("#figures [data-beside]").first.click()
    page.locator("#figures .zoom").first.click()
    assert accessibility.grave_faults(page, "dialog") == []
    page.keyboard.press("Escape")
    page.locator("#case [data-open-case]").first.click()
    page.wait_for_function("window.shown")
    page.get_by_role("button", name="Two pictures").click()
    page.get_by_text("How to use the viewer").click()
    page.locator("#viewer data.from").first.click()
    assert accessibility.grave_faults(page, "#case") == []
    page.locator("#viewer").get_by_text("Difference", exact=True).click()
    page.get_by_label("Your name").fill("R")
    page.evaluate("window.shown = ''")
    page.get_by_role("button", name="Start reviewing").click()
    page.wait_for_function("window.shown")
    page.keyboard.press("f")
    page.keyboard.type("motion")
    page.keyboard.press("Enter")
    assert page.get_by_role("table").filter(has_text="motion").is_visible()
    assert accessibility.grave_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_report_of_snakemake_shows_it(demo: Path, page: Page, tmp_path: Path) -> None:
    """As a folder: in one file it is larger than Chromium takes."""
    done = snake.in_demo("--report", tmp_path / "report.zip")
    assert done.returncode == 0, done.stdout
    shutil.unpack_archive(tmp_path / "report.zip", tmp_path)
    opened(page, tmp_path / "report/report.html", 1280, "light")
    page.get_by_text("Page", exact=True).click()
    page.locator("table a").first.click()
    shown = page.frame_locator("iframe")
    shown.get_by_role("heading", name="Read this first").wait_for()
    shown.locator("#explorer canvas").first.wait_for()


@pytest.fixture(scope="module")
def blinded(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page on which maps of two of the demo's models are judged."""
    folder = tmp_path_factory.mktemp("blinded")
    models = ["--models", "unet", "nnunet-2d", "--cases", "2"]
    study = ["--configfile", str(REPOSITORY / "config/demo.yaml"), "--directory", str(demo)]
    run_step(
        "review", ["blind", *models, "--out", str(folder / "page"), "--key", str(folder / "key"), *study]
    )
    return folder / "page/index.html"


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_everybody_can_judge_blindly(blinded: Path, page: Page, width: int, scheme: Any) -> None:
    opened(page, blinded, width, scheme)
    page.wait_for_function("window.shown")
    page.get_by_label("Map A").first.click()  # without a name: the page says so
    assert accessibility.grave_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
