"""The code digest: blind to words for people, sensitive to everything that runs."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from headct.contracts import code
from headct.frameworks.registry import frameworks
from headct.settings import models


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "part").mkdir()
    (tmp_path / "__init__.py").write_text("")
    (tmp_path / "part" / "__init__.py").write_text("")
    (tmp_path / "step.py").write_text('"""Doc."""\nfrom headct.part import helper\nVALUE = 1\n')
    (tmp_path / "part" / "helper.py").write_text("def double(x):\n    return 2 * x\n")
    (tmp_path / "other.py").write_text("VALUE = 5\n")
    monkeypatch.setattr(code, "PACKAGE", tmp_path)
    return tmp_path


def digest(*modules: str, without: tuple[str, ...] = code.NO_RESULT) -> str:
    for cached in (code._text, code._imports, code.effect_of):
        cached.cache_clear()
    return code.code_digest(modules, without)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("step.py", '"""Other words."""\n\n\nfrom headct.part import helper  # why\nVALUE = 1\n'),
        ("part/helper.py", 'def double(x):\n    """Twice x."""\n    # why\n    return 2 * x\n'),
        ("other.py", "VALUE = 6\n"),
    ],
)
def test_comments_docstrings_and_unused_modules_change_nothing(package: Path, file: str, text: str) -> None:
    before = digest("headct.step")
    (package / file).write_text(text)
    assert digest("headct.step") == before


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("step.py", '"""Doc."""\nfrom headct.part import helper\nVALUE = 2\n'),
        ("part/helper.py", "def double(x):\n    return x + x\n"),
        ("part/__init__.py", "VALUE = 1\n"),
    ],
)
def test_code_that_runs_changes_it(package: Path, file: str, text: str) -> None:
    before = digest("headct.step")
    (package / file).write_text(text)
    assert digest("headct.step") != before


def test_comments_and_layout_make_no_module_another() -> None:
    for path in sorted(code.PACKAGE.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        without_them = ast.unparse(ast.parse(source))
        assert code.source_digest(without_them) == code.source_digest(source), path


EACH_KIND = """
import json, re as regex
from os import path as p, sep
@decorator
def function(a, /, b: int = 1, *c, d=2, **e) -> int:
    global g
    assert a > b, 'why'
    del b
    try:
        raise ValueError(a) from None
    except (OSError, ValueError) as error:
        pass
    else:
        return -a
    finally:
        yield a
async def other(a):
    async for i in a:
        continue
    async with a as b, c:
        await b
    return [i async for i in a if i]
def outer():
    n = 1
    def inner():
        nonlocal n
        yield from n
class Class(Base, metaclass=Meta):
    x: int = 3
for [i, *rest] in zip(a, b):
    break
else:
    a += 1.5
while not a or b and c:
    a = b = (c := 3)
if a < b <= c:
    {**a, 1: 2}, {1, b'2'}, [i for i in a], {i for i in a}, {i: 2 for i in a}, (i for i in a)
elif a if b else c:
    lambda x, y=1: x[1:2, ::3] @ y.z(*a, k=4, **b)
with a as b:
    f'{a!r:>{b}} text'
match a:
    case 1 | None | Point(x, y=0):
        ...
    case [1, *_] if b:
        ...
    case {'k': v, **rest}:
        ...
try:
    pass
except* OSError:
    pass
