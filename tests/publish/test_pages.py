"""Pages from templates: what is filled in is shown as it is, and nothing is left out without a word."""

from __future__ import annotations

import jinja2
import pytest

from headct.publish import pages

TEMPLATE = '{% extends "page" %}{% block body %}<p>{{ said }}</p>{% endblock %}'


def test_values_are_no_markup() -> None:
    page = pages.render(TEMPLATE, title="a < b", said="<script>alert('x')</script> & more")
    assert "<p>&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; more</p>" in page
    assert "<title>a &lt; b</title>" in page


def test_a_value_that_was_not_given_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="said"):
        pages.render(TEMPLATE, title="a")


def test_braces_in_a_value_are_shown() -> None:
    assert "<p>{{ title }} {% raw %}</p>" in pages.render(TEMPLATE, title="a", said="{{ title }} {% raw %}")
