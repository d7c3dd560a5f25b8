"""Blinded rating in a real browser: judged, downloaded, unblinded by the key; the page tells no name."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from headct.command_line import run_step
from headct.contracts.artefacts import read_tsv, write_tsv
from headct.settings import analysis_plan
from headct.settings.ratings import REFERENCE, read_key
from support.blinded_page import MODELS, SCANS, blind, leaks
from support.planned_cases import cohort

SHOWN = "document.addEventListener('case-shown', ({detail}) => { window.shown = detail.scan; })"


def test_maps_are_judged_without_a_name_and_counted_by_the_key(page: Page, tmp_path: Path) -> None:
    page.set_default_timeout(200_000)
    out, key = blind(tmp_path)
    of_letters = read_key(key)
    page.add_init_script(SHOWN)
    page.goto((out / "index.html").as_uri())
    page.get_by_label("Map A").first.click()
    assert page.get_by_text("Write your name").is_visible()
    page.get_by_label("Your name").fill("R")
    page.get_by_label("Your name").press("Tab")
    for case in of_letters.scan_of:
        page.wait_for_function("name => window.shown === name", arg=case)
        assert leaks(page.content()) == set()
        letters = {model: letter for (name, letter), model in of_letters.model_of.items() if name == case}
        accept, best = page.get_by_role("group").filter(has=page.locator("input")).all()[:2]
        accept.get_by_label(f"Map {letters[REFERENCE]}").check()
        best.get_by_label(f"Map {letters[MODELS[0]]}").check()
        if page.get_by_role("button", name="Next case").is_enabled():
            page.get_by_role("button", name="Next case").click()
    assert page.get_by_text("3 of 3 judged").is_visible()
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download ratings").click()
    downloading.value.save_as(tmp_path / "ratings.tsv")
    table = cohort(len(SCANS))[0]
    write_tsv(table.assign(scan_id=[*SCANS, *table["scan_id"][len(SCANS) :]]), tmp_path / "cohort.tsv")
    options = ["--ratings", str(tmp_path / "ratings.tsv"), "--key", str(key)]
    options += ["--plan", str(analysis_plan.SHIPPED), "--cohort", str(tmp_path / "cohort.tsv")]
    run_step("blinded-analysis", [*options, "--out", str(tmp_path / "out")])
    found = read_tsv(tmp_path / "out/blinded.tsv").set_index(["question", "model"])["share"]
    assert found["accepted"].to_dict() == {REFERENCE: 1, "blast-ct": 0, "unet": 0}
    assert found["best"].to_dict() == {REFERENCE: 0, "blast-ct": 0, "unet": 1}


def test_a_rating_in_one_tab_is_told_in_the_other_at_once(page: Page, tmp_path: Path) -> None:
    page.set_default_timeout(200_000)
    out, key = blind(tmp_path)
    first = next(iter(read_key(key).scan_of))
    other = page.context.new_page()
    for tab in (page, other):
        tab.set_default_timeout(200_000)
        tab.add_init_script(SHOWN)
        tab.goto((out / "index.html").as_uri())
        tab.wait_for_function("name => window.shown === name", arg=first)
        tab.get_by_label("Your name").fill("R")
        tab.get_by_label("Your name").press("Tab")
    accept, best = page.get_by_role("group").filter(has=page.locator("input")).all()[:2]
    accept.get_by_label("Map B").check()
    best.get_by_label("Map C").check()
    expect(other.get_by_text("1 of 3 judged")).to_be_visible()
    checked = "[...document.querySelectorAll('#rating :checked')].map(({value}) => value)"
    assert other.evaluate(checked) == ["B", "C"]


def test_who_goes_on_by_keyboard_stays_with_the_questions(page: Page, tmp_path: Path) -> None:
    page.set_default_timeout(200_000)
    out, key = blind(tmp_path)
    first, second, *_ = read_key(key).scan_of
    page.add_init_script(SHOWN)
    page.goto((out / "index.html").as_uri())
    page.wait_for_function("name => window.shown === name", arg=first)
    following = page.get_by_role("button", name="Next case")
    following.press("Enter")
    page.wait_for_function("name => window.shown === name", arg=second)
    expect(following).to_be_focused()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.closest('fieldset').textContent").startswith(
        "Which is the best"
    )