"""
"""Each kind of statement, expression and pattern."""


def changes(source: str) -> Iterator[str]:
    """The source with one name, value, operator or element of a list changed or left out, each in turn."""
    tree = ast.parse(source)
    for node in list(ast.walk(tree)):
        for field, value in list(ast.iter_fields(node)):
            for other in others(value):
                setattr(node, field, other)
                try:
                    changed = ast.unparse(tree)
                    ast.parse(changed)
                except (SyntaxError, ValueError, AttributeError, IndexError, TypeError):
                    continue  # no Python
                finally:
                    setattr(node, field, value)
                yield changed


def others(value: object) -> list[object]:
    """Other values for a field of a syntax tree: a list with an element less, or its first one twice."""
    if isinstance(value, list):
        return [*(value[:i] + value[i + 1 :] for i in range(len(value))), value[:1] + value]
    if isinstance(value, (ast.operator, ast.unaryop, ast.boolop, ast.cmpop)):
        kinds = type(value).__base__.__subclasses__()
        return [kinds[kinds.index(type(value)) - 1]()]
    if isinstance(value, ast.AST):
        return [None]
    if isinstance(value, (bool, int, float, str, bytes)):
        return [f"{value}x", str(value).encode(), 7, 7.0, True, None]
    return []


def test_as_many_digests_as_meanings() -> None:
    used = {type(node) for node in ast.walk(ast.parse(EACH_KIND))}
    bases = (ast.stmt, ast.expr, ast.pattern)
    kinds = {kind for base in bases for kind in base.__subclasses__()}
    assert kinds <= used
    sources = {EACH_KIND, *changes(EACH_KIND)}
    meanings = {ast.dump(ast.parse(source)): source for source in sources}
    assert len(meanings) > 400
    digests = {code.source_digest(source): source for source in meanings.values()}
    assert len(digests) == len(meanings)


@pytest.mark.parametrize(
    ("effect", "rerun", "made_anew"), [("speed", False, False), ("print", True, False), ("", True, True)]
)
def test_what_an_edit_makes_again_is_what_the_module_says(
    package: Path, effect: str, rerun: bool, made_anew: bool
) -> None:
    helper = package / "part" / "helper.py"
    said = f'EFFECT = "{effect}"  # why\n' if effect else ""
    helper.write_text(f"from headct import other\n{said}SHOWN = 2\n")
    before = [digest("headct.step", without=without) for without in (code.NO_RESULT, code.NO_CONTENT)]
    helper.write_text(helper.read_text().replace("2", "3"))
    (package / "other.py").write_text("VALUE = 7\n")  # what only such a module imports counts as it does
    after = [digest("headct.step", without=without) for without in (code.NO_RESULT, code.NO_CONTENT)]
    assert [old != new for old, new in zip(before, after, strict=True)] == [rerun, made_anew]


def test_each_module_that_changes_less_says_why() -> None:
    said = [
        line
        for path in sorted(code.PACKAGE.rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith("EFFECT =")
    ]
    assert said
    assert [line for line in said if not re.fullmatch(r'EFFECT = "(print|speed)"  # \w.{10,}', line)] == []


@pytest.mark.parametrize("framework", frameworks())
def test_a_better_message_or_line_of_progress_trains_nothing_anew(framework: str) -> None:
    training = f"headct.frameworks.{framework}.training"
    weights = code.code_digests([training], without=code.NO_CONTENT)
    assert {training, "headct.contracts.labels"} <= weights.keys()
    in_epochs = issubclass(frameworks()[framework].trains_by, models.TrainingInEpochs)
    assert ({"headct.engine.loop", "headct.engine.batches"} <= weights.keys()) == in_epochs
    told = {"headct.contracts.artefacts", "headct.contracts.problems", "headct.engine.progress"}
    assert not told & weights.keys()
    job = code.code_digests(["headct.frameworks.train", training])
    assert "headct.contracts.artefacts" in job, "how its files are written"
    assert "headct.engine.progress" not in job


def test_unknown_module_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"headct\.nowhere"):
        digest("headct.nowhere")


def test_what_is_hashed_of_a_module_is_no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of a tree's nodes reads as Python, too: as a module, it must not have the module's digest."""
    hashed = []
    sha256 = hashlib.sha256
    monkeypatch.setattr(hashlib, "sha256", lambda content: hashed.append(content) or sha256(content))
    digest = code._read.__wrapped__("X = 1\n")[0]
    text = hashed[0].decode()
    with pytest.raises((ValueError, SyntaxError), match="null"):
        ast.parse(text)
    assert code.older_source_digest(text.removeprefix(code.NO_SOURCE)) != digest
