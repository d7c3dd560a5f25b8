"""A file of a case that was not made with the page: it is said, and not shown, on each kind of page."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from headct.contracts.repository import BUNDLE
from support import blinded_page, monai_miniature
from support.review_page import make_page
from support.scan_pages import SCANS, predict, quality_page, write_dicom

pytestmark = pytest.mark.skipif(not (BUNDLE / "scans.js").is_file(), reason="no bundle: make environment")

OF_ANOTHER = (
    "was not made with this page: it is of another study, or of an earlier or later state of this one"
)


def of_new_scans(folder: Path) -> Path:
    """The page of a new scan."""
    models = [monai_miniature.write_untrained(folder / "model")]
    return predict(folder / "out", models, write_dicom(SCANS["s-tilted"], folder / "dicom/s-tilted"))


def of_results(folder: Path) -> Path:
    """A page with the script of the page of results."""
    make_page(folder / "page")
    return folder / "page/index.html"


def blinded(folder: Path) -> Path:
    """The page of a blinded rating."""
    return blinded_page.blind(folder)[0] / "index.html"


@pytest.mark.parametrize("made", [of_results, of_new_scans, quality_page, blinded])
def test_a_case_of_another_study_is_not_shown_as_this_ones(
    page: Page, tmp_path: Path, made: Callable[[Path], Path]
) -> None:
    index = made(tmp_path)
    case = sorted((index.parent / "cases/scans").glob("*.js"))[0]
    own = case.read_text()
    [digest] = re.findall('"digest": ?"([0-9a-f]{16})"', own)
    case.write_text(own.replace(digest, digest[::-1]))
    page.set_default_timeout(200_000)
    page.goto(index.as_uri())
    ask(page, case.stem)
    said = page.locator("#viewer [role=alert]")
    expect(said).to_have_text(f"{case.stem} can't be shown: cases/scans/{case.name} {OF_ANOTHER}.")
    assert not page.locator("#viewer canvas").first.is_visible()
    case.write_text(own)  # whoever puts the right one in its place need not load the page anew
    ask(page, case.stem)
    page.locator("#viewer canvas").first.wait_for()
    expect(said).to_have_count(0)


def ask(page: Page, scan: str) -> None:
    """Ask for a case, as a button does that names it."""
    page.evaluate("scan => document.dispatchEvent(new CustomEvent('open-case', {detail: {scan}}))", scan)
