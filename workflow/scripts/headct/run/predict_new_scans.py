"""Predict scans that are not of the trial, and write their page: ``python -m headct new-scans --help``."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

from headct.contracts.problems import BadInput, Problem, gathered
from headct.contracts.repository import BUNDLE
from headct.inference import new_scans
from headct.inference.new_scans import Request
from headct.inference.predict import Members
from headct.settings import blocks

logger = logging.getLogger(__name__)

NO_REFERENCE = "the worst cases are told by a reference, which new scans have not: say 'all' or 'none'"


def main(
    *,
    member: Members,
    settings: str = "{}",
    device: Literal["cpu", "cuda"],
    threads: int,
    scans: list[Path],
    out: Path,
    ingest: str = "{}",
    names: Literal["given", "numbers"] = "given",
    report: str = "{}",
    postprocessing: str = "",
) -> None:
    """Predict scans that are not of the trial, and write a page of them: report/index.html in the folder.

    Args:
        member: trained-model folders, one per fold; repeat for each member of an ensemble.
        settings: JSON: settings of inference by model, as {"nnunet-2d": {"test_time_mirroring": false}}; what
            is left out is as in config/README.md.
        device: what computes.
        threads: CPU threads in all.
        scans: what to predict: DICOM folders, NIfTI files.
        out: folder of label maps, table and page.
        ingest: JSON: the ingest block of the config.
        names: what outputs are called: as the file or folder that was handed over, or by its place in the
            list of all scans (input-1, input-2, …).
        report: JSON: the report block of the config, as {"cases": "none"} for a page without images; faces
            are masked in these unless it says {"mask_face": false}.
        postprocessing: file of the decision that the study made for these networks, postprocessing.json
            beside the folders of the folds, by which label maps are treated as the study's were; or none.
    """
    problems: list[Problem] = []
    with gathered(problems):
        of_report = _report(report)
    with gathered(problems):
        request = new_scans.requested(
            member, settings, device, threads, scans, out, ingest, names, postprocessing
        )
    if problems:
        raise BadInput(problems)
    done = new_scans.predict(request)
    _write_page(request, of_report)
    done.require_any()


def _report(text: str) -> blocks.Report:
    """How the page is made.

    Raises:
        BadInput: no such block, or it asks for the worst cases.
    """
    found = blocks.given(blocks.Report, text, "--report")
    if found.cases.startswith("worst"):
        raise BadInput([Problem("--report", NO_REFERENCE, key="cases", value=found.cases)])
    return found


def _write_page(request: Request, of_report: blocks.Report) -> None:
    """Write the page, unless this installation has not what pages are made of: predictions do without."""
    from headct.publish.page import new_scans_page  # loads what draws, for which no prediction waits

    if not (BUNDLE / "scans.js").is_file():
        logger.warning("no page is made: its styles and scripts are not built ('make environment' does)")
        return
    new_scans_page.write(
        request,
        cases=of_report.cases != "none",
        mask_face=of_report.mask_face is not False,
        bundle=BUNDLE,
    )
