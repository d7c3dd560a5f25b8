"""What ``headct plan`` says of the endpoints, from the split or from a number of scans."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from headct.contracts.artefacts import write_tsv
from headct.run.study_precision import (
    ScansOf,
    few_of_sheet,
    few_of_split,
    precision_table,
    scans_of_sheet,
    scans_of_split,
)
from headct.settings import analysis_plan, blocks

REPOSITORY = Path(__file__).parents[2]
SHIPPED = analysis_plan.load(analysis_plan.SHIPPED)
PLAN = replace(SHIPPED, primary=replace(SHIPPED.primary, expected_sd=0.301))
MODELS = (PLAN.primary.model, *PLAN.key_secondary[0].against)
NUMBERS = ["0.301", "0.045", "0.0643", "0.05", "0.59", "0.41"]
"""SD, half width, detectable; margin, power at it, power of equivalence: the worked example by t."""


def lines_of(scans_of: ScansOf, plan: analysis_plan.Plan = PLAN) -> list[str]:
    return list(precision_table(plan, MODELS, scans_of))


def test_before_the_split_the_number_of_scans_is_known_and_that_of_lesions_is_not() -> None:
    config = blocks.load(REPOSITORY / "config/config.yaml")
    scans = round(174 / config.split.test_fraction)
    lines = lines_of(scans_of_sheet(config, scans))
    assert lines[1].split()[-7:] == ["174", *NUMBERS]
    assert lines[2].split()[-4:] == ["?"] * 4
    assert lines[-2].startswith("The plan states no expected_sd of: IVH Dice where there is IVH; ")
    assert lines[-1] == "How many test scans have a lesion is not known before they are ingested and split."


@pytest.mark.parametrize(("scans", "told"), [(30, True), (120, False)])
def test_a_test_set_that_will_be_small_is_told_before_there_is_one(scans: int, told: bool) -> None:
    config = blocks.load(REPOSITORY / "config/config.yaml")
    found = few_of_sheet(PLAN, config, scans)
    assert [text.split(",")[0] for text in found] == ["the test set will have about 3 scans"] * told
    assert all("split.test_fraction" in text for text in found)


@pytest.mark.parametrize(("minimum", "few"), [(10, ["IVH"]), (1, ["IVH"]), (13, ["ICH", "IVH"])])
def test_the_plan_says_how_many_test_scans_are_few(tmp_path: Path, minimum: int, few: list[str]) -> None:
    scans = [f"s{i:02d}" for i in range(20)]
    volumes = {"ICH_ml": [1.0] * 20, "IVH_ml": [2.0 if i > 18 else 0.0 for i in range(20)]}
    write_tsv(pd.DataFrame({"scan_id": scans, **volumes}), tmp_path / "cohort/cohort.tsv")
    sets = ["train"] * 8 + ["test"] * 12
    write_tsv(pd.DataFrame({"scan_id": scans, "set": sets}), tmp_path / "cohort/split.tsv")
    found = few_of_split(replace(PLAN, detection_minimum=minimum), tmp_path)
    assert [label for text in found for label in ("ICH", "IVH") if f" {label}:" in text] == few


def test_the_split_says_how_many_scans_an_endpoint_takes(tmp_path: Path) -> None:
    scans = [f"s{i:03d}" for i in range(180)]
    volumes = {f"{label}_ml": [1.0] * 180 for label in ("ICH", "PHE")}
    volumes["IVH_ml"] = [2.0 if i < 50 else 0.0 for i in range(180)]
    write_tsv(pd.DataFrame({"scan_id": scans, **volumes}), tmp_path / "cohort/cohort.tsv")
    sets = ["train"] * 6 + ["test"] * 174
    write_tsv(pd.DataFrame({"scan_id": scans, "set": sets}), tmp_path / "cohort/split.tsv")
    lines = lines_of(scans_of_split(tmp_path))
    assert lines[1].split()[-7:] == ["174", *NUMBERS]
    assert [line.split()[-4] for line in lines[2:5]] == ["44", "130", "174"]
    assert "not known" not in lines[-1]


def test_key_secondary_endpoints_are_at_their_own_level_and_other_measures_have_no_margin() -> None:
    secondary = tuple(replace(one, expected_sd=0.301) for one in PLAN.key_secondary)
    lines = lines_of(lambda endpoint: 174, replace(PLAN, key_secondary=secondary))
    cells = {line[:30].strip(): line.split() for line in lines[1:5]}
    dice, share = cells["IVH Dice where there is IVH"], cells["IVH predicted where there is n"]
    assert dice[-5:-2] == ["0.045", "0.0915", "0.05"], "Holm's first step over 27"
    assert share[-2:] == ["0.045", "0.0915"]
    assert not any("expected_sd" in line for line in lines)


def test_other_models_are_those_of_the_run() -> None:
    """Holm's correction is over the pairs that the run has, also where the plan says "others"."""
    open_plan = replace(PLAN, key_secondary=tuple(replace(one, against=()) for one in PLAN.key_secondary))
    for plan in (PLAN, open_plan):
        lines = list(precision_table(plan, MODELS[:4], lambda endpoint: 174))
        assert "Key secondary endpoints are at the first step of Holm's correction over 9." in lines
    lines = list(precision_table(PLAN, MODELS[1:], lambda endpoint: 174))
    assert not any("Holm" in line for line in lines)


def test_where_no_possible_difference_would_be_found_it_says_none() -> None:
    assert lines_of(lambda endpoint: 2)[1].split()[3:7] == ["2", "0.301", "2.7", "none"]


@pytest.mark.parametrize("n", [0, 1])
def test_one_scan_says_nothing(n: int) -> None:
    assert lines_of(lambda endpoint: n)[1].split()[-4:] == [str(n), "0.301", "?", "?"]
