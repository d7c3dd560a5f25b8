"""Take the label maps of a model that was made elsewhere: ``python -m headct outside --help``.

What ``predict`` does for models that are trained here: a label map of each scan of a set on the scan's own
grid, and the list of them, with the digest of what each was made from. Maps are read and placed as raters'
masks are. All that can't be used are told together, and nothing is listed then.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from headct.contracts import labels as label_sets
from headct.contracts import sets
from headct.contracts.artefacts import digest_of_path, read_json, read_tsv, sha256_of, write_tsv
from headct.contracts.labels import LabelSet
from headct.contracts.plurals import counted
from headct.contracts.problems import BadInput, Problem, first_few, gathered
from headct.frameworks.outside import label_maps, maps_folder, users_command
from headct.frameworks.outside.maps_folder import OUTSIDE
from headct.frameworks.outside.users_command import CommandJob
from headct.imaging import geometry, masks, nifti
from headct.imaging.masks import MaskRules
from headct.settings import outside
from headct.settings.outside import Command, External

logger = logging.getLogger(__name__)

NO_MAP = {External: "no label map of it was handed over", Command: "its command made no label map of it"}
"""Why such a scan has no prediction, where the settings allow that."""


FEWEST_VOXELS = 100
"""Of lesions, from which on no two heads are outlined alike by chance; a speck at an image's edge may be."""


@dataclass(frozen=True)
class Taking:
    """How label maps are taken.

    Attributes:
        key: of the model in the configuration, for messages.
        rules: what the values of the maps mean.
        labels: the study's lesions.
        data: folder of the converted scans.
        out: folder that label maps are written into.
        has_probabilities: whether the files hold those of all classes.
    """

    key: str
    rules: MaskRules
    labels: LabelSet
    data: Path
    out: Path
    has_probabilities: bool

    def take(self, scan: str, source: Path, digest: str = "") -> tuple[dict[str, Any], str]:
        """Write the label map of a scan; its columns of the list, and what it shows (:func:`drawing_of`).

        Args:
            scan: identifier of the scan.
            source: its label map, as it was made.
            digest: SHA-256 of what made it; left out, the label map itself was handed over.

        Raises:
            BadInput: it can't be used.
        """
        start = time.monotonic()
        grid = geometry.from_json(read_json(self.data / scan / "scan.json")["geometry"])
        setting = f"{self.key}.labels"
        found = label_maps.read(source, self.rules, self.labels, grid, setting, self.has_probabilities)
        path = self.out / f"{scan}.nii.gz"
        nifti.write(masks.to_image(found, grid), path)
        columns = {
            "path": os.path.relpath(path, self.out.parent),
            "sha256": sha256_of(path),
            "seconds": round(time.monotonic() - start, 2),
            "reason": "",
            "source_sha256": digest or digest_of_path(source),
        }
        return columns, drawing_of(found)


