"""The page of images and masks: nothing of a prediction, every number of a cell, each reviewer alone."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from headct.contracts.artefacts import read_tsv
from headct.contracts.repository import BUNDLE
from headct.publish.page import quality_page
from headct.publish.page.case_content import TRUTH
from headct.settings import reviews
from support import page_numbers, scan_pages
from support.case_studies import read_case
from support.scan_pages import SCANS

pytestmark = pytest.mark.skipif(not (BUNDLE / "scans.js").is_file(), reason="no bundle: make environment")

EXCLUDED = {"s-uneven": {"status": "excluded", "reason": f"{reviews.EXCLUDED}: motion 7"}}
LOST = {"s-lost": {"status": "error", "reason": "no mask: 2 of 3", "flags": "", "participant_id": "P"}}


def study_of(page: Path) -> dict:
    found = re.search(r'<script type="application/json" id="study">(.*?)</script>', page.read_text())
    assert found
    return json.loads(found[1])


def text_of(page: Path) -> str:
    return " ".join(page_numbers.Walked(page.read_text(encoding="utf-8")).text.split())


def test_it_shows_images_and_masks_alone_and_each_number_names_its_cell(tmp_path: Path) -> None:
    page = scan_pages.quality_page(tmp_path, LOST)
    qc = page.parents[1]
    assert page_numbers.faults(page, qc) == []
    assert "no mask: 2 of 3" in text_of(page)
    assert "air not near minus 1000 hu, tilted, uneven gaps" in text_of(page)
    for word in ("Dice", "predicted maps", "Difference"):
        assert word not in text_of(page)
    listed = read_tsv(qc / "report/cases.tsv")
    assert listed["scan_id"].tolist() == list(SCANS)
    for row in listed.to_dict("records"):
        read = read_case((qc / row["path"]).read_text())
        assert list(read.maps) == [TRUTH]
        assert not read.content["face_masked"]
        assert (read.maps[TRUTH] == SCANS[row["scan_id"]].maps[TRUTH][read.box]).all()
    study = study_of(page)
    assert (study["review"], study["cases"], study["volumes"]) == ("quality", list(SCANS), "cohort.tsv")
    assert [model["key"] for model in study["models"]] == [TRUTH]


def test_equal_scans_are_equal_bytes_and_faces_are_masked_where_it_is_said(tmp_path: Path) -> None:
    first, second = (scan_pages.quality_page(tmp_path / name) for name in "ab")
    assert first.read_bytes() == second.read_bytes()
    masked = scan_pages.quality_page(tmp_path / "c", None, "--mask-face")
    for scan in SCANS:
        names = [page.parent / f"cases/scans/{scan}.js" for page in (first, second, masked)]
        assert names[0].read_bytes() == names[1].read_bytes()
        assert read_case(names[2].read_text()).content["face_masked"]


def test_a_scan_that_a_review_excluded_is_still_seen_and_says_nothing_of_it(tmp_path: Path) -> None:
    """Another reviewer decides alone, and on the same images, so that the browser keeps the decisions."""
    before = scan_pages.quality_page(tmp_path / "before")
    flagged = {"s-tilted": {"flags": "quality_review_redraw,tilted"}}
    after = scan_pages.quality_page(tmp_path / "after", EXCLUDED | flagged)
    assert study_of(before) == study_of(after)
    assert "motion" not in text_of(after)
    assert "quality review redraw" not in text_of(after)


def test_another_mask_is_another_page_to_review(tmp_path: Path) -> None:
    before = scan_pages.quality_page(tmp_path / "before")
    after = scan_pages.quality_page(tmp_path / "after", {"s-uneven": {"labels_sha256": "0" * 64}})
    assert study_of(before)["evidence"] != study_of(after)["evidence"]


def test_without_scans_or_without_cases_it_says_so(tmp_path: Path) -> None:
    lost = {scan: {"status": "error", "reason": "no mask"} for scan in SCANS}
    page = scan_pages.quality_page(tmp_path / "lost", lost)
    assert "No scan can be looked at." in text_of(page)
    assert "report.cases" not in text_of(page)
    assert page_numbers.faults(page, page.parents[1]) == []
    page = scan_pages.quality_page(tmp_path / "none", cases="none")
    assert "report.cases is none" in text_of(page)
    assert not list(page.parent.glob("cases/scans/*"))
    assert read_tsv(page.parent / "cases.tsv").empty
    assert next(iter(SCANS)) in text_of(page)


def test_remarks_of_reviewers_are_told_from_those_of_checks() -> None:
    assert quality_page.own_remarks(["tilted", "quality review flag"]) == ["tilted"]
