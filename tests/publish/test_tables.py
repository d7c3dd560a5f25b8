"""Tables, the published numbers beside them, and the summary on the terminal."""

from __future__ import annotations

import ast
import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from headct.command_line import run_step
from headct.contracts.artefacts import read_tsv, write_json, write_tsv
from headct.contracts.code import code_digests
from headct.contracts.declarations import SOURCES, PublishedFigure, PublishedTable, declared
from headct.contracts.no_prediction import MISSING_SCORED
from headct.contracts.postprocessing import Postprocessing
from headct.contracts.problems import BadInput
from headct.contracts.references import PREDICTS_NOTHING
from headct.contracts.repository import PACKAGE, REPOSITORY
from headct.publish import printed_numbers
from headct.publish.tables import table_page, tabulate
from headct.publish.tables.latex import escape, latex
from headct.publish.tables.table1 import marks, table_1
from headct.publish.tables.table2 import table_2
from headct.publish.tables.table_e1 import table_e1
from headct.publish.tables.table_e2 import table_e2
from headct.publish.tables.training_times import training_times
from headct.settings import published
from support.label_sets import GIVEN, LABELS
from support.latex_reader import assert_latex_compiles, assert_pdflatex_compiles, needs_pdflatex
from support.planned_cases import PLAN
from support.replicated import replicated
from support.simulated_scores import FAMILY, cohort, simulated, with_role

TITLES = {"a": "Model <A>", "b": "Model B", "c": "C"}
OF_THE_PAPER = re.compile(r"\bpaper\b|\bKok\b|TICH|220096")


@pytest.fixture(scope="module")
def computed() -> dict[str, pd.DataFrame]:
    return replicated(with_role(simulated([*FAMILY, "extra"])), cohort(), PLAN, LABELS)


def record(model: str, **changes: object) -> dict[str, object]:
    """A ``train.json``."""
    return {
        "model": model,
        "framework": "nnunet",
        "seed": 0,
        "fold": "all",
        "n_training_scans": 12,
        "device": "cpu",
        "threads": 1,
        "versions": {"python": "3.11.9", "torch": "2.14.1"},
        "epochs": 2,
        "record": {
            "network": "PlainConvUNet",
            "parameters": 1234567,
            "patch_size": [8, 32, 32],
            "iterations": 120,
        },
        "sessions": [{"device": "x86_64"}],
        "resumed": 0,
        "seconds": 1800.0,
        **changes,
    }


# Formats


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.0004, "<.001"),
        (0.001, ".001"),
        (0.0096, ".010"),
        (0.25, ".25"),
        (0.0496, ".050"),
        (0.0504, ".050"),
        (0.999, ">.99"),
        (1.0, ">.99"),
        (math.nan, "–"),
    ],
)
def test_p_values(p: float, text: str) -> None:
    assert printed_numbers.p_value(p) == text


def test_numbers() -> None:
    assert [printed_numbers.number(value) for value in (-0.001, -1.5, 2.0, math.nan)] == [
        "0.00",
        "−1.50",
        "2.00",
        "–",
    ]
    assert printed_numbers.spread(0.32, -8.35, 9.0) == "0.32 (−8.35 to 9.00)"
    assert printed_numbers.spread(1.9, 1.4, 2.9, 1) == "1.9 (1.4–2.9)"
    assert printed_numbers.share(2, 3) == "2/3 (67%)"
    assert printed_numbers.share(1.5, 3) == "1.5/3 (50%)"
    assert printed_numbers.share(0, 0) == "–"


def test_page_is_self_contained_escaped_and_titled() -> None:
    table = table_page.Table(
        "T", pd.DataFrame(), [table_page.Panel([("", "a<b")], [[table_page.Cell("x & y")]])], ["n < 3"]
    )
    text = table_page.html(table, "Simulated data")
    assert "<title>T (Simulated data)</title>" in text
    assert "<h1>T (Simulated data)</h1>" in text
    assert "a&lt;b" in text
    assert "x &amp; y" in text
    assert "n &lt; 3" in text
    assert not re.search(r"https?:|src=|<script|<link", text)


