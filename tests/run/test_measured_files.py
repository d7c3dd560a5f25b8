"""Files of rates and sizes are read alike, whatever an editor or a spreadsheet left in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from headct.contracts.problems import BadInput
from headct.run.cluster import rates, sizes

READERS = {"rates": (rates.read, rates.RATES), "sizes": (sizes.read, sizes.SIZES)}


@pytest.fixture(params=READERS)
def reader(request: pytest.FixtureRequest) -> tuple[Callable[[Path], Any], Path]:
    return READERS[request.param]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: "\ufeff" + text, id="byte order mark"),
        pytest.param(lambda text: text.replace("\n", "\r\n"), id="line ends of Windows"),
        pytest.param(lambda text: text.replace("\n", "\n\n"), id="blank lines"),
        pytest.param(lambda text: text + "\t\t\t\n", id="a line of tabs"),
    ],
)
def test_what_a_spreadsheet_leaves_behind_is_no_fault(
    reader: tuple[Callable[[Path], Any], Path], tmp_path: Path, change: Callable[[str], str]
) -> None:
    read, shipped = reader
    path = tmp_path / "changed.tsv"
    path.write_bytes(change(shipped.read_text(encoding="utf-8")).encode())
    assert read(path) == read(shipped)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"", None], ids=["no text", "nothing", "no file"])
def test_what_is_no_such_file_is_refused(
    reader: tuple[Callable[[Path], Any], Path], tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "none.tsv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        reader[0](path)
    assert {problem.file for problem in caught.value.problems} == {str(path)}
