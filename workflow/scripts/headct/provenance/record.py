"""The record that a job leaves of itself: what ran, from what, into what, when, where and with what.

It is written in the process that did the work (:mod:`headct.run.job`), when that is done. A job that fails
leaves none: what it began is deleted, and its log tells why. One that is run again first takes the former
record away, so that no record ever stands for outputs that are half replaced.

What is the same for all jobs of a run (commit, packages, digests of the code) is found once, at the
run's start, and handed on in a file, which nodes of a cluster see as well.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headct.contracts.artefacts import LEDGER, known_sha256, read_json, sha256_of, write_json
from headct.contracts.code import can_change_a_result, digest_of, file_of, module_digest
from headct.contracts.manifests import files_listed
from headct.contracts.repository import PACKAGE
from headct.contracts.weight_files import SUFFIXES
from headct.provenance import done, ledger

if TYPE_CHECKING:
    from importlib.metadata import Distribution

RESULTS = Path("results")
LOGS = RESULTS / "logs"
RECORDS = RESULTS / "audit" / "runs"
START = RESULTS / "audit" / "start.json"
CODE_OF_A_RUN = ("Snakefile", "workflow", "resources")

TRIALS_OWN = frozenset({"--image", "--dicom", "--mask", "--mask-intra", "--mask-inter"})
"""Options whose values are paths within the trial, called as the sheet calls its columns of paths: such paths
can name a patient. No recorded step takes one today, since all read the sheet; one that would is no leak."""
WITHHELD = "(in the sample sheet)"
DESCRIPTIVE = frozenset({".tsv", ".csv", ".yaml", ".yml", ".json", *SUFFIXES})
"""Suffixes of inputs outside results/ that are recorded: the sheet, the plan, published numbers, weights that
a training starts from. Masks are not: ``mask_sha256`` of scan.json has their digests."""


# -- the start of a run ------------------------------------------------------------------------------


def write_start(repository: Path, plan: Path) -> None:
    """Record what all jobs of a run share: versions, commit, analysis plan, the code, the packages."""
    from importlib.metadata import version

    modules = [_module_of(path) for path in sorted(PACKAGE.rglob("*.py"))]
    start = {
        "version": _version(repository),
        "snakemake": version("snakemake"),
        **_commit(repository),
        "analysis_plan": sha256_of(plan),
        "modules": {module: {"source": _source(module), "code": module_digest(module)} for module in modules},
        "distributions": _distributions(),
    }
    write_json(start, START)


def _module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _source(module: str) -> str:
    """SHA-256 of a module's source, or of nothing where it has none."""
    source = file_of(module)
    return sha256_of(source) if source else ""


def _version(repository: Path) -> str | None:
    project = repository / "pyproject.toml"
    if not project.is_file():
        return None
    return tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"]


def _commit(repository: Path) -> dict[str, Any]:
    """Commit, and whether the code differs from it; both null where this is no checkout of its own."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(repository), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        if not Path(git("rev-parse", "--show-toplevel")).samefile(repository):
            return {"commit": None, "dirty": None}
        return {
            "commit": git("rev-parse", "HEAD"),
            "dirty": bool(git("status", "--porcelain", "--", *CODE_OF_A_RUN)),
        }
    except (OSError, subprocess.CalledProcessError):
        return {"commit": None, "dirty": None}


# -- the record of one job ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Job:
    """What Snakemake says of a job (``recorded`` in workflow/rules/common.smk).

    Attributes:
        step: its name on the command line (:mod:`headct.steps`).
        words: the arguments of the step.
        once: whether it is not done again where the former record says that just this was done.
    """

    rule: str
    wildcards: Mapping[str, str]
    inputs: Sequence[Path]
    outputs: Sequence[Path]
    log: Path
    step: str
    words: Sequence[str]
    once: bool

    @property
    def record(self) -> Path:
        """Where its record is: as its log, in another folder."""
        return RECORDS / self.log.relative_to(LOGS).with_suffix(".json")

    @property
    def command(self) -> list[str]:
        """The step's command, as it is recorded."""
        return ["headct", self.step, *_without_paths_of_trial(self.words)]

    def input_digests(self) -> dict[str, str]:
        """SHA-256 of the inputs by path, without the trial's own volumes."""
        return {
            _relative(path): known_sha256(path)
            for path in self.inputs
            if path.is_relative_to(RESULTS) or path.suffix in DESCRIPTIVE
        }

    def output_digests(self) -> dict[str, str]:
        """SHA-256 of the outputs and the files that these list, by path.

        What a manifest lists was hashed when it was written, by this very job, and is not read again.
        """
        listed = {file: digest for path in self.outputs for file, digest in files_listed(path).items()}
        own = {path: known_sha256(path) for path in self.outputs if path not in listed}
        return {_relative(path): digest for path, digest in sorted((own | listed).items())}


