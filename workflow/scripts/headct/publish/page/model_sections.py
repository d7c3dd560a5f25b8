"""Sections on the models: the leader board, the planned comparison, and what failed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from headct.publish.page.html_parts import NumberGrid, filled
from headct.publish.page.quoted import INTERVAL, QuotedRow, name
from headct.publish.page.shown_study import Absent, ShownStudy
from headct.publish.printed_numbers import DASH, DICE_DECIMALS
from headct.publish.tables.words import RULES
from headct.statistics.core.agreement import ALL_SCANS
from headct.statistics.core.scores import FAMILY
from headct.statistics.core.summaries import MEAN

TABLE_1 = "tables/table1.tsv"
ESTIMATES = "statistics/estimates.tsv"

LEADER_BOARD = """\
<p>Models by their mean Dice on the test set, the best first; below the rule, what models are to be held
against. “Predicts nothing” marks no lesion at all: what a scan without the lesion gives away for free.
“Another rater” and “Same rater again” are the readings of scans that were read twice, of both sets. Intervals
are {{ name(interval) }}; a dash stands where nothing could be measured. CCC is the concordance
correlation coefficient.</p>
{% for grid in grids %}
{{ table(grid) }}
{% endfor %}
{{ links(files) }}
"""


def by_mean(study: ShownStudy, label: str = MEAN) -> list[QuotedRow]:
    """Rows of Table 1 of the compared models, by their mean Dice on a lesion, or over all, the best first."""
    rows = [row for row in study.rows(TABLE_1, "model", label=label) if row.text("role") == FAMILY]
    return sorted((row for row in rows if row.has("mean")), key=lambda row: -row.value("mean"))


def leader_board(study: ShownStudy) -> Markup | Absent:
    """Dice, detection and volumes of each model."""
    models = _in_order(study)
    files = [
        (f"{title} ({kind.upper()})", f"tables/{file}.{kind}")
        for title, file in (("Table of Dice", "table1"), ("Table of overlap", "table_e2"))
        for kind in ("html", "tsv", "tex")
    ]
    return filled(
        LEADER_BOARD,
        interval=INTERVAL,
        grids=[_dice(study, models), _detection(study, models), *_volumes(study, models)],
        files=files,
    )


def _in_order(study: ShownStudy) -> list[str]:
    """The compared models by rank, then all others in the order of the tables."""
    ranked = [row.text("model") for row in by_mean(study)]
    others = [row.text("model") for row in study.rows(ESTIMATES, "model label measure scans")]
    tabled = [row.text("model") for row in study.rows(TABLE_1, "model", label=MEAN)]
    return list(dict.fromkeys([*ranked, *tabled, *others]))


def _apart(study: ShownStudy, models: Sequence[str]) -> frozenset[int]:
    compared = len(by_mean(study))
    return frozenset({compared} if compared < len(models) else ())


def _dice(study: ShownStudy, models: Sequence[str]) -> NumberGrid:
    several = len(study.labels) > 1
    columns: list[str | Markup] = ["Model"]
    columns += ["Mean of lesions"] if several else []
    columns += [Markup("{}, mean ({})").format(name(label), name(INTERVAL)) for label in study.labels]
    columns += ["Scans", "Without a prediction"]
    rows = []
    for model in models:
        overall = study.row(TABLE_1, model=model, label=MEAN)
        found = [_estimate(study, model, label, "dice_mean") for label in study.labels]
        if overall is None and not any(found):
            continue
        cells = [study.title(model)]
        if several:
            cells.append(overall.number("mean") if overall else Markup(DASH))
        cells += [row.interval("estimate", "lower", "upper") if row else Markup(DASH) for row in found]
        named = overall or next(row for row in found if row)
        cells += [named.count("n"), named.count("n_failed")]
        rows.append(cells)
    return NumberGrid("Dice over all test scans", columns, rows, apart=_apart(study, models))


def _estimate(study: ShownStudy, model: str, label: str, measure: str) -> QuotedRow | None:
    return study.row(ESTIMATES, model=model, label=label, measure=measure, scans=ALL_SCANS)


def lowest_threshold(study: ShownStudy, model: str) -> list[QuotedRow]:
    """Rows of detection at the lowest threshold, one per lesion; none where it was not analysed."""
    rows = study.rows("statistics/detection.tsv", "model label threshold_ml", model=model)
    lowest = min((row.value("threshold_ml") for row in rows), default=0.0)
    return [row for row in rows if row.value("threshold_ml") == lowest]


def _detection(study: ShownStudy, models: Sequence[str]) -> NumberGrid:
    columns: list[str | Markup] = ["Model"]
    for label in study.labels:
        columns += [Markup("{}, {}").format(name(label), of) for of in ("found", "kept free")]
    rows = []
    for model in models:
        found = {row.text("label"): row for row in lowest_threshold(study, model)}
        if found:
            cells = [study.title(model)]
            for label in study.labels:
                cells += [_share(found.get(label), of) for of in ("sensitivity", "specificity")]
            rows.append(cells)
    caption = (
        "Detection: of the scans with a lesion those in which any of it is predicted, and of those without it"
        " those in which none is"
    )
    return NumberGrid(caption, columns, rows, apart=_apart(study, models))


def _share(row: QuotedRow | None, of: str) -> Markup:
    """Sensitivity or specificity, with the counts that it is the quotient of."""
    part, whole = {"sensitivity": ("tp", "n_present"), "specificity": ("tn", "n_absent")}[of]
    if row is None or not row.value(whole):
        return Markup(DASH)
    counts = Markup("{}/{}").format(row.count(part), row.count(whole))
    return Markup("{}, {}").format(counts, row.interval_percent(of)) if row.has(of) else counts


def _volumes(study: ShownStudy, models: Sequence[str]) -> Iterator[NumberGrid]:
    """A grid for each lesion: bias, limits of agreement, and concordance."""
    columns = [
        "Model",
        Markup("Bias, mL ({})").format(name(INTERVAL)),
        "Limits of agreement, mL",
        Markup("CCC ({})").format(name(INTERVAL)),
    ]
    for label in study.labels:
        rows = []
        for model in models:
            row = study.row(
                "statistics/agreement.tsv", model=model, label=label, volumes="weighted", scans=ALL_SCANS
            )
            if row:
                rows.append([study.title(model), *_agreement(row)])
        caption = Markup("Volume of {}, prediction minus reference").format(name(label))
        yield NumberGrid(caption, columns, rows, apart=_apart(study, models))


def _agreement(row: QuotedRow) -> Iterator[Markup]:
    yield row.interval("bias_ml", "bias_lower_ml", "bias_upper_ml", 1)
    yield row.span("loa_lower_ml", "loa_upper_ml", 1)
    yield row.interval("ccc", "ccc_lower", "ccc_upper", 2)


# -- the planned comparison --------------------------------------------------------------------------

COMPARISON = """\
<p>{{ plan }}</p>
<p>{{ rule }} Verdicts are those of the plan; “no difference shown” never means that there is none.
{{ adjusted }}</p>
{% for grid in grids %}
{{ table(grid) }}
{% endfor %}
<p>{{ precision }}</p>
<p>{{ sensitivity }}</p>
{{ links(files) }}
"""


ADJUSTED = (
    "Of several comparisons that share an error, P is Holm’s, and beside the interval of each one alone,"
    " which decides nothing, stands one that is adjusted."
)


def planned_comparison(study: ShownStudy) -> Markup | Absent:
    """Endpoints of the plan with their verdicts."""
    rows = study.rows("statistics/endpoints.tsv", "status endpoint model against")
    if not rows:
        return Absent("The plan has no endpoint that could be compared.")
    by_endpoint: dict[tuple[str, str], list[QuotedRow]] = {}
    for row in rows:
        by_endpoint.setdefault((row.text("status"), row.text("endpoint")), []).append(row)
    grids = [endpoint_grid(study, of_endpoint) for of_endpoint in by_endpoint.values()]
    rule = study.row("statistics/plan.tsv", kind="plan", item="multiplicity")
    return filled(
        COMPARISON,
        plan=study.statement("plan"),
        rule=Markup.escape(RULES.get(rule.text("value"), "")) if rule else "",
        grids=grids,
        adjusted=ADJUSTED if any(is_adjusted(of_endpoint) for of_endpoint in by_endpoint.values()) else "",
        precision=study.statement("precision"),
        sensitivity=study.statement("sensitivity"),
        files=[
            (
                "The whole comparison, with equivalence, detection and volumes",
                "tables/planned_comparison.html",
            ),
            ("as a table", "tables/planned_comparison.tsv"),
            ("in LaTeX", "tables/planned_comparison.tex"),
        ],
    )


def is_adjusted(rows: Sequence[QuotedRow]) -> bool:
    """Whether other comparisons share the error of an endpoint's."""
    return any(row.has("p_holm") or row.text("lower_adjusted") != row.text("lower") for row in rows)


