"""Model cards: what a model is for, from, and good for (Mitchell et al. 2019, 10.1145/3287560.3287596)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from headct.contracts.declarations import PublishedReport
from headct.contracts.no_prediction import missing_in_words
from headct.contracts.plurals import counted
from headct.publish.options import Options
from headct.publish.printed_numbers import DASH, DICE_DECIMALS, number, spread
from headct.publish.reports import report_page
from headct.publish.reports.facts import Facts
from headct.publish.reports.statements import (
    STATEMENTS,
    Row,
    Statement,
    description,
    detection_rows,
    estimate,
    estimates_of,
    output_of,
    training_of,
)
from headct.statistics.core.agreement import ALL_SCANS

REPORT = PublishedReport(
    name="model_cards",
    help="what each model is for, from, and good for",
    path="report/models/{model}.html",
    caption="model_card",
    inputs={"results": "the whole run"},
    given={"labels": "lesions in print"},
)

UP = "../../"
"""From the page's folder to the results."""

MEASURES = {
    "dice_mean": ("Mean Dice", DICE_DECIMALS),
    "dice_median": ("Median Dice", DICE_DECIMALS),
    "volume_error_ml_mean": ("Mean volume error, mL", 1),
    "ccc": ("Concordance of volumes", DICE_DECIMALS),
}

TEMPLATE = """\
{% extends "report" %}
{% block report %}
<p class="warning">For research only. This is no medical device: it was not assessed for care, and no decision
about a patient may rest on it.</p>
<h2>The model</h2>
<p>{{ described }}</p>
{{ stated(stated_of_output) -}}
<h2>Intended use</h2>
<p>{{ reporting.intended_use or "Not stated: set reporting.intended_use." }}</p>
<p>Input: one head CT like those of the {{ "test" if made_elsewhere else "training" }} set. Anything else was
not tested.</p>
<h2>{{ "Test data" if made_elsewhere else "Training data" }}</h2>
{{ stated(stated_of_data) -}}
<h2>Training</h2>
{% if made_elsewhere %}
<p>It was not trained here.
{%- for heading, text in made_elsewhere.items() %} {{ heading }}: {{ text }}.{% endfor %}</p>
{% endif %}
{% for words, runs in trainings %}
<p>{{ words }} SHA-256 of the weights: {% for run in runs -%}
seed {{ run.seed }}, fold {{ run.fold }}: <code>{{ run.sha256 }}</code>{{ "; " if not loop.last }}
{%- endfor %}.</p>
{% endfor %}
{{ stated(stated_of_training) -}}
<h2>Results on the test set ({{ test_scans }})</h2>
{% set columns = ["Lesion"] + measures + ["Sensitivity", "Specificity"] %}
<div class="panel"><table>
{{ head(columns) }}
<tbody>
{% for row in results %}
<tr><th scope="row">{{ row[0] }}</th>
{%- for cell in row[1:] %}<td data-heading="{{ columns[loop.index] }}">{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table></div>
<p>In brackets 95% intervals; none where all scans are equal or too few. Volume error is prediction minus
reference. Detection is by scan; {{ dash }}: too few scans with, or without, the lesion.</p>
{% if limits_of_agreement %}
<p>95% limits of agreement of the volumes: {{ limits_of_agreement | join("; ") }}.</p>
{% endif %}
<h2>Limits</h2>
{{ stated(stated_of_limits) -}}
{% if reporting.limitations %}
<p>{{ reporting.limitations }}</p>
{% endif %}
<p>{{ failures }}</p>
<h2>More</h2>
<p>{{ links(more) }}</p>
{% endblock %}
"""


def pages(facts: Facts, options: Options) -> Iterator[tuple[Path, str]]:
    """A page for each model."""
    for model in facts.models:
        yield options.out / f"{model}.html", html(model, facts)


def html(model: str, facts: Facts) -> str:
    """The card of one model or ensemble."""
    return report_page.page(
        TEMPLATE,
        f"Model card: {facts.title(model)}",
        facts.config.note,
        UP,
        described=f"{facts.title(model)}: {description(facts, model)}.",
        reporting=facts.config.reporting,
        stated_of_data=_stated(facts, "simulated", "sources", "set_sizes", "prevalence", "acquisition"),
        stated_of_training=_stated(
            facts, *(() if model in facts.outside else ("initialisation", "model_choice"))
        ),
        made_elsewhere=facts.outside[model].in_print() if model in facts.outside else {},
        stated_of_output=[replace(STATEMENTS["model_output"](facts), text=output_of(facts, model))],
        stated_of_limits=_stated(facts, "known_limits"),
        trainings=[
            (f"{facts.title(member)}: {training_of(facts, member)}.", facts.training[member])
            for member in facts.members(model)
        ],
        test_scans=counted(facts.n_scans("test"), "scan"),
        measures=[title for title, _ in MEASURES.values()],
        results=_results(model, facts),
        dash=DASH,
        limits_of_agreement=_limits_of_agreement(model, facts),
        failures=_failures(model, facts),
        more=_more(model, facts),
    )


def _stated(facts: Facts, *names: str) -> list[Statement]:
    return [STATEMENTS[name](facts) for name in names]


def _results(model: str, facts: Facts) -> list[list[str]]:
    """Per lesion its name, the measures, sensitivity and specificity."""
    detected = {row["label"]: row for row in detection_rows(facts, model)}
    rows = []
    for label in facts.labels:
        measures = [
            _cell(estimates_of(facts, model, name, label), decimals)
            for name, (_, decimals) in MEASURES.items()
        ]
        shares = [_share(detected.get(label, {}), name) for name in ("sensitivity", "specificity")]
        rows.append([label, *measures, *shares])
    return rows


def _cell(row: Row, decimals: int) -> str:
    centre, low, high = (float(row[name]) for name in ("estimate", "lower", "upper"))
    return number(centre, decimals) if math.isnan(low) else spread(centre, low, high, decimals)


def _share(row: Row, name: str) -> str:
    if not row or math.isnan(float(row[name])):
        return DASH
    return estimate(row, name, percent=True)


def _limits_of_agreement(model: str, facts: Facts) -> list[str]:
    table = facts.statistics["agreement"]
    rows = table[(table["model"] == model) & (table["volumes"] == "weighted") & (table["scans"] == ALL_SCANS)]
    return [
        f"{row['label']} {number(row['loa_lower_ml'], 1)} to {number(row['loa_upper_ml'], 1)} mL"
        for row in rows.to_dict("records")
    ]


def _failures(model: str, facts: Facts) -> str:
    summary = facts.statistics["dice_summary"]
    n_failed, n_crashed = summary.loc[summary["model"] == model, ["n_failed", "n_crashed"]].max()
    parts = [
        f"{row['label']} missed in {row['fn']} of {row['n_present']} scans with it, predicted in {row['fp']}"
        f" of {row['n_absent']} without"
        for row in detection_rows(facts, model)
    ]
    missing = missing_in_words(int(n_failed), int(n_crashed))
    return f"Seen in the test set: {'; '.join(parts)}; scans without a prediction: {missing}."


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
