"""Pages of scans without results in a real browser: what is shown, what is not, and a quality review."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

from headct.command_line import run_step
from headct.contracts.repository import BUNDLE
from headct.publish.page.case_content import TRUTH
from headct.settings import reviews
from support import accessibility, monai_miniature, page_numbers
from support.browser import VIEWS
from support.case_studies import read_case
from support.label_sets import LABELS
from support.reviews import make_study, review
from support.scan_pages import SCANS, predict, quality_page, write_dicom
from support.study_files import make_sheet
from support.viewer_page import LONGEST_MS, correlation, open_case, pixels, section, shown_volume, tile

pytestmark = pytest.mark.skipif(not (BUNDLE / "scans.js").is_file(), reason="no bundle: make environment")

SAYS_WHEN_SHOWN = """document.addEventListener("case-shown", ({detail}) => {
  document.body.dataset.shown = detail.scan;
});"""
BRAIN_HU = (0, 80)
OF_A_REFERENCE = ("dice", "difference", "reference", "hd95", "two pictures")


@pytest.fixture(scope="module")
def predicted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of two new scans, one tilted and one with uneven gaps, and of a file that is none."""
    folder = tmp_path_factory.mktemp("new")
    models = [monai_miniature.write_untrained(folder / "model")]
    scans = [write_dicom(case, folder / "dicom" / scan) for scan, case in SCANS.items()]
    (folder / "broken.nii").write_text("no scan")
    # Simulated heads have no face; unmasked, all their voxels can be compared.
    return predict(folder / "out", models, *scans, folder / "broken.nii", report='{"mask_face": false}')