def test_latex_escapes_what_latex_reads_as_commands() -> None:
    assert escape("50% of a_b & c#d {x} ~ ^ \\") == (
        r"50\% of a\_b \& c\#d \{x\} \textasciitilde{} \textasciicircum{} \textbackslash{}"
    )
    assert escape("−1.5 ± 0.2 – “<.001”") == r"$-$1.5 $\pm$ 0.2 -- ``$<$.001''"


def test_latex_of_a_table() -> None:
    row = [
        table_page.Cell("a_1"),
        table_page.Cell("0.5", "best"),
        table_page.Cell("0.1", "worst"),
        table_page.Cell("why", "text"),
    ]
    columns = [("", "Model"), ("ICH", "Mean"), ("ICH", "Median"), ("", "Note")]
    panel = table_page.Panel(columns, [row, row], "A. All", frozenset({1}), "50% of <all> scans.")
    assert '<p class="lead">50% of &lt;all&gt; scans.</p>' in table_page.html(
        table_page.Table("T", pd.DataFrame(), [panel])
    )
    table = table_page.Table("Table 9. T", pd.DataFrame(), [panel, panel], ["100% of scans"])
    text = latex(table, "Simulated data", name="my_table")
    assert_latex_compiles(text)
    assert text.count(r"\caption{T (Simulated data)}\label{tab:my-table}") == 1, "LaTeX numbers it"
    assert text.index(r"\label") < text.index(r"\endfirsthead") < text.index(r"\endhead")
    assert r"\begin{longtable}[l]{lrrl}" in text
    assert r" & \multicolumn{2}{c}{ICH} & " in text
    assert r"\cmidrule(lr){2-3}" in text
    assert r"a\_1 & \textbf{0.5} & \underline{\textit{0.1}} & why \\" in text
    assert r"\parbox[t]{\linewidth}{\raggedright 50\% of $<$all$>$ scans.\strut}" in text
    assert r"100\% of scans" in text
    assert text.count(r"\midrule") == 2 + 3, "before each body, on its first page and on others; one apart"


def test_latex_of_titles_that_begin_with_what_a_row_takes_for_its_argument() -> None:
    titles = ["[a] b", "*c", "(d)", 'κ-Net "α"', "Őr «Ω»", "a--b", "„e“ ‘f’"]
    columns = [("", "Model"), *((("", title)) for title in titles)]
    rows = [[table_page.Cell(title)] * len(columns) for title in titles]
    text = latex(
        table_page.Table(
            "[T]", pd.DataFrame(), [table_page.Panel(columns, rows, "[A]", frozenset({0, 2}))], ["*n"]
        )
    )
    assert_latex_compiles(text)
    assert "\n{}[a] b & " in text
    assert escape('κ-Net "α"') == r"$\kappa$-Net ''$\alpha$''"
    assert escape("Őr «Ω»") == r"\H{O}r $\ll$$\Omega$$\gg$"
    assert escape("a---b") == "a-{}-{}-b"
    assert escape("中") == "中", "kept for engines that know it"


def test_latex_of_a_wide_table_fits_a_line() -> None:
    """Groups of columns stay together and those before them repeat; running text is broken."""
    groups = [("", "Model"), ("", "Set"), *((label, f"Number {i}") for label in LABELS for i in range(3))]
    numbers = [table_page.Cell("0.123 (0.100 to 0.150)")] * 9
    wide = table_page.Panel(groups, [[table_page.Cell("m"), table_page.Cell("test"), *numbers]], "A. Wide")
    text = table_page.Panel(
        [("", "Item"), ("", "Words")],
        [[table_page.Cell("m"), table_page.Cell("some words " * 30, "text")]],
        "B. Long",
    )
    found = latex(table_page.Table("T", pd.DataFrame(), [wide, text]))
    assert_latex_compiles(found)
    assert found.count("Model & Set") == 1 + 3, "of the first grid twice: on its first page, and on others"
    assert found.count("A. Wide, continued") == 2
    assert r"{l>{\raggedright\arraybackslash}p{" in found


