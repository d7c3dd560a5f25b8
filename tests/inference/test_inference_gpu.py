"""Prediction on a GPU: a scan stays there until it is a label map, with the probabilities of a CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from headct.frameworks.base import find_framework
from headct.frameworks.train import save_weights
from headct.settings import models
from support import families
from support.families import FAMILIES, train

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is visible"),
    # PyTorch's, which differ by card and driver: of plans that cuDNN drops, of a context that cuBLAS lacks
    pytest.mark.filterwarnings("default::UserWarning"),
]
GPU = "cuda"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_scan_is_resampled_on_the_gpu_to_the_probabilities_of_a_cpu(family: str, tmp_path: Path) -> None:
    job = families.job(family, tmp_path / "data")
    save_weights(train(family, job, tmp_path / "run"), tmp_path / "final.pth")
    framework = find_framework(family)
    chosen = models.merged(framework.predicts_by, family)
    on_gpu, on_cpu = (framework.load(tmp_path, device, chosen, job.labels) for device in (GPU, "cpu"))
    ct = sitk.ReadImage(str(job.training_scans[0].ct))
    prepared = on_gpu.prepare(ct)
    inferred = on_gpu.infer(prepared)
    restored = on_gpu.restore(prepared, inferred)
    assert restored.device.type == GPU
    if family == "nnunet":
        assert {prepared[0].device.type, inferred.device.type} == {GPU}, "neither goes to the CPU and back"
    # nnU-Net computes in half precision there
    np.testing.assert_allclose(restored.cpu(), on_cpu(ct), atol=0.05)
