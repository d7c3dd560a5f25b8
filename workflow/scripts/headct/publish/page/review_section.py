"""The section on reviews: where cases are reviewed, and what reviews that were imported say."""

from __future__ import annotations

from markupsafe import Markup

from headct.publish.page.html_parts import NumberGrid, filled
from headct.publish.page.quoted import INTERVAL, QuotedRow, name
from headct.publish.page.script_sections import NEEDS_SCRIPT, NO_CASES
from headct.publish.page.shown_study import Absent, ShownStudy
from headct.publish.printed_numbers import DASH
from headct.settings.ratings import REFERENCE
from headct.settings.reviews import DECISIONS, QUALITY
from headct.settings.reviews import RESULTS as OF_RESULTS

COUNTS = "statistics/review.tsv"
AGREEMENT = "statistics/review_agreement.tsv"
SENSITIVITY = "statistics/review_sensitivity.tsv"
BLINDED = "statistics/blinded.tsv"
FILES = (COUNTS, "statistics/review_scans.tsv", AGREEMENT, SENSITIVITY, BLINDED)

KINDS = {QUALITY: "images and masks alone", OF_RESULTS: "results"}
"""What was reviewed, by the kind of a review."""

REVIEW = """\
{% if has_cases %}
<p>Go through the cases one after the other and decide on each. Your decisions stay in this browser until you
download them; <code>headct review import</code> takes them into the study, where they change no result.</p>
<div id="review"></div>
{{ needs_script }}
{% else %}
<p>{{ no_cases }}</p>
{% endif %}
{% for grid in grids %}
{% if loop.first %}<h3>Reviews that were imported</h3>{% endif %}
{{ table(grid) }}
{% endfor %}
{% if grids %}
<p>Reviewers of results had seen the predictions: what is without scans that they would leave out is post hoc.
{% if is_blinded %}Blinded raters did not know whose map they judged.
{% endif %}No verdict rests on any of it.</p>
{{ links(files) }}
{% endif %}
"""


def review(study: ShownStudy) -> Markup | Absent:
    """Decisions on cases, filled by ``src/review.ts``, and tables of reviews where there are any."""
    found = (_counts(study), _agreement(study), _sensitivity(study), _blinded(study))
    grids = [grid for grid in found if grid.rows]
    if not study.cases and not grids:
        return Absent(NO_CASES)
    return filled(
        REVIEW,
        has_cases=bool(study.cases),
        needs_script=Markup(NEEDS_SCRIPT),
        no_cases=NO_CASES,
        grids=grids,
        is_blinded=study.results.has(BLINDED),
        files=[(file.rpartition("/")[2], file) for file in FILES if study.results.has(file)],
    )


def _counts(study: ShownStudy) -> NumberGrid:
    columns = ["Reviewer", "Reviewed", "Scans", *map(str.capitalize, DECISIONS), "Of these results"]
    rows = [
        [
            name(row.text("reviewer")),
            KINDS[row.text("kind")],
            row.count("scans"),
            *map(row.count, DECISIONS),
            row.count("of_these_results") if row.text("kind") == OF_RESULTS else Markup(DASH),
        ]
        for row in study.rows(COUNTS, "kind reviewer")
    ]
    return NumberGrid("Scans by reviewer and decision", columns, rows, words=frozenset({0, 1}))


def _agreement(study: ShownStudy) -> NumberGrid:
    columns = [
        "Reviewers",
        "Reviewed",
        "Coefficient",
        "Scans",
        "Agree",
        Markup("Value ({})").format(name(INTERVAL)),
    ]
    rows = [
        [
            name(row.text("reviewers")),
            KINDS[row.text("kind")],
            name(row.text("coefficient")),
            row.count("n"),
            row.percent("agreement"),
            row.interval("estimate", "lower", "upper"),
        ]
        for row in study.rows(AGREEMENT, "kind reviewers coefficient")
    ]
    caption = "Agreement of reviewers on the decision, beyond chance; a dash where it has no value"
    return NumberGrid(caption, columns, rows, words=frozenset({0, 1, 2}))


def _sensitivity(study: ShownStudy) -> NumberGrid:
    found = study.rows(SENSITIVITY, "analysis")
    columns = ["Analysis", "Status", "Left out", "Scans", Markup("Difference ({})").format(name(INTERVAL))]
    rows = [
        [
            name(row.text("analysis")),
            row.text("status"),
            row.count("left_out"),
            row.count("n"),
            row.interval("difference", "lower", "upper"),
        ]
        for row in found
    ]
    about = Markup("")
    if found:
        first = found[0]
        models = (study.title(first.text(column)) for column in ("model", "against"))
        about = Markup(": {}, {} − {}").format(name(first.text("endpoint")), *models)
    caption = Markup("The primary endpoint without scans that reviewers would leave out{}").format(about)
    return NumberGrid(caption, columns, rows if len(rows) > 1 else [], words=frozenset({0, 1}))


def _blinded(study: ShownStudy) -> NumberGrid:
    interval = name(INTERVAL)
    columns: list[str | Markup] = ["Map of", "Cases", "Raters", Markup("Accepted ({})").format(interval)]
    columns += [Markup("Best of all ({})").format(interval)]
    by_model: dict[str, list[QuotedRow]] = {}
    for row in study.rows(BLINDED, "model question"):
        by_model.setdefault(row.text("model"), []).append(row)
    rows = [
        [
            "the reference" if model == REFERENCE else study.title(model),
            of_model[0].count("n"),
            of_model[0].count("raters"),
            *map(_share, of_model),
        ]
        for model, of_model in by_model.items()
    ]
    return NumberGrid("Share of judgements by raters who did not know whose map it was", columns, rows)


def _share(row: QuotedRow) -> Markup:
    return row.interval("share", "lower", "upper")
