"""The viewer of cases in a real browser: what is chosen, by mouse and by keys, and what is said beside."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

from headct.publish.page.case_content import TRUTH
from support.browser import Witnessed
from support.shared_viewer import CASES, ROWS, STUDY, choose, show_maps
from support.viewer_page import LONGEST_MS, correlation, open_case, picture, pixels, write_page


def test_maps_are_chosen_and_told_by_their_lines(viewer: Page) -> None:
    open_case(viewer, "tilted", model="unaware")
    legend = viewer.locator(".viewer-legend").first
    assert legend.inner_text().split("\n")[:2] == ["Reference", "2D"]
    lines = legend.locator("line")
    assert lines.nth(0).get_attribute("stroke-dasharray") is None
    assert lines.nth(1).get_attribute("stroke-dasharray")
    before = pixels(viewer)
    show_maps(viewer, TRUTH, "moved", "unaware")
    assert (pixels(viewer) != before).any()
    assert legend.inner_text().split("\n")[:3] == ["Reference", "U-Net", "2D"]
    assert "U-Net" in str(viewer.locator(".viewer canvas").first.get_attribute("aria-label"))


def cursors(page: Page) -> list[list[int]]:
    """The voxel at which each picture's cursor is."""
    return [page.evaluate(f"headct.viewer.panels[{number}].pane.cursor") for number in (0, 1)]


def test_two_pictures_look_at_the_same_place(viewer: Page) -> None:
    open_case(viewer, "uneven", model="moved")
    viewer.get_by_role("button", name="Two pictures").click()
    viewer.wait_for_function(
        "document.querySelectorAll('.viewer-legend')[1].innerText.includes('2D')", timeout=60_000
    )
    first, second = cursors(viewer)
    assert first == second
    picture(viewer, 1).hover()
    viewer.mouse.wheel(0, -100)
    viewer.wait_for_timeout(200)
    moved, followed = cursors(viewer)
    assert moved == followed == [*first[:2], first[2] + 1]
    choose(viewer, "All three")
    box = picture(viewer, 0).bounding_box()
    assert box
    viewer.mouse.click(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.7)
    viewer.wait_for_timeout(200)
    clicked, followed = cursors(viewer)
    assert clicked == followed != moved


def test_two_pictures_go_on_with_a_case_of_other_slices(viewer: Page) -> None:
    """While it is opened, one picture has its slices and the other those of the former case."""
    open_case(viewer, "tilted", model="moved")
    viewer.get_by_role("button", name="Two pictures").click()
    viewer.wait_for_function("document.querySelectorAll('.viewer-legend')[1].innerText.includes('2D')")
    for scan in ("uneven", "tilted", "uneven"):
        picture(viewer, 0).focus()
        viewer.keyboard.press("PageUp")
        open_case(viewer, scan, model="moved")
        first, second = cursors(viewer)
        assert first == second


def test_the_viewer_starts_when_somebody_comes_near_and_then_shows_the_same(
    page: Page, tmp_path: Path
) -> None:
    page.set_default_timeout(LONGEST_MS)
    page.goto(write_page(tmp_path, [CASES["uneven"]], STUDY, ROWS).as_uri())
    assert not page.evaluate("'viewer' in headct")
    page.evaluate(
        """() => {
          const button = document.createElement("button");
          button.dataset.openCase = button.textContent = "uneven";
          document.body.prepend(button);
        }"""
    )
    page.get_by_role("button", name="uneven").hover()
    page.wait_for_function("headct.viewer")
    open_case(page, "uneven")
    show_maps(page)
    assert correlation(page, CASES["uneven"], "axial", (0, 80)) >= 0.95


