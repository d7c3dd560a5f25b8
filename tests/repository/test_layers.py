"""The layers of the package are the same wherever they are told: linter, kernel, documents, folders."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter

from headct.contracts.code import KERNEL, code_digests
from headct.contracts.repository import PACKAGE, REPOSITORY
from headct.steps import STEPS

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
LAYERS = [
    [name.strip().removeprefix("headct.") for name in layer.split("|")]
    for layer in reversed(PROJECT["tool"]["importlinter"]["contracts"][0]["layers"])
]
"""From the lowest to the highest; packages of one layer don't import one another."""
ALL = [package for layer in LAYERS for package in layer]


def test_every_package_has_its_layer() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert {*folders, "__main__"} == set(ALL)
    assert len(ALL) == len(set(ALL))


def test_the_kernel_is_what_stands_below_provenance() -> None:
    assert set(KERNEL) == set(ALL[: ALL.index("provenance")])


def test_numbers_are_computed_again_by_other_code() -> None:
    behind = code_digests(["headct.provenance.recompute"])
    assert not [module for module in behind if module.split(".")[1:2] == ["statistics"]]


def test_the_documentation_draws_and_lists_them() -> None:
    page = (REPOSITORY / "docs/explanation/architecture.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    packages = [package for package in ALL if package != "__main__"]
    assert sorted(listed) == sorted(packages)
    drawing = page.split("flowchart BT")[1].split("```")[0]
    for line in re.findall(r"^ +(.+ --> .+)$", drawing, re.MULTILINE):
        below, above = ([name.strip() for name in side.split("&")] for side in line.split("-->"))
        numbers = [[layer_of(name) for name in side] for side in (below, above)]
        assert max(numbers[0]) < min(numbers[1]), line
    assert set(re.findall(r"\w+", drawing)) >= set(packages)


def layer_of(package: str) -> int:
    return next(number for number, layer in enumerate(LAYERS) if package in layer)


def test_every_step_is_a_module_that_is_there() -> None:
    for name, step in STEPS.items():
        assert (PACKAGE / (step.module.replace(".", "/") + ".py")).is_file(), name


def test_what_the_rules_import_is_quick_to_import() -> None:
    """Snakemake imports it at each start, and again in each job."""
    rules = [REPOSITORY / "Snakefile", *(REPOSITORY / "workflow/rules").glob("*.smk")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in rules)
    imports = re.findall(r"^from headct\S* import (?:\([^)]+\)|.+)", text, re.MULTILINE)
    assert imports
    slow = ("torch", "pandas", "matplotlib", "nnunetv2", "monai", "cyclopts", "rich")
    code = "\n".join(["import sys", *imports, f"print(*(name for name in {slow} if name in sys.modules))"])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


FILES_OF_A_FRAMEWORK = {"settings", "framework", "training", "inference", "data"}
"""Each framework's folder has these, by a protocol (headct.frameworks.base); the simulator has settings."""


def test_no_two_modules_have_one_name() -> None:
    names = Counter(path.stem for path in PACKAGE.rglob("*.py") if path.stem not in ("__init__", "__main__"))
    assert {name for name, n in names.items() if n > 1} == FILES_OF_A_FRAMEWORK


CLASS_OF_A_SOURCE = "Source"
"""Each source of images has it, by a protocol (headct.imaging.sources)."""


def test_no_two_classes_have_one_name() -> None:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")]
    names = Counter(node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    assert {name for name, n in names.items() if n > 1} == {CLASS_OF_A_SOURCE}
