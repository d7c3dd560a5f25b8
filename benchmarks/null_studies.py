"""How often verdicts are wrong, and intervals miss the truth, in simulated studies.

    .venv/bin/python benchmarks/null_studies.py > benchmarks/null_studies.md
    .venv/bin/python benchmarks/null_studies.py --document    # copies the tables into the documentation

The studies are those of ``simulated_studies.py``; what is made of each, ``null_checks.py``; what holds,
``promises.py``. Models, and pairs of them, of a study are counted at once, as their mean rate; its bounds are
those of as many coin flips as there are studies, which are too wide rather than too narrow.

What each study gives is written below ``build/null_studies`` as soon as it is there: a run that was ended
goes on where it stopped, as long as neither the statistics nor the programs here have changed.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import gc
import hashlib
import json
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

from headct.contracts.repository import PACKAGE, REPOSITORY

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

SAID_EVERY = 500
"""Studies between two lines of progress."""


def one_study(task: Task) -> tuple[Task, Found]:
    """What one study gives; those of settings with the same scans are the same.

    Raises:
        RuntimeError: it gave an error; the message names the study.
    """
    setting, block, seed, number = task
    rng = np.random.default_rng([seed, number, list(BLOCKS).index(block)])
    try:
        with np.errstate(all="ignore"):
            return task, BLOCKS[block].check(rng, SETTINGS[setting], TRUTHS[setting])
    except Exception as error:
        raise RuntimeError(f"study {number} of seed {seed}, setting {setting}, block {block!r}") from error


class Finished:
    """What finished studies gave, a line of JSON each, in one file for what it depends on.

    Args:
        folder: of such files.
        n_population: scans of the population that truth was taken from.
    """

    def __init__(self, folder: Path, n_population: int):
        here = Path(__file__).parent
        modules = [*here.glob("null_*.py"), here / "promises.py", here / "simulated_studies.py"]
        modules += (PACKAGE / "statistics").rglob("*.py")
        digest = hashlib.sha256(str(n_population).encode())
        for module in sorted(modules):
            digest.update(module.read_bytes())
        self.path = folder / f"{digest.hexdigest()[:16]}.jsonl"

    def read(self) -> dict[Task, Found]:
        """By study; a line that a kill has cut off is none."""
        found: dict[Task, Found] = {}
        for line in self.path.read_text(encoding="utf-8").splitlines() if self.path.is_file() else ():
            with contextlib.suppress(json.JSONDecodeError):
                task, values = json.loads(line)
                found[tuple(task)] = {(promise, of): np.array(array) for promise, of, array in values}
        return found

    def add(self, task: Task, found: Found) -> None:
        """Write what a study gave."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        values = [[*key, array.tolist()] for key, array in found.items()]
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps([task, values]) + "\n")


def simulate(
    share: float,
    seed: int,
    settings: Sequence[str],
    blocks: Sequence[str],
    n_population: int,
    processes: int,
    finished: Finished | None = None,
) -> dict[str, dict[Key, Rate]]:
    """Rates by setting.

    Args:
        share: of all studies that are simulated.
        seed: of these.
        settings: names of those that are.
        blocks: likewise.
        n_population: scans of the population that truth is taken from.
        processes: at a time.
        finished: studies of former runs; those of this one are added.

    Raises:
        RuntimeError: some studies gave an error; it comes when all others are finished.
    """
    dice_of_equal_models()
    for setting in settings:
        TRUTHS[setting] = truth(SETTINGS[setting], n_population)
    tasks = [task for setting in settings for task in _tasks(share, seed, setting, blocks)]
    of_task = finished.read() if finished else {}
    missing = [task for task in tasks if task not in of_task]
    failed: list[Exception] = []
    gc.freeze()  # statsmodels collects garbage at each of Holm's corrections: there is less to look through
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        results = pool.imap_unordered(one_study, missing)
        for number in range(1, len(missing) + 1):
            try:
                task, gives = next(results)
            except RuntimeError as error:
                failed.append(error)
                continue
            of_task[task] = gives
            if finished:
                finished.add(task, gives)
            if number % SAID_EVERY == 0:
                print(f"{number} of {len(missing)} studies", file=sys.stderr, flush=True)
    if failed:
        raise RuntimeError(f"{len(failed)} studies gave an error; the first: {failed[0]}") from failed[0]
    found: dict[str, dict[Key, Rate]] = {setting: {} for setting in settings}
    for setting in settings:
        for block in blocks:
            its = [of_task[task] for task in tasks if task[:2] == (setting, block)]
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
    finished = Finished(REPOSITORY / "build/null_studies", N_POPULATION)
    found = simulate(args.share, args.seed, args.settings, args.blocks, N_POPULATION, processes, finished)
    print(result(found, args.seed), end="")


if __name__ == "__main__":
    main()
