"""What a reader should know first: the answer, the hardest cases, what the study can't tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from headct.cohort.split import lesions_absent
from headct.contracts.artefacts import read_tsv
from headct.contracts.references import PREDICTS_NOTHING
from headct.publish.page.html_parts import NumberGrid, filled
from headct.publish.page.model_sections import by_mean, lowest_threshold
from headct.publish.page.quoted import INTERVAL, QuotedRow, name
from headct.publish.page.scan_sections import in_words, opens, remarks_of
from headct.publish.page.shown_study import Absent, ShownStudy
from headct.publish.printed_numbers import DICE_DECIMALS
from headct.publish.tables.words import title_of
from headct.settings.analysis_plan import PRIMARY
from headct.statistics.core.agreement import ALL_SCANS
from headct.statistics.core.summaries import MEAN

SHOWN_CASES = 5

LIMITS = ("simulated", "precision", "known_limits", "external_test")
"""Statements on what the study can't tell, by their names."""

TEMPLATE = """\
{% for warning in warnings %}
<p class="warning">{{ warning }}</p>
{% endfor %}
<h3>The answer</h3>
<ol class="answer">
{% for sentence in sentences %}
<li>{{ sentence }}</li>
{% endfor %}
</ol>
<h3>The hardest cases</h3>
{% if hardest.rows %}
{{ table(hardest) }}
{{ links([("All test scans", "tables/hardest_cases.html"), ("as a table", "tables/hardest_cases.tsv")]) }}
{% else %}
<p>No test scan was measured.</p>
{% endif %}
<h3>What the study can’t tell</h3>
<ul class="limits">
{% for limit in limits %}
<li>{{ limit }}</li>
{% endfor %}
</ul>
"""


def read_first(study: ShownStudy) -> Markup | Absent:
    """The section."""
    limits = [study.statement(limit) for limit in LIMITS]
    return filled(
        TEMPLATE,
        warnings=_warnings(study),
        sentences=[*_planned(study), *_leader(study), *_main_model(study)],
        hardest=hardest(study, SHOWN_CASES),
        limits=[limit for limit in limits if limit],
    )


def _warnings(study: ShownStudy) -> list[str]:
    """What must not be overlooked: lesions that no test scan has."""
    split, cohort = (read_tsv(study.results.folder / f"cohort/{name}.tsv") for name in ("split", "cohort"))
    absent = lesions_absent(split[split["set"] == "test"], cohort)
    if not absent:
        return []
    return [f"No test scan has {' or '.join(absent)}: how models find it was not measured."]


def _planned(study: ShownStudy) -> Iterator[Markup]:
    """The primary endpoint: what was found, or why nothing."""
    rows = study.rows("statistics/endpoints.tsv", "status endpoint model against", status=PRIMARY)
    if not rows:
        yield Markup("The plan’s primary endpoint is missing from the results.")
        return
    yield Markup("The primary endpoint of the plan, {}: {}{}.").format(
        rows[0].words("endpoint"),
        Markup("; ").join(_contrast(study, row) for row in rows),
        _of_nothing(study, rows[0]),
    )


def _of_nothing(study: ShownStudy, row: QuotedRow) -> Markup:
    """What marking nothing would score by a Dice over all scans, some of which do not have the lesion."""
    if row.text("measure") != "dice" or row.text("scans") != ALL_SCANS:
        return Markup("")
    nothing = study.row("tables/table1.tsv", model=PREDICTS_NOTHING, label=row.text("label"))
    if not nothing or not nothing.has("mean"):
        return Markup("")
    return Markup(" (marking nothing at all would score {} on it)").format(nothing.number("mean"))


def _contrast(study: ShownStudy, row: QuotedRow) -> Markup:
    """One comparison of two models, in a clause."""
    model, against = study.title(row.text("model")), study.title(row.text("against"))
    if not row.has("difference"):
        return Markup("{} against {} could not be compared: {}").format(model, against, row.words("note"))
    decimals = 2 if row.text("measure").endswith("_ml") else DICE_DECIMALS
    between = Markup("")
    if row.has("lower"):
        limits = (row.number(end, decimals) for end in ("lower", "upper"))
        between = Markup(" ({}, {} to {})").format(name(INTERVAL), *limits)
    return Markup("{} {}, {} {}, a difference of {}{}, {}; verdict: <strong>{}</strong>").format(
        model,
        row.number("estimate_model", decimals),
        against,
        row.number("estimate_against", decimals),
        row.number("difference", decimals),
        between,
        row.p_is("p"),
        row.words("verdict"),
    )


