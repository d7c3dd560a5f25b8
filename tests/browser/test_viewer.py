"""The viewer of cases in a real browser: what its pictures show is what the files hold, where it lies."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page
from scipy.spatial import KDTree

from headct.publish.page.case_content import TRUTH, Case
from support.browser import Witnessed
from support.case_studies import TILTED, UNEVEN, simulated_case
from support.label_sets import LABELS
from support.viewer_page import (
    LONGEST_MS,
    at,
    correlation,
    open_case,
    picture,
    pixels,
    section,
    shown_volume,
    tile,
    write_page,
)

CASES = {case.scan_id: case for case in map(simulated_case, (TILTED, UNEVEN))}
MODELS = {"moved": "U-Net", "unaware": "2D"}
WINDOWS_HU = {"Brain": (0, 80), "Blood": (-20, 180), "Bone": (-800, 2000)}
PLANES = ("axial", "coronal", "sagittal")
STUDY = {
    "models": [{"key": key, "title": title, "trivial": False} for key, title in MODELS.items()],
    "lesions": [
        {"key": label.name, "title": label.title, "colour": label.colour, "group": False}
        for label in LABELS.labels
    ],
    "cases": list(CASES),
    "order": {},
}
ROWS = {
    "scan": ["tilted", "tilted", "tilted", "uneven"],
    "model": [0, 0, 1, 0],
    "lesion": [0, 1, 0, 0],
    "dice": [0.81234, 0.3, None, 1.0],
    "reference_ml": [50.04, 30, 50.04, 10],
    "predicted_ml": [48, 20.06, 0, 10],
    "volume_error_ml": [-2.04, -9.94, None, 0],
    "hd95_mm": [3.21, None, None, 0],
    "presence": ["TP", "TP", None, "TP"],
    "failure": ["", None, "out of memory", None],
}


@pytest.fixture(scope="module")
def seen() -> Witnessed:
    """What happened in the page of this module's tests."""
    return Witnessed()


@pytest.fixture(scope="module")
def opened(browser: Browser, seen: Witnessed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A page with the viewer, which all tests share: to start it takes longest."""
    file = write_page(tmp_path_factory.mktemp("viewer"), list(CASES.values()), STUDY, ROWS)
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(LONGEST_MS)
    seen.attend(page)
    page.goto(file.as_uri())
    yield page
    page.close()


@pytest.fixture
def viewer(opened: Page, seen: Witnessed) -> Iterator[Page]:
    """The viewer, as it is at first: axial, brain, outlines, one picture."""
    yield opened
    if opened.locator(".viewer").count():
        choose(opened, "Axial", "Brain", "Outlines")
        for words in ("Two pictures", "Measure a length"):
            if opened.get_by_role("button", name=words, pressed=True).count():
                opened.get_by_role("button", name=words).click()
    assert seen == Witnessed()


# Clicks by the page itself: Playwright waits before each until nothing moves, long without a graphics card.
CHOOSE = """(words) => {
  const labels = [...document.querySelectorAll(".viewer-choice label")];
  for (const each of words)
    labels.find((label) => label.innerText.trim() === each).querySelector("input").click();
}"""
CHECK = """(names) => {
  const pane = document.querySelector(".viewer-pane");
  for (const box of pane.querySelectorAll(".viewer-maps input"))
    if (box.checked !== names.includes(box.value)) box.click();
}"""
ARE_DRAWN = (
    "(n) => document.querySelector('.viewer-pane').querySelectorAll('.viewer-legend svg').length === n"
)
SET_OPACITY = """(opacity) => {
  const slider = document.querySelector(".viewer-slider input");
  slider.value = opacity;
  slider.dispatchEvent(new Event("input"));
}"""


def choose(page: Page, *words: str) -> None:
    """Choose windows, planes, looks."""
    page.evaluate(CHOOSE, list(words))


def show_maps(page: Page, *names: str) -> None:
    """Let the first picture show these maps and no others, as outlines."""
    page.evaluate(CHECK, list(names))
    page.wait_for_function(ARE_DRAWN, arg=len(names))


def set_opacity(page: Page, opacity: float) -> None:
    """Move the slider."""
    page.evaluate(SET_OPACITY, opacity)


@pytest.mark.parametrize("scan", CASES)
@pytest.mark.parametrize("window", WINDOWS_HU)
def test_a_slice_is_shown_as_its_window_has_it(viewer: Page, scan: str, window: str) -> None:
    open_case(viewer, scan)
    show_maps(viewer)
    choose(viewer, window)
    assert correlation(viewer, CASES[scan], "axial", WINDOWS_HU[window]) >= 0.95


@pytest.mark.parametrize("scan", CASES)
@pytest.mark.parametrize("plane", ["coronal", "sagittal"])
def test_other_planes_are_shown_where_slices_lie(viewer: Page, scan: str, plane: str) -> None:
    open_case(viewer, scan)
    show_maps(viewer)
    choose(viewer, plane.capitalize())
    assert correlation(viewer, CASES[scan], plane, WINDOWS_HU["Brain"]) >= 0.95


def true_corners_mm(case: Case, page: Page, plane: str, index: int) -> NDArray:
    """Where corners of voxels of a plane lie (LPS, mm), by the slices' own origins; (rows, columns, 3)."""
    columns, rows, n_slices = page.evaluate("(s) => headct.cases.get(s).shape", case.scan_id)
    crop = page.evaluate("(s) => headct.cases.get(s).crop", case.scan_id)
    origins = np.array(case.geometry["slice_origins_mm_lps"])
    between = (origins[1:] + origins[:-1]) / 2
    edges = np.vstack([2 * origins[0] - between[0], between, 2 * origins[-1] - between[-1]])
    x, y = np.array(case.geometry["directions_lps"])[:, :2].T * np.array(case.pixel_mm)[:, None]
    u, v, z = (
        np.arange(columns + 1) - 0.5 + crop[0],
        np.arange(rows + 1) - 0.5 + crop[1],
        np.arange(n_slices + 1),
    )
    if plane == "axial":
        return origins[index] + v[:, None, None] * y + u[None, :, None] * x
    if plane == "coronal":
        return edges[z][:, None] + (index + crop[1]) * y + u[None, :, None] * x
    return edges[z][:, None] + (index + crop[0]) * x + v[None, :, None] * y


@pytest.mark.parametrize("scan", CASES)
@pytest.mark.parametrize("plane", PLANES)
def test_distances_in_a_picture_are_those_in_the_head(viewer: Page, scan: str, plane: str) -> None:
    case = CASES[scan]
    open_case(viewer, scan)
    choose(viewer, plane.capitalize())
    placed = tile(viewer, plane, section(shown_volume(case, viewer, case.image), plane, 0))
    true = true_corners_mm(case, viewer, plane, placed.index).reshape(-1, 3)
    seen = placed.corners.reshape(-1, 2)
    first, second = np.random.default_rng(1).integers(0, len(true), (2, 2000))
    true_mm = np.linalg.norm(true[first] - true[second], axis=1)
    seen_px = np.linalg.norm(seen[first] - seen[second], axis=1)
    far = true_mm > 20
    scale = seen_px[far] / true_mm[far]
    assert scale.max() / scale.min() < 1.001, "a picture is stretched, sheared, or its slices lie elsewhere"


def colour_of(label: str) -> NDArray:
    colour = LABELS.label(label).colour
    return np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)])


