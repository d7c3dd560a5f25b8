"""BLAST-CT's own inference, by the parts of its program (which would download weights), and such weights."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
import torch
from blast_ct.nifti.savers import NiftiPatchSaver
from blast_ct.read_config import get_model, get_test_loader
from blast_ct.trainer.inference import ModelInferenceEnsemble

BESIDE = Path(__file__).resolve().parents[3] / "shared/data/blast_ct_v1"
AUTHORS = Path(os.environ.get("HEADCT_BLAST_CT_V1", BESIDE))
"""Folder of the authors' weights (where to have them: docs/how-to/outside-models.md)."""

needs_weights = pytest.mark.skipif(
    not AUTHORS.is_dir(), reason=f"no weights in {AUTHORS}; HEADCT_BLAST_CT_V1 may name their folder"
)


def label_map(networks: Sequence[Path], configuration: Path, image: Path, job: Path) -> np.ndarray:
    """The label map (z, y, x) that the package makes of an image, as ``blast-ct --ensemble`` does.

    Args:
        networks: files of their weights, in the order in which their probabilities are added.
        configuration: theirs.
        image: a NIfTI file.
        job: folder that the package writes into.
    """
    config = json.loads(configuration.read_text(encoding="utf-8"))
    config["test"]["num_workers"] = 0
    (job / "test.csv").write_text(f"id,image\nim_0,{image}\n", encoding="utf-8")
    model = get_model(config)
    loader = get_test_loader(config, model, str(job / "test.csv"), use_cuda=False)
    saver = NiftiPatchSaver(str(job), loader, write_prob_maps=False)
    files = [str(file) for file in networks]
    ModelInferenceEnsemble(str(job), torch.device("cpu"), model, saver, files, task="segmentation")(loader)
    made = pd.read_csv(job / "predictions/prediction.csv")["prediction"][0]
    return sitk.GetArrayFromImage(sitk.ReadImage(made))
