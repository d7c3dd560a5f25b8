"""Preprocess the training scans for one representation: ``python -m headct prepare --help``.

A representation is what several models learn from alike: all 3-D models of nnU-Net share one. It is made
once, without a GPU, before the first training that needs it; what is there already is kept.
"""

from __future__ import annotations

import logging
from pathlib import Path

from headct.contracts import labels as label_sets
from headct.contracts.artefacts import read_tsv, write_json
from headct.engine.training_job import training_scans
from headct.frameworks.base import find_framework
from headct.settings import models
from headct.settings.typed import plain

logger = logging.getLogger(__name__)


def main(
    *,
    settings: str,
    labels: str,
    split: Path,
    data: Path,
    threads: int,
    work: Path,
    out: Path,
) -> None:
    """Preprocess the training scans for one representation.

    Args:
        settings: JSON: the framework, and what else decides it.
        labels: JSON: the lesion classes, in their order.
        split: split.tsv.
        data: folder of the converted scans.
        threads: processes to use.
        work: scratch folder.
        out: record of what was made (JSON).
    """
    of_model = models.given(lambda name: find_framework(name).prepares_by, settings)
    rows = read_tsv(split, fold=str)
    scans = training_scans(rows[rows["set"] == "train"], data)
    framework = find_framework(of_model.framework)
    made = framework.prepare(scans, of_model, work / framework.name, threads, label_sets.read(labels))
    write_json({"n_scans": len(scans), "settings": plain(of_model), **made}, out)
    logger.info("%s: %d scans are ready for training", framework.representation(of_model), len(scans))
