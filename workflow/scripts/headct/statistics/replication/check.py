"""Does a printed table of Dice add up? ``python -m headct check TABLE``.

TABLE has the columns model, label, mean, median, q1 and q3, such as ``resources/published/table1_dice.tsv``;
rows with the label ``mean`` hold the mean of the lesions' summaries. Checked, with the rounding that the
printed decimals allow for: means of lesions, the order of the quartiles, and, by linear programmes, whether
any set of scans has this mean and these quartiles. For lesions that some scans do not have, the programmes
also give how many of those scans a model can have kept free (its specificity, which Dice hides). Exit
status 1 if something does not add up.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy import optimize

from headct.contracts.artefacts import read_tsv
from headct.contracts.problems import BadInput, Problem, WrongOptions
from headct.contracts.terminal import say
from headct.settings import published
from headct.statistics.core.resampling import QUARTILES
from headct.statistics.core.summaries import MEAN

logger = logging.getLogger(__name__)

SUMMARIES = ("mean", *QUARTILES)


@dataclass(frozen=True)
class Bounds:
    """Scans without the lesion that can have been kept free of it, of how many; empty if none fits."""

    fewest: int | None
    most: int | None
    n_absent: int


@dataclass(frozen=True)
class Row:
    """One row of the table, with the half width of what each printed number may stand for."""

    model: str
    label: str
    values: Mapping[str, float]
    half_unit: float

    @property
    def name(self) -> str:
        """Model and lesion."""
        return f"{self.model}, {self.label}"


def main(
    table: Path,
    /,
    *,
    scans: int | None = None,
    with_lesion: list[str] | None = None,
) -> None:
    """Does a printed table of Dice add up? If not, the exit status is 1.

    Args:
        table: TSV of Dice summaries to check.
        scans: number of scans behind each row; that of the paper's test set by default.
        with_lesion: LABEL=N, scans that have each lesion; those of the paper's test set by default.
    """
    rows = read(table)
    n_with_lesion = dict(map(_count_of_label, with_lesion)) if with_lesion else published.n_with_lesion()
    faults, bounds = check(rows, scans or published.N_TEST, n_with_lesion)
    say(report(table, rows, faults, bounds))
    if faults:
        raise BadInput([Problem(str(table), message, name) for name, message in faults])


def read(path: Path) -> list[Row]:
    """The rows, with the rounding of their decimals.

    Raises:
        BadInput: a column that is missing, or a cell that is neither a number nor empty.
    """
    columns = ("model", "label", *SUMMARIES)
    table = read_tsv(path, **dict.fromkeys(columns, str)).fillna("")
    absent = [column for column in columns if column not in table]
    if absent:
        message = "not a table of Dice summaries: no such column"
        raise BadInput([Problem(str(path), message, key=column) for column in absent])
    rows, problems = [], []
    for i, cells in enumerate(table[list(columns)].to_dict("records"), start=2):
        printed = {name: cells[name] for name in SUMMARIES if cells[name]}
        try:
            values = {name: float(text) for name, text in printed.items()}
        except ValueError:
            problems.append(Problem(str(path), "not a number", f"{i}", value=" ".join(printed.values())))
            continue
        decimals = max((len(text.partition(".")[2]) for text in printed.values()), default=0)
        rows.append(Row(cells["model"], cells["label"], values, 0.5 * 10.0**-decimals))
    if problems:
        raise BadInput(problems)
    return rows


def check(
    rows: list[Row], n: int, with_lesion: Mapping[str, int]
) -> tuple[list[tuple[str, str]], dict[str, Bounds]]:
    """Faults as (row, message); by row, what bounds lesions that some scans lack, where anything does."""
    faults = [*_means_of_lesions(rows)]
    bounds = {}
    for row in rows:
        if row.label == MEAN:
            continue
        disorder = _disorder(row)
        if disorder:
            faults.append((row.name, disorder))
        n_absent = n - with_lesion.get(row.label, n)
        # Quartiles out of order fit nothing; what the mean and the median allow is still worth knowing.
        values = {k: v for k, v in row.values.items() if not disorder or k in ("mean", "median")}
        found = specificity_bounds(values, n, n_absent, row.half_unit)
        if found.fewest is None:
            faults.append((row.name, f"no {n} scans have this mean and these quartiles"))
        if n_absent and (found.fewest, found.most) != (0, n_absent):
            bounds[row.name] = found
    return faults, bounds


def _means_of_lesions(rows: list[Row]) -> list[tuple[str, str]]:
    faults = []
    for total in (row for row in rows if row.label == MEAN):
        lesions = [row for row in rows if row.model == total.model and row.label != MEAN]
        for name, printed in total.values.items():
            parts = [row.values[name] for row in lesions if name in row.values]
            if len(parts) < len(lesions) or not parts:
                continue
            # Each part may be off by half a unit, so may their mean, and so may what is printed.
            allowed = np.mean([row.half_unit for row in lesions]) + total.half_unit
            found = float(np.mean(parts))
            if abs(found - printed) > allowed + 1e-9:
                message = f"{name} {printed:g} is printed, the mean of the lesions is {found:.4f}"
                faults.append((total.name, message))
    return faults


def _disorder(row: Row) -> str:
    named = [(name, row.values[name]) for name in QUARTILES if name in row.values]
    for (name, value), (next_name, next_value) in pairwise(named):
        if value > next_value:
            return f"{name} {value:g} is above {next_name} {next_value:g}"
    outside = [f"{name} {value:g}" for name, value in row.values.items() if not 0 <= value <= 1]
    return f"not between 0 and 1: {', '.join(outside)}" if outside else ""


def specificity_bounds(values: Mapping[str, float], n: int, n_absent: int, half_unit: float) -> Bounds:
    """Scans without the lesion that can have been kept free of it, given printed summaries of Dice.

    Of ``n`` scans ``n_absent`` do not have the lesion: their Dice is 1 where none is predicted, 0 where
    one is. The others lie anywhere from 0 to 1. For each number kept free, a linear programme asks whether
    some Dice values, in order, have the printed mean and quartiles (type 7), each within ``half_unit``.

    Args:
        values: printed summaries of Dice, by name.
        n: number of scans.
        n_absent: of those without the lesion.
        half_unit: half a unit of the last printed digit.
    """
    feasible = [
        n_free
        for n_free in range(n_absent + 1)
        if _is_feasible(values, n, n_absent - n_free, n_free, half_unit)
    ]
    return Bounds(min(feasible, default=None), max(feasible, default=None), n_absent)


def _is_feasible(values: Mapping[str, float], n: int, zeros: int, ones: int, half_unit: float) -> bool:
    """Whether ``zeros`` zeros, ``ones`` ones and the rest in [0, 1] can have these summaries."""
    free = n - zeros - ones
    rows, lows, highs = [], [], []

    def require(weights: np.ndarray, printed: float) -> None:
        """Σ weights · sorted values lies within half a unit of what is printed."""
        # Sorted: the zeros, the free ones, the ones; the last add a constant.
        constant = float(weights[n - ones :].sum())
        rows.append(weights[zeros : n - ones])
        lows.append(printed - half_unit - constant)
        highs.append(printed + half_unit - constant)

    if "mean" in values:
        require(np.full(n, 1 / n), values["mean"])
    for name, probability in QUARTILES.items():
        if name in values:
            below, part = divmod((n - 1) * probability, 1)
            weights = np.zeros(n)
            weights[int(below)] = 1 - part
            weights[min(int(below) + 1, n - 1)] += part
            require(weights, values[name])
    slack = 1e-9
    if free == 0:
        return all(low <= slack and high >= -slack for low, high in zip(lows, highs, strict=True))
    in_order = np.eye(free)[:-1] - np.eye(free)[1:]
    above = np.vstack([np.array(rows), -np.array(rows), in_order])
    limit = np.concatenate([np.array(highs), -np.array(lows), np.zeros(free - 1)]) + slack
    found = optimize.linprog(np.zeros(free), A_ub=above, b_ub=limit, bounds=(0, 1), method="highs")
    return bool(found.status == 0)


def report(path: Path, rows: list[Row], faults: list[tuple[str, str]], bounds: dict[str, Bounds]) -> str:
    """What was found, in lines for the terminal.

    Args:
        path: of the table that was checked.
        rows: of it.
        faults: row and fault of each contradiction.
        bounds: of the specificity, by row.
    """
    lines = [f"{path}: {len(rows)} rows, {len(faults)} that do not add up"]
    if bounds:
        lines.append("Scans without the lesion that can have been kept free of it:")
        width = max(map(len, bounds))
        lines += [f"  {name:{width}}  {_range(found)}" for name, found in bounds.items()]
    return "\n".join(lines)


def _range(found: Bounds) -> str:
    if found.fewest is None or found.most is None:
        return "none fits"
    share = " to ".join(f"{100 * count / found.n_absent:.0f}%" for count in (found.fewest, found.most))
    return f"{found.fewest} to {found.most} of {found.n_absent} (specificity {share})"


def _count_of_label(text: str) -> tuple[str, int]:
    label, _, count = text.partition("=")
    try:
        return label, int(count)
    except ValueError:
        raise WrongOptions(f"--with-lesion: {text!r} is not LABEL=N") from None
