"""What a study publishes, declared once, beside the code that makes it: figures, tables, statistics, reports.

A declaration is a call with literal arguments at the top level of a module::

    FLOW = PublishedFigure(
        name="flow",
        help="scans from the sheet to the analysis",
        inputs={"flow": "cohort/flow.tsv", "split": "cohort/split.tsv"},
        given={"study_title": "study title", "width_mm": "width in mm"},
    )

:func:`declared` reads all of a kind from the source, without importing any module. So the Snakefile starts
without matplotlib and pandas, the audit does not import what it checks, and a new figure needs no list to be
edited.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeGuard, TypeVar, get_args, get_type_hints

from headct.contracts.problems import BadInput, Problem
from headct.contracts.repository import PACKAGE

EFFECT = "speed"  # what declarations say stands in the parameters of each job

FILE, FILES, FOLDER = "a file", "files", "a folder"
"""What an option of the command line takes."""

SOURCES: Mapping[str, str] = {
    "metrics of all models": FILES,
    "metrics of the compared models": FILES,
    "metrics of the shown models": FILES,
    "metrics of the agreement model": FILE,
    "metrics of second readings": FILE,
    "predictions of the shown models": FILES,
    "training records": FILES,
    "training records of the model": FILES,
    "decisions on post-processing": FILES,
    "scans": FOLDER,
    "scans of all sets": FOLDER,
    "statistics of the paper": FOLDER,
    "statistics of the plan": FOLDER,
    "published numbers": FOLDER,
    "analysis plan": FILE,
    "reporting checklists": FILES,
    "the whole run": FOLDER,
}
"""What a published thing may be made from, and what its option takes. Any other source is one file, named by
its path below ``results/``. The files of each stand in ``workflow/rules/declared.smk``."""

SETTINGS: Mapping[str, str] = {
    "study title": "title of the study, printed small in a corner",
    "note": "what the study says of its data, printed behind the heading",
    "lesions": "JSON: the lesion classes, in their order, with roles and groups",
    "lesions in print": "JSON: the lesion classes, in their order, with roles, groups, titles and colours",
    "width in mm": "width of the page in mm: 85, one column, or 170, two",
    "titles of all models": 'titles as JSON, {"model key": "title"}, in order',
    "titles of the compared models": 'titles as JSON, {"model key": "title"}, in order',
    "titles of the shown models": 'titles as JSON, {"model key": "title"}, from left to right',
    "title of the model": "title of the model",
    "agreement model": "model, by its key",
    "title of the agreement model": "title of the model",
    "members of ensembles": 'members as JSON, {"ensemble": ["member", …]}',
    "models made elsewhere": 'what is known of each as JSON, {"model key": {"Made by": "…"}}',
    "model that ranks cases": "model whose mean Dice chooses the cases",
    "number of cases": "number of cases",
    "Dice that ranks cases": "Dice that is averaged over the lesions",
}
"""What of the configuration a published thing may need, and what its option takes."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """One thing that a study publishes.

    Attributes:
        name: on the command line, and of its files.
        help: what it shows, in a line.
        inputs: its options that take files, each with one of :data:`SOURCES` or a path below ``results/``.
        given: its options that take a setting, each with one of :data:`SETTINGS`.
        module: full name of the module that declares and makes it; filled in by :func:`declared`.

    Raises:
        ValueError: a source or a setting is none of those.
    """

    name: str
    help: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    given: Mapping[str, str] = field(default_factory=dict)
    module: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        for option, source in self.inputs.items():
            if source not in SOURCES and "/" not in source:
                raise ValueError(f"{option}: no such source: {source!r}; there are {', '.join(SOURCES)}")
        for option, setting in self.given.items():
            if setting not in SETTINGS:
                raise ValueError(f"{option}: no such setting: {setting!r}; there are {', '.join(SETTINGS)}")


@dataclass(frozen=True, kw_only=True)
class Repeats:
    """How cells of a table repeat those of another; columns have the same name there, unless said otherwise.

    Attributes:
        source: the other table, by its path below ``results/``: ``statistics/dunn.tsv``.
        rows: columns whose values the row has that is repeated: ``"model label"``.
        renamed: columns that have another name there.
        about: columns that don't repeat their source, but say something of it, by its name: a mark, a cell of
            several numbers.
        where: values of a row that repeats; others don't.
        of: values of the row that is repeated.
    """

    source: str
    rows: str
    renamed: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, str] = field(default_factory=dict)
    of: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class MadeOf:
    """The rows that numbers are computed from, where they repeat no other table.

    Attributes:
        columns: the columns that this is said of; all, where it is empty.
        rows: of what table or records; ``cohort`` are the scans of the split, ``sheet`` all of the sheet;
            ``metrics at a share of the training`` are of held-out scans, by the row's column ``share``;
            ``metrics that the job read`` are those of the test set or of held-out scans, as its inputs say;
            the external set is that of the row's column ``set``; ``what people said`` stands in files beside
            the results.
        models: those that the row names (all compared ones, where it names none), or others.
        seeds: whether each scan counts with the mean over its seeds, or by the first seed's network.
        scans: those that the row names in its column ``scans`` (all, where it names none), or others.
        lesions: the one that the row names in its column ``label``, or all of them.
        sizes: of the learning curve: the one that the row names in its column ``size``, or all of them.

    Raises:
        ValueError: one is none of those that there are.
    """

    columns: str = ""
    rows: Literal[
        "metrics",
        "metrics of held-out scans",
        "metrics that the job read",
        "metrics of the external set",
        "metrics of the external set and the test set",
        "metrics at a share of the training",
        "metrics of the learning curve",
        "cohort",
        "sheet",
        "training records",
        "published numbers",
        "what people said",
        "nothing measured",
    ] = "metrics"
    models: Literal[
        "of the row", "all compared", "that ranks cases", "another rater", "of the row and another rater"
    ] = "of the row"
    seeds: Literal["mean", "first"] = "mean"
    scans: Literal["of the row", "with lesion", "without lesion", "read twice"] = "of the row"
    lesions: Literal["of the row", "all"] = "of the row"
    sizes: Literal["of the row", "all"] = "of the row"

    def __post_init__(self) -> None:
        for name, choices in _choices().items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}; there are {', '.join(choices)}")


@cache
def _choices() -> dict[str, tuple[str, ...]]:
    """What the fields of ``MadeOf`` may hold; found once, for one is made for each number that is traced."""
    return {name: get_args(hint) for name, hint in get_type_hints(MadeOf).items() if get_args(hint)}


@dataclass(frozen=True, kw_only=True)
class PublishedNumbers(Published):
    """What is published as a table of numbers (TSV), by itself or beside a page.

    Attributes:
        columns: names of all columns, in order; ``{model}`` stands for one column per model.
        keys: the columns that name a row, in the order in which they are told.
        repeats: how its cells repeat those of other tables; the first that has the row and the column counts.
        made_of: what the others are computed from; the first that is said of a cell's column counts.
    """

    columns: str = ""
    keys: str = ""
    repeats: tuple[Repeats, ...] = ()
    made_of: tuple[MadeOf, ...] = (MadeOf(),)

    @property
    def header(self) -> list[str]:
        """Its columns, in order."""
        return self.columns.split()

    @property
    def path(self) -> str:
        """Of the numbers, below ``results/``; with ``{model}`` in it, where there is one for each model."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class PublishedFigure(PublishedNumbers):
    """A figure: ``results/figures/NAME.pdf``; beside it SVG and PNG, and the numbers drawn, as TSV.

    Its module has ``draw(options)``, which returns its pages.

    Attributes:
        caption: name of its caption in ``workflow/report``, where it is not the figure's.
        category: where it stands in the report of Snakemake.
        per_model: whether there is one for each trained model, ``results/figures/NAME/MODEL.pdf``.
        on_cluster: whether it takes so long that it is a job of the cluster, where there is one.
        shows_ct: whether it has pixels of a patient's CT, which no page may hold that works alone.
        pictures: whether it is written as SVG and PNG, too; a document of many pages is not.
    """

    caption: str = ""
    category: str = "Figures"
    per_model: bool = False
    on_cluster: bool = False
    shows_ct: bool = False
    pictures: bool = True

    @property
    def kinds(self) -> tuple[str, ...]:
        """How the names of its files end, the numbers drawn last."""
        return ("pdf", "svg", "png", "tsv") if self.pictures else ("pdf", "tsv")

    @property
    def path(self) -> str:
        return f"figures/{self.name}{'/{model}' if self.per_model else ''}.tsv"


