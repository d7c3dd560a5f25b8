"""The code digest: blind to words for people, sensitive to everything that runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from headct.contracts import code
from headct.frameworks.registry import frameworks


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
    assert {
        training,
        "headct.engine.loop",
        "headct.engine.batches",
        "headct.contracts.labels",
    } <= weights.keys()
    told = {"headct.contracts.artefacts", "headct.contracts.problems", "headct.engine.progress"}
    assert not told & weights.keys()
    job = code.code_digests(["headct.frameworks.train", training])
    assert "headct.contracts.artefacts" in job, "how its files are written"
    assert "headct.engine.progress" not in job


def test_unknown_module_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"headct\.nowhere"):
        digest("headct.nowhere")
