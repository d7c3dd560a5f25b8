"""A page that has nothing but the viewer of cases, and what stands in its pictures."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Locator, Page

from headct.contracts.repository import REPOSITORY
from headct.publish.page.case_content import Case, content_of, script

BUNDLE = REPOSITORY / "workflow" / "page" / "bundle"
LONGEST_MS = 240_000
"""Until a case is shown on a busy machine without a graphics card."""

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Viewer</title><style>{css}</style></head>
<body><main><div id="viewer"></div></main>
<script type="application/json" id="study">{study}</script>
<script type="application/json" id="rows">{rows}</script>
<script>{js}</script>
<script>
document.addEventListener("case-shown", ({{detail}}) => {{ document.body.dataset.shown = detail.scan; }});
</script>
</body></html>
"""

# Where the corners of the voxels of the first tile are, row by row; and of the tile itself.
CORNERS = """([picture, plane, width, height]) => {
  const screens = headct.viewer.panels[picture].pane.screens();
  const screen = screens.find((one) => one.plane === plane);
  const rows = [];
  for (let v = 0; v <= height; v++)
    for (let u = 0; u <= width; u++) rows.push(screen.corner(u, v));
  return {corners: rows, index: screen.index};
}"""


def write_page(
    folder: Path, cases: Sequence[Case], study: Mapping[str, Any], rows: Mapping[str, Any]
) -> Path:
    """Write the page and its cases into a folder; its path."""
    assert (BUNDLE / "viewer.js").is_file(), "the page's scripts are not bundled: make environment"
    scans = folder / "cases" / "scans"
    scans.mkdir(parents=True)
    digests = {}
    for case in cases:
        content = content_of(case, "hounsfield", mask_face=False)
        digests[case.scan_id] = content["digest"]
        (scans / f"{case.scan_id}.js").write_text(script(content))
    (folder / "cases" / "viewer.js").write_bytes((BUNDLE / "viewer.js").read_bytes())
    css, js = ((BUNDLE / name).read_text() for name in ("page.css", "index.js"))
    page = folder / "index.html"
    data = {"study": json.dumps({**study, "digests": digests}), "rows": json.dumps(rows)}
    page.write_text(PAGE.format(css=css, js=js.replace("</script", "<\\/script"), **data), encoding="utf-8")
    return page


def open_case(page: Page, scan: str, **detail: str) -> None:
    """Open a case and wait until it is shown."""
    page.evaluate(
        """(detail) => { delete document.body.dataset.shown;
           document.dispatchEvent(new CustomEvent("open-case", {detail})); }""",
        {"scan": scan, **detail},
    )
    page.wait_for_selector(f'body[data-shown="{scan}"]', timeout=LONGEST_MS)


def picture(page: Page, number: int = 0) -> Locator:
    """One of the pictures, with all that is drawn over it."""
    return page.locator(".viewer-picture").nth(number)


TWO_FRAMES = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""JavaScript: waits until what was changed is drawn, however busy the machine is."""


def pixels(page: Page, number: int = 0) -> NDArray[np.int64]:
    """RGB of a picture as it is seen, shape (rows, columns, 3), once that does not change any more."""
    before = b""
    while (seen := picture(page, number).screenshot()) != before:
        before = seen
        page.evaluate(TWO_FRAMES)
        page.wait_for_timeout(300)
    return np.asarray(Image.open(io.BytesIO(seen)).convert("RGB"), np.int64)


@dataclass(frozen=True)
class Tile:
    """A plane in a picture.

    Attributes:
        corners: of its voxels, as (x, y) in what :func:`pixels` shows; shape (rows + 1, columns + 1, 2).
        index: of the voxels across it.
    """

    corners: NDArray[np.float64]
    index: int

    @property
    def centres(self) -> NDArray[np.float64]:
        """Of its voxels, in pixels; shape (rows, columns, 2)."""
        corners = self.corners
        return (corners[1:, 1:] + corners[1:, :-1] + corners[:-1, 1:] + corners[:-1, :-1]) / 4

    @property
    def voxel_px(self) -> float:
        """The shorter side of its narrowest voxel, in pixels."""
        sides = [np.linalg.norm(np.diff(self.corners, axis=axis), axis=-1).min() for axis in (0, 1)]
        return float(min(sides))


def tile(page: Page, plane: str, section: NDArray[Any], number: int = 0) -> Tile:
    """Where the voxels of a section lie in a picture."""
    height, width = section.shape
    found = page.evaluate(CORNERS, [number, plane, width, height])
    box = picture(page, number).bounding_box()
    assert box
    begins = box["x"] % 1, box["y"] % 1  # a picture that begins within a pixel is seen with all of it
    return Tile(np.array(found["corners"]).reshape(height + 1, width + 1, 2) + begins, found["index"])


def section(volume: NDArray, plane: str, index: int) -> NDArray:
    """What a volume (z, y, x) has in a plane: rows and columns as the viewer has them."""
    axis = {"axial": 0, "coronal": 1, "sagittal": 2}[plane]
    return volume.take(index, axis=axis)


def shown_volume(case: Case, page: Page, volume: NDArray) -> NDArray:
    """A volume of a case as far as its file has it."""
    shape, (x, y) = page.evaluate(
        "(s) => [headct.cases.get(s).shape, headct.cases.get(s).crop]", case.scan_id
    )
    return volume[:, y : y + shape[1], x : x + shape[0]]


def at(shown: NDArray, places: NDArray) -> NDArray:
    """The pixels at places (…, 2) as (x, y); NaN outside."""
    x, y = np.rint(places[..., 0] - 0.5).astype(int), np.rint(places[..., 1] - 0.5).astype(int)
    height, width = shown.shape[:2]
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    found = shown[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)].astype(float)
    return np.where(inside[..., None], found, np.nan)


def correlation(page: Page, case: Case, plane: str, window_hu: tuple[int, int]) -> float:
    """Of the pixels of a picture with the windowed voxels that they show."""
    image = shown_volume(case, page, case.image)
    placed = tile(page, plane, section(image, plane, 0))
    expected = np.clip(section(image, plane, placed.index), *window_hu).astype(float)
    found = at(pixels(page), placed.centres)[..., 0]
    known = np.isfinite(found)
    assert known.mean() > 0.95
    return float(np.corrcoef(found[known], expected[known])[0, 1])