def _leader(study: ShownStudy) -> Iterator[Markup]:
    """The highest mean Dice, and by lesion, beside what predicting nothing scores."""
    ranking = by_mean(study)
    if not ranking:
        return
    first = ranking[0]
    form = "Over {} test scans {} has a mean Dice of {}{}"
    if len(ranking) > 1:
        form = "Over {} test scans the highest mean Dice is that of {}, {}{}"
    over = " (the mean over the lesions)" if len(study.labels) > 1 else ""
    sentence = Markup(form).format(
        first.count("n"), study.title(first.text("model")), first.number("mean"), Markup(over)
    )
    if len(study.labels) > 1:
        sentence += Markup("; by lesion: {}").format(Markup(", ").join(_best_of_each(study)))
    nothing = study.row("tables/table1.tsv", model=PREDICTS_NOTHING, label=MEAN)
    if nothing:
        sentence += Markup(". Marking nothing at all would score {}").format(nothing.number("mean"))
    yield sentence + Markup(".")


def _best_of_each(study: ShownStudy) -> Iterator[Markup]:
    for label in study.labels:
        rows = by_mean(study, label)
        if rows:
            model = rows[0].text("model")
            estimate = study.row(
                "statistics/estimates.tsv", model=model, label=label, measure="dice_mean", scans=ALL_SCANS
            )
            found = estimate.interval("estimate", "lower", "upper") if estimate else rows[0].number("mean")
            yield Markup("{} {} by {}").format(name(label), found, study.title(model))


def _main_model(study: ShownStudy) -> Iterator[Markup]:
    """Lesions found, and the bias of volumes, of the model that the configuration names."""
    model = study.config.figures.agreement_model
    found = [
        Markup("as {} in {} of {} scans that have it").format(
            name(row.text("label")), row.count("tp"), row.count("n_present")
        )
        for row in lowest_threshold(study, model)
    ]
    bias = [
        Markup("{} {} mL").format(name(label), row.interval("bias_ml", "bias_lower_ml", "bias_upper_ml", 1))
        for label in study.labels
        for row in study.rows(
            "statistics/agreement.tsv", "", model=model, label=label, volumes="weighted", scans=ALL_SCANS
        )
        if row.has("bias_ml")
    ]
    title = name(title_of(model, study.titles))
    if found:
        form = "{}, the model that the configuration names, marks something, in the right place or not, {}"
        sentence = Markup(form).format(title, _listed(found))
        if bias:
            sentence += Markup("; its volumes differ from the reference by {} on average").format(
                _listed(bias)
            )
        yield sentence + Markup(".")


def _listed(parts: Sequence[Markup]) -> Markup:
    *first, last = parts
    return Markup("{} and {}").format(Markup(", ").join(first), last) if first else last


def hardest(study: ShownStudy, n: int) -> NumberGrid:
    """The test scans that all models together do worst on; each with a button that opens it, if it can be."""
    rows = study.rows("tables/hardest_cases.tsv", "scan_id")[:n]
    columns = ["Scan", "Mean Dice", "Lowest", "Highest"]
    columns += [f"{label}, mL" for label in study.labels]
    columns.append("Remarks of the ingest")
    of_cohort = {row.text("scan_id"): row for row in study.rows("cohort/cohort.tsv", "scan_id")}
    cells = []
    for row in rows:
        scan = row.text("scan_id")
        about = of_cohort[scan]
        cells.append(
            [
                opens(study, scan),
                row.number("mean_dice"),
                Markup("{} {}").format(row.number("lowest_dice"), study.title(row.text("lowest_model"))),
                Markup("{} {}").format(row.number("highest_dice"), study.title(row.text("highest_model"))),
                *(about.number(f"{label}_ml", 1) for label in study.labels),
                in_words(remarks_of(about)),
            ]
        )
    caption = "Test scans with the lowest mean Dice over the compared models and the lesions"
    return NumberGrid(caption, columns, cells, words=frozenset({0, len(columns) - 1}))
