"""How often verdicts are wrong, and intervals miss the truth, in simulated studies.

    .venv/bin/python benchmarks/null_studies.py > benchmarks/null_studies.md
    .venv/bin/python benchmarks/null_studies.py --document    # copies the tables into the documentation

The studies are those of ``simulated_studies.py``; what is made of each, ``null_checks.py``; what holds,
``promises.py``. Models, and pairs of them, of a study are counted at once, as their mean rate; its bounds are
those of as many coin flips as there are studies, which are too wide rather than too narrow.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import multiprocessing
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))

from null_checks import BLOCKS, PROMISES, dice_of_equal_models, truth
from null_coverage import not_simulated
from promises import Found, Key, Rate, Truth, rates, tables
from simulated_studies import SETTINGS

from headct.contracts.repository import REPOSITORY

DOCUMENT, RESULT = REPOSITORY / "docs/reference/statistics.md", REPOSITORY / "benchmarks/null_studies.md"
BEGIN = "<!-- from benchmarks/null_studies.md: begin -->"
END = "<!-- from benchmarks/null_studies.md: end -->"

N_POPULATION = 300_000

IF_NOT_DEFAULT = 0.4
"""Of the studies that others have, has a setting that only shows what another choice of clusters would do."""

TRUTHS: dict[str, Truth] = {}
"""By setting; filled before the processes start, which then have it."""

Task = tuple[str, str, int, int]
"""Setting, block, seed, and number of a study."""


def one_study(task: Task) -> Found:
    """What one study gives; those of settings with the same scans are the same."""
    setting, block, seed, number = task
    rng = np.random.default_rng([seed, number, list(BLOCKS).index(block)])
    with np.errstate(all="ignore"):
        return BLOCKS[block].check(rng, SETTINGS[setting], TRUTHS[setting])


def simulate(
    share: float, seed: int, settings: Sequence[str], blocks: Sequence[str], n_population: int, processes: int
) -> dict[str, dict[Key, Rate]]:
    """Rates by setting.

    Args:
        share: of all studies that are simulated.
        seed: of these.
        settings: names of those that are.
        blocks: likewise.
        n_population: scans of the population that truth is taken from.
        processes: at a time.
    """
    dice_of_equal_models()
    for setting in settings:
        TRUTHS[setting] = truth(SETTINGS[setting], n_population)
    tasks = [task for setting in settings for task in _tasks(share, seed, setting, blocks)]
    gc.freeze()  # statsmodels collects garbage at each of Holm's corrections: there is less to look through
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        results = pool.map(one_study, tasks, chunksize=4)
    found: dict[str, dict[Key, Rate]] = {setting: {} for setting in settings}
    for setting in settings:
        for block in blocks:
            its = [one for task, one in zip(tasks, results, strict=True) if task[:2] == (setting, block)]
            found[setting] |= rates(its, PROMISES)
    return found


def _tasks(share: float, seed: int, setting: str, blocks: Sequence[str]) -> list[Task]:
    if not SETTINGS[setting].is_default:
        blocks = [block for block in blocks if BLOCKS[block].in_other_settings]
        share = share * IF_NOT_DEFAULT
    return [
        (setting, block, seed, number)
        for block in blocks
        for number in range(round(share * BLOCKS[block].n_studies))
    ]


def result(found: dict[str, dict[Key, Rate]], seed: int) -> str:
    """The file that holds all rates."""
    return (
        "# How often verdicts are wrong, and intervals miss the truth\n\n"
        "`python benchmarks/null_studies.py` makes it anew; docs/reference/statistics.md has the same tables,"
        " and says what they mean.\n\n"
        f"{BEGIN}\n\n"
        f"{datetime.date.today()}, {platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python"
        f" {platform.python_version()}, seed {seed}.\n\n"
        f"{tables(found, PROMISES, SETTINGS)}\n\n"
        f"{not_simulated()}\n\n"
        f"{END}\n"
    )


def document(page: str, results: str) -> str:
    """A page with what stands between the marks of the results."""
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    return before + BEGIN + results.split(BEGIN)[1].split(END)[0] + END + after


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--share", type=float, default=1.0, help="of all studies; 0.04 shows that it works")
    parser.add_argument("--seed", type=int, default=2026, help="of the simulation")
    parser.add_argument("--settings", nargs="+", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--blocks", nargs="+", default=list(BLOCKS), choices=list(BLOCKS))
    parser.add_argument("--document", action="store_true", help="only copy the tables into the documentation")
    args = parser.parse_args()
    if args.document:
        page = document(DOCUMENT.read_text(encoding="utf-8"), RESULT.read_text(encoding="utf-8"))
        DOCUMENT.write_text(page, encoding="utf-8")
        return
    processes = len(os.sched_getaffinity(0))
    found = simulate(args.share, args.seed, args.settings, args.blocks, N_POPULATION, processes)
    print(result(found, args.seed), end="")


if __name__ == "__main__":
    main()
