"""Table E1: what each model was, read from the records of training.

Nothing is typed by hand: values come from ``train.json``. Wall times stand in a table of their own,
:mod:`.training_times`, since they alone differ between two runs of the same study; Table E1 has the
GPU-hours of what was trained on a GPU.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import pandas as pd

from headct.contracts import postprocessing
from headct.contracts.declarations import MadeOf, PublishedTable
from headct.contracts.postprocessing import Postprocessing
from headct.contracts.problems import BadInput, Problem
from headct.frameworks.registry import frameworks
from headct.publish.options import Options
from headct.publish.printed_numbers import DASH
from headct.publish.tables import training_records
from headct.publish.tables.table_page import Cell, Panel, Table
from headct.publish.tables.training_records import (
    SECONDS_PER_HOUR,
    TrainingRecord,
    in_print,
    in_words,
    start_in_words,
)
from headct.publish.tables.words import joined, title_of

TABLE = PublishedTable(
    name="table_e1",
    help="what each model was, from the records of training",
    caption="**Table E1. Implementation of the models.** One column per model, one row per fact, read"
    " from the record that each training left: framework, network, loss with its constants, patch,"
    " batch, spacing, optimiser, epochs, iterations, patches seen, parameters, versions, device and, for"
    " what was trained on a GPU, GPU-hours; the budget of a training, where the study sets one. Ensembles"
    " list their members, and have the sum of their effort. An epoch is a different amount of work in each"
    " framework, so compare iterations and patches. Of models that were made elsewhere it says what the"
    " configuration says.",
    inputs={
        "train_records": "training records",
        "postprocessing": "decisions on post-processing",
    },
    given={
        "titles": "titles of all models",
        "ensembles": "members of ensembles",
        "outside": "models made elsewhere",
        "title_note": "note",
    },
    columns="item {model}",
    keys="item",
    made_of=(MadeOf(rows="training records"),),
)

ITERATIONS = "Iterations"
PATCHES = "Patches seen"
BUDGET = "Budget of a training"
GPU_HOURS = "GPU-hours"
MADE_ELSEWHERE = "none: made elsewhere"

FIRST_ROWS = {
    "Network": "network",
    "Loss": "loss",
    "Parameters": "parameters",
    "Spacing, mm": "spacing_mm_xyz",
    "Patch, voxels": "patch_size_xyz",
    "Intensity window, HU": "hu_window",
    "Batch": "batch_size",
    "Epochs": "epochs",
    ITERATIONS: "iterations",
    "Optimiser": "optimiser",
    "Learning rate": "learning_rate",
}
"""Rows that every framework has, each with its field of ``ModelFacts``."""


def make(options: Options) -> Table:
    """The table from its files.

    Raises:
        BadInput: a model has neither a record nor members.
    """
    records = training_records.read(options.train_records)
    trained = {record["model"] for record in records}
    untrained = [
        Problem("--train-records", "no record of this model's training", key="model", value=model)
        for model in options.titles
        if model not in trained and model not in options.ensembles and model not in options.outside
    ]
    if untrained:
        raise BadInput(untrained)
    models = list(options.titles)
    decisions = [postprocessing.read(path) for path in options.postprocessing]
    return table_e1(records, models, options.titles, options.ensembles, options.outside, decisions)


def table_e1(
    records: Sequence[TrainingRecord],
    models: Sequence[str],
    titles: Mapping[str, str],
    ensembles: Mapping[str, Sequence[str]],
    outside: Mapping[str, Mapping[str, str]] | None = None,
    decisions: Sequence[Postprocessing] = (),
) -> Table:
    """One row per fact, one column per model; ensembles list their members.

    The columns of the TSV are ``item`` and the keys of ``models``, in their order.

    Args:
        records: ``train.json`` of each training.
        models: in the order of their columns.
        titles: of the models.
        ensembles: members of each ensemble.
        outside: of each model that was made elsewhere, what is known of it, by heading.
        decisions: on post-processing, of each model that has it, one per seed.
    """
    runs = {model: [r for r in records if r["model"] == model] for model in models}
    facts = {model: _facts(of_model) for model, of_model in runs.items()}
    for model, members in ensembles.items():
        names = ", ".join(title_of(member, titles) for member in members)
        facts[model] = {"Framework": "ensemble", "Members": f"mean of the probabilities of {names}"}
        facts[model] |= _effort_of([runs.get(member, []) for member in members])
    for model, known in (outside or {}).items():
        facts[model] = {"Framework": MADE_ELSEWHERE, **known}
    for model in dict.fromkeys(decision.model for decision in decisions):
        own = [decision for decision in decisions if decision.model == model]
        facts[model] = {**facts[model], postprocessing.ITEM: postprocessing.of_seeds(own)}
    first = ["Framework", "Members", *FIRST_ROWS, PATCHES, BUDGET, GPU_HOURS]
    found = list(dict.fromkeys(item for facts_of_one in facts.values() for item in facts_of_one))
    last = [item for item in found if item.startswith(("Device", "Threads", "Seeds", "Version"))]
    last.sort(key=lambda item: item.startswith("Version"))
    middle = [item for item in found if item not in first and item not in last]
    items = [item for item in [*first, *sorted(middle), *last] if item in found]
    numbers = pd.DataFrame({"item": items})
    for model in models:
        numbers[model] = [facts[model].get(item, "") for item in items]
    rows = []
    for item in items:
        texts = [facts[model].get(item, DASH) for model in models]
        rows.append([Cell(item), *(Cell(text, "text") for text in texts)])
    notes = [
        "Read from the record that each training left, not typed. Several values of one model"
        " (seeds, folds) are separated by “;”.",
        "Sizes and spacings stand as the framework orders them: nnU-Net lists slices first.",
        "The constants of the losses are those of public code (docs/reference/models.md, Losses).",
        "An epoch is a different amount of work in each framework: compare iterations, and patches, which are"
        " iterations times the batch. What an ensemble has of both is the sum over its members, one run of"
        " each.",
        "GPU-hours are those of all runs of a model on one GPU each; models without were trained on a CPU:"
        " their hours stand in the table of training times. An ensemble adds none to its members'. “At"
        " least”: a run was resumed, and what it did between its last checkpoint and its end is not counted.",
    ]
    if decisions:
        notes.append(
            "Post-processing was decided on held-out scans by nnU-Net's rule: only the largest connected"
            " component of a lesion stays, where that raises the mean Dice."
        )
    if outside:
        notes.append("Of models that were made elsewhere the table says what the configuration says of them.")
    columns = [("", "Item"), *(("", title_of(model, titles)) for model in models)]
    return Table("Table E1. Implementation of the models", numbers, [Panel(columns, rows)], notes)


def _facts(records: Sequence[TrainingRecord]) -> dict[str, str]:
    """Item -> text of one model; the texts of its runs are joined where they differ."""
    texts = defaultdict[str, list[str]](list)
    for record in records:
        for item, text in _facts_of_run(record).items():
            texts[item].append(text)
    facts = {item: joined(of_runs) for item, of_runs in texts.items()}
    gpu_hours = _gpu_hours(records)
    if gpu_hours:
        facts[GPU_HOURS] = gpu_hours
    if records:
        facts["Seeds"] = ", ".join(sorted({str(record["seed"]) for record in records}))
    return facts


def _effort_of(members: Sequence[Sequence[TrainingRecord]]) -> dict[str, str]:
    """Iterations and patches of one run of each member, summed; nothing where a member's runs differ."""
    found = {}
    for item, number in ((ITERATIONS, _iterations), (PATCHES, _patches)):
        of_members = [{number(run) for run in runs} for runs in members]
        if all(len(values) == 1 and None not in values for values in of_members):
            found[item] = f"{sum(value or 0 for values in of_members for value in values):,}"
    return found


