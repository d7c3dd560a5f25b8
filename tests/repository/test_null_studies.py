"""The benchmark of verdicts and intervals: it works, counts rightly, and finds what is wrong on purpose."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from headct.contracts.declarations import PublishedNumbers, published_numbers
from headct.settings.analysis_plan import PARTICIPANT, PRIMARY, SITE, WITHOUT_LESION
from headct.statistics.comparison.detection import detection_table
from headct.statistics.comparison.endpoints import HIGHER, LOWER, endpoints_table
from headct.statistics.comparison.equivalence import equivalence_table
from headct.statistics.comparison.estimates import estimates_table
from headct.statistics.comparison.new_site import OF_TEST_SET, tables_of
from headct.statistics.comparison.out_of_fold import out_of_fold_table
from headct.statistics.comparison.paired import paired_table, ranks_table
from headct.statistics.core import jackknife
from headct.statistics.core.agreement import ALL_SCANS, WITH_LESION, agreement_row
from headct.statistics.core.clusters import Clusters
from headct.statistics.core.scores import FAMILY, VOLUMES
from headct.statistics.replication.rater_statistics import rater_agreement

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

import null_checks
import null_coverage
import null_missing
import null_raters
import null_sets
import null_sites
import null_studies
from promises import Promise, Rate, Truth, cell, in_words, rate_of_intervals, rates, tables
from simulated_studies import (
    DICECE,
    FOCAL,
    INDEPENDENT,
    LABELS,
    MODELS,
    SETTINGS,
    SHOWN,
    Study,
    held_out,
    population,
    study,
    study_and_new_site,
)

pytestmark = pytest.mark.whole

INTERVAL = Promise("mean", "somewhere", 0.95)
VERDICT = Promise("equal", "somewhere", 0.05, is_interval=False)
N_STUDIES = 20


N_POPULATION = 20_000


@pytest.fixture(scope="module")
def true() -> Truth:
    """Of independent scans."""
    return null_checks.truth(INDEPENDENT, N_POPULATION)


@pytest.fixture(scope="module")
def found(true: Truth) -> dict[str, list[null_checks.Found]]:
    """Few studies of independent scans, by block."""
    results: dict[str, list[null_checks.Found]] = {}
    for block, of in null_checks.BLOCKS.items():
        if block == "unequal seeds":  # of three seeds only
            continue
        n = N_STUDIES if block in ("intervals", "verdicts") else 2
        with np.errstate(all="ignore"):
            results[block] = [of.check(np.random.default_rng([7, i]), INDEPENDENT, true) for i in range(n)]
    return results


def test_each_promise_is_looked_at_and_none_else(found: dict[str, list[null_checks.Found]]) -> None:
    looked_at = {key for results in found.values() for one in results for key, _ in one}
    elsewhere = {"p_any_one", "p_any_half", "new_site"}  # of three seeds; of sites that differ
    assert looked_at == set(null_checks.PROMISES) - elsewhere
    of_seeds = null_checks.unequal_seeds(np.random.default_rng(1), SETTINGS["d"], {})
    assert {key for key, _ in of_seeds} == {"p_any_one", "p_any_half"}


def test_each_printed_interval_p_and_verdict_has_a_rate_or_a_reason_to_have_none() -> None:
    tables = {path.removesuffix(".tsv"): one for path, one in published_numbers().items()}
    for table, one in tables.items():
        with_rate = null_coverage.columns_of(null_coverage.ROWS.get(table, {}))
        without = null_coverage.columns_of(null_coverage.NOT_SIMULATED.get(table, {}))
        assert not with_rate & without, table
        assert with_rate | without <= set(one.header), table
        states_an_error = {name for name in one.header if null_coverage.STATES_AN_ERROR.search(name)}
        assert states_an_error - _repeated(one) <= with_rate | without, table
    assert {*null_coverage.ROWS, *null_coverage.NOT_SIMULATED} <= set(tables)


def _repeated(one: PublishedNumbers) -> set[str]:
    """Columns that are those of another table."""
    found: set[str] = set()
    for repeats in one.repeats:
        source = published_numbers()[repeats.source]
        found |= {name for name in one.header if repeats.renamed.get(name, name) in source.header}
    return found


def test_each_rate_is_that_of_a_column_of_its_table() -> None:
    """But for those that the command ``headct plan`` prints."""
    claimed = {
        (key, Path(table).name)
        for table, by_columns in null_coverage.ROWS.items()
        for keys in by_columns.values()
        for key in keys.split()
    }
    looked_at = {(key, promise.where) for key, promise in null_checks.PROMISES.items()}
    assert claimed <= looked_at
    assert {where for _, where in looked_at - claimed} == {"headct plan"}


def test_intervals_hold_the_truth_and_verdicts_are_rarely_wrong(
    found: dict[str, list[null_checks.Found]],
) -> None:
    by_key = rates(found["intervals"], null_checks.PROMISES)
    for key in (("primary", "IVH"), ("dice_mean", "PHE"), ("dice", "IVH"), ("ccc", "ICH")):
        assert by_key[key].n_studies == N_STUDIES
        assert by_key[key].rate > 0.8
        assert 0.5 < by_key[key].width < 2
    by_key = rates(found["verdicts"], null_checks.PROMISES)
    assert by_key["p", "IVH"].rate < 0.2
    assert by_key["open_gate_error", "all"].rate < 0.3


def test_what_is_looked_at_is_what_the_tables_print(true: Truth) -> None:
    found = null_checks.intervals(np.random.default_rng(9), INDEPENDENT, true)
    data = study(np.random.default_rng(9), INDEPENDENT).scores(INDEPENDENT.cluster)
    shown = null_checks.models_of(data, null_checks.SHOWN)
    printed = {
        "dice_mean": estimates_table([shown]).query("measure == 'dice_mean'"),
        "ccc": estimates_table([shown]).query("measure == 'ccc'"),
        "dice": paired_table(shown, null_checks.PLAN).query("measure == 'dice'"),
        "equivalence": equivalence_table(shown, null_checks.PLAN).assign(scans=ALL_SCANS),
    }
    for key, table in printed.items():
        rows = table[(table["label"] == "IVH") & (table["scans"] == ALL_SCANS)]
        assert np.allclose(found[key, "IVH"][1:3], rows[["lower", "upper"]].to_numpy(float).T)
    endpoints = endpoints_table(data, null_checks.PLAN).query("measure == 'false_positive'")
    adjusted = endpoints[["lower_adjusted", "upper_adjusted"]].to_numpy(float).T
    assert np.allclose(found["secondary_adjusted", "IVH, false positives"][1:3], adjusted)
    sensitivity = detection_table([shown], null_checks.PLAN).query("label == 'IVH' and threshold_ml == 0")
    ends = sensitivity[["sensitivity_lower", "sensitivity_upper"]].to_numpy(float).T
    assert np.allclose(found["sensitivity", "IVH above 0 mL"][1:3], ends)


def test_volumes_and_readings_are_looked_at_as_the_tables_print_them(true: Truth) -> None:
    found = null_checks.volumes(np.random.default_rng(9), INDEPENDENT, true)
    data = study(np.random.default_rng(9), INDEPENDENT).scores(INDEPENDENT.cluster)
    chosen = data.chosen("IVH", WITH_LESION)
    first, predicted = data.reference_ml("IVH")[chosen], data.arrays["IVH", "predicted_ml"][0, chosen, DICECE]
    row = agreement_row(first, predicted, data.clusters_of(chosen))
    for key, columns in (("ccc", "ccc ccc_lower ccc_upper"), ("bias", "bias_ml bias_lower_ml bias_upper_ml")):
        cells = found[f"agreement_{key}", "IVH, scans with it"][:3, SHOWN.index(DICECE)]
        assert np.allclose(cells, [float(row[column]) for column in columns.split()])

    found = null_raters.of_raters(np.random.default_rng(9), INDEPENDENT, true)
    one = study(np.random.default_rng(9), INDEPENDENT, equal=True)
    rows = _rows(one, [null_raters.RATER]).query(f"scan_id < '{null_raters.N_READINGS:06d}'")
    of_scan = pd.Series(one.participant, [f"{scan:06d}" for scan in range(len(one.participant))])
    table = rater_agreement(rows, Clusters(PARTICIPANT, of_scan)).set_index(["label", "scans"])
    for key, column in (("icc", "icc_a1"), ("ccc", "ccc")):
        for label, scans in null_raters.READINGS:
            cells = table.loc[(label, scans), [column, f"{column}_lower", f"{column}_upper"]]
            words = f"{label}, scans with it" if scans == WITH_LESION else label
            assert np.allclose(found[f"reading_{key}", words][:3, 0], cells.to_numpy(float), equal_nan=True)


def test_held_out_scans_are_looked_at_as_the_table_prints_them(true: Truth) -> None:
    setting = SETTINGS["d"]
    found = null_sets.of_held_out(np.random.default_rng(9), setting, true)
    one = held_out(np.random.default_rng(9), setting, null_sets.N_HELD_OUT, null_sets.N_FOLDS)
    split = pd.DataFrame(
        {
            "scan_id": [f"{scan:06d}" for scan in range(null_sets.N_HELD_OUT)],
            "participant_id": one.participant,
            "set": "train",
            "fold": (one.participant % null_sets.N_FOLDS).astype(str),
        }
    )
    units = Clusters(PARTICIPANT, split.set_index("scan_id")["participant_id"])
    table = out_of_fold_table(_rows(one, SHOWN), split, units, LABELS)
    table = table.query("label == 'IVH' and scans == 'all'")
    cells = table.set_index("model").loc[[MODELS[i] for i in SHOWN], ["dice_mean", "lower", "upper"]]
    assert np.allclose(found["held_out", "IVH"][:3], cells.to_numpy(float).T)


def test_a_new_site_is_looked_at_as_the_table_prints_it(true: Truth) -> None:
    """Each scan is of a participant of its own; the new site's many scans are not among those at hand."""
    found = null_sites.of_new_site(np.random.default_rng(9), SETTINGS["b"], true)
    one, is_new = study_and_new_site(np.random.default_rng(9), SETTINGS["b"])
    names = [f"{scan:06d}" for scan in range(len(is_new))]
    table = pd.DataFrame(
        {"scan_id": names, "participant_id": one.participant, "site": [f"site {site}" for site in one.site]}
    )
    rows = _rows(one, SHOWN)
    at_hand = rows[rows["scan_id"].isin(table.loc[~is_new, "scan_id"])]
    at_hand = at_hand.assign(**{name: 0.0 for name in VOLUMES if name not in at_hand})
    printed = tables_of(at_hand, table, null_checks.PLAN, OF_TEST_SET)["new_site"]
    for label, scans in (("ICH", ALL_SCANS), ("IVH", WITH_LESION)):
        cells = printed.query("label == @label and scans == @scans").set_index("model")
        cells = cells.loc[[MODELS[i] for i in SHOWN]]
        words = f"{label}, scans with it" if scans == WITH_LESION else label
        over_sites, new = found["over_sites", words], found["new_site", words]
        assert np.allclose(over_sites[:3], cells[["dice_mean", "lower", "upper"]].to_numpy(float).T)
        assert np.allclose(new[1:3], cells[["new_lower", "new_upper"]].to_numpy(float).T)
    dice = one.arrays["ICH", "dice"][0, is_new][:, SHOWN].mean(axis=0)
    assert np.allclose(found["new_site", "ICH"][3], dice)


