"""The page of a study's results: one file that needs no other, for those who read and decide.

Its sections are listed in :data:`SECTIONS`. Styles and scripts are those of ``workflow/page``, bundled at
set-up. It holds no pixel of a patient, no time and no path, and asks no network for anything.
"""

from __future__ import annotations

import logging
from pathlib import Path

from markupsafe import Markup

from headct.contracts import labels as label_sets
from headct.contracts.artefacts import CONFIG, sha256_of
from headct.publish import pages
from headct.publish.page import (
    answer,
    figure_section,
    model_sections,
    page_frame,
    review_section,
    scan_sections,
    script_data,
    script_sections,
    study_sections,
)
from headct.publish.page.html_parts import filled
from headct.publish.page.quoted import ResultTables
from headct.publish.page.shown_study import Absent, Section, ShownStudy
from headct.settings.blocks import configured

logger = logging.getLogger(__name__)

SECTIONS = (
    Section("answer", "Read this first", answer.read_first),
    Section("flow", "Flow of scans", scan_sections.flow),
    Section("cohort", "Cohort", scan_sections.cohort),
    Section("leader-board", "Leader board", model_sections.leader_board),
    Section("comparison", "Planned comparison", model_sections.planned_comparison),
    Section("claims", "Claims of the published study", study_sections.claims),
    Section("failures", "Failures", model_sections.failures),
    Section("explore", "Explorer", script_sections.explorer),
    Section("case", "Cases", script_sections.viewer),
    Section("marks", "Review", review_section.review),
    Section("figures", "Figures", figure_section.figures),
    Section("methods", "Methods", study_sections.methods),
    Section("checklists", "Reporting checklists", study_sections.checklists),
    Section("provenance", "Provenance", study_sections.provenance),
)
"""The parts of the page, in order."""

TEMPLATE = """\
{% extends "frame" %}
{% block head %}
<meta name="referrer" content="no-referrer"/>
{% endblock %}
{% block title %}{{ study.config.study.name }}: results{% endblock %}
{% block body %}
<body>
<a class="skip" href="#{{ parts[0][0].id }}">To the results</a>
<header>
<p class="kind">Comparison of segmentation models on head CT</p>
<h1><span class="name">{{ study.config.study.name }}</span></h1>
{% if study.config.note %}<p class="note">{{ study.config.note }}</p>{% endif %}
</header>
<nav aria-label="Sections"><ol>
{% for section, content in parts %}
<li><a href="#{{ section.id }}">{{ section.title }}</a></li>
{% endfor %}
</ol></nav>
<main>
{% for section, content in parts %}
<section id="{{ section.id }}" aria-labelledby="{{ section.id }}-title">
<h2 id="{{ section.id }}-title">{{ section.title }}</h2>
{{ content }}
</section>
{% endfor %}
</main>
<div id="where" role="status" hidden></div>
<script type="application/json" id="study">{{ study_data }}</script>
<script type="application/json" id="rows">{{ rows_data }}</script>
<script>
{{ script }}
</script>
</body>
{% endblock %}
"""


def main(*, results: Path, labels: str, bundle: Path, cases: Path | None = None, out: Path) -> None:
    """Write the page of a study's results, and its digest beside it, as sha256sum prints it.

    Args:
        results: results folder.
        labels: JSON: the lesion classes, in their order, with roles, groups, titles and colours.
        bundle: folder of the bundled styles and scripts.
        cases: list of the files of cases beside the page.
        out: the page to write.
    """
    text = page(read(results, labels, cases), bundle)
    pages.write(text, out)
    pages.write(f"{sha256_of(out)}  {out.name}\n", out.with_suffix(".sha256"))
    logger.info("%s", out)


def read(folder: Path, labels: str, cases: Path | None = None) -> ShownStudy:
    """The study of a results folder.

    Args:
        folder: the results.
        labels: JSON of the lesion classes.
        cases: list of the files of cases.
    """
    results = ResultTables(folder)
    listed = results.table(cases.relative_to(folder).as_posix()).lines if cases else []
    return ShownStudy(
        results=results,
        labels=label_sets.read(labels),
        config=configured(results.json(CONFIG)),
        titles=results.titles,
        cases=frozenset(line["scan_id"] for line in listed if line["scan_id"]),
    )


def page(study: ShownStudy, bundle: Path) -> str:
    """The whole page.

    Args:
        study: that it is of.
        bundle: folder of styles and scripts.
    """
    made = [(section, section.make(study)) for section in SECTIONS]
    parts = [(section, _shown(content)) for section, content in made if content != Absent()]
    return page_frame.render(
        TEMPLATE,
        bundle,
        "index.js",
        study=study,
        parts=parts,
        study_data=script_data.as_json(script_data.study_data(study)),
        rows_data=script_data.as_json(script_data.rows_data(study)),
    )


def _shown(content: Markup | Absent) -> Markup:
    """A section's content, or why it has none."""
    return (
        filled('<p class="none">{{ why }}</p>', why=content.why) if isinstance(content, Absent) else content
    )
