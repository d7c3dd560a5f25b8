"""A small results folder as jobs leave it, made by the code that records and seals the real ones."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from headct.contracts import run_records
from headct.contracts.artefacts import read_json, sha256_of, write_json
from headct.contracts.code import digest_of
from headct.contracts.repository import PACKAGE, REPOSITORY
from headct.provenance import manifest, record, seal
from headct.provenance.manifest import Entry
from headct.provenance.rules import RULES, Rule
from headct.publish import evidence
from headct.run import command as headct_command
from headct.steps import STEPS

MODULE = "workflow/scripts/headct/contracts/artefacts.py"
PLAN = REPOSITORY / "config/analysis_plan.yaml"
SETTINGS = {"surface_distance_percentile": 95}
CONFIG = {
    "study": {"name": "mini", "note": ""},
    "sheet": "scans.tsv",
    "metrics": SETTINGS,
    "models": {model: {"framework": "blastct"} for model in ("unet", "old", "other")},
    "training": {"seeds": [1], "folds": ["all"]},
}


PUBLISHED = {"table1": "tables", "model_cards": "report"}
"""By rule, the step of what is published, which is the folder of its records as well."""


def job(
    rule: str,
    inputs: list[str],
    outputs: dict[str, str],
    words: list[str] | None = None,
    **wildcards: str,
) -> None:
    """Run a job of the study in the working directory: it writes the outputs, and its record.

    It says of itself what the workflow's jobs say, where there is such a rule.
    """
    if rule in PUBLISHED:
        (step, *first), place = (PUBLISHED[rule], rule), f"{PUBLISHED[rule]}/{rule}"
    else:
        like = RULES.get(rule, Rule(("split",), rule, ()))
        (step, *first), place = like.step, like.record.format(**wildcards)
    STEPS[step].load()
    done = record.Job(
        rule=rule,
        wildcards=wildcards,
        inputs=[Path(path) for path in inputs],
        outputs=[Path(path) for path in outputs],
        log=Path(f"results/logs/{place}.log"),
        step=step,
        words=[*first, *(words or [])],
        once=False,
    )
    done.log.parent.mkdir(parents=True, exist_ok=True)
    done.log.write_text(f"{rule} is done\n")
    digests = done.input_digests()
    for path, text in outputs.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)
    record.write(done, digests)


def run() -> None:
    """A study of four jobs in the working directory, up to the seal."""
    Path("scans.tsv").write_text("scan_id\ns1\n")
    write_json(CONFIG, "results/config.json")
    write_json({"name": "mini"}, "results/study.json")
    record.write_start(REPOSITORY, PLAN)
    job("split", ["scans.tsv"], {"results/cohort/split.tsv": "scan_id\tset\ns1\ttest\n"})
    score("scan_id\tdice\ns1\t0.81\n")
    tabulate()


def score(metrics: str) -> None:
    """The job that opens the test set."""
    words = ["--settings", json.dumps(SETTINGS)]
    job("metrics", ["results/cohort/split.tsv"], {"results/metrics/unet.tsv": metrics}, words, model="unet")


def tabulate() -> None:
    """The evidence digest, and a table that prints it."""
    files = ["results/cohort/split.tsv", "results/metrics/unet.tsv"]
    digests = {path.removeprefix("results/"): sha256_of(path) for path in files} | {
        evidence.PLAN: sha256_of(PLAN)
    }
    content = {"sha256": evidence.digest(digests), "files": digests}
    job("evidence", files, {"results/audit/evidence.json": json.dumps(content)})
    page = f"<p>0.81</p><footer>Evidence digest (SHA-256): {content['sha256']}</footer>"
    job(
        "table1", files[1:], {"results/tables/table1.html": page, "results/tables/table1.tsv": "dice\n0.81\n"}
    )


def close(number: int = 0) -> str:
    """Seal it; returns the root digest."""
    return seal.seal(Path("results"), REPOSITORY, [REPOSITORY / "config/demo.yaml"], PLAN, number)


def close_small(repository: Path) -> None:
    """Seal it as a study whose software is three files, in a new folder, and one of these a module.

    What is searched or digested for each test is then small.
    """
    for name in ("Snakefile", MODULE, "config/demo.yaml"):
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / name, repository / name)
    for path in Path("results", run_records.FOLDER).rglob("*.json"):
        content = read_json(path)
        modules = {"headct.contracts.artefacts": content["workflow"]["modules"]["headct.contracts.artefacts"]}
        ran = {"modules": modules, "code": digest_of(modules)}
        write_json(content | {"workflow": content["workflow"] | ran}, path)
    seal.seal(Path("results"), repository, [repository / "config/demo.yaml"], PLAN, 0)


def sealed_with(folder: Path, files: Mapping[str, bytes], repository: Path) -> Path:
    """The small study with further files, which no job made, sealed by :func:`close_small`; its results.

    Args:
        folder: for the study.
        files: content by path below the results.
        repository: new folder for the software.
    """
    with contextlib.chdir(folder):
        run()
        for path, content in files.items():
            Path("results", path).parent.mkdir(parents=True, exist_ok=True)
            Path("results", path).write_bytes(content)
        close_small(repository)
    return folder / "results"


def packed_weights() -> bytes:
    """No weights, packed as PyTorch packs them."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("final/data.pkl", b"weights of nobody" * 20)
        archive.writestr("final/data/0", bytes(2000))
    return stream.getvalue()


def reseal(results: Path, listed: dict[str, Entry] | None = None) -> None:
    """As one who hides a change would: every file is listed with the digest that it has now."""
    before = listed or manifest.read(results)
    entries = [
        Entry(path, size, sha256_of(results / path), before[path].made_by if path in before else "")
        for path, size in manifest.files_in(results).items()
    ]
    manifest.write(results, entries)


def command(*words: str | Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "headct", "audit", *map(str, words)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(PACKAGE.parent)},
    )


def forked_command(*words: str | Path) -> subprocess.CompletedProcess:
    """The same, by a fork of this process, which has imported all of it: nothing is started anew."""
    called = ["headct", "audit", *map(str, words)]
    with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
        child = multiprocessing.get_context("fork").Process(target=_run, args=(called, stdout, stderr))
        child.start()
        child.join()
        for file in (stdout, stderr):
            file.seek(0)
        return subprocess.CompletedProcess(called, child.exitcode or 0, stdout.read(), stderr.read())


def _run(called: list[str], stdout: IO[str], stderr: IO[str]) -> None:
    """In the fork: undo what pytest did to streams and logging, then run the command and exit as it does."""
    os.dup2(stdout.fileno(), 1)
    os.dup2(stderr.fileno(), 2)
    sys.stdout, sys.stderr = (os.fdopen(number, "w") for number in (1, 2))
    sys.argv = called
    logging.getLogger().handlers.clear()
    headct_command.main()
