"""A search of every file of a results folder, in several processes."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.sharedctypes import RawValue

from headct.provenance.checks.folder import Finding, ResultsFolder, guarded

MOST_PROCESSES = 8
"""Each can need a gigabyte for the largest text that is read."""
FEWEST_FILES = 50
"""For which a further process is started."""
DIED = "could not be checked: the process that searched it died (exit status {}), as where memory is lacking"

Search = Callable[[str], Iterable[Finding]]
"""Takes the path of a file below results/."""


def found_in_each(folder: ResultsFolder, search: Search) -> list[Finding]:
    """What a search of each file finds, sorted; a file of which its process dies is a finding.

    The processes are forks, so that what is sought is not made anew in each of them. They end when their
    files are searched, even where this one was killed before.
    """
    paths = list(folder.sizes)
    n_processes = min(len(os.sched_getaffinity(0)), MOST_PROCESSES, 1 + len(paths) // FEWEST_FILES)
    running = [_Searcher(search, paths[first::n_processes]) for first in range(n_processes)]
    found: list[Finding] = []
    try:
        while running:
            ready = wait([searcher.receiver for searcher in running])
            for searcher in [one for one in running if one.receiver in ready]:
                news = searcher.receive()
                found += news
                if not news:
                    running.remove(searcher)
                    searcher.end()
    finally:
        for searcher in running:
            searcher.end()
    return sorted(found)


class _Searcher:
    """A process that searches some files in turn; if it dies of one, another does the rest."""

    def __init__(self, search: Search, paths: Sequence[str]) -> None:
        self.search, self.paths = search, paths
        self.start()

    def start(self) -> None:
        """Begin with the first file."""
        fork = multiprocessing.get_context("fork")
        self.at = RawValue(ctypes.c_ulong, 0)
        self.receiver, sender = fork.Pipe(duplex=False)
        self.process = fork.Process(
            target=_search_in_turn, args=(self.search, self.paths, self.at, sender), daemon=True
        )
        self.process.start()
        sender.close()  # here, so that its end in the process is noticed

    def receive(self) -> list[Finding]:
        """What was found since, or the file that the process died of; nothing when all is done."""
        try:
            found: list[Finding] = self.receiver.recv()
        except EOFError:
            self.end()
            died_of, self.paths = self.paths[self.at.value], self.paths[self.at.value + 1 :]
            findings = [Finding(died_of, DIED.format(self.process.exitcode))]
            self.start()
            return findings
        return found

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self.process.kill()
        self.process.join()
        self.receiver.close()


def _search_in_turn(search: Search, paths: Sequence[str], at: ctypes.c_ulong, sender: Connection) -> None:
    """Send what is found in each file, and at the end an empty list."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who interrupts the other process ends this one
    for number, path in enumerate(paths):
        at.value = number
        if found := list(guarded(path, search, path)):
            sender.send(found)
    sender.send([])
