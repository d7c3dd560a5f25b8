"""Figures: the bytes, the fonts, agreement plots, and bad input."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from itertools import cycle
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import SubFigure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from headct.contracts.artefacts import write_json, write_tsv
from headct.contracts.code import code_digests
from headct.contracts.declarations import PublishedFigure, declared
from headct.contracts.problems import BadInput, WrongOptions
from headct.contracts.references import ANOTHER_RATER, PREDICTS_NOTHING, SAME_RATER
from headct.contracts.repository import PACKAGE
from headct.publish import options
from headct.publish.figures import published_comparison, style, volume_agreement
from headct.publish.figures.slices import runs_to_show
from headct.settings import analysis_plan
from headct.settings import published as published_numbers
from headct.settings.analysis_plan import SCAN, SITE
from headct.statistics.comparison.new_site import OF_TEST_SET, tables_of
from headct.statistics.core import clusters, scores
from headct.statistics.core.agreement import agreement_row, agreement_table
from headct.statistics.core.group_tests import dunn_table
from headct.statistics.core.scores import mean_over_seeds
from headct.statistics.replication.rater_statistics import rater_agreement
from headct.steps import STEPS
from support.figure_inputs import (
    LONG,
    SHOWN,
    WIDTHS_MM,
    assert_fit_to_print,
    assert_readable,
    cases_arguments,
    draw,
    drawn_from_files,
    labels_given,
    metrics,
    readable,
    replicated,
    texts,
    training_record,
)
from support.label_sets import LABELS
from support.planned_cases import analysed

SCRIPTS = PACKAGE.parent

SCANS = [f"S{scan:03d}" for scan in range(174)]
COHORT = pd.DataFrame(
    {"scan_id": SCANS, "participant_id": SCANS, "site": [f"site {i % 6}" for i in range(174)]}
)
ALONE = clusters.clusters(SCAN, COHORT)
SITES = clusters.clusters(SITE, COHORT)


def of_agreement(metrics: Path) -> list[str]:
    """Arguments of a figure of agreement: what the model measured, the plan, and the cohort, beside them."""
    write_tsv(COHORT, metrics.parent / "cohort.tsv")
    files = {"metrics": metrics, "plan": analysis_plan.SHIPPED, "cohort": metrics.parent / "cohort.tsv"}
    return [f"--{name}={file}" for name, file in files.items()]


def every_figure(tmp_path: Path) -> dict[str, list[str]]:
    """Arguments of each figure that is made to a width."""
    tables = []
    for model in [*SHOWN, PREDICTS_NOTHING]:
        tables.append(tmp_path / "thirty" / f"{model}.tsv")
        write_tsv(metrics(model, 30), tables[-1])
    titles = ["--models", json.dumps(SHOWN)]
    agreement = [*of_agreement(tables[1]), "--model-title", "Focal"]
    every = ["--metrics", *map(str, tables), *titles]
    scans = mean_over_seeds(scores.read(tables, list(SHOWN), LABELS))
    write_tsv(dunn_table(scans, LABELS), tmp_path / "dunn.tsv")
    write_tsv(replicated(SHOWN), tmp_path / "numbers.tsv")
    measured = scores.read(tables, list(SHOWN), LABELS).drop(columns="role")
    numbered = measured.assign(scan_id=measured["scan_id"].str.removeprefix("S"))  # as those of the cohort
    comparison = analysed(numbered, tuple(SHOWN))
    planned = []
    for name in ("endpoints", "paired", "equivalence"):
        write_tsv(comparison[name], tmp_path / f"{name}.tsv")
        planned += [f"--{name}", str(tmp_path / f"{name}.tsv")]
    of_models = scores.read(tables, list(SHOWN), LABELS)
    shipped = analysis_plan.load(analysis_plan.SHIPPED)
    for name, table in tables_of(of_models, COHORT, shipped, OF_TEST_SET).items():
        write_tsv(table, tmp_path / f"{name}.tsv")
    readings = pd.concat([metrics(kind, 13) for kind in (SAME_RATER, ANOTHER_RATER)])
    write_tsv(readings, tmp_path / "second-reading.tsv")
    write_tsv(rater_agreement(readings, ALONE), tmp_path / "rater_agreement.tsv")
    write_json(training_record(), tmp_path / "train.json")
    return {
        **drawn_from_files(tmp_path, agreement, every, planned, titles),
        "published_vs_reproduced": ["--numbers", str(tmp_path / "numbers.tsv"), "--title-note", "Simulated"],
        "worst_cases": [*cases_arguments(tmp_path), "--n", "1"],
    }


FEW = ("bland_altman", "training_curves", "worst_cases")
ELSEWHERE = ("best_cases", "dice_by_effort", "external_sets", "flow", "ingest_qc", "learning_curve")
"""The best cases are drawn as the worst are; the others have tests of their own."""
REST = tuple(sorted(declared(PublishedFigure).keys() - {*FEW, *ELSEWHERE}))


@pytest.mark.parametrize("names", [FEW, pytest.param(REST, marks=pytest.mark.slow)])
def test_another_process_gives_the_same_bytes(tmp_path: Path, names: tuple[str, ...]) -> None:
    wanted = every_figure(tmp_path)
    assert wanted.keys() == {*FEW, *REST}
    wanted = {name: wanted[name] for name in names}
    widths_mm = dict(zip(wanted, cycle(WIDTHS_MM), strict=False))
    for name, width_mm in widths_mm.items():
        wanted[name] = [*wanted[name], "--width-mm", str(width_mm)]
    here, there = tmp_path / "here", tmp_path / "there"
    commands = [
        [
            name,
            "--study-title",
            "Simulated data",
            "--out",
            str(there / f"{name}.pdf"),
            *arguments,
            *labels_given(name),
        ]
        for name, arguments in wanted.items()
    ]
    program = (
        "import json, sys\n"
        "from headct.command_line import run_step\n"
        "for words in json.loads(sys.argv[1]):\n"
        "    run_step('figures', words)\n"
    )
    # Matplotlib names font subsets by a hash: sets of text would be hashed differently there.
    environment = os.environ | {"PYTHONPATH": str(SCRIPTS), "PYTHONHASHSEED": "4711", "TZ": "Asia/Tokyo"}
    with subprocess.Popen([sys.executable, "-c", program, json.dumps(commands)], env=environment) as other:
        for name, arguments in wanted.items():
            draw(name, here / f"{name}.pdf", *arguments)
            assert_fit_to_print((here / f"{name}.pdf").read_bytes(), widths_mm[name])
    assert other.returncode == 0
    for file in here.iterdir():
        assert file.read_bytes() == (there / file.name).read_bytes(), file.name
    assert len(list(here.iterdir())) == 4 * len(wanted)


def test_places_are_rounded_since_the_layout_is_not_repeatable() -> None:
    """Unrounded, two drawings of a figure in one process differed in the tenth decimal of a coordinate."""
    pages = published_comparison.draw_published(
        replicated(SHOWN), published_numbers.model_names(), "", "Study"
    )
    for figure, _ in pages:
        figure.draw_without_rendering()
        for part in (*figure.subfigs, *(axes for axes in figure.axes if axes.get_subplotspec())):
            box = part.bbox_relative if isinstance(part, SubFigure) else part.get_position(original=True)
            places = box.get_points()
            np.testing.assert_array_equal(places, places.round(style.PLACE_DECIMALS))
            assert not np.array_equal(places, places.round(3)), "no default places: the layout was made"


def test_bland_altman_draws_the_statistics() -> None:
    _, drawn = volume_agreement.draw_bland_altman(metrics("m", 40), ALONE, "M", LABELS, "Study")
    for label, volumes in metrics("m", 40).groupby("label"):
        own = drawn[drawn["label"] == label].set_index("element")
        error = volumes["volume_error_ml"]
        assert own.loc["bias", "y"] == pytest.approx(error.mean())
        assert own.loc["upper limit", "y"] == pytest.approx(error.mean() + 1.96 * error.std())
        assert own.loc["lower limit", "y"] < own.loc["bias", "ci_low"] < own.loc["bias", "y"]
        assert np.isnan(own.loc[["lower limit", "upper limit"], ["ci_low", "ci_high"]]).all(axis=None)
        scans = own[own["scan_id"].notna()].set_index("scan_id")
        volumes = volumes.set_index("scan_id")
        assert len(scans) == 40
        mean = (volumes["reference_ml"] + volumes["predicted_ml"]) / 2
        np.testing.assert_allclose(scans["x"], mean.loc[scans.index], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(
            scans["y"], volumes["volume_error_ml"].loc[scans.index], rtol=1e-6, atol=1e-6
        )


def test_agreement_is_drawn_with_the_intervals_of_the_table() -> None:
    """By sites, as a plan without a choice has it where six sites have scans enough."""
    scores = metrics("m", 40)
    scores = scores.assign(reference_header_ml=0.0, predicted_header_ml=0.0, role="family")
    table = (
        agreement_table(scores, SITES).query("volumes == 'weighted' and scans == 'all'").set_index("label")
    )
    _, difference = volume_agreement.draw_bland_altman(scores, SITES, "M", LABELS, "Study")
    _, volume = volume_agreement.draw_concordance(scores, SITES, "M", LABELS, "Study")
    bias = difference[difference["element"] == "bias"].set_index("label")
    ccc = volume[volume["element"] == "CCC"].set_index("label")
    for end, column in (("lower", "ci_low"), ("upper", "ci_high")):
        assert list(bias[column]) == list(table[f"bias_{end}_ml"])
        assert list(ccc[column]) == list(table[f"ccc_{end}"])


def test_bland_altman_of_pefr_as_published() -> None:
    """Lancet 1986;327:307, first readings of two meters: bias −2.1, limits −78.1 to 73.9 l/min."""
    wright = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
    mini = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]
    # The paper's difference is large meter − mini meter.
    row = agreement_row(np.array(mini, float), np.array(wright, float), np.arange(17))
    lines = volume_agreement.bland_altman_lines(row).set_index("element")
    assert lines.loc["bias", "y"] == pytest.approx(-2.117647, abs=1e-6)
    assert lines.loc["upper limit", "y"] == pytest.approx(73.862007, abs=1e-3)
    assert lines.loc["lower limit", "y"] == pytest.approx(-78.097302, abs=1e-3)


def test_concordance_draws_the_fitted_line() -> None:
    scores = metrics("m", 40)
    scores["predicted_ml"] = 2 + 0.5 * scores["reference_ml"]
    _, drawn = volume_agreement.draw_concordance(scores, ALONE, "M", LABELS, "Study")
    line = drawn[(drawn["label"] == "ICH") & (drawn["element"] == "fitted line")]
    np.testing.assert_allclose(line["y"], 2 + 0.5 * line["x"])
    ccc = drawn[(drawn["label"] == "ICH") & (drawn["element"] == "CCC")].iloc[0]
    assert ccc["ci_low"] < ccc["value"] < ccc["ci_high"] < 1


def test_absent_from_both_is_marked_and_counted() -> None:
    scores = metrics("m", 20, ivh=0.0)
    ivh = scores["label"] == "IVH"
    scores.loc[ivh, "predicted_ml"] = 0.0
    scores.loc[ivh & (scores["scan_id"] == "S000"), "predicted_ml"] = 1.0
    for draw_figure in (volume_agreement.draw_bland_altman, volume_agreement.draw_concordance):
        figure, drawn = draw_figure(scores, ALONE, "M", LABELS, "Study")
        assert "n = 20 (19 absent from both)" in texts(figure)
        assert (drawn.loc[drawn["label"] == "IVH", "element"] == volume_agreement.ABSENT).sum() == 19


def test_the_volume_of_a_missing_prediction_is_0_and_this_is_said() -> None:
    scores = metrics("m", 20)
    failed = scores["scan_id"] == "S003"
    scores.loc[failed, "failure"] = "RuntimeError: killed"
    scores.loc[failed, "predicted_ml"] = 0.0
    figure, drawn = volume_agreement.draw_bland_altman(scores, ALONE, "M", LABELS, "Study")
    words = "Predictions missing: 1 (1 crashed, 0 refused); the volume of each counts as 0 mL."
    assert words in texts(figure)
    assert (drawn["scan_id"] == "S003").sum() == len(LABELS)


def test_several_seeds_show_the_first_and_say_so() -> None:
    one = metrics("m", 20)
    scores = pd.concat([metrics("m", 20, number=7).assign(predicted_ml=99.0), one])
    figure, drawn = volume_agreement.draw_bland_altman(scores, ALONE, "M", LABELS, "Study")
    assert "First of 2 seeds." in texts(figure)
    assert len(drawn) == len(volume_agreement.draw_bland_altman(one, ALONE, "M", LABELS, "Study")[1])
    assert drawn["y"].max() < 90


@pytest.mark.parametrize("n", [1, 2, 3])
def test_agreement_of_few_scans_without_any_ivh(n: int) -> None:
    scores = metrics("m", n, ivh=0.0)
    scores.loc[scores["label"] == "IVH", "predicted_ml"] = 0.0
    with mpl.rc_context(style.PRINT):
        for draw_figure in (volume_agreement.draw_bland_altman, volume_agreement.draw_concordance):
            figure, _ = draw_figure(scores, ALONE, LONG, LABELS, LONG)
            figure.draw_without_rendering()
    assert "CCC not estimable" in texts(figure)


@pytest.mark.parametrize("width_mm", WIDTHS_MM)
@pytest.mark.parametrize("n", [12, 174])
def test_agreement_is_readable(n: int, width_mm: float) -> None:
    scores = metrics("m", n)
    scores.loc[scores["label"] == "IVH", "predicted_ml"] *= 10  # long numbers
    with readable():
        for draw_figure in (volume_agreement.draw_bland_altman, volume_agreement.draw_concordance):
            figure, _ = draw_figure(
                scores, ALONE, "Focal", LABELS, "Study · Simulated data, no patients", width_mm
            )
            assert_readable(figure, width_mm)


@pytest.mark.parametrize("least_rows", [1, 2])
@pytest.mark.parametrize("labels", [["a"], ["one of several words", "b", "c", "d", "e"], ["i", "w" * 30] * 4])
def test_a_legend_fits_into_its_width(labels: list[str], least_rows: int) -> None:
    n_columns = style.legend_columns(labels, style.COLUMN_MM, least_rows)
    assert math.ceil(len(labels) / n_columns) >= min(least_rows, len(labels))
    legend = [Line2D([], [], label=label) for label in labels]
    with readable():
        figure = style.sheet("Heading", "Study", 20, legend, [], style.COLUMN_MM, least_rows).figure
        assert_readable(figure, style.COLUMN_MM)
        (drawn,) = figure.findobj(Legend)
        width = drawn.get_window_extent().width
    assert width <= figure.bbox.width + 1
    if n_columns < math.ceil(len(labels) / least_rows):
        assert width * (n_columns + 1) / n_columns > figure.bbox.width, "one more column would not fit"


@given(st.lists(st.floats(10, 300), max_size=9))
def test_pages_hold_every_block_once_in_order(heights_mm: list[float]) -> None:
    pages = style.pages(heights_mm)
    assert [block for page in pages for block in page] == list(range(len(heights_mm)))
    for page in pages:
        assert len(page) == 1 or sum(heights_mm[i] for i in page) <= style.TALLEST_BODY_MM


def test_bad_input_is_named(tmp_path: Path) -> None:
    arguments = cases_arguments(tmp_path)
    manifest = tmp_path / "predictions" / "nnunet-3d-dicece" / "seed-0.tsv"
    with pytest.raises(BadInput, match="unet"):
        runs_to_show([manifest], ["nnunet-3d-dicece", "unet"])
    victim = manifest.parent / "seed-0" / "S000.nii.gz"
    victim.write_bytes(victim.read_bytes() + b"\0")
    with pytest.raises(BadInput, match="sha256"):
        draw("best_cases", tmp_path / "f.pdf", *arguments, "--n", "4")
    assert not (tmp_path / "f.pdf").exists()
    write_tsv(metrics("m", 3).drop(columns="dice"), tmp_path / "m.tsv")
    with pytest.raises(BadInput, match="dice"):
        draw("concordance", tmp_path / "f.pdf", *of_agreement(tmp_path / "m.tsv"), "--model-title", "M")
    failed = metrics("nnunet-3d-dicece", 4).assign(failure="out of memory")
    write_tsv(failed, tmp_path / "nnunet-3d-dicece.tsv")
    with pytest.raises(BadInput, match="no case to show"):
        draw("best_cases", tmp_path / "f.pdf", *arguments)


@pytest.mark.parametrize("name", declared(PublishedFigure))
def test_a_figures_code_is_its_own_module_and_what_figures_share(name: str) -> None:
    figures_by_module = {one.module: one.name for one in declared(PublishedFigure).values()}
    module = declared(PublishedFigure)[name].module
    code = code_digests([STEPS["figures"].path, module])
    others = {figures_by_module[other] for other in code.keys() & figures_by_module.keys() - {module}}
    built_of = {"rater_agreement": {"concordance", "dice_box_violin_present"}}
    assert others == built_of.get(name, set())


def test_models_are_a_json_object() -> None:
    assert list(options.titles_by_model('{"b": "B", "a": "A"}')) == ["b", "a"]
    for text in ("[]", "{}", '"a"'):
        with pytest.raises(WrongOptions, match="JSON object"):
            options.titles_by_model(text)


@pytest.mark.parametrize(
    ("value", "words"),
    [(-0.001, "0.00"), (-8.35, "−8.35"), (11.84, "11.8"), (-123.4, "−123"), (np.nan, "–"), (9.997, "10.0")],
)
def test_numbers_for_print(value: float, words: str) -> None:
    assert style.significant(value) == words


@pytest.mark.parametrize(
    ("n", "pages"), [(1, [1]), (2, [2]), (3, [3]), (4, [2, 2]), (5, [3, 2]), (7, [3, 2, 2])]
)
def test_lesions_that_do_not_fit_beside_each_other_go_on_on_the_next_page(n: int, pages: list[int]) -> None:
    found = style.in_pages("abcdefg"[:n])
    assert [len(page) for page in found] == pages
    assert "".join(label for page in found for label in page) == "abcdefg"[:n]
