"""The page's section on reviews: tables where reviews were imported, each number as its file has it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from headct.contracts.artefacts import write_tsv
from headct.publish.page import review_section
from headct.publish.page.quoted import ResultTables
from headct.publish.page.shown_study import Absent, ShownStudy
from headct.settings import blocks
from headct.settings.ratings import REFERENCE, Key, Rating
from headct.statistics.comparison import reviewed
from headct.statistics.comparison.blinded import blinded_table
from headct.statistics.comparison.score_arrays import score_arrays_of
from support.label_sets import LABELS
from support.planned_cases import MODELS, PLAN
from support.reviews import EVIDENCE, review
from support.simulated_scores import each_scan_alone, simulated, with_role

CONFIG = blocks.load(Path(__file__).parents[2] / "config/demo.yaml")
METRICS = simulated(MODELS, n_scans=20)
KEY = Key("0" * 64, {("case-1", "A"): REFERENCE, ("case-1", "B"): MODELS[0]}, {"case-1": "003"})
RATING = Rating(rater="R", case="case-1", accepted="A B", best="B", key=KEY.sha256)
DECIDED = [
    review("A", "003", "exclude", evidence=EVIDENCE),
    review("A", "004", evidence=EVIDENCE),
    review("B", "003"),
    review("B", "004", "redraw"),
    review("C", "s1", "flag", kind="quality"),
]


def study(folder: Path, *cases: str) -> ShownStudy:
    titles = {model: model.upper() for model in MODELS}
    return ShownStudy(ResultTables(folder), LABELS, dict.fromkeys(cases, ""), config=CONFIG, titles=titles)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Results of a study that was reviewed."""
    data = score_arrays_of(with_role(METRICS, MODELS), LABELS, each_scan_alone(METRICS))
    tables = {
        "review": reviewed.counts_table(DECIDED, EVIDENCE),
        "review_agreement": reviewed.agreement_table(DECIDED, each_scan_alone(METRICS)),
        "review_sensitivity": reviewed.sensitivity_table(data, PLAN.of_run(MODELS), DECIDED),
    }
    tables["blinded"] = blinded_table([RATING], KEY, each_scan_alone(METRICS))
    for name, table in tables.items():
        write_tsv(table, tmp_path / f"statistics/{name}.tsv")
    return tmp_path


def test_each_number_is_the_one_of_its_file(results: Path) -> None:
    made = review_section.review(study(results, "003"))
    assert not isinstance(made, Absent)
    page = ElementTree.fromstring(f"<div>{made}</div>")
    found = page.findall(".//data[@class='from']")
    assert len(found) > 40
    for number in found:
        row, column = json.loads(number.get("data-row", "")), number.get("data-column", "")
        with (results / number.get("data-file", "")).open(newline="") as stream:
            lines = [
                line
                for line in csv.DictReader(stream, delimiter="\t")
                if all(line[key] == cell for key, cell in row.items())
            ]
        assert [line[column] for line in lines] == [number.get("value")]
    text = " ".join("".join(page.itertext()).split())
    assert page.find(".//div[@id='review']") is not None
    named = ("A; B", "Gwet's AC1", "images and masks alone", "IVH Dice", "the reference")
    for words in (*named, "post hoc", "Blinded raters"):
        assert words in text


def test_without_reviews_there_is_the_place_to_review_alone_and_without_cases_nothing(tmp_path: Path) -> None:
    made = review_section.review(study(tmp_path, "003"))
    assert "<table" not in str(made)
    assert 'id="review"' in str(made)
    absent = review_section.review(study(tmp_path))
    assert isinstance(absent, Absent)
    assert "report.cases" in absent.why


def test_reviews_are_shown_where_cases_were_left_out(results: Path) -> None:
    made = str(review_section.review(study(results)))
    assert 'id="review"' not in made
    assert made.count("<table") == 4
