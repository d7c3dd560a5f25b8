"""Answer in plain words where a file or a number comes from, and whether it can be made again."""

from __future__ import annotations

import csv
import difflib
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from html import unescape
from pathlib import Path, PurePosixPath

import pandas as pd

from headct.contracts.amendments import DRAWN
from headct.contracts.artefacts import sha256_of
from headct.contracts.plurals import counted
from headct.contracts.problems import BadInput, Problem
from headct.contracts.run_records import Record
from headct.provenance.lineage import (
    PREDICTIONS,
    TRAININGS,
    Lineage,
    Stage,
    Study,
    commit,
    from_outside,
    jobs_behind,
    lineage,
    wildcards_in_short,
    withdrawn_behind,
)
from headct.provenance.number_origins import (
    Place,
    Row,
    Rows,
    Tables,
    copied_from,
    declared_at,
    rows_behind,
    said_in,
)
from headct.provenance.recompute import equal, recompute
from headct.provenance.replay import OF_NUMBERS, Replay, replay
from headct.publish.printed_numbers import number

SHOWN = 8
"""How many of a kind are named before the rest is counted."""

LISTED = 20
"""How many rows are printed before the rest is counted."""

KEYS = ("model", "label", "set", "scan_id", "reason", "seed", "fold", "status")
"""Columns that name a row in tables that are not published; those of the others are declared."""

SHOWN_OF_METRICS = ("seed", "scan_id", "label", "dice", "reference_ml", "predicted_ml", "failure")

AS_RECORDED = "the file here has it"
NOT_HERE = "not here, and not compared"
ANOTHER = "NOT THE SAME: the file here is another, and was changed since"
OF_INSTANCES = "/scan.json"
"""How the paths end of what lists the DICOM files of a scan."""
REPEAT = "The jobs behind it were not repeated: --repeat does that."
NONE_REPEATED = "None of the jobs behind it was repeated: none is of the kinds that can be."
NEVER_REPEATED = (
    "Not repeated, and not checked: training, prediction and ingest, which take more than seconds."
)

FOLDERS = ("tables", "figures", "statistics")
"""Where numbers are, in the order in which a name is looked up."""


# -- a file ------------------------------------------------------------------------------------------


def words_of_file(study: Study, path: str, full: bool = False) -> tuple[str, bool]:
    """The lineage of a file, as text, and whether all files that it names are those that were recorded.

    Args:
        study: the study.
        path: of the file, as in the records.
        full: whether each job of each kind is named, with all that it read and wrote.
    """
    found = lineage(study, path)
    recorded = {**_recorded(study, found, full), **found.sources}
    states = {name: _compared(study, name, digest) for name, digest in recorded.items()}
    head = [found.artefact, f"  sha256 {found.digest} as its job recorded it; {states[path]}"]
    words = [*head, "", *_stages(found, full), *_foot(found, states)]
    return "\n".join(words), not found.broken and ANOTHER not in states.values()


def _recorded(study: Study, found: Lineage, full: bool) -> dict[str, str]:
    """By path, the digest of each file of a job that the answer names, or sums up as so many files."""
    of_jobs = {path for stage in found.stages for job in stage.jobs for path in job.outputs}
    shown = {path for stage in found.stages for path in stage.files}
    named = of_jobs if full else shown | {path for path in of_jobs if path.endswith(OF_INSTANCES)}
    return {path: study.makers[path].outputs[path] for path in sorted(named | {found.artefact})}


def _compared(study: Study, path: str, digest: str) -> str:
    """Whether a file of the folder has the recorded digest, in words; one that is gone is not another."""
    file = study.file(path)
    if not file.is_file() and not path.startswith("results/"):
        file = study.file(f"config/{PurePosixPath(path).name}")  # where the seal copies what lay elsewhere
    if not file.is_file():
        return NOT_HERE
    return AS_RECORDED if sha256_of(file) == digest else ANOTHER


