"""Seal or check a results folder, and ask where results come from: ``python -I -m headct audit --help``."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections import Counter
from pathlib import Path

from headct.contracts import untrusted
from headct.contracts.artefacts import write_atomically
from headct.contracts.problems import BadInput, Problem
from headct.contracts.run_records import is_sha256
from headct.contracts.terminal import say
from headct.provenance import former, privacy, questions, report, seal, verify
from headct.provenance.inside import no_code_from

logger = logging.getLogger(__name__)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -I -m headct audit", description=__doc__)
    tasks = parser.add_subparsers(required=True, metavar="TASK")
    _add_seal(tasks.add_parser("seal", help="copy the workflow, list every file with its digest"))
    _add_verify(tasks.add_parser("verify", help="check a results folder, from the folder alone"))
    _add_former(tasks.add_parser("former", help="list, or delete, what the study no longer asks for"))
    questions.add_trace(tasks)
    questions.add_why(tasks)
    return parser


def _add_seal(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", type=Path)
    parser.add_argument("--repository", required=True, type=Path, help="folder of the Snakefile")
    parser.add_argument("--settings", required=True, type=Path, nargs="+", help="configuration files")
    parser.add_argument("--plan", required=True, type=Path, help="analysis plan")
    parser.add_argument("--number", type=int, default=0, help="how often it was sealed again")
    parser.add_argument("--asked", nargs="*", default=[], help="the files that the run was to make")
    parser.set_defaults(task=_seal)


def _add_verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", type=Path)
    parser.add_argument("--root", type=_digest, help="root digest that was printed, published or signed")
    parser.add_argument("--workflow", type=Path, metavar="PATH", help="checkout to compare the code with")
    parser.add_argument(
        "--dicom", type=Path, nargs="+", action="extend", default=[], help="DICOM folders of the trial"
    )
    parser.add_argument("--sheet", type=Path, help="sample sheet that names them")
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE.html",
        help="write the report as a page, too (outside of the folder)",
    )
    parser.set_defaults(task=_verify)


def main(args: argparse.Namespace) -> None:
    args.task(args)


def _seal(args: argparse.Namespace) -> None:
    root = seal.seal(args.results, args.repository, args.settings, args.plan, args.number, args.asked)
    logger.info("audit  root digest %s", root)


def _add_former(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", type=Path)
    parser.add_argument("--delete", action="store_true", help="delete them; the next run seals anew")
    parser.set_defaults(task=_former)


def _former(args: argparse.Namespace) -> None:
    found = former.files(args.results)
    say("\n".join(found) if found else "There are no former results.")
    if found and args.delete:
        former.delete(args.results)
        logger.info("%d files deleted; run the workflow once more, which seals the folder", len(found))


def _digest(text: str) -> str:
    digest = text.strip().lower()
    if not is_sha256(digest):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no digest: the 64 hexadecimal digits that were printed, published or signed"
        )
    return digest


def _verify(args: argparse.Namespace) -> None:
    if not args.results.is_dir():
        raise BadInput([Problem(str(args.results), "there is no such folder")])
    no_code_from(args.results)
    if args.workflow and not (args.workflow / "Snakefile").is_file():
        message = "no checkout: there is no Snakefile in it"
        raise BadInput([Problem(str(args.workflow), message, key="--workflow")])
    if args.report:
        untrusted.refuse_in_results(args.report, "--report")
    began = time.monotonic()
    checks: list[verify.Check] = [*verify.INTEGRITY, privacy.patterns]
    if args.workflow:
        checks.append(verify.against_checkout(args.workflow))
    folders = {f"folder {number} of --dicom": folder for number, folder in enumerate(args.dicom, start=1)}
    folders |= privacy.dicom_folders(args.sheet) if args.sheet else {}
    unread: Counter[str] = Counter()
    if folders:
        checks.append(privacy.values(privacy.headers_in(folders, unread)))
    folder = verify.Folder(args.results, args.root or "", told=_progress())
    findings = verify.verify(folder, checks)
    summary = verify.summary(folder, findings, bool(folders), began, unread)
    say(report.text(summary))
    if args.report:
        with write_atomically(args.report) as temporary:
            temporary.write_text(report.html(summary), encoding="utf-8")
    if findings:
        raise SystemExit(1)


def _progress() -> verify.Told:
    """A line on a terminal that says how far the hashing is; nothing elsewhere."""
    began, shown = time.monotonic(), 0.0

    def told(done: int, total: int) -> None:
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

    return told
