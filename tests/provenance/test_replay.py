"""A record that somebody else wrote is repeated only where it is a job of the workflow, and harms nothing."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headct.contracts.artefacts import read_json, sha256_of, write_json
from headct.contracts.problems import BadInput
from headct.contracts.repository import PACKAGE
from headct.provenance import repeating, verify, walled
from headct.provenance.checks.folder import Finding, ResultsFolder
from headct.provenance.lineage import Study
from headct.provenance.replay import REPEATED, Replay, replay
from headct.settings.analysis_plan import SHIPPED
from support.step_options import options_of

pytestmark = pytest.mark.whole

STEP = "raters"
MODULE = "headct.statistics.replication.rater_statistics"
METRICS, TABLE = "results/metrics/second-reading.tsv", "results/statistics/rater_agreement.tsv"
COHORT, SPLIT, PLAN = "results/cohort/cohort.tsv", "results/cohort/split.tsv", "results/plan.yaml"
OTHERS = ("--plan", PLAN, "--cohort", COHORT, "--split", SPLIT)
RECORD = "audit/runs/rater_agreement.json"
Change = Callable[[dict[str, Any], Path], None]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of one real job: ``headct raters``; it must not be written to."""
    folder = tmp_path_factory.mktemp("finished")
    metrics = folder / METRICS
    metrics.parent.mkdir(parents=True)
    rows = [f"intra\t\ts{n}\tICH\t0.{n}\t{n}.5\t{n}.25\t" for n in range(1, 6)]
    metrics.write_text(
        "\n".join(["model\tseed\tscan_id\tlabel\tdice\treference_ml\tpredicted_ml\tfailure", *rows]) + "\n"
    )
    (folder / "results/cohort").mkdir()
    scans = range(1, 6)
    tables = {
        COHORT: ["scan_id\tparticipant_id\tsite", *(f"s{n}\tp{n}\tA" for n in scans)],
        SPLIT: ["scan_id\tset", *(f"s{n}\ttest" for n in scans)],
    }
    for path, lines in tables.items():
        (folder / path).write_text("\n".join(lines) + "\n")
    shutil.copy(SHIPPED, folder / PLAN)
    write_json({"name": "finished", "classes": ["ICH"]}, folder / "results/study.json")
    write_json({"labels": {"ICH": 1}, "groups": {}}, folder / "results/config.json")
    job = ["--rule", "rater_agreement", "--log", "results/logs/rater_agreement.log"]
    job += ["--inputs", METRICS, PLAN, COHORT, SPLIT, "--outputs", TABLE, "--", STEP]
    job += ["--metrics", METRICS, *OTHERS, "--out", TABLE]
    command = [sys.executable, "-m", "headct.run.job", *job]
    subprocess.run(command, cwd=folder, env={"PYTHONPATH": str(PACKAGE.parent)}, check=True)
    return folder


@pytest.fixture
def study(finished: Path, tmp_path: Path) -> Path:
    """The results folder of a copy of it."""
    return shutil.copytree(finished, tmp_path / "handed over") / "results"


def repeated(results: Path, change: Change | None = None, *files: Path) -> Replay:
    """What comes of repeating the job, after a change to its record."""
    record = read_json(results / RECORD)
    if change:
        change(record, results)
        write_json(record, results / RECORD)
    study = Study(results)
    return replay(study, study.records[0], files)


