"""Whether tables are as they are declared."""

from __future__ import annotations

from pathlib import Path

from headct.contracts.artefacts import read_tsv
from headct.contracts.declarations import PublishedStatistic, declared


def assert_as_declared(folder: Path, step: str) -> None:
    """A step wrote the statistics that are declared with its name into a folder, each with its columns."""
    statistics = {one.name: one for one in declared(PublishedStatistic).values() if one.step == step}
    assert {path.name for path in folder.iterdir()} == {f"{name}.tsv" for name in statistics}
    for name, one in statistics.items():
        assert list(read_tsv(folder / f"{name}.tsv").columns) == one.header, name
