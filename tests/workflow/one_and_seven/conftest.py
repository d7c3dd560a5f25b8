"""The finished studies of one lesion and of seven, which the tests of this folder share."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support import snake, warm_python
from support.one_and_seven import STUDIES


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The results of both studies, which ran side by side."""
    folder = tmp_path_factory.mktemp("classes")
    files = {name: study.write(folder / name) for name, study in STUDIES.items()}
    with warm_python.started() as python, ThreadPoolExecutor() as pool:
        runs = {
            name: pool.submit(
                snake.run, "--directory", file.parent, "--configfile", file, "--cores", "1", python=python
            )
            for name, file in files.items()
        }
    for run in runs.values():
        assert run.result().returncode == 0, run.result().stdout[-4000:]
    return {name: file.parent / "results" for name, file in files.items()}
