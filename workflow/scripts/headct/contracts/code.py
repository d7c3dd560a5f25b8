"""Digest of the project's own code, blind to comments, docstrings, layout and file times.

A rule names the modules that it runs; the digest covers these and every ``headct`` module that they
import, directly or not. So an edit that can change a result is noticed, and no other.

A module that can change less than what it is imported for says so itself, in the words that the settings use
(:data:`headct.settings.configuration.EFFECTS`)::

    EFFECT = "print"  # why: no number depends on it, but how files, tables and messages are written does
    EFFECT = "speed"  # why: no result depends on it
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from pathlib import Path

from headct.contracts.repository import PACKAGE

EFFECT = "speed"  # it says what has to be made again, and makes nothing

KERNEL = (
    "contracts",
    "settings",
    "imaging",
    "engine",
    "metrics",
    "cohort",
    "simulate",
    "frameworks",
    "inference",
    "statistics",
    "publish",
)
"""The packages whose code can change a result; those above run, record and tell."""

NO_RESULT = ("speed",)
"""Effects of modules that a job's digest leaves out."""
NO_CONTENT = ("print", "speed")
"""Effects of modules that leave volumes, weights and label maps as they are: what these are known again by
leaves them out."""


@cache
def effect_of(module: str) -> str:
    """What a module says of itself that an edit of it can change at most; empty where it says nothing."""
    said = re.search(r'^EFFECT = "(\w+)"', _text(module), re.MULTILINE)
    return said[1] if said else ""


def can_change_a_result(module: str) -> bool:
    """Whether an edit of a module can change what a job makes."""
    first, *rest = module.split(".")
    return first == "headct" and rest[:1] != [] and rest[0] in KERNEL and effect_of(module) not in NO_RESULT


def code_digest(modules: Iterable[str], without: Collection[str] = NO_RESULT) -> str:
    """SHA-256 over the named ``headct`` modules and all that they import from the package.

    Modules with an effect in ``without`` are left out, with what only they import.

    Raises:
        ModuleNotFoundError: a named module is not part of the package.
    """
    return digest_of(code_digests(modules, without))


def digest_of(digests: dict[str, str]) -> str:
    """One SHA-256 over the digests of modules."""
    return hashlib.sha256(json.dumps(dict(sorted(digests.items()))).encode()).hexdigest()


def code_digests(modules: Iterable[str], without: Collection[str] = NO_RESULT) -> dict[str, str]:
    """As :func:`code_digest`, one digest per module, in alphabetical order."""
    pending, seen = list(modules), set[str]()
    while pending:
        module = pending.pop()
        if module not in seen and effect_of(module) not in without:
            seen.add(module)
            pending.extend(_imports(module))
    return {module: module_digest(module) for module in sorted(seen)}


def module_digest(module: str) -> str:
    """SHA-256 of what a module does: its source without comments, docstrings and layout."""
    return source_digest(_text(module))


def source_digest(source: str) -> str:
    """As :func:`module_digest`, of Python source; raises SyntaxError where it is none."""
    return _read(source)[0]


def file_of(module: str) -> Path | None:
    """The source of a module of the package; None for any other name."""
    first, *names = module.split(".")
    if first != "headct" or not all(name.isidentifier() for name in names):
        return None
    base = PACKAGE.joinpath(*names)
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


@cache
def _text(module: str) -> str:
    file = file_of(module)
    if file is None:
        raise ModuleNotFoundError(f"no module {module} in {PACKAGE}")
    return file.read_text(encoding="utf-8")


@cache
def _imports(module: str) -> frozenset[str]:
    """Modules of the package that ``module`` imports, its parent packages among them."""
    named = {module, *_read(_text(module))[1]}
    if "pkgutil.iter_modules" in named:
        named |= _beside(module)  # it looks for the modules of its folder, and imports what it finds
    ours = {name for name in named if name == "headct" or name.startswith("headct.")}
    parents = {".".join(name.split(".")[:i]) for name in ours for i in range(1, name.count(".") + 1)}
    return frozenset(name for name in ours | parents if file_of(name) is not None) - {module}


def _beside(package: str) -> set[str]:
    """The modules in a package's folder."""
    folder = PACKAGE.joinpath(*package.split(".")[1:])
    return {f"{package}.{file.stem}" for file in folder.glob("*.py") if file.stem != "__init__"}


@cache
def _read(source: str) -> tuple[str, frozenset[str]]:
    """SHA-256 of Python source without comments and docstrings, and all names that it imports.

    Both at once, so that the tree, which is large, is not kept: Snakemake waits for this at each start.
    """
    tree = ast.parse(source)
    named = set[str]()
    for node in [tree, *_statements(tree)]:
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            named |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            node.body = [child for child in node.body if not _is_text(child)] or [ast.Pass()]
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest(), frozenset(named)


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """All statements in a module or statement, however deep; expressions (nine in ten nodes) are skipped."""
    for name in ("body", "orelse", "finalbody", "handlers", "cases"):
        for child in getattr(node, name, ()):
            yield child
            yield from _statements(child)


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
