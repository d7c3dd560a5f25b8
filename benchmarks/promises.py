"""How often a verdict may be wrong, or an interval miss the truth, held against how often it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from simulated_studies import Setting

from headct.settings.analysis_plan import Endpoint
from headct.statistics.core.agreement import ALL_SCANS, WITH_LESION

CONFIDENCE = 0.99
"""Of the bounds of a rate."""

MOST_TOO_FEW, MOST_TOO_WIDE, MOST_TOO_OFTEN = 0.02, 1.25, 0.015
"""An interval holds if it covers at most so much less often than it says and is at most so many times as wide
as the spread of estimates over studies; a verdict, if it is wrong at most so much more often than it says."""

NOISE = 1e-9

ALL = "all"
"""A verdict on all lesions at once."""


@dataclass(frozen=True)
class Promise:
    """How often a verdict may be wrong, or an interval holds the truth.

    Attributes:
        words: what it is.
        where: the table that prints it.
        nominal: the rate.
        is_interval: else it is a verdict, or a P below .05.
        of_all_networks: whether it is about all networks that are trained so, not only those at hand.
    """

    words: str
    where: str
    nominal: float
    is_interval: bool = True
    of_all_networks: bool = True


Key = tuple[str, str]
"""Which promise, and of what: a lesion and a choice of scans."""

Found = dict[Key, np.ndarray]
"""Of one study. Intervals (4, k): estimate, lower end, upper end, truth. Verdicts (k,): 1 where wrong."""


Truth = dict[tuple[str, ...], np.ndarray]
"""Values in the population: by measure, label, and choice of scans, threshold or level; each model's (k,)."""


def of(label: str, scans: str = ALL_SCANS) -> str:
    """A choice of scans, in words."""
    return f"{label}, scans with it" if scans == WITH_LESION else label


def of_endpoint(endpoint: Endpoint) -> str:
    """What an endpoint is of, in words."""
    is_share = endpoint.measure == "false_positive"
    return f"{endpoint.label}, false positives" if is_share else of(endpoint.label, endpoint.scans)


def interval(estimate: np.ndarray, ends: Sequence[np.ndarray], true: np.ndarray) -> np.ndarray:
    """As (4, k): estimate, lower and upper end, and the truth."""
    return np.stack([estimate, *ends, true])


def table_interval(rows: pd.DataFrame, columns: str, true: np.ndarray) -> np.ndarray:
    """The same from rows of a table; the columns of estimate, lower and upper end are named."""
    estimate, *ends = (rows[name].to_numpy(float) for name in columns.split())
    return interval(estimate, ends, true)


def errors(wrong: Sequence[bool] | pd.Series | np.ndarray) -> np.ndarray:
    """1 for each verdict that is wrong, else 0."""
    return np.asarray(wrong, float)


@dataclass(frozen=True)
class Rate:
    """How a promise is kept in one setting.

    Attributes:
        n_studies: that it was looked at in.
        rate: mean share of verdicts that are wrong, or of intervals that hold the truth.
        width: median widths over those of intervals that know how estimates scatter; NaN of verdicts.
        absent: share of intervals that are not given.
    """

    n_studies: int
    rate: float
    width: float = np.nan
    absent: float = 0.0

    def bounds(self) -> tuple[float, float]:
        """Clopper and Pearson's, of as many trials as there are studies."""
        hits, n = self.rate * self.n_studies, self.n_studies
        tail = (1 - CONFIDENCE) / 2
        lower = stats.beta.ppf(tail, hits, n - hits + 1) if hits > 0 else 0.0
        upper = stats.beta.ppf(1 - tail, hits + 1, n - hits) if hits < n else 1.0
        return float(lower), float(upper)

    def holds(self, promise: Promise) -> bool:
        """Whether it is as good as its word, within what is allowed."""
        if promise.is_interval:
            is_narrow = np.isnan(self.width) or self.width <= MOST_TOO_WIDE
            return bool(self.rate >= promise.nominal - MOST_TOO_FEW and is_narrow)
        return self.rate <= promise.nominal + MOST_TOO_OFTEN


def rate_of_intervals(found: np.ndarray, level: float) -> Rate:
    """From (studies, 4, k): estimates, lower and upper ends, truths.

    A column in which no study has an interval does not count. Widths are summed over columns, since of some,
    as a median Dice of 1, estimates hardly scatter. No width where none does is as it should be.
    """
    given = np.isfinite(found[:, 1:3]).all(axis=1)
    columns = given.any(axis=0)
    if not columns.any():
        return Rate(len(found), np.nan, absent=1)
    estimate, lower, upper, truth = np.moveaxis(found[:, :, columns], 1, 0)
    given = given[:, columns]
    covers = (lower <= truth + NOISE) & (truth - NOISE <= upper)
    widths = zip((upper - lower).T, given.T, strict=True)
    median = sum(float(np.median(width[is_given])) for width, is_given in widths)
    oracle = float(spread(estimate, level).sum())
    ratio = (median + NOISE) / (oracle + NOISE)
    return Rate(len(found), float(covers[given].mean()), ratio, 1 - float(given.mean()))


