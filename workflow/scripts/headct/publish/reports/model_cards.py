"""Model cards: what a model is for, from, and good for (Mitchell et al. 2019, 10.1145/3287560.3287596)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from headct.contracts.labels import LABELS
from headct.publish.reports import page
from headct.publish.reports.facts import Facts
from headct.publish.reports.statements import (
    DICE_DECIMALS,
    STATEMENTS,
    Row,
    counted,
    description,
    detection_rows,
    estimate,
    estimates_of,
    training_of,
)
from headct.publish.tables.page import DASH, count, number, spread
from headct.statistics.core.agreement import ALL_SCANS

UP = "../../"
"""From the page's folder to the results."""

RESEARCH_ONLY = (
    "For research only. This is no medical device: it was not assessed for care, and no decision about a"
    " patient may rest on it."
)
MEASURES = {
    "dice_mean": ("Mean Dice", DICE_DECIMALS),
    "dice_median": ("Median Dice", DICE_DECIMALS),
    "volume_error_ml_mean": ("Mean volume error, mL", 1),
    "ccc": ("Concordance of volumes", DICE_DECIMALS),
}


def html(model: str, facts: Facts) -> str:
    """The card of one model or ensemble."""
    reporting = facts.config["reporting"]
    intended = reporting["intended_use"] or "Not stated: set reporting.intended_use."
    parts = [
        page.paragraph(RESEARCH_ONLY, "warning"),
        page.heading("The model"),
        page.paragraph(f"{facts.title(model)}: {description(facts, model)}."),
        _stated("model_output", facts),
        page.heading("Intended use"),
        page.paragraph(intended),
        page.paragraph("Input: one head CT like those of the training set. Anything else was not tested."),
        page.heading("Training data"),
        *(
            _stated(name, facts)
            for name in ("simulated", "sources", "set_sizes", "prevalence", "acquisition")
        ),
        page.heading("Training"),
        *(_training(member, facts) for member in facts.members(model)),
        *(_stated(name, facts) for name in ("initialisation", "model_choice")),
        page.heading(f"Results on the test set ({counted(facts.n_scans('test'), 'scan')})"),
        _results(model, facts),
        page.paragraph(
            "In brackets 95% intervals; none where all scans are equal or too few. Volume error is prediction"
            f" minus reference. Detection is by scan; {DASH}: too few scans with, or without, the lesion."
        ),
        _agreement(model, facts),
        page.heading("Limits"),
        _stated("known_limits", facts),
        *([page.paragraph(reporting["limitations"])] if reporting["limitations"] else []),
        _failures(model, facts),
        page.heading("More"),
        "<p>" + page.links(_more(model, facts), UP) + "</p>",
    ]
    return page.page(f"Model card: {facts.title(model)}", facts.config["study"]["note"], parts)


def _stated(name: str, facts: Facts) -> str:
    return page.stated(STATEMENTS[name](facts), UP)


def _training(member: str, facts: Facts) -> str:
    digests = [
        f"seed {run['seed']}, fold {run['fold']}: <code>{escape(run['sha256'])}</code>"
        for run in facts.training[member]
    ]
    text = escape(f"{facts.title(member)}: {training_of(facts, member)}.")
    return f"<p>{text} SHA-256 of the weights: {'; '.join(digests)}.</p>"


def _results(model: str, facts: Facts) -> str:
    detected = {row["label"]: row for row in detection_rows(facts, model)}
    rows = [
        [
            label,
            *(
                _cell(estimates_of(facts, model, name, label), decimals)
                for name, (_, decimals) in MEASURES.items()
            ),
            *(_share(detected.get(label, {}), name) for name in ("sensitivity", "specificity")),
        ]
        for label in LABELS
    ]
    heads = [title for title, _ in MEASURES.values()]
    return page.table(("Lesion", *heads, "Sensitivity", "Specificity"), rows)


def _cell(row: Row, decimals: int) -> str:
    centre, low, high = (float(row[name]) for name in ("estimate", "lower", "upper"))
    return number(centre, decimals) if math.isnan(low) else spread(centre, low, high, decimals)


def _share(row: Row, name: str) -> str:
    if not row or math.isnan(float(row[name])):
        return DASH
    return escape(estimate(row, name, percent=True))


def _agreement(model: str, facts: Facts) -> str:
    table = facts.statistics["agreement"]
    rows = table[(table["model"] == model) & (table["volumes"] == "weighted") & (table["scans"] == ALL_SCANS)]
    limits = [
        f"{row['label']} {number(row['loa_lower_ml'], 1)} to {number(row['loa_upper_ml'], 1)} mL"
        for row in rows.to_dict("records")
    ]
    return page.paragraph(f"95% limits of agreement of the volumes: {'; '.join(limits)}.") if limits else ""


def _failures(model: str, facts: Facts) -> str:
    summary = facts.statistics["dice_summary"]
    failed = count(float(summary.loc[summary["model"] == model, "n_failed"].max()))
    parts = [
        f"{row['label']} missed in {row['fn']} of {row['n_present']} scans with it, predicted in {row['fp']}"
        f" of {row['n_absent']} without"
        for row in detection_rows(facts, model)
    ]
    return page.paragraph(f"Seen in the test set: {'; '.join(parts)}; predictions that failed: {failed}.")


def _more(model: str, facts: Facts) -> Sequence[str]:
    members = facts.members(model)
    return [
        "tables/table1.html",
        "tables/planned_comparison.html",
        "tables/table_e1.html",
        f"metrics/{model}.tsv",
        *(f"figures/training_curves/{member}.pdf" for member in members),
        *(f"models/{member}/" for member in members),
    ]
