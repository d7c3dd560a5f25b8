"""Seal or check a results folder, and ask where results come from."""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from headct.contracts import untrusted
from headct.contracts.artefacts import write_atomically
from headct.contracts.problems import BadInput, Problem, WrongOptions
from headct.contracts.run_records import is_sha256
from headct.contracts.terminal import say
from headct.provenance import former, manifest, privacy, questions, repeating, seal, signing, verify
from headct.provenance import report as reports
from headct.provenance.checks.copied_code import against_checkout
from headct.provenance.checks.folder import Check, ProgressCallback, ResultsFolder
from headct.provenance.inside import no_code_from
from headct.provenance.repeating import Repeated

logger = logging.getLogger(__name__)

AUDIT = "audit"
"""The folder in each results folder that holds list and records."""


def commands() -> dict[str, Callable[..., None]]:
    """Functions by the task that is asked for."""
    return {
        "seal": seal_results,
        "verify": verify_results,
        "sign": sign_results,
        "former": former_results,
        "trace": questions.trace,
        "why": questions.why,
    }


def seal_results(
    results: Path,
    /,
    *,
    repository: Path,
    settings: list[Path],
    plan: Path,
    number: int = 0,
    requested: Annotated[list[str] | None, Parameter(consume_multiple=True)] = None,
) -> None:
    """Copy the workflow into the results, list every file with its digest.

    Args:
        results: results folder.
        repository: folder of the Snakefile.
        settings: configuration files.
        plan: analysis plan.
        number: how often it was sealed again.
        requested: the files that the run was to make.
    """
    root = seal.seal(results, repository, settings, plan, number, requested or [])
    logger.info("audit  root digest %s", root)


def former_results(results: Path, /, *, delete: bool = False) -> None:
    """List, or delete, what the study no longer asks for.

    Args:
        results: results folder.
        delete: delete them; the next run seals anew.
    """
    found = former.files(results)
    say("\n".join(found) if found else "There are no former results.")
    if found and delete:
        former.delete(results)
        logger.info("%d files deleted; run the workflow once more, which seals the folder", len(found))


def sign_results(results: Path, /, *, key: Path) -> None:
    """Sign the root digest, after all files were checked; for the person who answers for the study.

    Args:
        results: results folder.
        key: private key of SSH, or the public half of one in ssh-agent or on a token.
    """
    _refuse_other(results)
    signing.refuse_unready(results, key)
    folder = ResultsFolder(results, on_progress=_progress())
    if findings := verify.verify(folder, verify.INTEGRITY):
        message = "nothing is signed: {}; 'audit verify' tells all"
        raise BadInput([Problem(one.path, message.format(one.what)) for one in findings[: reports.SHOWN]])
    say(signing.statement_of(results))
    good = signing.sign(results, key)
    say(f"{good}; {manifest.STATEMENT} and {manifest.SIGNATURE} were added to the results.")


def verify_results(
    results: Path,
    /,
    *,
    root: str | None = None,
    signer: Path | None = None,
    workflow: Path | None = None,
    dicom: list[Path] | None = None,
    sheet: Path | None = None,
    repeat: bool = False,
    inputs: list[Path] | None = None,
    report: Path | None = None,
) -> None:
    """Check a results folder, from the folder alone; if something is wrong, the exit status is 1.

    Args:
        results: results folder.
        root: root digest that was printed, published or signed.
        signer: names and public keys of those whose signature counts: 'NAME ssh-ed25519 KEY', a line each.
        workflow: checkout to compare the code with.
        dicom: DICOM folders of the trial; no value of their headers may stand in the results.
        sheet: sample sheet that names them.
        repeat: run jobs of statistics, tables, figures and reports again, by the installed code, on copies.
        inputs: files that some of these need and no results hold: sample sheet, reviews, blinded ratings.
        report: write the report as a page, too (.html, outside of the folder).
    """
    root_digest = "" if root is None else _digest(root)
    _refuse_other(results)
    if workflow and not (workflow / "Snakefile").is_file():
        message = "no checkout: there is no Snakefile in it"
        raise BadInput([Problem(str(workflow), message, key="--workflow")])
    if report:
        untrusted.refuse_in_results(report, "--report")
    if inputs and not repeat:
        raise WrongOptions("--inputs: these files are for jobs that are repeated: add --repeat")
    files = dict.fromkeys(inputs or (), "--inputs") | ({sheet: "--sheet"} if sheet else {})
    questions.refuse_absent(files)
    began = time.monotonic()
    checks: list[Check] = [*verify.INTEGRITY, privacy.patterns]
    if workflow:
        checks.append(against_checkout(workflow))
    folders = {f"folder {number} of --dicom": folder for number, folder in enumerate(dicom or [], start=1)}
    folders |= privacy.dicom_folders(sheet) if sheet else {}
    unread: Counter[str] = Counter()
    if folders:
        checks.append(privacy.values(privacy.headers_in(folders, unread)))
    signed = signing.checked(results, signer) if signer else None
    if signed:
        checks.append(signing.check_of(signed))
        root_digest = root_digest or signed.root
    folder = ResultsFolder(results, root_digest, on_progress=_progress())
    repeated = _repeated(folder, inputs or []) if repeat else None
    of_repeating = repeated.findings if repeated else ()
    findings = sorted({*verify.verify(folder, checks), *of_repeating})
    summary = verify.summary(folder, findings, bool(folders), began, unread, signed, repeated)
    say(reports.text(summary))
    if report:
        with write_atomically(report) as temporary:
            temporary.write_text(reports.html(summary), encoding="utf-8")
    if findings:
        raise SystemExit(1)


def _refuse_other(results: Path) -> None:
    """End where there is no such folder, or where this program comes from it."""
    if not results.is_dir():
        raise BadInput([Problem(str(results), "there is no such folder")])
    around = (results / "results", *results.absolute().parents)
    meant = next((folder for folder in around if (folder / AUDIT).is_dir()), None)
    if meant and not (results / AUDIT).is_dir():
        message = f"is no results folder, since it has no {AUDIT}/; {meant} is one"
        raise BadInput([Problem(str(results), message)])
    no_code_from(results)


def _digest(text: str) -> str:
    digest = text.strip().lower()
    if not is_sha256(digest):
        raise WrongOptions(
            f"--root: {text!r} is no digest: the 64 hexadecimal digits that were printed, published or signed"
        )
    return digest


def _repeated(folder: ResultsFolder, files: Sequence[Path]) -> Repeated:
    """Repeat the jobs that take seconds, with a line on a terminal that says how far it is."""

    def show(done: int, jobs: int, rule: str) -> None:
        if sys.stderr.isatty():
            print(f"\rrepeated {done} of {jobs} jobs, {rule:40} ", end="", file=sys.stderr)

    return repeating.repeat(folder, repeating.quick_jobs(folder), files, show)


def _progress() -> ProgressCallback:
    """A line on a terminal that says how far the hashing is; nothing elsewhere."""
    began, shown = time.monotonic(), 0.0

    def show(done: int, total: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if sys.stderr.isatty() and (now - shown > 0.2 or done == total):
            shown = now
            rate = done / max(now - began, 1e-9) / 1e6
            print(
                f"\rhashed {done / 1e6:.0f} of {total / 1e6:.0f} MB, {rate:.0f} MB/s ",
                end="",
                file=sys.stderr,
            )

    return show
