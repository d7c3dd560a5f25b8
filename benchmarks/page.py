"""Seconds until the page of results and a case are seen, and their sizes: of the demo, and at full size.

    PYTHONPATH=workflow/scripts .venv/bin/python benchmarks/page.py > benchmarks/page.md

The demo's page is that of its results (``make demo``), copied. The study of full size is made up: 174 test
scans of 512 × 512 × 40 voxels, noisy as at the noisiest simulated site, ten models, three lesions and a group
of two, every figure, curves of 1800 epochs. Two of its cases have a file, since they load one by one. A case
counts as shown when its pixels can be read back. Chromium has no graphics card, as in the tests. Each time is
the median of some, each in a browser of its own.
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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Page, Playwright, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from headct.contracts.artefacts import read_tsv
from headct.contracts.repository import REPOSITORY
from support import full_size_page
from support.browser import AS_ROOT, CHROMIUM, WEBGL_BY_THE_PROCESSOR

REPEATS = 5
LONGEST_MS = 300_000

PAINTED, USABLE = "first paint", "the page is whole, the explorer drawn"
FIRST, ANOTHER = "the first case, with the viewer", "another case"
PREPARED = "the first case, a second after the mouse came to what opens it"
SLICE, WINDOW, TWO = "another slice", "another window", "a second picture beside it"
IN_ONE_BROWSER = (PAINTED, USABLE, FIRST, ANOTHER, SLICE, WINDOW, TWO)
"""What is waited for, in this order."""
WHAT = (PAINTED, USABLE, FIRST, PREPARED, ANOTHER, SLICE, WINDOW, TWO)

PAGE_MB, CASE_MB = 5, 8
"""Sizes that page and case may have (issue 17)."""

TIMES = "() => performance.getEntriesByType('{kind}').map(({{ {of}: ms }}) => ms / 1000)"
FIRST_PAINT = TIMES.format(kind="paint", of="startTime")
LOADED = TIMES.format(kind="navigation", of="loadEventEnd")

# Seconds until what an action changes can be read back, when what draws it is done.
UNTIL_SEEN = """async ([action, argument]) => {
  const actions = {
    open: (scan) => new Promise((shown) => {
      document.addEventListener("case-shown", shown, {once: true});
      document.dispatchEvent(new CustomEvent("open-case", {detail: {scan}}));
    }),
    press: (key) => document.querySelector(".viewer canvas")
      .dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true})),
    click: async (words) => {
      const buttons = [...document.querySelectorAll(".viewer button")];
      buttons.find((button) => button.textContent === words).click();
      const legend = () => document.querySelectorAll(".viewer-legend")[1].childElementCount;
      while (!legend()) await new Promise((done) => setTimeout(done, 10));
    },
  };
  const start = performance.now();
  await actions[action](argument);
  for (let n = 0; n < 2; n++) await new Promise(requestAnimationFrame);
  for (const canvas of document.querySelectorAll(".viewer-picture canvas:not(.viewer-overlay)")) {
    const gl = canvas.offsetParent && canvas.getContext("webgl2");
    if (gl) gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
  }
  return (performance.now() - start) / 1000;
}"""


@dataclass
class TimedPage:
    """A page whose times are taken.

    Attributes:
        title: of its column.
        page: the file.
        scans: two that it can open.
        goals: seconds that it may take, by what.
        times: seconds that it took, by what.
    """

    title: str
    page: Path
    scans: Sequence[str]
    goals: Mapping[str, float]
    times: dict[str, list[float]] = field(default_factory=lambda: {what: [] for what in WHAT})


def main() -> None:
    """Print the document."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--results", type=Path, default=REPOSITORY / "demo" / "results")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = shutil.copytree(arguments.results / "report", Path(folder, "demo"))
        full = full_size_page.make(Path(folder, "full"), REPOSITORY / "workflow/page/bundle")
        pages = [
            TimedPage(
                title="demo",
                page=report / "index.html",
                scans=list(read_tsv(report / "cases.tsv")["scan_id"])[:2],
                goals={PAINTED: 1.5, FIRST: 1, PREPARED: 1, ANOTHER: 1},
            ),
            TimedPage(
                title="full size",
                page=full,
                scans=[file.stem for file in full_size_page.files_of_cases(full)],
                goals={PAINTED: 3, FIRST: 3, PREPARED: 3, ANOTHER: 3},
            ),
        ]
        with sync_playwright() as playwright:
            for _ in range(REPEATS):
                for timed in pages:
                    for what, seconds in zip(IN_ONE_BROWSER, once(playwright, timed), strict=True):
                        timed.times[what].append(seconds)
                    timed.times[PREPARED].append(prepared(playwright, timed))
        print(document(pages))


