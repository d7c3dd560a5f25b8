"""False-positive rates of tests and coverage of intervals of the planned comparison, in simulated studies.

    .venv/bin/python benchmarks/null_studies.py > benchmarks/null_studies.md

Each study has 174 test scans, 52 of them with IVH (the paper's share), and ten models that are equally
good: scans differ in how hard they are, which all models share, and each model has errors of its own. So
each significant difference is false, and the true values of a population of 2 million scans are known.
The procedures are those of the package, with as many resamples and sign flips as the shipped plan has.
Ends with status 1 if a test finds too much, or an interval misses too often.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow" / "scripts"))

from headct.settings.analysis_plan import SHIPPED, load
from headct.statistics.comparison.detection import detection
from headct.statistics.comparison.endpoints import mcnemar_exact
from headct.statistics.comparison.equivalence import EQUIVALENT, verdict, volume_equivalence
from headct.statistics.comparison.paired import friedman, sign_flip, wilcoxon
from headct.statistics.comparison.subgroups import welch, welch_anova
from headct.statistics.core import bootstrap
from headct.statistics.core.agreement import concordance as concordance_of
from headct.statistics.core.bootstrap import draws_of_clusters, draws_of_scans, evaluate
from headct.statistics.core.group_tests import benjamini_hochberg, kruskal_wallis

PLAN = load(SHIPPED)
SCANS, WITH_IVH, MODELS = 174, 52, 10
PAIRS = list(combinations(range(MODELS), 2))
FIRST, SECOND = (list(columns) for columns in zip(*PAIRS, strict=True))
ALPHA, LEVEL, CONFIDENCE = 0.05, 0.95, 0.99
MARGIN = PLAN.dice_margin["IVH"]
SITES = 40
SITE_SD, SEED_SD = 0.05, 0.03

KRUSKAL = "(Kruskal–Wallis, as the paper, ten models)"
PURE_BCA = "(difference of mean Dice, 52 scans, BCa in any case)"
LIN = "(CCC, all scans, Lin's interval, as in the replication)"
FOR_COMPARISON = (KRUSKAL, PURE_BCA, LIN)
"""Not what the planned comparison does."""

POPULATION = 2_000_000


@dataclass(frozen=True)
class Study:
    """Dice (n, k), reference (n,) and predicted volumes (n, k) in mL; IVH in the first scans."""

    dice: np.ndarray
    reference: np.ndarray
    predicted: np.ndarray

    @property
    def called(self) -> np.ndarray:
        """Which scans (n, k) are said to have IVH."""
        return self.predicted > 0


def study(rng: np.random.Generator, n_with: int, n_without: int, models: int) -> Study:
    """Models that are equally good, on the same scans."""
    n = n_with + n_without
    present = (np.arange(n) < n_with)[:, None]
    size = rng.normal(size=(n, 1))
    reference = np.where(present[:, 0], stats.gamma.ppf(stats.norm.cdf(size[:, 0]), 0.9, scale=9), 0.0)
    hard = -0.8 * size + 0.6 * rng.normal(size=(n, 1))  # small lesions are hard
    latent = 0.8**0.5 * hard + 0.2**0.5 * rng.normal(size=(n, models))
    found = latent < 1.6  # the hardest 5 % are missed
    quality = stats.norm.cdf(1.2 - 0.6 * latent)
    dice = np.where(present, np.where(found, quality, 0.0), latent < 1.0)  # 84 % are kept free
    error = 0.1 * rng.normal(size=(n, 1)) + 0.15 * rng.normal(size=(n, models))
    volume = reference[:, None] * np.exp(error)
    invented = np.where(latent < 1.0, 0.0, rng.gamma(1, 0.5, (n, models)))
    return Study(dice, reference, np.where(present, np.where(found, volume, 0.0), invented))


@dataclass(frozen=True)
class Truth:
    """Values in the population, of any model."""

    dice: float
    dice_present: float
    dice_median: float
    ccc: float
    bias: float
    sensitivity: float
    specificity: float


def truth() -> Truth:
    """From many scans of one model, with and without IVH in the right shares."""
    n_with = round(POPULATION * WITH_IVH / SCANS)
    many = study(np.random.default_rng(0), n_with, POPULATION - n_with, 1)
    dice, called = many.dice[:, 0], many.called[:, 0]
    x, y = many.reference, many.predicted[:, 0]
    ccc = 2 * np.mean((x - x.mean()) * (y - y.mean())) / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)
    return Truth(
        dice.mean(), dice[:n_with].mean(), float(np.median(dice[:n_with])), float(ccc),
        float(np.mean(y - x)), called[:n_with].mean(), 1 - called[n_with:].mean(),
    )  # fmt: skip


Outcome = Iterator[tuple[str, bool]]


def tests(one: Study, rng: np.random.Generator) -> Outcome:
    """Whether each test finds a difference that is not there."""
    differences = one.dice[:, FIRST] - one.dice[:, SECOND]
    flips = sign_flip(differences, PLAN.permutations, PLAN.seed)
    ranks = wilcoxon(differences)
    of_models = {str(model): column for model, column in enumerate(one.dice.T)}
    yield "Friedman, ten models", friedman(one.dice)["p"] < ALPHA
    yield KRUSKAL, kruskal_wallis(of_models).p < ALPHA
    yield "Wilcoxon (Pratt), one pair", ranks[0] < ALPHA
    yield "sign flips, one pair", flips[0] < ALPHA
    yield "Wilcoxon with BH, any of 45 pairs", benjamini_hochberg(ranks).min() < ALPHA
    yield "sign flips with BH, any of 45 pairs", benjamini_hochberg(flips).min() < ALPHA
    present = sign_flip(differences[:WITH_IVH, : MODELS - 1], PLAN.permutations, PLAN.seed)
    called = one.called[WITH_IVH:].astype(float)
    discordant = [mcnemar_exact(called[:, 0], called[:, other]) for other in range(1, MODELS)]
    error = one.predicted[:, :1] - one.predicted[:, 1:]
    bias = sign_flip(error, PLAN.permutations, PLAN.seed)
    yield "McNemar, exact, one pair", discordant[0] < ALPHA
    secondary = np.concatenate([present, discordant, bias])
    yield "Holm, any of 27 key secondary", multipletests(secondary, method="holm")[1].min() < ALPHA
    levels = rng.integers(0, 3, SCANS)
    p = welch_anova([differences[levels == level, :1] for level in range(3)])
    yield "interaction (Welch's ANOVA), three levels", bool(np.asarray(p)[0] < ALPHA)
    draws = draws_of_scans(SCANS, PLAN.resamples, PLAN.seed)
    # A model that is worse by the margin is not equivalent; that is what must not be said.
    worse = np.stack([one.dice[:, 0], one.dice[:, 1] - MARGIN], axis=1)
    ends = evaluate(bootstrap.mean(worse[None]), draws).differences([0], [1]).interval(0.90)
    yield "equivalence of Dice, true difference at the margin", _equivalent(ends)
    biased = one.predicted[:, 0] - TRUTH.bias + PLAN.volume_margin_ml["IVH"]
    cells = volume_equivalence(one.reference, biased, PLAN.volume_margin_ml["IVH"])
    yield "equivalence of mean volume, true bias at the margin", cells["mean_verdict"] == EQUIVALENT


def _equivalent(ends: tuple[np.ndarray, np.ndarray]) -> bool:
    return verdict(float(ends[0][0]), float(ends[1][0]), MARGIN) == EQUIVALENT


def _covers(ends: tuple[np.ndarray, np.ndarray], value: float) -> bool:
    return bool(np.ravel(ends[0])[0] <= value <= np.ravel(ends[1])[0])


def intervals(one: Study, rng: np.random.Generator) -> Outcome:
    """Whether each interval holds the true value."""
    everyone = draws_of_scans(SCANS, PLAN.resamples, PLAN.seed)
    few = draws_of_scans(WITH_IVH, PLAN.resamples, PLAN.seed)
    rest = draws_of_scans(SCANS - WITH_IVH, PLAN.resamples, PLAN.seed)
    pair = one.dice[None, :, :2]
    dice, present = (
        evaluate(bootstrap.mean(values), draws)
        for values, draws in ((pair, everyone), (pair[:, :WITH_IVH], few))
    )
    yield "mean Dice, all scans", _covers(dice.interval(LEVEL), TRUTH.dice)
    yield "mean Dice, 52 scans with IVH", _covers(present.interval(LEVEL), TRUTH.dice_present)
    difference = dice.differences([0], [1]).interval(LEVEL)
    yield "difference of mean Dice, all scans (primary)", _covers(difference, 0)
    contrast = present.differences([0], [1])
    yield "difference of mean Dice, 52 scans", _covers(contrast.interval(LEVEL), 0)
    yield PURE_BCA, _covers(contrast.bca(LEVEL), 0)
    called = one.called[None, WITH_IVH:, :2].astype(float)
    difference = evaluate(bootstrap.mean(called), rest).differences([0], [1]).interval(LEVEL)
    yield "difference of false-positive shares, 122 scans", _covers(difference, 0)
    error = one.predicted[None, :, :2] - one.reference[None, :, None]
    volume = evaluate(bootstrap.mean(error), everyone)
    yield "mean volume error", _covers(volume.interval(LEVEL), TRUTH.bias)
    statistic = bootstrap.ccc(one.reference, one.predicted[None, :, :2])
    concordance = evaluate(statistic, everyone, fisher=True)
    yield "CCC, all scans", _covers(concordance.interval(LEVEL), TRUTH.ccc)
    lin = concordance_of(one.reference, one.predicted[:, 0])
    yield LIN, lin.lower <= TRUTH.ccc <= lin.upper
    yield "difference of CCC", _covers(concordance.differences([0], [1]).interval(LEVEL), 0)
    median = bootstrap.median_interval(one.dice[:WITH_IVH, 0], LEVEL)
    yield "median Dice, 52 scans, order statistics", median[0] <= TRUTH.dice_median <= median[1]
    cells = detection(one.reference > 0, one.called[:, 0], PLAN.detection_minimum)
    for share, value in (("sensitivity", TRUTH.sensitivity), ("specificity", TRUTH.specificity)):
        covered = cells[f"{share}_lower"] <= value <= cells[f"{share}_upper"]
        yield f"{share}, Wilson", covered
    inside = rng.random(SCANS) < 0.3
    found = pair[0, :, :1] - pair[0, :, 1:]
    yield (
        "interaction, one level against the rest, Welch",
        _covers(welch(found[inside], found[~inside])[1:], 0),
    )
    sites = rng.integers(0, SITES, SCANS)
    by_site = found + SITE_SD * rng.normal(size=(SITES, 1))[sites]
    drawn = draws_of_clusters(list(map(str, sites)), 2000, PLAN.seed)
    site_ends = evaluate(bootstrap.mean(by_site[None]), drawn).interval(LEVEL)
    yield f"difference where {SITES} sites differ, sites drawn", _covers(site_ends, 0)
    for seeds in (3, 5):
        shift = SEED_SD * rng.normal(size=(seeds, 1, 2))
        trained = np.stack([one.dice[:, 2 * seed : 2 * seed + 2] for seed in range(seeds)]) + shift
        draws = draws_of_scans(SCANS, PLAN.resamples, PLAN.seed, n_seeds=seeds)
        ends = evaluate(bootstrap.mean(trained), draws).differences([0], [1]).interval(LEVEL)
        yield f"difference where trainings differ, {seeds} seeds × scans", _covers(ends, 0)


def verdicts(counts: dict[str, int], studies: int, nominal: float, too_many_is_bad: bool) -> list[str]:
    """Table rows; a rate beyond the binomial bounds on the bad side is named so."""
    low, high = stats.binom.interval(CONFIDENCE, studies, nominal)
    rows = []
    for name, count in counts.items():
        beyond = "above" if count > high else "below" if count < low else "within"
        if beyond != "within" and name not in FOR_COMPARISON:
            bad = beyond == ("above" if too_many_is_bad else "below")
            beyond = f"**{beyond}**" if bad else f"{beyond}: on the safe side"
        rows.append(f"| {name} | {count / studies:.3f} | {beyond} |")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=1000, help="simulated studies (at least 200)")
    parser.add_argument("--seed", type=int, default=2026, help="seed of the simulation")
    args = parser.parse_args()
    if args.studies < 200:
        parser.error("at least 200 studies")
    found: defaultdict[str, int] = defaultdict(int)
    covered: defaultdict[str, int] = defaultdict(int)
    start = time.monotonic()
    for i in range(args.studies):
        rng = np.random.default_rng([args.seed, i])
        one = study(rng, WITH_IVH, SCANS - WITH_IVH, MODELS)
        for counts, outcomes in ((found, tests(one, rng)), (covered, intervals(one, rng))):
            for name, happened in outcomes:
                counts[name] += bool(happened)
        if sys.stderr.isatty() or (i + 1) % 100 == 0:
            print(f"\r{i + 1}/{args.studies}", end="", file=sys.stderr, flush=True)
    seconds = time.monotonic() - start
    print(file=sys.stderr)
    rates = verdicts(found, args.studies, ALPHA, too_many_is_bad=True)
    coverage = verdicts(covered, args.studies, LEVEL, too_many_is_bad=False)
    bounds = {
        nominal: [end / args.studies for end in stats.binom.interval(CONFIDENCE, args.studies, nominal)]
        for nominal in (ALPHA, LEVEL)
    }
    print(
        "# Null studies: false-positive rates and coverage\n\n"
        f"{datetime.date.today()}, {platform.machine()}, {os.cpu_count()} cores, Python"
        f" {platform.python_version()}, {seconds / 60:.1f} min. {args.studies} simulated studies (seed"
        f" {args.seed}) of {SCANS} scans, {WITH_IVH} with IVH, {MODELS} equally good models;"
        f" {PLAN.resamples} resamples, {PLAN.permutations} sign flips."
        " `python benchmarks/null_studies.py` makes it anew.\n\n"
        f"## Share of studies in which a test errs (nominal {ALPHA})\n\n"
        f"{CONFIDENCE:.0%} binomial bounds: {bounds[ALPHA][0]:.3f} to {bounds[ALPHA][1]:.3f}.\n\n"
        "| test | share | |\n|---|---|---|\n" + "\n".join(rates) + "\n\n"
        f"## Share of studies in which an interval holds the true value (nominal {LEVEL})\n\n"
        f"{CONFIDENCE:.0%} binomial bounds: {bounds[LEVEL][0]:.3f} to {bounds[LEVEL][1]:.3f}.\n\n"
        "| interval | share | |\n|---|---|---|\n"
        + "\n".join(coverage)
        + "\n\nIn brackets: for comparison, not part of the planned comparison."
    )
    sys.exit(any("**" in row for row in (*rates, *coverage)))


TRUTH = truth()

if __name__ == "__main__":
    main()
