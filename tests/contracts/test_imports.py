"""How large libraries are imported: the same code, in less time."""

import gc
import sys

import pytest

from headct.contracts.imports import imported


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
