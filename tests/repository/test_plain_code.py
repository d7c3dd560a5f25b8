"""Code that is read at first sight: what no linter here looks for."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from headct.contracts.repository import PACKAGE

MODULES = sorted(PACKAGE.rglob("*.py"))


def nested_conditions(module: Path) -> list[int]:
    """Lines of conditional expressions that are a branch of another one."""
    found = []
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.IfExp) and any(
            isinstance(one, ast.IfExp) for one in (node.body, node.orelse)
        ):
            found.append(node.lineno)
    return found


def test_no_condition_is_nested_in_the_branch_of_another() -> None:
    assert {str(module): lines for module in MODULES if (lines := nested_conditions(module))} == {}


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("a = 1 if x else 2", []),
        ("a = 1 if (x if y else z) else 2", []),
        ("b = 0\na = 1 if x else 2 if y else 3", [2]),
        ("a = (1 if x else 2) if y else 3", [1]),
    ],
)
def test_what_counts_as_nested(tmp_path: Path, text: str, lines: list[int]) -> None:
    module = tmp_path / "module.py"
    module.write_text(text)
    assert nested_conditions(module) == lines
