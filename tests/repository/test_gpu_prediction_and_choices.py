"""Two parts of ``make gpu``, on small scans without a GPU: they run, and what they tell holds together."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

pytestmark = pytest.mark.whole

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
LESIONS = ("Dice ICH", "Dice PHE", "Dice IVH")

Tables = dict[str, list[dict[str, Any]]]


def tables(part: str, out: Path, monkeypatch: pytest.MonkeyPatch) -> Tables:
    """The rows that a part writes, by their tables; it runs here, which spares its imports."""
    for folder in (BENCHMARKS, BENCHMARKS / "gpu"):
        monkeypatch.syspath_prepend(folder)
    for name in ("PYTHONPATH", "nnUNet_raw", "nnUNet_preprocessed", "nnUNet_results"):
        monkeypatch.setenv(name, "")  # what the part makes of them ends with the test
    monkeypatch.setattr(sys, "argv", [part, "--device", "cpu", "--scale", "small", "--out", str(out)])
    importlib.import_module(part).main()
    found: Tables = {}
    for line in out.read_text().splitlines():
        record = json.loads(line)
        if "row" in record:
            found.setdefault(record["table"], []).append(record["row"])
        else:
            assert record["table"] in found, "a note without a table"
    return found


def test_prediction_says_the_same_as_nnunet_and_where_the_time_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs, steps = tables("prediction", tmp_path / "rows.jsonl", monkeypatch).values()
    assert [(row["program"], row["mirroring"]) for row in programs] == [
        ("nnUNetv2_predict", "off"),
        ("headct", "off"),
        ("nnUNetv2_predict", "on"),
        ("headct", "on"),
    ]
    for theirs, ours in (programs[:2], programs[2:]):
        assert float(ours["whole call, times as fast"]) == pytest.approx(
            theirs["s per scan"] / ours["s per scan"], abs=0.006
        )
        if ours["scans"] == 1:
            assert ours["s per further scan"] is ours["further scans, times as fast"] is None
        else:
            assert float(ours["further scans, times as fast"].strip("*")) == pytest.approx(
                theirs["s per further scan"] / ours["s per further scan"], abs=0.006
            )
            assert 0 < ours["s per further scan"] < ours["scans"] * ours["s per scan"]
        dice = [ours[lesion] for lesion in LESIONS if ours[lesion] is not None]
        assert min(dice) >= 0.9999, "the same labels"
        assert 0 < ours["first label map, s"] <= ours["scans"] * ours["s per scan"] + 0.1
    *each, whole = steps
    assert [row["step"] for row in each] == ["read", "prepare", "network", "to the scan's grid", "write"]
    for program in ("headct, s", "nnU-Net, s"):
        assert whole[program] == pytest.approx(sum(row[program] for row in each))


def test_every_choice_is_measured_from_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    losses, precisions, comparison = tables("choices", tmp_path / "rows.jsonl", monkeypatch).values()
    assert torch.backends.cudnn.benchmark, "algorithms are chosen by speed, as in a training"
    assert {row["peer"].split()[0] for row in losses} == {"MONAI", "nnU-Net"}
    assert (
        min(row[f"{whose}, {unit}"] for row in losses for whose in ("ours", "peer") for unit in ("ms", "MB"))
        > 0
    )
    ways = [(row["model"], row["way"]) for row in precisions]
    assert len(set(ways)) == len(ways) == 13
    assert ways[-1] == ("nnunet-3d-dicece", "float16 autocast, compiled")
    assert all(isinstance(row["steps/s"], float) for row in precisions), "none failed"
    for model in ("unet", "nnunet-3d-dicece"):
        loss = {row["way"]: float(row["loss"]) for row in precisions if row["model"] == model}
        configured = loss.pop("as configured")
        assert loss["float32"] == loss["tf32"] == pytest.approx(configured, rel=1e-4), "it is the same step"
        assert list(loss.values()) == pytest.approx([configured] * len(loss), rel=1e-2)
        assert loss["bfloat16 autocast"] != loss["float32"], "it does round"
    assert [row["model"] for row in comparison] == ["unet", "nnunet-3d-dicece", "nnunet-3d-focal"]
    assert min(row["steps"] for row in comparison) > 1
    assert all(row[lesion] is None or 0 <= row[lesion] <= 1 for row in comparison for lesion in LESIONS)
