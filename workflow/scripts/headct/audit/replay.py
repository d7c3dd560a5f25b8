"""Repeat a recorded job on its recorded inputs, elsewhere, and compare what it makes.

Statistics, tables, figures and metrics are pure functions of their inputs and cost seconds, so any of
their numbers can be made again from the results folder: the command of the run record is executed in
this process by the code that is installed here, in an empty folder that has links to the inputs.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from headct.artefacts import sha256_of
from headct.audit.lineage import Study
from headct.audit.records import Record
from headct.code import file_of, module_digest
from headct.problems import BadInput, as_table
from headct.published import FOLDER as PUBLISHED

REPEATABLE = ("headct.statistics", "headct.tables", "headct.figures", "headct.metrics")
"""Steps that are repeated; ingest needs the raw series, and training its days."""

COPIES = ("audit", "workflow")
"""Below results/: copies of the plan and of the published numbers, for a folder that was handed over."""


@dataclass(frozen=True)
class Replay:
    """What came of repeating a job.

    ``same`` maps each output to whether it has the recorded bytes; ``made`` holds the bytes of those that
    have not. ``why_not`` says why it could not be done, ``code`` which modules differ from those recorded.
    """

    record: Record
    same: Mapping[str, bool]
    made: Mapping[str, bytes]
    why_not: str = ""
    code: tuple[str, ...] = ()


def repeatable(record: Record) -> bool:
    """Whether a job is one of those that are repeated."""
    module = record.command[2]
    return module.startswith(REPEATABLE) and "--out" in record.command


def changed_modules(record: Record) -> tuple[str, ...]:
    """Modules of the step that are other here than when the job ran (comments do not count)."""
    recorded: Mapping[str, str] = record.workflow.get("modules", {})
    return tuple(
        name for name, digest in recorded.items() if file_of(name) is None or module_digest(name) != digest
    )


def replay(study: Study, record: Record) -> Replay:
    """Repeat one job; its inputs must have the recorded digests."""
    if not repeatable(record):
        return Replay(record, {}, {}, f"{record.rule} is not repeated: not a matter of seconds")
    here = {path: _locate(study, path, digest) for path, digest in record.inputs.items()}
    lacking = [path for path, found in here.items() if found is None]
    if lacking:
        return Replay(record, {}, {}, f"not here as they were then: {', '.join(sorted(lacking)[:5])}")
    with tempfile.TemporaryDirectory(prefix="replay-") as scratch:
        folder = _linked(study, {path: found for path, found in here.items() if found}, Path(scratch))
        words = list(record.command[3:])
        out = words.index("--out") + 1
        words[out] = str(Path(scratch) / "out" / words[out])
        try:
            with contextlib.chdir(folder), _quiet():
                _run(record.command[2], words)
        except BadInput as error:
            return Replay(record, {}, {}, as_table(error.problems), changed_modules(record))
        made = {path: Path(scratch) / "out" / path for path in record.outputs}
        same = {
            path: file.is_file() and sha256_of(file) == record.outputs[path] for path, file in made.items()
        }
        differing = {
            path: made[path].read_bytes() for path, ok in same.items() if not ok and made[path].is_file()
        }
        return Replay(record, same, differing, code=changed_modules(record))


def _locate(study: Study, path: str, digest: str) -> Path | None:
    """A file with the recorded bytes: where it was, or a copy that goes with the results or the code."""
    name = Path(path).name
    copies = study.results.joinpath(*COPIES)
    candidates = [
        study.file(path),
        *(sorted(copies.rglob(name)) if copies.is_dir() else []),
        PUBLISHED / name,
    ]
    return next((file for file in candidates if file.is_file() and sha256_of(file) == digest), None)


def _linked(study: Study, files: Mapping[str, Path], scratch: Path) -> Path:
    """A study's folder with ``results/`` and the inputs from outside of it, as links, at their paths."""
    depth = max((path.split("/").count("..") for path in files), default=0)
    folder = scratch.joinpath("study", *map(str, range(depth)))
    folder.mkdir(parents=True)
    (folder / "results").symlink_to(study.results.absolute())
    for path, file in files.items():
        link = Path(os.path.normpath(folder / path))
        if not path.startswith("results/") and not link.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(file.absolute())
    return folder


def _run(module: str, words: list[str]) -> None:
    try:
        step = importlib.import_module(f"{module}.__main__")
    except ModuleNotFoundError:
        step = importlib.import_module(module)
    step.main(step.arguments().parse_args(words))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("headct")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
