"""Wall time of each training run, from the records of training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from headct.contracts.declarations import MadeOf, PublishedTable
from headct.publish.options import Options
from headct.publish.printed_numbers import number
from headct.publish.tables import training_records
from headct.publish.tables.table_page import Cell, Panel, Table
from headct.publish.tables.training_records import SECONDS_PER_HOUR, TrainingRecord, in_print
from headct.publish.tables.words import joined, title_of

TABLE = PublishedTable(
    name="training_times",
    help="wall time of each training run",
    caption="**Training times.** One row per training run, with its hardware and the wall time of the"
    " session that ended it; a run that was resumed took longer. Times depend on the machine and on"
    " what else ran there.",
    inputs={
        "train_records": "training records",
    },
    given={"titles": "titles of all models", "title_note": "note"},
    folder="models",
    category="Training",
    columns="model title seed fold device hardware threads epochs iterations seconds hours resumed",
    keys="model title seed fold",
    made_of=(MadeOf(rows="training records"),),
)


def make(options: Options) -> Table:
    """The table from its files."""
    records = training_records.read(options.train_records)
    return training_times(records, list(options.titles), options.titles)


def training_times(
    records: Sequence[TrainingRecord], models: Sequence[str], titles: Mapping[str, str]
) -> Table:
    """Wall time of each training run; the columns of the TSV are those of :data:`TABLE`."""
    order = {model: i for i, model in enumerate(models)}
    chosen = sorted(
        (record for record in records if record["model"] in order),
        key=lambda record: (order[record["model"]], record["seed"], str(record["fold"])),
    )
    numbers = pd.DataFrame([_of_a_run(record, titles) for record in chosen], columns=TABLE.header)
    rows = [_printed(row) for row in numbers.to_dict("records")]
    names = ("Model", "Seed", "Fold", "Epochs", "Iterations", "Hardware", "Threads")
    head = [("", name) for name in (*names, "Seconds", "Hours", "Resumed")]
    notes = [
        "Wall time of all sessions of a run, each up to its last checkpoint.",
        "Times depend on the machine and what else ran on it. An ensemble trains nothing of its own.",
    ]
    if not rows:
        notes = ["No model was trained here."]
    return Table("Training times", numbers, [Panel(head, rows)], notes)


def _of_a_run(record: TrainingRecord, titles: Mapping[str, str]) -> dict[str, Any]:
    as_recorded = {name: record[name] for name in ("model", "seed", "fold", "device", "threads", "epochs")}
    return {
        **as_recorded,
        "title": title_of(record["model"], titles),
        "hardware": joined([session["device"] for session in record.get("sessions", [])]),
        "iterations": record["record"].get("iterations"),
        "seconds": record["seconds"],
        "hours": record["seconds"] / SECONDS_PER_HOUR,
        "resumed": record["resumed"],
    }


def _printed(row: Mapping[Any, Any]) -> list[Cell]:
    as_recorded = ("seed", "fold", "epochs", "iterations", "hardware", "threads")
    return [
        Cell(row["title"]),
        *(Cell(in_print(row[name])) for name in as_recorded),
        Cell(number(row["seconds"], 1)),
        Cell(number(row["hours"], 3)),
        Cell(in_print(row["resumed"])),
    ]
