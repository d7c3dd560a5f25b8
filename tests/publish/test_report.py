"""Checklists, model cards and methods: every number is the results', and what is missing is said."""

from __future__ import annotations

import re
import shutil
from html import unescape
from pathlib import Path

import pandas as pd
import pytest
from markdown_it import MarkdownIt

from headct.command_line import run_step
from headct.contracts.artefacts import read_json, read_tsv, write_json, write_tsv
from headct.contracts.problems import BadInput
from headct.publish.reports import checklists, facts, methods, model_cards
from headct.publish.reports.statements import STATEMENTS, listed
from headct.settings import configuration
from support import finished_run, reported_run
from support.html_page import Page
from support.label_sets import GIVEN, LABELS

ITEMS = sorted((reported_run.REPOSITORY / "resources/reporting").glob("*.yaml"))
REPORTING = set(configuration.config_schema()["properties"]["reporting"]["properties"])
PLANNED = "2026-11-23"
N_ITEMS = {"claim-2024": 44, "tripod-ai": 52, "stard-ai": 48, "consort-ai": 14}
"""Items with their lettered parts."""


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return reported_run.make(tmp_path / "study", {"title": "A <title> & more"})


def read(results: Path) -> facts.Facts:
    """The facts of a run on the study's lesions."""
    return facts.read(results, LABELS)


def text_of(name: str, results: Path) -> str:
    return STATEMENTS[name](read(results)).text


def lists(results: Path) -> list[checklists.Checklist]:
    return [checklists.read(path, read(results).config.reporting) for path in ITEMS]


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
        (
            "missing_data",
            "there were U-Net 2 (1 crashed, 1 refused). Missing among the analysed scans: age 0, sex 0,",
        ),
        ("raters", "r1 (n = 2), r2 (n = 1)"),
        ("test_annotation", "Raters of the training set: r1 (n = 2); of the test set: r2 (n = 1)."),
        ("rater_agreement", "by the same rater, n = 7: ICH mean Dice 0.900, ICC of volumes 0.98"),
        ("set_sizes", "training set has 2 scans of 2 participants, the test set 1 scan of 1 participant."),
        ("disjoint", "by participant (0 in both), and by site, too (none in both)"),
        ("balance", "largest standardised mean difference is 0.34 (sex men)"),
        ("prevalence", "IVH in 1/2 (50%) of the training and 1/1 (100%) of the test scans"),
        ("lesion_sizes", "PHE 12.3 (5.0–20.0) mL"),
        (
            "models",
            "4 models were compared: U-Net (BasicUNet of MONAI, 360,444 parameters, loss: Dice + cross",
        ),
        ("ensembles", "2D + 3D: the mean of the probabilities of 2D and 3D/DiceCE."),
        ("preprocessing", "U-Net: spacing 4 × 4 × 6.5 mm, window −15 to 100 HU"),
        ("training", "2D: 3 epochs (225 iterations of 2 patches of 16 × 32 × 32 voxels) on 2 scans, Adam"),
        ("class_imbalance", "U-Net 0.66, 2D 0.5, 3D/DiceCE 0.5"),
        ("performance", "over 1 test scan: ICH 0.750 (95% CI, 0.704 to 0.810)"),
        ("statistics", "The key secondary endpoints are judged only if the primary one is decided"),
        ("statistics", "These take all scans as independent"),
        ("primary_endpoint", "no difference shown (all test scans; this network; clusters: participants)"),
        ("intervals", "sign flips, shares and medians are about the networks at hand"),
        ("primary_endpoint", "3D/DiceCE minus U-Net: 0.050 (95% CI, −0.010 to 0.110); verdict: no diff"),
        ("detection", "IVH sensitivity 89% (95% CI, 56% to 98%), specificity not estimable"),
        ("cross_table", "ICH 8 true positive, 1 false negative, 0 false positive, 3 true negative"),
        ("failures", "ICH missed in 1/9 (11%) and invented in 0/3 (0%)"),
        ("measures", "surface Dice at 1 mm (ICH), 1 mm (PHE) and 1 mm (IVH)"),
        ("positivity", "above 0 mL and 0.1 mL"),
        ("sensitivity", "clusters: sites, IVH Dice difference 0.040 (95% CI, −0.020 to 0.100)"),
        (
            "precision",
            "12 scans, reaches 0.060 to either side; 80% of such studies would find a true difference",
        ),
        ("subgroups", "site and gantry tilt; 1 of 2 cells"),
        ("reference", "one mask per scan, with the classes intracerebral haemorrhage (ICH), perihaematomal"),
        ("external_test", "No test scan is of a site with training scans; whether"),
        (
            "new_site",
            "3D/DiceCE at a new site, 95% prediction interval from test scans: ICH 0.611 to 0.889 (mean over"
            " 6 sites 0.750; P(0.700 or more) = 0.79); PHE 0.611 to 0.889 (mean over 6 sites 0.750); IVH",
        ),
        ("plan", "Nothing deviates from it."),
        ("plan", "The analysis plan of 2026-11-23 (SHA-256 ffff"),
        ("intervals", "3 participants, as planned"),
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


