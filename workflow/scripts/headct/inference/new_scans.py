"""Predict scans that are not of the trial (:mod:`headct.run.predict_new_scans`).

Each path is a NIfTI file, a folder of NIfTI files, a folder of one scan's DICOM files, or a folder
of such folders. DICOM is read as ingest reads it, with its checks. Label maps lie on the grid of what
was handed over, named after it or numbered; beside them ``predictions.tsv`` lists volumes and failures. A
scan that is listed there is not predicted again.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import SimpleITK as sitk

from headct.cohort.ingest import rules_from
from headct.contracts import postprocessing as decisions
from headct.contracts.artefacts import read_tsv, sha256_of, write_tsv
from headct.contracts.labels import LabelSet
from headct.contracts.postprocessing import Postprocessing
from headct.contracts.problems import BadInput, Ineligible, Problem, gathered
from headct.engine.machine import require_device
from headct.imaging import sources
from headct.imaging.fitness import SeriesRules
from headct.imaging.scan_files import root_of
from headct.imaging.sources.image_source import ImageFacts, Volume
from headct.inference.at_work import NOTE, AtWork
from headct.inference.predict import Members
from headct.inference.prediction_cache import (
    Records,
    given_settings,
    labels_of,
    networks_and_settings,
    trained_records,
)
from headct.settings import blocks
from headct.settings.models import InferenceByModel

logger = logging.getLogger(__name__)

TABLE = "predictions.tsv"
LONGEST_NAME = 100
"""Bytes of a scan's name; a file that is being written has it twice in its own, of 255 at most."""

GIVEN, NUMBERS = "given", "numbers"


@dataclass
class NewScan:
    """A scan as it was handed over, and what reading it tells.

    Attributes:
        name: what its outputs are called.
        number: its place in the list of scans, from 1.
        labels: the lesions that the networks know.
        is_numbered: whether the name is but that place.
        at_work: where it is noted while something is done with it.
    """

    name: str
    source: Path
    number: int
    out: Path
    rules: SeriesRules
    labels: LabelSet
    patient_id_is_pseudonym: bool
    is_numbered: bool = False
    at_work: AtWork | None = None
    flags: list[str] = field(default_factory=list)

    @cached_property
    def sha256(self) -> str:
        """As :func:`digest_of`; "" where there is no file to read."""
        try:
            return digest_of(self.source) if self.source.is_dir() or self.source.is_file() else ""
        except OSError:
            return ""

    @property
    def path(self) -> Path:
        """The label map."""
        return self.out / f"{self.name}.nii.gz"

    def read(self) -> sitk.Image:
        """The CT with its axes in LPS order; :meth:`write` turns the label map back.

        Raises:
            BadInput: the scan can't be predicted, and why.
        """
        if not self.is_numbered and (unfit := unfit_as_a_name(name_of(self.source))):
            raise self._refused(f"{unfit}: rename it, or name the outputs by '--names numbers'")
        if self.at_work:
            if self.sha256 in self.at_work.passed_over:
                if self.source.is_dir() and not self.is_numbered:
                    self.name = unnamed(self.number)  # whether its own names the patient can't be known
                raise self._refused(
                    "passed over: an earlier run was killed, or crashed, while it worked on this scan alone;"
                    f" to try again, delete {NOTE} beside the table"
                )
            self.at_work.begin(self.sha256)
        volume = self._volume()
        self._grid = volume.grid  # without the voxels: a run of a thousand scans has no room for all
        return volume.grid.image(volume.hu)

    def _volume(self) -> Volume:
        facts = ImageFacts()
        try:
            source = sources.find(self.source, self.name)
            ids = {"scan_id": self.name, "participant_id": ""}
            if not self.is_numbered and (refused := source.refusals(ids, self.patient_id_is_pseudonym)):
                self.name = unnamed(self.number)  # the name identifies the patient: nothing may repeat it
                raise BadInput([*refused, Problem(self.name, "or name the outputs by '--names numbers'")])
            volume = source.read(self.rules, lambda _grid: True, facts)
        except (Ineligible, sources.NoImage) as error:
            raise BadInput([Problem(self.name, str(error))]) from None
        self.flags = facts.flags
        return volume

    def _refused(self, message: str) -> BadInput:
        return BadInput([Problem(self.name, message)])

    def write(self, labels: np.ndarray) -> dict[str, Any]:
        """Write the label map on the grid that was handed over; volumes in mL."""
        self._grid.write(labels, self.path)
        volumes = {f"{name}_ml": self._grid.volume_ml(labels == value) for name, value in self.labels.items()}
        return {
            "path": self.path.name,
            "sha256": sha256_of(self.path),
            "source_sha256": self.sha256,
            **volumes,
            "volumes_from": self._grid.volumes_from,
            "flags": " ".join(self.flags),
        }