def _iterations(record: TrainingRecord) -> int | None:
    return frameworks()[record["framework"]].facts_of(record).iterations


def _patches(record: TrainingRecord) -> int | None:
    """Patches that a training saw; None of a framework that has no batches."""
    of_model = frameworks()[record["framework"]].facts_of(record)
    if of_model.iterations is None or of_model.batch_size is None:
        return None
    return of_model.iterations * of_model.batch_size


def _budget(record: TrainingRecord) -> str:
    """The budget of a training as the configuration says it; empty where it has none."""
    budget = record.get("budget", {})
    if "gpu_hours" in budget:
        return f"{in_print(budget['gpu_hours'])} GPU-hours on {budget['card']}"
    given = "patches" if "patches" in budget else "steps"
    return f"{in_print(budget[given])} {given}" if budget else ""


def _gpu_hours(records: Sequence[TrainingRecord]) -> str:
    """Sum over the runs on a GPU, in hours; empty if there was none."""
    on_gpu = [record for record in records if str(record["device"]).startswith("cuda")]
    hours = sum(record["seconds"] for record in on_gpu) / SECONDS_PER_HOUR
    at_least = "at least " if any(record["resumed"] for record in on_gpu) else ""
    return f"{at_least}{hours:.3g}" if on_gpu else ""


def _facts_of_run(record: TrainingRecord) -> dict[str, str]:
    framework = frameworks()[record["framework"]]
    of_model = framework.facts_of(record)
    facts = {"Framework": framework.title}
    for name, fact in FIRST_ROWS.items():
        value = framework.notation.listed(of_model, fact)
        if value is not None:
            order = " (x, y, z)" if framework.notation.name(fact).endswith("_xyz") else ""
            facts[name] = in_print(value, _separator(fact)) + order
    patches, budget = _patches(record), _budget(record)
    facts |= {} if patches is None else {PATCHES: in_print(patches)}
    facts |= {BUDGET: budget} if budget else {}
    facts |= {_heading(key): in_print(value, _separator(key)) for key, value in of_model.further.items()}
    facts |= {"Training scans": in_print(record.get("n_training_scans"))}
    facts |= start_in_words(record)
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
