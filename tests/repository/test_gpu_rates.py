"""``make rates``: what ``make gpu`` has written becomes rows by which ``headct plan`` tells hours."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from headct.run.cluster.rates import read

REPOSITORY = Path(__file__).parents[2]
STATE = {
    "machine": {"card": "NVIDIA H100", "memory_bytes": 80 * 2**30, "versions": {"torch": "2.14.1"}},
    "device": "cuda",
    "scale": "full",
    "date": "2026-11-28",
    "commit": "0123abc",
}
SPEED = [
    {"table": "Three ways", "note": "a sentence"},
    {"table": "Three ways", "row": {"model": "unet", "way": "ours", "batch × patch": "8 × 96×96×64"}},
    {"table": "Three ways", "row": {"model": "unet", "way": "peer", "batch × patch": "8 × 96×96×64"}},
    {
        "table": "Rates",
        "row": {
            "card": "NVIDIA H100",
            "model": "unet",
            "rated as": "monai basicunet",
            "precision": "float32",
            "s_per_step": 0.125,
            "s_per_validation_step": None,
            "peak_gpu_memory_mb": 9000.5,
        },
    },
]
PREDICTION = [
    {"table": "Seconds", "row": {"program": name, "mirroring": mirroring, "scans": 2, "s per scan": seconds}}
    for name, mirroring, seconds in (
        ("nnUNetv2_predict", "on", 20.0),
        ("headct", "off", 3.0),
        ("headct", "on", 8.0),
    )
]


def write(folder: Path, part: str, records: list[dict]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{part}.json").write_text(json.dumps(STATE))
    lines = "".join(json.dumps(record) + "\n" for record in records)
    (folder / f"{part}.jsonl").write_text(lines + '{"table": "cut off by a limit', encoding="utf-8")


def add(folder: Path, rates: Path) -> subprocess.CompletedProcess[str]:
    script = REPOSITORY / "benchmarks/gpu/rates.py"
    command = [sys.executable, str(script), "--measured", str(folder), "--rates", str(rates)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder.parent)


def test_what_was_measured_is_added_once(tmp_path: Path) -> None:
    folder, path = tmp_path / "gpu.measured", tmp_path / "rates.tsv"
    write(folder, "speed", SPEED)
    write(folder, "prediction", PREDICTION)
    first, again = add(folder, path), add(folder, path)
    assert "2 new rows" in first.stdout, first.stderr
    assert "0 new rows" in again.stdout
    trained, predicted = read(path)
    assert (trained.task, trained.kind, trained.s_per_step) == ("train", "monai basicunet", 0.125)
    assert (trained.card, trained.batch_and_patch) == ("NVIDIA H100", "8 × 96×96×64")
    assert (trained.commit, trained.torch, trained.card_memory_mb) == ("0123abc", "2.14.1", 85899.3)
    assert (predicted.task, predicted.s_per_scan) == ("predict", 8.0)


def test_a_folder_without_rates_says_what_measures_them(tmp_path: Path) -> None:
    (tmp_path / "gpu.measured").mkdir()
    told = add(tmp_path / "gpu.measured", tmp_path / "rates.tsv")
    assert told.returncode == 1
    assert "make gpu" in told.stderr
    assert not (tmp_path / "rates.tsv").exists()
