"""Training and test set, and folds within the training set: ``python -m headct split --help``.

Participants, not scans, are drawn, so nobody stands on both sides. Folds are of participants, or of whole
sites, so that each scan held out is of a site that its network has not seen. Who has a set and a fold in the
former ``split.tsv`` keeps them while the settings are the same; a change of settings is a new draw.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from headct.contracts import labels as label_sets
from headct.contracts import sets
from headct.contracts.artefacts import read_tsv, write_tsv
from headct.contracts.labels import LabelSet
from headct.contracts.plurals import counted
from headct.contracts.problems import BadInput, Problem
from headct.contracts.sets import SCANS_OF_A_VERDICT, SETS
from headct.settings import blocks, strata
from headct.settings.analysis_plan import SITE
from headct.settings.blocks import Split

logger = logging.getLogger(__name__)


def main(
    *,
    labels: str,
    cohort: Path,
    settings: str,
    out: Path,
) -> None:
    """Training and test set, and folds within the training set.

    Args:
        labels: JSON: the lesion classes, in their order, with roles.
        cohort: cohort.tsv.
        settings: JSON: the config's 'split'.
        out: split.tsv to write; what it holds already is kept.
    """
    scans = read_tsv(cohort)
    included = sets.of_study(scans[scans["status"] == "included"])
    rules = blocks.given(Split, settings)
    former = read_tsv(out) if out.is_file() else None
    path = rules.file
    given = None if path is None else given_split(Path(path), scans, rules.folds)
    split = split_scans(included, rules, label_sets.read(labels), former, given, str(cohort))
    check_lesions(split, included, str(path or cohort))
    if former is not None:
        log_changes(former, split)
    write_tsv(split, out)
    counts = split["set"].value_counts()
    logger.info("split  %d scans to train on, %d to test on", counts.get("train", 0), counts["test"])


def split_scans(
    scans: pd.DataFrame,
    settings: Split,
    labels: LabelSet,
    former: pd.DataFrame | None = None,
    given: pd.DataFrame | None = None,
    file: str = "cohort.tsv",
) -> pd.DataFrame:
    """Divide included scans into a test set and a training set with folds.

    The test set holds ceil(``test_fraction`` × participants) participants, shared out over the
    strata by largest remainder; a participant's stratum is that of the first scan, on the day of
    the draw. Participants of ``former``, an earlier result of this function, keep their set and fold
    if it was drawn by the same settings. ``given`` (see :func:`given_split`) replaces the draw.

    Args:
        scans: rows of ``cohort.tsv`` that are included.
        settings: of the split.
        labels: the label set, by whose lesions strata are made.
        former: an earlier split.
        given: a split that the study hands in.
        file: the cohort, for messages.

    Raises:
        BadInput: too few participants for a test set or for the folds; where folds are of sites, a training
            scan whose site is not known, fewer sites than folds, a site in several given folds.
    """
    drawn_by = settings_in_words(settings, labels)
    strata = stratum_of_participants(scans, settings, labels)
    known = pd.DataFrame(index=strata.index, columns=["stratum", "set", "fold"], dtype=object)
    if former is not None and set(former.get("drawn_by", [])) == {drawn_by}:
        known = former.drop_duplicates("participant_id").set_index("participant_id").reindex(strata.index)
    if given is not None:
        chosen = given.set_index("participant_id").reindex(strata.index)
        known = known.assign(set=chosen["set"], fold=chosen.get("fold", known["fold"]))
    strata = known["stratum"].fillna(strata)
    shuffled = strata.iloc[np.random.default_rng(settings.seed).permutation(len(strata))]
    in_set = draw_sets(shuffled, known["set"], settings.test_fraction)
    participant = scans["participant_id"]
    shuffled_train = shuffled[in_set[shuffled.index] == "train"]
    known_fold = known["fold"].reindex(shuffled_train.index)
    together = pd.Series(shuffled_train.index, shuffled_train.index)
    if settings.folds_by == SITE and not settings.is_evaluation_only:
        together = sites_together(scans[participant.isin(shuffled_train.index)], settings, file)
        known_fold = folds_of_whole_sites(known_fold, together, settings)
    fold = draw_folds(shuffled_train, known_fold, settings.folds, together)
    check_sizes(in_set, fold, settings, file)
    return pd.DataFrame(
        {
            "scan_id": scans["scan_id"],
            "participant_id": participant,
            "stratum": participant.map(strata),
            "set": participant.map(in_set),
            "fold": participant.map(fold).astype("Int64"),
            "drawn_by": drawn_by,
            "ct_sha256": scans["ct_sha256"],
            "labels_sha256": scans["labels_sha256"],
        }
    ).reset_index(drop=True)


def settings_in_words(settings: Split, labels: LabelSet) -> str:
    """The settings that decide a draw, and no others; where these words change, all is drawn anew."""
    by_site = " of whole sites" if settings.folds_by == SITE else ""
    folds = f"{settings.folds} folds{by_site}, seed {settings.seed}"
    if settings.file is not None:
        return f"file {settings.file}; {folds}"
    words = {
        "presence": "{label}",
        "volume": f"{settings.ich_volume_groups} groups of {{label}} volume",
        "site": f"sites of {settings.minimum_site_size} participants or more",
    }
    by = [words[one.by].format(label=one.label) for one in strata.chosen(settings.stratify_by, labels)]
    strata_in_words = " and ".join(by) or "nothing"
    return f"test fraction {settings.test_fraction:g}, by {strata_in_words}; {folds}"


def stratum_of_participants(scans: pd.DataFrame, settings: Split, labels: LabelSet) -> pd.Series:
    """The stratum of each participant, in words; the index is sorted, whatever the sheet's order."""
    first = scans.sort_values("scan_id").drop_duplicates("participant_id")
    first = first.set_index("participant_id").sort_index()
    stratum = pd.Series([""] * len(first), index=first.index)
    for one in strata.chosen(settings.stratify_by, labels):
        stratum = stratum + np.where(stratum == "", "", ", ") + STRATA[one.by](first, settings, one.label)
    return stratum.replace("", "all")