def once(playwright: Playwright, timed: TimedPage) -> list[float]:
    """Seconds for each of :data:`IN_ONE_BROWSER`, in a browser that has seen nothing."""
    page = opened(playwright, timed)
    page.wait_for_function(f"({FIRST_PAINT})().length")
    seen = [page.evaluate(FIRST_PAINT)[0], page.evaluate(LOADED)[0]]
    actions = [("open", scan) for scan in timed.scans]
    actions += [("press", "ArrowUp"), ("press", "2"), ("click", "Two pictures")]
    for action in actions:
        page.wait_for_timeout(1000)  # a reader reads
        seen.append(page.evaluate(UNTIL_SEEN, action))
    close(page)
    return seen


def prepared(playwright: Playwright, timed: TimedPage) -> float:
    """Seconds of the first case in a browser whose mouse has rested for a second on what opens it."""
    page = opened(playwright, timed)
    scan = timed.scans[0]
    page.locator(f'[data-open-case="{scan}"]').first.hover()
    page.wait_for_timeout(1000)
    seconds: float = page.evaluate(UNTIL_SEEN, ("open", scan))
    close(page)
    return seconds


def opened(playwright: Playwright, timed: TimedPage) -> Page:
    """The page, in a browser that has seen nothing."""
    browser = playwright.chromium.launch(
        executable_path=CHROMIUM, args=[*AS_ROOT, *WEBGL_BY_THE_PROCESSOR], timeout=LONGEST_MS
    )
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(LONGEST_MS)
    page.goto(timed.page.as_uri())
    return page


def close(page: Page) -> None:
    """Close the page's browser."""
    browser = page.context.browser
    assert browser
    browser.close()


def document(pages: Sequence[TimedPage]) -> str:
    """The result as Markdown."""
    commit = subprocess.run(
        ["git", "-C", str(REPOSITORY), "log", "-1", "--format=%h"], capture_output=True, text=True, check=True
    ).stdout.strip()
    machine = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    lines = [
        "# Time until the page and a case are seen",
        "",
        f"{datetime.datetime.now(datetime.UTC):%F}, commit {commit}, {machine}, Chromium without a graphics",
        f"card. Seconds, median of {REPEATS} browsers, the slowest in brackets; above its goal is marked.",
        "",
        "| what | " + " | ".join(f"{of.title} | goal" for of in pages) + " |",
        "|---|" + "--:|--:|" * len(pages),
    ]
    for what in WHAT:
        lines.append(f"| {what} | " + " | ".join(_cells(of, what) for of in pages) + " |")
    sizes = [(of.page.stat().st_size, *(_case(of, scan) for scan in of.scans)) for of in pages]
    lines.append("| MB of the page | " + " | ".join(_size(size[0], PAGE_MB) for size in sizes) + " |")
    lines.append("| MB of a case | " + " | ".join(_size(max(size[1:]), CASE_MB) for size in sizes) + " |")
    return "\n".join(lines)


def _case(timed: TimedPage, scan: str) -> int:
    return (timed.page.parent / "cases/scans" / f"{scan}.js").stat().st_size


def _cells(timed: TimedPage, what: str) -> str:
    times, goal = timed.times[what], timed.goals.get(what)
    median = statistics.median(times)
    mark = " **above**" if goal and median >= goal else ""
    return f"{median:.2f} ({max(times):.2f}){mark} | {f'{goal:g}' if goal else ''}"


def _size(size_bytes: int, goal_mb: float) -> str:
    return f"{size_bytes / 1e6:.2f}{' **above**' if size_bytes >= goal_mb * 1e6 else ''} | {goal_mb:g}"


if __name__ == "__main__":
    main()
