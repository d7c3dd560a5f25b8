"""The browser of all tests: it sees what a page does, and draws what a graphics card would."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

from support.browser import Witnessed


def opened(page: Page, folder: Path, script: str) -> None:
    """Open a page from disk that does nothing but run a script."""
    file = folder / "page.html"
    file.write_text(f'<!doctype html><html lang="en"><title>t</title><script>{script}</script></html>')
    page.goto(file.as_uri())


def test_a_request_to_a_network_is_seen_and_not_answered(
    page: Page, witnessed: Witnessed, tmp_path: Path
) -> None:
    wanted = "https://example.org/a.png"
    opened(page, tmp_path, f"fetch('{wanted}').catch(() => {{ document.title = 'none' }})")
    page.wait_for_function("document.title === 'none'")
    assert witnessed.requests == [wanted]
    witnessed.requests.clear()
    [error] = witnessed.errors  # the console says that there is no such host
    assert "ERR_NAME_NOT_RESOLVED" in error
    witnessed.errors.clear()


def test_errors_are_seen(page: Page, witnessed: Witnessed, tmp_path: Path) -> None:
    opened(page, tmp_path, "console.error('said'); throw new Error('thrown')")
    assert [error.split("\n")[0].split(" (")[0] for error in witnessed.errors] == ["said", "thrown"]
    witnessed.errors.clear()


def test_nothing_is_seen_of_a_page_that_stays_on_disk(page: Page, tmp_path: Path) -> None:
    (tmp_path / "beside.js").write_text("document.title = 'ran'")
    beside = "const s = document.createElement('script'); s.src = 'beside.js'; document.head.append(s)"
    opened(page, tmp_path, beside)
    page.wait_for_function("document.title === 'ran'")


def test_webgl_draws(page: Page, tmp_path: Path) -> None:
    opened(page, tmp_path, "")
    colour = page.evaluate(
        """() => {
            const gl = document.createElement('canvas').getContext('webgl2');
            gl.clearColor(1, 0.5, 0, 1);
            gl.clear(gl.COLOR_BUFFER_BIT);
            const pixel = new Uint8Array(4);
            gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
            return [...pixel];
        }"""
    )
    assert colour in ([255, 127, 0, 255], [255, 128, 0, 255])  # a half may be rounded either way
