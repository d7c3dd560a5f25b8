"""Sections on the study as a whole: published claims, methods, checklists, and where all of it is from."""

from __future__ import annotations

from markupsafe import Markup

from headct.publish.evidence import EVIDENCE
from headct.publish.page.html_parts import NumberGrid, code, filled
from headct.publish.page.quoted import name, quoted
from headct.publish.page.shown_study import Absent, ShownStudy
from headct.publish.reports.methods import PARAGRAPHS, TO_BE_ADDED

CLAIMS = """\
<p>{{ published }}</p>
{{ table(claims) }}
{{ links([
  ("Published and reproduced numbers", "tables/published_vs_reproduced.html"),
  ("as a table", "tables/published_vs_reproduced.tsv"),
  ("claims as a table", "statistics/claims.tsv"),
]) }}
"""

METHODS = """\
{% for heading, statements in paragraphs %}
<h3>{{ heading }}</h3>
{% for statement in statements %}
<p>{{ statement }}</p>
{% endfor %}
{% endfor %}
<p class="warning">{{ to_be_added }}</p>
{{ links([
  ("The same as text", "audit/methods.md"),
  ("settings and versions of each model", "tables/table_e1.html"),
]) }}
"""

CHECKLISTS = """\
<p>What the run answers of the items of four reporting guidelines, and what only the authors can.</p>
{{ table(counts) }}
{{ links(files) }}
"""

PROVENANCE = """\
<p>All that this page says is quoted from files of the results, which are sealed: each of its numbers names
its file, row and column. Follow a number to the scans behind it, and have it computed again, by
<code>python -I -m headct audit trace</code>; see whether anything was changed since it was sealed by
<code>python -I -m headct audit verify</code>.</p>
<dl>
<dt>Evidence digest</dt>
<dd>{{ evidence }}<br/>of split, metrics and analysis plan: equal wherever the same study was run in the same
way.</dd>
<dt>Analysis plan</dt>
<dd>of {{ date }}, {{ name("SHA-256") }} {{ plan }}</dd>
<dt>Root digest</dt>
<dd>in {{ link("audit/root.sha256", name("audit/root.sha256")) }} of the results. It covers every file of
them, this one among them, so that it can’t stand here; whoever seals the results prints or signs it.</dd>
<dt>How often the test set was opened</dt>
<dd>in {{ link("audit/test_set_ledger.tsv", "audit/test_set_ledger.tsv") }}: a line for each scoring of its
labels, each with the digest of the line before.</dd>
</dl>
<p>{{ software }}</p>
{{ table(files) }}
"""


def claims(study: ShownStudy) -> Markup | Absent:
    """Claims of the study that is reproduced, with verdicts."""
    rows = study.rows("statistics/claims.tsv", "claim")
    if not rows:
        return Absent()
    cells = [
        [row.words("statement"), row.words("source"), row.words("verdict"), row.words("evidence")]
        for row in rows
    ]
    grid = NumberGrid(
        "Claims", ["Claim", "Where", "Verdict here", "What it rests on"], cells, frozenset(range(4))
    )
    return filled(CLAIMS, published=study.statement("published"), claims=grid)


def methods(study: ShownStudy) -> Markup | Absent:
    """The methods section, as in ``audit/methods.md``."""
    paragraphs = [(heading, [study.statement(one) for one in of]) for heading, of in PARAGRAPHS.items()]
    return filled(METHODS, paragraphs=paragraphs, to_be_added=TO_BE_ADDED)


def checklists(study: ShownStudy) -> Markup | Absent:
    """How many items of each checklist are answered."""
    counts = ("items", "answered", "by_the_run", "to_be_written")
    rows = [
        [name(row.text("checklist")), *map(row.count, counts)]
        for row in study.rows("report/checklist_counts.tsv", "checklist")
    ]
    columns = ["Checklist", "Items", "Answered", "By the run alone", "Something to be written"]
    cards = [
        (Markup("Card of {}").format(study.title(model)), file)
        for model in study.titles
        if study.results.has(file := f"report/models/{model}.html")
    ]
    return filled(
        CHECKLISTS,
        counts=NumberGrid("Items answered", columns, rows),
        files=[("The checklists, item by item", "report/checklists.html"), *cards],
    )


def provenance(study: ShownStudy) -> Markup | Absent:
    """The digests, and how to check them."""
    evidence = study.results.json(EVIDENCE)
    plan = {row.text("item"): row for row in study.rows("statistics/plan.tsv", "item", kind="plan")}
    files = [
        [name(file), code(quoted(EVIDENCE, {"in": "files"}, file, digest))]
        for file, digest in evidence["files"].items()
    ]
    return filled(
        PROVENANCE,
        evidence=code(quoted(EVIDENCE, {}, "sha256", evidence["sha256"])),
        date=plan["date"].words("value"),
        plan=code(plan["sha256"].words("value")),
        software=study.statement("software"),
        files=NumberGrid(
            Markup("What the evidence digest is made of"), ["File", "Digest"], files, frozenset({0, 1})
        ),
    )
