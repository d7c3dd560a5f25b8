"""The split: sizes as in the paper, nobody on both sides, nobody moved, the same from the same seed."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headct.cohort import external_set
from headct.cohort import split as split_step
from headct.cohort.split import given_split, largest_remainder
from headct.contracts.artefacts import read_tsv, write_tsv
from headct.contracts.problems import BadInput
from headct.publish.tables import table_page
from headct.settings.blocks import Split
from support.advice import says_what_to_do
from support.label_sets import GIVEN, LABELS
from support.simulated_cohort import scans

SETTINGS = Split(
    file=None,
    test_fraction=0.1,
    stratify_by=("ivh", "ich_volume"),
    ich_volume_groups=4,
    minimum_site_size=20,
    folds=5,
    folds_by="participant",
    seed=2022,
)
BY = st.lists(st.sampled_from(["ivh", "ich_volume", "site"]), unique=True)


def split_scans(scans: pd.DataFrame, settings: Split, *former: pd.DataFrame, **others: Any) -> pd.DataFrame:
    """A split by the study's lesions."""
    return split_step.split_scans(scans, settings, LABELS, *former, **others)


def n_tested(split: pd.DataFrame) -> int:
    return split.loc[split["set"] == "test", "participant_id"].nunique()


def places(split: pd.DataFrame) -> dict[str, tuple[str, int]]:
    """Set and fold (-1 for none) of each scan."""
    fold = split["fold"].astype(float).fillna(-1).astype(int)
    return dict(zip(split["scan_id"], zip(split["set"], fold, strict=True), strict=True))


# A draw


def test_sizes_are_those_of_the_paper() -> None:
    counts = split_scans(scans(1732), SETTINGS)["set"].value_counts()
    assert (counts["train"], counts["test"]) == (1558, 174)  # Kok et al. 2022, Table 2


def test_plain_random_split_has_one_stratum() -> None:
    split = split_scans(scans(50), replace(SETTINGS, stratify_by=()))
    assert set(split["stratum"]) == {"all"}
    assert (split["set"] == "test").sum() == 5


@given(
    n=st.integers(12, 80),
    each=st.integers(1, 3),
    fraction=st.floats(0.05, 0.5),
    seed=st.integers(0, 99),
    by=BY,
)
def test_participants_stay_together_and_every_training_scan_has_a_fold(n, each, fraction, seed, by) -> None:
    settings = replace(SETTINGS, test_fraction=fraction, seed=seed, stratify_by=by)
    split = split_scans(scans(n, each), settings)
    assert (split.groupby("participant_id")["set"].nunique() == 1).all()
    train = split[split["set"] == "train"]
    assert (train.groupby("participant_id")["fold"].nunique() == 1).all()
    assert train["fold"].between(0, 4).all()
    assert split.loc[split["set"] == "test", "fold"].isna().all()
    assert n_tested(split) == int(np.ceil(round(fraction * n, 9)))
    sizes = train.groupby("fold")["participant_id"].nunique()
    assert sizes.max() - sizes.min() <= 1


def run_step(folder: Path, cohort: pd.DataFrame, **changes: Any) -> bytes:
    """The split of a cohort, as the step writes it."""
    write_tsv(cohort, folder / "cohort.tsv")
    settings = json.dumps(asdict(replace(SETTINGS, **changes)))
    out = folder / "split.tsv"
    split_step.main(labels=GIVEN[1], cohort=folder / "cohort.tsv", settings=settings, out=out)
    return out.read_bytes()


@pytest.mark.parametrize("by", [("ivh", "ich_volume"), ("site",)])
def test_external_sets_change_no_byte_of_the_split(tmp_path: Path, by: tuple[str, ...]) -> None:
    """Drawn among the others alone, whether the sets are there from the start, come later, or go."""
    whole = scans(120, 2).assign(status="included", external_set="")
    external = whole["participant_id"].isin(whole["participant_id"].unique()[::3])
    alone, with_sets = whole[~external], whole.assign(external_set=np.where(external, "ashby", ""))
    drawn = {}
    for name, cohorts in {
        "none": [alone],
        "from the start": [with_sets],
        "later": [alone, with_sets],
    }.items():
        (tmp_path / name).mkdir()
        drawn[name] = [run_step(tmp_path / name, cohort, stratify_by=by) for cohort in cohorts][-1]
    assert drawn["from the start"] == drawn["none"]
    assert drawn["later"] == drawn["none"]


