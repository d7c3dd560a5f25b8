"""A scan that was withdrawn is not converted again, and what was made with it is planned anew."""

from __future__ import annotations

from pathlib import Path

from headct.command_line import run_step
from headct.contracts.artefacts import read_tsv
from support import snake

SCAN = "scan-0010"
"""Of the demo's test set."""


def test_a_withdrawn_scan_is_counted_and_not_converted_again(clone: Path) -> None:
    demo = clone / "demo"
    assert read_tsv(demo / "results/cohort/split.tsv").set_index("scan_id").loc[SCAN, "set"] == "test"
    flow = read_tsv(demo / "results/cohort/flow.tsv").fillna("").set_index(["status", "reason"])
    run_step("withdraw", [SCAN, "--reason", "consent withdrawn", "--study", str(demo), "--yes"])
    refused = snake.run(*snake.DEMO, "-n", repository=clone)
    assert refused.returncode == 1
    assert "(consent withdrawn): take this row out of the sheet" in refused.stdout
    sheet = demo / "trial/scans.tsv"
    rows = sheet.read_text(encoding="utf-8").splitlines(keepends=True)
    sheet.write_text("".join(row for row in rows if not row.startswith(SCAN)), encoding="utf-8")
    planned = snake.planned(
        snake.run(*snake.DEMO, "-n", "results/statistics/dice_summary.tsv", repository=clone)
    )
    assert planned.items() >= {"ingest": 1, "cohort": 1, "split": 1, "metrics": 12}.items()
    done = snake.run(*snake.DEMO, "--cores", "2", "results/cohort/flow.tsv", repository=clone)
    assert done.returncode == 0, done.stdout
    after = read_tsv(demo / "results/cohort/flow.tsv").fillna("").set_index(["status", "reason"])
    assert after.loc[("withdrawn", "consent withdrawn"), "scans"] == 1
    for status, change in (("in sheet", 0), ("included", -1)):
        assert after.loc[(status, ""), "scans"] == flow.loc[(status, ""), "scans"] + change
    assert not (demo / "results/data" / SCAN).exists()