@pytest.mark.parametrize("scan", CASES)
@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("name", [TRUTH, "moved"])
def test_outlines_lie_within_a_voxel_of_the_maps(viewer: Page, scan: str, plane: str, name: str) -> None:
    case = CASES[scan]
    open_case(viewer, scan, lesion="ICH")
    show_maps(viewer, name)
    choose(viewer, plane.capitalize())
    set_opacity(viewer, 1)
    labels = shown_volume(case, viewer, case.maps[name])
    placed = tile(viewer, plane, section(labels, plane, 0))
    inside = section(labels, plane, placed.index) == LABELS["ICH"]
    assert inside.any(), "the viewer opens a slice with the lesion"
    padded = np.pad(inside, 1)
    level = padded[1:, 1:-1] != padded[:-1, 1:-1]  # edges along a row: (rows + 1, columns)
    upright = padded[1:-1, 1:] != padded[1:-1, :-1]
    middles = np.concatenate(
        [
            ((placed.corners[:, 1:] + placed.corners[:, :-1]) / 2)[level],
            ((placed.corners[1:] + placed.corners[:-1]) / 2)[upright],
        ]
    )
    drawn = np.argwhere(np.abs(pixels(viewer) - colour_of("ICH")).max(axis=-1) < 40)[:, ::-1] + 0.5
    assert len(drawn) > len(middles), "an outline in the colour of the lesion"
    from_line_px, _ = KDTree(middles).query(drawn)
    longest = max(np.linalg.norm(np.diff(placed.corners, axis=axis), axis=-1).max() for axis in (0, 1))
    assert from_line_px.max() <= longest, "something is drawn further than a voxel from the outline"
    from_map_px, _ = KDTree(drawn).query(middles)
    assert from_map_px.max() <= longest, "a part of the outline is not drawn"


