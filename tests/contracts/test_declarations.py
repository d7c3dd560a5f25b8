"""Declarations of what a study publishes, read from source."""

from __future__ import annotations

from pathlib import Path

import pytest

from headct.contracts.declarations import PublishedFigure, PublishedTable, declared
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


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"'flow' is declared in headct\.publish\.a, too"):
        declared(PublishedFigure, package(tmp_path, a=TWO, b='B = PublishedFigure(name="flow", help="…")'))


def test_the_same_call_makes_the_object_where_its_module_runs() -> None:
    with pytest.raises(ValueError, match="no such setting"):
        PublishedFigure(name="flow", help="…", given={"width_mm": "height in mm"})
