"""The search of every file in several processes: nothing is lost, whatever happens to one of them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from headct.provenance.checks.each_file import found_in_each
from headct.provenance.checks.folder import Finding, ResultsFolder

N_FILES = 230


@pytest.fixture(params=[1, 3])
def folder(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ResultsFolder:
    """Files on a machine of one processor, or of three."""
    for number in range(N_FILES):
        (tmp_path / f"{number:03}.log").write_text(str(number))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: set(range(request.param)))
    return ResultsFolder(tmp_path)


def test_every_file_is_searched_once_and_the_order_is_that_of_the_files(folder: ResultsFolder) -> None:
    def search(path: str) -> Iterator[Finding]:
        yield Finding(path, "x" * 2000)  # more than a pipe holds, all together
        yield Finding(path, f"not by {os.getpid()}" if os.getpid() == here else "elsewhere")

    here = os.getpid()
    found = found_in_each(folder, search)
    assert found == [Finding(path, what) for path in folder.sizes for what in ("elsewhere", "x" * 2000)]


def test_a_file_that_its_process_dies_of_is_named_and_all_others_are_searched(folder: ResultsFolder) -> None:
    deadly = ("000.log", "001.log", "077.log", "229.log")

    def search(path: str) -> Iterator[Finding]:
        yield Finding(path, "was looked at")
        if path in deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        if path == "100.log":
            raise MemoryError

    found = found_in_each(folder, search)
    assert {finding.path for finding in found if "died (exit status -9)" in finding.what} == set(deadly)
    assert {finding.path for finding in found if finding.what == "was looked at"} == set(folder.sizes) - set(
        deadly
    )
    assert [finding.path for finding in found if "too large (MemoryError)" in finding.what] == ["100.log"]


def test_who_interrupts_the_search_ends_its_processes(folder: ResultsFolder) -> None:
    def interrupt(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    def search(path: str) -> Iterator[Finding]:
        time.sleep(600)
        yield Finding(path, "was looked at")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            found_in_each(folder, search)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert multiprocessing.active_children() == []
