"""A label set of a caller's own, from the split to the page: only steps read the study's."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from matplotlib.figure import Figure

from headct.cohort import gathering, split
from headct.contracts import labels as module_of_labels
from headct.contracts.labels import LabelSet
from headct.contracts.repository import PACKAGE
from headct.engine import workfolder
from headct.engine.training_job import TrainingJob
from headct.frameworks.monai import networks
from headct.frameworks.monai.inference import MonaiPredictor
from headct.inference import new_scans
from headct.provenance.lineage import Study
from headct.provenance.number_origins import COHORT, Place, Rows, Tables, needed
from headct.provenance.recompute import OF_FILE
from headct.publish import summary
from headct.publish.figures import critical_difference, dice_box_violin, dunn_heatmap, volume_agreement
from headct.publish.reports import facts
from headct.publish.reports.statements import STATEMENTS
from headct.publish.tables.table1 import table_1
from headct.publish.tables.table2 import table_2
from headct.publish.tables.table_e2 import table_e2
from headct.settings import published
from headct.settings.blocks import Split
from headct.statistics.comparison.detection import detection_table
from headct.statistics.comparison.estimates import estimates_table
from headct.statistics.comparison.paired import paired_table
from headct.statistics.comparison.score_arrays import score_arrays_of, with_training_mean
from headct.statistics.comparison.varying_limits import limits_table
from headct.statistics.core.scores import read
from headct.statistics.core.summaries import MEAN
from headct.statistics.replication.balance import balance
from headct.steps import STEPS
from support import monai_miniature, planned_cases, reported_run
from support.figure_inputs import texts
from support.label_sets import LABELS, TOY
from support.replicated import replicated
from support.simulated_scores import FAMILY, cohort, each_scan_alone, simulated, with_role

READERS = {
    "cohort.ingest": "the values in the masks are mapped to it",
    "cohort.gathering": "columns of the cohort",
    "cohort.split": "strata",
    "frameworks.prepare": "nnU-Net's description of the task",
    "frameworks.train": "classes of the network",
    "inference.outside_models": "the values in label maps that others made are mapped to it",
    "inference.postprocessing_rule": "values in the label maps that decide",
    "metrics.measure": "what is measured",
    "metrics.tolerance": "what is measured",
    "statistics.replication.balance": "rows of lesions",
    "statistics.replication.claims": "rows of lesions",
    "statistics.replication.paper_analysis": "rows of lesions",
    "statistics.comparison.paired_analysis": "rows of lesions",
    "statistics.comparison.out_of_fold": "rows of lesions",
    "statistics.comparison.effort_curve": "rows of lesions",
    "statistics.comparison.new_site": "rows of lesions",
    "statistics.comparison.external_sets": "rows of lesions",
    "statistics.comparison.learning_curve": "rows of lesions",
    "statistics.comparison.reviewed": "rows of lesions",
    "publish.page.case_files": "values in the label maps of cases",
    "publish.page.page": "what the page shows of each",
    "publish.page.quality_page": "what the page of images and masks shows of each",
    "publish.options": "for the figures, tables and reports that say so",
}
"""Modules below ``headct`` that read the set from a command line, and what for; others are given it."""


def names_of(label_set: LabelSet) -> set[str]:
    return {*label_set, *(pool.name for pool in label_set.pools)}


@pytest.fixture(scope="module")
def scores() -> pd.DataFrame:
    """Measures of three models and the row that predicts nothing, of the toy set."""
    return with_role(simulated(n_scans=24, labels=TOY))


@pytest.fixture(scope="module")
def computed(scores: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The paper's analysis of them."""
    return replicated(scores, toy_cohort(), planned_cases.PLAN, TOY)


def toy_cohort() -> pd.DataFrame:
    return cohort(n_test=12).rename(columns={"ICH_ml": "SDH_ml", "IVH_ml": "MASS_ml"}).drop(columns="PHE_ml")


def test_the_set_is_read_by_steps_and_handed_on() -> None:
    readers = {}
    for file in PACKAGE.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        modules = re.findall(r"^from headct\.contracts import labels(?: as (\w+))?$", text, re.MULTILINE)
        if n_read := sum(len(re.findall(rf"\b{name or 'labels'}\.read\b", text)) for name in modules):
            readers[".".join(file.relative_to(PACKAGE).with_suffix("").parts)] = n_read
    assert readers == dict.fromkeys(READERS, 1) | {"publish.options": 2}, "read once, and by no other module"
    assert set(READERS) - {"publish.options"} <= {step.module for step in STEPS.values()}
    ready_made = [name for name, value in vars(module_of_labels).items() if isinstance(value, LabelSet)]
    assert not ready_made, "there is no set to import"