def _rows(one: Study, models: list[int]) -> pd.DataFrame:
    """A study as rows of metrics tables."""
    n_seeds, n, _ = one.arrays["IVH", "dice"].shape
    names = ("dice", "reference_ml", "predicted_ml", "intersection_ml", "volume_error_ml")
    return pd.concat(
        pd.DataFrame(
            {
                "model": MODELS[model],
                "role": FAMILY,
                "seed": seed,
                "scan_id": [f"{scan:06d}" for scan in range(n)],
                "label": label,
                "failure": "",
                **{name: one.arrays[label, name][seed, :, model] for name in names},
            }
        )
        for model in models
        for label in LABELS
        for seed in range(n_seeds)
    )


def test_verdicts_by_split_errors_and_by_ranks_are_those_of_the_tables() -> None:
    """Of models one of which is so much worse that there is something to decide."""
    data = study(np.random.default_rng(3), INDEPENDENT, equal=True, better_by={("IVH", DICECE): -0.3})
    scores = data.scores(INDEPENDENT.cluster)
    by_split = replace(null_checks.PLAN, multiplicity=null_checks.BY_SPLIT)
    expected = endpoints_table(scores, by_split)["verdict"].isin((HIGHER, LOWER))
    assert 0 < expected.sum() < len(expected)
    assert list(null_checks.decided_by_split(endpoints_table(scores, null_checks.PLAN))) == list(expected)
    ranks = ranks_table(scores, null_checks.PLAN).query("measure == 'dice' and scans == 'all'")
    least = ranks.query("label == 'IVH'")["critical_difference"].iloc[0]
    n_scans = len(scores.scans)
    assert null_checks.critical_difference_of_one_scan() / np.sqrt(n_scans) == pytest.approx(least)


