"""Sections on the scans: their flow into the study, and the cohort."""

from __future__ import annotations

from markupsafe import Markup

from headct.publish.page.html_parts import NumberGrid, filled
from headct.publish.page.quoted import name
from headct.publish.page.shown_study import Absent, ShownStudy
from headct.publish.tables.words import characteristic_of

FLOW = """\
<p>{{ flow }} {{ sources }}</p>
{{ table(counts) }}
{% if left_out.rows %}
{{ table(left_out) }}
{% else %}
<p>No scan was excluded or put aside with an error.</p>
{% endif %}
{{ links([("Flow of scans", "cohort/flow.tsv"), ("all scans", "cohort/cohort.tsv")]) }}
"""

COHORT = """\
<p>{{ sizes }} {{ disjoint }}</p>
<p>{{ reference }} {{ acquisition }}</p>
{{ table(characteristics) }}
{{ links([
  ("Table of characteristics", "tables/table2.html"),
  ("as a table", "tables/table2.tsv"),
  ("in LaTeX", "tables/table2.tex"),
]) }}
"""


def flow(study: ShownStudy) -> Markup | Absent:
    """Scans from the sheet to the analysis, with reasons."""
    counts = [
        [row.text("status").capitalize(), row.words("reason"), row.count("scans"), row.count("participants")]
        for row in study.rows("cohort/flow.tsv", "status reason")
    ]
    left_out = [
        [name(row.text("scan_id")), row.text("status"), row.words("reason")]
        for row in study.rows("cohort/cohort.tsv", "scan_id")
        if row.text("status") != "included"
    ]
    return filled(
        FLOW,
        flow=study.statement("flow"),
        sources=study.statement("sources"),
        counts=NumberGrid(
            "Scans by what became of them",
            ["Scans", "Reason", "Scans", "Participants"],
            counts,
            frozenset({0, 1}),
        ),
        left_out=NumberGrid(
            "Scans that were not analysed", ["Scan", "What", "Why"], left_out, frozenset({0, 1, 2})
        ),
    )


def cohort(study: ShownStudy) -> Markup | Absent:
    """Characteristics of training and test set."""
    rows = []
    for row in study.rows("tables/table2.tsv", "characteristic statistic"):
        statistic = row.text("statistic")
        rows.append(
            [
                Markup("{}, {}").format(name(characteristic_of(row.text("characteristic"))), name(statistic)),
                row.words("train"),
                row.words("test"),
                row.p("p"),
                row.number("smd", 2),
            ]
        )
    columns = ["Characteristic", "Training set", "Test set", "P", "Standardised difference"]
    return filled(
        COHORT,
        sizes=study.statement("set_sizes"),
        disjoint=study.statement("disjoint"),
        reference=study.statement("reference"),
        acquisition=study.statement("acquisition"),
        characteristics=NumberGrid("Training and test set", columns, rows),
    )
