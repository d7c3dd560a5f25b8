"""Sections that scripts fill in a browser: the explorer of scans and the viewer of cases."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from headct.publish.page.html_parts import filled
from headct.publish.page.shown_study import Absent, ShownScans, ShownStudy

NEEDS_SCRIPT = """<noscript><p class="warning">This part needs JavaScript.</p></noscript>"""

CASES = f"""\
<p>{{{{ hint }}}}</p>
<ul class="cases">
{{% for scan in scans %}}
<li><button type="button" class="name" data-open-case="{{{{ scan }}}}">{{{{ scan }}}}</button></li>
{{% endfor %}}
</ul>
<div id="viewer"></div>{NEEDS_SCRIPT}
"""

HARDEST_FIRST = (
    "Choose a scan, here, in the explorer or wherever it is named. The hardest for all models come first."
)
CHOOSE = "Choose a scan, here or wherever it is named."

NO_CASES = "No file of a case lies beside this page (report.cases is none in the configuration)."


def explorer(_: ShownStudy) -> Markup | Absent:
    """One row per scan, model and lesion; filled by ``src/explorer.ts``."""
    return filled(f'<div id="explorer"></div>{NEEDS_SCRIPT}')


def viewer(study: ShownStudy) -> Markup | Absent:
    """Test scans with the outlines of all maps, the hardest first."""
    ordered = [row.text("scan_id") for row in study.rows("tables/hardest_cases.tsv", "scan_id")]
    return viewer_of(study, ordered, HARDEST_FIRST)


def viewer_of(shown: ShownScans, scans: Sequence[str], hint: str = CHOOSE) -> Markup | Absent:
    """A list of scans and the place in which they are shown; filled by ``src/cases.ts``."""
    if not shown.cases:
        return Absent(NO_CASES)
    return filled(CASES, scans=[scan for scan in scans if scan in shown.cases], hint=hint)
