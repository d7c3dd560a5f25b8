"""What the plan's endpoints and the test set can show, before anything is trained: for ``headct plan``.

From the SD of the paired differences that the plan expects (``expected_sd`` of an endpoint), and the number
of test scans: that of the split, or before there is one, of the sheet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from headct.cohort import split as drawn
from headct.contracts.artefacts import read_tsv
from headct.contracts.columns import aligned
from headct.contracts.plurals import counted
from headct.contracts.sets import SCANS_OF_A_VERDICT
from headct.run.cluster.counts import test_scans
from headct.settings.analysis_plan import PRIMARY, WITHOUT_LESION, Endpoint, Plan
from headct.settings.blocks import Configuration
from headct.statistics.comparison.score_arrays import bounds_of
from headct.statistics.core.agreement import ALL_SCANS
from headct.statistics.core.precision import LEVEL, WANTED_POWER, of_independent

HEAD = (
    "endpoint",
    "test scans",
    "expected SD",
    "half width",
    "detectable",
    "margin",
    "power at the margin",
    "power of equivalence",
)
UNKNOWN = "?"

ScansOf = Callable[[Endpoint], int | None]
"""How many test scans an endpoint takes; None where that is not known yet."""


def scans_of_split(results: Path) -> ScansOf:
    """From the cohort and the split of a folder of results."""
    split, cohort = _split_and_cohort(results)
    test = cohort[cohort["scan_id"].isin(split.loc[split["set"] == "test", "scan_id"])]

    def count(endpoint: Endpoint) -> int:
        present = test[f"{endpoint.label}_ml"] > 0
        if endpoint.scans == ALL_SCANS:
            return len(test)
        return int((~present if endpoint.scans == WITHOUT_LESION else present).sum())

    return count


def scans_of_sheet(config: Configuration, scans: int) -> ScansOf:
    """From the number of scans of the sheet, whose masks nobody has read yet."""
    return lambda endpoint: test_scans(config, scans) if endpoint.scans == ALL_SCANS else None


def _split_and_cohort(results: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    split, cohort = (read_tsv(results / "cohort" / f"{name}.tsv") for name in ("split", "cohort"))
    return split, cohort


def few_of_split(plan: Plan, results: Path) -> list[str]:
    """Lesions that too few test scans have, by the plan or for any verdict, from a folder of results."""
    return list(drawn.few_test_scans(*_split_and_cohort(results), least=_least(plan)))


def few_of_sheet(plan: Plan, config: Configuration, scans: int) -> list[str]:
    """Whether the test set will be too small for any lesion, from the number of scans of the sheet."""
    n, least = test_scans(config, scans), _least(plan)
    if n >= least:
        return []
    return [
        f"the test set will have about {counted(n, 'scan')}, and fewer than {least} with a lesion decide"
        " nothing about it: enlarge it (split.test_fraction), name it (split.file), or add scans."
    ]


def _least(plan: Plan) -> int:
    """Test scans with a lesion below which nothing is decided about it."""
    return max(plan.detection_minimum, SCANS_OF_A_VERDICT)


def precision_table(plan: Plan, models: Sequence[str], scans_of: ScansOf) -> Iterator[str]:
    """A line per endpoint of a run that compares these models, and what the numbers mean."""
    secondary = plan.of_run(models).key_secondary
    n_secondary = sum(len(set(one.against) & set(models)) for one in secondary if one.model in models)
    rows: list[tuple[str, ...]] = [HEAD]
    for status, endpoint in plan.endpoints():
        alpha = plan.multiplicity.primary_alpha
        if status != PRIMARY:
            alpha = plan.multiplicity.key_secondary_alpha / max(n_secondary, 1)
        name = f"{endpoint.name}{' (primary)' if status == PRIMARY else ''}"
        rows.append((name, *_cells(plan, endpoint, scans_of(endpoint), alpha)))
    yield from aligned(rows, right=range(1, len(HEAD)))
    yield f"Half width: of the {LEVEL:.0%} interval of the mean paired difference."
    yield f"Detectable: the smallest true difference that {WANTED_POWER:.0%} of such studies find."
    if n_secondary:
        yield f"Key secondary endpoints are at the first step of Holm's correction over {n_secondary}."
    yield "Power at the margin: to find a difference as large as the plan's margin of equivalence."
    yield "Power of equivalence: to show that there is none beyond the margin, where there is none at all."
    yield "By Student's t, scans independent: scans of a participant or a site that are alike widen it."
    unstated = [endpoint.name for _, endpoint in plan.endpoints() if endpoint.expected_sd is None]
    if unstated:
        yield f"The plan states no expected_sd of: {'; '.join(unstated)}."
    if any(scans_of(endpoint) is None for _, endpoint in plan.endpoints()):
        yield "How many test scans have a lesion is not known before they are ingested and split."


def _cells(plan: Plan, endpoint: Endpoint, n: int | None, alpha: float) -> tuple[str, ...]:
    sd = endpoint.expected_sd
    known = (UNKNOWN if n is None else str(n), UNKNOWN if sd is None else f"{sd:g}")
    if n is None or n < 2 or sd is None:
        return (*known, UNKNOWN, UNKNOWN, "", "", "")
    expected = of_independent(sd, n)
    detectable, (low, high) = expected.detectable(alpha), bounds_of(endpoint.measure)
    words = "none" if detectable > high - low else f"{detectable:.3g}"
    numbers = (*known, f"{expected.half_width():.3g}", words)
    if endpoint.measure != "dice":
        return (*numbers, "", "", "")
    margin = plan.dice_margin[endpoint.label]
    chances = (expected.power(margin, alpha), expected.equivalence_power(margin))
    return (*numbers, f"{margin:g}", *(f"{chance:.2f}" for chance in chances))
