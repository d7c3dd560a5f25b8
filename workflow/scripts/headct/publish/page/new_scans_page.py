"""The page of scans outside of a study that networks segmented: volumes, remarks, pictures, the viewer.

There is no reference, so the page says nothing of how right the maps are. Files of cases that an earlier run
wrote stay, as long as they are of the same map and show as much of a face.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pandas as pd
from markupsafe import Markup

from headct.cohort.ingest import rules_from
from headct.contracts.artefacts import read_tsv, sha256_of, write_tsv
from headct.contracts.code import NO_CONTENT, code_digest
from headct.contracts.problems import BadInput
from headct.imaging import sources
from headct.imaging.sources.image_source import ImageFacts
from headct.inference.new_scans import TABLE, Request
from headct.publish import pages
from headct.publish.figures import scan_picture
from headct.publish.page import case_files, script_data, sectioned_page
from headct.publish.page.case_content import Case, without_face
from headct.publish.page.html_parts import UP, NumberGrid, code, filled
from headct.publish.page.quoted import QuotedRow, ResultTables, name
from headct.publish.page.scan_sections import in_words, opens, remarks_of, volumes_of
from headct.publish.page.script_sections import viewer_of
from headct.publish.page.shown_study import Absent, Section, ShownScans

logger = logging.getLogger(__name__)

PREDICTION = "prediction"
"""Name of the maps in the files of cases."""

HEADING = sectioned_page.Heading(
    "Segmentation of lesions on head CT", "Predictions of new scans", "new scans"
)

COLUMNS = ("scan_id", "path", "sha256", "bytes", "digest", "made_from")
"""Of the list of cases; ``made_from`` digests all that a case and its picture are made from."""

CASES, PICTURES = "report/cases/scans", "report/cases/pictures"
"""Below the folder of the predictions."""

SCANS = """\
<p class="warning">Networks drew these lesions, and nobody has checked them. These scans have no reference:
how well the networks draw is known only from the study that they were trained in.</p>
{% if predicted.rows %}
<p>Volumes from “slice positions” weigh each slice by its true place. Those from “header spacing” trust the
one gap that a file’s header tells, and are wrong where gaps are uneven.</p>
{{ table(predicted) }}
{% else %}
<p>No scan could be predicted.</p>
{% endif %}
{% if failed.rows %}
{{ table(failed) }}
{% endif %}
{{ links([("The table of predictions", file)]) }}
"""

GALLERY = """\
<p>Of each scan the slice with the most lesion, seen from below (R: the patient’s right). A click opens the
scan.</p>
<ul class="viewer-legend">
{% for label in labels %}
<li><i class="viewer-swatch" style="background: {{ label.colour }}" aria-hidden="true"></i>
{{ name(label.name) }}</li>
{% endfor %}
</ul>
<div class="gallery">
{% for scan, picture in pictures %}
<figure>
<button type="button" class="picture" data-open-case="{{ scan }}">
<img loading="lazy" alt="{{ scan }}: a slice with the outlines of predicted lesions" src="{{ picture }}"/>
</button>
<figcaption class="name">{{ scan }}</figcaption>
</figure>
{% endfor %}
</div>
"""

NETWORKS = """\
<p>The maps are the most probable class of each voxel, by the probabilities of these networks, averaged over
the folds of a member and then over the members:</p>
<ul>
{% for network in networks %}
<li>{{ name(network) }}</li>
{% endfor %}
</ul>
{% if postprocessing %}
<p>Post-processing, as the study decided it: {{ name(postprocessing) }}.</p>
{% endif %}
{% if digest %}
<p>Digest of their weights and settings: {{ digest }}</p>
{% endif %}
"""


@dataclass(frozen=True)
class ShownPredictions(ShownScans):
    """What the sections are made of.

    Attributes:
        networks: what the networks are called.
        postprocessing: what is done with their label maps at the end, in words; empty for nothing.
    """

    networks: Sequence[str]
    postprocessing: str

    @property
    def scans(self) -> Sequence[QuotedRow]:
        """A row for each scan."""
        return self.rows(TABLE, "scan_id")


def write(request: Request, cases: bool, mask_face: bool, bundle: Path) -> None:
    """Write the page of a folder of predictions, and the files of its cases.

    Args:
        request: what was predicted.
        cases: whether scans have a file for the viewer, and a picture.
        mask_face: whether all that lies outside the skull becomes air in these.
        bundle: folder of styles and scripts.
    """
    results = ResultTables(request.out)
    listed = write_cases(request, results, mask_face) if cases else []
    forget_others(request.out, [row["scan_id"] for row in listed])
    report = request.out / "report"
    if cases:
        case_files.put_viewer(bundle / case_files.VIEWER, report / "cases")
    write_tsv(pd.DataFrame(listed, columns=list(COLUMNS)), report / "cases.tsv")
    decided = request.postprocessing.in_words() if request.postprocessing else ""
    digests = case_files.digests(listed)
    shown = ShownPredictions(results, request.labels, digests, networks_of(request), decided)
    pages.write(page(shown, bundle), report / "index.html")
    logger.info("%s", report / "index.html")


def page(shown: ShownPredictions, bundle: Path) -> str:
    """The whole page.

    Args:
        shown: what it is made of.
        bundle: folder of styles and scripts.
    """
    study_data = script_data.data_of_maps(shown, shown.scans, PREDICTION, PREDICTION.capitalize())
    rows_data = script_data.rows_of_maps(shown, shown.scans, "predicted_ml")
    return sectioned_page.render(SECTIONS, shown, HEADING, bundle, "scans.js", study_data, rows_data)


def networks_of(request: Request) -> list[str]:
    """What the networks are called: their model, seed and fold, as far as their records tell."""
    return [_in_print(record) for folds in request.records for record in folds]


def _in_print(record: Mapping[str, Any]) -> str:
    run = [f"{key} {record[key]}" for key in ("seed", "fold") if key in record]
    return ", ".join([record["model"], *run])


# -- the files of cases ------------------------------------------------------------------------------


def write_cases(request: Request, results: ResultTables, mask_face: bool) -> list[dict[str, Any]]:
    """Files and pictures of the predicted scans, those that are there already among them; a row for each.

    A scan that is not at hand any more, or can't be read again, has none; that is logged.

    Args:
        request: what was predicted.
        results: the folder of the predictions.
        mask_face: whether all that lies outside the skull becomes air.
    """
    before = of_earlier_runs(request.out)
    listed = []
    for row in results.table(TABLE).rows("scan_id"):
        scan = row.text("scan_id")
        if not row.has("path"):
            continue
        made_from = digest_of(row, request, mask_face)
        if before.get(scan, {}).get("made_from") == made_from:
            listed.append(before[scan])
        elif scan in request.scans:
            try:
                listed.append(write_case(scan, row, request, mask_face) | {"made_from": made_from})
            except (BadInput, OSError) as error:
                logger.warning("%s can't be shown: %s", scan, error)
    return listed


def of_earlier_runs(out: Path) -> Mapping[str, dict[str, Any]]:
    """The rows of an earlier run's list, by scan, as far as their files are what was written."""
    path = out / "report/cases.tsv"
    if not path.is_file():
        return {}
    rows: list[dict[str, Any]] = [
        dict(row) for _, row in read_tsv(path, digest=str, made_from=str).iterrows()
    ]
    return {
        row["scan_id"]: row
        for row in rows
        if picture_of(out, row["scan_id"]).is_file()
        and (out / row["path"]).is_file()
        and sha256_of(out / row["path"]) == row["sha256"]
    }