def test_maps_are_chosen_and_told_by_their_lines(viewer: Page) -> None:
    open_case(viewer, "tilted", model="unaware")
    legend = viewer.locator(".viewer-legend").first
    assert legend.inner_text().split("\n")[:2] == ["Reference", "2D"]
    lines = legend.locator("line")
    assert lines.nth(0).get_attribute("stroke-dasharray") is None
    assert lines.nth(1).get_attribute("stroke-dasharray")
    before = pixels(viewer)
    show_maps(viewer, TRUTH, "moved", "unaware")
    assert (pixels(viewer) != before).any()
    assert legend.inner_text().split("\n")[:3] == ["Reference", "U-Net", "2D"]
    assert "U-Net" in str(viewer.locator(".viewer canvas").first.get_attribute("aria-label"))


def test_fills_are_as_strong_as_their_opacity(viewer: Page) -> None:
    case = CASES["tilted"]
    open_case(viewer, "tilted", lesion="ICH")
    show_maps(viewer)
    labels = shown_volume(case, viewer, case.maps[TRUTH])
    placed = tile(viewer, "axial", section(labels, "axial", 0))
    inside = section(labels, "axial", placed.index) == LABELS["ICH"]
    # Voxels whose neighbours are inside as well: no line is drawn on them.
    deep = inside[1:-1, 1:-1] & inside[2:, 1:-1] & inside[:-2, 1:-1] & inside[1:-1, 2:] & inside[1:-1, :-2]
    places = placed.centres[1:-1, 1:-1][deep]
    assert len(places) > 10
    bare = at(pixels(viewer), places)
    show_maps(viewer, TRUTH)
    choose(viewer, "Fills")
    for opacity in (1.0, 0.4):
        set_opacity(viewer, opacity)
        expected = bare * (1 - opacity / 2) + colour_of("ICH") * opacity / 2
        assert np.abs(at(pixels(viewer), places) - expected).max() < 6


def test_differences_are_told_by_patterns_too(viewer: Page) -> None:
    case = CASES["tilted"]
    open_case(viewer, "tilted", model="moved", lesion="ICH")
    show_maps(viewer, TRUTH, "moved")
    set_opacity(viewer, 1)
    choose(viewer, "Difference")
    for _ in range(4):
        viewer.get_by_role("button", name="Larger").click()
    maps = {name: shown_volume(case, viewer, case.maps[name]) for name in (TRUTH, "moved")}
    placed = tile(viewer, "axial", section(maps[TRUTH], "axial", 0))
    is_in, found = (section(maps[name], "axial", placed.index) == LABELS["ICH"] for name in (TRUTH, "moved"))
    colours = {"#E69F00": is_in & ~found, "#CC79A7": found & ~is_in, "#56B4E9": is_in & found}
    shown = pixels(viewer)
    shares = {}
    for colour, where in colours.items():
        assert where.sum() > 5
        rgb = np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)])
        corners = placed.corners
        own = []
        for row, column in np.argwhere(where):
            (left, top), (right, bottom) = corners[row, column], corners[row + 1, column + 1]
            own.append(
                shown[round(top) + 3 : round(bottom) - 3, round(left) + 3 : round(right) - 3].reshape(-1, 3)
            )
        inside = np.concatenate(own)
        shares[colour] = float((np.abs(inside - rgb).max(axis=1) < 40).mean())
    assert 0.15 < shares["#E69F00"] < 0.8, "stripes"
    assert 0.05 < shares["#CC79A7"] < 0.6, "dots"
    assert shares["#56B4E9"] < 0.3, "plain and faint"
    legend = viewer.locator(".viewer-legend").first.inner_text()
    for words in ("U-Net against the reference", "missed", "false", "right"):
        assert words in legend
    viewer.get_by_role("button", name="Whole").click()


def cursors(page: Page) -> list[list[int]]:
    """The voxel at which each picture's cursor is."""
    return [page.evaluate(f"headct.viewer.panels[{number}].pane.cursor") for number in (0, 1)]


def test_two_pictures_look_at_the_same_place(viewer: Page) -> None:
    open_case(viewer, "uneven", model="moved")
    viewer.get_by_role("button", name="Two pictures").click()
    viewer.wait_for_function(
        "document.querySelectorAll('.viewer-legend')[1].innerText.includes('2D')", timeout=60_000
    )
    first, second = cursors(viewer)
    assert first == second
    picture(viewer, 1).hover()
    viewer.mouse.wheel(0, -100)
    viewer.wait_for_timeout(200)
    moved, followed = cursors(viewer)
    assert moved == followed == [*first[:2], first[2] + 1]
    choose(viewer, "All three")
    box = picture(viewer, 0).bounding_box()
    assert box
    viewer.mouse.click(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.7)
    viewer.wait_for_timeout(200)
    clicked, followed = cursors(viewer)
    assert clicked == followed != moved