def columns_of(labels: LabelSet) -> list[str]:
    """Columns of the table; ``networks`` is :func:`networks_of`, ``source_sha256`` digests the scan."""
    volumes = [f"{name}_ml" for name in labels]
    found = ["scan_id", "path", "sha256", "source_sha256", *volumes]
    return [*found, "volumes_from", "flags", "seconds", "reason", "networks"]


TEXTS = ("path", "sha256", "source_sha256", "networks", "flags", "reason", "volumes_from")
"""Columns that are text, empty where there is nothing to say."""


def find(paths: Sequence[Path], by_number: bool = False) -> dict[str, Path]:
    """The scans below what the user named: name and NIfTI file, or folder of DICOM files.

    A scan whose own name can't be that of a file or a row is called as :func:`unnamed` says.

    Args:
        paths: files and folders.
        by_number: whether the names are the scans' places in the list, not their own.

    Raises:
        BadInput: every path that does not exist, holds nothing or can't be read, and two scans of one name.
    """
    found: list[Path] = []
    problems = []
    for path in paths:
        try:
            below = _scans_of(path)
        except sources.NoImage as error:
            problems.append(Problem(shown(path), str(error)))
        except OSError as error:
            problems.append(Problem(shown(path), f"the folder can't be read: {error.strerror}"))
        else:
            found += below
            problems += [] if below else [Problem(shown(path), "an empty folder")]
    names = [f"input-{number}" if by_number else name_of(path) for number, path in enumerate(found, start=1)]
    names = [unnamed(k) if unfit_as_a_name(name) else name for k, name in enumerate(names, start=1)]
    for name, times in Counter(names).items():
        if times > 1:
            message = f"{times} scans have this name, after which their label maps would be called"
            problems.append(Problem("--scans", message, value=name))
    if problems:
        raise BadInput(problems)
    return dict(zip(names, found, strict=True))


def unnamed(number: int) -> str:
    """What a scan is called in the table whose own name may not, or can't, stand there."""
    return f"input {number}"


def unfit_as_a_name(name: str) -> str:
    """Why a name can't be that of a label map and a row of the table; empty where it can."""
    if not name:
        return "it has no name"
    if not name.isprintable():
        return "its name is not UTF-8 text, or has characters that can't be seen"
    if len(name.encode()) > LONGEST_NAME:
        return f"its name is longer than {LONGEST_NAME} bytes"
    return ""


def shown(path: Path) -> str:
    """A path as a message may have it: bytes that are no text are escaped."""
    return str(path).encode("utf-8", "backslashreplace").decode()


def _scans_of(path: Path) -> list[Path]:
    """Scans in files of a folder, else its subfolders, unless it is one scan: such as one of DICOM files.

    Raises:
        sources.NoImage: a file that no source takes.
        OSError: a folder that can't be read.
    """
    if not path.is_dir():
        if reason := sources.why_not(path):
            raise sources.NoImage(reason)
        return [path]
    if not sources.takes_as_any_folder(path):
        return [path]
    entries = [entry for entry in sorted(path.iterdir()) if not entry.name.startswith(".")]
    folders = [entry for entry in entries if entry.is_dir()]
    files = [entry for entry in entries if entry not in folders]
    scans = [entry for entry in files if sources.is_scan(entry)]
    if not scans and not any(sources.is_part_of_scan(entry) for entry in files):
        scans = folders
    if not scans:
        return [path] if entries else []
    if len(scans) < len(entries):
        logger.warning(
            "%s: %d scans, and %d other entries", shown(path), len(scans), len(entries) - len(scans)
        )
    return scans


def name_of(path: Path) -> str:
    """What the scan at a path is called: the file's name without suffix, or the folder's.

    As it was handed over: what a link points to may be called after the patient.
    """
    path = root_of(path)
    name = Path(os.path.abspath(path)).name  # noqa: PTH100 (Path.absolute keeps "..")
    return name if path.is_dir() else sources.name_without_suffix(name)


def digest_of(source: Path) -> str:
    """The fingerprint of a scan.

    Raises:
        OSError: it is gone, or can't be read.
    """
    return sources.find(source, name_of(source)).fingerprint()