@dataclass(frozen=True, kw_only=True)
class PublishedTable(PublishedNumbers):
    """A table: numbers (TSV), LaTeX and an HTML page.

    Its module has ``make(options)``, which returns a :class:`headct.publish.tables.table_page.Table`.

    Attributes:
        caption: its description in the report of Snakemake, in reStructuredText.
        folder: below ``results/``.
        category: where it stands in the report of Snakemake.
    """

    caption: str = ""
    folder: str = "tables"
    category: str = "Tables"

    @property
    def path(self) -> str:
        return f"{self.folder}/{self.name}.tsv"


@dataclass(frozen=True, kw_only=True)
class PublishedStatistic(PublishedNumbers):
    """A table of results that others are made from, written with others by one step.

    Attributes:
        step: name of the step that writes it.
        folder: below ``results/``.
    """

    step: str
    folder: str = "statistics"

    @property
    def path(self) -> str:
        return f"{self.folder}/{self.name}.tsv"


@dataclass(frozen=True, kw_only=True)
class PublishedReport(Published):
    """A report in prose. Its module has ``pages(facts, options)``, which yields paths and texts.

    Attributes:
        path: of its page below ``results/``; with ``{model}`` in it there is one page for each model.
        caption: name of its caption in ``workflow/report``; without one, it is no page of Snakemake's report.
    """

    path: str
    caption: str = ""


