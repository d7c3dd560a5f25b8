"""The explorer in a browser: sort, filter, mark, open a case; small studies, and one of full size."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from support import made_page

MODELS = ("unet", "3d", "nothing")
LESIONS = ("ICH", "IVH")
SCANS = [f"scan-{i:04d}" for i in range(1, 13)]
CASES = SCANS[:6]
OPENED = """document.addEventListener('open-case', (event) => {
    (window.opened ??= []).push(event.detail); event.stopImmediatePropagation(); }, true)"""
"""Write down which cases are asked for, and open none."""
PATIENCE_MS = 60_000
"""For a machine that others work on, too."""


def row(scan: str, model: int, lesion: int, reference: float, dice: float) -> dict[str, Any]:
    predicted = 0.0 if dice == 0 else reference * (0.5 + dice / 2)
    there, found = reference > 0, predicted > 0
    return {
        "scan": scan,
        "model": model,
        "lesion": lesion,
        "dice": dice,
        "reference_ml": reference,
        "predicted_ml": predicted,
        "volume_error_ml": predicted - reference,
        "hd95_mm": 20 * (1 - dice) if there and found else None,
        "presence": {(1, 1): "TP", (1, 0): "FN", (0, 1): "FP", (0, 0): "TN"}[there, found],
        "site": f"site {int(scan[-4:]) % 3}",
    }


def rows_of(scans: list[str], models: int = 3, lesions: int = 2) -> list[dict[str, Any]]:
    """Dice grows with the scan's number and differs between models; every third scan has no second lesion."""
    found = []
    for i, scan in enumerate(scans):
        for model in range(models):
            for lesion in range(lesions):
                reference = 0.0 if lesion == 1 and i % 3 == 0 else 2.0 + 5 * i
                dice = 1.0 if reference == 0 else round(0.3 + 0.6 * i / len(scans) + 0.05 * model, 4)
                found.append(row(scan, model, lesion, reference, 0.0 if model == 2 and reference else dice))
    return found


ROWS = rows_of(SCANS)

Open = Callable[..., Page]


@pytest.fixture
def opened(page: Page, tmp_path: Path) -> Open:
    """A function that opens an explorer of a study and its rows."""

    def open_it(rows: list[dict[str, Any]] = ROWS, models: Any = MODELS, lesions: Any = LESIONS) -> Page:
        page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        page.add_init_script(OPENED)
        study = made_page.study_of(models, lesions, CASES)
        (tmp_path / "cases").mkdir(exist_ok=True)
        (tmp_path / "cases/viewer.js").touch()  # it is loaded when the mouse comes near
        page.goto(made_page.write(tmp_path / "page.html", study, rows))
        return page

    return open_it


def cells(page: Page, heading: str) -> list[str]:
    """The cells of a column on the page of the table that is shown."""
    return page.locator(f"td[data-heading='{heading}']").all_inner_texts()


def heading(page: Page, title: str) -> Locator:
    return page.locator("table.rows thead th", has=page.get_by_role("button", name=title, exact=True))


def expect_count(page: Page, words: str) -> None:
    """Rows that are shown, as they are told."""
    expect(page.locator("#explorer output.count")).to_have_text(words)