def _stages(found: Lineage, full: bool) -> Iterator[str]:
    for stage in found.stages:
        yield f"<- {heading(stage)}"
        yield f"     {stage.when()} UTC, on {stage.hosts()}, commit {stage.commits()}"
        names = stage.names()
        if names and (full or len(names) > 1):
            yield f"     of {_some(names, len(names) if full else SHOWN)}"
        if full:
            for job in stage.jobs:
                yield f"     {job.path}: {' '.join(job.command)}"
                yield from (f"       read  {digest[:16]}…  {path}" for path, digest in job.inputs.items())
                yield from (f"       wrote {digest[:16]}…  {path}" for path, digest in job.outputs.items())
        read = [*stage.of, *from_outside(stage.sources)]
        if read:
            yield f"     from {', '.join(read)}"


def heading(stage: Stage) -> str:
    """A kind of job, how many, and what became of it."""
    count = f"{len(stage.jobs)} × " if len(stage.jobs) > 1 else ""
    name = f" ({stage.names()[0]})" if len(stage.jobs) == 1 and stage.names() else ""
    files = stage.files[0] if len(stage.files) == 1 else f"{len(stage.files)} files"
    return f"{count}{stage.rule}{name}, which made {files}"


def _foot(found: Lineage, compared: Mapping[str, str]) -> Iterator[str]:
    n = sum(map(len, found.instances.values()))
    if found.instances:
        yield (
            f"<- {len(found.instances)} scans, {n} DICOM instances, each with its sha256 in"
            " results/data/<scan>/scan.json (instances)"
        )
    if found.unread:
        yield "UNKNOWN, which DICOM instances these scans were made from:"
        yield from (f"  {path}: {why}" for path, why in list(found.unread.items())[:LISTED])
        if len(found.unread) > LISTED:
            yield f"  and {len(found.unread) - LISTED} more"
    if found.withdrawn:
        yield "WITHDRAWN since, with all data of theirs that was read:"
        yield from (f"  {words}" for words in found.withdrawn)
    if found.sources:
        yield "files that no job made, with the sha256 that was read:"
        shown = list(found.sources.items())
        shown.sort(key=lambda source: compared[source[0]] != ANOTHER)
        yield from (f"  {digest}  {path} ({compared[path]})" for path, digest in shown[:LISTED])
        if len(shown) > LISTED:
            yield f"  and {len(shown) - LISTED} more"
    of_jobs = {path: state for path, state in compared.items() if path not in found.sources}
    yield from _named("NOT THE SAME, files of jobs that were changed since:", of_jobs, ANOTHER)
    yield from _named("not here, and not compared, files of jobs:", of_jobs, NOT_HERE)
    if found.broken:
        yield "NOT THE SAME, the way is broken: some steps did not read what is here:"
        yield from (f"  {words}" for words in found.broken)
    elif ANOTHER not in compared.values():
        n = Counter(compared.values())[AS_RECORDED]
        yield (
            "Unbroken: each job read just the bytes that the one before it recorded;"
            f" {n} of {counted(len(compared), 'file')} compared, all as recorded."
        )


def _named(title: str, compared: Mapping[str, str], state: str) -> Iterator[str]:
    """The files that are in a state, below a title; nothing where none is."""
    paths = [path for path, found in compared.items() if found == state]
    if paths:
        yield title
        yield from (f"  {path}" for path in paths[:SHOWN])
    if len(paths) > SHOWN:
        yield f"  and {len(paths) - SHOWN} more"


def _some(names: Sequence[str], limit: int = SHOWN) -> str:
    shown = ", ".join(names[:limit])
    return shown + (f" and {len(names) - limit} more" if len(names) > limit else "")


# -- finding a number --------------------------------------------------------------------------------


