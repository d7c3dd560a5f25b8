"""A lineage as a picture: one box per kind of job, from the file at the top down to the raw series.

Plain SVG, written by hand: no layout engine is needed for a graph of a dozen boxes, and equal lineages
are equal bytes. The page has the same picture and, below it, every job.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from markupsafe import Markup

from headct.contracts.run_records import Record
from headct.provenance.lineage import Lineage, Stage, from_outside, wildcards_in_short
from headct.publish import pages

BOX_WIDTH, LINE, PADDING = 330, 16, 9
GAP_X, GAP_Y, MARGIN = 46, 46, 16
BULGE, STEP = 26, 15
"""How far an edge that passes layers bends to the side, and by how much more per layer (px)."""

CHARACTERS = 52
"""That fit into a box."""

FILLS = {"file": "#fff4d6", "job": "#ffffff", "source": "#e8f1fa"}
STYLE = (
    "text{font:12px Helvetica,Arial,sans-serif;fill:#111}.head{font-weight:bold}"
    ".small{font-size:11px;fill:#444}"
    "path{fill:none;stroke:#777;stroke-width:1.1}rect{stroke:#444;stroke-width:1}"
)
DRAWN = (".svg", ".html")

TEMPLATE = """\
{% extends "page" %}
{% block style %}
body { font: 14px/1.4 Helvetica, Arial, sans-serif; margin: 2em; color: #111; }
code { font-size: 12px; }
td, th { text-align: left; padding: .1em .8em .1em 0; vertical-align: top; }
{% endblock %}
{% block body %}
<h1>Where {{ title }} comes from</h1>
{{ picture }}
{% for rule, jobs in jobs_by_rule.items() %}
<details><summary>{{ jobs | length }} × {{ rule }}</summary>
<table>
<tr><th>job</th><th>started</th><th>host</th><th>run record</th></tr>
{% for words, job in jobs %}
<tr><td>{{ words }}</td><td>{{ job.started }}</td><td>{{ job.host.name }}</td>
<td><code>results/{{ job.path }}</code></td></tr>
{% endfor %}
</table></details>
{% endfor %}
{% if found.sources %}
<h2>Files that no job made</h2>
<ul>
{% for path, digest in found.sources.items() %}
<li><code>{{ path }}</code> {{ digest }}</li>
{% endfor %}
</ul>
{% endif %}
{% if found.broken %}
<h2>Broken</h2>
<ul>
{% for words in found.broken %}
<li>{{ words }}</li>
{% endfor %}
</ul>
{% else %}
<p>Unbroken: each job read just the bytes that the one before it recorded.</p>
{% endif %}
{% endblock %}
"""


@dataclass(frozen=True)
class LineageBox:
    """One box: its text, its kind, and the names of the boxes that it was made from."""

    name: str
    lines: Sequence[str]
    kind: str
    of: Sequence[str]

    @property
    def height(self) -> int:
        return len(self.lines) * LINE + 2 * PADDING


def draw(found: Lineage, out: Path) -> None:
    """Write the picture of a lineage, as SVG, or as a page with the picture and all its jobs."""
    text = svg(found) if out.suffix == ".svg" else page(found)
    pages.write(text, out)


def boxes(found: Lineage) -> list[LineageBox]:
    """The file, one box per kind of job, files from outside, the raw series."""
    drawn = [
        LineageBox("file", [found.artefact, f"sha256 {found.digest[:32]}…"], "file", [found.stages[0].rule])
    ]
    for stage in found.stages:
        made_from = [*stage.of]
        outside = _outside(stage, found)
        if outside:
            drawn.append(LineageBox(f"outside {stage.rule}", outside, "source", []))
            made_from.append(f"outside {stage.rule}")
        if any(path.endswith("/scan.json") for job in stage.jobs for path in job.outputs):
            made_from.append("raw")
        drawn.append(LineageBox(stage.rule, _about(stage), "job", made_from))
    if found.instances:
        n = sum(map(len, found.instances.values()))
        lines = [f"{len(found.instances)} scans", f"{n} DICOM instances, sha256 of each in scan.json"]
        drawn.append(LineageBox("raw", lines, "source", []))
    return drawn


def _about(stage: Stage) -> list[str]:
    count = f"{len(stage.jobs)} × " if len(stage.jobs) > 1 else ""
    names = stage.names()
    made = stage.files[0] if len(stage.files) == 1 else f"{len(stage.files)} files"
    lines = [f"{count}{stage.rule}", f"made {made}"]
    if names:
        lines.append(", ".join(names))
    return [*lines, f"{stage.when()} UTC", f"on {stage.hosts()}; commit {stage.commits()}"]


def _outside(stage: Stage, found: Lineage) -> list[str]:
    """Files that a kind of job read and that no job made."""
    words = from_outside(stage.sources)
    return [f"{path}  {found.sources[path][:12]}…" if path in found.sources else path for path in words]


def svg(found: Lineage) -> str:
    """The picture."""
    drawn = boxes(found)
    places, width, height = _places(drawn)
    left = MARGIN + BULGE + STEP * len(drawn) // 2
    shifted = {name: (x + left, y) for name, (x, y) in places.items()}
    depth = _depths(drawn)
    body = "".join([*_edges(drawn, shifted, depth), *_rects(drawn, shifted)])
    total = width + 2 * left
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="{height}"'
        f' viewBox="0 0 {total} {height}" role="img">'
        f"<title>{escape(found.artefact)}: where it comes from</title><style>{STYLE}</style>\n"
        f'<rect width="{total}" height="{height}" fill="#fff" style="stroke:none"/>\n{body}</svg>\n'
    )


def _depths(drawn: Sequence[LineageBox]) -> Mapping[str, int]:
    """Layer of each box: one below the lowest of those that were made from it."""
    depth = {"file": 0}
    for _ in drawn:  # at most as many layers as boxes
        for box in drawn:
            for name in box.of:
                depth[name] = max(depth.get(name, 0), depth.get(box.name, 0) + 1)
    return depth


def _places(drawn: Sequence[LineageBox]) -> tuple[dict[str, tuple[int, int]], int, int]:
    """Upper left corner of each box, and the size of the whole (px)."""
    depth = _depths(drawn)
    layers = [[box for box in drawn if depth[box.name] == level] for level in range(max(depth.values()) + 1)]
    width = max(len(layer) * (BOX_WIDTH + GAP_X) - GAP_X for layer in layers)
    places, y = {}, MARGIN
    for layer in layers:
        x = 0
        for box in sorted(layer, key=lambda box: box.kind == "source"):
            places[box.name] = (x, y)
            x += BOX_WIDTH + GAP_X
        y += max(box.height for box in layer) + GAP_Y
    return places, width, y - GAP_Y + MARGIN


def _edges(
    drawn: Sequence[LineageBox], places: Mapping[str, tuple[int, int]], depth: Mapping[str, int]
) -> Iterator[str]:
    """Lines from what was made down to what it was made from; long ones pass the layers at the left."""
    height = {box.name: box.height for box in drawn}
    for box in drawn:
        x, y = places[box.name]
        for name in box.of:
            to_x, to_y = places[name]
            layers = depth[name] - depth[box.name]
            if layers == 1:
                start, end = (x + BOX_WIDTH // 2, y + box.height), (to_x + BOX_WIDTH // 2, to_y)
                bend = (end[1] - start[1]) // 2
                curve = f"C{start[0]},{start[1] + bend} {end[0]},{end[1] - bend} {end[0]},{end[1]}"
            else:
                start, end = (x, y + box.height // 2), (to_x, to_y + height[name] // 2)
                side = min(x, to_x) - BULGE - STEP * layers
                curve = f"C{side},{start[1]} {side},{end[1]} {end[0]},{end[1]}"
            yield f'<path d="M{start[0]},{start[1]}{curve}"/>\n'


def _rects(drawn: Sequence[LineageBox], places: Mapping[str, tuple[int, int]]) -> Iterator[str]:
    for box in drawn:
        x, y = places[box.name]
        yield (
            f'<rect x="{x}" y="{y}" width="{BOX_WIDTH}" height="{box.height}" rx="4"'
            f' fill="{FILLS[box.kind]}"/>\n'
        )
        for i, line in enumerate(box.lines):
            kind = "head" if i == 0 else "small"
            shown = line if len(line) <= CHARACTERS else line[: CHARACTERS - 1] + "…"
            at = y + PADDING + LINE * i + 12
            yield (
                f'<text class="{kind}" x="{x + PADDING}" y="{at}">{escape(shown)}'
                f"<title>{escape(line)}</title></text>\n"
            )


def page(found: Lineage) -> str:
    """A page that needs no other file: the picture, then each kind of job with all its jobs."""
    jobs_by_rule = {stage.rule: list(map(_named, stage.jobs)) for stage in found.stages}
    picture = Markup(svg(found))
    return pages.render(
        TEMPLATE, title=found.artefact, found=found, picture=picture, jobs_by_rule=jobs_by_rule
    )


def _named(job: Record) -> tuple[str, Record]:
    return wildcards_in_short(job) or job.rule, job