def endpoint_grid(study: ShownStudy, rows: Sequence[QuotedRow], begins: str | Markup = "") -> NumberGrid:
    """Rows of one endpoint; each is the plan's model against another.

    Args:
        study: whose models have titles.
        rows: of a table of endpoints.
        begins: how the caption begins.
    """
    first = rows[0]
    is_volume = first.text("measure").endswith("_ml")
    decimals = 2 if is_volume else DICE_DECIMALS
    caption = Markup("{}{} endpoint: {}, {} minus each other").format(
        begins, first.text("status").capitalize(), first.words("endpoint"), study.title(first.text("model"))
    )
    adjusted = is_adjusted(rows)
    columns = ["Against", "Scans", study.title(first.text("model")), "Other"]
    columns.append(Markup("Difference ({})").format(name(INTERVAL)))
    if adjusted:
        columns.append("Adjusted CI")
    columns += ["P, Holm" if any(row.has("p_holm") for row in rows) else "P", "Verdict"]
    cells = []
    for row in rows:
        line = [study.title(row.text("against")), row.count("n")]
        line += [row.number(column, decimals) for column in ("estimate_model", "estimate_against")]
        line.append(row.interval("difference", "lower", "upper", decimals))
        if adjusted:
            line.append(row.span("lower_adjusted", "upper_adjusted", decimals))
        line.append(row.p("p_holm" if row.has("p_holm") else "p"))
        cells.append([*line, row.words("verdict") or row.words("note")])
    return NumberGrid(caption, columns, cells, words=frozenset({0, len(columns) - 1}))


