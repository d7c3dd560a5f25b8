"""A new table is one new file: it is made, described, sealed, and its numbers are followed to their rows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support import snake

TOY = '''"""The mean of each model's lowest seed."""

from __future__ import annotations

import argparse

from headct.contracts.declarations import PublishedTable, Repeats
from headct.publish.tables.page import Cell, Panel, Table
from headct.publish.tables.shown_statistics import read
from headct.publish.tables.words import title_of

TABLE = PublishedTable(
    name="toy",
    help="mean Dice of each model's lowest seed",
    caption="**A toy.** One row per model and lesion.",
    inputs={"statistics": "statistics of the paper"},
    given={"titles": "titles of all models"},
    columns="network title label lowest",
    keys="network title label",
    repeats=(
        Repeats(source="statistics/seed_spread.tsv", rows="network label", renamed={"network": "model"}),
    ),
)


def make(options: argparse.Namespace) -> Table:
    """The table from its files."""
    numbers = read(options.statistics, "seed_spread")["seed_spread"].rename(columns={"model": "network"})
    numbers["title"] = [title_of(model, options.titles) for model in numbers["network"]]
    rows = [[Cell(row.title), Cell(row.label), Cell(f"{row.lowest:.2f}")] for row in numbers.itertuples()]
    columns = [("", name) for name in ("Model", "Lesion", "Lowest")]
    return Table("A toy", numbers[TABLE.header], [Panel(columns, rows)])
'''


def headct(*words: str, clone: Path) -> subprocess.CompletedProcess:
    """The command, by the code of a copy of the repository."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "headct", *words],
        cwd=clone,
        env={"PYTHONPATH": str(clone / "workflow" / "scripts"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )


def test_a_new_table_is_one_file_and_no_other_table_is_made_anew(clone: Path) -> None:
    tables = clone / "workflow" / "scripts" / "headct" / "publish" / "tables"
    (tables / "toy.py").write_text(TOY, encoding="utf-8")
    assert snake.planned(snake.run(*snake.DEMO, "-n", repository=clone)) == {"toy": 1, "audit": 1}
    done = snake.run(*snake.DEMO, "--cores", "1", "--quiet", "all", repository=clone)
    assert done.returncode == 0, done.stdout
    done = headct("audit", "verify", "demo/results", clone=clone)
    assert done.returncode == 0, done.stdout + done.stderr
    done = headct(
        *("audit", "trace", "--results", "demo/results", "--number", "toy, Focal, IVH, lowest"), clone=clone
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for words in (
        "stands in results/tables/toy.tsv",
        "copied or derived from lowest",
        "in results/statistics/seed_spread.tsv",
        "made of 12 rows of results/metrics/nnunet-3d-focal.tsv",
        "Computed again from these rows, by other code",
        "the same.",
    ):
        assert words in done.stdout, done.stdout
    with open(tables / "table2.py", "a") as module:
        module.write("\nADDED = 1\n")
    assert snake.planned(snake.run(*snake.DEMO, "-n", repository=clone)) == {"table2": 1, "audit": 1}