def main(
    *,
    model: str,
    settings: str,
    labels: str,
    split: Path,
    data: Path,
    device: Literal["cpu", "cuda"] = "cpu",
    threads: int = 1,
    work: Path = Path("work"),
    manifest: Path,
    in_set: str = sets.TEST,
    revision: int = 0,
) -> None:
    """Take the label maps that a model made elsewhere, or run its command; check them.

    Args:
        model: key of the model in the config.
        settings: JSON: where its label maps are, or its command, and what their values mean.
        labels: JSON: the lesion classes, in their order.
        split: split.tsv, or the table of an external set.
        data: folder of the converted scans.
        device: that a command may compute on.
        threads: CPU threads that a command may use.
        work: scratch folder of what a command makes.
        manifest: list of the label maps.
        in_set: the set whose scans it is of, as the table names it: test, external:NAME.
        revision: how often files were lost or changed.
    """
    import pandas as pd

    of_model, lesions = outside.given(settings), label_sets.read(labels)
    scans, key = sets.scans_of(split, in_set), f"models.{model}"
    digest = ""
    if isinstance(of_model, Command):
        digest = maps_folder.digest_of(of_model)
        job = CommandJob(of_model, key, device, threads, work / OUTSIDE / model / digest[:16])
        found = users_command.label_maps(job, cts(split, data, scans))
    else:
        found = maps_folder.find(of_model, scans, f"{key}.folder")
    rules = label_maps.rules_of(of_model.values(lesions))
    taking = Taking(key, rules, lesions, data, manifest.with_suffix(""), of_model.has_probabilities)
    problems = [] if of_model.may_be_missing else missing(of_model, key, scans, found)
    rows, drawings = [], {}
    for scan in scans:
        row: dict[str, Any] = {
            "scan_id": scan,
            "path": "",
            "sha256": "",
            "seconds": 0.0,
            "reason": NO_MAP[type(of_model)],
            "source_sha256": digest,
        }
        with gathered(problems):
            if scan in found:
                columns, drawings[scan] = taking.take(scan, found[scan], digest)
                row |= columns
        rows.append({**row, "revision": revision})
    problems += of_two_heads(drawings, participants(split), found, key)
    if problems:
        raise BadInput(problems)
    logger.info("%s: took %s of %d", model, counted(len(found), "label map"), len(scans))
    for stale in set(taking.out.glob("*.nii.gz")) - {taking.out / f"{scan}.nii.gz" for scan in found}:
        stale.unlink()
    write_tsv(pd.DataFrame(rows), manifest)


def drawing_of(label_map: NDArray[np.uint8]) -> str:
    """SHA-256 of a label map's shape and voxels; "" of one that other heads may have, too (few voxels)."""
    if np.count_nonzero(label_map) < FEWEST_VOXELS:
        return ""
    return hashlib.sha256(repr(label_map.shape).encode() + label_map.tobytes()).hexdigest()


def participants(split: Path) -> dict[str, str]:
    """The participant of each scan.

    Args:
        split: split.tsv, or the table of an external set.
    """
    return dict(read_tsv(split).set_index("scan_id")["participant_id"])


def of_two_heads(
    drawings: Mapping[str, str], participant_of: Mapping[str, str], found: Mapping[str, Path], key: str
) -> Iterator[Problem]:
    """Scans with the label map, voxel for voxel, of another participant's: one of them has the other's file.

    Scans of one participant may share one, as two reconstructions of an acquisition do.

    Args:
        drawings: of the scans, as :func:`drawing_of` tells them apart.
        participant_of: by scan.
        found: label maps by scan.
        key: of the model, for messages.
    """
    scans_with = defaultdict(list)
    for scan, drawing in drawings.items():
        scans_with[drawing].append(scan)
    for scan, drawing in drawings.items():
        others = [one for one in scans_with[drawing] if participant_of[one] != participant_of[scan]]
        if drawing and others:
            message = (
                f"the same label map, voxel for voxel, as of {first_few(others)}, another participant's:"
                " whose is it? Each scan needs the one that the model made of it"
            )
            yield Problem(str(found[scan]), message, row=scan, key=key)


def cts(split: Path, data: Path, scans: Sequence[str]) -> dict[str, tuple[Path, str]]:
    """File and SHA-256 of the CT of each scan.

    Args:
        split: split.tsv.
        data: folder of the converted scans.
        scans: identifiers of the scans.
    """
    digests = read_tsv(split, ct_sha256=str).set_index("scan_id")["ct_sha256"]
    return {scan: (data / scan / "ct.nii.gz", str(digests[scan])) for scan in scans}


def missing(
    settings: External | Command, key: str, scans: Sequence[str], found: Mapping[str, Path]
) -> list[Problem]:
    """The scans without a label map.

    Args:
        settings: of the model.
        key: of the model, for messages.
        scans: of the set.
        found: label maps by scan.
    """
    if isinstance(settings, Command):
        place, message = key, "the command made no label map of this test scan (its log may say why)"
    else:
        place, message = settings.folder, "there is no label map of this test scan, called by its scan_id"
    message += (
        "; where the model could make none, and that is to count as wrong, set missing to no_prediction"
    )
    return [Problem(place, message, row=scan, key=key) for scan in scans if scan not in found]