def changed(results: Path, name: str, **values: object) -> None:
    """A table of the statistics with other values in whole columns."""
    path = results / f"statistics/{name}.tsv"
    write_tsv(read_tsv(path).assign(**values), path)


def emptied(results: Path, name: str) -> None:
    path = results / f"statistics/{name}.tsv"
    write_tsv(read_tsv(path).iloc[:0], path)


def reconfigured(results: Path, **blocks: object) -> None:
    write_json(read_json(results / "config.json") | blocks, results / "config.json")


def test_networks_of_curves_are_told_where_there_are_some(results: Path) -> None:
    assert text_of("model_choice", results).endswith("are named in the configuration.")
    training = read_json(results / "config.json")["training"]
    reconfigured(
        results,
        training=training | {"effort_curve": {"shares": [0.5, 1]}},
        learning_curve={"sizes": [10, "all"], "models": ["unet"], "seeds": [1, 2], "fold": 0},
    )
    assert text_of("model_choice", results).endswith(
        " Further networks, U-Net trained on parts of the participants (10 and all; seeds 1 and 2) and"
        " weights kept at 0.5 and 1 of each training, were measured on scans that their fold held out."
    )


def test_an_endpoint_that_could_not_be_evaluated_is_not_told_as_if_it_had_been(results: Path) -> None:
    none = float("nan")
    changed(results, "endpoints", difference=none, lower=none, upper=none, note="not part of this run: unet")
    emptied(results, "sensitivity")
    changed(results, "precision", half_width=none, detectable=none)
    assert text_of("precision", results).endswith("is not known, for it has no interval.")
    emptied(results, "subgroups")
    for name in ("statistics", "primary_endpoint"):
        text = text_of(name, results)
        assert "could not be evaluated: IVH Dice: not part of this run: unet." in text
        assert "minus" not in text
    assert text_of("sensitivity", results).startswith("There are no sensitivity analyses")
    assert text_of("subgroups", results).startswith(
        "Subgroups fixed in the plan: site and gantry tilt; none could be analysed."
    )


def test_where_no_possible_difference_would_be_found_the_report_says_so(results: Path) -> None:
    changed(results, "precision", detectable=float("nan"))
    assert text_of("precision", results).endswith("would find no difference that is possible.")


def test_deviations_from_the_plan_and_a_plan_without_subgroups(results: Path) -> None:
    path = results / "statistics/plan.tsv"
    rows = read_tsv(path)
    deviation = pd.DataFrame(
        [{"kind": "deviation", "item": "endpoint PHE", "value": "focal is not part of this run"}]
    )
    write_tsv(pd.concat([rows[rows["item"] != "subgroups"], deviation]), path)
    assert "Deviations from it: endpoint PHE: focal is not part of this run." in text_of("plan", results)
    assert text_of("subgroups", results) == "The analysis plan fixes no subgroups."


def test_a_class_that_no_mask_has_was_not_delineated(results: Path) -> None:
    path = results / "statistics/cohort_tests.tsv"
    rows = read_tsv(path)
    rows.loc[rows["characteristic"] == "IVH", ["train_count", "test_count"]] = 0
    write_tsv(rows, path)
    assert text_of("reference", results).endswith(
        "(ICH) and perihaematomal oedema (PHE). No mask of an analysed scan has intraventricular haemorrhage."
    )


def test_a_model_that_is_no_network_has_no_patches_and_no_learning_rate(results: Path) -> None:
    for path in results.glob("models/unet/*/*/train.json"):
        run = read_json(path)
        of_networks = ("batch_size", "patch_size_xyz", "optimiser", "learning_rate")
        run["record"] = {key: value for key, value in run["record"].items() if key not in of_networks}
        write_json(run, path)
    assert "U-Net: fitted to 2 scans, seed 1, on a " in text_of("training", results)


