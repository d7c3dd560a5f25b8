"""Table E1 (what each model was) and its training times, read from the records of training.

Nothing is typed by hand: values come from ``train.json``. Wall times stand in a table of their own, since
they alone differ between two runs of the same study; Table E1 has the GPU-hours of what was trained on a GPU.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from headct.publish.tables.models import title_of
from headct.publish.tables.page import DASH, Cell, Panel, Table, number
from headct.publish.tables.words import constant_in_words, in_words

Record = Mapping[str, Any]
"""One ``train.json``."""

SECONDS_PER_HOUR = 3600

GPU_HOURS = "GPU-hours"

FIRST_ROWS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Network", ("network", "architecture")),
    ("Loss", ("loss",)),
    ("Parameters", ("parameters", "n_parameters")),
    ("Spacing, mm", ("spacing_mm", "spacing_mm_xyz")),
    ("Patch, voxels", ("patch_size", "patch_size_xyz", "patch_size_voxels")),
    ("Intensity window, HU", ("window_hu", "hu_window")),
    ("Batch", ("batch_size",)),
    ("Epochs", ("epochs",)),
    ("Iterations", ("iterations",)),
    ("Optimiser", ("optimiser",)),
    ("Learning rate", ("learning_rate", "initial_learning_rate")),
)
"""Rows that every framework has, with the keys under which its record holds them."""


def table_e1(
    records: Sequence[Record],
    models: Sequence[str],
    titles: Mapping[str, str],
    ensembles: Mapping[str, Sequence[str]],
) -> Table:
    """One row per fact, one column per model; ensembles list their members.

    The columns of the TSV are ``item`` and the keys of ``models``, in their order.
    """
    facts = {model: _facts([r for r in records if r["model"] == model]) for model in models}
    for model, members in ensembles.items():
        names = ", ".join(title_of(member, titles) for member in members)
        facts[model] = {"Framework": "ensemble", "Members": f"mean of the probabilities of {names}"}
    first = ["Framework", "Members", *(name for name, _ in FIRST_ROWS), GPU_HOURS]
    found = list(dict.fromkeys(item for facts_of_one in facts.values() for item in facts_of_one))
    last = [item for item in found if item.startswith(("Device", "Threads", "Seeds", "Version"))]
    last.sort(key=lambda item: item.startswith("Version"))
    middle = [item for item in found if item not in first and item not in last]
    items = [item for item in [*first, *sorted(middle), *last] if item in found]
    numbers = pd.DataFrame(
        [{"item": item, **{model: facts[model].get(item, "") for model in models}} for item in items],
        columns=["item", *models],
    )
    rows = [[Cell(item), *(Cell(facts[model].get(item, DASH), "text") for model in models)] for item in items]
    notes = [
        "Read from the record that each training left, not typed. Several values of one model"
        " (seeds, folds) are separated by “;”.",
        "Sizes and spacings stand as the framework orders them: nnU-Net lists slices first.",
        "The paper states no loss constants; those used here are of the public code it points to.",
        "An epoch is a different amount of work in each framework: compare iterations.",
        "GPU-hours are those of all runs of a model on one GPU each; models without were trained on a CPU. An"
        " ensemble adds none to its members'. “At least”: a run was resumed, and what it did between its last"
        " checkpoint and its end is not counted.",
    ]
    columns = [("", "Item"), *(("", title_of(model, titles)) for model in models)]
    return Table("Table E1. Implementation of the models", numbers, [Panel(columns, rows)], notes)


def training_times(records: Sequence[Record], models: Sequence[str], titles: Mapping[str, str]) -> Table:
    """Wall time of each training run.

    Columns of the TSV: model title seed fold device hardware threads epochs iterations seconds
    hours resumed.
    """
    order = {model: i for i, model in enumerate(models)}
    chosen = sorted(
        (record for record in records if record["model"] in order),
        key=lambda record: (order[record["model"]], record["seed"], str(record["fold"])),
    )
    columns = (
        *("model", "title", "seed", "fold", "device", "hardware", "threads", "epochs"),
        *("iterations", "seconds", "hours", "resumed"),
    )
    numbers = pd.DataFrame(
        [
            {
                "model": record["model"],
                "title": title_of(record["model"], titles),
                **{name: record[name] for name in ("seed", "fold", "device", "threads", "epochs")},
                "hardware": _joined([session["device"] for session in record.get("sessions", [])]),
                "iterations": record["record"].get("iterations"),
                "seconds": record["seconds"],
                "hours": record["seconds"] / SECONDS_PER_HOUR,
                "resumed": record["resumed"],
            }
            for record in chosen
        ],
        columns=list(columns),
    )
    rows = [
        [
            Cell(row["title"]),
            *(Cell(_text(row[name])) for name in ("seed", "fold", "epochs", "iterations")),
            *(Cell(_text(row[name])) for name in ("hardware", "threads")),
            Cell(number(row["seconds"], 1)),
            Cell(number(row["hours"], 3)),
            Cell(_text(row["resumed"])),
        ]
        for row in numbers.to_dict("records")
    ]
    names = ("Model", "Seed", "Fold", "Epochs", "Iterations", "Hardware", "Threads")
    head = [("", name) for name in (*names, "Seconds", "Hours", "Resumed")]
    notes = [
        "Wall time of all sessions of a run, each up to its last checkpoint.",
        "Times depend on the machine and what else ran on it. An ensemble trains nothing of its own.",
    ]
    return Table("Training times", numbers, [Panel(head, rows)], notes)


def _facts(records: Sequence[Record]) -> dict[str, str]:
    """Item -> text of one model; the texts of its runs are joined where they differ."""
    runs = [_facts_of_run(record) for record in records]
    items = dict.fromkeys(item for run in runs for item in run)
    facts = {item: _joined([run[item] for run in runs if item in run]) for item in items}
    gpu_hours = _gpu_hours(records)
    if gpu_hours:
        facts[GPU_HOURS] = gpu_hours
    if records:
        facts["Seeds"] = ", ".join(sorted({str(record["seed"]) for record in records}))
    return facts


def _gpu_hours(records: Sequence[Record]) -> str:
    """Sum over the runs on a GPU, in hours; empty if there was none."""
    on_gpu = [record for record in records if str(record["device"]).startswith("cuda")]
    hours = sum(record["seconds"] for record in on_gpu) / SECONDS_PER_HOUR
    at_least = "at least " if any(record["resumed"] for record in on_gpu) else ""
    return f"{at_least}{hours:.3g}" if on_gpu else ""


def _facts_of_run(record: Record) -> dict[str, str]:
    details = dict(record["record"])
    facts = {"Framework": in_words(record["framework"])}
    for name, keys in FIRST_ROWS:
        for key in keys:
            if key in details:
                order = " (x, y, z)" if key.endswith("_xyz") else ""
                facts[name] = _text(details.pop(key), _separator(key)) + order
    facts |= {_heading(key): _text(value, _separator(key)) for key, value in details.items()}
    facts |= {"Training scans": _text(record.get("n_training_scans"))}
    facts |= {"Device": in_words(record["device"]), "Threads": str(record["threads"])}
    return facts | {f"Version of {name}": str(text) for name, text in record["versions"].items()}


def _heading(key: str) -> str:
    words = key.replace("_", " ")
    return words[:1].upper() + words[1:]


def _separator(key: str) -> str:
    """What stands between the numbers of a list: sizes are multiplied, windows have ends."""
    if "window" in key:
        return " to "
    return " × " if "size" in key or "spacing" in key else ", "


def _text(value: Any, separator: str = ", ") -> str:
    """A value of a record in print: 1,234,567; 8 × 32 × 32; name = value."""
    if value is None or value != value:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return (
            ", ".join(f"{constant_in_words(name)} = {_text(value[name])}" for name in sorted(value)) or DASH
        )
    if isinstance(value, (list, tuple)):
        return separator.join(_text(part) for part in value) or DASH
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    if isinstance(value, float):
        shown = f"{value:,.0f}" if value.is_integer() and abs(value) >= 1 else f"{value:.6g}"
        return f"−{shown[1:]}" if value < 0 else shown
    return in_words(str(value))


def _joined(texts: Sequence[str]) -> str:
    return "; ".join(dict.fromkeys(texts))
