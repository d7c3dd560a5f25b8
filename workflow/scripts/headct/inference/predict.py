"""Predict label maps of the test scans, an external set's or held-out training scans.

``python -m headct predict --help``.

Class probabilities are averaged over the folds of a member and over the members of an ensemble, on
the scan's own grid; the label is the most probable class. A held-out training scan is predicted by the
one fold of each member that did not learn from it. A scan that fails is listed with its
reason, and the others are kept. For scans that are not of the trial: ``headct.inference.new_scans``.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter, Token

from headct.contracts import sets
from headct.contracts.artefacts import read_tsv, write_tsv
from headct.contracts.labels import LabelSet
from headct.contracts.postprocessing import Postprocessing, read_for
from headct.contracts.problems import BadInput, Problem
from headct.engine.machine import require_device
from headct.inference.prediction_cache import (
    PredictionCache,
    definition,
    given_settings,
    labels_of,
    trained_records,
)
from headct.inference.trial_scan import TrialScan
from headct.settings.models import InferenceByModel

logger = logging.getLogger(__name__)


def _by_repetition(_: Any, tokens: Sequence[Token]) -> list[list[Path]]:
    """The values of an option that may be given several times, a list for each time."""
    starts = [place for place, token in enumerate(tokens) if token.index == 0]
    paths = [Path(token.value) for token in tokens]
    return [paths[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]


Members = Annotated[list[list[Path]], Parameter(converter=_by_repetition, n_tokens=-1, metavar="FOLDER...")]
"""Option ``--member``: trained-model folders, one per fold, for each member of an ensemble."""


@dataclass(frozen=True)
class PredictionJob:
    """What is predicted, and how: options of the step, as :func:`main` describes them, and the lesions."""

    model: str
    labels: LabelSet
    settings: InferenceByModel
    device: str
    threads: int
    split: Path
    data: Path
    manifest: Path
    revision: int
    postprocessing: Postprocessing | None


def parts_of(
    member: list[list[Path]], split: Path, in_set: str, out_of_fold: list[int] | None
) -> list[tuple[list[list[Path]], list[str]]]:
    """Trained-model folders by member, and the scans that they predict.

    Args:
        member: trained-model folders, one per fold of each member.
        split: the table that names the scans.
        in_set: the set that is predicted.
        out_of_fold: folds whose training scans are predicted instead.

    Raises:
        BadInput: a folder is not that of a network which did without the fold that it is to predict.
    """
    if out_of_fold is None:
        return [(member, sets.scans_of(split, in_set))]
    problems = []
    for folders, records in zip(member, trained_records(member), strict=True):
        trained = [str(record.get("fold")) for record in records]
        if trained != [str(fold) for fold in out_of_fold]:
            message = f"trained without fold {', '.join(trained)}, not {out_of_fold}"
            problems.append(Problem(str(folders[0].parent), message, key="fold"))
    if problems:
        raise BadInput(problems)
    parts = []
    for place, fold in enumerate(out_of_fold):
        of_fold = [[folders[place]] for folders in member]
        parts.append((of_fold, sets.held_out(split, [fold])))
    return parts


def main(
    *,
    model: str,
    member: Members,
    settings: str = "{}",
    device: Literal["cpu", "cuda"],
    threads: int,
    split: Path,
    data: Path,
    work: Path,
    manifest: Path,
    in_set: str = sets.TEST,
    out_of_fold: list[int] | None = None,
    share: str = "",
    postprocessing: Path | None = None,
    revision: int = 0,
) -> None:
    """Predict label maps of the test scans, an external set's or held-out training scans.

    Args:
        model: key of the model in the config.
        member: trained-model folders, one per fold; repeat for each member of an ensemble.
        settings: JSON: settings of inference by model, as {"nnunet-2d": {"test_time_mirroring": false}}; what
            is left out is as in config/README.md.
        device: what computes.
        threads: CPU threads in all.
        split: split.tsv, or the table of an external set.
        data: folder of the converted scans.
        work: scratch folder.
        manifest: list of what was predicted.
        in_set: the set that is predicted, as the table names it: test, external:NAME.
        out_of_fold: predict the training scans of these folds instead of the test set; each member then names
            a trained-model folder per fold, in this order.
        share: of the training, whose weights the folders have; what was predicted by others is listed apart.
        postprocessing: decision of the step postprocessing on this model, which is applied to label maps.
        revision: how often files were lost and remade.
    """
    import pandas as pd

    require_device(device)
    records = trained_records(member)
    by_model, lesions = given_settings(settings, records), labels_of(records)
    trained = [record for folds in records for record in folds]
    decision = read_for(postprocessing, trained, lesions) if postprocessing else None
    job = PredictionJob(model, lesions, by_model, device, threads, split, data, manifest, revision, decision)
    set_name = in_set.replace(":", "/") if out_of_fold is None else "out-of-fold"
    set_name = f"effort/{share}" if share else set_name
    cache = PredictionCache(work / "predictions" / model / set_name / f"{manifest.stem}.json")
    parts = parts_of(member, split, in_set, out_of_fold)
    rows = [row for members, names in parts for row in predicted(job, members, names, cache)]
    if all(row["reason"] for row in rows):
        raise RuntimeError(f"no scan could be predicted; the first: {rows[0]['reason']}")
    folder = manifest.with_suffix("")
    for stale in set(folder.glob("*.nii.gz")) - {folder / f"{row['scan_id']}.nii.gz" for row in rows}:
        stale.unlink()
    write_tsv(pd.DataFrame(rows), manifest)


def predicted(
    job: PredictionJob, members: list[list[Path]], names: list[str], cache: PredictionCache
) -> list[dict[str, Any]]:
    """Predict what ``cache`` does not have; rows of the manifest for all scans, in the order of ``names``.

    Args:
        job: what is to be predicted, and how.
        members: trained-model folders, one per fold of each member.
        names: of the scans.
        cache: label maps that are there already.
    """
    from headct.inference import pipeline

    folder = job.manifest.with_suffix("")
    scans = {
        name: TrialScan(name, job.data / name / "ct.nii.gz", folder / f"{name}.nii.gz") for name in names
    }
    ct_sha256 = read_tsv(job.split, ct_sha256=str).set_index("scan_id")["ct_sha256"]
    defined_by = definition(members, job.settings, job.device, job.threads, job.postprocessing)
    rows: dict[str, dict[str, Any]] = {}

    def add(name: str, sha256: str, seconds: float, reason: str = "") -> None:
        rows[name] = {
            "scan_id": name,
            "path": "" if reason else os.path.relpath(scans[name].out, job.manifest.parent),
            "sha256": sha256,
            "seconds": seconds,
            "reason": reason,
            "revision": job.revision,
        }

    def done(outcome: pipeline.Outcome) -> None:
        name, sha256 = outcome.scan.name, outcome.columns.get("sha256", "")
        if outcome.reason:
            scans[name].out.unlink(missing_ok=True)
        else:
            cache.add(name, (defined_by, ct_sha256[name]), sha256, outcome.seconds)
        add(name, sha256, outcome.seconds, outcome.reason)

    for name, scan in scans.items():
        if entry := cache.find(name, (defined_by, ct_sha256[name]), scan.out):
            add(name, entry["sha256"], entry["seconds"])
    if rows:
        logger.info("%s: %d of %d scans were predicted before", job.model, len(rows), len(scans))
    if len(rows) < len(scans):
        ensemble = pipeline.load(members, job.device, job.settings, job.labels, job.postprocessing)
        wanted = [scan for name, scan in scans.items() if name not in rows]
        pipeline.predict(ensemble, wanted, job.device, job.threads, job.model, done)
    return [rows[name] for name in names]
