"""The section on external sets: how well models do there and, by the plan, against each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from headct.publish.page.html_parts import NumberGrid, filled
from headct.publish.page.model_sections import endpoint_grid
from headct.publish.page.quoted import INTERVAL, QuotedRow, name
from headct.publish.page.shown_study import Absent, ShownStudy
from headct.statistics.core.scores import FAMILY

STATISTICS = "statistics/external_sets.tsv"
ENDPOINTS = "statistics/external_endpoints.tsv"

COLUMNS = (
    "Model",
    "Scans",
    "Participants",
    "External set",
    "Internal test set",
    "Difference",
    "At the mix",
    "Without a prediction",
)
INTERVALS = {
    "dice_mean": "",
    "internal_mean": "internal_",
    "difference": "difference_",
    "standardised_mean": "standardised_",
}
"""Columns of estimates, and how those of their limits begin."""

TEMPLATE = """\
<p>Scans on which all models were measured and from which no training of this study learnt; what is
known of their sites stands in the methods. Intervals are {{ name(interval) }}, by participant. The
difference is external set minus internal test set, of independent samples. Sets differ in the sizes of their
lesions: “at the mix” is the mean that the set would have with the mix of sizes that the table of external
sets states. The plan’s comparison of the models uses none of these scans.</p>
{% for grid in grids %}
{{ table(grid) }}
{% endfor %}
<p>The endpoints of the plan on these scans, each set by itself. The plan decides on the internal test set;
these verdicts are corrected for no other set.</p>
{% for grid in endpoints %}
{{ table(grid) }}
{% endfor %}
{{ links(files) }}
"""


def external_sets(study: ShownStudy) -> Markup | Absent:
    """Mean Dice of each set, and the plan's endpoints; nothing where the study has none."""
    rows = study.rows(STATISTICS, "set model label")
    if not rows:
        return Absent()
    files = [
        (f"Table of external sets ({kind.upper()})", f"tables/external_sets.{kind}")
        for kind in ("html", "tsv", "tex")
    ]
    files += [
        (f"Planned comparison in external sets ({kind.upper()})", f"tables/external_comparison.{kind}")
        for kind in ("html", "tsv", "tex")
    ]
    files += [
        ("Detection in external sets (TSV)", "statistics/external_detection.tsv"),
        ("Each pair of models in external sets (TSV)", "statistics/external_paired.tsv"),
    ]
    grids, endpoints = list(_grids(study, rows)), list(_endpoints(study))
    return filled(TEMPLATE, interval=INTERVAL, grids=grids, endpoints=endpoints, files=files)


def _grids(study: ShownStudy, rows: Sequence[QuotedRow]) -> Iterator[NumberGrid]:
    """A grid for each set and lesion."""
    for of_set, label in dict.fromkeys((row.text("set"), row.text("label")) for row in rows):
        own = [row for row in rows if (row.text("set"), row.text("label")) == (of_set, label)]
        caption = Markup("{}, {}: mean Dice").format(name(of_set), name(label))
        compared = sum(row.text("role") == FAMILY for row in own)
        apart = frozenset({compared} if compared < len(own) else ())
        yield NumberGrid(
            caption, COLUMNS, [[study.title(row.text("model")), *_cells(row)] for row in own], apart=apart
        )


def _endpoints(study: ShownStudy) -> Iterator[NumberGrid]:
    """A grid for each set and endpoint of the plan."""
    by = ("set", "status", "endpoint")
    found: dict[tuple[str, ...], list[QuotedRow]] = {}
    for row in study.rows(ENDPOINTS, "set status endpoint model against"):
        found.setdefault(tuple(map(row.text, by)), []).append(row)
    for (of_set, *_), rows in found.items():
        yield endpoint_grid(study, rows, begins=Markup("{}: ").format(name(of_set)))


def _cells(row: QuotedRow) -> Iterator[Markup]:
    yield row.count("n")
    yield row.count("n_participants")
    for mean, ends in INTERVALS.items():
        yield row.interval(mean, f"{ends}lower", f"{ends}upper")
    yield row.count("n_failed")
