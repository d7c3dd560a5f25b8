"""Code that is read at first sight: what no linter here looks for."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest

from headct.contracts.repository import PACKAGE, REPOSITORY

HEAD = re.compile(r"^    ([\w*, ]+):", re.MULTILINE)
"""Names of parameters at the head of a line of a list."""

MENTIONED = re.compile(r"``(\w+)``")
"""Names that a sentence mentions."""

MODULES = sorted(PACKAGE.rglob("*.py"))

BENCHMARKS = sorted((REPOSITORY / "benchmarks").rglob("*.py"))


def nested_conditions(module: Path) -> list[int]:
    """Lines of conditional expressions that are a branch of another one."""
    found = []
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.IfExp) and any(
            isinstance(one, ast.IfExp) for one in (node.body, node.orelse)
        ):
            found.append(node.lineno)
    return found


def unpacked_conditions(module: Path) -> list[int]:
    """Lines on which a literal unpacks what a condition decides, as in ``[a, *(b if c else [])]``."""
    found = []
    for node in ast.walk(ast.parse(module.read_text())):
        unpacked: list[ast.expr] = []
        if isinstance(node, (ast.List, ast.Tuple, ast.Set)):
            unpacked = [one.value for one in node.elts if isinstance(one, ast.Starred)]
        elif isinstance(node, ast.Dict):
            unpacked = [value for key, value in zip(node.keys, node.values, strict=True) if key is None]
        found += [one.lineno for one in unpacked if isinstance(one, ast.IfExp)]
    return sorted(found)


COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def nested_comprehensions(module: Path) -> list[int]:
    """Lines of comprehensions over several lines that hold another one.

    One that asks whether any or all of something hold is read as a word, and may stand in another.
    """
    tree = ast.parse(module.read_text())
    questions = {
        argument
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ("any", "all")
        for argument in call.args
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, COMPREHENSIONS) and node.lineno != node.end_lineno:
            within = [one for one in ast.walk(node) if isinstance(one, COMPREHENSIONS) and one is not node]
            found += [node.lineno] if set(within) - questions else []
    return found


VAGUE = {"kept", "asked", "measured", "told", "said"}
"""Of what, they don't say: names such as ``cache``, ``requested``, ``message`` do."""


def bound_names(node: ast.AST) -> list[str]:
    """The names that a node of the syntax tree gives to something."""
    match node:
        case ast.FunctionDef(name=str(name)) | ast.AsyncFunctionDef(name=str(name)) | ast.ClassDef(name=name):
            return [name]
        case ast.arg(arg=name):
            return [name]
        case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
            return [name]
        case ast.alias(asname=str(name)) | ast.ExceptHandler(name=str(name)):
            return [name]
        case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
            return [name]
    return []


def vague_names(module: Path) -> list[str]:
    """Names of :data:`VAGUE` that a module binds, in whatever case, with underscores around or without."""
    nodes = ast.walk(ast.parse(module.read_text()))
    return [name for node in nodes for name in bound_names(node) if name.strip("_").lower() in VAGUE]


@pytest.mark.parametrize(
    "text",
    [
        "told = 1",
        "told: int",
        "a, (told, *b) = c",
        "for told in a: pass",
        "with a as told: pass",
        "a = [told for told in b]",
        "if told := a: pass",
        "a.told = 1",
        "import told_what as told",
        "def told(): pass",
        "def a(b, *, told=1): pass",
        "def a(**told): pass",
        "a = lambda told: 1",
        "async def told(): pass",
        "class A:\n    told: int",
        "try: pass\nexcept A as told: pass",
        "match a:\n    case [b, *told]: pass",
        "match a:\n    case B(c=told): pass",
        "match a:\n    case {'b': c, **told}: pass",
    ],
)
def test_a_vague_name_is_found_wherever_it_is_bound(tmp_path: Path, text: str) -> None:
    module = tmp_path / "module.py"
    module.write_text(text)
    assert vague_names(module) == ["told"]