def test_sites_in_both_sets_are_told(results: Path) -> None:
    cohort = read_tsv(results / "cohort/cohort.tsv")
    write_tsv(cohort.assign(site="A"), results / "cohort/cohort.tsv")
    assert (
        text_of("external_test", results)
        == "Of the test scans 1/1 (100%) are of sites with training scans, too."
    )
    assert "not by site (1 of 1 in both)" in text_of("disjoint", results)
    assert "sites that were trained on" in text_of("known_limits", results)


def test_external_sets_are_told_and_are_no_scans_of_the_study(results: Path) -> None:
    cohort = read_tsv(results / "cohort/cohort.tsv")
    before = {name: text_of(name, results) for name in ("external_test", "sources", "disjoint", "raters")}
    added = cohort[cohort["status"] == "included"].head(2)
    added = added.assign(scan_id=["e1", "e2"], participant_id=["e1", "e2"], external_set="near", site="Z")
    write_tsv(pd.concat([cohort, added]), results / "cohort/cohort.tsv")
    after = {name: text_of(name, results) for name in before}
    assert after.pop("external_test") == (
        "Beside the test set, the models were measured on external sets: near (2 scans of 2 participants,"
        " 1 site). The plan's endpoints were computed in each of them by itself, and decide nothing there."
        f" {before.pop('external_test')}"
    )
    assert after == before


def test_external_sets_are_told_beside_the_study_in_scanners_geometry_and_raters(results: Path) -> None:
    assert text_of("external_differences", results).startswith("There is no external set")
    cohort = read_tsv(results / "cohort/cohort.tsv")
    added = cohort[cohort["status"] == "included"].head(2)
    added = added.assign(
        scan_id=["e1", "e2"],
        external_set="near",
        manufacturer="Z",
        rater="r-9",
        spacing_z_mm=2.5,
        n_slices=64,
        flags=["tilted", None],
    )
    write_tsv(pd.concat([cohort, added]), results / "cohort/cohort.tsv")
    own, near = text_of("external_differences", results).split(" External set ")
    assert own == (
        f"The study's own scans: {text_of('acquisition', results)}"
        f" {text_of('raters', results).replace('Raters of the analysed scans', 'Raters')}"
    )
    assert near == (
        "near: Makers of the scanners: Z (n = 2). Median distance of slices 2.5 mm (range 2.5 to 2.5);"
        " median number of slices 64; gantry tilted in 1/2 (50%). Raters: r-9 (n = 2)."
    )


def test_scans_of_external_sets_that_are_of_sites_with_training_scans_are_counted(results: Path) -> None:
    cohort, split = (read_tsv(results / f"cohort/{name}.tsv") for name in ("cohort", "split"))
    trained_on = split.loc[split["set"] == "train", "scan_id"].iloc[0]
    of_training = cohort.loc[cohort["scan_id"] == trained_on, "site"].item()
    added = cohort[cohort["status"] == "included"].head(2)
    sites = {"near": [of_training, "Z"], "far": ["Z", "Z"], "nowhere": [None, None]}
    for number, (name, of) in enumerate(sites.items()):
        ids = [f"e{number}", f"f{number}"]
        rows = added.assign(scan_id=ids, participant_id=ids, external_set=name, site=of)
        cohort = pd.concat([cohort, rows])
    write_tsv(cohort, results / "cohort/cohort.tsv")
    assert (
        "external sets: far (2 scans of 2 participants, 1 site), near (2 scans of 2 participants, 2 sites;"
        " 1/2 (50%) of sites with training scans, too) and nowhere (2 scans of 2 participants). The plan's"
    ) in text_of("external_test", results)


def test_sites_that_are_not_known_are_not_called_others(results: Path) -> None:
    cohort = read_tsv(results / "cohort/cohort.tsv")
    scans = cohort["scan_id"]
    write_tsv(cohort.assign(site=cohort["site"].mask(scans == "s2")), results / "cohort/cohort.tsv")
    assert text_of("disjoint", results).endswith("(none in both; the site of 1 scan is not known).")
    assert "a site with training scans; the site of 1 scan is not known; whether" in text_of(
        "external_test", results
    )
    assert "may be of sites that were trained on" in text_of("known_limits", results)
    assert text_of("sources", results).endswith("2 sites; the site of 1 scan is not known.")
    write_tsv(cohort.assign(site=cohort["site"].where(scans == "s1")), results / "cohort/cohort.tsv")
    assert "whether they are by site is not known" in text_of("disjoint", results)
    assert text_of("external_test", results).startswith("The sheet does not name the sites of")
    write_tsv(cohort.assign(site=None), results / "cohort/cohort.tsv")
    assert text_of("sources", results).endswith("are of sites that the sheet does not name.")


