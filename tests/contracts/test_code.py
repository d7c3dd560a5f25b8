"""The code digest: blind to words for people, sensitive to everything that runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from headct.contracts import code


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


def digest(*modules: str, without: tuple[str, ...] = ()) -> str:
    code._text.cache_clear()
    code._imports.cache_clear()
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


def test_modules_left_out_change_nothing(package: Path) -> None:
    before = digest("headct.step", without=("headct.part.helper",))
    (package / "part" / "helper.py").write_text("def double(x):\n    return x + x\n")
    assert digest("headct.step", without=("headct.part.helper",)) == before


def test_unknown_module_is_an_error() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"headct\.nowhere"):
        digest("headct.nowhere")