def test_scores_are_checked_and_ordered_by_the_set(tmp_path: Path) -> None:
    metrics = simulated(labels=TOY)
    path = tmp_path / "metrics.tsv"
    pooled = metrics.assign(label="SDH+MASS").drop_duplicates(["model", "seed", "scan_id"])
    pd.concat([metrics.iloc[::-1], pooled]).to_csv(path, sep="\t", index=False)
    found = read([path], list(FAMILY), TOY)
    assert list(found["label"].head(2)) == ["SDH", "MASS"]
    assert set(found["label"]) == set(TOY)
    with pytest.raises(Exception, match="unknown label"):
        read([path], list(FAMILY), LABELS)


def test_statistics_of_another_set(computed: dict[str, pd.DataFrame]) -> None:
    for name in ("dice_present_summary", "volume_overlap", "kruskal_wallis", "dunn", "agreement"):
        assert set(computed[name]["label"]) == set(TOY), name
    summaries = computed["dice_summary"].query("model == 'a'").set_index("label")
    assert list(summaries.index) == [*TOY, MEAN]
    assert summaries.loc[MEAN, "mean"] == pytest.approx(summaries.loc[list(TOY), "mean"].mean())
    assert {"SDH", "SDH_volume_ml", "MASS", "MASS_volume_ml"} < set(
        computed["cohort_tests"]["characteristic"]
    )
    assert list(computed["prevalence"]["label"].head(3)) == ["background", *TOY]


def test_claims_of_the_paper_about_lesions_that_a_study_does_not_have() -> None:
    models = list(published.model_names())
    scores = with_role(simulated(models, labels=TOY), models)
    claims = replicated(scores, toy_cohort(), planned_cases.PLAN, TOY)["claims"].set_index("claim")
    assert claims.loc["ivh-leaders", "evidence"] == "this study has no IVH"
    of_cohort = claims.index.str.startswith("sets-")
    assert set(claims.loc[~of_cohort, "verdict"]) == {"cannot tell"}
    assert "least of 8 P" in claims.loc["sets-do-not-differ", "evidence"]


def test_the_planned_comparison_of_another_set(scores: pd.DataFrame) -> None:
    scans = scores["scan_id"].unique()
    volumes = {f"{label}_ml": [10.0, 20.0] for label in TOY}
    training = pd.DataFrame({"scan_id": ["t1", "t2"], **volumes})
    drawn = pd.DataFrame({"scan_id": [*scans, "t1", "t2"], "set": ["test"] * len(scans) + ["train"] * 2})
    data = score_arrays_of(with_training_mean(scores, training, drawn, TOY), TOY, each_scan_alone(scores))
    plan = planned_cases.PLAN
    tables = (
        paired_table(data, plan),
        estimates_table([data]),
        detection_table([data], plan),
        limits_table([data]),
    )
    for table in tables:
        assert list(table["label"].unique()) == list(TOY)


def test_tables_of_another_set(computed: dict[str, pd.DataFrame]) -> None:
    titles = {model: model.upper() for model in FAMILY}
    dice, overlap = table_1(computed, titles, TOY), table_e2(computed, titles, TOY)
    assert "the mean of lesions is that of the two means, or of the two medians" in " ".join(dice.notes)
    assert [group for group, _ in dice.panels[0].groups] == ["", *TOY, "Mean of lesions"]
    assert [group for group, _ in overlap.panels[0].groups] == ["", *TOY]
    rows = [row[0].text for row in table_2(computed["cohort_tests"], TOY).panels[0].rows]
    assert {"Scans with SDH, n (%)", "MASS volume, mL, median (IQR)"} < set(rows)
    board = summary.leader_board(dice.numbers)
    assert board[1].split() == ["SDH", "MASS", "Mean", "of", "lesions"]