@pytest.mark.parametrize(
    "broken",
    [
        r"a & b \\",
        r"{a \\",
        r"50% \\",
        r"a_b \\",
        r"$a \\",
        r"≈ \\",
        r"\begin{x}",
        r"\foo \\",
        "fine \\\\\n[a] \\\\",
        "fine \\\\\n*a \\\\",
    ],
)
def test_reader_of_latex_finds_faults(broken: str) -> None:
    whole = "\\begin{longtable}{l}\n\\caption{T}\\label{tab:t} \\\\\n%s\n\\end{longtable}\n"
    assert_latex_compiles(whole % r"fine \\")
    with pytest.raises(AssertionError):
        assert_latex_compiles(whole % broken)


def test_several_test_scans_of_a_participant_are_told_under_every_table() -> None:
    split = pd.DataFrame(
        {"participant_id": ["p1", "p1", "p2", "p3", "p3"], "set": [*["test"] * 3, *["train"] * 2]}
    )
    (note,) = table_page.repeated_participants(split)
    assert "the 3 test scans are of 2 participants" in note
    assert "Dunn's and Friedman's tests and those of Table 2 take them as independent" in note
    assert "may be too small" in note
    assert "also too large" in note
    assert table_page.repeated_participants(split.iloc[1:]) == [], "training scans are not tested"


# Table 1


def test_marks_are_shared_by_ties_and_kept_from_reference_rows() -> None:
    values = pd.Series([0.9, 0.5, 0.9, 0.2, 0.99])
    eligible = pd.Series([True, True, True, False, False])
    assert list(marks(values, eligible)) == ["best", "worst", "best", "", ""]
    assert set(marks(pd.Series([0.5, 0.5]), pd.Series([True, True]))) == {""}
    assert list(marks(pd.Series([0.5, np.nan]), pd.Series([True, True]))) == ["", ""]


def test_marks_of_the_published_table_are_found_again() -> None:
    # The paper marks not every worst value and breaks ties of the rounded medians; what it marks
    # must be marked here.
    printed = read_tsv(published.FOLDER / "table1_dice.tsv").fillna({"mark_mean": "", "mark_median": ""})
    for _, rows in printed.groupby("label"):
        for column in ("mean", "median"):
            found = marks(rows[column], pd.Series(True, index=rows.index))
            mark = rows[f"mark_{column}"]
            assert list(found[mark != ""]) == list(mark[mark != ""])


def test_table_1_shows_the_trivial_row_unmarked_and_last(computed: dict[str, pd.DataFrame]) -> None:
    table = table_1(computed, TITLES, LABELS)
    assert list(table.numbers["model"].unique()) == [*FAMILY, "extra", PREDICTS_NOTHING]
    beside = table.numbers[~table.numbers["model"].isin(FAMILY)]
    assert (beside[["mark_mean", "mark_median"]] == "").all(axis=None)
    for label in LABELS:
        rows = table.numbers[table.numbers["label"] == label]
        assert (rows["mark_mean"] == "best").sum() == 1
    for panel in table.panels:
        assert [row[0].text for row in panel.rows] == [
            "Model <A>",
            "Model B",
            "C",
            "extra",
            "Predicts nothing",
        ]
        assert panel.apart == {3, 4}
        assert {len(row) for row in panel.rows} == {len(panel.columns)}


def test_table_1_prints_what_was_computed(computed: dict[str, pd.DataFrame]) -> None:
    dice = computed["dice_summary"].set_index(["model", "label"]).loc[("b", "IVH")]
    row = table_1(computed, TITLES, LABELS).panels[0].rows[1]
    assert row[5].text == f"{dice['mean']:.3f}"
    assert row[6].text == f"{dice['median']:.3f} ({dice['q1']:.3f}–{dice['q3']:.3f})"