def _by_presence(first: pd.DataFrame, settings: Split, label: str) -> Any:
    return np.where(first[f"{label}_ml"] > 0, label, f"no {label}")


def _by_volume(first: pd.DataFrame, settings: Split, label: str) -> Any:
    groups = settings.ich_volume_groups
    size = np.ceil(first[f"{label}_ml"].rank(method="first") / len(first) * groups).astype(int)
    return f"{label} volume group " + size.astype(str) + f"/{groups}"


def _by_site(first: pd.DataFrame, settings: Split, label: str) -> Any:
    site = first["site"].astype(str)
    large = site.map(site.value_counts()) >= settings.minimum_site_size
    return np.where(large, "site " + site, "small sites")


STRATA = {"presence": _by_presence, "volume": _by_volume, "site": _by_site}
"""What a stratum says of participants, given the first scan of each."""


def draw_sets(shuffled: pd.Series, known: pd.Series, test_fraction: float) -> pd.Series:
    """The set of each participant: the known one; the others fill up the test set.

    ``shuffled`` holds the stratum of each participant in random order.
    """
    new = shuffled[known[shuffled.index].isna()]
    # The size of the test set is that of all participants together, so that a cohort that grows keeps its
    # fraction; whoever is in it already counts. Rounded first, for 0.07 * 100 is a little more than 7.
    n_test = math.ceil(round(test_fraction * len(shuffled), 9))
    sizes = shuffled.value_counts().sort_index()
    taken = shuffled[known[shuffled.index] == "test"].value_counts().reindex(sizes.index, fill_value=0)
    free = new.value_counts().reindex(sizes.index, fill_value=0)
    quota = largest_remainder(sizes, n_test, taken, free)
    # The first of each stratum, in random order, until its quota is full.
    rank = new.groupby(new).cumcount()
    drawn = pd.Series(np.where(rank < new.map(quota), "test", "train"), index=new.index)
    return pd.concat([known.dropna(), drawn])


def draw_folds(shuffled: pd.Series, known: pd.Series, folds: int, together: pd.Series) -> pd.Series:
    """The fold of each training participant: the known one; the others go where the fewest are.

    The largest groups come first, so that folds end of as equal a size as can be, and as many groups as
    folds have one each.

    Args:
        shuffled: the stratum of each participant to train on, in random order.
        known: the fold of those that have one; the same in all of a group.
        folds: their number.
        together: the group of each participant, which goes into one fold as a whole.
    """
    group_of = together[shuffled.sort_values(kind="stable").index]
    sizes = group_of.value_counts(sort=False).sort_values(ascending=False, kind="stable")
    fold_of = known.dropna().groupby(together).first()
    counts = (
        sizes[fold_of.index].groupby(fold_of).sum().reindex(range(folds), fill_value=0).to_numpy(copy=True)
    )
    drawn = fold_of.to_dict()
    for group, size in sizes.drop(fold_of.index).items():
        drawn[group] = int(counts.argmin())
        counts[drawn[group]] += size
    return group_of.map(drawn).astype(int)


