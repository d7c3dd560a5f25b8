"""A new table is one file, a new figure two: module and caption. They are made, described, sealed, and
their numbers are followed to their rows.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from support import snake

TABLE = '''"""The mean of each model's lowest seed."""

from __future__ import annotations

from headct.contracts.declarations import PublishedTable, Repeats
from headct.publish.options import Options
from headct.publish.tables.table_page import Cell, Panel, Table
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


def make(options: Options) -> Table:
    """The table from its files."""
    numbers = read(options.statistics, "seed_spread")["seed_spread"].rename(columns={"model": "network"})
    numbers["title"] = [title_of(model, options.titles) for model in numbers["network"]]
    rows = [[Cell(row.title), Cell(row.label), Cell(f"{row.lowest:.2f}")] for row in numbers.itertuples()]
    columns = [("", name) for name in ("Model", "Lesion", "Lowest")]
    return Table("A toy", numbers[TABLE.header], [Panel(columns, rows)])
'''


FIGURE = '''"""The mean Dice of each model, as dots."""

from __future__ import annotations

from headct.contracts.artefacts import read_tsv
from headct.contracts.declarations import PublishedFigure, Repeats
from headct.publish.figures import style
from headct.publish.options import Options

FIGURE = PublishedFigure(
    name="toy_figure",
    help="mean Dice of each model and lesion",
    inputs={"summary": "statistics/dice_summary.tsv"},
    given={"models": "titles of all models", "study_title": "study title", "width_mm": "width in mm"},
    columns="model label mean",
    keys="model label",
    repeats=(Repeats(source="statistics/dice_summary.tsv", rows="model label"),),
)


def draw(options: Options) -> style.Pages:
    """The figure from its file."""
    numbers = read_tsv(options.summary)
    drawn = numbers.loc[numbers["model"].isin(list(options.models)), FIGURE.header]
    page = style.sheet("A toy", options.study_title, 60, [], [], options.width_mm)
    page.body.subplots().plot(drawn["mean"], range(len(drawn)), "o")
    return [(page.figure, drawn)]
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


def changed(clone: Path, *modules: Path) -> dict[str, int]:
    """The jobs that are planned once a line of code was added to modules."""
    for module in modules:
        with open(module, "a") as source:
            source.write("\nADDED = 1\n")
    return snake.planned(snake.run(*snake.DEMO, "-n", repository=clone))


def test_a_new_table_is_one_file_and_a_new_figure_two(clone: Path) -> None:
    publish = clone / "workflow" / "scripts" / "headct" / "publish"
    before = {path for path in clone.rglob("*") if path.is_file()}
    (publish / "tables" / "toy.py").write_text(TABLE, encoding="utf-8")
    (publish / "figures" / "toy_figure.py").write_text(FIGURE, encoding="utf-8")
    (clone / "workflow" / "report" / "toy_figure.rst").write_text("A toy.", encoding="utf-8")
    assert len({path for path in clone.rglob("*") if path.is_file()} - before) == 1 + 2
    done = snake.run(*snake.DEMO, "--cores", "1", repository=clone)
    assert snake.planned(done) == {"toy": 1, "toy_figure": 1, "page": 1, "audit": 1}, "no other is made anew"
    done = headct("audit", "verify", "demo/results", clone=clone)
    assert done.returncode == 0, done.stdout + done.stderr
    for number, column, source in (
        ("toy, Focal, IVH, lowest", "lowest", "seed_spread"),
        ("toy_figure, nnunet-3d-focal, IVH, mean", "mean", "dice_summary"),
    ):
        words = ("audit", "trace", "--results", "demo/results", "--number", number)
        done = headct(*words, clone=clone)
        assert done.returncode == 0, done.stdout + done.stderr
        for said in (
            f"copied or derived from {column}",
            f"in results/statistics/{source}.tsv",
            "made of 12 rows of results/metrics/nnunet-3d-focal.tsv",
            "Computed again from these rows, by other code",
            "the same.",
        ):
            assert said in done.stdout, done.stdout


def test_an_edit_of_a_module_plans_what_it_makes_only(clone: Path) -> None:
    publish = clone / "workflow" / "scripts" / "headct" / "publish"
    jobs = {"table2": 1, "page": 1, "audit": 1}
    assert changed(clone, publish / "tables" / "table2.py") == jobs
    jobs |= {"flow": 1, "methods": 1}
    assert changed(clone, publish / "figures" / "flow.py", publish / "reports" / "methods.py") == jobs
