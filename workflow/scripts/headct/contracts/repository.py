"""Where this project's own files are."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parents[1]
REPOSITORY = PACKAGE.parents[2]
SCHEMAS = REPOSITORY / "workflow" / "schemas"
RESOURCES = REPOSITORY / "resources"
BUNDLE = REPOSITORY / "workflow" / "page" / "bundle"
"""Styles and scripts of pages for a browser, which set-up makes."""