def test_what_missing_predictions_make_of_a_difference(true: Truth) -> None:
    """The values that intervals have to hold, found again in a population of which 3 % are missing."""
    rng, many = np.random.default_rng(4), population(INDEPENDENT, N_POPULATION, seed=1)
    data = many.scores(PARTICIPANT)
    missing = rng.random((len(data.scans), len(MODELS))) < null_missing.SHARE_MISSING
    data = null_missing.with_missing(data, missing)
    for status, endpoint in null_missing.PLAN.endpoints():
        values = data.values(endpoint.measure, endpoint.label)[0][data.chosen(endpoint.label, endpoint.scans)]
        expected = null_missing.truths(endpoint, true)[null_missing.MAIN][0]
        error = 4 * np.std(values[:, FOCAL] - values[:, DICECE]) / np.sqrt(len(values))
        assert (values[:, FOCAL] - values[:, DICECE]).mean() == pytest.approx(expected, abs=error), status
        if endpoint.scans == WITHOUT_LESION or status == PRIMARY:
            small = null_missing.truths(endpoint, true)[null_missing.SMALL][0]
            called = data.calls("IVH", null_missing.SMALL_ML)[0]
            absent = data.chosen("IVH", WITHOUT_LESION)
            if status == PRIMARY:
                means = np.where(called, data.arrays["IVH", "dice"][0], absent[:, None]).mean(axis=0)
            else:
                means = called[absent].mean(axis=0)
            assert means[FOCAL] - means[DICECE] == pytest.approx(small, abs=error)