@pytest.fixture(scope="module")
def looked_at(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of images and masks of both scans, before anything is predicted."""
    return quality_page(tmp_path_factory.mktemp("looked"))


def opened(page: Page, file: Path) -> Page:
    page.set_default_timeout(LONGEST_MS)
    page.add_init_script(SAYS_WHEN_SHOWN)
    page.goto(file.as_uri())
    return page


def visible_words(page: Page) -> str:
    """What the viewer says, its help and its names for those who do not see it among it."""
    page.locator(".viewer-help summary").click()
    named = page.evaluate(
        "[...document.querySelectorAll('#viewer [aria-label]')].map((one) => one.getAttribute('aria-label'))"
    )
    return " ".join([page.locator("#viewer").inner_text(), *named]).lower()


def test_a_new_scan_opens_and_is_shown_as_it_is(page: Page, predicted: Path) -> None:
    opened(page, predicted)
    assert page.get_by_text("Scans that could not be predicted").is_visible()
    for scan, case in SCANS.items():
        open_case(page, scan)
        page.evaluate("document.querySelector('.viewer-maps input').click()")
        assert correlation(page, case, "axial", BRAIN_HU) >= 0.95
        page.evaluate("document.querySelector('.viewer-maps input').click()")
    words = visible_words(page)
    assert "prediction" in words
    assert [word for word in OF_A_REFERENCE if word in words] == []
    assert "remarks of the checks: uneven gaps" in words


def test_the_outline_of_a_new_scan_is_that_of_its_label_map(page: Page, predicted: Path) -> None:
    """Fills: an untrained network draws everywhere, so that outlines would cover one another."""
    opened(page, predicted)
    scan, case = next(iter(SCANS.items()))
    open_case(page, scan, lesion="IVH")
    labels = read_case((predicted.parent / f"cases/scans/{scan}.js").read_text()).maps["prediction"]
    bare, filled = (shown_with(page, how) for how in ("none", "fills"))
    placed = tile(page, "axial", section(labels, "axial", 0))
    inside = section(labels, "axial", placed.index) == LABELS["IVH"]
    assert 0.01 < inside.mean() < 0.99
    changed = np.abs(filled - bare).max(axis=-1) > 20
    x, y = np.rint(placed.centres - 0.5).astype(int).transpose(2, 0, 1)
    seen = (x >= 0) & (y >= 0) & (x < changed.shape[1]) & (y < changed.shape[0])
    agreement = changed[y[seen], x[seen]] == inside[seen]
    assert agreement.mean() > 0.9
    assert shown_volume(case, page, case.image).shape == labels.shape


def shown_with(page: Page, how: str) -> Any:
    """The first picture without maps, or with them as fills of full strength."""
    script = """(how) => {
      const map = document.querySelector(".viewer-maps input");
      if (map.checked !== (how !== "none")) map.click();
      const labels = [...document.querySelectorAll(".viewer-choice label")];
      labels.find((label) => label.innerText.trim() === "Fills").querySelector("input").click();
      const opacity = document.querySelector(".viewer-slider input");
      opacity.value = 1;
      opacity.dispatchEvent(new Event("input"));
    }"""
    page.evaluate(script, how)
    return pixels(page)


def test_a_picture_opens_its_scan_and_volumes_tell_where_they_are_from(page: Page, predicted: Path) -> None:
    opened(page, predicted)
    picture = page.get_by_role("button", name="s-uneven: a slice")
    picture.scroll_into_view_if_needed()
    assert picture.locator("img").evaluate("(image) => image.decode().then(() => image.naturalWidth)") > 300
    picture.click()
    page.wait_for_selector('[data-shown="s-uneven"]')
    volume = page.locator("#viewer .viewer-measures data").first
    told = [volume.get_attribute(name) for name in ("data-file", "data-row", "data-column")]
    assert told == ["predictions.tsv", '{"scan_id":"s-uneven"}', "ICH_ml"]
    quoted = page_numbers.Quoted(
        volume.inner_text(),
        volume.get_attribute("value"),
        "predictions.tsv",
        {"scan_id": "s-uneven"},
        "ICH_ml",
    )
    held = page_numbers.Cells(predicted.parents[1]).of(quoted)
    assert float(str(quoted.value)) == float(held)
    assert page_numbers.is_printed_as(float(held), quoted.text)


def test_images_and_masks_open_without_a_word_of_models(page: Page, looked_at: Path) -> None:
    opened(page, looked_at)
    for scan, case in SCANS.items():
        open_case(page, scan)
        page.evaluate("document.querySelector('.viewer-maps input').click()")
        assert correlation(page, case, "axial", BRAIN_HU) >= 0.95
        page.evaluate("document.querySelector('.viewer-maps input').click()")
    words = visible_words(page)
    assert "reference, ml" in words
    assert [
        word for word in ("dice", "difference", "model", "predict", "two pictures") if word in words
    ] == []
    assert case.maps.keys() > {TRUTH}, "the simulated case has maps of models, which the page does not"


def test_a_quality_review_goes_from_the_page_into_the_study(
    page: Page, looked_at: Path, tmp_path: Path
) -> None:
    opened(page, looked_at)
    orders = page.get_by_label("Order").locator("option").all_inner_texts()
    assert orders == ["as listed", "remarks of the checks first", "random"]
    assert page.get_by_label("Ranked by").is_hidden()
    page.get_by_label("Order").select_option("remarks first")
    page.get_by_label("Your name").fill("A. Reader")
    page.get_by_role("button", name="Start reviewing").click()
    under_review = page.locator(".review-bar strong")
    assert under_review.inner_text() == "s-uneven", "more remarks than the other"
    page.wait_for_selector('[data-shown="s-uneven"]')
    in_sight = page.locator(".review-buttons [aria-disabled=false]").first
    in_sight.wait_for()
    page.keyboard.press("x")
    page.keyboard.type("mask of another lesion")
    page.keyboard.press("Enter")
    assert under_review.inner_text() == "s-tilted"
    in_sight.wait_for()
    page.keyboard.press("k")
    page.reload()
    page.get_by_label("Your name").fill("A. Reader")
    page.get_by_role("button", name="Start reviewing").click()
    assert page.get_by_text("2 decided").is_visible(), "what was decided is still there"
    page.get_by_role("button", name="Stop reviewing").first.click()
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Download decisions").click()
    downloading.value.save_as(tmp_path / "reviews.tsv")

    make_sheet(tmp_path, *({"scan_id": scan} for scan in SCANS))
    study = make_study(tmp_path, [], list(SCANS))
    run_step("review", ["import", str(tmp_path / "reviews.tsv"), *study])
    imported = reviews.of_study(tmp_path / "reviews/quality.tsv", reviews.QUALITY, SCANS)
    more = {"kind": "quality", "order": "remarks first", "date": imported[0].date}
    assert set(imported) == {
        review("A. Reader", "s-tilted", **more),
        review("A. Reader", "s-uneven", "exclude", **more | {"reason": "mask of another lesion"}),
    }
    assert not (tmp_path / "reviews/results.tsv").exists()
    excluded = reviews.decided_by_most(imported, [reviews.EXCLUDE])
    assert excluded == {"s-uneven"}


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
@pytest.mark.parametrize("which", ["predicted", "looked_at"])
def test_everybody_can_read_and_use_them(
    page: Page, request: pytest.FixtureRequest, which: str, width: int, scheme: Any
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.goto(request.getfixturevalue(which).as_uri())
    wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wider == 0
    assert accessibility.grave_faults(page) == []