def test_a_set_has_the_included_scans_of_its_name() -> None:
    cohort = scans(6).assign(status=["included"] * 4 + ["excluded"] * 2)
    cohort["external_set"] = ["", "a", "b", "a", "a", "c"]
    found = external_set.scans_of(cohort, "a")
    assert found["scan_id"].tolist() == cohort["scan_id"].iloc[[1, 3]].tolist()
    assert set(found["set"]) == {"external:a"}
    with pytest.raises(BadInput, match="no scan of this external set is eligible"):
        external_set.scans_of(cohort, "c")


@given(seed=st.integers(0, 50), each=st.integers(1, 2), by=BY)
def test_order_of_the_sheet_does_not_matter(seed: int, each: int, by: list[str]) -> None:
    sheet = scans(40, each)
    shuffled = sheet.sample(frac=1, random_state=seed)
    settings = replace(SETTINGS, stratify_by=by)
    one = split_scans(sheet, settings).set_index("scan_id").sort_index()
    other = split_scans(shuffled, settings).set_index("scan_id").sort_index()
    pd.testing.assert_frame_equal(one, other)


def test_strata_are_shared_out_in_proportion() -> None:
    split = split_scans(scans(1000), replace(SETTINGS, test_fraction=0.2))
    share = (split["set"] == "test").groupby(split["stratum"]).mean()
    assert share.between(0.18, 0.22).all()


def test_small_sites_are_one_stratum() -> None:
    sheet = scans(50).assign(site=["large"] * 21 + ["b"] * 19 + ["c"] * 10)
    split = split_scans(sheet, replace(SETTINGS, stratify_by=("site",), test_fraction=0.2))
    assert split["stratum"].value_counts().to_dict() == {"small sites": 29, "site large": 21}
    tested = split.loc[split["set"] == "test", "stratum"].value_counts()
    assert tested.to_dict() == {"small sites": 6, "site large": 4}


def test_largest_remainder_is_hamiltons_method() -> None:
    # Worked example of the Hamilton apportionment: remainders .14, .55, .31 give the seat to the second.
    sizes = pd.Series({"a": 214, "b": 355, "c": 431})
    quota = largest_remainder(sizes, 10, taken=sizes * 0, free=sizes)
    assert quota.to_dict() == {"a": 2, "b": 4, "c": 4}


def test_seats_that_are_taken_count_and_none_is_taken_away() -> None:
    sizes = pd.Series({"a": 50, "b": 50})
    taken = pd.Series({"a": 4, "b": 1})
    quota = largest_remainder(sizes, 8, taken, free=pd.Series({"a": 5, "b": 5}))
    assert (taken + quota).to_dict() == {"a": 4, "b": 4}
    nothing_free = largest_remainder(sizes, 8, taken, free=pd.Series({"a": 0, "b": 2}))
    assert nothing_free.to_dict() == {"a": 0, "b": 2}
    assert largest_remainder(sizes, 4, taken, free=sizes).sum() == 0


def test_too_few_participants_for_the_folds_is_said() -> None:
    with pytest.raises(BadInput, match=r"split\.folds.*too few"):
        split_scans(scans(5), SETTINGS)


# A study that grows


