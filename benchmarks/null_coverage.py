"""Which simulated rate speaks for each verdict, interval and P that a study prints, or why none does.

By table, as its path below ``results/`` without the ending; columns that repeat those of another table, as
their declarations say, have the rates of that one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from null_claims import CLAIM_PROMISES

STATES_AN_ERROR = re.compile(
    r"(^|_)(p|lower|upper|low|high|higher|verdict|outside|detectable|half|critical|decision|changes|chosen|ci)(_|$)"
)
"""In names of columns that hold an end of an interval, a P, a verdict, or what rests on one."""

ROWS: Mapping[str, Mapping[str, str]] = {
    "statistics/detection": {
        "sensitivity_lower sensitivity_upper": "sensitivity",
        "specificity_lower specificity_upper": "specificity",
        "ppv_lower ppv_upper": "ppv",
        "npv_lower npv_upper": "npv",
    },
    "statistics/precision": {"detectable": "not_found"},
    "statistics/endpoints": {
        "lower upper": "primary secondary with_missing",
        "lower_adjusted upper_adjusted": "secondary_adjusted",
        "p": "primary_error",
        "p_holm verdict": "family_error open_gate_error split_error",
    },
    "statistics/sensitivity": {
        "lower upper": "complete worst_case best_case small_as_none other_clusters beyond_cases"
    },
    "statistics/equivalence": {
        "lower upper": "equivalence",
        "verdict": "noisy_equivalent noisy_different failing_equivalent",
    },
    "statistics/volume_equivalence": {
        "bias_lower_ml bias_upper_ml": "bias",
        "tost_p mean_verdict": "mean_equivalent mean_different",
        "share_beyond_upper": "share_beyond",
        "share_verdict": "share_equivalent share_different",
    },
    "statistics/estimates": {
        "lower upper": "dice_mean dice_median kept_free dice_pooled volume_error_ml_mean ccc"
    },
    "statistics/out_of_fold": {"lower upper": "held_out"},
    "statistics/external_sets": {
        "lower upper internal_lower internal_upper": "external_mean",
        "difference_lower difference_upper": "external_difference",
    },
    "statistics/friedman": {"p": "friedman"},
    "statistics/ranks": {"critical_difference": "nemenyi"},
    "statistics/paired": {
        "lower upper": "dice absolute_volume_error_ml volume_error_ml ccc_difference",
        "p": "p",
        "p_adjusted": "p_any p_any_one p_any_half",
        "median_lower median_upper": "median_difference",
        "wilcoxon_p": "wilcoxon_p",
        "wilcoxon_p_adjusted": "wilcoxon_p_any",
        "sign_flip_p": "sign_flip_p",
        "sign_flip_p_adjusted": "sign_flip_p_any",
    },
    "statistics/rater_noninferiority": {
        "lower": "rater_difference",
        "p verdict": "not_worse",
        "interchangeability_upper_ml2": "interchangeable",
    },
    "statistics/site_effects": {"lower upper": "site_mean"},
    "statistics/new_site": {"lower upper": "over_sites", "new_lower new_upper": "new_site"},
    "statistics/subgroups": {
        "lower upper": "level other_level",
        "interaction_lower interaction_upper": "interaction other_interaction",
        "p": "interaction_p",
        "p_adjusted": "interaction_p_any",
    },
    "statistics/limits": {"lower_ml upper_ml": "beyond_varying_limits"},
    "statistics/agreement": {
        "ccc_lower ccc_upper": "agreement_ccc",
        "bias_lower_ml bias_upper_ml": "agreement_bias",
        "loa_lower_ml loa_upper_ml": "beyond_limits",
    },
    "statistics/kruskal_wallis": {"p": "kruskal_wallis"},
    "statistics/dunn": {"p": "dunn_p", "p_adjusted": "dunn", "p_adjusted_dunn_test": "dunn_test"},
    "statistics/claims": {
        "verdict": " ".join((*CLAIM_PROMISES, "sets_differ", "sets_alike_holds", "sets_alike_fails"))
    },
    "statistics/cohort_tests": {"p": "cohort_p"},
    "statistics/replication": {
        "lower upper outside": "other_mean other_median other_q1 other_q3 other_ccc other_bias other_share"
        " other_volume other_sd",
        "outside_family": "other_family",
    },
    "statistics/lesion_size": {"lower upper": "spearman", "p": "spearman_p"},
    "statistics/rater_agreement": {
        "icc_a1_lower icc_a1_upper": "reading_icc",
        "ccc_lower ccc_upper": "reading_ccc",
        "bias_lower_ml bias_upper_ml": "reading_bias",
    },
}
"""Columns of each table, and the promises of :data:`null_checks.PROMISES` that are about these."""

NOT_SIMULATED: Mapping[str, Mapping[str, str]] = {
    "statistics/precision": {
        "half_width half_width_adjusted": "half the width of the intervals of `endpoints`, which have rows"
    },
    "statistics/volume_equivalence": {"loa_lower_ml loa_upper_ml": "those of `agreement`, which have a row"},
    "statistics/rater_agreement": {
        "loa_lower_ml loa_upper_ml": "limits of agreement as those of `agreement`, which have a row"
    },
    "statistics/blinded": {
        "lower upper difference_lower difference_upper": "shares of what raters accept, and their"
        " differences, by the jackknife over clusters, of which `estimates` and `endpoints` have rows"
    },
    "statistics/review_agreement": {
        "lower upper": "agreement of readers who decide on scans, by the jackknife over clusters; no such"
        " decisions are simulated, so that its rate is not known"
    },
    "statistics/review_sensitivity": {
        "lower upper": "the primary comparison on fewer scans, as in `endpoints`, which has rows"
    },
    "statistics/site_dice": {
        "lower upper": "a description of each site, by the spread within all of them; what is concluded from"
        " them are the intervals of `new_site`, which have rows"
    },
    "statistics/new_site": {
        "p_at_least": "by the same distribution as the prediction interval beside it, which has a row"
    },
    "statistics/effort_curve": {
        "lower upper": "of weights from within a training, by the code of `out_of_fold`, which has rows"
    },
    "statistics/external_sets": {
        "standardised_lower standardised_upper": "a weighted sum of means of independent groups, as the"
        " difference of two is, which has a row"
    },
    "statistics/learning_curve": {
        "lower upper": "of a fitted curve, about whose form no study is simulated; where Dice follows it,"
        " tests/statistics/test_power_law.py has their rate",
    },
    "statistics/learning_curve_fit": {
        "a_lower a_upper b_lower b_upper c_lower c_upper more_lower more_upper": "of the same curve as in"
        " `learning_curve`"
    },
    "statistics/learning_curve_raters": {
        "lower upper": "a mean Dice by the jackknife over participants, as in `external_sets`, which has rows"
    },
    "figures/learning_curve": {
        "lower upper": "those of `learning_curve`, and along the same curve",
    },
    "statistics/external_detection": {
        "sensitivity_lower sensitivity_upper specificity_lower specificity_upper ppv_lower ppv_upper"
        " npv_lower npv_upper": "as those of `detection`, which have rows"
    },
    "statistics/external_endpoints": {
        "lower upper p p_holm lower_adjusted upper_adjusted verdict": "as those of `endpoints`, which have"
        " rows, on the scans of each set"
    },
    "statistics/external_paired": {
        "lower upper p p_adjusted median_lower median_upper wilcoxon_p wilcoxon_p_adjusted sign_flip_p"
        " sign_flip_p_adjusted": "as those of `paired`, which have rows, on the scans of each set"
    },
    "statistics/dunn": {
        "decision_changes_under": "says which of the two adjusted P, both with rows, would decide otherwise"
    },
    "statistics/claims": {
        "verdict_dunn_test verdict_dunn_test_at_05 changes_under": "the same verdicts by the P of R’s"
        " dunn.test, which has a row; read at .05 they are what a reader might take them for, not ours"
    },
    "statistics/selection": {
        "chosen published_chosen": "which mean is the highest, a description",
        "chosen_share": "a share of resampled test sets, a description, without a rate that it would promise",
    },
    "cohort/balance": {"smd": "how far apart the sets at hand are, a description"},
    "figures/critical_difference": {"critical_difference": "that of `ranks`, which has a row"},
    "figures/paired_differences": {
        "lower upper lower_adjusted upper_adjusted lower_90 upper_90 verdict": "those of `endpoints` and of"
        " `equivalence`, which have rows"
    },
    "figures/dunn_heatmap": {
        "higher": "which of two models ranks higher by the P of `dunn`, which has a row"
    },
    "figures/bland_altman": {"ci_low ci_high": "those of `agreement`, which have rows"},
    "figures/concordance": {"ci_low ci_high": "those of `agreement`, which have rows"},
    "figures/rater_agreement": {"ci_low ci_high": "those of `rater_agreement`, which have rows"},
}
"""Columns without a rate of their own, and why."""


def not_simulated() -> str:
    """A list in Markdown of what has no row, and why."""
    lines = [
        f"- `{table}`: {', '.join(f'`{column}`' for column in columns.split())}: {why}"
        for table, by_columns in NOT_SIMULATED.items()
        for columns, why in by_columns.items()
    ]
    return "\n".join(["Printed without a row of its own:", "", *lines])


def columns_of(by_columns: Mapping[str, str]) -> set[str]:
    """All columns that are named."""
    return {column for columns in by_columns for column in columns.split()}