def sites_together(scans: pd.DataFrame, settings: Split, file: str) -> pd.Series:
    """The site of each participant to train on, in words; sites that share a participant are one.

    Args:
        scans: their rows of ``cohort.tsv``.
        settings: of the split.
        file: the cohort, for messages.

    Raises:
        BadInput: a site that is not known, or fewer sites than folds.
    """
    message = (
        "split.folds_by is site, and the site of this training scan is not known: fill it in in the sheet, or"
        " set split.folds_by: participant"
    )
    unknown = scans.loc[scans["site"].isna(), "scan_id"]
    if len(unknown):
        raise BadInput([Problem(file, message, key="site", value=scan) for scan in unknown])
    participant, participants = pd.factorize(scans["participant_id"])
    site, sites = pd.factorize(scans["site"], sort=True)
    n = len(participants) + len(sites)
    links = coo_array((np.ones(len(scans)), (len(sites) + participant, site)), shape=(n, n))
    part = connected_components(links, directed=False)[1]
    names = pd.Series(sites.astype(str)).groupby(part[: len(sites)]).agg(" and ".join)
    if len(names) < settings.folds:
        raise BadInput([_too_few_sites(list(names), settings, file)])
    return pd.Series(names[part[len(sites) :]].to_numpy(), participants)


def _too_few_sites(sites: Sequence[str], settings: Split, file: str) -> Problem:
    fewer = f"split.folds: {len(sites)}, each site a fold, or " if len(sites) > 1 else ""
    message = (
        f"split.folds_by is site, and training scans are of {counted(len(sites), 'site')}"
        f" ({', '.join(sites)}; those that share a participant count as one), fewer than folds: set"
        f" {fewer}split.folds_by: participant"
    )
    return Problem(file, message, key="split.folds", value=str(settings.folds))


def folds_of_whole_sites(known: pd.Series, together: pd.Series, settings: Split) -> pd.Series:
    """The known folds of participants; none where some site stands in several, since the sheet has changed.

    Args:
        known: the fold of each participant who has one.
        together: the site of each participant.
        settings: of the split.

    Raises:
        BadInput: the study's own file puts a site into several folds.
    """
    folds = {site: sorted(set(of)) for site, of in known.dropna().astype(int).groupby(together)}
    torn = {str(site): found for site, found in folds.items() if len(found) > 1}
    if not torn:
        return known
    if settings.file is None:
        logger.warning(
            "split  all folds are drawn anew: by the sheet as it is now, %s would stand in several",
            ", ".join(torn),
        )
        return known.where(known.isna())
    message = (
        "split.folds_by is site, and this site stands in folds {}: give all of its training scans one, or"
        " leave out the column fold"
    )
    raise BadInput(
        [
            Problem(settings.file, message.format(", ".join(map(str, found))), key="fold", value=site)
            for site, found in torn.items()
        ]
    )


def largest_remainder(sizes: pd.Series, seats: int, taken: pd.Series, free: pd.Series) -> pd.Series:
    """Share ``seats`` out in proportion to ``sizes``: whole parts first, then largest remainders.

    What each stratum has ``taken`` already is kept; it can get at most ``free`` more. Returns the
    seats that each gets beyond those taken. Ties go to the stratum that comes first.

    Args:
        sizes: participants of each stratum.
        seats: of the test set.
        taken: seats that each stratum has.
        free: participants of each that have no set yet.
    """
    owed = (sizes * seats / sizes.sum() - taken).round(9)
    given = np.zeros(len(sizes), dtype=int)
    for _ in range(min(seats - int(taken.sum()), int(free.sum()))):
        # Seat by seat to whom most is owed: without seats taken this is the largest remainder method.
        given[np.where(given < free, owed - given, -np.inf).argmax()] += 1
    return pd.Series(given, index=sizes.index)