def test_table_1_tells_tests_and_failures(computed: dict[str, pd.DataFrame]) -> None:
    dice = computed["dice_summary"].copy()
    dice.loc[dice["model"] == "b", ["n_failed", "n_crashed"]] = 2, 1
    notes = "\n".join(table_1({**computed, "dice_summary": dice}, TITLES, LABELS).notes)
    # A missing prediction counted as empty formerly, which is right where the lesion is absent.
    assert f"Model B: scans without a prediction: 2 (1 crashed, 1 refused), each {MISSING_SCORED}." in notes
    assert "ICH: Kruskal-Wallis H" in notes
    assert "of 3 pairs" in notes


def test_table_1_of_a_single_model() -> None:
    only = replicated(with_role(simulated(["a"]), ["a"]), cohort(), PLAN, LABELS)
    table = table_1(only, {}, LABELS)
    assert "Kruskal-Wallis and Dunn's tests undefined" in "\n".join(table.notes)
    assert (table.numbers["mark_mean"] == "").all()


# Table 2, E2


def test_table_2_prints_as_the_paper_does(computed: dict[str, pd.DataFrame]) -> None:
    table = table_2(computed["cohort_tests"], LABELS)
    shown = table.numbers.set_index(["characteristic", "statistic"])
    assert shown.loc[("participants", "n"), "train"] == "12"
    assert re.fullmatch(r"\d+ \(\d+\) \d+–\d+", shown.loc[("age_years", "mean (SD) range"), "test"])
    assert re.fullmatch(r"\d\.\d \(\d\.\d–\d\.\d\)", shown.loc[("onset_to_ct_hours", "median (IQR)"), "test"])
    assert shown.loc[("ICH", "n (%)"), "train"] == "12 (100)"


def test_table_2_without_any_ivh() -> None:
    table = table_2(
        replicated(with_role(simulated()), cohort().assign(IVH_ml=0.0), PLAN, LABELS)["cohort_tests"],
        LABELS,
    )
    shown = table.numbers.set_index(["characteristic", "statistic"])
    assert shown.loc[("IVH_volume_ml", "median (IQR)"), "train"] == "no values"
    assert shown.loc[("IVH_volume_ml", "mean (SD) range"), "note"] != ""


def test_the_paper_is_named_only_where_a_study_is_held_against_it() -> None:
    """A study with ``comparison: own`` has neither the table nor the figure of published numbers."""
    of_the_paper = {
        one.module
        for kind in (PublishedTable, PublishedFigure)
        for one in declared(kind).values()
        if "published numbers" in one.inputs.values()
    }
    sources = {
        source for source in SOURCES if "paper" in source
    }  # names in declarations, which nobody prints
    speaking = {
        f"{file}: {text}"
        for file in (PACKAGE / "publish").rglob("*.py")
        if module_of(file) not in of_the_paper
        for text in texts_in(file) - sources
        if OF_THE_PAPER.search(text)
    } | {
        file.name
        for file in (REPOSITORY / "workflow/report").glob("*.rst")
        if OF_THE_PAPER.search(file.read_text(encoding="utf-8"))
    }
    assert len(of_the_paper) == 2
    assert speaking == {"published_vs_reproduced_figure.rst"}


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts)


