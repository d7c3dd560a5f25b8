"""Which participants a network of a learning curve learns from: nested, balanced, in no order of rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headct.cohort.learning_subset import main, order_of, subset
from headct.contracts.artefacts import read_tsv, write_tsv
from headct.contracts.problems import BadInput

STRATA = ["small", "large", "no IVH"]


@st.composite
def splits(draw: st.DrawFn) -> pd.DataFrame:
    """A split of two folds and a test set, with some participants of several scans."""
    people = draw(st.integers(8, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rows = []
    for number in range(people):
        place = ("train", str(number % 2)) if number % 5 else ("test", None)
        stratum = STRATA[int(rng.integers(len(STRATA)))]
        rows += [
            (f"S{number:03d}-{scan}", f"P{number:03d}", stratum, *place)
            for scan in range(1 + int(rng.random() < 0.2))
        ]
    table = pd.DataFrame(rows, columns=["scan_id", "participant_id", "stratum", "set", "fold"])
    return table.sample(frac=1, random_state=rng.integers(2**31)).reset_index(drop=True)


def learnt(table: pd.DataFrame) -> set[str]:
    return set(table.loc[table["fold"] != "0", "participant_id"])


@given(split=splits(), seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=50)
def test_subsets_are_nested_whole_participants_and_hold_no_test_scan(split: pd.DataFrame, seed: int) -> None:
    training = split[(split["set"] == "train") & (split["fold"] != "0")]
    everyone = set(training["participant_id"])
    before: set[str] = set()
    for size in [*range(1, len(everyone)), "all"]:
        table = subset(split, "0", str(size), seed)
        people = learnt(table)
        assert before < people
        assert len(people) == (len(everyone) if size == "all" else size)
        assert set(table["set"]) == {"train"}
        expected = split[(split["set"] == "train") & split["participant_id"].isin(people)]
        of_subset = table[table["fold"] != "0"]
        assert set(of_subset["scan_id"]) == set(expected["scan_id"]), "all scans of a participant, or none"
        held_out = split[(split["set"] == "train") & (split["fold"] == "0")]
        assert set(table.loc[table["fold"] == "0", "scan_id"]) == set(held_out["scan_id"])
        before = people


@given(split=splits(), seed=st.integers(0, 2**32), other=st.integers(0, 2**31))
@settings(deadline=None, max_examples=50)
def test_the_order_of_rows_and_test_scans_do_not_count(split: pd.DataFrame, seed: int, other: int) -> None:
    size = "2"
    shuffled = split.sample(frac=1, random_state=other)
    assert learnt(subset(shuffled, "0", size, seed)) == learnt(subset(split, "0", size, seed))
    without_test = split[split["set"] == "train"]
    assert learnt(subset(without_test, "0", size, seed)) == learnt(subset(split, "0", size, seed))


@given(split=splits(), seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=50)
def test_every_beginning_is_balanced_over_strata(split: pd.DataFrame, seed: int) -> None:
    training = split[split["set"] == "train"]
    order = order_of(training, seed)
    stratum = training.drop_duplicates("participant_id").set_index("participant_id")["stratum"]
    assert sorted(order) == sorted(stratum.index)
    share = stratum.value_counts(normalize=True)
    for n in range(1, len(order) + 1):
        found = stratum[order[:n]].value_counts().reindex(share.index, fill_value=0)
        # Each stratum is rounded by up to a half, and so is the sum of which it has its share.
        bound = 0.5 + 0.5 * len(share) * share
        assert ((found - n * share).abs() <= bound + 1e-9).all()


def table_of(n: int) -> pd.DataFrame:
    rows = [(f"S{i}", f"P{i}", "all", "train", str(i % 2)) for i in range(n)]
    return pd.DataFrame(rows, columns=["scan_id", "participant_id", "stratum", "set", "fold"])


def test_other_seeds_draw_others() -> None:
    drawn = {frozenset(learnt(subset(table_of(40), "0", "5", seed))) for seed in range(10)}
    assert len(drawn) == 10


def test_more_participants_than_there_are_and_no_such_fold_are_refused() -> None:
    with pytest.raises(BadInput, match="fold 0 leaves 5 participants") as caught:
        subset(table_of(10), "0", "5", 1)
    assert "and 'all'" in str(caught.value)
    with pytest.raises(BadInput, match="no training scan is in this fold"):
        subset(table_of(10), "7", "5", 1)


def test_the_step_writes_the_columns_of_the_split(tmp_path: Path) -> None:
    split, out = tmp_path / "split.tsv", tmp_path / "subset.tsv"
    write_tsv(table_of(10), split)
    main(split=split, fold=1, size="2", seed=4, out=out)
    table = read_tsv(out, fold=str)
    assert list(table) == list(table_of(1))
    assert table["fold"].value_counts().to_dict() == {"1": 5, "0": 2}