def digest_of(row: QuotedRow, request: Request, mask_face: bool) -> str:
    """Digest of all that a case's file and picture are made from.

    Args:
        row: of the scan.
        request: what was predicted.
        mask_face: whether all that lies outside the skull becomes air.
    """
    modules = ["headct.publish.page.case_content", "headct.publish.figures.scan_picture"]
    made_from = [
        row.text("sha256"),
        row.text("source_sha256"),
        list(request.labels),
        request.ingest.intensity,
        mask_face,
        code_digest(modules, without=NO_CONTENT),
    ]
    return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()


def write_case(scan: str, row: QuotedRow, request: Request, mask_face: bool) -> dict[str, Any]:
    """Write the file and the picture of a scan, which is read again; its row of the list.

    Args:
        scan: its name.
        row: of the table of predictions.
        request: what was predicted.
        mask_face: whether all that lies outside the skull becomes air.

    Raises:
        BadInput, OSError: the scan can't be read any more.
    """
    source = sources.find(request.scans[scan], scan)
    volume = source.read(rules_from(request.ingest), lambda _grid: True, ImageFacts())
    labels = volume.grid.read(request.out / row.text("path"))
    geometry = volume.grid.geometry.as_json()
    case = Case(scan, volume.hu, {PREDICTION: labels}, geometry, list(request.labels))
    intensity = request.ingest.intensity
    image = without_face(case, intensity) if mask_face else case.image
    scan_picture.write(image, labels, case.pixel_mm, request.labels, picture_of(request.out, scan))
    return case_files.write(case, intensity, mask_face, request.out / CASES, revision=0)


