"""A number of a table: where it stands, what it is copied from, and the rows that it is made of.

A place is a file, a line and a column. Tables and some figures copy cells of ``results/statistics``;
those, and the other figures, are made of rows of ``results/metrics`` (one per model × seed × scan ×
lesion), of the cohort, or of the records of training. Which, is declared beside the code that makes them
(:mod:`headct.contracts.declarations`); :func:`source_of` and :func:`rows_behind` find the cell and the
rows. They know nothing of how a number is computed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from headct.contracts import postprocessing, untrusted
from headct.contracts.artefacts import read_tsv, sha256_of, without_marks
from headct.contracts.declarations import MadeOf, PublishedNumbers, Repeats, published_numbers
from headct.contracts.labels import LabelSet
from headct.contracts.no_prediction import CRASHED, kind_of
from headct.contracts.problems import BadInput, Problem
from headct.contracts.references import ANOTHER_RATER, SECOND_READING, TRAINING_MEAN
from headct.contracts.run_records import Record
from headct.contracts.untrusted import Unusable
from headct.provenance.lineage import Study

Row = Mapping[str, str]

ALL, PRESENT, ABSENT, TWICE = "all", "with lesion", "without lesion", "read twice"
"""Which scans: names as the tables have them in their column ``scans``, or as their declaration says it."""

IN_WORDS = {
    ALL: "all scans",
    PRESENT: "scans with the lesion",
    ABSENT: "scans without the lesion",
    TWICE: "test scans that another rater read",
}

KEYS_OF_TRAINING = ("history", "seconds", "record", "epochs", "threads", "resumed", "seed")
"""What is read of a ``train.json``."""

TEXTS_OF_METRICS = ("model", "scan_id", "label", "failure")
NUMBERS_OF_METRICS = ("seed", "dice", "reference_ml", "predicted_ml")
"""Columns of ``results/metrics`` that rows are chosen by, or that every answer shows."""

WHOLE_TRAINING = "1"
"""Share of a training, as tables have it, whose weights are the last."""

COHORT, SPLIT = "results/cohort/cohort.tsv", "results/cohort/split.tsv"
LEARNING_CURVE = "results/learning_curve/metrics"
SUBSETS = "results/learning_curve/subsets"


def needed(labels: LabelSet) -> Mapping[str, tuple[Sequence[str], Sequence[str]]]:
    """Columns of text and of numbers without which no number can be followed, by file or by folder."""
    return {
        COHORT: (
            ("scan_id", "participant_id", "status", "reason", "sex"),
            ("age", "onset_to_ct_h", *(f"{label}_ml" for label in labels)),
        ),
        SPLIT: (("scan_id", "set"), ()),
        "results/metrics": (TEXTS_OF_METRICS, NUMBERS_OF_METRICS),
        LEARNING_CURVE: (TEXTS_OF_METRICS, NUMBERS_OF_METRICS),
    }


@dataclass(frozen=True)
class Place:
    """One cell: path as in the records, line below the header from 0, column."""

    path: str
    line: int
    column: str

    @property
    def name(self) -> str:
        """The file's name without suffix; ``training_curves`` for those of any model."""
        parts = self.path.split("/")
        return "training_curves" if "training_curves" in parts else parts[-1].removesuffix(".tsv")

    @property
    def kind(self) -> str:
        """The folder below results/, as tables, statistics or figures."""
        return self.path.split("/")[1]

    @property
    def declared(self) -> PublishedNumbers | None:
        """What its file is declared as; None where it is not."""
        return declared_at(self.path)


def declared_at(path: str) -> PublishedNumbers | None:
    """What a file is declared as; None where it is not published, as the tables of measures."""
    folder, _, name = path.removeprefix("results/").rpartition("/")
    return published_numbers().get(f"{folder}/{name}") or published_numbers().get(f"{folder}/{{model}}.tsv")


