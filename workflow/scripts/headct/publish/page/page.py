"""The page of a study's results: one file that needs no other, for those who read and decide.

Its sections are listed in :data:`SECTIONS`. Styles and scripts are those of ``workflow/page``, bundled at
set-up. It holds no pixel of a patient, no time and no path, and asks no network for anything.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from headct.contracts import labels as label_sets
from headct.contracts import run_records
from headct.contracts.artefacts import CONFIG, sha256_of
from headct.publish import pages
from headct.publish.page import (
    answer,
    external_section,
    figure_section,
    learning_curve_section,
    model_sections,
    review_section,
    scan_sections,
    script_data,
    script_sections,
    sectioned_page,
    study_sections,
)
from headct.publish.page.quoted import ResultTables
from headct.publish.page.shown_study import Section, ShownStudy
from headct.settings.blocks import configured

logger = logging.getLogger(__name__)

RECORD_OF_CASES, LOG_OF_CASES = f"{run_records.FOLDER}report/cases.json", "logs/report/cases.log"
"""Of the job that writes the files of cases, below the results."""

SECTIONS = (
    Section("answer", "Read this first", answer.read_first),
    Section("flow", "Flow of scans", scan_sections.flow),
    Section("cohort", "Cohort", scan_sections.cohort),
    Section("leader-board", "Leader board", model_sections.leader_board),
    Section("comparison", "Planned comparison", model_sections.planned_comparison),
    Section("external", "External sets", external_section.external_sets),
    Section("learning-curve", "Learning curves", learning_curve_section.learning_curves),
    Section("claims", "Claims of the published study", study_sections.claims),
    Section("failures", "Failures", model_sections.failures),
    Section("explore", "Explorer", script_sections.explorer),
    Section("case", "Cases", script_sections.viewer),
    Section("marks", "Review", review_section.review),
    Section("figures", "Figures", figure_section.figures),
    Section("methods", "Methods", study_sections.methods),
    Section("checklists", "Reporting checklists", study_sections.checklists),
    Section("provenance", "Provenance", study_sections.provenance),
)
"""The parts of the page, in order."""


def main(
    *,
    results: Path,
    labels: str,
    bundle: Path,
    cases: Path | None = None,
    requested: list[Path] | None = None,
    out: Path,
) -> None:
    """Write the page of a study's results, and its digest beside it, as sha256sum prints it.

    Args:
        results: results folder.
        labels: JSON: the lesion classes, in their order, with roles, groups, titles and colours.
        bundle: folder of the bundled styles and scripts.
        cases: list of the files of cases beside the page; without it, those of an earlier run are deleted.
        requested: files of the results that the study asks for; others, of a former run, are not shown.
        out: the page to write.
    """
    if not cases:
        forget_cases(out.parent, results)
    text = page(read(results, labels, cases, requested), bundle)
    pages.write(text, out)
    pages.write(f"{sha256_of(out)}  {out.name}\n", out.with_suffix(".sha256"))
    logger.info("%s", out)


def forget_cases(report: Path, results: Path) -> None:
    """Delete the files of cases that an earlier run wrote beside the page, their list, their job's record.

    Its record would say of files that are gone that they were made.

    Args:
        report: folder of the page.
        results: results folder.
    """
    files = [*report.glob("cases/scans/*.js"), *report.glob("cases/viewer.js"), *report.glob("cases.tsv")]
    for file in (*files, results / RECORD_OF_CASES, results / LOG_OF_CASES):
        file.unlink(missing_ok=True)
    for folder in (report / "cases/scans", report / "cases"):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    if files:
        logger.info("deleted %d files of cases in %s: report.cases is none", len(files), report)


def read(
    folder: Path, labels: str, cases: Path | None = None, requested: Sequence[Path] | None = None
) -> ShownStudy:
    """The study of a results folder.

    Args:
        folder: the results.
        labels: JSON of the lesion classes.
        cases: list of the files of cases.
        requested: files of the results that the study asks for; all that are there, where it is None.
    """
    now = None if requested is None else frozenset(file.relative_to(folder).as_posix() for file in requested)
    results = ResultTables(folder, now)
    listed = results.table(cases.relative_to(folder).as_posix()).rows("scan_id") if cases else []
    return ShownStudy(
        results=results,
        labels=label_sets.read(labels),
        config=configured(results.json(CONFIG)),
        titles=results.titles,
        cases={row.text("scan_id"): row.text("digest") for row in listed},
    )


def page(study: ShownStudy, bundle: Path) -> str:
    """The whole page.

    Args:
        study: that it is of.
        bundle: folder of styles and scripts.
    """
    return sectioned_page.render(
        SECTIONS,
        study,
        sectioned_page.Heading(
            kind="Comparison of segmentation models on head CT",
            title=study.config.study.name,
            of="results",
            note=study.config.note,
        ),
        bundle,
        "index.js",
        script_data.study_data(study),
        script_data.rows_data(study),
    )