def test_a_split_from_a_file_was_not_drawn(results: Path) -> None:
    config = read_json(results / "config.json")
    reconfigured(results, split=config["split"] | {"file": "given.tsv"})
    assert "were taken from a list made elsewhere, by participant" in text_of("partition", results)


def test_folds_of_whole_sites_are_told_where_they_were_trained(results: Path) -> None:
    config = read_json(results / "config.json")
    reconfigured(results, split=config["split"] | {"folds_by": "site"})
    assert "all training scans were used at once" in text_of("partition", results)
    for path in results.glob("models/*/seed-1/fold-all"):
        for fold in (0, 1):
            shutil.copytree(path, path.with_name(f"fold-{fold}"))
    reconfigured(results, training=config["training"] | {"folds": [0, 1]})
    said = text_of("partition", results)
    assert "trained folds: 0 and 1, each of whole sites, so that what it holds out is of sites" in said


def test_why_nothing_is_said_of_a_new_site(results: Path) -> None:
    changed(results, "new_site", new_lower=None, new_upper=None, note="no site is known")
    assert text_of("new_site", results).endswith("was not estimated: no site is known.")
    emptied(results, "new_site")
    assert text_of("new_site", results).endswith("was not estimated.")


def test_one_model_was_compared_with_none(results: Path) -> None:
    config = read_json(results / "config.json")
    reconfigured(results, models={"unet": config["models"]["unet"]})
    summary = read_tsv(results / "statistics/dice_summary.tsv")
    write_tsv(summary[summary["model"] == "unet"], results / "statistics/dice_summary.tsv")
    assert text_of("models", results).startswith(
        "One model was evaluated, and compared with no other: U-Net ("
    )
    assert text_of("statistics", results) == (
        "No models were compared with each other; the sets by chi-squared, t and Mann-Whitney tests."
        " P < .05 was taken as significant."
    )


def test_tests_that_were_not_done_are_not_told(results: Path) -> None:
    """Where a study has a test set alone, Table 2 has no P; of one model nothing is compared."""
    split = read_tsv(results / "cohort/split.tsv")
    cohort = read_tsv(results / "cohort/cohort.tsv")
    write_tsv(cohort.assign(participant_id="P1"), results / "cohort/cohort.tsv")
    write_tsv(split.assign(set="test", participant_id="P1"), results / "cohort/split.tsv")
    words = ("chi-squared", "Mann-Whitney")
    for name in ("statistics", "known_limits"):
        assert all(word in text_of(name, results) for word in words)
    changed(results, "cohort_tests", p=None)
    for name in ("statistics", "known_limits"):
        assert not any(word in text_of(name, results) for word in words)
        assert "Kruskal-Wallis" in text_of(name, results)
    config = read_json(results / "config.json")
    reconfigured(results, models={"unet": config["models"]["unet"]})
    summary = read_tsv(results / "statistics/dice_summary.tsv")
    write_tsv(summary[summary["model"] == "unet"], results / "statistics/dice_summary.tsv")
    assert text_of("statistics", results) == "No models were compared with each other."
    assert "independent" not in text_of("known_limits", results)


def test_no_statement_ends_in_an_empty_list(results: Path) -> None:
    for name in (
        "endpoints",
        "sensitivity",
        "precision",
        "subgroups",
        "detection",
        "cohort_tests",
        "rater_agreement",
        "claims",
    ):
        emptied(results, name)
    config = read_json(results / "config.json")
    reconfigured(results, ingest=config["ingest"] | {"series_preference": []})
    whole = read(results)
    for name, statement in STATEMENTS.items():
        text = statement(whole).text
        assert not re.search(r": ?[.;]|\(\)| ,|: none|\bnone\.$", text), (name, text)


SAID = (
    "<script>alert(1)</script>",
    "![x](http://a.example/b.png)",
    "a **b** `c` _d_ ~~e~~ $f$ 3 & 4 &lt; 5",
    "1. a",
    "# a",
    "- a",
    "> a",
    "a\\nb\n\n# c",
)