def texts_in(file: Path) -> set[str]:
    """The texts of a module, but for docstrings: those of functions, and those below constants."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    documents = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in documents
    }


def test_table_e2_has_the_reference_apart(computed: dict[str, pd.DataFrame]) -> None:
    table = table_e2(computed, TITLES, LABELS)
    assert [row[0].text for row in table.panels[0].rows][-1] == "Predicts nothing"
    assert table.panels[0].rows[-1][1].text == "0.00 (0%)"


# Table E1 and times


def test_table_e1_reads_records_and_lists_members() -> None:
    details = {
        "architecture": "DeepMedic",
        "n_parameters": 5,
        "milestones": [1, 2],
        "hu_window": [-15.0, 75.0],
    }
    records = [record("a"), record("b", framework="blastct", record=details, threads=2)]
    table = table_e1(records, ["a", "b", "ab"], TITLES, {"ab": ["a", "b"]})
    shown = table.numbers.set_index("item")
    assert shown.loc["Network"].to_list() == ["PlainConvUNet", "DeepMedic", ""]
    assert shown.loc["Parameters"].to_list() == ["1,234,567", "5", ""]
    assert shown.loc["Patch, voxels", "a"] == "8 × 32 × 32"
    assert shown.loc["Intensity window, HU", "b"] == "−15 to 75"
    assert shown.loc["Milestones", "b"] == "1, 2"
    assert shown.loc["Members", "ab"] == "mean of the probabilities of Model <A>, Model B"
    assert shown.loc["Threads"].to_list() == ["1", "2", ""]


def test_table_e1_has_the_patches_that_were_seen_the_budget_and_the_sum_of_an_ensemble() -> None:
    """120 steps of 5 patches, 60 of 10."""

    def within(model: str, steps: int, batch: int, **changes: object) -> dict[str, object]:
        return record(model, record={"batch_size": batch, "iterations": steps}, **changes)

    budget = {"patches": 600, "steps": 120, "epochs": 2, "steps_per_epoch": 60}
    records = [within("a", 120, 5, budget=budget), within("b", 60, 10, budget=budget | {"steps": 60})]
    shown = table_e1(records, ["a", "b", "ab"], {}, {"ab": ["a", "b"]}).numbers.set_index("item")
    assert list(shown.loc["Patches seen"]) == ["600", "600", "1,200"]
    assert list(shown.loc["Iterations"]) == ["120", "60", "180"]
    assert list(shown.loc["Budget of a training"]) == ["600 patches", "600 patches", ""]
    by_hours = {"gpu_hours": 1.5, "card": "h100", "steps": 120}
    shown = table_e1([within("a", 120, 5, budget=by_hours)], ["a"], {}, {}).numbers.set_index("item")
    assert shown.loc["Budget of a training", "a"] == "1.5 GPU-hours on h100"
    folds = [*records, within("a", 119, 5, fold=1)]
    unequal = table_e1(folds, ["a", "b", "ab"], {}, {"ab": ["a", "b"]}).numbers.set_index("item")
    assert unequal.loc["Patches seen", "ab"] == "", "its members' runs differ"
    assert "Budget of a training" not in set(table_e1([record("a")], ["a"], {}, {}).numbers["item"])


def test_table_e1_says_of_a_model_made_elsewhere_what_is_known_of_it() -> None:
    known = {"Made by": "A & B", "Model version": "2.1", "Licence": "MIT", "Training data": "not stated"}
    table = table_e1([record("a")], ["a", "rival"], TITLES, {}, {"rival": known})
    shown = table.numbers.set_index("item")
    assert shown.loc["Framework", "rival"] == "none: made elsewhere"
    assert shown.loc[list(known), "rival"].to_dict() == known
    assert set(shown.loc[list(known), "a"]) == {""}
    assert "what the configuration says" in table.notes[-1]


def test_table_e1_says_what_a_training_started_from() -> None:
    known = record("a", start={"sha256": "f" * 64, "head": "given", "scans": 1200})
    unknown = record("b", start={"sha256": "e" * 64, "head": "fresh", "scans": None})
    table = table_e1([known, unknown, record("c")], ["a", "b", "c"], TITLES, {})
    shown = table.numbers.set_index("item")
    assert shown.loc["Started from"].to_list() == [
        f"weights with SHA-256 {'f' * 64}",
        f"weights with SHA-256 {'e' * 64}, but for the layers that give the classes",
        "",
    ]
    assert shown.loc["Learnt before"].to_list() == [
        "1,200 scans, none of which is tested on here",
        "scans that are not recorded; test scans may be among them",
        "",
    ]
    assert "Started from" not in table_e1([record("c")], ["c"], TITLES, {}).numbers["item"].to_list()


def test_table_e1_says_what_was_decided_on_post_processing() -> None:
    facts: dict[str, Any] = {
        "labels": dict(LABELS),
        "held_out_scans": 8,
        "without_prediction": 0,
        "mean_dice": {},
        "members": ["a"],
    }
    decided = [
        Postprocessing(model=model, seed=seed, largest_component_of=groups, **facts)
        for model, seed, groups in (("a", 1, [["ICH"]]), ("a", 2, []), ("ab", 1, [["ICH", "PHE", "IVH"]]))
    ]
    models = ["a", "b", "ab"]
    table = table_e1([record("a"), record("b")], models, TITLES, {"ab": ["a", "b"]}, None, decided)
    shown = table.numbers.set_index("item").loc["Post-processing"]
    on = "(decided on 8 held-out scans)"
    assert shown["a"] == f"seed 1: only the largest component of ICH {on}; seed 2: none {on}"
    assert shown["b"] == ""
    assert shown["ab"] == f"only the largest component of ICH, PHE and IVH taken as one {on}"
    assert any("nnU-Net's rule" in note for note in table.notes)
    without = table_e1([record("a")], ["a"], TITLES, {})
    assert "Post-processing" not in set(without.numbers["item"])
    assert not any("Post-processing" in note for note in without.notes)


def test_table_e1_has_words_where_records_have_keys() -> None:
    details = {
        "network": "deeplabv3plus",
        "loss": "dice_ce",
        "loss_constants": {"ce.ignore_index": -100, "dc.batch_dice": True, "weight_ce": 1.0},
        "configuration": "3d_fullres",
    }
    shown = table_e1([record("a", framework="nnunet", record=details)], ["a"], {}, {}).numbers.set_index(
        "item"
    )
    assert shown.loc["Framework", "a"] == "nnU-Net"
    assert shown.loc["Network", "a"] == "DeepLabv3+"
    assert shown.loc["Loss", "a"] == "Dice + cross-entropy"
    assert shown.loc["Configuration", "a"] == "3D, full resolution"
    constants = "cross-entropy: ignore index = −100, Dice: batch dice = yes, weight ce = 1"
    assert shown.loc["Loss constants", "a"] == constants


def test_table_e1_joins_seeds_and_holds_no_times() -> None:
    one = table_e1([record("a"), record("a", seed=1)], ["a"], {}, {})
    other = table_e1([record("a", seconds=5.0), record("a", seed=1, resumed=3)], ["a"], {}, {})
    assert one.numbers.set_index("item").loc["Seeds", "a"] == "0, 1"
    pd.testing.assert_frame_equal(one.numbers, other.numbers)


def test_table_e1_tells_gpu_hours_of_what_was_trained_on_a_gpu() -> None:
    records = [record("a", device="cuda", seconds=7200.0), record("a", seed=1, device="cuda"), record("b")]
    shown = table_e1(records, ["a", "b"], {}, {}).numbers.set_index("item")
    assert shown.loc["GPU-hours"].to_list() == ["2.5", ""]
    resumed = table_e1([record("a", device="cuda", resumed=1)], ["a"], {}, {}).numbers.set_index("item")
    assert resumed.loc["GPU-hours", "a"] == "at least 0.5"
    assert "GPU-hours" not in set(table_e1([record("b")], ["b"], {}, {}).numbers["item"])


def test_training_times_in_the_order_of_the_models() -> None:
    table = training_times([record("b"), record("a", seed=1), record("a"), record("z")], ["a", "b"], TITLES)
    assert list(zip(table.numbers["model"], table.numbers["seed"], strict=True)) == [
        ("a", 0),
        ("a", 1),
        ("b", 0),
    ]
    assert set(table.numbers["hours"]) == {0.5}


# The commands


@pytest.fixture
def results(tmp_path: Path, computed: dict[str, pd.DataFrame]) -> Path:
    for name, table in computed.items():
        write_tsv(table, tmp_path / "statistics" / f"{name}.tsv")
    for model in FAMILY:
        write_json(record(model), tmp_path / "models" / model / "seed-0" / "fold-all" / "train.json")
    write_json({"study": {"name": "demo", "note": "Simulated data"}}, tmp_path / "config.json")
    write_json({"sha256": "e" * 64}, tmp_path / "evidence.json")
    scans = cohort()
    write_tsv(scans.drop(columns="set"), tmp_path / "cohort.tsv")
    write_tsv(scans[["scan_id", "participant_id", "set"]], tmp_path / "split.tsv")
    return tmp_path


def command_lines(results: Path) -> dict[str, list[str]]:
    titles = ["--titles", json.dumps(TITLES)]
    of_statistics = [
        "--statistics",
        str(results / "statistics"),
        "--evidence",
        str(results / "evidence.json"),
    ]
    of_statistics += ["--split", str(results / "split.tsv"), "--cohort", str(results / "cohort.tsv")]
    records = ["--train-records", *map(str, sorted(results.glob("models/*/*/*/train.json")))]
    with_ensemble = ["--titles", json.dumps({**TITLES, "d": "D"}), "--ensembles", '{"d": ["a", "b"]}']
    return {
        "table1": [*of_statistics, *GIVEN, *titles],
        "table2": [*of_statistics, *GIVEN],
        "table_e1": [*records, *with_ensemble],
        "training_times": [*records, *titles],
        "table_e2": [*of_statistics, *GIVEN, *titles],
        "published_vs_reproduced": [
            *of_statistics,
            *("--claims", str(results / "statistics/claims.tsv")),
            *("--replication", str(results / "statistics/replication.tsv")),
        ],
    }


def test_every_table_is_written_twice_in_the_same_bytes(results: Path) -> None:
    for folder in ("tables", "again"):
        for name, options in command_lines(results).items():
            out = results / folder / f"{name}.tsv"
            line = [name, *options, "--title-note", "Simulated data", "--out", str(out)]
            run_step("tables", line)
            text = out.with_suffix(".html").read_text(encoding="utf-8")
            assert "(Simulated data)</h1>" in text
            ElementTree.fromstring(text)  # tags are balanced
            assert_latex_compiles(out.with_suffix(".tex").read_text(encoding="utf-8"))
    written = sorted((results / "tables").iterdir())
    assert len(written) == 18
    for path in written:
        assert path.read_bytes() == (results / "again" / path.name).read_bytes()


def test_an_edit_of_a_table_changes_no_other_table() -> None:
    modules = {table.module for table in declared(PublishedTable).values()}
    for module in modules:
        assert code_digests([tabulate.__name__, module]).keys() & modules == {module}


def test_the_command_imports_the_module_of_its_table_alone(results: Path) -> None:
    code = (
        "import sys; from headct.command_line import run_step;"
        "run_step('tables', sys.argv[1:]);"
        "print(*sys.modules)"
    )
    line = ["table2", *command_lines(results)["table2"], "--out", str(results / "alone.tsv")]
    done = subprocess.run([sys.executable, "-c", code, *line], capture_output=True, text=True, check=True)
    imported = set(done.stdout.split())
    modules = {table.module for table in declared(PublishedTable).values()}
    assert imported & modules == {"headct.publish.tables.table2"}
    assert "scipy.stats" not in imported, "it only prints: what tests groups takes a second to import"


@needs_pdflatex
def test_every_table_is_set_by_latex_within_its_lines(results: Path) -> None:
    for name, options in command_lines(results).items():
        out = results / "tex" / f"{name}.tsv"
        run_step("tables", [name, *options, "--title-note", "50% & more", "--out", str(out)])
        assert_pdflatex_compiles(results / "set" / name, out.with_suffix(".tex"))


def wide_group(words: str) -> table_page.Table:
    """A table of 100 characters in a line, but for a heading over two narrow columns."""
    names = [("", "Model"), (words, "One"), (words, "Other"), ("", "Numbers"), ("", "Verdict")]
    texts = ("Focal", "0.000", "1.000", "0.123 (0.456 to 0.789) " * 2 + "0.123 (0.456)")
    row = [*map(table_page.Cell, texts), table_page.Cell("too few scans to decide", "text")]
    return table_page.Table("T", pd.DataFrame(), [table_page.Panel(names, [row])])


def test_a_heading_over_narrow_columns_is_broken() -> None:
    text = latex(wide_group("Share with a false positive"))
    assert_latex_compiles(text)
    assert r"\multicolumn{2}{c}{\shortstack[c]{Share with a\\false\\positive}}" in text


@needs_pdflatex
@pytest.mark.parametrize("words", ["Share with a false positive", "Oneverylongwordthatcannotbebroken"])
def test_no_heading_over_columns_makes_a_table_too_wide(tmp_path: Path, words: str) -> None:
    (tmp_path / "table.tex").write_text(latex(wide_group(words)), encoding="utf-8")
    assert_pdflatex_compiles(tmp_path, tmp_path / "table.tex")


def test_model_without_a_record_is_named(results: Path) -> None:
    line = ["table_e1", *command_lines(results)["table_e1"], "--out", str(results / "e1.tsv")]
    line[line.index("--titles") + 1] = json.dumps({**TITLES, "unet": "U-Net"})
    with pytest.raises(BadInput) as caught:
        run_step("tables", line)
    assert {problem.value for problem in caught.value.problems} == {"unet"}


def test_summary_ranks_models_and_fits_the_terminal(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    titles = json.dumps({**TITLES, "a": "A model with a name that is much too long for any table"})
    out = results / "tables" / "table1.tsv"
    line = ["table1", *command_lines(results)["table1"][:-2], "--titles", titles, "--out", str(out)]
    run_step("tables", line)
    for name in ("bland_altman", "a_figure_with_a_rather_long_name", "concordance", "dice_box_violin"):
        (results / "figures").mkdir(exist_ok=True)
        (results / "figures" / f"{name}.pdf").touch()
    reasons = {
        "s1": "RuntimeError: killed",
        "s2": "the slices are 40 mm apart",
        "s3": "",
        "s4": "KeyError: 'x'",
    }
    manifest = pd.DataFrame({"scan_id": reasons.keys(), "reason": reasons.values()})
    write_tsv(manifest, results / "predictions" / "nnunet-3d-focaltversky" / "seed-2022.tsv")
    write_tsv(manifest[2:3], results / "predictions" / "unet" / "seed-1.tsv")
    run_step("summary", [str(results)])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0] == "Study demo: Simulated data"
    ranked = [line for line in lines if re.match(r" *\d\. ", line)]
    assert len(ranked) == 3
    means = [float(line.split()[-2]) for line in ranked]
    assert means == sorted(means, reverse=True)
    for not_compared in ("Predicts nothing", "extra"):
        assert any(line.startswith(f"    {not_compared}") for line in lines)
    assert any("bland_altman.pdf" in line for line in lines)
    missing = "nnunet-3d-focaltversky/seed-2022: scans without a prediction: 3 (2 crashed, 1 refused)"
    why = "The manifests in predictions/ say why; each counts with a Dice of 0."
    assert [line for line in lines if "predict" in line and not line.startswith("    ")] == [missing, why]


def test_summary_of_an_unfinished_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no Table 1 yet"):
        run_step("summary", [str(tmp_path)])
