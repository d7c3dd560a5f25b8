"""The finished study of two lesions, which the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import snake, two_classes, warm_python


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder, which tests leave as it is; its results lie below."""
    folder = tmp_path_factory.mktemp("two-classes")
    configfile = two_classes.write_with_rival(folder)
    with warm_python.started() as python:
        run = snake.run("--directory", folder, "--configfile", configfile, "--cores", "2", python=python)
    assert run.returncode == 0, run.stdout[-4000:]
    return folder