def was_done(job: Job, inputs: Mapping[str, str]) -> bool:
    """Whether the former record says that just this was done (:mod:`headct.provenance.done`)."""
    at_start = _start().get("modules", {})
    outputs = map(_relative, job.outputs)
    return done.is_done(job.record, job.command, inputs, outputs, lambda name: _code(name, at_start))


def write(job: Job, inputs: Mapping[str, str]) -> None:
    """Write the record of a job that has ended well, in the process that did it.

    Args:
        job: what it was.
        inputs: SHA-256 of its inputs by path, from before it ran.
    """
    start = _start()
    record = _record(job, inputs, start)
    record["opening"] = _open_test_set(job, record, start) if job.rule in ledger.SCORING else None
    write_json(record, job.record)


def _start() -> dict[str, Any]:
    """What all jobs of the run share; nothing where a job is run by hand."""
    start: dict[str, Any] = read_json(START) if START.is_file() else {}
    return start


def _record(job: Job, inputs: Mapping[str, str], start: Mapping[str, Any]) -> dict[str, Any]:
    ended, seconds = datetime.now(UTC), _age_s()
    modules = _code_ran(start.get("modules", {}))
    return {
        "rule": job.rule,
        "wildcards": dict(job.wildcards),
        "command": job.command,
        "inputs": dict(inputs),
        "outputs": job.output_digests(),
        "log": _relative(job.log),
        "started": (ended - timedelta(seconds=seconds)).isoformat(timespec="seconds"),
        "ended": ended.isoformat(timespec="seconds"),
        "seconds": round(seconds, 2),
        "peak_memory_mb": _peak_memory_mb(),
        "host": _host(),
        "seeds": _seeds(job.words),
        "python": platform.python_version(),
        "packages": _packages_imported(start.get("distributions")),
        "workflow": {
            **{key: start.get(key) for key in ("version", "snakemake", "commit", "dirty")},
            "code": digest_of(modules),
            "modules": modules,
        },
        "scheduler": _scheduler(os.environ),
        "resumed": _resumed(job.outputs),
    }


def _open_test_set(job: Job, record: Mapping[str, Any], start: Mapping[str, Any]) -> dict[str, Any]:
    """Number and SHA-256 of the line that says in the ledger that this job scored a test set."""
    digests = record["inputs"]
    rule, split = job.rule, "results/cohort/split.tsv"
    if rule == ledger.OF_EXTERNAL_SET:
        name = job.wildcards["set"]
        rule, split = f"{rule}:{name}", f"results/cohort/external/{name}.tsv"
    manifests = [path for path in digests if path.startswith("results/predictions/")]
    number, line = ledger.append(
        RESULTS / LEDGER,
        scored=record["ended"],
        rule=rule,
        model=job.wildcards.get("model", job.rule),
        predictions=" ".join(digests[path] for path in sorted(manifests)),
        split=digests[split],
        plan=start.get("analysis_plan", ""),
        metrics=" ".join(record["outputs"].values()),
    )
    return {"number": number, "sha256": line}


def _relative(path: Path) -> str:
    return Path(os.path.relpath(path)).as_posix()


def _without_paths_of_trial(words: Iterable[str]) -> list[str]:
    shown, private = [], False
    for word in words:
        if word.startswith("--"):
            option = word.partition("=")[0]
            private = option in TRIALS_OWN
            shown.append(option if private else word)
        else:
            shown.append(WITHHELD if private else word)
    return shown


def _seeds(words: Sequence[str]) -> dict[str, Any]:
    """What random numbers were drawn from: ``--seed``, and seeds in the settings."""
    option = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    option.add_argument("--seed", type=int)
    option.add_argument("--settings", type=json.loads, default={})
    given, _ = option.parse_known_args(words)
    seeds = {} if given.seed is None else {"seed": given.seed}
    return seeds | {key: entry for key, entry in given.settings.items() if "seed" in key}