@dataclass(frozen=True)
class Rows:
    """Rows of one file that a number is made of; ``how`` says which were taken."""

    path: str
    how: str
    frame: pd.DataFrame = field(compare=False)

    @property
    def missing(self) -> pd.Series:
        """Which rows have no prediction."""
        return self.frame["failure"].notna()

    @cached_property
    def scored(self) -> pd.DataFrame:
        """The rows of metrics as all tables score them: a missing prediction is wrong, with a Dice of 0."""
        return self.frame.assign(dice=self.frame["dice"].mask(self.missing, 0.0))

    def called(self, threshold_ml: float) -> pd.Series:
        """Which rows say that the lesion is there; a missing prediction says what is wrong."""
        there = self.frame["reference_ml"] > threshold_ml
        return (self.frame["predicted_ml"] > threshold_ml).mask(self.missing, ~there)

    @cached_property
    def scans(self) -> pd.DataFrame:
        """Measures of one model and lesion by scan: the mean over seeds, as all tables take it.

        ``predicts`` is whether the lesion is predicted, ``failed`` whether a prediction is missing, and
        ``crashed`` whether one crashed.
        """
        crashed = self.frame["failure"].map(lambda reason: kind_of(reason) == CRASHED, na_action="ignore")
        marked = self.scored.assign(
            predicts=self.called(0.0).astype(float),
            failed=self.missing.astype(float),
            crashed=crashed.eq(True).astype(float),
        )
        groups = marked.groupby("scan_id")
        failed, crashed = groups["failed"].max(), groups["crashed"].max()
        return groups.mean(numeric_only=True).assign(failed=failed, crashed=crashed)

    @cached_property
    def by_lesion(self) -> Mapping[str, Rows]:
        """The same rows, per lesion."""
        return {str(label): Rows(self.path, self.how, of) for label, of in self.frame.groupby("label")}


