"""The planned comparison: endpoints, models with their intervals, differences, detection, volumes, plan."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from headct.contracts.declarations import PublishedTable, Repeats
from headct.contracts.labels import LabelSet
from headct.contracts.no_prediction import MISSING_SCORED
from headct.contracts.sets import SCANS_OF_A_VERDICT
from headct.publish.options import Options
from headct.publish.printed_numbers import DASH, DICE_DECIMALS, count, number, p_value, spelled_out
from headct.publish.tables.endpoint_panels import (
    between,
    endpoint_panel,
    interval_of,
    level_of,
    with_texts,
)
from headct.publish.tables.shown_statistics import Statistics, read
from headct.publish.tables.table_page import Cell, Panel, Table
from headct.publish.tables.words import RULES, title_of
from headct.settings.analysis_plan import WITHOUT_LESION
from headct.statistics.comparison.detection import SHARES
from headct.statistics.comparison.endpoints import COMPLETE, can_decide
from headct.statistics.comparison.equivalence import SHARE_WITHIN, against_others
from headct.statistics.comparison.missing_predictions import BEST_CASE, NO_BOUNDS, WORST_CASE
from headct.statistics.core.agreement import ALL_SCANS, WITH_LESION
from headct.statistics.core.clusters import MINIMUM_CLUSTERS
from headct.statistics.core.group_tests import ALPHA

TABLE = PublishedTable(
    name="planned_comparison",
    help="which differences are real, by the analysis plan",
    caption="**Planned comparison of the models, scan by scan.** What the analysis plan fixed before"
    " any prediction was made: its primary endpoint, decided by the P of its interval, and its key secondary"
    " endpoints with Holm's correction, each defined in a line above its rows (A); each model with"
    " intervals, its mean Dice split into scans with and without the lesion, and what nothing, the mean"
    " training volume and second readings reach (B); the plan's model against each other one, with"
    ' "equivalent" only where the 90% interval lies within the margin, and else "cannot tell" or'
    ' "different" (C);'
    " detection (D); volumes, judged where the lesion is (E); the plan's date and digest, what deviates"
    " from it, and what is beyond it (F); how small a difference each endpoint could show (G);"
    " where enough test scans were read by another rater, whether a model is not worse than that rater (H);"
    " where predictions are missing, what they could change (I)."
    " Unlike those of Table 1, all tests use that the models saw the same scans.",
    inputs={
        "statistics": "statistics of the plan",
        "evidence": "audit/evidence.json",
        "split": "cohort/split.tsv",
        "cohort": "cohort/cohort.tsv",
    },
    given={"labels": "lesions", "titles": "titles of all models", "title_note": "note"},
    columns="status endpoint measure label scans model against n n_clusters estimate_model estimate_against"
    " bias_model_ml bias_against_ml difference lower upper p p_holm lower_adjusted upper_adjusted verdict"
    " scope note definition",
    keys="model against endpoint label measure scans status",
    repeats=(Repeats(source="statistics/endpoints.tsv", rows="endpoint model against"),),
)

NEEDED = (
    "plan",
    "endpoints",
    "sensitivity",
    "estimates",
    "paired",
    "equivalence",
    "detection",
    "volume_equivalence",
    "subgroups",
    "precision",
    "rater_noninferiority",
    "site_effects",
)
"""Tables of ``results/statistics`` that the page shows."""

DECIMALS = {"absolute_volume_error_ml": 2}

Row = Mapping[Hashable, Any]


def make(options: Options) -> Table:
    """The table from its files."""
    return planned_comparison(read(options.statistics, *NEEDED), options.titles, options.labels)


def planned_comparison(statistics: Statistics, titles: Mapping[str, str], labels: LabelSet) -> Table:
    """The whole page; the TSV holds the endpoints.

    Args:
        statistics: the tables :data:`NEEDED`.
        titles: name in print of each model.
        labels: the lesions, in order.
    """
    endpoints = with_texts(statistics["endpoints"])
    panels = [
        *_endpoints(endpoints, titles, _levels(statistics["precision"])),
        *_estimates(statistics["estimates"], titles, labels),
        *_differences(statistics, str(endpoints["model"].iloc[0]), titles, labels),
        _detection(statistics["detection"], titles, labels),
        *_volumes(statistics["volume_equivalence"], titles, labels),
        _plan(statistics["plan"]),
        _precision(statistics["precision"]),
        *_raters(statistics["rater_noninferiority"], titles, labels),
        *_missing(statistics["sensitivity"], titles),
    ]
    title = "Planned comparison of the models, scan by scan"
    return Table(title, endpoints, panels, _notes(statistics))


def _notes(statistics: Statistics) -> list[str]:
    plan = statistics["plan"].query("kind == 'plan'").set_index("item")["value"]
    tests = statistics["subgroups"].dropna(subset=["p"]).drop_duplicates(["subgroup", "label", "against"])
    found = tests[tests["p_adjusted"] < ALPHA]
    margins = statistics["equivalence"].drop_duplicates("label")
    return [
        f"Analysis plan of {plan['date']}, SHA-256 {plan['sha256'][:12]}…; clusters:"
        f" {plan['clusters']}. Statements are about {plan['statements are about']}.",
        f"{RULES[plan['multiplicity']]} The primary verdict goes by the P of its interval, those of the key"
        " secondary endpoints by Holm's P over all of them. An adjusted interval is at the level that decides"
        " its row; of key secondary endpoints that is Bonferroni's, which is stricter: it may hold 0 where"
        " Holm's P is small enough.",
        "“Too few scans to decide”: so few scans differ that not even all in one direction would convince"
        f" an exact test of signs{_needed(statistics['precision'])}. “Too few sites” or “participants to"
        f" decide”: there are fewer than {spelled_out(MINIMUM_CLUSTERS)} of them or, where all scans differ"
        " by the same, so few that their signs could not decide. “No difference shown” is not equality: see"
        " C. A difference without interval is the same in all scans; its P is that of the clusters' signs.",
        "Of a volume error, “lower” is a smaller error, whatever its sign; the sign is in the bias,"
        " prediction − reference, which enters no verdict.",
        "Differences are the first model − the other, with 95% intervals: t of the jackknife that leaves"
        " out one cluster at a time. In C, P is that of the interval with"
        " false-discovery-rate correction over all pairs of the"
        " lesion; “equivalent”: the 90% interval lies within ± the margin ("
        + "; ".join(f"{row.label} {row.margin:.3g}" for row in margins.itertuples())
        + "), “different”: wholly outside. Where many scans have the same difference the 90% interval may be"
        " the longer one: it holds by how much unseen scans may differ. Verdicts of equivalence, in C and E,"
        " need"
        f" {SCANS_OF_A_VERDICT} scans and {spelled_out(MINIMUM_CLUSTERS)} clusters; references get none.",
        "In B, the Dice of one network in a scan without the lesion is 1 or 0, so its mean is the share of"
        " them that was kept free (of several seeds, their mean share), and one voxel costs 1.0. Pooled Dice"
        " is that of all voxels of all scans together, so large lesions decide it. In D and E: the first"
        " seed's network.",
        "In E, bias: “equivalent” if its 90% interval lies within ± the margin, “different” if wholly"
        f" outside. “{100 * SHARE_WITHIN:.0f}% within”: “equivalent” if at least {100 * SHARE_WITHIN:.0f}% of"
        " scans like these are within it, by the exact 95% upper bound of the share beyond it; “different”"
        " if it is shown that fewer are. Limits of agreement are shown without interval and are not judged."
        " Scans without the lesion dilute the error: with them nothing is judged. A missing"
        " prediction counts as beyond the margin, and a mean error of which some are missing is not judged.",
        f"A missing prediction is {MISSING_SCORED}. “Predicts nothing”, “Mean training volume”"
        " and second readings are references; they enter no test. Second readings cover only the scans that"
        " were read twice, of both sets; n is in estimates.tsv.",
        "In G, “Effective” is the number of independent scans that would have the same standard error, at"
        " most those at hand (few clusters widen intervals beyond that); “At its level”,"
        " half the width of the interval at the level at which an endpoint is decided; “Detectable”, the"
        " smallest true difference that 80% of such studies find at that level.",
        _in_words_sites(statistics["site_effects"].iloc[0]),
        _in_words_raters(statistics["rater_noninferiority"]),
        f"Interactions of the first model's differences with subgroups: {len(found)} of {len(tests)} tests"
        " with P < .05 after false-discovery-rate correction (subgroups.tsv).",
    ]


def _levels(precision: pd.DataFrame) -> dict[str, float]:
    """By status, the error of its endpoints together; without those that were not compared."""
    tested = precision.dropna(subset=["alpha"])
    return {str(status): float(alphas.sum()) for status, alphas in tested.groupby("status")["alpha"]}


def _needed(precision: pd.DataFrame) -> str:
    """How many scans must differ, by the level of each status: its error over its number of tests."""
    parts = []
    for _, alphas in precision.dropna(subset=["alpha"]).groupby("status", sort=False)["alpha"]:
        n = next(n for n in itertools.count(1) if can_decide(n, alphas.iloc[0]))
        parts.append(f"{n} for P < {level_of(alphas.sum())}{f'/{len(alphas)}' if len(alphas) > 1 else ''}")
    return f" (needed: {', '.join(parts)})" if parts else ""


def _endpoints(
    endpoints: pd.DataFrame, titles: Mapping[str, str], levels: Mapping[str, float]
) -> list[Panel]:
    """A grid for each endpoint, its definition above it."""
    groups = endpoints.groupby(["status", "endpoint"], sort=False)
    return [
        endpoint_panel(f"A{place}. ", rows, titles, levels.get(str(status)))
        for place, ((status, _), rows) in enumerate(groups, start=1)
    ]


def _estimates(estimates: pd.DataFrame, titles: Mapping[str, str], labels: LabelSet) -> list[Panel]:
    """A grid for each lesion: mean Dice with its two parts, pooled Dice, CCC."""
    shown = {
        ("Mean Dice (95% CI)", "All scans"): ("dice_mean", ALL_SCANS),
        ("Mean Dice (95% CI)", "With the lesion"): ("dice_mean", WITH_LESION),
        ("Mean Dice (95% CI)", "Without"): ("dice_mean", WITHOUT_LESION),
        ("", "Pooled Dice (95% CI)"): ("dice_pooled", ALL_SCANS),
        ("", "CCC (95% CI)"): ("ccc", ALL_SCANS),
    }
    names = ("estimate", "lower", "upper")
    by = estimates.set_index(["model", "label", "measure", "scans"])
    known: dict[Any, Any] = by[list(names)].to_dict("index")
    models = estimates.drop_duplicates("model")
    panels = []
    for place, label in enumerate(labels, start=1):
        rows = []
        for model in models["model"]:
            found = [known.get((model, label, *of), dict.fromkeys(names, math.nan)) for of in shown.values()]
            rows.append([Cell(title_of(model, titles)), *(Cell(interval_of(row, names, 2)) for row in found)])
        n, present, absent = (
            by["n"].get((models["model"].iloc[0], label, "dice_mean", scans), 0)
            for scans in (ALL_SCANS, WITH_LESION, WITHOUT_LESION)
        )
        lead = (
            f"Mean Dice over all {n} scans = {present}/{n} · mean Dice over those with {label}"
            f" + {absent}/{n} · share of those without it that were kept free of it."
        )
        columns = [("", "Model"), *shown]
        panels.append(Panel(columns, rows, f"B{place}. {label}, each model", _apart(models["role"]), lead))
    return panels


def _apart(roles: pd.Series) -> frozenset[int]:
    """Rows above which the role changes."""
    found = list(roles)
    return frozenset(i for i in range(1, len(found)) if found[i] != found[i - 1])


def _differences(
    statistics: Statistics, model: str, titles: Mapping[str, str], labels: LabelSet
) -> list[Panel]:
    """The first model of the plan against each other one."""
    found = against_others(statistics["paired"], statistics["equivalence"], model)
    rows: dict[str, dict[str, Row]] = {}
    for row in found.to_dict("records"):
        rows.setdefault(row["against"], {})[row["label"]] = row
    if not rows:
        return []
    cells = []
    for other, by_label in rows.items():
        line = [Cell(title_of(other, titles))]
        for label in labels:
            pair = by_label[label]
            line += [
                Cell(interval_of(pair, ("difference", "lower", "upper"))),
                Cell(p_value(pair["p_adjusted"])),
                Cell(pair["verdict"]),
            ]
        cells.append(line)
    names = ("Difference (95% CI)", "P", "Equivalence")
    columns = [("", "Against"), *((label, name) for label in labels for name in names)]
    return [Panel(columns, cells, f"C. Mean Dice of {title_of(model, titles)} against others, all scans")]


def _detection(detection: pd.DataFrame, titles: Mapping[str, str], labels: LabelSet) -> Panel:
    first = detection[detection["threshold_ml"] == detection["threshold_ml"].iloc[0]]
    models = first.drop_duplicates("model")
    by = first.set_index(["model", "label"]).to_dict("index")
    rows = []
    for model in models["model"]:
        intervals = [
            interval_of(by[model, label], (share, f"{share}_lower", f"{share}_upper"), 2)
            for label in labels
            for share in SHARES
        ]
        rows.append([Cell(title_of(model, titles)), *map(Cell, intervals)])
    names = ("Sensitivity", "Specificity", "PPV", "NPV")
    columns = [("", "Model"), *((label, name) for label in labels for name in names)]
    above = f"{first['threshold_ml'].iloc[0]:g} mL"
    heading = f"D. Detection above {above}, 95% intervals (Wilson's, effective n); a dash is not estimable"
    return Panel(columns, rows, heading, _apart(models["role"]))


def _volumes(volumes: pd.DataFrame, titles: Mapping[str, str], labels: LabelSet) -> list[Panel]:
    """A grid for each lesion: what is judged, where the lesion is; beside it the same over all scans."""
    models = volumes.drop_duplicates("model")
    by = volumes.set_index(["model", "label", "scans"]).to_dict("index")
    panels = []
    for place, label in enumerate(labels, start=1):
        judged = f"Scans with {label}"
        columns = [("", "Model")]
        columns += [
            (judged, name)
            for name in (
                "Bias (90% CI)",
                "Verdict",
                "Limits",
                "Beyond ± margin",
                "Upper bound, %",
                "95% within",
            )
        ]
        columns += [
            ("All scans, not judged", name) for name in ("Bias (90% CI)", "Limits", "Beyond ± margin")
        ]
        rows = []
        for model in models["model"]:
            present, all_scans = by[model, label, WITH_LESION], by[model, label, ALL_SCANS]
            bias, limits, beyond = _volume_cells(present)
            rows.append(
                [
                    Cell(title_of(model, titles)),
                    bias,
                    Cell(present["mean_verdict"], "text"),
                    limits,
                    beyond,
                    Cell(number(100 * present["share_beyond_upper"], 1)),
                    Cell(present["share_verdict"], "text"),
                    *_volume_cells(all_scans),
                ]
            )
        margin = volumes.loc[volumes["label"] == label, "margin_ml"].iloc[0]
        heading = f"E{place}. {label} volume, prediction − reference (mL), margin ± {margin:g} mL"
        panels.append(Panel(columns, rows, heading, _apart(models["role"])))
    return panels


def _volume_cells(row: Row) -> tuple[Cell, Cell, Cell]:
    """Bias with its interval, limits of agreement, and how many scans are beyond the margin."""
    return (
        Cell(interval_of(row, ("bias_ml", "bias_lower_ml", "bias_upper_ml"), 2)),
        Cell(between(row["loa_lower_ml"], row["loa_upper_ml"], 2)),
        Cell(f"{row['n_beyond']} of {row['n']}"),
    )


def _plan(plan: pd.DataFrame) -> Panel:
    rows = [
        [Cell(str(row["kind"])), Cell(str(row["item"]), "text"), Cell(str(row["value"]), "text")]
        for row in plan.to_dict("records")
    ]
    if not (plan["kind"] == "deviation").any():
        rows.append([Cell("deviation"), Cell("none", "text"), Cell("", "text")])
    columns = [("", name) for name in ("Kind", "Item", "Value")]
    return Panel(columns, rows, "F. The plan, what deviates from it, what is beyond it")


def _precision(precision: pd.DataFrame) -> Panel:
    """A row per endpoint: from the least to the greatest over the models that it is against."""
    rows = []
    for (endpoint, measure), of in precision.groupby(["endpoint", "measure"], sort=False):
        decimals = DECIMALS.get(str(measure), DICE_DECIMALS)
        wide = ("sd", "half_width", "half_width_adjusted", "detectable")
        rows.append(
            [
                Cell(str(endpoint)),
                Cell(count(of["n"].max())),
                Cell(_range(of["effective_n"], 0)),
                *(Cell(_range(of[name], decimals)) for name in wide),
            ]
        )
    names = ("Endpoint", "Scans", "Effective", "SD", "Half width, 95% CI", "At its level", "Detectable")
    heading = "G. What each endpoint could show: least to greatest over the other models"
    return Panel([("", name) for name in names], rows, heading)


def _range(values: pd.Series, decimals: int) -> str:
    low, high = number(values.min(), decimals), number(values.max(), decimals)
    return low if low == high else f"{low}–{high}"


def _raters(raters: pd.DataFrame, titles: Mapping[str, str], labels: LabelSet) -> list[Panel]:
    """Each model beside another rater; nothing where too few scans were read twice."""
    found = raters.dropna(subset=["label"])
    if found.empty:
        return []
    by = found.set_index(["model", "label"]).to_dict("index")
    rows = []
    for model in found["model"].unique():
        cells = [Cell(title_of(model, titles))]
        for label in labels:
            row = by[model, label]
            shown = number(row["difference"], DICE_DECIMALS)
            if not math.isnan(row["lower"]):
                shown += f" (≥ {number(row['lower'], DICE_DECIMALS)})"
            cells += [Cell(shown), Cell(p_value(row["p"])), Cell(row["verdict"])]
        rows.append(cells)
    names = ("Difference (97.5% bound)", "P", "Verdict")
    columns = [("", "Model"), *((label, name) for label in labels for name in names)]
    return [Panel(columns, rows, "H. Mean Dice with the first reading, less that of another rater")]


def _in_words_raters(raters: pd.DataFrame) -> str:
    """The margin, how many scans were read twice and how they were chosen; or why nothing is estimated."""
    compared = raters.dropna(subset=["label"])
    if compared.empty:
        return f"Not worse than another rater: not estimated; {raters.iloc[0]['note']}."
    first = compared.iloc[0]
    margins = "; ".join(
        f"{row.label} {row.margin:g}" for row in compared.drop_duplicates("label").itertuples()
    )
    return (
        f"In H, another rater read {first['n']:.0f} of {first['n_test']:.0f} test scans, chosen so:"
        f" {first['choice']}. “Not worse”: the 97.5% bound of the difference lies above −margin ({margins}),"
        " for each model by itself. P is one-sided, against a difference of −margin or less. Where many scans"
        " have the same difference the bound holds by how much unseen scans may differ, and there is no P."
        " Only the plan's model is planned; others are exploratory."
    )


def _missing(sensitivity: pd.DataFrame, titles: Mapping[str, str]) -> list[Panel]:
    """What missing predictions may change, for each pair that lacks some; no panel where none does."""
    keys = ["endpoint", "measure", "model", "against"]
    by = sensitivity.set_index([*keys, "analysis"]).to_dict("index")
    lacking = sensitivity["analysis"].eq(WORST_CASE) | sensitivity["note"].fillna("").str.contains(NO_BOUNDS)
    rows = []
    for key in sensitivity.loc[lacking, keys].itertuples(index=False, name=None):
        endpoint, measure, model, against = key
        decimals = 2 if measure.endswith("_ml") else DICE_DECIMALS
        line = [Cell(endpoint), Cell(f"{title_of(model, titles)} − {title_of(against, titles)}", "text")]
        line.append(Cell(count(by[*key, COMPLETE]["n"])))
        for analysis in (COMPLETE, WORST_CASE, BEST_CASE):
            found = by.get((*key, analysis))
            words = interval_of(found, ("difference", "lower", "upper"), decimals) if found else DASH
            line.append(Cell(words))
        rows.append(line)
    names = (
        "Endpoint",
        "Models",
        "Complete scans",
        "Their difference (95% CI)",
        "Worst case",
        "Best case",
    )
    heading = (
        "I. Where predictions are missing: the difference over scans that have both, and the worst and the"
        " best that it could be for the first model, over all; a volume error has no worst"
    )
    return [Panel([("", name) for name in names], rows, heading)] if rows else []


def _in_words_sites(row: pd.Series) -> str:
    """The primary endpoint with sites as a random effect."""
    start = "Primary endpoint with sites as a random effect, 95% interval, these networks (site_effects.tsv)"
    note = row["note"] if isinstance(row["note"], str) else ""
    if math.isnan(row["mean"]):
        return f"{start}: not estimated; {note}."
    decimals = DECIMALS.get(row["measure"], DICE_DECIMALS)
    estimate = interval_of(row.to_dict(), ("mean", "lower", "upper"), decimals)
    more = f"; {note}" if note else f"; intraclass correlation {number(row['icc'])}"
    sites = f"{row['n_sites']:.0f} sites (scans whose site is not known: one for each participant)"
    return f"{start}: {estimate} over {sites}{more}."
