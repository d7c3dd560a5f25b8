"""Drawings of several pages as one SVG, one below the other, and its pages again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from itertools import pairwise

from headct.publish.figures.short_svg import shorter

OF_MATPLOTLIB = re.compile(
    r'<svg .*?viewBox="0 0 ([\d.]+) ([\d.]+)".*?>\s*<defs>\s*<style.*?</style>\s*</defs>', re.S
)
"""What Matplotlib begins an SVG with; its width and height are in points."""
LINES = 'stroke-linejoin="round" stroke-linecap="butt"'
"""What Matplotlib says by a style sheet, which in a page of HTML would be that of all its drawings."""
NAMED_GROUP = re.compile(r'(<g) id="[^"]*"')
"""Nothing in an SVG of Matplotlib refers to one."""
HEAD = re.compile(r'<svg [^>]*viewBox="0 0 ([\d.]+) ([\d.]+)"')
PAGE = re.compile(r'^<g class="page" transform="translate\(0 ([\d.]+)\)">\n', re.M)
"""What a page begins with: where its top is."""


def joined(pages: Sequence[str]) -> str:
    """One SVG of those that Matplotlib made of several pages; it may stand in a page of HTML beside others.

    Its names are its own: what they begin with is the digest of their page. Words stand as comments before
    the paths that draw them, so that they can be searched for.

    Raises:
        ValueError: Matplotlib writes in another way than this was made for.
    """
    bodies, width, height = [], 0.0, 0.0
    for text in pages:
        head = OF_MATPLOTLIB.search(text)
        if head is None:
            raise ValueError(f"Matplotlib writes SVG in another way than this was made for: {text[:500]}")
        body = NAMED_GROUP.sub(r"\1", text[head.end() : text.rindex("</svg>")])
        own = f"p{hashlib.sha256(body.encode()).hexdigest()[:8]}-"
        body = "\n".join(line.strip() for line in shorter(body, own).split("\n") if line.strip())
        bodies.append(_page(height, f"{body}\n</g>\n"))
        width, height = max(width, float(head[1])), height + float(head[2])
    return _svg(width, height, "".join(bodies))


def pages_of(text: str) -> list[str]:
    """The pages of an SVG that :func:`joined` has made, each as an SVG that needs none of the others.

    Raises:
        ValueError: it has made no such SVG.
    """
    head, starts = HEAD.match(text), list(PAGE.finditer(text))
    if head is None or not starts:
        raise ValueError(f"no SVG of pages that stand one below the other: {text[:500]}")
    tops = [*(float(start[1]) for start in starts), float(head[2])]
    ends = [*(start.start() for start in starts[1:]), text.rindex("</svg>")]
    bodies = [text[start.end() : end] for start, end in zip(starts, ends, strict=True)]
    heights = [bottom - top for top, bottom in pairwise(tops)]
    return [
        _svg(float(head[1]), height, _page(0, body)) for height, body in zip(heights, bodies, strict=True)
    ]


def _page(top: float, body: str) -> str:
    return f'<g class="page" transform="translate(0 {top:g})">\n{body}'


def _svg(width: float, height: float, body: str) -> str:
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1" '
        f'width="{width:g}pt" height="{height:g}pt" viewBox="0 0 {width:g} {height:g}" {LINES}>\n'
        f"{body}</svg>\n"
    )
