"""What pages for a browser begin with: what they may load, and their bundled styles and scripts."""

from __future__ import annotations

import re
from pathlib import Path

from markupsafe import Markup

from headct.contracts.problems import BadInput, Problem
from headct.publish import pages

ALLOWED = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' 'self' file: blob:;"
    " style-src 'unsafe-inline'; img-src 'self' file: data: blob:; font-src data:; worker-src blob:;"
    " connect-src data: blob:; base-uri 'none'; form-action 'none'"
)
"""What a browser may load for the page: what stands in it or beside it, and nothing of a network."""

FRAME = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta http-equiv="Content-Security-Policy" content="{{ allowed }}"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
{% block head %}
{% endblock %}
<title>{% block title %}{% endblock %}</title>
<link rel="icon" href="data:,"/>
<style>
{{ style }}
</style>
</head>
{% block body %}
{% endblock %}
</html>
"""
"""What templates begin with: ``{% extends "frame" %}``."""


def render(template: str, bundle: Path, script: str, **values: object) -> str:
    """Fill a template that extends the frame; ``script`` in it is the bundled one.

    Args:
        template: its text.
        bundle: folder of styles and scripts.
        script: file of the page's script.
        values: what else it asks for, by name.
    """
    return pages.render(
        template,
        {"frame": FRAME},
        allowed=ALLOWED,
        style=of_bundle(bundle, "page.css"),
        script=of_bundle(bundle, script),
        **values,
    )


def of_bundle(folder: Path, file: str) -> Markup:
    """A bundled style sheet or script, which can stand in a page: nothing in it ends its element.

    Raises:
        BadInput: the bundle is not built.
    """
    if not (folder / file).is_file():
        message = "the page's styles and scripts are not built: 'make environment' builds them"
        raise BadInput([Problem(str(folder), message)])
    text = (folder / file).read_text(encoding="utf-8")
    return Markup(re.sub(r"</(?=script|style)", r"<\\/", text, flags=re.IGNORECASE))