def check_sizes(in_set: pd.Series, fold: pd.Series, settings: Split, file: str) -> None:
    """Refuse a split without test participants or with an empty fold, where models are trained.

    Args:
        in_set: "train" or "test" by participant.
        fold: of each training participant.
        settings: of the split.
        file: for messages.
    """
    if settings.is_evaluation_only:
        return
    n_train, n_folds = len(fold), settings.folds
    people = f"{len(in_set)} participants"
    problems = []
    if fold.nunique() < n_folds:
        message = (
            f"{people} leave {n_train} to train on, too few for the folds, or none is left in one: set fewer"
            " folds, or add scans"
        )
        problems.append(Problem(file, message, key="split.folds", value=str(n_folds)))
    if n_train == len(in_set):
        message = f"of {people} none is left to test on: enlarge it, or add scans"
        problems.append(Problem(file, message, key="split.test_fraction"))
    if problems:
        raise BadInput(problems)


def check_lesions(split: pd.DataFrame, scans: pd.DataFrame, file: str) -> None:
    """Warn of lesions of few test scans or one fold alone, and refuse those that no training scan has.

    Where nothing is trained on, no lesion can be lacking there.
    """
    for doubt in few_test_scans(split, scans):
        logger.warning("split  %s", doubt)
    train = split[split["set"] == "train"]
    if train.empty:
        return
    never_learnt = lesions_absent(train, scans)
    for fold in sorted(train["fold"].unique()):
        for lesion in lesions_absent(train[train["fold"] != fold], scans):
            if lesion not in never_learnt:
                logger.warning(
                    "split  of the training scans only those of fold %s have %s: what is trained without this"
                    " fold can't learn it",
                    fold,
                    lesion,
                )
    message = (
        "no training scan has this lesion, so no model can learn it; divide the scans otherwise"
        " (split.seed, split.stratify_by or split.file)"
    )
    if never_learnt:
        raise BadInput([Problem(file, message, key="split", value=lesion) for lesion in never_learnt])


def few_test_scans(
    split: pd.DataFrame, cohort: pd.DataFrame, least: int = SCANS_OF_A_VERDICT
) -> Iterator[str]:
    """Lesions that few or no test scans have: what that means and what to do, a sentence each.

    Args:
        split: of the scans.
        cohort: rows of ``cohort.tsv`` of these scans.
        least: test scans with a lesion from which on they are not few.
    """
    tested = split[split["set"] == "test"]
    in_all = scans_with_lesions(split, cohort)
    for lesion, n in scans_with_lesions(tested, cohort).items():
        balance = f"balance the sets by it (split.stratify_by: [{lesion.casefold()}]), "
        remedy = (
            "No other scan has it: add scans."
            if in_all[lesion] == n
            else f"Of all scans {in_all[lesion]} have it: {balance if n < len(tested) else ''}enlarge the"
            " test set (split.test_fraction), name it (split.file), or add scans."
        )
        if n == 0:
            yield (
                f"no test scan has {lesion}: how models find it will not be measured, and its Dice will be 1"
                f" by convention for each that marks none. {remedy}"
            )
        elif n < least:
            yield (
                f"of {counted(len(tested), 'test scan')} {n} {'has' if n == 1 else 'have'} {lesion}: its"
                f" numbers hang on single scans, and fewer than {least} decide nothing about it. {remedy}"
            )


def scans_with_lesions(some: pd.DataFrame, cohort: pd.DataFrame) -> dict[str, int]:
    """How many of some scans have a voxel of each lesion, by the cohort's columns ``…_ml``."""
    volumes = cohort[cohort["scan_id"].isin(some["scan_id"])].filter(regex="_ml$")
    return {column.removesuffix("_ml"): int((volumes[column] > 0).sum()) for column in map(str, volumes)}


def lesions_absent(some: pd.DataFrame, cohort: pd.DataFrame) -> list[str]:
    """The lesions of which none of some scans has a voxel."""
    return [lesion for lesion, n in scans_with_lesions(some, cohort).items() if n == 0]


