"""Declarations of what a study publishes, read from source."""

from __future__ import annotations

from pathlib import Path

import pytest

from headct.contracts.declarations import (
    MadeOf,
    PublishedFigure,
    PublishedTable,
    Repeats,
    declared,
    published_numbers,
)
from headct.contracts.problems import BadInput

TWO = """
raise RuntimeError("a module that is only read is not run")

FLOW: PublishedFigure = PublishedFigure(
    name="flow",
    help="scans from the sheet"
    " to the analysis",
    inputs={"flow": "cohort/flow.tsv", "metrics": "metrics of all models"},
    given={"width_mm": "width in mm"},
    per_model=True,
)
SECOND = PublishedFigure(name="another", help="…")
"""


def package(folder: Path, **modules: str) -> Path:
    (folder / "publish").mkdir()
    for name, source in modules.items():
        (folder / "publish" / f"{name}.py").write_text(source, encoding="utf-8")
    return folder


def test_declarations_are_read_without_running_their_module(tmp_path: Path) -> None:
    found = declared(PublishedFigure, package(tmp_path, b=TWO, a='A = PublishedFigure(name="z", help="…")'))
    assert list(found) == ["z", "flow", "another"]
    flow = PublishedFigure(
        name="flow",
        help="scans from the sheet to the analysis",
        inputs={"flow": "cohort/flow.tsv", "metrics": "metrics of all models"},
        given={"width_mm": "width in mm"},
        per_model=True,
    )
    assert found["flow"] == flow
    assert [one.module for one in found.values()] == [
        "headct.publish.a",
        "headct.publish.b",
        "headct.publish.b",
    ]


NUMBERS = """
T = PublishedTable(
    name="t", help="…", columns="model"
    " mark mean", keys="model",
    repeats=(Repeats(source="statistics/s.tsv", rows="model", about={"mark": "mean"}),),
    made_of=(MadeOf(columns="mean", seeds="first"), MadeOf()),
)
S = PublishedStatistic(name="s", help="…", step="statistics", folder="cohort")
F = PublishedFigure(name="f", help="…", per_model=True)
"""


def test_what_numbers_repeat_and_are_made_of_is_read_too(tmp_path: Path) -> None:
    found = published_numbers(package(tmp_path, a=NUMBERS))
    assert list(found) == ["cohort/s.tsv", "tables/t.tsv", "figures/f/{model}.tsv"]
    table = found["tables/t.tsv"]
    assert table.header == ["model", "mark", "mean"]
    assert table.repeats == (Repeats(source="statistics/s.tsv", rows="model", about={"mark": "mean"}),)
    assert table.made_of == (MadeOf(columns="mean", seeds="first"), MadeOf())
    assert found["cohort/s.tsv"].made_of == (MadeOf(),)


def test_each_kind_is_found_by_itself(tmp_path: Path) -> None:
    folder = package(tmp_path, a=TWO, b='B = PublishedTable(name="flow", help="…")')
    assert list(declared(PublishedTable, folder)) == ["flow"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ('name="flow", help=HELP', "help must be a literal"),
        ('name="flow", help=f"{1}"', "help must be a literal"),
        ('"flow", help="…"', "each argument must be written as name=value"),
        ('**{"name": "flow"}, help="…"', "each argument must be written as name=value"),
        ('name="flow"', "help"),
        ('name="flow", help="…", colour="red"', "colour"),
        ('name="flow", help="…", module="headct.a"', "module"),
        (
            'name="flow", help="…", inputs={"metrics": "metrics of no model"}',
            "no such source: 'metrics of no model'",
        ),
        ('name="flow", help="…", given={"width_mm": "height in mm"}', "no such setting: 'height in mm'"),
        (
            'name="flow", help="…", made_of=(MadeOf(rows="guesses"),)',
            "rows is 'guesses'; there are metrics, ",
        ),
        ('name="flow", help="…", made_of=(MadeOf(rows=ROWS),)', "rows must be a literal"),
        ('name="flow", help="…", repeats=(Repeats(source="a/b.tsv"),)', "rows"),
        ('name="flow", help="…", repeats=(Copies(source="a/b.tsv"),)', "repeats must be a literal"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(tmp_path: Path, arguments: str, words: str) -> None:
    folder = package(tmp_path, a=f"\nA = PublishedFigure({arguments})")
    with pytest.raises(BadInput) as error:
        declared(PublishedFigure, folder)
    (problem,) = error.value.problems
    assert problem.file.endswith("publish/a.py")
    assert problem.row == "line 2"
    assert words in problem.message


@pytest.mark.parametrize(
    "source",
    [
        'PublishedFigure(name="flow", help="…")',
        'ALL = [PublishedFigure(name="flow", help="…")]',
        'def figure():\n    return PublishedFigure(name="flow", help="…")',
        'if True:\n    A = declarations.PublishedFigure(name="flow", help="…")',
    ],
)
def test_a_declaration_that_would_not_be_found_is_refused(tmp_path: Path, source: str) -> None:
    with pytest.raises(BadInput, match=r"must stand at the top level of its module: NAME = PublishedFigure"):
        declared(PublishedFigure, package(tmp_path, a=source))


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"'flow' is declared in headct\.publish\.a, too"):
        declared(PublishedFigure, package(tmp_path, a=TWO, b='B = PublishedFigure(name="flow", help="…")'))


def test_the_same_call_makes_the_object_where_its_module_runs() -> None:
    with pytest.raises(ValueError, match="no such setting"):
        PublishedFigure(name="flow", help="…", given={"width_mm": "height in mm"})