@given(
    order=st.permutations(range(60)),
    steps=st.lists(st.integers(1, 20), min_size=1, max_size=3),
    each=st.integers(1, 2),
    fraction=st.floats(0.05, 0.4),
    by=BY,
)
def test_added_participants_move_nobody(order, steps, each, fraction, by) -> None:
    settings = replace(SETTINGS, test_fraction=fraction, stratify_by=by)
    everybody = scans(60, each)
    people = [f"p{i:04d}" for i in order]
    n, former = 20, None
    for step in [0, *steps]:
        n = min(n + step, len(people))
        present = everybody[everybody["participant_id"].isin(people[:n])]
        split = split_scans(present, settings, former)
        if former is not None:
            assert places(former).items() <= places(split).items()
            old = former.set_index("scan_id")["stratum"]
            assert (split.set_index("scan_id")["stratum"].reindex(old.index) == old).all()
        assert n_tested(split) == int(np.ceil(round(fraction * n, 9)))
        assert (split.groupby("participant_id")["set"].nunique() == 1).all()
        sizes = split.groupby("fold")["participant_id"].nunique()
        assert sizes.max() - sizes.min() <= 1
        former = split


@given(gone=st.sets(st.integers(0, 39), max_size=15), new=st.integers(0, 20))
def test_scans_that_leave_move_nobody(gone: set[int], new: int) -> None:
    everybody = scans(60)
    former = split_scans(everybody[:40], SETTINGS)
    present = everybody[: 40 + new].drop(index=list(gone))
    if n_tested(former[former["scan_id"].isin(present["scan_id"])]) == 0:
        return
    split = split_scans(present, SETTINGS, former)
    assert set(split["scan_id"]) == set(present["scan_id"])
    before = places(former)
    assert all(before.get(scan, place) == place for scan, place in places(split).items())


def test_a_second_scan_joins_its_participant() -> None:
    everybody = scans(40, 2)
    first = everybody[::2]
    split = split_scans(everybody, SETTINGS, split_scans(first, SETTINGS))
    assert (split.groupby("participant_id")[["set", "stratum"]].nunique() == 1).all(axis=None)
    assert n_tested(split) == 4


def test_nothing_new_is_the_same_table() -> None:
    split = split_scans(scans(40), SETTINGS)
    pd.testing.assert_frame_equal(split_scans(scans(40), SETTINGS, split), split)


def test_a_batch_that_is_added_balances_the_strata() -> None:
    """The share in the test set is that of the whole study, also where the first participants were alike."""
    everybody = scans(400, seed=3).sort_values("ICH_ml")
    settings = replace(SETTINGS, stratify_by=("ivh",))
    without = everybody[everybody["IVH_ml"] == 0][:100]
    split = split_scans(everybody, settings, split_scans(without, settings))
    share = (split["set"] == "test").groupby(split["stratum"]).mean()
    assert share.between(0.09, 0.11).all()


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"test_fraction": 0.2}, {"folds": 4}, {"stratify_by": ("site",)}]
)
def test_other_settings_are_a_new_draw(change: dict[str, Any]) -> None:
    former = split_scans(scans(40), SETTINGS)
    changed = replace(SETTINGS, **change)
    pd.testing.assert_frame_equal(split_scans(scans(40), changed, former), split_scans(scans(40), changed))


def test_settings_that_decide_nothing_draw_nothing() -> None:
    plain = replace(SETTINGS, stratify_by=())
    former = split_scans(scans(40), plain)
    other = replace(plain, ich_volume_groups=2, minimum_site_size=3)
    pd.testing.assert_frame_equal(split_scans(scans(40), other, former), former)


def test_a_test_set_that_is_gone_is_said() -> None:
    former = split_scans(scans(40), SETTINGS)
    present = scans(40)[(former["set"] == "train").to_numpy()]
    with pytest.raises(BadInput, match="none is left to test on"):
        split_scans(present, SETTINGS, former)


# Folds of whole sites

BY_SITE = replace(SETTINGS, folds=3, folds_by="site")


def of_sites(n: int, n_sites: int, seed: int = 0) -> pd.DataFrame:
    """Two scans of each participant; the first participants are of each site in turn, others of any."""
    chosen = np.random.default_rng(seed).integers(0, n_sites, n)
    chosen[: 3 * n_sites] = np.tile(np.arange(n_sites), 3)
    return scans(n, 2, seed).assign(site=np.repeat([f"site {i}" for i in chosen], 2))


