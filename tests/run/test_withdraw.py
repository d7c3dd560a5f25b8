"""The step ``withdraw``: shown first, done with --yes, finished when it was ended, refused while jobs run."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from headct.command_line import run_step
from headct.contracts import amendments
from headct.contracts.artefacts import read_json, write_json
from headct.contracts.problems import BadInput
from headct.provenance import manifest, withdrawal
from headct.provenance.withdrawal import StudyFolder
from headct.run import study as of_study
from support.sealed_miniature import ROOT, extracted

SCAN = "scan-0001"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    extracted(tmp_path)
    return tmp_path


def withdraw(study: Path, *words: str) -> None:
    run_step("withdraw", [*words, "--reason", "consent withdrawn", "--study", str(study)])


def files(study: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in study.rglob("*")}


def test_it_is_shown_and_then_done(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files(study)
    withdraw(study, SCAN)
    shown = capsys.readouterr().out
    assert shown.endswith("Nothing was deleted. Do it with --yes.\n")
    assert files(study) == before
    withdraw(study, SCAN, "--yes")
    done = capsys.readouterr().out
    assert shown.splitlines()[:20] == done.splitlines()[:20]
    assert not (study / "results/data" / SCAN).exists()
    assert f"Root digest before: {ROOT}\n" in done
    assert f" now: {manifest.root_of(study / 'results')}\n" in done


def test_what_was_begun_is_finished_first(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = StudyFolder(study)
    withdrawal.begin(folder, withdrawal.plan(folder, [SCAN], "consent withdrawn"))
    withdraw(study, SCAN)
    assert "was begun on" in capsys.readouterr().out
    assert (study / "results/data" / SCAN).exists()
    withdraw(study, SCAN, "scan-0002", "--yes")
    assert "was begun on" in capsys.readouterr().out
    assert [one.scans for one in amendments.load(study / "results")] == [[SCAN], ["scan-0002"]]
    assert withdrawal.begun(study / "results") is None


def test_a_lock_of_snakemake_and_a_snakemake_at_work_refuse_it(study: Path) -> None:
    lock = study / ".snakemake/locks/0.input.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    with pytest.raises(BadInput, match="Snakemake is at work in this folder, from another machine perhaps"):
        withdraw(study, SCAN, "--yes")
    lock.unlink()
    program = study / "snakemake"
    program.write_text("import time; time.sleep(60)")
    process = subprocess.Popen([sys.executable, program], cwd=study)
    try:
        while b"snakemake" not in Path(f"/proc/{process.pid}/cmdline").read_bytes():
            time.sleep(0.01)
        with pytest.raises(BadInput, match=f"process {process.pid}: Snakemake is at work"):
            withdraw(study, SCAN, "--yes")
    finally:
        process.kill()
        process.wait()
    assert (study / "results/data" / SCAN).exists()


def test_snakemake_does_not_start_while_a_withdrawn_scan_is_in_the_sheet(
    study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    withdraw(study, SCAN, "--yes")
    monkeypatch.chdir(study)
    scans = [{"scan_id": SCAN, "row": 2}, {"scan_id": "scan-0002", "row": 3}]
    (problem,) = of_study.withdrawn(scans, "scans.tsv")
    assert (problem.file, problem.row, problem.key, problem.value) == ("scans.tsv", "2", "scan_id", SCAN)
    assert problem.message.endswith("(consent withdrawn): take this row out of the sheet")
    assert of_study.withdrawn(scans[1:], "scans.tsv") == []
    folder = StudyFolder(study)
    withdrawal.begin(folder, withdrawal.plan(folder, ["scan-0002"], "consent withdrawn"))
    (problem,) = of_study.withdrawn(scans[1:], "scans.tsv")
    assert problem.message.startswith("a withdrawal was begun and not finished")
    path = study / "results/audit/amendments/1.json"
    write_json(read_json(path) | {"scans": []}, path)
    assert "scans can't have such a value" in of_study.withdrawn([], "scans.tsv")[-1].message
