"""What ``make gpu`` has measured, as rows of the rates by which ``make plan`` tells hours: ``make rates``, or

    python benchmarks/gpu/rates.py --measured benchmarks/gpu.measured --rates resources/rates.tsv

Rows that the file has already are not added again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow" / "scripts"))

from headct.run.cluster.rates import RATES, Rate, add

PREDICTED_KIND = "nnunet ExperimentPlanner configuration=3d_fullres"
"""The network that the part on prediction predicts with is as large as what nnU-Net plans for the study."""


def main() -> None:
    """Add the rows of a folder of measurements to a file of rates."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--measured", type=Path, required=True, help="folder that make gpu has written")
    parser.add_argument("--rates", type=Path, default=RATES, help="file of rates, made if it is not there")
    options = parser.parse_args()
    rates = [*trainings(options.measured), *predictions(options.measured)]
    if not rates:
        sys.exit(f"{options.measured} holds no measured rate: 'make gpu' measures them, in its parts 2 and 3")
    print(f"{options.rates}: {add(rates, options.rates)} new rows, of {len(rates)} in {options.measured}")


def trainings(folder: Path) -> Iterator[Rate]:
    """A rate for each model whose training was timed."""
    state, rows = read_part(folder, "speed")
    sizes = {row["model"]: row["batch × patch"] for row in rows if row.get("way") == "ours"}
    for row in rows:
        if "rated as" in row:
            yield Rate(
                task="train",
                kind=row["rated as"],
                card=row["card"],
                precision=row["precision"],
                batch_and_patch=sizes.get(row["model"]),
                s_per_step=row["s_per_step"],
                s_per_validation_step=row["s_per_validation_step"],
                peak_gpu_memory_mb=row["peak_gpu_memory_mb"],
                source=f"make gpu, scale {state['scale']}: {row['model']}",
                **machine(state),
            )


def predictions(folder: Path) -> Iterator[Rate]:
    """The rate of predictions with mirroring, as the study's are, at its size."""
    state, rows = read_part(folder, "prediction")
    for row in rows:
        if (row.get("program"), row.get("mirroring")) == ("headct", "on") and state["scale"] == "full":
            yield Rate(
                task="predict",
                kind=PREDICTED_KIND,
                card=state["machine"]["card"] or "CPU",
                s_per_scan=row["s per scan"],
                source=f"make gpu: {row['scans']} scans of 40 slices of 512 x 512, with mirroring",
                **machine(state),
            )


def read_part(folder: Path, part: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """How and when a part of ``make gpu`` was run, and its rows; none if it was not."""
    state, lines = folder / f"{part}.json", folder / f"{part}.jsonl"
    if not (state.is_file() and lines.is_file()):
        return {}, []
    text = lines.read_text(encoding="utf-8")
    records = map(json.loads, text[: text.rfind("\n") + 1].splitlines())
    rows = [record["row"] for record in records if "row" in record]
    return json.loads(state.read_text(encoding="utf-8")), rows


def machine(state: dict[str, Any]) -> dict[str, Any]:
    """The columns that are of the run and of the machine."""
    known = state["machine"]
    return {
        "device": state["device"],
        "date": state["date"],
        "commit": state["commit"],
        "torch": known["versions"].get("torch"),
        "card_memory_mb": known["memory_bytes"] / 1e6 if known["memory_bytes"] else None,
    }


if __name__ == "__main__":
    main()