@given(n=st.integers(40, 90), n_sites=st.integers(3, 9), seed=st.integers(0, 99), by=BY)
def test_no_site_is_in_two_folds_and_each_fold_has_one(n, n_sites, seed, by) -> None:
    cohort = of_sites(n, n_sites, seed)
    settings = replace(BY_SITE, seed=seed, stratify_by=by, folds=min(n_sites, 5))
    split = split_scans(cohort, settings).merge(cohort[["scan_id", "site"]], on="scan_id")
    train = split[split["set"] == "train"]
    assert (train.groupby("site")["fold"].nunique() == 1).all()
    assert set(train["fold"]) == set(range(settings.folds))
    sizes = train.groupby("fold")["participant_id"].nunique()
    of_site = train.groupby("site")["participant_id"].nunique()
    # Largest first, each where the fewest are: two folds differ by no more than a site of the larger one.
    assert sizes.max() - sizes.min() <= of_site.max()
    if n_sites == settings.folds:
        assert (train.groupby("fold")["site"].nunique() == 1).all()


@given(order=st.permutations(range(60)), n=st.integers(40, 60))
def test_sites_keep_their_folds_when_participants_are_added(order: list[int], n: int) -> None:
    everybody = of_sites(60, 5)
    people = [f"p{i:04d}" for i in order]
    present = everybody[everybody["participant_id"].isin({*people[:n], *(f"p{i:04d}" for i in range(15))})]
    former = split_scans(present, BY_SITE)
    grown = split_scans(everybody, BY_SITE, former)
    assert places(former).items() <= places(grown).items()


@given(seed=st.integers(0, 50))
def test_folds_by_participant_are_those_of_sites_of_one_participant_each(seed: int) -> None:
    """A site of its own for everybody leaves nothing to keep together."""
    cohort = scans(40, 2).assign(site=np.repeat([f"site {i:02d}" for i in range(40)], 2))
    by_participant = replace(BY_SITE, folds_by="participant", seed=seed)
    by_site = split_scans(cohort, replace(BY_SITE, seed=seed))
    assert places(by_site) == places(split_scans(cohort, by_participant))


def test_sites_that_share_a_participant_are_held_out_together() -> None:
    cohort = of_sites(60, 4)
    cohort.loc[cohort["participant_id"] == "p0000", "site"] = ["site 0", "site 1"]
    settings = replace(BY_SITE, test_fraction=0.02)
    train = split_scans(cohort, settings).merge(cohort[["scan_id", "site"]], on="scan_id")
    train = train[train["set"] == "train"]
    assert "p0000" in set(train["participant_id"])
    assert train.loc[train["site"].isin(["site 0", "site 1"]), "fold"].nunique() == 1
    with pytest.raises(BadInput, match=r"3 sites \(site 0 and site 1, site 2, site 3; .*set split\.folds: 3"):
        split_scans(cohort, replace(settings, folds=4))


@pytest.mark.parametrize(("n_sites", "said"), [(2, "2 sites .*set split.folds: 2, each"), (1, "1 site .*")])
def test_fewer_sites_than_folds_are_told(n_sites: int, said: str) -> None:
    with pytest.raises(BadInput, match=said) as caught:
        split_scans(of_sites(40, n_sites), BY_SITE)
    (problem,) = caught.value.problems
    assert says_what_to_do(problem.message)
    assert ("split.folds: " in problem.message) == (n_sites == 2)


def test_training_scans_without_a_site_are_told_all_at_once() -> None:
    cohort = of_sites(40, 4)
    split = split_scans(cohort, BY_SITE)
    trained = split.loc[split["set"] == "train", "scan_id"].tolist()[:2]
    tested = split.loc[split["set"] == "test", "scan_id"].tolist()[:1]
    nowhere = cohort["scan_id"].isin([*trained, *tested])
    with pytest.raises(BadInput, match="not known: fill it in") as caught:
        split_scans(cohort.assign(site=cohort["site"].mask(nowhere)), BY_SITE, split)
    assert [problem.value for problem in caught.value.problems] == trained


