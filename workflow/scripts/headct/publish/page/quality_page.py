"""The page on which images and masks are looked at before anything is predicted, and reviewed.

It holds nothing of a prediction, and knows neither training nor test set: what is decided here may leave
the study (:mod:`headct.settings.reviews`, kind quality).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from headct.contracts import labels as label_sets
from headct.contracts.artefacts import write_tsv
from headct.imaging.hounsfield import Intensity
from headct.publish import pages
from headct.publish.page import case_files, script_data, sectioned_page
from headct.publish.page.case_content import TRUTH
from headct.publish.page.html_parts import NumberGrid, filled
from headct.publish.page.quoted import QuotedRow, ResultTables
from headct.publish.page.scan_sections import (
    counts_of,
    in_words,
    left_out_of,
    opens,
    remarks_of,
    volumes_of,
)
from headct.publish.page.script_sections import NEEDS_SCRIPT, NO_CASES, viewer_of
from headct.publish.page.shown_study import Absent, Section, ShownScans
from headct.settings import reviews

logger = logging.getLogger(__name__)

COHORT, FLOW = "cohort.tsv", "flow.tsv"
"""Beside the page's folder."""

CONTACT_SHEET = "ingest_qc.pdf"

REFERENCE = "Reference"

SHEET = """\
<p>What the conversion made of the scans of the sheet. Are images and masks what they should be? Nothing was
predicted for this page.</p>
{{ table(counts) }}
{% if left_out.rows %}
{{ table(left_out) }}
{% endif %}
{{ links([("Flow of scans", flow), ("all scans", cohort), ("a slice of each scan (PDF)", sheet)]) }}
"""

REVIEW = """\
<p>Go through the scans one after the other and decide on each, by image and mask alone. Your decisions stay
in this browser until you download them; <code>headct review import</code> takes them into the study, as long
as no test scan was predicted. A scan that most of its reviewers exclude then leaves the study.</p>
<div id="review"></div>
{{ needs_script }}
"""


def main(
    *,
    cohort: Path,
    data: Path,
    labels: str,
    study: str,
    note: str = "",
    cases: str,
    intensity: Intensity,
    mask_face: bool = False,
    bundle: Path,
    out: Path,
) -> None:
    """Write the page on which images and masks are looked at and reviewed, and the files of its cases.

    Args:
        cohort: cohort.tsv, in the folder above the page's, as are flow.tsv and the contact sheet.
        data: folder of the converted scans.
        labels: JSON: the lesion classes, in their order, with titles and colours.
        study: name of the study.
        note: what must be known of its data.
        cases: whether scans have a file for the viewer: none, or anything else.
        intensity: what the values of images are: hounsfield or windowed.
        mask_face: make air of what lies outside the skull.
        bundle: folder of the bundled styles and scripts.
        out: the page to write; the cases go into cases/ beside it.
    """
    results, lesions = ResultTables(cohort.parent), label_sets.read(labels)
    scans = [row.text("scan_id") for row in looked_at(results)] if cases != "none" else []
    folder = out.parent / "cases"
    case_files.say_size(scans, data, folder)
    listed = [
        case_files.write(
            case_files.read(data / scan, {}, lesions), intensity, mask_face, folder / "scans", revision=0
        )
        for scan in scans
    ]
    case_files.put_viewer(bundle / case_files.VIEWER, folder)
    write_tsv(pd.DataFrame(listed, columns=list(case_files.COLUMNS)), out.parent / "cases.tsv")
    shown = ShownScans(results, lesions, case_files.digests(listed))
    heading = sectioned_page.Heading("Images and masks, before anything is predicted", study, "scans", note)
    pages.write(page(shown, heading, bundle), out)
    logger.info("%s", out)


def looked_at(results: ResultTables) -> list[QuotedRow]:
    """Rows of the scans that are reviewed: those of the study, and those that left it by a review.

    A scan leaves by the decision of most of its reviewers, so that others must be able to see it.
    """
    return [
        row
        for row in results.table(COHORT).rows("scan_id")
        if row.text("status") == "included" or row.text("reason").startswith(f"{reviews.EXCLUDED}: ")
    ]


def page(shown: ShownScans, heading: sectioned_page.Heading, bundle: Path) -> str:
    """The whole page.

    Args:
        shown: what it is made of.
        heading: what stands above its sections.
        bundle: folder of styles and scripts.
    """
    scans = looked_at(shown.results)
    study_data = script_data.data_of_maps(shown, scans, TRUTH, REFERENCE)
    study_data |= {
        "review": reviews.QUALITY,
        "evidence": digest_of(scans),
        "remarks": {scan: own_remarks(remarks) for scan, remarks in study_data["remarks"].items()},
    }
    rows_data = script_data.rows_of_maps(shown, scans, "reference_ml")
    return sectioned_page.render(SECTIONS, shown, heading, bundle, "scans.js", study_data, rows_data)


def digest_of(scans: Sequence[QuotedRow]) -> str:
    """Digest of the images and masks that are looked at, whatever has been decided of them."""
    lines = [" ".join(map(row.text, ("scan_id", "ct_sha256", "labels_sha256"))) for row in scans]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def own_remarks(remarks: Sequence[str]) -> list[str]:
    """Without what other reviewers said, so that each decides alone."""
    return [remark for remark in remarks if not remark.startswith(reviews.EXCLUDED)]


def of_sheet(shown: ShownScans) -> Markup | Absent:
    """What became of the scans of the sheet, and why some are not looked at."""
    scans = {row.text("scan_id") for row in looked_at(shown.results)}
    rows = shown.rows(COHORT, "scan_id")
    return filled(
        SHEET,
        counts=counts_of(shown.rows(FLOW, "status reason")),
        left_out=left_out_of([row for row in rows if row.text("scan_id") not in scans]),
        cohort=COHORT,
        flow=FLOW,
        sheet=CONTACT_SHEET,
    )


def seen_scans(shown: ShownScans) -> Markup | Absent:
    """The scans that are looked at, with what is known of each."""
    rows = looked_at(shown.results)
    columns = ["Scan", *(f"{label}, mL" for label in shown.labels), "Slices", "Gap, mm", "Tilt, °"]
    columns.append("Remarks of the checks")
    cells = [
        [
            opens(shown, row.text("scan_id")),
            *volumes_of(row, shown.labels),
            row.count("n_slices"),
            row.number("spacing_z_mm", 2),
            row.number("tilt_deg", 1),
            in_words(own_remarks(remarks_of(row))),
        ]
        for row in rows
    ]
    caption = "Scans with the volumes of their masks"
    grid = NumberGrid(caption, columns, cells, frozenset({0, len(columns) - 1}))
    return filled("{{ table(grid) }}", grid=grid) if rows else Absent("No scan can be looked at.")


def viewer(shown: ShownScans) -> Markup | Absent:
    """Images with the outlines of the masks."""
    scans = [row.text("scan_id") for row in looked_at(shown.results)]
    return viewer_of(shown, scans) if scans else Absent()


def quality_review(shown: ShownScans) -> Markup | Absent:
    """Decisions on scans, filled by ``src/review.ts``."""
    if shown.cases:
        return filled(REVIEW, needs_script=Markup(NEEDS_SCRIPT))
    return Absent(NO_CASES if looked_at(shown.results) else "")


SECTIONS = (
    Section("sheet", "Scans of the sheet", of_sheet),
    Section("case", "Images and masks", viewer),
    Section("marks", "Quality review", quality_review),
    Section("scans", "All that are looked at", seen_scans),
)
"""The parts of the page, in order."""