def find(tables: Tables, request: Sequence[str]) -> Place:
    """The cell that a request means.

    Args:
        tables: of the study.
        request: a table, what names the row, a column: one text with commas, or one word each. The table
            is a path, a file's name, or as printed (Table 1, Table E2); case and blanks do not count.

    Raises:
        BadInput: nothing, or more than one cell, is meant; it lists what was near.
    """
    words = [part.strip() for part in (request[0].split(",") if len(request) == 1 else request)]
    words = [word for word in words if word]
    request_text = ", ".join(words)
    if len(words) < 2:
        raise BadInput(
            [Problem(request_text, "name a table, its row and a column: 'Table 1, Focal, IVH, mean'")]
        )
    path = _file_meant(tables, words[0])
    column = _column_meant(tables, path, words[-1])
    lines = _lines_meant(tables, path, words[1:-1])
    if len(lines) > 1:
        filled = [line for line in lines if tables.cells(path)[line][column]]
        lines = filled if len(filled) == 1 else lines
    if len(lines) > 1:
        apart = [f"line {line + 1}: {name_of(path, tables.cells(path)[line])}" for line in lines]
        message = f"{len(lines)} rows of {path} are meant; say which, or 'line N': {_some(apart)}"
        raise BadInput([Problem(request_text, message)])
    return Place(path, lines[0], column)


def _plain(word: str) -> str:
    return re.sub(r"[\s_\-]+", "", word).casefold()


def number_files(study: Study) -> list[str]:
    """All tables of numbers, those for print first."""
    found = [path for path in study.makers if path.endswith(".tsv") and path.startswith("results/")]
    order = {folder: i for i, folder in enumerate(FOLDERS)}
    of = {path: path.split("/")[1] for path in found}
    return sorted(found, key=lambda path: (order.get(of[path], len(order)), path))


def _file_meant(tables: Tables, word: str) -> str:
    files = number_files(tables.study)
    meant = _plain(word)
    meant = meant.removesuffix(next(filter(meant.endswith, (".tsv", *DRAWN)), ""))
    whole = [
        path for path in files if _plain(path).removesuffix(".tsv") in (meant, _plain(f"results/{meant}"))
    ]
    by_name = [path for path in files if _plain(path.split("/")[-1]).removesuffix(".tsv") == meant]
    for found in (whole, by_name):
        if len({path.split("/")[1] for path in found}) > 1:  # the same name as a table and as a figure
            raise BadInput([Problem(word, f"more than one file is meant: {', '.join(found)}")])
        if found:
            return found[0]
    names = {path.split("/")[-1].removesuffix(".tsv"): path for path in reversed(files)}
    near = difflib.get_close_matches(meant, names, SHOWN, 0.5) or [
        path.split("/")[-1].removesuffix(".tsv") for path in files if path.split("/")[1] == "tables"
    ]
    raise BadInput([Problem(word, f"no such table; near: {', '.join(near)}")])


def _column_meant(tables: Tables, path: str, word: str) -> str:
    columns = list(tables.text(path).columns)
    found = [column for column in columns if _plain(column) == _plain(word)]
    if not found:
        near = difflib.get_close_matches(word, columns, SHOWN, 0.5) or columns
        raise BadInput([Problem(path, f"no such column; near: {', '.join(near)}", key="column", value=word)])
    return found[0]


def _lines_meant(tables: Tables, path: str, words: Sequence[str]) -> list[int]:
    cells = tables.cells(path)
    lines = list(range(len(cells)))
    for word in words:
        by_number = re.fullmatch(r"line (\d+)", word)
        if by_number:
            matching = [line for line in lines if line == int(by_number[1]) - 1]
        else:
            matching = [line for line in lines if _plain(word) in map(_plain, _names(path, cells[line]))]
        if not matching:
            names = list(dict.fromkeys(name for line in lines for name in _names(path, cells[line])))
            near = difflib.get_close_matches(word, names, SHOWN, 0.4) or names
            before = (
                f" among the rows of {', '.join(words[: words.index(word)])}" if words.index(word) else ""
            )
            raise BadInput(
                [Problem(path, f"no such row{before}; near: {_some(near)}", key="row", value=word)]
            )
        lines = matching
    return lines