def test_a_site_that_is_mended_in_the_sheet_draws_the_folds_anew(caplog: pytest.LogCaptureFixture) -> None:
    cohort = of_sites(60, 4)
    former = split_scans(cohort, BY_SITE)
    mended = cohort.assign(site=np.roll(cohort["site"].to_numpy(), 2))
    found = split_scans(mended, BY_SITE, former).merge(mended[["scan_id", "site"]], on="scan_id")
    assert "all folds are drawn anew" in caplog.text
    assert (found.dropna(subset=["fold"]).groupby("site")["fold"].nunique() == 1).all()
    assert dict(zip(found["scan_id"], found["set"], strict=True)) == dict(
        zip(former["scan_id"], former["set"], strict=True)
    )


def test_a_given_file_that_tears_a_site_is_refused(tmp_path: Path) -> None:
    cohort = scans(4).assign(site=["x", "x", "x", "y"])
    path = given_file(tmp_path, GIVEN_SPLIT)
    settings = replace(BY_SITE, file=str(path), folds=2)
    with pytest.raises(BadInput, match="this site stands in folds 0, 1: give all") as caught:
        split_scans(cohort, settings, given=given_split(path, cohort, 2))
    assert [problem.value for problem in caught.value.problems] == ["x"]
    whole = scans(4).assign(site=["x", "x", "y", "y"])
    found = places(split_scans(whole, settings, given=given_split(path, whole, 2)))
    assert found["s00001"] == ("train", 0)


def test_where_nothing_is_trained_no_site_needs_a_fold() -> None:
    split = split_scans(of_sites(40, 2).assign(site=None), replace(BY_SITE, test_fraction=1))
    assert set(split["set"]) == {"test"}


def test_folds_by_site_are_a_new_draw_and_say_so() -> None:
    split = split_scans(of_sites(40, 4), BY_SITE)
    assert set(split["drawn_by"].str.partition("; ")[2]) == {"3 folds of whole sites, seed 2022"}


# A split that was drawn elsewhere


def given_file(folder: Path, text: str) -> Path:
    path = folder / "given.tsv"
    path.write_text(text.replace(" ", "\t"), encoding="utf-8")
    return path


def given_problems(path: Path, cohort: pd.DataFrame) -> list[tuple[str, str, str]]:
    with pytest.raises(BadInput) as caught:
        given_split(path, cohort, folds=2)
    assert all(problem.file == str(path) for problem in caught.value.problems)
    return [(problem.row, problem.key, problem.message) for problem in caught.value.problems]


GIVEN_SPLIT = "scan_id set fold\ns00000 test \ns00001 train 0\ns00002 train 1\ns00003 train 1\n"


def test_a_given_split_is_used_as_it_is(tmp_path: Path) -> None:
    path = given_file(tmp_path, GIVEN_SPLIT)
    settings = replace(SETTINGS, file=str(path), folds=2)
    split = split_scans(scans(4), settings, given=given_split(path, scans(4), 2))
    assert places(split) == {
        "s00000": ("test", -1),
        "s00001": ("train", 0),
        "s00002": ("train", 1),
        "s00003": ("train", 1),
    }
    assert split["drawn_by"].str.startswith(f"file {path}").all()


def test_a_split_of_this_workflow_can_be_given(tmp_path: Path) -> None:
    drawn = split_scans(scans(40, 2), SETTINGS)
    write_tsv(drawn, tmp_path / "split.tsv")
    given = given_split(tmp_path / "split.tsv", scans(40, 2), 5)
    again = split_scans(scans(40, 2), replace(SETTINGS, file="split.tsv", seed=7), given=given)
    assert places(again) == places(drawn)


def test_folds_are_drawn_where_the_file_has_none_and_then_stay(tmp_path: Path) -> None:
    def split(n: int, former: pd.DataFrame | None = None) -> pd.DataFrame:
        lines = [f"s{i:05d} {'test' if i % 5 == 0 else 'train'}\n" for i in range(n)]
        path = given_file(tmp_path, "scan_id set\n" + "".join(lines))
        return split_scans(
            scans(n), replace(SETTINGS, file="given.tsv"), former, given_split(path, scans(n), 5)
        )

    former = split(20)
    assert former.groupby("fold").size().tolist() == [4, 3, 3, 3, 3]
    grown = split(30, former)
    assert places(former).items() <= places(grown).items()
    assert set(grown.loc[grown["set"] == "test", "scan_id"]) == {f"s{i:05d}" for i in range(0, 30, 5)}


