"""Sections on the scans: their flow into the study, the cohort, and what is said of each."""

from __future__ import annotations

import re
from collections.abc import Sequence

from markupsafe import Markup

from headct.contracts.labels import LabelSet
from headct.publish.page.html_parts import NumberGrid, filled
from headct.publish.page.quoted import QuotedRow, name
from headct.publish.page.shown_study import Absent, ShownScans, ShownStudy
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
    scans = study.rows("cohort/cohort.tsv", "scan_id")
    return filled(
        FLOW,
        flow=study.statement("flow"),
        sources=study.statement("sources"),
        counts=counts_of(study.rows("cohort/flow.tsv", "status reason")),
        left_out=left_out_of([row for row in scans if row.text("status") != "included"]),
    )


def counts_of(rows: Sequence[QuotedRow]) -> NumberGrid:
    """Scans by what became of them, from rows of ``flow.tsv``."""
    cells = [
        [row.text("status").capitalize(), row.words("reason"), row.count("scans"), row.count("participants")]
        for row in rows
    ]
    columns = ["Scans", "Reason", "Scans", "Participants"]
    return NumberGrid("Scans by what became of them", columns, cells, frozenset({0, 1}))


def left_out_of(rows: Sequence[QuotedRow]) -> NumberGrid:
    """Why scans were put aside, from their rows of ``cohort.tsv``."""
    cells = [[name(row.text("scan_id")), row.text("status"), row.words("reason")] for row in rows]
    return NumberGrid("Scans that were put aside", ["Scan", "What", "Why"], cells, frozenset({0, 1, 2}))


def remarks_of(row: QuotedRow) -> list[str]:
    """What checks remarked on a scan, each in words: ``tilted``, ``uneven gaps``."""
    return [flag.replace("_", " ") for flag in re.split("[ ,;]+", row.text("flags")) if flag]


def volumes_of(row: QuotedRow, labels: LabelSet) -> list[Markup]:
    """The volume of each lesion in a scan, in mL."""
    return [row.number(column, 1) for column in volume_columns(labels)]


def volume_columns(labels: LabelSet) -> list[str]:
    """Columns of volumes in mL, in tables with a row for each scan."""
    return [f"{label}_ml" for label in labels]


def in_words(remarks: Sequence[str]) -> Markup:
    """All remarks on a scan; what they are called may have digits."""
    return name(", ".join(remarks) or "none")


def opens(shown: ShownScans, scan: str) -> Markup:
    """The name of a scan: a button that opens it, where its file lies beside the page."""
    if scan not in shown.cases:
        return name(scan)
    form = '<button type="button" class="name" data-open-case="{0}">{0}</button>'
    return Markup(form).format(scan)


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
