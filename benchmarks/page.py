"""Seconds until the page of results is painted and a case is shown, of the demo and at full size.

    PYTHONPATH=workflow/scripts .venv/bin/python benchmarks/page.py > benchmarks/page.md

The page is that of the demo's results (``make demo``), copied. Beside its cases lies a made-up one of
512 × 512 × 40 voxels with ten models, with noise as at the noisiest simulated site. All is drawn by Chromium
without a graphics card, as in the tests. Each time is the median of some, each in a browser of its own.
"""

from __future__ import annotations

import argparse
import datetime
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from headct.contracts.artefacts import read_tsv
from headct.contracts.repository import REPOSITORY
from headct.publish.page.case_content import script
from support.browser import AS_ROOT, CHROMIUM, WEBGL_BY_THE_PROCESSOR
from support.case_studies import largest_case

REPEATS = 3
LONGEST_MS = 300_000
GOALS = {
    "first paint": 1.5,
    "first case, with the viewer": 1,
    "another case": 1,
    "a case of 512 × 512 × 40, ten models": 3,
}
"""Seconds that each may take (issue 17)."""

# Seconds from the event that opens a case to the one that says that it is shown.
OPEN = """(scan) => new Promise((resolve) => {
  const start = performance.now();
  document.addEventListener("case-shown", () => resolve((performance.now() - start) / 1000), {once: true});
  document.dispatchEvent(new CustomEvent("open-case", {detail: {scan}}));
})"""
PAINTED = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime / 1000"


def main() -> None:
    """Print the document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--results", type=Path, default=REPOSITORY / "demo" / "results")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report")
        shutil.copytree(arguments.results / "report", report)
        scans = list(read_tsv(report / "cases.tsv")["scan_id"])
        large = largest_case()
        path = report / "cases" / "scans" / f"{large.scan_id}.js"
        path.write_text(script(large, "hounsfield", mask_face=False), encoding="ascii")
        times = times_by_what(report / "index.html", scans, large.scan_id)
        print(document(times, (report / "index.html").stat().st_size, path.stat().st_size))


def times_by_what(page_file: Path, scans: list[str], large: str) -> dict[str, list[float]]:
    """Seconds by what was waited for."""
    times: dict[str, list[float]] = {what: [] for what in GOALS}
    with sync_playwright() as playwright:
        for _ in range(REPEATS):
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM, args=[*AS_ROOT, *WEBGL_BY_THE_PROCESSOR], timeout=LONGEST_MS
            )
            seen = once(browser, page_file, [scans[0], scans[-1], large])
            for what, seconds in zip(GOALS, seen, strict=True):
                times[what].append(seconds)
            browser.close()
    return times


def once(browser: Browser, page_file: Path, scans: list[str]) -> list[float]:
    """Seconds to the first paint, then of each case that is opened."""
    page: Page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(LONGEST_MS)
    page.goto(page_file.as_uri())
    page.wait_for_function(f"({PAINTED})()")
    return [page.evaluate(PAINTED), *(page.evaluate(OPEN, scan) for scan in scans)]


def document(times: dict[str, list[float]], page_bytes: int, case_bytes: int) -> str:
    """The result as Markdown."""
    commit = subprocess.run(
        ["git", "-C", str(REPOSITORY), "log", "-1", "--format=%h"], capture_output=True, text=True, check=True
    ).stdout.strip()
    machine = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    lines = [
        "# Time until the page and a case are seen",
        "",
        f"{datetime.datetime.now(datetime.UTC):%F}, commit {commit}, {machine}, Chromium without a graphics",
        f"card. The page has {page_bytes / 1e6:.1f} MB, the large case {case_bytes / 1e6:.1f} MB.",
        "",
        "| what | goal, s | median, s | all, s |",
        "|---|---|---|---|",
    ]
    for what, goal in GOALS.items():
        every = ", ".join(f"{seconds:.2f}" for seconds in times[what])
        lines.append(f"| {what} | {goal} | {statistics.median(times[what]):.2f} | {every} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