@pytest.mark.parametrize("said", SAID)
def test_text_of_the_configuration_is_no_markup_of_the_methods(said: str) -> None:
    """As a renderer that lets HTML through shows it: one paragraph, with just these characters."""
    html = MarkdownIt("commonmark").enable("strikethrough").render(methods.plain(said))
    assert unescape(html.removeprefix("<p>").removesuffix("</p>\n")) == " ".join(said.split())


def test_methods_show_titles_as_they_are(results: Path) -> None:
    config = read_json(results / "config.json")
    write_json(config | {"study": {"name": "a*b*", "note": "<b>\x1b[2J"}}, results / "config.json")
    text = methods.markdown(read(results))
    assert text.startswith("# Methods of a\\*b\\*\n\n**\\<b>\\\\x1b\\[2J.**")
    assert "; P < .05 was taken as significant." in text
    assert "&lt;" not in text


def test_only_a_simulated_trial_is_called_simulated(results: Path) -> None:
    assert "The data are simulated" in methods.markdown(read(results))
    config = read_json(results / "config.json")
    del config["phantom"]
    write_json(config | {"study": {"name": "real", "note": ""}}, results / "config.json")
    assert "simulated" not in methods.markdown(read(results))


def test_lists_in_words() -> None:
    assert [listed(words) for words in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "none",
        "a",
        "a and b",
        "a, b and c",
    ]


# -- pages -------------------------------------------------------------------------------------------


def test_what_the_authors_wrote_and_what_they_still_owe(results: Path) -> None:
    html = checklists.html(lists(results), read(results))
    page = Page(html)
    assert "Authors: A <title> & more" in page.text
    assert "set reporting.title" not in page.text
    assert page.text.count("set reporting.ethics") == 2, "TRIPOD+AI 17 and STARD-AI 6"
    assert checklists.missing_keys(lists(results), read(results)) == sorted(REPORTING - {"title"})
    assert {link.split("/")[0] for link in page.links} == {".."}


def test_a_card_holds_the_numbers_of_its_model(results: Path) -> None:
    cards = {model: Page(model_cards.html(model, read(results))).text for model in reported_run.MODELS}
    assert "0.750 (0.704–0.810)" in cards["nnunet-3d-dicece"]
    assert "0.750" not in cards["unet"]
    assert "89% (95% CI, 56% to 98%)" in cards["unet"]
    assert "scans without a prediction: 2 (1 crashed, 1 refused)" in cards["unet"]
    assert "−12.3 to 5.6 mL" in cards["unet"]
    for text in cards.values():
        assert "For research only" in text
        assert "a" * 64 in text
        assert "set reporting.intended_use" in text


def test_a_model_made_elsewhere_is_told_as_what_it_is(results: Path) -> None:
    """Nothing is said of it that only those who made it can know."""
    before = {name: text_of(name, results) for name in STATEMENTS}
    assert not any("elsewhere" in text for text in before.values())
    document = read_json(results / "config.json")
    said = {
        "title": "U-Net",
        "framework": "external",
        "folder": "rival",
        "made_by": "A <b>",
        "licence": "MIT",
    }
    write_json(document | {"models": document["models"] | {"unet": said}}, results / "config.json")
    (results / "models/unet/seed-1/fold-all/train.json").unlink()
    card = Page(model_cards.html("unet", read(results))).text
    for words in ("not trained here", "Made by: A <b>.", "Model version: not stated.", "Licence: MIT."):
        assert words in card
    assert "SHA-256 of the weights" not in card
    assert "drawn at random" not in card
    assert "Its label maps were taken as they are, placed on the scan's grid; how it came to them is" in card
    for unknown in ("highest probability", "post-processing", "threshold", "averaged"):
        assert unknown not in card
    assert "taken as they are" not in Page(model_cards.html("nnunet-3d-dicece", read(results))).text
    assert "made by: A <b>" in text_of("models", results)
    assert "U-Net:" not in text_of("training", results)
    assert "U-Net" not in text_of("ensembles", results)
    for name in ("model_output", "initialisation", "preprocessing", "blind_models", "scan_only"):
        assert text_of(name, results).startswith(before[name][:40])
        assert "Made elsewhere, U-Net" in text_of(name, results)
    said["content"] = "probabilities"
    write_json(document | {"models": document["models"] | {"unet": said}}, results / "config.json")
    assert "or probabilities whose most probable class was taken" in text_of("model_output", results)
    assert "Of its probabilities the most" in Page(model_cards.html("unet", read(results))).text


