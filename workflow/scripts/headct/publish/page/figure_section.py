"""The section of figures: each as a drawing in the page, with its caption and the files to download."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from headct.contracts.declarations import PublishedFigure, declared
from headct.contracts.repository import REPOSITORY
from headct.publish.figures import svg_pages
from headct.publish.page.html_parts import filled
from headct.publish.page.quoted import TEXT, quoted
from headct.publish.page.shown_study import Absent, ShownStudy

CAPTIONS = REPOSITORY / "workflow" / "report"

SEALED_CAPTIONS = "audit/workflow/workflow/report"
"""Where the copies of the captions are, below the results."""

TEMPLATE = """\
{% for figure in figures %}
<figure id="figure-{{ figure.id }}">
<h3>{{ figure.title }}</h3>
{% if figure.why_none %}
<p class="none">{{ figure.why_none }}</p>
{% endif %}
<div class="drawings{{ " several" if figure.drawings | length > 1 }}">
{% for drawing in figure.drawings %}
<div>
{% if drawing.of %}
<h4>{{ drawing.of }}</h4>
{% endif %}
{% if drawing.beside %}
<button type="button" class="beside" data-beside="{{ up }}{{ drawing.beside }}">Show it</button>
{% endif %}
{% for image in drawing.images %}
{% set page = ", page " ~ loop.index if drawing.images | length > 1 %}
{% set words = (figure.title ~ " " ~ drawing.of) | striptags ~ page %}
<button type="button" class="zoom" aria-label="{{ words }}: enlarge">
<img alt="{{ words }}" src="{{ image }}"/></button>
{% endfor %}
{{ links(drawing.files) }}
</div>
{% endfor %}
</div>
<figcaption>
{% for paragraph in figure.caption %}
<p>{{ paragraph }}</p>
{% endfor %}
</figcaption>
</figure>
{% endfor %}
"""


@dataclass(frozen=True)
class Drawing:
    """One drawing of a figure.

    Attributes:
        of: the model that it is of, where there is one for each.
        images: addresses of its pages, which hold them themselves.
        beside: a picture with pixels of CT, shown where it lies beside the page; "" where there is none.
        files: to download, by what the link says.
    """

    of: Markup
    images: list[Markup]
    beside: str
    files: list[tuple[str, str]]


@dataclass(frozen=True)
class Drawn:
    """A figure of the page.

    Attributes:
        id: of its element.
        title: its heading.
        drawings: of it, or of each model.
        caption: its paragraphs.
        why_none: what is said where the page does not show it.
    """

    id: str
    title: str
    drawings: list[Drawing]
    caption: list[Markup]
    why_none: str


def figures(study: ShownStudy) -> Markup | Absent:
    """All figures that the study has; those of each model, and those that show CT, come last."""
    in_order = sorted(
        declared(PublishedFigure).values(), key=lambda figure: (figure.shows_ct, figure.per_model)
    )
    found = [_drawn(study, figure) for figure in in_order]
    there = [figure for figure in found if figure.drawings]
    return filled(TEMPLATE, figures=there) if there else Absent("The study has no figures.")


def _drawn(study: ShownStudy, figure: PublishedFigure) -> Drawn:
    """A figure, with the drawings of it that the study has."""
    stems = {
        model: figure.path.removesuffix(".tsv").format(model=model)
        for model in (study.titles if figure.per_model else [""])
    }
    why_none = "" if figure.pictures else "It has many pages, and is in the PDF."
    if figure.shows_ct and figure.pictures:
        why_none = "It shows scans, which this page does not hold: it lies beside it, with the results."
    return Drawn(
        id=figure.name,
        title=f"{figure.help[:1].upper()}{figure.help[1:]}",
        drawings=[
            _drawing(study, figure, model, stem)
            for model, stem in stems.items()
            if study.results.has(f"{stem}.tsv")
        ],
        caption=caption(figure.caption or figure.name),
        why_none=why_none,
    )


def _drawing(study: ShownStudy, figure: PublishedFigure, model: str, stem: str) -> Drawing:
    """A drawing: in the page, or beside it where it has pixels of CT."""
    named = {"pdf": "PDF", "svg": "SVG", "png": "PNG", "tsv": "numbers (TSV)"}
    return Drawing(
        of=study.title(model) if model else Markup(""),
        images=_pages(study, f"{stem}.svg") if figure.pictures and not figure.shows_ct else [],
        beside=f"{stem}.png" if figure.pictures and figure.shows_ct else "",
        files=[(named[kind], f"{stem}.{kind}") for kind in figure.kinds],
    )


IN_ADDRESS: Mapping[str, str] = {"%": "%25", "#": "%23", '"': "%22", "&": "&amp;", "\n": " "}
"""What an address of data, or an attribute of HTML, can't hold as it is, or a browser would drop."""


def _pages(study: ShownStudy, file: str) -> list[Markup]:
    """The pages of a drawing, each an image of its own: all in one would be too small to read."""
    return [
        _in_address(page)
        for page in svg_pages.pages_of((study.results.folder / file).read_text(encoding="utf-8"))
    ]


def _in_address(svg: str) -> Markup:
    """A drawing as an address that holds it, readable: the text in it can be searched.

    It is little longer than the drawing, which escapes of all its brackets and quotes would double.
    """
    svg = re.sub(r"""="([^"']*)\"""", r"='\1'", svg)  # an escape takes three times as much
    return Markup("data:image/svg+xml," + re.sub('[%#"&\n]', lambda found: IN_ADDRESS[found[0]], svg))


def caption(of: str) -> list[Markup]:
    """The paragraphs of a caption of Snakemake's report, which is reStructuredText of the plainest kind."""
    text = (CAPTIONS / f"{of}.rst").read_text(encoding="utf-8")
    file = f"{SEALED_CAPTIONS}/{of}.rst"
    return [quoted(file, {}, TEXT, plain(paragraph)) for paragraph in re.split(r"\n\s*\n", text.strip())]


def plain(text: str) -> str:
    """A paragraph of such a caption as plain text, on one line."""
    return " ".join(re.sub(r"\*\*(.+?)\*\*|``(.+?)``", r"\1\2", " ".join(text.split())).split())
