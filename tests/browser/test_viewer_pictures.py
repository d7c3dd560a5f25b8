"""The pictures of a case in a real browser: they show what the files hold, where it lies."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Page
from scipy.spatial import KDTree

from headct.publish.page.case_content import TRUTH, Case
from support.label_sets import LABELS
from support.shared_viewer import CASES, choose, set_opacity, show_maps
from support.viewer_page import at, correlation, open_case, picture, pixels, section, shown_volume, tile

WINDOWS_HU = {"Brain": (0, 80), "Blood": (-20, 180), "Bone": (-800, 2000)}
PLANES = ("axial", "coronal", "sagittal")


@pytest.mark.parametrize("scan", CASES)
@pytest.mark.parametrize("window", WINDOWS_HU)
def test_a_slice_is_shown_as_its_window_has_it(viewer: Page, scan: str, window: str) -> None:
    open_case(viewer, scan)
    show_maps(viewer)
    choose(viewer, window)
    assert correlation(viewer, CASES[scan], "axial", WINDOWS_HU[window]) >= 0.95


def test_two_pictures_have_one_window(viewer: Page) -> None:
    open_case(viewer, "uneven", model="moved")
    viewer.get_by_role("button", name="Two pictures").click()
    viewer.wait_for_function("document.querySelectorAll('.viewer-legend')[1].innerText.includes('2D')")
    show_maps(viewer)
    means = []
    for window in WINDOWS_HU:
        choose(viewer, window)
        first, second = (pixels(viewer, number)[..., 0].mean() for number in (0, 1))
        assert second == pytest.approx(first, rel=0.1), f"{window}: both are of the same slice"
        means.append(second)
    assert max(means) > 1.15 * min(means), "the second picture changes with the window"


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


def test_a_lesion_that_is_taken_for_another_is_told(viewer: Page) -> None:
    case = CASES["tilted"]
    open_case(viewer, "tilted", model="moved")
    choose(viewer, "Difference")
    set_opacity(viewer, 1)
    reference, model = (shown_volume(case, viewer, case.maps[name]) for name in (TRUTH, "moved"))
    placed = tile(viewer, "axial", section(reference, "axial", 0))
    lesions = [section(labels, "axial", placed.index) for labels in (reference, model)]
    taken = (lesions[0] != lesions[1]) & (lesions[0] > 0) & (lesions[1] > 0)
    assert taken.sum() > 5
    yellow = np.abs(pixels(viewer) - (0xF0, 0xE4, 0x42)).max(axis=-1) < 40
    drawn = at(yellow[..., None], placed.centres)[..., 0] == 1
    assert drawn[taken].mean() > 0.2
    assert drawn[(lesions[0] == lesions[1]) | ~taken].mean() < 0.02
    assert "mistaken" in viewer.locator(".viewer-legend").first.inner_text()


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
