"""A browser for all tests of this folder."""

from support.browser import browser, page, witnessed

__all__ = ["browser", "page", "witnessed"]
