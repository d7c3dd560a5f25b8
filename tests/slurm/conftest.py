"""The cluster, once for all tests; an undisturbed local run of the miniature that others are compared to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import cluster, miniature


@pytest.fixture(scope="session")
def slurm() -> Iterator[None]:
    """A running cluster."""
    if reason := cluster.obstacle():
        pytest.skip(reason)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(cluster.running())
        except cluster.CannotStart as error:
            pytest.skip(str(error))
        yield


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the miniature comparison, run without a cluster and without any disturbance."""
    folder = tmp_path_factory.mktemp("local")
    miniature.run_locally(folder)
    return folder