def test_a_model_that_started_from_weights_is_described_by_them(results: Path) -> None:
    assert text_of("initialisation", results).endswith("none were pre-trained.")
    path = results / "models/unet/seed-1/fold-all/train.json"
    start = {"sha256": "f" * 64, "head": "given", "scans": None}
    write_json(read_json(path) | {"start": start}, path)
    said = f"started from: weights with SHA-256 {'f' * 64}; learnt before: scans that are not recorded"
    assert said in Page(model_cards.html("unet", read(results))).text
    assert said in text_of("training", results)
    assert text_of("initialisation", results).startswith(
        "Pre-trained weights, which Table E1 names, were the start of U-Net; all others were drawn at random"
    )


def test_post_processing_is_said_where_held_out_scans_decided_on_it(results: Path) -> None:
    assert "without post-processing" in text_of("model_output", results)
    document = read_json(results / "config.json")
    document["models"]["unet"]["postprocessing"] = "nnunet"
    write_json(document, results / "config.json")
    decision = {
        "model": "unet",
        "members": ["unet"],
        "seed": 1,
        "labels": dict(LABELS),
        "largest_component_of": [["PHE"]],
        "held_out_scans": 9,
        "without_prediction": 0,
        "mean_dice": {"before": {}, "after": {}},
    }
    write_json(decision, results / "models/unet/seed-1/postprocessing.json")
    said = "U-Net: only the largest component of PHE (decided on 9 held-out scans). Those of other models"
    for text in (text_of("model_output", results), Page(model_cards.html("unet", read(results))).text):
        assert said in text
        assert "without post-processing" not in text
    assert said in methods.markdown(read(results))
    elsewhere = {"title": "Rival", "framework": "external", "folder": "rival"}
    document["models"] = {"unet": document["models"]["unet"], "nnunet-3d-dicece": elsewhere}
    write_json(document, results / "config.json")
    summary = read_tsv(results / "statistics/dice_summary.tsv")
    kept = summary[summary["model"].isin(document["models"])]
    write_tsv(kept, results / "statistics/dice_summary.tsv")
    assert "Those of other models" not in text_of("model_output", results), "nobody knows it of the rival"


def test_equal_results_are_equal_bytes_wherever_they_lie(results: Path, tmp_path: Path) -> None:
    other = (
        shutil.copytree(results.parent, tmp_path / "elsewhere/too", copy_function=shutil.copyfile) / "results"
    )
    names = ("report/checklists.html", "report/models", "audit/methods.md")
    for folder in (results, other):
        for report, out in zip(("checklists", "model_cards", "methods"), names, strict=True):
            items = ["--checklists", *map(str, ITEMS)] if report == "checklists" else []
            command = [report, *GIVEN, "--results", str(folder), "--out", str(folder / out), *items]
            run_step("report", command)
    written = [*results.glob("report/**/*.html"), results / "audit/methods.md"]
    assert len(written) == 2 + len(reported_run.MODELS)
    for path in written:
        text = path.read_text(encoding="utf-8")
        assert text == (other / path.relative_to(results)).read_text(encoding="utf-8")
        assert not re.search(r"\d\d:\d\d:\d\d", text), "no time of day"
        assert not re.search(r"\d{4}-\d\d-\d\d", text.replace(PLANNED, "")), "no date but the plan's"
        assert finished_run.HOST["name"] not in text
        assert "Simulated data, no patients" in text


def test_a_study_of_its_own_tells_of_no_paper(results: Path) -> None:
    assert ", as in the study that is reproduced" in text_of("statistics", results)
    plan = results / "statistics" / "plan.tsv"
    table = read_tsv(plan)
    write_tsv(table.replace("replication", "own"), plan)
    (results / "statistics" / "claims.tsv").unlink()
    found = STATEMENTS["published"](facts.read(results, LABELS))
    assert found.text == "The study repeats no published one."
    assert found.evidence == ()
    others = [name for name in STATEMENTS if name != "published"]
    told = {name: text_of(name, results) for name in others}
    assert not {name for name, text in told.items() if re.search(r"\bpaper\b|reproduced|Kok|TICH", text)}
