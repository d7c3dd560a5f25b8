"""The page of results: every number is that of a cell, and what a study lacks is said."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from headct.contracts.artefacts import write_tsv
from headct.contracts.problems import BadInput
from headct.publish.page import page
from headct.publish.page.quoted import QuotedTable
from headct.statistics.comparison.blinded import BLINDED
from support import page_numbers, page_study
from support.label_sets import ONE
from support.page_study import Study

STUDIES = {
    "failures, excluded scans, errors": Study(failed=3, left_out=(3, 2)),
    "one model": Study(models={"unet": "U-Net"}, left_out=(0, 0)),
    "one class": Study(labels=ONE),
    "no test lesion": Study(without=("IVH",)),
}

Made = Callable[[str], Path]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of next to nothing, so that no test waits for npm."""
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "page.css").write_text("p { color: black } /* </style> */")
    (folder / "index.js").write_text('"</script>";')
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, bundle: Path) -> Made:
    """A study's page by its name above, made once."""
    pages: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in pages:
            study = STUDIES[name]
            results = page_study.make(tmp_path_factory.mktemp("study"), study)
            pages[name] = results / "report/index.html"
            page.main(results=results, labels=study.written, bundle=bundle, out=pages[name])
        return pages[name]

    return make


def text_of(path: Path) -> str:
    """What a reader sees, on one line."""
    return " ".join(page_numbers.Walked(path.read_text(encoding="utf-8")).text.split())


@pytest.mark.parametrize("name", STUDIES)
def test_every_number_is_that_of_the_cell_it_names(made: Made, name: str) -> None:
    path = made(name)
    assert page_numbers.faults(path, path.parents[1]) == []


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("failures, excluded scans, errors", "RuntimeError: 3 tensors, <none> fits"),
        ("failures, excluded scans, errors", "missing section: 17.26 mm between 2 slices"),
        ("failures, excluded scans, errors", "no mask: <mask>"),
        ("one model", "could not be compared"),
        ("one model", "No scan was excluded or put aside with an error."),
        ("one model", "No model failed to predict a test scan."),
        ("no test lesion", "No test scan has IVH: how models find it was not measured."),
    ],
)
def test_what_a_study_lacks_is_said(made: Made, name: str, sentence: str) -> None:
    assert sentence in text_of(made(name))


def test_a_study_of_its_own_has_no_claims(made: Made) -> None:
    assert 'id="claims"' not in made("one class").read_text(encoding="utf-8")


def test_equal_results_are_equal_bytes(made: Made, bundle: Path, tmp_path: Path) -> None:
    path, study = made("one class"), STUDIES["one class"]
    again = tmp_path / "again.html"
    page.main(results=path.parents[1], labels=study.written, bundle=bundle, out=again)
    assert again.read_bytes() == path.read_bytes()


def test_without_cases_those_of_an_earlier_run_are_deleted(
    made: Made, bundle: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    stale = [tmp_path / name for name in ("cases/scans/s1.js", "cases/viewer.js", "cases.tsv")]
    (tmp_path / "cases/scans").mkdir(parents=True)
    for path in stale:
        path.write_text("")
    results, study = made("one class").parents[1], STUDIES["one class"]
    of_job = [results / name for name in ("audit/runs/report/cases.json", "logs/report/cases.log")]
    for path in of_job:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    with caplog.at_level("INFO"):
        page.main(results=results, labels=study.written, bundle=bundle, out=tmp_path / "index.html")
    assert {path.name for path in tmp_path.iterdir()} == {"index.html", "index.sha256"}
    assert not any(path.exists() for path in of_job), "a record says of its outputs that they are there"
    assert "deleted 3 files of cases" in caplog.text


def test_what_a_former_run_left_is_not_shown(made: Made, bundle: Path, tmp_path: Path) -> None:
    """Ratings that the configuration does not name any more, say, whose table still lies there."""
    study = STUDIES["one class"]
    results = Path(shutil.copytree(made("one class").parents[1], tmp_path / "results"))
    requested = [path for path in results.rglob("*") if path.is_file()]
    cells = dict.fromkeys(BLINDED.columns.split(), "1")
    rows = [cells | {"model": "unet", "question": question} for question in ("accepted", "best")]
    write_tsv(pd.DataFrame(rows), results / "statistics/blinded.tsv")
    said = {}
    for name, of_study in (("all", None), ("own", requested)):
        out = tmp_path / f"{name}.html"
        page.main(results=results, labels=study.written, bundle=bundle, requested=of_study, out=out)
        said[name] = "Blinded raters" in text_of(out)
    assert said == {"all": True, "own": False}


def test_nothing_in_styles_and_scripts_ends_them(made: Made) -> None:
    text = made("one class").read_text(encoding="utf-8")
    assert text.count("</style>") == 1
    assert text.count("</script>") == text.count("<script")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("0.75", "no cell is named for: 0.75"),
        (
            '<data data-file="cohort/flow.tsv" data-row="{&quot;status&quot;: &quot;included&quot;}"'
            ' data-column="scans" value="28">29</data>',
            "the file holds '28'",
        ),
        (
            '<data data-file="cohort/flow.tsv" data-row="{&quot;status&quot;: &quot;nobody&quot;}"'
            ' data-column="scans">28</data>',
            "0 rows",
        ),
    ],
)
def test_the_walk_of_the_numbers_finds(made: Made, tmp_path: Path, text: str, fault: str) -> None:
    path = made("one class")
    changed = tmp_path / "index.html"
    changed.write_text(path.read_text(encoding="utf-8").replace("<main>", f"<main><p>{text}</p>"))
    (found,) = page_numbers.faults(changed, path.parents[1])
    assert fault in found


def test_a_bundle_that_is_not_built_is_told(made: Made, tmp_path: Path) -> None:
    results = made("one class").parents[1]
    with pytest.raises(BadInput, match="'make environment' builds them"):
        page.main(results=results, labels=STUDIES["one class"].written, bundle=tmp_path, out=tmp_path / "p")


def test_rows_must_be_named_by_their_keys() -> None:
    table = QuotedTable("a.tsv", [{"model": "a", "n": "1"}, {"model": "a", "n": "2"}])
    with pytest.raises(BadInput, match="several rows have the same names"):
        table.rows("model")
