"""Every rule that leaves records, declared once: which step it runs, where its record is, what it makes.

A record says all of this of its job, and so can be made to say something else than what ran. What does not
fit together here is a finding (:func:`contradictions`); a test holds the declarations against the Snakefile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from string import Formatter

from headct.contracts.run_records import FOLDER, RESULTS, Record


@dataclass(frozen=True)
class Rule:
    """What the jobs of a rule have in common; wildcards stand in braces.

    Attributes:
        step: that they run (:mod:`headct.steps`), and what follows its name where that is the same for all.
        record: where their records are, below audit/runs/ and without suffix; their logs below logs/.
        makes: how the paths of all their outputs begin, below results/.
    """

    step: tuple[str, ...]
    record: str
    makes: tuple[str, ...]


def _rule(step: str, record: str, *makes: str) -> Rule:
    return Rule((step,), record, makes)


RULES = {
    "ingest": _rule("ingest", "ingest/{shard}", "data/"),
    "cohort": _rule("cohort", "cohort", "cohort/cohort.tsv", "cohort/flow.tsv"),
    "split": _rule("split", "split", "cohort/split.tsv"),
    "external_set": _rule("external-set", "external_set/{set}", "cohort/external/{set}.tsv"),
    "balance": _rule("balance", "balance", "cohort/balance.tsv"),
    "crosscheck": _rule("crosscheck", "crosscheck", "crosscheck/"),
    "prepare": _rule("prepare", "prepare/{representation}", "models/preparation/{representation}.json"),
    "train": _rule(
        "train", "train/{model}/seed-{seed}/fold-{fold}", "models/{model}/seed-{seed}/fold-{fold}/"
    ),
    "predict": _rule("predict", "predict/{model}/seed-{seed}", "predictions/{model}/seed-{seed}"),
    "predict_out_of_fold": _rule(
        "predict", "predict/{model}/out-of-fold/seed-{seed}", "predictions/{model}/out-of-fold/seed-{seed}"
    ),
    "predict_effort": _rule(
        "predict",
        "predict/{model}/effort/{share}/seed-{seed}",
        "predictions/{model}/effort/{share}/seed-{seed}",
    ),
    "predict_external": _rule(
        "predict",
        "predict/{model}/external/{set}/seed-{seed}",
        "predictions/{model}/external/{set}/seed-{seed}",
    ),
    "postprocessing": _rule(
        "postprocessing", "postprocessing/{model}/seed-{seed}", "models/{model}/seed-{seed}/postprocessing"
    ),
    "outside": _rule("outside", "predict/{model}/seed-{seed}", "predictions/{model}/seed-{seed}"),
    "outside_external": _rule(
        "outside",
        "predict/{model}/external/{set}/seed-{seed}",
        "predictions/{model}/external/{set}/seed-{seed}",
    ),
    "surface_tolerance": _rule("tolerance", "surface_tolerance", "statistics/surface_tolerance.tsv"),
    "metrics": _rule("measure", "metrics/{model}", "metrics/{model}.tsv"),
    "metrics_out_of_fold": _rule("measure", "metrics/out-of-fold/{model}", "metrics/out-of-fold/{model}.tsv"),
    "metrics_effort": _rule(
        "measure", "metrics/effort/{share}/{model}", "metrics/effort/{share}/{model}.tsv"
    ),
    "metrics_external": _rule(
        "measure", "metrics/external/{set}/{model}", "metrics/external/{set}/{model}.tsv"
    ),
    "second_readings": _rule("measure", "metrics/second-reading", "metrics/second-reading.tsv"),
    "out_of_fold": _rule("out-of-fold", "out_of_fold", "statistics/out_of_fold.tsv"),
    "effort_curve": _rule("effort-curve", "effort_curve", "statistics/effort_curve.tsv"),
    "new_site": _rule("new-site", "new_site", "statistics/"),
    "external_analysis": _rule("external-sets", "external_analysis", "statistics/"),
    "statistics": _rule("statistics", "statistics", "statistics/"),
    "claims": _rule("claims", "claims", "statistics/"),
    "rater_agreement": _rule("raters", "rater_agreement", "statistics/rater_agreement.tsv"),
    "learning_subset": _rule(
        "learning-subset",
        "learning_curve/subsets/size-{size}/seed-{seed}",
        "learning_curve/subsets/size-{size}/seed-{seed}.tsv",
    ),
    "train_learning_curve": _rule(
        "train",
        "learning_curve/train/{model}/size-{size}/seed-{seed}/fold-{fold}",
        "learning_curve/models/{model}/size-{size}/seed-{seed}/fold-{fold}/",
    ),
    "predict_learning_curve": _rule(
        "predict",
        "learning_curve/predict/{model}/size-{size}/seed-{seed}",
        "predictions/{model}/learning-curve/size-{size}/seed-{seed}",
    ),
    "metrics_learning_curve": _rule(
        "measure",
        "learning_curve/metrics/{model}/size-{size}",
        "learning_curve/metrics/{model}/size-{size}.tsv",
    ),
    "learning_curve_analysis": _rule("learning-curve", "learning_curve_analysis", "statistics/"),
    "paired_analysis": _rule("paired-analysis", "paired_analysis", "statistics/"),
    "review_analysis": _rule("review-analysis", "review_analysis", "statistics/"),
    "blinded_analysis": _rule("blinded-analysis", "blinded_analysis", "statistics/"),
    "evidence": _rule("evidence", "evidence", "audit/evidence.json"),
    "cases": _rule("cases", "report/cases", "report/cases"),
    "page": _rule("page", "page", "report/index."),
}
"""By its name, each rule that is written in the Snakefile's files with a name."""

OF_FIGURE = "_figure"
"""What the name of a figure's rule ends with where a table or a statistic has the figure's name."""


def rule_of(record: Record) -> Rule:
    """The rule of a record; of tables, figures and reports it follows from where the record is.

    Raises:
        LookupError: there is no such rule.
    """
    if record.rule in RULES:
        return RULES[record.rule]
    folder, shown = (*PurePosixPath(record.path.removeprefix(FOLDER)).with_suffix("").parts, "")[:2]
    name = record.rule
    shown = shown if name == shown + OF_FIGURE else name
    each = "/{model}" if "model" in record.wildcards else ""
    return {
        "tables": Rule(("tables", name), f"tables/{name}", (f"tables/{name}.", f"models/{name}.")),
        "figures": Rule(("figures", shown), f"figures/{shown}{each}", (f"figures/{shown}{each or '.'}",)),
        "report": Rule(("report", name), f"report/{name}", ("report/", f"audit/{name}.md")),
    }[folder]


def contradictions(record: Record) -> Iterator[str]:
    """What a record says of its job that no job of its rule can say; nothing of one of older releases."""
    if not record.step:
        return
    try:
        rule = rule_of(record)
    except LookupError:
        yield f"is of a rule that no workflow has: {record.rule}"
        return
    wildcards = {name for _, name, _, _ in Formatter().parse(rule.record) if name}
    if wildcards != record.wildcards.keys():
        yield f"is of {record.rule}, and has other wildcards than this rule"
        return
    if tuple(record.command[1 : 1 + len(rule.step)]) != rule.step:
        yield f"is of {record.rule}, and did not run {' '.join(rule.step)} but {record.step}"
    if record.path != f"{FOLDER}{rule.record.format(**record.wildcards)}.json":
        yield f"is of {record.rule}, of which no record lies here"
    makes = tuple(f"{RESULTS}{begin.format(**record.wildcards)}" for begin in rule.makes)
    for path in record.outputs:
        if not path.startswith(makes):
            yield f"is of {record.rule}, which does not make {path}"