def test_all_faults_of_a_given_split_are_told_at_once(tmp_path: Path) -> None:
    cohort = scans(6, 2)  # s00000 and s00001 are of p0000, and so on
    cohort.loc[cohort["scan_id"] == "s00011", "status"] = "excluded"
    path = given_file(
        tmp_path,
        "scan_id set fold\n"
        "s00000 train 0\n"
        "s00001 test \n"  # the participant on both sides
        "s00002 train 0\n"
        "s00003 train 1\n"  # the participant in two folds
        "s00004 train 2\n"  # beyond the folds
        "s00005 Test \n"  # no set
        "s00006 test 1\n"  # a fold that is none
        "s00007 test \n"
        "unknown train 0\n"
        "s00008 train \n"  # no fold
        "s00009 train 1\n"
        "s00009 train 1\n",  # twice; s00010 is left out, and s00011, which is excluded
    )
    problems = given_problems(path, cohort)
    assert {(row, key) for row, key, _ in problems} == {
        ("2, 3", "set"),
        ("4, 5", "fold"),
        ("6", "fold"),
        ("7", "set"),
        ("6, 7", "set"),
        ("8", "fold"),
        ("10", "scan_id"),
        ("11", "fold"),
        ("13", "scan_id"),
        ("", "scan_id"),
    }
    assert [key for row, key, message in problems if message == "included scan without a row: add one"] == [
        "scan_id"
    ]
    assert all(says_what_to_do(message) for *_, message in problems), problems


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a table"),
        ("scan_id,set\ns00000,test\n", "column is missing"),
        ("scan_id fold\ns00000 1\n", "column is missing"),
        ("scan_id set\n\ns00000 test\n", "no scan of the sheet"),
    ],
)
def test_what_is_no_split_file_is_said(tmp_path: Path, text: str, said: str) -> None:
    message = given_problems(given_file(tmp_path, text), scans(1))[0][2]
    assert said in message
    assert says_what_to_do(message)


def test_a_given_split_that_is_not_there(tmp_path: Path) -> None:
    assert given_problems(tmp_path / "absent.tsv", scans(1))[0][1] == "split.file"


def test_a_given_split_without_test_scans(tmp_path: Path) -> None:
    path = given_file(tmp_path, "scan_id set\n" + "".join(f"s{i:05d} train\n" for i in range(9)))
    with pytest.raises(BadInput, match="none is left to test on"):
        split_scans(scans(9), replace(SETTINGS, file=str(path)), given=given_split(path, scans(9), 5))


# The command


def run(folder: Path, cohort: pd.DataFrame, **settings: Any) -> pd.DataFrame:
    write_tsv(cohort, folder / "cohort.tsv")
    out = folder / "split.tsv"
    given = json.dumps(asdict(SETTINGS) | settings)
    split_step.main(labels=GIVEN[1], cohort=folder / "cohort.tsv", settings=given, out=out)
    return read_tsv(out)