class Tables:
    """The tables of a study, read once.

    Attributes:
        labels: the lesions that the tables are about.
        opened: the files that were read, or sought, up to now.
    """

    def __init__(self, study: Study, labels: LabelSet):
        self.study, self.labels = study, labels
        self.opened: set[str] = set()
        self.text = lru_cache(maxsize=None)(self._text)
        self.numbers = lru_cache(maxsize=None)(self._numbers)
        self.cells = lru_cache(maxsize=None)(self._cells)
        self.lines = lru_cache(maxsize=None)(self._lines)
        self.measured_rows = lru_cache(maxsize=None)(self._rows_of_metrics)

    def _text(self, path: str) -> pd.DataFrame:
        """Every cell as it stands in the file, without marks before formulas."""
        with _naming_file(path):
            table = pd.read_csv(self._opened(path), sep="\t", dtype=str, keep_default_na=False)
            return without_marks(table)

    def _numbers(self, path: str) -> pd.DataFrame:
        """The table with its numbers as numbers."""
        with _naming_file(path):
            table = read_tsv(self._opened(path), model=str, failure=str)
        for of, (texts, numbers) in needed(self.labels).items():
            if path == of or path.startswith(f"{of}/"):
                _refuse_other_columns(path, table, texts, numbers)
        return table

    def _opened(self, path: str) -> Path:
        """Where a file of the study is that is about to be read."""
        self.opened.add(path)
        return self.study.file(path)

    def page(self, path: str) -> str:
        """The text of a page; nothing if there is none."""
        there = self.study.file(path).is_file()
        return self._opened(path).read_text(encoding="utf-8", errors="replace") if there else ""

    def training(self, path: str) -> Mapping[str, Any]:
        """A ``train.json``."""
        try:
            record = untrusted.json_of(self._opened(path))
        except Unusable as error:
            raise BadInput([Problem(path, str(error))]) from error
        absent = [key for key in KEYS_OF_TRAINING if not isinstance(record, dict) or key not in record]
        if absent:
            raise BadInput([Problem(path, f"is no record of a training: it lacks {', '.join(absent)}")])
        return record

    @contextmanager
    def naming_place(self, place: Place) -> Iterator[None]:
        """What goes wrong on the way of a number through files of anybody is one error that names them.

        A table may hold anything in any cell, and each may be what a computation stumbles on. Those are to
        blame that are no longer as their jobs recorded them.

        Raises:
            BadInput: it names these, or the number's own file where all are as recorded.
        """
        try:
            yield
        except BadInput:
            raise
        except Exception as error:
            kind = type(error).__name__
            changed = "is not as its job made it, and a number can't be followed through it"
            problems = [
                Problem(path, f"{changed} ({kind})") for path in sorted(self.opened) if self._differs(path)
            ]
            message = f"can't be followed through the rows and records behind it ({kind})"
            here = Problem(place.path, message, row=f"line {place.line + 1}", key=place.column)
            raise BadInput(problems or [here]) from error

    def _differs(self, path: str) -> bool:
        file = self.study.file(path)
        made = self.study.makers[path].outputs[path] if path in self.study.makers else None
        return made is not None and (not file.is_file() or sha256_of(file) != made)

    def _cells(self, path: str) -> Sequence[Row]:
        records = self.text(path).to_dict("records")
        return [_Cells(path, {str(key): text for key, text in row.items()}) for row in records]

    def row(self, place: Place) -> Row:
        """The whole row of a cell."""
        cells = self.cells(place.path)
        if place.line >= len(cells):
            raise BadInput([Problem(place.path, "the table has no such row", row=f"line {place.line + 1}")])
        return cells[place.line]

    def value(self, place: Place) -> str:
        """The cell, as it stands in the file."""
        return self.row(place)[place.column]

    def find(self, path: str, column: str, **keys: str) -> Place | None:
        """The cell of a column in the one row that has these keys; None if there is none."""
        if column not in self.text(path):
            return None
        lines = self.lines(path, tuple(keys)).get(tuple(keys.values()), ())
        return Place(path, lines[0], column) if len(lines) == 1 else None

    def _lines(self, path: str, keys: tuple[str, ...]) -> Mapping[tuple[str, ...], Sequence[int]]:
        found: dict[tuple[str, ...], list[int]] = {}
        for line, row in enumerate(self.cells(path)):
            found.setdefault(tuple(row[key] for key in keys), []).append(line)
        return found

    def _rows_of_metrics(
        self, path: str, model: str, first_seed: bool, label: str, scans: str, scan: str
    ) -> Rows:
        """Rows of metrics: of a model, or its first seed; of a lesion, or all; of some scans, or one."""
        frame = self.numbers(path)
        frame = frame[frame["model"] == model]
        how = [model]
        if first_seed and frame["seed"].notna().any():
            frame = frame[frame["seed"] == frame["seed"].min()]
            how.append(f"seed {frame['seed'].min():g}")
        if label in frame["label"].unique():
            frame = frame[frame["label"] == label]
            how.append(label)
        else:
            frame = frame[frame["label"].isin(list(self.labels))]
            how.append("all lesions")
        if scan:
            frame = frame[frame["scan_id"] == scan]
        elif scans == PRESENT:
            frame = frame[frame["reference_ml"] > 0]
        elif scans == ABSENT:
            frame = frame[frame["reference_ml"] == 0]
        elif scans == TWICE:
            frame = frame[frame["scan_id"].isin(self.read_twice)]
        return Rows(path, ", ".join([*how, scan or IN_WORDS[scans]]), frame)

    @cached_property
    def read_twice(self) -> set[str]:
        """The test scans that another rater read, too."""
        path = f"results/metrics/{SECOND_READING}.tsv"
        if path not in self.study.makers:
            return set()
        readings = self.numbers(path)
        of_another = readings.loc[readings["model"] == ANOTHER_RATER, "scan_id"]
        return set(of_another) & set(self.sets.loc[self.sets["set"] == "test", "scan_id"])

    @cached_property
    def sets(self) -> pd.DataFrame:
        """The cohort's scans that are in the split, with their set."""
        return self.numbers(COHORT).merge(self.numbers(SPLIT)[["scan_id", "set"]], on="scan_id")


class _Cells(dict[str, str]):
    """A row; the file may come from anybody, and need not have the columns that its name promises."""

    def __init__(self, path: str, cells: Row):
        super().__init__(cells)
        self.path = path

    def __missing__(self, column: str) -> str:
        raise BadInput([Problem(self.path, "the table has no such column", key=column)])


@contextmanager
def _naming_file(path: str) -> Iterator[None]:
    """What pandas can't read is one clear error that names the file."""
    try:
        yield
    except OSError as error:
        raise BadInput([Problem(path, f"can't be read: {error.strerror}")]) from error
    except ValueError as error:  # a quote that never ends, rows of other lengths, no UTF-8, nothing
        message = f"can't be read as a table: {' '.join(str(error).split())}"
        raise BadInput([Problem(path, message)]) from error


