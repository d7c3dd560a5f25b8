"""What blinded raters say of maps: shares of judgements, intervals, and differences to the reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy

from headct.command_line import run_step
from headct.contracts.artefacts import read_tsv, write_tsv
from headct.settings import analysis_plan
from headct.settings.ratings import REFERENCE, Key, Rating, read_key
from headct.statistics.comparison.blinded import blinded_table, shares
from headct.statistics.core.clusters import SCAN, clusters
from support.declared import assert_as_declared
from support.planned_cases import cohort

N = 12
CASES = [f"case-{case:02d}" for case in range(N)]
MODELS = ("unet", REFERENCE, "blast-ct")
KEY = Key(
    "0" * 64,
    {
        (name, letter): MODELS[(place + case) % 3]
        for case, name in enumerate(CASES)
        for place, letter in enumerate("ABC")
    },
    {name: f"{case:03d}" for case, name in enumerate(CASES)},
)


def letter_of(case: str, model: str) -> str:
    return next(letter for letter in "ABC" if KEY.model_of[case, letter] == model)


def rating(rater: str, case: str, accepted: list[str], best: str | None) -> Rating:
    letters = " ".join(sorted(letter_of(case, model) for model in accepted))
    return Rating(
        rater=rater, case=case, accepted=letters or None, best=best and letter_of(case, best), key=KEY.sha256
    )


JUDGED = [
    *(
        rating("R", case, ["unet", REFERENCE] if place % 3 else ["unet"], "unet")
        for place, case in enumerate(CASES)
    ),
    *(rating("S", case, [REFERENCE], None) for case in CASES[:6]),
]


def test_shares_are_over_raters_within_cases_whatever_the_letters() -> None:
    table = blinded_table(JUDGED, KEY, clusters(SCAN, cohort(N)[0]))
    assert table[["model", "question"]].drop_duplicates()["model"].tolist() == [
        *[REFERENCE] * 2,
        *["blast-ct"] * 2,
        *["unet"] * 2,
    ]
    found = table.set_index(["question", "model"])
    of_reference = np.array([(place % 3 > 0, 1)[: 1 + (place < 6)] for place in range(N)], dtype=object)
    values = np.array([np.mean([float(x) for x in one]) for one in of_reference])
    accepted = found.loc["accepted", REFERENCE]
    assert accepted["share"] == pytest.approx(values.mean())
    assert (accepted["n"], accepted["raters"]) == (N, 2)
    half = scipy.stats.t.ppf(0.975, N - 1) * values.std(ddof=1) / np.sqrt(N)
    assert accepted["lower"] == pytest.approx(values.mean() - half, abs=0.05)  # fewer degrees of freedom
    unet = np.where(np.arange(N) < 6, 0.5, 1.0)
    assert found.loc[("accepted", "unet"), "share"] == pytest.approx(unet.mean())
    assert found.loc[("accepted", "unet"), "difference"] == pytest.approx((unet - values).mean())
    assert found.loc[("best", "unet"), "share"] == pytest.approx(unet.mean())
    assert np.isnan(found.loc[("accepted", REFERENCE), "difference"])
    never = found.loc["best", "blast-ct"]
    assert (never["share"], never["note"]) == (0, "no variance between clusters: no interval")


def test_no_map_is_best_where_none_is_better() -> None:
    found = shares([rating("R", CASES[0], [], None)], KEY, CASES[:1], "best")
    assert found.tolist() == [[0, 0, 0]]


def test_the_step_writes_what_is_declared(tmp_path: Path) -> None:
    write_tsv(cohort(N)[0], tmp_path / "cohort.tsv")
    key = tmp_path / "key.tsv"
    lines = [
        f"{case}\t{letter}\t{model}\t{KEY.scan_of[case]}" for (case, letter), model in KEY.model_of.items()
    ]
    key.write_text("\n".join(["case\tletter\tmodel\tscan_id", *lines]) + "\n")
    sha256 = read_key(key).sha256
    ratings = tmp_path / "ratings.tsv"
    rows = [f"{one.rater}\t{one.case}\t{one.accepted or ''}\t{one.best or ''}\t{sha256}" for one in JUDGED]
    ratings.write_text("\n".join(["rater\tcase\taccepted\tbest\tkey", *rows]) + "\n")
    options = ["--ratings", str(ratings), "--key", str(key), "--plan", str(analysis_plan.SHIPPED)]
    options += ["--cohort", str(tmp_path / "cohort.tsv"), "--out", str(tmp_path / "out")]
    run_step("blinded-analysis", options)
    assert_as_declared(tmp_path / "out", "blinded-analysis")
    assert len(read_tsv(tmp_path / "out/blinded.tsv")) == 6