def given_split(path: Path, cohort: pd.DataFrame, folds: int) -> pd.DataFrame:
    """A split that was drawn elsewhere, checked for leaks against all scans of ``cohort``.

    Returns one row per participant: participant_id set and, if the file has it, fold (NaN in the test
    set).

    Raises:
        BadInput: every fault of the file.
    """
    table = read_given(path)
    file = str(path)
    cohort = sets.of_study(cohort)
    problems = _faulty_cells(table, file, set(cohort["scan_id"]), folds)
    table = table.merge(cohort[["scan_id", "participant_id", "status"]], on="scan_id")
    for column, fault in (("set", "in both sets"), ("fold", "in several folds")):
        for participant, rows in table.groupby("participant_id"):
            if column in rows and rows.loc[rows[column] != "", column].nunique() > 1:
                scans = ", ".join(rows["scan_id"] + " " + rows[column])
                message = f"participant {participant} stands {fault}: {scans}; give all of them one"
                problems.append(Problem(file, message, ", ".join(rows["row"]), column))
    included = cohort.loc[cohort["status"] == "included", "scan_id"]
    problems += [
        Problem(file, "included scan without a row: add one", key="scan_id", value=scan)
        for scan in included[~included.isin(table["scan_id"])]
    ]
    if problems:
        raise BadInput(problems)
    table = table[table["status"] == "included"].drop_duplicates("participant_id")
    if "fold" in table:
        table = table.assign(fold=pd.to_numeric(table["fold"]))
    return table.drop(columns=["scan_id", "row", "status"])


def read_given(path: Path) -> pd.DataFrame:
    """All cells as text, with their row number in the column ``row``."""
    if not path.is_file():
        raise BadInput([Problem(str(path), "there is no such file: mend split.file", key="split.file")])
    try:
        table = pd.read_csv(
            path, sep="\t", dtype=str, keep_default_na=False, encoding="utf-8-sig", skip_blank_lines=False
        )
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        message = f"not a table ({error}): save it as text in UTF-8, its columns separated by tabs"
        raise BadInput([Problem(str(path), message, key="split.file")]) from error
    absent = [name for name in ("scan_id", "set") if name not in table]
    if absent:
        message = "column is missing: add it, separated from others by a tab"
        raise BadInput([Problem(str(path), message, "1", name) for name in absent])
    table = table[[name for name in ("scan_id", "set", "fold") if name in table]].fillna("")
    table = table.apply(lambda column: column.str.strip())
    return table.assign(row=[str(number) for number in range(2, len(table) + 2)])


def _faulty_cells(table: pd.DataFrame, file: str, scans: set[str], folds: int) -> list[Problem]:
    problems = []
    valid_folds = {str(fold) for fold in range(folds)}
    first: dict[str, str] = {}
    for cells in table.to_dict("records"):
        scan, in_set, fold, row = cells["scan_id"], cells["set"], cells.get("fold", ""), cells["row"]
        if scan not in scans:
            message = "no scan of the sheet, or one of an external set: mend the name, or take the row out"
            problems.append(Problem(file, message, row, "scan_id", scan))
        if scan in first:
            message = f"stands in row {first[scan]} already: keep one of them"
            problems.append(Problem(file, message, row, "scan_id", scan))
        first.setdefault(scan, row)
        if in_set not in SETS:
            problems.append(Problem(file, f"must be one of {', '.join(SETS)}", row, "set", in_set))
        if in_set == "test" and fold:
            message = "a test scan is in no fold: leave the cell empty"
            problems.append(Problem(file, message, row, "fold", fold))
        if in_set == "train" and "fold" in cells and fold not in valid_folds:
            message = f"must be 0 to {folds - 1}, since split.folds is {folds}"
            problems.append(Problem(file, message, row, "fold", fold))
    return problems


def log_changes(former: pd.DataFrame, split: pd.DataFrame) -> None:
    """Say what became of the former split: scans added, gone, and, after a new draw, moved."""
    both = former.merge(split, on="scan_id", suffixes=("_before", "_now"))
    moved = int((both["set_before"] != both["set_now"]).sum())
    added, gone = len(split) - len(both), len(former) - len(both)
    if added or gone:
        logger.info("split  %d scans are new, %d are no longer in the cohort", added, gone)
    before = ", ".join(sorted(set(former.get("drawn_by", ["unknown settings"]))))
    now = split["drawn_by"].iloc[0]
    if before != now:
        logger.warning(
            "split  a new draw, as the settings changed: %d of %d scans changed sides (before: %s; now: %s)",
            moved,
            len(both),
            before,
            now,
        )
    elif moved:
        logger.warning("split  the file changed: %d of %d scans changed sides", moved, len(both))