def networks_of(records: Records, settings: InferenceByModel, postprocessing: Postprocessing | None) -> str:
    """Short digest of the weights that are averaged, the settings they predict by, and post-processing."""
    defined_by = networks_and_settings(records, settings, postprocessing)
    return hashlib.sha256(json.dumps(defined_by, sort_keys=True).encode()).hexdigest()[:16]


def finished(scans: Mapping[str, Path], out: Path, networks: str, labels: LabelSet) -> list[dict[Any, Any]]:
    """Rows of ``predictions.tsv`` that stay: those of predicted scans, as far as their files are there.

    Args:
        scans: folder or file of each, by name.
        out: folder of the predictions.
        networks: digest of what decides label maps but the CT.
        labels: the label set.

    Raises:
        BadInput: the folder can't be one of predictions, or something lies in it that would be overwritten
            or mixed with what it is not: predictions of other networks, settings or scans of the same
            name, label maps that were changed, or that no table lists.
    """
    if out.exists() and not out.is_dir():
        raise BadInput([Problem(shown(out), "a file, where label maps and table need a folder", key="--out")])
    rows = read_table(out / TABLE, labels) if (out / TABLE).exists() else []
    problems = []
    if any(row["networks"] != networks for row in rows):
        problems.append(
            Problem(str(out / TABLE), "predictions of other networks or settings; choose another folder")
        )
    rows = [row for row in rows if row["path"] and (out / row["path"]).exists()]
    for row in rows:
        if sha256_of(out / row["path"]) != row["sha256"]:
            message = f"was changed since {TABLE} was written: move it away"
            problems.append(Problem(str(out / row["path"]), message))
        if is_of_another(scans.get(row["scan_id"]), row["source_sha256"]):
            message = "is of another scan of this name, or this place in the list: choose another folder"
            problems.append(Problem(str(out / row["path"]), message))
    listed = {row["path"] for row in rows}
    for name in scans:
        path = out / f"{name}.nii.gz"
        if path.exists() and path.name not in listed:
            problems.append(Problem(str(path), f"is there, and {TABLE} does not list it: move it away"))
    if problems:
        raise BadInput(problems)
    return rows


def is_of_another(source: Path | None, predicted_from: str) -> bool:
    """Whether a scan that is handed over is not the one that was predicted; false where neither is known."""
    if source is None or not predicted_from:
        return False
    try:
        return digest_of(source) != predicted_from
    except OSError:  # gone, or a broken link: what was predicted stays
        return False


def read_table(path: Path, labels: LabelSet) -> list[dict[Any, Any]]:
    """The rows of ``predictions.tsv``; of one that was written before a column was, it is empty.

    Raises:
        BadInput: it is no such table.
    """
    try:
        table = read_tsv(path, **dict.fromkeys(TEXTS, str))
    except (OSError, ValueError) as error:  # pandas' errors of parsing are ValueErrors
        raise BadInput([Problem(str(path), f"it can't be read as a table: {error}")]) from error
    if absent := [name for name in ("scan_id", "path", "sha256", "networks") if name not in table]:
        raise BadInput([Problem(str(path), "no table of predictions: a column is missing", key=absent[0])])
    rows: list[dict[Any, Any]] = (
        table.reindex(columns=columns_of(labels)).fillna(dict.fromkeys(TEXTS, "")).to_dict("records")
    )
    return rows


@dataclass(frozen=True)
class Request:
    """What is to be predicted, checked.

    Attributes:
        members: trained-model folders, one per fold of each member.
        records: their ``train.json``.
        by_model: settings of inference.
        labels: the lesions that the networks know.
        postprocessing: what is done with label maps at the end; None for nothing.
        scans: files and folders by the name of the scan.
        by_number: whether these names are but places in a list.
        ingest: how scans are read.
        device: what computes.
        threads: CPU threads in all.
        out: folder of label maps and table.
    """

    members: Members
    records: Records
    by_model: InferenceByModel
    labels: LabelSet
    postprocessing: Postprocessing | None
    scans: Mapping[str, Path]
    by_number: bool
    ingest: blocks.Ingest
    device: Literal["cpu", "cuda"]
    threads: int
    out: Path


@dataclass(frozen=True)
class Done:
    """What became of a request: how many scans were tried, and why some were not predicted."""

    tried: int
    reasons: Sequence[str]

    def require_any(self) -> None:
        """Raise RuntimeError where scans were tried, and none could be predicted."""
        if self.tried and len(self.reasons) == self.tried:
            raise RuntimeError(f"no scan could be predicted; the first: {self.reasons[0]}")