Kind = TypeVar("Kind", bound=Published)


@cache
def declared(kind: type[Kind], package: Path = PACKAGE) -> Mapping[str, Kind]:
    """All declarations of a kind by name, in the order of the modules' names, then as they stand in them.

    Args:
        kind: one of the classes above.
        package: folder of the package ``headct``.

    Raises:
        BadInput: a declaration is not at the top level of its module; an argument is no literal, or unknown,
            missing or wrong; or a name is taken.
    """
    found: dict[str, Kind] = {}
    problems = []
    for file in sorted(package.rglob("*.py")):
        source = file.read_text(encoding="utf-8")
        if f"{kind.__name__}(" not in source:
            continue
        module = ".".join(("headct", *file.relative_to(package).with_suffix("").parts))
        for call, at_top in _calls(source, file, kind.__name__):
            try:
                if not at_top:
                    raise ValueError(f"must stand at the top level of its module: NAME = {kind.__name__}(…)")
                one = kind(**_literals(call), module=module)
                if one.name in found:
                    raise ValueError(f"{one.name!r} is declared in {found[one.name].module}, too")
                found[one.name] = one
            except (TypeError, ValueError) as error:
                problems.append(Problem(str(file), str(error), row=f"line {call.lineno}", key=kind.__name__))
    if problems:
        raise BadInput(problems)
    return found


@cache
def published_numbers(package: Path = PACKAGE) -> Mapping[str, PublishedNumbers]:
    """All that is published as numbers, by its path below ``results/``; raises as :func:`declared`."""
    found: list[PublishedNumbers] = [
        *declared(PublishedStatistic, package).values(),
        *declared(PublishedTable, package).values(),
        *declared(PublishedFigure, package).values(),
    ]
    return {one.path: one for one in found}


def _calls(source: str, file: Path, name: str) -> Iterator[tuple[ast.Call, bool]]:
    """Calls of a name, each with whether it stands at the top level of the module, assigned to something."""
    module = ast.parse(source, str(file))
    assigned = [part.value for part in module.body if isinstance(part, (ast.Assign, ast.AnnAssign))]
    at_top = [value for value in assigned if _is_call(value, name)]
    if source.count(f"{name}(") == len(at_top):  # no other is there: most modules need not be searched whole
        yield from ((call, True) for call in at_top)
        return
    for node in ast.walk(module):
        if _is_call(node, name):
            yield node, node in at_top


def _is_call(node: ast.AST | None, name: str) -> TypeGuard[ast.Call]:
    return isinstance(node, ast.Call) and name in (
        getattr(node.func, "id", None),
        getattr(node.func, "attr", None),
    )


def _literals(call: ast.Call) -> dict[str, Any]:
    """The arguments of a call; raises ValueError where one is no literal with a name of its own."""
    if call.args or any(keyword.arg is None for keyword in call.keywords):
        raise ValueError("each argument must be written as name=value")
    return {str(keyword.arg): _literal(str(keyword.arg), keyword.value) for keyword in call.keywords}


def _literal(name: str, node: ast.expr) -> Any:
    """The value of an argument, in which calls of the parts of a declaration may stand."""
    if isinstance(node, ast.Tuple):
        return tuple(_literal(name, element) for element in node.elts)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in PARTS:
        return PARTS[node.func.id](**_literals(node))
    try:
        return ast.literal_eval(node)
    except ValueError as error:
        raise ValueError(f"{name} must be a literal: it is read without running the module") from error


PARTS: Mapping[str, type] = {part.__name__: part for part in (Repeats, MadeOf)}
"""Parts of declarations, which stand in them as calls."""
