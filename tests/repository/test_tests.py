"""The tests mirror the package, and what several of them share is in one place."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from headct.contracts.repository import PACKAGE, REPOSITORY

TESTS = REPOSITORY / "tests"
BESIDE_THE_LAYERS = {
    "browser",
    "cases",
    "drills",
    "fixtures",
    "real",
    "repository",
    "slurm",
    "support",
    "workflow",
}
MODULES = sorted(path.relative_to(TESTS) for path in TESTS.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """The last part of every name that a module imports from, and of every module that it imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = [alias.name for node in nodes for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.split(".")[-1] for name in names}


def test_folders_of_tests_are_the_layers_of_the_package() -> None:
    folders = {path.parts[0] for path in MODULES if len(path.parts) > 1}
    layers = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders - BESIDE_THE_LAYERS <= layers


def test_names_of_test_modules_are_unique() -> None:
    names = [path.name for path in MODULES if path.name.startswith("test_")]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_no_module_imports_a_test(module: Path) -> None:
    tests = {path.stem for path in MODULES if path.name.startswith("test_")}
    assert not imported(TESTS / module) & tests


def test_what_tests_share_is_in_support() -> None:
    shared = [path for path in MODULES if not path.name.startswith("test_") and path.name != "conftest.py"]
    shared = [path for path in shared if path.parts[0] != "fixtures"]
    assert {path.parts[0] for path in shared} == {"cases", "drills", "support"}