def spread(estimates: np.ndarray, level: float) -> np.ndarray:
    """How far apart (k,) the middle ``level`` of estimates (studies, k) lie.

    Where so few lie outside that their quantiles are chance, those of all columns in units of their SD serve.
    """
    ends = [(1 - level) / 2, (1 + level) / 2]
    if level <= CONFIDENCE:
        low, high = np.nanquantile(estimates, ends, axis=0)
        found: np.ndarray = high - low
        return found
    sd = np.nanstd(estimates, axis=0)
    low, high = np.nanquantile((estimates - np.nanmean(estimates, axis=0)) / sd, ends)
    return (high - low) * sd


def rates(results: Sequence[Found], promises: Mapping[str, Promise]) -> dict[Key, Rate]:
    """Of studies of one setting; each models', or pairs', own rate counts the same.

    Args:
        results: of each study.
        promises: by name.
    """
    found = {}
    for key in dict.fromkeys(key for one in results for key in one):
        values = np.stack([one[key] for one in results if key in one])
        promise = promises[key[0]]
        if promise.is_interval:
            found[key] = rate_of_intervals(values, promise.nominal)
        else:
            found[key] = Rate(len(values), float(np.nanmean(values)))
    return found


def tables(
    found: Mapping[str, Mapping[Key, Rate]], promises: Mapping[str, Promise], settings: Mapping[str, Setting]
) -> str:
    """Two tables in Markdown: of intervals, and of verdicts and P.

    Args:
        found: rates by setting.
        promises: by name; in their order the rows.
        settings: by name.
    """
    names = list(promises)
    keys = {key for of_setting in found.values() for key in of_setting}
    ordered = sorted(keys, key=lambda key: (names.index(key[0]), key[1]))
    heads = [settings[setting].title for setting in found]
    parts = []
    for is_interval, kind in ((True, "interval of"), (False, "verdict, or P < .05")):
        lines = [
            f"| {kind} | in | nominal | studies | {' | '.join(heads)} | holds |",
            "|" + "---|" * (len(heads) + 5),
        ]
        for key in ordered:
            if promises[key[0]].is_interval == is_interval:
                by_setting = {setting: of_setting.get(key) for setting, of_setting in found.items()}
                lines.append(_line(key[1], promises[key[0]], by_setting, settings))
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _line(
    of: str, promise: Promise, by_setting: Mapping[str, Rate | None], settings: Mapping[str, Setting]
) -> str:
    words = promise.words if of == ALL else f"{promise.words}: {of}"
    known = {setting: rate for setting, rate in by_setting.items() if rate}
    numbers = [rate.n_studies for rate in known.values()]
    broken = [
        settings[setting]
        for setting, rate in known.items()
        if settings[setting].is_default and not rate.holds(promise)
    ]
    cells = [
        words,
        f"`{promise.where}`",
        printed(promise.nominal, digits=4).rstrip("0"),
        "–".join(map(str, dict.fromkeys((min(numbers), max(numbers))))),
        *(cell(rate, promise) for rate in by_setting.values()),
        in_words(broken, promise),
    ]
    return f"| {' | '.join(cells)} |"


def in_words(broken: Sequence[Setting], promise: Promise) -> str:
    """Whether a promise holds, and if not, in which settings; with several seeds it may not have to."""
    no = [one.title for one in broken if one.n_seeds == 1 or promise.of_all_networks]
    if no:
        return f"**no**: {'; '.join(no)}"
    return "about the networks at hand" if broken else "yes"


def cell(rate: Rate | None, promise: Promise) -> str:
    """A rate with its bounds, and the width; bold where it does not hold."""
    if rate is None:
        return "–"
    if np.isnan(rate.rate):
        return "none given"
    low, high = rate.bounds()
    text = f"{printed(rate.rate)} ({printed(low)}–{printed(high)})"
    if not np.isnan(rate.width):
        text += f" × {rate.width:.2f}"
    if rate.absent > 0.01:
        text += f", {100 * rate.absent:.0f} % without"
    return text if rate.holds(promise) else f"**{text}**"


def printed(value: float, digits: int = 3) -> str:
    """As .953; 1.000 keeps its 1."""
    return f"{value:.{digits}f}".removeprefix("0")
