"""Walking a folder that somebody handed over: links, circles, and what can't be opened."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from headct.contracts.folders import contents, files_at
from headct.contracts.problems import BadInput
from headct.imaging import dicom
from support.ct_series import write_series


def names(folder: Path) -> list[str]:
    return [os.path.relpath(path, folder) for path in contents(folder).files]


def test_links_are_followed_once_and_never_out_of_the_folder_upwards(tmp_path: Path) -> None:
    folder, store = tmp_path / "scan", tmp_path / "store"
    for path in (folder / "own" / "a", store / "deep" / "b", tmp_path / "another" / "c"):
        path.parent.mkdir(parents=True)
        path.write_text("x")
    for place, target in {
        folder / "0-to-own": folder / "own",  # by its name, it would be entered first
        folder / "1-store": store,
        folder / "2-store": store,
        folder / "up": tmp_path,
        folder / "self": folder,
        store / "back": folder,
    }.items():
        place.symlink_to(target, target_is_directory=True)
    (folder / "file").symlink_to(store / "deep" / "b")
    assert sorted(names(folder)) == ["1-store/deep/b", "file", "own/a"]
    assert not contents(folder).unreadable_files + contents(folder).unreadable_folders


def test_a_folder_that_is_itself_a_link(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "a").write_text("x")
    (tmp_path / "scan").symlink_to(tmp_path / "store", target_is_directory=True)
    assert names(tmp_path / "scan") == ["a"]


def test_what_can_not_be_read_is_listed(tmp_path: Path) -> None:
    (tmp_path / "nowhere").symlink_to(tmp_path / "nothing")
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    os.mkfifo(tmp_path / "pipe")
    found = contents(tmp_path)
    assert not found.files
    assert sorted(Path(path).name for path in found.unreadable_files) == ["circle", "nowhere", "pipe"]


@pytest.fixture
def closed() -> Iterator[Path]:
    """A scan whose soft-tissue series lies in a subfolder that may not be opened, seen by nobody special."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def bone(_: int, dataset: Dataset) -> None:
            dataset.ConvolutionKernel = "BONE"

        write_series(folder / "bone", change=bone)
        write_series(folder / "soft")
        (folder / "soft").chmod(0)
        folder.chmod(0o755)
        before = os.geteuid()
        if before == 0:  # who may open every folder
            os.seteuid(65534)
        try:
            yield folder
        finally:
            os.seteuid(before)
            (folder / "soft").chmod(0o755)


def test_an_unreadable_subfolder_is_an_error_and_not_a_reason_to_take_what_is_left(closed: Path) -> None:
    with pytest.raises(BadInput, match="unreadable folder: a folder below can't be opened") as caught:
        dicom.read_folder(closed, "s1")
    assert str(closed) not in str(caught.value)


def test_an_unreadable_subfolder_is_not_in_the_listing_until_it_can_be_read(closed: Path) -> None:
    assert {Path(path).parent.name for path in files_at(closed)} == {"bone"}


def test_a_folder_within_one_that_can_not_be_opened(closed: Path) -> None:
    with pytest.raises(BadInput, match="no DICOM folder"):
        dicom.read_folder(closed / "soft" / "deeper", "s1")