def test_keys_do_what_the_mouse_does(viewer: Page) -> None:
    open_case(viewer, "tilted")
    canvas = viewer.locator(".viewer canvas").first
    canvas.focus()
    before = cursors(viewer)[0]
    viewer.keyboard.press("ArrowUp")
    assert cursors(viewer)[0] == [*before[:2], before[2] + 1]
    viewer.keyboard.press("Home")
    assert cursors(viewer)[0][2] == 0
    assert viewer.locator(".viewer-slider output").last.inner_text().startswith("1 of ")
    chosen = viewer.locator(".viewer-choice input:checked")
    for keys, expected in (
        ("2c", "blood coronal outlines"),
        ("3d", "bone coronal difference"),
        ("1ao", "brain axial outlines"),
    ):
        for key in keys:
            viewer.keyboard.press(key)
        assert " ".join(str(chosen.nth(n).get_attribute("value")) for n in range(3)) == expected
    viewer.keyboard.press("t")
    assert not viewer.get_by_role("checkbox", name="Reference").first.is_checked()


def test_measures_stand_beside_with_where_they_are_from(viewer: Page) -> None:
    open_case(viewer, "tilted", model="moved")
    table = viewer.locator(".viewer-measures")
    cells = table.locator("tbody tr").nth(0).inner_text().split("\t")
    assert cells == ["U-Net", "ICH", "50.0", "48.0", "−2.0", "0.812", "3.2"]
    dice = table.locator("data").nth(3)
    assert dice.get_attribute("value") == "0.81234"
    assert dice.get_attribute("data-file") == "metrics/moved.tsv"
    assert dice.get_attribute("data-row") == '{"scan_id":"tilted","label":"ICH"}'
    assert dice.get_attribute("data-column") == "dice"
    viewer.get_by_role("checkbox", name="2D").first.check()
    assert "no prediction: out of memory" in table.inner_text()


def test_a_case_that_is_not_there_is_said(viewer: Page, seen: Witnessed) -> None:
    viewer.evaluate("document.dispatchEvent(new CustomEvent('open-case', {detail: {scan: 'other'}}))")
    alert = viewer.locator("#viewer [role=alert]")
    alert.wait_for()
    assert alert.inner_text() == "other can't be shown: cases/scans/other.js is not beside this page."
    [error] = seen.errors  # the browser's own, of the script that it did not find
    assert "ERR_FILE_NOT_FOUND" in error
    seen.errors.clear()
    open_case(viewer, "tilted")


def test_the_focus_goes_to_a_case_and_back_again(viewer: Page) -> None:
    open_case(viewer, "uneven")
    viewer.evaluate(
        """() => {
          const button = document.createElement("button");
          button.id = "opener";
          document.body.prepend(button);
          button.focus();
        }"""
    )
    open_case(viewer, "tilted")
    focused = "document.activeElement.tagName + document.activeElement.id"
    assert viewer.evaluate(focused) == "CANVAS"
    viewer.get_by_role("button", name="Back").click()
    assert viewer.evaluate(focused) == "BUTTONopener"
    viewer.evaluate("document.getElementById('opener').remove()")


def test_the_viewer_fits_a_phone_and_measures_have_names_there(viewer: Page) -> None:
    open_case(viewer, "tilted", model="moved")
    viewer.set_viewport_size({"width": 390, "height": 800})
    viewer.wait_for_timeout(300)
    wider = viewer.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    names = viewer.locator(".viewer-measures tbody tr").first.evaluate(
        "row => [...row.querySelectorAll('td')].map((cell) => getComputedStyle(cell, '::before').content)"
    )
    viewer.set_viewport_size({"width": 1280, "height": 1000})
    assert wider <= 0
    assert names == ['"Reference, mL"', '"Predicted, mL"', '"Error, mL"', '"Dice"', '"HD95, mm"']


def test_where_a_tilted_slice_is_seen_from_above_it_is_said(viewer: Page) -> None:
    said = viewer.locator(".viewer-tilt")
    open_case(viewer, "tilted")
    assert said.inner_text() == ""
    choose(viewer, "All three")
    assert f"tilted by {CASES['tilted'].geometry['tilt_deg']:.1f}°" in said.inner_text()
    open_case(viewer, "uneven")
    assert said.inner_text() == ""