def _refuse_other_columns(
    path: str, frame: pd.DataFrame, texts: Sequence[str], numbers: Sequence[str]
) -> None:
    absent = [key for key in (*texts, *numbers) if key not in frame]
    problems = [Problem(path, "the table has no such column", key=key) for key in absent]
    problems += [
        Problem(path, "the column must be numbers", key=key)
        for key in numbers
        if key in frame and len(frame) and not pd.api.types.is_numeric_dtype(frame[key])
    ]
    if problems:
        raise BadInput(problems)


# -- copies ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RepeatedCell:
    """The cell that another cell repeats (some are rounded or renamed on the way).

    ``same`` is False where the other says something of it, such as a mark, or holds it among other numbers.
    """

    place: Place
    same: bool


def source_of(tables: Tables, place: Place) -> RepeatedCell | None:
    """The cell that a cell repeats; None where it repeats none."""
    row = tables.row(place)
    if (place.kind, place.name) in SOURCE_FINDERS:
        return SOURCE_FINDERS[place.kind, place.name](tables, place, row)
    repeats = place.declared.repeats if place.declared else ()
    found = (_repeated(tables, place, row, one) for one in repeats)
    return next((source for source in found if source is not None), None)


def copied_from(tables: Tables, place: Place) -> Place | None:
    """The cell that a number was copied from, if it was."""
    source = source_of(tables, place)
    return source.place if source else None


def _repeated(tables: Tables, place: Place, row: Row, repeats: Repeats) -> RepeatedCell | None:
    if any(row[column] != value for column, value in repeats.where.items()):
        return None
    column = {**repeats.renamed, **repeats.about}.get(place.column, place.column)
    keys = {repeats.renamed.get(key, key): row[key] for key in repeats.rows.split()}
    found = tables.find(f"results/{repeats.source}", column, **keys, **repeats.of)
    return RepeatedCell(found, place.column not in repeats.about) if found else None


def _statistics(name: str) -> str:
    return f"results/statistics/{name}.tsv"


def _published(tables: Tables, place: Place, row: Row) -> RepeatedCell | None:
    """What this run has in the place of a published number, or its n."""
    if place.column in ("table", "item", "label", "quantity", "published", "n_published", "note"):
        return None
    same = {"reproduced": row["quantity"], "n_reproduced": "n"}
    column = same.get(place.column, row["quantity"])  # differences and intervals are about the number itself
    if row["table"] == "Table 1":
        keys = {"model": row["item"], "label": row["label"]}
        found = tables.find(_statistics("dice_summary"), column, **keys)
    elif row["table"] == "Agreement":
        keys = {"model": row["item"], "label": row["label"], "volumes": "header", "scans": ALL}
        found = tables.find(_statistics("agreement"), column, **keys)
    else:
        characteristic, _, statistic = row["item"].partition(", ")
        column = f"{row['label']}_{column}" if row["label"] else column
        keys = {"characteristic": characteristic, "statistic": statistic}
        found = tables.find(_statistics("cohort_tests"), column, **keys)
    return RepeatedCell(found, place.column in same) if found else None


def _forest(tables: Tables, place: Place, row: Row) -> RepeatedCell | None:
    """Endpoints as planned; mean Dice from the table of all pairs, which may have the two the other way."""
    column, model, against = place.column, row["model"], row["against"]
    if not row["kind"].startswith("mean"):
        name = row["panel"].removesuffix(" (primary)")
        keys = {"endpoint": name, "model": model, "against": against}
        found = tables.find(_statistics("endpoints"), column, **keys)
        return RepeatedCell(found, True) if found else None
    path, keys = _statistics("paired"), {"label": row["label"]}
    if column in ("lower_90", "upper_90", "margin", "verdict"):
        path, column = _statistics("equivalence"), column.removesuffix("_90")
    else:
        keys |= {"measure": row["measure"], "scans": ALL}
    other_way = {"lower": "upper", "upper": "lower"}.get(column, column)
    found = tables.find(path, column, **keys, model_a=model, model_b=against) or tables.find(
        path, other_way, **keys, model_a=against, model_b=model
    )
    return RepeatedCell(found, True) if found else None


SOURCE_FINDERS: Mapping[tuple[str, str], Callable[[Tables, Place, Row], RepeatedCell | None]] = {
    ("statistics", "replication"): _published,
    ("figures", "paired_differences"): _forest,
}
"""Where the cell that is repeated follows from what a row says in words."""


# -- rows --------------------------------------------------------------------------------------------


