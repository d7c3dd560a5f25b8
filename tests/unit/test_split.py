"""The split: sizes as in the paper, nobody on both sides, the same from the same seed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headct.problems import BadInput
from headct.split import largest_remainder, split_scans

SETTINGS = {
    "test_fraction": 0.1,
    "stratify_by": ["ivh", "ich_volume"],
    "ich_volume_groups": 4,
    "folds": 5,
    "seed": 2022,
}


def scans(n: int, scans_each: int = 1, seed: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    participants = np.repeat([f"p{i:04d}" for i in range(n)], scans_each)
    total = len(participants)
    return pd.DataFrame(
        {
            "scan_id": [f"s{i:05d}" for i in range(total)],
            "participant_id": participants,
            "site": generator.choice(["a", "b", "c"], total),
            "ICH_ml": generator.lognormal(2.5, 1, total),
            "IVH_ml": np.where(generator.random(total) < 0.3, generator.lognormal(1.5, 1, total), 0),
            "ct_sha256": "c",
            "labels_sha256": "l",
        }
    )


def test_sizes_are_those_of_the_paper() -> None:
    counts = split_scans(scans(1732), SETTINGS)["set"].value_counts()
    assert (counts["train"], counts["test"]) == (1558, 174)  # Kok et al. 2022, Table 2


def test_plain_random_split_has_one_stratum() -> None:
    split = split_scans(scans(50), SETTINGS | {"stratify_by": []})
    assert set(split["stratum"]) == {"all"}
    assert (split["set"] == "test").sum() == 5


@given(
    n=st.integers(12, 80),
    each=st.integers(1, 3),
    fraction=st.floats(0.05, 0.5),
    seed=st.integers(0, 99),
    by=st.lists(st.sampled_from(["ivh", "ich_volume", "site"]), unique=True),
)
def test_participants_stay_together_and_every_training_scan_has_a_fold(n, each, fraction, seed, by) -> None:
    settings = SETTINGS | {"test_fraction": fraction, "seed": seed, "stratify_by": by}
    split = split_scans(scans(n, each), settings)
    assert (split.groupby("participant_id")["set"].nunique() == 1).all()
    train = split[split["set"] == "train"]
    assert (train.groupby("participant_id")["fold"].nunique() == 1).all()
    assert train["fold"].between(0, 4).all()
    assert split.loc[split["set"] == "test", "fold"].isna().all()
    tested = split.loc[split["set"] == "test", "participant_id"].nunique()
    assert tested == int(np.ceil(round(fraction * n, 9)))
    sizes = train.groupby("fold")["participant_id"].nunique()
    assert sizes.max() - sizes.min() <= 1


@given(seed=st.integers(0, 50))
def test_order_of_the_sheet_does_not_matter(seed: int) -> None:
    sheet = scans(40)
    shuffled = sheet.sample(frac=1, random_state=seed)
    one = split_scans(sheet, SETTINGS).set_index("scan_id").sort_index()
    other = split_scans(shuffled, SETTINGS).set_index("scan_id").sort_index()
    pd.testing.assert_frame_equal(one, other)


def test_strata_are_shared_out_in_proportion() -> None:
    split = split_scans(scans(1000), SETTINGS | {"test_fraction": 0.2})
    share = (split["set"] == "test").groupby(split["stratum"]).mean()
    assert share.between(0.18, 0.22).all()


def test_largest_remainder_is_hamiltons_method() -> None:
    # Worked example of the Hamilton apportionment: remainders .14, .55, .31 give the seat to the second.
    quota = largest_remainder(pd.Series({"a": 214, "b": 355, "c": 431}), 10)
    assert quota.to_dict() == {"a": 2, "b": 4, "c": 4}


def test_too_few_participants_for_the_folds_is_said() -> None:
    with pytest.raises(BadInput, match=r"split\.folds.*too few"):
        split_scans(scans(5), SETTINGS)
