"""Run a user's command that makes label maps of scans: offline, on copies under neutral names.

What came out stays in the work folder, one file of each scan, called by the digest of its CT: a job that is
run again for one more scan, or because a map was refused, runs the command for what is not there alone.
"""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from headct.contracts.problems import BadInput, Problem
from headct.engine import offline
from headct.engine.training_job import NAME_DIGITS
from headct.frameworks.outside import program_output
from headct.frameworks.outside.maps_folder import called
from headct.settings.outside import ALL_AT_ONCE, EACH, Command

logger = logging.getLogger("headct.outside")

CHANNEL = "_0000"
"""What follows a scan's neutral name in that of its image: nnU-Net's mark of the first channel."""

OF_JOBS = "PYTHONSAFEPATH"
"""Variable by which no job imports what lies beside it; a user's program does import its neighbours."""


@dataclass(frozen=True)
class CommandJob:
    """What is run, and how.

    Attributes:
        settings: of the model.
        key: of the model in the configuration, for messages.
        device: ``cpu`` or ``cuda``.
        threads: that the command may use.
        store: folder of what came out, by what decides it.
    """

    settings: Command
    key: str
    device: str
    threads: int
    store: Path

    def words(self, places: Mapping[str, Path]) -> list[str]:
        """The command's words, with its places filled in.

        Args:
            places: paths by the words in braces.
        """
        values = {"device": self.device, "threads": str(self.threads)}
        values |= {name: str(path.absolute()) for name, path in places.items()}
        return [word.format_map(values) for word in shlex.split(self.settings.command)]


def label_maps(job: CommandJob, scans: Mapping[str, tuple[Path, str]]) -> dict[str, Path]:
    """The label map that the command makes of each scan, as it wrote it; scans without one are left out.

    Args:
        job: what is run, and how.
        scans: file and SHA-256 of each CT, by scan.

    Raises:
        BadInput: a command for all scans failed, or can't be started.
    """
    names = {scan: sha256[:NAME_DIGITS] for scan, (_, sha256) in scans.items()}
    wanted = {scan: ct for scan, (ct, _) in scans.items() if _of(job.store, names[scan]) is None}
    if wanted:
        logger.info("%s: the command is run on %d of %d scans", job.key, len(wanted), len(scans))
        job.store.mkdir(parents=True, exist_ok=True)
        groups = [[scan] for scan in wanted] if job.settings.is_run_for_each_scan else [list(wanted)]
        limit = program_output.limit_of(len(groups))
        for group in groups:
            _run(job, {scan: wanted[scan] for scan in group}, names, limit)
    found = {scan: _of(job.store, name) for scan, name in names.items()}
    return {scan: path for scan, path in found.items() if path is not None}


def _run(job: CommandJob, scans: Mapping[str, Path], names: Mapping[str, str], limit: int) -> None:
    """Run the command once, and keep what it made; of what it says, ``limit`` bytes from both ends."""
    with tempfile.TemporaryDirectory(prefix="run-", dir=job.store) as scratch:
        folders = {name: Path(scratch, name) for name in ALL_AT_ONCE}
        for folder in folders.values():
            folder.mkdir()
        cases = {scan: f"case_{number:04}" for number, scan in enumerate(scans, start=1)}
        for scan, ct in scans.items():
            shutil.copyfile(ct, folders["images"] / f"{cases[scan]}{CHANNEL}.nii.gz")
        places = dict(folders)
        if job.settings.is_run_for_each_scan:
            (case,) = cases.values()
            files = folders["images"] / f"{case}{CHANNEL}.nii.gz", folders["label_maps"] / f"{case}.nii.gz"
            places = dict(zip(EACH, files, strict=True))
        status = _ended(job, job.words(places), limit)
        if status and not job.settings.is_run_for_each_scan:
            message = f"ended with exit status {status}; what it said is in the log of this job"
            raise BadInput([Problem(job.key, message, key=f"{job.key}.command")])
        for scan, case in cases.items() if not status else ():
            made = _of(folders["label_maps"], case) or _of(folders["label_maps"], f"{case}{CHANNEL}")
            if made:
                end = made.name.removeprefix(f"{case}{CHANNEL}").removeprefix(case)
                os.replace(made, job.store / f"{names[scan]}{end}")  # noqa: PTH105  # folders, too


def _ended(job: CommandJob, words: Sequence[str], limit: int) -> int:
    """Run a program without a network; its exit status. What it says goes, in bounds, to the job's log."""
    users = {name: value for name, value in os.environ.items() if name != OF_JOBS}
    environment = users | {"OMP_NUM_THREADS": str(job.threads)}
    launcher = [sys.executable, "-I", offline.__file__]
    if shutil.which(words[0]) is None:
        message = "there is no such program: name one that this machine has, or its path"
        raise BadInput([Problem(job.key, message, key=f"{job.key}.command", value=words[0])])
    command = [*launcher, *words]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as running:
        assert running.stdout is not None, "a pipe was asked for"
        try:
            program_output.relay(running.stdout, sys.stderr.buffer, limit)
        except BaseException:  # as subprocess.run: no program outlives its job
            running.kill()
            raise
    if running.returncode:
        logger.warning("%s: the command ended with exit status %d", job.key, running.returncode)
    return running.returncode


def _of(folder: Path, name: str) -> Path | None:
    """The label map that lies in a folder under a name; the first, should there be several."""
    return next(iter(called(folder, name)), None)