def _keys(path: str) -> Sequence[str]:
    """The columns that name a row of a file; all others hold what is said of it."""
    declared = declared_at(path)
    return declared.keys.split() if declared else KEYS


def _names(path: str, row: Row) -> list[str]:
    return [value for key, value in row.items() if key in _keys(path) and value]


def name_of(path: str, row: Row) -> str:
    """What names a row of a file, in words."""
    return ", ".join(f"{key} {row[key]}" for key in _keys(path) if row.get(key) and key != "title")


# -- a number ----------------------------------------------------------------------------------------


def answer(
    tables: Tables,
    request: Sequence[str],
    repeat: bool = False,
    full: bool = False,
    files: Sequence[Path] = (),
) -> tuple[Place, str, bool]:
    """The cell that a request means, where it comes from in words, and whether all that was checked agrees.

    Args:
        tables: of the study.
        request: as :func:`find` takes it.
        repeat: whether the jobs behind the number are run again, back to the metrics.
        full: whether each row is printed.
        files: inputs that are not in the folder (the sample sheet).

    Raises:
        BadInput: as :func:`find`; or the number can't be followed, with the files that are the reason.
    """
    place = find(tables, request)
    with tables.naming_place(place):
        words, right = words_of_number(trace(tables, place), repeat, full, files)
    return place, words, right


@dataclass(frozen=True)
class Trace:
    """Where a number stands, what it was copied from (nearest first), and the rows behind it."""

    tables: Tables
    place: Place
    sources: tuple[Place, ...]
    rows: tuple[Rows, ...]

    @property
    def record(self) -> Record:
        """The job that wrote it."""
        return self.tables.study.maker(self.place.path)

    @cached_property
    def recomputed(self) -> float | str | None:
        """The number from its rows, by :mod:`.recompute`; None where it is not elementary."""
        return recompute(self.tables, self.place)

    def agrees(self) -> bool | None:
        """Whether the recomputed number is the one in the file; None where none was recomputed.

        An empty cell is not: what can't be estimated from its rows can't be computed from them again.
        """
        text = self.tables.value(self.place)
        found = self.recomputed if text else None
        if found is None:
            return None
        return text == found if isinstance(found, str) else equal(text, found)


def trace(tables: Tables, place: Place) -> Trace:
    """Follow a number back to its rows."""
    sources = []
    last = place
    while (source := copied_from(tables, last)) is not None:
        sources.append(source)
        last = source
    return Trace(tables, place, tuple(sources), tuple(rows_behind(tables, last)))


def words_of_number(
    found: Trace, repeat: bool = False, full: bool = False, files: Sequence[Path] = ()
) -> tuple[str, bool]:
    """A trace as text, and whether all that was checked agrees.

    ``repeat`` runs the jobs behind the number again, back to the metrics, with ``files`` as inputs that
    are not in the folder (the sample sheet); ``full`` prints each row.

    Args:
        found: the trace.
        repeat: whether the jobs behind the number are run again.
        full: whether each row is printed.
        files: inputs that are not in the folder.
    """
    tables, place = found.tables, found.place
    row, study = tables.row(place), tables.study
    on_page = printed(tables, place)
    lines = [
        f"{place.column} = {tables.value(place) or '(empty)'}"
        + (f", printed as {on_page}" if on_page else ""),
        f"  stands in {place.path}, line {place.line + 1} below the header: {name_of(place.path, row)}",
        f"  written by {_job(found.record)}",
    ]
    if row.get("note"):
        lines.append(f"  note of that row: {row['note']}")
    for source in found.sources:
        lines += [
            f"copied or derived from {source.column} = {tables.value(source) or '(empty)'}",
            f"  in {source.path}, line {source.line + 1}: {name_of(source.path, tables.row(source))}",
            f"  written by {_job(study.maker(source.path))}",
        ]
    if not found.rows:
        lines += _of_no_rows(found)
    for rows in found.rows:
        lines += [f"made of {len(rows.frame)} rows of {rows.path}: {rows.how}", *_table(rows.frame, full)]
        lines += _of_missing(rows)
        if rows.path in study.makers:
            lines.append(f"  written by {_job(study.makers[rows.path])}")
            lines += [f"  {words}" for words in _behind(study, rows)]
    agrees = found.agrees()
    lines += ["", *_verdict(found, agrees)]
    withdrawn = withdrawn_behind(jobs_behind(study, place.path))
    if withdrawn:
        lines.append(
            f"It was computed with data that are gone since: {'; '.join(withdrawn)}. It can't be computed"
            " again from what is left; the next run computes it without."
        )
    states = {path: _compared(study, path, study.maker(path).outputs[path]) for path in _behind_number(found)}
    lines += [f"{path}: {state}" for path, state in states.items() if state != AS_RECORDED]
    again, is_same = _repeated(found, files) if repeat else ([REPEAT], True)
    right = agrees is not False and ANOTHER not in states.values() and is_same
    return "\n".join([*lines, *again]), right