def test_the_command_keeps_what_its_output_holds(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    former = run(tmp_path, scans(30))
    split = run(tmp_path, scans(40))
    assert places(former).items() <= places(split).items()
    assert "10 scans are new, 0 are no longer in the cohort" in caplog.text
    assert "new draw" not in caplog.text
    alone = split_scans(scans(40), SETTINGS)
    assert places(alone) != places(split), "a fresh draw would have moved scans"


def test_a_new_draw_is_announced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    former = run(tmp_path, scans(30))
    split = run(tmp_path, scans(30), seed=1)
    moved = int((former["set"] != split["set"]).sum())
    assert moved > 0
    assert f"a new draw, as the settings changed: {moved} of 30 scans changed sides" in caplog.text


def run_given(folder: Path, cohort: pd.DataFrame, test: Sequence[int]) -> pd.DataFrame:
    """The command with a split drawn elsewhere, in which these scans are for the test."""
    table = pd.DataFrame({"scan_id": cohort["scan_id"], "set": "train"})
    table.loc[list(test), "set"] = "test"
    write_tsv(table, folder / "given.tsv")
    return run(folder, cohort, file=str(folder / "given.tsv"))


def test_a_lesion_that_no_training_scan_has_can_not_be_learnt(tmp_path: Path) -> None:
    cohort = scans(30).assign(IVH_ml=0.0)
    cohort.loc[[3, 4], "IVH_ml"] = 5.0
    with pytest.raises(BadInput) as caught:
        run_given(tmp_path, cohort, test=[3, 4, 5])
    (problem,) = caught.value.problems
    assert problem.value == "IVH"
    assert "no training scan has" in problem.message
    assert not (tmp_path / "split.tsv").exists()


def test_a_lesion_of_one_fold_alone_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cohort = scans(30).assign(IVH_ml=0.0)
    cohort.loc[[3, 4], "IVH_ml"] = 5.0
    split = run_given(tmp_path, cohort, test=[3]).set_index("scan_id")
    fold = int(split.loc["s00004", "fold"])
    (warning,) = [r.getMessage() for r in caplog.records if "fold" in r.getMessage()]
    assert f"only those of fold {fold} have IVH" in warning


def test_a_lesion_that_few_test_scans_have_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cohort = scans(40).assign(IVH_ml=0.0)
    cohort.loc[range(5), "IVH_ml"] = 5.0
    run_given(tmp_path, cohort, test=range(4, 14))
    (warning,) = [r.getMessage() for r in caplog.records if "test scan" in r.getMessage()]
    assert "of 10 test scans 1 has IVH" in warning, "and ten have ICH"
    for words in ("fewer than 10", "Of all scans 5 have it", "split.stratify_by: [ivh]", "add scans"):
        assert words in warning
    caplog.clear()
    run_given(tmp_path, cohort.assign(IVH_ml=1.0), test=range(4, 13))
    warnings = [r.getMessage() for r in caplog.records if "test scan" in r.getMessage()]
    assert [text.split(":")[0] for text in warnings] == [
        "split  of 9 test scans 9 have ICH",
        "split  of 9 test scans 9 have IVH",
    ]
    assert not any("stratify_by" in text for text in warnings), "no balance makes it more"


def test_a_lesion_that_no_test_scan_has_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cohort = scans(30).assign(IVH_ml=0.0)
    cohort.loc[[3, 4], "IVH_ml"] = 5.0
    split = run_given(tmp_path, cohort, test=[3, 5, 6])
    assert "no test scan has" not in caplog.text
    assert table_page.lesions_not_tested(split, cohort) == []
    split = run_given(tmp_path, cohort, test=[5, 6, 7])
    (warning,) = [record.getMessage() for record in caplog.records if "no test scan" in record.getMessage()]
    assert "IVH" in warning
    assert "balance the sets by it" in warning
    (note,) = table_page.lesions_not_tested(split, cohort)
    assert "no test scan has IVH" in note


def test_where_nothing_is_trained_all_are_tested(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cohort = scans(30).assign(IVH_ml=0.0)
    cohort.loc[[3, 4], "IVH_ml"] = 5.0
    split = run(tmp_path, cohort, test_fraction=1)
    assert set(split["set"]) == {"test"}
    assert split["fold"].isna().all()
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "of 30 test scans 2 have IVH" in warnings[0]
    assert "No other scan has it: add scans." in warnings[0], "neither balance nor a larger test set helps"
    assert split_scans(cohort, replace(SETTINGS, test_fraction=1), split).equals(
        split_scans(cohort, replace(SETTINGS, test_fraction=1))
    )


def test_excluded_scans_are_not_drawn(tmp_path: Path) -> None:
    cohort = scans(31)
    cohort.loc[7, "status"] = "error"
    assert set(run(tmp_path, cohort)["scan_id"]) == set(cohort["scan_id"]) - {"s00007"}