def picture_of(out: Path, scan: str) -> Path:
    """The picture of a scan."""
    return out / PICTURES / f"{scan}.png"


def forget_others(out: Path, scans: Sequence[str]) -> None:
    """Delete files and pictures that are not of these scans: of maps that are gone, or with faces."""
    for folder, suffix in ((CASES, ".js"), (PICTURES, ".png")):
        for file in (out / folder).glob(f"*{suffix}"):
            if file.name.removesuffix(suffix) not in scans:
                file.unlink()


# -- the sections ------------------------------------------------------------------------------------


def scans_section(shown: ShownPredictions) -> Markup | Absent:
    """Volumes and remarks of the predicted scans, and why others are not."""
    rows = shown.scans
    return filled(
        SCANS,
        predicted=_predicted(shown, [row for row in rows if row.has("path")]),
        failed=_failed([row for row in rows if not row.has("path")]),
        file=TABLE,
    )


def _predicted(shown: ShownPredictions, rows: Sequence[QuotedRow]) -> NumberGrid:
    columns = ["Scan", *(f"{label}, mL" for label in shown.labels)]
    columns += ["Volumes from", "Remarks of the checks", "Label map"]
    link = Markup('<a class="name" href="{}{}">{}</a>')
    cells = [
        [
            opens(shown, row.text("scan_id")),
            *volumes_of(row, shown.labels),
            row.words("volumes_from"),
            in_words(remarks_of(row)),
            link.format(UP, quote(row.text("path")), row.text("path")),
        ]
        for row in rows
    ]
    words = frozenset({0, *range(len(columns) - 3, len(columns))})
    return NumberGrid("Predicted scans, with the volumes of their lesions", columns, cells, words)


def _failed(rows: Sequence[QuotedRow]) -> NumberGrid:
    cells = [[name(row.text("scan_id")), row.words("reason")] for row in rows]
    return NumberGrid("Scans that could not be predicted", ["Scan", "Why"], cells, frozenset({0, 1}))


def pictures(shown: ShownPredictions) -> Markup | Absent:
    """A picture of each scan, beside the page; a click opens the scan."""
    scans = [row.text("scan_id") for row in shown.scans if row.text("scan_id") in shown.cases]
    beside = [(scan, f"cases/pictures/{quote(scan)}.png") for scan in scans]
    return filled(GALLERY, pictures=beside, labels=shown.labels.labels) if scans else Absent()


def viewer(shown: ShownPredictions) -> Markup | Absent:
    """Scans with the outlines of the predicted maps."""
    scans = [row.text("scan_id") for row in shown.scans if row.has("path")]
    return viewer_of(shown, scans) if scans else Absent()


def networks(shown: ShownPredictions) -> Markup | Absent:
    """Which networks drew."""
    first = next((row for row in shown.scans if row.has("networks")), None)
    digest = code(first.words("networks")) if first else ""
    return filled(NETWORKS, networks=shown.networks, postprocessing=shown.postprocessing, digest=digest)


SECTIONS = (
    Section("scans", "Scans", scans_section),
    Section("pictures", "Pictures", pictures),
    Section("case", "Maps on CT", viewer),
    Section("networks", "Networks", networks),
)
"""The parts of the page, in order."""
