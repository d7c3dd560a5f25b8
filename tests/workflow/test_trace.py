"""Where the demo's files and numbers come from, told from its run records; and what would run again."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from headct.contracts.artefacts import sha256_of
from headct.contracts.declarations import MadeOf
from headct.contracts.problems import BadInput
from headct.contracts.run_records import Record
from headct.provenance import drawing, trace
from headct.provenance.lineage import Study, lineage
from headct.provenance.number_origins import Place, Tables
from headct.provenance.recompute import equal, recompute
from headct.provenance.replay import repeatable, replay
from support import snake
from support.label_sets import LABELS

SETTINGS = (MadeOf(rows="nothing measured"),)
"""What tables of settings and dates are declared as."""

OUTSIDE = ("stand-in",)
"""Models of the demo that others made: what Table E1 says of them stands in the configuration."""


@pytest.fixture(scope="session")
def study(demo: Path) -> Study:
    """The finished demo."""
    return Study(demo / "results")


@pytest.fixture(scope="session")
def tables(study: Study) -> Tables:
    """Its tables."""
    return Tables(study, LABELS)


def audit(
    *words: str | Path, folder: Path, repository: Path = snake.REPOSITORY
) -> subprocess.CompletedProcess:
    """`python -I -m headct audit …` as a user types it, of this repository, which may not be installed."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "headct", "audit", *map(str, words)],
        cwd=folder,
        env={"PYTHONPATH": str(repository / "workflow" / "scripts"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )


def cells(tables: Tables, *folders: str, empty: bool = False) -> Iterator[Place]:
    """All cells that hold anything, or those that hold nothing."""
    for path in trace.number_files(tables.study):
        if path.split("/")[1] in folders:
            for line, row in enumerate(tables.cells(path)):
                yield from (Place(path, line, column) for column, text in row.items() if (not text) == empty)


def is_number(text: str) -> bool:
    try:
        return float(text) == float(text)
    except ValueError:
        return False


# -- files -------------------------------------------------------------------------------------------


def test_every_table_and_figure_leads_back_to_the_instances(study: Study) -> None:
    instances = {path.split("/")[-2]: path for path in study.makers if path.endswith("/scan.json")}
    for path in study.makers:
        if path.startswith(("results/tables/", "results/figures/")):
            found = lineage(study, path)
            assert not found.broken, path
            assert found.instances.keys() == instances.keys(), path
            assert all(len(digests) for scan, digests in found.instances.items() if scan < "scan-9"), path
            assert sha256_of(study.file(path)) == found.digest, path
            made = {rule for stage in found.stages for rule in [stage.rule]}
            assert {of for stage in found.stages for of in stage.of} <= made, path


def test_instances_are_those_of_the_dicom_files(study: Study, demo: Path) -> None:
    found = lineage(study, "results/figures/bland_altman.pdf").instances["scan-0001"]
    folder = next(path for path in (demo / "trial" / "dicom").rglob("scan-0001") if path.is_dir())
    there = {sha256_of(path) for path in folder.rglob("*") if path.is_file()}
    assert set(found) <= there


def test_the_picture_is_the_same_each_time_and_holds_each_kind_of_job(study: Study, tmp_path: Path) -> None:
    found = lineage(study, "results/figures/published_vs_reproduced.pdf")
    for name in ("a.svg", "b.svg", "a.html"):
        drawing.draw(found, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    for text in ((tmp_path / name).read_text() for name in ("a.svg", "a.html")):
        for stage in found.stages:
            assert stage.rule in text
        assert "DICOM instances" in text


def test_a_changed_file_is_told(study: Study, tmp_path: Path) -> None:
    copy = tmp_path / "moved"
    shutil.copytree(study.results / "audit" / "runs", copy / "audit" / "runs")
    for path in ("tables/table1.tsv", *(f"data/scan-00{n:02}/scan.json" for n in range(1, 37))):
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(study.results / path, copy / path)
    done = audit("trace", copy / "tables" / "table1.tsv", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "the file here has it" in done.stdout
    with open(copy / "tables" / "table1.tsv", "a") as table:
        table.write("x")
    done = audit("trace", copy / "tables" / "table1.tsv", folder=tmp_path)
    assert done.returncode == 1
    assert "NOT THE SAME: the file here is another" in done.stdout


# -- numbers -----------------------------------------------------------------------------------------


def test_every_number_names_its_rows_and_those_rows_give_it(tables: Tables) -> None:
    unnamed, wrong, again, total = [], [], 0, 0
    for place in cells(tables, "tables", "figures", "statistics"):
        text = tables.value(place)
        is_said = place.path.endswith("/table_e1.tsv") and place.column in OUTSIDE
        if place.declared.made_of == SETTINGS or is_said or not is_number(text):
            continue
        total += 1
        if not trace.trace(tables, place).rows:
            unnamed.append(place)
        value = recompute(tables, place)
        if value is not None:
            again += 1
            if isinstance(value, str) or not equal(text, value):
                wrong.append((place, text, value))
    assert not unnamed, unnamed[:5]
    assert not wrong, wrong[:5]
    assert again > 0.4 * total, (again, total)  # the others are resampled, fitted or adjusted: see below


def test_whatever_a_cell_holds_it_can_be_asked_for(tables: Tables) -> None:
    first = {(place.path, place.column): place for place in cells(tables, "tables", "figures", "statistics")}
    for place in first.values():
        assert trace.words_of_number(trace.trace(tables, place))[1], place


def test_a_cell_that_is_empty_can_be_asked_for(tables: Tables) -> None:
    empty = list(cells(tables, "tables", "figures", "statistics", empty=True))
    assert len(empty) > 1000
    assert not any(trace.Trace(tables, place, (), ()).agrees() is not None for place in empty)
    place = trace.find(tables, ["results/statistics/detection.tsv", "line 1", "specificity"])
    words, right = trace.words_of_number(trace.trace(tables, place))
    assert right
    assert "specificity = (empty)" in words
    assert "The cell is empty: there is no number to compute again." in words


@pytest.mark.parametrize(
    ("model", "scans"),
    [
        ("Focal", "12 of them in these rows; trained on those of the training set alone"),
        ("Stand-in", "no network was trained here for these rows"),
    ],
)
def test_what_is_said_of_the_scans_behind_a_number(tables: Tables, model: str, scans: str) -> None:
    """Of a model that was trained here, and of one that was made elsewhere."""
    place = trace.find(tables, [f"Table 1, {model}, IVH, mean"])
    words, _ = trace.words_of_number(trace.trace(tables, place))
    assert scans in words
    assert "label maps listed with sha256 in results/predictions/" in words


def repeated(study: Study, demo: Path, records: list[Record]) -> None:
    """Each of these jobs gives the same bytes again."""
    for record in records:
        again = replay(study, record, [demo / "trial" / "scans.tsv"])
        assert not again.why_not, (record.path, again.why_not)
        assert all(again.same.values()), (record.path, again.same)


def jobs_behind_numbers(study: Study) -> list[Record]:
    """Those that are repeated, without those that measure, in the order of the records."""
    jobs = [record for record in study.records if repeatable(record) and record.step != "measure"]
    made = {path for record in jobs for path in record.outputs}
    assert made >= {place.path for place in cells(Tables(study, LABELS), "tables", "figures", "statistics")}
    return jobs


ALIKE = {"tables": {"table1"}, "figures": {"bland_altman", "best_cases"}}
"""Of steps with many rules, those of which a job is repeated: a table, a figure of numbers, one of images."""


def test_a_job_of_each_step_behind_a_number_gives_the_same_bytes_again(study: Study, demo: Path) -> None:
    jobs = [job for job in jobs_behind_numbers(study) if job.rule in ALIKE.get(job.step, {job.rule})]
    assert {job.rule for job in jobs} >= set().union(*ALIKE.values())
    repeated(study, demo, list({job.rule: job for job in jobs}.values()))


@pytest.mark.slow
def test_every_job_behind_a_number_gives_the_same_bytes_again(study: Study, demo: Path) -> None:
    repeated(study, demo, jobs_behind_numbers(study))


def test_metrics_are_measured_again_from_the_label_maps(study: Study) -> None:
    record = study.makers["results/metrics/nnunet-3d-focal.tsv"]
    again = replay(study, record)
    assert again.same == {"results/metrics/nnunet-3d-focal.tsv": True}, again.why_not


def test_a_number_as_it_is_printed(demo: Path) -> None:
    words = ("trace", "--repeat", "--sheet", "trial/scans.tsv", "--number", "table 1, focal, ivh, MEAN")
    done = audit(*words, folder=demo)
    assert done.returncode == 0, done.stdout + done.stderr
    full, on_page = re.match(r"mean = (\S+), printed as (\S+)", done.stdout).groups()
    assert on_page == f"{float(full):.3f}"
    for words in (
        "stands in results/tables/table1.tsv",
        "in results/statistics/dice_summary.tsv",
        "made of 12 rows of results/metrics/nnunet-3d-focal.tsv: nnunet-3d-focal, IVH, all scans",
        "results/predictions/nnunet-3d-focal/seed-1.tsv",
        "final.pth, sha256",
        "by other code: ",
        "table1 repeated on its recorded inputs: all 3 files are the same",
        "statistics repeated on its recorded inputs: all 10 files are the same",
    ):
        assert words in done.stdout, words


def test_a_forged_number_is_found(study: Study, tmp_path: Path) -> None:
    copy = tmp_path / "results"
    for name in ("audit/runs", "tables", "statistics", "metrics", "cohort", "predictions", "data"):
        if (study.results / name).is_dir():
            shutil.copytree(study.results / name, copy / name)
    for name in ("study.json", "config.json"):
        shutil.copy(study.results / name, copy)
    table = copy / "statistics" / "dice_summary.tsv"
    row = next(line for line in table.read_text().splitlines() if line.startswith("blast-ct\tfamily\tICH"))
    value = row.split("\t")[3]
    table.write_text(table.read_text().replace(row, row.replace(value, "0.99", 1)))
    words = ("trace", "--number", "results/statistics/dice_summary.tsv", "blast-ct", "ICH", "mean")
    done = audit(*words, folder=tmp_path)
    assert done.returncode == 1
    assert "NOT THE SAME" in done.stdout


def _of_other_columns(table: str) -> str:
    header, _, rows = table.partition("\n")
    return "\t".join(f"x_{name}" for name in header.split("\t")) + f"\n{rows}"


def _of_words(table: str) -> str:
    """No number left, in a table with its own columns."""
    return re.sub(r"(?m)(?<=[\t\n])-?\d[^\t\n]*", "much", table)


def _turned(table: str) -> str:
    header, *rows = table.splitlines(keepends=True)
    return "".join([header, *reversed(rows)])


CHANGES: dict[str, Callable[[str], str | None]] = {
    "deleted": lambda table: None,
    "emptied": lambda table: "",
    "header only": lambda table: table.partition("\n")[0] + "\n",
    "cut off": lambda table: table[: len(table) // 2],
    "other columns": _of_other_columns,
    "words for numbers": _of_words,
    "rows in another order": _turned,
    "an empty list": lambda table: "[]",
    "an empty object": lambda table: "{}",
}
"""What becomes of a file that a number is followed through."""


def answered(study: Study, place: Place) -> tuple[Tables, BadInput | None]:
    """The tables that the way of a number led through, and the fault that ended it."""
    tables = Tables(study, LABELS)
    try:
        trace.answer(tables, [place.path, f"line {place.line + 1}", place.column])
    except BadInput as fault:
        return tables, fault
    return tables, None


def silent_about(study: Study, rng: random.Random, tries: int) -> list[tuple[Place, str, str, str]]:
    """Changes at random that end in a fault which does not name the changed file."""
    tables = Tables(study, LABELS)
    first = {(place.path, place.column): place for place in cells(tables, "tables", "figures", "statistics")}
    silent = []
    for _ in range(tries):
        place = rng.choice(list(first.values()))
        opened, fault = answered(study, place)
        assert fault is None, fault
        path, change = rng.choice(sorted(opened.opened)), rng.choice(list(CHANGES))
        file = study.file(path)
        before = file.read_text()
        file.unlink()
        if (now := CHANGES[change](before)) is not None:
            file.write_text(now)
        try:
            _, fault = answered(study, place)
        finally:
            file.unlink(missing_ok=True)
            file.write_text(before)
        if fault and not any(problem.file.endswith(path) for problem in fault.problems):
            silent.append((place, path, change, str(fault)))
    return silent


def test_a_lost_or_changed_file_on_the_way_of_a_number_is_named(study: Study, tmp_path: Path) -> None:
    """Nothing but an answer, or one fault that names the file."""
    heavy = shutil.ignore_patterns("*.nii.gz", "*.pth", "*.pdf", "*.png")
    shutil.copytree(study.results, tmp_path / "results", copy_function=os.link, ignore=heavy)
    assert not silent_about(Study(tmp_path / "results"), random.Random(1), 100)


@pytest.mark.parametrize(
    ("request_", "near"),
    [
        ("Table 9, Focal, IVH, mean", "table1"),
        ("Table 1, Fokal, IVH, mean", "Focal"),
        ("Table 1, Focal, IVH, meen", "mean"),
        ("Table 1, Focal, mean", "rows of results/tables/table1.tsv are meant"),
        ("published vs reproduced, Table 1, blast-ct, ICH, mean, published", "more than one file"),
        ("Table 1", "name a table, its row and a column"),
    ],
)
def test_a_request_that_means_nothing_or_too_much_says_what_is_near(
    tables: Tables, request_: str, near: str
) -> None:
    with pytest.raises(BadInput, match=near) as caught:
        trace.find(tables, [request_])
    assert len(caught.value.problems) == 1


def test_any_cell_by_file_row_and_column(tables: Tables) -> None:
    place = trace.find(tables, ["results/figures/bland_altman.tsv", "ICH", "bias", "y"])
    found = trace.trace(tables, place)
    assert found.agrees()
    assert [len(rows.frame) for rows in found.rows] == [12]


# -- why ---------------------------------------------------------------------------------------------


def test_why_says_which_setting_and_which_code_changed(clone: Path) -> None:
    def why(*words: str) -> str:
        done = audit("why", "--", *snake.DEMO, *words, folder=clone, repository=clone)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert why().startswith("Nothing would run")
    config = clone / "config" / "demo.yaml"
    config.write_text(config.read_text() + "\nmetrics:\n  lesion_connectivity: 18\n")
    losses = clone / "workflow" / "scripts" / "headct" / "engine" / "losses.py"
    losses.write_text(losses.read_text() + "\nADDED = 1\n")
    (clone / "demo" / "results" / "tables" / "table_e1.html").unlink()
    causes = dict(block.partition(":\n")[::2] for block in why().split("\n\n"))
    assert "12 × metrics: blast-ct" in causes["The setting lesion_connectivity was 26, is 18"]
    assert "× train: " in causes["Code of headct.engine.losses changed"]
    assert causes["Because it was never made, or was removed"] == "  1 × table_e1"
    assert "1 × table1" in causes["Because what they read would be made anew"]