def trace(results: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`python -I -m headct audit trace …`, for a version that may not be the installed one."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "headct", "audit", "trace", "--results", results, *words],
        env={"PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
    )


def test_an_honest_job_is_repeated_and_gives_the_same_bytes(study: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in study.rglob("*")}
    again = repeated(study)
    assert again.same == {TABLE: True}, again.why_not
    assert not again.lacking, "this machine offers no Landlock, or no user namespace"
    assert {path: path.stat().st_mtime_ns for path in study.rglob("*")} == before


def test_a_forged_table_is_told(study: Path) -> None:
    def forge(record: dict[str, Any], results: Path) -> None:
        table = results.parent / TABLE
        table.write_text(table.read_text().replace("intra", "inter"))
        record["outputs"][TABLE] = sha256_of(table)

    again = repeated(study, forge)
    assert again.same == {TABLE: False}
    assert b"intra" in again.made[TABLE]


# -- what a record may ask for -----------------------------------------------------------------------

VICTIM = "a file of the auditor's\n"


def _command(*words: str) -> Change:
    def change(record: dict[str, Any], results: Path) -> None:
        victim = str(results.parents[1] / "victim.tsv")
        record["command"][2:] = [word.replace("VICTIM", victim) for word in words]

    return change


def _inputs(name: str) -> Change:
    """One more input, with the digest of the file that it names where there is one."""

    def change(record: dict[str, Any], results: Path) -> None:
        victim = results.parents[1] / "victim.tsv"
        path = name.replace("VICTIM", str(victim))
        record["inputs"][path] = sha256_of(victim)

    return change


def _outputs(name: str) -> Change:
    def change(record: dict[str, Any], results: Path) -> None:
        record["outputs"][name.replace("VICTIM", str(results.parents[1] / "victim.tsv"))] = "0" * 64

    return change


def _link_to_victim(record: dict[str, Any], results: Path) -> None:
    victim = results.parents[1] / "victim.tsv"
    (results / "metrics" / "linked.tsv").symlink_to(victim)
    record["inputs"]["results/metrics/linked.tsv"] = sha256_of(victim)


def _folder_linked(record: dict[str, Any], results: Path) -> None:
    (results / "elsewhere").symlink_to(results.parents[1])
    record["inputs"]["results/elsewhere/victim.tsv"] = sha256_of(results.parents[1] / "victim.tsv")


def _input_is_a_pipe(record: dict[str, Any], results: Path) -> None:
    os.mkfifo(results / "metrics" / "pipe.tsv")
    record["inputs"]["results/metrics/pipe.tsv"] = "0" * 64


def _list_leads_out(record: dict[str, Any], results: Path) -> None:
    victim = results.parents[1] / "victim.tsv"
    manifest = results / "predictions" / "unet" / "seed-1.tsv"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(f"scan_id\tpath\tsha256\ns1\t{victim}\t{sha256_of(victim)}\n")
    record["inputs"]["results/predictions/unet/seed-1.tsv"] = sha256_of(manifest)


def _step(name: str) -> Change:
    def change(record: dict[str, Any], results: Path) -> None:
        record["command"][1] = name

    return change


def _module(name: str, digest: str) -> Change:
    def change(record: dict[str, Any], results: Path) -> None:
        record["workflow"]["modules"][name] = digest

    return change


def _no_modules(record: dict[str, Any], results: Path) -> None:
    record["workflow"]["modules"] = {}


ATTACKS: dict[str, tuple[Change, str]] = {
    "another step": (_step("statistics_evil"), "is not a matter of seconds"),
    "a module": (_step("antigravity"), "is not a matter of seconds"),
    "a step that trains": (_step("train"), "is not a matter of seconds"),
    "no step": (lambda record, results: record.update(command=["headct"]), "command can't have"),
    "another program": (lambda record, results: record.update(command=["sh", "-c", STEP]), "not a matter"),
    "an older release": (
        lambda record, results: record.update(command=["python", "-m", MODULE, *record["command"][2:]]),
        "made by an older release",
    ),
    "other code": (_module(MODULE, "0" * 64), f"not the code that ran: {MODULE}"),
    "a module that is not here": (_module("headct.gone", "0" * 64), "not the code that ran: headct.gone"),
    "a module that is a path": (_module("headct./etc/passwd", "0" * 64), "not the code that ran"),
    "no code at all": (_no_modules, "does not say which code"),
    "an absolute input": (_inputs("VICTIM"), "a path that no job has"),
    "an input that leads up": (_inputs("results/../../victim.tsv"), "a path that no job has"),
    "an input that leads up far": (_inputs("../../../../../../../../../../etc/passwd"), "that no job reads"),
    "an input that leads up without end": (_inputs("../" * 100_000 + "x.tsv"), "a path that no job has"),
    "an input of a long name": (_inputs(f"results/{'x' * 300}.tsv"), "can't be read"),
    "an output of a long name": (_outputs(f"results/{'x' * 300}.tsv"), "can't be copied or compared"),
    "an input beside results": (_inputs("../victim.tsv"), "not here as they were then"),
    "an input that configures a library": (_inputs("matplotlibrc"), "that no job reads"),
    "an input that is code": (_inputs("sitecustomize.py"), "that no job reads"),
    "an input that is a link": (_link_to_victim, "is a link"),
    "an input in a linked folder": (_folder_linked, "is a link"),
    "an input that is a pipe": (_input_is_a_pipe, "is no regular file"),
    "a list that leads out": (_list_leads_out, "lists a file that is not below results/"),
    "an absolute output": (_outputs("VICTIM"), "outputs can't have such a value"),
    "an output that leads up": (_outputs("results/../../victim.tsv"), "outputs can't have such a value"),
    "out is absolute": (
        _command("--metrics", METRICS, *OTHERS, "--out", "VICTIM"),
        "--out leads out of the study",
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_record_that_is_no_job_is_not_obeyed(study: Path, attack: str) -> None:
    victim = study.parents[1] / "victim.tsv"
    victim.write_text(VICTIM)
    before = set(study.parents[1].rglob("*"))
    change, words = ATTACKS[attack]
    try:
        said = repeated(study, change).why_not
    except BadInput as error:  # no record at all: refused when it is read
        said = str(error)
    assert words in said
    assert victim.read_text() == VICTIM
    after = set(study.parents[1].rglob("*")) - before
    assert not after - set(study.rglob("*"))


OPTIONS = {
    "out leads up": ("--metrics M --out ../../victim.tsv", "--out leads out"),
    "out leads up in the middle": ("--metrics M --out results/../../../victim.tsv", "--out leads out"),
    "out leads up inside": ("--metrics M --out results/x/../../y", "--out is no path below results/"),
    "out is not in results": ("--metrics M --out elsewhere/x.tsv", "--out is no path below results/"),
    "out is given twice": ("--metrics M --out results/x.tsv --out /victim.tsv", "are not those of"),
    "out with an equals sign": ("--metrics M --out=/victim.tsv", "--out leads out"),
    "out is abbreviated": ("--metrics M --out results/x.tsv --ou /victim.tsv", "are not those of .*--ou"),
    "a log": ("--metrics M --out results/x.tsv --log /victim", "are not those of .*--log"),
    "a rule": ("--metrics M --out results/x.tsv --rule x", "are not those of .*--rule"),
    "help": ("--help", "is asked for its help"),
    "help in short": ("-h", "is asked for its help"),
    "an argument too many": ("--metrics M --out results/x.tsv x", "are not those of"),
    "an option too few": ("--metrics M", "are not those of"),
    "an input option is absolute": ("--metrics /victim.tsv --out results/x.tsv", "--metrics leads out"),
    "an input option leads up": ("--metrics ../../victim.tsv --out results/x.tsv", "--metrics leads out"),
}


@pytest.mark.parametrize("attack", OPTIONS)
def test_options_are_those_of_the_step_and_stay_in_the_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attack: str
) -> None:
    (tmp_path / "study" / "0").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "study" / "0")
    words, refused = OPTIONS[attack]
    with pytest.raises(walled.OptionsRefused, match=refused):
        walled.parsed(STEP, [*words.replace("M", METRICS).split(), *OTHERS], tmp_path)
    right = walled.parsed(STEP, ["--metrics", "../config/x.tsv", *OTHERS, "--out", TABLE], tmp_path)
    assert right.arguments["out"] == tmp_path / "out" / TABLE


@pytest.mark.parametrize("step", sorted(REPEATED))
def test_each_step_that_is_repeated_has_an_option_out_and_is_there(step: str) -> None:
    assert "--out" in options_of(step)


def test_a_command_that_is_no_jobs_is_an_error_that_names_the_record(study: Path) -> None:
    repeated(study, _no_modules)
    done = trace(study, "--repeat", "--number", "rater agreement, line 1, dice_mean")
    assert done.returncode == 1, done.stderr
    assert f"results/{RECORD} is no record of a job" in done.stdout


def test_nothing_is_repeated_unless_it_is_asked_for(study: Path, tmp_path: Path) -> None:
    repeated(study, _command("--metrics", METRICS, *OTHERS, "--out", str(tmp_path / "made.tsv")))
    done = trace(study, "--number", "rater agreement, line 1, dice_mean")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "--repeat" in done.stdout
    assert not (tmp_path / "made.tsv").exists()


def test_an_input_from_elsewhere_is_the_one_that_the_user_names(study: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "scans of the hospital.tsv"
    sheet.write_text("scan_id\ns1\n")

    def needs_sheet(record: dict[str, Any], results: Path) -> None:
        record["inputs"]["../config/scans.tsv"] = sha256_of(sheet)

    assert "not here as they were then: ../config/scans.tsv" in repeated(study, needs_sheet).why_not
    assert repeated(study, None, sheet).same == {TABLE: True}


@pytest.mark.parametrize("content", ["[" * 100_000, "{}", "[1]", "\0"], ids=["deep", "empty", "list", "none"])
def test_an_input_that_is_no_list_of_files_is_told(study: Path, content: str) -> None:
    def spoil(record: dict[str, Any], results: Path) -> None:
        scan = results / "data" / "s1" / "scan.json"
        scan.parent.mkdir(parents=True)
        scan.write_text(content)
        record["inputs"]["results/data/s1/scan.json"] = sha256_of(scan)

    assert "is no list of files" in repeated(study, spoil).why_not


def test_a_list_with_a_cell_without_end_is_told(study: Path) -> None:
    def spoil(record: dict[str, Any], results: Path) -> None:
        listing = results / "predictions" / "unet" / "seed-1.tsv"
        listing.parent.mkdir(parents=True)
        listing.write_text(f"path\tsha256\n{'x' * 140_000}\t1\n")
        record["inputs"]["results/predictions/unet/seed-1.tsv"] = sha256_of(listing)

    assert "is no list of files" in repeated(study, spoil).why_not


# -- a trace without repeating -----------------------------------------------------------------------


@pytest.mark.parametrize("path", ["results/../../victim.tsv", "/etc/passwd", "results/linked.tsv"])
def test_a_trace_reads_nothing_outside_of_the_folder(study: Path, path: str) -> None:
    victim = study.parents[1] / "victim.tsv"
    victim.write_text(VICTIM)
    (study / "linked.tsv").symlink_to(victim)
    with pytest.raises(BadInput, match=r"no path below|is a link"):
        Study(study).file(path if path.startswith("results/") else f"results/{path}")


def test_a_picture_is_not_drawn_over_the_results(study: Path) -> None:
    before = (study.parent / TABLE).read_bytes()
    target = study / "audit" / "drawn.svg"
    done = trace(study, TABLE, "--draw", str(target))
    assert done.returncode == 1
    assert "stay as they are" in done.stderr
    assert not target.exists()
    assert (study.parent / TABLE).read_bytes() == before


# -- walls -------------------------------------------------------------------------------------------

BEHIND = """
import json, socket, sys
from pathlib import Path
from headct.provenance import repeating, verify, walled
from headct.provenance.checks.folder import Finding, ResultsFolder
scratch, home, port = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
lacking, done = walled.walls(scratch), []
for name, act in (
    ("reads beside", lambda: (home / "secret").read_text()),
    ("lists beside", lambda: list(home.iterdir())),
    ("writes beside", lambda: (home / "made").write_text("x")),
    ("writes over inputs", lambda: (scratch / "study" / "input").write_text("x")),
    ("removes inputs", lambda: (scratch / "study" / "input").unlink()),
    ("connects", lambda: socket.create_connection(("127.0.0.1", port), timeout=5)),
    ("reads inputs", lambda: (scratch / "study" / "input").read_text()),
    ("writes outputs", lambda: (scratch / "out" / "output").write_text("x")),
):
    try:
        act()
        done.append(name)
    except OSError:
        pass
print(json.dumps([lacking, done]))
"""


def test_behind_the_walls_a_step_reads_its_study_writes_its_outputs_and_nothing_else(tmp_path: Path) -> None:
    scratch, home = tmp_path / "scratch", tmp_path / "home"
    for folder in (scratch / "study", scratch / "out", scratch / "tmp", home):
        folder.mkdir(parents=True)
    (home / "secret").write_text("x")
    (scratch / "study" / "input").write_text("x")
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = subprocess.run(
            [sys.executable, "-c", BEHIND, scratch, home, str(server.getsockname()[1])],
            env={"PYTHONPATH": str(PACKAGE.parent)},
            capture_output=True,
            text=True,
            check=True,
        )
    lacking, did = json.loads(done.stdout)
    if lacking:
        pytest.skip(f"this machine does not wall off {', '.join(lacking)}")
    assert did == ["reads inputs", "writes outputs"]


# -- all jobs that take seconds ----------------------------------------------------------------------


def all_repeated(results: Path) -> repeating.Repeated:
    folder = ResultsFolder(results)
    return repeating.repeat(folder, repeating.quick_jobs(folder))


def forge(results: Path) -> None:
    """Another table, with its digest in the record: what an insider does who makes all digests anew."""
    table = results.parent / TABLE
    table.write_text(table.read_text().replace("intra", "inter"))
    record = read_json(results / RECORD)
    record["outputs"][TABLE] = sha256_of(table)
    write_json(record, results / RECORD)


def test_all_jobs_of_an_honest_folder_make_what_is_there(study: Path) -> None:
    done: list[tuple[int, int, str]] = []
    folder = ResultsFolder(study)
    again = repeating.repeat(folder, repeating.quick_jobs(folder), on_progress=lambda *one: done.append(one))
    assert (again.n_done, again.n_jobs, again.findings, again.not_repeated) == (1, 1, (), ())
    assert done == [(1, 1, "rater_agreement")]


def test_a_table_that_its_job_does_not_make_is_found_though_no_digest_tells(study: Path) -> None:
    forge(study)
    assert list(verify.outputs(ResultsFolder(study))) == []
    what = f"is not what rater_agreement makes of what it read, by {RECORD}"
    assert all_repeated(study).findings == (Finding("statistics/rater_agreement.tsv", what),)


def test_measurements_that_were_changed_are_found_by_what_was_computed_from_them(study: Path) -> None:
    metrics = study.parent / METRICS
    metrics.write_text(metrics.read_text().replace("0.3", "0.9"))
    record = read_json(study / RECORD)
    record["inputs"][METRICS] = sha256_of(metrics)
    write_json(record, study / RECORD)
    assert list(verify.inputs(ResultsFolder(study))) == []
    assert [finding.path for finding in all_repeated(study).findings] == ["statistics/rater_agreement.tsv"]


def test_a_job_that_cannot_be_repeated_is_told_with_the_reason(study: Path) -> None:
    record = read_json(study / RECORD)
    record["inputs"]["../config/scans.tsv"] = "0" * 64
    write_json(record, study / RECORD)
    again = all_repeated(study)
    assert (again.n_done, again.findings) == (0, ())
    assert again.not_repeated == (
        "Not repeated: rater_agreement: not here as they were then: ../config/scans.tsv.",
    )


def test_a_record_that_is_no_jobs_is_a_finding(study: Path) -> None:
    record = read_json(study / RECORD)
    record["command"][2:] = ["--help"]
    write_json(record, study / RECORD)
    (finding,) = all_repeated(study).findings
    assert finding.path == RECORD
    assert "is no record of a job" in finding.what


@pytest.mark.parametrize("words", [(), ("--repeat",)], ids=["without", "with"])
def test_verify_repeats_only_where_it_is_asked_to(study: Path, words: tuple[str, ...]) -> None:
    forge(study)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "headct", "audit", "verify", study, *words],
        env={"PYTHONPATH": str(PACKAGE.parent)},
        capture_output=True,
        text=True,
    )
    assert ("is not what rater_agreement makes of what it read" in done.stdout) == bool(words), done.stdout
    assert f"Jobs repeated    {'1 of 1 job, ' if words else 'none'}" in done.stdout
    assert ("--repeat runs them again" in done.stdout) != bool(words)
    assert ("What is never repeated: ingest" in done.stdout) == bool(words)