def test_figures_of_another_set(scores: pd.DataFrame, computed: dict[str, pd.DataFrame]) -> None:
    titles = {model: f"Model {model}" for model in FAMILY}
    one = scores[scores["model"] == "a"]
    scans = each_scan_alone(one)
    drawn: dict[str, tuple[Figure, pd.DataFrame]] = {
        "ranks": critical_difference.draw_critical_difference(scores, titles, TOY, "Study"),
        "pairs": dunn_heatmap.draw_dunn(computed["dunn"], titles, TOY, "Study"),
        "Dice": dice_box_violin.draw_box_violins(scores, titles, TOY, "Study"),
        "differences": volume_agreement.draw_bland_altman(one, scans, "A", TOY, "Study"),
        "volumes": volume_agreement.draw_concordance(one, scans, "A", TOY, "Study"),
    }
    for name, (figure, numbers) in drawn.items():
        assert list(numbers["label"].unique()) == list(TOY), name
        headings = [axes.get_title(loc="left") for axes in figure.axes]
        said = set(" ".join([texts(figure), *headings]).split())
        assert set(TOY) <= said, name
        assert not names_of(LABELS) & said, name


def test_a_report_names_the_lesions_that_it_is_given(tmp_path: Path) -> None:
    found = facts.read(reported_run.make(tmp_path / "study", {}), LABELS)
    output = STATEMENTS["model_output"]
    assert "(background, ICH, PHE, IVH)" in output(found).text
    assert "(background, SDH, MASS)" in output(replace(found, labels=TOY)).text


def test_a_split_by_another_set() -> None:
    n = 40
    people = [f"p{i:02d}" for i in range(n)]
    scans = pd.DataFrame({"scan_id": people, "participant_id": people, "site": "x"})
    scans = scans.assign(SDH_ml=np.arange(1.0, n + 1), ct_sha256="c", labels_sha256="l")
    by_volume = Split(
        file=None,
        test_fraction=0.25,
        stratify_by=("sdh_volume",),
        ich_volume_groups=2,
        minimum_site_size=1,
        folds=2,
        folds_by="participant",
        seed=0,
    )
    drawn = split.split_scans(scans, by_volume, TOY)
    assert drawn[drawn["set"] == "test"].groupby("stratum").size().to_dict() == {
        "SDH volume group 1/2": 5,
        "SDH volume group 2/2": 5,
    }
    suggested = split.split_scans(scans, replace(by_volume, stratify_by=None), TOY)
    assert list(suggested["stratum"]) == list(drawn["stratum"]), "the volume of the one that bleeds"
    balanced = balance(toy_cohort().assign(n_slices=30, spacing_z_mm=5.0, tilt_deg=0.0), TOY)
    assert {"SDH_present", "MASS_volume_ml"} < set(balanced["characteristic"])
    assert not {f"{label}_present" for label in LABELS} & set(balanced["characteristic"])


def test_a_cohort_of_another_set() -> None:
    row = dict.fromkeys(gathering.FROM_SHEET) | {"scan_id": "s1"}
    record = gathering.NOT_INGESTED | {"status": "included", "volumes_ml": {"SDH": 12.5, "MASS": 0.0}}
    found = gathering.cohort_row(row, record, 90.0, TOY)
    assert {key: value for key, value in found.items() if key.endswith("_ml")} == {
        "SDH_ml": 12.5,
        "MASS_ml": 0,
    }
    (problem,) = gathering.classes_without_voxel([record], TOY)
    assert problem.key == "labels.MASS"


def test_a_training_and_its_network_are_those_of_the_set() -> None:
    settings = monai_miniature.SETTINGS
    network = networks.build(settings, TOY.n_classes)
    predict = MonaiPredictor(network.state_dict(), settings, monai_miniature.OF_INFERENCE, "cpu", TOY)
    assert predict(sitk.Image(20, 20, 6, sitk.sitkInt16)).shape == (3, 6, 20, 20)
    job = TrainingJob("unet", settings, (), (), 0, "all", "cpu", 1, Path(), TOY)
    defined_by, other = (
        workfolder.identity(one, "headct.engine.seeding", {}) for one in (job, replace(job, labels=LABELS))
    )
    assert workfolder.changes(defined_by, other), "another set is another training"
    assert new_scans.columns_of(TOY)[4:6] == ["SDH_ml", "MASS_ml"]


def test_numbers_are_followed_and_computed_again_in_another_set() -> None:
    scans = toy_cohort()
    tables = Tables(Study(Path("results")), TOY)
    assert needed(TOY)[COHORT][1] == ("age", "onset_to_ct_h", "SDH_ml", "MASS_ml")
    place = Place("results/statistics/prevalence.tsv", 0, "percent_of_labelled")
    row = {"set": "both", "label": "SDH"}
    found = OF_FILE["prevalence"](tables, place, row, [Rows(COHORT, "", scans)])
    volumes = scans["SDH_ml"].sum(), scans["MASS_ml"].sum()
    assert found == pytest.approx(100 * volumes[0] / sum(volumes))