def _repeated(found: Trace, files: Sequence[Path]) -> tuple[list[str], bool]:
    """What came of repeating the jobs behind a number, in words, and whether all made the same."""
    repeated = [_words_of(one, found) for one in repeats(found, files)]
    words = [words for words, _ in repeated] or [NONE_REPEATED]
    return [*words, NEVER_REPEATED], all(is_same for _, is_same in repeated)


def _behind_number(found: Trace) -> list[str]:
    """The files that an answer about a number names, of those that a job made."""
    study = found.tables.study
    rows = [rows.path for rows in found.rows if rows.path in study.makers]
    behind = [path for one in rows for job in jobs_behind(study, one) for path in _of_models(job)]
    return list(dict.fromkeys([found.place.path, *(source.path for source in found.sources), *rows, *behind]))


def _of_models(job: Record) -> list[str]:
    """The lists of label maps, or the weights, that a job made."""
    if job.rule.startswith(PREDICTIONS):
        return [path for path in job.outputs if path.endswith(".tsv")]
    return [path for path in job.outputs if job.rule in TRAININGS and path.endswith(".pth")]


def _of_no_rows(found: Trace) -> list[str]:
    """What a number is made of that no measurement is behind."""
    judged = said_in(found.tables, found.sources[-1] if found.sources else found.place)
    if not judged:
        return ["made of no measurement: a setting, a title, a date or a printed number"]
    files = [f"  {path}, sha256 {sha256}" for path, sha256 in judged.items()]
    return ["made of what people said, in tables beside the results:", *files]


def printed(tables: Tables, place: Place) -> str:
    """A number as the page beside its table prints it, in the row of its model; nothing if it does not."""
    title, text = tables.row(place).get("title", ""), tables.value(place)
    try:
        value = float(text)
    except ValueError:
        return ""
    if not title:
        return ""
    page = tables.page(PurePosixPath(place.path).with_suffix(".html").as_posix())
    rows = re.findall(r"<tr.*?</tr>", page, re.DOTALL)
    of_model = " ".join(row for row in rows if f">{title}</th>" in unescape(row))
    shown = set(re.findall(r"−?\d+(?:\.\d+)?", re.sub(r"<[^>]*>", " ", of_model)))
    forms = [number(value, decimals) for decimals in (3, 2, 1, 0)]
    return next((form for form in forms if form in shown), "")


def _of_missing(rows: Rows) -> list[str]:
    """How rows without a prediction are scored, which is not as they are measured."""
    n = int(rows.missing.sum()) if "failure" in rows.frame else 0
    scored = "scored with a Dice of 0 and as wrong about whether the lesion is there, whatever stands there"
    return [f"  {n} of these rows have no prediction: {scored}"] if n else []


def _job(record: Record) -> str:
    name = f"{record.rule} {wildcards_in_short(record)}".strip()
    return (
        f"{name}, {record.started[:19].replace('T', ' ')} UTC on {record.host['name']}, commit"
        f" {commit(record)} (results/{record.path})"
    )