def _resumed(outputs: Sequence[Path]) -> int | None:
    """How often a training run went on after it had been stopped; null where nothing was trained."""
    return next((read_json(path)["resumed"] for path in outputs if path.name == "train.json"), None)


def _scheduler(environment: Mapping[str, str]) -> dict[str, Any] | None:
    if "SLURM_JOB_ID" not in environment:
        return None
    return {
        "job_id": environment["SLURM_JOB_ID"],
        "node": environment.get("SLURMD_NODENAME"),
        "partition": environment.get("SLURM_JOB_PARTITION"),
        "restarts": int(environment.get("SLURM_RESTART_COUNT", 0)),
    }


# -- the code and the packages that ran --------------------------------------------------------------


def _code_ran(at_start: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Digest of each module of the project that was imported and can change a result, blind to comments.

    Those known from the run's start are taken from there while the source is still the same: parsing
    all modules in each of thousands of jobs would cost more than many of the jobs.
    """
    return {name: _code(name, at_start) for name in sorted(filter(can_change_a_result, list(sys.modules)))}


def _code(module: str, at_start: Mapping[str, Mapping[str, str]]) -> str:
    """Digest of a module's code; ModuleNotFoundError where the package has no such module."""
    known = at_start.get(module)
    return known["code"] if known and known["source"] == _source(module) else module_digest(module)


def _packages_imported(distributions: Mapping[str, Mapping[str, str]] | None) -> dict[str, str]:
    """Version of each installed distribution of which this process imported a module."""
    known = _distributions() if distributions is None else distributions
    imported = {name.split(".")[0] for name in sys.modules} - {"headct"} - sys.stdlib_module_names
    return {name: version for module in sorted(imported) for name, version in known.get(module, {}).items()}


@cache
def _distributions() -> dict[str, dict[str, str]]:
    """Installed distributions and their versions, by the top-level modules that they bring.

    As ``importlib.metadata.packages_distributions`` and ``version`` say it, which read the whole description
    of each package several times: that would take longer than all else at the start of a run.
    """
    from importlib.metadata import distributions

    found: dict[str, dict[str, str]] = {}
    for one in distributions():
        heading = (one.read_text("METADATA") or "").partition("\n\n")[0]
        name, version = (re.search(rf"^{key}: (.+)$", heading, re.MULTILINE) for key in ("Name", "Version"))
        if name and version:
            for module in _top_level_modules(one):
                found.setdefault(module, {}).setdefault(name[1], version[1])  # of two, the first is imported
    return found


def _top_level_modules(distribution: Distribution) -> set[str]:
    """Names that a distribution says it brings, or those of the Python files that it installed."""
    listed = (distribution.read_text("top_level.txt") or "").split()
    files = re.findall(r"^([^,\n]+)\.py,", distribution.read_text("RECORD") or "", re.MULTILINE)
    return set(listed) or {file.split("/")[0] for file in files}


# -- the machine -------------------------------------------------------------------------------------


def _age_s() -> float:
    """Seconds since this process began, imports and all (Linux: proc(5), field 22 of stat, in clock ticks).

    By a clock that nobody sets and that goes on while the machine sleeps. When a job began is told from this
    and from one reading of the calendar's clock at the end; so the two and the duration always fit together.
    """
    fields = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    seconds_of_boot = int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - seconds_of_boot


def _peak_memory_mb() -> int:
    """Peak resident memory of the largest process: this one, or one that it started and that has ended.

    Not ``ru_maxrss`` of this one, which a process inherits from the one that started it.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    own = re.search(r"VmHWM:\s+(\d+) kB", status)
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return round(max(int(own[1]) if own else 0, children) / 1024)


def _host() -> dict[str, Any]:
    gpus, driver = _gpus()
    return {
        "name": platform.node(),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "gpus": gpus,
        "driver": driver,
    }


def _cpu() -> str:
    model = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return model[1] if model else platform.machine()


def _gpus() -> tuple[list[str], str | None]:
    """Names of the GPUs that this process could use, and the version of their driver.

    From PyTorch where the step imported it. It is never imported for this, and a step that didn't
    used no GPU.
    """
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return [], None
    names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    version = Path("/proc/driver/nvidia/version")
    found = (
        re.search(r"Kernel Module.*?\s(\d+\.[\d.]+)\s", version.read_text()) if version.is_file() else None
    )
    return names, found[1] if found else None
