"""Pages of sections, with a list of them beside: of a study's results, of scans before them, of new scans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from headct.publish.page import page_frame
from headct.publish.page.html_parts import filled
from headct.publish.page.script_data import as_json
from headct.publish.page.shown_study import Absent, Section, Shown

TEMPLATE = """\
{% extends "frame" %}
{% block head %}
<meta name="referrer" content="no-referrer"/>
{% endblock %}
{% block title %}{{ heading.title }}: {{ heading.of }}{% endblock %}
{% block body %}
<body>
<a class="skip" href="#{{ parts[0][0].id }}">To the first section</a>
<header>
<p class="kind">{{ heading.kind }}</p>
<h1><span class="name">{{ heading.title }}</span></h1>
{% if heading.note %}<p class="note">{{ heading.note }}</p>{% endif %}
</header>
<nav aria-label="Sections"><ol>
{% for section, content in parts %}
<li><a href="#{{ section.id }}">{{ section.title }}</a></li>
{% endfor %}
</ol></nav>
<main>
{% for section, content in parts %}
<section id="{{ section.id }}" tabindex="-1" aria-labelledby="{{ section.id }}-title">
<h2 id="{{ section.id }}-title">{{ section.title }}</h2>
{{ content }}
</section>
{% endfor %}
</main>
<div id="where" role="status" tabindex="-1" hidden></div>
<script type="application/json" id="study">{{ study_data }}</script>
<script type="application/json" id="rows">{{ rows_data }}</script>
<script>
{{ script }}
</script>
</body>
{% endblock %}
"""


@dataclass(frozen=True)
class Heading:
    """What stands above the sections.

    Attributes:
        kind: what kind of work the page is of, above its title.
        title: of the page.
        of: what the page shows, in a word or two for the window's title.
        note: what must be known of the data, or "".
    """

    kind: str
    title: str
    of: str
    note: str = ""


def render(
    sections: Sequence[Section[Shown]],
    shown: Shown,
    heading: Heading,
    bundle: Path,
    script: str,
    study_data: Mapping[str, Any],
    rows_data: Mapping[str, Any],
) -> str:
    """The whole page.

    Args:
        sections: its parts, in order.
        shown: what they are made of.
        heading: what stands above them.
        bundle: folder of styles and scripts.
        script: file of the page's script in it.
        study_data: what scripts are told of the study (``Study`` in ``page/src/headct.ts``).
        rows_data: the measures that scripts are told (``Rows``).
    """
    made = [(section, section.make(shown)) for section in sections]
    parts = [(section, _content(content)) for section, content in made if content != Absent()]
    return page_frame.render(
        TEMPLATE,
        bundle,
        script,
        heading=heading,
        parts=parts,
        study_data=as_json(study_data),
        rows_data=as_json(rows_data),
    )


def _content(content: Markup | Absent) -> Markup:
    """A section's content, or why it has none."""
    return (
        filled('<p class="none">{{ why }}</p>', why=content.why) if isinstance(content, Absent) else content
    )
