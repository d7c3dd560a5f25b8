"""The section on learning curves: what more participants to learn from brought, and would bring."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from headct.publish.page.html_parts import NumberGrid, filled
from headct.publish.page.quoted import INTERVAL, QuotedRow, name
from headct.publish.page.shown_study import Absent, ShownStudy

POINTS, FITS, RATERS = (
    f"statistics/{table}.tsv" for table in ("learning_curve", "learning_curve_fit", "learning_curve_raters")
)

COLUMNS = (
    "Model",
    "Participants",
    "Scans",
    "Dice, lowest to highest seed",
    "On the curve",
    "Without a prediction",
)

TEMPLATE = """\
<p>Networks trained on fewer participants, the fewer always among the more. All were measured on the scans
that one fold of the training set holds out; the test set takes no part. The curve is a − b · n^(−c), fitted
to the means; its intervals are {{ name(interval) }}. {{ held_out|join(" ") }}</p>
{% for grid in grids %}
{{ table(grid) }}
{% endfor %}
<ul>
{% for sentence in sentences %}
<li>{{ sentence }}</li>
{% endfor %}
</ul>
<p>How many more participants a rise would take is read off the curve beyond what was measured. The interval
says how well the points fix the curve; it does not know whether the curve goes on as it began, nor how
networks would do on scans from elsewhere.</p>
{{ links(files) }}
"""


def learning_curves(study: ShownStudy) -> Markup | Absent:
    """Dice by size, and what the curves say; nothing where the study has none."""
    rows = study.rows(POINTS, "model label size")
    if not rows:
        return Absent()
    files = [
        (f"Table of learning curves ({kind.upper()})", f"tables/learning_curve.{kind}")
        for kind in ("html", "tsv", "tex")
    ]
    files += [("Curves (TSV)", FITS), ("Figure (PDF)", "figures/learning_curve.pdf")]
    return filled(
        TEMPLATE,
        interval=INTERVAL,
        held_out=[_held_out(own[0]) for own in _by_label(rows).values()],
        grids=list(_grids(study, rows)),
        sentences=[*_of_curves(study), *_of_raters(study)],
        files=files,
    )


def _by_label(rows: Sequence[QuotedRow]) -> dict[str, list[QuotedRow]]:
    found: dict[str, list[QuotedRow]] = {}
    for row in rows:
        found.setdefault(row.text("label"), []).append(row)
    return found


def _held_out(row: QuotedRow) -> Markup:
    """How many scans Dice is a mean over."""
    return Markup("{}: {} held-out scans of {} participants.").format(
        name(row.text("label")), row.count("n"), row.count("n_participants")
    )


def _grids(study: ShownStudy, rows: Sequence[QuotedRow]) -> Iterator[NumberGrid]:
    """A grid for each lesion."""
    for label, own in _by_label(rows).items():
        caption = Markup("{}: mean Dice over held-out scans").format(name(label))
        models = [row.text("model") for row in own]
        apart = frozenset(i for i in range(1, len(models)) if models[i] != models[i - 1])
        cells = [[study.title(row.text("model")), *_cells(row)] for row in own]
        yield NumberGrid(caption, COLUMNS, cells, apart=apart)


def _cells(row: QuotedRow) -> Iterator[Markup]:
    yield row.count("participants")
    yield row.count("scans")
    yield row.interval("dice_mean", "dice_lowest", "dice_highest")
    yield row.interval("curve", "lower", "upper")
    yield row.count("n_failed")


def _of_curves(study: ShownStudy) -> Iterator[Markup]:
    """What each curve says of more participants, or why there is none."""
    for row in study.rows(FITS, "model label"):
        of = Markup("{}, {}").format(name(row.text("label")), study.title(row.text("model")))
        if not row.has("more"):
            yield Markup("{}: {}.{}").format(of, row.words("note"), _what_the_interval_allows(row))
            continue
        ends = "" if row.has("more_upper") else Markup(" ({} or more)").format(row.number("more_lower", 0))
        yield Markup(
            "{}: at {} participants the curve is at {}. To rise by {} it would need {}{} participants more."
        ).format(
            of,
            row.count("largest"),
            row.number("curve"),
            row.number("gain", 2),
            row.interval("more", "more_lower", "more_upper", 0),
            ends,
        )


def _what_the_interval_allows(row: QuotedRow) -> Markup:
    """Of a rise that the curve itself does not reach: from where on its interval holds it."""
    if not row.has("more_lower"):
        return Markup("")
    return Markup(" Its interval allows it from {} participants more on.").format(row.number("more_lower", 0))


def _of_raters(study: ShownStudy) -> Iterator[Markup]:
    """How well another rater agrees: what a network that learns from raters can hardly surpass."""
    for row in study.rows(RATERS, "model label"):
        yield Markup("{}: another rater reaches {}, on {} scans that were read twice.").format(
            name(row.text("label")), row.interval("dice_mean", "lower", "upper"), row.count("n")
        )
