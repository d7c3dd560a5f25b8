"""Preprocess the training scans for one representation: ``python -m headct prepare --help``.

A representation is what several models learn from alike: all 3-D models of nnU-Net share one. It is made
once, without a GPU, before the first training that needs it; what is there already is kept.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from headct.contracts.artefacts import read_tsv, write_json
from headct.engine.training_job import training_scans
from headct.frameworks.base import find_framework
from headct.settings.models import model_settings

logger = logging.getLogger(__name__)


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True, help="JSON: the framework, and what else decides it")
    parser.add_argument("--split", required=True, type=Path, help="split.tsv")
    parser.add_argument("--data", required=True, type=Path, help="folder of the converted scans")
    parser.add_argument("--threads", required=True, type=int, help="processes to use")
    parser.add_argument("--work", required=True, type=Path, help="scratch folder")
    parser.add_argument("--out", required=True, type=Path, help="record of what was made (JSON)")
    return parser


def main(args: argparse.Namespace) -> None:
    settings = model_settings(args.settings)
    split = read_tsv(args.split, fold=str)
    scans = training_scans(split[split["set"] == "train"], args.data)
    framework = find_framework(settings["framework"])
    made = framework.prepare(scans, settings, args.work / framework.name, args.threads)
    write_json({"n_scans": len(scans), "settings": settings, **made}, args.out)
    logger.info("%s: %d scans are ready for training", framework.representation(settings), len(scans))