# -- failures ----------------------------------------------------------------------------------------

FAILURES = """\
<p>{{ statement }}</p>
{% if missing.rows %}
<p>{{ scored }}</p>
{{ table(missing) }}
{% else %}
<p>No model failed to predict a test scan.</p>
{% endif %}
{{ table(errors) }}
"""


def failures(study: ShownStudy) -> Markup | Absent:
    """Missing predictions with their reasons; lesions missed and invented."""
    return filled(
        FAILURES,
        statement=study.statement("failures"),
        scored=study.statement("missing_data"),
        missing=_missing(study),
        errors=_missed(study),
    )


def _missing(study: ShownStudy) -> NumberGrid:
    """Each prediction that is not there, with the reason in its manifest."""
    folder = study.results.folder / "predictions"
    manifests = sorted(
        path.relative_to(study.results.folder).as_posix() for path in folder.glob("*/seed-*.tsv")
    )
    rows = [
        [
            study.title(file.split("/")[1]),
            name(file.split("/")[2].removesuffix(".tsv")),
            name(row.text("scan_id")),
            row.words("reason"),
        ]
        for file in manifests
        for row in study.rows(file, "scan_id")
        if row.has("reason")
    ]
    columns = ["Model", "Training", "Scan", "Why there is no prediction"]
    return NumberGrid("Test scans without a prediction", columns, rows, words=frozenset(range(4)))


def _missed(study: ShownStudy) -> NumberGrid:
    """How many lesions each model missed, and in how many scans it saw one that is not there."""
    columns: list[str | Markup] = ["Model"]
    for label in study.labels:
        columns += [Markup("{}, {}").format(name(label), of) for of in ("missed", "invented")]
    rows = []
    for model in study.titles:
        found = {row.text("label"): row for row in lowest_threshold(study, model)}
        if found:
            cells = [study.title(model)]
            for label in study.labels:
                cells += _counts(found.get(label))
            rows.append(cells)
    caption = "Scans in which a lesion was missed, of those with it, and invented, of those without"
    return NumberGrid(caption, columns, rows)


def _counts(row: QuotedRow | None) -> list[Markup]:
    if row is None:
        return [Markup(DASH)] * 2
    return [
        Markup("{} of {}").format(row.count(part), row.count(whole)) if row.value(whole) else Markup(DASH)
        for part, whole in (("fn", "n_present"), ("fp", "n_absent"))
    ]
