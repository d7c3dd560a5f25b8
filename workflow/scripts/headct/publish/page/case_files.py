"""The files of cases that the page of results opens: one script for each test scan, and the list of them."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import SimpleITK as sitk

from headct.contracts import labels as label_sets
from headct.contracts import sets
from headct.contracts.artefacts import read_json, sha256_of, write_atomically, write_tsv
from headct.contracts.labels import LabelSet
from headct.contracts.problems import WrongOptions
from headct.imaging.hounsfield import Intensity
from headct.metrics.predictions import Run
from headct.publish.figures import shown_scores
from headct.publish.figures.slices import load_scan, runs_to_show
from headct.publish.page.case_content import TRUTH, Case, content_of, script
from headct.settings.blocks import Report
from headct.statistics.core import scores

logger = logging.getLogger(__name__)

COLUMNS = ("scan_id", "path", "sha256", "bytes", "digest", "revision")
"""Of the list: file of each case, below the results, digest in it, how often files were lost and remade."""

VIEWER = "viewer.js"
"""Beside the cases' folder: the browser's part that shows them, of the page's bundle."""

BYTES_PER_VOXEL = 0.5
"""About, of a head CT with the label maps of ten models: docs/decisions/case-files.md."""


def main(
    *,
    which: str,
    split: Path,
    data: Path,
    predictions: list[Path],
    metrics: list[Path] | None = None,
    labels: str,
    select_by: str,
    rank_by: str,
    intensity: Intensity,
    mask_face: bool = False,
    viewer: Path,
    revision: int = 0,
    out: Path,
) -> None:
    """Write the files of the cases that the page of results opens, and the list of them.

    Args:
        which: all, or "worst N": those with the lowest Dice.
        split: split.tsv; its test scans count.
        data: folder of the converted scans.
        predictions: manifests of one seed of each model, at MODEL/seed-N.tsv.
        metrics: metrics tables, by which the worst are found.
        labels: JSON: the lesion classes, in their order.
        select_by: model whose Dice ranks the cases.
        rank_by: dice or dice_present, as of the figures of cases.
        intensity: what the values of images are: hounsfield or windowed.
        mask_face: make air of what lies outside the skull.
        viewer: viewer.js of the bundle, which is copied beside the cases.
        revision: how often files were lost and remade.
        out: the list to write; the cases go into cases/ beside it.
    """
    lesions = label_sets.read(labels)
    scans = sets.test_scans(split)
    try:
        limit = Report(cases=which, mask_face=mask_face).number_of_cases(len(scans))
    except ValueError as error:
        raise WrongOptions(f"--which {error}") from error
    if 0 < limit < len(scans):
        scans = worst(scans, metrics or [], lesions, select_by, rank_by)
    scans = scans[:limit]
    runs = runs_to_show(predictions, [manifest.parent.name for manifest in predictions])
    folder = out.parent / "cases"
    say_size(scans, data, folder)
    rows = [
        write(read(data / scan, runs, lesions), intensity, mask_face, folder / "scans", revision)
        for scan in scans
    ]
    for stale in {*(folder / "scans").glob("*.js")} - {out.parents[1] / row["path"] for row in rows}:
        stale.unlink()
    put_viewer(viewer, folder)
    write_tsv(pd.DataFrame(rows, columns=list(COLUMNS)), out)


def digests(listed: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The digest in the file of each case, by scan, from rows of the list."""
    return {row["scan_id"]: row["digest"] for row in listed}


def put_viewer(viewer: Path, folder: Path) -> None:
    """Copy the bundled viewer into the folder of the cases."""
    with write_atomically(folder / VIEWER) as temporary:
        shutil.copyfile(viewer, temporary)


def worst(
    scans: Sequence[str],
    metrics: Sequence[Path],
    labels: LabelSet,
    select_by: str,
    rank_by: str,
) -> list[str]:
    """Scans by Dice, the worst first: those without a prediction, then by the figures' ranking.

    Args:
        scans: all test scans.
        metrics: metrics tables.
        labels: the lesion classes.
        select_by: model by whose mean Dice they are ranked.
        rank_by: which Dice.

    Raises:
        BadInput: the model has no metrics.
    """
    table = scores.first_seed(scores.read(metrics, [select_by], labels))
    failed = table[(table["model"] == select_by) & (table["failure"] != "")]["scan_id"]
    ranked = shown_scores.ranked(table, select_by, best=False, n=len(scans), rank_by=rank_by)
    return [*sorted(set(failed)), *ranked.index]


def say_size(scans: Sequence[str], data: Path, folder: Path) -> None:
    """Log how much disk the cases will take."""
    sizes = [read_json(data / scan / "scan.json")["geometry"]["size_xyz"] for scan in scans]
    megabytes = sum(x * y * z for x, y, z in sizes) * BYTES_PER_VOXEL / 1e6
    logger.info("%d cases, about %.2g MB in %s (report.cases)", len(scans), megabytes, folder)


def read(folder: Path, runs: Mapping[str, Run], labels: LabelSet) -> Case:
    """A scan's volumes and label maps.

    Raises:
        BadInput: a prediction is gone, has changed, or is not on the grid of its scan.
    """
    scan = load_scan(folder, runs)
    images = {TRUTH: scan.truth, **scan.predictions}
    return Case(
        scan_id=folder.name,
        image=sitk.GetArrayFromImage(scan.ct),
        maps={name: sitk.GetArrayFromImage(image) for name, image in images.items() if image is not None},
        geometry=read_json(folder / "scan.json")["geometry"],
        lesions=list(labels),
    )


def write(case: Case, intensity: Intensity, mask_face: bool, folder: Path, revision: int) -> dict[str, Any]:
    """Write a case's file; its row of the list, with a path below the folder that has the page's folder.

    Args:
        case: that is to be shown.
        intensity: what its values are.
        mask_face: whether all that lies outside the skull becomes air.
        folder: of the files, ``report/cases/scans`` in the results or beside them.
        revision: how often files were lost and remade.
    """
    path = folder / f"{case.scan_id}.js"
    content = content_of(case, intensity, mask_face)
    with write_atomically(path) as temporary:
        temporary.write_text(script(content), encoding="ascii")
    values = (
        case.scan_id,
        path.relative_to(folder.parents[2]).as_posix(),
        sha256_of(path),
        path.stat().st_size,
        content["digest"],
        revision,
    )
    return dict(zip(COLUMNS, values, strict=True))
