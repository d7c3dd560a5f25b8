"""Take the pictures of docs/gallery from the demo's results (`make gallery`): its page, and its figures.

Needs Debian's chromium, and pdftoppm of its poppler-utils. Long parts are taken in pieces: a browser without
a graphics card draws no more than some thousand pixels at once.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from headct.contracts.repository import REPOSITORY
from support.browser import AS_ROOT, CHROMIUM, WEBGL_BY_THE_PROCESSOR

FOLDER = Path(__file__).parent
DESK, PHONE = 1280, 390
PIECE = 4000
"""Pixels in height that are taken at once."""
PATIENCE_MS = 240_000
GREY = "#8a8f94"
"""Behind the pictures of a sheet."""
GAP = 12
FIGURE_DPI, PAPER_DPI = 110, 60

SHOWN = "document.addEventListener('case-shown', ({detail}) => { window.shown = detail.scan; })"
CURVES = "training_curves/nnunet-3d-focal"


def main(results: Path) -> None:
    """Take all pictures.

    Args:
        results: of the demo.
    """
    figures(results / "figures")
    index = (results / "report/index.html").resolve().as_uri()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*AS_ROOT, *WEBGL_BY_THE_PROCESSOR]
        )
        on_a_desk(browser, index)
        on_a_phone(browser, index)
        on_paper(browser, index)
        browser.close()


def figures(folder: Path) -> None:
    """The first page of each figure; of those of each model, that of one."""
    for figure in [*sorted(folder.glob("*.pdf")), folder / f"{CURVES}.pdf"]:
        name = figure.stem if figure.parent == folder else figure.parent.name
        save(of_pdf(figure, FIGURE_DPI)[0], name)


def on_a_desk(browser: Browser, index: str) -> None:
    """What one sees first, each section, a case, and a review of it."""
    page = opened(browser, index, DESK)
    save(taken(page), "page")
    for section in page.locator("main > section").all():
        name = str(section.get_attribute("id"))
        if name not in ("case", "figures"):
            save(piecewise(page, section), f"page_{name}")
    drawn = [piecewise(page, figure) for figure in page.locator("#figures > figure").all()]
    save(sheet(drawn, columns=4, scale=0.4), "page_figures")
    open_a_case(page)
    save(piecewise(page, page.locator("#case")), "page_case")
    page.get_by_label("Your name").fill("A reader")
    page.get_by_role("button", name="Start reviewing").click()
    page.wait_for_timeout(2000)
    page.keyboard.press("f")
    page.keyboard.type("mask misses blood")
    page.locator(".viewer").evaluate("viewer => viewer.scrollIntoView()")
    save(taken(page), "page_review")
    page.context.close()


def on_a_phone(browser: Browser, index: str) -> None:
    """All sections, one below the other, in columns; figures as they come."""
    page = opened(browser, index, PHONE)
    open_a_case(page)
    strips = [piecewise(page, section) for section in page.locator("main > section").all()]
    save(sheet(strips, columns=18, scale=0.4), "phone")
    page.context.close()


def on_paper(browser: Browser, index: str) -> None:
    """The pages that are printed."""
    page = opened(browser, index, DESK)
    with tempfile.TemporaryDirectory() as folder:
        page.pdf(path=Path(folder, "page.pdf"), prefer_css_page_size=True)
        pages = of_pdf(Path(folder, "page.pdf"), PAPER_DPI)
    columns = 6
    rows = [pages[start : start + columns] for start in range(0, len(pages), columns)]
    save(stacked([beside(row) for row in rows]), "paper")
    page.context.close()


def opened(browser: Browser, index: str, width: int) -> Page:
    """The page in a window of this width, drawn."""
    context = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.add_init_script(SHOWN)
    page.goto(index)
    page.add_style_tag(content="#figures figure { content-visibility: visible !important }")  # all are drawn
    page.wait_for_selector("#explorer canvas")
    page.wait_for_timeout(2000)
    return page


def open_a_case(page: Page) -> None:
    """Open the hardest one, and let its picture be drawn."""
    page.locator("#case [data-open-case]").first.click()
    page.wait_for_function("window.shown")
    page.mouse.move(0, 0)
    page.wait_for_timeout(3000)


def taken(page: Page) -> Image.Image:
    """What is in the window."""
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def piecewise(page: Page, part: Locator) -> Image.Image:
    """A part of the page, however long."""
    left, top, width, height = part.evaluate(
        "e => { const r = e.getBoundingClientRect(); return [r.x, r.y + scrollY, r.width, r.height]; }"
    )
    ends = [*range(0, int(height), PIECE), int(height)]
    pieces = [
        page.screenshot(
            full_page=True, clip={"x": left, "y": top + start, "width": width, "height": end - start}
        )
        for start, end in pairwise(ends)
    ]
    return stacked([Image.open(io.BytesIO(piece)).convert("RGB") for piece in pieces], gap=0)


def of_pdf(file: Path, dpi: int) -> list[Image.Image]:
    """The pages of a PDF."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["pdftoppm", "-r", str(dpi), "-png", file, Path(folder, "page")], check=True)
        return [Image.open(page).convert("RGB") for page in sorted(Path(folder).iterdir())]


def sheet(strips: Sequence[Image.Image], columns: int, scale: float) -> Image.Image:
    """Long pictures, smaller, one below the other, in columns of one height."""
    small = [strip.resize((round(strip.width * scale), round(strip.height * scale))) for strip in strips]
    whole = stacked(small)
    height = -(-whole.height // columns)
    return beside([whole.crop((0, top, whole.width, top + height)) for top in range(0, whole.height, height)])


def stacked(pictures: Sequence[Image.Image], gap: int = GAP) -> Image.Image:
    """Pictures one below the other."""
    height = sum(picture.height + gap for picture in pictures) - gap
    whole, top = Image.new("RGB", (max(picture.width for picture in pictures), height), GREY), 0
    for picture in pictures:
        whole.paste(picture, (0, top))
        top += picture.height + gap
    return whole


def beside(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures one beside the other."""
    width = sum(picture.width + GAP for picture in pictures) - GAP
    whole, left = Image.new("RGB", (width, max(picture.height for picture in pictures)), GREY), 0
    for picture in pictures:
        whole.paste(picture, (left, 0))
        left += picture.width + GAP
    return whole


def save(picture: Image.Image, name: str) -> None:
    """As WebP, in the way that takes fewer bytes: without loss (text), or with (CT)."""
    written = []
    for how in ({"lossless": True}, {"quality": 75}):
        stream = io.BytesIO()
        picture.save(stream, "WEBP", method=6, **how)
        written.append(stream.getvalue())
    smaller = min(written, key=len)
    (FOLDER / f"{name}.webp").write_bytes(smaller)
    print(f"{name}.webp: {picture.width} × {picture.height}, {len(smaller) / 1000:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else REPOSITORY / "demo/results")