def test_intervals_of_half_their_width_do_not_hold(
    found: dict[str, list[null_checks.Found]], true: Truth, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = jackknife.Estimated.interval

    def half(self: jackknife.Estimated, level: float) -> tuple[np.ndarray, np.ndarray]:
        lower, upper = whole(self, level)
        return (lower + self.estimate) / 2, (upper + self.estimate) / 2

    key = ("dice_mean", "IVH")
    assert rates(found["intervals"], null_checks.PROMISES)[key].rate > 0.85
    monkeypatch.setattr(jackknife.Estimated, "interval", half)
    results = [null_checks.intervals(np.random.default_rng([7, i]), INDEPENDENT, true) for i in range(8)]
    rate = rates(results, null_checks.PROMISES)[key]
    assert rate.rate < 0.85
    assert not rate.holds(null_checks.PROMISES["dice_mean"])


def test_flips_of_single_scans_do_not_hold_where_sites_differ() -> None:
    """Only an analysis by sites, which is the default, is as right as it says."""
    rate = {}
    for name in ("b", "b-participant"):
        results = [null_checks.verdicts(np.random.default_rng([8, i]), SETTINGS[name], {}) for i in range(8)]
        rate[name] = rates(results, null_checks.PROMISES)["p", "PHE"]
    assert rate["b"].rate < 0.15 < rate["b-participant"].rate
    assert not rate["b-participant"].holds(null_checks.PROMISES["p"])


def test_coverage_and_width_by_hand() -> None:
    estimates = np.linspace(-1, 1, 101)  # the middle 95 % of them are 1.9 apart
    found = np.stack([estimates, estimates - 0.95, estimates + 0.95, np.zeros(101)], axis=1)[:, :, None]
    rate = rate_of_intervals(found, 0.95)
    assert (rate.n_studies, rate.width, rate.absent) == pytest.approx((101, 1, 0))
    assert rate.rate == pytest.approx(95 / 101)
    found[:, 1:3] = np.nan
    assert rate_of_intervals(found, 0.95).absent == 1


def test_where_nothing_scatters_only_no_width_is_right() -> None:
    found = np.ones((5, 4, 1))
    assert rate_of_intervals(found, 0.95) == Rate(5, 1.0, 1.0)
    found[:, 2] = 1.1
    assert rate_of_intervals(found, 0.95).width > 1000


def test_what_holds_and_what_not() -> None:
    assert Rate(1000, 0.93, 1.25).holds(INTERVAL)
    assert not Rate(1000, 0.929, 1.0).holds(INTERVAL)
    assert not Rate(1000, 0.96, 1.26).holds(INTERVAL)
    assert Rate(1000, 0.065).holds(VERDICT)
    assert not Rate(1000, 0.0651).holds(VERDICT)


def test_bounds_are_the_exact_ones() -> None:
    expected = proportion_confint(50, 1000, alpha=0.01, method="beta")
    assert Rate(1000, 0.05).bounds() == pytest.approx(expected)
    assert Rate(1000, 0.0).bounds()[0] == 0
    assert Rate(1000, 1.0).bounds()[1] == 1


def test_what_does_not_hold_by_default_clusters_is_named() -> None:
    promises = {"mean": INTERVAL, "equal": VERDICT}
    wrong = {("mean", "IVH"): Rate(10, 0.8, 1.0), ("equal", "all"): Rate(10, 0.02)}
    right = {("mean", "IVH"): Rate(10, 0.95, 1.0), ("equal", "all"): Rate(10, 0.05)}
    text = tables({"a": right, "b": right, "b-participant": wrong}, promises, SETTINGS)
    intervals, verdicts = (part.splitlines() for part in text.split("\n\n"))
    assert intervals[-1].endswith("| yes |")
    assert intervals[-1].count("**") == 2
    assert verdicts[-1].startswith("| equal | `somewhere` | .05 | 10 |")
    text = tables({"a": right, "b": wrong}, promises, SETTINGS)
    assert in_words([SETTINGS["d"]], INTERVAL).startswith("**no**")
    assert in_words([SETTINGS["d"]], replace(INTERVAL, of_all_networks=False)) == "about the networks at hand"
    assert f"| **no**: {SETTINGS['b'].title} |" in text
    assert cell(None, INTERVAL) == "–"


def test_the_documentation_has_the_tables_of_the_benchmark() -> None:
    page = null_studies.DOCUMENT.read_text(encoding="utf-8")
    assert null_studies.document(page, null_studies.RESULT.read_text(encoding="utf-8")) == page


def test_studies_are_like_the_paper() -> None:
    """A median ICH of 12.3 mL, IVH in 48 of 174 scans, and a Dice of IVH of its own for each model."""
    many = population(INDEPENDENT, 20_000, seed=3)
    volume = {label: many.arrays[label, "reference_ml"][0, :, 0] for label in LABELS}
    assert np.median(volume["ICH"]) == pytest.approx(12.3, rel=0.05)
    assert (volume["IVH"] > 0).mean() == pytest.approx(48 / 174, abs=0.02)
    assert (volume["PHE"] > 0).mean() == pytest.approx(0.99, abs=0.005)
    dice = many.arrays["IVH", "dice"][0]
    assert dice[volume["IVH"] == 0].mean(axis=0)[DICECE] == pytest.approx(0.83, abs=0.02)
    assert set(np.unique(dice[volume["IVH"] == 0])) == {0.0, 1.0}
    assert dice.min() >= 0
    assert dice.max() <= 1


def test_a_population_is_what_studies_are_drawn_from() -> None:
    rng = np.random.default_rng(4)
    for name in ("a", "c", "d"):
        setting = SETTINGS[name]
        many = population(setting, 40_000, seed=5).arrays["IVH", "dice"].mean(axis=(0, 1))
        means = [study(rng, setting).arrays["IVH", "dice"].mean(axis=(0, 1)) for _ in range(150)]
        error = np.std(means, axis=0) / np.sqrt(150)
        assert (np.abs(np.mean(means, axis=0) - many) < 5 * error).all()


def test_differences_of_scans_of_a_site_are_alike() -> None:
    """An intraclass correlation of .05 for the difference of IVH Dice; none where scans are independent."""
    rng = np.random.default_rng(6)
    found = {}
    for name in ("a", "b"):
        one = study(rng, replace(SETTINGS[name], n_sites=500), n_scans=20_000)
        dice = one.arrays["IVH", "dice"][0]
        found[name] = _intraclass_correlation(dice[:, FOCAL] - dice[:, DICECE], one.site)
    assert found["a"] == pytest.approx(0, abs=0.01)
    assert found["b"] == pytest.approx(0.05, abs=0.015)


def _intraclass_correlation(values: np.ndarray, groups: np.ndarray) -> float:
    """By analysis of variance."""
    groups = np.unique(groups, return_inverse=True)[1]
    sizes = np.bincount(groups)
    means = np.bincount(groups, values) / sizes
    n, k = len(values), len(sizes)
    between = (sizes * (means - values.mean()) ** 2).sum() / (k - 1)
    within = ((values - means[groups]) ** 2).sum() / (n - k)
    typical = (n - (sizes**2).sum() / n) / (k - 1)
    return float((between - within) / (between + (typical - 1) * within))


def test_networks_of_a_model_differ_by_what_is_stated() -> None:
    rng = np.random.default_rng(7)
    one = [study(rng, SETTINGS["d"], n_scans=3000).arrays["PHE", "dice"].mean(axis=1) for _ in range(10)]
    assert np.mean([means.std(axis=0, ddof=1) for means in one]) == pytest.approx(0.02 * 0.886, rel=0.15)


def test_each_fold_is_predicted_by_networks_of_its_own() -> None:
    """Two trainings of one model lie .1 √2 apart (SD), for PHE .886 of it; folds of one network do not."""
    setting, rng = replace(SETTINGS["d"], seed_sd=0.1), np.random.default_rng(9)
    spread = {}
    for name, one in (
        ("folds", held_out(rng, setting, 4000, 2)),
        ("one training", study(rng, setting, n_scans=4000)),
    ):
        dice = one.arrays["PHE", "dice"]
        first, second = (dice[:, one.participant % 2 == fold].mean(axis=1) for fold in (0, 1))
        spread[name] = (first - second).std()
    assert spread["folds"] == pytest.approx(0.1 * np.sqrt(2) * 0.886, rel=0.35)
    assert spread["one training"] < 0.02


def test_scores_take_the_clusters_that_they_are_given() -> None:
    one = study(np.random.default_rng(8), SETTINGS["c"])
    assert len(set(one.scores(PARTICIPANT).clusters)) == 87
    assert len(set(one.scores(SITE).clusters)) == len(set(one.site))


def test_a_run_that_was_ended_goes_on_and_a_study_that_gives_an_error_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = tmp_path / "seen"

    def check(rng: np.random.Generator, setting: object, true: Truth) -> null_checks.Found:
        number = rng.random()
        with seen.open("a") as stream:
            stream.write(f"{number}\n")
        if broken and number < broken[0]:
            raise ZeroDivisionError
        return {("primary", "IVH"): np.array([number, np.nan])}

    monkeypatch.setattr(null_studies, "BLOCKS", {"toy": null_checks.Block(check, 6)})
    monkeypatch.setattr(null_studies, "truth", lambda setting, n: {})
    monkeypatch.setattr(null_studies, "rates", lambda its, promises: {"all": its})
    finished = null_studies.Finished(tmp_path, 10)
    numbers = [np.random.default_rng([5, number, 0]).random() for number in range(6)]
    broken = [sorted(numbers)[1]]  # below it lies one
    with pytest.raises(RuntimeError, match=rf"1 studies gave .* study {np.argmin(numbers)} of seed 5.*'toy'"):
        null_studies.simulate(1, 5, ["a"], ["toy"], 10, 2, finished)
    with finished.path.open("a") as stream:
        stream.write('[["a", "toy", 5')  # as a kill leaves it
    broken.clear()
    again = null_studies.simulate(1, 5, ["a"], ["toy"], 10, 2, finished)["a"]["all"]
    assert [one["primary", "IVH"][0] for one in again] == numbers
    assert all(np.isnan(one["primary", "IVH"][1]) for one in again)
    assert len(seen.read_text().split()) == 7, "six, and the one that had failed"