@pytest.mark.parametrize("plane", PLANES)
def test_a_length_that_is_measured_is_that_in_the_head(viewer: Page, plane: str) -> None:
    case = CASES["tilted"]
    open_case(viewer, "tilted")
    choose(viewer, plane.capitalize())
    placed = tile(viewer, plane, section(shown_volume(case, viewer, case.image), plane, 0))
    true = true_corners_mm(case, viewer, plane, placed.index)
    rows, columns = true.shape[:2]
    start, end = (rows // 4, columns // 4), (3 * rows // 4, 3 * columns // 4)
    viewer.get_by_role("button", name="Measure a length").click()
    box = picture(viewer).bounding_box()
    assert box
    places = [placed.corners[corner] + (box["x"], box["y"]) for corner in (start, end)]
    viewer.mouse.move(*places[0])
    viewer.mouse.down()
    viewer.mouse.move(*(places[0] + places[1]) / 2)
    viewer.mouse.move(*places[1])
    viewer.mouse.up()
    said = viewer.locator(".viewer-said").inner_text()
    length_mm = float(said.removeprefix("Length: ").removesuffix(" mm."))
    assert length_mm == pytest.approx(np.linalg.norm(true[start] - true[end]), rel=0.02)


def test_keys_do_what_the_mouse_does(viewer: Page) -> None:
    open_case(viewer, "tilted")
    canvas = viewer.locator(".viewer canvas").first
    canvas.focus()
    before = cursors(viewer)[0]
    viewer.keyboard.press("ArrowUp")
    assert cursors(viewer)[0] == [*before[:2], before[2] + 1]
    viewer.keyboard.press("Home")
    assert cursors(viewer)[0][2] == 0
    assert viewer.locator(".viewer-slider output").last.inner_text().startswith("1 of ")
    chosen = viewer.locator(".viewer-choice input:checked")
    for keys, expected in (
        ("2c", "blood coronal outlines"),
        ("3d", "bone coronal difference"),
        ("1ao", "brain axial outlines"),
    ):
        for key in keys:
            viewer.keyboard.press(key)
        assert " ".join(str(chosen.nth(n).get_attribute("value")) for n in range(3)) == expected
    viewer.keyboard.press("t")
    assert not viewer.get_by_role("checkbox", name="Reference").first.is_checked()


def test_measures_stand_beside_with_where_they_are_from(viewer: Page) -> None:
    open_case(viewer, "tilted", model="moved")
    table = viewer.locator(".viewer-measures")
    cells = table.locator("tbody tr").nth(0).inner_text().split("\t")
    assert cells == ["U-Net", "ICH", "50.0", "48.0", "−2.0", ".812", "3.2"]
    dice = table.locator("data").nth(3)
    assert dice.get_attribute("value") == "0.81234"
    assert dice.get_attribute("data-file") == "metrics/moved.tsv"
    assert dice.get_attribute("data-row") == '{"scan_id":"tilted","label":"ICH"}'
    assert dice.get_attribute("data-column") == "dice"
    viewer.get_by_role("checkbox", name="2D").first.check()
    assert "no prediction: out of memory" in table.inner_text()


def test_a_case_that_is_not_there_is_said(viewer: Page, seen: Witnessed) -> None:
    viewer.evaluate("document.dispatchEvent(new CustomEvent('open-case', {detail: {scan: 'other'}}))")
    alert = viewer.locator("#viewer [role=alert]")
    alert.wait_for()
    assert alert.inner_text() == "other can't be shown: cases/scans/other.js is not beside this page."
    [error] = seen.errors  # the browser's own, of the script that it did not find
    assert "ERR_FILE_NOT_FOUND" in error
    seen.errors.clear()
    open_case(viewer, "tilted")


def test_the_focus_goes_to_a_case_and_back_again(viewer: Page) -> None:
    open_case(viewer, "uneven")
    viewer.evaluate(
        """() => {
          const button = document.createElement("button");
          button.id = "opener";
          document.body.prepend(button);
          button.focus();
        }"""
    )
    open_case(viewer, "tilted")
    focused = "document.activeElement.tagName + document.activeElement.id"
    assert viewer.evaluate(focused) == "CANVAS"
    viewer.get_by_role("button", name="Back").click()
    assert viewer.evaluate(focused) == "BUTTONopener"
    viewer.evaluate("document.getElementById('opener').remove()")


def test_the_viewer_fits_a_phone(viewer: Page) -> None:
    open_case(viewer, "tilted")
    viewer.set_viewport_size({"width": 390, "height": 800})
    viewer.wait_for_timeout(300)
    wider = viewer.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    viewer.set_viewport_size({"width": 1280, "height": 1000})
    assert wider <= 0