def rows_behind(tables: Tables, place: Place) -> list[Rows]:
    """The rows of metrics, cohort or training records that a number is made of.

    Takes a place that was copied from nowhere, such as the last of :func:`copied_from`. Empty for what
    is no result: settings, titles, published numbers; and for what people said (:func:`said_in`).
    """
    row, made = tables.row(place), _made_of(place)
    match made.rows:
        case "nothing measured" | "what people said":
            return []
        case "published numbers":
            return _printed(tables, place)
        case "training records" if row.get("item") == postprocessing.ITEM:
            return _decisions(tables, place)
        case "training records":
            return _training_rows(tables, place, row)
        case "metrics of the learning curve":
            return _learning_curve_rows(tables, place, made, row)
        case "sheet":
            return _sheet_rows(tables, row)
        case "cohort":
            return _cohort_rows(tables, place, row)
    each: tuple[MadeOf, ...] = (made,)
    if made.rows == "metrics of the external set and the test set":
        each = (replace(made, rows="metrics of the external set"), replace(made, rows="metrics"))
    models = _models(tables, place, row, made)
    found = (_of_model(tables, place, one, row, model) for one in each for model in models)
    return [rows for rows in found if rows is not None]


def said_in(tables: Tables, place: Place) -> Mapping[str, str]:
    """The tables beside the results with what people said, which a number is made of, and their SHA-256.

    Empty where it is made of something else.
    """
    if _made_of(place).rows != "what people said":
        return {}
    inputs = tables.study.maker(place.path).inputs
    return {path: sha256 for path, sha256 in inputs.items() if _is_beside(path)}


def _is_beside(path: str) -> bool:
    """Whether a path is that of a table of the study that lies beside its results."""
    return path.endswith(".tsv") and not path.startswith("results/")


def _made_of(place: Place) -> MadeOf:
    """What is declared of a cell's column."""
    declared = place.declared.made_of if place.declared else (MadeOf(),)
    return next((one for one in declared if not one.columns or place.column in one.columns.split()), MadeOf())


def family(record: Record) -> list[str]:
    """The models that a job compares: its ``--models``."""
    given = record.option("--models")
    if not given:
        return [Path(path).stem for path in record.inputs if path.startswith("results/metrics/")]
    return list(json.loads(given[0])) if given[0].startswith("{") else given


def _models(tables: Tables, place: Place, row: Row, made: MadeOf) -> list[str]:
    record = tables.study.maker(place.path)
    match made.models:
        case "another rater":
            return [ANOTHER_RATER]
        case "of the row and another rater":
            return [row["model"], ANOTHER_RATER]
        case "that ranks cases":
            return record.option("--select-by")
        case "all compared":
            return family(record)
    return [row[key] for key in ("model", "model_a", "model_b", "against") if row.get(key)] or family(record)


def _of_model(tables: Tables, place: Place, made: MadeOf, row: Row, model: str) -> Rows | None:
    """The rows of one model; None where it was not measured."""
    if model == TRAINING_MEAN:
        training = tables.sets[tables.sets["set"] == "train"]
        return Rows(COHORT, "scans of the training set", training)
    stem = SECOND_READING if model.startswith(SECOND_READING) else model
    path = _metrics_of(tables, place, row, made, stem)
    if path not in tables.study.makers:
        return None
    label = row.get("label", "") if made.lesions == "of the row" else ""
    scans = row.get("scans", ALL) if made.scans == "of the row" else made.scans
    scans = scans if scans in IN_WORDS else ALL
    rows = tables.measured_rows(path, model, made.seeds == "first", label, scans, row.get("scan_id", ""))
    return _of_site(tables, rows, row["site"]) if row.get("site") else rows


def _metrics_of(tables: Tables, place: Place, row: Row, made: MadeOf, stem: str) -> str:
    """The metrics table of a model: of the test set, held-out scans, an external set, or as was read."""
    of_test, held_out = f"results/metrics/{stem}.tsv", f"results/metrics/out-of-fold/{stem}.tsv"
    if made.rows == "metrics of the external set":
        return f"results/metrics/external/{row['set']}/{stem}.tsv"
    if made.rows == "metrics at a share of the training" and row["share"] != WHOLE_TRAINING:
        return f"results/metrics/effort/{row['share']}/{stem}.tsv"
    if made.rows == "metrics that the job read":
        return held_out if held_out in tables.study.maker(place.path).inputs else of_test
    return of_test if made.rows == "metrics" else held_out


