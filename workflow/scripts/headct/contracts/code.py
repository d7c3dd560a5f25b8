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
from collections.abc import Collection, Iterable
from functools import cache
from pathlib import Path
from typing import Any

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

LAYOUT = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
"""Fields of a syntax tree that follow from a node's place (load or store), or tell how it was typed."""
KINDS = [kind for kind in vars(ast).values() if isinstance(kind, type) and issubclass(kind, ast.AST)]
FIELDS = {kind: tuple(field for field in kind._fields if field not in LAYOUT) for kind in KINDS}
"""By kind of node, the fields that say what it means."""
DESCRIBED = frozenset({ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef})
"""Kinds of nodes whose body may hold texts for people."""
IMPORTS = frozenset({ast.Import, ast.ImportFrom})
NO_SOURCE = "syntax tree\0"
"""What is hashed begins so, and no source does: so none has it as its :func:`older_source_digest`."""


@cache
def effect_of(module: str) -> str:
    """What a module says of itself that an edit of it can change at most; empty where it says nothing."""
    declared = re.search(r'^EFFECT = "(\w+)"', _text(module), re.MULTILINE)
    return declared[1] if declared else ""


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


def older_source_digest(source: str) -> str:
    """As :func:`source_digest` was once: of the tree as ``ast.unparse`` prints it. Older records have it."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if type(node) in DESCRIBED:
            node.body = _without_texts(node.body)  # type: ignore[attr-defined]
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()


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
    if named & {"pkgutil", "pkgutil.iter_modules"}:
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
    """SHA-256 of Python source without comments, docstrings and layout, and all names that it imports.

    What is hashed are the kinds and values of all nodes of the syntax tree. No two trees are written alike: a
    kind of node has the same fields wherever it stands, and the elements of a list follow their number.
    Snakemake waits for this at each start. So both are found at once, in a bare loop, which takes a third of
    the time of ``ast.unparse``; and the tree, which is large, is not kept.
    """
    named = set[str]()
    written: list[Any] = []
    pending: list[Any] = [ast.parse(source)]
    while pending:
        one = pending.pop()
        kind = type(one)
        fields = FIELDS.get(kind)
        if fields is None:
            if kind is list:
                written.append(len(one))
                pending += one
            else:
                written.append(one)
            continue
        if kind in DESCRIBED:
            one.body = _without_texts(one.body)
        elif kind in IMPORTS:
            named |= _named(one)
        written.append(kind.__name__)
        for field in fields:
            pending.append(getattr(one, field))
    return hashlib.sha256(f"{NO_SOURCE}{written!r}".encode()).hexdigest(), frozenset(named)


def _named(statement: ast.Import | ast.ImportFrom) -> set[str]:
    """What a statement imports, and what it may import: a name may be that of a module."""
    names = {alias.name for alias in statement.names}
    if isinstance(statement, ast.Import):
        return names
    if statement.level or not statement.module:
        return set()
    return {statement.module, *(f"{statement.module}.{name}" for name in names)}


def _without_texts(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements of a body that are no texts for people; what is left empty does nothing."""
    return [statement for statement in body if not _is_text(statement)] or [ast.Pass()]


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
