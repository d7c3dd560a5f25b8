"""Sections that scripts fill in a browser: the explorer of scans and the viewer of cases."""

from __future__ import annotations

from markupsafe import Markup

from headct.publish.page.html_parts import filled
from headct.publish.page.shown_study import Absent, ShownStudy

NEEDS_SCRIPT = """<noscript><p class="warning">This part needs JavaScript.</p></noscript>"""

NO_CASES = "No file of a case lies beside this page (report.cases is none in the configuration)."


def explorer(_: ShownStudy) -> Markup | Absent:
    """One row per scan, model and lesion; filled by ``src/explorer.ts``."""
    return filled(f'<div id="explorer"></div>{NEEDS_SCRIPT}')


def viewer(study: ShownStudy) -> Markup | Absent:
    """Scans with the outlines of all maps; filled by ``src/cases.ts``."""
    return filled(f'<div id="viewer"></div>{NEEDS_SCRIPT}') if study.cases else Absent(NO_CASES)
