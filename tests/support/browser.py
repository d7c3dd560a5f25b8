"""A real browser for tests: Debian's Chromium, driven by Playwright, with WebGL drawn by the processor.

``tests/browser/conftest.py`` gives the fixtures to all tests there; elsewhere import them by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request, WebSocket, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")

WEBGL_BY_THE_PROCESSOR = ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
AS_ROOT = ("--no-sandbox",)
NO_NETWORK = ("--host-resolver-rules=MAP * ~NOTFOUND",)
"""What a page asks for is recorded and not answered."""

VIEWS = (
    (390, "dark"),
    (1280, "light"),
    pytest.param(390, "light", marks=pytest.mark.slow),
    pytest.param(1280, "dark", marks=pytest.mark.slow),
)
"""Widths of the window in pixels, a phone's and a desk's, and colours; two of the four are drills."""

OF_NO_NETWORK = {"file", "data", "blob", "about"}
"""Schemes of addresses for which nothing leaves the machine."""


@dataclass
class Witnessed:
    """What happened in a page while a test had it.

    Attributes:
        errors: of its scripts, and what its console called an error.
        requests: addresses, of whatever network, that it asked for.
    """

    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def attend(self, page: Page) -> None:
        """Write down what happens in a page from now on."""
        page.on("console", self._console)
        page.on("pageerror", self._page_error)
        page.on("request", self._asked_for)
        page.on("websocket", self._asked_for)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location['url']})")

    def _page_error(self, error: Error) -> None:
        self.errors.append(f"{error}\n{error.stack}")

    def _asked_for(self, request: Request | WebSocket) -> None:
        if urlsplit(request.url).scheme not in OF_NO_NETWORK:
            self.requests.append(request.url)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser of all tests of a process; without one they are skipped."""
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} not found: apt-get install --no-install-recommends chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*AS_ROOT, *NO_NETWORK, *WEBGL_BY_THE_PROCESSOR]
        )
        yield running
        running.close()


@pytest.fixture
def witnessed() -> Witnessed:
    """What happened in the test's page so far; a test that provokes an error takes it out."""
    return Witnessed()


@pytest.fixture
def page(browser: Browser, witnessed: Witnessed) -> Iterator[Page]:
    """An empty page, 1280 × 900, that shares nothing with those of other tests.

    Whatever a test looks at, its page must have made no error and asked no network for anything.
    """
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, locale="en-GB", timezone_id="UTC", reduced_motion="reduce"
    )
    opened = context.new_page()
    witnessed.attend(opened)
    yield opened
    context.close()
    assert witnessed == Witnessed()
