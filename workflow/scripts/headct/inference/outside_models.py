"""Take the label maps of a model that was made elsewhere: ``python -m headct outside --help``.

What ``predict`` does for models that are trained here: a label map of each test scan on the scan's own grid,
and the list of them, with the digest of what each was made from. Maps are read and placed as raters' masks
are. All that can't be used are told together, and nothing is listed then.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headct.contracts import labels as label_sets
from headct.contracts import sets
from headct.contracts.artefacts import digest_of_path, read_json, sha256_of, write_tsv
from headct.contracts.labels import LabelSet
from headct.contracts.plurals import counted
from headct.contracts.problems import BadInput, Problem, gathered
from headct.frameworks.outside import label_maps, maps_folder
from headct.imaging import geometry, masks, nifti
from headct.imaging.masks import MaskRules
from headct.settings import outside
from headct.settings.outside import External

logger = logging.getLogger(__name__)

NO_MAP = "no label map of it was handed over"
"""Why such a scan has no prediction, where the settings allow that."""


@dataclass(frozen=True)
class Taking:
    """How label maps are taken.

    Attributes:
        key: of the model in the configuration, for messages.
        rules: what the values of the maps mean.
        labels: the study's lesions.
        data: folder of the converted scans.
        out: folder that label maps are written into.
    """

    key: str
    rules: MaskRules
    labels: LabelSet
    data: Path
    out: Path

    def take(self, scan: str, source: Path) -> dict[str, Any]:
        """Write the label map of a scan; its columns of the list.

        Raises:
            BadInput: it can't be used.
        """
        start = time.monotonic()
        grid = geometry.from_json(read_json(self.data / scan / "scan.json")["geometry"])
        found = label_maps.read(source, self.rules, self.labels, grid, f"{self.key}.labels")
        path = self.out / f"{scan}.nii.gz"
        nifti.write(masks.to_image(found, grid), path)
        return {
            "path": os.path.relpath(path, self.out.parent),
            "sha256": sha256_of(path),
            "seconds": round(time.monotonic() - start, 2),
            "reason": "",
            "source_sha256": digest_of_path(source),
        }


def main(
    *,
    model: str,
    settings: str,
    labels: str,
    split: Path,
    data: Path,
    manifest: Path,
    revision: int = 0,
) -> None:
    """Take the label maps of the test scans that a model made elsewhere, and check them.

    Args:
        model: key of the model in the config.
        settings: JSON: where its label maps are, and what their values mean.
        labels: JSON: the lesion classes, in their order.
        split: split.tsv.
        data: folder of the converted scans.
        manifest: list of the label maps.
        revision: how often files were lost or changed.
    """
    import pandas as pd

    of_model, lesions = outside.given(settings), label_sets.read(labels)
    scans, key = sets.test_scans(split), f"models.{model}"
    found = maps_folder.find(Path(of_model.folder), scans, f"{key}.folder")
    rules = label_maps.rules_of(of_model.values(lesions))
    taking = Taking(key, rules, lesions, data, manifest.with_suffix(""))
    problems = missing(of_model, key, scans, found)
    rows = []
    for scan in scans:
        row: dict[str, Any] = {"scan_id": scan, "path": "", "sha256": "", "seconds": 0.0, "reason": NO_MAP}
        with gathered(problems):
            row |= taking.take(scan, found[scan]) if scan in found else {"source_sha256": ""}
        rows.append({**row, "revision": revision})
    if problems:
        raise BadInput(problems)
    logger.info("%s: took %s of %d", model, counted(len(found), "label map"), len(scans))
    for stale in set(taking.out.glob("*.nii.gz")) - {taking.out / f"{scan}.nii.gz" for scan in found}:
        stale.unlink()
    write_tsv(pd.DataFrame(rows), manifest)


def missing(settings: External, key: str, scans: list[str], found: Mapping[str, Path]) -> list[Problem]:
    """The scans without a label map, unless the settings allow that.

    Args:
        settings: of the model.
        key: of the model, for messages.
        scans: of the test set.
        found: label maps by scan.
    """
    if settings.may_be_missing:
        return []
    message = (
        "there is no label map of this test scan, called by its scan_id; where the model could make none, and"
        " that is to count as wrong, set missing to no_prediction"
    )
    return [Problem(settings.folder, message, row=scan, key=key) for scan in scans if scan not in found]
