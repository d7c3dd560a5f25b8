"""A review in a real browser: by keyboard, kept in the browser, downloaded, imported, and counted."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page, expect

from headct.command_line import run_step
from headct.contracts.artefacts import read_tsv, write_json, write_tsv
from headct.contracts.repository import REPOSITORY
from headct.settings import analysis_plan, reviews
from support.label_sets import GIVEN
from support.planned_cases import MODELS, cohort
from support.review_page import DICE, make_page
from support.reviews import EVIDENCE, make_study, review, score
from support.simulated_scores import simulated
from support.study_files import make_sheet

WORST_FIRST = ["001", "002", "003", "000"]
NODE = shutil.which("node")


def under_review(page: Page) -> str:
    return page.locator(".review-bar strong").inner_text()


def start(page: Page, name: str) -> None:
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Start reviewing").click()


def press(page: Page, key: str) -> None:
    """Press a key once the case under review is in sight."""
    expect(page.get_by_role("button", name="K Keep")).to_have_attribute("aria-disabled", "false")
    page.keyboard.press(key)


def download(page: Page, to: Path) -> Path:
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download decisions").click()
    downloading.value.save_as(to)
    return to


def test_a_review_by_keyboard_is_kept_downloaded_imported_and_counted(page: Page, tmp_path: Path) -> None:
    page.goto(make_page(tmp_path / "page"))
    page.get_by_role("button", name="Start reviewing").click()
    assert page.get_by_text("Write your name").is_visible()
    page.keyboard.press("x")
    assert page.get_by_text("No decision yet.").is_visible(), "keys do nothing outside of a review"
    start(page, "A. Reader; MD")
    seen = [under_review(page)]
    page.locator("canvas").focus()
    press(page, "k")
    seen.append(under_review(page))
    press(page, "r")
    assert "Say why" in page.locator(".review-status").inner_text()
    page.keyboard.type('=mask, says "k"\t', delay=0)
    page.get_by_label("Reason").press("Enter")
    seen.append(under_review(page))
    page.keyboard.press("w")
    page.keyboard.type("moved")
    page.keyboard.press("Escape")
    press(page, "x")
    seen.append(under_review(page))
    assert seen == WORST_FIRST
    assert page.get_by_text("case 4 of 4, 3 decided").is_visible()
    page.keyboard.press("p")
    assert under_review(page) == WORST_FIRST[2]
    assert page.locator(".review-buttons [aria-pressed=true]").inner_text().startswith("X Exclude")
    page.keyboard.press("Control+k")
    assert page.locator(".review-buttons [aria-pressed=true]").inner_text().startswith("X Exclude")
    press(page, "k")
    page.keyboard.press("p")
    assert page.get_by_label("Reason").input_value() == "", "the reason was that of the exclusion"
    page.keyboard.press("w")
    page.keyboard.type("moved")
    page.keyboard.press("Escape")
    press(page, "x")

    page.reload()
    start(page, "A. Reader; MD")
    assert under_review(page) == WORST_FIRST[3], "what was decided is still there"
    press(page, "f")
    page.get_by_label("Reason").fill("lacks a reason no more")
    page.get_by_role("button", name="Stop reviewing").first.click()
    start(page, "B")
    press(page, "k")
    file = download(page, tmp_path / "reviews.tsv")

    make_sheet(tmp_path, *({"scan_id": scan} for scan in DICE))
    study = make_study(tmp_path, list(DICE))
    score(tmp_path)
    run_step("review", ["import", str(file), *study])
    imported = tmp_path / "reviews/results.tsv"
    more = {"order": "worst", "evidence": EVIDENCE, "date": reviews.load(imported)[0].date}
    a = "A. Reader, MD"
    assert set(reviews.load(imported)) == {
        review(a, "001", **more),
        review(a, "002", "redraw", reason='=mask, says "k"', **more),
        review(a, "003", "exclude", reason="moved", **more),
        review(a, "000", "flag", reason="lacks a reason no more", **more),
        review("B", "001", **more),
    }
    out = analysed(tmp_path, imported, len(DICE))
    counts = read_tsv(out / "review.tsv").set_index("reviewer")
    assert counts.loc[a, ["scans", "of_these_results", *reviews.DECISIONS]].tolist() == [4, 4, 1, 1, 1, 1]
    assert read_tsv(out / "review_agreement.tsv")["n"].tolist() == [1, 1]
    assert (read_tsv(out / "review_sensitivity.tsv")["status"] == "post hoc").sum() == 4


def analysed(folder: Path, imported: Path, n: int) -> Path:
    """The tables of reviews, beside made-up measures."""
    metrics = simulated(MODELS, n_scans=n)
    for model, rows in metrics.groupby("model"):
        write_tsv(rows, folder / "metrics" / f"{model}.tsv")
    for name, table in zip(("cohort", "split"), cohort(n), strict=True):
        write_tsv(table, folder / f"{name}.tsv")
    write_json({"sha256": EVIDENCE, "files": {}}, folder / "evidence.json")
    options = ["--reviewed", str(imported), *GIVEN, "--plan", str(analysis_plan.SHIPPED), "--models", *MODELS]
    options += ["--metrics", *map(str, sorted((folder / "metrics").iterdir()))]
    options += ["--cohort", str(folder / "cohort.tsv"), "--split", str(folder / "split.tsv")]
    options += ["--evidence", str(folder / "evidence.json"), "--out", str(folder / "out")]
    run_step("review-analysis", options)
    return folder / "out"


def test_orders_are_chosen_and_another_opened_case_is_under_review(page: Page, tmp_path: Path) -> None:
    page.goto(make_page(tmp_path / "page"))
    page.evaluate(
        "window.asked = []; document.addEventListener('open-case', ({detail}) => asked.push(detail))"
    )
    start(page, "A")
    page.get_by_label("Order").select_option("disputed by Dice")
    assert under_review(page) == "002"
    page.get_by_label("Order").select_option("best")
    page.get_by_label("Ranked by").select_option("two")
    assert under_review(page) == "000"
    page.get_by_label("Order").select_option("random")
    page.get_by_label("Seed").fill("7")
    page.get_by_label("Seed").press("Enter")
    assert not page.get_by_label("Ranked by").is_visible()
    first = under_review(page)
    other = next(scan for scan in DICE if scan != first)
    # Else the case that was asked for may be shown after the other one.
    expect(page.locator(".review-bar [aria-disabled]").first).to_have_attribute("aria-disabled", "false")
    page.evaluate("scan => document.dispatchEvent(new CustomEvent('case-shown', {detail: {scan}}))", other)
    assert under_review(page) == other
    asked = page.evaluate("asked")
    assert {"scan": "001"} in asked
    assert {"scan": "000", "model": "two"} in asked


def test_no_decision_is_taken_on_a_case_that_is_not_in_sight(page: Page, tmp_path: Path) -> None:
    address = make_page(tmp_path / "page")
    (tmp_path / "page/cases/scans/003.js").write_text("// cut off")
    page.goto(address)
    start(page, "A")
    press(page, "Shift")
    page.keyboard.down("k")
    press(page, "Shift")
    page.keyboard.down("k")
    page.keyboard.up("k")
    assert under_review(page) == "002", "a key that is held down decides once"
    press(page, "k")
    expect(page.get_by_role("alert").filter(has_text="003 can't be shown")).to_be_visible()
    assert not page.locator("#viewer canvas").is_visible()
    page.keyboard.press("k")
    assert "not in sight" in page.locator(".review-status").inner_text()
    page.keyboard.press("n")
    page.get_by_label("Reason").fill("of A alone")
    press(page, "Shift")
    page.get_by_role("button", name="X Exclude").click()
    page.get_by_label("Your name").fill("")
    page.get_by_label("Your name").press("Tab")
    assert page.get_by_label("Reason").input_value() == ""
    page.keyboard.press("k")
    assert "without a name" in page.locator(".review-status").inner_text()
    kept = json.loads(page.evaluate("key => localStorage.getItem(key)", f"headct-review:{EVIDENCE}"))
    assert {name: sorted(own) for name, own in kept.items()} == {"A": ["000", "001", "002"]}


def test_the_bar_is_about_the_case_in_sight_whatever_the_order(page: Page, tmp_path: Path) -> None:
    page.goto(make_page(tmp_path / "page"))
    start(page, "A")
    for _ in DICE:
        press(page, "k")
    assert under_review(page) == WORST_FIRST[-1]
    page.get_by_label("Order").select_option("disputed by Dice")
    assert under_review(page) == WORST_FIRST[-1]
    assert "every case" in page.locator(".review-status").inner_text()


def test_two_tabs_keep_all_decisions_and_a_full_browser_is_told_of(page: Page, tmp_path: Path) -> None:
    address = make_page(tmp_path / "page")
    other = page.context.new_page()
    for tab, name in ((page, "A"), (other, "B")):
        tab.goto(address)
        start(tab, name)
        press(tab, "k")
    press(page, "k")
    kept = json.loads(page.evaluate("key => localStorage.getItem(key)", f"headct-review:{EVIDENCE}"))
    assert {name: sorted(own) for name, own in kept.items()} == {"A": ["001", "002"], "B": ["001"]}
    page.evaluate("() => { Storage.prototype.setItem = () => { throw new Error('full'); }; }")
    press(page, "k")
    assert "keeps nothing" in page.locator(".review-status").inner_text()


def test_a_decision_in_one_tab_is_told_in_the_other_at_once(page: Page, tmp_path: Path) -> None:
    """By the event of what the browser keeps; a reason that is being written there stays."""
    address = make_page(tmp_path / "page")
    other = page.context.new_page()
    for tab in (page, other):
        tab.goto(address)
        start(tab, "A")
        expect(tab.get_by_role("button", name="K Keep")).to_have_attribute("aria-disabled", "false")
    other.keyboard.press("w")
    other.keyboard.type("half a rea")
    page.get_by_role("button", name="F Flag").click()
    page.get_by_label("Reason").fill("moved")
    page.get_by_label("Reason").press("Enter")
    press(page, "k")
    expect(other.get_by_text("case 1 of 4, 2 decided")).to_be_visible()
    expect(other.get_by_role("button", name="F Flag")).to_have_attribute("aria-pressed", "true")
    assert other.locator(".review-table tbody tr").all_inner_texts() == [
        row.inner_text() for row in page.locator(".review-table tbody tr").all()
    ]
    assert other.get_by_label("Reason").input_value() == "half a rea"
    page.evaluate("localStorage.clear()")
    expect(other.get_by_text("No decision yet.")).to_be_visible()


def test_in_a_low_window_the_bar_leaves_most_of_it_to_the_pictures(page: Page, tmp_path: Path) -> None:
    page.set_viewport_size({"width": 640, "height": 450})
    page.goto(make_page(tmp_path / "page"))
    start(page, "A")
    bar = page.locator(".review-bar")
    assert bar.evaluate("bar => bar.offsetHeight / innerHeight") <= 0.4
    assert bar.evaluate("bar => bar.scrollHeight <= bar.clientHeight"), "nothing of it is out of sight"


def test_without_cases_the_page_says_so(page: Page, tmp_path: Path) -> None:
    page.goto(make_page(tmp_path / "page", cases=()))
    assert "no case to review" in page.locator("#review").inner_text()


@pytest.mark.skipif(NODE is None, reason="no node")
@settings(max_examples=5, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"])), min_size=50, max_size=200))
def test_the_workflow_reads_every_text_that_the_page_writes(texts: list[str]) -> None:
    """Also what begins as a formula, or as a number does, or holds quotation marks."""
    begun = [f"{start}{text}" for start in ("", "=", "-", " '+", "-1", '"') for text in texts]
    script = (
        f"import {{ inOneLine, tsv }} from {json.dumps((REPOSITORY / 'workflow/page/src/tsv.ts').as_uri())};"
        f"const texts = {json.dumps(begun)}.map(inOneLine);"
        "const rows = texts.map((text) => ({ text, end: '.' }));"
        "console.log(JSON.stringify([texts, tsv(['text', 'end'], rows)]));"
    )
    done = subprocess.run(
        [str(NODE), "--input-type=module", "-e", script], capture_output=True, text=True, check=True
    )
    expected, written = json.loads(done.stdout)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "table.tsv")
        path.write_text(written, encoding="utf-8", newline="")
        assert read_tsv(path, text=str)["text"].fillna("").tolist() == expected
