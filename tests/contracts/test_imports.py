"""How large libraries are imported: the same code, in less time."""

import gc
import subprocess
import sys

import pytest

from headct.contracts.imports import imported, sparing


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Writes a module that can be imported."""
    monkeypatch.syspath_prepend(str(tmp_path))
    made = []

    def write(name, source):
        (tmp_path / f"{name}.py").write_text(source)
        made.append(name)

    yield write
    for name in made:
        sys.modules.pop(name, None)


def test_no_garbage_is_looked_for_during_an_import_and_again_after_it(library):
    library("toy_library", "import gc\ncollecting = gc.isenabled()\n")
    assert not imported("toy_library").collecting
    assert gc.isenabled()


def test_an_import_that_fails_leaves_the_collection_of_garbage_as_it_was(library):
    library("toy_library", "import no_such_library_at_all\n")
    with pytest.raises(ModuleNotFoundError, match="no_such_library_at_all"):
        imported("toy_library")
    assert gc.isenabled()


def test_an_unused_module_is_imported_at_its_first_use(library, tmp_path):
    library("toy_drawing", f"open({str(tmp_path / 'done')!r}, 'w').close()\nvalue = 3\n")
    library("toy_library", "import toy_drawing\ndef draw(): return toy_drawing.value\n")
    with sparing(unused=["toy_drawing"]):
        toy = imported("toy_library")
    assert not (tmp_path / "done").exists()
    assert toy.draw() == 3
    assert (tmp_path / "done").exists()


def test_an_optional_package_is_not_found_for_a_while(library):
    library("toy_optional", "value = 3\n")
    library("toy_library", "try:\n    import toy_optional\nexcept ImportError:\n    toy_optional = None\n")
    with sparing(optional=["toy_optional"]):
        assert imported("toy_library").toy_optional is None
    assert imported("toy_optional").value == 3
    with sparing(optional=["toy_optional"]):  # it is there by now
        assert imported("toy_optional").value == 3


@pytest.mark.parametrize(
    ("framework", "spared"), [("nnunet", ["seaborn.utils"]), ("monai", ["torchvision", "matplotlib"])]
)
def test_a_training_does_without_what_its_framework_spares(framework, spared):
    code = (
        "import sys; from headct.frameworks.base import find_framework;"
        f"find_framework({framework!r})._load('training'); sys.exit(bool(set({spared}) & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