def test_only_names_that_are_bound_are_looked_at_whole(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text('_told = Told = KEPT = 1\nb = told + a.asked + c["kept"] + measured_ml\nis_said = 1\n')
    assert vague_names(module) == ["_told", "Told", "KEPT"]


MANY = 3
"""So many parameters need no list: the sentence of the docstring and their names tell what they are."""


def public_functions(module: ast.Module) -> Iterator[ast.FunctionDef]:
    """Functions and methods that others call, not those within functions."""
    for node in module.body:
        body = node.body if isinstance(node, ast.ClassDef) else [node]
        for one in body:
            if isinstance(one, ast.FunctionDef) and not one.name.startswith("_"):
                yield one


def not_described(module: Path) -> dict[str, list[str]]:
    """Parameters that the docstring leaves out, of public functions with more than three."""
    found = {}
    for node in public_functions(ast.parse(module.read_text())):
        names = [one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        names = [name for name in names if name not in ("self", "cls")]
        docstring = ast.get_docstring(node) or ""
        listed = docstring.partition("Args:\n")[2]
        described = {name.strip(" *") for text in HEAD.findall(listed) for name in text.split(",")}
        described.update(MENTIONED.findall(docstring))
        if len(names) > MANY and (missing := [name for name in names if name not in described]):
            found[node.name] = missing
    return found


@pytest.mark.parametrize(
    ("faults_of", "modules"),
    [
        (nested_conditions, MODULES),
        (unpacked_conditions, MODULES),
        (nested_comprehensions, MODULES),
        (vague_names, MODULES + BENCHMARKS),
        (not_described, MODULES),
    ],
)
def test_no_module_has_such_a_fault(
    faults_of: Callable[[Path], Collection[object]], modules: list[Path]
) -> None:
    assert {str(module): faults for module in modules if (faults := faults_of(module))} == {}


@pytest.mark.parametrize(
    ("lines_of", "text", "lines"),
    [
        (nested_conditions, "a = 1 if x else 2", []),
        (nested_conditions, "a = 1 if (x if y else z) else 2", []),
        (nested_conditions, "b = 0\na = 1 if x else 2 if y else 3", [2]),
        (nested_conditions, "a = (1 if x else 2) if y else 3", [1]),
        (unpacked_conditions, "a = [1, *(b if c else d)]", [1]),
        (unpacked_conditions, "a = 1, *(b if c else d)", [1]),
        (unpacked_conditions, "a = 0\nb = {\n    1,\n    *(b if c else d),\n}", [4]),
        (unpacked_conditions, "a = {1: 2, **(b if c else d)}", [1]),
        (unpacked_conditions, "a = [1, *b, b if c else d]", []),
        (unpacked_conditions, "a = f(*(b if c else d))", []),
        (nested_comprehensions, "a = [[x for x in y] for y in z]", []),
        (nested_comprehensions, "a = [\n    [x for x in y]\n    for y in z\n]", [1]),
        (nested_comprehensions, "b = 0\na = {\n    y: sum(x for x in y)\n    for y in z\n}", [2]),
        (nested_comprehensions, "a = [\n    y\n    for y in z\n    if any(x for x in y)\n]", []),
        (nested_comprehensions, "a = [\n    y\n    for y in z\n]", []),
    ],
)
def test_what_counts_as_such_a_fault(
    tmp_path: Path, lines_of: Callable[[Path], list[int]], text: str, lines: list[int]
) -> None:
    module = tmp_path / "module.py"
    module.write_text(text)
    assert lines_of(module) == lines


def test_a_parameter_that_is_left_out_is_found(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    text = "Do.\n\n    Args:\n        a, b: numbers.\n        c: another.\n    "
    module.write_text(f'def public(a, b, c, *, d):\n    """{text}"""\n\ndef few(a, b, c):\n    pass\n')
    assert not_described(module) == {"public": ["d"]}
