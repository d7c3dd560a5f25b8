"""Checklists, model cards and methods: every number is the results', and what is missing is said."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import finished_run
import pandas as pd
import pytest
import reported_run
from html_page import Page

from headct import configuration
from headct.artefacts import read_json, read_tsv, write_json, write_tsv
from headct.problems import BadInput
from headct.report import checklists, facts, methods, model_cards
from headct.report.__main__ import arguments, main
from headct.report.statements import STATEMENTS, listed

ITEMS = sorted((reported_run.REPOSITORY / "resources/reporting").glob("*.yaml"))
REPORTING = set(configuration.config_schema()["properties"]["reporting"]["properties"])
PLANNED = "2026-11-23"
N_ITEMS = {"claim-2024": 44, "tripod-ai": 52, "stard-ai": 48, "consort-ai": 14}
"""Items with their lettered parts."""


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return reported_run.make(tmp_path / "study", {"title": "A <title> & more"})


def text_of(name: str, results: Path) -> str:
    return STATEMENTS[name](facts.read(results)).text


def lists(results: Path) -> list[checklists.Checklist]:
    return [checklists.read(path, facts.read(results).config["reporting"]) for path in ITEMS]


# -- the shipped checklists --------------------------------------------------------------------------


@pytest.mark.parametrize("path", ITEMS, ids=lambda path: path.stem)
def test_every_item_of_a_checklist_has_an_answer(path: Path) -> None:
    checklist = checklists.read(path, dict.fromkeys(REPORTING, ""))
    numbers = [item.number for item in checklist.items]
    assert len(set(numbers)) == len(numbers) == N_ITEMS[path.stem]


def test_no_key_and_no_statement_is_idle(results: Path) -> None:
    items = [item for checklist in lists(results) for item in checklist.items]
    assert {item.authors for item in items} - {""} == REPORTING
    used = {name for item in items for name in item.run}
    assert used == set(STATEMENTS)
    assert {name for names in methods.PARAGRAPHS.values() for name in names} <= used


def test_an_item_that_nobody_can_answer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "items.yaml"
    items = (
        '[{item: "1", asks: a, run: [flow, typo]}, {item: "2", asks: b, authors: typo}, {item: "3", asks: c}]'
    )
    path.write_text(f"{{name: n, title: t, source: s, doi: d, note: o, items: {items}}}", encoding="utf-8")
    with pytest.raises(BadInput) as refused:
        checklists.read(path, {"title": ""})
    assert [problem.row for problem in refused.value.problems] == ["1", "2", "3"]


# -- numbers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("flow", "Of 5 scans in the sheet, 3 were analysed; excluded: 1 (few-slices, n = 1); put aside"),
        ("sources", "The 3 analysed scans, of 3 participants, came from 2 sites."),
        ("acquisition", "Maker-A (n = 2), Maker-B (n = 1). Median distance of slices 5.0 mm (range 4.0"),
        ("acquisition", "median number of slices 32; gantry tilted in 1/3 (33%)"),
        ("missing_data", "there were U-Net 1. Missing among the analysed scans: age 0, sex 0, time from"),
        ("raters", "r1 (n = 2), r2 (n = 1)"),
        ("test_annotation", "Raters of the training set: r1 (n = 2); of the test set: r2 (n = 1)."),
        ("rater_agreement", "by the same rater, n = 7: ICH mean Dice 0.900, ICC of volumes 0.98"),
        ("set_sizes", "training set has 2 scans of 2 participants, the test set 1 scan of 1 participant."),
        ("disjoint", "by participant (0 in both), not by site (0 of 2 sites are in both)"),
        ("balance", "largest standardised mean difference is 0.34 (sex men)"),
        ("prevalence", "IVH in 1/2 (50%) of the training and 1/1 (100%) of the test scans"),
        ("lesion_sizes", "PHE 12.3 (5.0–20.0) mL"),
        ("models", "4 models were compared: U-Net (basicunet, 360,444 parameters, loss: Dice + cross"),
        ("ensembles", "2D + 3D: the mean of the probabilities of 2D and 3D/DiceCE."),
        ("preprocessing", "U-Net: spacing 4 × 4 × 6.5 mm, window −15 to 100 HU"),
        ("training", "2D: 3 epochs (225 iterations of 2 patches of 32 × 32 × 16 voxels) on 2 scans, Adam"),
        ("class_imbalance", "U-Net 0.66, 2D 0.5, 3D/DiceCE 0.5"),
        ("performance", "over 1 test scan: ICH 0.750 (95% CI, 0.704 to 0.810)"),
        ("primary_endpoint", "3D/DiceCE minus U-Net: 0.050 (95% CI, −0.010 to 0.110); verdict: no diff"),
        ("detection", "IVH sensitivity 89% (95% CI, 56% to 98%), specificity not estimable"),
        ("cross_table", "ICH 8 true positive, 1 false negative, 0 false positive, 3 true negative"),
        ("failures", "ICH missed in 1/9 (11%) and invented in 0/3 (0%)"),
        ("measures", "surface Dice at 1 mm (ICH), 1 mm (PHE) and 1 mm (IVH)"),
        ("positivity", "above 0 mL and 0.1 mL"),
        ("sensitivity", "sites drawn, IVH Dice difference 0.040 (95% CI, −0.020 to 0.100)"),
        ("subgroups", "1 of 2 cells"),
        ("plan", "The analysis plan of 2026-11-23 (SHA-256 ffff"),
        ("intervals", "10000 resamples, seed 2022"),
        ("published", "cannot tell (n = 2), holds (n = 1)"),
        ("software", "headct 0.1.0, Snakemake 9.27.1, Python 3.11.7, torch 2.14.1, nnunetv2 2.8.1"),
    ],
)
def test_a_statement_says_what_the_results_hold(results: Path, name: str, said: str) -> None:
    assert said in text_of(name, results)


def test_other_numbers_are_another_text(results: Path) -> None:
    split = read_tsv(results / "cohort/split.tsv")
    write_tsv(split.assign(participant_id="p1"), results / "cohort/split.tsv")
    assert "by participant (1 in both)" in text_of("disjoint", results)


def test_versions_that_differ_between_jobs_are_all_named(results: Path) -> None:
    study = results.parent
    finished_run.job(study, "statistics", "statistics", [], [], minute=5, packages={"numpy": "2.4.5"})
    finished_run.job(study, "figures/flow", "flow", [], [], minute=6, packages={"numpy": "1.0"})
    assert "numpy 2.4.5 and 2.4.6" in text_of("software", results)


def test_the_tolerance_of_the_surface_dice_is_the_one_that_was_used(results: Path) -> None:
    table = pd.DataFrame({"label": ["ICH", "PHE", "IVH"], "tolerance_mm": [5.13, 6.0, 1.0]})
    write_tsv(table, results / "statistics/surface_tolerance.tsv")
    assert "surface Dice at 5.13 mm (ICH), 6 mm (PHE) and 1 mm (IVH)" in text_of("measures", results)


def test_without_second_readings_this_is_said(results: Path) -> None:
    path = results / "statistics/rater_agreement.tsv"
    write_tsv(read_tsv(path).iloc[:0], path)
    assert "no second readings" in text_of("rater_agreement", results)


def test_only_a_simulated_trial_is_called_simulated(results: Path) -> None:
    assert "The data are simulated" in methods.markdown(facts.read(results))
    config = read_json(results / "config.json")
    del config["phantom"]
    write_json(config | {"study": {"name": "real", "note": ""}}, results / "config.json")
    assert "simulated" not in methods.markdown(facts.read(results))


def test_lists_in_words() -> None:
    assert [listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        *("none", "a", "a and b", "a, b and c")
    ]


# -- pages -------------------------------------------------------------------------------------------


def test_what_the_authors_wrote_and_what_they_still_owe(results: Path) -> None:
    html = checklists.html(lists(results), facts.read(results))
    page = Page(html)
    assert "Authors: A <title> & more" in page.text
    assert "set reporting.title" not in page.text
    assert page.text.count("set reporting.ethics") == 2, "TRIPOD+AI 17 and STARD-AI 6"
    assert checklists.missing_keys(lists(results), facts.read(results)) == sorted(REPORTING - {"title"})
    assert {link.split("/")[0] for link in page.links} == {".."}


def test_a_card_holds_the_numbers_of_its_model(results: Path) -> None:
    cards = {model: Page(model_cards.html(model, facts.read(results))).text for model in reported_run.MODELS}
    assert "0.750 (0.704–0.810)" in cards["nnunet-3d-dicece"]
    assert "0.750" not in cards["unet"]
    assert "89% (95% CI, 56% to 98%)" in cards["unet"]
    assert "predictions that failed: 1" in cards["unet"]
    assert "−12.3 to 5.6 mL" in cards["unet"]
    for text in cards.values():
        assert "For research only" in text
        assert "a" * 64 in text
        assert "set reporting.intended_use" in text


def test_equal_results_are_equal_bytes_wherever_they_lie(results: Path, tmp_path: Path) -> None:
    other = (
        shutil.copytree(results.parent, tmp_path / "elsewhere/too", copy_function=shutil.copyfile) / "results"
    )
    names = ("report/checklists.html", "report/models", "audit/methods.md")
    for folder in (results, other):
        for report, out in zip(("checklists", "model_cards", "methods"), names, strict=True):
            items = ["--checklists", *map(str, ITEMS)] if report == "checklists" else []
            command = [report, "--results", str(folder), "--out", str(folder / out), *items]
            main(arguments().parse_args(command))
    written = [*results.glob("report/**/*.html"), results / "audit/methods.md"]
    assert len(written) == 2 + len(reported_run.MODELS)
    for path in written:
        text = path.read_text(encoding="utf-8")
        assert text == (other / path.relative_to(results)).read_text(encoding="utf-8")
        assert not re.search(r"\d\d:\d\d:\d\d", text), "no time of day"
        assert not re.search(r"\d{4}-\d\d-\d\d", text.replace(PLANNED, "")), "no date but the plan's"
        assert finished_run.HOST["name"] not in text
        assert "Simulated data, no patients" in text
