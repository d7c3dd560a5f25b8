"""A real Slurm on this host, and studies that run on it: start, watch, resume."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock

from support import snake
from support.holds import Holds, newest_checkpoint, wait_for

HERE = Path(__file__).parents[1] / "slurm"
DAEMONS = ("munged", "slurmctld", "slurmd")
SEARCHED = f"{os.environ['PATH']}:/usr/sbin"
OF_THIS_CLUSTER = (
    "--jobs",
    "4",  # it advertises 12 CPUs, whatever the host has
    "--latency-wait",
    "5",
    "--slurm-status-command",
    "squeue",  # it has no accounting
    "--slurm-init-seconds-before-status-checks",
    "2",
)
"""What differs from the profile that is shipped: short waits, since this cluster is idle and near."""


def obstacle() -> str:
    """Why there can be no Slurm here; empty if there can."""
    if os.geteuid() != 0:
        return "Slurm's daemons need root"
    if Path("/dev/null").stat().st_mode & 0o006 != 0o006:
        return "munged needs a /dev/null that everybody may write: chmod 666 /dev/null"
    missing = [name for name in DAEMONS if shutil.which(name, path=SEARCHED) is None]
    if missing:
        return f"{', '.join(missing)} not found: apt-get install --no-install-recommends slurm-wlm munge"
    return ""


class CannotStart(Exception):
    """This machine has all that Slurm needs, and yet it did not come up; the message is what it said."""


@contextlib.contextmanager
def running() -> Iterator[None]:
    """The cluster within the block, all its nodes idle at first; who comes second on this machine waits.

    Raises:
        CannotStart: not all its nodes came up.
    """
    with FileLock("/run/lock/headct-tests-slurm.lock"):
        try:
            start()
            yield
        finally:
            subprocess.run([HERE / "down.sh"], check=True, env=os.environ | {"PATH": SEARCHED})


def start() -> None:
    """Run ``up.sh``.

    Raises:
        CannotStart: with what it said.
    """
    with tempfile.TemporaryFile("w+") as said:  # no pipe, which the daemons would hold open
        up = subprocess.run([HERE / "up.sh"], env=os.environ | {"PATH": SEARCHED}, stdout=said, stderr=said)
        said.seek(0)
        if up.returncode:
            raise CannotStart("Slurm did not start: " + " / ".join(said.read().splitlines()))


def slurm(*words: str | int) -> str:
    """What a command of Slurm answers."""
    result = subprocess.run(list(map(str, words)), check=True, text=True, capture_output=True)
    return result.stdout.strip()


def start_waiting_jobs() -> None:
    """Spare requeued jobs the two minutes that Slurm has them wait."""
    pending = ["squeue", "--noheader", "--states", "PENDING", "--format", "%i %r"]
    answer = subprocess.run(pending, capture_output=True, text=True)  # slurmctld may be down, for a test
    for line in answer.stdout.splitlines():
        job, reason = line.split(maxsplit=1)
        if reason == "BeginTime":
            subprocess.run(["scontrol", "update", f"JobId={job}", "StartTime=now"], capture_output=True)


def job_record(job: str | int) -> dict[str, str]:
    """What Slurm knows of a job, running or over."""
    return dict(re.findall(r"(\w+)=(\S*)", slurm("scontrol", "show", "job", job)))


class Study:
    """A folder of its own with a trial, its configuration and what Snakemake makes of it."""

    def __init__(self, folder: Path, configfile: Path):
        self.folder, self.configfile = folder, configfile
        self.holds = Holds(folder / "holds")
        self.process: subprocess.Popen[bytes] | None = None
        self.targets: tuple[str, ...] = ()
        self.said = folder / "snakemake.txt"

    def start(self, *targets: str) -> subprocess.Popen[bytes]:
        """`snakemake --profile slurm` in the background, as a user starts it from the repository."""
        self.targets = targets
        return self._in_background("snakemake", *self._words())

    def resume(self) -> subprocess.Popen[bytes]:
        """`make resume` after a kill: waits for the live jobs, takes the stale lock away, goes on."""
        return self._in_background("headct", "resume", "--seconds", "1", "--", *self._words())

    def _words(self) -> list[str]:
        words = [*self.targets, "--profile", "slurm", *OF_THIS_CLUSTER]
        return [*words, "--directory", str(self.folder), "--configfile", str(self.configfile)]

    def _in_background(self, module: str, *words: str) -> subprocess.Popen[bytes]:
        with self.said.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", module, *words],
                cwd=snake.REPOSITORY,
                env=os.environ | self.holds.environment | {"OMP_NUM_THREADS": "1"},
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return self.process

    def finish(self, timeout_s: float = 600) -> int:
        """Wait for Snakemake to end; its exit status."""
        assert self.process is not None
        end = time.monotonic() + timeout_s
        while self.process.poll() is None:
            if time.monotonic() > end:
                self.process.send_signal(signal.SIGINT)  # cancels its jobs
                raise TimeoutError(f"Snakemake: not within {timeout_s:.0f} s\n{self.output()[-4000:]}")
            start_waiting_jobs()
            time.sleep(0.5)
        return self.process.returncode

    def run(self, *targets: str, timeout_s: float = 600) -> int:
        """`snakemake --profile slurm`; its exit status."""
        self.start(*targets)
        return self.finish(timeout_s)

    def kill(self) -> None:
        """End Snakemake without any chance to clean up; its jobs go on."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """End Snakemake, if it still runs, and cancel its jobs."""
        if self.process is not None and self.process.poll() is None:
            self.kill()
        subprocess.run(["scancel", *self.jobs()], capture_output=True)

    def output(self) -> str:
        """All that Snakemake said."""
        return self.said.read_text(errors="replace")

    def logs(self) -> str:
        """All that the steps logged, in the places of the project and of Slurm."""
        files = [*self.folder.glob("results/logs/**/*.log"), *self.folder.glob("logs/slurm/**/*.log")]
        return "".join(path.read_text(errors="replace") for path in files)

    def jobs(self) -> list[str]:
        """Numbers of the Slurm jobs that were submitted for this study, in order."""
        return re.findall(r"submitted with SLURM jobid (\d+)", self.output())

    def live_jobs(self) -> list[str]:
        """Those that wait or run."""
        queue = slurm("squeue", "--noheader", "--format", "%i").split()
        return [job for job in self.jobs() if job in queue]

    def job_of(self, model: str) -> str:
        """Number of the last Slurm job of a model's training."""
        submitted = re.findall(rf"SLURM jobid (\d+) \(log: \S*/rule_train/{model}_", self.output())
        return str(submitted[-1]) if submitted else ""

    def iteration(self, model: str) -> int:
        """How far the newest checkpoint of a model is."""
        return newest_checkpoint(self.folder / "work/training" / model)

    def sessions(self, model: str) -> list[dict[str, Any]]:
        """The sessions of a model's training so far, the one that is on among them."""
        found = list(self.folder.glob(f"work/training/{model}/*/*/sessions.json"))
        return json.loads(found[0].read_text()) if found else []

    def is_trained(self, model: str) -> bool:
        """Whether a model's training is over and published."""
        return (self.folder / f"results/models/{model}/seed-1/fold-all/train.json").exists()

    def trains(self, model: str) -> bool:
        """Whether a model is in training at this moment."""
        return bool(self.processes("train", model))

    def in_training(self) -> list[str]:
        """The models that are in training at this moment."""
        begun = sorted(path.name for path in self.folder.glob("work/training/*"))
        return [model for model in begun if self.trains(model)]

    def restarts(self, model: str) -> int:
        """How often Slurm put the job of a model's training back into its queue."""
        return int(job_record(self.job_of(model))["Restarts"])

    def left(self) -> tuple[list[str], list[int]]:
        """Jobs and processes of them that are still there a minute after all should be over."""
        with contextlib.suppress(TimeoutError):
            wait_for(lambda: not self.live_jobs() and not self.processes(), "the end of all", 60)
        return self.live_jobs(), self.processes()

    def processes(self, *having: str) -> list[int]:
        """Processes of the jobs (not Snakemake's own): they run in the study's folder."""
        found = []
        for pid in [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]:
            try:
                inside = Path(f"/proc/{pid}/cwd").resolve() == self.folder.resolve()
                words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            except OSError:
                continue
            if inside and words != [""] and set(having) <= set(words):
                found.append(pid)
        own = self.process.pid if self.process else None
        return [pid for pid in found if own is None or _session(pid) != own]


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


class Watch:
    """Looks, five times a second, on which node each step runs and which GPUs it sees there."""

    def __init__(self, study: Study):
        self.study = study
        self.seen: set[tuple[str, str, str]] = set()  # step, node, visible devices
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.2):
            for pid in self.study.processes("-m"):
                try:
                    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
                    lines = Path(f"/proc/{pid}/environ").read_text().split("\0")
                except OSError:
                    continue
                environment = dict(line.split("=", 1) for line in lines if "=" in line)
                if "headct.run.job" in words:
                    step, node = words[words.index("--") + 1], environment.get("SLURMD_NODENAME", "")
                    self.seen.add((step, node, environment.get("CUDA_VISIBLE_DEVICES", "")))