def drag(page: Page, chart: str, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Mark a part of a chart, in shares of its canvas."""
    canvas = page.locator(f".chart[data-chart={chart}] canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=8)
    page.mouse.up()


def marked(page: Page) -> str:
    """What is said of the rows, once it follows from the last move of the mouse."""
    count, before = page.locator("#explorer output.count"), ""
    expect(count).to_contain_text("marked")
    while (said := count.inner_text()) != before:
        before = said
        page.wait_for_timeout(700)
    return said


def test_a_heading_sorts_up_and_down_and_says_so(opened: Open) -> None:
    page = opened()
    dice = [float(text) for text in cells(page, "Dice")]
    assert dice == sorted(dice)
    assert len(dice) == 24, "of the first lesion, without the trivial model"
    expect(heading(page, "Dice")).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("button", name="Dice", exact=True).press("Enter")
    assert [float(text) for text in cells(page, "Dice")] == sorted(dice, reverse=True)
    expect(heading(page, "Dice")).to_have_attribute("aria-sort", "descending")
    page.get_by_role("button", name="Scan", exact=True).press("Enter")
    names = page.locator("table.rows tbody th").all_inner_texts()
    assert names == sorted(names)
    expect(heading(page, "Dice")).to_have_attribute("aria-sort", "none")


def test_filters_decide_on_the_rows(opened: Open) -> None:
    page = opened()
    expect_count(page, "24 rows of 72")
    page.get_by_label("Model 3d", exact=True).uncheck()
    assert set(cells(page, "Model")) == {"Model unet"}
    page.get_by_role("combobox", name="Lesion", exact=True).select_option("IVH")
    assert set(cells(page, "Lesion")) == {"IVH"}
    page.get_by_role("combobox", name="The lesion is").select_option("in neither map")
    expect_count(page, "4 rows of 72")
    page.get_by_label("Name of scan or site has").fill("scan-0007")
    expect_count(page, "1 row of 72")
    page.get_by_label("Name of scan or site has").fill("no such")
    expect_count(page, "0 rows of 72")
    expect(page.locator(".chart[data-chart=dice] .none")).to_have_text(
        "No row is left by what is chosen above."
    )
    page.get_by_label("Name of scan or site has").fill("")
    page.get_by_role("combobox", name="The lesion is").select_option("any")
    page.get_by_role("button", name="All", exact=True).click()
    page.get_by_role("combobox", name="Lesion", exact=True).select_option("all")
    expect_count(page, "72 rows of 72")
    page.get_by_role("button", name="Next").click()
    expect(page.locator(".pages .place")).to_have_text("Page 2 of 3")


def test_the_table_stays_on_its_page_while_charts_are_drawn_anew(opened: Open) -> None:
    """Charts of other rows come later than their table; that nothing is marked in them is no news."""
    page = opened()
    page.get_by_role("combobox", name="Lesion", exact=True).select_option("all")
    expect_count(page, "48 rows of 72")
    page.evaluate("""() => {
        const buttons = [...document.querySelectorAll("button")];
        const byText = (text) => buttons.find((one) => one.textContent === text);
        byText("All").click();
        byText("Next").click();
    }""")
    page.wait_for_timeout(1000)
    expect(page.locator(".pages .place")).to_have_text("Page 2 of 3")


def test_marks_stay_when_the_system_turns_dark(opened: Open) -> None:
    page = opened()
    drag(page, "size", (0.15, 0.06), (0.97, 0.35))
    said = marked(page)
    dice = cells(page, "Dice")
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(1000)
    expect_count(page, said)
    assert cells(page, "Dice") == dice
    fields = page.locator(".chart[data-chart=size] .ranges input")
    assert all(fields.evaluate_all("fields => fields.map((field) => field.value)"))


def test_what_is_marked_in_charts_is_left_in_the_table(opened: Open) -> None:
    page = opened()
    drag(page, "size", (0.15, 0.06), (0.97, 0.35))  # from the top down to a Dice of about .62
    best = sorted(r["dice"] for r in ROWS if r["lesion"] == 0 and r["model"] < 2 and r["dice"] > 0.625)
    expect_count(page, f"24 rows of 72, {len(best)} marked")
    assert [float(text) for text in cells(page, "Dice")] == pytest.approx(best, abs=0.001)
    drag(page, "dice", (0.4, 0.1), (0.41, 0.5))  # where no point is
    expect_count(page, "24 rows of 72, 0 marked")
    page.get_by_role("button", name="Clear marks").click()
    expect_count(page, "24 rows of 72")
    assert page.get_by_role("button", name="Clear marks").is_hidden()


def field(page: Page, chart: str, name: str) -> Locator:
    return page.locator(f".chart[data-chart={chart}]").get_by_label(name, exact=True)


def test_ranges_in_numbers_are_the_same_marks(opened: Open) -> None:
    page = opened()
    drag(page, "size", (0.15, 0.06), (0.97, 0.35))
    said = marked(page)
    names = [f"{axis}, {end}" for axis in ("Dice", "Reference volume (mL)") for end in ("from", "to")]
    dragged = [field(page, "size", name).input_value() for name in names]
    dice = cells(page, "Dice")
    page.get_by_role("button", name="Clear marks").press("Enter")
    expect_count(page, "24 rows of 72")
    for name in names:  # told once the chart has let go of its marks
        expect(field(page, "size", name)).to_have_value("")
    for name, value in zip(names, dragged, strict=True):
        field(page, "size", name).press_sequentially(value)
    expect_count(page, said)
    assert cells(page, "Dice") == dice


def test_one_end_of_a_range_is_enough_and_both_ends_belong_to_it(opened: Open) -> None:
    page = opened()
    dice = sorted(r["dice"] for r in ROWS if r["lesion"] == 0 and r["model"] < 2)
    canvas = page.locator(".chart[data-chart=dice] canvas")
    unmarked = canvas.evaluate("canvas => canvas.toDataURL()")
    field(page, "dice", "Dice, from").press_sequentially(str(dice[-3]))
    expect_count(page, "24 rows of 72, 3 marked")
    assert canvas.evaluate("canvas => canvas.toDataURL()") != unmarked, "it is drawn as the mouse would"
    field(page, "dice", "Dice, to").press_sequentially(str(dice[-2]))
    expect_count(page, "24 rows of 72, 2 marked")
    field(page, "volumes", "Reference volume (mL), to").press_sequentially("0")
    expect_count(page, "24 rows of 72, 0 marked")
    field(page, "volumes", "Reference volume (mL), to").fill("")
    field(page, "dice", "Dice, from").fill("")
    expect_count(page, "24 rows of 72, 23 marked")
    field(page, "dice", "Dice, to").fill("")
    expect_count(page, "24 rows of 72")
    assert page.get_by_role("button", name="Clear marks").is_hidden()


def test_a_row_and_a_point_open_their_case(opened: Open) -> None:
    page = opened([row("scan-0001", 0, 0, 10.0, 0.5)], ("unet",), ("ICH",))
    page.get_by_role("button", name="Open scan-0001").press("Enter")
    wanted = {"scan": "scan-0001", "model": "unet", "lesion": "ICH"}
    assert page.evaluate("window.opened") == [wanted]
    canvas = page.locator(".chart[data-chart=volumes] canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box
    # The reference is the larger volume, so its point is at the right end; predicted is three quarters of it.
    places = [(x, y) for y in range(20, int(box["height"]) // 2, 3) for x in range(3, 15, 3)]
    for x, y in places:
        page.mouse.click(box["x"] + box["width"] - x, box["y"] + y)
    assert len(page.evaluate("window.opened")) > 1
    assert page.evaluate("window.opened.every((one) => one.scan === 'scan-0001')")


def test_a_scan_without_a_case_is_a_name(opened: Open) -> None:
    page = opened()
    for scan, there in (("scan-0001", 1), ("scan-0007", 0)):
        page.get_by_label("Name of scan or site has").fill(scan)
        expect(page.locator("table.rows tbody th")).to_have_text([scan, scan])
        assert page.locator("table.rows tbody th button").count() == 2 * there


def test_numbers_say_where_they_are_from(opened: Open) -> None:
    page = opened()
    numbers = page.locator("table.rows data.from")
    assert numbers.count() == 24 * 5
    for number in numbers.all()[:10]:
        where = json.loads(number.get_attribute("data-row") or "")
        model = (number.get_attribute("data-file") or "").removeprefix("metrics/").removesuffix(".tsv")
        lesion = LESIONS.index(where["label"])
        [same] = [
            r
            for r in ROWS
            if (r["scan"], r["model"], r["lesion"]) == (where["scan_id"], MODELS.index(model), lesion)
        ]
        value = same[number.get_attribute("data-column") or ""]
        assert float(number.get_attribute("value") or "") == value
        assert float(number.inner_text().replace("−", "-")) == pytest.approx(value, abs=0.051)


def test_failures_are_shown_as_such(opened: Open) -> None:
    failed = {**row("scan-0001", 0, 0, 10.0, 0.0), "failure": "out of memory"}
    page = opened([failed, *rows_of(SCANS, 1, 1)[1:]], ("unet",), ("ICH",))
    expect(page.locator(".chart[data-chart=volumes] .none")).to_have_text(
        "Not drawn: 1 of 12 rows, without a prediction."
    )
    expect(page.locator("#explorer .hint")).to_contain_text("Hollow")
    page.get_by_role("combobox", name="Scans", exact=True).select_option("without a prediction (failed)")
    assert cells(page, "Why no prediction") == ["out of memory"]


@pytest.mark.parametrize(
    ("rows", "models", "lesions", "said"),
    [
        ([], ("unet",), ("ICH",), "No scan of the test set has been measured."),
        ([row("scan-0001", 0, 0, 0.0, 1.0)], ("unet",), ("ICH",), "all rows are whose reference has no"),
        (
            [{"scan": "scan-0001", "model": 0, "lesion": 0}],
            ("unet",),
            ("ICH",),
            "all rows are without a Dice",
        ),
        ([row("scan-0001", 0, 0, 0.0, 0.0)], ("nothing",), ("ICH",), "Nothing to draw"),
    ],
    ids=["no rows", "no lesion", "nothing measured", "only the trivial model"],
)
def test_small_studies_are_shown(
    opened: Open, rows: list[dict[str, Any]], models: Any, lesions: Any, said: str
) -> None:
    page = opened(rows, models, lesions)
    expect(page.locator("#explorer")).to_contain_text(said)
    if rows:
        assert page.locator("table.rows tbody tr").count() == 1


def test_a_study_of_full_size_is_filtered_and_sorted(opened: Open) -> None:
    """174 scans, ten models, four lesions."""
    rng = random.Random(17)
    scans = [f"scan-{i:04d}" for i in range(174)]
    rows = [
        row(scan, model, lesion, rng.choice([0.0, rng.lognormvariate(2.5, 1)]), round(rng.random(), 4))
        for scan in scans
        for model in range(10)
        for lesion in range(4)
    ]
    page = opened(rows, [f"m{i}" for i in range(10)], ["ICH", "PHE", "IVH", "ICH+IVH"])
    page.get_by_role("combobox", name="Lesion", exact=True).select_option("all")
    expect_count(page, "6960 rows of 6960")
    assert page.locator("table.rows tbody tr").count() == 25
    page.get_by_role("button", name="Scan", exact=True).click()
    assert page.locator("table.rows tbody th").first.inner_text() == "scan-0000"
    page.get_by_role("button", name="Next").click()
    expect(page.locator(".pages .place")).to_have_text("Page 2 of 279")


@pytest.mark.parametrize("width", [390, 1280, 1920])
def test_nothing_is_wider_than_the_page(opened: Open, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    opened()
    page.wait_for_selector(".chart canvas")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for canvas in page.locator(".chart canvas").all():
        inner, outer = canvas.bounding_box(), canvas.locator("xpath=..").bounding_box()
        assert inner
        assert outer
        assert inner["x"] + inner["width"] <= outer["x"] + outer["width"] + 1