def _learning_curve_rows(tables: Tables, place: Place, made: MadeOf, row: Row) -> list[Rows]:
    """Measures of the networks of one size, or of each size, of the model of the row."""
    folder = f"{LEARNING_CURVE}/{row['model']}/"
    read = sorted(path for path in tables.study.maker(place.path).inputs if path.startswith(folder))
    if made.sizes == "of the row":
        read = [f"{folder}size-{row['size']}.tsv"]
    rows = (
        tables.measured_rows(path, row["model"], made.seeds == "first", row["label"], ALL, "")
        for path in read
    )
    return [Rows(of.path, f"{of.how}, {_size_in_words(of.path)}", of.frame) for of in rows]


def _size_in_words(path: str) -> str:
    """Of how many participants the networks learnt whose measures a file has."""
    return f"learnt from {Path(path).stem.removeprefix('size-')} participants"


def _of_site(tables: Tables, rows: Rows, site: str) -> Rows:
    """Those of one site."""
    cohort = tables.text(COHORT)
    scans = cohort.loc[cohort["site"] == site, "scan_id"]
    return Rows(rows.path, f"{rows.how}, site {site}", rows.frame[rows.frame["scan_id"].isin(scans)])


def _sheet_rows(tables: Tables, row: Row) -> list[Rows]:
    """Every scan of the sheet, or the one that the row names."""
    cohort = tables.numbers(COHORT)
    if "scan_id" not in row:
        return [Rows(COHORT, "every scan of the sheet", cohort)]
    return [Rows(COHORT, f"scan {row['scan_id']}", cohort[cohort["scan_id"] == row["scan_id"]])]


def _cohort_rows(tables: Tables, place: Place, row: Row) -> list[Rows]:
    """Scans of the split: of the set that the column or the row names, with the lesion that the row names."""
    name = place.column.partition("_")[0]
    name = name if name in ("train", "test") else row.get("set", "both")
    scans = tables.sets if name not in ("train", "test") else tables.sets[tables.sets["set"] == name]
    how = "scans of both sets" if name not in ("train", "test") else f"scans of the {name} set"
    lesion = row.get("characteristic", "").removesuffix("_volume_ml")
    if lesion in tables.labels and lesion != row["characteristic"]:
        scans, how = scans[scans[f"{lesion}_ml"] > 0], f"{how} with {lesion}"
    return [Rows(COHORT, how, scans)]


def _training_rows(tables: Tables, place: Place, row: Row) -> list[Rows]:
    record = tables.study.maker(place.path)
    keys = place.declared.keys.split() if place.declared else []
    of_all = "model" not in row and place.column in keys  # a table with a column per model
    models = [row.get("model", place.column)]
    for text in record.option("--ensembles"):  # an ensemble was not trained; its members were
        members = json.loads(text)
        models = members.get(models[0], models)
    found = []
    for path in record.inputs:
        parts = path.split("/")
        if not path.endswith("/train.json") or not (of_all or parts[2] in models):
            continue
        if "seed" in row and parts[3:5] != [f"seed-{row['seed']}", f"fold-{row['fold']}"]:
            continue
        history = tables.training(path)["history"]
        how = "the whole record"
        if "epoch" in row:
            history = [epoch for epoch in history if str(epoch["epoch"]) == row["epoch"]]
            how = f"epoch {row['epoch']}"
        found.append(Rows(path, how, pd.json_normalize(history)))
    return found


def _decisions(tables: Tables, place: Place) -> list[Rows]:
    """What held-out scans decided on the post-processing of the model of a column, by seed."""
    return [
        Rows(path, "the whole decision", pd.json_normalize(untrusted.json_of(tables.study.file(path))))
        for path in tables.study.maker(place.path).inputs
        if path.endswith(f"/{postprocessing.FILE}") and path.split("/")[2] == place.column
    ]


def _printed(tables: Tables, place: Place) -> list[Rows]:
    """The files of the published numbers: what is no result of this run."""
    record = tables.study.maker(place.path)
    return [
        Rows(path, "numbers as printed", tables.numbers(path))
        for path in record.inputs
        if "/published/" in path and tables.study.file(path).is_file()
    ]
