"""What axe-core finds wrong in a page for people who see little, hear it read, or use the keyboard alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from headct.contracts.repository import REPOSITORY

AXE = REPOSITORY / "workflow/page/node_modules/axe-core/axe.min.js"
GRAVE = {"serious", "critical"}
"""Of axe's grades of faults, those that no page may have."""


def grave_faults(page: Page, within: str = "html") -> list[str]:
    """A line for each grave fault of the page as it is now: the rule, an element, what to do.

    Args:
        page: that is looked at.
        within: selector of the part of it that is.
    """
    if not AXE.is_file():
        pytest.skip("axe-core is not here, where packages come from make wheels: npm ci in workflow/page")
    # What is far from sight is not laid out, and axe would take it to lie on something else.
    page.add_style_tag(content="* { content-visibility: visible !important }")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("within => axe.run(within, {resultTypes: ['violations']})", within)
    assert found["passes"], "axe looked at nothing"
    return [
        f"{fault['id']}: {node['html']}: {node['failureSummary']}"
        for fault in found["violations"]
        if fault["impact"] in GRAVE
        for node in fault["nodes"]
    ]
