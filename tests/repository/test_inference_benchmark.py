"""The benchmark of prediction on tiny scans: it runs, and both programs say the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from headct.command_line import run_step

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
import inference as benchmark

pytestmark = pytest.mark.whole


def test_labels_are_those_of_nnunets_own_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its program is a process of its own; ours runs here, which spares an import of nnU-Net."""
    torch.set_num_threads(1)
    benchmark.make(benchmark.SMALL, tmp_path)
    for name in ("nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        monkeypatch.setenv(name, str(tmp_path / "results"))
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")  # its threads would spin beside other tests
    theirs, ours = benchmark.commands(benchmark.SMALL, tmp_path, threads=1).values()
    subprocess.run(theirs, check=True, stdout=subprocess.DEVNULL)
    expected = benchmark.read_all(tmp_path / "out")
    (tmp_path / "out").rename(tmp_path / "theirs")
    run_step("new-scans", ours[4:])
    same = benchmark.agreement(expected, benchmark.read_all(tmp_path / "out"))
    assert np.nanmin([same[label] for label in ("ICH", "PHE", "IVH")]) >= 0.9999
    assert same["labelled voxels"] > 100
