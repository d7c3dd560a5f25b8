"""A study to which external sets and a locked one are added: they are measured, and nothing else changes."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from headct.command_line import run_step
from headct.contracts.artefacts import LEDGER, read_tsv, sha256_of
from headct.provenance import ledger
from support import snake, warm_python
from support.audit_study import forked_command
from support.html_page import Page
from support.two_classes import ALL_SCANS, N_SCANS

SETS = {"near": range(12, 18), "far": range(18, 22)}
"""Numbers of the scans of each external set; the others are divided into training and test set."""

LATER = range(22, 24)
"""Of the locked set, whose images and masks are no files that anything could read."""

NAMED = {f"external:{name}": numbers for name, numbers in SETS.items()}

MODELS = ("unet", "threshold", "rival", "predicts-nothing")

TELLS_OF_ALL = re.compile(
    r"logs/.*|audit/.*|data/.*|config\.json|study\.json|ro-crate-metadata\.json"
    r"|cohort/(cohort|flow)\.tsv|figures/(flow|ingest_qc)\..*|report/.*"
)
"""What speaks of each scan of the sheet, or of the run; all other files are those of the study alone."""


@dataclass(frozen=True)
class Grown:
    """The finished study, and the bytes of its files before the sets were added."""

    folder: Path
    before: dict[str, str]


def name_sets(sheet: Path, names: dict[str, range]) -> None:
    """Keep the scans of the study and of some sets (``external:near``), each with its set."""
    header, *rows = sheet.read_text(encoding="utf-8").splitlines()
    of_scan = {number: name for name, numbers in names.items() for number in numbers}
    kept = [
        f"{row}\t{of_scan.get(number, '')}"
        for number, row in enumerate(rows)
        if number < N_SCANS or number in of_scan
    ]
    sheet.write_text("\n".join([f"{header}\tset", *kept, ""]), encoding="utf-8")


def digests(results: Path) -> dict[str, str]:
    """SHA-256 of each file of the results that is about the study itself."""
    files = {str(file.relative_to(results)): file for file in results.rglob("*") if file.is_file()}
    return {name: sha256_of(file) for name, file in files.items() if not TELLS_OF_ALL.fullmatch(name)}


@pytest.fixture(scope="module")
def grown(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Grown:
    folder = tmp_path_factory.mktemp("external-sets") / "study"
    shutil.copytree(study, folder)
    before = digests(folder / "results")
    shutil.copy(folder / ALL_SCANS, folder / "scans.tsv")
    name_sets(folder / "scans.tsv", NAMED | {"locked:later": LATER})
    (folder / "kept").mkdir()
    for number in LATER:
        for file in folder.glob(f"scan-{number}*.nii.gz"):
            shutil.copy(file, folder / "kept")
            file.write_bytes(b"garbage")
    words = ("--directory", folder, "--configfile", folder / "study.yaml", "--cores", "2")
    with warm_python.started() as python:
        run = snake.run(*words, python=python)
    assert run.returncode == 0, run.stdout[-4000:]
    return Grown(folder, before)


def test_no_byte_of_the_study_itself_changes(grown: Grown) -> None:
    after = digests(grown.folder / "results")
    kinds = {file.split("/")[0] for file in grown.before}
    assert kinds >= {"models", "predictions", "metrics", "statistics", "tables", "figures", "cohort"}
    assert {file for file, digest in grown.before.items() if after.get(file) != digest} == set()
    added = {re.sub(r"external/.*", "external", file) for file in after.keys() - grown.before.keys()}
    assert added == {
        "cohort/external",
        "metrics/external",
        *(f"predictions/{model}/external" for model in MODELS[:-1]),
        *(f"statistics/external_{name}.tsv" for name in ("sets", "detection", "endpoints", "paired")),
        *(
            f"tables/external_{name}.{kind}"
            for name in ("sets", "comparison")
            for kind in ("tsv", "html", "tex")
        ),
        *(f"figures/external_sets.{kind}" for kind in ("tsv", "pdf", "svg", "png")),
    }


def test_scans_of_external_sets_are_in_no_set_of_the_split(grown: Grown) -> None:
    results = grown.folder / "results"
    split = read_tsv(results / "cohort/split.tsv")
    assert set(split["scan_id"]) == {f"scan-{number:02}" for number in range(12)}
    for name, numbers in SETS.items():
        table = read_tsv(results / f"cohort/external/{name}.tsv")
        assert list(table["scan_id"]) == [f"scan-{number:02}" for number in numbers]
        assert set(table["set"]) == {f"external:{name}"}
    flow = read_tsv(results / "cohort/flow.tsv").set_index(["status", "reason"])["scans"]
    assert (flow["external", "near"], flow["external", "far"]) == (6, 4)
    assert flow["in sheet"].sum() == 24
    assert flow["excluded", "locked set later"] == len(LATER)
    assert flow["included"].sum() == 12


def test_each_model_is_measured_on_each_set_by_the_same_rules(grown: Grown) -> None:
    results = grown.folder / "results"
    for name, numbers in SETS.items():
        for model in MODELS:
            table = read_tsv(results / f"metrics/external/{name}/{model}.tsv")
            assert set(table["scan_id"]) == {f"scan-{number:02}" for number in numbers}
            assert list(table.columns) == list(read_tsv(results / f"metrics/{model}.tsv").columns)


def test_each_opening_of_a_set_is_a_line_of_the_ledger(grown: Grown) -> None:
    results = grown.folder / "results"
    openings = ledger.read(results / LEDGER)
    for name in SETS:
        of_set = [one for one in openings if one.rule == f"metrics_external:{name}"]
        assert sorted(one.model for one in of_set) == sorted(MODELS)
        assert {one.split for one in of_set} == {sha256_of(results / f"cohort/external/{name}.tsv")}
    assert sum(one.rule == "metrics" for one in openings) == len(MODELS), "the test set is not opened again"
    told = ledger.openings_in_words(openings)
    assert "The external set far was opened 4 times" in told


def test_it_is_verified_as_it_was_sealed(grown: Grown) -> None:
    done = forked_command("verify", grown.folder / "results")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "external set near was opened" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    "number",
    [
        "results/statistics/external_sets.tsv, near, unet, PHE, dice_mean",
        "results/statistics/external_sets.tsv, near, rival, bleed, internal_mean",
        "results/statistics/external_sets.tsv, far, unet, bleed, difference",
        "results/statistics/external_sets.tsv, far, unet, bleed, n_participants",
        "results/statistics/external_detection.tsv, near, unet, PHE, 0, n_present",
        "results/statistics/external_paired.tsv, near, unet, threshold, bleed, dice, all, difference",
        "results/tables/external_sets.tsv, near, rival, bleed, internal_mean",
        "results/figures/external_sets.tsv, internal test set, far, unet, bleed, dice_mean",
        "results/cohort/flow.tsv, external, near, scans",
        "results/figures/flow.tsv, In external sets, far, scans",
        "results/figures/flow.tsv, Included, scans",
    ],
)
def test_a_number_is_traced(grown: Grown, number: str) -> None:
    done = forked_command("trace", "--results", grown.folder / "results", "--number", *number.split(", "))
    assert done.returncode == 0, done.stdout + done.stderr
    assert ": the same." in done.stdout


@pytest.mark.parametrize("column", ["difference", "difference_upper", "standardised_mean", "mix"])
def test_a_number_of_both_sets_is_followed_to_the_scans_of_both(grown: Grown, column: str) -> None:
    number = ("results/statistics/external_sets.tsv", "far", "rival", "bleed", column)
    done = forked_command("trace", "--results", grown.folder / "results", "--number", *number)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "made of 4 rows of results/metrics/external/far/rival.tsv" in done.stdout
    assert "rows of results/metrics/rival.tsv" in done.stdout


def test_the_scans_behind_a_number_of_a_set_are_told_apart_from_all_that_were_converted(grown: Grown) -> None:
    number = ("results/statistics/external_sets.tsv", "far", "unet", "bleed", "dice_mean")
    done = forked_command("trace", "--results", grown.folder / "results", "--number", *number)
    assert (
        "and 22 scans from ingest, 4 of them in these rows; trained on those of the training set"
        in done.stdout
    )


def test_nothing_is_to_be_done_again(grown: Grown) -> None:
    words = ("--directory", grown.folder, "--configfile", grown.folder / "study.yaml", "-n")
    assert "Nothing to be done" in snake.run(*words).stdout


def test_nothing_is_read_of_a_locked_set_until_the_plan_is_recorded(grown: Grown) -> None:
    """No file of the results speaks of its scans but the tables of the whole sheet; then it is opened."""
    results = grown.folder / "results"
    named = f"scan-{LATER[0]}"
    speaking = {
        file.relative_to(results).as_posix()
        for file in results.rglob("*")
        if file.is_file() and named.encode() in file.read_bytes()
    }
    assert speaking <= {"cohort/cohort.tsv", "study.json", "figures/ingest_qc.tsv", "report/index.html"}
    assert [one.rule for one in ledger.read(results / LEDGER)].count("locked:later") == 1

    shutil.copy(grown.folder / ALL_SCANS, grown.folder / "scans.tsv")
    name_sets(grown.folder / "scans.tsv", NAMED | {"external:later": LATER})
    words = ("--directory", grown.folder, "--configfile", grown.folder / "study.yaml", "-n")
    refused = snake.run(*words)
    assert refused.returncode != 0
    assert "no plan was recorded since" in " ".join(refused.stdout.split())
    plan = yaml.safe_load((grown.folder / "study.yaml").read_text(encoding="utf-8"))["analysis_plan"]
    run_step("record-plan", ["--plan", plan, "--results", str(results)])
    shutil.copytree(grown.folder / "kept", grown.folder, dirs_exist_ok=True)
    jobs = snake.planned(snake.run(*words))
    assert jobs["ingest"] == 1


def test_the_page_tells_of_each_set(grown: Grown) -> None:
    text = Page((grown.folder / "results/report/index.html").read_text(encoding="utf-8")).text
    assert "from which no training of this study learnt" in text
    for name in SETS:
        assert f"{name}, bleed: mean Dice" in text
        assert f"{name}: Primary endpoint: " in text
