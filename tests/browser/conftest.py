"""A browser for all tests of this folder, and a page with the viewer for those of a module."""

from support.browser import browser, page, witnessed
from support.shared_viewer import opened, seen, viewer

__all__ = ["browser", "opened", "page", "seen", "viewer", "witnessed"]