def _table(frame: pd.DataFrame, full: bool) -> list[str]:
    columns = [name for name in SHOWN_OF_METRICS if name in frame] if "dice" in frame else list(frame)
    shown = frame[columns[:LISTED]].dropna(axis=1, how="all")
    text = shown if full else shown.head(LISTED)
    lines = (
        [f"    {line}" for line in text.to_string(index=False, na_rep="").splitlines()] if len(text) else []
    )
    if len(text) < len(frame):
        lines.append(f"    and {len(frame) - len(text)} more (--full)")
    return lines


def _behind(study: Study, rows: Rows) -> Iterator[str]:
    """The label maps, weights and scans behind rows of metrics."""
    jobs = jobs_behind(study, rows.path)
    for job in jobs:
        if job.rule.startswith(PREDICTIONS):
            yield f"label maps listed with sha256 in {', '.join(_of_models(job))}, by {_job(job)}"
        if job.rule in TRAININGS:
            weights = [(path, job.outputs[path]) for path in _of_models(job)]
            yield from (f"weights {path}, sha256 {digest}, by {_job(job)}" for path, digest in weights)
    scans = counted(sum(path.endswith("/scan.json") for job in jobs for path in job.outputs), "scan")
    in_rows = f", {rows.frame['scan_id'].nunique()} of them in these rows" if "scan_id" in rows.frame else ""
    learnt = "no network was trained here for these rows"
    if any(job.rule in TRAININGS for job in jobs):
        learnt = "trained on those of the training set alone"
    yield f"and {scans} from ingest{in_rows}; {learnt}: trace {rows.path}"


def _verdict(found: Trace, agrees: bool | None) -> list[str]:
    if not found.tables.value(found.place):
        return ["The cell is empty: there is no number to compute again."]
    if agrees is None:
        return ["Not an elementary number: not computed again from the rows by itself."]
    words = "the same" if agrees else "NOT THE SAME"
    value = found.recomputed
    shown = value if isinstance(value, str) else f"{value:.10g}"
    return [f"Computed again from these rows, by other code: {shown}: {words}."]


def repeats(found: Trace, files: Sequence[Path] = ()) -> Iterator[Replay]:
    """Repeat the jobs between the metrics and a number, the number's own first."""
    own = found.record.inputs
    jobs = [
        job
        for job in jobs_behind(found.tables.study, found.place.path)
        if job.step in OF_NUMBERS
        or (
            job.step == "postprocessing" and not own.keys().isdisjoint(job.outputs)
        )  # what a table says of it
        or (not job.step and found.place.path in job.outputs)  # of an older release: told, not repeated
    ]
    return (replay(found.tables.study, job, files) for job in jobs)


def _words_of(one: Replay, found: Trace) -> tuple[str, bool]:
    rule = one.record.rule
    if one.refused:
        return (
            f"{rule} WAS NOT REPEATED: results/{one.record.path} is no record of a job: {one.why_not}",
            False,
        )
    if one.why_not:
        return f"{rule} was not repeated: {one.why_not}", True
    where = f" (not walled off here: {', '.join(one.lacking)})" if one.lacking else ""
    differing = [path for path, same in one.same.items() if not same]
    if not differing:
        return f"{rule} repeated on its recorded inputs: all {len(one.same)} files are the same{where}.", True
    place = found.place
    again = _cell(one.made.get(place.path, b""), place)
    number = f"; {place.column} is then {again}" if place.path in differing else ""
    return f"{rule} repeated: NOT THE SAME: {_some(differing)}{number}{where}", False


def _cell(content: bytes, place: Place) -> str:
    rows: list[Mapping[str, str]] = list(csv.DictReader(io.StringIO(content.decode()), delimiter="\t"))
    return rows[place.line].get(place.column, "gone") if place.line < len(rows) else "gone"
