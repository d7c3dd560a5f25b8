"""The forest plot of Dice by site: what is drawn of many sites, of few, and of none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from headct.contracts.problems import BadInput
from headct.publish.figures import dice_by_site
from headct.publish.figures.dice_by_site import MEAN, MOST_SITES, NEW, SITE
from headct.statistics.comparison.new_site import HELD_OUT, tables_of
from support.advice import says_what_to_do
from support.figure_inputs import WIDTHS_MM, assert_readable, readable, texts
from support.label_sets import LABELS
from support.planned_cases import PLAN, cohort
from support.simulated_scores import simulated, with_role

N_SCANS = 174


def tables(sites: list[str] | None) -> dict[str, pd.DataFrame]:
    """Tables of one model; the scans are of the sites in turn, the last of which gets one scan."""
    scores = with_role(simulated(["a"], N_SCANS).query("model == 'a'"), ["a"])
    table, _ = cohort(N_SCANS)
    if sites is None:
        return tables_of(scores, table.assign(site=None), PLAN, HELD_OUT)
    most = np.resize(sites[:-1], len(table)).astype(object)
    most[0] = sites[-1]
    return tables_of(scores, table.assign(site=most), PLAN, HELD_OUT)


def drawn(sites: list[str] | None) -> pd.DataFrame:
    found = tables(sites)
    return dice_by_site.drawn_sites(found["site_dice"], found["new_site"], "a")


@pytest.mark.parametrize("width_mm", WIDTHS_MM)
@pytest.mark.parametrize("n_sites", [2, 12, 124])
def test_dice_by_site_is_readable(n_sites: int, width_mm: float) -> None:
    sites = [f"University Hospital of Town {i}" for i in range(n_sites)]
    with readable():
        pages = dice_by_site.draw_sites(drawn(sites), LABELS, "Focal", "A study", width_mm)
        for figure, _ in pages:
            assert_readable(figure, width_mm)
    shown = pd.concat([numbers for _, numbers in pages])
    of_a_lesion = shown[shown["label"] == "ICH"]
    assert list(of_a_lesion["element"]) == [SITE] * min(n_sites, MOST_SITES) + [MEAN, NEW]
    said = texts(pages[0][0])
    assert ("No interval of a new site" in said) == (n_sites == 2)
    assert ("Not drawn: the 100 sites of the fewest" in said.replace("\n", " ")) == (n_sites == 124)


def test_the_smallest_sites_are_not_drawn() -> None:
    sites = [f"site {i:02d}" for i in range(MOST_SITES + 1)]
    (_, numbers), *_ = dice_by_site.draw_sites(drawn(sites), LABELS, "Focal", "A study")
    assert list(numbers.query("label == 'ICH'")["site"].dropna()) == sites[:-1]


def test_a_model_without_sites_has_no_figure() -> None:
    with pytest.raises(BadInput) as caught:
        drawn(None)
    (problem,) = caught.value.problems
    assert says_what_to_do(problem.message)