def requested(
    member: Members,
    settings: str,
    device: Literal["cpu", "cuda"],
    threads: int,
    scans: Sequence[Path],
    out: Path,
    ingest: str,
    names: str,
    postprocessing: str = "",
) -> Request:
    """What is to be predicted.

    Args:
        member: trained-model folders, one per fold of each member.
        settings: JSON: settings of inference by model.
        device: what computes.
        threads: CPU threads in all.
        scans: files and folders.
        out: folder of label maps and table.
        ingest: JSON: the ingest block of the config.
        names: ``given`` or ``numbers``.
        postprocessing: file of the decision of the study, ``none``, or empty where there is none to choose.

    Raises:
        BadInput: everything that is wrong with any of it.
    """
    require_device(device)
    problems: list[Problem] = []
    by_number = names == NUMBERS
    with gathered(problems):
        of_ingest = blocks.given(blocks.Ingest, ingest, "--ingest")
        rules_from(of_ingest)
    with gathered(problems):
        found = find(scans, by_number)
    with gathered(problems):
        records = trained_records(member)
        labels, by_model = labels_of(records), given_settings(settings, records)
        decision = decided(postprocessing, member, records, labels)
    if problems:
        raise BadInput(problems)
    return Request(
        member, records, by_model, labels, decision, found, by_number, of_ingest, device, threads, out
    )


def decided(given: str, member: Members, records: Records, labels: LabelSet) -> Postprocessing | None:
    """The post-processing that label maps of these networks get; None for none.

    Args:
        given: file of the decision, ``none``, or empty where nothing was said.
        member: trained-model folders, one per fold of each member.
        records: their ``train.json``.
        labels: the lesions that the networks know.

    Raises:
        BadInput: the file is none of these networks, or nothing was said though one lies beside their
            folders.
    """
    if given and given != decisions.NONE:
        return decisions.read_for(Path(given), [record for folds in records for record in folds], labels)
    beside = {folder.resolve().parent / decisions.FILE for folds in member for folder in folds}
    there = [path for path in sorted(beside) if path.is_file()]
    if there and not given and len(member) == 1:  # members of an ensemble are averaged without theirs
        message = (
            "the study post-processes the label maps of these networks: give --postprocessing this file to do"
            f" the same, or --postprocessing {decisions.NONE}"
        )
        raise BadInput([Problem(str(path), message) for path in there])
    return None


def predict(request: Request) -> Done:
    """Predict the scans that no earlier run has; label maps and table are written one scan after the other.

    Raises:
        BadInput: something in the folder would be overwritten or mixed with what it is not.
    """
    import pandas as pd

    from headct.inference import pipeline

    out, labels, rules = request.out, request.labels, rules_from(request.ingest)
    networks = networks_of(request.records, request.by_model, request.postprocessing)
    rows = finished(request.scans, out, networks, labels)
    listed = {row["scan_id"] for row in rows}
    at_work = AtWork(out)
    is_pseudonym = request.ingest.patient_id_is_pseudonym
    wanted = [
        NewScan(name, source, number, out, rules, labels, is_pseudonym, request.by_number, at_work)
        for number, (name, source) in enumerate(request.scans.items(), start=1)
        if name not in listed
    ]
    n_scans = len(request.scans)
    if len(wanted) < n_scans:
        logger.info("%d of %d scans were predicted before: skipped", n_scans - len(wanted), n_scans)
    ensemble = pipeline.load(
        request.members, request.device, request.by_model, labels, request.postprocessing
    )
    reasons: list[str] = []

    def done(outcome: pipeline.Outcome) -> None:
        row = {"scan_id": outcome.scan.name, "seconds": outcome.seconds, "reason": outcome.reason}
        rows.append({**row, **outcome.columns, "networks": networks})
        table = pd.DataFrame(rows, columns=columns_of(labels))
        write_tsv(table, out / TABLE)  # now: a kill loses one scan
        assert isinstance(outcome.scan, NewScan)
        at_work.end(outcome.scan.sha256)
        reasons.extend([outcome.reason] if outcome.reason else [])

    doubtful = [scan for scan in wanted if scan.sha256 in at_work.doubtful] if at_work.doubtful else []
    together = [scan for scan in wanted if scan not in doubtful]
    with at_work.struck_out_at_the_end():
        for group_of in (together, *([scan] for scan in doubtful)):
            pipeline.predict(
                ensemble,
                group_of,
                request.device,
                request.threads,
                "new scans",
                done,
                memory_ends_run=False,
            )
    if reasons:
        logger.warning("%d of %d scans were not predicted: %s", len(reasons), len(wanted), out / TABLE)
    return Done(len(wanted), reasons)
